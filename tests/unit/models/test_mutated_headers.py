"""Damaged GGUF headers: one line each, in bounded memory, through the reader that every stage uses."""

from __future__ import annotations

import json
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tiny_architectures import write_model

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.full import write_full
from edgebias.models.gguf import open_gguf, open_header

fetch_model = command("fetch-model")

MEMORY = 512 * 2**20
"""What reading one damaged header may take beyond what the process holds already, in bytes."""

Mutation = Callable[[bytes], bytes]

COUNTS = [0, 1, 2, 255, 2**16, 2**20, 2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
KINDS = [0, 4, 7, 8, 9, 10, 12, 13, 255, 2**31, 2**32 - 1]
KEYS = [
    b"general.architecture", b"general.name", b"llama.block_count", b"llama.embedding_length",
    b"llama.attention.head_count", b"llama.context_length", b"tokenizer.ggml.tokens", b"tokenizer.ggml.token_type",
    b"tokenizer.ggml.merges", b"tokenizer.ggml.bos_token_id", b"tokenizer.ggml.add_bos_token",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "m.gguf"
    write_model(path)
    return path


def header_of(content: bytes) -> int:
    """Where the names of tensors end, about."""
    return content.rindex(b"output.weight") + 60


def put(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


@st.composite
def flips(draw: st.DrawFn) -> Mutation:
    """Some bytes of the header are others."""
    places = draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))

    def mutate(content: bytes) -> bytes:
        damaged = bytearray(content)
        for share, value in places:
            damaged[int(share * header_of(content))] = value
        return bytes(damaged)

    return mutate


@st.composite
def cuts(draw: st.DrawFn) -> Mutation:
    """The file ends early, or a piece of its header is missing, or stands there twice."""
    first, second = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    kind = draw(st.sampled_from(["end", "missing", "twice"]))

    def mutate(content: bytes) -> bytes:
        start, end = int(first * header_of(content)), int(second * header_of(content))
        return {
            "end": content[:start],
            "missing": content[:start] + content[end:],
            "twice": content[:end] + content[start:],
        }[kind]

    return mutate


@st.composite
def counts(draw: st.DrawFn) -> Mutation:
    """A count of keys, tensors, values or bytes is another."""
    count, place = struct.pack("<Q", draw(st.sampled_from(COUNTS))), draw(st.sampled_from(["tensors", "keys", *KEYS]))
    what = draw(st.sampled_from(["length of the name", "value", "length of the array"]))

    def mutate(content: bytes) -> bytes:
        if isinstance(place, str):
            return put(content, 8 if place == "tensors" else 16, count)
        found = content.index(place)
        after = {"length of the name": -8, "value": len(place) + 4, "length of the array": len(place) + 8}[what]
        return put(content, found + after, count)

    return mutate


@st.composite
def kinds(draw: st.DrawFn) -> Mutation:
    """A value, or the values of an array, are of another kind; arrays of arrays among them."""
    kind, place = struct.pack("<I", draw(st.sampled_from(KINDS))), draw(st.sampled_from(KEYS))
    inner = draw(st.booleans())
    return lambda content: put(content, content.index(place) + len(place) + 4 * inner, kind)


@st.composite
def tensors(draw: st.DrawFn) -> Mutation:
    """A tensor has another number of dimensions, size, type or place."""
    name = draw(st.sampled_from([b"token_embd.weight", b"blk.0.attn_q.weight", b"blk.1.ffn_norm.weight"]))
    place = draw(st.integers(0, 36))
    value = draw(st.one_of(st.sampled_from(COUNTS), st.integers(0, 2**64 - 1)))
    width = draw(st.sampled_from(["<I", "<Q"]))
    new = struct.pack(width, value % 2 ** (8 * struct.calcsize(width)))
    return lambda content: put(content, content.index(name) + len(name) + place, new)


@st.composite
def alignments(draw: st.DrawFn) -> Mutation:
    """The file has a key for the alignment of its tensors, of any value and kind."""
    value, kind = draw(st.one_of(st.sampled_from(COUNTS), st.integers(0, 2**16))), draw(st.sampled_from([4, 5, 10]))
    packed = struct.pack("<Q", value)[: 8 if kind == 10 else 4]
    key = b"general.alignment"

    def mutate(content: bytes) -> bytes:
        added = struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + packed
        number = struct.unpack_from("<Q", content, 16)[0]
        return put(content, 16, struct.pack("<Q", number + 1))[:24] + added + content[24:]

    return mutate


@st.composite
def zeros(draw: st.DrawFn) -> Mutation:
    """From some place on the file is all zeros, under a large count."""
    share, count = draw(st.floats(0, 1)), draw(st.sampled_from(COUNTS))

    def mutate(content: bytes) -> bytes:
        start = max(24, int(share * header_of(content)))
        return put(content[:start] + bytes(2**20), draw_place, struct.pack("<Q", count))

    draw_place = draw(st.sampled_from([8, 16]))
    return mutate


MUTATIONS = st.one_of(flips(), cuts(), counts(), kinds(), tensors(), alignments(), zeros())


@pytest.fixture
def bounded() -> object:
    """Less memory than a count without bounds would take: too much of it is a MemoryError, which no command catches."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


SAME_ON_EVERY_RUN: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
DAMAGED = st.lists(MUTATIONS, min_size=1, max_size=3)


@pytest.mark.usefixtures("bounded")
@seed(20250217)
@settings(max_examples=60, **SAME_ON_EVERY_RUN)
@given(mutations=DAMAGED)
def test_a_damaged_header_is_read_or_refused_in_one_line(
    mutations: list[Mutation], whole: Path, tmp_path: Path
) -> None:
    is_read_or_refused(mutations, whole, tmp_path)


@pytest.mark.fault
@pytest.mark.usefixtures("bounded")
@seed(20250218)
@settings(max_examples=500, **SAME_ON_EVERY_RUN)
@given(mutations=DAMAGED)
def test_five_hundred_damaged_headers(mutations: list[Mutation], whole: Path, tmp_path: Path) -> None:
    is_read_or_refused(mutations, whole, tmp_path)


def is_read_or_refused(mutations: list[Mutation], whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    for mutate in mutations:
        try:
            content = mutate(content)
        except (ValueError, IndexError, struct.error):  # an earlier one took away what this one looks for
            continue
    path, output = tmp_path / "damaged.gguf", tmp_path / "out" / "m.gguf"
    path.write_bytes(content)
    source = json.dumps({"models.m": {"source": {"file": str(path)}}})
    for run in (
        lambda: fetch_model(["--settings", source, "--output", str(output)]),
        lambda: open_header(path),
        lambda: open_gguf(path),
        lambda: write_full(path, output, "<|endoftext|>"),
    ):
        output.unlink(missing_ok=True)
        refusal = refusal_of(run)
        assert "\n" not in refusal
        assert len(refusal) < 1000
        assert not (refusal and output.exists())


def refusal_of(run: Callable[[], object]) -> str:
    """Return the line with which something is refused, or nothing."""
    try:
        run()
    except InputError as error:
        return str(error)
    return ""
