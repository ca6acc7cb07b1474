"""Soft labels as a data set of torch, read from the server as training goes on.

from torch.utils.data import DataLoader
from weaklabel_client.torch import SoftLabelStream

stream = SoftLabelStream("127.0.0.1:50051", "spam", batch_size=256)
for batch in DataLoader(stream, batch_size=None):
batch["position"], batch["probabilities"], batch["labels"]
"""

from collections.abc import Iterator
from typing import Any

try:
    from torch import Tensor, from_numpy
    from torch.utils.data import IterableDataset, get_worker_info
except ModuleNotFoundError as error:
    raise ImportError("weaklabel_client.torch needs torch: pip install torch", name="torch") from error

import numpy as np

from weaklabel_client.client import Client


class SoftLabelStream(IterableDataset[dict[str, Tensor]]):  # type: ignore[misc]  # torch need not be installed
    """The soft labels of a model in batches, in the order of the items; workers of a DataLoader share the rows.

    A batch is a mapping: "position" int64 [n], rows among the items of the project; "probabilities" float32 [n, K];
    "labels" int32 [n], -1 where classes are tied. The DataLoader takes batch_size=None, as batches are made here.

    Args:
        target: Address of the server. Each worker opens a connection of its own.
        project: The project.
        model: A model; the newest when the stream is made, by default: every epoch sees the same one.
        batch_size: Rows of each batch but the last of a worker.
        options: Further arguments of Client.
    """

    def __init__(
        self, target: str, project: str, *, model: str | None = None, batch_size: int = 1024, **options: Any
    ) -> None:
        self._target, self._project, self._batch_size, self._options = target, project, batch_size, options
        with Client(target, **options) as client:
            found = client.get_model(project, model)
        self._model, self._n_rows = found.name, found.n_items

    def __len__(self) -> int:
        """Number of batches, without workers."""
        return -(-self._n_rows // self._batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Reads the rows of this worker, from the first."""
        worker = get_worker_info()
        n_workers, at = (1, 0) if worker is None else (worker.num_workers, worker.id)
        start, stop = (self._n_rows * one // n_workers for one in (at, at + 1))
        if start == stop:
            return
        with Client(self._target, **self._options) as client:
            for batch in client.iter_soft_labels(
                self._project,
                model=self._model,
                row_offset=start,
                row_limit=stop - start,
                batch_size=self._batch_size,
            ):
                first = batch.row_offset
                yield {
                    "position": from_numpy(np.arange(first, first + len(batch.labels))),
                    "probabilities": from_numpy(batch.probabilities.copy()),
                    "labels": from_numpy(batch.labels.copy()),
                }
