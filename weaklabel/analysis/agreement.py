"""How far each two sources agree, raw and beyond chance."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from weaklabel.analysis.shared_items import bits_of, blocks_of, by_source, count_both, count_together
from weaklabel.errors import InvalidVotesError
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

DENSE = 0.05
"""Share of filled cells from which on counting bits is faster than sparse products, ..."""
DENSE_CLASSES = 20
"""... of so many classes at most: each is a pass over the matrix."""


class PairwiseAgreement(NamedTuple):
    """Agreement of each two of M sources, on the items that both vote on."""

    items: NDArray[np.int64]
    """[M, M] number of these items."""
    raw: NDArray[np.float64]
    """[M, M] share of them on which both say the same; NaN without items."""
    kappa: NDArray[np.float64]
    """[M, M] Cohen's kappa; NaN without items, and where both always vote for the same one class."""
    sources: tuple[str, ...]
    """M names."""

    def to_pandas(self) -> pd.DataFrame:
        """A line for each two sources that share items: source, other, items, raw, kappa.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        at, other = np.nonzero(np.triu(self.items, 1))
        names = np.array(self.sources, object)
        columns = {"items": self.items, "raw": self.raw, "kappa": self.kappa}
        frame: pd.DataFrame = pandas().DataFrame(
            {"source": names[at], "other": names[other]} | {name: values[at, other] for name, values in columns.items()}
        )
        return frame


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
    cells = max(votes.n_items * votes.n_sources, 1)
    dense = not votes.is_sparse and votes.n_classes <= DENSE_CLASSES and votes.n_votes >= DENSE * cells
    shared, same, chance = (_of_matrix if dense else _of_triples)(votes)
    with np.errstate(divide="ignore", invalid="ignore"):
        same /= shared
        chance /= shared
        chance /= shared
        kappa = np.where(1 - chance > 1e-12, (same - chance) / (1 - chance), np.nan)
    return PairwiseAgreement(items=shared.astype(np.int64), raw=same, kappa=kappa, sources=votes.source_names)


def _of_matrix(votes: Votes) -> tuple[NDArray[np.float64], ...]:
    """[M, M] shared items, those on which both say the same, and sums over the classes of what one times the other
    says; by bits, block by block.
    """
    codes, n_sources = votes.to_codes(), votes.n_sources
    shape = (n_sources, n_sources)
    shared, same, chance = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    beside = np.zeros((votes.n_classes, *shape))
    for items in blocks_of(*votes.shape):
        block = by_source(codes[items])
        there = bits_of(block >= 0)
        shared += count_both(there)
        for k in range(votes.n_classes):
            says = bits_of(block == k)
            same += count_both(says)
            beside[k] += count_together(says, there)
    for of_class in beside:
        chance += of_class * of_class.T
    return shared, same, chance


def _of_triples(votes: Votes) -> tuple[NDArray[np.float64], ...]:
    """The same by sparse products."""
    items, sources, labels = votes.triples()
    shape = votes.n_items, votes.n_sources
    there = csr_array((np.ones(len(items)), (items, sources)), shape=shape)
    same, chance = (csr_array((votes.n_sources, votes.n_sources)) for _ in range(2))
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(votes.n_classes + 1))
    for start, stop in pairwise(ends.tolist()):
        if start == stop:
            continue
        at = order[start:stop]
        says = csr_array((np.ones(len(at)), (items[at], sources[at])), shape=shape)
        same = same + says.T @ says
        beside = (says.T @ there).tocsr()
        chance = chance + beside.multiply(beside.T)
    return (there.T @ there).toarray(), same.toarray(), chance.toarray()
