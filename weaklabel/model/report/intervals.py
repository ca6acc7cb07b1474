"""How well the accuracy of each source is known: intervals from the information that the votes hold.

The information about parameters whose labels are latent is the variance of the score under the observed data (Louis
1982, doi:10.1111/j.2517-6161.1982.tb01203.x): here, of the confusions and of the class balance, from which the variance
of an accuracy follows by the delta method; where confusions are many, of each source's accuracy in their place. The
bias of the vote-share prior is added to the variance. The interval is that of a Beta distribution with as many
observations as have the same variance.

All of this assumes that sources err independently: where votes refute that, the intervals are too narrow, and the
diagnostics say so.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import betaincinv

from weaklabel.model.em.e_step import posterior_of_votes
from weaklabel.model.em.estimate import Estimate
from weaklabel.model.layout.choice import Room, lay_out
from weaklabel.model.numerics.padding import bucket
from weaklabel.model.numerics.weighted_gram import filled_in, weighted_gram
from weaklabel.votes import Votes
from weaklabel.votes.conversion import plain_part

INTERVAL_LEVEL = 0.9
"""Probability that an interval covers the accuracy."""
MOST_ROWS = 20_000
"""More distinct rows than this are sampled."""
MOST_SOURCES = 2000
"""Above, sources are treated as if the others were known."""
MOST_CLASSES = 20
"""Above, the class balance is treated as if it were known."""
MOST_PARAMETERS = 40
"""Up to so many free confusions their whole information is computed; above, that of the accuracies alone, which with
many sources comes to the same."""
LEAST_INFORMATION = 1.0
"""About each parameter, beside the votes."""
LEAST_CONFUSION = 1e-3
"""Of a source: rarer ones count as so probable."""
SHARE_PRIOR_BIAS = 0.7
"""Share of the bias of the vote-share prior that is left after EM."""


def sampled_rows(n_rows: int) -> NDArray[np.intp]:
    """The rows that intervals are computed from: all, or a sample."""
    if n_rows <= MOST_ROWS:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(0).choice(n_rows, MOST_ROWS, replace=False))


def accuracy_intervals(
    votes: Votes,
    weight: NDArray[np.float64],
    posterior: NDArray[np.float32],
    share_prior: NDArray[np.float32],
    share_weight: float,
    prior_mass: float,
    reported: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[M, 2] equal-tailed interval of each source's accuracy.

    Args:
        votes: U rows, of `sampled_rows`.
        weight: [U] how many items each stands for.
        posterior: [U, K] untempered posterior of EM.
        share_prior: [U, K] smoothed vote shares.
        share_weight: weight of the vote-share prior in the responsibilities.
        prior_mass: pseudo-votes, in each class, behind the confusions that all sources share.
        reported: [M] accuracies, on which the intervals are centred.
    """
    n_sources, n_classes = votes.n_sources, votes.n_classes
    rows, sources, labels = votes.triples()
    of_class = posterior.astype(np.float64)
    whole = votes.n_items > 0 and 0 < n_sources * n_classes * (n_classes - 1) <= MOST_PARAMETERS
    right, items = of_class[rows, labels], weight[rows]
    n_votes = np.bincount(sources, items, minlength=n_sources)
    accuracy = np.bincount(sources, items * right, minlength=n_sources) + 0.5
    accuracy = np.clip(accuracy / (n_votes + 1), 1e-3, 1 - 1e-3)
    spread = accuracy * (1 - accuracy)
    score = (right - accuracy[sources]) / spread[sources]
    if whole:
        variance = np.minimum(_variance(votes, weight, of_class, prior_mass), spread / 2)
    elif n_sources <= MOST_SOURCES:
        ends = np.append(0, np.cumsum(np.bincount(rows, minlength=votes.n_items)))
        scores = sp.csr_array((score, sources, ends), shape=(votes.n_items, n_sources))
        information = weighted_gram(filled_in(scores), weight)
        if n_classes <= MOST_CLASSES:
            balance = np.clip((weight @ of_class + 1) / (weight.sum() + n_classes), 1e-6, 1)
            of_balance = of_class[:, :-1] / balance[:-1] - of_class[:, -1:] / balance[-1]
            weighted = weight[:, None] * of_balance
            of_both = scores.T @ weighted
            information = np.block([[information, of_both], [of_both.T, of_balance.T @ weighted]])
        information[np.diag_indices(n_sources)] += 2 / spread
        beyond = np.arange(n_sources, len(information))
        information[beyond, beyond] += 1
        variance = np.diag(np.linalg.inv(information))[:n_sources]
    else:
        variance = 1 / (np.bincount(sources, items * score**2, minlength=n_sources) + 2 / spread)
    of_prior = np.bincount(sources, items * share_prior[rows, labels], minlength=n_sources) / np.maximum(n_votes, 1e-9)
    missing = np.clip(variance * n_votes / spread, 1, 10)  # the less the votes tell, the more the prior does
    variance = variance + (SHARE_PRIOR_BIAS * share_weight * (of_prior - accuracy) * missing) ** 2
    return beta_interval(reported, np.minimum(np.maximum(spread / variance, 0.5), n_votes + 0.5))


def _variance(
    votes: Votes, weight: NDArray[np.float64], of_class: NDArray[np.float64], prior_mass: float
) -> NDArray[np.float64]:
    """[M] variance of the accuracies where whole confusion matrices and the class balance are estimated."""
    n_sources, n_classes = votes.n_sources, votes.n_classes
    rows, sources, labels = votes.triples()
    n_symbols = n_sources * n_classes
    shown = sp.csr_array((weight[rows], (sources * n_classes + labels, rows)), shape=(n_symbols, votes.n_items))
    counts = np.asarray(shown @ of_class).reshape(n_sources, n_classes, n_classes).swapaxes(1, 2)  # [M, K, K]
    shared = counts.sum(0) + 1 / n_classes
    shared /= shared.sum(1, keepdims=True)
    total = counts.sum(2)
    confusion = np.maximum((counts + prior_mass * shared) / (total + prior_mass)[..., None], LEAST_CONFUSION)
    of_prior = prior_mass * shared / confusion**2  # information of a Dirichlet distribution
    balance = np.clip((weight @ of_class + 1) / (weight.sum() + n_classes), 1e-6, 1)

    # The free parameters are the confusions of each class with the others: what they gain, the right vote loses.
    of_parameter, wrong = np.nonzero(~np.eye(n_classes, dtype=bool))
    n_free = len(wrong)
    codes = np.full((votes.n_items, n_sources), n_classes)
    codes[rows, sources] = labels
    scores = np.empty((votes.n_items, n_sources * n_free + n_classes - 1))
    prior_information = np.zeros((scores.shape[1], scores.shape[1]))
    for source in range(n_sources):
        at = slice(source * n_free, (source + 1) * n_free)
        of_vote = np.zeros((n_classes + 1, n_free))  # by the vote, the last of which is silence
        of_vote[wrong, np.arange(n_free)] = 1 / confusion[source][of_parameter, wrong]
        of_vote[of_parameter, np.arange(n_free)] = -1 / confusion[source][of_parameter, of_parameter]
        scores[:, at] = of_class[:, of_parameter] * of_vote[codes[:, source]]
        same_class = of_parameter[:, None] == of_parameter
        prior_information[at, at] = same_class * of_prior[source][of_parameter, of_parameter]
        prior_information[at, at] += np.diag(of_prior[source][of_parameter, wrong])
    scores[:, n_sources * n_free :] = of_class[:, :-1] / balance[:-1] - of_class[:, -1:] / balance[-1]
    prior_information[np.diag_indices(len(prior_information))] += LEAST_INFORMATION
    covariance = np.linalg.inv(scores.T @ (weight[:, None] * scores) + prior_information)

    share = (total + balance) / (total.sum(1, keepdims=True) + 1)  # [M, K] of the classes among a source's items
    right = np.einsum("mkk->mk", confusion)
    gradient = np.zeros((n_sources, len(covariance)))
    for source in range(n_sources):
        gradient[source, source * n_free : (source + 1) * n_free] = -share[source][of_parameter]
    gradient[:, n_sources * n_free :] = right[:, :-1] - right[:, -1:]
    return np.asarray(((gradient @ covariance) * gradient).sum(1))


def beta_interval(accuracy: NDArray[np.float64], observations: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, 2] equal-tailed intervals of Beta distributions with so many observations; they hold the accuracies [M]."""
    shape = (observations * accuracy + 0.5, observations * (1 - accuracy) + 0.5)
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = betaincinv(*shape, tail), betaincinv(*shape, 1 - tail)
    return np.stack([np.minimum(low, accuracy), np.maximum(high, accuracy)], axis=1)


def votes_worth(interval: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] number of observations whose interval is as wide."""
    middle = interval.mean(1).clip(0.02, 0.98)
    deviation = (interval[:, 1] - interval[:, 0]).clip(1e-6) / (2 * 1.645)
    return np.asarray((middle * (1 - middle) / deviation**2).clip(0.5))


def intervals_of(estimate: Estimate, reported: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, 2] intervals of the accuracies [M] of a fit's sources."""
    unique, prepared, state = estimate.unique, estimate.prepared, estimate.state
    rows, kept = prepared.rows, sampled_rows(unique.votes.n_items)
    at, weight = prepared.places[kept], unique.weight.astype(np.float64)
    votes = unique.votes if len(kept) == unique.votes.n_items else unique.votes.select_items(kept)
    share_prior, share_weight = np.asarray(rows.share_prior)[at], np.asarray(rows.share_weight)[at, None]
    if rows.votes.layout.streams:
        layout = lay_out(votes, prepared.copies, Room(bucket(len(kept)), 0))
        alone = np.asarray(posterior_of_votes(layout, state.params))[: len(kept)]
    else:  # all rows are watched: what the vote-share prior has added is taken out
        responsibilities = np.asarray(state.watched)[at]
        alone = (responsibilities - share_weight * share_prior) / np.maximum(1 - share_weight, 1e-6)
    of_class = np.where(share_weight < 1, np.clip(alone, 0, 1), share_prior)
    return accuracy_intervals(
        plain_part(votes),
        weight[kept] * (weight.sum() / max(weight[kept].sum(), 1e-9)),
        of_class.astype(np.float32),
        share_prior,
        prepared.independence.hold,
        float(prepared.profile.confusion_mass),
        reported,
    )
