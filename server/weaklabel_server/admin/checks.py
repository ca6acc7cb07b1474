"""Whether a store is whole: the database's own checks, every blob unpacked, and every count counted again."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from weaklabel_server.store import schema
from weaklabel_server.store.chunks import unpack_array, unpack_dense, unpack_ids, unpack_positions, unpack_sparse

_MOST = 100


def check(tx: Connection) -> list[str]:
    """The damages of a store as it is in a transaction, at most 100 of them; none where it is whole."""
    found: list[str] = []
    for part in (_of_the_file, _of_chunks, _of_side_chunks, _of_tables, _of_models, _of_projects, _of_uploads):
        for damage in part(tx):
            found.append(damage)
            if len(found) == _MOST:
                return [*found, "and more"]
    return found


def counts(tx: Connection) -> dict[str, int]:
    """How many rows each table holds."""
    return {name: tx.execute(select(func.count()).select_from(table)).scalar_one() for name, table in _tables().items()}


def _tables() -> dict[str, Any]:
    return dict(sorted(schema.metadata.tables.items()))


def _of_the_file(tx: Connection) -> Iterator[str]:
    if tx.dialect.name != "sqlite":  # PostgreSQL checks pages and keys itself
        return
    for (said,) in tx.exec_driver_sql("PRAGMA integrity_check"):
        if said != "ok":
            yield f"database: {said}"
    for table, row, parent, _ in tx.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"{table}: row {row} belongs to a row of {parent} that is missing"


def _of_chunks(tx: Connection) -> Iterator[str]:
    uploads = schema.uploads.c
    query = select(schema.chunks, uploads.source_names, uploads.version).join(
        schema.uploads, uploads.key == schema.chunks.c.upload_key
    )
    for row in tx.execute(query.execution_options(yield_per=4)):

        def unpack(row: Any = row) -> None:
            if row.sparse:
                _expect("votes", len(unpack_sparse(row.votes, row.dtype)), row.vote_count)
            else:
                unpack_dense(row.votes, row.dtype, row.rows, len(row.source_names))
            if row.positions is not None:
                _expect("positions", len(unpack_positions(row.positions)), row.rows)
            if row.item_ids is not None:
                _expect("item ids", len(unpack_ids(row.item_ids)), row.rows)
            for blob in (row.candidate_sets, row.soft_votes):
                zlib.decompress(blob or zlib.compress(b""))

        yield from _damage(f"chunks: upload {row.upload_key}, row {row.row_offset}", unpack)
        if row.version and row.first_position is None:
            yield f"chunks: upload {row.upload_key}, row {row.row_offset}: finished, and without positions"


def _of_side_chunks(tx: Connection) -> Iterator[str]:
    for row in tx.execute(select(schema.side_chunks).execution_options(yield_per=4)):

        def unpack(row: Any = row) -> None:
            zlib.decompress(row.content)
            if row.item_ids is not None:
                _expect("item ids", len(unpack_ids(row.item_ids)), row.rows)

        yield from _damage(f"side_chunks: upload {row.side_upload_key}, row {row.row_offset}", unpack)


def _of_tables(tx: Connection) -> Iterator[str]:
    """Records, and labels as tables."""
    for table in (schema.record_chunks, schema.label_chunks):
        for row in tx.execute(select(table).execution_options(yield_per=4)):

            def unpack(content: bytes = row.content) -> None:
                zlib.decompress(content)

            yield from _damage(f"{table.name}: {next(iter(table.c)).name} {row[0]}, row {row.row_offset}", unpack)
    chunks = schema.label_chunks.c
    counted = select(chunks.model_key, chunks.table_name, func.sum(chunks.rows)).group_by(
        chunks.model_key, chunks.table_name
    )
    stored = {(key, name): rows for key, name, rows in tx.execute(counted)}
    if not stored:
        return
    visible = select(schema.projects.c.key).where(
        schema.projects.c.trash.is_(False), schema.projects.c.label_space.is_not(None)
    )
    models = schema.models.c
    for key, model_id, summary in tx.execute(
        select(models.key, models.model_id, models.summary).where(models.project_key.in_(visible))
    ):
        for one in (summary.get("kind") or {}).get("tables", ()):
            rows = stored.get((key, one["name"]), 0)
            if rows != one["rows"]:
                yield f'models: "{model_id}" has {rows} rows of {one["name"]}, and not {one["rows"]}'


def _of_models(tx: Connection) -> Iterator[str]:
    for row in tx.execute(select(schema.soft_labels).execution_options(yield_per=4)):

        def unpack(row: Any = row) -> None:
            _expect("labels", len(unpack_array(row.labels, "int32")), row.rows)
            unpack_array(row.probabilities, "float32").reshape(row.rows, -1)

        yield from _damage(f"soft_labels: model {row.model_key}, row {row.row_offset}", unpack)
    labels = schema.soft_labels.c
    stored = select(func.coalesce(func.sum(labels.rows), 0)).where(labels.model_key == schema.models.c.key)
    # Of hidden projects parts may be deleted already.
    projects = schema.projects.c
    query = (
        select(schema.models.c.model_id, schema.models.c.item_count, stored.scalar_subquery(), projects.label_space)
        .join(schema.projects, projects.key == schema.models.c.project_key)
        .where(projects.trash.is_(False))
    )
    for model_id, item_count, rows, space in tx.execute(query):
        if item_count != rows and (space is None or space["kind"] == "tree"):  # of others, labels are tables
            yield f'models: "{model_id}" has soft labels of {rows} items, and not {item_count}'


def _of_projects(tx: Connection) -> Iterator[str]:
    projects, items = schema.projects.c, schema.items.c
    placed = select(func.count()).where(items.project_key == projects.key, items.position < projects.item_count)
    query = select(projects.project_id, projects.item_count, placed.scalar_subquery())
    for project_id, item_count, rows in tx.execute(query.where(projects.named_items, projects.trash.is_(False))):
        if item_count != rows:
            yield f'projects: "{project_id}" has {rows} items with ids, and not {item_count}'
    versions = select(func.max(schema.versions.c.version)).where(schema.versions.c.project_key == projects.key)
    for project_id, version, last in tx.execute(
        select(projects.project_id, projects.votes_version, versions.scalar_subquery()).where(projects.trash.is_(False))
    ):
        if version != (last or 0):
            yield f'projects: "{project_id}" is at version {version}, and the last in its log is {last}'


def _of_uploads(tx: Connection) -> Iterator[str]:
    for uploads, chunks, owner in (
        (schema.uploads, schema.chunks, schema.chunks.c.upload_key),
        (schema.side_uploads, schema.side_chunks, schema.side_chunks.c.side_upload_key),
        (schema.record_uploads, schema.record_chunks, schema.record_chunks.c.record_upload_key),
    ):
        stored = select(func.coalesce(func.sum(chunks.c.rows), 0)).where(owner == uploads.c.key).scalar_subquery()
        visible = select(schema.projects.c.key).where(schema.projects.c.trash.is_(False))
        query = select(uploads.c.key, uploads.c.committed_rows, stored).where(uploads.c.project_key.in_(visible))
        for key, committed, rows in tx.execute(query):
            if committed != rows:
                yield f"{uploads.name}: {key} has chunks of {rows} rows, and not {committed}"


def _damage(where: str, unpack: Callable[[], None]) -> Iterator[str]:
    try:
        unpack()
    except (zlib.error, ValueError) as error:
        yield f"{where}: {error}"


def _expect(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"{found} {what}, and not {wanted}")
