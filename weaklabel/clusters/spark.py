"""Votes in a Spark DataFrame. Needs Spark and Java: `pip install "weaklabel[spark]"`, here and on the workers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from weaklabel._extras import require
from weaklabel.clusters import columns as shared
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.formats.arrow import Labeler
from weaklabel.votes import Votes
from weaklabel.votes.partitions import PartitionedVotes

_R = TypeVar("_R")


class SparkVotes(PartitionedVotes):
    """Votes in a Spark DataFrame, one column per source, for `LabelModel.fit` and for soft labels.

    The DataFrame runs once, and its votes stay with the executors, in memory or on their disks: each pass of a fit
    reads them there. The sample of a fit goes by the order of the rows, which Spark does not keep when it reads
    files: sort the DataFrame, `frame.orderBy("id")`, where the model must be that of the rows in memory.
    """

    def __init__(
        self,
        frame: Any,
        *,
        n_classes: int | None = None,
        classes: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        ids: str | None = None,
    ) -> None:
        """Takes a DataFrame, which is not read yet; arguments and errors as of `weaklabel.clusters.ray.RayVotes`.

        Raises:
            InvalidArgumentError: also for a DataFrame of Spark Connect.
        """
        require("pyspark.sql", extra="spark", needed_for="Votes in a Spark DataFrame")
        if type(frame).__module__.startswith("pyspark.sql.connect"):
            raise InvalidArgumentError(
                "a DataFrame of Spark Connect cannot be read; start a classic session", field="frame"
            )
        self._frame = frame
        self._columns = shared.Columns.of(frame.columns, n_classes, classes, sources, ids)
        self.n_classes, self.source_names = len(self._columns.classes), self._columns.sources
        self._chunks: dict[bool, Any] = {}

    def reduce(
        self, of_partition: Callable[[int, Iterable[Votes]], _R], add: Callable[[_R, _R], _R], *, ids: bool = False
    ) -> _R:
        """As in `PartitionedVotes`: one job, whose results are added up by the workers, as a tree."""
        shipped, plus = self._shipped(of_partition), self._shipped(add)

        def evaluated(number: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
            part = shared.of_partition(pickle.loads(shipped.value), number, _unpacked(chunks))  # noqa: S301  # made by this program
            if part is not None:
                yield part

        def together(one: bytes, other: bytes) -> bytes:
            return shared.added(pickle.loads(plus.value), one, other)  # noqa: S301  # likewise

        if ids not in self._chunks:
            self._chunks[ids] = self._packed(ids=ids)
        try:
            total: bytes | None = self._chunks[ids].mapPartitionsWithIndex(evaluated).treeReduce(together)
        except ValueError:  # "Can not reduce() empty RDD"
            total = None
        finally:
            shipped.destroy()
            plus.destroy()
        summed: _R = shared.result(total)
        return summed

    def _packed(self, *, ids: bool) -> Any:
        """The votes as an RDD of pickled chunks, kept by Spark for as long as it is referred to."""
        pyspark = require("pyspark", extra="spark", needed_for="Votes in a Spark DataFrame")
        pa = require("pyarrow", extra="spark", needed_for="Votes in a Spark DataFrame")
        columns = self._columns

        def packed(batches: Iterable[Any]) -> Iterator[Any]:
            try:
                where = f"partition {pyspark.TaskContext.get().partitionId()}"
                for votes in columns.votes(batches, where, ids=ids):
                    yield pa.record_batch({"votes": pa.array([pickle.dumps(votes)], pa.binary())})
            except InvalidVotesError as error:
                yield pa.record_batch({"votes": pa.array([pickle.dumps(error)], pa.binary())})

        votes = self._frame.select(*(f"`{name}`" for name in columns.needed(ids=ids)))
        chunks = votes.mapInArrow(packed, "votes binary").rdd.map(lambda row: bytes(row.votes))
        return chunks.persist(pyspark.StorageLevel.MEMORY_AND_DISK)

    def labels(self, model: Labeler) -> Any:
        """A Spark DataFrame of soft labels, which is computed when it is read or written.

        Its columns: the ids, where there are any; `label`, a class index, -1 where classes are tied; and `p_<class>`.

        Args:
            model: fitted; each worker gets it once.
        """
        types = require("pyspark.sql.types", extra="spark", needed_for="Votes in a Spark DataFrame")
        columns, shipped = self._columns, self._shipped(model)
        loaded: list[Labeler] = []

        def labeled(batches: Iterable[Any]) -> Iterator[Any]:
            if not loaded:
                loaded.append(pickle.loads(shipped.value))  # noqa: S301  # likewise
            for batch in batches:
                yield columns.labels(loaded[0], batch)

        fields = [] if columns.ids is None else [self._frame.schema[columns.ids]]
        fields.append(types.StructField("label", types.IntegerType()))
        fields += [types.StructField(f"p_{name}", types.FloatType()) for name in model.classes]
        return self._frame.mapInArrow(labeled, types.StructType(fields))

    def _shipped(self, what: Any) -> Any:
        """A broadcast variable: the bytes go to each machine once."""
        cloudpickle = require("pyspark.cloudpickle", extra="spark", needed_for="Votes in a Spark DataFrame")
        return self._frame.sparkSession.sparkContext.broadcast(cloudpickle.dumps(what))


def _unpacked(chunks: Iterable[bytes]) -> Iterator[Votes]:
    """In a worker: the votes of chunks.

    Raises:
        InvalidVotesError: that ended the reading.
    """
    for chunk in chunks:
        votes = pickle.loads(chunk)  # noqa: S301  # likewise
        if isinstance(votes, InvalidVotesError):
            raise votes
        yield votes
