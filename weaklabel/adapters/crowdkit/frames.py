"""Frames of task, worker and label, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class LongFrame(NamedTuple):
    """A frame of votes, read."""

    tasks: pd.Index[Any]
    """[N], named "task"."""
    workers: pd.Index[Any]
    """[M], named "worker"."""
    labels: pd.Index[Any]
    """[K] sorted, named "label"."""
    task: NDArray[np.intp]
    """[V] and so on."""
    worker: NDArray[np.intp]
    label: NDArray[np.intp]

    def votes(self) -> Votes:
        """The votes, by position."""
        return Votes.from_triples(
            self.task,
            self.worker,
            self.label,
            n_classes=len(self.labels),
            n_items=len(self.tasks),
            n_sources=len(self.workers),
        )

    def by_task(self, probabilities: NDArray[np.float64]) -> pd.DataFrame:
        """[N, K] by task and label."""
        frame: pd.DataFrame = pandas().DataFrame(probabilities, index=self.tasks, columns=self.labels)
        return frame

    def by_worker(self, values: NDArray[np.float64]) -> pd.Series[Any]:
        """[M] by worker."""
        found: pd.Series[Any] = pandas().Series(values, index=self.workers, name="skill")
        return found


def read_long(data: Any) -> LongFrame:
    """A frame of votes; one row a vote. Rows without a label are left out.

    Raises:
        InvalidVotesError: for columns that are not there, tasks or workers that are missing, fewer than two labels, and
            a worker who says two things of one task; with the row.
    """
    pd = pandas()
    names = ["task", "worker", "label"]
    if not hasattr(data, "columns") or not hasattr(data, "iloc"):
        raise InvalidVotesError(f"data must be a pandas DataFrame, got a {type(data).__name__}", field="data")
    for name in names:
        if list(data.columns).count(name) != 1:
            known = ", ".join(map(repr, list(data.columns)[:10]))
            raise InvalidVotesError(
                f"data must have one column {name!r}; it has {known}: rename by data.rename(columns={{...: {name!r}}})",
                field="data",
            )
    rows = np.flatnonzero(data["label"].notna().to_numpy())
    said = data.iloc[rows]
    for name in names[:2]:
        missing = said[name].isna().to_numpy()
        if missing.any():
            raise InvalidVotesError(f"row {rows[missing.argmax()]}, column {name!r} is missing", field="data")
    (task, tasks), (worker, workers) = (pd.factorize(said[name]) for name in names[:2])
    label, labels = pd.factorize(said["label"], sort=True)
    if len(labels) < 2:
        shown = f"only the label {labels.tolist()[0]!r}" if len(labels) else "no label"
        raise InvalidVotesError(f"column 'label' holds {shown}: there is nothing to choose from", field="data")
    _refuse_conflicts(task * len(workers) + worker, label, rows)
    index = [pd.Index(kept, name=name) for kept, name in zip((tasks, workers, labels), names, strict=True)]
    return LongFrame(tasks=index[0], workers=index[1], labels=index[2], task=task, worker=worker, label=label)


def _refuse_conflicts(keys: NDArray[np.intp], label: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
    order = np.argsort(keys, kind="stable")
    apart = (keys[order[1:]] == keys[order[:-1]]) & (label[order[1:]] != label[order[:-1]])
    if apart.any():
        at = int(apart.argmax())
        raise InvalidVotesError(
            f"rows {rows[order[at]]} and {rows[order[at + 1]]}: one worker says two things of one task", field="data"
        )
