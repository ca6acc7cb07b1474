"""Votes and soft labels in Parquet, of any size: read and written a batch of rows at a time.

Needs pyarrow: `pip install "weaklabel[parquet]"`.

Example::

    votes = read_votes("votes/", classes=["ham", "spam"], ids="message")
    model = LabelModel(classes=["ham", "spam"]).fit(votes)
    write_labels("labels.parquet", model, votes)
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.arrow import DatasetSource, Labeler, label_batch, label_schema, open_dataset, votes_of, with_ids
from weaklabel.formats.parquet_files import BATCH_ROWS, ParquetSource, index_columns
from weaklabel.votes import Votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq
else:
    pa, ds, pq = (
        require(name, extra="parquet", needed_for="Parquet files")
        for name in ("pyarrow", "pyarrow.dataset", "pyarrow.parquet")
    )

Progress = Callable[[int, int], None]
"""Called with the number of items labeled so far, and of all items."""


class Batch(NamedTuple):
    """Consecutive rows of a file."""

    ids: pa.Array | None
    """As in the file; None where no column holds ids."""
    votes: Votes

    def votes_with_ids(self) -> Votes:
        """The votes, of items with ids."""
        return self.votes if self.ids is None else with_ids(self.votes, self.ids)


_Part = Path | DatasetSource


class ParquetVotes(VoteChunks):
    """Votes in a Parquet file, in all of a folder, or in a pyarrow Dataset. Made by `read_votes`.

    Attributes:
        n_items: N.
        source_names: M names, those of the columns.
        id_field: name and type of the column of ids; None where there is none.
    """

    def __init__(
        self, parts: Sequence[_Part], n_items: int, classes: Sequence[str], sources: Sequence[str], id_field: pa.Field
    ) -> None:
        """Takes what `read_votes` has checked."""
        super().__init__(lambda: (batch.votes for batch in self.batches()), len(classes), sources=sources)
        self._parts, self._classes = tuple(parts), tuple(classes)
        self.n_items, self.source_names, self.id_field = n_items, tuple(sources), id_field

    def with_ids(self) -> Iterator[Votes]:
        """As the chunks; each with the ids of its items, where a column holds them."""
        return (batch.votes_with_ids() for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The rows in the order of the files' names, or of the data set, with their ids.

        Raises:
            InvalidVotesError: for a file that cannot be read, and for a vote that is no class; it says where.
        """
        id_name = None if self.id_field is None else self.id_field.name
        columns = [*self.source_names, *([] if id_name is None else [id_name])]
        for part in self._parts:
            row = 0
            with _opened(part) as source:
                for batch in source.batches(columns, BATCH_ROWS):
                    ids = None if id_name is None else batch.column(id_name)
                    where = f"{source.name}, rows from {row}"
                    yield Batch(ids, votes_of(batch, self._classes, self.source_names, where))
                    row += len(batch)


def read_votes(
    path: str | os.PathLike[str] | ds.Dataset,
    *,
    filesystem: Any = None,
    n_classes: int | None = None,
    classes: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    ids: str | None = None,
) -> ParquetVotes:
    """Votes in Parquet, one column per source, to be read in chunks.

    Columns hold class indices 0..K-1, -1 for an abstain and -2 for an error; or names of classes. Null abstains.

    Args:
        path: a file; or a folder, whose files `*.parquet` are read in the order of their names, those in folders below
            included; or a pyarrow Dataset, of any format and with any filter.
        filesystem: of pyarrow, or of fsspec, where `path` is on one: an object store, as S3 or GCS. None for the disk.
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
    parts, n_items, wanted, id_field = _parts(path, filesystem), 0, list(sources or []), None
    for part in parts:
        with _opened(part) as source:
            schema, index, name = source.schema, index_columns(source.schema), source.name
            n_items += source.n_rows
        if ids is None and len(index) == 1 and not sources:
            ids = index[0]
        wanted = wanted or [name for name in schema.names if name != ids and name not in index]
        missing = {*wanted, *([] if ids is None else [ids])} - set(schema.names)
        if missing:
            raise InvalidVotesError(f"{name} has no column {min(missing)!r}", field="path")
        id_field = id_field or (None if ids is None else schema.field(ids))
    if not wanted:
        raise InvalidVotesError(f"{name} has no column of votes", field="path")
    return ParquetVotes(parts, n_items, classes, wanted, id_field)


def _parts(path: str | os.PathLike[str] | ds.Dataset, filesystem: Any) -> list[_Part]:
    if isinstance(path, ds.Dataset):
        if filesystem is not None:
            raise InvalidArgumentError("a Dataset has its filesystem: give no other", field="filesystem")
        return [DatasetSource(path, "the data set")]
    if filesystem is not None:
        return [open_dataset(os.fspath(path), filesystem)]
    return list(_files(Path(path)))


def _opened(part: _Part) -> AbstractContextManager[ParquetSource | DatasetSource]:
    return ParquetSource(part, str(part)) if isinstance(part, Path) else nullcontext(part)


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
    schema = label_schema(model.classes, votes.id_field)
    target, done = Path(path), 0
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            for batch in votes.batches():
                writer.write_batch(label_batch(model, batch.votes, batch.ids, schema))
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
