"""Compression by llm-compressor, in one process of an environment of its own.

The library's pins exclude the transformers of this package. So this file is run by another Python, by its path, and
imports nothing of the package; `edgebias.models.by_library` writes the job and reads what comes out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGETS = ["Linear"]
LEFT_OUT = ["lm_head"]
"""What stays as it is, as in the papers: the output matrix, and embeddings, which are no ``Linear``."""

BATCH = 8
"""Sequences in one step of the library; of one, its own steps take half the time."""

UNSTRUCTURED = "0:0"
"""The library's word for zeros anywhere."""


def recipe(job: dict[str, Any]) -> list[Any]:
    """Return the library's modifiers for a job."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor.modifiers.pruning import SparseGPTModifier
    from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    if job["method"] == "sparsegpt":
        pattern = job["pattern"] or UNSTRUCTURED
        return [SparseGPTModifier(sparsity=job["sparsity"], mask_structure=pattern, targets=TARGETS, ignore=LEFT_OUT)]
    weights = QuantizationArgs(
        num_bits=job["bits"], type="int", symmetric=False, strategy="group", group_size=job["group"]
    )
    scheme = {"matrices": QuantizationScheme(targets=TARGETS, weights=weights)}
    if job["method"] == "gptq":
        return [GPTQModifier(config_groups=scheme, ignore=LEFT_OUT)]
    rounding = QuantizationModifier(config_groups=scheme, ignore=LEFT_OUT)
    return [AWQModifier(), rounding] if job["method"] == "awq" else [rounding]


def decoded(model: Any, names: set[str]) -> dict[str, Any]:
    """Return the tensors of these names as float32, each matrix as its codes, scales and zero points decode."""
    from compressed_tensors.quantization import fake_quantize

    state = {name: tensor for name, tensor in model.state_dict().items() if name in names}
    for name, module in model.named_modules():
        if f"{name}.weight" in state and hasattr(module, "weight_scale"):
            state[f"{name}.weight"] = fake_quantize(
                module.weight.data, module.weight_scale, module.weight_zero_point, module.quantization_scheme.weights
            )
    return {name: tensor.float().contiguous() for name, tensor in state.items()}


def main(job_file: str) -> None:
    """Do the job of a file: compress the model of ``folder`` and write what changed to ``output``."""
    import llmcompressor
    import torch
    from datasets import Dataset
    from llmcompressor import oneshot
    from llmcompressor.pipelines.cache import IntermediatesCache
    from safetensors import safe_open
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    torch.manual_seed(0)
    torch.set_num_threads(job["threads"])
    if not torch.cuda.is_available():  # 0.14.0.1 pins memory for a device all the same, and AWQ stops there
        IntermediatesCache.pin_memory = lambda self, batch_index, input_names=None: None
    model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=torch.float32)
    sequences = job["sequences"]
    calibration: dict[str, Any] = {}
    if sequences:
        calibration = {
            "dataset": Dataset.from_dict(
                {"input_ids": sequences, "attention_mask": [[1] * len(sequence) for sequence in sequences]}
            ),
            "num_calibration_samples": len(sequences),
            "max_seq_length": len(sequences[0]),
            "batch_size": BATCH,
            "shuffle_calibration_samples": False,
        }
    tokenizer = AutoTokenizer.from_pretrained(job["folder"])
    oneshot(model=model, tokenizer=tokenizer, recipe=recipe(job), **calibration)
    with safe_open(Path(job["folder"]) / "model.safetensors", framework="pt") as before:
        state = decoded(model, set(before.keys()))
        changed = {
            name: tensor for name, tensor in state.items() if not torch.equal(tensor, before.get_tensor(name).float())
        }
    save_file(changed, job["output"], metadata={"version": llmcompressor.__version__})


if __name__ == "__main__":
    main(sys.argv[1])
