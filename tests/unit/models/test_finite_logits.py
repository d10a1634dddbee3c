"""Activations beyond 16-bit floats: the build is refused when it is made, and BF16 or F32 is the way that works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType

from edgebias.backends.base import NotFiniteError, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.local.sampling import choose_token, log_probability
from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.gguf import float_data, metadata, open_gguf, rewrite, values
from edgebias.models.prune import magnitude_masks, write_pruned

full_precision, compress = command("full-precision"), command("compress")

RECORD = {"calibration_tokens": 256, "perplexity_tokens": 300}


def loud(source: Path, path: Path, factor: int = 500) -> Path:
    """The tiny model with activations of its feed-forward blocks beyond F16's 65,504."""

    def data(tensor: Any) -> npt.NDArray[Any]:
        weights = float_data(tensor)
        return weights * weights.dtype.type(factor) if "ffn_gate" in tensor.name or "ffn_up" in tensor.name else weights

    rewrite(open_gguf(source), path, lambda tensor: tensor.tensor_type, data, {})
    return path


def full(source: Path, texts: Path, folder: Path, **model: str) -> dict[str, Any]:
    settings = {"variant_record": RECORD, "models.tiny": {"start_token": "<|endoftext|>", **model}}
    files = {"source": source, "texts": texts, "output": folder / "full.gguf", "record": folder / "full.json"}
    flags = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    full_precision(["--settings", json.dumps(settings), *flags])
    found: dict[str, Any] = json.loads((folder / "full.json").read_text(encoding="utf-8"))
    return found


def variant(name: str, recipe: dict[str, Any], parent: Path, texts: Path, folder: Path) -> dict[str, Any]:
    settings = {"variant_record": RECORD, f"variants.{name}": recipe}
    files = {"parent": parent, "texts": texts, "output": folder / f"{name}.gguf", "record": folder / f"{name}.json"}
    flags = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    compress(["--settings", json.dumps(settings), *flags])
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_a_full_build_that_leaves_f16_is_refused_with_the_way_that_works(
    tiny: Path, texts: Path, tmp_path: Path
) -> None:
    """Nothing is left behind, and the line names the key."""
    with pytest.raises(InputError, match=r"full\.gguf: .*not finite.*models\.NAME\.full_type: BF16 \(or F32\)"):
        full(loud(tiny, tmp_path / "loud.gguf"), texts, tmp_path / "made")
    assert not [path for path in (tmp_path / "made").glob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["BF16", "F32"])
def test_the_way_that_works_works(kind: str, tiny: Path, texts: Path, tmp_path: Path) -> None:
    """The full build, what is pruned of it, and what is quantised of that."""
    source = loud(tiny, tmp_path / "loud.gguf")
    record = full(source, texts, tmp_path, full_type=kind)
    assert np.isfinite(record["perplexity"]["value"])
    parent = tmp_path / "full.gguf"
    types = {tensor.tensor_type.name for tensor in open_gguf(parent).tensors if len(tensor.shape) > 1}
    assert types == {kind}
    recipe = {"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}}
    pruned = variant("wanda50", recipe, parent, texts, tmp_path)
    assert pruned["pruning"]["method"] == "wanda"
    assert np.isfinite(pruned["perplexity"]["value"])
    small = variant("q8_0", {"from": "wanda50", "quantise": "Q8_0"}, tmp_path / "wanda50.gguf", texts, tmp_path)
    assert np.isfinite(small["perplexity"]["value"])


def test_a_build_of_an_unfit_parent_is_refused(tiny: Path, texts: Path, tmp_path: Path) -> None:
    """A pruned F16 build runs in F16, too."""
    source = loud(tiny, tmp_path / "loud.gguf")
    recipe = {"from": "full", "prune": {"method": "magnitude", "sparsity": 0.1}}
    with pytest.raises(InputError, match=r"m10\.gguf: .*not finite.*full_type"):
        variant("m10", recipe, source, texts, tmp_path)
    assert not (tmp_path / "m10.gguf").exists()


@pytest.mark.parametrize(("kind", "number"), [("F16", 1), ("BF16", 32), ("F32", 0)])
def test_the_type_of_a_full_build_is_the_model_s(
    kind: str, number: int, tiny: Path, texts: Path, tmp_path: Path
) -> None:
    """Matrices have it, vectors are F32, and llama.cpp reads it as such a file."""
    full(tiny, texts, tmp_path, full_type=kind)
    reader = open_gguf(tmp_path / "full.gguf")
    assert metadata(reader, "general.file_type") == number
    source = {tensor.name: values(tensor) for tensor in open_gguf(tiny).tensors}
    for tensor in reader.tensors:
        expected = "F32" if len(tensor.shape) == 1 else kind
        assert tensor.tensor_type.name == expected
        np.testing.assert_allclose(values(tensor), source[tensor.name], rtol=2**-8 if kind == "BF16" else 0)


def test_a_bf16_build_keeps_its_bits_where_it_is_not_pruned(tiny: Path, texts: Path, tmp_path: Path) -> None:
    """Pruning rounds nothing."""
    full(tiny, texts, tmp_path, full_type="BF16")
    before = open_gguf(tmp_path / "full.gguf")
    masks = magnitude_masks(tmp_path / "full.gguf", 0.5)
    write_pruned(tmp_path / "full.gguf", tmp_path / "pruned.gguf", masks)
    for old, new in zip(before.tensors, open_gguf(tmp_path / "pruned.gguf").tensors, strict=True):
        assert new.tensor_type == old.tensor_type
        kept = ~masks[old.name] if old.name in masks else np.ones(values(old).shape, np.bool_)
        np.testing.assert_array_equal(values(new), values(old) * kept)
        assert old.name not in masks or new.tensor_type == GGMLQuantizationType.BF16


def test_a_quantised_build_of_an_unfit_type_says_which_types_are_left(tiny: Path, texts: Path, tmp_path: Path) -> None:
    """Q8_0 scales blocks of activations by a 16-bit number: beyond 8 million that is infinite, too."""
    full(tiny, texts, tmp_path, full_type="F32")
    parent = loud(tmp_path / "full.gguf", tmp_path / "loud.gguf", 20_000)
    with pytest.raises(InputError, match=r"q8_0\.gguf: .*not finite.*Q8_0 .*Q6_K"):
        variant("q8_0", {"from": "full", "quantise": "Q8_0"}, parent, texts, tmp_path)


def test_an_answer_that_is_no_number_is_never_read(tiny: Path, tmp_path: Path) -> None:
    """A user's own build may do it while it runs."""
    weights = loud(tiny, tmp_path / "loud.gguf")
    asked = [OptionRequest(Prompt(text="Who was it?"), (" he", " she"))]
    with LlamaBackend(weights, threads=1, context=128, start_token=None) as llama, pytest.raises(NotFiniteError):
        list(llama.score(asked))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_logit_that_is_not_finite_is_enough(bad: float) -> None:
    """At any place and any temperature."""
    logits = np.zeros(5, np.float32)
    logits[3] = bad
    with pytest.raises(NotFiniteError):
        log_probability(logits, [0])
    for temperature in (0.0, 1.0):
        with pytest.raises(NotFiniteError):
            choose_token(logits, temperature, np.random.default_rng(0))
