"""From votes to the data and the start of EM: anchors, copies, unipolar sources. On the host, in numpy; once a fit."""

from __future__ import annotations

from typing import NamedTuple

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


def prepare(merged: MergedRows, settings: Settings) -> Prepared:
    """The rows on the device, and what is known of the sources before EM.

    Args:
        merged: U distinct rows.
        settings: constants.
    """
    votes = merged.votes
    rows, sources, labels = votes.triples()
    n_sources, n_classes = votes.n_sources, votes.n_classes
    weight = merged.weight[rows]
    flat = sources.astype(np.int64) * n_classes + labels
    shown = np.bincount(flat, weight, minlength=n_sources * n_classes).astype(np.float64)
    vote_counts = shown.reshape(n_sources, n_classes)
    precision = unipolarity(vote_counts)
    copies = copy_scores(votes, merged.weight.astype(np.float64), precision)
    shares = vote_shares(votes, copies)
    n_votes = vote_counts.sum(1)
    independence = np.ones(n_sources)
    if shares is not None:
        shared = np.bincount(sources, weight * shares, minlength=n_sources)
        independence = np.where(n_votes > 0, shared / np.maximum(n_votes, 1), 1.0)
    known = Sources(*(jnp.asarray(part, jnp.float32) for part in (vote_counts, precision, independence)))
    mean_precision = float(known.mean_precision)
    hold = (1 - mean_precision) * settings.hold_recall + mean_precision * settings.hold_precision
    return Prepared(make_rows(merged, copies, settings, hold), known, copies)


def make_rows(merged: MergedRows, copies: sp.csr_array[np.float64], settings: Settings, hold: float = 0.0) -> Rows:
    """Vote rows on the device, padded, with their anchors.

    Args:
        merged: U distinct rows, with the label where it is known.
        copies: [M, M] as of `copy_scores`.
        settings: constants.
        hold: share of the anchor in the responsibilities of ordinary rows.
    """
    votes, gold = merged.votes, merged.gold
    n_rows, n_classes = bucket(votes.n_items), votes.n_classes
    shares = vote_shares(votes, copies)
    rows, _, labels = votes.triples()
    flat = rows.astype(np.int64) * n_classes + labels
    tally = np.bincount(flat, shares, minlength=n_rows * n_classes).reshape(n_rows, n_classes)
    n_votes = tally.sum(1)
    anchor = (tally + settings.anchor_mass / n_classes) / (n_votes + settings.anchor_mass)[:, None]
    holds = np.where(n_votes > 0, hold, 1.0)
    weight = np.zeros(n_rows)
    weight[: votes.n_items] = merged.weight
    silent = n_votes == 0
    if gold is not None:
        known = np.flatnonzero(gold >= 0)
        anchor[known] = np.eye(n_classes)[gold[known]]
        holds[known], silent[known] = 1.0, False
    weight[silent] = 0
    parts = (weight, n_votes, anchor, holds)
    return Rows(lay_out(votes, shares), *(jnp.asarray(part, jnp.float32) for part in parts))


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
