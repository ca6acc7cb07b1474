"""What changes without a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.gold import read_labels
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """What changes without each source; those whose absence changes most labels first."""

    sources: tuple[str, ...]
    refitted: bool
    """Whether the model was fitted anew without the source; otherwise it kept what it knew of the others."""
    n_items: int
    flipped: NDArray[np.int64]
    """[M] items whose hard label is another class."""
    opened: NDArray[np.int64]
    """[M] items that have a hard label with the source, and none without it: the classes are tied."""
    moved: NDArray[np.float64]
    """[M] mean total-variation distance of the soft labels, in [0, 1]."""
    accuracy: NDArray[np.float64] | None
    """[M] on items with gold, without the source; None without gold."""
    accuracy_with_all: float | None

    def to_pandas(self) -> pd.DataFrame:
        """A line a source: without, flipped, opened, moved; with gold, accuracy and gain, which is what it loses.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        columns: dict[str, Any] = {"without": list(self.sources), "flipped": self.flipped, "opened": self.opened}
        columns["moved"] = self.moved
        if self.accuracy is not None and self.accuracy_with_all is not None:
            columns |= {"accuracy": self.accuracy, "gain": self.accuracy - self.accuracy_with_all}
        frame: pd.DataFrame = pandas().DataFrame(columns)
        return frame

    def __str__(self) -> str:
        how = "fitted anew" if self.refitted else "not fitted anew"
        lines = [f"of {self.n_items:,} items, the model {how}:"]
        for at, name in enumerate(self.sources):
            line = f"- without {name!r}, {self.flipped[at]:,} labels flip"
            line += f", {self.opened[at]:,} are left open" if self.opened[at] else ""
            if self.accuracy is not None:
                line += f"; accuracy {self.accuracy[at]:.3f}, with it {self.accuracy_with_all:.3f}"
            lines.append(line)
        return "\n".join(lines)


def leave_one_source_out(
    votes: Votes,
    model: Any,
    *,
    sources: Sequence[str] | None = None,
    gold: ArrayLike | None = None,
    fit: Mapping[str, Any] | None = None,
    refit: bool = True,
) -> LeaveOneOut:
    """How many labels flip without each source.

    Each is compared with the labels of all sources by the model as given. To be fitted anew for each source costs as
    many fits, and is what would have happened; without (`refit=False`) the model reads the votes of the others by what
    it knows of them, which costs one prediction each, and misses what the source has taught about the others.

    Args:
        votes: N items, M sources, two or more; those that the model was fitted on.
        model: fitted; LabelModel, or MajorityVote. It is not changed.
        sources: names of the sources to leave out, one at a time; all where not given.
        gold: [N] to compare accuracies by; not given to the fits.
        fit: what else was given to the fit of the model (`prior`, `groups`, `gold`, ...), for the fits anew.
        refit: whether to fit anew.

    Raises:
        NotFittedError: for a model that is not fitted.
        InvalidVotesError: for a source that is unknown, and votes that the model cannot read.
        InvalidArgumentError: for a single source, and gold that does not fit the votes or holds no label.
    """
    names = check_votes(votes).source_names
    if len(names) < 2:
        raise InvalidArgumentError("without the only source nothing is left: give votes of two or more", field="votes")
    left_out = votes.select_sources(names if sources is None else sources).source_names
    soft, labels = model.label(votes)
    truth = None
    if gold is not None:
        truth = read_labels(gold, votes.n_items, votes.n_classes, item_ids=votes.item_ids, classes=model.classes)
        if not (truth >= 0).any():
            raise InvalidArgumentError("gold holds no label", field="gold")
    counted = np.zeros((len(left_out), 2), np.int64)
    moved, accuracy = np.zeros(len(left_out)), np.zeros(len(left_out))
    for at, name in enumerate(left_out):
        others = votes.select_sources([one for one in names if one != name])
        reader = type(model)(**model.get_params()).fit(others, **_without(fit or {}, name)) if refit else model
        soft_now, labels_now = reader.label(others)
        counted[at, 0] = np.count_nonzero((labels >= 0) & (labels_now >= 0) & (labels != labels_now))
        counted[at, 1] = np.count_nonzero((labels >= 0) & (labels_now < 0))
        moved[at] = np.abs(soft - soft_now).sum() / 2 / max(votes.n_items, 1)
        accuracy[at] = np.nan if truth is None else _accuracy(labels_now, truth)
    order = np.argsort(-counted.sum(1), kind="stable")
    return LeaveOneOut(
        sources=tuple(left_out[at] for at in order.tolist()),
        refitted=refit,
        n_items=votes.n_items,
        flipped=counted[order, 0],
        opened=counted[order, 1],
        moved=moved[order],
        accuracy=None if truth is None else accuracy[order],
        accuracy_with_all=None if truth is None else _accuracy(labels, truth),
    )


def _without(fit: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What is given to a fit, without what is said of a source."""
    by_source = ("bounds", "families")
    return {
        key: {one: value for one, value in given.items() if one != name} if key in by_source and given else given
        for key, given in fit.items()
    }


def _accuracy(labels: NDArray[np.int32], truth: NDArray[np.int32]) -> float:
    known = truth >= 0
    return float((labels[known] == truth[known]).mean())
