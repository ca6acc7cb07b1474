"""Spans and tags, both ways, by the conventions of seqeval: a tag that continues nothing opens a span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.sequences.schemes import Scheme


class Span(NamedTuple):
    """Tokens `start`, ..., `end` - 1 of a document, of one type."""

    start: int
    end: int
    type: str


class SpanTable(NamedTuple):
    """The S spans of all documents, in order of tokens; positions count through all documents."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    type_of: NDArray[np.int64]
    """Index of the type."""

    def keys(self) -> set[tuple[int, int, int]]:
        """Start, end and type of each."""
        return set(zip(self.start.tolist(), self.end.tolist(), self.type_of.tolist(), strict=True))


def find_spans(tags: NDArray[np.integer], lengths: NDArray[np.int64], scheme: Scheme) -> SpanTable:
    """The spans that tags stand for.

    A span begins at "B" and "S", after "O", "E" and "S", where the type changes, and with a document; it ends before
    the next one, before "O", and with the document. So "I" without a "B" opens a span.

    Args:
        tags: [T] of all documents, one after another; below 0 is "O".
        lengths: [D] tokens of each document.
        scheme: of the tags.
    """
    tags = np.maximum(tags, 0)
    letter, kind = scheme.letter[tags], scheme.type_of[tags]
    begins = np.zeros(len(tags) + 1, bool)
    begins[np.concatenate([[0], np.cumsum(lengths)])] = True
    inside = kind >= 0
    opens = np.isin(letter, ("B", "S")) | begins[:-1]
    opens[1:] |= np.isin(letter[:-1], ("O", "E", "S")) | (kind[1:] != kind[:-1])
    start = np.flatnonzero(inside & opens)
    stops = np.flatnonzero(np.concatenate([opens | ~inside, [True]]))
    end = stops[np.searchsorted(stops, start, side="right")] if len(start) else start
    return SpanTable(start, end, kind[start])


def tags_to_spans(
    tags: NDArray[np.integer], lengths: Sequence[int] | NDArray[np.int64], scheme: Scheme
) -> list[list[Span]]:
    """Spans of each document, their positions within it; see `find_spans`."""
    sizes = np.asarray(lengths, np.int64)
    table, ends = find_spans(np.asarray(tags), sizes, scheme), np.cumsum(sizes)
    document = np.searchsorted(ends, table.start, side="right")
    offset = (ends - sizes)[document] if len(document) else document
    found: list[list[Span]] = [[] for _ in sizes]
    for at, start, end, kind in zip(
        document.tolist(),
        (table.start - offset).tolist(),
        (table.end - offset).tolist(),
        table.type_of.tolist(),
        strict=True,
    ):
        found[at].append(Span(start, end, scheme.types[kind]))
    return found


def spans_to_tags(
    spans: Sequence[Iterable[tuple[int, int, str]] | None],
    lengths: Sequence[int] | NDArray[np.int64],
    scheme: Scheme,
    source: str = "spans",
) -> NDArray[np.int16]:
    """[T] tags of the spans of one source; tokens in no span are "O", those of a document that is None abstain (-1).

    Args:
        spans: of each document (start, end, type), end exclusive.
        lengths: [D] tokens of each document.
        scheme: of the tags.
        source: its name, for messages.

    Raises:
        InvalidVotesError: for a span outside its document, empty, of an unknown type, or over another one; the message
            names source, document and span.
    """
    sizes = np.asarray(lengths, np.int64)
    if len(spans) != len(sizes):
        raise InvalidVotesError(
            f"source {source!r} has spans for {len(spans)} documents, but lengths are of {len(sizes)}", field="votes"
        )
    code = {tag: at for at, tag in enumerate(scheme.tags)}
    tags = np.zeros(int(sizes.sum()), np.int16)
    offset = 0
    for at, (some, size) in enumerate(zip(spans, sizes.tolist(), strict=True)):
        if some is None:
            tags[offset : offset + size] = -1
        for one in some or ():
            start, end, kind = _checked(one, at, size, scheme, source)
            here = tags[offset + start : offset + end]
            if here.any():
                raise InvalidVotesError(
                    f"source {source!r}, document {at}: span ({start}, {end}, {kind!r}) overlaps another", field="votes"
                )
            _write(here, kind, code, scheme.name)
        offset += size
    return tags


def _checked(one: object, document: int, size: int, scheme: Scheme, source: str) -> tuple[int, int, str]:
    place = f"source {source!r}, document {document}"
    if not isinstance(one, tuple | list) or len(one) != 3:
        raise InvalidVotesError(f"{place}: a span is (start, end, type), got {one!r}", field="votes")
    start, end, kind = one
    if not all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in (start, end)):
        raise InvalidVotesError(f"{place}: start and end must be whole numbers, got {one!r}", field="votes")
    if not 0 <= start < end <= size:
        raise InvalidVotesError(f"{place}: span {one!r} is not within its {size} tokens", field="votes")
    if kind not in scheme.types:
        raise InvalidVotesError(f"{place}: type {kind!r} is not one of {', '.join(scheme.types)}", field="votes")
    return int(start), int(end), kind


def _write(here: NDArray[np.int16], kind: str, code: Mapping[str, int], scheme: str) -> None:
    here[:] = code[f"I-{kind}"]
    if scheme == "BIO":
        here[0] = code[f"B-{kind}"]
    elif scheme == "BIOES":
        here[0], here[-1] = code[f"B-{kind}"], code[f"E-{kind}"]
        if len(here) == 1:
            here[0] = code[f"S-{kind}"]


def token_spans(
    spans: Iterable[tuple[int, int, str]], offsets: Sequence[tuple[int, int]], *, text: str | None = None
) -> list[Span]:
    """Spans in tokens of spans in characters: the tokens that a span touches.

    Args:
        spans: (start, end, type) in characters, end exclusive.
        offsets: (start, end) of each token in characters, in order.
        text: the document, to check the spans against its length.

    Raises:
        InvalidArgumentError: for a span that is empty, outside the text, or touches no token.
    """
    starts, ends = (np.array([one[at] for one in offsets], np.int64) for at in (0, 1))
    found = []
    for start, end, kind in spans:
        if not 0 <= start < end or (text is not None and end > len(text)):
            raise InvalidArgumentError(f"span ({start}, {end}, {kind!r}) is not within the text", field="spans")
        first, after = int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(starts, end, side="left"))
        if first >= after:
            raise InvalidArgumentError(f"span ({start}, {end}, {kind!r}) touches no token", field="spans")
        found.append(Span(first, after, kind))
    return found
