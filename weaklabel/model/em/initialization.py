"""From votes to the data and the start of EM: anchors, copies, unipolar sources. Once a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

from weaklabel.model.em.rows import (
    anchored_log_groups,
    beside,
    count_votes,
    describe,
    mark_gold,
    share_totals,
)
from weaklabel.model.layout.choice import bucket, lay_out, lay_out_soft
from weaklabel.model.layout.deduplication import MergedRows
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.records import Rows, Sources
from weaklabel.model.settings import Settings
from weaklabel.model.side import Known
from weaklabel.model.sources.duplicates import copy_scores, with_families
from weaklabel.model.sources.imprecise import SetSymbols, information
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.symbols import Symbols

NARROW_CONCENTRATION = 0.1
"""Dirichlet parameter, a class, of the votes of a source that uses part of the classes only."""
MIXING_ROUNDS = 50
VOTES_ON_HOST = 2**18
"""Up to so many are counted there: for few, a program would take longer to compile."""


class Prepared(NamedTuple):
    """What a fit starts from."""

    rows: Rows
    """At `places`."""
    sources: Sources
    copies: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other."""
    mean_precision: float
    """See Sources."""
    hold: float
    """Share of the anchor in the responsibilities of ordinary rows."""
    gold_weights: Float[Array, " K"]
    """Weight of an item with each known label."""
    places: NDArray[np.int32]
    """[U] where each vote row is among `rows`: somewhere else where they go by blocks, longest first."""
    n_votes: NDArray[np.float32]
    """[U] number of votes of each vote row, copies counted once."""


def prepare(
    merged: MergedRows,
    settings: Settings,
    known: Known | None = None,
    bounds: Float[Array, "M 2"] | None = None,
    families: NDArray[np.int32] | None = None,
) -> Prepared:
    """The rows on the device, and what is known of the sources before EM.

    Args:
        merged: U distinct rows.
        settings: constants.
        known: side information on the rows.
        bounds: least and largest accuracy of each source.
        families: [M] number of each source's family, -1 for none.
    """
    votes, known = merged.votes, known or Known()
    size = {"n_sources": votes.n_sources, "n_classes": votes.n_classes}
    n_rows = bucket(votes.n_items)
    items, side = pad(merged.weight, n_rows), known.on_device(n_rows)
    sets = None if votes.is_plain else set_symbols(votes)
    layout, soft = lay_out(votes), lay_out_soft(votes)
    vote_counts = _counted(votes, merged.weight, lambda: count_votes(layout, items, soft, **size, sets=sets))
    whole = vote_counts.sum(1)
    if sets is not None:
        whole = np.asarray(share_totals(layout, items, soft, **size, sets=sets), np.float64)
    precision = unipolarity(vote_counts)
    copies = copy_scores(plain_part(votes, with_sets=True), merged.weight.astype(np.float64) / merged.scale, precision)
    if families is not None:
        copies = with_families(copies, families, settings.family_score)
    shared = whole
    if copies.nnz:
        layout, soft = lay_out(votes, copies), lay_out_soft(votes, copies)
        shared = np.asarray(share_totals(layout, items, soft, **size, sets=sets), np.float64)
    independence = np.where(whole > 0, shared / np.maximum(whole, 1e-9), 1.0)
    once = vote_counts.sum(1) * independence
    mean_precision = float((precision * once).sum() / max(once.sum(), 1e-9))
    hold = (1 - mean_precision) * settings.hold_recall + mean_precision * settings.hold_precision
    places = order = np.arange(n_rows, dtype=np.int32)
    if isinstance(layout, SparseLayout) and soft is None and side is None:
        places, order, layout = np.asarray(layout.places), np.asarray(layout.rows), layout.without_order()
        items = pad(merged.weight, n_rows, order=order)
    rows = describe(layout, items, **size, anchor_mass=settings.anchor_mass, hold=hold, sets=sets, soft=soft)
    gold_weights = _single(np.ones(votes.n_classes))
    if merged.gold is not None:
        weight = (1 - mean_precision) * settings.gold_recall + mean_precision * settings.gold_precision
        gold_weights = _gold_weights(rows, merged.weight, merged.gold, weight)
        rows = mark_gold(rows, items, pad(merged.gold, n_rows, -1, order), gold_weights)
    rows = rows if side is None else beside(rows, items, side, hold)
    n_votes = vote_counts.sum(1)
    if merged.gold is not None:
        of_rows = np.asarray(rows.weight)[places[: votes.n_items]]
        n_votes = _counted(votes, of_rows, lambda: count_votes(layout, rows.weight, soft, **size, sets=sets)).sum(1)
    anchored = np.asarray(rows.weight) @ np.asarray(rows.anchor) + 1
    log_anchored, of_groups = _single(np.log(anchored / anchored.sum())), None
    if known.group_names:
        of_groups = anchored_log_groups(rows, log_anchored, len(known.group_names), settings.group_mass)
    sources = Sources(
        _single(vote_counts),
        _single(n_votes),
        _single(precision),
        _single(independence),
        log_anchored,
        sets,
        bounds,
        None if sets is None else _single(np.clip(vote_counts.sum(1) / np.maximum(whole, 1e-9), 0, 1)),
        of_groups,
    )
    places = places[: votes.n_items]
    n_votes_of_rows = np.asarray(rows.n_votes)[places]
    return Prepared(rows, sources, copies, mean_precision, hold, gold_weights, places, n_votes_of_rows)


def _counted(votes: Votes, weight: NDArray[np.float32], on_device: Callable[[], Array]) -> NDArray[np.float64]:
    """[M, K] how often each source voted for each class, rows weighted; few plain votes are counted here."""
    if not votes.is_plain or votes.n_votes > VOTES_ON_HOST:
        return np.asarray(on_device(), np.float64)
    rows, sources, labels = votes.triples()
    place, shape = sources.astype(np.int64) * votes.n_classes + labels, (votes.n_sources, votes.n_classes)
    return np.asarray(np.bincount(place, weight[rows], shape[0] * shape[1]).reshape(shape), np.float64)


def set_symbols(votes: Votes) -> SetSymbols:
    """The candidate sets of the votes' codebook, on the device."""
    members = jnp.asarray(votes.symbols.sets, jnp.float32)
    return SetSymbols(members, information(members / members.sum(1, keepdims=True)))


def plain_part(votes: Votes, *, with_sets: bool = False) -> Votes:
    """Votes for one class: probability vectors by their most probable class, candidate sets left out unless wanted.

    For what is said about sources beside the fit: copies, intervals, diagnostics.
    """
    if votes.is_plain:
        return votes
    n_classes, symbols = votes.n_classes, votes.symbols
    meaning = np.full(n_classes + len(symbols), ABSTAIN, np.int64)
    meaning[:n_classes] = np.arange(n_classes)
    kept = Symbols.empty(n_classes)
    if with_sets:
        kept = Symbols(symbols.sets, kept.soft)
        meaning[n_classes : n_classes + len(symbols.sets)] = n_classes + np.arange(len(symbols.sets))
    meaning[n_classes + len(symbols.sets) :] = symbols.soft.argmax(1) if len(symbols.soft) else ABSTAIN
    if votes.is_sparse:
        rows, sources, labels = votes.triples()
        return Votes.from_triples(
            rows,
            sources,
            meaning[labels],
            n_classes=n_classes,
            n_items=votes.n_items,
            n_sources=votes.n_sources,
            source_names=votes.source_names,
            symbols=kept,
        )
    codes = votes.to_codes()
    codes = np.where(codes >= 0, meaning[codes], codes)
    return Votes.from_codes(codes, n_classes, sources=votes.source_names, symbols=kept)


def _gold_weights(rows: Rows, items: NDArray[np.float32], gold: NDArray[np.int32], weight: float) -> Array:
    """[K] weights: gold is often drawn by class, and is weighed back to the balance that the votes show."""
    known = np.flatnonzero(gold >= 0)
    n_classes = rows.anchor.shape[1]
    balance = np.asarray(rows.weight @ rows.anchor, np.float64) + 1
    drawn = np.bincount(gold[known], items[known], minlength=n_classes)
    factor = np.clip(balance / balance.sum() / np.maximum(drawn / drawn.sum(), 1e-9), 0.1, 10)
    return _single(weight * factor)


def _single(values: NDArray[np.floating[Any]]) -> Array:
    """In float32 on the device; converted here, since each conversion there is a program to compile."""
    on_device: Array = jax.device_put(values.astype(np.float32))
    return on_device


def pad(values: NDArray[Any], size: int, fill: int = 0, order: NDArray[np.int32] | None = None) -> Array:
    """Values [U] on the device, padded to [size], and then in an order if one is given."""
    padded = np.full(size, fill, values.dtype)
    padded[: len(values)] = values
    padded = padded if order is None else padded[order]
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
