import pytest

from edgebias.workflow.closure import code_of


def test_the_closure_of_a_stage_holds_what_it_imports() -> None:
    code = code_of("edgebias.score")
    assert "src/edgebias/score/__main__.py" in code
    assert "src/edgebias/files.py" in code
    assert code == sorted(code)


def test_scoring_does_not_depend_on_the_code_that_asks_models() -> None:
    assert not [path for path in code_of("edgebias.score", "edgebias.compare") if "/backends/" in path]


def test_lazily_loaded_backends_count() -> None:
    assert [path for path in code_of("edgebias.infer") if path.endswith("backends/llama.py")]


def test_a_module_outside_the_package_is_refused() -> None:
    with pytest.raises(ValueError, match="not a module"):
        code_of("json")
