"""Votes of a run of prompts: written in short transactions, and shown at once."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, func, select

from weaklabel.votes.symbols import Symbols
from weaklabel_server.errors import ServiceError
from weaklabel_server.store import items, operations, projects, prompt_votes, prompts, schema, vote_uploads, votes
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.operations import Operation, PromptSettings
from weaklabel_server.store.prompts import Answered

PLAIN = Symbols.empty(2)
COUNT = 6_000  # more than are placed in one transaction


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> Iterator[Database]:
    opened = Database(database_urls(request.param))
    yield opened
    opened.close()


def begun(database: Database) -> Operation:
    with database.write() as tx:
        project = projects.create(tx, "p", ["a", "b"])
        return prompts.create(tx, project, PromptSettings(side_data_id="side", prompts=()))


def upload(database: Database, source: str, ids: list[str], codes: list[int]) -> None:
    with database.write() as tx:
        _, one = vote_uploads.open_upload(tx, "p", str(uuid.uuid4()), (source,), b"")
        vote_uploads.append(tx, one, 0, pack_dense(np.array(codes, np.int8)[:, None], ids, PLAIN))
        vote_uploads.finish(tx, one, len(ids), max_cells=10**9)


def answers(ids: list[str], codes: list[int], missing: list[bool]) -> Answered:
    return Answered(
        source_names=("asks",),
        codes=np.array(codes, np.int8)[:, None],
        symbols=PLAIN,
        missing=np.array(missing)[:, None],
        item_ids=ids,
        budget_reached=False,
        summaries=[],
        failures=[],
    )


def seen(database: Database) -> dict[str, dict[str, int]]:
    """Votes that do not abstain, by source and item."""
    with database.read() as tx:
        view = votes.view(tx, "p", 0)
        ids = items.ids(tx, view.project, 0, view.item_count)
        codes, _ = votes.read_rows(tx, view, 0, view.item_count)
    return {
        name: {one: int(code) for one, code in zip(ids, codes[:, column], strict=True) if code >= 0}
        for column, name in enumerate(view.source_names)
    }


def succeeding(database: Database) -> Callable[[prompt_votes.Keep], bool]:
    def succeed(keep: prompt_votes.Keep) -> bool:
        database.transact(keep)
        return True

    return succeed


def test_no_transaction_writes_more_than_a_slice(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of votes and of items that one transaction writes; the whole was 6,000 of each in one."""
    monkeypatch.setattr(prompt_votes, "CHUNK_ROWS", 1_000)
    operation, ids = begun(database), [f"item {number}" for number in range(COUNT)]
    expected = {one: at % 2 for at, one in enumerate(ids)}
    written: list[tuple[int, int]] = []
    write = database.write

    def size(tx: Connection) -> tuple[int, int]:
        rows = select(func.coalesce(func.sum(schema.chunks.c.rows), 0))
        return tx.execute(rows).scalar_one(), tx.execute(select(func.count()).select_from(schema.items)).scalar_one()

    @contextmanager
    def watched() -> Iterator[Connection]:
        with write() as tx:
            before = size(tx)
            yield tx
            after = size(tx)
            written.append((int(after[0] - before[0]), int(after[1] - before[1])))

    monkeypatch.setattr(database, "write", watched)
    answered = answers(ids, list(expected.values()), [False] * COUNT)
    assert prompt_votes.store_in_turn(database, operation, answered, succeeding(database), max_cells=10**9)
    assert max(rows for rows, _ in written) == 1_000
    assert 0 < max(count for _, count in written) <= 4_000  # by their time: see placing
    assert sum(count for _, count in written) == COUNT
    assert seen(database) == {"asks": expected}


def test_cells_that_were_not_asked_keep_the_newest_vote(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another upload comes between the slices and the end: its votes must not be replaced by those before."""
    monkeypatch.setattr(prompt_votes, "CHUNK_ROWS", 2)
    operation, ids = begun(database), ["x", "y", "z"]
    upload(database, "asks", ids, [0, 0, 0])
    comes, ended = [True], succeeding(database)

    def succeed(keep: prompt_votes.Keep) -> bool:
        if comes.pop() if comes else False:
            upload(database, "asks", ["y"], [1])
        return ended(keep)

    answered = answers(ids, [1, -1, -1], [False, True, True])
    assert prompt_votes.store_in_turn(database, operation, answered, succeed, max_cells=10**9)
    assert seen(database) == {"asks": {"x": 1, "y": 1, "z": 0}}


@pytest.mark.parametrize("fault", ["cancelled", "refused"])
def test_what_does_not_end_leaves_no_upload(database: Database, fault: str) -> None:
    operation = begun(database)

    def succeed(_: Any) -> bool:
        if fault == "refused":
            raise operations.NotOwnedError("gone")
        return False

    answered = answers(["x"], [1], [False])
    if fault == "refused":
        with pytest.raises(operations.NotOwnedError):
            prompt_votes.store_in_turn(database, operation, answered, succeed, max_cells=10**9)
    else:
        assert not prompt_votes.store_in_turn(database, operation, answered, succeed, max_cells=10**9)
    with database.read() as tx:
        project = projects.get(tx, "p")
        left = select(func.count()).select_from(schema.uploads).filter_by(project_key=project.key)
        assert tx.execute(left).scalar() == 0
        assert project.votes_version == 0


def test_a_limit_is_said(tmp_path: Any) -> None:
    database = Database(sqlite_url(tmp_path))
    operation = begun(database)
    with pytest.raises(ServiceError, match="more than the 2 cells"):
        prompt_votes.store_in_turn(
            database, operation, answers(["x", "y", "z"], [1, 1, 1], [False] * 3), succeeding(database), max_cells=2
        )
    database.close()
