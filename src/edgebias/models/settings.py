"""Settings of models and builds: the sections ``models``, ``variants``, ``variant_record`` and ``benchmarks``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from edgebias.core.record import Record, SomeOf, text_like

Sha256 = Annotated[str, text_like(r"^[0-9a-f]{64}$", "a SHA-256 (64 hexadecimal digits)")]
"""A SHA-256 in hexadecimal digits."""

FileType = Literal[
    "F16", "Q8_0", "Q6_K", "Q5_0", "Q5_1", "Q5_K_M", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q3_K_S", "Q3_K_M", "Q2_K"
]
"""A file type that llama.cpp writes without an importance matrix."""


Pattern = Literal["2:4", "4:8"]
"""Pruning in groups of neighbouring inputs."""

SCALE_BITS = 16
"""Of one scale, as GPTQ and AWQ store it."""

PATTERN_SHARE = 0.5
"""Each `Pattern` takes half of a group."""

FullType = Literal["F16", "BF16", "F32"]
"""A type of matrices that nothing is compressed in."""


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or ":" in text:
        raise PydanticCustomError("custom", "it leaves the archive; give a relative path without '..'")
    return path.as_posix()


InsidePath = Annotated[str, AfterValidator(_inside)]
"""A relative path that stays inside its archive."""


class Wheel(Record):
    """A wheel of the package index, used as a data carrier."""

    package: str = text_like(r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$", "a name of the package index")
    """Name of the package."""
    version: str = text_like(r"^[0-9][A-Za-z0-9.!+_-]*$", "one exact version number")
    """One exact version."""
    sha256: Sha256
    """SHA-256 of the wheel."""


class WheelMember(Wheel):
    """One file of a wheel."""

    member: InsidePath
    """Path of the file in the wheel."""


class WheelFolder(Wheel):
    """A folder of a wheel."""

    prefix: InsidePath
    """Path of the folder in the wheel."""


class LocalFile(Record):
    """A file on this machine."""

    file: str = Field(min_length=1)
    """Its path."""
    sha256: Sha256 | None = None
    """SHA-256 of the file; left out, it is not checked."""


class LocalFolder(Record):
    """A folder on this machine, laid out as upstream."""

    folder: str = Field(min_length=1)
    """Its path."""


class HubFile(Record):
    """One file of a model repository on the Hugging Face Hub."""

    hub: str = Field(min_length=1)
    """The repository, as OWNER/NAME."""
    file: InsidePath
    """Path of the file in the repository."""
    revision: str = Field(min_length=1)
    """A commit, because a branch moves."""
    sha256: Sha256 | None = None
    """SHA-256 of the file; left out, it is not checked."""


RANGE = re.compile(r"\{([0-9]{1,6})\.\.([0-9]{1,6})\}")
"""``{1..6}``, or with leading zeros ``{01..22}``: each number in turn, as in a shell."""

MOST_PARTS = 1000
"""What one range counts at most; more is a slip of the pen."""

PACKAGES = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]|\{[0-9]{1,6}\.\.[0-9]{1,6}\})*$"


class Part(Record):
    """One part of a file, or several: ranges such as ``{1..6}`` in its texts count together, from first to last."""

    @model_validator(mode="after")
    def _counts_together(self) -> Self:
        ranges = [found for value in self.texts().values() for found in RANGE.finditer(value)]
        counts = [int(found[2]) - int(found[1]) + 1 for found in ranges]
        for found, count in zip(ranges, counts, strict=True):
            if not 1 <= count <= MOST_PARTS:
                words = "{found} is no range; give two numbers, the smaller first, at most {most} apart"
                raise PydanticCustomError("custom", words, {"found": found[0], "most": MOST_PARTS})
            if count != counts[0]:
                words = "{first} counts {other} and {found} counts {count}; ranges of one part count together"
                values = {"first": ranges[0][0], "other": counts[0], "found": found[0], "count": count}
                raise PydanticCustomError("custom", words, values)
        return self

    def texts(self) -> dict[str, str]:
        """Return the fields, each of them a text."""
        return {name: str(getattr(self, name)) for name in type(self).model_fields}


class WheelPart(Part):
    """A file of a wheel."""

    package: str = text_like(PACKAGES, "a name of the package index, with ranges such as {1..6}")
    """Name of the package."""
    version: str = text_like(r"^[0-9][A-Za-z0-9.!+_-]*$", "one exact version number")
    """One exact version."""
    member: InsidePath
    """Path of the file in the wheel."""


class FilePart(Part):
    """A file on this machine."""

    file: str = Field(min_length=1)
    """Its path."""


class HubPart(Part):
    """A file of a model repository on the Hugging Face Hub."""

    hub: str = Field(min_length=1)
    """The repository, as OWNER/NAME."""
    file: InsidePath
    """Path of the file in the repository."""
    revision: str = Field(min_length=1)
    """A commit, because a branch moves."""


P = TypeVar("P", bound=Part)


def each(part: P) -> Iterator[P]:
    """Yield ``part`` once for each number of its ranges; a part without a range as it is."""
    texts = part.texts()
    first = next((found for value in texts.values() for found in RANGE.finditer(value)), None)
    for step in range(int(first[2]) - int(first[1]) + 1 if first else 1):

        def number(found: re.Match[str], step: int = step) -> str:
            return f"{int(found[1]) + step:0{len(found[1])}d}"

        yield type(part)(**{name: RANGE.sub(number, value) for name, value in texts.items()})


def _part_kind(value: Any) -> str | None:
    if isinstance(value, Record):
        return f"<{type(value).__name__}>"
    keys = set(value) if isinstance(value, Mapping) else set()
    if keys & {"package", "version", "member"}:
        return "<WheelPart>"
    if keys & {"hub", "revision"}:
        return "<HubPart>"
    return "<FilePart>" if "file" in keys else None


AnyPart = Annotated[
    Annotated[WheelPart, Tag("<WheelPart>")]
    | Annotated[FilePart, Tag("<FilePart>")]
    | Annotated[HubPart, Tag("<HubPart>")],
    Discriminator(_part_kind),
]
"""A part of a file, or several that differ by a number."""


class JoinedParts(Record):
    """A file in parts that are joined in their order.

    One SHA-256 pins them all: of what is joined nothing else is used, and a wheel is read, never installed. A pin of
    each carrier would say the same in as many lines as there are parts.
    """

    parts: SomeOf[AnyPart]
    """The parts in their order; {1..6} or {01..06} in a text stands for each number in turn."""
    sha256: Sha256
    """SHA-256 of all parts, one after the other."""

    def each(self) -> list[AnyPart]:
        """Return every single part, in order."""
        return [one for part in self.parts for one in each(part)]


def _kind(value: Any) -> str | None:
    """Return which kind of source a mapping describes, by the key that only this kind has."""
    if isinstance(value, Record):
        return f"<{type(value).__name__}>"
    keys = set(value) if isinstance(value, Mapping) else set()
    if "parts" in keys:
        return "<JoinedParts>"
    if "package" in keys or "version" in keys:
        return "<WheelMember>"
    if keys & {"hub", "revision"}:
        return "<HubFile>"
    return "<LocalFile>" if "file" in keys else None


def _benchmark_kind(value: Any) -> str | None:
    if isinstance(value, Record):
        return f"<{type(value).__name__}>"
    keys = set(value) if isinstance(value, Mapping) else set()
    if "folder" in keys:
        return "<LocalFolder>"
    return "<WheelFolder>" if keys & {"package", "version", "prefix"} else None


ModelSource = Annotated[
    Annotated[WheelMember, Tag("<WheelMember>")]
    | Annotated[LocalFile, Tag("<LocalFile>")]
    | Annotated[HubFile, Tag("<HubFile>")]
    | Annotated[JoinedParts, Tag("<JoinedParts>")],
    Discriminator(_kind),
]
"""Where the weights of a model come from."""

BenchmarkSource = Annotated[
    Annotated[WheelFolder, Tag("<WheelFolder>")] | Annotated[LocalFolder, Tag("<LocalFolder>")],
    Discriminator(_benchmark_kind),
]
"""Where the published benchmarks come from."""


OF_EVERY_TEMPLATE = frozenset({"messages", "add_generation_prompt", "continue_final_message", "bos_token", "eos_token"})
"""Variables of a chat template that are not a model's own."""


class ModelSettings(Record):
    """A model."""

    source: ModelSource | None = None
    """Where the weights come from; left out for a model that only a remote endpoint holds."""
    endpoint_model: str | None = None
    """The name by which a remote endpoint knows the model."""
    licence: str = "unknown"
    """Licence of the weights."""
    start_token: str | None = Field(default=None, json_schema_extra={"default": None})
    """What a sentence without context follows. Left out, it is a line break where the file says that no begin token is
    added, else the begin token."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Variables of its chat template, such as `enable_thinking: false` for a model that thinks before it answers. An
    endpoint is sent them under this name, as vLLM, SGLang and llama.cpp take them."""
    chat: bool | None = None
    """Whether it is asked in chat turns: false for a base model, which has no chat template and is asked in the formats
    likelihood and continuation alone. Left out, it is asked in every format of the study."""
    full_type: FullType | None = None
    """Type of the matrices of the build full; left out, F16. A model whose activations leave the range of F16 needs
    BF16 (rounds more) or F32 (takes twice the room)."""
    note: str = ""
    """A remark for the report."""

    @model_validator(mode="after")
    def _variables_of_its_own(self) -> Self:
        taken = sorted(OF_EVERY_TEMPLATE & set(self.chat_template_kwargs or ()))
        if taken:
            words = "chat_template_kwargs has {name}, which every template is given already; take it out"
            raise PydanticCustomError("key", words, {"name": taken[0]})
        return self


class Pruning(Record):
    """How to prune."""

    method: Literal["magnitude", "wanda", "sparsegpt"]
    """The score by which weights go. SparseGPT also corrects the weights that stay."""
    sparsity: float | None = Field(default=None, gt=0, lt=1)
    """Share of the prunable weights that goes, wherever they stand; or give pattern."""
    pattern: Pattern | None = None
    """Instead of sparsity: 2:4 takes two of every four neighbouring inputs of an output, 4:8 four of every eight."""
    seed: int | None = Field(default=None, ge=0)
    """Which sentences calibrate: each seed takes the neutral text in another order; left out, 0."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        _refuse_calibration(self.method, "magnitude", self.seed)
        if self.sparsity is None and self.pattern is None:
            raise PydanticCustomError("key", "sparsity is missing; give a number above 0 and below 1, or pattern: 2:4")
        if self.sparsity is not None and self.pattern is not None:
            raise PydanticCustomError("key", "pattern is given beside sparsity, which it decides; give one of them")
        return self

    @property
    def share(self) -> float:
        """Share of the weights that goes."""
        return PATTERN_SHARE if self.sparsity is None else self.sparsity

    @property
    def group(self) -> int | None:
        """Neighbouring inputs of which the share goes, each group by itself; ``None``: anywhere."""
        return None if self.pattern is None else int(self.pattern.partition(":")[2])


class FakeQuantisation(Record):
    """How to quantise in groups, with the decoded weights as what is stored (a simulation: nothing gets smaller)."""

    method: Literal["rtn", "gptq", "awq"]
    """Round to nearest, GPTQ, or AWQ."""
    bits: Literal[8, 4, 3, 2]
    """Bits of one weight."""
    group: int = Field(default=64, ge=8)
    """Neighbouring inputs of an output that share a scale and a zero point; it divides the width of every matrix."""
    seed: int | None = Field(default=None, ge=0)
    """Which sentences calibrate: each seed takes the neutral text in another order; left out, 0."""

    @model_validator(mode="after")
    def _calibrated(self) -> Self:
        _refuse_calibration(self.method, "rtn", self.seed)
        return self

    @property
    def nominal_bits(self) -> float:
        """Bits per weight of the matrices if codes were stored: with a 16-bit scale and a zero point for each group."""
        return self.bits + (SCALE_BITS + self.bits) / self.group


def _refuse_calibration(method: str, without: str, seed: int | None) -> None:
    if method == without and seed is not None:
        words = "seed is given beside method {method}, which nothing calibrates; take it out"
        raise PydanticCustomError("key", words, {"method": method})


class VariantSettings(Record):
    """A build, made from another: pruned first, then quantised; or quantised in groups, by itself."""

    parent: str | None = Field(default=None, alias="from")
    """The build that it is made from; left out for full alone."""
    quantise: FileType | None = None
    """File type of llama.cpp."""
    importance: bool | None = None
    """Whether llama.cpp rounds with an importance matrix, the mean squared inputs of the calibration text; left out, it
    does not."""
    prune: Pruning | None = None
    """How to prune."""
    fake_quantise: FakeQuantisation | None = None
    """How to quantise in groups."""

    @model_validator(mode="after")
    def _library_alone(self) -> Self:
        if self.importance and self.quantise is None:
            raise PydanticCustomError("key", "importance is given without quantise, which it is for; take it out")
        by_library = [key for key in ("prune", "fake_quantise") if getattr(self, key) is not None]
        if self.by_library and (len(by_library) > 1 or self.quantise is not None):
            other = "quantise" if self.quantise is not None else "prune"
            words = "{other} is given beside what llm-compressor does; make it a build of its own, one from the other"
            raise PydanticCustomError("key", words, {"other": other})
        return self

    @property
    def by_library(self) -> bool:
        """Whether llm-compressor makes it."""
        return self.fake_quantise is not None or (self.prune is not None and self.prune.method == "sparsegpt")


class VariantRecordSettings(Record):
    """Sizes of the two neutral texts that a build is made and described with."""

    calibration_tokens: int = Field(default=4096, ge=256, le=65536)
    """Tokens that calibrate Wanda, SparseGPT, GPTQ and AWQ."""
    perplexity_tokens: int = Field(default=1536, ge=256)
    """Tokens whose perplexity is recorded."""
