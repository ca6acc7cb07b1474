"""Probabilities of outcomes: which of two items is better, and what a judge would answer.

What judges share beyond the truth looks like scores, and votes cannot tell it from them. With rho the correlation of
the judges' common scores with the true ones, and s the prior deviation of a difference,

    P(left is better | rho) = Phi(rho m / sqrt(rho^2 v + s^2 (1 - rho^2))),

m and v the mean and variance of the difference. Where judges err independently, rho is 1; where that is refuted or
cannot be tested, nothing is known of it: it is uniform in [0, 1].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

LEAST_DOUBT = 0.25
"""Weight of errors that judges share, where votes show none: they could not show those that all share."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NORMAL, _OF_NORMAL = np.polynomial.hermite_e.hermegauss(9)


def probability_of_better(
    mean: NDArray[np.float64], variance: NDArray[np.float64], spread: float, doubt: float
) -> NDArray[np.float64]:
    """[n] probability that left is better.

    Args:
        mean: [n] of the difference of scores.
        variance: [n] of it.
        spread: prior variance of a score.
        doubt: in [0, 1], that judges err independently.
    """
    independent = ndtr(mean / np.sqrt(variance))
    shared = np.zeros(len(mean))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        rho = (node + 1) / 2
        shared += weight / 2 * ndtr(rho * mean / np.sqrt(rho**2 * variance + 2 * spread * (1 - rho**2)))
    doubted = LEAST_DOUBT + (1 - LEAST_DOUBT) * doubt
    return np.asarray((1 - doubted) * independent + doubted * shared)


def outcome_probabilities(
    mean: NDArray[np.float64], variance: NDArray[np.float64], spread: float, doubt: float, tie: float | None
) -> NDArray[np.float64]:
    """[n, 2], or [n, 3] with the log-weight of a tie: left, right, tie."""
    better = probability_of_better(mean, variance, spread, doubt)
    sides = np.stack([better, 1 - better], 1)
    if tie is None:
        return sides
    tied = answer_probabilities(mean, variance, 1.0, 0.0, tie)[:, 2:]
    return np.hstack([sides * (1 - tied), tied])


def answer_probabilities(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    skill: NDArray[np.float64] | float,
    bias: NDArray[np.float64] | float,
    tie: NDArray[np.float64] | float | None,
) -> NDArray[np.float64]:
    """[n, 2 or 3] what a judge answers, over the posterior of the difference.

    Args:
        mean: [n] of the difference of scores.
        variance: [n] of it.
        skill: of the judge.
        bias: log-odds of the left item by its position.
        tie: log-weight of a tie; None for none.
    """
    total: NDArray[np.float64] = np.zeros((len(mean), 2 if tie is None else 3))
    for node, weight in zip(_NORMAL, _OF_NORMAL / _OF_NORMAL.sum(), strict=True):
        eta = skill * (mean + node * np.sqrt(variance)) + bias
        if tie is None:
            total += weight * np.stack([expit(eta), expit(-eta)], 1)
            continue
        logs = np.stack([eta / 2, -eta / 2, np.broadcast_to(tie, eta.shape)], 1)
        terms = np.exp(logs - logs.max(1, keepdims=True))
        total += weight * terms / terms.sum(1, keepdims=True)
    return total
