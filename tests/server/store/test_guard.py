"""A store that is not what it was: another, empty, without its log, full, read-only; and who may read its files."""

import asyncio
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError

from weaklabel_server.errors import ServiceError
from weaklabel_server.store import projects
from weaklabel_server.store.database import Database, StoreUnusableError, sqlite_url
from weaklabel_server.store.dialects.faults import fault_of

FILES = ("weaklabel.db", "weaklabel.db-wal", "weaklabel.store")


def add(database: Database, project_id: str) -> None:
    with database.write() as tx:
        projects.create(tx, project_id, ["a", "b"])


@pytest.fixture
def killed(tmp_path: Path) -> Any:
    """The files of a store as kill -9 leaves them, with a project of which only the log knows."""
    (tmp_path / "live").mkdir()
    opened = Database(sqlite_url(tmp_path / "live"))
    add(opened, "acknowledged")

    def copy(name: str, *without: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in set(FILES) - set(without):
            shutil.copy(tmp_path / "live" / file, folder)
        return folder

    yield copy
    opened.close()


def refusal(folder: Path) -> str:
    with pytest.raises(StoreUnusableError) as caught:
        Database(sqlite_url(folder))
    return str(caught.value)


def test_what_kill_9_leaves_is_taken_on(killed: Callable[..., Path]) -> None:
    for folder in (killed("whole"), killed("without marker", "weaklabel.store")):
        again = Database(sqlite_url(folder))
        with again.read() as tx:
            assert projects.get(tx, "acknowledged")
        again.close()


def test_a_database_without_its_log_is_refused(killed: Callable[..., Path]) -> None:
    assert "without its write-ahead log" in refusal(killed("no log", "weaklabel.db-wal"))
    assert "without its write-ahead log" in refusal(killed("file alone", "weaklabel.db-wal", "weaklabel.store"))


def test_an_empty_or_missing_database_is_refused_where_there_was_one(killed: Callable[..., Path]) -> None:
    for without in ((), ("weaklabel.store",), ("weaklabel.db-wal",)):
        folder = killed("empty" + "".join(without), *without)
        (folder / "weaklabel.db").write_bytes(b"")
        assert "is empty (0 bytes)" in refusal(folder)
    missing = killed("missing", "weaklabel.db", "weaklabel.db-wal")
    assert "is missing" in refusal(missing)
    assert "remove weaklabel.store" in refusal(missing)
    (missing / "weaklabel.store").unlink()
    Database(sqlite_url(missing)).close()


def test_another_database_in_its_place_is_refused(killed: Callable[..., Path], tmp_path: Path) -> None:
    folder = killed("swapped", "weaklabel.db-wal")
    (tmp_path / "other").mkdir()
    Database(sqlite_url(tmp_path / "other")).close()
    shutil.copy(tmp_path / "other" / "weaklabel.db", folder)
    assert "another database than the one that was here" in refusal(folder)


def test_a_store_that_ended_well_needs_no_log(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    add(database, "kept")
    database.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weaklabel.db", "weaklabel.store"]
    for file in ("weaklabel.store", ""):  # with the marker, then without
        again = Database(sqlite_url(tmp_path))
        with again.read() as tx:
            assert projects.get(tx, "kept")
        again.close()
        if file:
            (tmp_path / file).unlink()


def test_a_log_that_was_checkpointed_in_between_is_missed_too(tmp_path: Path) -> None:
    """After each checkpoint the log holds something that the marker knows of."""
    (tmp_path / "live").mkdir()
    database = Database(sqlite_url(tmp_path / "live"))
    for number in range(5):
        with database.write() as tx:
            projects.create(tx, f"large{number}", [f"{one}{'x' * 200}" for one in range(20_000)])
    add(database, "last")
    (tmp_path / "copy").mkdir()
    for file in ("weaklabel.db", "weaklabel.store"):
        shutil.copy(tmp_path / "live" / file, tmp_path / "copy")
    assert (tmp_path / "copy" / "weaklabel.db").stat().st_size > 10_000_000, "no checkpoint came"
    assert "without its write-ahead log" in refusal(tmp_path / "copy")
    database.close()


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "weaklabel.db").touch(0o644)
    database = Database(sqlite_url(tmp_path))
    add(database, "private")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys([*FILES, "weaklabel.db-shm"], 0o600)
    database.close()


async def test_a_file_that_vanishes_or_is_replaced_is_noticed_before_a_write_is_acknowledged(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    add(database, "before")
    file, aside = tmp_path / "weaklabel.db", tmp_path / "aside"
    file.rename(aside)
    with pytest.raises(ServiceError, match=r"weaklabel\.db is gone") as caught:
        add(database, "lost")
    assert caught.value.reason == "STORE_LOST"
    file.write_bytes(b"another")
    fault = await database.check()
    assert fault is not None
    assert "another file than the one" in fault.message
    with pytest.raises(ServiceError, match="another file"), database.read() as tx:
        projects.get(tx, "before")
    aside.replace(file)
    assert await database.check() is None
    add(database, "after")
    database.close()


def test_a_log_that_vanishes_is_noticed(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    (tmp_path / "weaklabel.db-wal").unlink()
    with pytest.raises(ServiceError, match="db-wal is gone"):
        add(database, "lost")
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_that_takes_no_changes(kind: str, database_urls: Callable[[str], str], postgres_sql: Any) -> None:
    database = Database(database_urls(kind))
    if kind == "postgresql":
        postgres_sql(database, "ALTER DATABASE {name} SET default_transaction_read_only = on")
        database._engine.dispose()  # so that connections are new
    else:
        with database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(ServiceError) as caught:
        add(database, "refused")
    assert (caught.value.reason, caught.value.code.name) == ("STORE_READ_ONLY", "FAILED_PRECONDITION")
    database.close()


def test_a_database_that_refuses_the_login(database_urls: Callable[[str], str], postgres_sql: Any) -> None:
    url = database_urls("postgresql")
    name = make_url(url).database
    database = Database(url)
    postgres_sql(database, f"CREATE ROLE role_{name} LOGIN SUPERUSER")
    database.close()
    database = Database(url.replace("postgres@", f"role_{name}@"))
    postgres_sql(database, f"ALTER ROLE role_{name} NOLOGIN")
    for engine in (database._engine, database._check_engine):
        engine.dispose()
    with pytest.raises(ServiceError) as caught:
        add(database, "refused")
    assert (caught.value.reason, caught.value.code.name) == ("STORE_UNAVAILABLE", "UNAVAILABLE")
    assert "not permitted to log in" in caught.value.message
    fault = asyncio.run(database.check())
    assert fault is not None
    assert fault.reason == "STORE_UNAVAILABLE"
    postgres_sql(database, f"ALTER ROLE role_{name} LOGIN")
    add(database, "taken")
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_full_disk(kind: str, database_urls: Callable[[str], str], postgres_sql: Any) -> None:
    database = Database(database_urls(kind))
    if kind == "postgresql":  # as it reports one
        body = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
        postgres_sql(database, f"CREATE FUNCTION full_disk() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql")
        postgres_sql(database, "CREATE TRIGGER f BEFORE INSERT ON projects EXECUTE FUNCTION full_disk()")
    else:
        with database._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 60")
    with pytest.raises(ServiceError) as caught, database.write() as tx:
        projects.create(tx, "refused", ["x" * 255] * 10_000)
    assert (caught.value.reason, caught.value.code.name) == ("STORAGE_FULL", "RESOURCE_EXHAUSTED")
    database.close()


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no database" * 1000)
    with pytest.raises(DBAPIError) as caught, create_engine(f"sqlite:///{tmp_path / 'x'}").connect() as connection:
        connection.exec_driver_sql("SELECT * FROM projects")
    fault = fault_of(caught.value)
    assert fault is not None
    assert fault.reason == "STORE_LOST"


async def test_another_database_behind_the_same_url(database_urls: Callable[[str], str], postgres_sql: Any) -> None:
    database = Database(database_urls("postgresql"))
    assert await database.check() is None
    postgres_sql(database, "UPDATE store SET store_id = 'another'")
    with pytest.raises(ServiceError, match="another database is in the place"):
        add(database, "lost")
    postgres_sql(database, "DROP TABLE store")
    fault = await database.check()
    assert fault is not None
    assert fault.reason == "STORE_LOST"
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nul_in_a_text(kind: str, database_urls: Callable[[str], str]) -> None:
    database = Database(database_urls(kind))
    with pytest.raises(ServiceError) as caught, database.read() as tx:
        projects.get(tx, "with\0nul")
    assert caught.value.reason in ("INVALID_FIELD", "PROJECT_NOT_FOUND")
    database.close()
