"""The reference page of the command line is what `make reference` writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/commands.md"


def test_the_page_of_commands_is_current() -> None:
    command = [
        sys.executable,
        "-m",
        "typer",
        "edgebias.cli",
        "utils",
        "docs",
        "--name",
        "edgebias",
        "--title",
        "Commands",
    ]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Markdown takes the lines of an example for code only after an empty line.
    expected = written.replace("\b", "").replace("\nExample:\n", "\nExample:\n\n")
    assert PAGE.read_text(encoding="utf-8") == expected, "run: make reference"
