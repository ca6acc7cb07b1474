"""A correction of the soft labels of the votes alone, of the highest penalized likelihood.

Shapes: G items with gold, M sources, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from weaklabel.model.gold.correction import Correction, Inputs
from weaklabel.model.settings import Settings

MOST_ITERATIONS = 40


class Labels(NamedTuple):
    """Known labels of G items."""

    targets: NDArray[np.float64]
    """[G, K] distribution of each label: certain, or spread by how often labels are wrong. What a set is read as where
    one class has to stand for it: the soft label given the set."""
    weight: NDArray[np.float64]
    """[G] weight of each in the likelihood; they sum to the number of labels that they are worth."""
    offset: NDArray[np.float64]
    """[K] log-odds by which the labels are drawn unlike the items: zero where they are drawn at random."""
    sets: NDArray[np.bool_] | None = None
    """[G, K] the classes of items of which only a set is known, none of the others; None where all labels are known."""
    worth: NDArray[np.float64] | None = None
    """[G] what each says of what a label says; None for 1."""

    def part(self, chosen: NDArray[np.bool_]) -> Labels:
        """The labels of some items."""
        return self._replace(
            targets=self.targets[chosen],
            weight=self.weight[chosen],
            sets=None if self.sets is None else self.sets[chosen],
            worth=None if self.worth is None else self.worth[chosen],
        )

    def log_likelihood(self, log_p: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G] of the labels; of a set it is marginal, the log of the sum over its classes.

        Args:
            log_p: [G, K] log-probabilities of the classes.
        """
        exact = (self.targets * log_p).sum(1)
        if self.sets is None:
            return np.asarray(exact)
        return np.where(self._is_set(self.sets)[:, 0], self._inside(self.sets, log_p), exact)

    def expected(self, log_p: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G, K] distribution of each label given the probabilities, less which the gradient of the likelihood is."""
        if self.sets is None:
            return self.targets
        given = np.where(self.sets, np.exp(log_p - self._inside(self.sets, log_p)[:, None]), 0.0)
        return np.where(self._is_set(self.sets), given, self.targets)

    @staticmethod
    def _is_set(sets: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(sets.any(axis=1, keepdims=True))

    @classmethod
    def _inside(cls, sets: NDArray[np.bool_], log_p: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G] log-probability of each set; of all classes where there is none."""
        return np.asarray(logsumexp(np.where(sets | ~cls._is_set(sets), log_p, -np.inf), axis=1))


class Penalty(NamedTuple):
    """Variances of the Gaussian priors on what a correction may learn of sources."""

    trust: float
    """Of the log-odds that a source's vote adds to its class."""
    of_votes: float | None
    """Of those that each vote adds to all classes; None where there are none."""


def fit_correction(
    inputs: Inputs,
    labels: Labels,
    penalty: Penalty,
    settings: Settings,
    touched: NDArray[np.int32],
    start: Correction | None = None,
) -> Correction:
    """The correction of the highest penalized likelihood, by L-BFGS.

    Args:
        inputs: of G items.
        labels: of the same items.
        penalty: variances of the Gaussian priors.
        settings: constants.
        touched: columns of the votes for which anything can be learned.
        start: where to start; None for no correction.
    """
    from scipy.optimize import minimize  # only here: fits without gold need not wait for it

    problem = _Regression(inputs, labels, penalty, settings, touched)
    first = problem.parameters_of(start)
    found = minimize(
        problem.loss, first, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS, "ftol": 1e-6}
    )
    return problem.correction(found.x)


def own_matrix(votes: sp.csr_array[np.float64], n_sources: int, n_classes: int) -> sp.csr_array[np.float64]:
    """[G * K, M] each source's vote share of each class."""
    found = votes.tocoo()
    rows, columns = found.row.astype(np.int64) * n_classes + found.col % n_classes, found.col // n_classes
    return sp.csr_array((found.data, (rows, columns)), shape=(votes.shape[0] * n_classes, n_sources))


class _Regression:
    """The penalized negative log-likelihood as a function of one vector: power, bias, trust, and what votes add."""

    def __init__(
        self, inputs: Inputs, labels: Labels, penalty: Penalty, settings: Settings, touched: NDArray[np.int32]
    ) -> None:
        self._inputs, self._labels, self._touched = inputs, labels, touched
        self._n_classes = labels.targets.shape[1]
        self._n_sources = inputs.votes.shape[1] // self._n_classes
        # A bias is scaled rather than given a variance of its own: L-BFGS starts from steps of one size.
        self._scale = np.array([[settings.gold_bias_deviation], [1.0]])
        self._design = np.stack([np.ones(len(labels.weight)), inputs.fading], 1) * self._scale.T
        self._own = own_matrix(inputs.votes, self._n_sources, self._n_classes)
        self._seen: sp.csr_array[np.float64] | None = None
        if penalty.of_votes:
            self._seen = sp.hstack([inputs.votes[:, touched], sp.csr_array(inputs.log_shares)]).tocsr()
        self._n_seen = 0 if self._seen is None else self._seen.shape[1]
        self._ends = np.cumsum([1, 2 * self._n_classes, self._n_sources, self._n_seen * self._n_classes])
        self._deviations = np.concatenate(
            [
                [settings.gold_power_deviation],
                np.ones(2 * self._n_classes),
                np.full(self._n_sources, np.sqrt(penalty.trust)),
                np.full(self._n_seen * self._n_classes, np.sqrt(penalty.of_votes or 1.0)),
            ]
        )

    def loss(self, values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The value at a vector of parameters, and its gradient."""
        inputs, labels = self._inputs, self._labels
        weight = labels.weight[:, None]
        power, bias, trust, of_seen = self._parts(values)
        total = (1 + power) * inputs.log_odds + self._design @ bias + labels.offset
        total += np.asarray(self._own @ trust).reshape(-1, self._n_classes)
        if self._seen is not None:
            total += self._seen @ of_seen
        log_p = log_softmax(total, axis=1)
        slope = weight * (np.exp(log_p) - labels.expected(log_p))
        gradient = [
            [(slope * inputs.log_odds).sum()],
            (self._design.T @ slope).ravel(),
            self._own.T @ slope.ravel(),
            np.empty(0) if self._seen is None else (self._seen.T @ slope).ravel(),
        ]
        scaled = values / self._deviations
        value = -float(labels.weight @ labels.log_likelihood(log_p)) + 0.5 * float(scaled @ scaled)
        return value, np.concatenate(gradient) + scaled / self._deviations

    def parameters_of(self, start: Correction | None) -> NDArray[np.float64]:
        """The vector of a correction; zeros for none."""
        ends = self._ends
        values = np.zeros(ends[-1])
        if start is not None:
            values[0], values[ends[1] : ends[2]] = float(start.power) - 1, start.trust
            values[1 : ends[1]] = (start.bias / self._scale).ravel()
            if start.of_votes is not None and start.of_shares is not None:
                values[ends[2] :] = np.concatenate([start.of_votes[self._touched], start.of_shares]).ravel()
        return values

    def correction(self, values: NDArray[np.float64]) -> Correction:
        """The correction of a vector."""
        power, bias, trust, of_seen = self._parts(values)
        of_votes = of_shares = None
        if self._seen is not None:
            of_votes = np.zeros((self._n_sources * self._n_classes, self._n_classes))
            of_votes[self._touched], of_shares = of_seen[: -self._n_classes], of_seen[-self._n_classes :]
        return Correction(
            power=np.asarray(1 + power),
            bias=bias * self._scale,
            trust=trust,
            of_votes=of_votes,
            of_shares=of_shares,
        )

    def _parts(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        power, bias, trust, rest = np.split(values, self._ends[:3])
        return power[0], bias.reshape(2, self._n_classes), trust, rest.reshape(self._n_seen, self._n_classes)
