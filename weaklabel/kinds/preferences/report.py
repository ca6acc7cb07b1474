"""What a fit to comparisons says of itself: findings in words, and tables of items and judges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.kinds.preferences.records import Fitted

QUANTILE = 1.6448536
"""Of intervals that hold 90 %."""
DOUBT, ENOUGH_GOLD = 0.5, 20
"""Doubt of independence above which it is a finding, unless there are so many known pairs."""
FEW_COMPARISONS = 3
"""Comparisons of an item below which its score is mostly what is expected of any item."""
LARGE_BIAS = 0.5
"""Position bias that is a finding where its interval lies beyond: .62 for the first of two equal items."""


class Finding(NamedTuple):
    """One thing that is doubtful."""

    kind: str
    """For programs."""
    message: str
    """What it is, and what to do about it."""


class PreferenceDiagnostics(NamedTuple):
    """What is doubtful about a fit; `print` it for the words."""

    findings: tuple[Finding, ...]
    doubt: float
    """In [0, 1]: 0 where judges err independently, 1 where that is refuted or cannot be tested."""
    residual_correlation: float
    """Root mean square of the correlations of what two judges answer beyond the scores."""

    def __str__(self) -> str:
        return "\n".join(f"- {one.message}" for one in self.findings) or "- nothing doubtful was found"


def diagnose(fitted: Fitted, items: tuple[str, ...], judges: tuple[str, ...]) -> PreferenceDiagnostics:
    """The findings of a fit."""
    found = (*_of_judges(fitted, judges), *_of_items(fitted, items), *_of_the_fit(fitted))
    return PreferenceDiagnostics(found, float(fitted.doubt), float(fitted.residual))


def item_columns(fitted: Fitted, items: tuple[str, ...]) -> dict[str, Any]:
    """Columns of the table of items."""
    own = fitted.variance - float(fitted.spread) / np.bincount(fitted.component)[fitted.component]
    margin = QUANTILE * np.sqrt(np.maximum(np.where(fitted.n_comparisons > 0, own, fitted.variance), 0))
    return {
        "item": list(items),
        "score": fitted.scores,
        "low": fitted.scores - margin,
        "high": fitted.scores + margin,
        "comparisons": fitted.n_comparisons,
        "component": fitted.component,
    }


def judge_columns(fitted: Fitted, judges: tuple[str, ...]) -> dict[str, Any]:
    """Columns of the table of judges."""
    of_skill, of_bias = QUANTILE * np.sqrt(fitted.skill_variance), QUANTILE * np.sqrt(fitted.bias_variance)
    return {
        "judge": list(judges),
        "comparisons": fitted.n_judged,
        "accuracy": fitted.accuracy,
        "skill": fitted.skill,
        "skill_low": fitted.skill - of_skill,
        "skill_high": fitted.skill + of_skill,
        "position_bias": fitted.bias,
        "position_bias_low": fitted.bias - of_bias,
        "position_bias_high": fitted.bias + of_bias,
        "tie_width": fitted.tie,
    }


def _listed(names: tuple[str, ...], chosen: NDArray[np.bool_]) -> str:
    some = [repr(names[at]) for at in np.flatnonzero(chosen)[:5]]
    more = int(chosen.sum()) - len(some)
    return ", ".join(some) + (f" and {more} more" if more else "")


def _of_judges(fitted: Fitted, judges: tuple[str, ...]) -> Iterator[Finding]:
    n_gold = 0 if fitted.gold is None else int(fitted.gold.n_labels)
    if fitted.doubt > DOUBT and n_gold < ENOUGH_GOLD:
        why = (
            f"agree more than they would if each erred on its own (correlation {fitted.residual:.2f} beyond the scores)"
            if fitted.residual > 0
            else "may err together, which so few common comparisons cannot test"
        )
        yield Finding(
            "doubt",
            f"Judges {why}: what they share may be an error, which votes alone cannot exclude. Probabilities are drawn "
            f"to even ones. Find out the winners of about {ENOUGH_GOLD} pairs, drawn at random, and fit with `gold`.",
        )
    voted = fitted.n_judged > 0
    if (~voted).any():
        yield Finding("silent", f"Judges without a comparison: {_listed(judges, ~voted)}.")
    against = voted & (fitted.skill + QUANTILE * np.sqrt(fitted.skill_variance) < 0)
    if against.any():
        yield Finding(
            "adversarial",
            f"Judges against the better item: {_listed(judges, against)}. Their answers count the other way round. "
            "Check them for exchanged sides.",
        )
    biased = np.abs(fitted.bias) - QUANTILE * np.sqrt(fitted.bias_variance) > LARGE_BIAS
    biased &= fitted.n_ordered > 0
    if biased.any():
        yield Finding(
            "position_bias",
            f"Judges who go by the order in which items are shown: {_listed(judges, biased)}. Ask them in both orders.",
        )
    if not fitted.n_ordered.any():
        yield Finding(
            "order_unknown",
            "The order in which items were shown is not known: position bias is not estimated. Give `shown_first`, "
            "which rankings do not have.",
        )


def _of_items(fitted: Fitted, items: tuple[str, ...]) -> Iterator[Finding]:
    size = np.bincount(fitted.component)[fitted.component]
    never = fitted.n_comparisons == 0
    if never.any():
        yield Finding("never_compared", f"Items without a comparison, whose score is 0: {_listed(items, never)}.")
    few = (size > 2) & (fitted.n_comparisons < FEW_COMPARISONS) & ~never
    if few.any():
        yield Finding(
            "sparse",
            f"{int(few.sum())} items have fewer than {FEW_COMPARISONS} comparisons, and scores drawn to 0: "
            f"{_listed(items, few)}.",
        )
    n_components = len(np.unique(fitted.component[size > 2]))
    if n_components > 1:
        yield Finding(
            "components",
            f"{n_components} groups of items are never compared with each other: scores are relative to the mean of "
            "their group.",
        )


def _of_the_fit(fitted: Fitted) -> Iterator[Finding]:
    if not fitted.converged:
        yield Finding(
            "converged", f"The fit did not converge within {len(fitted.objective)} iterations: raise max_iter."
        )
