"""What is doubtful about a fit to tags: in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weaklabel.kinds.tags.cells import NO, OMITTED, YES
from weaklabel.kinds.tags.pipeline import Fitted
from weaklabel.model.report.diagnostics import Finding

ENOUGH_VOTES = 20
"""Votes of a source below which nothing is said of it."""
MOST_NAMED = 5
"""Sources that a message names."""


def source_evidence(fitted: Fitted, n_sources: int) -> np.ndarray:
    """[M] log odds by which a source's vote yes is more for a tag than its no or its omission; mean over its tags."""
    pairs, ratio = fitted.params.pairs, fitted.params.log_ratio
    omits = ~pairs.explicit[pairs.source]
    evidence = ratio[:, YES] - np.where(omits, ratio[:, OMITTED], ratio[:, NO])
    count = np.bincount(pairs.source, minlength=n_sources)
    return np.bincount(pairs.source, evidence, minlength=n_sources) / np.maximum(count, 1)


def diagnose(names: Sequence[str], fitted: Fitted, unlisted: str) -> tuple[Finding, ...]:
    """What there is to say of a fit."""
    found = []
    if not fitted.converged:
        found.append(Finding("converged", f"weights did not settle in {fitted.n_iter} rounds: raise max_iter"))
    told = fitted.params.n_votes >= ENOUGH_VOTES
    against = np.flatnonzero(told & (source_evidence(fitted, len(names)) <= 0))
    if len(against):
        shown = ", ".join(repr(names[at]) for at in against[:MOST_NAMED].tolist())
        found.append(Finding("against", f"votes of {shown} go against the others': look for answers turned round"))
    if unlisted == "unknown" and not fitted.params.pairs.explicit.any():
        words = (
            'no source says no, and an unlisted tag says nothing: every listed tag is likely; take unlisted="learned"'
        )
        found.append(Finding("only_yes", words))
    return tuple(found)
