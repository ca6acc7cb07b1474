"""What a token may do in a second, and what a project may hold."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from typer.testing import CliRunner

from weaklabel.cli.main import app
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.v1 import models_pb2, projects_pb2, side_data_pb2
from weaklabel_server.access.rates import BURST_SECONDS, Bucket, Rates
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import projects, side_data, vote_uploads
from weaklabel_server.store.access import quotas
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database, sqlite_url

GET = "/weaklabel.v1.ProjectService/ListProjects"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_rate_and_a_burst() -> None:
    clock = Clock()
    bucket = Bucket(10.0, clock)
    given = 0
    for _ in range(10_000):  # 10 s
        clock.now += 0.001
        if not bucket.wait():
            bucket.take(1)
            given += 1
    assert given == pytest.approx(10.0 * (10 + BURST_SECONDS), abs=2)


def test_what_is_owed_is_paid_first() -> None:
    clock = Clock()
    bucket = Bucket(10.0, clock)
    bucket.take(120)  # 20 were there
    assert bucket.wait() == pytest.approx(10.0, abs=0.01)
    clock.now = 9.9
    assert bucket.wait() > 0
    clock.now = 10.1
    assert bucket.wait() == 0


async def test_streams_are_slowed_and_calls_refused() -> None:
    rates = Rates(1e9, 1000.0)
    rates.admit(2100)  # the burst is 2000
    with pytest.raises(ServiceError) as caught:
        rates.admit(1)
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    assert caught.value.metadata == {"quota": "bytes_per_second", "limit": "1000"}
    assert caught.value.retry_seconds == pytest.approx(0.1, abs=0.05)
    begin = asyncio.get_running_loop().time()
    await rates.pace(1)
    assert 0.05 < asyncio.get_running_loop().time() - begin < 2


def test_a_token_with_a_limit_of_its_own(secured: Any) -> None:
    slow, other = secured.token("read:*", calls_per_second=5.0), secured.token("read:*")
    request = projects_pb2.ListProjectsRequest().SerializeToString()
    answers = [secured.call(GET, slow, request) for _ in range(30)]
    refused = [answer for answer in answers if answer.code != "OK"]
    assert 10 <= len(answers) - len(refused) < 25
    assert {(one.code, one.reason) for one in refused} == {("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")}
    assert refused[0].metadata == {"quota": "calls_per_second", "limit": "5"}
    assert secured.call(GET, other, request).code == "OK"


@pytest.fixture(scope="module")
def small(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    environment = {
        "WEAKLABEL_MAX_PROJECT_ROWS": "100",
        "WEAKLABEL_MAX_PROJECT_SOURCES": "3",
        "WEAKLABEL_MAX_PROJECT_CLASSES": "4",
        "WEAKLABEL_MAX_PROJECT_BYTES": "20000",
    }
    with serving(tmp_path_factory.mktemp("small"), environment) as server:
        yield server


def _failure(harness: Any, call: Any) -> tuple[Any, str, dict[str, str]]:
    failure = harness.failure_of(call)
    assert failure.info.reason == "QUOTA_EXCEEDED"
    metadata = dict(failure.info.metadata)
    metadata.pop("project", None)
    return failure.code, failure.message, metadata


def test_classes_rows_and_sources(small: Any, harness: Any) -> None:
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    small.create_project([f"{index}" for index in range(4)])
    code, _, metadata = _failure(harness, lambda: small.create_project([f"{index}" for index in range(5)]))
    assert (code, metadata) == (exhausted, {"quota": "classes", "limit": "4"})

    parent = small.create_project()
    small.upload(parent, np.zeros((100, 2), np.int8))
    code, _, metadata = _failure(harness, lambda: small.upload(parent, np.zeros((101, 2), np.int8)))
    assert (code, metadata) == (exhausted, {"quota": "rows", "limit": "100"})
    named = small.create_project()

    def upload(first: int) -> Any:
        items = [f"{index}" for index in range(first, first + 60)]
        return small.upload(named, np.zeros((60, 2), np.int8), items=items)

    upload(0)
    upload(0)
    # No upload is too large, but both together are.
    assert _failure(harness, lambda: upload(50))[2] == {"quota": "rows", "limit": "100"}
    assert len(small.read_votes(named)) == 60

    _, _, metadata = _failure(harness, lambda: small.upload(parent, np.zeros((5, 4), np.int8)))
    assert metadata == {"quota": "sources", "limit": "3"}
    more = np.zeros((5, 2), np.int8)
    _, _, metadata = _failure(harness, lambda: small.upload(parent, more, sources=["other", "others"]))
    assert metadata == {"quota": "sources", "limit": "3"}


def test_bytes_and_a_limit_of_its_own(small: Any, harness: Any) -> None:
    parent = small.create_project()
    small.upload(parent, np.zeros((10, 2), np.int8))
    rng = np.random.default_rng(0)
    noise = side_data_pb2.SideRows(features=harness.tensor(rng.random((100, 60)), "<f4"))  # 24,000 bytes

    def upload() -> Any:
        return small.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_FEATURES, (100, noise))

    code, message, metadata = _failure(harness, upload)
    assert (code, metadata) == (grpc.StatusCode.RESOURCE_EXHAUSTED, {"quota": "bytes", "limit": "20000"})
    assert "weaklabel admin quotas set" in message
    command, project = ["admin", "quotas"], parent.removeprefix("projects/")
    data_dir = ["--data-dir", str(small.process.data_dir)]
    assert CliRunner().invoke(app, [*command, "set", project, "--max-bytes", "60000", *data_dir]).exit_code == 0
    assert f'"project_id": "{project}"' in CliRunner().invoke(app, [*command, "list", *data_dir]).stdout
    assert upload()[-1].finished
    assert CliRunner().invoke(app, [*command, "remove", project, *data_dir]).exit_code == 0
    fit = models_pb2.FitModelRequest(parent=parent)
    assert _failure(harness, lambda: small.models.FitModel(fit))[2] == {"quota": "bytes", "limit": "20000"}


def test_bytes_are_counted_both_ways(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))

    def stored() -> int:
        """What the tables say, by SQL of its own."""
        with database.read() as tx:
            return int(
                tx.exec_driver_sql(
                    "SELECT COALESCE((SELECT SUM(LENGTH(votes) + COALESCE(LENGTH(item_ids), 0)) FROM chunks"
                    "   JOIN uploads ON uploads.key = upload_key JOIN projects ON projects.key = project_key"
                    "   WHERE NOT trash), 0)"
                    " + COALESCE((SELECT SUM(LENGTH(content)) FROM side_chunks"
                    "   JOIN side_uploads ON side_uploads.key = side_upload_key"
                    "   JOIN projects ON projects.key = project_key"
                    "   WHERE NOT trash), 0)"
                ).scalar_one()
            )

    try:
        with database.write() as tx:
            project, plain = projects.create(tx, "p", ["x", "y"]), Symbols.empty(2)
            _, upload = vote_uploads.open_upload(tx, "p", "u", ("a", "b"), b"")
            vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((9, 2), np.int8), [f"{i}" for i in range(9)], plain))
            _, side = side_data.open_upload(tx, "p", "s", side_data.SideKind.GOLD, b"")
            side_data.append(tx, side, side_data.SideChunk(0, 3, None, b"x" * 300), 1, max_bytes=10**6)
            side_data.finish(tx, side, 3)
        with database.read() as tx:
            assert quotas.stored_bytes(tx, project.key) == stored() > 20
        with database.write() as tx:
            side_data.remove(tx, project, "s")
        with database.read() as tx:
            assert quotas.stored_bytes(tx, project.key) == stored()
        with database.write() as tx:
            vote_uploads.remove_abandoned(tx, 2**62)
        with database.read() as tx:
            assert quotas.stored_bytes(tx, project.key) == stored() == 0
    finally:
        database.close()


ALL_BYTES = """
SELECT SUM(n) FROM (
  SELECT LENGTH(votes) AS n FROM chunks JOIN uploads ON uploads.key = upload_key WHERE project_key = :project
  UNION ALL SELECT LENGTH(content) FROM models WHERE project_key = :project
  UNION ALL SELECT LENGTH(probabilities) + LENGTH(labels) FROM soft_labels JOIN models ON models.key = model_key
    WHERE project_key = :project)
"""


def test_models_are_counted(server: Any, simulated: Any) -> None:
    parent = server.create_project()
    server.upload(parent, simulated(items=50)[0])
    first = server.fit(parent).model
    server.fit(parent)
    with closing(sqlite3.connect(server.process.data_dir / "weaklabel.db")) as database:
        find = "SELECT key FROM projects WHERE project_id = ?"
        project = database.execute(find, [parent.removeprefix("projects/")]).fetchone()[0]

        def counted() -> tuple[int, int]:
            (kept,) = database.execute("SELECT stored_bytes FROM usages WHERE project_key = ?", [project]).fetchone()
            return kept, database.execute(ALL_BYTES, {"project": project}).fetchone()[0]

        before = counted()
        assert before[0] == before[1]
        server.models.DeleteModel(models_pb2.DeleteModelRequest(name=first))
        after = counted()
        assert after[0] == after[1] < before[1]


def test_a_database_of_before_is_counted(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    with database.write() as tx:
        project = projects.create(tx, "p", ["x", "y"])
        _, upload = vote_uploads.open_upload(tx, "p", "u", ("a", "b"), b"")
        vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((9, 2), np.int8), None, Symbols.empty(2)))
        before = quotas.stored_bytes(tx, project.key)
    database.close()
    with closing(sqlite3.connect(tmp_path / "weaklabel.db")) as older, older:
        records = ("label_chunks", "record_chunks", "record_uploads")
        for table in ("tokens", "audit", "quotas", "usages", "store", "replicas", *records):
            older.execute(f"DROP TABLE {table}")
        older.execute("ALTER TABLE operations DROP COLUMN owner")
        for column in ("trash", "placer", "label_space", "follow"):
            older.execute(f"ALTER TABLE projects DROP COLUMN {column}")
        older.execute("UPDATE alembic_version SET version_num = '0003'")
    (tmp_path / "weaklabel.store").unlink()
    again = Database(sqlite_url(tmp_path))
    try:
        with again.read() as tx:
            assert quotas.stored_bytes(tx, project.key) == before > 0
    finally:
        again.close()
