"""Counts of the items of each two sources, by bits and by blocks, against naive enumeration."""

from typing import Any

import numpy as np
import pytest

from weaklabel import Votes
from weaklabel.analysis import common_errors as errors_module
from weaklabel.analysis import pairwise_agreement, shared_items
from weaklabel.analysis.common_errors import common_errors
from weaklabel.analysis.shared_items import bits_of, by_source, count_both, count_together


@pytest.mark.parametrize("n_items", [1, 63, 64, 65, 200])
def test_counts_are_those_of_looking_at_each_item(n_items: int) -> None:
    codes = np.random.default_rng(n_items).integers(-1, 2, (n_items, 5)).astype(np.int8)
    laid_out = by_source(codes)
    assert laid_out.shape[1] % 64 == 0
    there, ones = bits_of(laid_out >= 0), bits_of(laid_out == 1)
    for a in range(5):
        for b in range(5):
            both = sum(codes[i, a] >= 0 and codes[i, b] >= 0 for i in range(n_items))
            mixed = sum(codes[i, a] == 1 and codes[i, b] >= 0 for i in range(n_items))
            assert count_both(there)[a, b] == both
            assert count_together(ones, there)[a, b] == mixed


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 items to count, and of few to multiply: the last of each kind is not full."""
    monkeypatch.setattr(shared_items, "BLOCK_CELLS", 64)
    monkeypatch.setattr(errors_module, "BLOCK_CELLS", 200)
    monkeypatch.setattr(errors_module, "ONE_THREAD", 320)
    monkeypatch.setattr(errors_module, "LEAST_ROWS", 5)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_of_items_add_up() -> None:
    codes = np.random.default_rng(1).integers(-1, 3, (150, 4))
    found = pairwise_agreement(Votes.from_dense(codes, 3))
    for a in range(4):
        for b in range(4):
            both = [i for i in range(150) if codes[i, a] >= 0 and codes[i, b] >= 0]
            assert found.items[a, b] == len(both)
            assert found.raw[a, b] == pytest.approx(sum(codes[i, a] == codes[i, b] for i in both) / len(both))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("n_sources", [8, 9], ids=["several products at once", "one product at a time"])
@pytest.mark.parametrize("by", ["gold", "soft"])
def test_common_errors_are_those_of_looking_at_each_item(by: str, n_sources: int) -> None:
    rng = np.random.default_rng(2)
    n_items, n_classes = 300, 3
    codes = rng.integers(-1, n_classes, (n_items, n_sources))
    codes[7] = -1
    labels: Any = rng.integers(-1, n_classes, n_items) if by == "gold" else rng.dirichlet(np.ones(n_classes), n_items)
    found = common_errors(Votes.from_dense(codes, n_classes), labels, 3)
    total = found.total()
    shared, wrong, both = np.zeros((3, n_sources, n_sources))
    judged = 0
    for i in range(n_items):
        if (codes[i] < 0).all() or (by == "gold" and labels[i] < 0):
            continue
        judged += 1
        truths = {int(labels[i]): 1.0} if by == "gold" else dict(enumerate(labels[i].tolist()))
        for a in range(n_sources):
            for b in range(n_sources):
                if codes[i, a] < 0 or codes[i, b] < 0:
                    continue
                shared[a, b] += 1
                wrong[a, b] += sum(p for k, p in truths.items() if codes[i, a] != k)
                both[a, b] += sum(p for k, p in truths.items() if codes[i, a] != k and codes[i, b] != k)
    assert found.n_items == judged
    np.testing.assert_array_equal(total.shared, shared)
    np.testing.assert_allclose(total.wrong, wrong, rtol=1e-10)
    np.testing.assert_allclose(total.both, both, rtol=1e-10)
