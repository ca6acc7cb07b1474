"""Inspection of sources, and scores by name and by slices, over the wire: as the library gives them."""

import uuid
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel import analysis as library
from weaklabel_client import FailedPrecondition, InvalidArgument, NotFound, one_of

CLASSES = ("ham", "spam", "ads")
SOURCES = ("links", "caps", "words", "copy of words", "model")
N = 240
pytestmark = pytest.mark.timeout(120)


def simulated() -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    rng = np.random.default_rng(11)
    truth = rng.integers(0, 3, N)
    votes = np.where(rng.random((N, 5)) < [0.8, 0.7, 0.6, 0.6, 0.75], truth[:, None], rng.integers(0, 3, (N, 5)))
    votes[:, 3] = np.where(rng.random(N) < 0.95, votes[:, 2], votes[:, 3])
    votes[rng.random(votes.shape) < 0.2] = -1
    return votes.astype(np.int8), truth


CODES, TRUTH = simulated()
IDS = [f"mail {row}" for row in range(N)]
GOLD = np.where(np.arange(N) % 2 == 0, TRUTH, -1)
VOTES = Votes.from_dense(CODES, n_classes=3, sources=SOURCES, items=IDS)
LENGTH = pd.Series(np.random.default_rng(0).integers(1, 100, N).astype(float), IDS, name="length")
FRAME = pd.DataFrame({"length": LENGTH, "kind": np.tile(["b", "a", None], N // 3)}, IDS)


@pytest.fixture(scope="module")
def fitted(shared_server: Any) -> str:
    """A project with these votes, and a model of them."""
    from weaklabel_client import Client

    project = f"inspected-{uuid.uuid4().hex[:8]}"  # a worker may come back to this file
    with Client(shared_server.address) as client:
        client.create_project(project, classes=CLASSES)
        client.upload_votes(project, CODES, sources=SOURCES, items=IDS)
        client.fit(project, seed=2).result(timeout=120)
    return project


@pytest.fixture(scope="module")
def model() -> LabelModel:
    """The same model, fitted by the library."""
    return LabelModel(classes=CLASSES, seed=2).fit(VOTES)


def assert_same_frames(found: pd.DataFrame, expected: pd.DataFrame, atol: float = 2e-4) -> None:
    """Rows whose order turns on the last digit may trade places."""
    texts = [name for name in expected.columns if expected[name].dtype == object]
    found, expected = (one.sort_values(texts).reset_index(drop=True) for one in (found, expected))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, atol=atol, rtol=1e-3)


async def test_pairs(client: Any, fitted: str, model: LabelModel) -> None:
    found = await client.source_pairs(fitted)
    expected = library.source_pairs(VOTES, model)
    assert_same_frames(found.to_pandas(), expected.to_pandas())
    assert (found.first[0], found.second[0]) == (expected.first[0], expected.second[0]) == ("words", "copy of words")
    by_gold = await client.source_pairs(fitted, GOLD, items=IDS)
    assert by_gold.copies is None
    assert_same_frames(by_gold.to_pandas(), library.source_pairs(VOTES, GOLD).to_pandas(), 1e-6)
    assert by_gold.to_polars().columns == ["source", "other", "items", "agreement", "kappa", "error_correlation"]


async def test_frames_of_earlier_reports(client: Any, fitted: str) -> None:
    found = (await client.pairwise_agreement(fitted)).to_pandas()
    assert_same_frames(found, library.pairwise_agreement(VOTES).to_pandas(), 1e-6)
    found = (await client.effective_votes(fitted, GOLD, items=IDS)).to_pandas()
    assert_same_frames(found, library.effective_votes(VOTES, GOLD).to_pandas(), 1e-5)


async def test_confusions(client: Any, fitted: str, model: LabelModel) -> None:
    found = await client.source_confusions(fitted)
    expected = library.source_confusions(VOTES, model)
    assert (found.by, found.classes, found.sources) == ("soft labels", CLASSES, SOURCES)
    assert_same_frames(found.to_pandas(), expected.to_pandas(), 1e-2)  # counts of hundreds
    some = await client.source_confusions(fitted, GOLD, sources=["model", "caps"], items=IDS)
    by_gold = library.source_confusions(VOTES, GOLD, classes=CLASSES, sources=["model", "caps"])
    assert (some.by, some.sources) == ("gold", by_gold.sources)
    for name in ("counts", "rates", "low", "high"):
        np.testing.assert_allclose(getattr(some, name), getattr(by_gold, name), atol=1e-6)
    np.testing.assert_array_equal(some.of("caps"), some.rates[1])
    with pytest.raises(InvalidArgument, match=r'sources\[1\]: there is no source "nobody"'):
        await client.source_confusions(fitted, sources=["caps", "nobody"])


async def test_contested_items(client: Any, fitted: str, model: LabelModel) -> None:
    found = await client.contested_items(fitted, 30, model="latest")
    expected = library.contested_items(VOTES, model, 30)
    assert sorted(found.items) == sorted(expected.items)
    assert_same_frames(found.to_pandas(), expected.to_pandas())
    assert found.item_ids == tuple(IDS[place] for place in found.items)
    plain = await client.contested_items(fitted, n=7, votes_version=1)
    unweighed = library.contested_items(VOTES, n=7, classes=CLASSES)
    assert plain.probability is None
    pd.testing.assert_frame_equal(plain.to_pandas(), unweighed.to_pandas())
    with pytest.raises(InvalidArgument, match="item_limit: 1 to 10000, got 10001"):
        await client.contested_items(fitted, 10_001)
    with pytest.raises(ValueError, match="n: at least 1"):
        await client.contested_items(fitted, 0)


@pytest.mark.parametrize("by", [None, LENGTH, FRAME], ids=["classes", "numbers", "frame"])
async def test_where_a_source_is_wrong(client: Any, fitted: str, model: LabelModel, by: Any) -> None:
    found = await client.where_wrong(fitted, "caps", by=by, items=IDS)
    assert (found.source, found.by) == ("caps", "soft labels")
    assert_same_frames(found.to_pandas(), library.where_wrong(VOTES, "caps", model, by=by).to_pandas(), 2e-3)
    found = await client.where_wrong(fitted, "caps", GOLD, by=by, items=IDS)
    expected = library.where_wrong(VOTES, "caps", GOLD, by=by, classes=CLASSES)
    pd.testing.assert_frame_equal(found.to_pandas(), expected.to_pandas())


async def test_slices_that_are_none(client: Any, fitted: str) -> None:
    with pytest.raises(InvalidArgument, match='source: there is no source "nobody"'):
        await client.where_wrong(fitted, "nobody")
    with pytest.raises(ValueError, match="by: a value for each of the 240 items"):
        await client.where_wrong(fitted, "caps", by=[1, 2], items=IDS)
    with pytest.raises(ValueError, match="by: no item has a value"):
        await client.score_by(fitted, GOLD, {"mail 0": None}, items=IDS)
    gold = await client.upload_side_data(fitted, "gold", GOLD, items=IDS)
    with pytest.raises(
        InvalidArgument, match=r"by\.side_data: side data of kind groups or fields, this is of kind gold"
    ):
        await client.score_by(fitted, gold, gold)


async def test_without_a_source(client: Any, fitted: str, model: LabelModel) -> None:
    for refit in (True, False):
        options: dict[str, Any] = {"sources": ["links", "model"], "gold": GOLD, "refit": refit}
        found = await client.leave_one_source_out(fitted, **options, items=IDS, timeout=100)
        expected = library.leave_one_source_out(VOTES, model, **options)
        assert found.accuracy_with_all == pytest.approx(expected.accuracy_with_all)
        assert_same_frames(found.to_pandas(), expected.to_pandas())
        assert str(found) == str(expected)
    with pytest.raises(InvalidArgument, match=r'sources\[0\]: there is no source "nobody"'):
        await client.leave_one_source_out(fitted, sources=["nobody"])


async def test_agreement_beyond_chance(client: Any, fitted: str) -> None:
    for metric in ("nominal", "ordinal", "interval"):
        found = await client.krippendorff_alpha(fitted, metric, n_bootstrap=50, seed=3)
        expected = library.krippendorff_alpha(VOTES, metric, n_bootstrap=50, seed=3)
        assert asdict(found) == pytest.approx(asdict(expected))
        assert str(found) == str(expected)
    pd.testing.assert_frame_equal(found.to_pandas(), expected.to_pandas())
    without = await client.krippendorff_alpha(fitted, n_bootstrap=0)
    assert np.isnan([without.low, without.high]).all()
    with pytest.raises(FailedPrecondition, match="Fleiss' kappa needs the same number of votes") as caught:
        await client.fleiss_kappa(fitted)
    assert caught.value.reason == "VOTES_UNSUITABLE"
    with pytest.raises(InvalidArgument, match="bootstrap_draws: at most 10000"):
        await client.krippendorff_alpha(fitted, n_bootstrap=10_001)
    with pytest.raises(ValueError, match="confidence: above 0"):
        await client.krippendorff_alpha(fitted, confidence=1)


async def test_fleiss_kappa_and_votes_for_several_classes(client: Any, project: str) -> None:
    complete = np.maximum(CODES, 0)
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, complete, sources=SOURCES)
    found = await client.fleiss_kappa(project, n_bootstrap=20)
    assert asdict(found) == pytest.approx(asdict(library.fleiss_kappa(Votes.from_dense(complete, 3), n_bootstrap=20)))
    await client.upload_votes(project, np.array([[one_of(0, 2)]] * N, object), sources=["several"])
    for call in (client.krippendorff_alpha, client.contested_items):
        with pytest.raises(FailedPrecondition, match=r"for one class each|plain votes only"):
            await call(project)


async def test_scores_by_name(client: Any, fitted: str, model: LabelModel) -> None:
    metrics = ["accuracy", "f1_macro", "precision", "recall", "f1", "roc_auc", "nll", "brier", "ece"]
    found = await client.score(fitted, GOLD, metrics=metrics, positive="ads", items=IDS)
    assert found == pytest.approx(model.score(VOTES, GOLD, metrics=metrics, positive="ads"), rel=1e-3)
    assert await client.score(fitted, GOLD, "f1", positive=1, items=IDS) == pytest.approx(
        model.score(VOTES, GOLD, "f1", positive=1)
    )
    with pytest.raises(InvalidArgument, match="metrics must be of accuracy"):
        await client.score(fitted, GOLD, "F1", items=IDS)
    with pytest.raises(InvalidArgument, match="positive: 'f1' is that of one class"):
        await client.score(fitted, GOLD, "f1", items=IDS)
    with pytest.raises(InvalidArgument, match="positive: positive must be a class"):
        await client.score(fitted, GOLD, positive=3, items=IDS)
    with pytest.raises(ValueError, match="positive: a class"):
        await client.score(fitted, GOLD, positive="eggs", items=IDS)
    with pytest.raises(NotFound):
        await client.score(fitted, GOLD, items=IDS, model="none")


@pytest.mark.parametrize("by", [FRAME["kind"], FRAME], ids=["texts", "frame"])
async def test_scores_of_slices(client: Any, fitted: str, model: LabelModel, by: Any) -> None:
    found = await client.score_by(fitted, GOLD, by, metrics=["accuracy", "nll"], items=IDS)
    expected = model.score_by(VOTES, GOLD, by, metrics=["accuracy", "nll"])
    assert (found.columns, found.values) == (expected.columns, expected.values)
    pd.testing.assert_frame_equal(found.to_pandas(), expected.to_pandas(), rtol=1e-3)
    assert str(found).splitlines()[0] == str(expected).splitlines()[0]


async def test_slices_by_groups_that_are_there_already(client: Any, fitted: str, model: LabelModel) -> None:
    groups = np.tile(["x", "y"], N // 2)
    uploaded = await client.upload_side_data(fitted, "groups", groups, items=IDS)
    found = await client.score_by(fitted, GOLD, uploaded, metrics=["accuracy"], items=IDS)
    pd.testing.assert_frame_equal(
        found.to_pandas(), model.score_by(VOTES, GOLD, groups, metrics=["accuracy"]).to_pandas()
    )
