"""A fit whose items have times: the label model of all items, followed over blocks of time; and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from weaklabel.model.calibration.fitting import fit_calibration
from weaklabel.model.drift.blocks import block_at, borders
from weaklabel.model.drift.blockwise import skills
from weaklabel.model.drift.following import follow
from weaklabel.model.drift.history import Drift
from weaklabel.model.drift.report import jumps_of, skill_over_time, with_jumps
from weaklabel.model.fitted import Fitted
from weaklabel.model.inputs import with_average_sources
from weaklabel.model.layout.deduplication import deduplicate
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import single
from weaklabel.model.params import Params
from weaklabel.model.pipeline import Job, train_on_votes
from weaklabel.model.preparation.prepare import Prepared, prepare
from weaklabel.model.report.findings import DOUBT
from weaklabel.model.report.intervals import votes_worth
from weaklabel.model.sources.unipolarity import unipolarity
from weaklabel.side_information.times import Times
from weaklabel.votes import Votes

SAMPLE_ROWS, SAMPLE_CELLS = 2**12, 2**20
"""Items whose votes a model keeps, to look for dependence again as items arrive, and cells of them."""
PARTS = 4
"""Parts of the time in which a source that fades counts as several, where dependence is looked for."""
CHECK_AGAIN = 1.5
"""Factor by which the number of items grows until dependence is looked for again."""

DEPENDENCE = frozenset(("doubt", "excess_correlation", "copies"))
"""Findings that drift may feign."""


@under_own_settings
def train_over_time(votes: Votes, times: Times, job: Job, *, are_calls: bool = False) -> Fitted:
    """Fits the label model to items with times; see `LabelModel.fit`. The plain fit where nothing changes.

    Args:
        votes: N items.
        times: of each.
        job: how to fit.
        are_calls: whether times are numbers of calls of `partial_fit`.
    """
    fitted, estimate = train_on_votes(votes, job)
    n_votes = np.maximum(np.asarray(estimate.profile.n_votes, np.float64), 1)
    shape = votes.n_sources, votes.n_classes
    nothing = np.zeros(0)
    drift = Drift(
        starts=nothing,
        ends=nothing,
        middles=nothing,
        items=nothing,
        counts=np.zeros((0, *shape, votes.n_classes), np.float32),
        class_totals=np.zeros(votes.n_classes),
        rates=np.zeros(votes.n_sources),
        segments=np.zeros((votes.n_sources, 0), np.int32),
        are_dates=np.asarray(times.are_dates),
        are_calls=np.asarray(are_calls),
        **_known_before_em(estimate.prepared),
        worth=np.clip(votes_worth(fitted.source_accuracy_interval) / n_votes, 0, 1),
        sample=np.zeros((0, votes.n_sources), np.int32),
        sample_times=nothing,
        checked=np.asarray(float(votes.n_items)),
    )
    drift = _sampled(drift, votes, times.values, job.seed)
    found = follow(drift, votes, times.values, fitted.copies, fitted.params, job.settings, turns=0)
    if not found.changes.any:
        return fitted._replace(drift=found)
    # Sources whose skills change at one time look dependent, and are held to the vote shares: once more without.
    fitted, drift = _checked_again(fitted, drift, votes, job, (found,))
    found = follow(drift, votes, times.values, fitted.copies, fitted.params, job.settings)
    return _concluded(fitted, found, job)


@under_own_settings
def update(fitted: Fitted, votes: Votes, times: Times, job: Job) -> Fitted:
    """The model with new items; what it has counted of others stays, and fades.

    Args:
        fitted: of `train_over_time`.
        votes: N new items, with the sources of the model first.
        times: of each.
        job: how to fit.
    """
    before = fitted.drift
    assert before is not None
    new = votes.source_names[len(fitted.source_names) :]
    if new:
        fitted, before = with_average_sources(fitted, new), _with_sources(before, len(new))
    before = _sampled(before, votes, times.values, job.seed)
    if before.items.sum() + votes.n_items >= CHECK_AGAIN * before.checked:
        fitted, before = _checked_again(fitted, before, votes, job, (None, before))
    drift = follow(before, votes, times.values, fitted.copies, fitted.params, job.settings)
    counts = drift.counts.sum((0, 3), dtype=np.float64)
    return _concluded(fitted, drift._replace(unipolarity=unipolarity(counts)), job)


def _known_before_em(prepared: Prepared) -> dict[str, Any]:
    profile = prepared.profile
    return {
        "smoothing": np.asarray(prepared.smoothing, np.float64),
        "hold": np.asarray(prepared.independence.hold, np.float64),
        "confusion_mass": np.asarray(profile.confusion_mass, np.float64),
        "error_mass": np.asarray(profile.error_mass, np.float64),
        "unipolarity": np.asarray(profile.unipolarity, np.float64),
        "independence": np.asarray(profile.independence, np.float64),
        "log_share_balance": np.asarray(profile.log_share_balance, np.float64),
    }


def _sampled(drift: Drift, votes: Votes, times: NDArray[np.float64], seed: int) -> Drift:
    """The history with an even sample of all items: of those seen before, and of new ones (reservoir sampling)."""
    most = max(min(SAMPLE_ROWS, SAMPLE_CELLS // max(votes.n_sources, 1)), 1)
    seen, generator = int(drift.items.sum()), np.random.default_rng((seed, int(drift.items.sum())))
    keeps = min(most, seen + votes.n_items)
    drawn = generator.choice(seen + votes.n_items, keeps, replace=False)
    n_new = max(int((drawn >= seen).sum()), keeps - len(drift.sample))
    new = np.argsort(times, kind="stable")[np.sort(generator.choice(votes.n_items, n_new, replace=False))]
    old = np.sort(generator.choice(len(drift.sample), keeps - n_new, replace=False))
    more = votes.select_items(new).to_codes().astype(np.int32)
    return drift._replace(
        sample=np.concatenate([drift.sample[old], more]),
        sample_times=np.append(drift.sample_times[old], times[new]),
    )


def _with_sources(drift: Drift, n_new: int) -> Drift:
    """The history with more sources, that have not voted."""
    n_blocks, _, n_classes, _ = drift.counts.shape
    return drift._replace(
        counts=np.concatenate([drift.counts, np.zeros((n_blocks, n_new, n_classes, n_classes), np.float32)], axis=1),
        rates=np.append(drift.rates, np.zeros(n_new)),
        segments=np.concatenate([drift.segments, np.zeros((n_new, n_blocks), np.int32)]),
        unipolarity=np.append(drift.unipolarity, np.zeros(n_new)),
        independence=np.append(drift.independence, np.ones(n_new)),
        worth=np.append(drift.worth, np.full(n_new, drift.worth.mean())),
        sample=np.concatenate([drift.sample, np.full((len(drift.sample), n_new), -1, np.int32)], axis=1),
    )


def _checked_again(
    fitted: Fitted, drift: Drift, votes: Votes, job: Job, changes: tuple[Drift | None, ...]
) -> tuple[Fitted, Drift]:
    """The model after a new look at the dependence of its sources, on the sample.

    Skills that change at one time look like dependence, which is gone where a source is another one after a jump; but
    then fewer items are shared, on which dependence cannot always be tested. What leaves the least doubt is right.

    Args:
        fitted: the model.
        drift: its history, with a sample of the new items.
        votes: N new items.
        job: how to fit.
        changes: histories whose changes are to be looked at; None for none.
    """
    n_sources, n_classes = votes.n_sources, votes.n_classes
    looked = []
    for known in changes:
        column, source_of = _columns(drift, known)
        looked.append((_prepared(drift, column, len(source_of), n_classes, job), source_of))
    prepared, source_of = min(looked, key=lambda one: one[0].independence.doubt)
    drift = drift._replace(checked=np.asarray(drift.items.sum() + votes.n_items))
    doubt = prepared.independence.doubt
    if None not in changes and doubt >= fitted.diagnostics.doubt:
        return fitted, drift
    counts = np.asarray(prepared.profile.vote_counts, np.float64)
    belongs = (source_of[None] == np.arange(n_sources)[:, None]).astype(np.float64)  # [M, columns]
    shares = belongs * counts.sum(1) / np.maximum(belongs @ counts.sum(1), 1e-9)[:, None]
    before_em = _known_before_em(prepared)
    alone = np.where(shares.sum(1) > 0, shares @ before_em["independence"], 1)
    before_em |= {"independence": alone, "unipolarity": unipolarity(belongs @ counts)}
    drift = drift._replace(**before_em)
    fold = sp.csr_array(np.sqrt(shares))
    copies = sp.csr_array((fold @ prepared.copies @ fold.T).minimum(1))
    copies.setdiag(0)
    copies.eliminate_zeros()
    calibration = fit_calibration(fitted.params, drift.profile, job.settings, prepared.independence)
    found = tuple(one for one in fitted.diagnostics.findings if one.kind not in DEPENDENCE or doubt > DOUBT)
    diagnostics = replace(fitted.diagnostics, doubt=doubt, findings=found)
    return fitted._replace(copies=copies, calibration=calibration, diagnostics=diagnostics), drift


def _columns(drift: Drift, known: Drift | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[R, M] a column for each vote of the sample, and the source of each column.

    One column per source and segment between its jumps; of a source that fades, in parts of the time.
    """
    size, n_sources = drift.sample.shape
    column = np.zeros((size, n_sources), np.int64)
    if known is not None:
        edges = borders(known.starts, known.middles, known.ends)
        part = np.argsort(np.argsort(drift.sample_times, kind="stable")) * PARTS // max(size, 1)
        column = known.segments[:, block_at(drift.sample_times, edges)].T.astype(np.int64) * PARTS
        column += part[:, None] * (known.rates > 0)
    width = int(column.max(initial=0)) + 1
    column += np.arange(n_sources) * width
    used, place = np.unique(column, return_inverse=True)
    return place.reshape(column.shape), used // width


def _prepared(drift: Drift, column: NDArray[np.int64], n_columns: int, n_classes: int, job: Job) -> Prepared:
    """What a fit to the sample would start from, with these columns for sources."""
    rows, sources = np.nonzero(drift.sample >= 0)
    apart = Votes.from_triples(
        rows,
        column[rows, sources],
        drift.sample[rows, sources],
        n_items=len(drift.sample),
        n_sources=n_columns,
        n_classes=n_classes,
    )
    return prepare(deduplicate(apart), job.settings, job.label_space, None, job.source_model, job.seed)


def _concluded(fitted: Fitted, drift: Drift, job: Job) -> Fitted:
    """The model whose parameters are those of the last block, with what is said of them."""
    faded = single(drift.faded()[-1:])
    every: Params = skills(faded, fitted.params, drift.label_statistics, drift.profile, job.settings)
    last = Params(jax.tree.map(lambda leaf: leaf[0], every.sources), every.labels)
    calibration = fitted.calibration._replace(sources=last.sources, labels=last.labels.calibrated())
    totals = np.asarray(last.labels.class_totals, np.float64)
    skill = skill_over_time(drift, drift.ends[-1:], job.settings)
    jumps = jumps_of(drift, fitted.source_names, job.settings)
    return fitted._replace(
        params=last,
        calibration=calibration,
        class_balance=totals / totals.sum(),
        coverage=drift.counts.sum((0, 2, 3), dtype=np.float64) / max(drift.items.sum(), 1),
        source_accuracy=skill.accuracy[0],
        source_accuracy_interval=skill.interval[0],
        diagnostics=with_jumps(fitted.diagnostics, jumps),
        drift=drift,
    )
