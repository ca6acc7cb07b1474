"""Tables of named columns: records as they are read, and labels of projects with a label space."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from weaklabel_client._results.short import ShortRepr
from weaklabel_client._results.tables import Columns, Framed
from weaklabel_protocol.columns import Table
from weaklabel_protocol.v1 import records_pb2


@dataclass(frozen=True, eq=False, repr=False)
class ColumnTable(Framed, ShortRepr):
    """Columns of one length; to_pandas, to_polars and to_arrow make a data frame of it.

    Attributes:
        columns: Arrays by name: numbers, or texts as objects, None where there is none.
    """

    columns: Mapping[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, table: Table) -> "ColumnTable":
        """Of a table of the contract."""
        return cls(table.values())

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def _columns(self) -> Columns:
        return self.columns


@dataclass(frozen=True, repr=False)
class RecordSet(ShortRepr):
    """Records of a project: votes, or gold. They never change.

    Attributes:
        name: "projects/ID/recordSets/ID".
        role: "votes" or "gold".
        n_rows: Number of rows.
        columns: Names of the columns.
        create_time: When the upload was begun, in UTC.
    """

    name: str
    role: str
    n_rows: int
    columns: tuple[str, ...]
    create_time: datetime.datetime

    @classmethod
    def from_message(cls, message: records_pb2.RecordSet) -> "RecordSet":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            role="gold" if message.role == records_pb2.RECORD_ROLE_GOLD else "votes",
            n_rows=message.row_count,
            columns=tuple(message.columns),
            create_time=message.create_time.ToDatetime(tzinfo=datetime.UTC),
        )
