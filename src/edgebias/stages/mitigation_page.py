"""Write the page of a mitigation study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    folder: Annotated[Path, typer.Option(help="results/{study}/mitigation/{environment}/{model}/{variant}")],
    study: Annotated[Path, typer.Option(help="parameter file that names its methods (YAML)")],
    provenance: Annotated[Path, typer.Option(help="versions and machine of the same run (JSON)")],
    markdown: Annotated[Path, typer.Option(help="page to write (Markdown)")],
    repeats: Annotated[
        list[Path] | None, typer.Option(help="folder of the study with another seed; may be repeated")
    ] = None,
    repeated_study: Annotated[
        Path | None, typer.Option(help="parameter file of the repeats, where it is another")
    ] = None,
    items: Annotated[
        list[Path] | None, typer.Option(help="BBQ's items, of the study and then of each repeat; may be repeated")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="drawing of the frontier to write (SVG)")] = None,
    before_after: Annotated[Path | None, typer.Option(help="drawing of every split's scores to write (SVG)")] = None,
    written_by: Annotated[str, typer.Option(help="command that the page names")] = "make mitigation-study",
) -> None:
    r"""Write every method of a mitigation study on the same held-out items as one page of Markdown.

    Raises:
        InputError: a file is absent or unfit, or the study lacks what a drawing needs.

    Example:
        edgebias mitigation-page --folder results/mitigation/mitigation/edge/m/wanda50_q8_0 \
          --study config/mitigation.yaml --provenance results/mitigation/provenance.json \
          --markdown docs/results/mitigation.md --figure docs/results/mitigation-frontier.svg
    """
    import os

    from edgebias.core.files import write_text
    from edgebias.report.mitigation_study import Part, frontier, methods_of, page
    from edgebias.report.mitigation_study import before_after as draw_before_after

    def seen(path: Path | None) -> str | None:
        return None if path is None else Path(os.path.relpath(path, markdown.parent)).as_posix()

    part = Part(folder, methods_of(study))
    repeated = methods_of(repeated_study or study)
    others = [Part(one, repeated) for one in repeats or ()]
    if figure is not None:
        write_text(frontier(part), figure)
    if before_after is not None:
        write_text(draw_before_after([part, *others]), before_after)
    text = page(
        part,
        provenance,
        others,
        items or (),
        figure=seen(figure),
        before_after=seen(before_after),
        command=written_by,
    )
    write_text(text, markdown)
