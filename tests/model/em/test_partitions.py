"""Fits to votes in partitions: the model of the fit in memory. The partitions lie in processes of a pool here."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from functools import reduce
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.em.partitions import draw_from_partitions, rank_limit
from weaklabel.model.em.subsample import draw_subsample, row_ranks
from weaklabel.votes.partitions import PartitionedVotes

R = TypeVar("R")


class Pickled(PartitionedVotes):
    """Partitions to which functions, and from which results, go as bytes; sums are added from the right."""

    def __init__(self, codes: NDArray[np.int8], n_classes: int, cuts: list[int]) -> None:
        self.n_classes, self.source_names = n_classes, tuple(map(str, range(codes.shape[1])))
        self.parts = np.split(codes, cuts)
        self.scanned_for: list[str] = []

    def reduce(
        self, of_partition: Callable[[int, Iterable[Votes]], R], add: Callable[[R, R], R], *, ids: bool = False
    ) -> R:
        self.scanned_for.append(type(of_partition).__name__)
        results, first = [], 0
        for number, part in enumerate(self.parts):
            names = np.array([f"item {row}" for row in range(first, first + len(part))])
            first += len(part)
            votes = [
                Votes.from_codes(some, self.n_classes, sources=self.source_names, items=own if ids else None)
                for some, own in ((part[:7], names[:7]), (part[7:], names[7:]))
            ]
            results.append(pickle.loads(pickle.dumps(of_partition))(number, votes))
        sent = [pickle.loads(pickle.dumps(result)) for result in results]
        total: R = reduce(lambda right, left: add(left, right), reversed(sent))
        return total


def simulate(n_items: int, n_sources: int, n_classes: int) -> NDArray[np.int8]:
    rng = np.random.default_rng(0)
    shape = (n_items, n_sources)
    truth = rng.integers(0, n_classes, (n_items, 1))
    right = rng.random(shape) < rng.uniform(0.6, 0.9, n_sources)
    votes = np.where(right, truth, (truth + rng.integers(1, n_classes, shape)) % n_classes)
    return np.where(rng.random(shape) < 0.5, votes, -1).astype(np.int8)


CUTS = [3000, 3001, 9000]


def test_the_sample_is_that_of_votes_in_memory() -> None:
    codes = simulate(12_000, 14, 3)
    drawn = draw_from_partitions(Pickled(codes, 3, CUTS), 1000, seed=3).sample
    expected = draw_subsample(Votes.from_codes(codes, 3), 1000, 3)
    assert drawn.is_sample
    np.testing.assert_array_equal(drawn.rows.votes.to_codes(), expected.votes.to_codes())
    np.testing.assert_array_equal(drawn.rows.weight, expected.weight)


@pytest.mark.parametrize(("n_items", "size"), [(5, 1), (5, 4), (5, 5), (100_000, 1000)])
def test_the_limit_lets_so_many_rows_in(n_items: int, size: int) -> None:
    assert np.count_nonzero(row_ranks(0, n_items, 3) <= rank_limit(n_items, size, 3)) == size


@pytest.mark.parametrize(
    ("n_sources", "sample_rows", "is_sample"),
    [(14, 1000, True), (14, 2**16, False), (6, 5000, False)],
    ids=["a sample and passes", "distinct rows by key", "distinct rows by number"],
)
def test_parameters_are_those_of_the_fit_in_memory(n_sources: int, sample_rows: int, is_sample: bool) -> None:
    codes = simulate(12_000, n_sources, 3)
    votes = Pickled(codes, 3, CUTS)
    model, in_memory = (
        LabelModel(3, sample_rows=sample_rows).fit(votes),
        LabelModel(3, sample_rows=sample_rows).fit(codes),
    )
    for name in ("class_balance", "source_accuracy", "coverage"):
        np.testing.assert_allclose(getattr(model, name), getattr(in_memory, name), atol=1e-6, err_msg=name)
    ours, theirs = (np.asarray(one._fitted.params.sources.confusion) for one in (model, in_memory))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    passes = len(votes.scanned_for) - 2
    assert votes.scanned_for == (["Count", "Draw", *["Pass"] * passes] if is_sample else ["Count"])
    assert passes >= 1 or not is_sample


def test_rows_that_change_between_readings_are_refused() -> None:
    votes = Pickled(simulate(12_000, 14, 3), 3, CUTS)
    whole, votes_reduce = votes.parts, votes.reduce

    def changing(
        of_partition: Callable[[int, Iterable[Votes]], R], add: Callable[[R, R], R], *, ids: bool = False
    ) -> R:
        votes.parts = whole if not votes.scanned_for else [whole[0], *whole[:3]]
        return votes_reduce(of_partition, add, ids=ids)

    votes.reduce = changing  # type: ignore[method-assign]
    with pytest.raises(InvalidVotesError, match="other rows than at the first reading"):
        LabelModel(3, sample_rows=1000).fit(votes)


def test_what_chunks_come_without_partitions_do_too() -> None:
    votes = Pickled(simulate(100, 4, 3), 3, [50])
    with pytest.raises(InvalidArgumentError, match="come without features"):
        LabelModel(3).fit(votes, features=np.zeros((100, 2)))
    with pytest.raises(InvalidVotesError, match="over 3 classes, the model over 2"):
        LabelModel(2).fit(votes)
