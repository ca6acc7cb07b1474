"""What a report and a card are made of: votes, a model, known labels, and samples of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.analysis import SourceSummary, source_summary
from weaklabel.errors import InvalidArgumentError
from weaklabel.model import Diagnostics, LabelModel
from weaklabel.model.report.on_gold import judged
from weaklabel.report.beside_gold import diagnostics_beside
from weaklabel.side_information.gold import as_gold
from weaklabel.votes import Votes, as_votes
from weaklabel.votes.conversion import plain_part

MOST_ITEMS = 100_000
"""Items above which a sample is looked at."""
MOST_SOURCES = 400
"""Sources that are listed."""
MOST_PAIRED = 30
"""Sources that are compared with each other."""
CELLS = 50_000_000
"""Items times classes above which fewer items are looked at."""
SEED = 0
"""Of the samples."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """Items with gold."""

    votes: Votes
    """G items."""
    positions: NDArray[np.intp]
    """[G] among all."""
    labels: NDArray[np.int32]
    """[G]"""
    soft: NDArray[np.float32]
    """[G, K]"""
    summary: SourceSummary
    n_known: int
    """Items with gold, more than G where these are a sample."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts:
    """All that is reported of N items, M sources, K classes."""

    model: LabelModel
    diagnostics: Diagnostics
    """Of the fit; where it has not seen the gold, with what gold shows of the sources."""
    votes: Votes
    sample: Votes
    """n of the items."""
    positions: NDArray[np.intp]
    """[n] their positions among all."""
    soft: NDArray[np.float32]
    """[n, K]"""
    summary: SourceSummary
    """Of the sample."""
    class_votes: NDArray[np.float64]
    """[n, K] number of votes for each class."""
    accuracy: NDArray[np.float64]
    """[M] by the model."""
    interval: NDArray[np.float64]
    """[M, 2]"""
    known: Known | None
    """None without gold."""

    @property
    def is_sampled(self) -> bool:
        """Whether not all items were looked at."""
        return len(self.positions) < self.votes.n_items

    def item_name(self, at: int) -> str:
        """The id of an item of the sample, or its position among all."""
        ids = self.sample.item_ids
        return f"item {self.positions[at]}" if ids is None else str(ids[at])

    @property
    def mostly_wrong(self) -> tuple[str, ...]:
        """Sources that gold shows to be so, beside those worse than chance."""
        if self.known is None:
            return ()
        wrong = judged(plain_part(self.known.votes), self.known.labels).mostly_wrong
        names = (self.votes.source_names[at] for at in np.flatnonzero(wrong).tolist())
        told = {*self.diagnostics.worse_than_chance, *self.diagnostics.constant}
        return tuple(one for one in names if one not in told)

    def flags(self) -> dict[str, list[str]]:
        """What the diagnostics say of single sources, in words."""
        told: dict[str, list[str]] = {}
        found = self.diagnostics
        for group in found.copies:
            for name in group:
                others = [repr(one) for one in group if one != name]
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                told.setdefault(name, []).append(f"copy of {', '.join(others[:3])}{more}")
        for words, names in (
            ("worse than chance", found.worse_than_chance),
            ("more often wrong than right", self.mostly_wrong),
            ("always the same vote", found.constant),
            ("never votes", found.silent),
        ):
            for name in names:
                told.setdefault(name, []).append(words)
        for name, failed in zip(self.votes.source_names, self.votes.errors.tolist(), strict=True):
            if failed:
                told.setdefault(name, []).append(f"failed on {failed:,} items")
        return told


def gather(votes: Any, model: LabelModel | None, gold: Any, classes: Sequence[str] | None) -> Facts:
    """What a report is made of; see `weaklabel.report.report` for arguments and errors."""
    if model is not None and classes is not None and tuple(classes) != model.classes:
        raise InvalidArgumentError(
            f"classes are {', '.join(map(str, list(classes)[:5]))}, those of the model {', '.join(model.classes[:5])}",
            field="classes",
        )
    if model is None:
        n_classes = votes.n_classes if isinstance(votes, Votes) else None
        model = LabelModel(n_classes, classes=classes)
        readable = as_votes(votes, model.n_classes)
        model.fit(readable)
    readable = as_votes(votes, model.n_classes)
    accuracy, interval = _of_sources(model, readable)
    truth = None if gold is None else as_gold(gold, readable, model.classes)
    most = min(MOST_ITEMS, max(1000, CELLS // model.n_classes))
    positions = _drawn(np.arange(readable.n_items), most)
    sample = readable if len(positions) == readable.n_items else readable.select_items(positions)
    return Facts(
        model=model,
        diagnostics=model.diagnostics if truth is None else diagnostics_beside(model, readable, truth, interval),
        votes=readable,
        sample=sample,
        positions=positions,
        soft=model.predict_proba(sample),
        summary=source_summary(sample),
        class_votes=np.asarray(sample.counts(), np.float64),
        accuracy=accuracy,
        interval=interval,
        known=None if truth is None else _known(model, readable, truth, most),
    )


def _known(model: LabelModel, votes: Votes, truth: NDArray[np.int32], most: int) -> Known:
    with_gold = np.flatnonzero(truth >= 0)
    if not len(with_gold):
        raise InvalidArgumentError("gold holds no label", field="gold")
    drawn = _drawn(with_gold, most)
    some = votes.select_items(drawn)
    return Known(
        votes=some,
        positions=drawn,
        labels=truth[drawn],
        soft=model.predict_proba(some),
        summary=source_summary(some, truth[drawn]),
        n_known=len(with_gold),
    )


def _of_sources(model: LabelModel, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[M] accuracies and [M, 2] intervals, in the order of the votes."""
    at = {name: place for place, name in enumerate(model.source_names)}
    unknown = [name for name in votes.source_names if name not in at]
    if unknown:
        raise InvalidArgumentError(
            f"the model was fitted without the source {unknown[0]!r}: report votes of the sources that it knows",
            field="votes",
        )
    order = [at[name] for name in votes.source_names]
    return model.source_accuracy[order], model.source_accuracy_interval[order]


def _drawn(positions: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """The positions, or a sample of them, in order."""
    if len(positions) <= most:
        return positions
    return np.sort(np.random.default_rng(SEED).choice(positions, most, replace=False))


def percent(share: float, digits: int = 1) -> str:
    """In words of tables; a dash where it is not known."""
    return "-" if share != share else f"{100 * share:.{digits}f} %"
