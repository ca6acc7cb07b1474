"""From votes to a fitted model: preparation, the compiled loop, the read-out, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.decide import decide
from weaklabel.model.dependence import excess_correlation
from weaklabel.model.diagnostics import Diagnostics, diagnose
from weaklabel.model.estep import posterior
from weaklabel.model.fit import run, start, votes_by_class
from weaklabel.model.gold import calibrate
from weaklabel.model.init import Prepared, prepare
from weaklabel.model.intervals import accuracy_intervals
from weaklabel.model.layout import MergedRows, merge_rows
from weaklabel.model.params import Params, ReadOut, Settings, State
from weaklabel.model.readout import RowEvidence, gather, make_read_out, read_out
from weaklabel.votes import Votes

ITERATIONS_A_SEGMENT = 10
"""Between two reports of progress."""
MOSTLY_UNIPOLAR = 0.95
"""Above this mean precision all safeguards are in force anyway, and dependence need not be measured."""
INTERVAL_LEVEL = 0.9
CHECKED = 3
"""Votes on an item, from which on they check each other."""


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


def train(
    votes: Votes,
    gold: NDArray[np.int32] | None,
    settings: Settings,
    *,
    seed: int,
    max_iter: int,
    tol: float,
    progress: Callable[[FitProgress], None] | None,
) -> Fitted:
    """Fits the label model; see `LabelModel.fit`."""
    merged = merge_rows(votes, gold)
    prepared = prepare(merged, settings)
    state = _iterate(prepared, settings, votes.n_sources, max_iter=max_iter, tol=tol, progress=progress)
    n_iter = int(state.iteration)
    objective = np.asarray(state.objective, np.float64)[:n_iter]
    converged = float(state.change) < tol
    totals = np.asarray(state.params.class_totals, np.float64)
    balance = totals / totals.sum()

    correlation = _correlation(prepared, merged, state, seed)
    how = _make_read_out(prepared, merged, state, settings, correlation)
    if merged.gold is not None:
        how = _calibrated(how, prepared, merged, balance, settings)
    n_rows = merged.votes.n_items
    soft, scores = (np.asarray(part)[:n_rows] for part in read_out(prepared.rows, how, settings.anchor_mass))
    if merged.gold is not None:
        known = merged.gold >= 0
        soft = np.where(known[:, None], np.eye(votes.n_classes, dtype=np.float32)[merged.gold], soft)
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
        votes.source_names,
        state.params,
        how,
        prepared.copies,
        n_iter,
        converged,
        objective,
        balance,
        votes.coverage,
        _accuracy(merged, soft),
        intervals,
        diagnose(
            merged.votes,
            weight,
            soft,
            decide(scores, "abstain", seed),
            majority_vote=float(how.call_anchor_share) == 1.0,
            class_balance=balance,
            intervals=intervals,
            independence=np.asarray(prepared.sources.independence, np.float64),
            copies=prepared.copies,
            excess_correlation=correlation,
            objective=objective,
            converged=converged,
        ),
    )


def _iterate(
    prepared: Prepared,
    settings: Settings,
    n_sources: int,
    *,
    max_iter: int,
    tol: float,
    progress: Callable[[FitProgress], None] | None,
) -> State:
    """The compiled loop: in one go, or in segments where somebody watches; the same bits either way."""
    state = start(prepared.rows, n_sources, max_iter)
    limit, done = jnp.asarray(tol, jnp.float32), 0
    while done < max_iter and (done == 0 or float(state.change) >= tol):
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


def _make_read_out(
    prepared: Prepared, merged: MergedRows, state: State, settings: Settings, correlation: float
) -> ReadOut:
    full = state.params.confusion.ndim == 3
    n_rows, n_sources = merged.votes.n_items, merged.votes.n_sources
    silent = np.asarray(prepared.rows.weight)[:n_rows] == 0
    n_votes = np.asarray(prepared.rows.n_votes, np.float64)[:n_rows]
    return make_read_out(
        prepared.rows,
        state.params,
        prepared.sources,
        settings,
        correlation=correlation,
        votes_by_class=votes_by_class(prepared.rows, state.responsibilities, n_sources) if full else None,
        n_uncovered=float(merged.weight[silent].sum()),
        n_checked=float((merged.weight * n_votes)[n_votes >= CHECKED - 1e-6].sum()),
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


def _accuracy(merged: MergedRows, soft: NDArray[np.float32]) -> NDArray[np.float64]:
    """[M] expected share of each source's votes that are right; the mean of all where it has none."""
    rows, sources, labels = merged.votes.triples()
    weight = merged.weight[rows].astype(np.float64)
    n_sources = merged.votes.n_sources
    right = np.bincount(sources, weight * soft[rows, labels], minlength=n_sources)
    total = np.bincount(sources, weight, minlength=n_sources)
    overall = right.sum() / total.sum() if total.sum() else 1 / merged.votes.n_classes
    return np.where(total > 0, right / np.maximum(total, 1), overall)
