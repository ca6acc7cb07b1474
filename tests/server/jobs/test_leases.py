"""Who runs an operation, where several may: two stores on one PostgreSQL database, and one on SQLite."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs.operations.leases import Leases
from weaklabel_server.store import models, operations, projects
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, ModelSummary
from weaklabel_server.store.operations import FitSettings, NotOwnedError, Operation, Progress, Stage

SUMMARY = ModelSummary(
    iteration_count=1, converged=True, objective=[0.0], class_balance=[0.5, 0.5], sources=[], warnings=[], risk=0.0
)
FITTING = Progress(Stage.FITTING)


@pytest.fixture
def pair(database_urls: Callable[[str], str]) -> Iterator[tuple[Database, Leases, Leases]]:
    url = database_urls("postgresql")
    stores = [Database(url), Database(url)]
    first, second = (Leases(store, lease_seconds=1.0) for store in stores)
    first.start()
    second.start()
    yield stores[0], first, second
    for store in stores:
        store.close()


def queue(database: Database) -> Operation:
    with database.write() as tx:
        project = projects.create(tx, f"p{time.monotonic_ns()}", ["a", "b"])
        return operations.create(tx, project, 1, FitSettings())


def keep(database: Database, model_id: str, operation: Operation, mine: Leases) -> Callable[[Any], str]:
    fitted = FittedModel(
        model_id=model_id,
        votes_version=1,
        summary=SUMMARY,
        content=b"",
        probabilities=np.full((1, 2), 0.5, np.float32),
        labels=np.zeros(1, np.int32),
    )
    key = models.stage(database, fitted, mine.replica_id, operation.operation_id)

    def store(tx: Any) -> str:
        models.show(tx, key, operation.project_key)
        return model_id

    return store


def take_over(survivor: Leases, *, beating: Leases | None = None) -> list[Operation]:
    """The unfinished operations as the survivor sees them after more than a lease."""
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        unfinished = survivor.beat([])
        if beating is not None:
            beating.beat([])
        time.sleep(0.05)
    return unfinished


def test_one_replica_begins_an_operation(pair: tuple[Database, Leases, Leases]) -> None:
    database, first, second = pair
    operation = queue(database)
    assert (first.begin(operation), second.begin(operation), first.begin(operation)) == (1, None, 1)
    first.release(operation)
    assert second.begin(operation) == 1


def test_a_replica_that_lives_keeps_what_it_runs(pair: tuple[Database, Leases, Leases]) -> None:
    database, first, second = pair
    operation = queue(database)
    first.begin(operation)
    (seen,) = take_over(second, beating=first)
    assert seen.owner == first.replica_id
    assert second.begin(operation) is None


def test_a_dead_replica_is_taken_over_and_what_it_ends_then_does_not_count(pair: Any) -> None:
    database, first, second = pair
    operation = queue(database)
    first.begin(operation)
    (seen,) = take_over(second)
    assert seen.owner == ""
    assert second.begin(seen) == 2
    with pytest.raises(NotOwnedError):
        first.succeed(operation, keep(database, "late", operation, first), FITTING)
    with pytest.raises(NotOwnedError):
        first.fail(operation, ServiceError(Reason.INTERNAL, "late"), FITTING)
    assert second.succeed(operation, keep(database, "good", operation, second), FITTING)
    for again in (first, second):
        with pytest.raises(NotOwnedError):
            again.succeed(operation, keep(database, "again", operation, again), FITTING)
    with database.read() as tx:
        done = operations.get(tx, operation.project_id, operation.operation_id)
        assert (done.done, done.model_id, done.error) == (True, "good", None)
        assert models.find_key(tx, operation.project_id, "late") is None
        assert models.find_key(tx, operation.project_id, "again") is None
        assert models.find_key(tx, operation.project_id, "good") is not None
    assert second.unfinished() == []


def test_the_end_of_a_replica_frees_what_it_ran_at_once(pair: tuple[Database, Leases, Leases]) -> None:
    database, first, second = pair
    operation = queue(database)
    first.begin(operation)
    first.stop()
    assert second.begin(operation) == 2


@pytest.mark.parametrize("days", [-40, 40])
def test_a_clock_that_jumps_ends_no_lease(pair: Any, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    database, first, second = pair
    operation = queue(database)
    first.begin(operation)
    second.unfinished()
    monkeypatch.setattr(time, "time_ns", lambda real=time.time_ns: real() + days * 86_400 * 10**9)
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + days * 86_400)
    before = now_micros()
    (seen,) = second.unfinished()
    assert seen.owner == first.replica_id
    assert abs(now_micros() - before) < 10_000_000
    assert abs(before - operation.create_time) < 10_000_000


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_end_that_the_store_refuses_is_noted_later(
    kind: str, database_urls: Callable[[str], str], postgres_sql: Any
) -> None:
    database = Database(database_urls(kind))
    mine = Leases(database, lease_seconds=1.0)
    mine.start()
    operation = queue(database)
    mine.begin(operation)
    if kind == "postgresql":
        body = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
        postgres_sql(database, f"CREATE FUNCTION full_disk() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql")
        postgres_sql(database, "CREATE TRIGGER f BEFORE UPDATE ON operations EXECUTE FUNCTION full_disk()")
    else:
        with database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
    mine.fail(operation, ServiceError(Reason.NO_VOTES, "why"), FITTING)
    ended = mine.ended(operation.operation_id)
    assert ended is not None
    assert (ended.done, ended.progress.stage, list(mine.ended_ids())) == (True, Stage.DONE, [operation.operation_id])
    assert not mine.note_ends()
    assert mine.begin(operation) is None
    if kind == "postgresql":
        postgres_sql(database, "DROP TRIGGER f ON operations")
    else:
        with database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = OFF")
    assert mine.note_ends()
    with database.write() as tx:
        done = operations.get(tx, operation.project_id, operation.operation_id)
        projects.remove(tx, operation.project_id)
    assert (done.done, done.error, mine.ended_ids()) == (True, ended.error, frozenset())
    database.close()


def test_a_project_goes_although_the_end_of_its_operation_is_not_noted(database_urls: Callable[[str], str]) -> None:
    database = Database(database_urls("sqlite"))
    operation = queue(database)
    with pytest.raises(ServiceError, match="is not done"), database.write() as tx:
        projects.remove(tx, operation.project_id)
    with database.write() as tx:
        projects.remove(tx, operation.project_id, {operation.operation_id})
        assert operations.list_unfinished(tx) == []
    database.close()


def test_sqlite_has_one_server_so_that_nothing_is_waited_for(database_urls: Callable[[str], str]) -> None:
    database = Database(database_urls("sqlite"))
    operation = queue(database)
    killed, restarted = (Leases(database, lease_seconds=10**6) for _ in range(2))
    killed.start()
    assert killed.begin(operation) == 1
    restarted.start()
    assert restarted.begin(operation) == 2
    database.close()
