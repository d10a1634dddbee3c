"""Options that several commands share: what each is called follows from the parameter, what it means stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    str, typer.Option(help="sections of the parameter file by name: inline JSON, or FILE, or FILE#key", metavar="JSON")
]
Suite = Annotated[str, typer.Option(help="name of the suite, such as bbq or stereoset", metavar="NAME")]
RawFolder = Annotated[Path, typer.Option(help="benchmark files that `edgebias fetch-benchmarks` fetched")]
Items = Annotated[Path, typer.Option(help="item table (parquet)")]
ItemsFolder = Annotated[Path, typer.Option(help="holds the item tables {suite}.parquet")]
AnyWeights = Annotated[
    Path | None, typer.Option(help="GGUF file or transformers folder; left out for a remote endpoint")
]
Weights = Annotated[Path, typer.Option(help="GGUF of the build")]
Texts = Annotated[Path, typer.Option(help="BOLD's wikipedia/profession_wiki.json, the neutral text")]
Answers = Annotated[Path, typer.Option(help="what `edgebias reference-answers` wrote (parquet)")]
DirectionsWithout = Annotated[
    list[Path], typer.Option(help="what `edgebias directions` found without one fold; repeat it, in order of folds")
]
Gate = Annotated[
    Path | None, typer.Option(help="what `edgebias gate` wrote, where the vector is used behind it (JSON)")
]
Variants = Annotated[Path, typer.Option(help="records of builds: {model}/{variant}.json")]
Results = Annotated[Path, typer.Option(help="folder of all that the study found out, such as results/edge")]
Paper = Annotated[Path, typer.Option(help="numbers printed in the paper (CSV)")]
Hardware = Annotated[Path, typer.Option(help="published figures that the projection rests on (CSV)")]
WrittenControlVector = Annotated[Path, typer.Option(help="control vector to write (GGUF)")]
WrittenBuild = Annotated[Path, typer.Option(help="GGUF file to write")]
WrittenRecord = Annotated[Path, typer.Option(help="record of what is really on disk, to write (JSON)")]
WrittenResponses = Annotated[Path, typer.Option(help="response table to write (parquet)")]
WrittenCost = Annotated[Path, typer.Option(help="cost file to write (JSON)")]
WrittenScores = Annotated[Path, typer.Option(help="score table to write (CSV)")]
