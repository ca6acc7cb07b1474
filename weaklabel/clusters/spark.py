"""Votes in a Spark DataFrame. Needs Spark and Java: `pip install "weaklabel[spark]"`, here and on the workers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from weaklabel._extras import require
from weaklabel.clusters.columns import Columns, added, of_partition, result
from weaklabel.errors import InvalidArgumentError
from weaklabel.formats.arrow import Labeler
from weaklabel.votes import Votes
from weaklabel.votes.partitions import PartitionedVotes

_R = TypeVar("_R")


class SparkVotes(PartitionedVotes):
    """Votes in a Spark DataFrame, one column per source, for `LabelModel.fit` and for soft labels.

    Each pass of a fit is a job that reads the DataFrame: cache it, or write it to files first, where it costs more than
    reading, or does not give the same rows in the same partitions each time.
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
        self._columns = Columns.of(frame.columns, n_classes, classes, sources, ids)
        self.n_classes, self.source_names = len(self._columns.classes), self._columns.sources

    def reduce(self, of_partition: Callable[[int, Iterable[Votes]], _R], add: Callable[[_R, _R], _R]) -> _R:
        """As in `PartitionedVotes`: one job, whose results are added up by the workers, as a tree."""
        pa = require("pyarrow", extra="spark", needed_for="Votes in a Spark DataFrame")
        columns, (shipped, plus) = self._columns, (self._shipped(of_partition), self._shipped(add))

        def evaluated(batches: Iterable[Any]) -> Iterator[Any]:
            part = _of_batches(shipped.value, columns, batches)
            if part is not None:
                yield pa.record_batch({"part": pa.array([part], pa.large_binary())})

        def together(one: bytes, other: bytes) -> bytes:
            return added(pickle.loads(plus.value), one, other)  # noqa: S301  # made by this program

        votes = self._frame.select(*(f"`{name}`" for name in self.source_names))
        parts = votes.mapInArrow(evaluated, "part binary").rdd.map(lambda row: bytes(row.part))
        try:
            total: bytes | None = parts.treeReduce(together)
        except ValueError:  # "Can not reduce() empty RDD"
            total = None
        finally:
            shipped.destroy()
            plus.destroy()
        summed: _R = result(total)
        return summed

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


def _of_batches(shipped: bytes, columns: Columns, batches: Iterable[Any]) -> bytes | None:
    """In a worker: what a function makes of its partition."""
    context = require("pyspark", extra="spark", needed_for="Votes in a Spark DataFrame").TaskContext.get()
    return of_partition(pickle.loads(shipped), context.partitionId(), columns, batches)  # noqa: S301  # likewise
