"""From votes to a fitted model: preparation, the compiled loop, the read-out, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.calibration.decision import decide, first_highest
from weaklabel.model.calibration.dependence import excess_correlation
from weaklabel.model.calibration.gold import calibrate
from weaklabel.model.calibration.tempering import RowEvidence, gather, look, make_read_out, read_out
from weaklabel.model.em import subsample as stream
from weaklabel.model.em.e_step import e_step
from weaklabel.model.em.full_pass import CHECKED, Reading
from weaklabel.model.em.initialization import VOTES_ON_HOST, Prepared, plain_part, prepare
from weaklabel.model.em.loop import run, start
from weaklabel.model.em.m_step import m_step
from weaklabel.model.em.statistics import expect, goes_by_blocks, posterior, posterior_of_votes, watched
from weaklabel.model.features.classifier import Features
from weaklabel.model.features.end_model import FeatureModel, fit_features, relative_evidence
from weaklabel.model.layout.choice import Room, bucket, is_dense, lay_out
from weaklabel.model.layout.deduplication import MergedRows, merge_rows
from weaklabel.model.numerics import class_axis, processes
from weaklabel.model.numerics.devices import at_once, mesh
from weaklabel.model.records import Params, ReadOut, Rows, Sources, State, Statistics
from weaklabel.model.report.agreement import Agreement, of_votes
from weaklabel.model.report.diagnostics import Diagnostics, diagnose
from weaklabel.model.report.intervals import accuracy_intervals, looked_at
from weaklabel.model.settings import Settings
from weaklabel.model.side import Known
from weaklabel.model.sources.imprecise import latent_votes
from weaklabel.votes import Votes
from weaklabel.votes.chunks import VoteChunks

ITERATIONS_A_SEGMENT = 10
"""Between two reports of progress."""
MOSTLY_UNIPOLAR = 0.95
"""Above this mean precision all safeguards are in force anyway, and dependence need not be measured."""
INTERVAL_LEVEL = 0.9
LEAK = 1e-3
"""Share that a lone source's vote leaves to the other classes, where features are learned from it."""
DEFAULT_SAMPLE = 2**16
"""Rows of a sample."""
MOST_PASSES = 40
"""Over all rows, after a fit on a sample."""
SETTLED = 2.5e-4
"""Passes end when the responsibilities of the sampled rows are expected to change by less in all further ones (total
variation, on the mean)."""
MOST_VOTES, MOST_RESPONSIBILITIES = 2**24, 2**26
"""Up to so many votes of a matrix, and rows x K, fits do without a sample where most cells are silent."""
VOTES_OF_A_RUN = 2**18
"""On the host: what is looked up stays in the cache."""
UNIFORM = 1e-6
"""Range of a soft label of which nothing is known."""
SLOWEST = 0.99
"""Rate of EM that is assumed at most."""


class FitProgress(NamedTuple):
    """How far a fit has come."""

    iteration: int
    """EM iterations done."""
    max_iter: int
    """At most so many."""
    objective: float
    """Log-evidence of the votes an item after the last iteration, in nats."""
    change: float
    """Largest change of a responsibility in the last iteration; of many rows, the mean total variation. EM stops when
    it is under the tolerance."""


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
    sets: NDArray[np.bool_]
    """[C, K] candidate sets of the codebook: the symbols that follow the classes."""
    group_names: tuple[str, ...] = ()
    group_balance: NDArray[np.float64] | None = None
    """[G, K] class balance of each group; None where there are no groups."""
    features: FeatureModel | None = None
    """p(class | features); None where there were none."""


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
    group_names: tuple[str, ...] = ()


class Concluded(NamedTuple):
    """A fit, and the soft labels of its rows."""

    fitted: Fitted
    soft: NDArray[np.float32] | None
    """[U, K]; None where they were not to be kept, and nothing else needed them."""


class Beside(NamedTuple):
    """Side information of a fit; each part None where there is nothing."""

    known: Known | None = None
    bounds: Float[Array, "M 2"] | None = None
    features: Features | None = None
    families: NDArray[np.int32] | None = None
    """[M] number of each source's family, -1 for none."""

    @property
    def is_by_item(self) -> bool:
        """Whether items with the same votes may differ."""
        return self.known is not None or self.features is not None


def train(
    votes: Votes | VoteChunks,
    gold: NDArray[np.int32] | None,
    beside: Beside,
    settings: Settings,
    *,
    seed: int,
    max_iter: int,
    tol: float,
    sample_rows: int | None,
    progress: Callable[[FitProgress], None] | None,
) -> Fitted:
    """Fits the label model; see `LabelModel.fit`."""
    options = Options(max_iter, float(np.float32(tol)), progress)  # as the compiled loop compares
    if isinstance(votes, VoteChunks):
        return _conclude(_estimate_chunks(votes, settings, options, seed, sample_rows), settings, seed).fitted
    if beside.is_by_item:
        return _conclude_by_item(votes, gold, beside, settings, options, seed)
    if sample_rows is not None and votes.n_items > sample_rows and _is_mostly_silent(votes):
        votes = votes.to_sparse()
    merged = merge_rows(votes, gold)
    if sample_rows is not None and not votes.is_sparse and votes.is_plain and merged.votes.n_items > sample_rows:
        size = stream.sample_size(
            votes.n_items,
            stream.count_votes(stream.cut(votes, gold)),
            votes.n_sources,
            votes.n_classes,
            sample_rows,
        )
        if size < votes.n_items:
            estimate = _estimate(stream.draw(votes, gold, size, seed), settings, options, beside)
            return _conclude(_refined(estimate, lambda: stream.cut(votes, gold), settings), settings, seed).fitted
    return _conclude(_estimate(merged, settings, options, beside), settings, seed).fitted


def _is_mostly_silent(votes: Votes) -> bool:
    """Whether a fit to all votes that were given costs less than one to a sample, and passes over all cells.

    Not on accelerators and on several devices, over which passes are spread.
    """
    if jax.default_backend() != "cpu" or mesh().size > 1:
        return False
    by_votes = votes.is_sparse or not is_dense(votes)
    return by_votes and votes.n_votes <= MOST_VOTES and votes.n_items * votes.n_classes <= MOST_RESPONSIBILITIES


def _conclude_by_item(
    votes: Votes, gold: NDArray[np.int32] | None, beside: Beside, settings: Settings, options: Options, seed: int
) -> Fitted:
    """A fit in which each item is a row of its own; with features, one without them teaches what they say."""
    rows = MergedRows(votes, np.ones(votes.n_items, np.float32), gold)
    first = _conclude(_estimate(rows, settings, options, beside), settings, seed, keep_soft=True)
    if beside.features is None or votes.n_items == 0:
        return first.fitted
    weight = (votes.counts().sum(1) > 0).astype(np.float32)
    if gold is not None:
        weight = np.maximum(weight, gold >= 0).astype(np.float32)
    assert first.soft is not None
    evidence = relative_evidence(first.soft, weight) if votes.n_sources > 1 else _only_votes(votes)
    learned = fit_features(beside.features, evidence, weight, seed=seed)
    known = (beside.known or Known()).with_features(learned.offset, learned.log_proba, learned.model.strength)
    beside = beside._replace(known=known)
    again = _conclude(_estimate(rows, settings, options, beside), settings, seed)
    return again.fitted._replace(features=learned.model)


def _only_votes(votes: Votes) -> NDArray[np.float32]:
    """[N, K] evidence of a lone source, whose accuracy nothing tells: its votes as they are, hardly doubted."""
    said = np.concatenate([votes.symbols.distributions(), np.ones((1, votes.n_classes), np.float32)])
    codes = np.maximum(votes.to_codes()[:, 0], -1)
    return np.asarray(np.log(said[codes] + LEAK), np.float32)


def _estimate_chunks(
    chunks: VoteChunks, settings: Settings, options: Options, seed: int, sample_rows: int | None
) -> Estimate:
    """As a fit to votes in memory would; every process that `jax.distributed` has joined takes part in it."""
    drawn = stream.draw_chunks(chunks, DEFAULT_SAMPLE if sample_rows is None else sample_rows, seed)
    estimate = _estimate(drawn.merged, settings, options)
    if not drawn.is_sample:
        return estimate
    return _refined(estimate, lambda: stream.cut_chunks(chunks), settings, everywhere=True)


def _estimate(
    merged: MergedRows,
    settings: Settings,
    options: Options,
    beside: Beside | None = None,
) -> Estimate:
    """EM on rows in memory until it comes to rest."""
    beside = beside or Beside()
    known = beside.known
    prepared = prepare(merged, settings, known, beside.bounds, beside.families)
    state = _iterate(prepared, settings, options)
    weight = merged.weight.astype(np.float64)
    n_votes = prepared.n_votes.astype(np.float64)
    if merged.votes.is_plain:
        coverage = np.asarray(prepared.sources.vote_counts, np.float64).sum(1) / max(weight.sum(), 1)
    else:
        coverage = merged.votes.coverage
    return Estimate(
        merged,
        prepared,
        prepared.sources,
        state,
        state.counted,
        coverage,
        float(weight[np.asarray(prepared.rows.weight)[prepared.places] == 0].sum()),
        float((weight * n_votes)[n_votes >= CHECKED - 1e-6].sum()),
        float(state.change) < options.tol,
        known.group_names if known else (),
    )


def _refined(
    estimate: Estimate, chunks: Callable[[], Iterable[stream.Chunk]], settings: Settings, *, everywhere: bool = False
) -> Estimate:
    """The estimate after passes over all rows: of this process, or of every process."""
    prepared, state = estimate.prepared, estimate.state
    reading = stream.read_with(prepared, settings)
    rate, before = float(processes.of_first(state.rate) if everywhere else state.rate), np.inf
    trace = [float(value) for value in np.asarray(state.objective)[: int(state.iteration)]]
    for _ in range(MOST_PASSES):
        params = processes.of_first(state.params) if everywhere else state.params
        swept = stream.pass_over(chunks(), prepared, Reading(params=params, **reading))
        swept = processes.summed(swept) if everywhere else swept
        sources = stream.refreshed(prepared.sources, swept)
        counted = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), swept.statistics)
        state, moved = _advance(prepared.rows, sources, state, counted, settings)
        trace.append(float(swept.log_evidence / max(float(swept.weight), 1.0)))
        distance = float(processes.of_first(moved) if everywhere else moved)
        # What is left shrinks from pass to pass: as it did in EM on the sample, then as it was seen to.
        rate = min(distance / before if before < np.inf else rate, SLOWEST)
        before = distance
        if distance * rate / (1 - rate) < SETTLED:
            break
    else:
        estimate = estimate._replace(converged=False)
    n_items = float(estimate.merged.weight.sum())
    return estimate._replace(
        sources=sources,
        state=state._replace(  # made on the host: on the device, each number of passes would be a program to compile
            objective=jax.device_put(np.asarray(trace, np.float32)), iteration=jnp.asarray(len(trace), jnp.int32)
        ),
        counted=counted,
        coverage=np.rint(swept.spoken) / n_items,
        n_uncovered=float(swept.uncovered),
        n_checked=float(swept.checked),
    )


@jax.jit
def _advance(
    rows: Rows, sources: Sources, state: State, counted: Statistics, settings: Settings
) -> tuple[State, Float[Array, ""]]:
    """The M-step on the counts of all rows, and how far the responsibilities of the sampled rows move by it."""
    params = m_step(counted, sources, settings, state.params)
    if state.responsibilities is None:
        found = expect(rows, params, 0).watched
        assert found is not None
        assert state.watched is not None
        after, before, weight = found, state.watched, watched(rows, rows.weight)
        state = state._replace(params=params, watched=after)
    else:
        after, before, weight = e_step(rows, params).responsibilities, state.responsibilities, rows.weight
        state = state._replace(params=params, responsibilities=after)
    moved = class_axis.total(jnp.abs(after - before)) / 2
    return state, (weight * moved).sum() / weight.sum().clip(1)


def _conclude(estimate: Estimate, settings: Settings, seed: int, *, keep_soft: bool = False) -> Concluded:
    """The read-out of an estimate, and what is said about it."""
    merged, prepared, state = estimate.merged, estimate.prepared, estimate.state
    names = merged.votes.source_names
    objective = np.asarray(state.objective, np.float64)[: int(state.iteration)]
    totals = np.asarray(state.params.class_totals, np.float64)
    balance = totals / totals.sum()
    weight = merged.weight.astype(np.float64)
    correlation = _correlation(prepared, merged, state, settings, seed)
    intervals = _intervals(estimate)
    how = make_read_out(
        state.params,
        estimate.sources,
        settings,
        correlation=correlation,
        votes_by_class=np.asarray(estimate.counted.counts).sum(1) if estimate.counted.counts.ndim == 3 else None,
        n_uncovered=estimate.n_uncovered,
        n_checked=estimate.n_checked,
    )
    if merged.gold is not None:
        how = _calibrated(how, prepared, merged, balance, settings)
    read = _read(prepared, merged, how, settings, seed, keep_soft=keep_soft)
    of_groups = state.params.group_totals
    fitted = Fitted(
        names,
        state.params,
        how,
        prepared.copies,
        len(objective),
        estimate.converged,
        objective,
        balance,
        estimate.coverage,
        _accuracy(estimate, read.right),
        intervals,
        diagnose(
            merged.votes,
            weight,
            read.agreement,
            read.called,
            read.unknown,
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
        merged.votes.symbols.sets,
        estimate.group_names,
        None if of_groups is None else np.asarray(of_groups / of_groups.sum(1, keepdims=True), np.float64),
    )
    return Concluded(fitted, read.soft)


class _Read(NamedTuple):
    """What the soft labels of the rows of a fit say."""

    soft: NDArray[np.float32] | None
    """See `Concluded`."""
    agreement: Agreement
    """Of the votes with each other, and with the soft labels."""
    right: NDArray[np.float64]
    """[M] expected number of right votes of each source, where all votes are for one class."""
    called: NDArray[np.int32]
    """[U] the class called where there are no votes: elsewhere nobody asks."""
    unknown: NDArray[np.bool_]
    """[U] rows without votes of which nothing else is known."""


def _read(
    prepared: Prepared, merged: MergedRows, how: ReadOut, settings: Settings, seed: int, *, keep_soft: bool
) -> _Read:
    rows, n_sources = prepared.rows, merged.votes.n_sources
    silent = prepared.n_votes == 0
    called = np.repeat(decide(np.asarray(how.uncovered_call)[None], "abstain", seed), len(silent))
    if merged.votes.is_plain and merged.gold is None and goes_by_blocks(rows) and not keep_soft:
        of_blocks, right = look(rows.layout, rows.weight, how, settings.anchor_mass, n_sources=n_sources)
        agreement = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64).sum(0), of_blocks)
        return _Read(None, agreement, np.asarray(right, np.float64).sum(1), called, silent)
    labels, scores = read_out(rows, how, settings.anchor_mass, with_calls=rows.side is not None)
    soft = np.asarray(labels)[prepared.places]
    if merged.gold is not None:
        known = merged.gold >= 0
        soft[known] = np.eye(soft.shape[1], dtype=soft.dtype)[merged.gold[known]]
    if scores is not None:
        called = decide(np.asarray(scores)[prepared.places], "abstain", seed)
    silent[silent] = np.ptp(soft[silent], axis=1) < UNIFORM
    of_source = np.zeros(n_sources)
    if merged.votes.is_plain and (merged.gold is not None or merged.votes.n_votes <= VOTES_ON_HOST):
        of_source = _right_votes(merged, soft)
    elif merged.votes.is_plain:
        weight = np.zeros(rows.layout.n_rows, np.float32)
        weight[prepared.places] = merged.weight
        of_source = np.asarray(_count_right(rows, jax.device_put(weight), labels, n_sources), np.float64).sum(1)
    agreement = of_votes(merged.votes, merged.weight.astype(np.float64), first_highest(soft))
    return _Read(soft, agreement, of_source, called, silent)


def _iterate(prepared: Prepared, settings: Settings, options: Options) -> State:
    """The compiled loop: in one go, or in segments where somebody watches; the same bits either way."""
    max_iter, progress = options.max_iter, options.progress
    state: State = start(prepared.rows, prepared.sources, settings, max_iter)
    limit, done = jnp.asarray(options.tol, jnp.float32), 0
    while done < max_iter and (done == 0 or float(state.change) >= options.tol):
        stop_at = min(done + ITERATIONS_A_SEGMENT, max_iter) if progress else max_iter
        state = run(prepared.rows, prepared.sources, state, settings, jnp.asarray(stop_at, jnp.int32), limit)
        done = int(state.iteration)
        if progress:
            objective = float(np.asarray(state.objective)[done - 1])
            progress(FitProgress(done, max_iter, objective, float(state.change)))
    return state


def _intervals(estimate: Estimate) -> NDArray[np.float64]:
    """[M, 2] intervals of the sources' accuracies."""
    merged, rows, state = estimate.merged, estimate.prepared.rows, estimate.state
    kept = looked_at(merged.votes.n_items)
    at, weight = estimate.prepared.places[kept], merged.weight.astype(np.float64)
    votes = merged.votes if len(kept) == merged.votes.n_items else merged.votes.select_items(kept)
    anchor, hold = np.asarray(rows.anchor)[at], np.asarray(rows.hold)[at, None]
    if goes_by_blocks(rows):
        layout = lay_out(votes, estimate.prepared.copies, Room(bucket(len(kept)), 0))
        alone = np.asarray(posterior_of_votes(layout, state.params))[: len(kept)]
    elif merged.gold is not None:
        alone = np.asarray(posterior(rows, state.params))[at]
    else:
        assert state.responsibilities is not None
        alone = (np.asarray(state.responsibilities)[at] - hold * anchor) / np.maximum(1 - hold, 1e-6)
    of_class = alone if merged.gold is not None else np.where(hold < 1, np.clip(alone, 0, 1), anchor)
    return accuracy_intervals(
        plain_part(votes),
        weight[kept] * (weight.sum() / max(weight[kept].sum(), 1e-9)),
        of_class.astype(np.float32),
        anchor,
        estimate.prepared.hold,
        INTERVAL_LEVEL,
    )


def _correlation(prepared: Prepared, merged: MergedRows, state: State, settings: Settings, seed: int) -> float:
    """How far sources err together; 0 where it is not measured."""
    if state.params.confusion.ndim != 3 or prepared.mean_precision >= MOSTLY_UNIPOLAR:
        return 0.0
    # One source of each group of copies: that copies err together is known already.
    copied = np.zeros(merged.votes.n_sources, bool)
    if prepared.copies.nnz:
        copied = np.asarray((np.tril(prepared.copies.toarray(), -1) > 0.5).any(axis=1))
    covered, plain = prepared.n_votes > 0, plain_part(merged.votes)
    if copied.any():
        plain = plain.select_sources([plain.source_names[source] for source in np.flatnonzero(~copied)])
    return excess_correlation(
        plain,
        np.where(covered, merged.weight, 0).astype(np.float64),
        np.asarray(state.params.confusion, np.float64)[~copied],
        np.asarray(state.params.log_prior, np.float64),
        seed,
        settings.correlation_ignored,
    )


def _right_votes(merged: MergedRows, soft: NDArray[np.float32]) -> NDArray[np.float64]:
    """[M] expected number of right votes."""
    columns, n_sources = merged.votes.triples(), merged.votes.n_sources

    def of_run(start: int) -> NDArray[np.float64]:
        rows, sources, labels = (column[start : start + VOTES_OF_A_RUN] for column in columns)
        return np.asarray(np.bincount(sources, merged.weight[rows] * soft[rows, labels], n_sources), np.float64)

    return sum(at_once(of_run, range(0, len(columns[0]), VOTES_OF_A_RUN)), start=np.zeros(n_sources))


@partial(jax.jit, static_argnames="n_sources")
def _count_right(rows: Rows, weight: Float[Array, " U"], soft: Float[Array, "U K"], n_sources: int) -> Array:
    """[M, K] the same, of votes for each class, on the device."""
    return rows.layout.own_counts(weight[:, None] * soft, n_sources)


def _calibrated(
    how: ReadOut, prepared: Prepared, merged: MergedRows, balance: NDArray[np.float64], settings: Settings
) -> ReadOut:
    """The read-out after a look at the rows with gold, by their votes alone."""
    assert merged.gold is not None
    chosen = np.flatnonzero((merged.gold >= 0) & (prepared.n_votes > 0))
    at = prepared.places[chosen]
    # The anchors of these rows are their labels, so the vote shares are counted anew.
    tally, mass = merged.votes.select_items(chosen).counts(), float(how.anchor_mass)
    evidence = _gathered(prepared.rows, how, settings.anchor_mass, with_calls=False)
    shares = (tally + mass / tally.shape[1]) / (tally.sum(1, keepdims=True) + mass)
    # On the host: on the device, each number of rows would be a program to compile.
    soft, n_votes_of = np.asarray(evidence.soft)[at], np.asarray(evidence.n_votes)[at]
    rows = RowEvidence(jnp.asarray(soft), None, jnp.asarray(shares, jnp.float32), jnp.asarray(n_votes_of))
    weight = merged.weight[chosen].astype(np.float64)
    return calibrate(how, rows, merged.gold[chosen], weight, balance, settings)


_gathered = jax.jit(gather, static_argnames="with_calls")


def _accuracy(estimate: Estimate, right: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] expected share of each source's votes that are right; the mean of all where it has none.

    Args:
        estimate: of EM.
        right: [M] number of right votes, where all are for one class.
    """
    prepared, n_classes = estimate.prepared, estimate.merged.votes.n_classes
    if prepared.sources.sets is None:
        total = np.asarray(prepared.sources.vote_counts, np.float64).sum(1)
    else:  # of the class in mind, where a vote is for several
        counts = estimate.counted.counts
        behind = latent_votes(counts[:, n_classes:], estimate.state.params.confusion, prepared.sources.sets)
        votes = np.asarray(counts[:, :n_classes] + behind, np.float64)
        right, total = np.trace(votes, axis1=1, axis2=2), votes.sum((1, 2))
    overall = right.sum() / total.sum() if total.sum() else 1 / n_classes
    accuracy = np.asarray(np.where(total > 0, right / np.maximum(total, 1e-9), overall), np.float64)
    return accuracy if prepared.sources.bounds is None else np.clip(accuracy, *np.asarray(prepared.sources.bounds).T)
