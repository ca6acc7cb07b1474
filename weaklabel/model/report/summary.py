"""What the soft labels of a fit's rows say: how far votes agree, how many are right."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.calibration.tempering import calibrate_rows, gather_evidence, soft_labels, tally_of
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.layout.protocol import Block, Layout
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.compute_once import materialized
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.prepare import Prepared
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.preparation.vote_counts import right_votes
from weaklabel.model.records import Rows, RowVotes
from weaklabel.model.report.agreement import Agreement, of_tally, of_votes
from weaklabel.model.settings import Settings


class RowSummary(NamedTuple):
    """What the soft labels of the rows of a fit say."""

    soft: NDArray[np.float32] | None
    """[U, K] soft labels; None where they were not to be kept, and nothing else needed them."""
    agreement: Agreement
    """Of the votes with each other, and with the soft labels."""
    right: NDArray[np.float64]
    """[M] expected number of right votes of each source, where all votes are for one class."""


def summarize_rows(
    prepared: Prepared, unique: UniqueRows, calibration: Calibration, settings: Settings, *, keep_soft: bool
) -> RowSummary:
    """Summary of the rows.

    Args:
        prepared: the rows on the device.
        unique: the same rows.
        calibration: of the fit.
        settings: constants.
        keep_soft: whether their soft labels are wanted.
    """
    rows, n_sources, mass = prepared.rows, unique.votes.n_sources, settings.share_prior_mass
    plain = unique.votes.is_plain
    if plain and rows.votes.layout.streams and not keep_soft:
        of_blocks, right = summarize_blocks(rows.votes.layout, rows.weight, calibration, mass, n_sources=n_sources)
        agreement = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64).sum(0), of_blocks)
        right = np.asarray(right, np.float64).sum(1)
        return RowSummary(soft=None, agreement=agreement, right=right)
    labels = calibrate_rows(rows, calibration, mass)
    soft = np.asarray(labels)[prepared.places]
    return RowSummary(
        soft=soft,
        agreement=of_votes(unique.votes, unique.weight.astype(np.float64), soft),
        right=right_votes(unique, soft, rows, prepared.places, labels) if plain else np.zeros(n_sources),
    )


@partial(compiled, static_argnames="n_sources")
def summarize_blocks(
    layout: Layout,
    weight: Float[Array, " U"],
    calibration: Calibration,
    share_prior_mass: float | Float[Array, ""],
    *,
    n_sources: int,
) -> tuple[Agreement, Float[Array, "M K"]]:
    """How far votes agree, and how often each vote of each source is right, by soft labels that are not kept.

    Args:
        layout: plain votes of rows that are streamed.
        weight: [U] how many items have each row.
        calibration: of the fit.
        share_prior_mass: pseudo-votes in the rows' vote shares.
        n_sources: M.

    Returns:
        The sums of each block, [U / B] and [U / B, K], and the number of right votes of all.
    """
    n_classes = calibration.labels.log_prior.shape[0]

    def rows_of(block: Layout) -> Rows:
        rows: Rows = build_rows(RowVotes(block), jnp.ones(block.n_rows), n_sources, n_classes, share_prior_mass)
        return rows

    def of_block(block: Block, so_far: tuple[Agreement, Array]) -> tuple[Agreement, Array]:
        votes, of_rows, (agreement, right) = block.layout, block.part(weight), so_far
        rows = rows_of(votes)
        evidence = gather_evidence(rows, calibration, share_prior_mass)
        soft = materialized(soft_labels(evidence, calibration))
        whole = rows_of(votes.unweighted()) if votes.is_weighted else rows
        tally = jnp.round(tally_of(whole, share_prior_mass))
        of_this = of_tally(tally, soft, of_rows, whole.n_votes)
        right += votes.own_counts(of_rows[:, None] * soft, n_sources)
        return jax.tree.map(lambda blocks, one: blocks.at[block.number].set(one), agreement, of_this), right

    of_blocks = jnp.zeros(layout.n_rows // layout.block_rows)
    agreement = Agreement(
        covered=of_blocks,
        joint=of_blocks,
        agreed=of_blocks,
        contradicted=of_blocks,
        shares=jnp.zeros((len(of_blocks), n_classes)),
        moved=of_blocks,
        gain=of_blocks,
    )
    return layout.fold_blocks(of_block, (agreement, jnp.zeros((n_sources, n_classes))))


def source_accuracy(
    prepared: Prepared,
    right: NDArray[np.float64],
    of_statistics: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.float64]:
    """[M] expected share of each source's votes that are right; the mean of all where it has none.

    Args:
        prepared: what EM started from.
        right: [M] number of right votes, where all are for one class; or
        of_statistics: number of right votes and of all votes, where they are not.
    """
    profile = prepared.profile
    total = np.asarray(profile.vote_counts, np.float64).sum(1)
    if of_statistics is not None:
        right, total = of_statistics
    overall = right.sum() / total.sum() if total.sum() else 1 / profile.vote_counts.shape[1]
    accuracy = np.asarray(np.where(total > 0, right / np.maximum(total, 1e-9), overall), np.float64)
    return accuracy if profile.bounds is None else np.clip(accuracy, *np.asarray(profile.bounds).T)
