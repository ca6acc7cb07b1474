"""Items that sources fight over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import logit

from weaklabel.analysis.inspection.truth import Model, names_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.counting import FEW_CLASSES
from weaklabel.votes.frames import pandas
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pandas as pd

LEAST_ERROR = 0.01
"""No source counts as more accurate than this allows."""
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class ContestedItems:
    """Items whose second class has most support, the most contested first."""

    items: NDArray[np.int64]
    """[n] positions."""
    item_ids: tuple[str, ...] | None
    classes: tuple[str, ...]
    first: NDArray[np.int64]
    """[n] class with most support, and ..."""
    second: NDArray[np.int64]
    """... the next."""
    support: NDArray[np.float64]
    """[n, 2] of these two: the sum of the weights of those who vote for it."""
    probability: NDArray[np.float64] | None
    """[n] of the first by the model; None without one."""
    votes: tuple[dict[str, str], ...]
    """[n] who says what, by name."""

    def to_pandas(self) -> pd.DataFrame:
        """A line an item: item, first, second, support of both, probability, votes as text.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
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
        frame: pd.DataFrame = pandas().DataFrame(columns)
        return frame


def contested_items(
    votes: Votes, model: Model | None = None, n: int = 20, *, classes: Sequence[str] | None = None
) -> ContestedItems:
    """Items that sources fight over: those whose second class has most support.

    A vote weighs the log-odds of its source's accuracy against a guess, log(a (K - 1) / (1 - a)), by the model, and
    nothing where the source is no better; without a model each vote weighs 1. Copies weigh each on its own.

    Args:
        votes: N items, M sources, K classes. A vote for several classes supports each of them by its share, and an item
            is contested only where two votes differ.
        model: a fitted model that knows these sources by name.
        n: how many items at most; those on which all agree are never among them.
        classes: K names; those of the model or the votes where not given.

    Raises:
        InvalidVotesError: for a source that the model does not know.
        InvalidArgumentError: for n below 1, and names that are not K.
    """
    n = check_count(n, "n", 1, InvalidArgumentError)
    names = names_of(votes, model, classes)
    soft = None if model is None else np.asarray(model.predict_proba(votes))
    ranked = rank_contested(votes, model)
    chosen = ranked.items[:n]
    of_chosen = votes.select_items(chosen)
    said: list[dict[str, str]] = [{} for _ in chosen]
    for row, source, code in zip(*(cells.tolist() for cells in of_chosen.triples()), strict=True):
        vote = code if code < votes.n_classes else votes.symbols.vote(code)
        said[row][votes.source_names[source]] = names[vote] if isinstance(vote, int) else str(vote)
    return ContestedItems(
        items=chosen,
        item_ids=None if votes.item_ids is None else tuple(votes.item_ids[chosen].tolist()),
        classes=names,
        first=ranked.first[:n],
        second=ranked.second[:n],
        support=ranked.support[:n],
        probability=None if soft is None else soft[chosen, ranked.first[:n]].astype(np.float64),
        votes=tuple(said),
    )


class Contested(NamedTuple):
    """All items with support for two classes, the most contested first."""

    items: NDArray[np.int64]
    """[n] positions."""
    first: NDArray[np.int64]
    """[n] class with most support, and ..."""
    second: NDArray[np.int64]
    """... the next."""
    support: NDArray[np.float64]
    """[n, 2] of these two."""


def rank_contested(votes: Votes, model: Model | None) -> Contested:
    """The ranking of `contested_items`, of all items; arguments and errors as there."""
    weight = np.ones(check_votes(votes).n_sources) if model is None else _weights(votes, model)
    first, second, support = _support(votes, weight) if votes.is_plain else _shared_support(votes, weight)
    fought = np.flatnonzero(support[:, 1] > 0)
    items = fought[np.lexsort((support[fought, 0], -support[fought, 1]))]
    return Contested(items.astype(np.int64), first[items], second[items], support[items])


def _weights(votes: Votes, model: Any) -> NDArray[np.float64]:
    if not hasattr(model, "source_accuracy"):
        return np.ones(votes.n_sources)
    accuracy = dict(zip(model.source_names, model.source_accuracy.tolist(), strict=True))
    if unknown := [name for name in votes.source_names if name not in accuracy]:
        raise InvalidVotesError(f"source {unknown[0]!r} is not known to the model", field="votes")
    of_source = np.clip([accuracy[name] for name in votes.source_names], LEAST_ERROR, 1 - LEAST_ERROR)
    return np.asarray(np.maximum(logit(of_source) + np.log(votes.n_classes - 1), 0.0))


def _support(
    votes: Votes, weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """[N] class with most support, [N] the next, and [N, 2] their support."""
    dense = not votes.is_sparse and votes.n_classes <= FEW_CLASSES
    items, sources, labels = (np.empty(0, np.int32),) * 3 if dense else votes.triples()
    first, second = np.zeros(votes.n_items, np.int64), np.zeros(votes.n_items, np.int64)
    support = np.zeros((votes.n_items, 2))
    step = max(1, BLOCK_CELLS // max(votes.n_classes, votes.n_sources if dense else 1))
    for start in range(0, votes.n_items, step):
        stop = min(start + step, votes.n_items)
        if dense:
            block = votes.to_codes()[start:stop]
            table = np.stack([(block == k) @ weight for k in range(votes.n_classes)], 1)
        else:
            cells = slice(*np.searchsorted(items, np.array([start, stop], items.dtype)).tolist())
            shape = stop - start, votes.n_classes
            table = csr_array((weight[sources[cells]], (items[cells] - start, labels[cells])), shape=shape).toarray()
        first[start:stop], second[start:stop], support[start:stop] = _two_best(table)
    return first, second, support


def _shared_support(
    votes: Votes, weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The same of votes for several classes; none for the second class where all votes of an item are the same."""
    table = np.zeros((votes.n_items, votes.n_classes))
    for name, of_source in zip(votes.source_names, weight.tolist(), strict=True):
        table += of_source * np.asarray(votes.select_sources([name]).counts(), np.float64)
    first, second, support = _two_best(table)
    items, _, codes = votes.triples()
    high, low = np.full(votes.n_items, -1), np.full(votes.n_items, np.iinfo(np.int64).max)
    np.maximum.at(high, items, codes)
    np.minimum.at(low, items, codes)
    support[high <= low, 1] = 0
    return first, second, support


def _two_best(table: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Class with most support of each row of the table, the next, and their support; the table is spoilt."""
    rows, support = np.arange(len(table)), np.zeros((len(table), 2))
    best = []
    for place in range(2):
        best.append(table.argmax(1))
        support[:, place] = table[rows, best[-1]]
        table[rows, best[-1]] = -1
    return best[0], best[1], support
