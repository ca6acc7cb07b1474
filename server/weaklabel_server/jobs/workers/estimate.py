"""The memory that a fit takes, known before it begins."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from weaklabel.votes import label_dtype
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.store import record_sets, side_data, votes
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideSettings
from weaklabel_server.store.votes import View

# Bytes: of the libraries and what they compile; for a byte of a matrix of codes; for a vote among triples; for each
# item and class, and where items are rows of their own; for a byte of codebooks, of side data, of sparse features.
_LIBRARIES = 640 << 20
_CODE = 12
_TRIPLE = 40
_LABEL = 10
_APART = 50
_SYMBOL = 16
_SIDE = 6
_SPARSE = 16
# Of a record, and of a byte of records as they were uploaded.
_RECORD = 800
_RECORD_BYTE = 12

SHORT_CELLS = 10_000_000
"""A fit of so many items times sources and classes takes about a second in a warm worker."""
SHORT_ROWS = 20_000
"""A fit of so many records does."""


@dataclass(frozen=True, kw_only=True)
class FitSize:
    """What the memory and the time of a fit depend on."""

    items: int
    sources: int
    classes: int
    votes: int
    """Votes that do not abstain, as they were uploaded."""
    dense: bool = True
    """Whether they are read as a matrix of codes."""
    code_bytes: int = 1
    """Of one cell of it."""
    symbol_bytes: int = 0
    """Of candidate sets and soft votes, compressed."""
    side_bytes: int = 0
    """Of side data as it was uploaded, without sparse features."""
    sparse_bytes: int = 0
    """Of sparse features."""
    rows_apart: bool = False
    """Whether there is side data, most of which makes each item a row of its own."""

    @property
    def is_short(self) -> bool:
        """Whether it takes about a second at most."""
        cells = self.items * (self.sources if self.dense else 0) + self.votes + self.items * self.classes
        return cells + self.side_bytes + self.sparse_bytes <= SHORT_CELLS


def size(tx: Connection, view: View, side: SideSettings) -> FitSize:
    """The size of a fit of a version of the votes.

    Raises:
        ServiceError: SIDE_DATA_NOT_FOUND.
    """
    found = votes.extent(tx, view)
    given = [side_data.get(tx, view.project, side_data_id) for side_data_id in side.data.values()]
    sparse_bytes = sum(one.byte_count for one in given if one.byte_count < 4 * one.column_count * view.item_count)
    # Codes of a codebook may need more than a class; how many there are only a reader of all chunks knows.
    code_bytes = 4 if found.symbol_bytes else np.dtype(label_dtype(view.n_classes)).itemsize
    return FitSize(
        items=view.item_count,
        sources=len(view.source_names),
        classes=view.n_classes,
        votes=found.votes,
        dense=found.is_dense(view.item_count * len(view.source_names), code_bytes),
        code_bytes=code_bytes,
        symbol_bytes=found.symbol_bytes,
        side_bytes=sum(one.byte_count for one in given) - sparse_bytes,
        sparse_bytes=sparse_bytes,
        rows_apart=bool(given),
    )


@dataclass(frozen=True, kw_only=True)
class RecordsSize:
    """What the memory of a fit to records depends on."""

    rows: int
    bytes: int
    """As they were uploaded."""

    @property
    def is_short(self) -> bool:
        """Whether it takes about a second at most."""
        return self.rows <= SHORT_ROWS


def record_size(tx: Connection, project: Project, records: RecordSettings) -> RecordsSize:
    """The size of a fit to records.

    Raises:
        ServiceError: RECORD_SET_NOT_FOUND.
    """
    ids = [*records.votes, *([records.gold] if records.gold else [])]
    found = [record_sets.get(tx, project, one) for one in ids]
    return RecordsSize(rows=sum(one.committed_rows for one in found), bytes=sum(one.byte_count for one in found))


def record_memory_bytes(size: RecordsSize) -> int:
    """The memory that the process of a fit to records takes, more or less: see docs/service.md."""
    return _LIBRARIES + _RECORD * size.rows + _RECORD_BYTE * size.bytes


def check_records(size: RecordsSize, limit: int) -> None:
    """Refuses a fit to records that needs more memory than a limit.

    Raises:
        ServiceError: FIT_TOO_LARGE.
    """
    needed = record_memory_bytes(size)
    if needed > limit:
        raise ServiceError(
            Reason.FIT_TOO_LARGE,
            f"a fit of {size.rows} records takes about {needed} bytes of memory, and this server allows {limit}; fit "
            "fewer record sets, or see WEAKLABEL_MAX_FIT_MEMORY_BYTES",
            metadata={"estimate_bytes": str(needed), "limit_bytes": str(limit)},
        )


def memory_bytes(size: FitSize, copies: int = 1) -> int:
    """The most memory that the process of a fit takes, its libraries and compiled programs included.

    A sum of what was measured (benchmarks/fit_memory.py): never below the peak of a fresh worker, and at most twice it.

    Args:
        size: Of the fit.
        copies: 2 for a report that holds votes and labels beside those of a fit.
    """
    votes = _CODE * size.items * size.sources * size.code_bytes if size.dense else _TRIPLE * size.votes
    labels = (_APART if size.rows_apart else _LABEL) * size.items * size.classes
    side = _SYMBOL * size.symbol_bytes + _SIDE * size.side_bytes + _SPARSE * size.sparse_bytes
    return _LIBRARIES + copies * (votes + labels + side)


def check(size: FitSize, limit: int, copies: int = 1) -> None:
    """Refuses a fit that needs more memory than a limit; see memory_bytes.

    Raises:
        ServiceError: FIT_TOO_LARGE.
    """
    needed = memory_bytes(size, copies)
    if needed > limit:
        raise ServiceError(
            Reason.FIT_TOO_LARGE,
            f"a fit of {size.items} items, {size.sources} sources, {size.classes} classes and {size.votes} votes, with "
            f"{size.side_bytes + size.sparse_bytes} bytes of side data, takes about {needed} bytes of memory, and this "
            f"server allows {limit}; fit fewer items or sources, or see WEAKLABEL_MAX_FIT_MEMORY_BYTES",
            metadata={"estimate_bytes": str(needed), "limit_bytes": str(limit)},
        )
