"""A project as files, piece by piece: what is held in memory is a row group, whatever the project's size.

Each piece is read in a transaction of its own, so that a slow reader keeps nothing of the store. Versions of votes,
models and side data never change; one that is deleted meanwhile ends the export with an error.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from weaklabel.formats.projects import tables
from weaklabel.formats.projects.files import parquet_bytes
from weaklabel.votes import label_dtype
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.columns import Table
from weaklabel_server._version import __version__
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs.portable import column_files, side_tables
from weaklabel_server.messages.records import stored_table
from weaklabel_server.pages import Page
from weaklabel_server.store import items, label_tables, models, projects, record_sets, side_data, sources, votes
from weaklabel_server.store.database import Database
from weaklabel_server.store.label_tables import LabelTable
from weaklabel_server.store.models import ListedModel
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSet
from weaklabel_server.store.side_data import SideChunk, SideData, SideKind
from weaklabel_server.store.votes import View

_MOST_SIDE_DATA = 100_000
_MOST_MODELS = 1_000

Card = Callable[[str], tuple[str, str] | None]
"""The card of the labels of a model by its id, as JSON and as Markdown; None where none can be made."""


class Piece(NamedTuple):
    """Bytes of a file; or, without any, its end."""

    file: str
    data: bytes
    sha256: bytes = b""
    size_bytes: int = 0

    @property
    def is_end(self) -> bool:
        """Whether the file ends."""
        return bool(self.sha256)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is exported: by a snapshot named again, the same files."""

    view: View
    models: tuple[ListedModel, ...]
    side_data: tuple[SideData, ...]
    record_sets: tuple[RecordSet, ...]
    has_symbols: bool
    name: str

    @property
    def project(self) -> Project:
        """The project, as it stood."""
        return self.view.project

    @property
    def has_soft_labels(self) -> bool:
        """Whether models have soft labels."""
        return self.project.label_space is None or self.project.label_space.kind == "tree"

    def description(self) -> dict[str, Any]:
        """The manifest without its files."""
        space = self.project.label_space
        own = {} if space is None else {"label_space": space.to_json(), "record_sets": len(self.record_sets)}
        return own | {
            "weaklabel": __version__,
            "project": self.project.project_id,
            "classes": list(self.project.classes),
            "named_items": bool(self.project.named_items),
            "items": self.view.item_count,
            "sources": len(self.view.source_names),
            "votes_version": self.view.version,
            "models": len(self.models),
            "side_data": len(self.side_data),
        }


def take_snapshot(
    tx: Connection, project_id: str, votes_version: int, max_models: int | None, snapshot: str = ""
) -> Snapshot:
    """What an export of a project holds; that of a snapshot taken before where one is named.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, VOTES_VERSION_NOT_FOUND, RESULT_TOO_LARGE; EXPORT_OUTDATED where something of
            the snapshot named was deleted.
    """
    last_model = last_side = last_set = 2**62
    if snapshot:
        votes_version, last_model, last_side, last_set = _parsed(snapshot)
    view = votes.view(tx, project_id, votes_version)
    most = _MOST_MODELS if max_models is None else min(max_models, _MOST_MODELS)
    kept = models.listed_at(tx, view.project, view.version, last_model, most + 1)
    if max_models is None and len(kept) > most:
        raise ServiceError(Reason.RESULT_TOO_LARGE, f"more than {most} models: export the newest of them")
    kept = kept[:most]
    side = side_data.list_page(tx, view.project, Page("", _MOST_SIDE_DATA, last_side + 1))
    sets = record_sets.list_page(tx, view.project, Page("", _MOST_SIDE_DATA, last_set + 1))
    listed = (kept, side, sets)
    made = ".".join(map(str, (view.version, *(one[0].key if one else 0 for one in listed))))
    contents = hashlib.sha256(repr([[one.key for one in some] for some in listed]).encode()).hexdigest()[:16]
    name = f"{made}.{contents}.{view.project.key}"
    if snapshot and snapshot != name:
        raise ServiceError(Reason.EXPORT_OUTDATED, "what was exported has been deleted meanwhile: export it again")
    return Snapshot(
        view=view,
        models=tuple(reversed(kept)),
        side_data=tuple(reversed(side)),
        record_sets=tuple(reversed(sets)),
        has_symbols=votes.cell_bytes(tx, view) > np.dtype(label_dtype(view.n_classes)).itemsize,
        name=name,
    )


def export(database: Database, snapshot: Snapshot, card: Card | None, first_file: str = "") -> Iterator[Piece]:
    """The files of a project in order, the manifest apart: their bytes, and the end of each.

    Args:
        database: The store.
        snapshot: What is exported.
        card: Makes the card of a model; None: there is none.
        first_file: The file to begin with; empty for all.

    Raises:
        ServiceError: PROJECT_NOT_FOUND, MODEL_NOT_FOUND, ...: it was deleted meanwhile; INVALID_FIELD for a first file
            that is none of them.
    """
    found = not first_file
    for name, content in _Files(database, snapshot, card).all():
        found = found or name == first_file
        if not found:
            continue
        digest, size = hashlib.sha256(), 0
        for data in content():
            digest.update(data)
            size += len(data)
            if data:
                yield Piece(name, data)
        yield Piece(name, b"", digest.digest(), size)
    if not found:
        raise invalid("first_file", f'"{first_file}" is no file of this export')


class _Files:
    """The files of a snapshot, each made when it is asked for."""

    def __init__(self, database: Database, snapshot: Snapshot, card: Card | None) -> None:
        self._database = database
        self._of = snapshot
        self._card = card
        names = snapshot.view.source_names
        self._item = tables.item_column(names) if snapshot.project.named_items else None

    def all(self) -> Iterator[tuple[str, Callable[[], Iterator[bytes]]]]:
        """Names, and what makes the bytes of each."""
        yield "sources.parquet", self._sources
        yield from self._votes()
        yield "side_data.parquet", self._side_listing
        for side in self._of.side_data:
            symbols = self._gold_symbols(side) if side.kind is SideKind.GOLD else None
            if symbols:
                yield f"codebooks/{side.upload_id}.parquet", partial(_codebook, symbols)
            yield f"side_data/{side.upload_id}.parquet", partial(self._side, side, symbols)
        if self._of.project.label_space is not None:
            yield from self._label_space()
        yield "models.parquet", self._model_listing
        for model in self._of.models:
            yield f"models/{model.model_id}.npz", partial(self._model, model)
            if model.item_count and self._of.has_soft_labels:
                yield f"soft_labels/{model.model_id}.parquet", partial(self._labels, model)
        labeled = [one for one in self._of.models if one.item_count and one.votes_version == self._of.view.version]
        card = self._card if self._of.has_soft_labels else None
        if labeled and card is not None and (made := card(labeled[-1].model_id)) is not None:
            yield "card.json", partial(_text, made[0])
            yield "card.md", partial(_text, made[1])

    def _read(self, query: Callable[..., Any], *args: Any) -> Any:
        """Runs query(transaction, view, ...), if the project is still the one of the snapshot."""
        of = self._of.view
        with self._database.read() as tx:
            view = votes.view(tx, of.project.project_id, of.version)
            if view.project.key != of.project.key:
                raise projects.not_found(of.project.project_id)
            return query(tx, view, *args)

    def _sources(self) -> Iterator[bytes]:
        def listed(tx: Connection, view: View) -> list[tuple[str, int, int]]:
            living = sources.at_version(tx, view.project.key, view.version)
            return [(one.display_name, one.create_time, min(one.last_version, view.version)) for one in living]

        return _listing(tables.SOURCES, self._read(listed))

    def _votes(self) -> Iterator[tuple[str, Callable[[], Iterator[bytes]]]]:
        view = self._of.view
        columns = len(view.source_names) + (self._item is not None)
        if not columns:
            return
        rows = tables.group_rows(columns)
        part_rows = rows * (1 if self._of.has_symbols else tables.file_groups(columns))
        for number, start in enumerate(range(0, view.item_count, part_rows)):
            stop = min(start + part_rows, view.item_count)
            name = f"part-{number:05d}.parquet"
            if self._of.has_symbols:
                yield f"codebooks/{name}", partial(self._codebook, start, stop)
            yield f"votes/{name}", partial(self._vote_rows, start, stop, rows)

    def _codebook(self, start: int, stop: int) -> Iterator[bytes]:
        _, symbols = self._read(votes.read_rows, start, stop)
        return _codebook(symbols)

    def _vote_rows(self, start: int, stop: int, rows: int) -> Iterator[bytes]:
        def read(tx: Connection, view: View, first: int) -> Any:
            end = min(first + rows, stop)
            codes, symbols = votes.read_rows(tx, view, first, end)
            ids = items.ids(tx, view.project, first, end) if self._item is not None else None
            return codes.astype(label_dtype(view.n_classes + len(symbols)), copy=False), ids

        first = self._read(read, start)
        names = self._of.view.source_names
        schema = tables.votes_schema(names, first[0].dtype, self._item)

        def groups() -> Iterator[pa.Table]:
            for at in range(start, stop, rows):
                codes, ids = first if at == start else self._read(read, at)
                yield tables.votes_table(schema, ids, codes)

        return parquet_bytes(schema, groups(), names)

    def _side_listing(self) -> Iterator[bytes]:
        rows = [
            (one.upload_id, str(one.kind), one.committed_rows, one.column_count, one.create_time, one.content_digest)
            for one in self._of.side_data
        ]
        return _listing(tables.SIDE_DATA, rows)

    def _side(self, side: SideData, symbols: Symbols | None) -> Iterator[bytes]:
        schema = side_tables.schema_of(side.kind, named=bool(side.named_items))
        groups = (side_tables.to_table(schema, side.kind, chunk, symbols) for chunk in self._side_chunks(side))
        return parquet_bytes(schema, groups)

    def _gold_symbols(self, side: SideData) -> Symbols:
        """What codes of gold from K on stand for."""
        contents = (chunk.content for chunk in self._side_chunks(side))
        return side_tables.gold_symbols(contents, len(self._of.project.classes))

    def _side_chunks(self, side: SideData) -> Iterator[SideChunk]:
        def read(tx: Connection, view: View, row: int) -> Any:
            return side_data.chunk_of(tx, side_data.get(tx, view.project, side.upload_id), row)

        row = 0
        while row < side.committed_rows:
            chunk: SideChunk = self._read(read, row)
            yield chunk
            row += chunk.rows

    def _label_space(self) -> Iterator[tuple[str, Callable[[], Iterator[bytes]]]]:
        """What only a project with a label space has: its records, and the labels of its models as tables."""
        rows = [
            (one.upload_id, str(one.role), one.committed_rows, one.create_time, one.content_digest)
            for one in self._of.record_sets
        ]
        yield "record_sets.parquet", lambda: _listing(tables.RECORD_SETS, rows)
        for records in self._of.record_sets:
            yield f"records/{records.upload_id}.parquet", partial(self._records, records)
        labels = [(model, table) for model in self._of.models for table in self._read(_label_tables, model)]
        listed = [(model.model_id, table.name, table.rows) for model, table in labels]
        yield "label_tables.parquet", lambda: _listing(tables.LABEL_TABLES, listed)
        for model, table in labels:
            yield f"label_tables/{model.model_id}.{table.name}.parquet", partial(self._label_table, model, table)

    def _records(self, records: RecordSet) -> Iterator[bytes]:
        def read(tx: Connection, view: View, row: int) -> Table:
            found = record_sets.get(tx, view.project, records.upload_id)
            return stored_table(record_sets.chunk_of(tx, found, row).content)

        return _column_file(lambda row: self._read(read, row), records.committed_rows)

    def _label_table(self, model: ListedModel, table: LabelTable) -> Iterator[bytes]:
        def read(tx: Connection, view: View, row: int) -> Table:
            key = models.get(tx, view.project, model.model_id).key
            return stored_table(label_tables.rows_from(tx, key, table, row).content)

        return _column_file(lambda row: self._read(read, row), table.rows)

    def _model_listing(self) -> Iterator[bytes]:
        def summary(tx: Connection, view: View, model: ListedModel) -> tuple[bool, str]:
            found = models.get(tx, view.project, model.model_id).summary
            told = asdict(found.side)
            if found.kind is not None:
                told["records"] = asdict(found.kind.records)
            return found.uploaded, json.dumps(told, sort_keys=True)

        rows = [
            (one.model_id, one.votes_version, one.item_count, one.create_time, *self._read(summary, one))
            for one in self._of.models
        ]
        return _listing(tables.MODELS, rows)

    def _model(self, model: ListedModel) -> Iterator[bytes]:
        def read(tx: Connection, view: View) -> bytes:
            return models.content(tx, models.get(tx, view.project, model.model_id))

        yield self._read(read)

    def _labels(self, model: ListedModel) -> Iterator[bytes]:
        schema = tables.labels_schema(self._of.project.classes, self._item)
        rows = tables.group_rows(len(self._of.project.classes) + 2)

        def read(tx: Connection, view: View, start: int) -> Any:
            first, probabilities, labels = models.soft_labels(tx, models.get(tx, view.project, model.model_id), start)
            ids = items.ids(tx, view.project, first, first + len(labels)) if self._item is not None else None
            return ids, probabilities, labels

        def groups() -> Iterator[pa.Table]:
            start = 0
            while start < model.item_count:
                ids, probabilities, labels = self._read(read, start)
                start += len(labels)
                for at in range(0, len(labels), rows):
                    part = slice(at, at + rows)
                    of_part = None if ids is None else ids[part]
                    yield tables.labels_table(schema, of_part, probabilities[part], labels[part])

        return parquet_bytes(schema, groups(), ["label"])


def _label_tables(tx: Connection, view: View, model: ListedModel) -> list[LabelTable]:
    kind = models.get(tx, view.project, model.model_id).summary.kind
    return [] if kind is None else kind.tables


def _column_file(read: Callable[[int], Table], rows: int) -> Iterator[bytes]:
    """Tables as a file; `read` gives the chunk that holds a row."""
    first = read(0)

    def groups() -> Iterator[pa.Table]:
        row, chunk = 0, first
        while True:
            yield column_files.to_arrow(chunk)
            row += chunk.n_rows
            if row >= rows:
                return
            chunk = read(row)

    return parquet_bytes(column_files.schema_of(first), groups())


def _text(text: str) -> Iterator[bytes]:
    yield text.encode()


def _listing(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> Iterator[bytes]:
    """A small table."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
    return parquet_bytes(schema, iter([pa.table(columns, schema=schema)]))


def _parsed(snapshot: str) -> tuple[int, int, int, int]:
    match snapshot.split("."):
        case [version, model, side, records, _, _] if all(
            len(one) < 19 and one.isdecimal() for one in (version, model, side, records)
        ):
            return int(version), int(model), int(side), int(records)
    raise invalid("snapshot", "it is not one that ExportProject has given")


def _codebook(symbols: Symbols) -> Iterator[bytes]:
    return parquet_bytes(tables.CODEBOOK, iter([tables.codebook_table(symbols)]))
