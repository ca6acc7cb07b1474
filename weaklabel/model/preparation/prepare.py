"""From votes to what EM starts from: rows on the device, copies, unipolar sources. Once per fit, mostly on the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel.model.dependence.copies import find_copies, identical_columns, with_families, without_sources
from weaklabel.model.dependence.independence import Independence, check_independence
from weaklabel.model.dependence.panel import Panel
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics.padding import bucket, padded, single, to_device
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.preparation.vote_counts import favoured_counts, share_totals, vote_counts
from weaklabel.model.protocols import Information, LabelSpace, SourceModel
from weaklabel.model.records import Profile, Rows, RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.candidate_sets import set_symbols
from weaklabel.model.sources.choice import suitable_source_model
from weaklabel.model.sources.soft_votes import soft_votes
from weaklabel.model.sources.unipolarity import constant_sources, unipolarity
from weaklabel.side_information.items import ItemInformation
from weaklabel.votes.conversion import plain_part


class FitInputs(NamedTuple):
    """What a fit is given beside the votes; each part None where there is nothing."""

    items: ItemInformation | None = None
    """Side information on the items."""
    bounds: NDArray[np.float32] | None = None
    """[M, 2] least and largest accuracy of each source."""
    families: NDArray[np.int32] | None = None
    """[M] number of each source's family, -1 for none."""


class Prepared(NamedTuple):
    """What EM starts from."""

    rows: Rows
    """At `places`."""
    profile: Profile
    source_model: type[SourceModel]
    label_space: type[LabelSpace]
    copies: sp.csr_array[np.float64]
    """[M, M] how surely each pair of sources copies each other."""
    mean_unipolarity: float
    """See `Profile`."""
    independence: Independence
    """How far votes refute that sources err independently."""
    smoothing: NDArray[np.float64]
    """[K] over which the pseudo-votes of the vote-share priors are spread."""
    places: NDArray[np.int32]
    """[U] where each vote row is among `rows`: somewhere else where they are streamed, longest first."""


def prepare(
    unique: UniqueRows,
    settings: Settings,
    label_space: type[LabelSpace],
    inputs: FitInputs | None = None,
    source_model: type[SourceModel] | None = None,
    seed: int = 0,
) -> Prepared:
    """The rows on the device, and what is known of sources and classes before EM.

    Args:
        unique: U distinct rows.
        settings: constants.
        label_space: what labels are.
        inputs: what the fit is given beside the votes.
        source_model: how sources vote; None for what suits their number and that of the classes.
        seed: of the sample on which dependence is measured.
    """
    votes, inputs = unique.votes, inputs or FitInputs()
    items_given = inputs.items or ItemInformation()
    n_rows, sets = bucket(votes.n_items), set_symbols(votes)
    items, information = to_device(unique.weight, n_rows), label_space.on_device(items_given, n_rows)
    row_votes = RowVotes(lay_out(votes), soft_votes(votes))
    counts = vote_counts(votes, unique.weight, row_votes, items, sets)
    whole = counts.sum(1) if sets is None else share_totals(votes, row_votes, items, sets)
    unipolar = unipolarity(*favoured_counts(counts, row_votes, items, sets))
    panel, copies, likeliest_copy = _find_copies(unique, counts, unipolar, inputs, settings, seed)
    shared = whole
    if copies.nnz:
        row_votes = RowVotes(lay_out(votes, copies), soft_votes(votes, copies))
        shared = share_totals(votes, row_votes, items, sets)
    alone = np.where(whole > 0, shared / np.maximum(whole, 1e-9), 1.0)
    counted_once = counts.sum(1) * alone
    mean_unipolarity = float((unipolar * counted_once).sum() / max(counted_once.sum(), 1e-9))
    independence = check_independence(
        panel,
        settings,
        copies=copies,
        likeliest_copy=likeliest_copy,
        mean_unipolarity=mean_unipolarity,
        seed=seed,
    )
    smoothing = _smoothing((counts * alone[:, None]).sum(0), mean_unipolarity)
    rows, places = _lay_rows(unique, row_votes, information, independence, smoothing, settings)
    mass = settings.masses(votes.n_classes, independence.doubt)
    profile = Profile(
        confusion_mass=single(mass.votes),
        error_mass=single(mass.errors),
        vote_counts=single(counts),
        n_votes=single(counts.sum(1)),
        unipolarity=single(unipolar),
        independence=single(alone),
        log_share_balance=_log_share_balance(rows),
        sets=sets,
        bounds=None if inputs.bounds is None else to_device(inputs.bounds),
        information=None if sets is None else single(np.clip(counts.sum(1) / np.maximum(whole, 1e-9), 0, 1)),
    )
    return Prepared(
        rows=rows,
        profile=label_space.extend_profile(profile, rows, items_given, settings),
        source_model=source_model or suitable_source_model(votes.n_sources, votes.n_classes),
        label_space=label_space,
        copies=copies,
        mean_unipolarity=mean_unipolarity,
        independence=independence,
        smoothing=smoothing,
        places=places,
    )


def _find_copies(
    unique: UniqueRows,
    counts: NDArray[np.float64],
    unipolar: NDArray[np.float64],
    inputs: FitInputs,
    settings: Settings,
    seed: int,
) -> tuple[Panel, sp.csr_array[np.float64], float]:
    """The sample on which dependence is measured, [M, M] how surely sources copy each other, and the largest rate."""
    votes = unique.votes
    weight = unique.weight.astype(np.float64) / unique.scale
    constant = constant_sources(counts, votes, unique.weight)
    panel = Panel.sample(plain_part(votes), weight, constant, seed)
    found = find_copies(panel, unipolar, settings)
    copies = found.scores.maximum(identical_columns(plain_part(votes, with_sets=True), weight, unipolar))
    if inputs.families is not None:
        copies = with_families(copies, inputs.families, settings.family_score)
    return panel, without_sources(copies, constant), found.likeliest


def _lay_rows(
    unique: UniqueRows,
    row_votes: RowVotes,
    information: Information | None,
    independence: Independence,
    smoothing: NDArray[np.float64],
    settings: Settings,
) -> tuple[Rows, NDArray[np.int32]]:
    """The rows in the order in which they are read, and [U] the place of each; streamed ones are the longest first."""
    votes, n_rows = unique.votes, bucket(unique.votes.n_items)
    places = order = None
    if row_votes.soft is None and information is None:
        layout, places, order = row_votes.layout.in_storage_order()
        row_votes = RowVotes(layout)
    items = _in_order(unique.weight, n_rows, order)
    rows = build_rows(
        row_votes,
        items,
        n_sources=votes.n_sources,
        n_classes=votes.n_classes,
        share_prior_mass=settings.share_prior_mass,
        share_weight=independence.hold,
        sets=set_symbols(votes),
        smoothing=single(smoothing),
        set_coverage=settings.set_coverage,
    )
    if information is not None:
        rows = information.attach(rows, items, independence.hold)
    places = (np.arange(n_rows, dtype=np.int32) if places is None else places)[: votes.n_items]
    return rows, places


def _in_order(values: NDArray[Any], n_rows: int, order: NDArray[np.int32] | None) -> Array:
    """Values [U] of rows on the device, padded, in an order if one is given."""
    return to_device(values, n_rows) if order is None else to_device(padded(values, n_rows, 0)[order])


def _smoothing(counts: NDArray[np.float64], mean_unipolarity: float) -> NDArray[np.float64]:
    """[K] the shares of the votes, and uniform to the extent that sources are unipolar: those vote for part of the
    classes, whatever the balance.
    """
    shares = (counts + 0.5) / (counts + 0.5).sum()
    return np.asarray((1 - mean_unipolarity) * shares + mean_unipolarity / len(counts))


def _log_share_balance(rows: Rows) -> Array:
    """Logarithm of the class balance that the vote-share priors show."""
    totals = np.asarray(rows.weight) @ np.asarray(rows.share_prior) + 1
    return single(np.log(totals / totals.sum()))
