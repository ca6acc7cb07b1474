"""Side data: side information about items, uploaded in chunks; finished, it never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Row

from weaklabel_server.errors import Reason, invalid
from weaklabel_server.store import projects, schema
from weaklabel_server.store.chunks import pack_ids, unpack_ids
from weaklabel_server.store.kept_uploads import KeptTables, KeptUpload, packed


class SideKind(StrEnum):
    """The kinds of side data."""

    GOLD = "gold"
    PRIOR = "prior"
    GROUPS = "groups"
    FEATURES = "features"
    BAGS = "bags"
    FIELDS = "fields"
    GOLD_WEIGHT = "gold_weight"
    LABELS = "labels"


FIT_KINDS = tuple(kind for kind in SideKind if kind not in (SideKind.FIELDS, SideKind.LABELS))
"""What fits may use; fields are for prompts, labels for reports."""


@dataclass(frozen=True)
class SourceBounds:
    """The bounds that a person puts on the accuracy of a source."""

    source: str
    low: float
    high: float


@dataclass(frozen=True)
class SideSettings:
    """The side information of a fit: side data by its kind and id, and what is small enough to stand here.

    `families` has the family of sources by their names.
    """

    data: Mapping[SideKind, str] = field(default_factory=dict)
    gold_error: float = 0.0
    bounds: tuple[SourceBounds, ...] = ()
    gold_sampling: str = "auto"
    families: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `asdict` made, after JSON; what is missing has its default."""
        return cls(
            data={SideKind(kind): side_data_id for kind, side_data_id in values.get("data", {}).items()},
            gold_error=values.get("gold_error", 0.0),
            bounds=tuple(SourceBounds(**one) for one in values.get("bounds", ())),
            gold_sampling=values.get("gold_sampling", "auto"),
            families=values.get("families", {}),
        )


@dataclass(frozen=True, kw_only=True)
class SideData(KeptUpload):
    """Side data as it stands."""

    kind: SideKind
    column_count: int


@dataclass(frozen=True)
class SideChunk:
    """Rows of side data. `content` is a serialized weaklabel.v1.SideRows that was checked."""

    row_offset: int
    rows: int
    item_ids: list[str] | None
    content: bytes


def _side_data(row: Row[Any]) -> SideData:
    common = KeptUpload.of_row(row, row.side_data_id)
    return SideData(kind=SideKind(row.kind), column_count=row.column_count, **common)


def _side_chunk(row: Row[Any], _: SideData, content: bytes) -> SideChunk:
    return SideChunk(row.row_offset, row.rows, None if row.item_ids is None else unpack_ids(row.item_ids), content)


_tables = KeptTables(
    uploads=schema.side_uploads,
    chunks=schema.side_chunks,
    id_column="side_data_id",
    subject="kind",
    error_key="side_data",
    noun="side data",
    not_found=Reason.SIDE_DATA_NOT_FOUND,
    too_large=Reason.SIDE_DATA_TOO_LARGE,
    from_row=_side_data,
    chunk_from_row=_side_chunk,
    check_project=projects.check_votes_for_classes,
)

open_upload = _tables.open_upload
finish = _tables.finish  # of an upload whose ids were found to be distinct
get = _tables.get
list_page = _tables.list_page
remove = _tables.remove
remove_abandoned = _tables.remove_abandoned
chunks = _tables.chunks
chunk_of = _tables.chunk_of


def append(tx: Connection, side: SideData, chunk: SideChunk, column_count: int, *, max_bytes: int) -> int:
    """Adds a chunk and returns the number of rows committed. Rows committed before are not written again.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER, ROW_OFFSET_MISMATCH, ITEM_NAMING_MIXED, SIDE_DATA_TOO_LARGE;
            INVALID_FIELD when the number of columns differs from that of the chunks before.
    """

    def changes(current: SideData) -> dict[str, Any]:
        if current.committed_rows and column_count != current.column_count:
            raise invalid(
                "chunk.values", f"{current.column_count} columns, as in the chunks before, got {column_count}"
            )
        return {"column_count": column_count}

    return _tables.append_chunk(
        tx,
        side,
        chunk,
        pack_chunk(chunk),
        changes,
        named=chunk.item_ids is not None,
        naming_matters=side.kind is not SideKind.BAGS,
        max_bytes=max_bytes,
    )


def pack_chunk(chunk: SideChunk) -> dict[str, Any]:
    """The columns of a chunk as it is stored."""
    return packed(chunk) | {"item_ids": None if chunk.item_ids is None else pack_ids(chunk.item_ids)}


def check_distinct(tx: Connection, side: SideData) -> None:
    """Refuses an item id in two rows of an upload; this takes seconds for a million, so it is no part of `finish`.

    Raises:
        ServiceError: UPLOAD_NOT_FOUND, UPLOAD_TAKEN_OVER; INVALID_FIELD when one is.
    """
    if _tables.writable(tx, side).named_items:
        _tables.item_ids(tx, side)
