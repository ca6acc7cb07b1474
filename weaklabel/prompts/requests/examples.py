"""Which examples of a prompt the model sees with an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.rows import read_items
from weaklabel.prompts.declaration.prompt import Prompt
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.declaration.shown import Example
from weaklabel.prompts.declaration.template import Template
from weaklabel.prompts.requests.bm25 import BM25
from weaklabel.prompts.requests.item_fields import field_texts


class ExampleChoice:
    """The examples shown with an item: the most alike, the item itself left out."""

    def __init__(self, prompt: Prompt) -> None:
        self._examples = list(prompt.examples)
        self._n = prompt.n_examples
        self._fields = Template(prompt.template).fields
        self._index = BM25([self._text(one.fields) for one in self._examples] if self._n else [])

    def _text(self, fields: Mapping[str, str]) -> str:
        return " ".join(fields[name] for name in self._fields)

    def choose(self, fields: Mapping[str, str]) -> list[Any]:
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
        gold: [N] classes, -1 where unlabels.
        n_examples: the number shown with each item.

    Raises:
        InvalidArgumentError: if gold has another length, or no item with gold can be shown.
    """
    items, labels = list(read_items(data).items), np.asarray(gold)
    if labels.shape != (len(items),):
        raise InvalidArgumentError(
            f"gold must hold a class for each of the {len(items)} items, got {labels.shape}", field="gold"
        )
    if prompt.fields:
        raise InvalidArgumentError(
            "a class tells no answer to each of several fields: give examples=[Example(fields, {field: answer, ...})]",
            field="prompt",
        )
    answer_of = {vote: text for text, vote in reversed(list(prompt.answers.items())) if isinstance(vote, int)}
    fields = Template(prompt.template).fields
    pool = []
    for at, (item, label) in enumerate(zip(items, labels.tolist(), strict=True)):
        if label < 0 or label not in answer_of:
            continue
        try:
            pool.append(Example(field_texts(item, fields), answer_of[label]))
        except LookupError as error:
            raise InvalidArgumentError(f"item {at} cannot be an example: {error}", field="data") from None
    if not pool:
        raise InvalidArgumentError("no item with gold has a class that an answer stands for", field="gold")
    return replace(prompt, examples=pool, n_examples=min(n_examples, len(pool)))
