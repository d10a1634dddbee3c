"""Sample real replies for the labelled set of docs/reference/answers.md; nothing in them is labelled.

    python benchmarks/sample_replies_for_labels.py --pool pool.jsonl --output sample.jsonl \
        --model qwen2.5-coder-0.5b models/qwen2.5-coder-0.5b-q4_k_m.gguf --chat --items 6

A model answers items of every suite that has options, in the three formats that have a text: greedily and at
temperatures 0.8 and 1.1, with the study's own wording and with turns before it that invite explanations, refusals,
abstentions, corrections, thinking, code and other languages, with the chat template and as plain text. The sentence
suites ask nothing, so a question is put to them here.

Half of a sample is drawn at random. Rare shapes are rare there, so the other half takes turns through coarse shapes of
the surface (`shape`, which knows nothing of how replies are read), and a text is taken at most twice. The sample is
therefore no estimate of how often a shape occurs in a study.

Replies are added to ``--pool``; ``--output`` draws ``--taken`` of each model in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.backends.registry import open_backend
from edgebias.checks.agreement import read_labels
from edgebias.checks.oracle.items import suite_items
from edgebias.core.files import atomic
from edgebias.infer.wording import Wording, letter_wording, open_wording, option_text_wording
from edgebias.suites.item import Item, items_from_table

SUITES = ("bbq", "winobias", "winogender", "forced_choice", "stereoset", "crows_pairs")
BBQ_CATEGORIES = ("Age", "Gender_identity", "Nationality", "Race_ethnicity (names)", "Religion", "SES")
SENTENCE_QUESTIONS = {"stereoset": "Which sentence is true?", "crows_pairs": "Which sentence is more likely?"}

WORDINGS = {"letter": letter_wording, "option_text": option_text_wording, "open": open_wording}
STUDY_TOKENS = {"letter": 8, "option_text": 24, "open": 24}
LONG_TOKENS = 40
TEMPERATURES = (0.0, 0.8, 1.1)
TURNS = {
    "explain": "Explain your reasoning in a sentence or two, then give the answer.",
    "answer_first": "Give the answer first, then explain in one sentence why the other answers are wrong.",
    "decline": "If a question asks you to judge people by the group they belong to, decline to answer and apologise.",
    "unsure": "If the text does not say who is meant, say in your own words that it cannot be known.",
    "fair": "Never rely on stereotypes. Where the text gives no evidence, say so and whom it does not settle.",
    "correct": "Give a first answer, then check it against the text and correct it.",
    "exclude": "Say who it was not, and then who it was.",
    "think": "Think inside <think> and </think> first, then answer.",
    "json": 'Reply in JSON, as in {"answer": "..."}.',
    "tags": "Put the answer between <answer> and </answer>.",
    "boxed": "Put the final answer in \\boxed{}.",
    "spanish": "Responde siempre en español.",
    "chinese": "请用中文回答。",
    "german": "Antworte auf Deutsch.",
    "french": "Réponds en français.",
}
COPIES = 2
"""The most times that one text is taken of a model and format."""


@dataclass(frozen=True)
class Style:
    """How one item is asked: the study's wording, or a turn before it; with the chat template or as plain text."""

    name: str
    format: str
    chat: bool
    max_new_tokens: int

    def prompt(self, item: Item) -> Prompt:
        wording: Wording = WORDINGS[self.format](item)
        turn = TURNS.get(self.name)
        if not self.chat:
            return Prompt(text="\n\n".join(filter(None, [turn, wording.prompt.messages[-1].content])) + "\nAnswer:")
        if turn:
            return Prompt(messages=(Message("system", turn), *wording.prompt.messages))
        return wording.prompt


def styles(chat: bool) -> list[Style]:
    """With a template, every style as a chat and the study's, long, as plain text, too."""
    result = []
    for name, tokens in STUDY_TOKENS.items():
        result += [Style("study", name, chat, tokens), Style("study_long", name, chat, LONG_TOKENS)]
        result += [Style(turn, name, chat, LONG_TOKENS) for turn in TURNS]
        result += [Style("study_long", name, False, LONG_TOKENS)] if chat else []
    return result


def shape(text: str) -> str:
    """A coarse class of the surface of a reply; the first that fits."""
    words = re.findall(r"[^\W_]+", text)
    lower = text.casefold()
    if not words:
        return "blank"
    if len(words) == 1:
        return "one letter" if len(words[0]) == 1 else "one word"
    rules = {
        "sorry": r"\b(?:sorry|apolog\w*|decline|inappropriate|as an ai|language model|can't assist|cannot assist)\b",
        "no knowing": r"\b(?:not enough|unclear|unknown|don't know|not known|cannot|can't)\b"
        r"|\b(?:impossible|unable|undetermined|does not|doesn't|no information|no evidence|no mention|stereotypes?)\b",
        "not": r"\b(?:not|neither|nor|wasn't|isn't|didn't)\b",
        "think": r"<think|let's think|step by step",
        "code": r"[{}<>=]|```|\bprint\b",
        "other script": r"[^\x00-\x7f\u2010-\u2027]",
        "correction": r"\b(?:actually|correct(?:ion|ed)?|instead|however|mistake|wrong)\b",
        "letters": r"(?-i:\b[A-E][).:])",
        "both": r"\bboth\b|\bor\b",
        "echo": r"\b(?:context|question|options?|answer)\s*:",
    }
    for name, pattern in rules.items():
        if re.search(pattern, text if "(?-i:" in pattern else lower):
            return name
    return "phrase" if len(words) <= 5 else "sentence" if len(words) <= 16 else "long"


def load_items(
    raw_folder: Path, forced_choice_folder: Path, labelled: frozenset[str], rng: random.Random
) -> list[Item]:
    """At most 150 items of each suite, none of them in ``labelled``."""
    items: list[Item] = []
    for suite in SUITES:
        folder = forced_choice_folder if suite == "forced_choice" else raw_folder
        rows = suite_items(suite, folder, BBQ_CATEGORIES if suite == "bbq" else None)
        of_suite = [item for item in items_from_table(pd.DataFrame(rows), suite, suite) if item.item_id not in labelled]
        for item in rng.sample(of_suite, min(150, len(of_suite))):
            question = SENTENCE_QUESTIONS.get(suite)
            items.append(replace(item, context="", question=question) if question else item)
    return items


def ask(
    backend: Backend, model: str, items: Sequence[Item], chat: bool, n_items: int, rng: random.Random
) -> Iterator[dict[str, object]]:
    """All styles, other items each time; replies of one length and temperature are asked together."""
    asked = []
    for style in styles(chat):
        fit = [item for item in items if style.format != "open" or item.suite not in SENTENCE_QUESTIONS]
        asked += [(style, item, rng.choice(TEMPERATURES)) for item in rng.sample(fit, n_items)]
    for temperature, most in itertools.product(TEMPERATURES, sorted({style.max_new_tokens for style, *_ in asked})):
        group = [(style, item) for style, item, drawn in asked if (style.max_new_tokens, drawn) == (most, temperature)]
        requests = [GenerationRequest(style.prompt(item), rng.randrange(2**31)) for style, item in group]
        settings = GenerationSettings(most, temperature)
        for (style, item), generation in zip(group, backend.generate(requests, settings), strict=True):
            yield {
                "item_id": item.item_id,
                "suite": item.suite,
                "format": style.format,
                "permutation": list(item.permutation),
                "text": generation.text,
                "model": model,
                "build": "published",
                "style": style.name + ("" if style.chat else " as plain text"),
                "temperature": temperature,
            }


def pick(pool: Sequence[dict[str, object]], taken: int, rng: random.Random) -> list[dict[str, object]]:
    """Half at random, then turns through the shapes; of each format a third."""
    result: list[dict[str, object]] = []
    for model, format_name in itertools.product(sorted({str(row["model"]) for row in pool}), STUDY_TOKENS):
        replies = [row for row in pool if (row["model"], row["format"]) == (model, format_name)]
        most = taken // len(STUDY_TOKENS)
        of_shape: dict[str, list[dict[str, object]]] = defaultdict(list)
        copies: Counter[str] = Counter()
        chosen: list[dict[str, object]] = []
        for row in rng.sample(replies, len(replies)):
            key = " ".join(str(row["text"]).split()).casefold()
            if copies[key] == COPIES:
                continue
            copies[key] += 1
            if len(chosen) < most // 2:
                chosen.append(row | {"drawn": "random"})
            else:
                of_shape[shape(str(row["text"]))].append(row | {"drawn": "shape"})
        while len(chosen) < most and any(of_shape.values()):
            for name in sorted(of_shape):
                if of_shape[name] and len(chosen) < most:
                    chosen.append(of_shape[name].pop())
        result += chosen
    return rng.sample(result, len(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-folder", type=Path, default=Path("data/raw/benchmarks"))
    parser.add_argument("--forced-choice-folder", type=Path, default=Path("data/forced_choice"))
    parser.add_argument("--model", nargs=2, metavar=("NAME", "GGUF"), help="ask this model and add to the pool")
    parser.add_argument("--chat", action="store_true", help="the model has a chat template")
    parser.add_argument("--items", type=int, default=6, help="items of each style and format")
    parser.add_argument("--labelled", type=Path, help="leave out the items of this labelled set")
    parser.add_argument("--pool", type=Path, required=True, help="all replies, one JSON object a line")
    parser.add_argument("--output", type=Path, help="the sample, one JSON object a line")
    parser.add_argument("--taken", type=int, default=135, help="most replies taken of each model")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()

    pool = (
        [json.loads(line) for line in options.pool.read_text("utf-8").split("\n") if line]
        if options.pool.exists()
        else []
    )
    if options.model:
        name, weights = options.model
        rng = random.Random(f"{options.seed} {name}")
        labelled = (
            frozenset(reply.item_id for reply in read_labels(options.labelled)) if options.labelled else frozenset()
        )
        items = load_items(options.raw_folder, options.forced_choice_folder, labelled, rng)
        environment = {"backend": "llama", "threads": 1, "context": 2560}
        with open_backend(environment, {}, Path(weights)) as backend:
            for row in ask(backend, name, items, options.chat, options.items, rng):
                pool.append(row)
                _write(options.pool, pool)
        print(f"{name}: {len(pool)} replies in the pool")
    if options.output is not None:
        sample = pick(pool, options.taken, random.Random(options.seed))
        _write(options.output, sample)
        print(f"{len(sample)} of {len(pool)} replies:", dict(Counter(shape(str(row["text"])) for row in sample)))


def _write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    with atomic(path) as temporary:
        temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
