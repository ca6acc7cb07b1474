"""The engine that runs labeling functions on Ray Data: in actors, up to one a core of the cluster."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from weaklabel._extras import require
from weaklabel.errors import LabelingFunctionError
from weaklabel.labeling.evaluate import Part, Setting
from weaklabel.labeling.executors import shipping
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import Items

_CHUNK, _PART = "chunk", "part"


def is_distributed(data: Any) -> bool:
    """Whether data is a Ray Dataset."""
    kind = getattr(sys.modules.get("ray.data"), "Dataset", None)
    return kind is not None and isinstance(data, kind)


def run(functions: Sequence[LabelingFunction], source: Items, setting: Setting) -> Generator[Part, None, None]:
    """Evaluate a Ray Dataset, or items of this process; the parts come in the order of the items.

    Raises:
        MissingExtraError: if Ray is not installed.
        InvalidArgumentError: if a function or an item cannot be sent to workers, or loaded there.
        StoppedError: if a function fails and errors stop the run.
        LabelingFunctionError: if Ray gives up.
    """
    ray, ray_data = (require(name, extra="ray", needed_for='engine="ray"') for name in ("ray", "ray.data"))
    cloudpickle = require("ray.cloudpickle", extra="ray", needed_for='engine="ray"')
    if not ray.is_initialized():
        ray.init()
    shipped = shipping.packed(functions, setting, cloudpickle)
    n_workers = max(int(ray.cluster_resources().get("CPU", 1)), 1)
    dataset: Any = source.items
    whole, size = is_distributed(dataset), shipping.LARGEST_CHUNK
    if not whole:
        chunks = shipping.chunks_of(source.items, shipping.chunk_size(source.n_items, n_workers), cloudpickle)
        rows = [{_CHUNK: chunk} for chunk in chunks]
        if not rows:
            return
        n_blocks = min(len(rows), 2 * shipping.CHUNKS_A_WORKER * n_workers)
        dataset, size = ray_data.from_items(rows, override_num_blocks=n_blocks), 1
    parts = dataset.map_batches(
        _Worker,
        fn_constructor_args=(ray.put(shipped), whole),
        batch_size=size,
        batch_format="pyarrow",
        compute=ray_data.ActorPoolStrategy(min_size=1, max_size=n_workers),
    )
    parts.context.execution_options.preserve_order = True
    parts.context.enable_progress_bars = False  # `apply` shows its own
    with _naming(ray):
        yield from shipping.received(row[_PART] for row in parts.iter_rows())


@contextmanager
def _naming(ray: Any) -> Iterator[None]:
    """What ends the run beside functions that fail, which are told as parts."""
    try:
        yield
    except ray.exceptions.RayError as error:
        raise LabelingFunctionError(f"Ray ended the run: {str(error).strip().splitlines()[-1]}") from error


class _Worker:
    """An actor, which holds the functions from its start on."""

    def __init__(self, shipped: Any, tables: bool) -> None:
        ray = require("ray", extra="ray", needed_for='engine="ray"')
        self._shipped: bytes = ray.get(shipped) if isinstance(shipped, ray.ObjectRef) else shipped
        self._tables = tables

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        if self._tables:
            return pa.table({_PART: [shipping.evaluate_table(self._shipped, batch)]})
        chunks = batch.column(_CHUNK).to_pylist()
        return pa.table({_PART: [shipping.evaluate_chunk(self._shipped, chunk) for chunk in chunks]})
