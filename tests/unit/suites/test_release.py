from __future__ import annotations

import hashlib
import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pytest
import yaml

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.item import ITEM

make_items = command("items")
main = command("croissant")
print_counts = command("suite-counts")

CHECKOUT = Path(__file__).resolve().parents[3]
TEMPLATES = CHECKOUT / "data/forced_choice"
COMMITTED = TEMPLATES / "croissant.json"
DATASHEET = (CHECKOUT / "docs/reference/forced-choice-datasheet.md").read_text(encoding="utf-8")
FROM_ANOTHER_PYARROW = ("sha256", "contentSize")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite and its item table, freshly made, at the places where they are in a study."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(TEMPLATES, root / "data/forced_choice", ignore=shutil.ignore_patterns("*.json"))
    shutil.copy(CHECKOUT / "CITATION.cff", root)
    params = yaml.safe_load((CHECKOUT / "params.yaml").read_text(encoding="utf-8"))
    settings = {"seed": params["seed"]} | {f"prompts.{key}": value for key, value in params["prompts"].items()}
    items = root / "data/items/edge/forced_choice.parquet"
    make_items(
        [
            *("--settings", json.dumps(settings), "--suite", "forced_choice", "--output", str(items)),
            *("--raw-folder", str(root / "data/forced_choice")),
        ]
    )
    return root


def write(root: Path, **changes: Path) -> Path:
    places = {
        **{"templates": root / "data/forced_choice", "items": root / "data/items/edge/forced_choice.parquet"},
        **{"citation": root / "CITATION.cff", "output": root / "data/forced_choice/croissant.json"},
    }
    chosen = places | changes
    main([*(part for name, path in chosen.items() for part in (f"--{name}", str(path)))])
    return chosen["output"]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def comparable(content: dict[str, Any]) -> dict[str, Any]:
    """Without the hash of the parquet file where another pyarrow than the pinned one wrote it: it signs its files."""
    lock = (CHECKOUT / "requirements/lock.txt").read_text(encoding="utf-8")
    if f"pyarrow=={pyarrow.__version__}\n" in lock:
        return content
    files = [
        {key: value for key, value in file.items() if key not in FROM_ANOTHER_PYARROW or file["@id"].endswith(".yaml")}
        for file in content["distribution"]
    ]
    return content | {"distribution": files}


def test_the_committed_metadata_is_a_fresh_generation(project: Path) -> None:
    assert comparable(read(write(project))) == comparable(read(COMMITTED))


def test_every_file_has_its_hash_and_every_template_is_listed(project: Path) -> None:
    output = write(project)
    files = read(output)["distribution"]
    for file in files:
        content = (output.parent / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    assert {file["contentUrl"] for file in files} == {
        *(path.name for path in TEMPLATES.glob("*.yaml")),
        "../items/edge/forced_choice.parquet",
    }


def test_every_column_is_a_field_with_type_and_meaning(project: Path) -> None:
    fields = read(write(project))["recordSet"][0]["field"]
    assert [field["name"] for field in fields] == list(ITEM.names)
    lists = {field["name"] for field in fields if field.get("isArray")}
    assert lists == {"options", "roles", "permutation"}
    types = {field["name"]: field["dataType"] for field in fields}
    assert (types["label"], types["permutation"], types["options"]) == ("cr:Int64", "cr:Int64", "sc:Text")
    assert all(len(field["description"]) > 10 for field in fields)


def test_it_cites_what_the_citation_file_says(project: Path, tmp_path: Path) -> None:
    citation = yaml.safe_load((project / "CITATION.cff").read_text(encoding="utf-8")) | {"version": "9.8.7"}
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(citation), encoding="utf-8")
    content = read(write(project, citation=tmp_path / "CITATION.cff", output=tmp_path / "croissant.json"))
    assert content["version"] == "9.8.7"
    assert "version={9.8.7}" in content["citeAs"]
    assert citation["preferred-citation"]["title"] in content["citeAs"]
    assert content["license"].endswith(f"/{citation['license']}.html")


def test_items_of_other_templates_are_refused(project: Path, tmp_path: Path) -> None:
    changed = tmp_path / "templates"
    shutil.copytree(project / "data/forced_choice", changed)
    text = (changed / "age.yaml").read_text(encoding="utf-8")
    (changed / "age.yaml").write_text(text.replace("Who forgot", "Who missed"), encoding="utf-8")
    with pytest.raises(InputError, match=r"item 'forced_choice/age/forgetting/.*' is not of .*templates"):
        write(project, templates=changed, output=tmp_path / "croissant.json")
    assert not (tmp_path / "croissant.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("title: x\n", "key 'version' is missing"), ("- x\n", "key 'title' is missing"), ("a: [\n", "not valid YAML")],
)
def test_a_broken_citation_file_is_refused(project: Path, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "CITATION.cff").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        write(project, citation=tmp_path / "CITATION.cff", output=tmp_path / "croissant.json")
    with pytest.raises(InputError, match="cannot be read"):
        write(project, citation=tmp_path / "absent.cff", output=tmp_path / "croissant.json")


@pytest.mark.skipif(find_spec("mlcroissant") is None, reason="mlcroissant is not installed (pip install .[croissant])")
def test_mlcroissant_validates_it_and_loads_the_records_of_the_real_file(project: Path) -> None:
    import mlcroissant

    output = write(project)
    dataset = mlcroissant.Dataset(jsonld=str(output))
    assert not dataset.metadata.ctx.issues.errors
    assert {issue.rsplit('"', 2)[1] for issue in dataset.metadata.ctx.issues.warnings} <= {
        "https://schema.org/datePublished"  # there is none before a release
    }
    loaded = [
        {name.removeprefix("items/"): plain(value) for name, value in record.items()}
        for record in dataset.records("items")
    ]
    items = pd.read_parquet(project / "data/items/edge/forced_choice.parquet")
    assert loaded == [{name: plain(value) for name, value in row.items()} for row in items.to_dict("records")]


def plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


def test_the_counts_of_the_datasheet_are_those_of_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    print_counts(["--templates", str(TEMPLATES)])
    printed = capsys.readouterr().out
    assert printed in DATASHEET
    # an oracle of its own: the YAML files, without the loader of the suite
    contents = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in TEMPLATES.glob("*.yaml")
        if path.stem != "unknown_wordings"
    }
    for line in printed.splitlines()[2:-1]:
        attribute, templates, negative, positive, pairs, combinations, items = line.strip("| ").split(" | ")
        content = contents.pop(attribute)
        valences = [template["valence"] for template in content["templates"]]
        assert [int(templates), int(pairs)] == [len(valences), len(content["pairs"])]
        assert [int(negative), int(positive)] == [valences.count("negative"), valences.count("positive")]
        assert int(combinations) == sum(len(template["targets"]) for template in content["templates"])
        assert int(items) == 4 * int(combinations)
    assert not contents


def test_the_prose_of_the_datasheet_is_true_to_the_files(project: Path) -> None:
    wordings = yaml.safe_load((TEMPLATES / "unknown_wordings.yaml").read_text(encoding="utf-8"))["wordings"]
    items = pd.read_parquet(project / "data/items/edge/forced_choice.parquet")
    contents = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in TEMPLATES.glob("*.yaml")
        if path.stem != "unknown_wordings"
    ]
    templates = [template for content in contents for template in content["templates"]]
    negative = sum(template["valence"] == "negative" for template in templates)
    for said in (
        f"one of {len(wordings)} wordings",
        f"draws {len(items)} items: {len(items) // len(templates)} of each template",
        f"Negative questions ({negative} templates)",
        f"positive ones ({len(templates) - negative})",
        f"an attribute has {len(templates) // len(contents)} independent units",
    ):
        assert said in re.sub(r"\s+", " ", DATASHEET)
    assert all(content["references"] for content in contents)
    assert all(template["stereotype"] for template in templates)
    # negative questions aim at one group of a pair and positive ones at the other
    for content in contents:
        for pair in content["pairs"]:
            aims = {
                (template["valence"], template["targets"][pair])
                for template in content["templates"]
                if pair in template["targets"]
            }
            assert len(aims) == len({group for _, group in aims}) == 2


def test_the_example_of_the_datasheet_is_an_item() -> None:
    from edgebias.suites.forced_choice.items import load

    shown = re.sub(r"\s+", " ", DATASHEET.replace("\n  > ", " ").replace("*", "").replace("`", ""))
    item = next(
        item
        for item in load(TEMPLATES)
        if item.item_id == "forced_choice/age/forgetting/young_elderly_men/young_first/with_unknown"
    )
    answers = " / ".join(f"{option} ({role})" for option, role in zip(item.options, item.roles, strict=True))
    assert f"{item.context} {item.question} {answers}" in shown
