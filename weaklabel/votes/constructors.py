"""Making votes of what people have: matrices, tensors of probabilities or candidates, triples, and votes themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.codebook import Codebook
from weaklabel.votes.order import cell_order
from weaklabel.votes.parts import Parts
from weaklabel.votes.symbols import ImpreciseVote, Symbols
from weaklabel.votes.validation import (
    ABSTAIN,
    Codes,
    Place,
    check_count,
    check_ids,
    check_names,
    column_names,
    compact_codes,
    index_ids,
    numbered,
    read_matrix,
    read_tensor,
    read_vector,
)

Cells = ArrayLike | Sequence[Sequence[object]]
"""A matrix of votes as numbers, with vote objects among them or not."""


def matrix_parts(
    array: Cells,
    n_classes: int,
    symbols: Symbols | Iterable[ImpreciseVote] | None,
    sources: Iterable[str] | None,
    items: Iterable[Hashable] | None,
    lowest: int,
) -> Parts:
    """Of `Votes.from_dense` and `Votes.from_codes`; `lowest` is the lowest code that is taken."""
    n_classes = check_count(n_classes, "n_classes", 2)
    book = Codebook(n_classes, symbols)
    matrix = read_matrix(array, book.number)
    names = check_names(column_names(array) if sources is None else sources, matrix.shape[1])
    ids = index_ids(array) if items is None else check_ids(items, matrix.shape[0])
    numbers = compact_codes(matrix, n_classes, len(book), lowest, _place_in(names))
    codes, kept_symbols = book.translate(numbers, _place_in(names))
    return Parts(
        n_items=matrix.shape[0],
        n_classes=n_classes,
        source_names=names,
        item_ids=ids,
        layout=codes,
        symbols=kept_symbols,
    )


def tensor_parts(
    given: ArrayLike,
    what: str,
    sources: Iterable[str] | None,
    items: Iterable[Hashable] | None,
    pack: Callable[[NDArray[Any], Place], tuple[Symbols, Codes]],
) -> Parts:
    """Of `Votes.from_soft` and `Votes.from_candidates`; `pack` reads the cells of a tensor [N, M, K]."""
    tensor = read_tensor(given, what)
    n_items, n_sources, n_classes = tensor.shape
    names = check_names(sources, n_sources)
    ids = index_ids(given) if items is None else check_ids(items, n_items)
    symbols, codes = pack(tensor, _place_in(names))
    return Parts(
        n_items=n_items,
        n_classes=check_count(n_classes, "n_classes", 2),
        source_names=names,
        item_ids=ids,
        layout=codes,
        symbols=symbols,
    )


def triple_parts(
    items: ArrayLike,
    sources: ArrayLike,
    labels: ArrayLike | Sequence[object],
    n_classes: int,
    symbols: Symbols | Iterable[ImpreciseVote] | None,
    *,
    n_items: int | None,
    n_sources: int | None,
    source_names: Iterable[str] | None,
    item_ids: Iterable[Hashable] | None,
    refuse_repeated: bool,
) -> Parts:
    """Of `Votes.from_triples`."""
    n_classes = check_count(n_classes, "n_classes", 2)
    rows, n_items, given_ids = numbered(items, "items", n_items, item_ids)
    columns, n_sources, given_names = numbered(sources, "sources", n_sources, source_names)
    ids = check_ids(given_ids, n_items)
    names = check_names(given_names, n_sources)
    book = Codebook(n_classes, symbols)
    values = read_vector(labels, "labels", book.number)
    if not len(rows) == len(columns) == len(values):
        raise InvalidVotesError(
            f"items, sources and labels must have one length, got {len(rows)}, {len(columns)} and {len(values)}"
        )
    numbers = compact_codes(values, n_classes, len(book), ABSTAIN, _triple)
    codes, kept_symbols = book.translate(numbers, _triple)
    if (says := codes != ABSTAIN).all():
        codes = codes.copy()
    else:  # before votes are compared: an abstain withdraws none
        rows, columns, codes = rows[says], columns[says], codes[says]
    order, last = cell_order(rows, columns, n_items, n_sources), np.ones(len(rows), bool)
    if order is not None:
        rows, columns, codes = rows[order], columns[order], codes[order]
        last[:-1] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    if refuse_repeated and not last.all():
        at = int(np.argmin(last))
        item = rows[at] if ids is None else repr(str(ids[rows[at]]))
        raise InvalidVotesError(f"source {names[columns[at]]!r} votes more than once on item {item}")
    kept = (rows, columns, codes) if last.all() else (rows[last], columns[last], codes[last])
    return Parts(
        n_items=n_items, n_classes=n_classes, source_names=names, item_ids=ids, layout=kept, symbols=kept_symbols
    )


def side_by_side(parts: Sequence[Parts]) -> Parts:
    """Of `Votes.concatenate_sources`."""
    _check_classes(parts)
    known = [part.item_ids for part in parts if part.item_ids is not None]
    for at, part in enumerate(parts):
        if part.n_items != parts[0].n_items:
            raise InvalidVotesError(
                f"part 0 is on {parts[0].n_items} items, part {at} on {part.n_items}", field="parts"
            )
        if part.item_ids is not None and not np.array_equal(part.item_ids, known[0]):
            raise InvalidVotesError(f"part {at} has other item ids than those before it", field="parts")
    names = [name for part in parts for name in part.source_names]
    return _concatenated(parts, 1, check_names(names, len(names)), known[0] if known else None)


def one_after_another(parts: Sequence[Parts]) -> Parts:
    """Of `Votes.concatenate_items`."""
    _check_classes(parts)
    for at, part in enumerate(parts):
        if part.source_names != parts[0].source_names:
            raise InvalidVotesError(f"part {at} has other sources than part 0, or in another order", field="parts")
        if (part.item_ids is None) != (parts[0].item_ids is None):
            raise InvalidVotesError(f"of part 0 and part {at} one has item ids, the other none", field="parts")
    ids = [str(one) for part in parts if part.item_ids is not None for one in part.item_ids]
    n_items = sum(part.n_items for part in parts)
    kept = None if parts[0].item_ids is None else check_ids(ids, n_items)
    return _concatenated(parts, 0, parts[0].source_names, kept)


def _concatenated(parts: Sequence[Parts], axis: int, names: tuple[str, ...], ids: NDArray[np.str_] | None) -> Parts:
    symbols, tables = Symbols.merge([part.symbols for part in parts])
    n_items = parts[0].n_items if axis == 1 else sum(part.n_items for part in parts)
    layouts = [part.layout for part in parts if not isinstance(part.layout, tuple)]
    if len(layouts) == len(parts):
        matrix = np.concatenate([table[layout] for layout, table in zip(layouts, tables, strict=True)], axis)
        return Parts(
            n_items=n_items,
            n_classes=parts[0].n_classes,
            source_names=names,
            item_ids=ids,
            layout=matrix,
            symbols=symbols,
            classes=_names_of(parts),
        )
    sizes = [(part.n_items, len(part.source_names))[axis] for part in parts]
    starts, cells = np.cumsum([0, *sizes])[:-1], [part.cells for part in parts]
    index = [np.concatenate([cell[at] for cell in cells]) for at in (0, 1)]
    index[axis] += np.repeat(starts.astype(np.int32), [len(cell[2]) for cell in cells])
    codes = np.concatenate([table[cell[2]] for cell, table in zip(cells, tables, strict=True)])
    order = np.lexsort((index[1], index[0]))
    return Parts(
        n_items=n_items,
        n_classes=parts[0].n_classes,
        source_names=names,
        item_ids=ids,
        layout=(index[0][order], index[1][order], codes[order]),
        symbols=symbols,
        classes=_names_of(parts),
    )


def _names_of(parts: Sequence[Parts]) -> tuple[str, ...] | None:
    """The names of the classes, of the first part that has some."""
    return next((part.classes for part in parts if part.classes is not None), None)


def _check_classes(parts: Sequence[Parts]) -> None:
    if not parts:
        raise InvalidVotesError("there are no votes to put together", field="parts")
    for at, part in enumerate(parts):
        if part.n_classes != parts[0].n_classes:
            raise InvalidVotesError(
                f"part 0 is over {parts[0].n_classes} classes, part {at} over {part.n_classes}", field="parts"
            )
        if part.classes is not None and part.classes != _names_of(parts):
            raise InvalidVotesError(f"the classes of part {at} have other names than those before it", field="parts")


def _place_in(names: Sequence[str]) -> Place:
    return lambda at: f"row {at[0]}, column {at[1]} ({names[at[1]]!r})"


def _triple(at: tuple[int, ...]) -> str:
    return f"triple {at[0]}"
