"""Learning from known labels: corrections of the soft labels of the votes alone, pooled by cross-validation.

Each correction is a ridge-penalized multinomial logistic regression (le Cessie and van Houwelingen 1992,
doi:10.2307/2347628) whose offset is the log-posterior of the votes alone, so that no label leaves them as they are. A
large correction sees every vote, a small one hardly more than whom to trust; beside them stands the source that is
right most often. The four are pooled linearly by their cross-validated likelihood (stacking, Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1; as posterior weights, Yao et al. 2018, doi:10.1214/17-BA1091).

Shapes: G items with gold, M sources, K classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from weaklabel.model.gold.correction import LEAST_PROBABILITY, Correction, Gold, Inputs, logits, own_classes
from weaklabel.model.settings import Settings

MOST_ITERATIONS = 40
MOST_PARAMETERS = 2**20
"""Of the large correction; with more it is left out."""
FOLDS, FOLDS_OF_FEW, FEW = 5, 10, 20


class Labels(NamedTuple):
    """Known labels of G items."""

    targets: NDArray[np.float64]
    """[G, K] distribution of each label: certain, or spread by how often labels are wrong."""
    weight: NDArray[np.float64]
    """[G] weight of each in the likelihood; they sum to the number of labels that they are worth."""
    offset: NDArray[np.float64]
    """[K] log-odds by which the labels are drawn unlike the items: zero where they are drawn at random."""


class _Penalty(NamedTuple):
    trust: float
    of_votes: float | None


def fit_gold(inputs: Inputs, labels: Labels, settings: Settings, seed: int) -> Gold:
    """Corrections and their pool.

    Args:
        inputs: of the items with gold.
        labels: of the same items.
        settings: constants.
        seed: of the folds.
    """
    n_items, n_classes = labels.targets.shape
    size = float(labels.weight.sum())
    touched = np.unique(inputs.votes.indices)
    fits_large = len(touched) * n_classes <= MOST_PARAMETERS
    small_penalty = _Penalty(settings.gold_trust_variance, None)
    large_penalty = _Penalty(settings.gold_trust_variance_large, settings.gold_vote_variance if fits_large else None)

    small = _fit(inputs, labels, small_penalty, settings, touched)
    large = _fit(inputs, labels, large_penalty, settings, touched)
    held_out = np.zeros(4)
    fold = _folds(labels.targets, seed)
    for number in range(fold.max() + 1):
        out = fold == number
        if out.all() or not out.any():
            continue
        left, tested = _part(inputs, ~out), _part(inputs, out)
        known = labels._replace(targets=labels.targets[~out], weight=labels.weight[~out])
        experts = (
            tested.log_odds,
            logits(_fit(left, known, small_penalty, settings, touched, small), tested),
            logits(_fit(left, known, large_penalty, settings, touched, large), tested),
            own_classes(tested.votes, _best_source(left, known)),
        )
        for expert, log_odds in enumerate(experts):
            of_class = log_softmax(log_odds + labels.offset, axis=1)
            log_likelihood = np.maximum(of_class, np.log(LEAST_PROBABILITY))
            held_out[expert] += labels.weight[out] @ (labels.targets[out] * log_likelihood).sum(1)
    prior = np.array(
        [
            settings.gold_votes_mass * n_classes / (size + settings.gold_votes_mass * n_classes),
            1.0,
            size / (size + settings.gold_large_mass * n_classes),
            settings.gold_best_source,
        ]
    )
    pool = softmax(np.log(prior) + held_out / settings.gold_pool_temperature)
    return Gold(pool=pool, small=small, large=large, best=_best_source(inputs, labels), n_labels=np.asarray(n_items))


def _part(inputs: Inputs, chosen: NDArray[np.bool_]) -> Inputs:
    return Inputs(
        log_odds=inputs.log_odds[chosen],
        log_shares=inputs.log_shares[chosen],
        fading=inputs.fading[chosen],
        votes=inputs.votes[np.flatnonzero(chosen)],
    )


def _folds(targets: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """[G] number of each item's fold; classes are spread evenly over the folds."""
    n_items = len(targets)
    n_folds = min(FOLDS_OF_FEW if n_items <= FEW else FOLDS, n_items)
    shuffled = np.random.default_rng(seed).permutation(n_items)
    by_class = shuffled[np.argsort(targets.argmax(1)[shuffled], kind="stable")]
    fold = np.empty(n_items, np.int64)
    fold[by_class] = np.arange(n_items) % n_folds
    return fold


def _fit(
    inputs: Inputs,
    labels: Labels,
    penalty: _Penalty,
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
    n_classes, n_sources = labels.targets.shape[1], inputs.votes.shape[1] // labels.targets.shape[1]
    weight = labels.weight[:, None]
    scale = np.array([[settings.gold_bias_deviation], [1.0]])
    design = np.stack([np.ones(len(weight)), inputs.fading], 1) * scale.T
    own = _own_matrix(inputs.votes, n_sources, n_classes)
    seen = sp.hstack([inputs.votes[:, touched], sp.csr_array(inputs.log_shares)]).tocsr() if penalty.of_votes else None
    n_seen = 0 if seen is None else seen.shape[1]
    ends = np.cumsum([1, 2 * n_classes, n_sources, n_seen * n_classes])
    deviations = np.concatenate(
        [
            [settings.gold_power_deviation],
            np.ones(2 * n_classes),
            np.full(n_sources, np.sqrt(penalty.trust)),
            np.full(n_seen * n_classes, np.sqrt(penalty.of_votes or 1.0)),
        ]
    )

    def parts(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        power, bias, trust, rest = np.split(values, ends[:3])
        return power[0], bias.reshape(2, n_classes), trust, rest.reshape(n_seen, n_classes)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        power, bias, trust, of_seen = parts(values)
        total = (
            (1 + power) * inputs.log_odds
            + design @ bias
            + np.asarray(own @ trust).reshape(-1, n_classes)
            + labels.offset
        )
        if seen is not None:
            total = total + seen @ of_seen
        log_p = log_softmax(total, axis=1)
        slope = weight * (np.exp(log_p) - labels.targets)
        gradient = [
            [(slope * inputs.log_odds).sum()],
            (design.T @ slope).ravel(),
            own.T @ slope.ravel(),
            np.empty(0) if seen is None else (seen.T @ slope).ravel(),
        ]
        scaled = values / deviations
        value = -(weight * labels.targets * log_p).sum() + 0.5 * float(scaled @ scaled)
        return value, np.concatenate(gradient) + scaled / deviations

    first = np.zeros(ends[-1])
    if start is not None:
        first[0], first[ends[1] : ends[2]] = float(start.power) - 1, start.trust
        first[1 : ends[1]] = (start.bias / scale).ravel()
        if start.of_votes is not None and start.of_shares is not None:
            first[ends[2] :] = np.concatenate([start.of_votes[touched], start.of_shares]).ravel()
    from scipy.optimize import minimize  # only here: fits without gold need not wait for it

    found = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": MOST_ITERATIONS, "ftol": 1e-6}).x
    power, bias, trust, of_seen = parts(found)
    of_votes = of_shares = None
    if seen is not None:
        of_votes = np.zeros((n_sources * n_classes, n_classes))
        of_votes[touched], of_shares = of_seen[:-n_classes], of_seen[-n_classes:]
    return Correction(
        power=np.asarray(1 + power),
        bias=bias * scale,
        trust=trust,
        of_votes=of_votes,
        of_shares=of_shares,
    )


def _own_matrix(votes: sp.csr_array[np.float64], n_sources: int, n_classes: int) -> sp.csr_array[np.float64]:
    """[G * K, M] each source's vote share of each class."""
    found = votes.tocoo()
    rows, columns = found.row.astype(np.int64) * n_classes + found.col % n_classes, found.col // n_classes
    return sp.csr_array((found.data, (rows, columns)), shape=(votes.shape[0] * n_classes, n_sources))


def _best_source(inputs: Inputs, labels: Labels) -> NDArray[np.float64]:
    """[M] log-odds of the vote of the source that is right most often, zero for all others."""
    n_classes = labels.targets.shape[1]
    n_sources = inputs.votes.shape[1] // n_classes
    of_labels = labels.targets * labels.weight[:, None]
    own = _own_matrix(inputs.votes, n_sources, n_classes)
    right = np.asarray(own.T @ of_labels.ravel())
    total = np.asarray(own.T @ np.repeat(labels.weight, n_classes))
    accuracy = (right + 1) / (total + 2)
    best = int(accuracy.argmax())
    found = np.zeros(n_sources)
    found[best] = np.log(accuracy[best] * (n_classes - 1) / (1 - accuracy[best]))
    return found
