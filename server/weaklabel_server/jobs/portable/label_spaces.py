"""What only a project with a label space has, out of a folder: records, models of its kind, and labels as tables."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weaklabel.formats.projects import ModelEntry, ProjectFolder, RecordSetEntry
from weaklabel.formats.projects.reading import LabelTableEntry
from weaklabel_protocol.column_tables import to_message
from weaklabel_protocol.project_folders import ProjectFolderError
from weaklabel_protocol.v1 import records_pb2
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs.label_model import label_model_class
from weaklabel_server.jobs.portable import column_files
from weaklabel_server.jobs.transfers import ImportLimits
from weaklabel_server.messages.checks import MAX_DIGEST_BYTES, check_uuid
from weaklabel_server.messages.records import read_chunk
from weaklabel_server.store import imports
from weaklabel_server.store.chunks import compressed
from weaklabel_server.store.imports import Staged
from weaklabel_server.store.label_tables import LabelTable
from weaklabel_server.store.models import KindSummary, ModelSummary
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.record_sets import RecordRole, RecordSettings
from weaklabel_server.store.side_data import SideSettings

Write = Callable[..., Any]
_MOST_COLUMNS = 50_000


class SpaceImporter:
    """Records and tables of one project that is imported."""

    def __init__(self, folder: ProjectFolder, staged: Staged, limits: ImportLimits, write: Write) -> None:
        """write: Runs query(transaction, staged, ...), and looks whether the project is not too large by now."""
        self._folder = folder
        self._staged = staged
        self._limits = limits
        self._write = write
        self._space = folder.label_space
        self._columns: dict[tuple[str, str], list[str]] = {}
        self._tables: dict[str, list[LabelTableEntry]] = {}
        for one in folder.label_tables if self._space is not None else ():
            self._tables.setdefault(one.model, []).append(one)

    @property
    def has_soft_labels(self) -> bool:
        """Whether models have soft labels."""
        return self._space is None or self._space.kind == "tree"

    def records(self) -> None:
        """Adds all record sets."""
        listed = self._folder.record_sets
        if listed and (self._space is None or self._space.has_classes):
            raise ProjectFolderError("record_sets.parquet: the votes of this project are no records")
        if len({one.id.lower() for one in listed}) < len(listed):
            raise ProjectFolderError("record_sets.parquet: an id is there twice")
        for one in listed:
            self._records(one)

    def _records(self, entry: RecordSetEntry) -> None:
        name = f"records/{entry.id:.100}.parquet"
        check_uuid(entry.id, field="record_sets.parquet: id")
        if entry.role not in set(RecordRole) or len(entry.content_digest) > MAX_DIGEST_BYTES or entry.rows < 1:
            raise ProjectFolderError(f"record_sets.parquet: {entry.role!r:.50} of {entry.rows} rows is no record set")
        role, space = RecordRole(entry.role), self._space
        assert space is not None
        key, row, size = None, 0, 0
        columns: tuple[str, ...] = ()
        for number, group in enumerate(self._folder.groups(name, numbers=True)):
            table = column_files.from_arrow(group, f"{name}, row group {number}")
            message = records_pb2.UploadRecordsChunk(row_offset=row, table=to_message(table))
            chunk = read_chunk(message, space=space, role=role)
            if key is None:
                columns = chunk.columns
                begun = (entry.id.lower(), role, entry.rows, columns, entry.content_digest)
                key = self._write(self._staged, imports.begin_records, *begun)
            if chunk.columns != columns:
                raise ProjectFolderError(f"{name}, row group {number}: other columns than before")
            row, size = row + chunk.rows, size + len(chunk.content)
            if size > self._limits.max_side_data_bytes:
                raise ServiceError(
                    Reason.RECORDS_TOO_LARGE,
                    f"{name}: more than the {self._limits.max_side_data_bytes} bytes that this server allows; see "
                    "WEAKLABEL_MAX_SIDE_DATA_BYTES",
                )
            self._write(self._staged, imports.add_records, key, chunk)
        if row != entry.rows:
            raise ProjectFolderError(f"{name} has {row} rows, and {entry.rows} in record_sets.parquet")

    def summary(self, model: ModelEntry, content: bytes, side: SideSettings) -> ModelSummary:
        """What is kept of a model of the kind of the project, out of its file.

        Raises:
            ServiceError: MODEL_FILE_UNSUITABLE, MODEL_TOO_LARGE.
        """
        label_model_class()  # which sets JAX up
        from weaklabel_server.jobs.kinds.files import read_kind_model
        from weaklabel_server.jobs.kinds.fit import summary_of
        from weaklabel_server.jobs.kinds.registry import kind_of

        project = self._staged.project
        kind = kind_of(project)
        opened = read_kind_model(kind, content, project, max_bytes=self._limits.max_model_bytes)
        return summary_of(kind, opened, None, FitSettings(side=side, records=self._settings(model)))

    def with_tables(self, summary: ModelSummary, model: ModelEntry) -> ModelSummary:
        """A summary that names the tables of a model."""
        if self._space is None:
            return summary
        kind = summary.kind or KindSummary(tables=[], records=self._settings(model))
        tables = [
            LabelTable(name=one.name, rows=one.rows, columns=self._columns_of(one))
            for one in self._tables.get(model.id, [])
        ]
        return replace(summary, kind=replace(kind, tables=tables))

    def tables(self, model: ModelEntry, key: int) -> None:
        """Adds the tables of a model.

        Raises:
            ProjectFolderError: Rows are missing.
        """
        for entry in self._tables.get(model.id, []):
            name, row = _file_of(entry), 0
            columns = self._columns_of(entry)
            for number, group in enumerate(self._folder.groups(name, numbers=True)):
                table = column_files.from_arrow(group, f"{name}, row group {number}")
                if list(table.columns) != columns:
                    raise ProjectFolderError(f"{name}, row group {number}: other columns than before")
                content = compressed(to_message(table).SerializeToString())
                part = (key, entry.name, row, table.n_rows, content)
                self._write(self._staged, imports.add_table_chunk, *part)
                row += table.n_rows
            if row != entry.rows:
                raise ProjectFolderError(f"{name} has {row} rows, and {entry.rows} in label_tables.parquet")

    def _columns_of(self, entry: LabelTableEntry) -> list[str]:
        """The names of the columns of a table."""
        known = self._columns.get((entry.model, entry.name))
        if known is None:
            if not entry.name.isascii() or not entry.name.isalnum() or len(entry.name) > 32 or entry.rows < 0:
                raise ProjectFolderError(f"label_tables.parquet: {entry.name!r:.50} of {entry.rows} rows is no table")
            group = next(self._folder.groups(_file_of(entry), numbers=True), None)
            if group is None or not 1 <= len(group.schema.names) <= _MOST_COLUMNS:
                raise ProjectFolderError(f"{_file_of(entry)}: a row group and columns are expected")
            known = self._columns[entry.model, entry.name] = list(group.schema.names)
        return known

    def _settings(self, model: ModelEntry) -> RecordSettings:
        """The records of a fit, read out of JSON.

        Raises:
            ProjectFolderError: They are not what the service writes.
        """
        try:
            values = json.loads(model.side_information).get("records", {})
            records = RecordSettings.from_json(values)
            whole = all(isinstance(one, str) for one in (*records.votes, records.gold))
            whole &= all(isinstance(one, str | int | float) for one in records.options.values())
        except (ValueError, TypeError, AttributeError):
            whole, records = False, RecordSettings()
        if not whole:
            raise ProjectFolderError(f"models.parquet: the records of {model.id} cannot be read")
        return records


def _file_of(entry: LabelTableEntry) -> str:
    return f"label_tables/{entry.model:.100}.{entry.name:.50}.parquet"
