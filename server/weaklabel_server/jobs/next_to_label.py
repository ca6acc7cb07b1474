"""Which items to label by hand, of those that a model was fitted on. It blocks: run it in a thread."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_server.errors import invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.messages.rows import MAX_ROWS
from weaklabel_server.store import items, models, votes
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project


class NextToLabel(NamedTuple):
    """Items drawn, in the order in which they were drawn."""

    positions: NDArray[np.int64]
    """[n]"""
    item_ids: list[str]
    """n of them; empty where the project does not name items."""
    weights: NDArray[np.float64]
    """[n] how many items each stands for."""


def next_to_label(
    tx: Connection, project: Project, model: Model, *, n: int, seed: int, gold: str | None
) -> NextToLabel:
    """Draws items by the soft labels that are stored: LabelModel.next_to_label, with all that the fit knew.

    Args:
        tx: A transaction.
        project: The project.
        model: A model of it.
        n: Number of items to draw.
        seed: Of the draw.
        gold: Id of side data with the classes that are known already; these items are not drawn.

    Raises:
        ServiceError: INVALID_FIELD, SIDE_DATA_NOT_FOUND, SIDE_DATA_UNSUITABLE, MODEL_NOT_FOUND.
    """
    from weaklabel.model.gold.sampling import draw  # late, as jobs.label_model says

    candidates = np.arange(model.item_count)
    if gold is not None:
        view = votes.view(tx, project.project_id, model.votes_version)
        candidates = np.flatnonzero(~side_data.read_known(tx, view, gold, field="gold"))
    if not 1 <= n <= min(len(candidates), MAX_ROWS):
        raise invalid("n", f"1 to {MAX_ROWS}, and at most the {len(candidates)} items without gold, got {n}")
    drawn = draw(_largest(tx, model), candidates, n, seed)
    return NextToLabel(drawn.items, items.ids_at(tx, project, drawn.items.tolist()), drawn.weights)


def _largest(tx: Connection, model: Model) -> NDArray[np.float32]:
    """[N, 1] largest probability of each item, all that a draw reads of soft labels."""
    return np.concatenate([soft.max(1, keepdims=True) for soft, _ in models.all_soft_labels(tx, model)])
