"""Votes made of votes: their plain part, other classes, the codebook and the sources of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.matrix import Votes
from weaklabel.votes.parts import Triples
from weaklabel.votes.symbols import Symbols
from weaklabel.votes.validation import ABSTAIN, ERROR, Codes, default_sources, label_dtype

HALF = 0.5


def plain_part(votes: Votes, *, with_sets: bool = False) -> Votes:
    """Votes for one class: probability vectors by their class of half the probability or more; those without one, and
    candidate sets unless wanted, are left out.

    For what is reported on sources beside the fit: copies, intervals, diagnostics.
    """
    if votes.is_plain:
        return votes
    n_classes, symbols = votes.n_classes, votes.symbols
    meaning = np.full(n_classes + len(symbols), ABSTAIN, np.int64)
    meaning[:n_classes] = np.arange(n_classes)
    kept = Symbols.empty(n_classes)
    if with_sets:
        kept = Symbols(symbols.sets, kept.soft)
        meaning[n_classes : n_classes + len(symbols.sets)] = n_classes + np.arange(len(symbols.sets))
    if len(symbols.soft):
        meant = np.where(symbols.soft.max(1) >= HALF, symbols.soft.argmax(1), ABSTAIN)
        meaning[n_classes + len(symbols.sets) :] = meant
    if votes.is_sparse:
        rows, sources, labels = votes.triples()
        return Votes.from_triples(
            rows,
            sources,
            meaning[labels],
            n_classes=n_classes,
            n_items=votes.n_items,
            n_sources=votes.n_sources,
            source_names=votes.source_names,
            symbols=kept,
        )
    codes = votes.to_codes()
    codes = np.where(codes >= 0, meaning[codes], codes)
    return Votes.from_codes(codes, n_classes, sources=votes.source_names, symbols=kept)


def with_codebook(votes: Votes, sets: NDArray[np.bool_]) -> Votes:
    """The votes in the codebook of a model: candidate sets that the model has not seen become probability vectors.

    Args:
        votes: N items.
        sets: [C, K] candidate sets of the model.
    """
    symbols, n_classes = votes.symbols, votes.n_classes
    if votes.is_plain or np.array_equal(symbols.sets, sets):
        return votes
    place = {tuple(members): n_classes + at for at, members in enumerate(sets.tolist())}
    unknown = [at for at, members in enumerate(symbols.sets.tolist()) if tuple(members) not in place]
    new = symbols.sets[unknown] / symbols.sets[unknown].sum(1, keepdims=True)
    soft = np.concatenate([symbols.soft, new.astype(np.float32)])
    first = n_classes + len(sets)
    meaning = np.arange(n_classes + len(symbols))
    for at, members in enumerate(symbols.sets.tolist()):
        known = place.get(tuple(members))
        meaning[n_classes + at] = first + len(symbols.soft) + unknown.index(at) if known is None else known
    meaning[n_classes + len(symbols.sets) :] = first + np.arange(len(symbols.soft))
    rows, sources, labels = votes.triples()
    return Votes.from_triples(
        rows,
        sources,
        meaning[labels],
        n_classes=n_classes,
        n_items=votes.n_items,
        n_sources=votes.n_sources,
        source_names=votes.source_names,
        item_ids=votes.item_ids,
        symbols=Symbols(sets, soft),
    )


def numbered_alike(votes: Votes, source_names: Sequence[str]) -> Votes:
    """The votes with the names of a model, where one side numbers its sources and the other has default names.

    "2" and "source_2" are the same source where all sources of the model are numbered in their order, one way or the
    other: columns without names, and columns of a table or sources of triples whose names are numbers.

    Args:
        votes: N items.
        source_names: of the model.
    """
    default, counted = default_sources(len(source_names)), tuple(map(str, range(len(source_names))))
    if tuple(source_names) == default:
        name_of = dict(zip(counted, default, strict=True))
    elif tuple(source_names) == counted:
        name_of = dict(zip(default, counted, strict=True))
    else:
        return votes
    names = tuple(name_of.get(name, name) for name in votes.source_names)
    if names == votes.source_names or len(set(names)) < len(names):
        return votes
    return Votes._make(*votes._parts()._replace(source_names=names))


def heard_only(votes: Votes, heard: NDArray[np.bool_], group: NDArray[np.int32]) -> Votes:
    """The votes of some sources only, on all items; the others abstain.

    Args:
        votes: [N, M].
        heard: [G, M] the sources that are heard on the items of each group.
        group: [N] of each item.
    """
    parts = votes._parts()
    if not isinstance(parts.layout, tuple):
        codes = parts.layout
        return Votes._make(*parts._replace(layout=np.where(heard[group], codes, codes.dtype.type(ABSTAIN))))
    rows, columns, values = parts.layout
    kept = heard[group[rows], columns]
    return Votes._make(*parts._replace(layout=(rows[kept], columns[kept], values[kept])))


def with_sources(votes: Votes, source_names: Sequence[str]) -> Votes:
    """The votes with these sources as columns, in this order; a source that is missing abstains.

    Raises:
        InvalidVotesError: for a source of the votes that is not among them.
    """
    if votes.source_names == tuple(source_names):
        return votes
    column_of = {name: column for column, name in enumerate(source_names)}
    unknown = [name for name in votes.source_names if name not in column_of]
    if unknown:
        raise InvalidVotesError(f"source {unknown[0]!r} is not known to the model", field="sources")
    rows, columns, labels = votes.triples()
    target = np.array([column_of[name] for name in votes.source_names], np.int32)
    return Votes.from_triples(
        rows,
        target[columns],
        labels,
        n_classes=votes.n_classes,
        n_items=votes.n_items,
        n_sources=len(source_names),
        source_names=source_names,
        item_ids=votes.item_ids,
        symbols=votes.symbols,
    )


def over_other_classes(votes: Votes, stands_for: NDArray[np.bool_], classes: Sequence[str] | None = None) -> Votes:
    """The votes over L other classes: each of the K classes is replaced by the set of those that it stands for.

    A candidate set becomes the union of the sets of its classes; the probability of a class in a soft vote is shared
    out evenly over its set, and what remains is normalized. What stands for no class, or for all, abstains.

    Args:
        votes: over K classes.
        stands_for: [K, L].
        classes: L names; None where they have none.
    """
    book, n_after = votes.symbols, stands_for.shape[1]
    sets = np.concatenate([stands_for, (book.sets.astype(np.int64) @ stands_for.astype(np.int64)) > 0])
    sets[~sets.any(1)] = True
    shares = stands_for / np.maximum(stands_for.sum(1, keepdims=True), 1)
    soft = book.soft.astype(np.float64) @ shares
    total = soft.sum(1, keepdims=True)
    soft = np.where(total > 0, soft / np.where(total > 0, total, 1), 1 / n_after)
    symbols, codes = Symbols.of(sets, soft)
    dtype = label_dtype(n_after + len(symbols))
    table = np.concatenate([codes, [ERROR, ABSTAIN]]).astype(dtype)
    parts = votes._parts()
    if isinstance(parts.layout, tuple):
        rows, columns, values = parts.layout
        values = table[values]
        says = values != ABSTAIN
        layout: Codes | Triples = (rows[says], columns[says], values[says])
    else:
        layout = table[parts.layout]
    names = None if classes is None else tuple(classes)
    return Votes._make(*parts._replace(n_classes=n_after, layout=layout, symbols=symbols, classes=names))
