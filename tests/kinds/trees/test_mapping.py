"""Maps between taxonomies: candidates, votes and soft labels both ways, and what cannot be mapped."""

from typing import Any

import numpy as np
import pytest

from weaklabel import ABSTAIN, Taxonomy, Votes, one_of, soft
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.trees import TaxonomyMap

ONE = Taxonomy.from_parents({"cat": "pet", "dog": "pet", "cow": "farm", "elf": None})
TWO = Taxonomy.from_parents({"kitten": "feline", "tom": "feline", "canine": None, "cattle": "herd", "goat": "herd"})
MAPPING = TaxonomyMap(ONE, TWO, {"cat": "feline", "dog": ["canine"], "cow": ["cattle", "goat"], "elf": None})
CANDIDATES = {0: {0, 1}, 1: {2}, 2: {3, 4}, 3: set[int]()}
"""By hand: leaves of ONE, and what they may be in TWO."""


def test_candidates_by_hand() -> None:
    assert {at: set(np.flatnonzero(row).tolist()) for at, row in enumerate(MAPPING.candidates)} == CANDIDATES
    assert MAPPING.unmapped == ("elf",)
    assert MAPPING.inverse().unmapped == ()
    assert np.array_equal(MAPPING.inverse().candidates, MAPPING.candidates.T)
    assert "1 without a target" in repr(MAPPING)


def test_an_inner_node_of_the_source_is_all_of_its_leaves() -> None:
    both = TaxonomyMap(ONE, TWO, {"pet": "herd", "dog": "canine"})
    assert np.flatnonzero(both.candidates[0]).tolist() == [3, 4]
    assert np.flatnonzero(both.candidates[1]).tolist() == [2, 3, 4]


def test_votes_become_candidate_sets() -> None:
    given = Votes.from_codes(np.array([[0, 1, 3], [-1, -2, 2]]), 4, items=["x", "y"])
    mapped = MAPPING.votes(given)
    assert mapped.votes == Votes.from_codes(
        [[5, 2, -1], [-1, -2, 6]], 5, symbols=[one_of(0, 1), one_of(3, 4)], items=["x", "y"]
    )
    assert mapped.n_silent == 1
    sets = Votes.from_dense([[one_of(0, 3), one_of(1, 2), soft([0.5, 0.25, 0, 0.25])]], 4)
    moved = MAPPING.votes(sets).votes
    assert [moved.vote_at(0, at) for at in range(2)] == [one_of(0, 1), one_of(2, 3, 4)]
    np.testing.assert_allclose(
        moved.counts()[0],
        np.array([0.5, 0.5, 0, 0, 0])
        + [0, 0, 1 / 3, 1 / 3, 1 / 3]
        + np.array([1, 1, 4 / 3, 0, 0]) / 3
        - [0, 0, 1 / 9, 0, 0],
        atol=1e-6,
    )


def test_sparse_votes_map_like_dense_ones() -> None:
    dense = Votes.from_codes(np.array([[0, 1, 3], [-1, -2, 2]]), 4)
    assert MAPPING.votes(dense.to_sparse()).votes == MAPPING.votes(dense).votes


def test_a_set_of_all_leaves_abstains_and_is_counted() -> None:
    everything = TaxonomyMap(ONE, TWO, {"pet": TWO.leaves})
    mapped = everything.votes(Votes.from_dense([[0, 1], [2, 2]], 4))
    assert (mapped.votes.to_dense() == ABSTAIN).all()
    assert mapped.n_silent == 4


@pytest.mark.parametrize("balance", [None, [0.1, 0.3, 0.2, 0.0, 0.0]], ids=["equal", "balance"])
def test_soft_labels_keep_their_mass_both_ways(balance: list[float] | None) -> None:
    labels = np.random.default_rng(0).dirichlet(np.ones(4), 30)
    mapped = MAPPING.soft_labels(labels, balance=balance)
    weight = np.array(
        [1, 1, 1, 1, 1] if balance is None else [1, 3, 1, 1, 1]
    )  # cattle and goat: equal, as none has any
    for row, before in enumerate(labels):
        expected = np.zeros(5)
        for leaf, candidates in CANDIDATES.items():
            for one in candidates:
                expected[one] += before[leaf] * weight[one] / sum(weight[other] for other in candidates)
        np.testing.assert_allclose(mapped.soft_labels[row], expected)
    np.testing.assert_allclose(mapped.unmapped, labels[:, 3])
    np.testing.assert_allclose(mapped.soft_labels.sum(1) + mapped.unmapped, 1)
    kept = mapped.soft_labels / mapped.soft_labels.sum(1, keepdims=True)
    back = MAPPING.inverse().soft_labels(kept)
    np.testing.assert_allclose(back.soft_labels.sum(1), 1)
    np.testing.assert_allclose(
        back.soft_labels, np.c_[labels[:, :3] / labels[:, :3].sum(1, keepdims=True), np.zeros(30)], atol=1e-12
    )


def test_names_of_a_finer_taxonomy() -> None:
    fine = Taxonomy.from_parents({"beagle": "dog", "husky": "dog", "cat": None, "cow": None})
    mapping = TaxonomyMap.by_name(ONE, fine)
    assert mapping.unmapped == ("elf",)
    assert mapping.votes(Votes.from_dense([[1, 0]], 4)).votes == Votes.from_dense([[one_of(0, 1), 2]], 4)


@pytest.mark.parametrize(
    ("targets", "message"),
    [({"eel": "canine"}, "no node 'eel' in the source"), ({"cat": ["tom", "eel"]}, "'cat' is mapped to 'eel'")],
)
def test_names_that_are_not_there_are_refused(targets: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        TaxonomyMap(ONE, TWO, targets)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidVotesError, match="over 3 classes, the source has 4 leaves"):
        MAPPING.votes(Votes.from_dense([[0, 1]], 3))
    with pytest.raises(InvalidArgumentError, match=r"must be \[N, 4\]"):
        MAPPING.soft_labels([[0.5, 0.5]])
    for balance in ([1, 2], [1, 1, 1, 1, -1], [1, 1, 1, 1, np.nan]):
        with pytest.raises(InvalidArgumentError, match="balance must be 5 numbers"):
            MAPPING.soft_labels([[1, 0, 0, 0]], balance=balance)
