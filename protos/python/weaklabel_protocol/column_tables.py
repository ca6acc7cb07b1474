"""The codec between tables and weaklabel.v1.ColumnTable. The client and the server share it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_protocol.tensors import from_tensor, smallest_dtype, to_tensor
from weaklabel_protocol.v1 import tables_pb2

_OVERHEAD = 1024
"""Bytes for what a message holds beside its rows."""
_OF_COLUMN = 40
"""Bytes of an empty column, its name apart."""
_OF_TEXT = 4
"""Bytes that protobuf adds to a text."""


def to_message(table: Table) -> tables_pb2.ColumnTable:
    """A table as a message. Indices of texts are the smallest integers that hold them."""
    message = tables_pb2.ColumnTable(rows=table.n_rows)
    for name, values in table:
        column = message.columns.add(name=name)
        if isinstance(values, Texts):
            column.texts.names.extend(values.names)
            column.texts.indices.CopyFrom(to_tensor(values.codes.reshape(-1, 1), smallest_dtype(values.codes)))
        else:
            column.numbers.CopyFrom(to_tensor(values.reshape(-1, 1), values.dtype))
    return message


def from_message(message: tables_pb2.ColumnTable) -> Table:
    """A message of a peer that is trusted as a table; numbers are read-only.

    Raises:
        ValueError: A tensor is none.
    """
    columns: dict[str, AnyColumn] = {}
    for column in message.columns:
        if column.HasField("texts"):
            codes = from_tensor(column.texts.indices)[:, 0].astype(np.int32)
            columns[column.name] = Texts(tuple(column.texts.names), codes)
        else:
            columns[column.name] = from_tensor(column.numbers)[:, 0]
    return Table(columns)


def cuts(table: Table, max_bytes: int, max_rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows (start, stop) that fit into messages of so many bytes; one row at least."""
    ends = np.cumsum(row_sizes(table))
    room = max_bytes - _OVERHEAD - sum(len(name.encode()) + _OF_COLUMN for name in table.columns)
    start = 0
    while start < table.n_rows:
        done = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, done + room, side="right"))
        stop = min(max(stop, start + 1), start + max_rows)
        yield start, stop
        start = stop


def row_sizes(table: Table) -> NDArray[np.int64]:
    """[J] bytes that each row takes in a message at most."""
    size = np.full(table.n_rows, table.row_bytes(), np.int64)
    for _, column in table:
        if isinstance(column, Texts):  # at worst each row brings its text
            lengths = np.array([*(len(name.encode()) + _OF_TEXT for name in column.names), 0], np.int64)
            size += lengths[column.codes]
    return size
