"""Estimates with intervals: what weaklabel.analysis gives, under the same names."""

from dataclasses import dataclass
from typing import NamedTuple

from weaklabel_protocol.v1 import estimates_pb2


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval. It prints as "0.873 [0.812, 0.915]"."""

    value: float
    """NaN where no item with a known label says anything."""
    low: float
    high: float
    confidence: float
    """That the interval holds the true value, over draws of the known labels."""
    n_labels: float
    """Known labels that it rests on; weights that differ make them worth fewer."""
    gold_only: tuple[float, float]
    """The interval of the known labels alone, without soft labels."""
    unexplained: float
    """Share of the variance that soft labels leave, 1 where they are of no use."""

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.high - self.low

    @classmethod
    def from_message(cls, message: estimates_pb2.Estimate) -> "Estimate":
        """Reads the contract's message."""
        return cls(
            value=message.value,
            low=message.low,
            high=message.high,
            confidence=message.confidence,
            n_labels=message.label_count,
            gold_only=(message.gold_only_low, message.gold_only_high),
            unexplained=message.unexplained,
        )

    def to_message(self) -> estimates_pb2.Estimate:
        """The contract's message."""
        low, high = self.gold_only
        return estimates_pb2.Estimate(
            value=self.value,
            low=self.low,
            high=self.high,
            confidence=self.confidence,
            label_count=self.n_labels,
            gold_only_low=low,
            gold_only_high=high,
            unexplained=self.unexplained,
        )

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class ClassRates(NamedTuple):
    """How one class is predicted."""

    recall: Estimate
    """Share of the items of the class that are predicted as such: the true positive rate."""
    specificity: Estimate
    """Share of the other items that are predicted as others: the true negative rate."""
    precision: Estimate
    """Share of the items predicted as the class that are of it."""

    @classmethod
    def from_message(cls, message: estimates_pb2.ClassRates) -> "ClassRates":
        """Reads the contract's message."""
        return cls(
            recall=Estimate.from_message(message.recall),
            specificity=Estimate.from_message(message.specificity),
            precision=Estimate.from_message(message.precision),
        )
