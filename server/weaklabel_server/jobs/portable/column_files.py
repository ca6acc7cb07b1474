"""Records, and labels as tables, as files: a row group for each chunk of the store."""

from typing import Any

import numpy as np
import pyarrow as pa

from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_protocol.project_folders import ProjectFolderError

_NUMBERS = {
    np.dtype(np.int8): pa.int8(),
    np.dtype(np.int16): pa.int16(),
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
}
_DTYPES = {kind: dtype for dtype, kind in _NUMBERS.items()}


def schema_of(table: Table) -> pa.Schema:
    """Names and types of the columns of a table."""
    return pa.schema(
        [(name, pa.string() if isinstance(column, Texts) else _NUMBERS[column.dtype]) for name, column in table]
    )


def to_arrow(table: Table) -> pa.Table:
    """A table as one of Arrow."""
    columns = [pa.array(one.values() if isinstance(one, Texts) else one) for _, one in table]
    schema = schema_of(table)
    return pa.Table.from_arrays(
        [one.cast(field.type) for one, field in zip(columns, schema, strict=True)], schema=schema
    )


def from_arrow(table: pa.Table, where: str) -> Table:
    """A row group as a table.

    Raises:
        ProjectFolderError: A column is of another type, or a number is missing.
    """
    columns: dict[str, AnyColumn] = {}
    for field in table.schema:
        column: Any = table.column(field.name)
        if field.type == pa.string():
            columns[field.name] = Texts.of(column.to_pylist())
        elif field.type in _DTYPES and not column.null_count:
            columns[field.name] = column.to_numpy().astype(_DTYPES[field.type])
        else:
            raise ProjectFolderError(f"{where}, column {field.name!r:.100}: texts or numbers are expected")
    return Table(columns)
