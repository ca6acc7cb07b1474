"""The main job and the names around it, by both clients, against a real server."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from weaklabel import LabelModel, Votes
from weaklabel_client import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FitProgress,
    FitStage,
    InvalidArgument,
    NotFound,
    Unavailable,
)

SOURCES = ["has_link", "shouts", "short message", "größe/50%"]


def random_votes(n_items: int, n_sources: int = 4, seed: int = 0) -> npt.NDArray[np.int8]:
    """Votes of sources that are right more often than not, on two classes."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, size=(n_items, 1))
    right = generator.random((n_items, n_sources)) < 0.8
    voted = generator.random((n_items, n_sources)) < 0.7
    return np.where(voted, np.where(right, truth, 1 - truth), -1).astype(np.int8)


async def test_main_job(client: Any, project: str) -> None:
    votes = random_votes(500)
    votes[3, 1] = -2
    created = await client.create_project(project, classes=["ham", "spam"])
    assert (created.name, created.classes, created.n_items) == (f"projects/{project}", ("ham", "spam"), 0)

    items = [f"mail {row}" for row in range(500)]
    upload = await client.upload_votes(project, votes, sources=SOURCES, items=items)
    assert (upload.n_rows, upload.votes_version, upload.added) == (500, 1, True)
    described = await client.get_project(f"projects/{project}")
    assert (described.n_items, described.n_sources, described.votes_version) == (500, 4, 1)

    fit = await client.fit(project, seed=3)
    stages: list[FitStage] = []
    model = await fit.result(timeout=60, progress=lambda step: stages.append(step.stage))
    assert stages[-1] is FitStage.DONE
    assert await fit.done()

    # The library's own fit of the same votes is the expectation.
    own = LabelModel(classes=["ham", "spam"], seed=3)
    uploaded = Votes.from_codes(votes, n_classes=2, sources=SOURCES, items=items)
    own.fit(uploaded)
    soft = await client.soft_labels(project, model=model.name)
    assert (soft.shape, soft.dtype) == ((500, 2), np.float32)
    np.testing.assert_allclose(soft, own.predict_proba(uploaded), atol=1e-5)
    labels = await client.labels(project)
    assert (labels.model, labels.items) == (model.name, tuple(items))
    np.testing.assert_array_equal(labels.labels, own.predict(uploaded))
    assert labels.labels.dtype == np.int32
    assert labels.probabilities.flags.writeable

    assert (model.votes_version, model.n_items, model.n_iter) == (1, 500, own.n_iter)
    assert model.objective.shape == (model.n_iter,)
    np.testing.assert_allclose(model.class_balance, own.class_balance, atol=1e-5)
    assert [source.source for source in model.sources] == SOURCES
    np.testing.assert_allclose([source.accuracy for source in model.sources], own.source_accuracy, atol=1e-5)
    intervals = [source.accuracy_interval for source in model.sources]
    np.testing.assert_allclose(intervals, own.source_accuracy_interval, atol=1e-5)
    assert (model.warnings, model.risk) == (own.warnings, own.diagnostics.risk)
    assert model.doubt == pytest.approx(own.diagnostics.doubt, abs=1e-5)
    np.testing.assert_allclose([source.coverage for source in model.sources], (votes >= 0).mean(axis=0), atol=1e-6)


async def test_votes_come_back_as_they_went_up(client: Any, project: str) -> None:
    votes = random_votes(30)
    votes[0] = -2
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, votes)
    read = await client.read_votes(project)
    np.testing.assert_array_equal(read.votes, votes)
    assert (read.sources, read.items) == (("source_0", "source_1", "source_2", "source_3"), None)
    (part,) = [chunk async for chunk in client.iter_votes(project, row_offset=10, row_limit=5)]
    assert part.row_offset == 10
    np.testing.assert_array_equal(part.votes, votes[10:15])

    changed = votes[:, [2]]
    changed[4] = 1 - np.abs(changed[4])
    again = await client.upload_votes(project, changed, sources=["source_2"])
    assert again.votes_version == 2
    np.testing.assert_array_equal((await client.read_votes(project, votes_version=1)).votes, votes)
    np.testing.assert_array_equal((await client.read_votes(project)).votes[:, 2], changed[:, 0])


async def test_votes_read_by_many_at_once_are_those_of_one(client: Any, project: str) -> None:
    """Each of many streams holds less, in more messages: parts of chunks, and parts that cross them."""
    votes = np.random.default_rng(3).integers(-2, 3, (30_000, 300)).astype(np.int8)
    await client.create_project(project, classes=["a", "b", "c"])
    await client.upload_votes(project, votes)
    streams = [client.iter_votes(project, row_offset=17) for _ in range(16)]
    parts: list[list[Any]] = [[] for _ in streams]
    for held in (parts, parts):  # all are open before any is read to its end
        for stream, found in zip(streams, held, strict=True):
            if not found:
                found.append(await anext(stream))
            else:
                found += [part async for part in stream]
    for found in parts:
        np.testing.assert_array_equal(np.concatenate([part.votes for part in found]), votes[17:])


async def test_sparse_votes_are_the_dense_ones(client: Any, project: str) -> None:
    votes = random_votes(200, n_sources=9)
    rows, columns = np.nonzero(votes >= 0)
    order = np.random.default_rng(1).permutation(len(rows))
    items = [f"i{row}" for row in range(200)]
    names = [f"s{column}" for column in range(9)]
    await client.create_project(project, classes=["a", "b"])
    await client.upload_triples(
        project, rows[order], columns[order], votes[rows, columns][order], source_names=names, item_ids=items
    )
    read = await client.read_votes(project)
    np.testing.assert_array_equal(read.votes, votes)
    assert (read.sources, read.items) == (tuple(names), tuple(items))


async def test_votes_of_the_library_keep_their_names_ids_and_errors(client: Any, project: str) -> None:
    codes = random_votes(50)
    codes[7, 2] = -2
    items = [f"mail {row}" for row in range(50)]
    votes = Votes.from_codes(codes, 2, sources=SOURCES, items=items)
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, votes)
    read = await client.read_votes(project)
    assert (read.sources, read.items) == (tuple(SOURCES), tuple(items))
    np.testing.assert_array_equal(read.votes, codes)

    await client.upload_votes(project, votes, sources=list("abcd"), items=[f"other {row}" for row in range(50)])
    renamed = await client.read_votes(project)
    assert (renamed.sources[4:], renamed.items[50]) == (("a", "b", "c", "d"), "other 0")

    rows, columns, labels = votes.triples()
    sparse = Votes.from_triples(
        rows, columns, labels, n_classes=2, n_items=50, source_names=list("wxyz"), item_ids=items
    )
    await client.upload_votes(project, sparse)
    read = await client.read_votes(project)
    assert read.sources[8:] == ("w", "x", "y", "z")
    np.testing.assert_array_equal(read.votes[:50, 8:], np.maximum(codes, -1))


async def test_names_that_votes_bring_decide_the_order_of_columns(client: Any, project: str) -> None:
    codes = random_votes(400)
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, pd.DataFrame(codes, columns=SOURCES, index=range(7, 407)))
    read = await client.read_votes(project)
    assert (read.sources, read.items) == (tuple(SOURCES), tuple(map(str, range(7, 407))))
    await (await client.fit(project)).result()

    votes = Votes.from_dense(codes, 2, sources=SOURCES)
    expected = LabelModel(classes=["ham", "spam"]).fit(votes).predict_proba(votes)
    turned = votes.select_sources(SOURCES[::-1])
    np.testing.assert_allclose(await client.predict(project, turned), expected, atol=1e-5)
    frame = pd.DataFrame(codes[:, ::-1], columns=SOURCES[::-1])
    np.testing.assert_allclose(await client.predict(project, frame), expected, atol=1e-5)
    np.testing.assert_allclose(
        await client.predict(project, turned.to_dense(), sources=SOURCES[::-1]), expected, atol=1e-5
    )
    halves = [turned.select_items(range(200)), turned.select_items(range(200, 400))]
    answers = [answer.probabilities async for answer in client.predict_stream(project, halves)]
    np.testing.assert_allclose(np.concatenate(answers), expected, atol=1e-5)


async def test_a_source_that_failed_abstains_in_predictions(client: Any, project: str) -> None:
    codes = random_votes(100)
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, codes)
    await (await client.fit(project)).result()
    failed = np.where(codes == -1, -2, codes)
    expected = await client.predict(project, codes)
    np.testing.assert_array_equal(await client.predict(project, failed), expected)
    (answer,) = [answer async for answer in client.predict_stream(project, [failed])]
    np.testing.assert_array_equal(answer.probabilities, expected)


async def test_listings_hide_their_pages(client: Any, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel_client._protocol.calls._PAGE_SIZE", 3)
    await client.create_project(project, classes=["a", "b"])
    names = [f"source {number}" for number in range(10)]
    await client.upload_votes(project, random_votes(20, n_sources=10), sources=names)
    assert [source.display_name async for source in client.list_sources(project)] == names
    models = [(await (await client.fit(project)).result()).name for _ in range(4)]
    assert [model.name async for model in client.list_models(project)] == models[::-1]
    operations = [operation.progress.stage async for operation in client.list_operations(project)]
    assert operations == [FitStage.DONE] * 4
    others = {f"{project}-{letter}" for letter in "abcdefg"}
    for other in others:
        await client.create_project(other, classes=["a", "b"])
    listed = [one.name.removeprefix("projects/") async for one in client.list_projects()]
    assert listed == sorted(set(listed))
    assert set(listed) >= others | {project}


async def test_what_was_deleted_is_gone(client: Any, project: str) -> None:
    await client.create_project(project, classes=["a", "b"])
    await client.upload_votes(project, random_votes(20), sources=SOURCES)
    first = await (await client.fit(project)).result()
    assert (await client.get_source(project, SOURCES[3])).display_name == SOURCES[3]
    assert await client.delete_source(project, SOURCES[3]) == 2
    with pytest.raises(NotFound):
        await client.get_source(project, SOURCES[3])
    assert (await client.read_votes(project)).sources == tuple(SOURCES[:3])
    await client.delete_model(project, first.name)
    with pytest.raises(NotFound):
        await client.get_model(project, first.name)
    await client.delete_project(project)
    with pytest.raises(NotFound):
        await client.get_project(project)


async def test_errors_are_the_exceptions_of_their_codes(client: Any, project: str) -> None:
    with pytest.raises(NotFound) as missing:
        await client.get_project(project)
    assert missing.value.code is grpc.StatusCode.NOT_FOUND
    assert missing.value.reason.isupper()
    assert project in missing.value.message
    with pytest.raises(NotFound):
        await client.upload_votes(project, [[0, 1]])
    with pytest.raises(InvalidArgument) as one_class:
        await client.create_project(project, classes=["ham"])
    assert one_class.value.field_violations[0].field == "classes"
    await client.create_project(project, classes=["ham", "spam"])
    with pytest.raises(AlreadyExists):
        await client.create_project(project, classes=["ham", "spam"])
    with pytest.raises(FailedPrecondition):
        await client.fit(project)
    with pytest.raises(InvalidArgument) as out_of_range:
        await client.upload_votes(project, [[0, 1], [0, 2]])
    assert out_of_range.value.field_violations
    with pytest.raises(NotFound):
        await client.soft_labels(project, model="m999999")
    with pytest.raises(NotFound):
        await client.operation(f"projects/{project}/operations/none")
    with pytest.raises(ValueError, match='model: "projects/other/models/m1"'):
        await client.soft_labels(project, model="projects/other/models/m1")
    with pytest.raises(ValueError, match='sources: names 0 and 1 are both "a"'):
        await client.upload_votes(project, [[0, 1]], sources=["a", "a"])
    surrogates: dict[str, Callable[[], Any]] = {
        "project": lambda: client.get_project("\udc80"),
        "source": lambda: client.get_source(project, "\udc80"),
        "model": lambda: client.get_model(project, "\udc80"),
        "operation": lambda: client.operation(f"projects/{project}/operations/\udc80"),
        "classes: name 1": lambda: client.create_project(project, classes=["ham", "\udc80"]),
        "sources: name 0": lambda: client.predict(project, [[0]], sources=["\udc80"]),
        "items: name 0": lambda: client.upload_votes(project, [[0]], items=["\udc80"]),
    }
    for what, call in surrogates.items():
        with pytest.raises(ValueError, match=f"{what} is .* half of a surrogate pair"):
            await call()


async def test_a_project_that_exists_is_as_good_where_its_classes_are_the_same(client: Any, project: str) -> None:
    first = await client.create_project(project, classes=["ham", "spam"])
    assert await client.create_project(project, classes=("ham", "spam"), exist_ok=True) == first
    with pytest.raises(AlreadyExists, match="exists with the classes ham, spam"):
        await client.create_project(project, classes=["spam", "ham"], exist_ok=True)


async def test_predictions_are_those_of_the_library(client: Any, project: str) -> None:
    votes = random_votes(400)
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, votes, sources=SOURCES)
    await (await client.fit(project)).result()
    own = LabelModel(classes=["ham", "spam"]).fit(Votes.from_dense(votes, 2, sources=SOURCES))
    new = random_votes(5000, seed=1)
    few = await client.predict(project, new[:10])
    np.testing.assert_allclose(few, own.predict_proba(new[:10]), atol=1e-5)
    many = await client.predict(project, new)
    assert (many.shape, many.dtype) == ((5000, 2), np.float32)
    np.testing.assert_allclose(many, own.predict_proba(new), atol=1e-5)
    shuffled = await client.predict(project, new[:, [2, 0]], sources=[SOURCES[2], SOURCES[0]])
    silent = new.copy()
    silent[:, [1, 3]] = -1
    np.testing.assert_allclose(shuffled, own.predict_proba(silent), atol=1e-5)


async def test_a_stream_of_predictions_has_an_answer_for_each_chunk(client: Any, project: str) -> None:
    votes = random_votes(400)
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, votes, sources=SOURCES)
    model = await (await client.fit(project)).result()
    own = LabelModel(classes=["ham", "spam"]).fit(Votes.from_dense(votes, 2, sources=SOURCES))
    sizes = [1, 300, 5000, 2, *[700] * 20, 1]
    chunks = [random_votes(size, seed=size) for size in sizes]
    answers = [answer async for answer in client.predict_stream(project, iter(chunks))]
    assert [len(answer.labels) for answer in answers] == sizes
    assert [answer.row_offset for answer in answers] == [0, *np.cumsum(sizes)[:-1]]
    assert {answer.model for answer in answers} == {model.name}
    expected, labels = own.label(np.concatenate(chunks))
    np.testing.assert_allclose(np.concatenate([answer.probabilities for answer in answers]), expected, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([answer.labels for answer in answers]), labels)
    assert [answer async for answer in client.predict_stream(project, [])] == []


async def test_a_fit_can_be_cancelled_and_picked_up_by_name(client: Any, project: str) -> None:
    await client.create_project(project, classes=["ham", "spam"])
    await client.upload_votes(project, random_votes(200))
    fit = await client.fit(project)
    again = await client.operation(fit.name)
    model = await again.result(timeout=60)
    assert await fit.wait(timeout=10)
    assert (await fit.result()).name == model.name
    await fit.cancel()  # too late, which is not an error
    assert (await fit.result()).name == model.name


async def test_a_fit_that_runs_can_be_cancelled(client: Any, project: str) -> None:
    votes = np.random.default_rng(0).integers(-1, 5, size=(50_000, 40)).astype(np.int8)
    await client.create_project(project, classes=list("abcde"))
    await client.upload_votes(project, votes)
    fit = await client.fit(project, max_iter=100_000)
    loop, fitting = asyncio.get_running_loop(), asyncio.Event()

    def report(step: FitProgress) -> None:
        if step.stage is FitStage.FITTING:
            loop.call_soon_threadsafe(fitting.set)

    result = asyncio.create_task(fit.result(timeout=90, progress=report))
    await asyncio.wait_for(fitting.wait(), 60)
    await fit.cancel()
    with pytest.raises(Cancelled) as cancelled:
        await result
    assert cancelled.value.reason == "OPERATION_CANCELLED"
    assert await fit.done()
    assert [model async for model in client.list_models(project)] == []
    with pytest.raises(Cancelled):
        await (await client.operation(fit.name)).result()
    await client.delete_project(project)  # which is refused while a fit runs


async def test_a_closed_client_says_so(connect: Callable[..., Any], shared_server: Any) -> None:
    client = connect(shared_server.address)
    await client.wait_for_ready(20)
    await client.close()
    await client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        await client.get_project("spam")


async def test_a_server_that_is_not_there(connect: Callable[..., Any], project: str) -> None:
    client = connect("127.0.0.1:1", timeout=0.5, reconnect_timeout=0.3)
    with pytest.raises(Unavailable):
        await client.wait_for_ready(0.2)
    with pytest.raises(DeadlineExceeded):  # it was tried again until then
        await client.get_project(project)
    with pytest.raises(Unavailable):
        await client.read_votes(project)


async def test_many_callers_share_a_client(client: Any) -> None:
    names = [f"p-{uuid.uuid4().hex}" for _ in range(16)]

    async def job(name: str, seed: int) -> npt.NDArray[np.int8]:
        votes = random_votes(50, seed=seed)
        await client.create_project(name, classes=["a", "b"])
        await client.upload_votes(name, votes)
        np.testing.assert_array_equal((await client.read_votes(name)).votes, votes)
        return votes

    await asyncio.gather(*(job(name, seed) for seed, name in enumerate(names)))
