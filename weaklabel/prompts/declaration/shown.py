"""What a prompt shows the model beside the question: solved items, and a shortlist of answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A solved item to show the model.

    Attributes:
        fields: the texts of the template's fields.
        answer: one of the prompt's answers; where these are several fields, one for each field.
    """

    fields: Mapping[str, str]
    answer: str | Mapping[str, str]


@dataclass(frozen=True)
class Shortlist:
    """For label spaces too large for a prompt: which answers the model sees, item by item.

    Answers that stand for a class take part; all others ("unsure": ABSTAIN) are always offered.

    Attributes:
        n: the number of answers that the model sees.
        field: the field of the item whose text is compared with the answers by BM25.
        candidates: a field of the item that holds its own list of answers, for instance from embeddings
            (`nearest_answers`); it takes the place of BM25, and the first n of it are shown.
        none: an answer for "it is none of these". It is a vote for none of the classes shown, an abstain
            where all were.
        pick: the most answers that the model may name. Several are a vote for a candidate set.
        descriptions: more words for some answers, which help BM25 to find them. They are not shown.
    """

    n: int = 20
    field: str = "text"
    candidates: str | None = None
    none: str | None = "none of these"
    pick: int = 1
    descriptions: Mapping[str, str] = dataclasses.field(default_factory=dict)
