"""The engine that runs labeling functions on Spark: in the Python workers of its executors, one a core."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, LabelingFunctionError
from weaklabel.labeling.evaluate import Part, Setting
from weaklabel.labeling.executors import shipping
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import Items

_MOST_JOBS = 20
"""Jobs that a DataFrame is evaluated in: the progress of a job shows when it ends."""


def is_distributed(data: Any) -> bool:
    """Whether data is a Spark DataFrame."""
    kind = getattr(sys.modules.get("pyspark.sql"), "DataFrame", None)
    return kind is not None and isinstance(data, kind)


def run(functions: Sequence[LabelingFunction], source: Items, setting: Setting) -> Generator[Part, None, None]:
    """Evaluate a Spark DataFrame, or items of this process; the parts come in the order of the items.

    Raises:
        MissingExtraError: if Spark is not installed.
        InvalidArgumentError: if a function or an item cannot be sent to workers, or loaded there; for a DataFrame of
            Spark Connect.
        StoppedError: if a function fails and errors stop the run.
        LabelingFunctionError: if Spark gives up.
    """
    sql = require("pyspark.sql", extra="spark", needed_for='engine="spark"')
    cloudpickle = require("pyspark.cloudpickle", extra="spark", needed_for='engine="spark"')
    require("pyarrow", extra="spark", needed_for='engine="spark"')
    frame: Any = source.items
    whole = is_distributed(frame)
    if whole and type(frame).__module__.startswith("pyspark.sql.connect"):
        raise InvalidArgumentError("a DataFrame of Spark Connect cannot be read; start a classic session", field="data")
    session = frame.sparkSession if whole else sql.SparkSession.builder.getOrCreate()
    context = session.sparkContext
    shipped = context.broadcast(shipping.packed(functions, setting, cloudpickle))
    try:
        with _naming():
            if whole:
                parts = _of_frame(context, frame, shipped)
            else:
                size = shipping.chunk_size(source.n_items, context.defaultParallelism)
                parts = _of_chunks(context, shipping.chunks_of(source.items, size, cloudpickle), shipped)
            yield from shipping.received(parts)
    finally:
        shipped.destroy()


def _of_frame(context: Any, frame: Any, shipped: Any) -> Iterator[bytes]:
    """Some partitions at a time, so that progress shows and the driver holds the votes of no more."""
    import pyarrow as pa

    def evaluated(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for start in range(0, batch.num_rows, shipping.LARGEST_CHUNK):
                part = shipping.evaluate_table(shipped.value, batch.slice(start, shipping.LARGEST_CHUNK))
                yield pa.record_batch({"part": pa.array([part], pa.binary())})

    rows = frame.mapInArrow(evaluated, "part binary").rdd
    n_parts = rows.getNumPartitions()
    size = max(2 * context.defaultParallelism, -(-n_parts // _MOST_JOBS))
    for start in range(0, n_parts, size):
        chosen = list(range(start, min(start + size, n_parts)))
        yield from context.runJob(rows, lambda partition: [bytes(row.part) for row in partition], chosen)


def _of_chunks(context: Any, chunks: Iterator[bytes], shipped: Any) -> Iterator[bytes]:
    """Some chunks at a time, so that the driver holds no more, and data without an end can be read."""

    def evaluated(chunk: bytes) -> bytes:
        return shipping.evaluate_chunk(shipped.value, chunk)

    n_workers = context.defaultParallelism
    while some := list(islice(chunks, n_workers * shipping.CHUNKS_A_WORKER)):
        yield from context.parallelize(some, min(len(some), 2 * n_workers)).map(evaluated).collect()


@contextmanager
def _naming() -> Iterator[None]:
    """What ends the run beside functions that fail, which are told as parts."""
    errors = require("pyspark.errors", extra="spark", needed_for='engine="spark"')
    java = require("py4j.protocol", extra="spark", needed_for='engine="spark"')
    try:
        yield
    except (errors.PySparkException, java.Py4JError) as error:
        raise LabelingFunctionError(f"Spark ended the run: {str(error).strip().splitlines()[0]}") from error
