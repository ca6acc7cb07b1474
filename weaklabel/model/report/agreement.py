"""How far the votes of a row agree with each other and with the fit, summed over rows: what diagnostics start from."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.calibration.decision import TIE, first_highest
from weaklabel.model.numerics import class_axis
from weaklabel.votes import Votes
from weaklabel.votes.counting import FEW_CLASSES

VIEWS = 3
"""Conditionally independent views that identify the parameters (Kruskal 1977, doi:10.1016/0024-3795(77)90069-6; Allman,
Matias and Rhodes 2009, doi:10.1214/09-AOS689)."""
CELLS_OF_A_BLOCK = 2**20
"""Rows x K that are compared with majority vote at a time."""


class Agreement(NamedTuple):
    """Sums of the weights of rows. Votes agree where there is a class that all of them speak for."""

    covered: NDArray[np.float64] | Array
    """[] rows with votes."""
    joint: NDArray[np.float64] | Array
    """[] rows with `VIEWS` votes or more."""
    agreed: NDArray[np.float64] | Array
    """[] rows with two votes or more that all agree."""
    contradicted: NDArray[np.float64] | Array
    """[] those of them whose votes do not all speak for the likeliest class."""
    shares: NDArray[np.float64] | Array
    """[K] votes for each class, those of a row shared out, to the extent that votes show a balance."""
    moved: NDArray[np.float64] | Array
    """[] covered rows whose hard label is not majority vote's; ties are shared: total variation distance of the two."""
    gain: NDArray[np.float64] | Array
    """[] right labels that hard labels are expected to have beyond majority vote's on covered rows, by soft labels."""


def of_votes(votes: Votes, weight: NDArray[np.float64], soft: NDArray[np.float32]) -> Agreement:
    """Sums over rows, on the host.

    Args:
        votes: U rows.
        weight: [U] how many items have the row.
        soft: [U, K] soft labels.
    """
    n_votes, unanimous, against, shares = _by_row(votes, weight, first_highest(soft))
    agreed = unanimous & (n_votes >= 2)
    moved, gain = _beyond_majority_vote(votes, weight, soft)

    def summed(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(rows @ weight, np.float64)

    return Agreement(
        covered=summed(n_votes > 0),
        joint=summed(n_votes >= VIEWS),
        agreed=summed(agreed),
        contradicted=summed(agreed & against),
        shares=shares,
        moved=moved,
        gain=gain,
    )


def of_tally(
    tally: Float[Array, "U K"], soft: Float[Array, "U K"], weight: Float[Array, " U"], n_votes: Float[Array, " U"]
) -> Agreement:
    """The same sums, of plain votes, on the device.

    Args:
        tally: [U, K] number of votes for each class.
        soft: [U, K] soft labels.
        weight: [U] how many items have the row.
        n_votes: [U] number of votes.
    """
    most, highest = class_axis.highest(tally), class_axis.highest(soft)
    agreed = (n_votes >= 2) & (most >= n_votes)
    has_most, is_likeliest = tally >= most[:, None], soft >= highest[:, None] - TIE
    of_most = jnp.where(has_most, soft, 0)
    n_most = class_axis.total(has_most.astype(soft.dtype))
    n_likeliest = class_axis.total(is_likeliest.astype(soft.dtype))
    in_both = class_axis.total((has_most & is_likeliest).astype(soft.dtype))
    of_covered = jnp.where(n_votes > 0, weight, 0)

    def summed(rows: Array) -> Array:
        return jnp.where(rows, weight, 0).sum()

    shares = class_axis.of_all_rows((weight / n_votes.clip(1))[:, None] * tally)
    contradicted = agreed & (class_axis.highest(of_most) < highest)
    return Agreement(
        covered=summed(n_votes > 0),
        joint=summed(n_votes >= VIEWS),
        agreed=summed(agreed),
        contradicted=summed(contradicted),
        shares=shares,
        moved=(of_covered * (1 - in_both / jnp.maximum(n_most, n_likeliest))).sum(),
        gain=(of_covered * (highest - class_axis.total(of_most) / n_most)).sum(),
    )


def _beyond_majority_vote(
    votes: Votes, weight: NDArray[np.float64], soft: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`Agreement.moved` and `Agreement.gain`."""
    moved = gain = np.zeros(())
    of_block = max(CELLS_OF_A_BLOCK // votes.n_classes, 1)
    for start in range(0, votes.n_items, of_block):
        rows = np.arange(start, min(start + of_block, votes.n_items))
        block = votes if len(rows) == votes.n_items else votes.select_items(rows)
        # [K, U]: numpy takes long to reduce over a short axis
        counts, p = np.ascontiguousarray(block.counts().T), np.ascontiguousarray(soft[rows].T, np.float64)
        most, highest = counts.max(0), p.max(0)
        has_most, is_likeliest = counts >= most - TIE, p >= highest - TIE
        n_most, in_both = has_most.sum(0), (has_most & is_likeliest).sum(0)
        of_covered = np.where(most > 0, weight[rows], 0)
        moved = moved + of_covered @ (1 - in_both / np.maximum(n_most, is_likeliest.sum(0)))
        gain = gain + of_covered @ (highest - (p * has_most).sum(0) / n_most)
    return np.asarray(moved), np.asarray(gain)


class _OfRows(NamedTuple):
    """How far the votes of each row agree."""

    n_votes: NDArray[np.int64]
    """[U]"""
    unanimous: NDArray[np.bool_]
    """[U] all votes agree."""
    against: NDArray[np.bool_]
    """[U] not all votes speak for the likeliest class."""
    shares: NDArray[np.float64]
    """[K] see `Agreement`."""


def _by_row(votes: Votes, weight: NDArray[np.float64], likeliest: NDArray[np.int32]) -> _OfRows:
    if votes.is_plain and votes.n_classes > FEW_CLASSES:
        return _by_vote(votes, weight, likeliest)
    if votes.is_plain:
        counts = np.ascontiguousarray(votes.counts().T)  # numpy takes long to reduce over a short axis
        n_votes = counts.sum(0)
        shares = (counts * (weight / np.maximum(n_votes, 1))).sum(1)
        likeliest_has = np.choose(likeliest, counts)
        return _OfRows(n_votes, counts.max(0) == n_votes, likeliest_has < n_votes, shares)
    rows, _, labels = votes.triples()
    n_votes = np.bincount(rows, minlength=votes.n_items)
    n_symbols = votes.n_classes + len(votes.symbols)
    shown = sp.csr_array((np.ones(len(rows)), (rows, labels)), shape=(votes.n_items, n_symbols))
    meaning = votes.symbols.distributions()
    meaning[votes.n_classes : votes.n_classes + len(votes.symbols.sets)] = 0  # sets show no balance of their own
    supports = sp.csr_array(votes.symbols.supports().astype(float))
    allowed, shared = shown @ supports, shown @ sp.csr_array(meaning.astype(float))
    shares = np.asarray((weight / np.maximum(np.asarray(shared.sum(axis=1)).ravel(), 1)) @ shared)
    most = np.asarray(allowed.max(axis=1).toarray()).ravel()
    likeliest_has = np.asarray(allowed[np.arange(len(likeliest)), likeliest]).ravel()
    return _OfRows(n_votes, most == n_votes, likeliest_has < n_votes, shares)


def _by_vote(votes: Votes, weight: NDArray[np.float64], likeliest: NDArray[np.int32]) -> _OfRows:
    rows, _, labels = votes.triples()
    n_votes = np.bincount(rows, minlength=votes.n_items)
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    unanimous, against = n_votes == 0, n_votes > 0
    if len(starts):
        voting, lowest = rows[starts], np.minimum.reduceat(labels, starts)
        unanimous[voting] = lowest == np.maximum.reduceat(labels, starts)
        against[voting] = ~unanimous[voting] | (lowest != likeliest[voting])
    of_vote = (weight / np.maximum(n_votes, 1))[rows]
    shares = np.asarray(np.bincount(labels, of_vote, votes.n_classes), np.float64)
    return _OfRows(n_votes, unanimous, against, shares)
