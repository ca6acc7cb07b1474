"""How far each two sources agree, raw and beyond chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from weaklabel.errors import InvalidVotesError
from weaklabel.votes import Votes, check_votes


class PairwiseAgreement(NamedTuple):
    """Agreement of each two of M sources, on the items that both vote on."""

    items: NDArray[np.int64]
    """[M, M] number of these items."""
    raw: NDArray[np.float64]
    """[M, M] share of them on which both say the same; NaN without items."""
    kappa: NDArray[np.float64]
    """[M, M] Cohen's kappa; NaN without items, and where both always vote for the same one class."""


def pairwise_agreement(votes: Votes) -> PairwiseAgreement:
    """Agreement of each two sources: raw, and Cohen's kappa (1960, doi:10.1177/001316446002000104).

    kappa = (raw - chance) / (1 - chance), with chance the agreement of two sources that vote as often for each class
    as these do on the shared items, but independently.

    Args:
        votes: N items, M sources, K classes; plain votes only. Takes several arrays [M, M].

    Raises:
        InvalidVotesError: for candidate sets and soft votes.
    """
    if not check_votes(votes).is_plain:
        raise InvalidVotesError("agreement is of votes for one class each, without candidate sets and soft votes")
    items, sources, labels = votes.triples()
    shape = votes.n_items, votes.n_sources
    there = csr_array((np.ones(len(items)), (items, sources)), shape=shape)
    shared = (there.T @ there).toarray()
    same, chance = np.zeros_like(shared), np.zeros_like(shared)
    for k in range(votes.n_classes):
        of_class = labels == k
        says = csr_array((np.ones(np.count_nonzero(of_class)), (items[of_class], sources[of_class])), shape=shape)
        same += (says.T @ says).toarray()
        beside = (says.T @ there).toarray()
        chance += beside * beside.T
    with np.errstate(divide="ignore", invalid="ignore"):
        raw, chance = same / shared, chance / shared**2
        kappa = np.where(1 - chance > 1e-12, (raw - chance) / (1 - chance), np.nan)
    return PairwiseAgreement(items=shared.round().astype(np.int64), raw=raw, kappa=kappa)
