"""The engines that run labeling functions on many machines, by name."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling.evaluate import Part, Setting
from weaklabel.labeling.executors import ray_data, spark
from weaklabel.labeling.functions import LabelingFunction
from weaklabel.labeling.rows import Items, read_items


class Cluster(NamedTuple):
    """An engine.

    Attributes:
        name: that `apply` knows it by.
        is_distributed: whether data is a table of that engine's.
        table: what such a table is called.
        run: evaluates functions on a table of the engine's, or on items of this process.
    """

    name: str
    is_distributed: Callable[[Any], bool]
    table: str
    run: Callable[[Sequence[LabelingFunction], Items, Setting], Generator[Part, None, None]]

    def read(self, data: Any) -> Items:
        """Data as items: a table of the engine's as it is."""
        return Items(data, None) if self.is_distributed(data) else read_items(data)


ENGINES = {
    one.name: one
    for one in (
        Cluster("ray", ray_data.is_distributed, "a Ray Dataset", ray_data.run),
        Cluster("spark", spark.is_distributed, "a Spark DataFrame", spark.run),
    )
}


def named(engine: Any, data: Any, n_jobs: int) -> Cluster | None:
    """The engine of that name; None where none is named.

    Raises:
        InvalidArgumentError: for another name, a table of another engine, and a number of processes beside an engine.
    """
    if isinstance(engine, str) and engine not in ENGINES:
        known = " or ".join(f'"{name}"' for name in ENGINES)
        raise InvalidArgumentError(f"engine must be {known}, or what runs prompts, got {engine!r}", field="engine")
    chosen = ENGINES[engine] if isinstance(engine, str) else None
    for one in ENGINES.values():
        if one is not chosen and one.is_distributed(data):
            raise InvalidArgumentError(f'data is {one.table}: give engine="{one.name}"', field="engine")
    if chosen is not None and n_jobs != 1:
        raise InvalidArgumentError(
            f'n_jobs counts processes of this machine; with engine="{chosen.name}" the cluster says how many workers '
            "there are",
            field="n_jobs",
        )
    return chosen


def refuse_to_gather(cluster: Cluster | None, data: Any, source: str) -> None:
    """Refuses a source that votes on all items at once, where they are not in this process.

    Raises:
        InvalidArgumentError: as said.
    """
    if cluster is not None and cluster.is_distributed(data):
        raise InvalidArgumentError(
            f"{source!r} votes on all items at once, and the items of {cluster.table} are not gathered here: apply it "
            "to data in memory",
            field="functions",
        )
