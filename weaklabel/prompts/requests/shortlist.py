"""Answers and examples chosen for an item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.rows import read_items
from weaklabel.prompts.declaration.prompt_function import Example, PromptFunction
from weaklabel.prompts.declaration.template import Template, cell, field_texts
from weaklabel.prompts.requests.bm25 import BM25


class AnswersShown:
    """Which answers of a prompt the model sees with an item."""

    def __init__(self, prompt: PromptFunction) -> None:
        self._shortlist = prompt.shortlist
        self._all = list(prompt.answers)
        if prompt.shortlist is None:
            return
        self._classes = [text for text, vote in prompt.answers.items() if isinstance(vote, int) and vote >= 0]
        self._always = [text for text in prompt.answers if text not in set(self._classes)]
        described = prompt.shortlist.descriptions
        self._index = BM25([f"{text} {described.get(text, '')}" for text in self._classes])

    def choose(self, item: Any) -> list[str]:
        """The answers shown, the shortlist's "none" left out.

        Raises:
            LookupError: if the item lacks the field that the shortlist looks at, or that names answers unknown.
        """
        shortlist = self._shortlist
        if shortlist is None:
            return self._all
        if shortlist.candidates is None:
            text = field_texts(item, (shortlist.field,))[shortlist.field]
            return [self._classes[at] for at in self._index.nearest(text, shortlist.n)] + self._always
        named = cell(item, shortlist.candidates)
        if isinstance(named, str) or not isinstance(named, Iterable):
            raise LookupError(f"the item has no list of answers {shortlist.candidates!r}")
        chosen = list(dict.fromkeys(one if isinstance(one, str) else repr(one) for one in named))[: shortlist.n]
        unknown = set(chosen) - set(self._classes)
        if not chosen or unknown:
            what = f"{min(unknown)!r}, which is no answer of a class" if unknown else "no answer"
            raise LookupError(f"the item's {shortlist.candidates!r} holds {what}")
        return chosen + self._always


def nearest_answers(items: ArrayLike, answers: ArrayLike, texts: Sequence[str], n: int) -> list[list[str]]:
    """The n answers nearest to each item by the cosine of embeddings, best first: a column for `Shortlist.candidates`.

    Args:
        items: [N, D] embeddings of the items.
        answers: [L, D] embeddings of the answers.
        texts: L answers.
        n: how many.

    Raises:
        InvalidArgumentError: if the shapes do not fit.
    """
    left, right = np.asarray(items, float), np.asarray(answers, float)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1] or len(right) != len(texts):
        raise InvalidArgumentError(
            f"expected embeddings [N, D] and [L, D] of L={len(texts)} answers, got {left.shape} and {right.shape}",
            field="answers",
        )
    right = right / np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-12)
    nearest = np.argsort(-(left @ right.T), axis=1, kind="stable")[:, :n]
    return [[texts[at] for at in row] for row in nearest]


class ExamplesShown:
    """Which examples of a prompt the model sees with an item: the most alike, the item itself left out."""

    def __init__(self, prompt: PromptFunction) -> None:
        self._examples = list(prompt.examples)
        self._n = prompt.n_examples
        self._fields = Template(prompt.template).fields
        self._index = BM25([self._text(one.fields) for one in self._examples] if self._n else [])

    def _text(self, fields: Mapping[str, str]) -> str:
        return " ".join(fields[name] for name in self._fields)

    def choose(self, fields: Mapping[str, str]) -> list[Example]:
        """The examples for an item of these texts, the most alike last, next to the question."""
        if not self._n:
            return []
        text = self._text(fields)
        others = [
            at for at in self._index.nearest(text, len(self._examples)) if self._text(self._examples[at].fields) != text
        ]
        return [self._examples[at] for at in reversed(others[: self._n])]


def with_examples(prompt: PromptFunction, data: Any, gold: ArrayLike, n_examples: int = 4) -> PromptFunction:
    """The prompt with solved items to choose from: those whose gold label an answer stands for.

    Args:
        prompt: a prompt.
        data: N items of any kind that `apply` takes.
        gold: [N] classes, -1 where unknown.
        n_examples: how many are shown with each item.

    Raises:
        InvalidArgumentError: if gold has another length, or no item with gold can be shown.
    """
    items, known = list(read_items(data).items), np.asarray(gold)
    if known.shape != (len(items),):
        raise InvalidArgumentError(
            f"gold must hold a class for each of the {len(items)} items, got {known.shape}", field="gold"
        )
    answer_of = {vote: text for text, vote in reversed(list(prompt.answers.items())) if isinstance(vote, int)}
    fields = Template(prompt.template).fields
    pool = []
    for at, (item, label) in enumerate(zip(items, known.tolist(), strict=True)):
        if label < 0 or label not in answer_of:
            continue
        try:
            pool.append(Example(field_texts(item, fields), answer_of[label]))
        except LookupError as error:
            raise InvalidArgumentError(f"item {at} cannot be an example: {error}", field="data") from None
    if not pool:
        raise InvalidArgumentError("no item with gold has a class that an answer stands for", field="gold")
    return replace(prompt, examples=pool, n_examples=min(n_examples, len(pool)))
