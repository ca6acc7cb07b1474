"""The protocol of uploads, of votes and of side data alike.

An upload takes chunks, each durable at once, and becomes visible as a whole when it is finished. One stream at a time
writes: opening an upload again takes it over, so that a client that lost its connection is not kept out by what is left
of that connection on the server.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, insert, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import FieldViolation, Reason, ServiceError, invalid
from weaklabel_server.store import projects, schema, trash
from weaklabel_server.store.access import quotas
from weaklabel_server.store.chunks import unpack_ids
from weaklabel_server.store.locking import for_update
from weaklabel_server.store.projects import Project


@dataclass(frozen=True, kw_only=True)
class Upload(ABC):
    """An upload as it stands. `writer` names the stream that may add to it until it is finished."""

    key: int
    project_key: int
    upload_id: str
    content_digest: bytes
    writer: str
    named_items: bool | None
    committed_rows: int

    @property
    @abstractmethod
    def is_finished(self) -> bool:
        """Whether it is visible, and takes no more chunks."""


AnyUpload = TypeVar("AnyUpload", bound=Upload)


class Rows(NamedTuple):
    """What a chunk holds: so many rows of an upload, from one on, and whether it names their items."""

    row_offset: int
    rows: int
    named: bool


class UploadTables(Generic[AnyUpload]):
    """The protocol on the tables of one kind of upload: its rows, and their chunks."""

    def __init__(
        self,
        *,
        uploads: Table,
        chunks: Table,
        id_column: str,
        subject: str,
        subject_field: str,
        error_key: str,
        unfinished: ColumnElement[bool],
        from_row: Callable[[Row[Any]], AnyUpload],
    ) -> None:
        """Binds the protocol to tables.

        Args:
            uploads: One row for each upload.
            chunks: One row for each chunk; its first column is the key of the upload.
            id_column: Of the id that the client chose.
            subject: The column of what an upload is of, which like the digest is the same each time it is opened.
            subject_field: Its field in the request.
            error_key: The name of the id in the metadata of errors.
            unfinished: Selects uploads that are not finished.
            from_row: Makes the upload of a row.
        """
        self._uploads = uploads
        self._chunks = chunks
        self._owner = next(iter(chunks.c))
        self._id_column = id_column
        self._subject = subject
        self._subject_field = subject_field
        self._error_key = error_key
        self._unfinished = unfinished
        self._from_row = from_row
        # Made once: several run with each chunk, and making a statement takes longer than running it.
        # Of an upload whose project was deleted the rows may still be there.
        seen = select(schema.projects.c.key).where(
            schema.projects.c.key == uploads.c.project_key, schema.projects.c.trash.is_(False)
        )
        self._one = select(uploads).where(uploads.c.key == bindparam("upload_key"), seen.exists())
        self._change = update(uploads).where(uploads.c.key == bindparam("upload_key"))
        of_new = self._owner == bindparam("upload_key"), chunks.c.row_offset >= bindparam("row_offset")
        self._size_from = quotas.size_of(chunks, *of_new)

    def open(
        self,
        tx: Connection,
        project_id: str,
        upload_id: str,
        content_digest: bytes,
        *,
        subject: Any,
        same_content: Callable[[Project], AnyUpload | None],
        **columns: Any,
    ) -> tuple[Project, AnyUpload]:
        """Begins an upload, or takes up one that was broken off, or finds that it is finished.

        Args:
            tx: The transaction.
            project_id: The project.
            upload_id: The id that the client chose.
            content_digest: Of all that is uploaded; empty where the client gives none.
            subject: What the upload is of.
            same_content: Finds an upload of the same content under another id.
            columns: Further columns of a new row.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, UPLOAD_ID_REUSED.
        """
        project = projects.get(tx, project_id)
        upload = self.find(tx, project, upload_id)
        if upload is not None:
            same_subject = getattr(upload, self._subject) == subject
            if not same_subject or upload.content_digest != content_digest:
                raise invalid(
                    "open.content_digest" if same_subject else self._subject_field,
                    f"upload {upload_id} was begun with another value of this field",
                    reason=Reason.UPLOAD_ID_REUSED,
                )
        elif content_digest:
            upload = same_content(project)
        if upload is None:
            values = {self._id_column: upload_id, self._subject: subject, **columns}
            tx.execute(
                insert(self._uploads).values(
                    project_key=project.key,
                    content_digest=content_digest,
                    writer="",
                    update_time=now_micros(),
                    **values,
                )
            )
            upload = self.find(tx, project, upload_id)
            assert upload is not None
        if not upload.is_finished:
            self.change(tx, upload, writer=uuid.uuid4().hex)
        return project, self._get(tx, upload.key)

    def append(
        self,
        tx: Connection,
        upload: AnyUpload,
        chunks: Sequence[Rows],
        insert_chunks: Callable[[AnyUpload, int], Mapping[str, Any]],
        *,
        naming_matters: bool = True,
    ) -> list[int]:
        """Adds chunks, all or none, and returns the number of rows committed with each. What was committed before is
        not written again.

        Args:
            tx: The transaction.
            upload: The upload, as its stream opened it.
            chunks: What they hold.
            insert_chunks: Writes the chunks of an upload as it stands, from the one of an index on; returns further
                columns of the upload to change.
            naming_matters: Whether all rows of a project are named, or none.

        Raises:
            ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED; whatever
                insert_chunks raises.
        """
        current = self.writable(tx, upload)
        committed = current.committed_rows
        after: list[int] = []
        first = len(chunks)
        for at, chunk in enumerate(chunks):
            if chunk.row_offset + chunk.rows > committed:
                if chunk.row_offset != committed:
                    description = f"the next chunk begins with row {committed}, not {chunk.row_offset}"
                    raise _mismatch(Reason.ROW_OFFSET_MISMATCH, "chunk.row_offset", description, committed)
                first = min(first, at)
                committed += chunk.rows
            after.append(committed)
        if first == len(chunks):
            return after
        named = chunks[first].named
        if naming_matters:
            self.check_naming(tx, current, named=named)
            if any(chunk.named != named for chunk in chunks[first:]):
                self.check_naming(tx, replace(current, named_items=named), named=not named)
        changed = insert_chunks(current, first)
        new = {"upload_key": current.key, "row_offset": chunks[first].row_offset}
        quotas.add(tx, current.project_key, tx.execute(self._size_from, new).scalar_one())
        self.change(tx, current, committed_rows=committed, named_items=named, **changed)
        return after

    def complete(self, tx: Connection, upload: AnyUpload, total_rows: int) -> AnyUpload:
        """An upload as it stands, of which all rows are committed, so that it can be finished.

        Raises:
            ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH; INVALID_FIELD when it is empty.
        """
        current = self.writable(tx, upload)
        committed = current.committed_rows
        if total_rows != committed:
            description = f"{committed} rows are committed, not {total_rows}"
            raise _mismatch(Reason.ROW_COUNT_MISMATCH, "finish.total_rows", description, committed)
        if total_rows == 0:
            raise invalid("finish.total_rows", "an upload has at least one row")
        return current

    def item_ids(self, tx: Connection, upload: AnyUpload) -> dict[int, list[str]]:
        """The item ids of each chunk by its first row, in order.

        Raises:
            ServiceError: INVALID_FIELD when one of them is in two rows.
        """
        query = (
            select(self._chunks.c.row_offset, self._chunks.c.item_ids)
            .where(self._owner == upload.key)
            .order_by(self._chunks.c.row_offset)
        )
        ids_by_chunk = {row.row_offset: unpack_ids(row.item_ids) for row in tx.execute(query)}
        _check_distinct(ids_by_chunk)
        return ids_by_chunk

    def check_naming(self, tx: Connection, upload: AnyUpload, *, named: bool) -> None:
        """Refuses item ids in a project that numbers its items, and rows without ids in one that names them.

        Raises:
            ServiceError: ITEM_NAMING_MIXED.
        """
        decided = upload.named_items if upload.named_items is not None else self.project_of(tx, upload).named_items
        if decided in (None, named):
            return
        description = (
            "this project names its items: every row needs an id"
            if decided
            else "this project numbers its items by position: chunks must not hold item ids"
        )
        raise ServiceError(
            Reason.ITEM_NAMING_MIXED, description, violations=[FieldViolation("chunk.item_ids", description)]
        )

    def change(self, tx: Connection, upload: AnyUpload, **columns: Any) -> None:
        """Sets columns of an upload, and the time at which it was last written to."""
        tx.execute(self._change, {"upload_key": upload.key, "update_time": now_micros(), **columns})

    def find(self, tx: Connection, project: Project, upload_id: str) -> AnyUpload | None:
        """An upload by its id, or None."""
        query = select(self._uploads).filter_by(project_key=project.key, **{self._id_column: upload_id})
        row = tx.execute(query).first()
        return None if row is None else self._from_row(row)

    def project_of(self, tx: Connection, upload: AnyUpload) -> Project:
        """The project of an upload, as it stands."""
        query = (
            select(schema.projects.c.project_id)
            .join(self._uploads, self._uploads.c.project_key == schema.projects.c.key)
            .where(self._uploads.c.key == upload.key)
        )
        return projects.get(tx, tx.execute(query).scalar_one())

    def remove_abandoned(self, tx: Connection, before: int) -> int:
        """Deletes unfinished uploads that nobody has added to since a time; returns how many."""
        return trash.throw(tx, self._uploads, self._unfinished & (self._uploads.c.update_time < before))

    def writable(self, tx: Connection, upload: AnyUpload) -> AnyUpload:
        """An upload as it stands, if its stream may still write to it.

        Raises:
            ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER.
        """
        current = self._get(tx, upload.key)
        if current.writer != upload.writer:
            raise ServiceError(
                Reason.UPLOAD_TAKEN_OVER,
                f"another stream has opened upload {upload.upload_id} since",
                metadata={self._error_key: upload.upload_id},
            )
        return current

    def _get(self, tx: Connection, key: int) -> AnyUpload:
        row = tx.execute(for_update(tx, self._one, self._uploads), {"upload_key": key}).first()
        if row is None:
            raise ServiceError(Reason.UPLOAD_NOT_FOUND, "the upload is gone: its project was deleted")
        return self._from_row(row)


def _mismatch(reason: Reason, field: str, description: str, committed: int) -> ServiceError:
    return ServiceError(
        reason,
        description,
        metadata={"committed_rows": str(committed)},
        violations=[FieldViolation(field, description)],
    )


def _check_distinct(ids_by_chunk: Mapping[int, list[str]]) -> None:
    seen: set[str] = set()
    count = 0
    for ids in ids_by_chunk.values():  # a chunk at a time, so that other threads find their turn
        seen.update(ids)
        count += len(ids)
    if len(seen) == count:
        return
    row_of: dict[str, int] = {}
    for row_offset, ids in ids_by_chunk.items():
        for row, one in enumerate(ids, row_offset):
            if one in row_of:
                raise invalid("chunk.item_ids", f'item "{one}" is in rows {row_of[one]} and {row} of the upload')
            row_of[one] = row
