"""What each source says of each class: confusion matrices with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis.inspection.information import observations
from weaklabel.analysis.inspection.truth import Model, interval_of, read_truth
from weaklabel.errors import InvalidArgumentError
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 2**24


@dataclass(frozen=True, eq=False)
class SourceConfusions:
    """Confusion matrices of M sources over K classes: the true class on the second axis, the vote on the last."""

    sources: tuple[str, ...]
    classes: tuple[str, ...]
    by: Literal["gold", "soft labels"]
    counts: NDArray[np.float64]
    """[M, K, K] votes; expected ones by soft labels."""
    rates: NDArray[np.float64]
    """[M, K, K] share of each vote among the votes on items of the class; rows sum to one, NaN without votes."""
    low: NDArray[np.float64]
    """[M, K, K] lower end of the 90 % interval, and ..."""
    high: NDArray[np.float64]
    """... the upper one."""

    def of(self, source: str) -> NDArray[np.float64]:
        """[K, K] the rates of one source.

        Raises:
            InvalidArgumentError: for an unknown source.
        """
        if source not in self.sources:
            raise InvalidArgumentError(f"unknown source {source!r}", field="source")
        return np.asarray(self.rates[self.sources.index(source)])

    def to_pandas(self) -> pd.DataFrame:
        """A line for each source, class and vote: source, truth, vote, count, rate, low, high.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        n_sources, n_classes, _ = self.rates.shape
        names, classes = np.array(self.sources, object), np.array(self.classes, object)
        frame: pd.DataFrame = pandas().DataFrame(
            {
                "source": np.repeat(names, n_classes**2),
                "truth": np.tile(np.repeat(classes, n_classes), n_sources),
                "vote": np.tile(classes, n_sources * n_classes),
                "count": self.counts.reshape(-1),
                "rate": self.rates.reshape(-1),
                "low": self.low.reshape(-1),
                "high": self.high.reshape(-1),
            }
        )
        return frame


def source_confusions(
    votes: Votes,
    truth: Model | ArrayLike,
    *,
    classes: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
) -> SourceConfusions:
    """How often each source votes for each class, on items of each class.

    By gold, votes are counted, and the interval is Jeffreys'. By soft labels, counts are expected ones: they are as
    right as the soft labels are calibrated. There the interval is that of as many observations as the posteriors are
    worth: see `weaklabel.analysis.inspection.information`. It takes sources for independent, and misses more often than
    told where they are few and weak, or err together.

    Args:
        votes: N items, M sources, K classes; plain votes only.
        truth: a fitted model, soft labels [N, K] or gold [N].
        classes: K names; those of the model or the votes where not given.
        sources: names of the sources to look at; all where not given.

    Raises:
        InvalidVotesError: for candidate sets and soft votes, and for an unknown source.
        InvalidArgumentError: for labels that do not fit the votes, and more than 2^24 cells.
    """
    known = read_truth(votes, truth, classes)
    if sources is not None:
        votes = votes.select_sources(sources)
    shape = votes.n_sources, votes.n_classes, votes.n_classes
    if (cells := int(np.prod(shape))) > MOST_CELLS:
        raise InvalidArgumentError(
            f"{cells:,} cells are more than {MOST_CELLS:,}: name some of the sources", field="sources"
        )
    items, of_source, labels = votes.triples()
    keys = of_source.astype(np.int64) * votes.n_classes + labels
    counts, worth = np.empty(shape), np.empty((votes.n_sources, votes.n_classes))
    for k in range(votes.n_classes):
        p = known.soft[items, k].astype(np.float64)
        counts[:, k] = np.bincount(keys, p, votes.n_sources * votes.n_classes).reshape(-1, votes.n_classes)
        worth[:, k] = np.bincount(of_source, p**2, votes.n_sources)
    total = counts.sum(2, keepdims=True)
    rates = np.where(total > 0, counts / np.maximum(total, 1e-300), np.nan)
    number = np.broadcast_to(worth[..., None], shape)
    if known.by == "soft labels":
        number = np.minimum(number, observations(votes, known.soft, rates))
    low, high = interval_of(rates, number)
    return SourceConfusions(
        sources=votes.source_names, classes=known.classes, by=known.by, counts=counts, rates=rates, low=low, high=high
    )
