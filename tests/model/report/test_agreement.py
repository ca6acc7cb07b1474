"""How far votes agree with each other and with the fit, against sums that are written out row by row."""

from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.model.layout import slots
from weaklabel.model.numerics.padding import single
from weaklabel.model.report.agreement import of_tally, of_votes

N_ROWS = 400


def rows_of(n_classes: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Votes [U, 4], weights [U] and soft labels [U, K], of which many are against votes that all agree."""
    rng = np.random.default_rng(3)
    votes = np.where(rng.random((N_ROWS, 4)) < 0.5, rng.integers(0, 2, (N_ROWS, 4)), -1)
    return votes, rng.integers(1, 4, N_ROWS).astype(float), rng.dirichlet(np.ones(n_classes), N_ROWS)


def by_enumeration(votes: NDArray[Any], weight: NDArray[Any], soft: NDArray[Any], n_classes: int) -> tuple[Any, ...]:
    covered = joint = agreed = contradicted = moved = gain = 0.0
    shares = np.zeros(n_classes)
    for row, of_row, probabilities in zip(votes, weight, soft, strict=True):
        label = probabilities.argmax()
        given = row[row >= 0]
        covered += of_row * (len(given) > 0)
        joint += of_row * (len(given) >= 3)
        same = len(given) >= 2 and len(set(given)) == 1
        agreed += of_row * same
        contradicted += of_row * (same and given[0] != label)
        np.add.at(shares, given, of_row / max(len(given), 1))
        if len(given):
            counts = np.bincount(given, minlength=n_classes)
            majority = (counts == counts.max()) / (counts == counts.max()).sum()
            moved += of_row * (1 - majority[label])
            gain += of_row * (probabilities[label] - majority @ probabilities)
    assert contradicted > 20
    return covered, joint, agreed, contradicted, shares, moved, gain


@pytest.mark.parametrize("n_classes", [3, 30])
def test_votes_on_the_host(n_classes: int) -> None:
    """Whether votes are counted class by class or, where classes are many, one by one."""
    votes, weight, soft = rows_of(n_classes)
    found = of_votes(Votes.from_dense(votes, n_classes), weight, soft.astype(np.float32))
    for one, expected in zip(tuple(found), by_enumeration(votes, weight, soft, n_classes), strict=True):
        np.testing.assert_allclose(np.asarray(one), expected, rtol=1e-5)


@pytest.mark.parametrize("n_classes", [3, 30])
def test_votes_on_the_device(n_classes: int) -> None:
    votes, weight, soft = rows_of(n_classes)
    tally = (votes[:, :, None] == np.arange(n_classes)).sum(1).astype(np.float32)
    found = jax.jit(of_tally)(*(single(value) for value in (tally, soft, weight, tally.sum(1))))
    for one, expected in zip(tuple(found), by_enumeration(votes, weight, soft, n_classes), strict=True):
        np.testing.assert_allclose(np.asarray(one), expected, rtol=1e-5)


@pytest.mark.parametrize(("n_classes", "with_copies"), [(3, True), (30, False)])
def test_diagnostics_of_sparse_votes(n_classes: int, with_copies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two liars agree where all others are silent; and copies, which share a vote's weight, are two votes here."""
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: False)
    monkeypatch.setattr(slots, "CACHED_CELLS", 1)  # small blocks
    rng = np.random.default_rng(2)
    accuracies = np.array([0.9, 0.9, 0.9, 0.9, 0.08, 0.08])
    truth = rng.integers(0, n_classes, 2000)
    wrong = (truth[:, None] + rng.integers(1, 2, (2000, 6))) % n_classes
    votes = np.where(rng.random((2000, 6)) < accuracies, truth[:, None], wrong)
    votes[rng.random(votes.shape) < 0.3] = -1
    votes[:200, :4] = -1
    if with_copies:
        votes = np.column_stack([votes, votes[:, 0]])
    items, sources = np.nonzero(votes >= 0)
    given = Votes.from_triples(
        items, sources, votes[items, sources], n_classes=n_classes, n_items=2000, n_sources=votes.shape[1]
    )
    model = LabelModel(n_classes).fit(given)
    assert bool(model.diagnostics.copies) or not with_copies
    soft = model.predict_proba(given)
    _, joint, agreed, contradicted, shares, *_ = by_enumeration(votes, np.ones(2000), soft, n_classes)
    found = model.diagnostics
    assert (found.joint_items, found.unanimous_items) == (joint, contradicted)
    assert found.unanimous_share == pytest.approx(contradicted / agreed)
    shift = np.abs(model.class_balance - shares / shares.sum()).sum() / 2
    assert found.balance_shift == pytest.approx(shift, abs=1e-5)
