"""Accuracies within bounds: against a general optimiser, and closed forms."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, minimize

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.sources.bounds import bounded_confusion
from weaklabel.side_information.bounds import read_bounds

Real = NDArray[np.float64]
compiled = jax.jit(bounded_confusion)


def bounded(confusion: Any, class_balance: Any, low: Any, high: Any) -> Real:
    given = (jnp.asarray(part, jnp.float32) for part in (confusion, class_balance, low, high))
    return np.asarray(compiled(*given), np.float64)


def random_confusion(n_sources: int, n_classes: int, seed: int = 0) -> Real:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.dirichlet(np.ones(n_classes), (n_sources, n_classes)).swapaxes(1, 2))


def accuracies(confusion: Real, class_balance: Real) -> Real:
    return np.asarray((np.diagonal(confusion, axis1=1, axis2=2) * class_balance).sum(1))


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_accuracies_lie_within_their_bounds(n_classes: int) -> None:
    rng = np.random.default_rng(1)
    confusion, balance = random_confusion(200, n_classes), rng.dirichlet(np.ones(n_classes))
    low, high = np.sort(rng.uniform(0, 1, (2, 200)), axis=0)
    found = bounded(confusion, balance, low, high)
    accuracy = accuracies(found, balance)
    assert (accuracy >= low - 1e-5).all()
    assert (accuracy <= high + 1e-5).all()
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    before = accuracies(confusion, balance)
    inside = (before > low) & (before < high)
    assert 20 < inside.sum() < 180
    np.testing.assert_array_equal(found[inside], confusion[inside].astype(np.float32))
    np.testing.assert_allclose(accuracy[~inside], np.clip(before, low, high)[~inside], atol=1e-5)


@pytest.mark.parametrize("bound", [0.25, 0.85])
def test_it_is_the_maximum_of_the_m_step(bound: float) -> None:
    """Sequential quadratic programming on all cells, with the counts, the columns' sums and the accuracy."""
    rng = np.random.default_rng(2)
    counts = rng.gamma(2.0, 10.0, (3, 3)) + 20 * np.eye(3)
    shares = counts.sum(0) / counts.sum()
    columns = np.kron(np.ones(3), np.eye(3))  # cell (k, c) lies at 3 k + c

    def loss(cells: Real) -> float:
        return -float((counts.ravel() * np.log(cells)).sum() / counts.sum())

    right = LinearConstraint(np.diag(shares).ravel(), bound, bound)
    done = minimize(
        loss,
        np.full(9, 1 / 3),
        bounds=Bounds(1e-6, 1),
        constraints=[LinearConstraint(columns, 1, 1), right],
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert done.success
    assert (counts / counts.sum(0)).diagonal() @ shares != pytest.approx(bound, abs=0.1)
    low, high = ([bound], [1]) if bound > 0.5 else ([0], [bound])
    found = bounded((counts / counts.sum(0))[None], shares[None], low, high)[0]
    np.testing.assert_allclose(found, done.x.reshape(3, 3), atol=2e-4)


def test_symmetric_sources_are_clipped() -> None:
    """All diagonals alike stay alike, so that one accuracy per source is the special case."""
    confusion = np.array([[[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]]])
    found = bounded(confusion, [0.5, 0.3, 0.2], [0.9], [0.95])[0]
    np.testing.assert_allclose(found, 0.9 * np.eye(3) + 0.05 * (1 - np.eye(3)), atol=1e-5)


def test_errors_keep_their_proportions() -> None:
    confusion = random_confusion(5, 4, seed=3)
    found = bounded(confusion, np.full(4, 0.25), np.full(5, 0.9), np.ones(5))
    before, after = confusion.copy(), found.copy()
    for matrices in (before, after):
        matrices[:, range(4), range(4)] = 0
        matrices /= matrices.sum(1, keepdims=True)
    np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.0, 0.0), (0.5, 0.5), (0.999, 1.0), (0.0, 0.001)])
def test_bounds_and_matrices_at_the_edge(low: float, high: float) -> None:
    confusion = np.stack([np.eye(3), np.eye(3)[[1, 2, 0]], np.full((3, 3), 1 / 3)])
    found = bounded(confusion, [0.98, 0.02, 0.0], np.full(3, low), np.full(3, high))
    accuracy = accuracies(found, np.array([0.98, 0.02, 0.0]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert ((accuracy >= low - 1e-4) & (accuracy <= high + 1e-4)).all()


def test_sources_may_see_classes_in_shares_of_their_own() -> None:
    confusion = random_confusion(4, 2, seed=4)
    shares = np.random.default_rng(5).dirichlet([1, 1], 4)
    found = bounded(confusion, shares, np.full(4, 0.8), np.full(4, 0.8))
    np.testing.assert_allclose(accuracies(found, shares), 0.8, atol=1e-5)
    each = [bounded(confusion[m : m + 1], shares[m], [0.8], [0.8])[0] for m in range(4)]
    np.testing.assert_allclose(found, each, atol=1e-6)


def test_order_of_classes_does_not_matter() -> None:
    confusion, balance, classes = random_confusion(3, 4, seed=6), np.array([0.4, 0.3, 0.2, 0.1]), np.array([2, 0, 3, 1])
    low, high = np.full(3, 0.7), np.full(3, 0.9)
    permuted = bounded(confusion[:, classes][:, :, classes], balance[classes], low, high)
    np.testing.assert_allclose(permuted, bounded(confusion, balance, low, high)[:, classes][:, :, classes], atol=1e-5)


def test_bounds_are_read_by_name() -> None:
    bounds = read_bounds({"c": (0.8, 0.95), "a": (0, 0.5)}, ["a", "b", "c"])
    assert bounds is not None
    low, high = bounds.T
    np.testing.assert_allclose(low, [0, 0, 0.8])
    np.testing.assert_allclose(high, [0.5, 1, 0.95], rtol=1e-6)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"z": (0.5, 0.6)}, "there is no source 'z'"),
        ({"a": (0.6, 0.5)}, "bounds of source 'a' must be 0 <= low <= high <= 1"),
        ({"a": (-0.1, 0.5)}, "must be 0 <= low"),
        ({"a": (0.1, 80)}, "must be 0 <= low"),
        ({"a": (float("nan"), 1)}, "must be 0 <= low"),
        ({"a": 0.5}, "must be two numbers, low and high, got 0.5"),
        ({"a": (0.5,)}, "must be two numbers"),
    ],
)
def test_bounds_that_are_none_are_refused(bounds: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        read_bounds(bounds, ["a", "b"])
    assert caught.value.field == "bounds"
