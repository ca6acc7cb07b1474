"""Unipolar sources: those that vote for part of the classes only, so that their silence is no information."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.votes import Votes

LEAST_EXPECTED = 0.3
"""Classes beyond the first that a source must be expected to use, for those it does not use to count wholly."""
MOSTLY = 0.95
"""Share of the items with votes on which a constant source votes."""


def unipolarity(vote_counts: NDArray[np.float64], together: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """How far each source votes for fewer classes than so many votes of all sources would.

    A source of F votes that voted as all do together would use sum over c of 1 - (1 - p_c)^F classes, p the shares of
    all votes. What it lacks of that, in shares of what is beyond one class, is its unipolarity: a source that says "no"
    99 times in 100, as all do, is not unipolar.

    Args:
        vote_counts: [M, K] votes of each source for each class.
        together: [K] those of all sources taken for one, where votes are for several classes: what it lacks is no sign.

    Returns:
        [M] in [0, 1].
    """
    pooled = vote_counts.sum(0) + 0.5
    if together is not None:
        *found, of_all = _lacking(np.concatenate([vote_counts, together[None]]), pooled)
        return np.asarray(np.clip((np.asarray(found) - of_all) / max(1 - of_all, LEAST_EXPECTED), 0, 1))
    return _lacking(vote_counts, pooled)


def _lacking(vote_counts: NDArray[np.float64], pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    n_votes = vote_counts.sum(1)
    shares = pooled / pooled.sum()
    expected = (1 - (1 - shares[None]) ** n_votes[:, None]).sum(1)
    used = np.minimum(vote_counts, 1).sum(1)
    lacking = (expected - used) / np.maximum(expected - 1, LEAST_EXPECTED)
    return np.asarray(np.where(n_votes > 0, np.clip(lacking, 0, 1), 0.0))


def constant_sources(
    vote_counts: NDArray[np.float64], votes: Votes, weight: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """[M] sources that vote for one class only, on nearly all items with votes: they say nothing of any item.

    None where no other source votes.

    Args:
        vote_counts: [M, K] votes of each source for each class.
        votes: U distinct rows.
        weight: [U] how many items have each.
    """
    n_votes = vote_counts.sum(1)
    constant = ((vote_counts > 0).sum(1) == 1) & (n_votes >= MOSTLY * n_votes.max(initial=0))
    if constant.any():
        covered = np.zeros(votes.n_items, bool)
        covered[votes.triples()[0]] = True
        constant &= n_votes >= MOSTLY * weight[covered].sum()
    return np.asarray(constant & ~(constant | (n_votes == 0)).all())
