"""Agreement of two sources, against counting by hand."""

import numpy as np
import pytest

from weaklabel import Votes, one_of
from weaklabel.analysis import pairwise_agreement
from weaklabel.errors import InvalidVotesError


@pytest.mark.parametrize("sparse", [False, True])
def test_agreement_is_that_of_contingency_tables(sparse: bool) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 3, (200, 4))
    codes[:, 1] = np.where(rng.random(200) < 0.6, codes[:, 0], codes[:, 1])
    votes = Votes.from_dense(codes, 3)
    found = pairwise_agreement(votes.to_sparse() if sparse else votes)
    for a in range(4):
        for b in range(4):
            both = (codes[:, a] >= 0) & (codes[:, b] >= 0)
            table = np.zeros((3, 3))
            np.add.at(table, (codes[both, a], codes[both, b]), 1)
            table /= both.sum()
            raw, chance = np.trace(table), table.sum(1) @ table.sum(0)
            assert found.items[a, b] == both.sum()
            assert found.raw[a, b] == pytest.approx(raw)
            assert found.kappa[a, b] == pytest.approx((raw - chance) / (1 - chance))


def test_cohens_kappa_of_a_textbook() -> None:
    """50 proposals: both yes 20, yes and no 5, no and yes 10, both no 15; kappa 0.4."""
    cells = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    found = pairwise_agreement(Votes.from_dense(cells, 2))
    assert found.raw[0, 1] == pytest.approx(0.7)
    assert found.kappa[0, 1] == pytest.approx(0.4)


def test_where_nothing_can_be_said() -> None:
    found = pairwise_agreement(Votes.from_dense([[0, -1, 0], [-1, 1, -1], [0, -1, 0]], 2))
    assert np.isnan(found.raw[0, 1])
    assert found.items[0, 1] == 0
    assert found.raw[0, 2] == 1
    assert np.isnan(found.kappa[0, 2])
    with pytest.raises(InvalidVotesError, match="candidate sets"):
        pairwise_agreement(Votes.from_dense([[one_of(0, 1), 2]], 3))
