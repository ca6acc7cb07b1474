"""Votes, lengths and gold of documents, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.sequences.schemes import Scheme
from weaklabel.kinds.sequences.spans import spans_to_tags
from weaklabel.votes import Votes

Silence = Literal["auto", "O", "nothing"]
MARKED_BY_BOTH = 2 / 3
"""A set whose median source marks at least this share of the tokens that others mark holds annotators."""


class Documents(NamedTuple):
    """Votes on the T tokens of D documents that follow each other."""

    codes: NDArray[np.signedinteger]
    """[T, M] tags; -1 abstains."""
    lengths: NDArray[np.int64]
    """[D]"""
    source_names: tuple[str, ...]


def read_documents(votes: Any, lengths: Any, scheme: Scheme) -> Documents:
    """Votes as `SequenceModel.fit` takes them.

    Raises:
        InvalidVotesError: for votes that are no tags or spans; the message names the token and the source.
        InvalidArgumentError: for lengths that are not those of the votes.
    """
    if isinstance(votes, Mapping):
        sizes = read_lengths(lengths, None)
        if not votes:
            raise InvalidVotesError("there are no sources in the votes", field="votes")
        columns = [_column(given, sizes, scheme, str(name)) for name, given in votes.items()]
        return Documents(np.stack(columns, 1), sizes, tuple(map(str, votes)))
    if isinstance(votes, Votes):
        if votes.n_classes != len(scheme.tags) or not votes.is_plain:
            raise InvalidVotesError(
                f"votes must be plain, over the {len(scheme.tags)} tags {', '.join(scheme.tags)}; these are over "
                f"{votes.n_classes} classes",
                field="votes",
            )
        if votes.classes is not None and votes.classes != scheme.tags:
            raise InvalidVotesError(
                f"the classes of the votes are not the tags {', '.join(scheme.tags)}", field="votes"
            )
        codes = np.maximum(votes.to_codes(), -1)
        return Documents(codes, read_lengths(lengths, len(codes)), votes.source_names)
    columns_of = getattr(votes, "columns", None)
    table = votes.to_numpy() if columns_of is not None and hasattr(votes, "to_numpy") else np.asarray(votes)
    if table.ndim != 2 or not table.shape[1]:
        raise InvalidVotesError(f"votes must be a matrix, tokens x sources, got shape {table.shape}", field="votes")
    names = [f"source_{at}" for at in range(table.shape[1])] if columns_of is None else [str(one) for one in columns_of]
    if len(set(names)) < len(names):
        raise InvalidVotesError("names of sources must differ", field="votes")
    return Documents(_codes(table, scheme, names), read_lengths(lengths, len(table)), tuple(names))


def _column(given: Any, lengths: NDArray[np.int64], scheme: Scheme, name: str) -> NDArray[np.int16]:
    """Tags of one source: spans of each document, or tags of all tokens."""
    flat = isinstance(given, np.ndarray) or (len(given) > 0 and isinstance(given[0], str | int | np.integer))
    if not flat:
        return spans_to_tags(given, lengths, scheme, name)
    column = _codes(np.asarray(given)[:, None], scheme, [name])[:, 0]
    if len(column) != lengths.sum():
        raise InvalidVotesError(f"source {name!r} has {len(column)} tags, but {lengths.sum()} tokens", field="votes")
    return column.astype(np.int16)


def read_lengths(lengths: Any, n_tokens: int | None) -> NDArray[np.int64]:
    """[D] tokens of each document; None for one document.

    Raises:
        InvalidArgumentError: if they are missing, no whole numbers above 0, or do not sum to the number of tokens.
    """
    if lengths is None and n_tokens is not None:
        return np.array([n_tokens] if n_tokens else [], np.int64)
    sizes = np.asarray([] if lengths is None else lengths)
    if lengths is None or sizes.ndim != 1 or (len(sizes) and not np.issubdtype(sizes.dtype, np.integer)):
        raise InvalidArgumentError("lengths must be whole numbers, the tokens of each document", field="lengths")
    if (sizes < 1).any():
        at = int(np.argmax(sizes < 1))
        raise InvalidArgumentError(f"lengths must be at least 1, document {at} has {sizes[at]}", field="lengths")
    if n_tokens is not None and int(sizes.sum()) != n_tokens:
        raise InvalidArgumentError(f"lengths sum to {sizes.sum()}, but there are {n_tokens} tokens", field="lengths")
    return sizes.astype(np.int64)


def _codes(table: NDArray[Any], scheme: Scheme, names: Sequence[str]) -> NDArray[np.signedinteger]:
    """Tags of names, or of numbers -1..K-1, with the first cell that is neither named in the error."""
    n_tags = len(scheme.tags)
    small = np.int8 if n_tags < 128 else np.int16
    if np.issubdtype(table.dtype, np.integer):
        wrong = (table < -1) | (table >= n_tags)
        codes = table
    elif table.dtype.kind in "OUS":
        code: dict[Any, int] = {tag: at for at, tag in enumerate(scheme.tags)} | {"": -1, None: -1}
        values, inverse = np.unique(
            np.array(["" if one is None or one != one else one for one in table.ravel()], object).astype(str),
            return_inverse=True,
        )
        known = np.array([code.get(str(value), -2) for value in values], np.int64)
        codes = known[inverse].reshape(table.shape)
        wrong = codes == -2
    else:
        raise InvalidVotesError(f"votes must be tags or whole numbers, got {table.dtype}", field="votes")
    if wrong.any():
        row, column = (int(one) for one in np.argwhere(wrong)[0])
        raise InvalidVotesError(
            f"token {row}, source {names[column]!r}: {_plain(table[row, column])!r} is none of the tags "
            f"{', '.join(scheme.tags)}, nor a number in -1..{n_tags - 1}",
            field="votes",
        )
    return codes.astype(small)


def read_gold(gold: Any, documents: Documents, scheme: Scheme) -> NDArray[np.int16]:
    """[T] known tags, -1 where unknown: of tags for all tokens, or of spans for documents (None where unknown).

    Raises:
        InvalidVotesError, InvalidArgumentError: as for votes.
    """
    n_tokens = len(documents.codes)
    if gold is None:
        return np.full(n_tokens, -1, np.int16)
    if len(gold) == n_tokens and (
        isinstance(gold, np.ndarray) or n_tokens == 0 or isinstance(gold[0], str | int | np.integer | None)
    ):
        return _codes(np.asarray(gold)[:, None], scheme, ["gold"])[:, 0].astype(np.int16)
    if len(gold) == len(documents.lengths):
        return spans_to_tags(gold, documents.lengths, scheme, "gold")
    raise InvalidArgumentError(
        f"gold must be [{n_tokens}] tags, or spans of {len(documents.lengths)} documents, got {len(gold)}", field="gold"
    )


def are_annotators(documents: Documents, silence: Silence | Mapping[str, Silence]) -> NDArray[np.bool_]:
    """[M] of which sources an "O" is a vote; of the others it is silence, which says nothing.

    By "auto", a source that votes "O" on some tokens and abstains on others means its "O"; one that never votes "O" is
    silent elsewhere. Where sources give a tag to every token, all are annotators if the median source marks at least
    two thirds of the tokens that half of the sources mark, or as many as ever mark the same (at least two others; one,
    of up to three sources), and functions if not.

    Raises:
        InvalidArgumentError: for a source or a value that is not known.
    """
    given = silence if isinstance(silence, Mapping) else dict.fromkeys(documents.source_names, silence)
    for name, value in given.items():
        if name not in documents.source_names or value not in ("auto", "O", "nothing"):
            raise InvalidArgumentError(
                f'silence must be "auto", "O" or "nothing", or one of these by source; got {value!r} of {name!r}',
                field="silence",
            )
    chosen = np.array([given.get(name, "auto") for name in documents.source_names])
    codes = documents.codes
    says_o, abstains = (codes == 0).any(0), (codes < 0).any(0)
    whole = says_o & ~abstains
    auto = np.where(whole, _mark_alike(codes), says_o)
    return np.asarray(np.where(chosen == "auto", auto, chosen == "O"), bool)


def _mark_alike(codes: NDArray[np.signedinteger]) -> bool:
    marks, n_sources = codes > 0, codes.shape[1]
    total = marks.sum(1)
    # Many, so that marks by mistake do not count; but no more than ever mark the same.
    enough = 1 if n_sources <= 3 else max(2, min(n_sources // 2, int(total.max(initial=0)) - 1))
    shares = [
        (marks[others, at].mean() if others.any() else 1.0)
        for at in range(n_sources)
        for others in [total - marks[:, at] >= enough]
    ]
    return bool(np.median(shares) >= MARKED_BY_BOTH)


def _plain(cell: Any) -> Any:
    return cell.item() if isinstance(cell, np.generic) else cell
