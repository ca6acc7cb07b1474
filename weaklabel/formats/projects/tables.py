"""The tables of a project: names and types of their columns, and how votes and soft labels lie in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weaklabel._extras import require
from weaklabel.formats.projects.files import GROUP_CELLS, GROUP_ROWS
from weaklabel.votes import ABSTAIN, ERROR
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.project_folders import ProjectFolderError

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = require("pyarrow", extra="parquet", needed_for="Parquet files")

MOST_GROUPS = 16
"""Row groups of a file of votes or soft labels."""
_MOST_COLUMN_CHUNKS = 100_000

TIME = pa.timestamp("us", tz="UTC")
SOURCES = pa.schema([("source", pa.string()), ("create_time", TIME), ("votes_version", pa.int64())])
SIDE_DATA = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("columns", pa.int32()),
        ("create_time", TIME),
        ("content_digest", pa.binary()),
    ]
)
MODELS = pa.schema(
    [
        ("id", pa.string()),
        ("votes_version", pa.int64()),
        ("items", pa.int64()),
        ("create_time", TIME),
        ("uploaded", pa.bool_()),
        ("side_information", pa.string()),
    ]
)
RECORD_SETS = pa.schema(
    [
        ("id", pa.string()),
        ("role", pa.string()),
        ("rows", pa.int64()),
        ("create_time", TIME),
        ("content_digest", pa.binary()),
    ]
)
LABEL_TABLES = pa.schema([("model", pa.string()), ("name", pa.string()), ("rows", pa.int64())])
CODEBOOK = pa.schema(
    [("code", pa.int32()), ("classes", pa.list_(pa.int32())), ("probabilities", pa.list_(pa.float32()))]
)


def item_column(sources: Sequence[str]) -> str:
    """The name of the column of ids: "item", with so many "_" before it that no source is called so."""
    name, taken = "item", set(sources)
    while name in taken:
        name = f"_{name}"
    return name


def group_rows(columns: int) -> int:
    """Rows of a group of numbers in so many columns."""
    return max(1, min(GROUP_ROWS, GROUP_CELLS // max(columns, 1)))


def file_groups(columns: int) -> int:
    """Row groups of a file of numbers in so many columns."""
    return max(1, min(MOST_GROUPS, _MOST_COLUMN_CHUNKS // max(columns, 1)))


def votes_schema(sources: Sequence[str], dtype: np.dtype[Any], item: str | None) -> pa.Schema:
    """Ids, where items have any, and a column of class indices for each source."""
    numbers = pa.from_numpy_dtype(dtype)
    return pa.schema([*_ids_field(item), *((source, numbers) for source in sources)])


def votes_table(schema: pa.Schema, ids: Sequence[str] | None, codes: NDArray[Any]) -> pa.Table:
    """Votes [n, M] of some items: class indices, -1 abstains, -2 an error, codes of the codebook from K on."""
    columns = [] if ids is None else [pa.array(ids, pa.string())]
    columns += [pa.array(column) for column in np.ascontiguousarray(codes.T)]
    if not columns:  # neither ids nor sources: nothing is said but how many
        return pa.table({}, schema=schema)
    return pa.Table.from_arrays(columns, schema=schema)


def codes_of(table: pa.Table, first: int, n_codes: int, where: str) -> NDArray[Any]:
    """[n, M] the codes in the columns from `first` on.

    Raises:
        ProjectFolderError: One is missing, or none of -2..n_codes-1; with the row and the column.
    """
    names = table.schema.names[first:]
    codes = np.empty((len(names), len(table)), table.schema.types[first].to_pandas_dtype() if names else np.int8)
    for at, name in enumerate(names):
        column = table.column(first + at)
        if column.null_count:
            raise ProjectFolderError(f"{where}: column {name!r} has a vote that is missing")
        codes[at] = column.to_numpy()
        wrong = (codes[at] < ERROR) | (codes[at] >= n_codes)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ProjectFolderError(f"{where}: row {row}, column {name!r}: {codes[at, row]} is no vote")
    return codes.T


def texts_of(column: pa.ChunkedArray, where: str) -> list[str]:
    """A column of texts, none of them missing.

    Raises:
        ProjectFolderError: One is.
    """
    texts: list[str | None] = column.to_pylist()
    if None in texts:
        raise ProjectFolderError(f"{where}: row {texts.index(None)} has none")
    return [text for text in texts if text is not None]


def codebook_table(symbols: Symbols) -> pa.Table:
    """What codes from K on stand for: a candidate set has classes, a soft vote has probabilities."""
    sets = [np.flatnonzero(one).tolist() for one in symbols.sets]
    soft = symbols.soft.tolist()
    codes = range(symbols.n_classes, symbols.n_classes + len(symbols))
    columns = [list(codes), sets + [None] * len(soft), [None] * len(sets) + soft]
    return pa.table(columns, schema=CODEBOOK)


def symbols_of(table: pa.Table, n_classes: int, where: str) -> Symbols:
    """Reads what codebook_table made.

    Raises:
        ProjectFolderError: It is no codebook of so many classes.
    """
    rows = table.to_pylist()
    sets = [row["classes"] for row in rows if row["classes"] is not None]
    soft = [row["probabilities"] for row in rows if row["probabilities"] is not None]
    bitmap = np.zeros((len(sets), n_classes), bool)
    for at, classes in enumerate(sets):
        if not all(isinstance(one, int) and 0 <= one < n_classes for one in classes):
            raise ProjectFolderError(f"{where}: row {at} has a class outside 0..{n_classes - 1}")
        bitmap[at, classes] = True
    if any(len(row) != n_classes or None in row for row in soft):
        raise ProjectFolderError(f"{where}: a soft vote has {n_classes} probabilities")
    matrix = np.array(soft, np.float32).reshape(len(soft), n_classes)
    whole = np.isfinite(matrix).all() and (matrix >= 0).all() and np.allclose(matrix.sum(1), 1, atol=1e-3)
    if not whole or not bitmap.any(1).all():
        raise ProjectFolderError(f"{where}: probabilities are at least 0 and sum to 1, and a set has classes")
    symbols, codes = Symbols.of(bitmap, matrix)
    due = list(range(n_classes, n_classes + len(rows)))
    if codes.tolist() != due or [row["code"] for row in rows] != due:
        raise ProjectFolderError(
            f"{where}: it is no codebook: sets, then soft votes, distinct, numbered from {n_classes}"
        )
    return symbols


def gold_of(codes: NDArray[np.int32], symbols: Symbols, where: str) -> NDArray[Any]:
    """Gold [N] as `LabelModel.fit` takes it, of codes: itself where all are classes, else with what one_of makes.

    Raises:
        ProjectFolderError: A code means nothing.
    """
    limit = symbols.n_classes + len(symbols)
    if codes.max(initial=ABSTAIN) >= limit:
        raise ProjectFolderError(f"{where}: a value of gold is {codes.max()}, outside -1..{limit - 1}")
    is_set = codes >= symbols.n_classes
    if not is_set.any():
        return codes
    gold = codes.astype(object)
    for at in np.flatnonzero(is_set).tolist():
        gold[at] = symbols.vote(int(codes[at]))
    return gold


def labels_schema(classes: Sequence[str], item: str | None) -> pa.Schema:
    """Ids, where items have any, hard labels, and a column of probabilities for each class."""
    return pa.schema([*_ids_field(item), ("label", pa.int32()), *((f"p_{name}", pa.float32()) for name in classes)])


def labels_table(
    schema: pa.Schema, ids: Sequence[str] | None, probabilities: NDArray[np.float32], labels: NDArray[np.int32]
) -> pa.Table:
    """Soft labels [n, K] and hard labels [n], -1 where classes are tied, in the columns of `write_labels`."""
    columns = [] if ids is None else [pa.array(ids, pa.string())]
    columns += [pa.array(labels), *(pa.array(column) for column in np.ascontiguousarray(probabilities.T))]
    return pa.Table.from_arrays(columns, schema=schema)


def labels_of(table: pa.Table, first: int, where: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Reads what labels_table made; `first` is the column of labels.

    Raises:
        ProjectFolderError: Something is missing, no probability, or no class.
    """
    columns = [table.column(at) for at in range(first, table.num_columns)]
    if any(column.null_count for column in columns):
        raise ProjectFolderError(f"{where}: a label or a probability is missing")
    labels = np.asarray(columns[0].to_numpy(), np.int32)
    probabilities = np.empty((len(columns) - 1, len(table)), np.float32)
    for at, column in enumerate(columns[1:]):
        probabilities[at] = column.to_numpy()
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~(np.abs(probabilities.sum(0) - 1) <= 1e-3) | ~(probabilities >= 0).all(0)
    wrong |= (labels < -1) | (labels >= len(probabilities))
    if wrong.any():
        raise ProjectFolderError(f"{where}: row {int(np.argmax(wrong))} is no soft label")
    return np.ascontiguousarray(probabilities.T), labels


def _ids_field(item: str | None) -> list[tuple[str, Any]]:
    return [] if item is None else [(item, pa.string())]
