"""Estimates with intervals and label errors over the wire: as the library gives them."""

import asyncio
import time
import uuid
from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel import analysis as library
from weaklabel.label_errors import label_errors
from weaklabel_client import (
    Estimate,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    one_of,
)
from weaklabel_client.aio import Client

CLASSES = ("ham", "spam", "ads")
SOURCES = ("links", "caps", "words", "model")
N = 400
pytestmark = pytest.mark.timeout(120)


def simulated() -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, N)
    votes = np.where(rng.random((N, 4)) < 0.75, truth[:, None], rng.integers(0, 3, (N, 4)))
    votes[rng.random(votes.shape) < 0.15] = -1
    return votes.astype(np.int8), truth


CODES, TRUTH = simulated()
IDS = [f"mail {row}" for row in range(N)]
KNOWN = np.random.default_rng(1).choice(N, 40, replace=False)
GOLD = np.full(N, -1)
GOLD[KNOWN] = TRUTH[KNOWN]
JUDGE = np.where(np.arange(N) % 3 == 0, np.random.default_rng(2).integers(0, 3, N), TRUTH)
JUDGE[::17] = -1
WEIGHT = np.where(GOLD >= 0, 1 + np.arange(N) % 4, 0.0)
VOTES = Votes.from_dense(CODES, n_classes=3, sources=SOURCES, items=IDS)


@pytest.fixture(scope="module")
def fitted(shared_server: Any) -> str:
    """A project with these votes, and a model of them that has seen no gold."""
    from weaklabel_client import Client

    project = f"estimated-{uuid.uuid4().hex[:8]}"  # a worker may come back to this file
    with Client(shared_server.address) as client:
        client.create_project(project, classes=CLASSES)
        client.upload_votes(project, CODES, sources=SOURCES, items=IDS)
        client.fit(project, seed=1).result(timeout=120)
    return project


def same(found: Any, expected: Any) -> bool:
    """Whether estimates agree in all fields, NaN included."""
    return np.allclose(np.hstack(astuple(found)), np.hstack(astuple(expected)), rtol=1e-12, equal_nan=True)


async def test_accuracy_of_a_model_a_source_and_somebody(client: Any, fitted: str) -> None:
    stored = await client.labels(fitted)
    source = await client.get_source(fitted, "caps")
    newest = await client.get_model(fitted)
    uploaded = await client.upload_side_data(fitted, "labels", JUDGE, items=IDS)
    assert uploaded.kind == "labels"
    for labels, own in (
        (None, stored.labels),
        (newest, stored.labels),
        ("caps", CODES[:, 1]),
        (source, CODES[:, 1]),
        (JUDGE, JUDGE),
        (uploaded, JUDGE),
        (dict(zip(IDS[:200], JUDGE[:200].tolist(), strict=True)), np.r_[JUDGE[:200], np.full(200, -1)]),
    ):
        found = await client.estimate_accuracy(fitted, GOLD, labels, items=IDS)
        expected = library.estimate_accuracy(own, stored.probabilities, GOLD)
        assert same(found, expected)
        assert (str(found), found.width) == (str(expected), expected.width)
    weighted = await client.estimate_accuracy(fitted, GOLD, JUDGE, gold_weight=WEIGHT, confidence=0.8, items=IDS)
    own = library.estimate_accuracy(JUDGE, stored.probabilities, GOLD, gold_weight=WEIGHT, confidence=0.8)
    assert same(weighted, own)
    assert weighted.n_labels < 40  # else weights would test nothing


async def test_difference_balance_and_rates(client: Any, fitted: str) -> None:
    stored = await client.labels(fitted)
    found = await client.estimate_difference(fitted, GOLD, None, JUDGE, items=IDS)
    assert same(found, library.estimate_difference(stored.labels, JUDGE, stored.probabilities, GOLD))
    found = await client.estimate_difference(fitted, GOLD, "caps", "words", items=IDS)
    assert same(found, library.estimate_difference(CODES[:, 1], CODES[:, 2], stored.probabilities, GOLD))
    shares = await client.estimate_balance(fitted, GOLD, items=IDS)
    expected = library.estimate_balance(stored.probabilities, GOLD)
    assert [same(one, own) for one, own in zip(shares, expected, strict=True)] == [True] * 3
    rates = await client.estimate_rates(fitted, GOLD, JUDGE, items=IDS)
    of_library = library.estimate_rates(JUDGE, stored.probabilities, GOLD)
    for one, own in zip(rates, of_library, strict=True):
        assert same(one.recall, own.recall)
        assert same(one.specificity, own.specificity)
        assert same(one.precision, own.precision)


async def test_labels_that_a_width_needs(client: Any, fitted: str) -> None:
    estimate = await client.estimate_accuracy(fitted, GOLD, JUDGE, items=IDS)
    stored = await client.labels(fitted)
    own = library.estimate_accuracy(JUDGE, stored.probabilities, GOLD)
    assert await client.labels_needed(fitted, estimate, 0.1) == library.labels_needed(own, 0.1) > 40
    with pytest.raises(InvalidArgument, match="width: width must be above 0, got 0"):
        await client.labels_needed(fitted, estimate, 0)
    without = Estimate(value=0.5, low=0, high=1, confidence=0.95, n_labels=0, gold_only=(0, 1), unexplained=1)
    with pytest.raises(InvalidArgument, match=r"estimate\.label_count: above 0, got 0"):
        await client.labels_needed(fitted, without, 0.1)


async def test_what_cannot_be_estimated(client: Any, fitted: str, project: str) -> None:
    with pytest.raises(InvalidArgument, match="gold: gold holds no label"):
        await client.estimate_accuracy(fitted, np.full(N, -1), items=IDS)
    with pytest.raises(InvalidArgument, match=r'labels.source: there is no source "nobody" in version 1'):
        await client.estimate_accuracy(fitted, GOLD, "nobody", items=IDS)
    with pytest.raises(InvalidArgument, match=r"row 3: 3 is outside -1\.\.2"):
        await client.estimate_accuracy(fitted, GOLD, np.arange(N) % 4, items=IDS)
    with pytest.raises(ValueError, match="confidence: above 0"):
        await client.estimate_balance(fitted, GOLD, confidence=0, items=IDS)
    with pytest.raises(FailedPrecondition, match="there is none above 0 for item"):
        await client.estimate_balance(fitted, GOLD, gold_weight=np.where(TRUTH == 0, 1.0, 0.0), items=IDS)
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, CODES, sources=SOURCES)
    await client.upload_votes(project, np.array([[one_of(0, 2)]] * N, object), sources=["several"])
    await (await client.fit(project)).result(timeout=100)
    with pytest.raises(FailedPrecondition, match=r'labels\.source: source "several" votes for several'):
        await client.estimate_accuracy(project, GOLD, "several")


async def test_labels_that_the_fit_has_seen_are_refused(client: Any, project: str) -> None:
    first, others = np.where(np.arange(N) < 200, GOLD, -1), np.where(np.arange(N) < 200, -1, GOLD)
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, CODES, sources=SOURCES)
    seen = await client.upload_side_data(project, "gold", first)
    await (await client.fit(project, gold=seen)).result(timeout=100)
    with pytest.raises(FailedPrecondition, match=f"has seen {(first >= 0).sum()} of the known labels") as caught:
        await client.estimate_accuracy(project, GOLD)
    assert caught.value.reason == "GOLD_SEEN"
    assert 0 < (await client.estimate_accuracy(project, others)).value < 1
    await client.delete_side_data(project, seen.name)
    with pytest.raises(FailedPrecondition, match="nobody knows what it has seen"):
        await client.estimate_accuracy(project, others)


LABELS = np.where(np.random.default_rng(9).random(N) < 0.1, (TRUTH + 1) % 3, TRUTH)
LABELS[::29] = -1


async def test_label_errors(client: Any, fitted: str) -> None:
    options: dict[str, Any] = {"gold": GOLD, "families": {"links": "a", "caps": "a"}, "seed": 3}
    found = await client.label_errors(fitted, LABELS, **options, items=IDS, timeout=100)
    expected = label_errors(VOTES, LABELS, classes=CLASSES, **options)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-5)
    np.testing.assert_array_equal(found.given, expected.given)
    np.testing.assert_array_equal(found.suggested, expected.suggested)
    assert found.n_expected == pytest.approx(expected.n_expected, rel=1e-5)
    assert [one._replace(probability=0) for one in found] == [one._replace(probability=0) for one in expected]
    assert repr(found) == repr(expected)
    assert found.expected_precision(5) == pytest.approx(expected.expected_precision(5), rel=1e-5)
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), rtol=1e-4)
    assert len(found) > 10  # else this would test little
    assert found.votes_version == 1


async def test_the_labels_of_a_source_have_no_vote(client: Any, fitted: str) -> None:
    found = await client.label_errors(fitted, "caps", timeout=100)
    others = VOTES.select_sources([one for one in SOURCES if one != "caps"])
    expected = label_errors(others, CODES[:, 1], classes=CLASSES)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-5)
    with pytest.raises(InvalidArgument, match=r"families\[0\]\.source: the labels are those of"):
        await client.label_errors(fitted, "caps", families={"caps": "a"})
    with pytest.raises(InvalidArgument, match=r"labels\.model: those of a model"):
        await client.label_errors(fitted, await client.get_model(fitted))
    with pytest.raises(InvalidArgument, match="labels: they hold no label"):
        await client.label_errors(fitted, np.full(N, -1), items=IDS)


async def test_what_takes_long_ends_with_its_call_and_keeps_nobody_waiting(shared_server: Any, project: str) -> None:
    """Forty fits after one another are cut off, and beside them short reports are made."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 10_000)
    codes = np.where(rng.random((10_000, 40)) < 0.7, truth[:, None], 1 - truth[:, None]).astype(np.int8)
    async with Client(shared_server.address) as client:
        await client.create_project(project, classes=["x", "y"])
        await client.upload_votes(project, codes)
        await (await client.fit(project, max_iter=2)).result(timeout=100)
        lasting = [asyncio.create_task(client.leave_one_source_out(project, timeout=2)) for _ in range(3)]
        await asyncio.sleep(0.3)
        begin = time.monotonic()
        assert (await client.krippendorff_alpha(project, n_bootstrap=0)).n_items == 10_000
        assert not any(one.done() for one in lasting)  # the third asks again, as it was told
        ends = await asyncio.gather(*lasting, return_exceptions=True)
        assert time.monotonic() - begin < 10
        assert [type(end).__name__ for end in ends].count("DeadlineExceeded") == 2
        refused = next(end for end in ends if isinstance(end, ResourceExhausted))
        assert refused.reason == "TOO_MANY_ANALYSES"


async def test_a_model_from_elsewhere_is_not_fitted_anew(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, CODES, sources=SOURCES)
    model = LabelModel(classes=CLASSES).fit(VOTES)
    await client.upload_model(project, model, votes_version=1)
    with pytest.raises(FailedPrecondition, match="the model was uploaded") as caught:
        await client.leave_one_source_out(project)
    assert caught.value.reason == "FIT_UNKNOWN"
    found = await client.leave_one_source_out(project, refit=False)
    assert str(found) == str(library.leave_one_source_out(VOTES, model, refit=False))
