"""Rankings of several items as columns of comparisons. Library and client share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weaklabel_protocol.errors import InvalidVotesError


def comparisons_from_rankings(
    rankings: Sequence[Sequence[Any]], judges: Sequence[Any] | None = None
) -> dict[str, list[Any]]:
    """Columns for `PreferenceModel.fit`, and of records: all pairs of each ranking, with the number of the ranking.

    By that number the model reads the pairs as one ranking, of Plackett and Luce (Luce 1959; Plackett 1975,
    doi:10.2307/2346567). What reads them as comparisons finds them weighted: of m items, m (m - 1) / 2 pairs out of
    m - 1 choices, each 3 / (m + 1); they have the same scores, less precisely (Azari Soufiani et al. 2013,
    "Generalized method-of-moments for rank aggregation", NeurIPS).

    Args:
        rankings: items of each, the best first; two or more.
        judges: of each ranking; "judge" where not given.

    Raises:
        InvalidVotesError: for a ranking of fewer than two items, one that holds an item twice, and judges that are not
            one for each ranking.
    """
    if judges is not None and len(judges) != len(rankings):
        raise InvalidVotesError(f"there are {len(judges)} judges for {len(rankings)} rankings", field="judges")
    columns: dict[str, list[Any]] = {name: [] for name in ("left", "right", "judge", "winner", "weight", "ranking")}
    for row, ranking in enumerate(rankings):
        if isinstance(ranking, str) or len(ranking) < 2 or len(set(ranking)) < len(ranking):
            raise InvalidVotesError(
                f"ranking {row} must hold two or more distinct items: {ranking!r}", field="rankings"
            )
        judge = "judge" if judges is None else judges[row]
        for at, better in enumerate(ranking):
            for worse in ranking[at + 1 :]:
                cells = (better, worse, judge, "left", pair_weight(len(ranking)), row)
                for name, value in zip(columns, cells, strict=True):
                    columns[name].append(value)
    return columns


def pair_weight(n_ranked: Any) -> Any:
    """What a pair of a ranking of m items is worth as a comparison: 3 / (m + 1).

    So weighted, the curvature of the likelihood of its pairs is its information (Godambe 1960,
    doi:10.1214/aoms/1177705693) where items are equal: m w / 4 = 3 m / (4 (m + 1)), as Var(rank) = (m^2 - 1) / 12.
    """
    return 3 / (n_ranked + 1)
