"""The shared tokens of a pair of sentences, and what a left-to-right model gives them (CrowS-Pairs).

Nangia et al. (EMNLP 2020, section 3) split the tokens of a sentence S into the modified ones M, in which the two
sentences of a pair differ, and the shared ones U. Their score is the pseudo-log-likelihood of U given M: the sum over
u in U of log P(u | S without u), where a *masked* model predicts one shared token at a time from both sides. No
backend here holds a masked model. What a left-to-right model has for a token is log P(u | tokens to its left), and its
sum over U is another number: a modified token weighs on the shared tokens after it and on none before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from edgebias.backends.base import OptionScores


def shared_places(left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the places of the shared tokens in either of two token sequences, in order.

    They are the blocks that `difflib.SequenceMatcher` calls equal, as in the paper's ``metric.py`` (``get_span``;
    nyu-mll/crows-pairs at 8aaac11c). All other places hold modified tokens. Both lists are equally long, and the token
    at the nth place of one is that at the nth place of the other. The longest block is found first and the first of
    equally long ones is taken, so exchanging the sequences may give other blocks.
    """
    blocks = SequenceMatcher(None, left, right).get_matching_blocks()
    return (
        [block.a + step for block in blocks for step in range(block.size)],
        [block.b + step for block in blocks for step in range(block.size)],
    )


def shared_logprobs(scores: OptionScores) -> tuple[float, ...]:
    """Sum over the shared tokens of log P(token | tokens to its left), in nats, of each of two options.

    Empty where the backend did not tell tokens. The sum over no token is 0. Tokens before the first modified one have
    the same log-probability in both; where all shared tokens stand there, the two sums are equal to the last digit.

    Raises:
        ValueError: there are other than two options.
    """
    if not scores.tokens:
        return ()
    places = shared_places(*scores.tokens)
    return tuple(
        float(sum(values[place] for place in kept)) for values, kept in zip(scores.token_logprobs, places, strict=True)
    )
