"""Labels that somebody has given, in the order of the items of a version of the votes. It blocks."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.messages.analysis.estimates import LabelsOf
from weaklabel_server.store import models, votes
from weaklabel_server.store.models import Model
from weaklabel_server.store.side_data import SideKind
from weaklabel_server.store.votes import View


def read_labels(tx: Connection, view: View, of: LabelsOf, *, field: str) -> NDArray[np.int32]:
    """[N] the labels that a source, a model or somebody else gives the items of a version; -1 where there is none.

    Raises:
        ServiceError: INVALID_FIELD, MODEL_NOT_FOUND, NO_SOFT_LABELS, SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE;
            VOTES_UNSUITABLE where the source votes for several classes at once.
    """
    if of.side_data_id:
        kinds = (SideKind.LABELS, SideKind.GOLD)
        given: NDArray[np.int32] = side_data.read_one(tx, view, of.side_data_id, kinds, field=f"{field}.side_data")[1]
        return given
    if of.model_id:
        stored = models.get(tx, view.project, of.model_id)
        models.check_labeled(stored)
        return _of_length(stored_labels(tx, stored)[1], view.item_count)
    return _votes_of(tx, view, of.source, field=f"{field}.source")


def stored_labels(tx: Connection, model: Model) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """All soft labels [N, K] and hard labels [N] of a model that has some.

    Raises:
        ServiceError: MODEL_NOT_FOUND when it was deleted since.
    """
    soft, hard = zip(*models.all_soft_labels(tx, model), strict=True)
    return np.concatenate(soft), np.concatenate(hard)


def check_source(view: View, source: str, *, field: str) -> int:
    """The column of a source.

    Raises:
        ServiceError: INVALID_FIELD where the votes have none of that name.
    """
    if source not in view.source_names:
        raise invalid(field, f'there is no source "{source}" in version {view.version} of the votes')
    return view.source_names.index(source)


def _votes_of(tx: Connection, view: View, source: str, *, field: str) -> NDArray[np.int32]:
    column = check_source(view, source, field=field)
    alone = replace(view, source_keys=(view.source_keys[column],), source_names=(source,))
    given = votes.read(tx, alone)
    if not given.is_plain:
        raise ServiceError(
            Reason.VOTES_UNSUITABLE, f'{field}: source "{source}" votes for several classes at once on some items'
        )
    rows, _, classes = given.triples()
    labels = np.full(view.item_count, -1, np.int32)
    labels[rows] = classes
    return labels


def _of_length(labels: NDArray[np.int32], n_items: int) -> NDArray[np.int32]:
    """Items of other versions stand at the same positions: those beyond are left out, or have no label."""
    kept = np.full(n_items, -1, np.int32)
    kept[: len(labels)] = labels[:n_items]
    return kept
