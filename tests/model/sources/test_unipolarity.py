"""How far sources vote for part of the classes only, against enumeration."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from weaklabel import ABSTAIN, Votes, one_of, soft
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.layout.choice import lay_out
from weaklabel.model.layout.deduplication import UniqueRows
from weaklabel.model.numerics.padding import bucket, to_device
from weaklabel.model.preparation.prepare import prepare
from weaklabel.model.preparation.vote_counts import favoured_counts, vote_counts
from weaklabel.model.records import RowVotes
from weaklabel.model.settings import Settings
from weaklabel.model.sources.candidate_sets import set_symbols
from weaklabel.model.sources.soft_votes import soft_votes
from weaklabel.model.sources.unipolarity import constant_sources, unipolarity
from weaklabel.votes.symbols import CandidateSet


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


def favoured(votes: Votes) -> NDArray[np.float64]:
    """Of rows with one item each."""
    unique = UniqueRows(votes, np.ones(votes.n_items, np.float32))
    items, sets = to_device(unique.weight, bucket(votes.n_items)), set_symbols(votes)
    told = RowVotes(lay_out(votes), soft_votes(votes))
    return favoured_counts(vote_counts(votes, unique.weight, told, items, sets), told, items, sets)[0]


def test_what_the_sets_of_a_source_have_in_common() -> None:
    """Held against scipy's maximum of the likelihood of the sets, and of one vote as all sources vote."""
    rng = np.random.default_rng(0)
    kinds = [0, 1, one_of(0, 1), one_of(0, 2), one_of(0, 3), one_of(1, 2, 3), ABSTAIN]
    cells = [[kinds[at] for at in rng.choice(7, 2, p=p)] for p in rng.dirichlet(np.ones(7), 60)]
    votes = Votes.from_dense(cells, 4)
    found = favoured(votes)
    counts = np.zeros((2, 4))
    members = {kind: [k for k in range(4) if k in kind.classes] for kind in kinds if isinstance(kind, CandidateSet)}
    weight = {kind: 1 - np.log(len(classes)) / np.log(4) for kind, classes in members.items()}
    for source, cell in ((source, row[source]) for row in cells for source in range(2)):
        if isinstance(cell, CandidateSet):
            counts[source, members[cell]] += weight[cell] / len(members[cell])
        elif cell != ABSTAIN:
            counts[source, cell] += 1
    shares = (counts.sum(0) + 0.5) / (counts.sum(0) + 0.5).sum()

    for source in range(2):

        def loss(logits: NDArray[np.float64], source: int = source) -> float:
            p = np.exp(logits) / np.exp(logits).sum()
            likely = [
                weight[row[source]] * np.log(p[members[row[source]]].sum())
                if isinstance(row[source], CandidateSet)
                else np.log(p[row[source]])
                for row in cells
                if row[source] != ABSTAIN
            ]
            return -float(sum(likely) + shares @ np.log(p))

        best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
        p = np.exp(best) / np.exp(best).sum()
        np.testing.assert_allclose(found[source], p * (counts[source].sum() + 1) - shares, atol=0.02)


def test_one_source_is_no_function_whatever_its_sets() -> None:
    """The rare class 2 is in no set without 1, so that the likeliest distribution has none of it."""
    sets = [one_of(0, 1)] * 30 + [one_of(1, 2)] * 10 + [one_of(0, 3)] * 20
    votes = Votes.from_dense([[one] for one in sets], 4)
    assert favoured(votes)[0, 2] < 0.1
    unique = UniqueRows(votes, np.ones(len(sets), np.float32))
    assert prepare(unique, Settings(), ClassPrior).mean_unipolarity == 0


def test_a_probability_vector_is_for_the_class_it_favours() -> None:
    votes = Votes.from_dense([[soft([0.9, 0.1]), soft([0.7, 0.3])], [soft([0.9, 0.1]), soft([0.99, 0.01])]], 2)
    found = favoured(votes)
    assert found[0, 1] == 0
    assert (found[1] > 0).all(), "3 in 10 is much where all votes say 1 in 10"
