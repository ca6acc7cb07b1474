"""Read-out: from evidence to calibrated soft labels, and to the class that is called.

The posterior of a model whose sources are independent is too sure where they are not. So the evidence of one vote is
bounded, n votes count for less than n by the correlation of their errors, and a share of the vote shares and of the
uniform distribution is mixed in; all of it as far as errors are seen to be correlated, or cannot be seen not to be.

The call is another question than the probability. It pools the untempered posterior with the vote shares, which changes
items on which the model is not sure; and on items without votes, whose soft label is uniform, it listens to the class
balance and to the silence of unipolar sources.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from weaklabel.model.em.e_step import added, constrained, row_evidence, row_prior
from weaklabel.model.em.rows import describe, in_bags
from weaklabel.model.layout.choice import AnyLayout
from weaklabel.model.layout.dense import DenseLayout
from weaklabel.model.layout.sparse import SparseBlock, SparseLayout
from weaklabel.model.numerics import class_axis
from weaklabel.model.numerics.compute_once import kept
from weaklabel.model.records import Params, ReadOut, Rows, Side, Sources
from weaklabel.model.report.agreement import Agreement, of_tally
from weaklabel.model.settings import Settings


def make_read_out(
    params: Params,
    sources: Sources,
    settings: Settings,
    *,
    correlation: float,
    votes_by_class: NDArray[np.float32] | None,
    n_uncovered: float,
    n_checked: float,
) -> ReadOut:
    """The read-out of a fit.

    Args:
        params: what EM estimated.
        sources: what is known of the sources.
        settings: constants.
        correlation: excess correlation of errors, see weaklabel.model.calibration.dependence.
        votes_by_class: [M, K] how often each source is expected to have voted in each class; None without confusion
            matrices.
        n_uncovered: number of items without votes.
        n_checked: number of votes on items with three votes or more, copies counted once.
    """
    # On the host: what is small would take longer to compile than to compute.
    params, sources = jax.tree.map(np.asarray, (params, sources))
    voting = np.where(sources.vote_counts.sum(1) > 0, sources.independence, 0)
    n_told = float(voting.sum() if sources.information is None else (voting * sources.information).sum())
    precision, n_sources = float(sources.mean_precision), max(float(voting.sum()), 1.0)
    n_classes = sources.vote_counts.shape[1]
    doubt = untestable(n_sources, n_classes)
    beyond = max(correlation - settings.correlation_ignored, 0.0)
    seen = max(float(np.clip(beyond / settings.correlation_full, settings.least_safeguard, 1)), doubt)
    safeguard = (1 - precision) * seen + precision
    few = settings.correlation_few / n_sources
    assumed = safeguard * (settings.correlation_base + few) + settings.correlation_gain * beyond
    bound = (1 - precision) * settings.bound_recall + precision * settings.bound_precision
    hold = (1 - precision) * settings.hold_recall + precision * settings.hold_precision
    pool = (1 - precision) * settings.call_anchor_recall * (
        1 + safeguard
    ) / 2 + precision * settings.call_anchor_precision
    sharpness = 1 - precision + precision * settings.sharpen_precision
    sharpness /= 1 + (1 - precision) * settings.untestable * doubt
    correlated = settings.prior_correlated * safeguard * (1 - precision)
    log_balance = np.asarray(np.log(params.class_totals / params.class_totals.sum()))
    # As weaklabel.model.em.m_step.tempered_prior in EM, with a power of its own.
    log_prior = (1 - precision) * log_balance + precision * settings.prior_precision_read * sources.log_anchored
    # Too few votes that others check: nothing is known of the sources, and the call is that of majority vote.
    unchecked = n_checked / max(n_told, 1.0) / n_classes < settings.call_checked_votes
    if unchecked and precision > 0.5:
        uncovered = np.full(n_classes, 1 / n_classes)
    else:
        uncovered = _uncovered_call(params, sources, settings, precision, votes_by_class, n_uncovered)
    return ReadOut(
        evidence=jnp.asarray(_bounded(params, bound, safeguard)),
        log_prior=jnp.asarray(log_prior - correlated * log_balance, jnp.float32),
        sharpness=_scalar(sharpness),
        correlation=_scalar((1 - precision) * assumed),
        saturation=_scalar(settings.saturation),
        anchor_mass=_scalar((1 + precision) * settings.anchor_mass),
        anchor_share=_scalar(safeguard * settings.anchor_share),
        uniform_share=_scalar(safeguard * settings.uniform_share),
        call_evidence=jnp.asarray(params.evidence),
        call_log_prior=jnp.asarray(params.log_prior - correlated * log_balance, jnp.float32),
        group_shift=None if params.group_shift is None else jnp.asarray(params.group_shift),
        call_anchor_share=_scalar(1.0 if unchecked and precision <= 0.5 else 1 - (1 - hold) * (1 - pool)),
        uncovered_call=jnp.asarray(uncovered.astype(np.float32)),
    )


def untestable(n_sources: float, n_classes: int) -> float:
    """How far the independence of so few sources cannot be tested, in [0, 1].

    1 where a confusion matrix a source and a class balance have as many parameters as there are vote patterns, so that
    any votes fit; falling with the cube of their ratio.
    """
    n_sources = min(n_sources, 40.0)  # more would overflow, and are 0 all the same
    parameters = n_sources * n_classes * (n_classes - 1) + n_classes - 1
    return float(min(1.0, parameters / (min(float(n_classes), 1e6) ** n_sources - 1)) ** 3)


def _scalar(value: float) -> Array:
    return jnp.asarray(np.float32(value))


def _bounded(params: Params, bound: float, safeguard: float) -> NDArray[np.float32]:
    """Evidence in which a vote may be noise with probability `bound`, as far as safeguards are in force."""
    evidence = np.asarray(params.evidence)
    if evidence.ndim == 2:
        n_classes = evidence.shape[1]
        accuracy = (1 - bound) * np.asarray(params.confusion) + bound / n_classes
        bounded = np.tile(np.log(accuracy * (n_classes - 1) / (1 - accuracy))[:, None], (1, n_classes))
    else:
        scaled = np.exp(evidence - evidence.max(2, keepdims=True))
        bounded = np.log((1 - bound) * scaled + bound * scaled.mean(2, keepdims=True))
    return np.asarray((1 - safeguard) * evidence + safeguard * bounded, np.float32)


def _uncovered_call(
    params: Params,
    sources: Sources,
    settings: Settings,
    precision: float,
    votes_by_class: NDArray[np.float32] | None,
    n_uncovered: float,
) -> NDArray[np.float64]:
    """[K] score of each class where no source votes: the balance, and the silence of unipolar sources.

    Silence is viewed twice: with the items without votes spread evenly over the classes, and with the anchors' balance
    for a prior. Classes about as good as the best in both views share the call: a tie rather than a guess.
    """
    counts = np.asarray(sources.vote_counts, np.float64)
    n_classes = counts.shape[1]
    nothing = np.full(n_classes, 1 / n_classes)
    if np.count_nonzero(counts.sum(0)) < 2:  # a class that nobody else votes against says nothing of the others
        return nothing
    if np.count_nonzero(counts.sum(1)) < (settings.call_sources + (precision > 0.5)) * n_classes:
        return nothing
    totals = np.asarray(params.class_totals, np.float64)
    views = np.tile((1 - precision) * np.log(totals / totals.sum()), (2, 1))
    views[1] += settings.call_prior * precision * np.asarray(sources.log_anchored, np.float64)
    if votes_by_class is not None:
        fired = np.asarray(votes_by_class, np.float64)
        heard = np.asarray(sources.precision, np.float64) * np.asarray(sources.independence, np.float64)
        for view, spread in zip(views, (n_uncovered / n_classes, 0.0), strict=True):
            n_class = totals + spread
            coverage = (fired + 2 * fired.sum(1, keepdims=True) / n_class.sum()) / (n_class + 2)
            view += (heard[:, None] * np.log(np.clip(1 - coverage, 1e-3, 1))).sum(0)
    best, worst = views.max(1, keepdims=True), views.min(1, keepdims=True)
    near = views >= best - np.maximum(settings.call_margin, settings.call_range * (best - worst))
    called = near.all(0) if near.all(0).any() else near.any(0)
    return np.asarray(called / called.sum())


class RowEvidence(NamedTuple):
    """What the read-out needs of each row."""

    soft: Float[Array, "U K"]
    """Bounded log-evidence of the votes."""
    call: Float[Array, "U K"] | None
    """Log-evidence of the votes as it is; None where no calls are wanted."""
    anchor: Float[Array, "U K"]
    """Vote shares, smoothed as the read-out wants them."""
    n_votes: Float[Array, "U 1"]
    side: Side | None = None
    """What is known of the rows beside their votes."""


def gather(
    rows: Rows, how: ReadOut, row_anchor_mass: float | Float[Array, ""], *, with_calls: bool = True
) -> RowEvidence:
    """Evidence of the rows; `row_anchor_mass` is what their own anchors were smoothed with."""
    n_classes = how.log_prior.shape[0]
    n_votes = rows.n_votes[:, None]
    anchor = (_tally(rows, row_anchor_mass) + how.anchor_mass / n_classes) / (n_votes + how.anchor_mass)
    if rows.side is not None and rows.side.bags is not None:
        anchor = rows.anchor  # which keeps to the bags
    if not with_calls:
        return RowEvidence(row_evidence(rows, how.evidence), None, anchor, n_votes, rows.side)
    soft, call = row_evidence(rows, how.evidence), row_evidence(rows, how.call_evidence)
    return RowEvidence(soft, call, anchor, n_votes, rows.side)


def _tally(rows: Rows, anchor_mass: float | Float[Array, ""]) -> Float[Array, "U K"]:
    """Votes for each class, of which the anchors are the smoothed shares."""
    return rows.anchor * (rows.n_votes[:, None] + anchor_mass) - anchor_mass / rows.anchor.shape[1]


def of_plain_votes(how: ReadOut) -> ReadOut:
    """The read-out of votes in which the candidate sets of the model do not occur."""
    if how.evidence.ndim == 2:
        return how
    n_classes = how.log_prior.shape[0]
    return how._replace(evidence=how.evidence[:, :n_classes], call_evidence=how.call_evidence[:, :n_classes])


def worth(n_votes: Float[Array, "U 1"], how: ReadOut) -> Float[Array, "U 1"]:
    """Factor on prior and evidence of a row with so many votes."""
    more = (n_votes.clip(1) ** how.saturation - 1) / how.saturation
    return how.sharpness / (1 + more * how.correlation)


def soften(evidence: RowEvidence, how: ReadOut) -> Float[Array, "U K"]:
    """Soft labels."""
    n_classes = how.log_prior.shape[0]
    log_prior = row_prior(how.log_prior, evidence.side, how.group_shift)
    posterior = _posterior(worth(evidence.n_votes, how) * (log_prior + evidence.soft), evidence.side)
    mixed = (1 - how.anchor_share) * posterior + how.anchor_share * evidence.anchor
    soft = (1 - how.uniform_share) * mixed + how.uniform_share / n_classes
    alone = 1 / n_classes if evidence.side is None or evidence.side.alone is None else evidence.side.alone
    return jnp.where(_heard(evidence), soft, alone)


def call(evidence: RowEvidence, how: ReadOut) -> Float[Array, "U K"]:
    """Scores whose largest is called."""
    assert evidence.call is not None
    log_prior = row_prior(how.call_log_prior, evidence.side, how.group_shift)
    untempered = _posterior(log_prior + evidence.call, evidence.side)
    pooled = (1 - how.call_anchor_share) * untempered + how.call_anchor_share * evidence.anchor
    return jnp.where(_heard(evidence), pooled, _called_alone(evidence.side, how.uncovered_call[None]))


def _posterior(log_joint: Float[Array, "U K"], side: Side | None) -> Float[Array, "U K"]:
    if side is None:
        return class_axis.softmax(log_joint)
    return constrained(log_joint + added(side), side).probabilities


def _heard(evidence: RowEvidence) -> Bool[Array, "U 1"]:
    """Rows of which something is known that is read with the votes."""
    voted = evidence.n_votes > 0
    if evidence.side is None or evidence.side.bags is None:
        return voted
    return voted | in_bags(evidence.side.bags, voted.shape[0])[:, None]


def _called_alone(side: Side | None, otherwise: Float[Array, "1 K"]) -> Float[Array, "U K"] | Float[Array, "1 K"]:
    """Scores of rows without votes, as far as something else is known of them."""
    if side is None or side.alone is None or side.alone_share is None:
        return otherwise
    share = side.alone_share[:, None]
    return share * side.alone + (1 - share) * otherwise


@partial(jax.jit, static_argnames="with_calls")
def read_out(
    rows: Rows, how: ReadOut, row_anchor_mass: float | Float[Array, ""], *, with_calls: bool
) -> tuple[Float[Array, "U K"], Float[Array, "U K"] | None]:
    """Soft labels and, if asked for, the scores whose largest is called.

    Args:
        rows: the votes.
        how: of `make_read_out`.
        row_anchor_mass: pseudo-votes in `rows.anchor`.
        with_calls: whether scores are wanted.
    """
    evidence = gather(rows, how, row_anchor_mass, with_calls=with_calls)
    return soften(evidence, how), call(evidence, how) if with_calls else None


@partial(jax.jit, static_argnames="n_sources")
def look(
    layout: SparseLayout,
    weight: Float[Array, " U"],
    how: ReadOut,
    anchor_mass: float | Float[Array, ""],
    *,
    n_sources: int,
) -> tuple[Agreement, Float[Array, "M K"]]:
    """How far votes agree, and how often each vote of each source is right, by soft labels that nobody keeps.

    Args:
        layout: plain votes of rows in the order of places.
        weight: [U] how many items have each row.
        how: of `make_read_out`.
        anchor_mass: pseudo-votes in the rows' vote shares.
        n_sources: M.

    Returns:
        The sums of each block, [U / B] and [U / B, K], and the number of right votes of all.
    """
    n_classes = how.log_prior.shape[0]

    def described(block: SparseBlock) -> Rows:
        rows: Rows = describe(block, jnp.ones(block.n_rows), n_sources, n_classes, anchor_mass)
        return rows

    def of_block(at: Array, so_far: tuple[Agreement, Array]) -> tuple[Agreement, Array]:
        block, of_rows, (agreement, right) = layout.block(at), layout.part(weight, at), so_far
        rows = described(block)
        soft = kept(soften(gather(rows, how, anchor_mass, with_calls=False), how))
        whole = rows if block.shares is None else described(replace(block, shares=None))
        tally = jnp.round(_tally(whole, anchor_mass))
        found = of_tally(tally, soft, of_rows, whole.n_votes)
        right += block.own_counts(of_rows[:, None] * soft, n_sources)
        return jax.tree.map(lambda all_blocks, of_this: all_blocks.at[at].set(of_this), agreement, found), right

    of_blocks = jnp.zeros(len(layout.starts))
    agreement = Agreement(of_blocks, of_blocks, of_blocks, of_blocks, jnp.zeros((len(of_blocks), n_classes)))
    nothing = agreement, jnp.zeros((n_sources, n_classes))
    found: tuple[Agreement, Array] = jax.lax.fori_loop(0, layout.n_blocks, of_block, nothing)
    return found


def _read_block(
    layout: AnyLayout, how: ReadOut, anchor_mass: float | Float[Array, ""], n_sources: int, *, with_calls: bool
) -> tuple[Array, Array | None]:
    rows = describe(layout, jnp.ones(layout.n_rows), n_sources, how.log_prior.shape[0], anchor_mass)
    evidence = gather(rows, how, anchor_mass, with_calls=with_calls)
    return soften(evidence, how), call(evidence, how) if with_calls else None


@partial(jax.jit, static_argnames=("n_sources", "with_calls"))
def read_votes(
    layout: AnyLayout,
    how: ReadOut,
    anchor_mass: float | Float[Array, ""],
    *,
    n_sources: int,
    with_calls: bool,
) -> tuple[Float[Array, "U K"], Float[Array, "U K"] | None]:
    """Soft labels of new votes and, if asked for, the scores whose largest is called.

    Votes in blocks go block by block, so that what is made of a row never leaves the cache.
    """
    n_classes = how.log_prior.shape[0]

    def read(layout: AnyLayout) -> tuple[Array, Array | None]:
        return _read_block(layout, how, anchor_mass, n_sources, with_calls=with_calls)

    if isinstance(layout, SparseLayout):
        return layout.of_blocks(read)
    if not isinstance(layout, DenseLayout):
        return read(layout)
    _, (soft, scores) = jax.lax.scan(lambda _, block: (None, read(DenseLayout(*block))), None, layout.blocks())
    return soft.reshape(-1, n_classes), None if scores is None else scores.reshape(-1, n_classes)
