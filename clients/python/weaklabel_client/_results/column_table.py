"""Tables of named columns: records as they are read, and labels of projects with a label space."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from weaklabel_client._results.analysis import Finding
from weaklabel_client._results.short import ShortRepr
from weaklabel_client._results.tables import Columns, Framed
from weaklabel_protocol.column_tables import from_message
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


@dataclass(frozen=True, repr=False)
class ModelInspection(ShortRepr):
    """What the library tells of a model whose labels are not classes. `print` it for the findings.

    Attributes:
        model: "projects/ID/models/ID".
        findings: What is doubtful; empty where nothing is.
        figures: By their names in the library's diagnostics.
        tables: What was learned, by name: "sources" of all; "tags" of tags, "items" of preferences, "transitions" of
            sequences, "confusion" of ordered classes.
        left_out: Tables that are too large to be told; the file of the model has them.
    """

    model: str
    findings: tuple[Finding, ...]
    figures: Mapping[str, float]
    tables: Mapping[str, ColumnTable]
    left_out: tuple[str, ...]

    @classmethod
    def from_message(cls, message: records_pb2.InspectModelResponse) -> "ModelInspection":
        """Reads the contract's message."""
        return cls(
            model=message.model,
            findings=tuple(Finding(one.kind, one.message) for one in message.findings),
            figures={one.name: one.value for one in message.figures},
            tables={one.name: ColumnTable.of(from_message(one.table)) for one in message.tables},
            left_out=tuple(message.left_out),
        )

    def __str__(self) -> str:
        lines = [finding.message for finding in self.findings] or ["nothing doubtful was found"]
        return "\n".join(f"- {line}" for line in lines)
