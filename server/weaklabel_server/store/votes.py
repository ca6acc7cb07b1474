"""The reading side of votes: a version is what its finished uploads say, the later over the earlier.

A source that was deleted is no column from that version on; what it said stays for the versions before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select

from weaklabel.votes import ABSTAIN, Votes, label_dtype
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import projects, schema, sources
from weaklabel_server.store.chunks import Codes, unpack_dense, unpack_positions, unpack_sparse
from weaklabel_server.store.projects import Project

# Below this, votes are read dense whatever their density, because that is the fastest to fit.
_DENSE_BYTES = 64 * 1024 * 1024
_TRIPLE_BYTES = 12

_uploads = schema.uploads.c
_chunks = schema.chunks.c


@dataclass(frozen=True)
class View:
    """One version of the votes of a project: N items, M sources."""

    project: Project
    version: int
    item_count: int
    source_keys: tuple[int, ...]
    source_names: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its codes."""
        return np.dtype(label_dtype(len(self.project.classes)))


@dataclass(frozen=True)
class _Piece:
    """One chunk, seen from a view: its items and those of its columns that the view still has."""

    row: Row[Any]
    positions: NDArray[np.int64]
    from_columns: NDArray[np.int64]  # columns of the chunk
    to_columns: NDArray[np.int64]  # the same as columns of the view
    width: int

    def codes(self) -> Codes:
        """[rows, len(to_columns)]."""
        if not self.row.sparse:
            dense = unpack_dense(self.row.votes, self.row.dtype, self.row.rows, self.width)
            return dense[:, self.from_columns]
        at, column, label = self._sparse(np.arange(len(self.from_columns)))
        codes = np.full((len(self.positions), len(self.from_columns)), ABSTAIN, label.dtype)
        codes[at, column] = label  # of a cell given twice the later stays
        return codes

    def triples(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Codes]:
        """(rows of the chunk, columns of the view, codes) of all cells that do not abstain, in the order given."""
        if self.row.sparse:
            return self._sparse(self.to_columns)
        codes = self.codes()
        at, column = np.nonzero(codes != ABSTAIN)
        return at, self.to_columns[column], codes[at, column]

    def _sparse(self, renumbered: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Codes]:
        triples = unpack_sparse(self.row.votes, self.row.dtype)
        lookup = np.full(self.width, -1, np.int64)
        lookup[self.from_columns] = renumbered
        columns = lookup[triples[:, 1]]
        kept = columns >= 0
        return triples[kept, 0].astype(np.int64), columns[kept], triples[kept, 2]


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
    living = sources.at_version(tx, project.key, version)
    return View(
        project=project,
        version=version,
        item_count=item_count or 0,
        source_keys=tuple(source.key for source in living),
        source_names=tuple(source.display_name for source in living),
    )


def check_not_empty(seen: View) -> None:
    """Refuses votes that cannot be fitted.

    Raises:
        ServiceError: NO_VOTES.
    """
    if not seen.item_count or not seen.source_names:
        name = seen.project.project_id
        raise ServiceError(
            Reason.NO_VOTES, f'project "{name}" has no votes yet; upload some first', metadata={"project": name}
        )


def read_rows(tx: Connection, seen: View, start: int, stop: int) -> Codes:
    """The codes of items start..stop-1, [stop - start, M]: class index, ABSTAIN or ERROR."""
    codes = np.full((stop - start, len(seen.source_names)), ABSTAIN, seen.dtype)
    for piece in _pieces(tx, seen, start, stop):
        inside = (piece.positions >= start) & (piece.positions < stop)
        codes[np.ix_(piece.positions[inside] - start, piece.to_columns)] = piece.codes()[inside]
    return codes


def read(tx: Connection, seen: View) -> Votes:
    """All votes, dense or as triples, whichever takes less memory. Triples leave out what failed."""
    dense_bytes = seen.item_count * len(seen.source_names) * seen.dtype.itemsize
    query = (
        select(func.coalesce(func.sum(_chunks.vote_count), 0))
        .join(schema.uploads, _uploads.key == _chunks.upload_key)
        .where(_uploads.project_key == seen.project.key, _uploads.version > 0, _uploads.version <= seen.version)
    )
    if dense_bytes <= max(_DENSE_BYTES, _TRIPLE_BYTES * tx.execute(query).scalar_one()):
        codes = read_rows(tx, seen, 0, seen.item_count)
        return Votes.from_codes(codes, len(seen.project.classes), sources=seen.source_names)
    return read_sparse(tx, seen)


def read_sparse(tx: Connection, seen: View) -> Votes:
    """All votes as triples; what failed is left out."""
    items = columns = np.empty(0, np.int64)
    labels = np.empty(0, np.int32)
    pieces = _pieces(tx, seen, 0, seen.item_count)
    for _, upload in groupby(pieces, key=lambda piece: piece.row.upload_key):
        covered = np.zeros(seen.item_count, bool)
        replaced = np.zeros(len(seen.source_names), bool)
        said = []
        for piece in upload:
            at, column, label = piece.triples()
            said.append((piece.positions[at], column, label.astype(np.int32)))
            covered[piece.positions] = True
            replaced[piece.to_columns] = True
        # An upload speaks for all its cells: an abstain in it takes back an earlier vote.
        stays = ~(covered[items] & replaced[columns])
        items, columns, labels = (
            np.concatenate(parts) for parts in zip((items[stays], columns[stays], labels[stays]), *said, strict=True)
        )
    return Votes.from_triples(
        items,
        columns,
        np.maximum(labels, ABSTAIN),
        n_items=seen.item_count,
        n_sources=len(seen.source_names),
        n_classes=len(seen.project.classes),
        source_names=seen.source_names,
    )


def _pieces(tx: Connection, seen: View, start: int, stop: int) -> Iterator[_Piece]:
    """The chunks of the view that touch items start..stop-1, the earlier first."""
    column_of = {key: column for column, key in enumerate(seen.source_keys)}
    query = (
        select(schema.chunks, _uploads.source_keys)
        .join(schema.uploads, _uploads.key == _chunks.upload_key)
        .where(_uploads.project_key == seen.project.key, _uploads.version > 0, _uploads.version <= seen.version)
        .where(_chunks.last_position >= start, _chunks.first_position < stop)
        .order_by(_uploads.version, _chunks.row_offset)
        .execution_options(yield_per=4)
    )
    for row in tx.execute(query):
        columns = np.array([column_of.get(key, -1) for key in row.source_keys], np.int64)
        from_columns = np.flatnonzero(columns >= 0)
        positions = (
            np.arange(row.first_position, row.last_position + 1)
            if row.positions is None
            else unpack_positions(row.positions)
        )
        yield _Piece(row, positions, from_columns, columns[from_columns], len(columns))
