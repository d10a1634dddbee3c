import pytest

from edgebias.core.code_hash import code_of


def test_the_closure_of_a_stage_holds_what_it_imports() -> None:
    code = code_of("edgebias.stages.score")
    assert "src/edgebias/stages/score.py" in code
    assert "src/edgebias/core/files.py" in code
    assert code == sorted(code)


def test_scoring_does_not_depend_on_the_code_that_asks_models() -> None:
    assert not [path for path in code_of("edgebias.stages.score", "edgebias.stages.compare") if "/backends/" in path]


def test_lazily_loaded_backends_count() -> None:
    assert [path for path in code_of("edgebias.stages.infer") if path.endswith("backends/local/llama.py")]


def test_a_module_outside_the_package_is_refused() -> None:
    with pytest.raises(ValueError, match="not a module"):
        code_of("json")
