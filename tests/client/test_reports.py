"""What the library says of a fitted model, over the wire: the same to the precision of float32."""

import uuid
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, source_summary
from weaklabel.analysis import evaluate, pairwise_agreement
from weaklabel_client import FailedPrecondition, InvalidArgument, NotFound, not_, one_of

CLASSES = ("ham", "spam", "ads")
SOURCES = ("links", "caps", "words", "short", "model")
N = 300
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 2e-6, "equal_nan": True}
pytestmark = pytest.mark.timeout(120)


def simulated() -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, N)
    votes = np.where(rng.random((N, 5)) < 0.7, truth[:, None], rng.integers(0, 3, (N, 5)))
    votes[rng.random(votes.shape) < 0.25] = -1
    votes[:2] = [[0, 1, -1, -1, -1], [-1, -1, -1, -1, -1]]
    return votes.astype(np.int8), truth


VOTES, TRUTH = simulated()
IDS = [f"mail {row}" for row in range(N)]
GOLD = np.where(np.arange(N) % 5 == 0, TRUTH, -1)


def library() -> tuple[Votes, LabelModel]:
    votes = Votes.from_dense(VOTES, n_classes=3, sources=SOURCES)
    return votes, LabelModel(classes=CLASSES, seed=4).fit(votes, gold=GOLD)


@pytest.fixture(scope="module")
def ours() -> tuple[Votes, LabelModel]:
    """The model that the library fits by itself."""
    return library()


@pytest.fixture(scope="module")
def fitted(shared_server: Any) -> str:
    """A project with the same votes and the same model on the server."""
    from weaklabel_client import Client

    project = f"reports-{uuid.uuid4().hex[:8]}"  # a worker may come back to this file
    with Client(shared_server.address) as client:
        client.create_project(project, classes=CLASSES)
        client.upload_votes(project, VOTES, sources=SOURCES, items=IDS)
        client.fit(project, gold=GOLD, items=IDS, seed=4).result(timeout=120)
    return project


async def test_labels_of_named_items(client: Any, fitted: str) -> None:
    whole = await client.labels(fitted)
    wanted = [IDS[place] for place in (7, 299, 0, 7)]
    some = await client.labels(fitted, items=wanted)
    assert some.items == tuple(wanted)
    np.testing.assert_array_equal(some.probabilities, whole.probabilities[[7, 299, 0, 7]])
    np.testing.assert_array_equal(some.labels, whole.labels[[7, 299, 0, 7]])
    by_place = await client.soft_labels(fitted, items=[299, 1])
    np.testing.assert_array_equal(by_place, whole.probabilities[[299, 1]])
    with pytest.raises(NotFound, match='item "nobody" is not among the 300 items of the model'):
        await client.labels(fitted, items=["mail 1", "nobody"])
    with pytest.raises(NotFound, match="position 300 is not among the 300 items"):
        await client.labels(fitted, items=[299, 300])
    with pytest.raises(ValueError, match="at place 1"):
        await client.labels(fitted, items=["mail 1", 2])


async def test_batches_hold_all_rows_in_order(client: Any, fitted: str) -> None:
    whole = await client.labels(fitted)
    batches = [batch async for batch in client.iter_soft_labels(fitted, batch_size=128)]
    assert [len(batch.labels) for batch in batches] == [128, 128, 44]
    assert [batch.row_offset for batch in batches] == [0, 128, 256]
    np.testing.assert_array_equal(np.concatenate([batch.probabilities for batch in batches]), whole.probabilities)
    assert [one for batch in batches for one in batch.items] == IDS
    named = [batch async for batch in client.iter_soft_labels(fitted, items=IDS[5:8], batch_size=2)]
    assert [batch.items for batch in named] == [("mail 5", "mail 6"), ("mail 7",)]


async def test_hard_labels_by_each_policy(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    _, model = ours
    tied = np.tile(VOTES[1:2], (40, 1))  # nobody votes: with gold classes differ, so the library tells what is tied
    for votes in (VOTES, tied):
        for policy in ("abstain", "random"):
            soft, labels = await client.label(fitted, votes, policy)
            expected = model.label(votes, policy)
            np.testing.assert_allclose(soft, expected[0], atol=2e-5)
            np.testing.assert_array_equal(labels, expected[1])
    _, drawn = await client.label(fitted, tied, "true-random")
    assert drawn.min() >= 0
    (chunk,) = [part async for part in client.predict_stream(fitted, [VOTES], tie_break_policy="random")]
    np.testing.assert_array_equal(chunk.labels, model.predict(VOTES, "random"))
    with pytest.raises(ValueError, match="tie_break_policy"):
        await client.label(fitted, VOTES, "first")


async def test_ties_are_decided_as_in_the_library(client: Any, project: str) -> None:
    votes = np.array([[0, 1], [1, 0], [0, 0], [1, 1]] * 10, np.int8)
    await client.create_project(project, classes=CLASSES[:2])
    await client.upload_votes(project, votes)
    await (await client.fit(project)).result(timeout=120)
    model = LabelModel(classes=CLASSES[:2]).fit(votes)
    abstaining = model.predict(votes)
    assert (abstaining == -1).any()  # else this would test nothing
    np.testing.assert_array_equal((await client.label(project, votes))[1], abstaining)
    np.testing.assert_array_equal((await client.label(project, votes, "random"))[1], model.predict(votes, "random"))
    _, truly = await client.label(project, votes, "true-random")
    assert set(truly[abstaining == -1]) == {0, 1}


async def test_votes_of_unseen_sources(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    _, model = ours
    names = ("caps", "newcomer", "words")
    votes = Votes.from_dense(VOTES[:, :3], n_classes=3, sources=names)
    with pytest.raises(InvalidArgument, match="newcomer"):
        await client.predict(fitted, VOTES[:, :3], sources=names)
    for unseen in ("ignore", "average"):
        expected = model.predict_proba(votes, unseen=unseen)
        found = await client.predict(fitted, VOTES[:, :3], sources=names, unseen=unseen)
        np.testing.assert_allclose(found, expected, atol=2e-5)
        chunks = client.predict_stream(fitted, [VOTES[:9, :3], VOTES[9:, :3]], sources=names, unseen=unseen)
        streamed = np.concatenate([chunk.probabilities async for chunk in chunks])
        np.testing.assert_allclose(streamed, expected, atol=2e-5)


async def test_explanations(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    votes, model = ours
    rows = [0, 1, 250]
    for found in (
        await client.explain(fitted, [IDS[row] for row in rows]),
        await client.explain(fitted, rows),
        await client.explain(fitted, votes=VOTES[rows]),
    ):
        for explanation, row in zip(found, rows, strict=True):
            expected = model.explain(votes, row)
            assert explanation.classes == CLASSES
            assert explanation.source_names == expected.source_names
            assert explanation.vote_texts == expected.vote_texts
            np.testing.assert_array_equal(explanation.votes, expected.votes)
            for name in ("prior", "sources", "vote_shares", "gold", "probabilities"):
                np.testing.assert_allclose(getattr(explanation, name), getattr(expected, name), rtol=2e-4, atol=2e-5)
    (one,) = await client.explain(fitted, "mail 0")
    total = one.prior + one.sources.sum(0) + one.vote_shares + one.gold
    np.testing.assert_allclose(np.exp(total) / np.exp(total).sum(), one.probabilities, atol=1e-5)
    assert len(await client.explain(fitted, range(70))) == 70  # more than fit into one call
    with pytest.raises(ValueError, match="either items"):
        await client.explain(fitted)


async def test_sets(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    votes, model = ours
    for coverage in (0.7, 0.9):
        expected = model.predict_set(votes, coverage)
        assert 0 < expected.mean() < 1
        np.testing.assert_array_equal(await client.predict_set(fitted, VOTES, coverage, timeout=120), expected)
    with pytest.raises(InvalidArgument, match="coverage: above 0 and below 1, got 1"):
        await client.predict_set(fitted, VOTES, 1.0)


async def test_sets_need_exact_gold(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES)
    await (await client.fit(project)).result(timeout=120)
    with pytest.raises(FailedPrecondition, match="fitted without") as caught:
        await client.predict_set(project, VOTES)
    assert caught.value.reason == "NO_EXACT_GOLD"


async def test_source_summary(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    votes, model = ours
    expected = source_summary(votes, GOLD, model)
    found = await client.source_summary(fitted, gold=GOLD, items=IDS, model="latest")
    assert found.sources == expected.sources
    assert found.polarity == expected.polarity
    for name in ("coverage", "overlaps", "conflicts", "errors", "correct", "incorrect", "empirical_accuracy"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **CLOSE)
    assert expected.learned_accuracy is not None
    np.testing.assert_allclose(found.learned_accuracy, expected.learned_accuracy, rtol=1e-4)
    plain = await client.source_summary(fitted, votes_version=1)
    assert (plain.correct, plain.empirical_accuracy, plain.learned_accuracy) == (None, None, None)
    assert plain.votes_version == 1


async def test_polarity_of_candidate_sets_and_agreement_without(client: Any, project: str) -> None:
    rows: list[list[Any]] = [[one_of(0, 2), 1], [not_(1), 0], [0, 2], [one_of(0, 2), -1], [-2, 1]]
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, np.array(rows, object))
    rows[-1][0] = -1  # the library's matrix of vote objects takes no failures
    expected = source_summary(Votes.from_dense(np.array(rows, object), n_classes=3))
    found = await client.source_summary(project)
    assert [tuple(map(repr, one)) for one in found.polarity] == [tuple(map(repr, one)) for one in expected.polarity]
    assert found.errors.tolist() == [1, 0]
    np.testing.assert_allclose(found.conflicts, expected.conflicts)
    with pytest.raises(FailedPrecondition, match="without candidate sets"):
        await client.pairwise_agreement(project)


async def test_agreement_and_effective_votes(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    votes, model = ours
    agreement, expected = await client.pairwise_agreement(fitted), pairwise_agreement(votes)
    assert agreement.sources == SOURCES
    np.testing.assert_array_equal(agreement.items, expected.items)
    np.testing.assert_allclose(agreement.raw, expected.raw, **CLOSE)
    np.testing.assert_allclose(agreement.kappa, expected.kappa, **CLOSE)

    families = {"links": "a", "caps": "a", "model": "b"}
    for options in ({}, {"gold": GOLD}):
        own = model.effective_votes(votes, **options, families=families)
        found = await client.effective_votes(fitted, **options, families=families, items=IDS if options else None)
        assert (found.by, found.n_items, found.n_sources, found.sources) == (
            own.by,
            own.n_items,
            own.n_sources,
            own.sources,
        )
        np.testing.assert_allclose(found.number, own.number, rtol=1e-4)
        np.testing.assert_allclose(found.interval, own.interval, rtol=1e-3)
        assert found.without == pytest.approx(own.without, rel=1e-4)
        assert found.families == pytest.approx(own.families, rel=1e-4)
        np.testing.assert_allclose(found.pairs, own.pairs, rtol=1e-3, atol=1e-5)
    with pytest.raises(InvalidArgument, match="nobody"):
        await client.effective_votes(fitted, families={"nobody": "a"})


async def test_confusion_matrices_and_diagnostics(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    _, model = ours
    found = await client.confusion_matrices(fitted)
    assert found.sources == model.source_names
    assert model.confusion_matrices is not None
    np.testing.assert_allclose(found.matrices, model.confusion_matrices, atol=2e-5)

    own, told = model.diagnostics, await client.diagnostics(fitted)
    assert [tuple(one) for one in told.findings] == [tuple(one) for one in own.findings]
    numbers: tuple[str, ...] = ("risk", "unanimous_items", "unanimous_share", "balance_shift", "views", "joint_items")
    numbers += ("doubt", "likelihood_gain", "excess_correlation", "votes_per_parameter", "converged")
    for name in numbers:
        assert getattr(told, name) == pytest.approx(getattr(own, name), rel=1e-3, abs=1e-5), name
    for name in ("worse_than_chance", "constant", "silent", "copies"):
        assert getattr(told, name) == getattr(own, name), name
    assert told.feature_strength is None
    assert told.model == (await client.get_model(fitted)).name


async def test_evaluation(client: Any, fitted: str, ours: tuple[Votes, LabelModel]) -> None:
    votes, model = ours
    held = np.where(GOLD >= 0, -1, TRUTH)
    expected = evaluate(await client.soft_labels(fitted), held, positive=1)
    scores = await client.evaluate(fitted, held, positive=1, items=IDS)
    assert tuple(scores) == pytest.approx(tuple(expected), rel=1e-6)
    assert await client.score(fitted, held, items=IDS) == model.score(votes, held)
    assert (await client.evaluate(fitted, held, items=IDS)).f1 is None
    with pytest.raises(InvalidArgument, match=r"positive: a class, 0\.\.2, got 3"):
        await client.evaluate(fitted, held, positive=3, items=IDS)


async def test_families_of_a_fit(client: Any, project: str) -> None:
    families = {"links": "a", "caps": "a"}
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES, sources=SOURCES)
    with pytest.raises(InvalidArgument, match="nobody"):
        await client.fit(project, families={"nobody": "a"})
    await (await client.fit(project, families=families)).result(timeout=120)
    votes = Votes.from_dense(VOTES, n_classes=3, sources=SOURCES)
    own = LabelModel(classes=CLASSES).fit(votes, families=families).predict_proba(votes)
    assert np.abs(own - LabelModel(classes=CLASSES).fit(votes).predict_proba(votes)).max() > 1e-3
    np.testing.assert_allclose(await client.soft_labels(project), own, atol=2e-5)


async def test_tables(client: Any, fitted: str) -> None:
    labels = await client.labels(fitted)
    frame = labels.to_pandas(CLASSES)
    assert list(frame.columns) == ["probability_ham", "probability_spam", "probability_ads", "label"]
    assert frame.index.tolist() == IDS
    np.testing.assert_array_equal(frame["probability_ads"], labels.probabilities[:, 2])
    assert labels.to_polars().columns == ["item", "probability_0", "probability_1", "probability_2", "label"]
    table = labels.to_arrow()
    assert table.column("item").to_pylist() == IDS
    assert str(table.schema.field("probability_1").type) == "float"
    np.testing.assert_array_equal(table.column("label").to_numpy(), labels.labels)
    summary = (await client.source_summary(fitted)).to_pandas(CLASSES)
    assert summary.index.tolist() == list(SOURCES)
    assert summary.loc["links", "polarity"] == "ham, spam, ads"
    assert (await client.read_votes(fitted)).to_polars().shape == (N, 6)
    with pytest.raises(ValueError, match="2 names for 3 classes"):
        labels.to_arrow(CLASSES[:2])
