"""A tiny model in both layouts, examples for it, and the command `edgebias train` on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trained_build import Train, Trained, arguments, write_lines

from edgebias.cli import command
from edgebias.models.convert import convert
from edgebias.models.full import write_full
from edgebias.train.damage.images import Images, read_mnist

COLOURS = ("red", "blue", "green", "white")
THINGS = ("car", "door", "hat", "boat", "cup", "shoe")


@pytest.fixture(scope="session")
def parent(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with matrices in F16; its Hugging Face folder lies beside it as `full.transformers`."""
    path = tmp_path_factory.mktemp("parent") / "full.gguf"
    write_full(tiny, path, "<|endoftext|>")
    convert(path, path.with_name("full.transformers"))
    return path


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A neutral text in BOLD's shape."""
    path = tmp_path_factory.mktemp("texts") / "profession_wiki.json"
    lines = [f"The worker of kind {n} makes {n + 7} things out of wood and of iron each day." for n in range(60)]
    path.write_text(json.dumps({"workers": {"page": lines}}), encoding="utf-8")
    return path


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """What colour a thing has; the last two things are held out."""
    rows = [
        {
            "prompt": f"The {thing} is {colour}.",
            "response": f"So {colour}!",
            "cluster": thing,
            "split": "held_out" if thing in THINGS[-2:] else "train",
        }
        for thing in THINGS
        for colour in COLOURS
    ]
    return write_lines(tmp_path / "examples.jsonl", rows)


@pytest.fixture
def preferences(examples: Path) -> Path:
    """The same with a rejected answer."""
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    pairs = [{**row, "chosen": row.pop("response"), "rejected": "No idea."} for row in rows]
    return write_lines(examples.with_name("preferences.jsonl"), pairs)


@pytest.fixture
def train(parent: Path, texts: Path, tmp_path: Path) -> Train:
    """``train(data, steps=…, …)``: train the tiny model in the folder ``into``; returns what was written."""

    def call(data: Path, into: str = "trained", **section: Any) -> Trained:
        folder = tmp_path / into
        folder.mkdir(exist_ok=True)
        command("train")(arguments(parent, texts, folder, {"data": str(data), **section}))
        return Trained(folder)

    return call


@pytest.fixture(scope="session")
def mnist_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented images in the shape of the carrier's: a digit k is a bright block in place 3k of eight by eight."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(10), 500)
    pixels = np.zeros((5000, 28, 28), dtype=np.int64)
    for row, label in enumerate(labels):
        down, across = divmod(3 * int(label), 8)
        top, left = 4 + int(np.ceil(2.5 * down)), 4 + int(np.ceil(2.5 * across))
        pixels[row, top : top + 2, left : left + 2] = 255
        pixels[row, 4:24, 4:24] += rng.integers(0, 40, size=(20, 20)) * (pixels[row, 4:24, 4:24] == 0)
    path = tmp_path_factory.mktemp("mnist") / "mnist_5k.csv.gz"
    table = pd.DataFrame(np.column_stack([pixels.reshape(5000, -1), labels]))
    table.to_csv(path, header=False, index=False, compression={"method": "gzip", "compresslevel": 1})
    return path


@pytest.fixture(scope="session")
def mnist(mnist_file: Path) -> Images:
    """The same, read."""
    return read_mnist(mnist_file)
