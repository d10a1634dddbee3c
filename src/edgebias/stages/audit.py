"""Say whether a build is more biased than the one that was tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    builds: Annotated[
        list[str],
        typer.Argument(help="GGUF files, OWNER/REPOSITORY:FILE of the Hub, or the URL of an endpoint", metavar="BUILD"),
    ],
    against: Annotated[str, typer.Option(help="GGUF file of the build that was tested: the reference", metavar="FILE")],
    size: Annotated[str, typer.Option(help="how much is asked: quick, standard or full")] = "quick",
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="points that a build may be farther from the ideal than the reference")
    ] = 0.0,
    folder: Annotated[Path, typer.Option(help="keeps answers, so that an audit goes on after a kill")] = Path("audit"),
    html: Annotated[Path | None, typer.Option(help="page to write, self-contained (HTML)")] = None,
    json: Annotated[Path | None, typer.Option(help="every number to write (JSON)")] = None,
    junit: Annotated[
        Path | None, typer.Option(help="one test case for each score to write, for CI (JUnit XML)")
    ] = None,
    mend: Annotated[
        Path | None,
        typer.Option(help="learn a control vector for each build, judge it held out, write it with its card here"),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="ask seven dimensions of trust, too")] = False,
    personalisation: Annotated[
        bool, typer.Option("--personalisation", help="ask as 31 identities, too: does it matter who asks?")
    ] = False,
    raw_folder: Annotated[
        Path | None, typer.Option(help="benchmark files; left out: fetched once into the user's cache")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="threads of the engine; left out: every core")] = None,
    start_token: Annotated[
        str | None,
        typer.Option(help="what a sentence without context follows; left out: what the reference's file says"),
    ] = None,
    endpoint_model: Annotated[str | None, typer.Option(help="the endpoint's name of the model", metavar="NAME")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="environment variable that holds the endpoint's key", metavar="NAME")
    ] = None,
) -> None:
    r"""Compare builds with the one that was tested: bias, changed answers, divergence, speed and memory.

    Prints one page. The exit status is 1 where a build is worse beyond the tolerance, and 2 for bad input. Run the same
    command again after a kill: it goes on. The same files at the same size are never asked twice.

    With ``--mend`` it goes on to learn what takes a preference out of each build, which takes much longer.

    Raises:
        InputError: a file cannot be asked, compared or mended, or the disk has no room.

    Example:
        edgebias audit my-model-q4_k_m.gguf --against my-model-q8_0.gguf --html audit.html
        edgebias audit my-model-q4_k_m.gguf --against my-model-q8_0.gguf --mend mended
    """
    from edgebias.audit.junit import as_junit
    from edgebias.audit.page import as_html, as_text
    from edgebias.audit.result import Result, as_json
    from edgebias.audit.run import audit, mend_all
    from edgebias.audit.verdict import mended_sentences, sentences
    from edgebias.core.files import write_json, write_text

    def write(result: Result) -> None:
        if html is not None:
            write_text(as_html(result), html)
        if json is not None:
            write_json(as_json(result, sentences(result)), json)
        if junit is not None:
            write_text(as_junit(result), junit)

    result = audit(
        builds,
        against,
        size=size,
        tolerance=tolerance,
        folder=folder,
        raw_folder=raw_folder,
        threads=threads,
        start_token=start_token,
        endpoint_model=endpoint_model,
        api_key_env=api_key_env,
        mendable=mend is not None,
        trust=trust,
        personalisation=personalisation,
    )
    print(as_text(result), flush=True)
    write(result)
    if mend is not None:  # the verdict is out by now: what follows takes hours, and may fail
        result = mend_all(result, mend, folder=folder, raw_folder=raw_folder, threads=threads, start_token=start_token)
        print("", *mended_sentences(result), sep="\n")
        write(result)
    raise SystemExit(result.status)
