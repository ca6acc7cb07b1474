"""Judgements of pairs out of a run that asked both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from weaklabel.labeling.failures import Failure
from weaklabel.prompts.requests.pairs import SIDES, Pairs
from weaklabel.prompts.runner.outcome import Outcome

TIE = 2


def winners(outcome: Outcome) -> NDArray[np.int8]:
    """[N, J, 2] who wins where left is shown first, and where right is: 0 left, 1 right, 2 tie, -1 none."""
    codes = np.maximum(outcome.votes.to_codes(), -1).astype(np.int8)
    in_order = codes.reshape(-1, 2, codes.shape[1]).transpose(0, 2, 1).copy()
    turned = in_order[:, :, 1]
    in_order[:, :, 1] = np.where((turned >= 0) & (turned != TIE), 1 - turned, turned)
    return in_order


def comparisons(pairs: Pairs, judges: Sequence[str], won: NDArray[np.int8]) -> dict[str, list[str]]:
    """Columns for `PreferenceModel.fit`, a row for each judgement, pair by pair."""
    columns: dict[str, list[str]] = {name: [] for name in ("left", "right", "judge", "winner", "shown_first")}
    words = (*SIDES, "tie")
    for pair, judge, order in np.argwhere(won >= 0).tolist():
        row = (pairs.left[pair], pairs.right[pair], judges[judge], words[won[pair, judge, order]], SIDES[order])
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns


def consistency(won: NDArray[np.int8]) -> NDArray[np.float64]:
    """[J] share of the pairs answered in both orders that have the same winner in both; NaN where there are none."""
    both = (won >= 0).all(2)
    same = both & (won[:, :, 0] == won[:, :, 1])
    shares = np.full(won.shape[1], np.nan)
    np.divide(same.sum(0), both.sum(0), out=shares, where=both.any(0))
    return shares


def of_pairs(failures: Sequence[Failure]) -> list[Failure]:
    """The failures by pair, with the order in which it was shown."""
    return [
        replace(one, item=one.item // 2, error=f"{SIDES[one.item % 2]} shown first: {one.error}") for one in failures
    ]
