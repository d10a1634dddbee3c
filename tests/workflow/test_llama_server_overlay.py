"""The example overlay for a llama-server of one's own."""

from edgebias.backends.endpoint.settings import read_endpoint_settings
from edgebias.study import read_study


def test_the_overlay_asks_one_build_in_process_and_through_the_server() -> None:
    study = read_study("llama_server")
    config = study.config
    local, served = study.cells
    assert (local.model, local.variant) == (served.model, served.variant)
    assert study.suites_of(served) == ["bbq", "forced_choice"]
    assert study.weights(served) == []
    environment = config["environments"][served.environment] | {"model": "m"}
    settings = read_endpoint_settings(environment)
    assert settings.extra == {"cache_prompt": False, "top_k": 0, "min_p": 0.0}
    assert (settings.concurrency, settings.store, settings.logprobs) == (1, None, True)
