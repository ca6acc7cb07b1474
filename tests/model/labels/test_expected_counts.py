"""Bags that are too large to sum over: counts in expectation, against the exact posterior and a general optimiser."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from weaklabel.model.labels import bag_layout
from weaklabel.model.labels.bag_layout import lay_out_bags
from weaklabel.model.labels.bags import bag_posterior
from weaklabel.side_information.bags import Bags, check_bags, class_counts, proportions

Real = NDArray[np.float64]
compiled = jax.jit(bag_posterior)


def posterior(log_joint: Real, bags: Bags) -> tuple[Real, Real]:
    layout = lay_out_bags(check_bags(bags, *log_joint.shape), None, len(log_joint))
    found = compiled(jnp.asarray(log_joint, jnp.float32), layout)
    return np.asarray(found.probabilities, np.float64), np.asarray(found.log_marginal, np.float64)


@pytest.fixture
def no_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every bag were too large."""
    monkeypatch.setattr(bag_layout, "MOST_STATES", 0)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_counts_of_bags_with_too_many_states_hold_in_expectation(scale: float) -> None:
    rng = np.random.default_rng(0)
    log_joint, bag_of = rng.normal(0, scale, (160, 10)), np.repeat([0, 1], 80)
    counts = np.stack([np.full(10, 8), [71, 0, 1, 1, 1, 2, 2, 1, 1, 0]])
    layout = lay_out_bags(check_bags(class_counts(counts, bag_of=bag_of), 160, 10), None, 160)
    assert len(layout.expected) == 1
    p, log_marginal = posterior(log_joint, class_counts(counts, bag_of=bag_of))
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose([p[bag_of == b].sum(0) for b in (0, 1)], counts, atol=1e-3)
    assert (p[80:, 1] == 0).all()
    assert np.isfinite(log_marginal).all()


@pytest.mark.parametrize(("size", "error"), [(20, 0.05), (200, 0.005)])
def test_marginals_come_near_the_exact_ones_in_large_bags(
    size: int, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_joint = np.random.default_rng(1).normal(0, 1, (size, 2))
    bags = class_counts([int(0.6 * size), int(0.4 * size)], range(size))
    exact, log_marginal = posterior(log_joint, bags)
    monkeypatch.setattr(bag_layout, "MOST_STATES", 0)
    p, bound = posterior(log_joint, bags)
    assert 0 < np.abs(p - exact).max() < error
    # Stirling: the bound misses the logarithm of the probability of a count at its mean by log(2 pi variance) / 2.
    missed = np.log(2 * np.pi * (p[:, 0] * p[:, 1]).sum()) / 2
    np.testing.assert_allclose(bound.sum() - log_marginal.sum(), missed, atol=0.02)


@pytest.mark.usefixtures("no_sums")
@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_proportions_are_a_penalty_on_expected_counts(tolerance: float) -> None:
    """The dual by another optimiser, and the penalty at the solution."""
    log_joint = np.random.default_rng(2).normal(0, 2, (30, 3))
    shares = np.array([0.6, 0.1, 0.3])
    p, _ = posterior(log_joint, proportions(shares, range(30), tolerance=tolerance))
    variance = ((tolerance * 30) ** 2 + 1 / 12) * 3 / 2

    def dual(gain: Real) -> float:
        return float(logsumexp(log_joint + gain, axis=1).sum() - 30 * shares @ gain + variance * gain @ gain / 2)

    gain = minimize(dual, np.zeros(3), tol=1e-10).x
    expected = np.exp(log_joint + gain - logsumexp(log_joint + gain, axis=1, keepdims=True))
    np.testing.assert_allclose(p, expected, atol=1e-4)


@pytest.mark.usefixtures("no_sums")
def test_classes_without_counts_keep_their_odds() -> None:
    log_joint = np.random.default_rng(3).normal(0, 2, (40, 4))
    p, _ = posterior(log_joint, class_counts([None, 15, None, None], range(40)))
    np.testing.assert_allclose(p[:, 1].sum(), 15, atol=1e-3)
    np.testing.assert_allclose(np.log(p[:, 2] / p[:, 0]), log_joint[:, 2] - log_joint[:, 0], atol=1e-3)


@pytest.mark.usefixtures("no_sums")
def test_known_labels_count() -> None:
    log_joint = np.zeros((10, 2))
    log_joint[:3, 0] = -np.inf
    p, _ = posterior(log_joint, class_counts([6, 4], range(10)))
    np.testing.assert_allclose(p[:3, 1], 1)
    np.testing.assert_allclose(p[3:, 1], 1 / 7, atol=1e-4)
    p, _ = posterior(log_joint, class_counts([7, 3], range(10)))
    np.testing.assert_allclose(p[3:, 1], 0, atol=1e-3)


@pytest.mark.usefixtures("no_sums")
def test_surest_evidence_stays_finite() -> None:
    log_joint = np.random.default_rng(4).normal(0, 60, (60, 3))
    p, log_marginal = posterior(log_joint, class_counts([20, 30, 10], range(60)))
    np.testing.assert_allclose(p.sum(0), [20, 30, 10], atol=0.05)
    assert np.isfinite(log_marginal).all()
