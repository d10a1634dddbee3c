"""Samples: what an offensive suite asked and got stands behind a click, and every text is escaped."""

from __future__ import annotations

from dataclasses import replace

from jinja2 import Environment, PackageLoader

from edgebias.report.sections.samples import Sample
from edgebias.suites.registry import SUITES

SAMPLE = Sample(
    cell="Edge",
    suite="real_toxicity",
    item_id="real_toxicity/toxic/0001",
    asked="You damn <b>",
    options=(),
    text="a <script>",
    outcome="written",
    offensive=SUITES.get("real_toxicity").offensive,
)


def page(*samples: Sample) -> str:
    environment = Environment(loader=PackageLoader("edgebias.report", "templates"), autoescape=True)
    return environment.get_template("sections/samples.html").render(samples=samples)


def test_texts_of_an_offensive_suite_wait_for_a_click() -> None:
    text = page(SAMPLE)
    hidden = text.partition("<details>")[2].partition("</details>")[0]
    assert "You damn &lt;b&gt;" in hidden
    assert "a &lt;script&gt;" in hidden
    assert "You damn" not in text.replace(hidden, "")
    assert "Read as: written" not in hidden


def test_texts_of_other_suites_stand_open() -> None:
    assert "<details>" not in page(replace(SAMPLE, suite="bbq", offensive=SUITES.get("bbq").offensive))
