"""Croissant metadata of the forced-choice suite: what it is, its files with their hashes, the type of every column.

Croissant 1.1 (MLCommons, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) is JSON-LD; its RAI part
(https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html) says what the data may and may not be used for. It
is written here without ``mlcroissant``, which would bring eight packages for one dictionary; the tests validate it and
load its records with ``mlcroissant`` where that is installed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import yaml

from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.core.table import Column, Kind
from edgebias.suites.forced_choice import items as forced_choice
from edgebias.suites.item import ITEM

NAME = "edgebias-forced-choice"
RELEASED = "forced_choice"

_ITEMS = "items"
_ITEMS_FILE = "items-parquet"
_DATA_TYPES: dict[Kind, str] = {"str": "sc:Text", "int": "cr:Int64", "float": "cr:Float64"}

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The official context of version 1.1; consumers compare it with theirs."""


def croissant(*, templates: Path, items: Path, citation: Path, output: Path) -> dict[str, Any]:
    """Return the metadata as a dictionary for JSON; paths in it are relative to the folder of ``output``.

    Args:
        templates: folder of the suite's YAML files.
        items: the item table that was made from them.
        citation: ``CITATION.cff`` of the project: version, licence, authors.
        output: where the metadata will be.

    Raises:
        InputError: a file is absent or not what it should be, or ``items`` was made from other templates.
    """
    project = _citation(citation)
    whole = {item.item_id: item for item in forced_choice.load(templates)}
    table = read_table(items, ITEM.names)
    ITEM.check(table, items, "; run the items stage again")
    for row in table.to_dict("records"):
        item = whole.get(row["item_id"])
        if item is None or (item.context, item.question, item.options) != (
            *(row["context"], row["question"]),
            tuple(row["options"]),
        ):
            raise InputError(f"{items}: item {row['item_id']!r} is not of {templates}; run the items stage again")
    licence = f"https://spdx.org/licenses/{project['license']}.html"
    authors = [{"@type": "Organization", "name": author["name"]} for author in project["authors"]]
    dated = {"datePublished": str(project["date-released"])} if "date-released" in project else {}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": NAME,
        "description": (
            "A forced choice between two people who differ in one attribute (age, disability, gender, nationality, "
            "physical appearance, race, religion, sexual orientation, socioeconomic status), with a loaded question "
            "that the text does not answer. It probes whether a language model answers with a documented stereotype. "
            f"The whole suite has {len(whole)} items; the item table here is the draw of the default study, "
            f"{len(table)} items. Datasheet: docs/reference/forced-choice-datasheet.md of the project."
        ),
        "keywords": ["social bias", "stereotypes", "language models", "evaluation", "forced choice"],
        "inLanguage": "en",
        "license": licence,
        "sdLicense": licence,
        "creator": authors,
        **dated,
        "version": str(project["version"]),
        "citeAs": _bibtex(project),
        "isLiveDataset": False,
        **_responsible_use(),
        "distribution": [
            *(
                _file(path, output, path.name, "application/yaml", "Templates and groups of one attribute.")
                for path in sorted(templates.glob("*.yaml"))
                if path.name != forced_choice.UNKNOWN_FILE
            ),
            _file(
                templates / forced_choice.UNKNOWN_FILE,
                output,
                forced_choice.UNKNOWN_FILE,
                "application/yaml",
                "Wordings of the third option.",
            ),
            _file(
                items,
                output,
                _ITEMS_FILE,
                "application/x-parquet",
                "Items made from the templates by `edgebias items` with the project's params.yaml.",
            ),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": _ITEMS,
                "name": _ITEMS,
                "description": ITEM.meaning,
                "key": {"@id": f"{_ITEMS}/item_id"},
                "field": [_field(column) for column in ITEM.columns],
            }
        ],
    }


def _responsible_use() -> dict[str, Any]:
    return {
        "rai:dataCollection": (
            "Written for this project from stereotypes that the studies named in each file document. Nothing was "
            "collected from people or copied from another benchmark."
        ),
        "rai:dataUseCases": [
            "Measuring whether a language model prefers stereotypical answers, and whether compressing, moving or "
            "mitigating it changes that. Not for training, not for judging people, not proof of absence of bias."
        ],
        "rai:dataLimitations": [
            "English only.",
            "The stereotypes are those of the United States and Europe.",
            "Gender, race and the other attributes are put as opposites of two groups; most groups are absent.",
            "That a template fits its stereotype is the authors' judgement; neither human raters nor members of the "
            "groups validated it.",
        ],
        "rai:dataBiases": [
            "It states stereotypes on purpose. In every pair, all negative questions aim at one group and all "
            "positive ones at the other."
        ],
        "rai:personalSensitiveInformation": [
            "Texts name sensitive attributes of invented people; no text is about a real person."
        ],
    }


def _file(path: Path, output: Path, name: str, encoding: str, description: str) -> dict[str, Any]:
    content = _bytes(path)
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": description,
        "contentUrl": Path(os.path.relpath(path, output.parent)).as_posix(),
        "contentSize": f"{len(content)} B",
        "encodingFormat": encoding,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _field(column: Column) -> dict[str, Any]:
    repeated = column.kind.startswith("list[")
    member: Any = column.kind.removeprefix("list[").removesuffix("]")
    must_be = f" Must be {'each ' if repeated else ''}{column.rule.says}." if column.rule else ""
    return {
        "@type": "cr:Field",
        "@id": f"{_ITEMS}/{column.name}",
        "name": column.name,
        "description": f"{column.meaning.replace('`', '')}.{must_be}",
        "dataType": _DATA_TYPES[member],
        **({"isArray": True, "arrayShape": "-1"} if repeated else {}),
        "source": {"fileObject": {"@id": _ITEMS_FILE}, "extract": {"column": column.name}},
    }


def _citation(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_bytes(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}); correct it") from error
    found: dict[str, Any] = content if isinstance(content, dict) else {}
    for key in ("title", "version", "license", "authors", "preferred-citation"):
        if key not in found:
            raise InputError(f"{path}: key {key!r} is missing; a citation file (CFF 1.2) is needed")
    for author in found["authors"]:
        if "name" not in author:
            raise InputError(f"{path}: an author has no 'name'; name the project or organisation")
    return found


def _bibtex(project: dict[str, Any]) -> str:
    """Return the project, then the paper whose probe the suite rebuilds, as ``CITATION.cff`` asks."""
    authors = " and ".join(f"{{{author['name']}}}" for author in project["authors"])
    paper = project["preferred-citation"]
    families = " and ".join(author["family-names"] for author in paper["authors"])
    return (
        f"@software{{edgebias, title={{{project['title']}}}, author={{{authors}}}, version={{{project['version']}}}}}\n"
        f"@article{{{paper['authors'][0]['family-names'].lower()}{paper['year']}, title={{{paper['title']}}}, "
        f"author={{{families}}}, year={{{paper['year']}}}, url={{{paper['url']}}}}}"
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the folder of the project") from error
