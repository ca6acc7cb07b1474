"""Items that are placed ahead of the finish of an upload, and what is deleted bit by bit, while others write."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from weaklabel.votes.symbols import Symbols
from weaklabel_server.errors import ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import items, placing, projects, schema, sources, trash, vote_uploads, votes
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database
from weaklabel_server.store.vote_uploads import VoteUpload

COUNT = 12_000
PLAIN = Symbols.empty(2)
MAX_CELLS = 10**9


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> AsyncIterator[Database]:
    opened = Database(database_urls(request.param))
    with opened.write() as tx:
        projects.create(tx, "p", ["a", "b"])
    yield opened
    await asyncio.to_thread(opened.close)


def put(database: Database, ids: list[str], source: str = "s") -> VoteUpload:
    """An upload of which only the finish is missing; item "item N" is voted N % 2."""
    with database.write() as tx:
        _, upload = vote_uploads.open_upload(tx, "p", str(uuid.uuid4()), (source,), b"")
        for start in range(0, len(ids), 5_000):
            part = ids[start : start + 5_000]
            codes = np.array([[int(one.split()[1]) % 2] for one in part], np.int8)
            vote_uploads.append(tx, upload, start, pack_dense(codes, part, PLAIN))
    return upload


def named(numbers: Any) -> list[str]:
    return [f"item {number}" for number in numbers]


def state(database: Database) -> tuple[list[str], Any]:
    """Ids and votes as everybody sees them."""
    with database.read() as tx:
        project = projects.get(tx, "p")
        view = votes.view(tx, "p", 0)
        return items.ids(tx, project, 0, project.item_count), votes.read_rows(tx, view, 0, view.item_count)[0]


async def test_many_new_items_are_seen_all_at_once(database: Database) -> None:
    few, many = named(range(10)), named(np.random.default_rng(0).permutation(COUNT))
    await vote_uploads.finish_in_turn(database, put(database, few), 10, max_cells=MAX_CELLS)
    upload = put(database, many, "t")
    seen: set[int] = set()

    async def look() -> None:
        while True:
            with database.read() as tx:
                seen.add(projects.get(tx, "p").item_count)
                assert items.positions(tx, projects.get(tx, "p"), named(range(10, 20))).keys() <= set(
                    named(range(COUNT))
                )
            await asyncio.sleep(0.005)

    looking = asyncio.create_task(look())
    version = await vote_uploads.finish_in_turn(database, upload, COUNT, max_cells=MAX_CELLS)
    looking.cancel()
    assert version == 2
    assert seen <= {10, COUNT}
    ids, codes = state(database)
    assert ids == few + [one for one in many if one not in set(few)]
    np.testing.assert_array_equal(codes[:, 1], [int(one.split()[1]) % 2 for one in ids])
    with database.read() as tx:
        assert tx.execute(select(func.count()).where(schema.chunks.c.item_ids.is_not(None))).scalar() == 0
        assert tx.execute(select(schema.projects.c.placer)).scalar() == ""


async def test_what_a_killed_server_placed_is_not_seen_and_removed(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr(placing, "_STALLED_SECONDS", 0.2)
    upload = put(database, named(range(COUNT)))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(placing, "_put_positions", killed)
        with pytest.raises(KeyboardInterrupt):
            await vote_uploads.finish_in_turn(database, upload, COUNT, max_cells=MAX_CELLS)
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(schema.items)).scalar() == COUNT
        project = projects.get(tx, "p")
        assert (project.item_count, project.votes_version) == (0, 0)
        assert items.positions(tx, project, named(range(5))) == {}
    # Another upload, of other items, comes first.
    other = named(range(COUNT - 1, -1, -1))
    assert await vote_uploads.finish_in_turn(database, put(database, other, "t"), COUNT, max_cells=MAX_CELLS) == 1
    assert await vote_uploads.finish_in_turn(database, upload, COUNT, max_cells=MAX_CELLS) == 2
    ids, codes = state(database)
    assert ids == other
    np.testing.assert_array_equal(codes, [[int(one.split()[1]) % 2] * 2 for one in ids])


async def test_uploads_that_finish_at_the_same_time(database: Database) -> None:
    uploads = [put(database, named(range(one * 3_000, one * 3_000 + 6_000)), f"s{one}") for one in range(3)]
    small = put(database, named([1, 50_000]), "small")
    finishing = [vote_uploads.finish_in_turn(database, one, 6_000, max_cells=MAX_CELLS) for one in uploads]
    finishing.append(vote_uploads.finish_in_turn(database, small, 2, max_cells=MAX_CELLS))
    assert sorted(await asyncio.gather(*finishing)) == [1, 2, 3, 4]
    ids, codes = state(database)
    assert sorted(ids) == sorted(named([*range(12_000), 50_000]))
    with database.read() as tx:
        names = votes.view(tx, "p", 0).source_names
    for column, name in enumerate(names):
        given = {"small": {1, 50_000}}.get(name)
        if given is None:
            begin = int(name[1:]) * 3_000
            given = set(range(begin, begin + 6_000))
        numbers = np.array([int(one.split()[1]) for one in ids])
        np.testing.assert_array_equal(codes[:, column], np.where(np.isin(numbers, list(given)), numbers % 2, -1))


async def test_an_id_twice_is_refused(database: Database) -> None:
    upload = put(database, named([*range(COUNT), 7]))
    with pytest.raises(ServiceError, match=rf'"item 7" is in rows 7 and {COUNT} of the upload'):
        await vote_uploads.finish_in_turn(database, upload, COUNT + 1, max_cells=MAX_CELLS)


async def test_what_is_deleted_is_gone_at_once_and_from_the_disk_bit_by_bit(database: Database) -> None:
    await vote_uploads.finish_in_turn(database, put(database, named(range(COUNT))), COUNT, max_cells=MAX_CELLS)
    upload = put(database, named(range(5)), "t")
    with database.write() as tx:
        sources.remove(tx, projects.get(tx, "p"), "s")
        projects.remove(tx, "p")
        projects.create(tx, "p", ["x", "y"])
    with pytest.raises(ServiceError, match="the upload is gone"):
        await vote_uploads.finish_in_turn(database, upload, 5, max_cells=MAX_CELLS)
    with database.read() as tx:
        assert projects.get(tx, "p").item_count == 0
        assert [one.project_id for one in projects.list_page(tx, Page("", 10, None))] == ["p"]
        assert tx.execute(select(func.count()).select_from(schema.items)).scalar() == COUNT
    assert await trash.empty(database) == 1
    with database.read() as tx:
        for table in (schema.items, schema.chunks, schema.uploads, schema.sources, schema.versions):
            assert tx.execute(select(func.count()).select_from(table)).scalar() == 0, table.name
        assert projects.get(tx, "p").classes == ("x", "y")


async def test_others_write_while_items_are_placed_and_deleted(database: Database) -> None:
    """Not how fast, which depends on the machine: that writes come in between, many times."""
    upload = put(database, named(range(COUNT)))
    count = 0

    async def write() -> None:
        nonlocal count
        while True:
            await database.run_write(projects.create, f"q{time.monotonic_ns()}", ["a", "b"])
            count += 1

    writing = asyncio.create_task(write())
    await vote_uploads.finish_in_turn(database, upload, COUNT, max_cells=MAX_CELLS)
    during_finish, count = count, 0
    await database.run_write(projects.remove, "p")
    await trash.empty(database)
    writing.cancel()
    assert min(during_finish, count) >= 3
