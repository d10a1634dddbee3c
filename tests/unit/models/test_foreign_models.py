"""Model files as others make them, through the commands that read them: done right, or refused in one line."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType
from tiny_architectures import BLOCK_OF, EXPERTS, write_model

from edgebias.checks.prompts import open_transformers_vocabulary
from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.chat import chat_template
from edgebias.models.gguf import metadata, open_gguf, values

fetch_model = command("fetch-model")
full_precision = command("full-precision")
compress = command("compress")
transformers_weights = command("transformers-weights")

RECORD = {"calibration_tokens": 256, "perplexity_tokens": 256}
ATTENTION = [kind for kind in BLOCK_OF if kind not in {"mamba", "lfm2"}]


def fetch(source: dict[str, Any], output: Path) -> None:
    fetch_model(["--settings", json.dumps({"models.m": {"source": source}}), "--output", str(output)])


def full(source: Path, texts: Path, folder: Path) -> dict[str, Any]:
    settings = {"variant_record": RECORD, "models.m": {"start_token": "<|endoftext|>"}}
    arguments = ["--settings", json.dumps(settings), "--source", str(source), "--texts", str(texts)]
    full_precision([*arguments, "--output", str(folder / "full.gguf"), "--record", str(folder / "full.json")])
    return json.loads((folder / "full.json").read_text(encoding="utf-8"))


def build(section: dict[str, Any], parent: Path, texts: Path, folder: Path) -> dict[str, Any]:
    settings = {"variant_record": RECORD, "variants.v": {"from": "full"} | section}
    arguments = ["--settings", json.dumps(settings), "--parent", str(parent), "--texts", str(texts)]
    compress([*arguments, "--output", str(folder / "v.gguf"), "--record", str(folder / "v.json")])
    return json.loads((folder / "v.json").read_text(encoding="utf-8"))


def refused(run: Callable[[], object], match: str, folder: Path) -> None:
    """The command fails in one line, and leaves nothing in ``folder``."""
    with pytest.raises(InputError, match=match) as caught:
        run()
    assert "\n" not in str(caught.value).strip()
    assert not folder.exists() or not list(folder.iterdir())


def refused_everywhere(path: Path, texts: Path, match: str, tmp_path: Path) -> None:
    """The file is refused when it is fetched, and when a build is made of it."""
    folder = tmp_path / "out"
    refused(lambda: fetch({"file": str(path)}, folder / "m.gguf"), match, folder)
    refused(lambda: full(path, texts, folder), match, folder)
    refused(lambda: build({"quantise": "Q8_0"}, path, texts, folder), match, folder)


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """Put ``new`` where ``old`` stands for the first time."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


# Shards


def write_shards(folder: Path, count: int, stem: str = "m") -> list[Path]:
    paths = [folder / f"{stem}-{number + 1:05d}-of-{count:05d}.gguf" for number in range(count)]
    for number, path in enumerate(paths):
        write_model(path, shard=(number, count))
    return paths


def assert_same_model(found: Path, expected: Path) -> None:
    left, right = (
        {tensor.name: np.asarray(tensor.data) for tensor in open_gguf(path).tensors} for path in (found, expected)
    )
    assert left.keys() == right.keys()
    for name, weights in left.items():
        np.testing.assert_array_equal(weights, right[name])
    one, other = open_gguf(found), open_gguf(expected)
    for key in other.fields:
        if not key.startswith("GGUF."):
            assert metadata(one, key) == metadata(other, key), key
    assert not [key for key in one.fields if key.startswith("split.")]


@pytest.mark.parametrize("named", [0, 1])
def test_shards_are_joined_whichever_is_named(named: int, texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "whole.gguf")
    shards = write_shards(tmp_path, 3)
    fetch({"file": str(shards[named])}, tmp_path / "out" / "m.gguf")
    assert_same_model(tmp_path / "out" / "m.gguf", tmp_path / "whole.gguf")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.gguf"]
    assert full(tmp_path / "out" / "m.gguf", texts, tmp_path / "built")["perplexity"]["value"] > 1


def test_a_first_shard_without_tensors_is_joined(tmp_path: Path) -> None:
    """``llama-gguf-split --no-tensor-first-split`` writes such shards."""
    weights = write_model(tmp_path / "whole.gguf")
    write_model(tmp_path / "m-00001-of-00003.gguf", shard=(0, 3), names=[])
    names = list(weights)
    write_model(tmp_path / "m-00002-of-00003.gguf", shard=(1, 3), names=names[:5])
    write_model(tmp_path / "m-00003-of-00003.gguf", shard=(2, 3), names=names[5:])
    fetch({"file": str(tmp_path / "m-00001-of-00003.gguf")}, tmp_path / "out" / "m.gguf")
    assert_same_model(tmp_path / "out" / "m.gguf", tmp_path / "whole.gguf")


def test_shards_of_packages_and_their_pin(tmp_path: Path) -> None:
    """Listed as parts they are joined too; one SHA-256 is of all of them."""
    import hashlib

    write_model(tmp_path / "whole.gguf")
    content = b"".join(path.read_bytes() for path in write_shards(tmp_path, 2))
    parts = [{"file": f"{tmp_path}/m-{{00001..00002}}-of-00002.gguf"}]
    fetch({"parts": parts, "sha256": hashlib.sha256(content).hexdigest()}, tmp_path / "out" / "m.gguf")
    assert_same_model(tmp_path / "out" / "m.gguf", tmp_path / "whole.gguf")
    folder = tmp_path / "bad"
    refused(lambda: fetch({"parts": parts, "sha256": "0" * 64}, folder / "m.gguf"), "one after the other", folder)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        ("missing", "m-00002-of-00003.gguf: no such file; all shards"),
        ("cut", "m-00002-of-00003.gguf: not a whole GGUF file: cut short"),
        ("twice", r"m-00002-of-00003.gguf is not shard 2 of 3 \(split.no 0"),
        ("of another split", r"is not shard 2 of 3 \(split.no 1, split.count 2"),
        ("no shard", r"is not shard 2 of 3 \(split.no None"),
        ("of another model", "llama.cpp cannot join the shards .*; join them with `llama-gguf-split --merge`"),
    ],
)
def test_shards_that_do_not_belong_together_are_refused(damage: str, match: str, tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 3)
    match damage:
        case "missing":
            shards[1].unlink()
        case "cut":
            shards[1].write_bytes(shards[1].read_bytes()[:-100])
        case "twice":
            shutil.copy(shards[0], shards[1])
        case "of another split":
            shutil.copy(write_shards(tmp_path, 2, "n")[1], shards[1])
        case "no shard":
            write_model(shards[1])
        case "of another model":
            write_model(shards[1], "experts", shard=(1, 3))
    folder = tmp_path / "out"
    refused(lambda: fetch({"file": str(shards[0])}, folder / "m.gguf"), match, folder)


def test_a_renamed_shard_is_refused_everywhere(texts: Path, tmp_path: Path) -> None:
    path = write_shards(tmp_path, 3)[0].rename(tmp_path / "model.gguf")
    refused_everywhere(path, texts, "a shard, one of 3 files .*-00001-of-00003.gguf", tmp_path)


def test_a_model_split_into_one_is_no_shard(texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m-00001-of-00001.gguf", shard=(0, 1))
    fetch({"file": str(tmp_path / "m-00001-of-00001.gguf")}, tmp_path / "out" / "m.gguf")
    assert full(tmp_path / "out" / "m.gguf", texts, tmp_path / "built")["perplexity"]["value"] > 1


# Files that no reader of ours may take


def test_a_big_endian_file_is_refused_everywhere(texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", endian=gguf.GGUFEndian.BIG)
    refused_everywhere(tmp_path / "m.gguf", texts, "big-endian.*gguf-convert-endian", tmp_path)


@pytest.mark.parametrize("kind", [4, 5, 31, 36, 133, 156, 230, 2**31])
def test_types_of_forks_and_withdrawn_types_are_refused_everywhere(kind: int, texts: Path, tmp_path: Path) -> None:
    path = write_model_of_type(tmp_path / "m.gguf", kind)
    match = f"tensor blk.0.attn_norm.weight is of type {kind}, which llama.cpp does not have: .*fork"
    refused_everywhere(path, texts, match, tmp_path)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS; .*git lfs pull"),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b'{"error": "gated"}', "a text in JSON"),
        (b"\x1f\x8b\x08\x00rest", "a gzip archive; unpack it"),
        (b"PK\x03\x04rest", "a zip archive or weights of PyTorch"),
        (struct.pack("<Q", 300) + b'{"a":1}', "weights in safetensors"),
        (b"tjgg\x03\x00\x00\x00", "a format before GGUF"),
        (bytes(64), r"begins with b'\\x00\\x00\\x00\\x00'"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_gguf_at_all_is_named(head: bytes, words: str, texts: Path, tmp_path: Path) -> None:
    """What a download that went wrong leaves under the name of a model."""
    (tmp_path / "m.gguf").write_bytes(head)
    refused_everywhere(tmp_path / "m.gguf", texts, f"not a GGUF file .*{words}", tmp_path)


@pytest.mark.parametrize("alignment", [8, 64, 4096])
def test_another_alignment_of_tensors_is_made_the_usual_one(alignment: int, texts: Path, tmp_path: Path) -> None:
    """llama.cpp quantises such a file into one that it cannot read."""
    write_model(tmp_path / "m.gguf", alignment=alignment)
    assert int(open_gguf(tmp_path / "m.gguf").alignment) == alignment
    full(tmp_path / "m.gguf", texts, tmp_path / "a")
    record = build({"quantise": "Q8_0"}, tmp_path / "a" / "full.gguf", texts, tmp_path / "b")
    assert record["perplexity"]["value"] > 1
    match = f"m.gguf: general.alignment is {alignment}, .*make it from the build full"
    folder = tmp_path / "c"
    refused(lambda: build({"quantise": "Q8_0"}, tmp_path / "m.gguf", texts, folder), match, folder)


def test_a_build_that_is_quantised_already_is_told_so(texts: Path, tmp_path: Path) -> None:
    """Not that a type of 8 bits needs an importance matrix."""
    write_model(tmp_path / "m.gguf")
    build({"quantise": "Q4_0"}, tmp_path / "m.gguf", texts, tmp_path / "a")
    folder = tmp_path / "b"
    match = "cannot quantise it to Q8_0 .*requantizing.*; quantise a build that is not quantised, such as full$"
    refused(lambda: build({"quantise": "Q8_0"}, tmp_path / "a" / "v.gguf", texts, folder), match, folder)


def test_a_chat_template_that_is_no_text_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """llama.cpp would take the model for one without a template."""
    write_model(tmp_path / "m.gguf", keys={"tokenizer.chat_template": 5})
    with pytest.raises(InputError, match=r"tokenizer\.chat_template is '5', no text; take another conversion"):
        chat_template(tmp_path / "m.gguf")


def test_a_folder_in_the_place_of_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").mkdir()
    with pytest.raises(InputError, match="no file, but a folder or a device"):
        fetch({"file": str(tmp_path / "m.gguf")}, tmp_path / "out" / "m.gguf")


def test_the_library_composes_no_letters_that_llama_cpp_reads_as_they_are(tmp_path: Path) -> None:
    """Qwen's own tokenizer does; then the two environments read two prompts."""
    from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
    from edgebias.models.llama_model import loaded_model

    write_model(tmp_path / "m.gguf", "qwen2")
    transformers_weights(["--weights", str(tmp_path / "m.gguf"), "--output-folder", str(tmp_path / "hf")])
    tokenizer = open_transformers_vocabulary(tmp_path / "hf")
    with loaded_model(tmp_path / "m.gguf", vocab_only=True) as model:
        ours = LlamaVocabulary(model, tmp_path / "m.gguf")
        for text in ("Zoe\u0308", "Jose\u0301 and 10 \u212b", "\u1112\u1161\u11ab", "Zo\u00eb"):
            assert tokenizer.tokenise(text, special=False) == ours.tokenise(text, special=False)


def write_model_of_type(path: Path, kind: int) -> Path:
    write_model(path)
    name = b"blk.0.attn_norm.weight" + struct.pack("<IQ", 1, 64)
    return patched(path, name + struct.pack("<I", 0), name + struct.pack("<I", kind))


@pytest.mark.parametrize("version", [0, 1, 4, 99])
def test_other_versions_of_the_format_are_refused_everywhere(version: int, texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf")
    path = patched(tmp_path / "m.gguf", b"GGUF\3\0\0\0", b"GGUF" + struct.pack("<I", version))
    refused_everywhere(path, texts, f"version {version}", tmp_path)


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"general.type": "adapter"}, "not of a language model .adapter"),
        ({"general.type": "mmproj"}, "not of a language model .mmproj"),
        ({"general.type": "imatrix"}, "not of a language model .imatrix"),
    ],
)
def test_files_beside_a_model_are_refused_everywhere(
    keys: dict[str, Any], match: str, texts: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf", keys=keys)
    refused_everywhere(tmp_path / "m.gguf", texts, match, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"general.name", b"general.nam\xff", "has a name that is no UTF-8"),
        (b"blk.1.attn_q.weight", b"blk.1.attn_q.weigh\xe9", "has a name that is no UTF-8"),
        (b"blk.1.attn_q.weight", b"blk.1.attn_k.weight", "duplicated tensor"),
        (b"llama.block_count", b"llama.block_coun_", None),
    ],
)
def test_names_that_are_damaged_are_refused(
    old: bytes, new: bytes, match: str | None, texts: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf")
    path = patched(tmp_path / "m.gguf", old, new)
    if match is None:  # llama.cpp alone knows which keys it needs
        refused(lambda: full(path, texts, tmp_path / "out"), "llama.cpp cannot load it .*block_count", tmp_path / "out")
    else:
        refused_everywhere(path, texts, match, tmp_path)


def test_an_architecture_that_llama_cpp_does_not_know_is_refused(texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf")
    content = (tmp_path / "m.gguf").read_bytes().replace(b"llama", b"llbma")
    (tmp_path / "m.gguf").write_bytes(content)
    folder = tmp_path / "out"
    refused(lambda: full(tmp_path / "m.gguf", texts, folder), "unknown model architecture: 'llbma'", folder)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("llama.embedding_length", 5, "invalid n_rot"),
        ("llama.feed_forward_length", 65, "ffn_gate.weight' has wrong shape"),
        ("llama.block_count", 1, "wrong number of tensors"),
        ("llama.context_length", 2**31, "context: 512 tokens"),
    ],
)
def test_sizes_that_are_not_those_of_the_tensors_name_the_file_that_was_given(
    key: str, value: int, match: str, texts: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "m.gguf")
    name = key.encode() + struct.pack("<I", 4)
    content = (tmp_path / "m.gguf").read_bytes()
    place = content.index(name) + len(name)
    (tmp_path / "m.gguf").write_bytes(content[:place] + struct.pack("<I", value) + content[place + 4 :])
    for run in (
        lambda: full(tmp_path / "m.gguf", texts, tmp_path / "out"),
        lambda: build({"quantise": "Q8_0"}, tmp_path / "m.gguf", texts, tmp_path / "out"),
    ):
        with pytest.raises(InputError, match=match) as caught:
            run()
        assert str(tmp_path / "m.gguf") in str(caught.value)
        assert ".part" not in str(caught.value)
        assert not list((tmp_path / "out").iterdir())


def test_a_model_at_which_llama_cpp_aborts_is_one_line_and_leaves_nothing(texts: Path, tmp_path: Path) -> None:
    """It takes for granted that there is a block: nothing can be returned from there, so the process ends."""
    write_model(tmp_path / "m.gguf")
    name = b"llama.block_count" + struct.pack("<I", 4)
    patched(tmp_path / "m.gguf", name + struct.pack("<I", 2), name + struct.pack("<I", 0))
    settings = json.dumps({"variant_record": RECORD, "models.m": {}})
    command_line = [sys.executable, "-m", "edgebias", "full-precision", "--settings", settings, "--texts", str(texts)]
    command_line += ["--source", str(tmp_path / "m.gguf"), "--output", str(tmp_path / "out" / "full.gguf")]
    command_line += ["--record", str(tmp_path / "out" / "full.json")]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*m\.gguf: llama\.cpp stopped \(llama-model\.cpp.*\); .*\n", done.stderr)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["blk.0.attn_norm.weight", "blk.1.ffn_down.weight"])
def test_a_weight_that_is_not_finite_is_refused(name: str, value: float, texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf")
    writable = gguf.GGUFReader(tmp_path / "m.gguf", "r+")
    next(tensor for tensor in writable.tensors if tensor.name == name).data.reshape(-1)[5] = value
    writable.data.flush()
    folder = tmp_path / "out"
    refused(lambda: full(tmp_path / "m.gguf", texts, folder), f"tensor {name}: a weight is not finite", folder)


# Tokens that are no UTF-8


TOKENS = {200: b"\xff\xfe", 201: b"caf\xe9", 202: b"\xf0\x9f", 203: "naïve".encode()}


def test_tokens_that_are_no_utf8_are_carried_over_byte_for_byte(texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", tokens=TOKENS)
    full(tmp_path / "m.gguf", texts, tmp_path / "a")
    build(
        {"prune": {"method": "wanda", "sparsity": 0.5}, "quantise": "Q8_0"},
        tmp_path / "a" / "full.gguf",
        texts,
        tmp_path / "b",
    )
    for path in (tmp_path / "a" / "full.gguf", tmp_path / "b" / "v.gguf"):
        field = open_gguf(path).fields["tokenizer.ggml.tokens"]
        assert {index: bytes(field.parts[field.data[index]]) for index in TOKENS} == TOKENS


def test_tokens_that_are_no_utf8_are_refused_for_transformers(tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", tokens=TOKENS)
    folder = tmp_path / "hf"
    run = ["--weights", str(tmp_path / "m.gguf"), "--output-folder", str(folder)]
    refused(lambda: transformers_weights(run), "a token is no UTF-8 .*; use the llama backend", folder)


# Architectures


@pytest.mark.parametrize("kind", ATTENTION)
@pytest.mark.parametrize("method", ["magnitude", "wanda"])
def test_every_linear_weight_of_a_block_is_pruned(kind: str, method: str, texts: Path, tmp_path: Path) -> None:
    """Fused matrices and experts too; routers, norms and biases stay whole, and the record says so by kind."""
    write_model(tmp_path / "m.gguf", kind)
    full(tmp_path / "m.gguf", texts, tmp_path / "a")
    record = build({"prune": {"method": method, "sparsity": 0.5}}, tmp_path / "a" / "full.gguf", texts, tmp_path / "b")
    sparsity = record["sparsity"]
    assert sparsity["overall"] == sparsity["matrix_min"] == sparsity["matrix_max"] == 0.5
    whole = {kind for kind, found in sparsity["kinds"].items() if not found["pruned"]}
    assert whole == ({"blk.*.ffn_gate_inp.weight"} if kind == "experts" else set())
    dense = {tensor.name: values(tensor) for tensor in open_gguf(tmp_path / "a" / "full.gguf").tensors}
    for tensor in open_gguf(tmp_path / "b" / "v.gguf").tensors:
        kept, before = values(tensor), dense[tensor.name]
        if tensor.name.startswith("blk.") and before.ndim > 1 and "gate_inp" not in tensor.name:
            rows = kept.reshape(-1, kept.shape[-1]) if method == "wanda" else kept.reshape((*kept.shape[:-2], -1))
            assert (np.count_nonzero(rows, axis=-1) == rows.shape[-1] // 2).all(), tensor.name
            np.testing.assert_array_equal(kept[kept != 0], before[kept != 0])
        else:
            np.testing.assert_array_equal(kept, before)


def test_the_record_of_a_model_with_whole_parts_says_how_sparse_its_blocks_are(texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", "experts")
    pruning = {"prune": {"method": "magnitude", "sparsity": 0.5}}
    sparsity = build(pruning, tmp_path / "m.gguf", texts, tmp_path / "b")["sparsity"]
    kinds = sparsity["kinds"]
    assert kinds["blk.*.ffn_down_exps.weight"] == {"pruned": True, "overall": 0.5, "tensors": 2, "weights": 65536}
    assert kinds["blk.*.ffn_gate_inp.weight"] == {"pruned": False, "overall": 0, "tensors": 2, "weights": 512}
    assert sparsity["matrices"] == 2 * (4 + 3 * EXPERTS)
    weights = sum(found["weights"] for found in kinds.values())
    zeros = sum(found["weights"] * found["overall"] for found in kinds.values())
    assert sparsity["of_blocks"] == pytest.approx(zeros / weights, abs=1e-6)
    assert sparsity["of_blocks"] < 0.5


@pytest.mark.parametrize("kind", ATTENTION)
@pytest.mark.parametrize("file_type", ["Q8_0", "Q4_0"])
def test_every_architecture_is_quantised_and_runs(kind: str, file_type: str, texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", kind)
    record = build({"quantise": file_type}, tmp_path / "m.gguf", texts, tmp_path / "b")
    assert record["perplexity"]["value"] > 1


@pytest.mark.parametrize("kind", ["mamba", "lfm2"])
def test_recurrent_models_are_refused_when_a_build_is_made(kind: str, texts: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", kind)
    match = "recurrent state cannot be rolled back.*endpoint"
    refused(lambda: full(tmp_path / "m.gguf", texts, tmp_path / "out"), match, tmp_path / "out")
    pruning = {"prune": {"method": "wanda", "sparsity": 0.5}}
    refused(lambda: build(pruning, tmp_path / "m.gguf", texts, tmp_path / "out"), match, tmp_path / "out")


@pytest.mark.parametrize("kind", ["mamba", "lfm2"])
def test_convolution_kernels_and_states_stay_in_full_precision(kind: str, tmp_path: Path) -> None:
    from edgebias.models.full import write_full
    from edgebias.models.prune import is_prunable

    write_model(tmp_path / "m.gguf", kind)
    write_full(tmp_path / "m.gguf", tmp_path / "full.gguf", None)
    for tensor in open_gguf(tmp_path / "full.gguf").tensors:
        kept = "conv1d" in tensor.name or "shortconv.conv" in tensor.name or tensor.name.endswith("ssm_a")
        wide = kept or len(tensor.shape) == 1
        assert tensor.tensor_type == (GGMLQuantizationType.F32 if wide else GGMLQuantizationType.F16), tensor.name
        assert not (kept and is_prunable(tensor))


def test_a_matrix_that_a_converter_left_wide_stays_wide(tmp_path: Path) -> None:
    """Of an architecture that is newer than our list, the file itself says what must stay in full precision."""
    from edgebias.models.full import write_full

    write_model(tmp_path / "m.gguf", dtype=np.float16)
    content = (tmp_path / "m.gguf").read_bytes()
    assert content.count(b"blk.0.attn_q.weight") == 1
    write_model(tmp_path / "n.gguf", dtype=np.float16, wide=["blk.0.attn_q.weight"])
    write_full(tmp_path / "n.gguf", tmp_path / "full.gguf", None)
    types = {tensor.name: tensor.tensor_type.name for tensor in open_gguf(tmp_path / "full.gguf").tensors}
    assert (types["blk.0.attn_q.weight"], types["blk.1.attn_q.weight"]) == ("F32", "F16")


# transformers raises whatever it likes


def test_a_model_of_which_transformers_would_make_up_weights_is_refused(tmp_path: Path) -> None:
    """It reads a llama with experts as one without, and gives it random matrices instead."""
    write_model(tmp_path / "m.gguf", "experts")
    folder = tmp_path / "hf"
    run = ["--weights", str(tmp_path / "m.gguf"), "--output-folder", str(folder)]
    match = "has 255424 weights, and transformers' LlamaForCausalLM has .*; use the llama backend"
    refused(lambda: transformers_weights(run), match, folder)


@pytest.mark.parametrize(
    "fault", [TypeError, AttributeError, RuntimeError, AssertionError, ZeroDivisionError, Exception]
)
@pytest.mark.parametrize("place", ["AutoTokenizer", "AutoModelForCausalLM"])
def test_any_exception_of_transformers_is_one_line(
    place: str, fault: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def fail(*_: object, **__: object) -> None:
        raise fault("first line\nsecond " + "x" * 1000)

    write_model(tmp_path / "m.gguf", pre="smollm")
    monkeypatch.setattr(getattr(transformers, place), "from_pretrained", fail)
    folder = tmp_path / "hf"
    run = ["--weights", str(tmp_path / "m.gguf"), "--output-folder", str(folder)]
    refused(
        lambda: transformers_weights(run), f"transformers cannot read .*{fault.__name__}: first line second", folder
    )


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"tokenizer.ggml.padding_token_id": 100_000}, "its pad_token is number 100000 of 261 tokens"),
        ({"tokenizer.ggml.unknown_token_id": "none"}, "unknown_token_id is 'none', no whole number"),
    ],
)
def test_special_tokens_that_are_not_there_are_refused(keys: dict[str, Any], match: str, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", keys=keys)
    folder = tmp_path / "hf"
    run = ["--weights", str(tmp_path / "m.gguf"), "--output-folder", str(folder)]
    refused(lambda: transformers_weights(run), match, folder)
