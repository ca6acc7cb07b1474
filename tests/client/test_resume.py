"""Connections and servers that are lost on the way."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import weaklabel_client
import weaklabel_client.aio
from weaklabel_client import DeadlineExceeded, UploadInterrupted, UploadProgress, UploadResult


def random_votes(n_items: int, n_sources: int = 8, seed: int = 0) -> npt.NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-1, 2, size=(n_items, n_sources)).astype(np.int8)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows of a chunk, made small so that an upload takes many."""
    monkeypatch.setattr("weaklabel_client._inputs.chunks.MAX_ROWS", 1000)
    return 1000


@pytest.mark.parametrize("n_rows", [1, 999, 1000, 1001, 6000, 7001])
async def test_chunk_boundaries(client: Any, project: str, small_chunks: int, n_rows: int) -> None:
    votes = random_votes(n_rows)
    seen: list[UploadProgress] = []
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, votes, progress=seen.append)
    np.testing.assert_array_equal((await client.read_votes(project)).votes, votes)
    assert [step.committed_rows for step in seen] == sorted({*range(small_chunks, n_rows, small_chunks), n_rows})
    assert {step.total_rows for step in seen} == {n_rows}


async def test_the_largest_chunks(client: Any, project: str) -> None:
    votes = random_votes(65_537, n_sources=2)
    await client.create_project(project, classes=["a", "b"])
    seen: list[int] = []
    await client.upload_votes(project, votes, progress=lambda step: seen.append(step.committed_rows))
    assert seen == [65_536, 65_537]
    parts = [chunk async for chunk in client.iter_votes(project)]
    np.testing.assert_array_equal(np.concatenate([part.votes for part in parts]), votes)
    assert max(len(part.votes) for part in parts) <= 65_536


async def test_an_upload_goes_on_after_it_idled(
    start_server: Callable[..., Any], connect: Callable[..., Any], small_chunks: int
) -> None:
    votes = random_votes(3000)
    client = connect(start_server(environment={"WEAKLABEL_STREAM_IDLE_SECONDS": "0.5"}).address)
    await client.create_project("idle", classes=["a", "b"])

    def slowly() -> Iterator[npt.NDArray[np.int8]]:
        yield votes[:1000]
        time.sleep(1)
        yield votes[1000:]

    await client.upload_votes("idle", slowly(), sources=[f"s{m}" for m in range(8)])
    read = await client.read_votes("idle")
    np.testing.assert_array_equal(read.votes, votes)
    assert read.votes_version == 1


def pairs_of_chunks(votes: npt.NDArray[np.int8], items: list[str]) -> Iterator[tuple[npt.NDArray[np.int8], list[str]]]:
    for start, stop in itertools.pairwise([0, 1, 700, 3300, 3301, len(votes)]):
        yield votes[start:stop], items[start:stop]


async def test_an_iterable_of_chunks_of_any_size(client: Any, project: str, small_chunks: int) -> None:
    votes = random_votes(5000)
    items = [f"i{row}" for row in range(5000)]
    await client.create_project(project, classes=["a", "b"])
    upload = await client.upload_votes(project, pairs_of_chunks(votes, items))
    assert upload.n_rows == 5000
    read = await client.read_votes(project)
    np.testing.assert_array_equal(read.votes, votes)
    assert read.items == tuple(items)


async def test_an_asynchronous_iterable_of_chunks(shared_server: Any, project: str, small_chunks: int) -> None:
    votes = random_votes(5000)
    items = [f"i{row}" for row in range(5000)]

    async def chunks() -> AsyncIterator[tuple[npt.NDArray[np.int8], list[str]]]:
        for pair in pairs_of_chunks(votes, items):
            await asyncio.sleep(0)
            yield pair

    async with weaklabel_client.aio.Client(shared_server.address) as client:
        await client.create_project(project, classes=["a", "b"])
        await client.upload_votes(project, chunks())
        np.testing.assert_array_equal((await client.read_votes(project)).votes, votes)


async def test_a_repeated_upload_adds_nothing(client: Any, project: str) -> None:
    votes = random_votes(300)
    await client.create_project(project, classes=["a", "b"])
    first = await client.upload_votes(project, votes)
    again = await client.upload_votes(project, votes.astype(np.int64))
    assert (again.votes_version, again.added, again.n_rows) == (first.votes_version, False, 300)
    by_id = str(uuid.uuid4())
    streamed = await client.upload_votes(project, iter([1 - np.abs(votes)]), upload_id=by_id)
    assert streamed.added
    repeated = await client.upload_votes(project, iter([1 - np.abs(votes)]), upload_id=by_id)
    assert (repeated.added, repeated.votes_version) == (False, streamed.votes_version)
    assert (await client.get_project(project)).votes_version == 2


async def test_an_upload_goes_on_over_cut_connections(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, small_chunks: int
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    votes = random_votes(40_000)
    await client.create_project(project, classes=["a", "b"])
    # 320 kB go up: three cuts in the middle of chunks, the last of them soon after the one before.
    proxy.cut_after(50_000, 100_000, 20_000)
    seen: list[int] = []
    upload = await client.upload_votes(project, votes, progress=lambda step: seen.append(step.committed_rows))
    assert proxy.n_connections >= 4
    assert (upload.n_rows, upload.votes_version, upload.added) == (40_000, 1, True)
    assert seen == sorted(set(seen))
    np.testing.assert_array_equal((await client.read_votes(project)).votes, votes)


async def test_sparse_uploads_and_iterables_go_on_too(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, small_chunks: int
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    votes = random_votes(20_000, n_sources=4)
    await client.create_project(project, classes=["a", "b"])
    proxy.cut_after(30_000, 30_000)
    await client.upload_votes(project, iter(np.array_split(votes, 7)), sources=list("abcd"))
    rows, columns = np.nonzero(votes >= 0)
    proxy.cut_after(100_000, 100_000)
    await client.upload_triples(project, rows, columns, votes[rows, columns], n_items=20_000, source_names=list("wxyz"))
    assert proxy.n_connections >= 5
    np.testing.assert_array_equal((await client.read_votes(project)).votes, np.hstack([votes, votes]))


async def test_an_upload_that_gave_up_says_how_to_go_on(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, small_chunks: int
) -> None:
    proxy = make_proxy(shared_server.address)
    votes = random_votes(20_000)
    client = connect(proxy.address, reconnect_timeout=0.5)
    await client.create_project(project, classes=["a", "b"])

    def refuse_from_the_middle(step: UploadProgress) -> None:
        if step.committed_rows >= 7000 and not proxy.refusing:
            proxy.refusing = True
            proxy.cut()

    chunks = np.array_split(votes, 20)
    with pytest.raises(UploadInterrupted) as caught:
        await client.upload_votes(project, iter(chunks), progress=refuse_from_the_middle)
    committed = caught.value.committed_rows
    assert 7000 <= committed < 20_000
    assert f"{committed:,} rows are safe" in str(caught.value)
    assert caught.value.upload_id in str(caught.value)

    proxy.refusing = False
    seen: list[int] = []
    upload = await client.upload_votes(
        project,
        iter(chunks),
        upload_id=caught.value.upload_id,
        progress=lambda step: seen.append(step.committed_rows),
    )
    # What the server had is not sent again: the first news is of at least that.
    assert seen[0] >= committed
    assert (upload.votes_version, upload.n_rows) == (1, 20_000)
    np.testing.assert_array_equal((await client.read_votes(project)).votes, votes)


async def test_the_same_array_goes_on_in_another_client(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, small_chunks: int
) -> None:
    """The digest finds the upload that was broken off; nobody has to remember its id."""
    proxy = make_proxy(shared_server.address)
    votes = random_votes(20_000)
    first = connect(proxy.address, reconnect_timeout=0.3)
    await first.create_project(project, classes=["a", "b"])

    def refuse_from_the_middle(step: UploadProgress) -> None:
        if step.committed_rows >= 7000 and not proxy.refusing:
            proxy.refusing = True
            proxy.cut()

    with pytest.raises(UploadInterrupted) as caught:
        await first.upload_votes(project, votes, progress=refuse_from_the_middle)
    seen: list[int] = []
    upload = await connect(shared_server.address).upload_votes(
        project, votes, progress=lambda step: seen.append(step.committed_rows)
    )
    assert seen[0] >= caught.value.committed_rows
    assert (upload.upload_id, upload.added) == (caught.value.upload_id, True)
    np.testing.assert_array_equal((await connect(shared_server.address).read_votes(project)).votes, votes)


async def test_a_timeout_ends_an_upload(
    connect: Callable[..., Any], shared_server: Any, project: str, small_chunks: int
) -> None:
    client = connect(shared_server.address)
    await client.create_project(project, classes=["a", "b"])

    def endless() -> Iterator[npt.NDArray[np.int8]]:
        while True:
            yield random_votes(1000)

    with pytest.raises(UploadInterrupted) as caught:
        await client.upload_votes(project, endless(), timeout=0.5)
    assert caught.value.committed_rows > 0
    assert caught.value.code.name == "DEADLINE_EXCEEDED"


async def test_errors_of_the_users_iterable_are_the_users(client: Any, project: str) -> None:
    await client.create_project(project, classes=["a", "b"])

    def broken() -> Iterator[npt.NDArray[np.int8]]:
        yield random_votes(10)
        raise KeyError("file 2")

    with pytest.raises(KeyError, match="file 2"):
        await client.upload_votes(project, broken())
    with pytest.raises(ValueError, match="there are 3 columns for 8 sources"):
        await client.upload_votes(project, iter([random_votes(10), random_votes(10, 3)]))
    with pytest.raises(ValueError, match="there are no chunks"):
        await client.upload_votes(project, iter([]))
    assert (await client.get_project(project)).votes_version == 0


async def test_an_upload_outlives_a_killed_server(
    connect: Callable[..., Any], server: Any, project: str, small_chunks: int
) -> None:
    client = connect(server.address)
    votes = random_votes(20_000)
    await client.create_project(project, classes=["a", "b"])
    killed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def kill_in_the_middle(step: UploadProgress) -> None:
        if step.committed_rows >= 7000 and not killed.is_set():
            server.kill()
            loop.call_soon_threadsafe(killed.set)

    async def restart() -> None:
        await killed.wait()
        await asyncio.to_thread(server.start)

    upload, _ = await asyncio.gather(client.upload_votes(project, votes, progress=kill_in_the_middle), restart())
    assert (upload.votes_version, upload.n_rows) == (1, 20_000)
    fit = await client.fit(project)
    # The server is killed while it fits; the operation was acknowledged, so it is run again.
    server.kill()
    _, model = await asyncio.gather(asyncio.to_thread(server.start), fit.result(timeout=90))
    assert model.n_items == 20_000

    server.kill()
    await asyncio.to_thread(server.start)
    await client.wait_for_ready(30)
    again = await client.upload_votes(project, votes)
    assert (again.added, again.votes_version) == (False, 1)
    np.testing.assert_array_equal((await client.read_votes(project)).votes, votes)
    assert (await client.soft_labels(project, model=model.name)).shape == (20_000, 2)


async def test_downloads_and_predictions_go_on_over_cut_connections(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    votes = random_votes(150_000, n_sources=3)
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, votes)
    model = await (await client.fit(project)).result(timeout=90)
    expected = await client.soft_labels(project)

    parts = []
    async for part in client.iter_soft_labels(project):
        parts.append(part)
        if len(parts) == 1:
            proxy.cut()
    assert [part.row_offset for part in parts] == sorted(part.row_offset for part in parts)
    np.testing.assert_array_equal(np.concatenate([part.probabilities for part in parts]), expected)

    answers = []
    async for answer in client.predict_stream(project, np.array_split(votes, 40)):
        answers.append(answer)
        if len(answers) in {3, 20}:
            proxy.cut()
    assert {answer.model for answer in answers} == {model.name}
    np.testing.assert_allclose(np.concatenate([answer.probabilities for answer in answers]), expected, atol=1e-6)


async def test_a_download_whose_end_is_lost_has_no_row_twice(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    votes = random_votes(300, n_sources=3)
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, votes)
    await (await client.fit(project)).result(timeout=90)
    expected = await client.soft_labels(project)

    async def rows_of(parts: AsyncIterator[Any]) -> int:
        """The number of rows; when all are here, the connection is lost before the end of the stream arrives."""
        proxy.withholding_ends = True
        connections = proxy.n_connections
        n_rows = 0
        async for part in parts:
            n_rows += len(part.votes if hasattr(part, "votes") else part.labels)
            if proxy.withholding_ends and n_rows >= len(expected):
                proxy.withholding_ends = False
                proxy.cut()
        assert proxy.n_connections > connections
        return n_rows

    assert await rows_of(client.iter_soft_labels(project)) == 300
    assert await rows_of(client.iter_votes(project)) == 300


async def test_callers_that_upload_the_same_at_once_all_succeed(
    shared_server: Any, project: str, small_chunks: int
) -> None:
    votes = random_votes(40_000)
    start = threading.Barrier(3)

    def upload(_: int) -> UploadResult:
        with weaklabel_client.Client(shared_server.address) as client:
            start.wait(30)
            return client.upload_votes(project, votes, timeout=60)

    with weaklabel_client.Client(shared_server.address) as client:
        client.create_project(project, classes=["a", "b"])
        with ThreadPoolExecutor(3) as threads:
            results = await asyncio.to_thread(lambda: list(threads.map(upload, range(3))))
        assert {(result.n_rows, result.votes_version) for result in results} == {(40_000, 1)}
        assert client.get_project(project).votes_version == 1
        np.testing.assert_array_equal(client.read_votes(project).votes, votes)


async def test_waiting_has_an_end(connect: Callable[..., Any], shared_server: Any, project: str) -> None:
    client = connect(shared_server.address)
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, random_votes(200_000))
    fit = await client.fit(project)
    assert not await fit.wait(timeout=0.001)
    with pytest.raises(DeadlineExceeded):
        await fit.result(timeout=0.001)
    assert await fit.wait(timeout=90)


@pytest.mark.parametrize("n_bytes", [1, 150, 300, 450])
async def test_a_repeated_call_is_done_once(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, n_bytes: int
) -> None:
    """The connection is cut before, within and after the request: with its request id it is the same call again."""
    proxy = make_proxy(shared_server.address)
    proxy.cut_after(n_bytes)
    client = connect(proxy.address)
    created = await client.create_project(project, classes=["a", "b"])
    assert created.name == f"projects/{project}"
