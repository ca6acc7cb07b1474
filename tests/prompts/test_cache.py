"""The cache: what is kept, moved and forgotten."""

import functools
import json
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts import ResponseCache
from weaklabel.prompts.cache import Batch, Entry, GroupWriter


def entry(number: int, endpoint: str = "http://a/v1", model: str = "m") -> Entry:
    return Entry(number.to_bytes(32, "big"), endpoint, model, json.dumps({"n": number}).encode())


@pytest.fixture
def cache(tmp_path: Path) -> ResponseCache:
    return ResponseCache(tmp_path / "folder" / "c.sqlite")


def test_what_is_put_is_there_and_the_first_stays(cache: ResponseCache) -> None:
    cache.put_many([entry(k) for k in range(1200)])
    cache.put_many([Entry(entry(3).key, "http://b", "n", b'{"other": 1}')])
    responses = cache.get_many([entry(k).key for k in range(0, 2400, 2)])
    assert responses == {entry(k).key: entry(k).response for k in range(0, 1200, 2)}
    assert cache.get(entry(3).key) == entry(3).response
    assert len(cache) == 1200


def test_only_its_user_may_read_it(cache: ResponseCache) -> None:
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600


def test_export_and_import_between_caches(cache: ResponseCache, tmp_path: Path) -> None:
    cache.put_many([entry(k) for k in range(1500)])
    assert cache.export(tmp_path / "all.jsonl") == 1500
    other = ResponseCache(tmp_path / "other.sqlite")
    other.put_many([entry(1)])
    assert other.import_from(tmp_path / "all.jsonl") == 1499
    assert [json.loads(other.get(entry(k).key) or b"") for k in (0, 1499)] == [{"n": 0}, {"n": 1499}]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"key": "00", "endpoint": "", "model": "", "created": 1, "response": {}}', "5"]
)
def test_a_file_that_is_none_is_refused_whole(cache: ResponseCache, tmp_path: Path, line: str) -> None:
    cache.put_many([entry(1)])
    file = tmp_path / "all.jsonl"
    cache.export(file)
    file.write_text(file.read_text().replace("00000001", "00000002") + line + "\n")
    with pytest.raises(InvalidArgumentError, match="line 2"):
        cache.import_from(file)
    assert len(cache) == 1


def test_purge_forgets_what_is_named(cache: ResponseCache) -> None:
    cache.put_many([entry(0), entry(1, model="n"), entry(2, endpoint="http://b/v1"), entry(3)])
    assert cache.purge(older_than=60) == 0
    assert cache.purge(model="n") == 1
    assert cache.purge(endpoint="http://b/v1", model="m") == 1
    assert len(cache) == 2
    assert cache.purge() == 2
    assert len(cache) == 0


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, " * 100)
    with pytest.raises(InvalidArgumentError, match="cannot be used as a cache"):
        ResponseCache(tmp_path / "text")
    with sqlite3.connect(tmp_path / "later") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InvalidArgumentError, match="version 99"):
        ResponseCache(tmp_path / "later")


def test_no_two_batches_hold_the_same_key(cache: ResponseCache) -> None:
    keys = [entry(k).key for k in range(4)]
    assert cache.begin_batch(Batch("one", "http://a/v1", "host:1", 1.0), keys[:2]) == keys[:2]
    assert cache.begin_batch(Batch("two", "http://a/v1", "host:2", 2.0), keys) == keys[2:]
    assert cache.begin_batch(Batch("three", "http://a/v1", "host:3", 3.0), keys) == []
    assert [(one.tag, cache.batch_keys(one.tag)) for one in cache.open_batches()] == [
        ("one", set(keys[:2])),
        ("two", set(keys[2:])),
    ]
    cache.name_batch("two", "batch-7")
    cache.end_batch("one", [entry(0)])
    assert [(one.tag, one.id) for one in cache.open_batches()] == [("two", "batch-7")]
    assert len(cache) == 1


def test_threads_may_write_together(cache: ResponseCache) -> None:
    def work(start: int) -> None:
        for k in range(start, start + 50):
            cache.put_many([entry(k)])

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 25, 50, 75)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == 125


async def test_what_is_told_is_on_disk(cache: ResponseCache) -> None:
    writer, other = GroupWriter(cache), ResponseCache(cache.path)
    seen: list[bytes | None] = []

    def tell(number: int) -> None:
        seen.append(other.get(entry(number).key))

    tasks = [writer.put(entry(k), functools.partial(tell, k)) for k in range(5)]
    assert len(set(tasks)) == 1  # they go together
    await tasks[0]
    assert seen == [entry(k).response for k in range(5)]
    writer.put(entry(5), lambda: seen.append(b"last"))
    await writer.close()
    assert seen[-1] == b"last"


async def test_a_write_that_fails_is_told_to_nobody_but_its_writer(cache: ResponseCache) -> None:
    writer, calls = GroupWriter(cache), []
    cache.close()
    task = writer.put(entry(1), lambda: calls.append(1))
    with pytest.raises(sqlite3.ProgrammingError):
        await task
    assert not calls
