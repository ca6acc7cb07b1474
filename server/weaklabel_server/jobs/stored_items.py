"""Items that a request names, among those of a model. It blocks: run it in a thread."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_protocol.v1 import labels_pb2
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.messages.rows import MAX_ROWS
from weaklabel_server.store import items, models
from weaklabel_server.store.models import Model
from weaklabel_server.store.projects import Project

_SHOWN = 100
"""Characters of an id in an error."""


def positions_of(
    tx: Connection,
    project: Project,
    model: Model,
    selection: labels_pb2.ItemSelection,
    *,
    field: str = "items",
    limit: int = MAX_ROWS,
) -> NDArray[np.int64]:
    """[n] the positions of the items of a selection, in its order.

    Args:
        tx: A transaction.
        project: The project.
        model: A model of it.
        selection: Ids or positions, 1 to `limit` of them.
        field: Where it stands in the request.
        limit: Of the number of items.

    Raises:
        ServiceError: INVALID_FIELD; NO_SOFT_LABELS where the model labeled no items; ITEM_NOT_FOUND.
    """
    models.check_labeled(model)
    if selection.item_ids and selection.positions:
        raise invalid(field, "ids or positions, not both")
    given = len(selection.item_ids) or len(selection.positions)
    if not 1 <= given <= limit:
        raise invalid(field, f"1 to {limit} items, got {given}")
    if selection.positions:
        positions = np.fromiter(selection.positions, np.uint64, given)
        beyond = positions >= model.item_count
        if beyond.any():
            raise _missing(f"position {positions[int(np.argmax(beyond))]}", int(beyond.sum()), model)
        return positions.astype(np.int64)
    if not project.named_items:
        raise invalid(f"{field}.item_ids", "this project names its items by position")
    known = items.positions(tx, project, list(dict.fromkeys(selection.item_ids)))
    found = np.fromiter((known.get(one, -1) for one in selection.item_ids), np.int64, given)
    beyond = (found < 0) | (found >= model.item_count)
    if beyond.any():
        item = selection.item_ids[int(np.argmax(beyond))]
        shown = item if len(item) <= _SHOWN else item[:_SHOWN] + "..."
        raise _missing(f'item "{shown}"', int(beyond.sum()), model)
    return found


def _missing(first: str, n_missing: int, model: Model) -> ServiceError:
    others = f", nor are {n_missing - 1} others" if n_missing > 1 else ""
    return ServiceError(
        Reason.ITEM_NOT_FOUND,
        f"{first} is not among the {model.item_count} items of the model{others}",
        metadata={"model": model.model_id},
    )
