"""Which weights are trained: all of them, or low-rank adapters by `peft`, merged into the matrices at the end."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import torch

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.train.settings import ALPHA, DROPOUT, NO_PEFT, RANK, TrainSettings

SEEDS = 2**63
"""PyTorch's seeds are below this."""


def seed_step(settings: TrainSettings, *names: str) -> None:
    """Seed PyTorch for one step by its name, so that a resumed job draws what an undisturbed one draws."""
    torch.manual_seed(derive(settings.seed, *names) % SEEDS)


def check_installed(settings: TrainSettings) -> None:
    """Check that what trains adapters is installed, where they are asked for.

    Raises:
        InputError: it is not.
    """
    if settings.method == "lora" and find_spec("peft") is None:
        raise InputError(f"train: peft is not installed, which trains adapters: {NO_PEFT}, or set `method: full`")


def trainable(model: Any, settings: TrainSettings) -> Any:
    """Return ``model`` ready to be trained: with adapters beside every matrix of its blocks, or all its weights."""
    if settings.method == "full":
        return model.requires_grad_(True)
    from peft import LoraConfig, get_peft_model

    seed_step(settings, "adapters")
    adapters = LoraConfig(
        r=settings.rank or RANK,
        lora_alpha=settings.alpha or ALPHA,
        lora_dropout=DROPOUT if settings.dropout is None else settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for what will be called otherwise
        return get_peft_model(model, adapters)


def moving(model: Any) -> dict[str, torch.nn.Parameter]:
    """Return the weights that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def merged(model: Any) -> Any:
    """Return the model as transformers has it, adapters merged into its matrices; without adapters the model itself."""
    merge = getattr(model, "merge_and_unload", None)
    return model if merge is None else merge()
