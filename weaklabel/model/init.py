"""From votes to the data and the start of EM: anchors, copies, unipolar sources. On the host, in numpy; once a fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

from weaklabel.model.copies import copy_scores, vote_shares
from weaklabel.model.layout import MergedRows, bucket, lay_out
from weaklabel.model.params import Rows, Settings, Sources

NARROW_CONCENTRATION = 0.1
"""Dirichlet parameter, a class, of the votes of a source that uses part of the classes only."""
MIXING_ROUNDS = 50


class Prepared(NamedTuple):
    """What a fit starts from."""

    rows: Rows
    sources: Sources
    copies: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other."""
    hold: float
    """Share of the anchor in the responsibilities of ordinary rows."""


def prepare(merged: MergedRows, settings: Settings) -> Prepared:
    """The rows on the device, and what is known of the sources before EM.

    Args:
        merged: U distinct rows.
        settings: constants.
    """
    votes = merged.votes
    rows, sources, labels = votes.triples()
    n_sources, n_classes = votes.n_sources, votes.n_classes
    n_items = merged.weight[rows]
    vote_counts = _count(sources.astype(np.int64) * n_classes + labels, n_items, (n_sources, n_classes))
    precision = unipolarity(vote_counts)
    copies = copy_scores(votes, merged.weight.astype(np.float64), precision)
    shares = vote_shares(votes, copies)
    total = vote_counts.sum(1)
    independence = np.ones(n_sources)
    if shares is not None:
        independence = np.where(total > 0, _count(sources, n_items * shares, (n_sources,)) / np.maximum(total, 1), 1.0)
    once = total * independence
    mean_precision = float((precision * once).sum() / max(once.sum(), 1e-9))
    hold = (1 - mean_precision) * settings.hold_recall + mean_precision * settings.hold_precision
    gold_weight = (1 - mean_precision) * settings.gold_recall + mean_precision * settings.gold_precision
    prepared_rows = make_rows(merged, copies, settings.anchor_mass, hold=hold, gold_weight=gold_weight)
    n_votes = _count(sources, np.asarray(prepared_rows.weight)[rows], (n_sources,))
    known = (vote_counts, n_votes, precision, independence)
    return Prepared(prepared_rows, Sources(*(jnp.asarray(part, jnp.float32) for part in known)), copies, hold)


def make_rows(
    merged: MergedRows,
    copies: sp.csr_array[np.float64],
    anchor_mass: float,
    *,
    hold: float = 0.0,
    gold_weight: float = 1.0,
) -> Rows:
    """Vote rows on the device, padded, with their anchors.

    Args:
        merged: U distinct rows, with the label where it is known.
        copies: [M, M] as of `copy_scores`.
        anchor_mass: pseudo-votes in the anchors.
        hold: share of the anchor in the responsibilities of ordinary rows.
        gold_weight: weight of an item with a known label.
    """
    votes, gold = merged.votes, merged.gold
    n_rows, n_classes = bucket(votes.n_items), votes.n_classes
    shares = vote_shares(votes, copies)
    rows, _, labels = votes.triples()
    places = rows.astype(np.int64) * n_classes + labels
    tally = _count(places, shares, (n_rows, n_classes)).astype(np.float32)
    n_votes = tally.sum(1)
    anchor = (tally + anchor_mass / n_classes) / (n_votes + anchor_mass)[:, None]
    holds = np.where(n_votes > 0, hold, 1.0)
    weight = np.zeros(n_rows)
    weight[: votes.n_items] = merged.weight
    weight[n_votes == 0] = 0
    if gold is not None:
        known = np.flatnonzero(gold >= 0)
        # Gold is often drawn by class: it is weighed back to the balance that the votes show.
        balance = weight @ anchor + 1
        drawn = np.bincount(gold[known], merged.weight[known], minlength=n_classes)
        factor = np.clip(balance / balance.sum() / np.maximum(drawn / drawn.sum(), 1e-9), 0.1, 10)
        weight[known] = merged.weight[known] * gold_weight * factor[gold[known]]
        anchor[known] = np.eye(n_classes)[gold[known]]
        holds[known] = 1.0
    parts = (weight, n_votes, anchor, holds)
    return Rows(lay_out(votes, shares), *(jnp.asarray(part, jnp.float32) for part in parts))


def _count(places: NDArray[Any], weight: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Sum of the weights at each place of an array of some shape, places counted through."""
    return np.bincount(places, weight, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def unipolarity(vote_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How surely each source votes for part of the classes only.

    The posterior probability that a source's vote counts come from a Dirichlet-multinomial concentrated on few classes,
    against one around the shares of all votes, where the share of such sources is learned from them all; 0 up to even
    odds, then linear to 1.

    Args:
        vote_counts: [M, K] votes of each source for each class.

    Returns:
        [M] in [0, 1].
    """
    n_sources, n_classes = vote_counts.shape
    pooled = vote_counts.sum(0)
    shares = (pooled + 1) / (pooled.sum() + n_classes)
    narrow = _dirichlet_multinomial(vote_counts, np.full(n_classes, NARROW_CONCENTRATION))
    broad = _dirichlet_multinomial(vote_counts, n_classes * shares)
    log_odds = np.clip(narrow - broad, -50, 50)
    voting = vote_counts.sum(1) > 0
    mixing, posterior = 0.5, np.full(n_sources, 0.5)
    for _ in range(MIXING_ROUNDS):
        posterior = np.asarray(expit(log_odds + logit(mixing)))
        mixing = float(np.clip((posterior[voting].sum() + 1) / (voting.sum() + 2), 0.02, 0.98))
    return np.asarray(np.clip(2 * posterior - 1, 0, 1))


def _dirichlet_multinomial(counts: NDArray[np.float64], concentration: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] logarithm of the probability of counts in a given order."""
    total = concentration.sum()
    return np.asarray(
        gammaln(total)
        - gammaln(total + counts.sum(1))
        + (gammaln(concentration + counts) - gammaln(concentration)).sum(1)
    )
