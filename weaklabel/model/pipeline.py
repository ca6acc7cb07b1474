"""From votes to a fitted model, stage by stage: prepare, EM, calibrate, report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.calibration.fitting import fit_calibration
from weaklabel.model.em.estimate import Estimate, Options, estimate_rows, refine
from weaklabel.model.em.full_pass import PassStatistics
from weaklabel.model.em.gathered import gather
from weaklabel.model.em.partitions import draw_from_partitions, pass_over_partitions
from weaklabel.model.em.subsample import (
    Chunk,
    chunks_of,
    count_votes,
    draw_from_chunks,
    draw_subsample,
    pass_over,
    recut_with,
    sample_size,
)
from weaklabel.model.features.end_model import fit_features
from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import corrected
from weaklabel.model.labels.hard_knowledge import kept
from weaklabel.model.layout.choice import is_dense
from weaklabel.model.layout.deduplication import UniqueRows, deduplicate
from weaklabel.model.numerics.default_device import on_cpu
from weaklabel.model.numerics.devices import mesh
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.prediction import predict
from weaklabel.model.preparation.prepare import FitInputs
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.report.findings import diagnose
from weaklabel.model.report.intervals import intervals_of
from weaklabel.model.report.summary import source_accuracy, summarize_rows
from weaklabel.model.settings import Settings
from weaklabel.model.with_features import evidence_of, of_a_lone_source
from weaklabel.model.with_gold import learn_from_gold, report_with_gold
from weaklabel.side_information.bags import CheckedBags
from weaklabel.side_information.by_id import KnownById
from weaklabel.side_information.features import Features
from weaklabel.side_information.gold import KnownLabels
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes import Votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.partitions import PartitionedVotes

DEFAULT_SAMPLE = 2**16
"""Rows of a subsample."""
MOST_VOTES, MOST_RESPONSIBILITIES = 2**24, 2**26
"""Up to so many votes of a matrix, and rows x K, fits do without a subsample where most cells are silent."""
MOST_REPORTED = 20_000
"""Items by whose soft labels a fit with gold is reported."""
TURNS = 2
"""Of features and votes, where there is one source."""


ReadGold = Callable[[Votes], KnownLabels | None]
"""Reads known labels against the votes of the items that have some."""


class Job(NamedTuple):
    """How to fit."""

    settings: Settings
    label_space: type[LabelSpace]
    source_model: type[SourceModel] | None
    """None for what suits the votes."""
    options: Options
    seed: int
    sample_rows: int | None
    classes: tuple[str, ...]
    """K names."""

    @property
    def most_rows(self) -> int:
        """Rows of a sample, where votes are not held in memory."""
        return DEFAULT_SAMPLE if self.sample_rows is None else self.sample_rows


class Outcome(NamedTuple):
    """A fit, and the soft labels of its rows."""

    fitted: Fitted
    soft: NDArray[np.float32] | None
    """[U, K]; None where they were not to be kept, and nothing else needed them."""


@under_own_settings
def train(votes: Votes, gold: KnownLabels | None, inputs: FitInputs, features: Features | None, job: Job) -> Fitted:
    """Fits the label model; see `LabelModel.fit`."""
    if inputs.items is not None or features is not None or job.label_space.ties_items():
        return _train_by_item(votes, gold, inputs, features, job)
    fitted = train_on_votes(votes, job, inputs)[0]
    if gold is None:
        return fitted
    of_gold, sampled = (
        _Labeled(some, _soft_labels(some, fitted, job))
        for some in map(votes.select_items, (gold.items, _sampled(votes.n_items, job.seed)))
    )
    return _with_gold(fitted, gold, of_gold, sampled, job)


def train_on_votes(votes: Votes, job: Job, inputs: FitInputs | None = None) -> tuple[Fitted, Estimate]:
    """A fit to votes of which the same is known for all items, and what it is made of."""
    if job.sample_rows is not None and votes.n_items > job.sample_rows and _is_mostly_silent(votes):
        votes = votes.to_sparse()
    unique = deduplicate(votes)
    if job.sample_rows is not None and not votes.is_sparse and votes.is_plain:
        size = _size_of_subsample(unique, votes, job.sample_rows)
        if size < votes.n_items:
            estimate = _estimate(draw_subsample(votes, size, job.seed), job, inputs)
            estimate = refine(estimate, lambda *by: pass_over(map(Chunk, chunks_of(votes)), *by), job.settings)
            return _conclude(estimate, job).fitted, estimate
    estimate = _estimate(unique, job, inputs)
    return _conclude(estimate, job).fitted, estimate


class _Labeled(NamedTuple):
    """Some items, and their soft labels by what is known beside gold."""

    votes: Votes
    soft: NDArray[np.float32]
    """[n, K]"""


def _soft_labels(votes: Votes, fitted: Fitted, job: Job, items: ItemInformation | None = None) -> NDArray[np.float32]:
    """[n, K] soft labels without gold."""
    return predict(votes, fitted, job.settings.share_prior_mass, items)


def _with_gold(
    fitted: Fitted,
    gold: KnownLabels,
    of_gold: _Labeled,
    sampled: _Labeled,
    job: Job,
    bags: CheckedBags | None = None,
) -> Fitted:
    """The fit corrected by gold, and what it reports by a sample of the items."""
    learned = learn_from_gold(fitted, of_gold.votes, of_gold.soft, gold, job.settings, job.seed)
    assert learned.gold is not None
    soft = kept(corrected(sampled.soft, sampled.votes, learned.gold), bags)
    soft_of_gold = corrected(of_gold.soft, of_gold.votes, learned.gold)
    return report_with_gold(learned, sampled.votes, soft, of_gold.votes, soft_of_gold, gold)


def _sampled(n_items: int, seed: int) -> NDArray[np.int64]:
    """Items by whose soft labels a fit with gold is reported: all, or a sample."""
    if n_items <= MOST_REPORTED:
        return np.arange(n_items)
    return np.sort(np.random.default_rng(seed).choice(n_items, MOST_REPORTED, replace=False))


@under_own_settings
def train_on_chunks(chunks: VoteChunks, job: Job) -> Fitted:
    """As a fit to votes in memory would; every process that `jax.distributed` has joined takes part in it."""
    drawn = draw_from_chunks(chunks, job.most_rows, job.seed)
    estimate = _estimate(drawn.rows, job)
    if drawn.is_sample:
        estimate = refine(estimate, partial(_pass_over_chunks, chunks), job.settings, everywhere=True)
    return _conclude(estimate, job).fitted


@under_own_settings
def train_on_partitions(
    votes: PartitionedVotes, known: KnownById | None, inputs: FitInputs, read_gold: ReadGold, job: Job
) -> Fitted:
    """As a fit to votes in memory would; with priors or groups, of which each row has its own, also by a sample."""
    (rows, is_sample, items), first, n_items = draw_from_partitions(votes, job.most_rows, job.seed, known)
    estimate = _estimate(rows, job, inputs._replace(items=items))
    if is_sample:
        estimate = refine(estimate, partial(pass_over_partitions, votes, known), job.settings)
    fitted = _conclude(estimate, job).fitted
    if known is None or known.gold is None:
        return fitted
    gathered = gather(votes, known, first, _sampled(n_items, job.seed))
    gold = read_gold(gathered.of_gold.votes)
    if gold is None:
        return fitted
    of_gold, sampled = (_Labeled(some, _soft_labels(some, fitted, job, beside)) for some, beside in gathered)
    return _with_gold(fitted, gold, of_gold, sampled, job)


def _pass_over_chunks(chunks: VoteChunks, *by: Any) -> PassStatistics:
    return pass_over(recut_with(None, chunks), *by)


def _size_of_subsample(unique: UniqueRows, votes: Votes, sample_rows: int) -> int:
    """Rows to sample; all N where there are few distinct ones."""
    if unique.votes.n_items <= sample_rows:
        return votes.n_items
    n_votes = count_votes(chunks_of(votes))
    return sample_size(votes.n_items, n_votes, votes.n_sources, votes.n_classes, sample_rows)


def _is_mostly_silent(votes: Votes) -> bool:
    """Whether a fit to all votes that were given costs less than one to a subsample, and passes over all cells.

    Not on accelerators and on several devices, over which passes are spread.
    """
    if not on_cpu() or mesh().size > 1:
        return False
    by_votes = votes.is_sparse or not is_dense(votes)
    return by_votes and votes.n_votes <= MOST_VOTES and votes.n_items * votes.n_classes <= MOST_RESPONSIBILITIES


def _train_by_item(
    votes: Votes, gold: KnownLabels | None, inputs: FitInputs, features: Features | None, job: Job
) -> Fitted:
    """A fit in which each item is a row of its own; with features, one without them teaches what they say."""
    rows = UniqueRows(votes, np.ones(votes.n_items, np.float32))
    bags = None if inputs.items is None else inputs.items.bags
    estimate = _estimate(rows, job, inputs)
    fitted, soft = _conclude(estimate, job, keep_soft=gold is not None)
    if gold is not None and soft is not None:
        of_gold = _Labeled(votes.select_items(gold.items), soft[gold.items])
        fitted = _with_gold(fitted, gold, of_gold, _Labeled(votes, soft), job, bags)
    if features is None or votes.n_items == 0:
        return fitted
    alone, unipolarity = votes.n_sources == 1 and gold is None, estimate.prepared.mean_unipolarity
    counts = np.asarray(estimate.prepared.profile.vote_counts)
    # Nothing but features tells how accurate a lone source is, and they learn it from the source: in turns.
    for turn in range(TURNS if alone and votes.is_plain else 1):
        if alone and turn == 0:
            evidence = of_a_lone_source(votes, job.seed)
        else:
            known, mass = None if alone else inputs.items, job.settings.share_prior_mass
            evidence = evidence_of(votes, fitted, counts, known, gold, mass, job.seed)
        learned = fit_features(features, evidence, seed=job.seed)
        power = 1 - job.settings.feature_overlap * unipolarity * learned.model.strength
        items = (inputs.items or ItemInformation()).with_features(learned.offset, learned.log_proba, power)
        fitted = _conclude(_estimate(rows, job, inputs._replace(items=items)), job).fitted
    learned = learned.beside(fitted.class_balance, unipolarity)
    fitted = fitted._replace(features=learned.model._replace(votes_power=power))
    if gold is None:
        return fitted
    items = (inputs.items or ItemInformation()).with_features(learned.offset, learned.log_proba, power)
    soft = _soft_labels(votes, fitted, job, items)
    of_gold = _Labeled(votes.select_items(gold.items), soft[gold.items])
    return _with_gold(fitted, gold, of_gold, _Labeled(votes, soft), job, bags)


def _estimate(unique: UniqueRows, job: Job, inputs: FitInputs | None = None) -> Estimate:
    return estimate_rows(unique, job.settings, job.label_space, job.options, inputs, job.source_model, job.seed)


def _conclude(estimate: Estimate, job: Job, *, keep_soft: bool = False) -> Outcome:
    """The calibration of an estimate, and the report on it."""
    unique, prepared, state, settings = estimate.unique, estimate.prepared, estimate.state, job.settings
    objective = np.asarray(state.objective, np.float64)[: int(state.iteration)]
    totals = np.asarray(state.params.labels.class_totals, np.float64)
    balance, of_statistics = totals / totals.sum(), estimate.statistics.sources
    calibration = fit_calibration(state.params, estimate.profile, settings, prepared.independence)
    summary = summarize_rows(prepared, unique, calibration, settings, keep_soft=keep_soft)
    right = state.params.sources.right_votes(of_statistics, prepared.profile)
    accuracy = source_accuracy(prepared, summary.right, right)
    intervals = intervals_of(estimate, accuracy)
    fitted = Fitted(
        source_names=unique.votes.source_names,
        params=state.params,
        calibration=calibration,
        copies=prepared.copies,
        n_iter=len(objective),
        converged=estimate.converged,
        objective=objective,
        class_balance=balance,
        coverage=estimate.coverage,
        source_accuracy=accuracy,
        source_accuracy_interval=intervals,
        diagnostics=diagnose(
            unique.votes,
            unique.weight.astype(np.float64),
            summary.agreement,
            class_balance=balance,
            intervals=intervals,
            independence=np.asarray(prepared.profile.independence, np.float64),
            vote_counts=np.asarray(prepared.profile.vote_counts, np.float64),
            copies=prepared.copies,
            check=prepared.independence,
            objective=objective,
            converged=estimate.converged,
            classes=job.classes,
            sampled=estimate.statistics is not state.statistics,
        ),
        sets=unique.votes.symbols.sets,
        group_names=estimate.group_names,
        group_balance=state.params.labels.group_balance(),
    )
    return Outcome(fitted, summary.soft)
