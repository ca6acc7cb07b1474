"""What users pass as records: tables with a row a vote, read by the rules of a label space."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_protocol import column_tables
from weaklabel_protocol.arrays import Read, column_of, floats, read_array
from weaklabel_protocol.columns import AnyColumn, Table, Texts
from weaklabel_protocol.errors import InvalidArgumentError
from weaklabel_protocol.label_spaces import ColumnRule, LabelSpace, Role, Sequences
from weaklabel_protocol.names import check_text, column_names, label_text
from weaklabel_protocol.v1 import records_pb2


class RecordBlock:
    """Records, from which chunks are cut."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._sizes = column_tables.row_sizes(table)
        self.n_rows = table.n_rows

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        return self._sizes[start:stop]

    def chunk(self, start: int, stop: int, row_offset: int) -> "RecordChunk":
        return RecordChunk(row_offset, stop - start, column_tables.to_message(self._table.part(start, stop)))

    def digest(self, kind: str, role: str) -> bytes:
        """A digest of everything that the server would store."""
        digest = hashlib.blake2b(f"{kind} {role} {list(self._table.columns)}".encode(), digest_size=32)
        for _, column in self._table:
            if isinstance(column, Texts):
                digest.update("\0".join(column.names).encode())
                column = column.codes
            digest.update(f" {column.dtype} ".encode())
            digest.update(np.ascontiguousarray(column).data)
        return digest.digest()


class RecordChunk:
    """A chunk as it is sent."""

    def __init__(self, row_offset: int, rows: int, table: Any) -> None:
        self.row_offset, self.rows, self._table = row_offset, rows, table

    def message(self) -> records_pb2.UploadRecordsChunk:
        """As the contract has it."""
        return records_pb2.UploadRecordsChunk(row_offset=self.row_offset, table=self._table)


def read_records(records: Any, space: LabelSpace | None, role: Role) -> Table:
    """Records as a table.

    Args:
        records: A frame of pandas, polars or pyarrow, a mapping of columns, or a list of mappings.
        space: Of the project.
        role: What they say.

    Raises:
        ValueError: They cannot be read; the message names the column and the row.
    """
    rules = () if space is None else space.rules(role)
    if not rules:
        kind = "classes" if space is None else space.kind
        raise ValueError(f"records: a project of the label space {kind} takes none; see upload_votes")
    given = _given(records)
    columns: dict[str, AnyColumn] = {}
    for rule in rules:
        name = next((name for name in rule.names if name in given), None)
        if name is not None:
            columns[rule.name] = _column(given[name], rule, name)
        elif not rule.optional:
            raise ValueError(f"records: there is no column {rule.name!r}; there are {', '.join(given) or 'none'}")
    if isinstance(space, Sequences) and ("type" in columns) == ("tag" in columns):
        raise ValueError("records: one column is expected of 'type', of spans, and 'tag', of tokens")
    for side in ("winner", "shown_first"):
        if side in columns:
            columns[side] = _sides(columns, side)
    table = Table(columns)
    if not table.n_rows:
        raise ValueError("records: there are none")
    return table


def _given(records: Any) -> Mapping[str, Any]:
    """Columns by name."""
    if isinstance(records, Mapping):
        return {str(name): values for name, values in records.items()}
    if isinstance(records, Sequence) and not isinstance(records, str) and all(isinstance(x, Mapping) for x in records):
        names = dict.fromkeys(str(name) for record in records for name in record)
        return {name: [record.get(name) for record in records] for name in names}
    names_of = column_names(records)
    if names_of is None:
        raise ValueError(
            "records: a frame with named columns, a mapping of columns or a list of mappings is expected, got a "
            f"{type(records).__name__}"
        )
    return {name: records[name] for name in names_of}


def _column(values: Any, rule: ColumnRule, name: str) -> AnyColumn:
    read = column_of(read_array(values, name))
    if read.values.ndim != 1:
        raise ValueError(f"{name}: one value a row is expected, got shape {read.values.shape}")
    if read.missing is not None and not rule.may_miss:
        raise ValueError(f"{name}: row {read.first_missing[0]} has none")  # type: ignore[index]  # there is one
    if rule.is_text:
        return _texts(read, rule, name)
    numbers = _numbers(read, name)
    if not rule.whole:
        return numbers.astype(np.float64)
    wrong = np.flatnonzero((numbers != np.trunc(numbers)) | (np.abs(numbers) >= 2**31))
    if len(wrong):
        raise ValueError(f"{name}: row {wrong[0]} is {numbers[wrong[0]]}, a whole number is expected")
    return numbers.astype(np.int32)


def _numbers(read: Read, name: str) -> npt.NDArray[Any]:
    if read.values.dtype.kind == "b":
        return read.values
    try:
        return floats(read, name)
    except InvalidArgumentError as error:
        raise ValueError(str(error)) from None


def _texts(read: Read, rule: ColumnRule, name: str) -> Texts:
    values = read.values.tolist()
    if read.missing is not None:
        for at in np.flatnonzero(read.missing).tolist():
            values[at] = None
    column = Texts.of(values)
    choices = None if rule.choices is None or rule.name in ("winner", "shown_first") else set(rule.choices)
    for code, text in enumerate(column.names):
        check_text(f"{name}: row {int(np.argmax(column.codes == code))}", text)
        if choices is not None and text not in choices:
            row = int(np.argmax(column.codes == code))
            raise ValueError(f"{name}: row {row} is {text!r}, which is none of the labels of the project")
    return column


def _sides(columns: Mapping[str, AnyColumn], name: str) -> Texts:
    """A side said by its word or by its item, as its word."""
    left, right, given = (columns[one] for one in ("left", "right", name))
    assert isinstance(left, Texts)
    assert isinstance(right, Texts)
    assert isinstance(given, Texts)
    words = {"left", "right", "tie"} if name == "winner" else {"left", "right"}
    sides = given.values()
    if set(given.names) <= words:
        return given
    of_left, of_right = left.values(), right.values()
    for row, side in enumerate(sides.tolist()):
        if side is None or side in words:
            continue
        if side not in (of_left[row], of_right[row]):
            raise ValueError(f"{name}: row {row} is {side!r}, neither {', '.join(sorted(words))} nor one of its items")
        sides[row] = "left" if side == of_left[row] else "right"
    return Texts.of(sides.tolist())


def document_records(
    votes: Mapping[str, Sequence[Any]], lengths: Sequence[int], documents: Sequence[Any] | None = None
) -> dict[str, list[Any]]:
    """Columns of records of sequences, of what `weaklabel.SequenceModel.fit` takes.

    Args:
        votes: By source, for each document its spans (start, end, type), in tokens and end exclusive; None where the
            source did not read it.
        lengths: Number of tokens of each document.
        documents: Their ids; "0", "1", ... where not given.

    Raises:
        ValueError: There are not as many spans, lengths and ids.
    """
    names = [str(at) for at in range(len(lengths))] if documents is None else [label_text(one) for one in documents]
    if len(names) != len(lengths):
        raise ValueError(f"documents: there are {len(names)} ids for {len(lengths)} lengths")
    rows: list[tuple[Any, ...]] = []
    for source, spans in votes.items():
        if len(spans) != len(lengths):
            raise ValueError(f"votes: source {source!r} has spans for {len(spans)} documents of {len(lengths)}")
    for at, (name, tokens) in enumerate(zip(names, lengths, strict=True)):
        before = len(rows)
        for source, spans in votes.items():
            if spans[at] is not None:
                some = [(name, int(tokens), source, int(one[0]), int(one[1]), one[2]) for one in spans[at]]
                rows += some or [(name, int(tokens), source, 0, 0, None)]
        if len(rows) == before:
            rows.append((name, int(tokens), None, 0, 0, None))
    columns = ("document", "tokens", "source", "start", "end", "type")
    return {name: [row[at] for row in rows] for at, name in enumerate(columns)}
