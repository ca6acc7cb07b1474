"""Uploads that are kept as they were sent, of side data and of records alike: a chunk is compressed bytes.

What they hold is limited in bytes; finished, they never change, and fits name them by their id.
"""

import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table, insert, select

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import projects, trash
from weaklabel_server.store.access import audit
from weaklabel_server.store.chunks import compressed
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.projects import Project
from weaklabel_server.store.uploads import Rows, Upload, UploadTables


@dataclass(frozen=True, kw_only=True)
class KeptUpload(Upload):
    """An upload as it stands; upload_id is the id of what it holds."""

    byte_count: int
    finished: bool
    create_time: int

    @property
    def is_finished(self) -> bool:
        """Whether fits may name it."""
        return self.finished

    @staticmethod
    def of_row(row: Row[Any], upload_id: str) -> dict[str, Any]:
        """What a row says of an upload of any kind."""
        return {
            "key": row.key,
            "project_key": row.project_key,
            "upload_id": upload_id,
            "content_digest": row.content_digest,
            "writer": row.writer,
            "named_items": row.named_items,
            "committed_rows": row.committed_rows,
            "byte_count": row.byte_count,
            "finished": row.finished,
            "create_time": row.create_time,
        }


class KeptChunk(Protocol):
    """Rows of an upload."""

    @property
    @abstractmethod
    def row_offset(self) -> int:
        """The first of them."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many."""

    @property
    @abstractmethod
    def content(self) -> bytes:
        """A serialized message, which was checked."""


AnyKept = TypeVar("AnyKept", bound=KeptUpload)
AnyChunk = TypeVar("AnyChunk", bound=KeptChunk)


class KeptTables(UploadTables[AnyKept], Generic[AnyKept, AnyChunk]):
    """The tables of one kind of them."""

    def __init__(
        self,
        *,
        uploads: Table,
        chunks: Table,
        id_column: str,
        subject: str,
        error_key: str,
        noun: str,
        not_found: Reason,
        too_large: Reason,
        from_row: Callable[[Row[Any]], AnyKept],
        chunk_from_row: Callable[[Row[Any], AnyKept, bytes], AnyChunk],
        check_project: Callable[[Project], None],
    ) -> None:
        """Binds the protocol to tables; see UploadTables.

        Args:
            uploads: One row for each upload.
            chunks: One row for each chunk.
            id_column: Of the id that the client chose.
            subject: The column of what an upload is of, which is a field of the request, too.
            error_key: The name of the id in the metadata of errors.
            noun: What it is called in errors.
            not_found: Says that there is none of an id.
            too_large: Says that it takes too many bytes.
            from_row: Makes the upload of a row.
            chunk_from_row: Makes the chunk of a row, of its upload and of its content.
            check_project: Refuses projects that take none.
        """
        super().__init__(
            uploads=uploads,
            chunks=chunks,
            id_column=id_column,
            subject=subject,
            subject_field=f"open.{subject}",
            error_key=error_key,
            unfinished=uploads.c.finished.is_(False),
            from_row=from_row,
        )
        self._noun = noun
        self._not_found = not_found
        self._too_large = too_large
        self._chunk_from_row = chunk_from_row
        self._check_project = check_project

    def open_upload(
        self, tx: Connection, project_id: str, upload_id: str, subject: str, content_digest: bytes
    ) -> tuple[Project, AnyKept]:
        """Begins an upload, or takes up one that was broken off, or finds that it is finished.

        Raises:
            ServiceError: PROJECT_NOT_FOUND, LABEL_SPACE_MISMATCH, UPLOAD_ID_REUSED.
        """
        self._check_project(projects.get(tx, project_id))

        def same_content(project: Project) -> AnyKept | None:
            """One of this content, finished if there is any."""
            same = {"project_key": project.key, self._subject: subject, "content_digest": content_digest}
            order = self._uploads.c.finished.desc(), self._uploads.c.key.desc()
            row = tx.execute(select(self._uploads).filter_by(**same).order_by(*order).limit(1)).first()
            return None if row is None else self._from_row(row)

        return self.open(
            tx,
            project_id,
            upload_id,
            content_digest,
            subject=subject,
            same_content=same_content,
            create_time=now_micros(),
        )

    def append_chunk(
        self,
        tx: Connection,
        upload: AnyKept,
        chunk: AnyChunk,
        stored: Mapping[str, Any],
        changes: Callable[[AnyKept], Mapping[str, Any]],
        *,
        named: bool,
        naming_matters: bool,
        max_bytes: int,
    ) -> int:
        """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

        Args:
            tx: The transaction.
            upload: The upload, as its stream opened it.
            chunk: The rows.
            stored: Columns of the chunk as it is stored.
            changes: Checks the chunk against the upload as it stands; returns further columns of the upload to change.
            named: Whether its items are named.
            naming_matters: See `append`.
            max_bytes: What the upload may hold.

        Raises:
            ServiceError: What `append` raises, `too_large`, and whatever changes raises.
        """

        def insert_chunk(current: AnyKept, _: int) -> dict[str, Any]:
            changed = changes(current)
            byte_count = current.byte_count + len(chunk.content)
            if byte_count > max_bytes:
                raise ServiceError(
                    self._too_large,
                    f"more than the {max_bytes} bytes that this server allows; see WEAKLABEL_MAX_SIDE_DATA_BYTES",
                )
            tx.execute(insert(self._chunks).values({self._owner.name: current.key, **stored}))
            return {**changed, "byte_count": byte_count}

        rows = Rows(chunk.row_offset, chunk.rows, named)
        return self.append(tx, upload, [rows], insert_chunk, naming_matters=naming_matters)[0]

    def finish(self, tx: Connection, upload: AnyKept, total_rows: int) -> None:
        """Ends an upload: fits may name it from now on.

        Raises:
            ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_COUNT_MISMATCH; INVALID_FIELD when the upload is
                empty.
        """
        current = self.complete(tx, upload, total_rows)
        self.change(tx, current, finished=True, writer="")
        audit.record(tx)

    def get(self, tx: Connection, project: Project, upload_id: str) -> AnyKept:
        """One whose upload is finished.

        Raises:
            ServiceError: `not_found`.
        """
        upload = self.find(tx, project, upload_id)
        if upload is None or not upload.is_finished:
            what = f"has no {self._noun}" if upload is None else f"has not got all of {self._noun}"
            raise ServiceError(
                self._not_found,
                f'project "{project.project_id}" {what} "{upload_id}"',
                metadata={"project": project.project_id, self._error_key: upload_id},
            )
        return upload

    def list_page(self, tx: Connection, project: Project, page: Page[int]) -> list[AnyKept]:
        """Up to size + 1 that are finished, newest first."""
        columns = self._uploads.c
        query = select(self._uploads).where(columns.project_key == project.key, columns.finished)
        return [self._from_row(row) for row in tx.execute(newest_first(query, columns.key, page))]

    def remove(self, tx: Connection, project: Project, upload_id: str) -> None:
        """Deletes one.

        Raises:
            ServiceError: `not_found`, OPERATIONS_RUNNING.
        """
        upload = self.get(tx, project, upload_id)
        projects.check_no_operation(tx, project)
        trash.throw(tx, self._uploads, self._uploads.c.key == upload.key)

    def chunks(self, tx: Connection, upload: AnyKept) -> Iterator[AnyChunk]:
        """The rows, in their order."""
        columns = self._chunks.c
        query = select(self._chunks).where(self._owner == upload.key).order_by(columns.row_offset)
        for row in tx.execute(query.execution_options(yield_per=4)):
            yield self._chunk(row, upload)

    def chunk_of(self, tx: Connection, upload: AnyKept, row: int) -> AnyChunk:
        """The chunk that holds a row.

        Raises:
            ServiceError: `not_found` when it was deleted since.
        """
        columns = self._chunks.c
        query = select(self._chunks).where(self._owner == upload.key, columns.row_offset <= row)
        found = tx.execute(query.order_by(columns.row_offset.desc()).limit(1)).first()
        if found is None:
            raise ServiceError(self._not_found, f"the {self._noun} was deleted")
        return self._chunk(found, upload)

    def _chunk(self, row: Row[Any], upload: AnyKept) -> AnyChunk:
        return self._chunk_from_row(row, upload, zlib.decompress(row.content))


def packed(chunk: KeptChunk) -> dict[str, Any]:
    """The columns of a chunk of any kind, as it is stored."""
    return {
        "row_offset": chunk.row_offset,
        "rows": chunk.rows,
        "content": compressed(chunk.content),
    }
