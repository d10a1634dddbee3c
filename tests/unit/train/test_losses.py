"""The losses beside closed forms, and the log-probabilities beside those that the backend scores."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from edgebias.backends.base import Message, OptionRequest, Prompt
from edgebias.backends.local.torch_engine import TorchBackend
from edgebias.train.losses import log_probabilities, passes, preference_loss
from edgebias.train.tokens import Example, Tokeniser, TokenSequence


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_preference_loss_and_its_gradient_have_their_closed_form(beta: float) -> None:
    """Rafailov et al. 2023: equation 7, and the gradient of section 4, -beta sigmoid(-beta m) for the chosen."""
    answers = torch.tensor([[-3.0, -4.5], [-9.0, -2.0]], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([[-2.5, -3.0], [-9.5, -2.5]], dtype=torch.float64)
    loss = preference_loss(answers, reference, beta)
    loss.sum().backward()
    gained = [(-3.0 + 2.5) - (-4.5 + 3.0), (-9.0 + 9.5) - (-2.0 + 2.5)]
    assert loss.tolist() == pytest.approx([math.log1p(math.exp(-beta * margin)) for margin in gained], abs=1e-12)
    slopes = [beta / (1 + math.exp(beta * margin)) for margin in gained]
    assert answers.grad is not None
    assert answers.grad.tolist() == [pytest.approx([-slope, slope], abs=1e-12) for slope in slopes]


def test_preference_loss_of_the_untrained_build_is_the_logarithm_of_two() -> None:
    answers = torch.tensor([[-3.0, -4.5], [-9.0, -2.0]])
    assert preference_loss(answers, answers, 0.3).tolist() == pytest.approx([math.log(2)] * 2)


def test_preference_tuning_of_a_toy_policy_ends_where_the_closed_form_says() -> None:
    """Two answers, of which A is preferred three times of four: the best policy has beta x margin = log 3."""
    beta = 1.0
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([0.7, 0.3], dtype=torch.float64).log()
    optimiser = torch.optim.LBFGS([logits], max_iter=60, tolerance_grad=1e-10, tolerance_change=0)
    pairs = [[0, 1], [0, 1], [0, 1], [1, 0]]

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        told = logits.log_softmax(0)
        found = preference_loss(
            torch.stack([told[pair] for pair in pairs]), reference[torch.tensor(pairs)], beta
        ).mean()
        found.backward()
        return found

    optimiser.step(loss)
    policy = logits.detach().softmax(0)
    expected = reference.exp() * torch.tensor([math.exp(math.log(3) / beta), 1.0], dtype=torch.float64)
    assert policy.tolist() == pytest.approx((expected / expected.sum()).tolist(), abs=1e-6)


def test_log_probabilities_are_those_that_the_backend_scores(parent: Path) -> None:
    """Prompts and answers of several lengths in one pass, in chat turns and as text."""
    from transformers import AutoModelForCausalLM

    folder = parent.with_name("full.transformers")
    requests = [
        OptionRequest(Prompt(messages=(Message("user", "A or B?"),)), ("A", "B and then some more")),
        OptionRequest(Prompt(messages=(Message("user", "Tell me at length, in 42 words, who they are."),)), ("No.",)),
        OptionRequest(Prompt(text=""), ("The man met the woman.",)),
    ]
    tokeniser = Tokeniser(folder, {})
    sequences = [
        sequence for row, request in enumerate(requests) for sequence in tokeniser.example(row, request).sequences
    ]
    chat_ends = [
        TokenSequence(one.tokens[:-1], one.n_prompt) for one in sequences[:3]
    ]  # scores end before the end token
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found = log_probabilities(model, [*chat_ends, *sequences[3:]])
    with TorchBackend(folder, threads=1, context=256, start_token=None) as backend:
        expected = [score for scores in backend.score(requests) for score in scores.logprobs]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_chat_example_ends_its_turn_and_a_text_does_not(parent: Path) -> None:
    tokeniser = Tokeniser(parent.with_name("full.transformers"), {})
    chat = tokeniser.example(0, OptionRequest(Prompt(messages=(Message("user", "A?"),)), ("B",)))
    text = tokeniser.example(0, OptionRequest(Prompt(text="A?"), ("B",)))
    assert chat.sequences[0].tokens[-2:] == (*text.sequences[0].tokens[-1:], 2)
    assert (chat.n_answer, text.n_answer) == (2, 1)


def test_passes_hold_each_example_once_and_no_more_tokens_than_there_is_room_for() -> None:
    examples = [Example((TokenSequence((1,) * length, 1),)) for length in (3, 900, 40, 1500, 3000, 700, 5)]
    groups = list(passes(examples))
    assert sorted(id(one) for group in groups for one in group) == sorted(map(id, examples))
    assert all(len(group) == 1 or max(one.longest for one in group) * len(group) <= 2048 for group in groups)
    assert len(groups) < len(examples)
