"""What Ray and Spark share: the columns of votes, and what a worker makes of a partition or a batch."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.arrow import Labeler, label_batch, label_schema, votes_of, with_ids
from weaklabel.votes import Votes
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = require("pyarrow", extra="parquet", needed_for="Votes in Arrow")


class Columns(NamedTuple):
    """Which columns hold what."""

    classes: tuple[str, ...]
    """K names."""
    sources: tuple[str, ...]
    """M names."""
    ids: str | None

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        n_classes: int | None,
        classes: Sequence[str] | None,
        sources: Sequence[str] | None,
        ids: str | None,
    ) -> Columns:
        """The columns of a table, checked.

        Args:
            names: all columns.
            n_classes: K, where columns hold indices.
            classes: K names.
            sources: the columns that hold votes; all but `ids` where not given.
            ids: the column of ids.

        Raises:
            InvalidArgumentError: if it is not said which classes there are.
            InvalidVotesError: for a column that is not there, or a table without votes.
        """
        if (n_classes is None) == (classes is None):
            raise InvalidArgumentError("give either n_classes or classes", field="classes")
        if classes is None:
            classes = [str(number) for number in range(check_count(n_classes or 0, "n_classes", 2))]
        wanted = tuple(sources) if sources else tuple(name for name in names if name != ids)
        missing = {*wanted, *([] if ids is None else [ids])} - set(names)
        if missing or not wanted:
            what = f"no column {min(missing)!r}" if missing else "no column of votes"
            raise InvalidVotesError(f"the table has {what}", field="votes")
        return cls(tuple(classes), wanted, ids)

    def needed(self, *, ids: bool) -> list[str]:
        """The columns of votes, and that of ids where it is asked for.

        Raises:
            InvalidVotesError: where there is none.
        """
        if ids and self.ids is None:
            raise InvalidVotesError('gold, prior and groups go by ids: name their column, ids="..."', field="votes")
        return [*self.sources, *([self.ids] if ids and self.ids is not None else [])]

    def votes(self, batches: Iterable[Any], where: str, *, ids: bool = False) -> Iterator[Votes]:
        """The votes of Arrow batches or tables, with the ids of the items where they are asked for.

        Raises:
            InvalidVotesError: for a vote that is no class; it says where.
        """
        row = 0
        for batch in batches:
            if batch.num_rows:
                votes = votes_of(batch, self.classes, self.sources, f"{where}, rows from {row}")
                yield with_ids(votes, batch.column(self.ids)) if ids else votes
            row += batch.num_rows

    def labels(self, model: Labeler, batch: Any) -> pa.RecordBatch:
        """The soft labels of an Arrow batch or table."""
        votes = votes_of(batch, self.classes, self.sources, "a batch")
        if self.ids is None:
            return label_batch(model, votes, None, label_schema(model.classes, None))
        ids = batch.column(self.ids)
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        return label_batch(model, votes, ids, label_schema(model.classes, pa.field(self.ids, ids.type)))


def of_partition(function: Callable[[int, Iterable[Votes]], Any], number: int, votes: Iterator[Votes]) -> bytes | None:
    """In a worker: what a function makes of a partition, or the error that it ends with; None where it has no rows."""
    try:
        first = next(votes, None)
        return None if first is None else pickle.dumps(function(number, chain([first], votes)))
    except (InvalidVotesError, InvalidArgumentError) as error:
        return pickle.dumps(error)


def added(add: Callable[[Any, Any], Any], one: bytes, other: bytes) -> bytes:
    """The sum of two results; the first error, where there is one."""
    left, right = pickle.loads(one), pickle.loads(other)  # noqa: S301  # made by the workers of this program
    for part, data in ((left, one), (right, other)):
        if isinstance(part, Exception):
            return data
    return pickle.dumps(add(left, right))


def result(data: bytes | None) -> Any:
    """What came of all partitions.

    Raises:
        InvalidVotesError: for votes that could not be read, or where there are no rows.
    """
    if data is None:
        raise InvalidVotesError("there are no rows", field="votes")
    total = pickle.loads(data)  # noqa: S301  # likewise
    if isinstance(total, Exception):
        raise total
    return total
