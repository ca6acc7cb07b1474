"""Votes that a run of prompts makes: an upload, written a chunk at a time, which the end of the run shows.

So other changes do not wait for a run of a million items. Cells that were not asked keep their earlier votes; where the
votes of the project change between the first chunk and the end, all is written anew.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.votes import label_dtype
from weaklabel.votes.symbols import Symbols
from weaklabel_server.store import items, placing, projects, prompts, vote_uploads, votes
from weaklabel_server.store.chunks import Codes, PackedChunk, pack_dense
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import Operation
from weaklabel_server.store.placing import Placed, PlacingLostError
from weaklabel_server.store.projects import Project
from weaklabel_server.store.prompts import Answered
from weaklabel_server.store.vote_uploads import VoteUpload
from weaklabel_server.store.votes import View

CHUNK_ROWS = 65_536

Keep = Callable[[Connection], None]


@dataclass(frozen=True, kw_only=True)
class _Staged:
    """Votes that are written, and that nobody sees yet."""

    upload: VoteUpload
    base: int
    """The version of the votes that cells which were not asked are taken from."""
    placed: Placed | None


def store_in_turn(
    database: Database,
    operation: Operation,
    answered: Answered,
    succeed: Callable[[Keep], bool],
    *,
    max_cells: int,
) -> bool:
    """Stores what a run of prompts has made; the votes are a new version, unless nothing at all was asked. It blocks.

    Args:
        database: The store.
        operation: The run.
        answered: Its answers.
        succeed: Ends the run by a function of a transaction; returns False where a cancellation came first.
        max_cells: The most items x sources of a project.

    Raises:
        ServiceError: ITEM_NAMING_MIXED, PROJECT_TOO_LARGE; INVALID_FIELD when an item id is in two rows; whatever
            succeed raises.
    """
    if answered.missing.all():
        return succeed(lambda tx: prompts.finish(tx, operation, answered, 0))
    while True:
        upload = database.transact(_open, operation, answered)
        done = False
        try:
            staged = _stage(database, operation, answered, upload)

            def keep(tx: Connection, staged: _Staged = staged) -> None:
                version = _show(tx, operation, answered, staged, max_cells=max_cells)
                prompts.finish(tx, operation, answered, version)

            done = succeed(keep)
        except PlacingLostError:
            continue
        finally:
            if not done:
                database.transact(vote_uploads.throw_unfinished, upload)
        if done and staged.placed is not None:
            asyncio.run(placing.forget_ids(database, upload.key))
        return done


def _open(tx: Connection, operation: Operation, answered: Answered) -> VoteUpload:
    return vote_uploads.open_upload(tx, operation.project_id, str(uuid.uuid4()), answered.source_names, b"")[1]


def _stage(database: Database, operation: Operation, answered: Answered, upload: VoteUpload) -> _Staged:
    """Writes the votes, in short transactions.

    Raises:
        PlacingLostError: The votes of the project have changed meanwhile.
    """
    with database.read() as tx:
        base = projects.get(tx, operation.project_id).votes_version
    for start in range(0, len(answered.codes), CHUNK_ROWS):
        with database.read() as tx:
            view = votes.view(tx, operation.project_id, 0)
            _check_base(view.project, base, answered)
            chunk = _chunk(tx, view, answered, start)
        database.transact(vote_uploads.append, upload, start, chunk)
    placed = asyncio.run(vote_uploads.place_in_turn(database, upload, len(answered.codes)))
    return _Staged(upload=upload, base=base, placed=placed)


def _show(tx: Connection, operation: Operation, answered: Answered, staged: _Staged, *, max_cells: int) -> int:
    _check_base(projects.get(tx, operation.project_id), staged.base, answered)
    return vote_uploads.finish(tx, staged.upload, len(answered.codes), max_cells=max_cells, placed=staged.placed)


def _check_base(project: Project, base: int, answered: Answered) -> None:
    """Begins again where a cell that was not asked may have another vote than the one that was taken."""
    if project.votes_version != base and answered.missing.any():
        raise PlacingLostError


def _chunk(tx: Connection, view: View, answered: Answered, start: int) -> PackedChunk:
    part = slice(start, start + CHUNK_ROWS)
    ids = None if answered.item_ids is None else answered.item_ids[part]
    codes, symbols, missing = answered.codes[part], answered.symbols, answered.missing[part]
    if missing.any():
        rows = np.arange(start, start + len(codes)) if ids is None else _positions(tx, view.project, ids)
        codes, symbols = _with_earlier(tx, view, answered.source_names, rows, codes, symbols, missing)
    used, codes = symbols.only(codes)
    return pack_dense(codes.astype(label_dtype(view.n_classes + len(used))), ids, used)


def _positions(tx: Connection, project: Project, item_ids: list[str]) -> NDArray[np.int64]:
    """[rows] the positions of items; behind the last for those that are new."""
    known = items.positions(tx, project, item_ids)
    return np.array([known.get(one, project.item_count) for one in item_ids], np.int64)


def _with_earlier(
    tx: Connection,
    view: View,
    names: tuple[str, ...],
    rows: NDArray[np.int64],
    codes: Codes,
    symbols: Symbols,
    missing: NDArray[np.bool_],
) -> tuple[Codes, Symbols]:
    """Give cells that were not asked their earlier vote: an abstain in an upload would take it back."""
    column_of = {name: column for column, name in enumerate(view.source_names)}
    columns = np.array([column_of.get(name, -1) for name in names])
    row, column = np.nonzero(missing & (columns >= 0) & (rows < view.item_count)[:, None])
    if not len(row):
        return codes, symbols
    first, last = int(rows[row].min()), int(rows[row].max())
    earlier, earlier_symbols = votes.read_rows(tx, view, first, last + 1)
    merged, (ours, theirs) = Symbols.merge([symbols, earlier_symbols])
    translated = ours[codes].astype(np.int64)
    translated[row, column] = theirs[earlier[rows[row] - first, columns[column]]]
    return translated, merged
