"""Which answers of a prompt the model sees with an item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.prompts.requests.bm25 import BM25
from weaklabel.prompts.requests.item_fields import cell, field_texts


class AnswerChoice:
    """The answers shown with an item: all of them, or those of the shortlist."""

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
        candidates = cell(item, shortlist.candidates)
        if isinstance(candidates, str) or not isinstance(candidates, Iterable):
            raise LookupError(f"the item has no list of answers {shortlist.candidates!r}")
        chosen = list(dict.fromkeys(one if isinstance(one, str) else repr(one) for one in candidates))[: shortlist.n]
        unknown = set(chosen) - set(self._classes)
        if not chosen or unknown:
            content = f"{min(unknown)!r}, which is no answer of a class" if unknown else "no answer"
            raise LookupError(f"the item's {shortlist.candidates!r} holds {content}")
        return chosen + self._always


def nearest_answers(items: ArrayLike, answers: ArrayLike, texts: Sequence[str], n: int) -> list[list[str]]:
    """The n answers nearest to each item by the cosine of embeddings, best first: a column for `Shortlist.candidates`.

    Args:
        items: [N, D] embeddings of the items.
        answers: [L, D] embeddings of the answers.
        texts: L answers.
        n: the number of answers per item.

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
