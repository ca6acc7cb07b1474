"""New items of an upload get their positions ahead of its finish, in short transactions.

A million ids in one transaction would keep the writer for seconds. So their rows are written bit by bit behind the last
item of the project, where nobody looks; to finish the upload is then to say how many items the project has. One upload
of a project at a time places items. One that died in between leaves rows that the next removes.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, select, update

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import items, projects, schema
from weaklabel_server.store.chunks import pack_positions
from weaklabel_server.store.database import Database, insert_rows
from weaklabel_server.store.projects import Project

SMALL = 5_000
"""So many ids are placed by the transaction that finishes the upload."""

_TARGET_SECONDS = 0.02
_LEAST_ROWS, _MOST_ROWS = 500, 10_000
_STALLED_SECONDS = 5.0

_items = schema.items.c
_chunks = schema.chunks.c
_projects = schema.projects.c


@dataclass(frozen=True)
class Placed:
    """What was placed: it holds as long as the project has `base` items and this placer."""

    placer: str
    base: int
    item_count: int


class PlacingLostError(Exception):
    """Other items came first, or another upload places its own: begin again."""


@dataclass(frozen=True)
class Plan:
    """The positions that items will have, as the project stands.

    Attributes:
        project_key: The project.
        base: Its number of items.
        new: Ids that it does not have, in order: they get the positions from base on.
        positions: [rows] by the first row of each chunk.
    """

    project_key: int
    base: int
    new: list[str]
    positions: dict[int, NDArray[np.int64]]

    @property
    def item_count(self) -> int:
        """The number of items with them."""
        return self.base + len(self.new)


def make_plan(tx: Connection, project: Project, ids_by_chunk: dict[int, list[str]]) -> Plan:
    """Looks up what is known; the ids must be distinct."""
    position_of = items.positions(tx, project, [one for ids in ids_by_chunk.values() for one in ids])
    new: list[str] = []
    positions = {}
    for row_offset, ids in ids_by_chunk.items():  # a chunk at a time, so that other threads find their turn
        fresh = [one for one in ids if one not in position_of]
        begin = project.item_count + len(new)
        position_of.update(zip(fresh, range(begin, begin + len(fresh)), strict=True))
        new += fresh
        positions[row_offset] = np.fromiter((position_of[one] for one in ids), np.int64, len(ids))
    return Plan(project.key, project.item_count, new, positions)


def place_now(tx: Connection, plan: Plan, upload_key: int) -> int:
    """Places all in this transaction, whoever else is at it; returns the number of items of the project with them."""
    # Not where nothing is new: whoever places items for another upload need not begin again then.
    if plan.new:
        tx.execute(delete(schema.items).where(_items.project_key == plan.project_key, _items.position >= plan.base))
        insert_rows(tx, schema.items, ((plan.project_key, at, one) for at, one in enumerate(plan.new, plan.base)))
        _set_placer(tx, plan.project_key, "")
    for row_offset, positions in plan.positions.items():
        put_positions(tx, upload_key, row_offset, positions)
    return plan.item_count


async def place(database: Database, plan: Plan, upload_key: int) -> Placed:
    """Places all in short transactions, in turn with other changes.

    Raises:
        PlacingLostError: Begin again with a new plan.
    """
    await _wait_for_others(database, plan.project_key)
    placer = uuid.uuid4().hex
    await database.run_write(_begin, plan, placer)
    while await database.run_write(_remove_left, plan, placer):
        pass
    done, rows = 0, _LEAST_ROWS
    while done < len(plan.new):
        seconds = await database.run_write(_insert, plan, placer, done, done + rows)
        done += rows
        # The more ids there are, the longer each takes.
        fitting = int(rows * _TARGET_SECONDS / max(seconds, 1e-4))
        rows = min(max(fitting, _LEAST_ROWS), 2 * rows, _MOST_ROWS)
    for row_offset, positions in plan.positions.items():
        await database.run_write(_put_positions, plan, placer, upload_key, row_offset, positions)
    return Placed(placer, plan.base, plan.item_count)


async def forget_ids(database: Database, upload_key: int) -> None:
    """The ids of a finished upload are those of its items; its chunks need not keep them."""

    def one(tx: Connection) -> bool:
        query = select(_chunks.row_offset).where(_chunks.upload_key == upload_key, _chunks.item_ids.is_not(None))
        row_offset = tx.execute(query.limit(1)).scalar()
        if row_offset is not None:
            which = (_chunks.upload_key == upload_key) & (_chunks.row_offset == row_offset)
            tx.execute(update(schema.chunks).where(which).values(item_ids=None))
        return row_offset is not None

    while await database.run_write(one):
        pass


def accept(tx: Connection, project: Project, placed: Placed) -> int:
    """The number of items of a project with those that were placed, in the transaction that shows them.

    Raises:
        PlacingLostError: They do not hold any more.
    """
    _check(tx, project.key, placed.placer, placed.base)
    _set_placer(tx, project.key, "")
    return placed.item_count


def put_positions(tx: Connection, upload_key: int, row_offset: int, positions: NDArray[np.int64]) -> None:
    """Gives the rows of a chunk their positions."""
    first, last = int(positions.min()), int(positions.max())
    in_order = np.array_equal(positions, np.arange(first, first + len(positions)))
    tx.execute(
        update(schema.chunks)
        .where(_chunks.upload_key == upload_key, _chunks.row_offset == row_offset)
        .values(first_position=first, last_position=last, positions=None if in_order else pack_positions(positions))
    )


async def _wait_for_others(database: Database, project_key: int) -> None:
    """Waits while another upload places its items; one that stands still is taken for dead."""
    seen: object = None
    since = time.monotonic()
    while (state := await database.run_read(_state, project_key)) is not None:
        if state != seen:
            seen, since = state, time.monotonic()
        elif time.monotonic() - since > _STALLED_SECONDS:
            return
        await asyncio.sleep(0.1)


def _state(tx: Connection, project_key: int) -> tuple[str, int] | None:
    placer = tx.execute(select(_projects.placer).where(_projects.key == project_key)).scalar()
    if not placer:
        return None
    last = select(func.max(_items.position)).where(_items.project_key == project_key)
    return placer, tx.execute(last).scalar() or 0


def _begin(tx: Connection, plan: Plan, placer: str) -> None:
    _locked(tx, plan.project_key, plan.base)
    _set_placer(tx, plan.project_key, placer)


def _remove_left(tx: Connection, plan: Plan, placer: str) -> bool:
    """Removes some of what an upload that died has placed; returns whether there was any."""
    _check(tx, plan.project_key, placer, plan.base)
    left = (_items.project_key == plan.project_key) & (_items.position >= plan.base)
    last = tx.execute(select(func.max(_items.position)).where(left)).scalar()
    if last is None:
        return False
    tx.execute(delete(schema.items).where(left, _items.position > last - _LEAST_ROWS * 4))
    return True


def _insert(tx: Connection, plan: Plan, placer: str, start: int, stop: int) -> float:
    """Returns the seconds that it took, without those that others kept the writer."""
    begun = time.monotonic()
    _check(tx, plan.project_key, placer, plan.base)
    rows = enumerate(plan.new[start:stop], plan.base + start)
    insert_rows(tx, schema.items, ((plan.project_key, at, one) for at, one in rows))
    return time.monotonic() - begun


def _put_positions(
    tx: Connection, plan: Plan, placer: str, upload_key: int, row_offset: int, positions: NDArray[np.int64]
) -> None:
    _check(tx, plan.project_key, placer, plan.base)
    put_positions(tx, upload_key, row_offset, positions)


def _check(tx: Connection, project_key: int, placer: str, base: int) -> None:
    if _locked(tx, project_key, base) != placer:
        raise PlacingLostError


def _locked(tx: Connection, project_key: int, base: int) -> str:
    """Who places items in a project, which nobody changes before the transaction ends."""
    query = select(_projects.placer, _projects.item_count).where(
        _projects.key == project_key, _projects.trash.is_(False)
    )
    row = tx.execute(projects.locked(tx, query)).first()
    if row is None:
        raise ServiceError(Reason.UPLOAD_NOT_FOUND, "the upload is gone: its project was deleted")
    if row.item_count != base:
        raise PlacingLostError
    return str(row.placer)


def _set_placer(tx: Connection, project_key: int, placer: str) -> None:
    tx.execute(update(schema.projects).where(_projects.key == project_key).values(placer=placer))
