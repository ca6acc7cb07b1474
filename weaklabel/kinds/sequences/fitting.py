"""From votes on tokens to a fitted model: rows, EM, copies, EM again, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.sequences.copies import find_copies
from weaklabel.kinds.sequences.em import Progress, Shape, before_first, run_em
from weaklabel.kinds.sequences.fitted import Fitted, diagnose
from weaklabel.kinds.sequences.inputs import Documents, Silence, are_annotators
from weaklabel.kinds.sequences.lanes import place_of_tokens
from weaklabel.kinds.sequences.preparation import (
    LONGEST_FITTED,
    Rows,
    cut,
    on_device,
    read_rows,
    sampled,
    tokens_of,
)
from weaklabel.kinds.sequences.schemes import Scheme
from weaklabel.model.em.segments import FitProgress, OnProgress, in_segments
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import single, to_device

FOUND = 0.7
"""Share of the tokens in spans that functions mark together, where no gold tells."""
FOUND_WEIGHT = 20.0
"""Gold tokens in spans that this guess counts as."""
MOST_UNMARKED = 0.5
"""Share of the tokens without marks that are taken for parts of spans, at most."""
FIRST_ITERATIONS = 10
"""Of EM, before copies are looked for."""


class Job(NamedTuple):
    """How to fit."""

    scheme: Scheme
    silence: Silence | Mapping[str, Silence]
    max_iter: int
    tol: float
    seed: int
    sample_tokens: int | None
    progress: OnProgress | None = None


def shape_of(scheme: Scheme) -> Shape:
    """What the scheme allows, on the device."""
    return Shape(to_device(scheme.first), to_device(scheme.legal), to_device(scheme.last))


@under_own_settings
def train(documents: Documents, gold: NDArray[np.int16], job: Job) -> Fitted:
    """Fits the model; see `SequenceModel.fit`."""
    annotator = are_annotators(documents, job.silence)
    lengths, n_tags = documents.lengths, len(job.scheme.tags)
    known = np.add.reduceat(gold >= 0, np.cumsum(lengths) - lengths) > 0
    chosen = sampled(lengths, known, job.sample_tokens, job.seed)
    tokens = tokens_of(chosen, lengths)
    codes, gold = documents.codes[tokens], gold[tokens]
    rows = read_rows(codes, cut(lengths[chosen], LONGEST_FITTED), annotator, n_tags)
    copies = np.zeros((len(annotator), len(annotator)))
    state = _em(rows, annotator, copies, gold, job, FIRST_ITERATIONS, 0)
    copies = find_copies(rows.votes, _by_row(state, rows), annotator)
    state = _em(rows, annotator, copies, gold, job, job.max_iter, int(state.iteration))
    return _conclude(state, rows, documents, annotator, copies, gold, job)


def _em(
    rows: Rows,
    annotator: NDArray[np.bool_],
    copies: NDArray[np.float64],
    gold: NDArray[np.int16],
    job: Job,
    limit: int,
    before: int,
) -> Progress:
    grid, tokens, held = on_device(rows, annotator, copies, gold, len(job.scheme.tags), saturate=False)
    objective = single(np.full(max(job.max_iter, FIRST_ITERATIONS), np.nan))
    shape = shape_of(job.scheme)

    def tell(of_loop: FitProgress) -> None:
        assert job.progress is not None
        job.progress(of_loop._replace(iteration=before + of_loop.iteration, max_iter=FIRST_ITERATIONS + job.max_iter))

    of_data = grid, tokens, held, to_device(annotator), shape
    return in_segments(
        lambda state, stop_at: run_em(*of_data, state, stop_at, np.float32(job.tol)),
        before_first(*of_data, objective),
        limit,
        None if job.progress is None else tell,
        lambda state, done: float(np.asarray(state.objective)[done - 1]),
    )


def _by_row(state: Progress, rows: Rows) -> NDArray[np.float64]:
    """[U, K] expected tokens of each row and tag."""
    n_tags = state.posterior.shape[2]
    by_token = np.asarray(state.posterior).reshape(-1, n_tags)[place_of_tokens(rows.lanes, len(rows.row))]
    return np.stack([np.bincount(rows.row, by_token[:, tag], len(rows.symbols)) for tag in range(n_tags)], 1)


def _conclude(
    state: Progress,
    rows: Rows,
    documents: Documents,
    annotator: NDArray[np.bool_],
    copies: NDArray[np.float64],
    gold: NDArray[np.int16],
    job: Job,
) -> Fitted:
    q = _by_row(state, rows)
    n_iter = int(state.iteration)
    coverage = (documents.codes > 0).mean(0) if len(documents.codes) else np.zeros(len(annotator))
    precision, recall = _skills(rows, q)
    diagnostics = diagnose(
        documents.source_names,
        coverage,
        copies,
        contradicted=_contradicted(rows, q, gold, job.scheme),
        invented=_invented(rows, q),
        tokens=len(rows.row),
        converged=float(state.change) < job.tol,
    )
    tables, chain = state.parameters.tables, state.parameters.chain
    return Fitted(
        source_names=documents.source_names,
        annotator=annotator,
        votes=np.asarray(tables.votes),
        covered=np.asarray(tables.covered),
        first=np.asarray(chain.first),
        next=np.asarray(chain.next),
        copies=copies,
        unmarked=_unmarked(rows, q, annotator, gold),
        coverage=np.asarray(coverage, np.float64),
        precision=precision,
        recall=recall,
        objective=np.asarray(state.objective, np.float64)[:n_iter],
        diagnostics=diagnostics,
    )


def _unmarked(
    rows: Rows, q: NDArray[np.float64], annotator: NDArray[np.bool_], gold: NDArray[np.int16]
) -> NDArray[np.float64]:
    """[K] what tokens that no function marks are beside "O".

    The votes cannot tell how many spans every function misses. Gold can; without it, `FOUND` is assumed.
    """
    missed = np.zeros(q.shape[1])
    if annotator.all():
        return missed
    marked = np.asarray((rows.votes[:, ~annotator] > 0).any(1))
    tags = q[marked].sum(0)
    tags[0] = 0
    others = q[~marked].sum()
    in_span = gold > 0
    hits = float((in_span & marked[rows.row]).sum())
    found = (hits + FOUND_WEIGHT * FOUND) / (in_span.sum() + FOUND_WEIGHT)
    if tags.sum() > 0 and others > 0:
        missed = tags / tags.sum() * min(tags.sum() * (1 - found) / found / others, MOST_UNMARKED)
    return missed


def _skills(rows: Rows, q: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of each source; NaN where it has no votes in spans."""
    total, in_span, at = q.sum(1), q[:, 1:].sum(1), np.arange(len(q))
    precision, recall = np.full((2, rows.votes.shape[1]), np.nan)
    for source, votes in enumerate(rows.votes.T):
        marks = votes > 0
        right = float(q[at, votes][marks].sum())
        if marks.any():
            precision[source] = right / total[marks].sum()
        seen = votes >= 0 if (votes == 0).any() else np.ones(len(votes), bool)
        if in_span[seen].sum() > 0:
            recall[source] = right / in_span[seen].sum()
    return precision, recall


def _invented(rows: Rows, q: NDArray[np.float64]) -> float:
    """Share of the tokens in spans that no source marks."""
    in_span = q[:, 1:].sum(1)
    return float(in_span[~np.asarray((rows.votes > 0).any(1))].sum() / max(in_span.sum(), 1e-9))


def _contradicted(rows: Rows, q: NDArray[np.float64], gold: NDArray[np.int16], scheme: Scheme) -> float:
    """Share of the marked tokens whose votes all name one type, with another one in the posterior.

    What gold contradicts as well is no drift, and subtracted.
    """
    kind = np.concatenate([scheme.type_of, [-2]])[rows.votes]
    says = kind > -2
    marked = np.asarray((rows.votes > 0).any(1))
    highest = np.where(says, kind, -3).max(1)
    agreed = marked & (np.where(says, kind, 10**6).min(1) == highest)
    if not marked.any():
        return 0.0
    likeliest = scheme.type_of[q.argmax(1)]
    weight = q.sum(1)
    contradicted = float(weight[agreed & (likeliest != highest)].sum() / weight[marked].sum())
    judged = (gold >= 0) & marked[rows.row]
    if judged.any():
        other = scheme.type_of[gold[judged]] != highest[rows.row[judged]]
        contradicted -= float((other & agreed[rows.row[judged]]).mean())
    return max(contradicted, 0.0)
