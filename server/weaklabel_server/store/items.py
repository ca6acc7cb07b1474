"""Items of projects that name them: ids and their positions, which are the rows of the votes."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from weaklabel_server.store import schema
from weaklabel_server.store.projects import Project
from weaklabel_server.store.sources import batches

_columns = schema.items.c


def ids(tx: Connection, project: Project, start: int, stop: int) -> list[str]:
    """The ids of the items at positions start..stop-1; empty where the project does not name items."""
    if not project.named_items:
        return []
    query = (
        select(_columns.item_id)
        .where(_columns.project_key == project.key, _columns.position >= start, _columns.position < stop)
        .order_by(_columns.position)
    )
    return list(tx.execute(query).scalars())


def ids_at(tx: Connection, project: Project, positions: Sequence[int]) -> list[str]:
    """The ids of the items at some positions, in their order; empty where the project does not name items."""
    if not project.named_items:
        return []
    query = select(_columns.position, _columns.item_id).where(_columns.project_key == project.key)
    id_at: dict[int, str] = {}
    for some in batches(positions):
        id_at.update({row.position: row.item_id for row in tx.execute(query.where(_columns.position.in_(some)))})
    return [id_at[position] for position in positions]


def positions(tx: Connection, project: Project, item_ids: Sequence[str]) -> dict[str, int]:
    """The positions by id of those of the items that the project has."""
    # Behind the last item may stand some of uploads that are not finished.
    query = select(_columns.item_id, _columns.position).where(
        _columns.project_key == project.key, _columns.position < project.item_count
    )
    if project.item_count == 0:
        return {}
    if len(item_ids) * 4 > project.item_count:
        # One pass over all items is cheaper than many lookups.
        wanted = set(item_ids)
        return {row.item_id: row.position for row in tx.execute(query) if row.item_id in wanted}
    position_of = {}
    for some in batches(item_ids):
        position_of.update({row.item_id: row.position for row in tx.execute(query.where(_columns.item_id.in_(some)))})
    return position_of
