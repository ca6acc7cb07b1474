"""Records: chunks of uploads and of predictions, checked column by column; and the description of what is stored."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weaklabel_protocol.column_tables import from_message, to_message
from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_protocol.label_spaces import ColumnRule, LabelSpace, Role, Sequences
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import records_pb2, tables_pb2, tensor_pb2
from weaklabel_server import names
from weaklabel_server.errors import invalid
from weaklabel_server.messages.checks import check_names
from weaklabel_server.messages.resources import timestamp
from weaklabel_server.messages.rows import MAX_ROWS
from weaklabel_server.messages.tensors import read_integers, type_name
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordChunk, RecordRole, RecordSet

ROLES: dict[int, RecordRole] = {
    records_pb2.RECORD_ROLE_VOTES: RecordRole.VOTES,
    records_pb2.RECORD_ROLE_GOLD: RecordRole.GOLD,
}
"""The roles of the store by the numbers of the contract."""
_NUMBER_OF = {role: number for number, role in ROLES.items()}


def record_set_message(project: Project, records: RecordSet) -> records_pb2.RecordSet:
    """Records as a message."""
    message = records_pb2.RecordSet(
        name=names.format_record_set(project.project_id, records.upload_id),
        row_count=records.committed_rows,
        columns=records.columns,
        create_time=timestamp(records.create_time),
    )
    message.role = _NUMBER_OF[records.role]  # type: ignore[assignment]  # an enum is a number
    return message


def stored_table(content: bytes) -> Table:
    """The table of a chunk of the store."""
    return from_message(tables_pb2.ColumnTable.FromString(content))


def read_chunk(chunk: records_pb2.UploadRecordsChunk, *, space: LabelSpace, role: RecordRole) -> RecordChunk:
    """Checks a chunk of an upload; what is kept of it is written anew, so that it holds nothing else.

    Raises:
        ServiceError: INVALID_FIELD, with the row of the upload.
    """
    of_role: Role = "votes" if role is RecordRole.VOTES else "gold"
    table = read_table(chunk.table, space, of_role, field="chunk.table", first_row=chunk.row_offset)
    content = to_message(table).SerializeToString()
    return RecordChunk(chunk.row_offset, table.n_rows, tuple(table.columns), content)


def read_table(
    message: tables_pb2.ColumnTable, space: LabelSpace, role: Role, *, field: str, first_row: int = 0
) -> Table:
    """Records as a table, its columns in the order of their rules.

    Args:
        message: The records.
        space: Of the project.
        role: What they say.
        field: Where they stand, for errors.
        first_row: The number of their first row, for errors.

    Raises:
        ServiceError: INVALID_FIELD.
    """
    if not 1 <= message.rows <= MAX_ROWS:
        raise invalid(f"{field}.rows", f"1 to {MAX_ROWS} rows, got {message.rows}")
    rules = {rule.name: rule for rule in space.rules(role)}
    given: dict[str, tuple[int, tables_pb2.Column]] = {}
    for at, column in enumerate(message.columns):
        if column.name not in rules or column.name in given:
            known = ", ".join(rules)
            told = "stands there twice" if column.name in given else f"is none of {known}"
            raise invalid(f"{field}.columns[{at}].name", f'"{column.name}" {told}')
        given[column.name] = at, column
    for name, rule in rules.items():
        if name not in given and not rule.optional:
            raise invalid(f"{field}.columns", f'there is no column "{name}"')
    columns = {
        name: _column(given[name][1], rule, message.rows, f"{field}.columns[{given[name][0]}]", first_row)
        for name, rule in rules.items()
        if name in given
    }
    table = Table(columns)
    _check_rows(table, space, field, first_row)
    return table


def _column(column: tables_pb2.Column, rule: ColumnRule, rows: int, field: str, first_row: int) -> AnyColumn:
    wanted = "texts" if rule.is_text else "numbers"
    if column.WhichOneof("values") != wanted:
        raise invalid(f"{field}.{wanted}", f'column "{rule.name}" holds {wanted}')
    if rule.is_text:
        return _texts(column.texts, rule, rows, f"{field}.texts", first_row)
    return _numbers(column.numbers, rule, rows, f"{field}.numbers", first_row)


def _texts(message: tables_pb2.TextColumn, rule: ColumnRule, rows: int, field: str, first_row: int) -> Texts:
    codes = read_integers(message.indices, field=f"{field}.indices")
    _check_shape(codes, rows, f"{field}.indices")
    known = list(message.names) if len(message.names) <= MAX_ROWS else None
    if known is None:
        raise invalid(f"{field}.names", f"at most {MAX_ROWS} different texts, got {len(message.names)}")
    check_names(known, field=f"{field}.names", what="texts", limit=MAX_ROWS)
    if rule.choices is not None:
        choices = set(rule.choices)
        for at, name in enumerate(known):
            if name not in choices:
                raise invalid(f"{field}.names[{at}]", f'"{name}" is none of {_some(rule.choices)}')
    column = codes[:, 0].astype(np.int32)
    lowest = -1 if rule.may_miss else 0
    wrong = (column < lowest) | (column >= len(known))
    if wrong.any():
        row = int(np.argmax(wrong))
        told = "there is none" if column[row] == -1 else f"index {column[row]} of {len(known)} names"
        raise invalid(f"{field}.indices.data", f'row {first_row + row}, column "{rule.name}": {told}')
    used = np.unique(column)
    if len(used) - int(used[0] < 0) < len(known):  # names that no row has would be sources, and items
        return Texts(tuple(known), column).part(slice(None))
    return Texts(tuple(known), column)


def _numbers(
    tensor: tensor_pb2.Tensor, rule: ColumnRule, rows: int, field: str, first_row: int
) -> NDArray[np.float64] | NDArray[np.int32]:
    if rule.whole:
        integers = read_integers(tensor, field=field)
        _check_shape(integers, rows, field)
        low, high = rule.low or 0, 2**31 - 1 if rule.high is None else rule.high
        wrong = (integers[:, 0] < low) | (integers[:, 0] > high)
        _refuse(wrong, integers[:, 0], rule, field, first_row, f"a whole number of {low:g} to {high:g}")
        return integers[:, 0].astype(np.int32)
    if tensor.data_type != tensor_pb2.DATA_TYPE_FLOAT64:
        raise invalid(f"{field}.data_type", f"DATA_TYPE_FLOAT64, got {type_name(tensor.data_type)}")
    try:
        numbers = from_tensor(tensor)
    except ValueError as error:
        raise invalid(f"{field}.data", str(error)) from None
    _check_shape(numbers, rows, field)
    column: NDArray[np.float64] = numbers[:, 0]
    wrong = ~np.isfinite(column)
    if rule.may_miss:
        wrong &= ~np.isnan(column)
    if rule.low is not None:
        wrong |= column < rule.low
    least = "" if rule.low is None else f" of at least {rule.low:g}"
    _refuse(wrong, column, rule, field, first_row, f"a finite number{least}")
    return column


def _check_shape(array: NDArray[np.generic], rows: int, field: str) -> None:
    if array.shape != (rows, 1):
        raise invalid(f"{field}.rows", f"{rows} rows of 1 column, got {array.shape[0]} of {array.shape[1]}")


def _refuse(
    wrong: NDArray[np.bool_], column: NDArray[np.generic], rule: ColumnRule, field: str, first_row: int, expected: str
) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise invalid(
            f"{field}.data", f'row {first_row + row}, column "{rule.name}": {expected} is expected, got {column[row]}'
        )


def _check_rows(table: Table, space: LabelSpace, field: str, first_row: int) -> None:
    """Refuses what single columns do not show."""
    if "left" in table:
        left, right = table.texts("left"), table.texts("right")
        _refuse_row(left == right, field, first_row, "an item is compared with itself")
    if not isinstance(space, Sequences):
        return
    if ("type" in table) == ("tag" in table):
        raise invalid(f"{field}.columns", 'one of "type" and "tag", the same in all chunks')
    start, end, tokens = (table.numbers(name) for name in ("start", "end", "tokens"))
    label = table.columns["type" if "type" in table else "tag"]
    assert isinstance(label, Texts)
    outside = (start >= end) | (end > tokens)
    _refuse_row(outside & (label.codes >= 0), field, first_row, "start and end are not tokens of the document")
    _refuse_row(((start != 0) | (end != 0)) & (label.codes < 0), field, first_row, "start and end are 0 without a span")
    if "source" in table:
        source = table.columns["source"]
        assert isinstance(source, Texts)
        _refuse_row((source.codes < 0) & (label.codes >= 0), field, first_row, "a span has no source")


def _refuse_row(wrong: NDArray[np.bool_], field: str, first_row: int, told: str) -> None:
    if wrong.any():
        raise invalid(field, f"row {first_row + int(np.argmax(wrong))}: {told}")


def _some(choices: Sequence[str]) -> str:
    shown = ", ".join(choices[:5])
    return shown if len(choices) <= 5 else f"{shown} and {len(choices) - 5} more"
