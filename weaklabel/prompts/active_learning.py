"""Active learning: which calls to make next, by the label model's uncertainty, and when to stop.

The gain of a call of function m on item i is how much its vote is expected to lower the entropy of the item's soft
label: H(q_i) - sum_s p(s | i) H(q_i | s), over the votes s that m may give (Lindley 1956,
doi:10.1214/aoms/1177728069; for labels, MacKay 1992, doi:10.1162/neco.1992.4.4.590). Probabilities of its votes in each
class are counted from the soft labels where it has voted, around an accuracy of 3/4 where it has voted little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts.budget import Budget
from weaklabel.prompts.declaration.prompt_function import PromptFunction
from weaklabel.votes import Votes, as_votes
from weaklabel.votes.symbols import Symbols

_ACCURACY, _PRIOR_VOTES = 0.75, 20.0  # of a function that has not voted, and how many votes this counts for
_ITEMS_PER_BLOCK = 4096


class Ask(NamedTuple):
    """A call worth making.

    Attributes:
        item: position of the item.
        function: name of the function.
        gain: nats by which its vote is expected to lower the entropy of the item's soft label.
        cost: USD, or 1 where costs are not given.
    """

    item: int
    function: str
    gain: float
    cost: float


def next_to_ask(
    votes: Votes | ArrayLike,
    functions: Sequence[PromptFunction],
    budget: int | Budget,
    *,
    n_classes: int | None = None,
    missing: ArrayLike | None = None,
    costs: Mapping[str, float] | None = None,
    soft_labels: ArrayLike | None = None,
) -> list[Ask]:
    """The calls with the largest expected gain for their cost, best first.

    At most one function per item: `run` the functions on these items, put the votes together, and call this again for
    the next round. A `StopRule` decides when rounds no longer change much.

    Args:
        votes: Votes [N, M] so far.
        functions: prompts that may be run. One that is among the sources of the votes is run where its cell is
            missing, one that is not may be run on every item.
        budget: the number of calls, or a budget in money, which needs `costs`.
        n_classes: K, where votes are an array.
        missing: [N, M] cells of the votes that were not sent, as `PromptRun.missing`.
        costs: USD per call by the names of functions, for instance from a plan.
        soft_labels: [N, K] of a label model, for these votes; one is fitted where not given.

    Raises:
        InvalidArgumentError: for shapes that do not fit, a budget in tokens, or one in money without costs.
    """
    if not isinstance(votes, Votes):
        if n_classes is None:
            raise InvalidArgumentError("votes as an array need n_classes", field="n_classes")
        votes = as_votes(votes, n_classes)
    limit = _limit(budget, costs)
    cost_of = {one.name: 1.0 if costs is None else _cost(costs, one.name) for one in functions}
    open_cells = _open_cells(votes, functions, missing)
    posterior = np.asarray(_fitted(votes) if soft_labels is None else soft_labels, float)
    if posterior.shape != (votes.n_items, votes.n_classes):
        shape = (votes.n_items, votes.n_classes)
        raise InvalidArgumentError(f"soft_labels must have shape {shape}, got {posterior.shape}", field="soft_labels")
    gains = np.full((votes.n_items, len(functions)), -np.inf)
    for f, function in enumerate(functions):
        items = np.flatnonzero(open_cells[:, f])
        likelihood = _likelihood(function, votes, posterior)
        gains[items, f] = _gain(posterior[items], likelihood)
    gain_per_cost = gains / np.maximum([cost_of[one.name] for one in functions], 1e-12)
    chosen: list[Ask] = []
    if not functions:
        return chosen
    best = gain_per_cost.argmax(1)
    spent = 0.0
    for i in np.argsort(-gain_per_cost.max(1), kind="stable"):
        name, gain = functions[best[i]].name, gains[i, best[i]]
        if not np.isfinite(gain):
            break
        if spent + cost_of[name] <= limit * (1 + 1e-12):
            spent += cost_of[name]
            chosen.append(Ask(int(i), name, float(gain), cost_of[name]))
    return chosen


def _fitted(votes: Votes) -> NDArray[np.float32]:
    from weaklabel.model import LabelModel  # and with it JAX, which prompts do without otherwise

    return LabelModel(votes.n_classes).fit(votes).predict_proba(votes)


def _limit(budget: int | Budget, costs: Mapping[str, float] | None) -> float:
    if not isinstance(budget, Budget):
        if costs is not None:
            raise InvalidArgumentError("with costs, give the budget in money: Budget(money=...)", field="budget")
        return float(budget)
    if budget.money is None or budget.tokens is not None or costs is None:
        raise InvalidArgumentError("give a number of calls, or Budget(money=...) and costs", field="budget")
    return budget.money


def _cost(costs: Mapping[str, float], name: str) -> float:
    if name not in costs:
        raise InvalidArgumentError(f"costs: the cost of {name!r} is not given", field="costs")
    return float(costs[name])


def _open_cells(votes: Votes, functions: Sequence[PromptFunction], missing: ArrayLike | None) -> NDArray[np.bool_]:
    """[N, F] which calls may be made."""
    mask = np.zeros(votes.shape, bool) if missing is None else np.asarray(missing, bool)
    if mask.shape != votes.shape:
        raise InvalidArgumentError(
            f"missing must have the votes' shape {votes.shape}, got {mask.shape}", field="missing"
        )
    column_of = {name: at for at, name in enumerate(votes.source_names)}
    cells = np.ones((votes.n_items, len(functions)), bool)
    for f, function in enumerate(functions):
        if function.fields:
            raise InvalidArgumentError(
                f"prompt {function.name!r} makes several sources; what it tells is known for prompts of one only",
                field="functions",
            )
        if function.name in column_of:
            cells[:, f] = mask[:, column_of[function.name]]
    return cells


def _likelihood(function: PromptFunction, votes: Votes, posterior: NDArray[np.float64]) -> NDArray[np.float64]:
    """[V, K] probability of each vote that a function may give, in each class; the columns sum to one."""
    n_classes = votes.n_classes
    possible = Votes.from_dense([[vote] for vote in function.answers.values()], n_classes)
    spread, kinds = _spread(possible.symbols, possible.to_codes()[:, 0])
    prior = _ACCURACY * spread / np.maximum(spread.sum(0), 1e-12) + (1 - _ACCURACY) / len(kinds)
    prior /= prior.sum(0)
    counts = np.zeros_like(prior)
    if function.name in votes.source_names:
        own = votes.select_sources([function.name])
        likeliest, _ = _spread(own.symbols, np.maximum(own.to_codes()[:, 0], -1), merge=False)
        voted = own.to_codes()[:, 0] >= 0
        nearest = (likeliest @ spread.T).argmax(1)  # a soft vote counts as the answer that is nearest to it
        np.add.at(counts, nearest[voted], posterior[voted])
    likelihood: NDArray[np.float64] = (counts + _PRIOR_VOTES * prior) / (counts.sum(0) + _PRIOR_VOTES)
    return likelihood


def _spread(
    symbols: Symbols, codes: NDArray[np.signedinteger], *, merge: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.signedinteger]]:
    """[V, K] each vote spread over the classes it allows, an abstain over all; equal votes once, where merged."""
    kinds = np.unique(codes) if merge else codes
    table = np.vstack([symbols.distributions(), np.full((1, symbols.n_classes), 1 / symbols.n_classes)])
    return table[kinds].astype(float), kinds


def _gain(posterior: NDArray[np.float64], likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] expected fall of the entropy of posteriors [n, K], in nats."""
    gains = np.empty(len(posterior))
    for start in range(0, len(posterior), _ITEMS_PER_BLOCK):
        q = posterior[start : start + _ITEMS_PER_BLOCK]
        joint = q[:, None, :] * likelihood[None]
        marginal = joint.sum(2)
        after = joint / np.maximum(marginal, 1e-300)[:, :, None]
        gains[start : start + _ITEMS_PER_BLOCK] = entropy(q) - (marginal * entropy(after)).sum(1)
    return np.maximum(gains, 0.0)


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy along the last axis, in nats."""
    result: NDArray[np.float64] = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-300)), axis=-1)
    return result


class StopRule:
    """Decides when further rounds no longer move the soft labels.

    Args:
        tolerance: a round counts as still if the mean total variation distance of its soft labels from the last
            round's is below this.
        patience: the number of rounds in a row that must be still.
    """

    def __init__(self, tolerance: float = 0.01, patience: int = 2) -> None:
        if not 0 < tolerance < 1 or patience < 1:
            raise InvalidArgumentError("tolerance must be in (0, 1), patience at least 1", field="tolerance")
        self._tolerance, self._patience = tolerance, patience
        self._last: NDArray[np.float64] | None = None
        self._still = 0
        self.moved = float("nan")

    def update(self, posteriors: ArrayLike) -> bool:
        """Take the soft labels [N, K] of a round; whether it is time to stop. `moved` is their distance from the last.

        Raises:
            InvalidArgumentError: if the shape changes between rounds.
        """
        now = np.asarray(posteriors, float)
        if self._last is not None:
            if self._last.shape != now.shape:
                raise InvalidArgumentError(
                    f"posteriors must keep the shape {self._last.shape}, got {now.shape}", field="posteriors"
                )
            self.moved = float(np.abs(now - self._last).sum(1).mean() / 2)
            self._still = self._still + 1 if self.moved < self._tolerance else 0
        self._last = now
        return self._still >= self._patience
