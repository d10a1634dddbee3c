"""A method of the user's own, outside the package: found, configured, and put before a build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgebias import config
from edgebias.backends.base import Backend, OptionRequest, OptionScores, Prompt
from edgebias.core import registry
from edgebias.core.errors import InputError
from edgebias.core.registry import load_plugins
from edgebias.mitigate.base import Artefacts
from edgebias.mitigate.registry import METHODS, choose
from edgebias.study import Study

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "shortest_option.py"
PAGE = ROOT / "docs" / "how-to" / "add-a-method.md"
ENTRY = {"method": "shortest_option", "penalty": 0.5}


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the plugin be found for one test, as if it lay in the working directory."""
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.syspath_prepend(str(PLUGIN.parent))
    load_plugins([PLUGIN.stem])


class Lengths:
    """A backend to which every token is as likely as any other."""

    name, scores_options = "lengths", True

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Score an option by its words."""
        for request in requests[skip:]:
            counts = tuple(len(option.split()) for option in request.options)
            yield OptionScores(tuple(-1.0 * count for count in counts), counts)


def parameters(**study: Any) -> dict[str, Any]:
    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    changes = {"plugins": [PLUGIN.stem], "study": study}
    return config.check(config.merge(given, changes), "params.yaml")


def test_a_plugin_stands_before_a_build_under_its_settings(tmp_path: Path) -> None:
    inner: Any = Lengths()
    backend: Backend = choose(ENTRY).wrap(inner, {}, Artefacts(tmp_path)).backend
    request = OptionRequest(Prompt(text="Who fell?"), ("he", "the old man"))
    (scores,) = backend.score([request])
    assert scores.logprobs == (-1.5, -4.5)
    assert scores.n_tokens == (1, 3)
    assert list(backend.score([request, request], skip=1)) == [scores]


def test_a_study_with_a_plugin_has_its_row_its_settings_and_its_code() -> None:
    study = Study(parameters(methods=["none", "shortest_option", ENTRY]))
    assert study.methods == ["none", "shortest_option", "shortest_option_penalty_0.5"]
    cell = {"environment": "edge", "model": "smollm2-135m-instruct", "variant": "full"}
    settings = yaml.safe_load(study.settings("mitigate", cell | {"method": "shortest_option_penalty_0.5"}))
    assert settings["method"] == ENTRY
    assert settings["plugins"] == [PLUGIN.stem]
    hashes = {study.code("mitigate", cell | {"method": label}) for label in study.methods}
    assert len(hashes) == 2  # the rows of one method run the same code


def test_a_bad_setting_of_a_plugin_is_one_line_that_names_file_key_and_range() -> None:
    with pytest.raises(InputError, match=r"^params\.yaml: study\.methods\.1\.penalty is -1; a number above 0"):
        parameters(methods=["none", {"method": "shortest_option", "penalty": -1}])
    with pytest.raises(InputError, match=r"did you mean 'penalty'\? allowed keys: penalty$"):
        parameters(methods=[{"method": "shortest_option", "penlty": 1}])


def test_without_the_plugin_its_method_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert METHODS.module("shortest_option") == PLUGIN.stem
    monkeypatch.setattr(registry, "_plugins", {})
    with pytest.raises(InputError, match="'shortest_option'"):
        choose("shortest_option")


def test_the_how_to_page_shows_this_very_plugin() -> None:
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert PLUGIN.read_text(encoding="utf-8") in shown
