"""How far sources vote for part of the classes only, against enumeration."""

import itertools

import numpy as np
import pytest

from weaklabel import Votes
from weaklabel.model.sources.unipolarity import constant_sources, unipolarity


@pytest.mark.parametrize("n_votes", [2, 5])
def test_what_a_source_lacks_is_counted_against_all_sequences_of_votes(n_votes: int) -> None:
    """Of one that votes as all do together: the mean number of classes over every sequence of so many votes."""
    counts = np.array([[n_votes, 0, 0], [n_votes - 1, 1, 0], [40, 30, 10]])
    shares = (counts.sum(0) + 0.5) / (counts.sum() + 1.5)
    expected = sum(
        len(set(sequence)) * np.prod(shares[list(sequence)]) for sequence in itertools.product(range(3), repeat=n_votes)
    )
    found = unipolarity(counts.astype(float))
    for source, used in ((0, 1), (1, 2)):
        lacking = (expected - used) / max(expected - 1, 0.3)
        assert found[source] == pytest.approx(min(max(lacking, 0), 1))
    assert found[2] == 0
    assert found[0] > found[1]


def test_rare_classes_and_silence_are_no_sign_of_it() -> None:
    """A source of which few votes of a rare class can be expected, one that does not vote, one that uses two of two."""
    counts = np.array([[20, 0], [990, 10], [995, 5], [0, 0]], float)
    found = unipolarity(counts)
    assert 0 < found[0] < 0.7
    np.testing.assert_array_equal(found[1:], 0)
    assert unipolarity(np.array([[500.0, 0], [250, 250]]))[0] == 1


@pytest.mark.parametrize("sparse", [False, True])
def test_a_source_that_always_says_the_same_is_constant(sparse: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 2, (200, 4))
    matrix[:, 0] = 1  # always
    matrix[:, 1] = np.where(np.arange(200) < 100, 1, -1)  # one class, but silent on half
    matrix[:, 2] = np.where(np.arange(200) < 5, 0, 1)  # two classes
    votes = Votes.from_dense(matrix, 2)
    votes = votes.to_sparse() if sparse else votes
    counts = np.stack([(matrix == k).sum(0) for k in range(2)], 1).astype(float)
    np.testing.assert_array_equal(constant_sources(counts, votes, np.ones(200)), [True, False, False, False])
    np.testing.assert_array_equal(
        constant_sources(counts[:1], Votes.from_dense(matrix[:, :1], 2), np.ones(200)), [False]
    )
