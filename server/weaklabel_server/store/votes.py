"""The reading side of votes: a version holds the votes of its finished uploads, the later over the earlier.

A source that was deleted is not a column from that version on; its votes stay for the versions before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from weaklabel.votes import ABSTAIN, Votes, label_dtype
from weaklabel.votes.symbols import Symbols
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import projects, schema, sources
from weaklabel_server.store.chunks import Codes, unpack_dense, unpack_positions, unpack_sparse, unpack_symbols
from weaklabel_server.store.projects import Project

# Below this, votes are read dense whatever their density, because that is the fastest to fit.
_DENSE_BYTES = 64 * 1024 * 1024
_TRIPLE_BYTES = 12

_uploads = schema.uploads.c
_chunks = schema.chunks.c

_Rows = slice | NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class View:
    """One version of the votes of a project: N items, M sources."""

    project: Project
    version: int
    item_count: int
    source_keys: tuple[int, ...]
    source_names: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.project.classes)


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """One chunk, seen from a view: its items and those of its columns that the view still has."""

    row: Row[Any]
    positions: range | NDArray[np.int64]
    from_columns: NDArray[np.int64]  # columns of the chunk
    to_columns: NDArray[np.int64]  # the same as columns of the view
    width: int
    table: Codes | None  # from its codes to those of the view; None where they are the same

    def within(self, start: int, stop: int) -> tuple[_Rows, _Rows]:
        """Its rows of items start..stop-1, and what rows they are of a matrix of these items."""
        if isinstance(self.positions, range):
            low, high = max(start, self.positions.start), min(stop, self.positions.stop)
            first = self.positions.start
            return slice(low - first, high - first), slice(low - start, high - start)
        inside = np.flatnonzero((self.positions >= start) & (self.positions < stop))
        return inside, self.positions[inside] - start

    def codes(self, rows: _Rows) -> Codes:
        """[chosen rows, len(to_columns)]; a sparse chunk is made dense in these rows only."""
        if not self.row.sparse:
            together = rows if isinstance(rows, slice) else slice(None)
            dense = unpack_dense(self.row.votes, self.row.dtype, self.row.rows, self.width, together)
            if not isinstance(rows, slice):
                dense = dense[rows]
            return self._translated(dense if len(self.from_columns) == self.width else dense[:, self.from_columns])
        at, column, label = self._sparse(np.arange(len(self.from_columns)))
        number = np.full(self.row.rows, -1)
        chosen = np.arange(self.row.rows)[rows]
        number[chosen] = np.arange(len(chosen))
        inside = number[at] >= 0
        codes = np.full((len(chosen), len(self.from_columns)), ABSTAIN, label.dtype)
        codes[number[at[inside]], column[inside]] = label[inside]  # of a cell given twice the later stays
        return codes

    def write(self, codes: Codes, rows: _Rows, given: Codes) -> None:
        """Puts its codes of some rows into a matrix of the view's columns, in the rows named."""
        if len(self.to_columns) == codes.shape[1] and (np.diff(self.to_columns) > 0).all():  # all, in their order
            codes[rows] = given
        elif isinstance(rows, slice):
            codes[rows][:, self.to_columns] = given
        else:
            codes[np.ix_(rows, self.to_columns)] = given

    def items(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The items of some rows; of all where none are given."""
        if isinstance(self.positions, range):
            first = self.positions.start
            return np.arange(first, self.positions.stop) if rows is None else first + rows
        return self.positions if rows is None else self.positions[rows]

    def triples(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Codes]:
        """(rows of the chunk, columns of the view, codes) of all cells that do not abstain, in the order given."""
        if self.row.sparse:
            return self._sparse(self.to_columns)
        codes = self.codes(slice(None))
        at, column = np.nonzero(codes != ABSTAIN)
        return at, self.to_columns[column], codes[at, column]

    def _sparse(self, renumbered: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Codes]:
        triples = unpack_sparse(self.row.votes, self.row.dtype)
        lookup = np.full(self.width, -1, np.int64)
        lookup[self.from_columns] = renumbered
        columns = lookup[triples[:, 1]]
        kept = columns >= 0
        return triples[kept, 0].astype(np.int64), columns[kept], self._translated(triples[kept, 2])

    def _translated(self, codes: Codes) -> Codes:
        return codes if self.table is None else self.table[codes]


class _Codebook:
    """The candidate sets and soft votes for items start..stop-1 of a view, of all chunks, under one set of codes."""

    def __init__(self, tx: Connection, seen: View, start: int, stop: int) -> None:
        query = (
            select(_chunks.upload_key, _chunks.row_offset, _chunks.candidate_sets, _chunks.soft_votes)
            .where(_chunks.candidate_sets.is_not(None) | _chunks.soft_votes.is_not(None))
            .order_by(_chunks.upload_key, _chunks.row_offset)
        )
        books = {
            (row.upload_key, row.row_offset): unpack_symbols(row.candidate_sets, row.soft_votes, seen.n_classes)
            for row in tx.execute(_touching(query, seen, start, stop))
        }
        self.symbols, tables = Symbols.merge([Symbols.empty(seen.n_classes), *books.values()])
        self.table_of = dict(zip(books, tables[1:], strict=True))
        self.dtype = np.dtype(label_dtype(seen.n_classes + len(self.symbols)))


def view(tx: Connection, project_id: str, version: int) -> View:
    """A version of the votes of a project; 0 means the newest.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND.
    """
    project = projects.get(tx, project_id)
    if version > project.votes_version:
        raise ServiceError(
            Reason.VOTES_VERSION_NOT_FOUND,
            f'the newest votes of project "{project_id}" have version {project.votes_version}, not {version}',
            metadata={"project": project_id, "votes_version": str(version)},
        )
    version = version or project.votes_version
    item_count = tx.execute(
        select(schema.versions.c.item_count).filter_by(project_key=project.key, version=version)
    ).scalar()
    if version and item_count is None:
        raise ServiceError(
            Reason.VOTES_VERSION_NOT_FOUND,
            f'version {version} of the votes of project "{project_id}" is not kept any more; the newest is '
            f"{project.votes_version}",
            metadata={"project": project_id, "votes_version": str(version)},
        )
    living = sources.at_version(tx, project.key, version)
    return View(
        project=project,
        version=version,
        item_count=item_count or 0,
        source_keys=tuple(source.key for source in living),
        source_names=tuple(source.display_name for source in living),
    )


def item_times(tx: Connection, seen: View) -> NDArray[np.datetime64]:
    """[N] when the first votes of each item were uploaded, UTC, as far as versions are kept."""
    versions = schema.versions.c
    query = (
        select(versions.item_count, versions.create_time)
        .where(versions.project_key == seen.project.key, versions.version <= seen.version)
        .order_by(versions.version)
    )
    counts, times = zip(*tx.execute(query).tuples(), strict=True)
    return np.repeat(np.array(times, "datetime64[us]"), np.diff(counts, prepend=0))


def check_not_empty(seen: View) -> None:
    """Refuses votes that cannot be fitted.

    Raises:
        ServiceError: NO_VOTES, LABEL_SPACE_MISMATCH.
    """
    projects.check_votes_for_classes(seen.project)
    if not seen.item_count or not seen.source_names:
        name = seen.project.project_id
        raise ServiceError(
            Reason.NO_VOTES, f'project "{name}" has no votes yet; upload some first', metadata={"project": name}
        )


def cell_bytes(tx: Connection, seen: View) -> int:
    """The most bytes that a vote of a version takes in a message, its entry in the codebook included."""

    def some(column: ColumnElement[Any]) -> bool:
        query = select(_chunks.upload_key).where(column.is_not(None)).limit(1)
        return tx.execute(_touching(query, seen, 0, seen.item_count)).first() is not None

    if some(_chunks.soft_votes):
        return 4 + 4 * seen.n_classes
    return 4 + -(-seen.n_classes // 8) if some(_chunks.candidate_sets) else label_dtype(seen.n_classes)().itemsize


def read_rows(tx: Connection, seen: View, start: int, stop: int) -> tuple[Codes, Symbols]:
    """The codes of items start..stop-1, [stop - start, M], and what those from K on stand for.

    Of each chunk the symbols that these items use are kept, and no others, so that memory holds one chunk at a time.
    """
    symbols = Symbols.empty(seen.n_classes)
    codes: Codes = np.full((stop - start, len(seen.source_names)), ABSTAIN, label_dtype(seen.n_classes))
    for piece in _pieces(tx, seen, None, start, stop):
        rows, to_rows = piece.within(start, stop)
        given = piece.codes(rows)
        book = unpack_symbols(piece.row.candidate_sets, piece.row.soft_votes, seen.n_classes)
        if len(book):
            book, given = book.only(given)
            symbols, (of_codes, of_given) = Symbols.merge([symbols, book])
            dtype = label_dtype(seen.n_classes + len(symbols))
            codes, given = of_codes[codes].astype(dtype), of_given[given].astype(dtype)
        piece.write(codes, to_rows, given)
        symbols, codes = symbols.only(codes)  # some may have been replaced
    return codes, symbols


def _dense(tx: Connection, seen: View, codebook: _Codebook, start: int, stop: int) -> Codes:
    codes = np.full((stop - start, len(seen.source_names)), ABSTAIN, codebook.dtype)
    for piece in _pieces(tx, seen, codebook, start, stop):
        rows, to_rows = piece.within(start, stop)
        piece.write(codes, to_rows, piece.codes(rows))
    return codes


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much a version holds, as it was uploaded: what was replaced since counts, too."""

    votes: int  # that do not abstain
    symbol_bytes: int  # of candidate sets and soft votes, compressed

    def is_dense(self, cells: int, code_bytes: int) -> bool:
        """Whether `read` gives a matrix."""
        return cells * code_bytes <= max(_DENSE_BYTES, _TRIPLE_BYTES * self.votes)


def extent(tx: Connection, seen: View) -> Extent:
    """How much a version holds. Quick: no chunk is unpacked."""
    symbol_bytes = func.length(_chunks.candidate_sets), func.length(_chunks.soft_votes)
    query = (
        select(*(func.coalesce(func.sum(column), 0) for column in (_chunks.vote_count, *symbol_bytes)))
        .join(schema.uploads, _uploads.key == _chunks.upload_key)
        .where(_uploads.project_key == seen.project.key, _uploads.version > 0, _uploads.version <= seen.version)
    )
    count, sets, soft = tx.execute(query).one()
    return Extent(votes=int(count), symbol_bytes=int(sets) + int(soft))


def read(tx: Connection, seen: View, item_ids: Sequence[str] | None = None) -> Votes:
    """All votes, dense or as triples, whichever takes less memory. Triples leave out what failed.

    The votes have the ids, if any are given.
    """
    codebook = _Codebook(tx, seen, 0, seen.item_count)
    if extent(tx, seen).is_dense(seen.item_count * len(seen.source_names), codebook.dtype.itemsize):
        codes = _dense(tx, seen, codebook, 0, seen.item_count)
        return Votes.from_codes(
            codes, seen.n_classes, symbols=codebook.symbols, sources=seen.source_names, items=item_ids
        )
    return read_sparse(tx, seen, item_ids)


def read_sparse(tx: Connection, seen: View, item_ids: Sequence[str] | None = None) -> Votes:
    """All votes as triples; what failed is left out."""
    codebook = _Codebook(tx, seen, 0, seen.item_count)
    items = columns = np.empty(0, np.int64)
    labels = np.empty(0, np.int32)
    pieces = _pieces(tx, seen, codebook, 0, seen.item_count)
    for _, upload in groupby(pieces, key=lambda piece: piece.row.upload_key):
        covered = np.zeros(seen.item_count, bool)
        replaced = np.zeros(len(seen.source_names), bool)
        new = []
        for piece in upload:
            at, column, label = piece.triples()
            new.append((piece.items(at), column, label.astype(np.int32)))
            covered[piece.items()] = True
            replaced[piece.to_columns] = True
        # An upload replaces all its cells: an abstain in it takes back an earlier vote.
        stays = ~(covered[items] & replaced[columns])
        items, columns, labels = (
            np.concatenate(parts) for parts in zip((items[stays], columns[stays], labels[stays]), *new, strict=True)
        )
    if (labels < 0).any():  # within an upload the later word on a cell stays, and one that is no vote withdraws
        cells = items * len(seen.source_names) + columns
        _, last = np.unique(cells[::-1], return_index=True)
        stays = len(cells) - 1 - last
        items, columns, labels = items[stays], columns[stays], labels[stays]
    return Votes.from_triples(
        items,
        columns,
        np.maximum(labels, ABSTAIN),
        n_items=seen.item_count,
        n_sources=len(seen.source_names),
        n_classes=seen.n_classes,
        symbols=codebook.symbols,
        source_names=seen.source_names,
        item_ids=item_ids,
    )


def _touching(query: Select[Any], seen: View, start: int, stop: int) -> Select[Any]:
    """A query of chunks, of those of the view that touch items start..stop-1."""
    return (
        query.join(schema.uploads, _uploads.key == _chunks.upload_key)
        .where(_uploads.project_key == seen.project.key, _uploads.version > 0, _uploads.version <= seen.version)
        .where(_chunks.last_position >= start, _chunks.first_position < stop)
    )


def _pieces(tx: Connection, seen: View, codebook: _Codebook | None, start: int, stop: int) -> Iterator[_Piece]:
    """The chunks of the view that touch items start..stop-1, the earlier first.

    Under the codes of a codebook of all; without one, each under its own, which is then in its row.
    """
    column_of = {key: column for column, key in enumerate(seen.source_keys)}
    left_out = ("candidate_sets", "soft_votes") if codebook is not None else ()
    columns_of_chunks = [column for column in _chunks if column.name not in left_out]
    query = (
        _touching(select(*columns_of_chunks, _uploads.source_keys), seen, start, stop)
        .order_by(_uploads.version, _chunks.row_offset)
        .execution_options(yield_per=4)
    )
    for row in tx.execute(query):
        columns = np.array([column_of.get(key, -1) for key in row.source_keys], np.int64)
        from_columns = np.flatnonzero(columns >= 0)
        positions = (
            range(row.first_position, row.last_position + 1)
            if row.positions is None
            else unpack_positions(row.positions)
        )
        yield _Piece(
            row=row,
            positions=positions,
            from_columns=from_columns,
            to_columns=columns[from_columns],
            width=len(columns),
            table=None if codebook is None else codebook.table_of.get((row.upload_key, row.row_offset)),
        )
