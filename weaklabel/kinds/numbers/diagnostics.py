"""What is doubtful about a fit to numbers: as data, and in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weaklabel.kinds.numbers import settings
from weaklabel.kinds.numbers.pipeline import Fitted
from weaklabel.model.report.diagnostics import Finding

MOST_NAMED = 5
"""Sources that a message names."""
GROSS = 0.2
"""Share of gross errors from which a source is named."""
ENOUGH_VOTES = 5
"""Votes of a source below which nothing is said of it."""
NARROW = 2.0
"""Factor of the width by gold from which it is a finding."""
SHARED_SHIFT = 0.3
"""Predictive standard deviations that all sources miss together, from which that is a finding."""


@dataclass(frozen=True, repr=False)
class NumericDiagnostics:
    """What a fit says about itself. `print` it for the findings."""

    findings: tuple[Finding, ...]
    """What is doubtful; empty where nothing is."""
    effective_votes: float
    """Median over the items."""
    gross: tuple[str, ...]
    """Sources of which at least a fifth of the votes have nothing to do with the items."""
    reversed: tuple[str, ...]
    """Sources whose votes fall when values rise."""
    exact: tuple[str, ...]
    """Sources that repeat consensus nearly exactly: consensus may be made of them."""
    shared_shift: float
    """What all sources miss together by gold, in predictive standard deviations; 0 without gold."""
    width: float
    """Factor of the predictive variance by gold; 1 without."""
    converged: bool

    def __str__(self) -> str:
        lines = [finding.message for finding in self.findings] or ["nothing doubtful was found"]
        return "\n".join(f"- {line}" for line in lines)

    def __repr__(self) -> str:
        kinds = ", ".join(finding.kind for finding in self.findings) or "none"
        return f"NumericDiagnostics(findings: {kinds}; print it for the words)"


def diagnose(names: Sequence[str], fitted: Fitted) -> NumericDiagnostics:
    """What there is to say of a fit."""
    params = fitted.params
    told = params.n_votes >= ENOUGH_VOTES
    gross = _those(names, told & (1 - params.genuine / np.maximum(params.n_votes, 1) >= GROSS))
    upside_down = _those(names, told & (params.gain + 2 * params.gain_sd < 0))
    exact = _those(names, told & (params.scale < settings.EXACT_VARIANCE))
    gold = params.gold
    few = (
        f"items have {fitted.effective:.1f} effective votes in the median: the width of intervals rests on the pooled"
        " sources more than on the items' own scatter"
    )
    repeats = f"{_list(exact)} repeat consensus nearly exactly: if they copy each other, leave out all but one"
    together = (
        f"by gold, sources miss together by {gold.shift:+.2f} predictive standard deviations: predictions are moved by"
        " that much"
    )
    wider = (
        f"by gold, errors have {gold.width:.1f} times the predicted variance: intervals are widened; raise common_error"
    )
    unit = f"at least {100 * GROSS:.0f} % of the votes of {_list(gross)} are gross errors: look for another unit"
    turned = f"votes of {_list(upside_down)} fall when values rise: look for a scale that runs the other way"
    found = [
        (not fitted.converged, "converged", f"EM did not converge in {fitted.n_iter} iterations: raise max_iter"),
        (fitted.effective < settings.FEWEST_PER_ITEM, "few_votes", few),
        (bool(gross), "gross", unit),
        (bool(upside_down), "reversed", turned),
        (bool(exact), "exact", repeats),
        (abs(gold.shift) > SHARED_SHIFT, "shared_shift", together),
        (gold.width > NARROW, "width", wider),
    ]
    return NumericDiagnostics(
        findings=tuple(Finding(kind, message) for holds, kind, message in found if holds),
        effective_votes=fitted.effective,
        gross=gross,
        reversed=upside_down,
        exact=exact,
        shared_shift=params.gold.shift,
        width=params.gold.width,
        converged=fitted.converged,
    )


def _those(names: Sequence[str], which: Any) -> tuple[str, ...]:
    return tuple(names[at] for at in np.flatnonzero(which).tolist())


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:MOST_NAMED]))
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown
