"""From votes to a fitted model: preparation, the compiled loop, the read-out, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.chunks import VoteChunks
from weaklabel.errors import InvalidVotesError
from weaklabel.model import stream
from weaklabel.model.decide import decide
from weaklabel.model.dependence import excess_correlation
from weaklabel.model.diagnostics import Diagnostics, diagnose
from weaklabel.model.estep import e_step, posterior
from weaklabel.model.fit import run, start
from weaklabel.model.gold import calibrate
from weaklabel.model.init import Prepared, pad, prepare
from weaklabel.model.intervals import accuracy_intervals
from weaklabel.model.merge import MergedRows, merge_rows
from weaklabel.model.mstep import m_step, statistics
from weaklabel.model.params import Params, ReadOut, Rows, Settings, Sources, State, Statistics
from weaklabel.model.readout import RowEvidence, gather, make_read_out, read_out
from weaklabel.model.rows import own_counts
from weaklabel.model.sweep import CHECKED, Reading
from weaklabel.votes import Votes

ITERATIONS_A_SEGMENT = 10
"""Between two reports of progress."""
MOSTLY_UNIPOLAR = 0.95
"""Above this mean precision all safeguards are in force anyway, and dependence need not be measured."""
INTERVAL_LEVEL = 0.9
DEFAULT_SAMPLE = 2**16
"""Rows of a sample."""
MOST_PASSES = 8
"""Over all rows, after a fit on a sample."""
SETTLED = 2e-4
"""Passes end when the responsibilities of the sampled rows change by less on the mean (total variation)."""


class FitProgress(NamedTuple):
    """How far a fit has come."""

    iteration: int
    """EM iterations done."""
    max_iter: int
    """At most so many."""
    objective: float
    """Log-evidence of the votes an item after the last iteration, in nats."""
    change: float
    """Largest change of a responsibility in the last iteration; EM stops when it is under the tolerance."""


class Fitted(NamedTuple):
    """What a fit yields: all that a model file holds."""

    source_names: tuple[str, ...]
    params: Params
    read_out: ReadOut
    copies: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other."""
    n_iter: int
    converged: bool
    objective: NDArray[np.float64]
    """[n_iter]"""
    class_balance: NDArray[np.float64]
    """[K]"""
    coverage: NDArray[np.float64]
    """[M]"""
    source_accuracy: NDArray[np.float64]
    """[M]"""
    source_accuracy_interval: NDArray[np.float64]
    """[M, 2]"""
    diagnostics: Diagnostics


class Options(NamedTuple):
    """How long EM goes on, and who watches."""

    max_iter: int
    tol: float
    progress: Callable[[FitProgress], None] | None


class Estimate(NamedTuple):
    """What EM found, on rows that are all rows or a sample of them."""

    merged: MergedRows
    prepared: Prepared
    sources: Sources
    state: State
    counted: Statistics
    """Expected counts of all rows, to which the parameters were fitted."""
    coverage: NDArray[np.float64]
    """[M]"""
    n_uncovered: float
    """Items without votes."""
    n_checked: float
    """Votes on items with three votes or more, copies counted once."""
    converged: bool


def train(
    votes: Votes | VoteChunks,
    gold: NDArray[np.int32] | None,
    settings: Settings,
    *,
    seed: int,
    max_iter: int,
    tol: float,
    sample_rows: int | None,
    progress: Callable[[FitProgress], None] | None,
) -> Fitted:
    """Fits the label model; see `LabelModel.fit`."""
    options = Options(max_iter, tol, progress)
    if isinstance(votes, VoteChunks):
        return _conclude(_estimate_chunks(votes, settings, seed, sample_rows, options), settings, seed)
    merged = merge_rows(votes, gold)
    if sample_rows is not None and not votes.is_sparse and merged.votes.n_items > sample_rows:
        size = stream.sample_size(votes, sample_rows)
        if size < votes.n_items:
            estimate = _estimate(stream.draw(votes, gold, size, seed), settings, options)
            return _conclude(_refined(estimate, lambda: stream.cut(votes, gold), settings), settings, seed)
    return _conclude(_estimate(merged, settings, options), settings, seed)


def _estimate_chunks(
    chunks: VoteChunks, settings: Settings, seed: int, sample_rows: int | None, options: Options
) -> Estimate:
    """EM on a sample of votes that are read in chunks, then passes over all of them."""
    first = next(iter(chunks), None)
    if first is None:
        raise InvalidVotesError("there are no rows", field="votes")
    size = stream.sample_size(first, DEFAULT_SAMPLE if sample_rows is None else sample_rows)
    merged, n_items = stream.draw_chunks(stream.cut_chunks(chunks), first.n_classes, first.source_names, size, seed)
    estimate = _estimate(merged, settings, options)
    return estimate if size >= n_items else _refined(estimate, lambda: stream.cut_chunks(chunks), settings)


def _estimate(merged: MergedRows, settings: Settings, options: Options) -> Estimate:
    """EM on rows in memory until it comes to rest."""
    prepared, n_sources = prepare(merged, settings), merged.votes.n_sources
    state = _iterate(prepared, settings, n_sources, options)
    n_rows, weight = merged.votes.n_items, merged.weight.astype(np.float64)
    n_votes = np.asarray(prepared.rows.n_votes, np.float64)[:n_rows]
    full = state.params.confusion.ndim == 3
    return Estimate(
        merged,
        prepared,
        prepared.sources,
        state,
        _count(prepared.rows, state.responsibilities, n_sources, full=full),
        np.asarray(prepared.sources.vote_counts, np.float64).sum(1) / max(weight.sum(), 1),
        float(weight[np.asarray(prepared.rows.weight)[:n_rows] == 0].sum()),
        float((weight * n_votes)[n_votes >= CHECKED - 1e-6].sum()),
        float(state.change) < options.tol,
    )


_count = jax.jit(statistics, static_argnames=("n_sources", "full"))


def _refined(estimate: Estimate, chunks: Callable[[], Iterable[stream.Chunk]], settings: Settings) -> Estimate:
    """The estimate after passes over all rows."""
    prepared, state = estimate.prepared, estimate.state
    reading = stream.read_with(prepared, settings)
    trace = [float(value) for value in np.asarray(state.objective)[: int(state.iteration)]]
    for _ in range(MOST_PASSES):
        swept = stream.pass_over(chunks(), prepared, Reading(params=state.params, **reading))
        sources = stream.refreshed(prepared.sources, swept)
        counted = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), swept.statistics)
        state, moved = _advance(prepared.rows, sources, state, counted, settings)
        trace.append(float(swept.log_evidence / max(float(swept.weight), 1.0)))
        if float(moved) < SETTLED:
            break
    else:
        estimate = estimate._replace(converged=False)
    n_items = float(estimate.merged.weight.sum())
    return estimate._replace(
        sources=sources,
        state=state._replace(objective=jnp.asarray(trace), iteration=jnp.asarray(len(trace), jnp.int32)),
        counted=counted,
        coverage=np.asarray(swept.spoken) / n_items,
        n_uncovered=float(swept.uncovered),
        n_checked=float(swept.checked),
    )


@jax.jit
def _advance(
    rows: Rows, sources: Sources, state: State, counted: Statistics, settings: Settings
) -> tuple[State, Float[Array, ""]]:
    """The M-step on the counts of all rows, and how far the responsibilities of the sampled rows move by it."""
    params = m_step(counted, sources, settings)
    expected = e_step(rows, params)
    moved = jnp.abs(expected.responsibilities - state.responsibilities).sum(1) / 2
    distance = (rows.weight * moved).sum() / rows.weight.sum().clip(1)
    return state._replace(params=params, responsibilities=expected.responsibilities), distance


def _conclude(estimate: Estimate, settings: Settings, seed: int) -> Fitted:
    """The read-out of an estimate, and what is said about it."""
    merged, prepared, state = estimate.merged, estimate.prepared, estimate.state
    names, n_classes, n_rows = merged.votes.source_names, merged.votes.n_classes, merged.votes.n_items
    objective = np.asarray(state.objective, np.float64)[: int(state.iteration)]
    totals = np.asarray(state.params.class_totals, np.float64)
    balance = totals / totals.sum()
    correlation = _correlation(prepared, merged, state, seed)
    how = make_read_out(
        state.params,
        estimate.sources,
        settings,
        correlation=correlation,
        votes_by_class=estimate.counted.counts.sum(1) if estimate.counted.counts.ndim == 3 else None,
        n_uncovered=estimate.n_uncovered,
        n_checked=estimate.n_checked,
    )
    if merged.gold is not None:
        how = _calibrated(how, prepared, merged, balance, settings)
    soft, scores = read_out(prepared.rows, how, settings.anchor_mass)
    if merged.gold is not None:
        gold = jnp.asarray(np.pad(merged.gold, (0, len(soft) - n_rows), constant_values=-1))
        soft = jnp.where(gold[:, None] >= 0, jax.nn.one_hot(gold, n_classes, dtype=soft.dtype), soft)
    weight = merged.weight.astype(np.float64)
    intervals = accuracy_intervals(
        merged.votes,
        weight,
        np.asarray(posterior(prepared.rows, state.params))[:n_rows],
        np.asarray(prepared.rows.anchor)[:n_rows],
        prepared.hold,
        INTERVAL_LEVEL,
    )
    return Fitted(
        names,
        state.params,
        how,
        prepared.copies,
        len(objective),
        estimate.converged,
        objective,
        balance,
        estimate.coverage,
        _accuracy(prepared, merged, soft),
        intervals,
        diagnose(
            merged.votes,
            weight,
            np.asarray(soft)[:n_rows],
            decide(np.asarray(scores)[:n_rows], "abstain", seed),
            majority_vote=float(how.call_anchor_share) == 1.0,
            class_balance=balance,
            intervals=intervals,
            independence=np.asarray(prepared.sources.independence, np.float64),
            vote_counts=np.asarray(prepared.sources.vote_counts, np.float64),
            copies=prepared.copies,
            excess_correlation=correlation,
            objective=objective,
            converged=estimate.converged,
        ),
    )


def _iterate(prepared: Prepared, settings: Settings, n_sources: int, options: Options) -> State:
    """The compiled loop: in one go, or in segments where somebody watches; the same bits either way."""
    max_iter, progress = options.max_iter, options.progress
    state = start(prepared.rows, n_sources, max_iter)
    limit, done = jnp.asarray(options.tol, jnp.float32), 0
    while done < max_iter and (done == 0 or float(state.change) >= options.tol):
        stop_at = min(done + ITERATIONS_A_SEGMENT, max_iter) if progress else max_iter
        state = run(prepared.rows, prepared.sources, state, settings, jnp.asarray(stop_at, jnp.int32), limit)
        done = int(state.iteration)
        if progress:
            objective = float(np.asarray(state.objective)[done - 1])
            progress(FitProgress(done, max_iter, objective, float(state.change)))
    return state


def _correlation(prepared: Prepared, merged: MergedRows, state: State, seed: int) -> float:
    """How far sources err together; 0 where it is not measured."""
    if state.params.confusion.ndim != 3 or float(prepared.sources.mean_precision) >= MOSTLY_UNIPOLAR:
        return 0.0
    # One source of each group of copies: that copies err together is known already.
    first = ~(np.tril(prepared.copies.toarray(), -1) > 0.5).any(axis=1)
    covered = np.asarray(prepared.rows.n_votes)[: merged.votes.n_items] > 0
    return excess_correlation(
        merged.votes.select_sources([merged.votes.source_names[source] for source in np.flatnonzero(first)]),
        np.where(covered, merged.weight, 0).astype(np.float64),
        np.asarray(state.params.confusion, np.float64)[first],
        np.asarray(state.params.log_prior, np.float64),
        seed,
    )


def _calibrated(
    how: ReadOut, prepared: Prepared, merged: MergedRows, balance: NDArray[np.float64], settings: Settings
) -> ReadOut:
    """The read-out after a look at the rows with gold, by their votes alone."""
    assert merged.gold is not None
    n_votes = np.asarray(prepared.rows.n_votes)[: merged.votes.n_items]
    chosen = np.flatnonzero((merged.gold >= 0) & (n_votes > 0))
    # The anchors of these rows are their labels, so the vote shares are counted anew.
    tally, mass = merged.votes.select_items(chosen).counts(), float(how.anchor_mass)
    evidence = gather(prepared.rows, how, settings.anchor_mass)
    shares = (tally + mass / tally.shape[1]) / (tally.sum(1, keepdims=True) + mass)
    rows = RowEvidence(
        evidence.soft[chosen], evidence.call[chosen], jnp.asarray(shares, jnp.float32), evidence.n_votes[chosen]
    )
    weight = merged.weight[chosen].astype(np.float64)
    return calibrate(how, rows, merged.gold[chosen], weight, balance, settings)


def _accuracy(prepared: Prepared, merged: MergedRows, soft: Array) -> NDArray[np.float64]:
    """[M] expected share of each source's votes that are right; the mean of all where it has none."""
    items = pad(merged.weight, len(soft))
    right = np.asarray(own_counts(prepared.rows.layout, items[:, None] * soft, merged.votes.n_sources), np.float64)
    total = np.asarray(prepared.sources.vote_counts, np.float64).sum(1)
    overall = right.sum() / total.sum() if total.sum() else 1 / merged.votes.n_classes
    return np.where(total > 0, right / np.maximum(total, 1), overall)
