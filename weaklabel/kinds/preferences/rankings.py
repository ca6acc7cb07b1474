"""Rankings of more than two items, out of the comparisons that make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.kinds.preferences.records import LEFT, TIE, Comparisons, Rankings
from weaklabel.votes.validation import is_missing
from weaklabel_protocol.rankings import pair_weight


def with_rankings(
    comparisons: Comparisons, names: Sequence[Any], rows: NDArray[np.int64], *, weighted: bool
) -> Comparisons:
    """Comparisons of which some make rankings together.

    Args:
        comparisons: C of them.
        names: [C] what ranking each belongs to; missing of none.
        rows: [C] rows of the input, for messages.
        weighted: whether their weights were given; those of a ranking are else what a pair of it is worth.

    Raises:
        InvalidVotesError: for rows of one ranking that are not each pair of its items once, by one judge, in one order,
            or of unlike weight.
    """
    number: dict[Any, int] = {}
    code = np.array([-1 if is_missing(one) else number.setdefault(one, len(number)) for one in names], np.int64)
    order = np.argsort(code, kind="stable")
    order = order[code[order] >= 0]
    parts = [part for part in np.split(order, np.flatnonzero(np.diff(code[order])) + 1) if len(part) > 1]
    found = [_ranking(comparisons, part, rows, names) for part in parts]
    if not found:
        return comparisons
    longest = max(map(len, found))
    items = np.full((len(found), longest), -1, np.int32)
    weight, share = np.ones(len(found)), comparisons.weight.astype(np.float64)
    slots = np.full((2, len(code)), -1, np.int64)
    for at, (part, ranking) in enumerate(zip(parts, found, strict=True)):
        items[at, : len(ranking)] = ranking
        place = np.argsort(ranking)
        for side, column in enumerate((comparisons.left, comparisons.right)):
            slots[side, part] = at * longest + place[np.searchsorted(ranking, column[part], sorter=place)]
        if weighted:
            weight[at] = share[part[0]] / pair_weight(len(ranking))
        else:
            share[part] = pair_weight(len(ranking))
    return comparisons._replace(
        weight=share.astype(np.float32),
        rankings=Rankings(
            items=items,
            judge=comparisons.judge[[part[0] for part in parts]],
            weight=weight.astype(np.float32),
            slot_left=slots[0],
            slot_right=slots[1],
        ),
    )


def _ranking(
    comparisons: Comparisons, part: NDArray[np.int64], rows: NDArray[np.int64], names: Sequence[Any]
) -> NDArray[np.int32]:
    """The items of one ranking, the best first, out of its pairs."""
    left, right, outcome = (one[part] for one in (comparisons.left, comparisons.right, comparisons.outcome))
    items, wins = np.unique(np.concatenate([left, right]), return_inverse=True)
    better = wins.reshape(2, -1)[np.where(outcome == LEFT, 0, 1), np.arange(len(part))]
    won = np.bincount(better, minlength=len(items))
    in_order = np.array_equal(np.sort(won), np.arange(len(items)))
    if len(np.unique(np.sort(np.stack([left, right]), 0), axis=1).T) < len(part) or 2 * len(part) != len(items) * (
        len(items) - 1
    ):
        reason = f"must hold each pair of its {len(items)} items once"
    elif (outcome == TIE).any() or not in_order:
        reason = "has no order: its winners go round, or there is a tie"
    elif np.ptp(comparisons.judge[part]) > 0:
        reason = "is of several judges"
    elif comparisons.first[part].any():
        reason = "has pairs of which one is shown first"
    elif np.ptp(comparisons.weight[part]) > 1e-6:
        reason = "has pairs of unlike weight"
    else:
        return np.asarray(items[np.argsort(-won)], np.int32)
    raise InvalidVotesError(f"row {rows[part[0]]}: ranking {names[part[0]]!r} {reason}", field="ranking")
