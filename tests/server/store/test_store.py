"""The store on a real SQLite file and a real PostgreSQL, held against a small oracle written in numpy alone."""

import asyncio
import os
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import create_engine, text

from weaklabel.votes import Votes
from weaklabel.votes.symbols import Symbols
from weaklabel_server.errors import ServiceError
from weaklabel_server.store import items, models, operations, projects, schema, sources, vote_uploads, votes
from weaklabel_server.store.access import quotas
from weaklabel_server.store.chunks import pack_dense, pack_sparse, unpack_dense
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.side_data import SideSettings

MAX_CELLS = 10**9
NAMES = ["a", "b", "c", "d"]
PLAIN = Symbols.empty(2)
WIDE, _ = Symbols.of(
    np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], np.float32)
)
EXAMPLES = int(os.environ.get("WEAKLABEL_STORE_EXAMPLES", "15"))
"""Of random histories, each with a database of its own projects."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> Any:
    opened = Database(database_urls(request.param))
    yield opened
    opened.close()


@pytest.mark.parametrize("highest", [-2, -1, 0, 1, 3, 13, 14, 126, 300, 40_000])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (257, 4)])
def test_codes_are_packed_and_unpacked(highest: int, shape: tuple[int, int]) -> None:
    dtype = np.int8 if highest < 127 else np.int16 if highest < 2**15 else np.int32
    codes: NDArray[Any] = np.random.default_rng(0).integers(-2, highest, shape, endpoint=True).astype(dtype)
    for matrix in (codes, np.repeat(codes[:1], len(codes), axis=0)):  # those that zlib makes smaller, too
        packed = pack_dense(matrix, None, PLAIN)
        found = unpack_dense(packed.votes, packed.dtype, *shape)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, matrix)
        for start, stop in ((0, 1), (1, 3), (40, 200), (shape[0] - 1, shape[0])):
            some = unpack_dense(packed.votes, packed.dtype, *shape, slice(start, stop))
            np.testing.assert_array_equal(some, matrix[start:stop])


def test_migrations_make_the_schema(database: Database) -> None:
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), schema.metadata) == []


def test_sqlite_is_set_to_keep_what_it_acknowledges(database: Database) -> None:
    if database.shared:
        pytest.skip("of SQLite")
    with database.read() as tx:
        pragmas = [tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]
        assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def create_twice() -> None:
        with database.write() as tx:
            projects.create(tx, "half", ["a", "b"])
            projects.create(tx, "half", ["a", "b"])

    with pytest.raises(ServiceError, match="exists already"):
        create_twice()
    with pytest.raises(ServiceError, match="there is no project"), database.read() as tx:
        projects.get(tx, "half")


def put(
    database: Database, project_id: str, names: list[str], codes: Any, ids: list[str] | None, *, as_sparse: bool
) -> None:
    """One upload, in chunks of 3 rows."""
    with database.write() as tx:
        _, upload = vote_uploads.open_upload(tx, project_id, str(uuid.uuid4()), tuple(names), b"")
    for start in range(0, len(codes), 3):
        symbols, part = WIDE.only(codes[start : start + 3])  # a codebook of its own, with codes of its own
        part_ids = ids[start : start + 3] if ids is not None else None
        if as_sparse:
            row, column = np.nonzero(part != -1)
            triples = np.stack([row, column, part[row, column]], axis=1).astype(np.int32)
            # Said twice: the later counts.
            twice = np.concatenate([triples * [1, 1, 0], triples]).astype(np.int32)
            chunk = pack_sparse(twice, len(part), part_ids, symbols)
        else:
            chunk = pack_dense(part, part_ids, symbols)
        with database.write() as tx:
            vote_uploads.append(tx, upload, start, chunk)
    with database.write() as tx:
        vote_uploads.finish(tx, upload, len(codes), max_cells=MAX_CELLS)


@st.composite
def histories(draw: st.DrawFn) -> tuple[bool, list[Any]]:
    """Whether items have names, and a list of steps: a source's name to delete it, or an upload."""
    named = draw(st.booleans())
    highest = draw(st.sampled_from([2, 2 + len(WIDE)]))
    steps: list[Any] = []
    for _ in range(draw(st.integers(1, 5))):
        if steps and draw(st.integers(0, 3)) == 0:
            steps.append(draw(st.sampled_from(NAMES)))
            continue
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        positions = draw(st.lists(st.integers(0, 9), min_size=1, unique=True))
        rows = positions if named else list(range(len(positions)))
        cells = draw(
            st.lists(st.integers(-2, highest), min_size=len(rows) * len(names), max_size=len(rows) * len(names))
        )
        steps.append((names, rows, np.array(cells, np.int8).reshape(len(rows), len(names)), draw(st.booleans())))
    return named, steps


class Oracle:
    """The votes as a dictionary of cells."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.sources: list[str] = []
        self.cells: dict[tuple[int, str], int] = {}

    def upload(self, names: list[str], rows: list[int], codes: Any) -> None:
        self.items += [row for row in rows if row not in self.items]
        self.sources += [name for name in names if name not in self.sources]
        for at, row in enumerate(rows):
            for column, name in enumerate(names):
                self.cells[row, name] = int(codes[at, column])

    def delete(self, name: str) -> None:
        self.sources.remove(name)
        self.cells = {key: code for key, code in self.cells.items() if key[1] != name}

    def matrix(self) -> Any:
        dense = [[self.cells.get((item, name), -1) for name in self.sources] for item in self.items]
        return np.array(dense, np.int8).reshape(len(self.items), len(self.sources))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_every_version_is_what_its_uploads_say(database: Database, history: tuple[bool, list[Any]]) -> None:
    named, steps = history
    project_id = uuid.uuid4().hex
    with database.write() as tx:
        projects.create(tx, project_id, ["x", "y", "z"])
    oracle, versions = Oracle(), []
    for step in steps:
        if isinstance(step, str):
            if step not in oracle.sources:
                continue
            oracle.delete(step)
            with database.write() as tx:
                sources.remove(tx, projects.get(tx, project_id), step)
        else:
            names, rows, codes, as_sparse = step
            # A source that begins anew stands at the end; the oracle lists new names in the order of the upload.
            oracle.upload(names, rows, codes)
            ids = [f"item {row}" for row in rows] if named else None
            put(database, project_id, names, codes, ids, as_sparse=as_sparse)
        versions.append((list(oracle.sources), list(oracle.items), oracle.matrix()))

    with database.read() as tx:
        for version, (names, rows, expected) in enumerate(versions, start=1):
            view = votes.view(tx, project_id, version)
            assert list(view.source_names) == names
            assert view.item_count == len(rows)
            whole = Votes.from_codes(expected, 3, symbols=WIDE, sources=names)
            middle = view.item_count // 2
            for start in (0, middle):
                codes, symbols = votes.read_rows(tx, view, start, view.item_count)
                read = Votes.from_codes(codes, 3, symbols=symbols, sources=names)
                assert read == whole.select_items(np.arange(start, view.item_count))
            if expected.max(initial=-1) < 3:
                np.testing.assert_array_equal(votes.read_rows(tx, view, 0, view.item_count)[0], expected)
            sparse = votes.read_sparse(tx, view)
            assert sparse == Votes.from_codes(np.maximum(expected, -1), 3, symbols=WIDE, sources=names)
            assert (sparse.n_votes, sparse.source_names) == (int((expected >= 0).sum()), tuple(names))
        if named:
            project = projects.get(tx, project_id)
            assert items.ids(tx, project, 0, project.item_count) == [f"item {row}" for row in versions[-1][1]]


def test_sparse_votes_are_read_sparse(database: Database) -> None:
    """15,000 annotators x 15,000 items with two votes an item: dense they would take 225 MB."""
    count = 15_000
    rng = np.random.default_rng(0)
    with database.write() as tx:
        projects.create(tx, "crowd", ["x", "y"])
    names = [f"annotator {index}" for index in range(count)]
    row = np.repeat(np.arange(count), 2)
    triples = np.stack([row, rng.integers(0, count, 2 * count), rng.integers(0, 2, 2 * count)], axis=1).astype(np.int32)
    with database.write() as tx:
        _, upload = vote_uploads.open_upload(tx, "crowd", str(uuid.uuid4()), tuple(names), b"")
        vote_uploads.append(tx, upload, 0, pack_sparse(triples, count, None, PLAIN))
        vote_uploads.finish(tx, upload, count, max_cells=MAX_CELLS)
    with database.read() as tx:
        read = votes.read(tx, votes.view(tx, "crowd", 0))
    assert read.is_sparse
    assert read.shape == (count, count)
    expected = {(int(item), int(source)): int(label) for item, source, label in triples}
    got = {(int(item), int(source)): int(label) for item, source, label in zip(*read.triples(), strict=True)}
    assert got == expected


def test_a_project_too_large(database: Database) -> None:
    with database.write() as tx:
        projects.create(tx, "large", ["x", "y"])
        _, upload = vote_uploads.open_upload(tx, "large", str(uuid.uuid4()), ("a", "b"), b"")
        vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((6, 2), np.int8), None, PLAIN))
    with pytest.raises(ServiceError, match="more than the 11 cells"), database.write() as tx:
        vote_uploads.finish(tx, upload, 6, max_cells=11)
    with database.read() as tx:
        assert projects.get(tx, "large").votes_version == 0
    with database.write() as tx:
        assert vote_uploads.finish(tx, upload, 6, max_cells=12) == 1


def test_chunks_written_together_are_all_kept_or_none(database: Database) -> None:
    codes = np.arange(18).reshape(9, 2).astype(np.int8) % 3 - 1
    parts = [pack_dense(codes[start : start + 3], None, PLAIN) for start in (0, 3, 6)]
    named = pack_dense(codes[:3], ["a", "b", "c"], PLAIN)
    with database.write() as tx:
        projects.create(tx, "together", ["x", "y"])
        _, upload = vote_uploads.open_upload(tx, "together", str(uuid.uuid4()), ("a", "b"), b"")
        assert vote_uploads.append(tx, upload, 0, parts[0]) == [3]
    with pytest.raises(ServiceError, match="numbers its items by position"), database.write() as tx:
        vote_uploads.append(tx, upload, 3, parts[1], named)
    with pytest.raises(ServiceError, match="the next chunk begins with row 3, not 4"), database.write() as tx:
        vote_uploads.append(tx, upload, 4, parts[1], parts[2])
    with database.write() as tx:
        assert vote_uploads.append(tx, upload, 0, *parts) == [3, 6, 9]  # the first for the second time
        assert vote_uploads.append(tx, upload, 0, *parts[:2]) == [9, 9]
        vote_uploads.finish(tx, upload, 9, max_cells=MAX_CELLS)
        project = projects.get(tx, "together")
        stored = sum(len(part.votes) for part in parts)
        assert quotas.stored_bytes(tx, project.key) == stored
        assert np.array_equal(votes.read_rows(tx, votes.view(tx, "together", 0), 0, 9)[0], codes)


def test_abandoned_uploads_are_forgotten(database: Database) -> None:
    with database.write() as tx:
        projects.create(tx, "abandoned", ["x", "y"])
        upload_id = str(uuid.uuid4())
        _, upload = vote_uploads.open_upload(tx, "abandoned", upload_id, ("a",), b"")
        vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((6, 1), np.int8), None, PLAIN))
        vote_uploads.remove_abandoned(tx, before=0)
        _, kept = vote_uploads.open_upload(tx, "abandoned", upload_id, ("a",), b"")
        vote_uploads.remove_abandoned(tx, before=2**62)
        _, fresh = vote_uploads.open_upload(tx, "abandoned", upload_id, ("a",), b"")
    assert (kept.committed_rows, fresh.committed_rows) == (6, 0)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    opened = Database(sqlite_url(tmp_path))
    with opened.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    opened.close()
    with pytest.raises(CommandError, match="9999"):
        Database(sqlite_url(tmp_path))


def test_a_database_of_the_first_version_is_taken_on(tmp_path: Path) -> None:
    """Votes, models and operations of before there were codebooks and side data stay as they were."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with create_engine(sqlite_url(tmp_path)).begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0001")
        votes_blob = zlib.compress(np.array([[0, -1], [1, 1]], np.int8).T.tobytes())
        first: dict[str, dict[str, Any]] = {
            "projects": {
                "key": 1,
                "project_id": "old",
                "classes": '["x", "y"]',
                "item_count": 2,
                "votes_version": 1,
                "create_time": 0,
            },
            "versions": {"project_key": 1, "version": 1, "item_count": 2, "create_time": 0},
            "sources": {
                **dict.fromkeys(("first_version", "last_version", "project_key"), 1),
                **dict.fromkeys(("deleted_version", "create_time"), 0),
            },
            "uploads": {
                "key": 1,
                "project_key": 1,
                "upload_id": "u",
                "source_names": '["a", "b"]',
                "content_digest": b"",
                "writer": "",
                "committed_rows": 2,
                "version": 1,
                "source_keys": "[1, 2]",
                "update_time": 0,
            },
            "chunks": {
                "upload_key": 1,
                "row_offset": 0,
                "rows": 2,
                "vote_count": 3,
                "sparse": False,
                "dtype": "int8",
                "first_position": 0,
                "last_position": 1,
                "votes": votes_blob,
            },
            "operations": {
                "project_key": 1,
                "operation_id": "o",
                "votes_version": 1,
                "options": '{"seed": "7", "max_iterations": 0}',
                "stage": "queued",
                **dict.fromkeys(("iteration", "max_iterations", "starts", "create_time"), 0),
                **dict.fromkeys(("objective", "change"), 0.0),
                **dict.fromkeys(("cancel_requested", "done"), False),
            },
            "models": {
                "project_key": 1,
                "model_id": "m",
                "votes_version": 1,
                "item_count": 2,
                "summary": '{"iteration_count": 3, "converged": true, "objective": [1.0], "class_balance": [0.5, 0.5], '
                '"sources": [], "warnings": [], "risk": 0.1}',
                "create_time": 0,
                "content": b"",
            },
        }
        for table, values in first.items():
            rows = [values | {"key": key, "display_name": name} for key, name in ((1, "a"), (2, "b"))]
            for row in rows if table == "sources" else [values]:
                marks = ", ".join(f":{name}" for name in row)
                tx.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"), row)
    database = Database(sqlite_url(tmp_path))
    with database.read() as tx:
        view = votes.view(tx, "old", 0)
        assert votes.read(tx, view) == Votes.from_dense([[0, -1], [1, 1]], 2, sources=["a", "b"])
        (operation,) = operations.list_unfinished(tx)
        assert operation.settings == FitSettings(seed=7)
        summary = models.get(tx, view.project, "m").summary
        assert (summary.risk, summary.doubt, summary.group_balance, summary.side) == (0.1, None, {}, SideSettings())
    database.close()


async def test_parts_of_streams_are_read_a_few_at_a_time(database: Database) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def read(_: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    await asyncio.gather(*(database.run_stream_read(read) for _ in range(8)))
    assert most <= max(1, (os.cpu_count() or 1) // 2)
