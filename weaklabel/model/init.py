"""From votes to the data and the start of EM: anchors, unipolar sources. On the host, in numpy; once a fit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from weaklabel.model.layout import MergedRows, bucket, lay_out
from weaklabel.model.params import Rows, Settings, Sources

NARROW_CONCENTRATION = 0.1
"""Dirichlet parameter, a class, of the votes of a source that uses part of the classes only."""


def prepare(merged: MergedRows, settings: Settings) -> tuple[Rows, Sources]:
    """The rows on the device, and what is known of the sources before EM.

    Args:
        merged: U distinct rows.
        settings: constants.
    """
    votes = merged.votes
    rows, sources, labels = votes.triples()
    n_sources, n_classes = votes.n_sources, votes.n_classes
    flat = sources.astype(np.int64) * n_classes + labels
    shown = np.bincount(flat, merged.weight[rows], minlength=n_sources * n_classes).astype(np.float64)
    vote_counts = shown.reshape(n_sources, n_classes)
    known = Sources(
        jnp.asarray(vote_counts, jnp.float32),
        jnp.asarray(unipolarity(vote_counts), jnp.float32),
        jnp.ones(n_sources, jnp.float32),
    )
    return make_rows(merged, settings), known


def make_rows(merged: MergedRows, settings: Settings) -> Rows:
    """Vote rows on the device, padded, with their anchors."""
    votes = merged.votes
    n_rows, n_classes = bucket(votes.n_items), votes.n_classes
    tally = np.zeros((n_rows, n_classes), np.float32)
    tally[: votes.n_items] = votes.counts()
    n_votes = tally.sum(1)
    weight = np.zeros(n_rows, np.float32)
    weight[: votes.n_items] = merged.weight
    weight[n_votes == 0] = 0
    anchor = (tally + settings.anchor_mass / n_classes) / (n_votes + settings.anchor_mass)[:, None]
    return Rows(lay_out(votes), jnp.asarray(weight), jnp.asarray(n_votes), jnp.asarray(anchor))


def unipolarity(vote_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How surely each source votes for part of the classes only.

    The posterior probability that a source's vote counts come from a Dirichlet-multinomial concentrated on few classes,
    against one around the shares of all votes; 0 up to even odds, then linear to 1.

    Args:
        vote_counts: [M, K] votes of each source for each class.

    Returns:
        [M] in [0, 1].
    """
    n_classes = vote_counts.shape[1]
    pooled = vote_counts.sum(0)
    shares = (pooled + 1) / (pooled.sum() + n_classes)
    narrow = _dirichlet_multinomial(vote_counts, np.full(n_classes, NARROW_CONCENTRATION))
    broad = _dirichlet_multinomial(vote_counts, n_classes * shares)
    return np.asarray(np.clip(2 * expit(narrow - broad) - 1, 0, 1))


def _dirichlet_multinomial(counts: NDArray[np.float64], concentration: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] logarithm of the probability of counts in a given order."""
    total = concentration.sum()
    return np.asarray(
        gammaln(total)
        - gammaln(total + counts.sum(1))
        + (gammaln(concentration + counts) - gammaln(concentration)).sum(1)
    )
