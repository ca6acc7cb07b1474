"""Soft labels of any number of items. A matrix goes a chunk at a time: memory holds the result and little else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import jax
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.calibration.tempering import calibrate_rows, calibrate_votes, of_plain_votes
from weaklabel.model.drift.blocks import block_at, borders
from weaklabel.model.drift.blockwise import skills
from weaklabel.model.em.subsample import CHUNK_ROWS
from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import corrected
from weaklabel.model.labels.hard_knowledge import kept
from weaklabel.model.layout.choice import Room, is_dense, lay_out, lay_out_codes, packs
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.devices import at_once, mesh, over_rows
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import SMALLEST_BUCKET, bucket, padded, single, to_device
from weaklabel.model.params import Calibration
from weaklabel.model.preparation.rows import build_rows
from weaklabel.model.records import RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.candidate_sets import set_symbols
from weaklabel.model.sources.soft_votes import soft_votes
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.features import Features
from weaklabel.side_information.items import ItemInformation, read_items
from weaklabel.votes import Votes

SPARE = 1.25
"""Slots of a part, in those that it would have if all parts were alike."""
SPARSE_CELLS = 2**21
"""Rows x K that are read at once where votes are sparse: no large result is made, except the one returned."""


def read_side_information(
    fitted: Fitted,
    votes: Votes,
    *,
    prior: ArrayLike | None,
    groups: ArrayLike | None,
    bags: Bags | Sequence[Bags] | None,
    features: Features | None,
    classes: Sequence[str] | None = None,
) -> ItemInformation | None:
    """Side information of a prediction; None where there is none. `classes` are K names, for the columns of a prior.

    Raises:
        InvalidArgumentError: if it does not fit the votes, or the model was fitted without it.
    """
    if groups is not None and not fitted.group_names:
        raise InvalidArgumentError("the model was fitted without groups", field="groups")
    items = read_items(votes, prior=prior, groups=groups, bags=bags, group_names=fitted.group_names, classes=classes)
    if features is not None:
        if features.shape[0] != votes.n_items:
            raise InvalidArgumentError(
                f"features must be [{votes.n_items}, dimensions], got shape {features.shape}", field="features"
            )
        model = fitted.features
        if model is None:
            raise InvalidArgumentError("the model was fitted without features", field="features")
        dimensions = len(model.classifier.scaling.mean)
        if features.shape[1] != dimensions:
            raise InvalidArgumentError(
                f"the model was fitted with {dimensions} features, got {features.shape[1]}", field="features"
            )
        items = items.with_features(model.offset(features), model.log_proba(features), model.votes_power)
    return items if items.is_given else None


@under_own_settings
def predict(
    votes: Votes, fitted: Fitted, share_prior_mass: float, items: ItemInformation | None = None
) -> NDArray[np.float32]:
    """[N, K] soft labels.

    Args:
        votes: N items, of the sources of the model in its order, with the model's codebook of candidate sets.
        fitted: the model.
        share_prior_mass: pseudo-votes in the rows' vote shares.
        items: side information.
    """
    calibration = of_plain_votes(fitted.calibration) if votes.is_plain else fitted.calibration
    if items is not None or not votes.is_plain or calibration.labels.ties_items():
        soft = _predict_by_item(votes, fitted, calibration, share_prior_mass, items)
    else:
        soft = _predict_votes(votes, fitted.copies, calibration, share_prior_mass)
    soft = soft if fitted.gold is None else corrected(soft, votes, fitted.gold)
    return kept(soft, None if items is None else items.bags)


@under_own_settings
def predict_over_time(
    votes: Votes, times: NDArray[np.float64], fitted: Fitted, settings: Settings
) -> NDArray[np.float32]:
    """[N, K] soft labels of plain votes, each read by the skills of its block of time.

    Args:
        votes: as in `predict`.
        times: [N]
        fitted: a model of items with times.
        settings: constants.
    """
    drift = fitted.drift
    assert drift is not None
    if not drift.changes.any:
        return predict(votes, fitted, settings.share_prior_mass)
    every = skills(single(drift.faded()), fitted.params, drift.label_statistics, drift.profile, settings)
    blocks = block_at(times, borders(drift.starts, drift.middles, drift.ends))
    soft = np.empty((votes.n_items, votes.n_classes), np.float32)
    for block in np.unique(blocks):
        here = np.flatnonzero(blocks == block)
        sources = jax.tree.map(lambda leaf, at=block: leaf[at], every.sources)
        calibration = fitted.calibration._replace(sources=sources)
        part = votes.select_items(here)
        soft[here] = _predict_votes(part, fitted.copies, calibration, settings.share_prior_mass)
    return soft


def _predict_votes(
    votes: Votes, copies: sp.csr_array[np.float64], calibration: Calibration, mass: float
) -> NDArray[np.float32]:
    of_copies = copies if copies.nnz else None
    n_sources, read = votes.n_sources, partial(calibrate_votes, n_sources=votes.n_sources)
    # Of several chunks the last is padded like the others: one program for all.
    by_votes = not is_dense(votes, copies) and (votes.is_sparse or not packs(votes.n_classes, of_copies))
    most_rows = bucket(SPARSE_CELLS // votes.n_classes) if by_votes else CHUNK_ROWS
    n_rows = min(bucket(votes.n_items), most_rows)
    room = None
    if n_rows < votes.n_items and by_votes:
        room = Room(n_rows, bucket(int(SPARE * n_rows * votes.n_votes / votes.n_items)))
    of_sources = single(copies.toarray()) if copies.nnz and not by_votes else None
    if n_rows == SMALLEST_BUCKET and not by_votes and mesh().size == 1:
        codes = padded(votes.to_codes(), n_rows, -1)
        return np.array(np.asarray(_of_few_rows(codes, of_sources, calibration, mass))[: votes.n_items])

    def read_rows(start: int) -> Array:
        rows = slice(start, start + n_rows)
        if not by_votes:
            codes = padded(votes.to_codes()[rows], n_rows, -1)
            layout = lay_out_codes(codes, of_sources, n_symbols=votes.n_classes)
            return _on_devices(n_sources)(layout, calibration, mass)
        part = votes if n_rows >= votes.n_items else votes.select_items(np.arange(votes.n_items)[rows])
        of_part: Array = read(lay_out(part, copies, room), calibration, mass)
        return of_part

    return _in_chunks(votes, n_rows, read_rows)


def _in_chunks(votes: Votes, n_rows: int, read_rows: Callable[[int], Array]) -> NDArray[np.float32]:
    """Reads chunks of rows, from each start on, on all cores."""
    soft = np.empty((votes.n_items, votes.n_classes), np.float32)

    def fill(start: int) -> None:
        soft[start : start + n_rows] = np.asarray(read_rows(start))[: votes.n_items - start]

    for _ in at_once(fill, range(0, votes.n_items, n_rows)):
        pass
    return soft


@partial(compiled, runs_often=True)
def _of_few_rows(
    codes: Int[Array, "U M"], of_sources: Float[Array, "M M"] | None, calibration: Calibration, mass: float
) -> Float[Array, "U K"]:
    """Soft labels of a matrix of plain votes. One program: to begin another takes longer than a few rows do."""
    n_classes = calibration.labels.log_prior.shape[0]
    layout = lay_out_codes(codes, of_sources, n_symbols=n_classes, most_values=len(codes))
    return calibrate_votes(layout, calibration, mass, n_sources=codes.shape[1])


@cache
def _on_devices(n_sources: int) -> Callable[..., Array]:
    """`calibrate_votes`, rows spread over the devices."""
    return over_rows(partial(calibrate_votes, n_sources=n_sources))


def _predict_by_item(
    votes: Votes, fitted: Fitted, calibration: Calibration, mass: float, items: ItemInformation | None
) -> NDArray[np.float32]:
    """Of votes for several classes, and with side information: all items at once, since bags tie them together."""
    n_rows, n_items = bucket(votes.n_items), votes.n_items
    weight = to_device(np.ones(n_items, np.float32), n_rows)
    rows = build_rows(
        RowVotes(lay_out(votes, fitted.copies), soft_votes(votes, fitted.copies)),
        weight,
        n_sources=votes.n_sources,
        n_classes=votes.n_classes,
        share_prior_mass=mass,
        sets=set_symbols(votes),
    )
    information = calibration.labels.on_device(items or ItemInformation(), n_rows)
    if information is not None:
        rows = information.attach(rows, weight, 0.0)
    # Cut on the host: on the device, each number of items would be a program to compile.
    return np.array(np.asarray(calibrate_rows(rows, calibration, mass))[:n_items])
