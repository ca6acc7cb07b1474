"""skweak: the span groups of spaCy documents as votes, and soft labels as a span group.

A labeling function of skweak writes a span group of its name into each document, `doc.spans[name]`. Items are whole
documents, spans with the same ends, or tokens::

    read = read_docs(docs, ["ham", "spam"], unit="doc")
    soft = LabelModel(classes=read.classes).fit(read.votes).predict_proba(read.votes)
    write_docs(read, soft, "weaklabel")

skweak itself is not needed: what it writes are spaCy documents, from which its DocBin files are read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import Votes
from weaklabel.votes.symbols import one_of

__all__ = ["DocumentVotes", "SpanItem", "read_docs", "write_docs"]

Unit = Literal["doc", "span", "token"]


class SpanItem(NamedTuple):
    """Which tokens an item is of."""

    doc: int
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class DocumentVotes:
    """Votes out of documents."""

    votes: Votes
    """N items, called DOC:START-END."""
    items: tuple[SpanItem, ...]
    """[N]"""
    classes: tuple[str, ...]
    unit: Unit
    outside: str | None
    docs: tuple[Any, ...]
    """The documents, as they were given."""


def read_docs(
    docs: Iterable[Any],
    classes: Sequence[str],
    *,
    unit: Unit = "span",
    sources: Sequence[str] | None = None,
    outside: str | None = None,
    underspecified: Mapping[str, Sequence[str]] | None = None,
) -> DocumentVotes:
    """Span groups as votes; a source without a span on an item abstains.

    Args:
        docs: spaCy documents.
        classes: K names.
        unit: what an item is: "doc", a whole document, whose spans must cover it; "span", all spans of a document with
            the same start and end; or "token".
        sources: names of span groups; all but those that skweak has aggregated where not given.
        outside: with "token", the class that a source votes for where its group is there and no span covers the token,
            as "O" of sequence labeling; abstain where not given.
        underspecified: labels that stand for several classes, as {"ENT": ["PER", "ORG"]}: votes for a candidate set.

    Raises:
        InvalidVotesError: for labels that are no classes, spans that do not cover the document where items are
            documents, and spans of one source that overlap where items are tokens; with document and source.
        InvalidArgumentError: for classes that repeat, and another unit.
    """
    if unit not in ("doc", "span", "token") or (outside is not None and (unit != "token" or outside not in classes)):
        raise InvalidArgumentError(
            f"unit must be 'doc', 'span' or 'token', got {unit!r}; outside is a class, for 'token' only", field="unit"
        )
    if isinstance(classes, str) or len(set(classes)) < max(len(classes), 2):
        raise InvalidArgumentError("classes must be two names or more, all different", field="classes")
    kept = tuple(docs)
    names = list(sources) if sources is not None else _sources(kept)
    if not names:
        raise InvalidVotesError("the documents have no span groups", field="docs")
    meaning: dict[str, Any] = {name: k for k, name in enumerate(classes)}
    for label, group in (underspecified or {}).items():
        meaning[label] = one_of(*(_known(meaning, name, "underspecified") for name in group))
    items: dict[SpanItem, int] = {}
    rows, columns, labels = [], [], []
    for at, doc in enumerate(kept):
        if unit != "span":
            for item in _items_of(at, doc, unit):
                items[item] = len(items)
        for column, name in enumerate(names):
            for item, label in _votes_of(at, doc, name, unit, outside):
                rows.append(items.setdefault(item, len(items)))
                columns.append(column)
                labels.append(_known(meaning, label, f"document {at}, source {name!r}"))
    votes = Votes.from_triples(
        np.array(rows, np.int64),
        np.array(columns, np.int64),
        labels,
        n_classes=len(classes),
        source_names=names,
        item_ids=[f"{one.doc}:{one.start}-{one.end}" for one in items],
    )
    return DocumentVotes(votes=votes, items=tuple(items), classes=tuple(classes), unit=unit, outside=outside, docs=kept)


def _sources(docs: Sequence[Any]) -> list[str]:
    """Names of the groups by appearance, without those that are results."""
    names: dict[str, None] = {}
    for doc in docs:
        names |= {name: None for name, group in doc.spans.items() if not group.attrs.get("aggregated", False)}
    return list(names)


def _known(meaning: Mapping[str, Any], label: str, place: str) -> Any:
    if label not in meaning:
        raise InvalidVotesError(
            f"{place}: the label {label!r} is no class; they are {', '.join(meaning)}", field="classes"
        )
    return meaning[label]


def _items_of(at: int, doc: Any, unit: Unit) -> Iterator[SpanItem]:
    if unit == "doc":
        yield SpanItem(at, 0, len(doc))
    else:
        yield from (SpanItem(at, token, token + 1) for token in range(len(doc)))


def _votes_of(at: int, doc: Any, name: str, unit: Unit, outside: str | None) -> Iterator[tuple[SpanItem, str]]:
    """The votes of a source on a document."""
    if name not in doc.spans:
        return
    place, covered = f"document {at}, source {name!r}", set[int]()
    seen: dict[SpanItem, str] = {}
    for span in doc.spans[name]:
        if unit == "token":
            tokens = range(span.start, span.end)
            if covered & set(tokens):
                raise InvalidVotesError(f"{place}: spans overlap at token {min(covered & set(tokens))}", field="docs")
            covered |= set(tokens)
            yield from ((SpanItem(at, token, token + 1), span.label_) for token in tokens)
            continue
        item = SpanItem(at, span.start, span.end)
        if unit == "doc" and (item.start, item.end) != (0, len(doc)):
            raise InvalidVotesError(
                f"{place}: a span of tokens {item.start} to {item.end} is not the whole document: "
                "take unit='span' or 'token'",
                field="docs",
            )
        if seen.setdefault(item, span.label_) != span.label_:
            raise InvalidVotesError(
                f"{place}: tokens {item.start} to {item.end} are {seen[item]!r} and {span.label_!r}", field="docs"
            )
        yield item, span.label_
    if outside is not None:
        yield from ((SpanItem(at, token, token + 1), outside) for token in range(len(doc)) if token not in covered)


def write_docs(read: DocumentVotes, soft_labels: ArrayLike, name: str, *, threshold: float = 0.5) -> None:
    """Soft labels as a span group of each document, in the form of skweak's aggregators.

    `doc.spans[name]` holds a span for each item with a class above the threshold; neighbouring tokens of one class are
    one span, and `outside` makes none. `attrs["probs"]` holds the probabilities by (start, end) and class.

    Args:
        read: what `read_docs` returned.
        soft_labels: [N, K] probabilities.
        name: of the span group; one of that name is replaced.
        threshold: of a span.

    Raises:
        InvalidArgumentError: for soft labels of another shape, and the name of a source.
        MissingExtraError: if spaCy is not installed.
    """
    p = np.asarray(soft_labels, np.float64)
    if p.shape != (len(read.items), len(read.classes)):
        raise InvalidArgumentError(
            f"soft labels must be [items, classes] = {(len(read.items), len(read.classes))}, got shape {p.shape}",
            field="soft_labels",
        )
    if name in read.votes.source_names:
        raise InvalidArgumentError(f"{name!r} is a source: its spans would be lost", field="name")
    make = require("spacy.tokens", extra="spacy", needed_for="spaCy documents").Span
    by_doc = {at: list(rows) for at, rows in groupby(range(len(p)), key=lambda row: read.items[row].doc)}
    for at, doc in enumerate(read.docs):
        rows = by_doc.get(at, [])
        best = [(row, read.classes[p[row].argmax()]) for row in rows if p[row].max() > threshold]
        named = [(read.items[row], label) for row, label in best if label != read.outside]
        spans = _joined(named) if read.unit == "token" else [(one.start, one.end, label) for one, label in named]
        doc.spans[name] = [make(doc, start, end, label=label) for start, end, label in spans]
        attrs = doc.spans[name].attrs
        attrs["probs"] = {
            (read.items[row].start, read.items[row].end): dict(zip(read.classes, p[row].tolist(), strict=True))
            for row in rows
        }
        attrs["aggregated"], attrs["sources"] = True, list(read.votes.source_names)


def _joined(named: Sequence[tuple[SpanItem, str]]) -> list[tuple[int, int, str]]:
    """Neighbouring tokens of one class as one span."""
    spans: list[tuple[int, int, str]] = []
    for item, label in named:
        if spans and spans[-1][1:] == (item.start, label):
            spans[-1] = (spans[-1][0], item.end, label)
        else:
            spans.append((item.start, item.end, label))
    return spans
