"""From comparisons and gold to a fit: scores, independence, probabilities of the pairs, corrections."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.kinds.preferences.dependence import Independence, check_independence
from weaklabel.kinds.preferences.fitting import Answers, judge_answers
from weaklabel.kinds.preferences.gold import corrected, learn_from_gold, shares_of
from weaklabel.kinds.preferences.outcomes import outcome_probabilities
from weaklabel.kinds.preferences.posterior import Estimated, difference_of, estimate_scores, merged
from weaklabel.kinds.preferences.records import LEFT, TIE, Comparisons, Fitted
from weaklabel.kinds.preferences.settings import PreferenceSettings
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.gold.correction import Gold
from weaklabel.model.numerics.jax_settings import under_own_settings


class Job(NamedTuple):
    """How to fit."""

    settings: PreferenceSettings
    ties: bool
    max_iter: int
    tol: float
    seed: int
    progress: OnProgress | None = None


@under_own_settings
def train(
    comparisons: Comparisons,
    pairs: NDArray[np.int64],
    gold: tuple[NDArray[np.int64], NDArray[np.int8]] | None,
    job: Job,
) -> Fitted:
    """Fits the preference model; see `PreferenceModel.fit`.

    Args:
        comparisons: with a winner or a tie.
        pairs: [R, 2] of the input.
        gold: [G, 2] known pairs and [G] outcomes, the smaller item left.
        job: how.
    """
    some = merged(comparisons)
    check = check_independence(some, job.settings, ties=job.ties, seed=job.seed)
    held = _held(job.settings, check)
    fit = estimate_scores(
        some, held, ties=job.ties, max_iter=job.max_iter, tol=job.tol, seed=job.seed, progress=job.progress
    )
    answers = fit.state.answers
    if check.refuted > 0:  # the scores are those of judges who are alike; what each answers is told all the same
        answers = judge_answers(fit.data, fit.state, job.settings)
    every = np.sort(pairs, 1)
    if gold is not None:
        every = np.concatenate([every, gold[0]])
    n_items = len(some.item_names)
    every = np.stack(np.divmod(np.unique(every[:, 0] * n_items + every[:, 1]), n_items), 1)
    soft = _soft(fit, check, every, ties=job.ties)
    learned = None
    if gold is not None:
        shares = shares_of(some, every, soft.shape[1])
        known = np.searchsorted(every[:, 0] * n_items + every[:, 1], gold[0][:, 0] * n_items + gold[0][:, 1])
        learned = learn_from_gold(soft, shares, known, gold[1], job.seed)
        soft = corrected(soft, shares, learned)
    return _fitted(some, fit, answers, check, every, soft, learned, job)


def unseen_pairs(fitted: Fitted, pairs: NDArray[np.int64], *, ties: bool) -> NDArray[np.float64]:
    """[n, K] probabilities of pairs by scores alone, and by what gold has taught of these."""
    tie = float(fitted.typical_tie) if ties else None
    moments = difference_of(fitted.scores, fitted.variance, fitted.covariance, fitted.component, pairs)
    soft = outcome_probabilities(*moments, float(fitted.spread), float(fitted.doubt), tie)
    if fitted.gold is None:
        return soft
    empty = sp.csr_array((len(pairs), len(fitted.gold.best) * soft.shape[1]), dtype=np.float64)
    return corrected(soft, empty, fitted.gold)


def _held(settings: PreferenceSettings, check: Independence) -> PreferenceSettings:
    """Constants by which judges are the more alike, the surer it is that they err together.

    A skill would then be how far a judge follows the others' common error.
    """
    variance = settings.skill_variance * (1 - check.refuted) + 1e-3 * check.refuted
    mass = settings.judge_mass + 1e6 * check.refuted
    return settings._replace(skill_variance=variance, skill_mass=mass)


def _soft(fit: Estimated, check: Independence, pairs: NDArray[np.int64], *, ties: bool) -> NDArray[np.float64]:
    """[P, K] probabilities by the votes alone."""
    priors = fit.state.priors
    moments = difference_of(fit.mean, fit.variance, fit.covariance, fit.graph.component, pairs)
    return outcome_probabilities(*moments, float(priors.spread), check.doubt, float(priors.tie_mean) if ties else None)


def _fitted(
    comparisons: Comparisons,
    fit: Estimated,
    answers: Answers,
    check: Independence,
    pairs: NDArray[np.int64],
    soft: NDArray[np.float64],
    learned: Gold | None,
    job: Job,
) -> Fitted:
    n_items, n_judges = len(comparisons.item_names), len(comparisons.judge_names)
    n_iter = int(fit.state.iteration)
    of_judge = {name: np.asarray(value, np.float64)[:n_judges] for name, value in answers._asdict().items()}
    weight = comparisons.weight.astype(np.float64)
    of_item = _totals(comparisons.left, weight, n_items) + _totals(comparisons.right, weight, n_items)
    return Fitted(
        scores=fit.mean,
        variance=fit.variance,
        covariance=fit.covariance,
        component=fit.graph.component,
        n_comparisons=of_item,
        spread=np.asarray(fit.state.priors.spread, np.float64),
        skill=of_judge["skill"],
        skill_variance=of_judge["skill_variance"],
        bias=of_judge["bias"],
        bias_variance=of_judge["bias_variance"],
        tie=of_judge["tie"] if job.ties else np.zeros(n_judges),
        typical_tie=np.asarray(fit.state.priors.tie_mean if job.ties else 0.0, np.float64),
        n_judged=_totals(comparisons.judge, weight, n_judges),
        n_ordered=_totals(comparisons.judge, weight * (comparisons.first != 0), n_judges),
        accuracy=_accuracy(comparisons, pairs, soft),
        doubt=np.asarray(check.doubt),
        residual=np.asarray(check.residual),
        pairs=pairs,
        proba=soft,
        objective=np.asarray(fit.state.objective, np.float64)[:n_iter],
        converged=bool(fit.state.change <= job.tol),
        gold=learned,
    )


def _totals(places: NDArray[np.int32], weight: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(places, weight, size), np.float64)


def _accuracy(comparisons: Comparisons, pairs: NDArray[np.int64], soft: NDArray[np.float64]) -> NDArray[np.float64]:
    """[J] expected share of winners that are right, by the probabilities of the pairs; 1/2 of judges without any."""
    n_items, n_judges = len(comparisons.item_names), len(comparisons.judge_names)
    keys = pairs[:, 0] * n_items + pairs[:, 1]
    row = np.searchsorted(keys, comparisons.left.astype(np.int64) * n_items + comparisons.right)
    won = comparisons.outcome != TIE
    side = np.where(comparisons.outcome == LEFT, soft[row, 0], soft[row, 1])
    right = side + (soft[row, 2] / 2 if soft.shape[1] > 2 else 0)
    weight = comparisons.weight * won
    total = np.bincount(comparisons.judge, weight, n_judges)
    share = np.bincount(comparisons.judge, weight * right, n_judges) / np.maximum(total, 1e-9)
    return np.where(total > 0, share, 0.5)
