"""Votes and soft labels in Parquet, of any size: read and written a batch of rows at a time.

Needs pyarrow: `pip install "weaklabel[parquet]"`.

Example::

    votes = read_votes("votes/", classes=["ham", "spam"], ids="message")
    model = LabelModel(classes=["ham", "spam"]).fit(votes)
    write_labels("labels.parquet", model, votes)
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import ABSTAIN, Votes, label_dtype
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa, pc, pq = (
        require(name, extra="parquet", needed_for="Parquet files")
        for name in ("pyarrow", "pyarrow.compute", "pyarrow.parquet")
    )

BATCH_ROWS = 2**17
UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""Columns of an index without a name, as pandas writes them."""

Progress = Callable[[int, int], None]
"""Called with the number of items labeled so far, and of all items."""


class Labeler(Protocol):
    """A fitted model."""

    @property
    def classes(self) -> Sequence[str]:
        """K names."""
        ...

    def label(self, votes: Votes) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """[N, K] soft labels and [N] hard labels."""
        ...


class Batch(NamedTuple):
    """Consecutive rows of a file."""

    ids: pa.Array | None
    """As in the file; None where no column holds ids."""
    votes: Votes


class ParquetVotes(VoteChunks):
    """Votes in a Parquet file, or in all of a folder. Made by `read_votes`.

    Attributes:
        n_items: N.
        source_names: M names, those of the columns.
        id_field: name and type of the column of ids; None where there is none.
    """

    def __init__(
        self, files: Sequence[Path], n_items: int, classes: Sequence[str], sources: Sequence[str], id_field: pa.Field
    ) -> None:
        """Takes what `read_votes` has checked."""
        super().__init__(lambda: (batch.votes for batch in self.batches()), len(classes), sources=sources)
        self._files, self._classes = tuple(files), tuple(classes)
        self.n_items, self.source_names, self.id_field = n_items, tuple(sources), id_field

    def batches(self) -> Iterator[Batch]:
        """The rows in the order of the files' names, with their ids.

        Raises:
            InvalidVotesError: for a file that cannot be read, and for a vote that is no class; it says where.
        """
        id_name = None if self.id_field is None else self.id_field.name
        columns = [*self.source_names, *([] if id_name is None else [id_name])]
        for file in self._files:
            row = 0
            with _opened(file) as opened, _naming(file):
                for batch in opened.iter_batches(BATCH_ROWS, columns=columns):
                    ids = None if id_name is None else batch.column(id_name)
                    yield Batch(ids, self._votes_of(batch, f"{file}, rows from {row}"))
                    row += len(batch)

    def _votes_of(self, batch: pa.RecordBatch, where: str) -> Votes:
        columns = [_codes(batch.column(name), self._classes, f"{where}, column {name!r}") for name in self.source_names]
        codes = np.empty((len(batch), len(columns)), np.result_type(label_dtype(len(self._classes)), *columns))
        for number, column in enumerate(columns):
            codes[:, number] = column
        try:
            return Votes.from_codes(codes, len(self._classes), sources=self.source_names)
        except InvalidVotesError as error:
            raise InvalidVotesError(f"{where}: {error}", field="path") from error


def read_votes(
    path: str | os.PathLike[str],
    *,
    n_classes: int | None = None,
    classes: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    ids: str | None = None,
) -> ParquetVotes:
    """Votes in Parquet, one column per source, to be read in chunks.

    Columns hold class indices 0..K-1, -1 for an abstain and -2 for an error; or names of classes. Null abstains.

    Args:
        path: a file; or a folder, whose files `*.parquet` are read in the order of their names, those in folders below
            included.
        n_classes: K, where the columns hold indices.
        classes: K names, in the order of the class indices. One of n_classes and classes must be given.
        sources: the columns that hold votes; where not given, all but `ids` and those that pandas has written its index
            to.
        ids: the column that holds the ids of the items, of any type; that of pandas' index where neither is given.

    Raises:
        InvalidArgumentError: if it is not said which classes there are.
        InvalidVotesError: for files that are missing or cannot be read, and for columns that one of them lacks.
    """
    if (n_classes is None) == (classes is None):
        raise InvalidArgumentError("give either n_classes or classes", field="classes")
    if classes is None:
        classes = [str(number) for number in range(check_count(n_classes or 0, "n_classes", 2))]
    files, n_items, wanted, id_field = _files(Path(path)), 0, list(sources or []), None
    for file in files:
        with _opened(file) as opened:
            schema = opened.schema_arrow
            n_items += opened.metadata.num_rows
        index = _index_columns(schema)
        if ids is None and len(index) == 1 and not sources:
            ids = index[0]
        wanted = wanted or [name for name in schema.names if name != ids and name not in index]
        missing = {*wanted, *([] if ids is None else [ids])} - set(schema.names)
        if missing:
            raise InvalidVotesError(f"{file} has no column {min(missing)!r}", field="path")
        id_field = id_field or (None if ids is None else schema.field(ids))
    if not wanted:
        raise InvalidVotesError(f"{files[0]} has no column of votes", field="path")
    return ParquetVotes(files, n_items, classes, wanted, id_field)


def write_labels(
    path: str | os.PathLike[str], model: Labeler, votes: ParquetVotes, *, progress: Progress | None = None
) -> None:
    """Writes soft labels of all items to a Parquet file, batch by batch.

    Its columns: the ids, where the votes have them; `label`, the class that `model.predict` calls, as an index, -1
    where classes are tied; and `p_<class>`, the probability of each class, as float32. The file has its name only when
    it is whole: a run that breaks off leaves nothing, or the file that was there.

    Args:
        path: the file.
        model: a fitted LabelModel.
        votes: of `read_votes`.
        progress: see Progress; an exception that it raises ends the run.

    Raises:
        InvalidArgumentError: where the column of ids has the name of another one.
        InvalidVotesError: as in reading.
        OSError: if the file cannot be written.
    """
    fields = [] if votes.id_field is None else [votes.id_field]
    fields += [pa.field("label", pa.int32()), *(pa.field(f"p_{name}", pa.float32()) for name in model.classes)]
    schema = pa.schema(fields)
    if len(set(schema.names)) < len(fields):
        raise InvalidArgumentError(f"the ids are in a column {schema.names[0]!r}, as labels would be", field="votes")
    target, done = Path(path), 0
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            for batch in votes.batches():
                soft, called = model.label(batch.votes)
                columns = [] if batch.ids is None else [batch.ids.cast(schema.types[0])]
                writer.write_batch(pa.record_batch([*columns, called, *np.ascontiguousarray(soft.T)], schema=schema))
                done += batch.votes.n_items
                if progress is not None:
                    progress(done, votes.n_items)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _files(path: Path) -> list[Path]:
    """The file, or the files of the folder; hidden ones and what other tools keep beside data are left out."""
    if not path.is_dir():
        return [path]
    files = sorted(
        file
        for file in path.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    )
    if not files:
        raise InvalidVotesError(f"{path} has no files *.parquet", field="path")
    return files


def _index_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold the index of a pandas table, by what pandas has written beside it, or by their name."""
    told = [name for name in schema.names if UNNAMED_INDEX.fullmatch(name)]
    with suppress(KeyError, TypeError, ValueError):  # written by others
        told += json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
    return [name for name in schema.names if name in told]


def _opened(file: Path) -> pq.ParquetFile:
    with _naming(file):
        return pq.ParquetFile(file)


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Errors of reading, with the file."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InvalidVotesError(f"{file} cannot be read: {error}", field="path") from error


def _codes(column: pa.Array, classes: Sequence[str], where: str) -> NDArray[Any]:
    """[n] numbers; no copy of a column of integers without nulls."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return np.full(len(column), ABSTAIN, np.int8)
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
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
