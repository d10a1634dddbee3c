"""The command line ``edgebias``: one app, whose commands are the modules of `edgebias.stages`.

A module is imported when its command is called: ``edgebias score`` loads neither torch nor the other commands.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Exit, TyperException
from typer.main import get_command

from edgebias.core.errors import InputError, run_stage

STAGES = (
    "fetch-model",
    "model-formats",
    "fetch-benchmarks",
    "fetch-benchmark-file",
    "fetch-images",
    "items",
    "full-precision",
    "compress",
    "compress-by-library",
    "preferences",
    "augment",
    "mixture",
    "misalignment",
    "gender-tail",
    "train",
    "transformers-weights",
    "parity",
    "infer",
    "rounds",
    "robustness",
    "arithmetic",
    "score",
    "score-rounds",
    "score-robustness",
    "damage-runs",
    "compare",
    "decompose",
    "trust",
    "personalisation",
    "inheritance",
    "damage",
    "reference-answers",
    "layer-probes",
    "directions",
    "shipped-directions",
    "gate",
    "conditional-steering",
    "fit-feedback-loop",
    "mitigate",
    "wins-back",
    "control-vector-card",
    "roofline",
    "report",
    "page",
)
"""A command for each rule of the Snakefile, in the order of the pipeline."""

VERBS = (
    "audit",
    "plan",
    "serve",
    "verify",
    "oracle",
    "agreement",
    "pages",
    "mitigation-page",
    "tables",
    "params-schema",
    "croissant",
    "suite-counts",
    "provenance",
    "dvc",
    "code-hashes",
)
"""What a user calls, beside the pipeline."""

PANELS = {"Verbs": VERBS, "Stages of the pipeline, in order (the rules of the Snakefile call them)": STAGES}


class Commands(TyperGroup):
    """The group of all commands, which imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, verbs first."""
        return [*VERBS, *STAGES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command ``cmd_name``, or None where there is none."""
        return _command_of(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that ``args`` names.

        Raises:
            InputError: there is none.
        """
        if args and not ctx.resilient_parsing and args[0] not in self.list_commands(ctx):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"{args[0]}: no such command; {hint}`edgebias --help` lists all")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each panel of commands, with the first sentence of each."""
        for title, names in PANELS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _command_of(name).short_help) for name in names])


app = typer.Typer(
    name="edgebias",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"edgebias {version('edgebias')}")
        raise Exit


@app.callback()
def edgebias(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Measure the social bias of language models at the edge, and mend it without retraining.

    Every option of a command, and an example: edgebias COMMAND --help.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``edgebias`` with ``argv``: bad input is one line and exit status 2, a bug keeps its traceback."""
    if "_EDGEBIAS_COMPLETE" in os.environ:  # a shell asks for completions
        app(prog_name="edgebias")
    run_stage(_invoke, sys.argv[1:] if argv is None else argv)


def command(name: str) -> Callable[[Sequence[str]], None]:
    """Return the command ``name`` as a function of its arguments, which raises `InputError` for bad input."""

    def call(arguments: Sequence[str]) -> None:
        _invoke([name, *arguments])

    return call


def _invoke(arguments: Sequence[str] | None) -> None:
    group = get_command(app)
    try:
        with group.make_context("edgebias", list(arguments or ["--help"])) as context:
            group.invoke(context)
    except Exit as left:
        raise SystemExit(left.exit_code) from None
    except TyperException as error:
        place = getattr(error, "ctx", None)
        path = "edgebias" if place is None else place.command_path
        raise InputError(f"{error.format_message().rstrip('.')}; `{path} --help` shows what there is") from None


def _command_of(name: str) -> Any:
    """Build the command ``name`` from its module: the docstring of ``run`` is its help, and ends with an example."""
    module = import_module(f"edgebias.stages.{name.replace('-', '_')}")
    text, _, example = (inspect.getdoc(module.run) or "").replace("``", "").partition("\nExample:\n")
    text = text.partition("\nRaises:\n")[0].strip()
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(
        name,
        help=text,
        short_help=text.partition("\n\n")[0],
        epilog=f"\b\nExample:\n{example}",
        context_settings={"help_option_names": ["-h", "--help"]},
    )(module.run)
    return get_command(single)
