"""Votes in Arrow: batches of rows, one column per source, and data sets of them wherever a filesystem reaches.

Needs pyarrow: `pip install "weaklabel[parquet]"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.parquet_files import plain
from weaklabel.votes import ABSTAIN, Votes, label_dtype

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
else:
    pa, pc, ds = (
        require(name, extra="parquet", needed_for="Votes in Arrow")
        for name in ("pyarrow", "pyarrow.compute", "pyarrow.dataset")
    )


def votes_of(batch: pa.RecordBatch, classes: Sequence[str], sources: Sequence[str], where: str) -> Votes:
    """The votes of a batch, or of a table.

    Args:
        batch: n rows.
        classes: K names; columns hold these, or class indices.
        sources: M names of columns.
        where: the batch in words, for messages.

    Raises:
        InvalidVotesError: for a vote that is no class; it says where.
    """
    columns = [_codes(batch.column(name), classes, f"{where}, column {name!r}") for name in sources]
    codes = np.empty((batch.num_rows, len(columns)), np.result_type(label_dtype(len(classes)), *columns))
    for number, column in enumerate(columns):
        codes[:, number] = column
    try:
        return Votes.from_codes(codes, len(classes), sources=sources)
    except InvalidVotesError as error:
        raise InvalidVotesError(f"{where}: {error}", field="path") from error


def with_ids(votes: Votes, ids: Any) -> Votes:
    """Plain votes of items with ids.

    Args:
        votes: n items.
        ids: a column of n.

    Raises:
        InvalidVotesError: where an id is missing, or is there twice.
    """
    return Votes.from_codes(votes.to_codes(), votes.n_classes, sources=votes.source_names, items=ids.to_pylist())


def _codes(column: Any, classes: Sequence[str], where: str) -> NDArray[Any]:
    """[n] numbers; no copy of a column of integers without nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = plain(column, where)
    if pa.types.is_null(column.type):
        return np.full(len(column), ABSTAIN, np.int8)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        index = pc.index_in(column, value_set=pa.array(classes, column.type))
        if index.null_count > column.null_count:
            at = pc.and_(index.is_null(), column.is_valid()).index(True).as_py()
            raise InvalidVotesError(f"{where}: row {at} holds {column[at].as_py()!r}, which is no class", field="path")
        column = index
    elif pa.types.is_unsigned_integer(column.type):
        column = column.cast(pa.int64())
    elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InvalidVotesError(
            f"{where}: votes are class indices or names of classes, not {column.type}", field="path"
        )
    numbers: NDArray[Any] = (column.fill_null(ABSTAIN) if column.null_count else column).to_numpy()
    return numbers


class Labeler(Protocol):
    """A fitted model."""

    @property
    def classes(self) -> Sequence[str]:
        """K names."""
        ...

    def label(self, votes: Votes) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """[N, K] soft labels and [N] hard labels."""
        ...


def label_schema(classes: Sequence[str], id_field: pa.Field | None) -> pa.Schema:
    """The columns of soft labels: ids where there are any, `label`, and `p_<class>`.

    Raises:
        InvalidArgumentError: where the column of ids has the name of another one.
    """
    fields = [] if id_field is None else [id_field]
    fields += [pa.field("label", pa.int32()), *(pa.field(f"p_{name}", pa.float32()) for name in classes)]
    schema = pa.schema(fields)
    if len(set(schema.names)) < len(fields):
        raise InvalidArgumentError(f"the ids are in a column {schema.names[0]!r}, as labels would be", field="votes")
    return schema


def label_batch(model: Labeler, votes: Votes, ids: Any, schema: pa.Schema) -> pa.RecordBatch:
    """Soft labels of some items.

    Args:
        model: fitted.
        votes: n items.
        ids: a column of n ids, or None.
        schema: of `label_schema`.
    """
    soft, called = model.label(votes)
    columns = [] if ids is None else [ids.cast(schema.types[0])]
    return pa.record_batch([*columns, called, *np.ascontiguousarray(soft.T)], schema=schema)


class DatasetSource:
    """A pyarrow Dataset: files of any format and on any filesystem, tables in memory, and filters of these.

    Attributes:
        name: for messages.
        schema: names and types of the columns.
        n_rows: N.
    """

    def __init__(self, dataset: ds.Dataset, name: str) -> None:
        """Counts the rows.

        Raises:
            InvalidVotesError: if it cannot be read.
        """
        self.name, self._dataset = name, dataset
        self.schema: pa.Schema = dataset.schema
        with naming(name):
            self.n_rows: int = dataset.count_rows()

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in the order of the data set, so many at a time at most.

        Raises:
            InvalidVotesError: if a file is damaged.
        """
        with naming(self.name):
            # Few ahead: memory holds the batches that are read before they are asked for.
            batches = self._dataset.to_batches(
                columns=list(columns), batch_size=rows, batch_readahead=2, fragment_readahead=1
            )
        while True:
            with naming(self.name):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def open_dataset(path: str, filesystem: Any) -> DatasetSource:
    """The Parquet files under a path of a filesystem.

    Raises:
        InvalidVotesError: if there are none, or one cannot be read.
    """
    with naming(path):
        dataset = ds.dataset(path, filesystem=filesystem, format="parquet")
    if not dataset.files:
        raise InvalidVotesError(f"{path} has no files", field="path")
    return DatasetSource(dataset, path)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Errors of reading, with the name of what is read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InvalidVotesError(f"{name} cannot be read: {' '.join(str(error).split())}", field="path") from error
