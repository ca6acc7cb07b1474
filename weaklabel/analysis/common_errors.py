"""Items on which two sources err together: sums over the items that both vote on, for each two of M sources.

Items are counted by bits; what is expected of dense votes is multiplied block by block, class by class; where most
cells are empty, or classes are many, votes are multiplied as sparse tables.

Shapes: N items, M sources that vote, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from weaklabel.analysis.shared_items import bits_of, blocks_of, by_source, count_both, count_together
from weaklabel.errors import InvalidArgumentError
from weaklabel.side_information.gold import as_gold
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes import Codes, Votes

DENSE = 0.05
"""Share of filled cells from which on dense work is faster than sparse products, ..."""
DENSE_CLASSES = 20
"""... of so many classes at most: each is a pass over the matrix."""
BLOCK_CELLS = 100_000
"""Of votes that are multiplied at once: what a processor's cache holds."""
ONE_THREAD = 2**18
"""Multiplications of a product that OpenBLAS leaves to one thread: to wake others takes longer than the product."""
LEAST_ROWS = 32
"""Fewer to a product are not worth a call; then products are large, and threads pay."""


class Sums(NamedTuple):
    """Sums over items that both sources of a pair vote on, [M, M] each."""

    shared: NDArray[np.float64]
    """Items."""
    wrong: NDArray[np.float64]
    """Expected errors of the first source."""
    both: NDArray[np.float64]
    """Expected items on which both are wrong."""

    def without(self, other: Sums) -> Sums:
        """The sums over the other items."""
        return Sums(self.shared - other.shared, self.wrong - other.wrong, self.both - other.both)

    def rates(self) -> NDArray[np.float64]:
        """[M, M] error rate of the first source on the shared items."""
        return self.wrong / np.maximum(self.shared, 1)

    def covariance(self) -> NDArray[np.float64]:
        """[M, M] covariance of the errors; 0 where no item is shared."""
        rates = self.rates()
        return self.both / np.maximum(self.shared, 1) - rates * rates.T


class CommonErrors(NamedTuple):
    """Sums over random groups of the items with a label and a vote."""

    groups: list[Sums]
    voting: NDArray[np.intp]
    """[M] positions of the sources that vote on such items."""
    n_items: int

    def total(self) -> Sums:
        """Of all items."""
        return Sums(*(np.sum(arrays, axis=0) for arrays in zip(*self.groups, strict=True)))


def common_errors(votes: Votes, labels: ArrayLike, n_groups: int) -> CommonErrors:
    """Sums over the items of each group; by gold errors are counted, by soft labels they are expected.

    Args:
        votes: plain ones.
        labels: gold [N], -1 where unknown, or soft labels [N, K].
        n_groups: groups at most.

    Raises:
        InvalidArgumentError: for labels that do not fit the votes, and where there is no vote on an item with a label.
    """
    soft = _read_soft_labels(labels, votes) if are_soft(labels) else None
    gold = as_gold(labels, votes) if soft is None else None
    cells = max(votes.n_items * votes.n_sources, 1)
    few_classes = gold is not None or votes.n_classes <= DENSE_CLASSES
    dense = not votes.is_sparse and few_classes and votes.n_votes >= DENSE * cells
    return (_of_matrix if dense else _of_triples)(votes, gold, soft, n_groups)


def are_soft(labels: ArrayLike) -> bool:
    """Whether labels are soft ones [N, K], and not gold [N] or a column of it."""
    return np.ndim(labels) == 2 and np.shape(labels)[1] > 1


def _read_soft_labels(labels: ArrayLike, votes: Votes) -> NDArray[np.float64]:
    soft = read_numbers(labels, "labels", votes.n_items, votes.item_ids)
    if soft.shape != (votes.n_items, votes.n_classes):
        raise InvalidArgumentError(
            f"labels must be gold [{votes.n_items}] or soft labels [{votes.n_items}, {votes.n_classes}], got shape "
            f"{soft.shape}",
            field="labels",
        )
    if not (np.isfinite(soft).all() and (soft >= 0).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
        raise InvalidArgumentError("soft labels must lie in [0, 1], and rows sum to one", field="labels")
    return np.minimum(soft, 1)


def _groups(n_items: int, n_groups: int) -> Iterator[NDArray[np.intp]]:
    """Positions of the items of each group."""
    n_groups = min(n_groups, n_items)
    group = np.random.default_rng(0).permutation(n_items) % n_groups
    order = np.argsort(group, kind="stable")
    return iter(np.split(order, np.cumsum(np.bincount(group, minlength=n_groups))[:-1]))


def _refuse_nothing(n_items: int) -> None:
    if not n_items:
        raise InvalidArgumentError("there is no vote on an item with a label", field="labels")


def _of_matrix(
    votes: Votes, gold: NDArray[np.int32] | None, soft: NDArray[np.float64] | None, n_groups: int
) -> CommonErrors:
    codes = votes.to_codes()
    judged = np.flatnonzero((codes.max(axis=1, initial=-1) >= 0) & (True if gold is None else gold >= 0))
    _refuse_nothing(len(judged))
    found = list[Sums]()
    for group in _groups(len(judged), n_groups):
        shared, right, both_right = np.zeros((3, votes.n_sources, votes.n_sources))
        for some in blocks_of(len(group), votes.n_sources):
            items = judged[group[some]]
            block = codes.take(items, axis=0)
            laid_out = by_source(block)
            there = bits_of(laid_out >= 0)
            shared += count_both(there)
            if gold is not None:
                labels = np.full(laid_out.shape[1], -2, gold.dtype)
                labels[: len(items)] = gold[items]
                as_gold_says = bits_of(laid_out == labels)
                right += count_together(as_gold_says, there)
                both_right += count_both(as_gold_says)
            elif soft is not None:
                _add_expected(block, soft, items, right, both_right)
        errors = shared - right
        found.append(Sums(shared=shared, wrong=errors, both=errors + errors.T - shared + both_right))
    voting = np.flatnonzero(sum(one.shared.diagonal() for one in found) > 0)
    at = np.ix_(voting, voting)
    return CommonErrors([Sums(*(array[at] for array in one)) for one in found], voting, len(judged))


def _add_expected(
    codes: Codes,
    soft: NDArray[np.float64],
    items: NDArray[np.intp],
    right: NDArray[np.float64],
    both_right: NDArray[np.float64],
) -> None:
    """Adds the expected right votes of one source beside a vote of the other, and of both, to sums [M, M].

    Args:
        codes: [n, M] votes on some items.
        soft: [N, K] soft labels of all.
        items: [n] positions of the items.
        right: of one source where both vote.
        both_right: of both, which then vote for the same class.
    """
    n_sources = codes.shape[1]
    per_product = max(1, min(BLOCK_CELLS // n_sources, ONE_THREAD // n_sources**2))
    per_product = per_product if per_product >= LEAST_ROWS else BLOCK_CELLS // n_sources or 1
    step = max(1, BLOCK_CELLS // n_sources // per_product) * per_product
    for start in range(0, len(items), step):
        block = codes[start : start + step]
        shape = (-(-len(block) // per_product), per_product, n_sources)
        padded = np.full((shape[0] * per_product, n_sources), -1, codes.dtype)
        padded[: len(block)] = block
        chance = np.zeros((len(padded), soft.shape[1]))
        chance[: len(block)] = soft.take(items[start : start + step], axis=0)
        likely = np.zeros(padded.shape)
        for k in range(soft.shape[1]):
            says = (padded == k).astype(np.float64)
            weighted = says * chance[:, k, None]
            both_right += (says.reshape(shape).transpose(0, 2, 1) @ weighted.reshape(shape)).sum(axis=0)
            likely += weighted
        there = (padded >= 0).astype(np.float64)
        right += (likely.reshape(shape).transpose(0, 2, 1) @ there.reshape(shape)).sum(axis=0)


def _of_triples(
    votes: Votes, gold: NDArray[np.int32] | None, soft: NDArray[np.float64] | None, n_groups: int
) -> CommonErrors:
    items, sources, codes = votes.triples()
    if gold is not None:
        known = gold[items] >= 0
        items, sources, codes = items[known], sources[known], codes[known]
    _refuse_nothing(len(items))
    right = (codes == gold[items]).astype(np.float64) if gold is not None else np.asarray(soft)[items, codes]
    voting, column = np.unique(sources, return_inverse=True)
    judged, row = np.unique(items, return_inverse=True)
    # a row for each different label that an item was given
    keys = row.astype(np.int64) * (int(codes.max()) + 1) + codes
    answers, answer = np.unique(keys, return_inverse=True)
    asked = np.zeros(len(answers), np.int64)
    asked[answer] = row
    shape = len(judged), len(voting)
    there = csr_array((np.ones(len(row)), (row, column)), shape)
    wrong = csr_array((1 - right, (row, column)), shape)
    alike = csr_array((np.sqrt(right), (answer, column)), (len(answers), len(voting)))
    found = list[Sums]()
    for group in _groups(len(judged), n_groups):
        chosen = np.zeros(len(judged), bool)
        chosen[group] = True
        of_group, given = there[chosen], alike[chosen[asked]]
        shared, errors = (of_group.T @ of_group).toarray(), (wrong[chosen].T @ of_group).toarray()
        both = errors + errors.T - shared + (given.T @ given).toarray()
        found.append(Sums(shared=shared, wrong=errors, both=both))
    return CommonErrors(found, voting.astype(np.intp), len(judged))
