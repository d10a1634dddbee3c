"""The page: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebias.mitigate.registry import LOOPS
from edgebias.report import tables
from edgebias.report.answer import answer
from edgebias.report.figures import Figure
from edgebias.report.format_robustness import format_sentence, robustness_tables
from edgebias.report.numbers import ABSENT, MINUS
from edgebias.report.roofline import check_table, projection_table, source_table
from edgebias.report.samples import pick_samples
from edgebias.report.study import OUTCOMES, Study
from edgebias.report.transfer import transfer_table

if TYPE_CHECKING:
    from markupsafe import Markup

_NUMBER = rf"[-+\d.,{MINUS}]+"
WHOLE = re.compile(rf"\[{_NUMBER}, {_NUMBER}\]|\(ideal (?:{_NUMBER}|{ABSENT})(?: %)?\)")
"""What a reader takes in at once: an interval as `numbers.interval` writes it, and the ideal value in a head."""
SEAM = re.compile(r"_(?=[A-Za-z]{3})")
"""Where a name may break: before a word, not within ``q8_0``."""

CONTENTS = (
    ("answer", "The answer"),
    ("ran", "What ran"),
    ("environments", "Environments and builds"),
    ("time", "Over time"),
    ("robustness", "Format robustness"),
    ("mitigation", "Mitigation"),
    ("builds", "Builds"),
    ("scores", "Scores"),
    ("outcomes", "Outcomes"),
    ("samples", "What the model wrote"),
    ("parity", "Parity gate"),
    ("cost", "Cost"),
    ("roofline", "Projection on a Raspberry Pi"),
    ("paper", "Beside the paper's numbers"),
    ("limits", "Limits"),
    ("provenance", "Provenance"),
)


def render(study: Study, figures: Sequence[Figure]) -> str:
    """The whole page as text; every value goes through HTML escaping."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("edgebias.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    environment.filters["svg_width"] = _svg_width
    environment.filters["cell"] = cell_markup
    loader = environment.loader
    assert loader is not None  # it was given above
    style = loader.get_source(environment, "style.css")[0]
    return environment.get_template("page.html").render(
        study=study,
        style=Markup(style),  # the package's own file, no input
        contents=CONTENTS,
        answer=(*answer(study), *filter(None, [format_sentence(study)])),
        ran=what_ran(study),
        figures={
            figure.name: {**dataclasses.asdict(figure), "position": position}
            for position, figure in enumerate(figures, start=1)
        },
        contrasts=tables.contrast_table(study),
        robustness_tables=robustness_tables(study),
        over_time=tables.over_time_table(study),
        methods_overview=tables.method_table(study),
        mitigation=tables.mitigation_table(study),
        reductions=tables.reduction_table(study),
        transfer=transfer_table(study),
        method_costs=tables.mitigation_cost_overview(study),
        mitigation_costs=tables.mitigation_cost_table(study),
        variants=tables.variant_table(study),
        score_tables=[
            (tables.score_overview(study, suite), tables.score_table(study, suite)) for suite in study.suites
        ],
        outcome_names=[name.replace("_", " ") for name in OUTCOMES],
        outcomes=[(tables.title_of(suite), tables.outcome_bars(study, suite)) for suite in study.suites],
        samples=pick_samples(study),
        parity=tables.parity_table(study),
        costs=tables.cost_table(study),
        resources=tables.resource_table(study),
        projection=projection_table(study),
        projection_check=check_table(study),
        projection_sources=source_table(study),
        not_asked=tables.not_asked(study),
        computed=tables.headline_table(study),
        paper=tables.paper_table(study),
        limits=limits(study),
        provenance=tables.provenance_table(study),
    )


def cell_markup(text: str) -> Markup:
    """The escaped text of a table's cell: a long name may break after an underscore, an interval may not break."""
    from markupsafe import Markup, escape

    safe = SEAM.sub("_<wbr>", str(escape(text)))
    return Markup(WHOLE.sub(r'<span class="whole">\g<0></span>', safe))  # what is not escaped is written here


def _svg_width(svg: str) -> int:
    """Width in CSS pixels; matplotlib writes points."""
    found = re.search(r'<svg[^>]* width="([0-9.]+)pt"', svg)
    return round(float(found.group(1)) * 96 / 72) if found else 960


def what_ran(study: Study) -> list[tuple[str, str]]:
    """What stands behind each name, from the settings and the tables alone."""
    listed = []
    for model in sorted({cell.model for cell in study.cells}):
        entry = study.models.get(model, {})
        source = entry.get("source", {})
        parts = [str(source[key]) for key in ("package", "version", "repository", "file") if source.get(key)]
        text = f"{model}"
        if parts:
            text += f", from {' '.join(parts)}"
        if entry.get("note"):
            text += f"; {entry['note']}"
        listed.append(("Model", f"{text}."))
    for name in dict.fromkeys(cell.environment for cell in study.cells):
        variants = ", ".join(cell.variant for cell in study.cells if cell.environment == name)
        listed.append((_capital(name), f"{environment_text(study.environments.get(name, {}))} Builds: {variants}."))
    items = [
        f"{tables.title_of(suite)} {_most_answers(study, suite):,}"
        for suite in study.suites
        if (study.outcomes["suite"] == suite).any()
    ]
    listed.append(("Items", f"{', '.join(items)} (largest number of answers in one cell and format)."))
    machine: Any = study.provenance.get("machine", {})
    if machine.get("processor"):
        listed.append(
            ("Machine", f"{machine['processor']}, {machine.get('cores', '?')} cores, {machine.get('system', '?')}.")
        )
    return listed


def _most_answers(study: Study, suite: str) -> int:
    rows = study.outcomes[study.outcomes["suite"] == suite]
    return int(rows[list(OUTCOMES)].sum(axis=1).max())


def environment_text(entry: Mapping[str, Any]) -> str:
    """One sentence about what an environment really is."""
    limits_text = ", ".join(
        text
        for key, text in (
            ("threads", f"{entry.get('threads')} thread(s)"),
            ("memory_mb", f"{entry.get('memory_mb')} MB"),
            ("context", f"context of {entry.get('context')} tokens"),
        )
        if entry.get(key) is not None
    )
    limits_text = f" ({limits_text})" if limits_text else ""
    match entry.get("backend"):
        case "llama":
            return f"llama.cpp on this machine's processor{limits_text}, not on a Raspberry Pi."
        case "torch":
            return f"transformers on this machine's processor{limits_text}."
        case "openai" if entry.get("endpoint") == "loopback":
            return (
                f"llama-cpp-python's server on this machine, asked over HTTP{limits_text}: it stands in for a cloud "
                "service, and no cloud service was used."
            )
        case "openai":
            return f"the OpenAI-compatible endpoint {entry.get('endpoint')}{limits_text}."
        case "recorded":
            return f"recorded responses, replayed{limits_text}."
    return "The settings do not say what it is."


def limits(study: Study) -> list[str]:
    """What these numbers cannot show; only limits that hold for what really ran."""
    found = []
    backends = {name: study.environments.get(name, {}) for name in {cell.environment for cell in study.cells}}
    if any(entry.get("backend") == "openai" and entry.get("endpoint") == "loopback" for entry in backends.values()):
        found.append(
            "The cloud environment is a server on the same machine with the same weights. It shows what the HTTP and "
            "chat interface changes, not what a provider's model, filters or system prompts do."
        )
    if any(entry.get("backend") == "llama" for entry in backends.values()):
        found.append(
            "The edge environment is a limited process on the machine named under Provenance. Its latency and memory "
            "are not those of a Raspberry Pi; another processor's instructions can change single generated answers."
        )
    models = sorted({cell.model for cell in study.cells})
    if len(models) == 1:
        found.append(
            f"Everything was measured on one model ({models[0]}). Nothing here says that larger or other models behave "
            "alike."
        )
    else:
        found.append(
            "Different models run in different environments. Where a contrast crosses both, environment and model "
            "cannot "
            "be told apart."
        )
    for model in models:
        note = study.models.get(model, {}).get("note")
        if note:
            found.append(f"{model}: {note}.")
    found.append(
        "A score describes the items of its suite: English, mostly US-American stereotypes, items drawn from the "
        "suite by "
        "the settings. It is no measure of harm in use."
    )
    found.append(
        "A score near its ideal is no sign of fairness where the build is broken: read it beside coverage, lms and "
        "perplexity. A model that chooses at random scores 50."
    )
    found.append(
        "Times were taken while other jobs of the study shared the processor's cores: they say what the study cost, "
        "and are no benchmark of a build or a method."
    )
    found.append(
        "The paper publishes no prompts, no formula and no code. What is set beside its numbers is this study's own "
        "definition."
    )
    if set(LOOPS) & set(study.methods):
        found.append(
            "Mitigation was fitted and evaluated on different clusters of the same suites, and on one build. A suite "
            "that mitigate.suites and mitigate.learning.suites do not name shows what it does to texts of another kind."
        )
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
