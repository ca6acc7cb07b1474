"""What sources do, one by one and two by two, and scores of slices: as of weaklabel.analysis, under the same names.

N items, M sources, K classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from weaklabel_client._results.short import ShortRepr
from weaklabel_client._results.tables import Columns, Framed
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import inspection_pb2

Judge = Literal["gold", "soft labels"]
"""What took the place of the truth."""


@dataclass(frozen=True)
class Reliability(Framed):
    """Agreement of all sources beyond chance. It prints as "0.743 [0.458, 0.942]"."""

    value: float
    """1 for full agreement, 0 for that of chance; NaN where all votes on these items are for one class."""
    low: float
    high: float
    confidence: float
    """Of the interval, a percentile bootstrap over items; NaN ends where there is none."""
    n_items: int
    """Items with two votes or more: the others say nothing of agreement."""
    n_votes: int
    """On these items."""
    coefficient: str
    """Its name."""

    @classmethod
    def from_message(cls, message: inspection_pb2.GetReliabilityResponse) -> "Reliability":
        """Reads the contract's message."""
        return cls(
            value=message.value,
            low=message.low,
            high=message.high,
            confidence=message.confidence,
            n_items=message.item_count,
            n_votes=message.vote_count,
            coefficient=message.coefficient,
        )

    def _columns(self) -> Columns:
        return {name: [value] for name, value in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, eq=False, repr=False)
class SourcePairs(Framed, ShortRepr):
    """P pairs of sources that share items, those whose errors go together most first."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    items: npt.NDArray[np.int64]
    """[P] items that both vote on."""
    agreement: npt.NDArray[np.float64]
    """[P] share of them on which both say the same, in the precision of float32, as the next two."""
    kappa: npt.NDArray[np.float64]
    """[P] Cohen's, NaN where both always say the same one class."""
    error_correlation: npt.NDArray[np.float64]
    """[P] of their errors; NaN where one of the two is always right or always wrong."""
    copies: npt.NDArray[np.bool_] | None
    """[P] whether the model takes them for copies of each other, and counts them once; None by gold."""

    @classmethod
    def from_messages(
        cls, messages: Sequence[inspection_pb2.ReadSourcePairsResponse], *, by_gold: bool
    ) -> "SourcePairs":
        """Reads the contract's messages."""
        names = [source for message in messages for source in message.sources]
        parts = [message for message in messages if message.HasField("pairs")]
        pairs = _stacked([from_tensor(part.pairs) for part in parts], 3, np.int64)
        values = _stacked([from_tensor(part.values) for part in parts], 3, np.float64)
        copies = _stacked([from_tensor(part.copies) for part in parts if part.HasField("copies")], 1, bool)
        return cls(
            first=tuple(names[at] for at in pairs[:, 0].tolist()),
            second=tuple(names[at] for at in pairs[:, 1].tolist()),
            items=pairs[:, 2],
            agreement=values[:, 0],
            kappa=values[:, 1],
            error_correlation=values[:, 2],
            copies=None if by_gold else copies[:, 0],
        )

    def _columns(self) -> Columns:
        columns: dict[str, Any] = {"source": list(self.first), "other": list(self.second), "items": self.items}
        columns |= {"agreement": self.agreement, "kappa": self.kappa, "error_correlation": self.error_correlation}
        return columns | ({} if self.copies is None else {"copies": self.copies})


@dataclass(frozen=True, eq=False, repr=False)
class SourceConfusions(Framed, ShortRepr):
    """Confusion matrices of M sources over K classes: the true class on the second axis, the vote on the last."""

    sources: tuple[str, ...]
    classes: tuple[str, ...]
    by: Judge
    counts: npt.NDArray[np.float64]
    """[M, K, K] votes; expected ones by soft labels. In the precision of float32, as the next ones."""
    rates: npt.NDArray[np.float64]
    """[M, K, K] share of each vote among the votes on items of the class; rows sum to one, NaN without votes."""
    low: npt.NDArray[np.float64]
    """[M, K, K] lower end of the 90 % interval, and ..."""
    high: npt.NDArray[np.float64]
    """... the upper one."""

    @classmethod
    def from_messages(
        cls,
        messages: Sequence[inspection_pb2.ReadSourceConfusionsResponse],
        by: Judge,
        classes: tuple[str, ...],
    ) -> "SourceConfusions":
        """Reads the contract's messages."""

        def matrices(name: str) -> npt.NDArray[np.float64]:
            rows = np.concatenate([from_tensor(getattr(message, name)) for message in messages])
            return rows.reshape(-1, len(classes), len(classes)).astype(np.float64)

        return cls(
            sources=tuple(source for message in messages for source in message.sources),
            classes=classes,
            by=by,
            counts=matrices("counts"),
            rates=matrices("rates"),
            low=matrices("low"),
            high=matrices("high"),
        )

    def of(self, source: str) -> npt.NDArray[np.float64]:
        """[K, K] the rates of one source.

        Raises:
            ValueError: It is unknown.
        """
        if source not in self.sources:
            raise ValueError(f"unknown source {source!r}")
        return np.asarray(self.rates[self.sources.index(source)])

    def _columns(self) -> Columns:
        n_sources, n_classes, _ = self.rates.shape
        names, classes = np.array(self.sources, object), np.array(self.classes, object)
        return {
            "source": np.repeat(names, n_classes**2),
            "truth": np.tile(np.repeat(classes, n_classes), n_sources),
            "vote": np.tile(classes, n_sources * n_classes),
            "count": self.counts.reshape(-1),
            "rate": self.rates.reshape(-1),
            "low": self.low.reshape(-1),
            "high": self.high.reshape(-1),
        }


@dataclass(frozen=True, eq=False, repr=False)
class ContestedItems(Framed, ShortRepr):
    """Items whose second class has most support, the most contested first."""

    items: npt.NDArray[np.int64]
    """[n] positions."""
    item_ids: tuple[str, ...] | None
    classes: tuple[str, ...]
    first: npt.NDArray[np.int64]
    """[n] class with most support, and ..."""
    second: npt.NDArray[np.int64]
    """... the next."""
    support: npt.NDArray[np.float64]
    """[n, 2] of these two: the sum of the weights of those who vote for it."""
    probability: npt.NDArray[np.float64] | None
    """[n] of the first by the model; None without one."""
    votes: tuple[dict[str, str], ...]
    """[n] who says what, by name."""

    @classmethod
    def from_messages(
        cls,
        messages: Sequence[inspection_pb2.ReadContestedItemsResponse],
        classes: tuple[str, ...],
        *,
        with_model: bool,
    ) -> "ContestedItems":
        """Reads the contract's messages."""
        names = [source for message in messages for source in message.sources]
        found = [item for message in messages for item in message.items]
        support = np.array([(one.support_first, one.support_second) for one in found]).reshape(-1, 2)
        return cls(
            items=np.array([one.position for one in found], np.int64),
            item_ids=tuple(one.item_id for one in found) if any(one.item_id for one in found) else None,
            classes=classes,
            first=np.array([one.first for one in found], np.int64),
            second=np.array([one.second for one in found], np.int64),
            support=support,
            probability=np.array([one.probability for one in found]) if with_model else None,
            votes=tuple(
                {names[who]: classes[label] for who, label in zip(one.voters, one.labels, strict=True)} for one in found
            ),
        )

    def _columns(self) -> Columns:
        names = np.array(self.classes, object)
        columns: dict[str, Any] = {
            "item": self.items if self.item_ids is None else list(self.item_ids),
            "first": names[self.first],
            "second": names[self.second],
            "support_first": self.support[:, 0],
            "support_second": self.support[:, 1],
        }
        if self.probability is not None:
            columns["probability"] = self.probability
        columns["votes"] = [", ".join(f"{who}: {what}" for who, what in one.items()) for one in self.votes]
        return columns


@dataclass(frozen=True, eq=False, repr=False)
class Mistakes(Framed, ShortRepr):
    """How often a source is wrong on slices of its votes: those with most errors beyond its mean first."""

    source: str
    by: Judge
    columns: tuple[str, ...]
    """What each slice is of: "(all)" for the first, "(true class)", "(vote)", or a column."""
    values: tuple[str, ...]
    n_votes: npt.NDArray[np.float64]
    """Of the source in the slice; expected ones where it is of a true class by soft labels."""
    wrong: npt.NDArray[np.float64]
    """How many of them are wrong; expected ones by soft labels."""
    rate: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    """Of the 90 % interval of the rate. Of many slices some look bad by chance: see whether it is above the mean."""
    high: npt.NDArray[np.float64]

    @classmethod
    def from_messages(
        cls, messages: Sequence[inspection_pb2.ReadMistakesResponse], source: str, by: Judge
    ) -> "Mistakes":
        """Reads the contract's messages."""
        lines = [line for message in messages for line in message.lines]
        return cls(
            source=source,
            by=by,
            columns=tuple(line.column for line in lines),
            values=tuple(line.value for line in lines),
            n_votes=np.array([line.vote_count for line in lines]),
            wrong=np.array([line.wrong for line in lines]),
            rate=np.array([line.rate for line in lines]),
            low=np.array([line.low for line in lines]),
            high=np.array([line.high for line in lines]),
        )

    def _columns(self) -> Columns:
        columns: dict[str, Any] = {"column": list(self.columns), "value": list(self.values), "votes": self.n_votes}
        return columns | {"wrong": self.wrong, "rate": self.rate, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut(Framed, ShortRepr):
    """What changes without each of M sources; those whose absence changes most labels first."""

    sources: tuple[str, ...]
    refitted: bool
    """Whether the model was fitted anew without the source; otherwise it kept what it knew of the others."""
    n_items: int
    flipped: npt.NDArray[np.int64]
    """[M] items whose hard label is another class."""
    opened: npt.NDArray[np.int64]
    """[M] items that have a hard label with the source, and none without it: the classes are tied."""
    moved: npt.NDArray[np.float64]
    """[M] mean total-variation distance of the soft labels, in [0, 1]."""
    accuracy: npt.NDArray[np.float64] | None
    """[M] on items with gold, without the source; None without gold."""
    accuracy_with_all: float | None

    @classmethod
    def from_messages(
        cls, messages: Sequence[inspection_pb2.ReadLeaveOneOutResponse], *, refitted: bool
    ) -> "LeaveOneOut":
        """Reads the contract's messages."""
        lines, first = [line for message in messages for line in message.lines], messages[0]
        with_gold = first.HasField("accuracy_with_all")
        return cls(
            sources=tuple(line.source for line in lines),
            refitted=refitted,
            n_items=first.item_count,
            flipped=np.array([line.flipped for line in lines], np.int64),
            opened=np.array([line.opened for line in lines], np.int64),
            moved=np.array([line.moved for line in lines]),
            accuracy=np.array([line.accuracy for line in lines]) if with_gold else None,
            accuracy_with_all=first.accuracy_with_all if with_gold else None,
        )

    def _columns(self) -> Columns:
        columns: dict[str, Any] = {"without": list(self.sources), "flipped": self.flipped, "opened": self.opened}
        columns["moved"] = self.moved
        if self.accuracy is not None and self.accuracy_with_all is not None:
            columns |= {"accuracy": self.accuracy, "gain": self.accuracy - self.accuracy_with_all}
        return columns

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


@dataclass(frozen=True, eq=False)
class ScoreTable(Framed):
    """Scores of slices of the items; the first is of all."""

    columns: tuple[str, ...]
    """Of each slice, the column that it is of; "all" for the first."""
    values: tuple[str, ...]
    """What stands there."""
    n_items: npt.NDArray[np.int64]
    """Items with a known label."""
    scores: dict[str, npt.NDArray[np.float64]]
    """By metric, [slices]."""

    @classmethod
    def from_messages(
        cls, messages: Sequence[inspection_pb2.ReadScoresResponse], metrics: tuple[str, ...]
    ) -> "ScoreTable":
        """Reads the contract's messages."""
        lines = [line for message in messages for line in message.lines]
        return cls(
            columns=tuple(line.column for line in lines),
            values=tuple(line.value for line in lines),
            n_items=np.array([line.item_count for line in lines], np.int64),
            scores={name: np.array([line.scores[at] for line in lines]) for at, name in enumerate(metrics)},
        )

    def _columns(self) -> Columns:
        head = {"column": list(self.columns), "value": list(self.values), "items": self.n_items}
        return head | self.scores

    def __str__(self) -> str:
        rows = [("", "", "items", *self.scores)]
        numbers = zip(*self.scores.values(), strict=True)
        for column, value, count, line in zip(self.columns, self.values, self.n_items.tolist(), numbers, strict=True):
            rows.append((column, value, f"{count:,}", *(f"{one:.3f}" for one in line)))
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        aligned = ([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])] for row in rows)
        return "\n".join("  ".join(cells).rstrip() for cells in aligned)

    __repr__ = __str__


def _stacked(parts: list[npt.NDArray[Any]], columns: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate([np.empty((0, columns), dtype), *(part.astype(dtype) for part in parts)])
