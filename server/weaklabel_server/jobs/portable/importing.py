"""A project out of a folder of files: hidden until it is whole, and thrown away where something is wrong with it.

Every value is checked as if a client had uploaded it, with the file and the row in the message; what is held in memory
is a row group, a chunk of soft labels, or a model.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel.formats.projects import ModelEntry, ProjectFolder, SideDataEntry
from weaklabel.formats.projects.files import check_schema
from weaklabel.formats.projects.reading import VotePart
from weaklabel.votes import ABSTAIN, label_dtype
from weaklabel_protocol import label_space_messages
from weaklabel_protocol.project_folders import Manifest, ProjectFolderError
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import model_files
from weaklabel_server.jobs.portable import side_tables
from weaklabel_server.jobs.portable.label_spaces import SpaceImporter
from weaklabel_server.jobs.transfers import ImportLimits
from weaklabel_server.jobs.workers.work import summary_of
from weaklabel_server.messages.checks import MAX_DIGEST_BYTES, MAX_SOURCES, check_names, check_new_project, check_uuid
from weaklabel_server.messages.label_spaces import read_label_space
from weaklabel_server.messages.side_data import read_chunk
from weaklabel_server.names import LATEST
from weaklabel_server.store import imports, trash
from weaklabel_server.store.access.quotas import Quotas
from weaklabel_server.store.chunks import PackedChunk, pack_dense, pack_sparse
from weaklabel_server.store.database import Database
from weaklabel_server.store.imports import Staged
from weaklabel_server.store.models import chunk_rows
from weaklabel_server.store.projects import Project
from weaklabel_server.store.side_data import SideKind, SideSettings

Answer = TypeVar("Answer")

_ITEMS_AT_A_TIME = 2_000
_CHUNK_CELL_BYTES = 4 * 1024 * 1024
_TRIPLE_BYTES = 12


class Importer:
    """Makes projects out of folders."""

    def __init__(
        self,
        database: Database,
        quotas: Quotas,
        limits: ImportLimits,
        *,
        replica_id: str,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """check: Called between transactions; what it raises ends an import."""
        self._database = database
        self._quotas = quotas
        self._limits = limits
        self._replica_id = replica_id
        self._check = check

    def run(
        self,
        path: Path,
        manifest: Manifest,
        project_id: str,
        import_id: str,
        end: Callable[[Connection, Callable[[Connection], Project]], Answer],
    ) -> Answer:
        """Imports a folder.

        Args:
            path: The folder.
            manifest: Its manifest.
            project_id: The project that is made.
            import_id: Of 24 characters at most: a second attempt clears away what the first left.
            end: Called in the last transaction with it, and with what shows the project; returns the answer.

        Raises:
            ServiceError: IMPORT_UNSUITABLE, INVALID_FIELD, PROJECT_EXISTS, PROJECT_TOO_LARGE, SIDE_DATA_TOO_LARGE,
                MODEL_FILE_UNSUITABLE, QUOTA_EXCEEDED.
        """
        with _refusals("manifest.json"):
            folder = ProjectFolder(path, manifest)
            staged = self._begin(folder, project_id, import_id)
        try:
            self._votes(folder, staged)
            with _refusals("side_data.parquet"):
                listed = folder.side_data
                _check_distinct("side_data.parquet", [one.id.lower() for one in listed])
            for side in listed:
                self._side(folder, staged, side)
            importer = SpaceImporter(folder, staged, self._limits, self._write)
            with _refusals("record_sets.parquet"):
                importer.records()
            with _refusals("models.parquet"):
                entries = folder.models
                _check_distinct("models.parquet", [one.id for one in entries])
            for model in entries:
                self._model(folder, staged, model, importer)
            with _refusals(""):
                folder.check()  # the files that nothing was read of

            def show(tx: Connection) -> Project:
                project = imports.show(tx, staged)
                self._quotas.check(tx, project.key)
                return project

            return self._database.transact(end, show)
        finally:  # nothing is left of what is not shown
            self._database.transact(trash.throw_staged, self._replica_id, import_id)

    def _begin(self, folder: ProjectFolder, project_id: str, import_id: str) -> Staged:
        space = folder.label_space
        if space is not None:
            message = label_space_messages.to_message(space)
            assert message is not None
            max_bytes = self._limits.max_class_bytes
            read_label_space(message, folder.classes, field="label_space", max_bytes=max_bytes)
        check_new_project(
            project_id,
            folder.classes,
            field="name",
            max_bytes=self._limits.max_class_bytes,
            has_classes=space is None or space.has_classes,
        )
        names = folder.source_names
        check_names(names, field="sources.parquet", what="sources", limit=MAX_SOURCES)
        cells = folder.n_items * len(names)
        if cells > self._limits.max_cells:
            raise ServiceError(
                Reason.PROJECT_TOO_LARGE,
                f"{folder.n_items} items x {len(names)} sources are more than the {self._limits.max_cells} cells that "
                "this server allows a project; see WEAKLABEL_MAX_VOTES_CELLS",
            )
        if not folder.votes_version and (folder.n_items or names):
            raise ProjectFolderError("manifest.json: there are items or sources, and no version of the votes")

        def begin(tx: Connection) -> Staged:
            imports.check_absent(tx, project_id)
            staged = imports.begin(
                tx,
                self._replica_id,
                import_id,
                project_id,
                classes=folder.classes,
                label_space=space,
                named_items=folder.named_items,
                item_count=folder.n_items,
                votes_version=folder.votes_version,
                source_names=names,
            )
            self._quotas.check(tx, staged.project.key, becomes=project_id)
            return staged

        return self._database.transact(begin)

    def _write(self, staged: Staged, query: Callable[..., Any], *args: Any) -> Any:
        """Runs query(transaction, staged, ...), and looks whether the project is not too large by now."""
        self._check()

        def run(tx: Connection) -> Any:
            result = query(tx, staged, *args)
            self._quotas.check(tx, staged.project.key, becomes=staged.becomes)
            return result

        return self._database.transact(run)

    def _votes(self, folder: ProjectFolder, staged: Staged) -> None:
        row = 0
        with _refusals(""):
            for part in folder.vote_parts():
                if row + len(part.codes if part.ids is None else part.ids) > folder.n_items:
                    raise ProjectFolderError(f"{part.where}: more rows than the {folder.n_items} items of the manifest")
                if part.ids is not None:
                    check_names(part.ids, field=f"{part.where}, ids", what="ids", limit=len(part.ids))
                    for at in range(0, len(part.ids), _ITEMS_AT_A_TIME):
                        ids = part.ids[at : at + _ITEMS_AT_A_TIME]
                        self._write(staged, imports.add_items, row + at, ids, part.where)
                if folder.source_names:
                    for at, chunk in _packed(part):
                        self._write(staged, imports.add_votes, row + at, chunk)
                row += len(part.codes if part.ids is None else part.ids)
            if row != folder.n_items and (folder.source_names or folder.named_items):
                raise ProjectFolderError(f"votes have {row} rows, and {folder.n_items} items in the manifest")

    def _side(self, folder: ProjectFolder, staged: Staged, side: SideDataEntry) -> None:
        name = f"side_data/{side.id:.100}.parquet"
        with _refusals(name):
            check_uuid(side.id, field="side_data.parquet: id")
            if side.kind not in set(SideKind) or len(side.content_digest) > MAX_DIGEST_BYTES or side.rows < 1:
                raise ProjectFolderError(f"side_data.parquet: {side.kind!r:.50} of {side.rows} rows is no side data")
            kind, n_classes = SideKind(side.kind), len(folder.classes)
            symbols = folder.gold_symbols(side.id) if kind is SideKind.GOLD else None
            key = self._write(
                staged, imports.begin_side, side.id.lower(), kind, side.rows, side.columns, side.content_digest
            )
            row = size = 0
            named: bool | None = None
            seen: set[str] = set()
            for number, table in enumerate(folder.groups(name)):
                where = f"{name}, row group {number}"
                if named is None:
                    named = "item" in table.schema.names
                    schema = side_tables.schema_of(kind, named=named)
                    if folder.votes_version and kind is not SideKind.BAGS and named != folder.named_items:
                        raise ProjectFolderError(
                            f"{name}: ids are given where the items of votes have none, or none are"
                        )
                check_schema(table.schema, schema, where)
                message = side_tables.to_message(table, kind, row, side.columns, where, symbols)
                chunk, columns = read_chunk(message, kind=kind, n_classes=n_classes)
                if columns != side.columns:
                    raise ProjectFolderError(f"{where}: {columns} columns, and {side.columns} in side_data.parquet")
                seen.update(chunk.item_ids or ())
                row, size = row + chunk.rows, size + len(chunk.content)
                if size > self._limits.max_side_data_bytes:
                    raise ServiceError(
                        Reason.SIDE_DATA_TOO_LARGE,
                        f"{name}: more than the {self._limits.max_side_data_bytes} bytes that this server allows; see "
                        "WEAKLABEL_MAX_SIDE_DATA_BYTES",
                    )
                if chunk.item_ids is not None and len(seen) != row:
                    raise ProjectFolderError(f"{where}: the id of an item is there twice")
                self._write(staged, imports.add_side, key, chunk)
            if row != side.rows:
                raise ProjectFolderError(f"{name} has {row} rows, and {side.rows} in side_data.parquet")

    def _model(self, folder: ProjectFolder, staged: Staged, model: ModelEntry, importer: SpaceImporter) -> None:
        name = f"models/{model.id:.100}.npz"
        with _refusals(name):
            check_names([model.id], field="models.parquet: id", what="ids", limit=1)
            if len(model.id) > 32 or not model.id.isalnum() or not model.id.isascii() or model.id == LATEST:
                raise ProjectFolderError(f"models.parquet: {model.id!r:.100} is no id of a model")
            labels_votes = folder.label_space is None or folder.label_space.has_classes
            if not 0 <= model.votes_version <= folder.votes_version or not (
                0 <= model.items <= (folder.n_items if labels_votes else 2**62)
            ):
                raise ProjectFolderError(f"models.parquet: {model.id} is of votes, or has items, that are not here")
            file = folder.file(name)
            if file.stat().st_size > self._limits.max_model_bytes:
                raise ServiceError(
                    Reason.MODEL_TOO_LARGE,
                    f"{name} has more than the {self._limits.max_model_bytes} bytes of a model on this server; see "
                    "WEAKLABEL_MAX_MODEL_BYTES",
                )
            content = file.read_bytes()
            side = _side_settings(model)
            if importer.has_soft_labels:
                fitted = model_files.read_label_model(content, staged.project, max_bytes=self._limits.max_model_bytes)
                summary = summary_of(fitted, side, uploaded=model.uploaded)
            else:
                summary = importer.summary(model, content, side)
            summary = importer.with_tables(summary, model)
            key = self._write(staged, imports.begin_model, model.id, model.votes_version, model.items, summary, content)
            importer.tables(model, key)
            if not importer.has_soft_labels:
                return
            row = 0
            if model.items:
                for probabilities, labels in _rechunked(folder, model):
                    self._write(staged, imports.add_labels, key, row, probabilities, labels)
                    row += len(labels)
            if row != model.items:
                raise ProjectFolderError(f"soft_labels/{model.id}.parquet has {row} rows, not {model.items}")


@contextmanager
def _refusals(where: str) -> Iterator[None]:
    """What is wrong with a folder as an error of the service, with its place."""
    try:
        yield
    except ProjectFolderError as error:
        raise invalid("manifest", str(error), reason=Reason.IMPORT_UNSUITABLE) from error
    except ServiceError as error:
        if error.reason not in (Reason.INVALID_FIELD, Reason.MODEL_FILE_UNSUITABLE):
            raise
        told = "; ".join(f"{one.field}: {one.description}" for one in error.violations[:3]) or error.message
        raise invalid("manifest", f"{where}: {told}" if where else told, reason=Reason.IMPORT_UNSUITABLE) from error


def _check_distinct(name: str, ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        raise ProjectFolderError(f"{name}: {Counter(ids).most_common(1)[0][0]!r:.100} is there twice")


def _packed(part: VotePart) -> Iterator[tuple[int, PackedChunk]]:
    """The votes of a part in chunks as small as those of uploads, each in the smaller of two forms."""
    codes = part.codes
    step = max(1, _CHUNK_CELL_BYTES // max(1, codes.shape[1] * codes.itemsize))
    for at in range(0, len(codes), step):
        some = codes[at : at + step]
        used, some = part.symbols.only(some)
        some = some.astype(label_dtype(used.n_classes + len(used)), copy=False)
        row, column = np.nonzero(some != ABSTAIN)
        if len(row) * _TRIPLE_BYTES < some.nbytes:
            triples = np.stack([row, column, some[row, column]], axis=1).astype(np.int32)
            yield at, pack_sparse(triples, len(some), None, used)
        else:
            yield at, pack_dense(some, None, used)


def _rechunked(folder: ProjectFolder, model: ModelEntry) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """The soft labels of a model in the chunks that the store has them in.

    Raises:
        ProjectFolderError: There are more than there should be, or they cannot be read.
    """
    held: list[tuple[NDArray[np.float32], NDArray[np.int32]]] = []
    count = total = 0
    for _, probabilities, labels in folder.label_parts(model.id):
        total += len(labels)
        if total > model.items:
            raise ProjectFolderError(f"soft_labels/{model.id}.parquet has more than {model.items} rows")
        while len(labels):
            most = chunk_rows(probabilities.shape[1])
            room = most - count
            held.append((probabilities[:room], labels[:room]))
            count += len(held[-1][1])
            probabilities, labels = probabilities[room:], labels[room:]
            if count == most:
                yield _joined(held)
                held, count = [], 0
    if held:
        yield _joined(held)


def _joined(
    held: list[tuple[NDArray[np.float32], NDArray[np.int32]]],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    probabilities, labels = zip(*held, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)


def _side_settings(model: ModelEntry) -> SideSettings:
    """What a fit was told beside the votes, read out of JSON.

    Raises:
        ProjectFolderError: It is not what the service writes.
    """
    try:
        values = json.loads(model.side_information)
        side = SideSettings.from_json(values)
        whole = all(type(one.low) is type(one.high) is float for one in side.bounds)
        whole &= 0 <= float(side.gold_error) < 1 and side.gold_sampling in ("auto", "random", "by_class")
        texts = [*side.data.values(), *side.families, *side.families.values(), *(one.source for one in side.bounds)]
        whole &= all(isinstance(one, str) and 1 <= len(one) <= 255 for one in texts)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        whole, side = False, SideSettings()
    if not whole:
        raise ProjectFolderError(f"models.parquet: the side information of {model.id} cannot be read")
    return side
