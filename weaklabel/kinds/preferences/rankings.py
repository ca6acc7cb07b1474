"""Rankings of more than two items as comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weaklabel.errors import InvalidVotesError


def comparisons_from_rankings(
    rankings: Sequence[Sequence[Any]], judges: Sequence[Any] | None = None
) -> dict[str, list[Any]]:
    """Columns for `PreferenceModel.fit`: each ranking broken into the comparisons of all of its pairs.

    Comparisons of all pairs of a ranking by Plackett and Luce (Luce 1959; Plackett 1975, doi:10.2307/2346567) follow
    Bradley and Terry's model with the same scores, so that breaking is consistent (Azari Soufiani et al. 2013,
    "Generalized method-of-moments for rank aggregation", NeurIPS). The pairs of one ranking are not independent: m
    items make m (m - 1) / 2 pairs out of m - 1 choices, so each pair weighs 2 / m.

    Args:
        rankings: items of each, the best first; two or more.
        judges: of each ranking; "judge" where not given.

    Raises:
        InvalidVotesError: for a ranking of fewer than two items, one that holds an item twice, and judges that are not
            one for each ranking.
    """
    if judges is not None and len(judges) != len(rankings):
        raise InvalidVotesError(f"there are {len(judges)} judges for {len(rankings)} rankings", field="judges")
    columns: dict[str, list[Any]] = {name: [] for name in ("left", "right", "judge", "winner", "weight")}
    for row, ranking in enumerate(rankings):
        if isinstance(ranking, str) or len(ranking) < 2 or len(set(ranking)) < len(ranking):
            raise InvalidVotesError(
                f"ranking {row} must hold two or more distinct items: {ranking!r}", field="rankings"
            )
        judge = "judge" if judges is None else judges[row]
        for at, better in enumerate(ranking):
            for worse in ranking[at + 1 :]:
                for name, value in zip(columns, (better, worse, judge, "left", 2 / len(ranking)), strict=True):
                    columns[name].append(value)
    return columns
