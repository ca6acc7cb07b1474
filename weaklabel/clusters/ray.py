"""Votes in a Ray Dataset. Needs Ray: `pip install "weaklabel[ray]"`, here and on the workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from weaklabel._extras import require
from weaklabel.clusters.columns import Columns, added, of_partition, result
from weaklabel.formats.arrow import Labeler
from weaklabel.votes import Votes
from weaklabel.votes.partitions import PartitionedVotes

_R = TypeVar("_R")

PARTITIONS_A_WORKER = 4
"""So that workers end together."""
LABELED_ROWS = 2**17
"""Rows that are labeled together."""


class RayVotes(PartitionedVotes):
    """Votes in a Ray Dataset, one column per source, for `LabelModel.fit` and for soft labels.

    The Dataset runs once, and its columns of votes stay in Ray's object store, or on disk where that is full: each
    pass of a fit reads them there.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        n_classes: int | None = None,
        classes: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        ids: str | None = None,
    ) -> None:
        """Takes a Dataset, which is not run yet.

        Args:
            dataset: columns hold class indices 0..K-1, -1 for an abstain and -2 for an error, or names of classes.
                Null abstains.
            n_classes: K, where the columns hold indices.
            classes: K names, in the order of the class indices. One of n_classes and classes must be given.
            sources: the columns that hold votes; where not given, all but `ids`.
            ids: the column that holds the ids of the items.

        Raises:
            MissingExtraError: if Ray is not installed.
            InvalidArgumentError: if it is not said which classes there are.
            InvalidVotesError: for a column that is missing.
        """
        self._ray = require("ray", extra="ray", needed_for="Votes in a Ray Dataset")
        self._dataset = dataset
        self._columns = Columns.of(dataset.columns(), n_classes, classes, sources, ids)
        self.n_classes, self.source_names = len(self._columns.classes), self._columns.sources
        self._blocks: dict[bool, list[Any]] = {}

    def reduce(
        self, of_partition: Callable[[int, Iterable[Votes]], _R], add: Callable[[_R, _R], _R], *, ids: bool = False
    ) -> _R:
        """As in `PartitionedVotes`: a task for some of the blocks, in their order, and a sum of what they return."""
        ray = self._ray
        if ids not in self._blocks:
            votes = self._dataset.select_columns(self._columns.needed(ids=ids))
            votes.context.execution_options.preserve_order = True
            self._blocks[ids] = votes.to_arrow_refs()
        blocks = self._blocks[ids]
        n_workers = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        size = max(-(-len(blocks) // (n_workers * PARTITIONS_A_WORKER)), 1)
        task, shipped = ray.remote(_of_blocks), ray.put(of_partition)
        total: bytes | None = None
        waiting: deque[Any] = deque()

        def received() -> Iterator[bytes | None]:
            for number, start in enumerate(range(0, len(blocks), size)):
                waiting.append(task.remote(shipped, number, self._columns, blocks[start : start + size], ids))
                if len(waiting) >= 2 * n_workers:
                    yield ray.get(waiting.popleft())
            while waiting:
                yield ray.get(waiting.popleft())

        for part in received():
            if part is not None:
                total = part if total is None else added(add, total, part)
        summed: _R = result(total)
        return summed

    def labels(self, model: Labeler) -> Any:
        """A Ray Dataset of soft labels, which is run when it is read or written.

        Its columns: the ids, where there are any; `label`, a class index, -1 where classes are tied; and `p_<class>`.

        Args:
            model: fitted; each worker gets it once.
        """
        ray_data = require("ray.data", extra="ray", needed_for="Votes in a Ray Dataset")
        n_workers = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
        return self._dataset.map_batches(
            _Labels,
            fn_constructor_args=(model, self._columns),
            batch_format="pyarrow",
            batch_size=LABELED_ROWS,
            compute=ray_data.ActorPoolStrategy(min_size=1, max_size=n_workers),
        )


def _of_blocks(function: Any, number: int, columns: Columns, blocks: Sequence[Any], ids: bool) -> bytes | None:
    """A task: what a function makes of blocks, of which one is held at a time."""
    ray = require("ray", extra="ray", needed_for="Votes in a Ray Dataset")
    votes = columns.votes((ray.get(block) for block in blocks), f"partition {number}", ids=ids)
    return of_partition(function, number, votes)


class _Labels:
    """An actor, which holds the model from its start on."""

    def __init__(self, model: Labeler, columns: Columns) -> None:
        self._model, self._columns = model, columns

    def __call__(self, batch: Any) -> Any:
        pa = require("pyarrow", extra="ray", needed_for="Votes in a Ray Dataset")
        return pa.Table.from_batches([self._columns.labels(self._model, batch)])
