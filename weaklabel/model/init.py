"""From votes to the data and the start of EM: anchors, copies, unipolar sources. Once a fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

from weaklabel.model.copies import copy_scores
from weaklabel.model.layout import bucket, lay_out
from weaklabel.model.merge import MergedRows
from weaklabel.model.params import Rows, Settings, Sources
from weaklabel.model.rows import anchored_log_balance, count_votes, describe, mark_gold, mean_shares

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
    gold_weights: Float[Array, " K"]
    """Weight of an item with each known label."""


def prepare(merged: MergedRows, settings: Settings) -> Prepared:
    """The rows on the device, and what is known of the sources before EM.

    Args:
        merged: U distinct rows.
        settings: constants.
    """
    votes = merged.votes
    size = {"n_sources": votes.n_sources, "n_classes": votes.n_classes}
    items = pad(merged.weight, bucket(votes.n_items))
    layout = lay_out(votes)
    vote_counts = np.asarray(count_votes(layout, items, **size), np.float64)
    precision = unipolarity(vote_counts)
    copies = copy_scores(votes, merged.weight.astype(np.float64) / merged.scale, precision)
    if copies.nnz:
        layout = lay_out(votes, copies)
    independence = np.asarray(mean_shares(layout, items, **size), np.float64)
    once = vote_counts.sum(1) * independence
    mean_precision = float((precision * once).sum() / max(once.sum(), 1e-9))
    hold = (1 - mean_precision) * settings.hold_recall + mean_precision * settings.hold_precision
    rows = describe(layout, items, **size, anchor_mass=settings.anchor_mass, hold=hold)
    gold_weights = jnp.ones(votes.n_classes)
    if merged.gold is not None:
        weight = (1 - mean_precision) * settings.gold_recall + mean_precision * settings.gold_precision
        gold_weights = _gold_weights(rows, merged.weight, merged.gold, weight)
        rows = mark_gold(rows, items, pad(merged.gold, len(items), -1), gold_weights)
    n_votes = np.asarray(count_votes(layout, rows.weight, **size)).sum(1)
    known = (vote_counts, n_votes, precision, independence, anchored_log_balance(rows))
    return Prepared(rows, Sources(*(jnp.asarray(part, jnp.float32) for part in known)), copies, hold, gold_weights)


def _gold_weights(rows: Rows, items: NDArray[np.float32], gold: NDArray[np.int32], weight: float) -> Array:
    """[K] weights: gold is often drawn by class, and is weighed back to the balance that the votes show."""
    known = np.flatnonzero(gold >= 0)
    n_classes = rows.anchor.shape[1]
    balance = np.asarray(rows.weight @ rows.anchor, np.float64) + 1
    drawn = np.bincount(gold[known], items[known], minlength=n_classes)
    factor = np.clip(balance / balance.sum() / np.maximum(drawn / drawn.sum(), 1e-9), 0.1, 10)
    return jnp.asarray(weight * factor, jnp.float32)


def pad(values: NDArray[Any], size: int, fill: int = 0) -> Array:
    """Values [U] on the device, padded to [size]."""
    padded = np.full(size, fill, values.dtype)
    padded[: len(values)] = values
    on_device: Array = jax.device_put(padded)
    return on_device


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
