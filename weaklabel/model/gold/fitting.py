"""Learning from known labels: corrections of the soft labels of the votes alone, pooled by cross-validation.

Each correction is a ridge-penalized multinomial logistic regression (le Cessie and van Houwelingen 1992,
doi:10.2307/2347628) whose offset is the log-posterior of the votes alone, so that no label leaves them as they are. A
large correction sees every vote, a small one hardly more than whom to trust; beside them stands the source that is
right most often. The four are pooled linearly by their cross-validated likelihood (stacking, Wolpert 1992,
doi:10.1016/S0893-6080(05)80023-1; as posterior weights, Yao et al. 2018, doi:10.1214/17-BA1091).

Shapes: G items with gold, M sources, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from weaklabel.model.gold.correction import LEAST_PROBABILITY, Gold, Inputs, logits, own_classes
from weaklabel.model.gold.regression import Labels, Penalty, fit_correction, own_matrix
from weaklabel.model.settings import Settings

MOST_PARAMETERS = 2**20
"""Of the large correction; with more it is left out."""
FOLDS, FOLDS_OF_FEW, FEW = 5, 10, 20


def fit_gold(
    inputs: Inputs, labels: Labels, settings: Settings, seed: int, fold: NDArray[np.int64] | None = None
) -> Gold:
    """Corrections and their pool.

    Args:
        inputs: of the items with gold.
        labels: of the same items.
        settings: constants.
        seed: of the folds.
        fold: [G] number of each item's fold, where some must be together; None for those of `seed`.
    """
    n_items, n_classes = labels.targets.shape
    size = float(labels.weight.sum() if labels.worth is None else labels.weight @ labels.worth)
    touched = np.unique(inputs.votes.indices)
    fits_large = len(touched) * n_classes <= MOST_PARAMETERS
    small_penalty = Penalty(settings.gold_trust_variance, None)
    large_penalty = Penalty(settings.gold_trust_variance_large, settings.gold_vote_variance if fits_large else None)

    small = fit_correction(inputs, labels, small_penalty, settings, touched)
    large = fit_correction(inputs, labels, large_penalty, settings, touched)
    held_out = np.zeros(4)
    fold = _folds(labels.targets, seed) if fold is None else fold
    for number in range(fold.max() + 1):
        out = fold == number
        if out.all() or not out.any():
            continue
        left, tested = _part(inputs, ~out), _part(inputs, out)
        known, hidden = labels.part(~out), labels.part(out)
        experts = (
            tested.log_odds,
            logits(fit_correction(left, known, small_penalty, settings, touched, small), tested),
            logits(fit_correction(left, known, large_penalty, settings, touched, large), tested),
            own_classes(tested.votes, _best_source(left, known)),
        )
        for expert, log_odds in enumerate(experts):
            of_class = log_softmax(log_odds + labels.offset, axis=1)
            log_likelihood = np.maximum(of_class, np.log(LEAST_PROBABILITY))
            held_out[expert] += hidden.weight @ hidden.log_likelihood(log_likelihood)
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


def _best_source(inputs: Inputs, labels: Labels) -> NDArray[np.float64]:
    """[M] log-odds of the vote of the source that is right most often, zero for all others."""
    n_classes = labels.targets.shape[1]
    n_sources = inputs.votes.shape[1] // n_classes
    of_labels = labels.targets * labels.weight[:, None]
    own = own_matrix(inputs.votes, n_sources, n_classes)
    right = np.asarray(own.T @ of_labels.ravel())
    total = np.asarray(own.T @ np.repeat(labels.weight, n_classes))
    accuracy = (right + 1) / (total + 2)
    best = int(accuracy.argmax())
    found = np.zeros(n_sources)
    found[best] = np.log(accuracy[best] * (n_classes - 1) / (1 - accuracy[best]))
    return found
