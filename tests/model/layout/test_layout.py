"""Each layout is the same linear operator, which is written out here vote by vote."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel import Votes
from weaklabel.model.layout.choice import is_dense, lay_out
from weaklabel.model.layout.copy_weights import SILENCING, cell_weights
from weaklabel.model.layout.dense import BLOCK_ROWS, DenseLayout
from weaklabel.model.layout.packed import UNROLLED, PackedLayout, n_words, pack
from weaklabel.model.layout.protocol import Layout
from weaklabel.model.layout.slots import FEWEST_ROWS, Arrangement, arrange, in_slots
from weaklabel.model.layout.sparse import SparseLayout
from weaklabel.model.numerics.padding import bucket, padded

N_ITEMS = BLOCK_ROWS + 77


def votes_of(n_sources: int, n_classes: int, coverage: float = 0.7) -> Votes:
    rng = np.random.default_rng(3)
    matrix = rng.integers(0, n_classes, (N_ITEMS, n_sources))
    matrix[rng.random(matrix.shape) >= coverage] = -1
    matrix[5] = -1
    return Votes.from_dense(matrix, n_classes)


def copies_of(n_sources: int) -> sp.csr_array:
    scores = np.zeros((n_sources, n_sources))
    scores[1, 4] = scores[4, 1] = 0.8
    scores[1, 2] = scores[2, 1] = 0.3
    scores[3, 3] = 1e6  # silenced
    return sp.csr_array(scores)


class Applied(NamedTuple):
    """What a layout makes of some values."""

    evidence: Array
    counts: Array
    own_evidence: Array
    own_counts: Array
    share_totals: Array


def applied(
    layout: Layout,
    weights: NDArray[np.float32],
    own: NDArray[np.float32],
    values: NDArray[np.float32],
    q: NDArray[np.float32],
    items: NDArray[np.float32],
) -> Applied:
    """All that a layout does, in one program, as fits do it; values of rows have zeros below them for padding."""
    n_sources, n_symbols = own.shape

    def of(layout: Layout, weights: Array, own: Array, values: Array, q: Array, items: Array) -> Applied:
        return Applied(
            evidence=layout.evidence(weights),
            counts=layout.counts(values, n_sources, n_symbols),
            own_evidence=layout.own_evidence(own),
            own_counts=layout.own_counts(q, n_sources),
            share_totals=layout.share_totals(items, n_sources, n_symbols),
        )

    of_rows = (padded(part, layout.n_rows) for part in (values, q, items))
    found: Applied = jax.jit(of)(layout, weights, own, *of_rows)
    return found


def dense(votes: Votes, copies: sp.csr_array | None, _: pytest.MonkeyPatch) -> Layout:
    codes = jnp.asarray(padded(votes.to_codes(), bucket(votes.n_items), -1))
    shares = None if copies is None else cell_weights(codes, jnp.asarray(copies.toarray(), jnp.float32))
    return DenseLayout(codes, shares)


def gathered(votes: Votes, copies: sp.csr_array | None, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr("weaklabel.model.layout.dense.FEW_CLASSES", 0)
    return dense(votes, copies, monkeypatch)


def packed(votes: Votes, copies: sp.csr_array | None, _: pytest.MonkeyPatch) -> Layout:
    assert copies is None, "votes that count in part are not packed"
    return packed_codes(padded(votes.to_codes(), bucket(votes.n_items), -1), votes.n_classes)


packed_codes: Callable[..., PackedLayout] = jax.jit(pack, static_argnums=1)


def sparse(votes: Votes, copies: sp.csr_array | None, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr("weaklabel.model.layout.choice.is_dense", lambda *_: False)
    found = lay_out(votes, copies)
    assert isinstance(found, SparseLayout)
    return found


MANY_SOURCES = 6 * UNROLLED + 5
"""More words than are looked up in one step."""


@pytest.mark.parametrize(
    ("lay", "with_copies", "n_classes", "n_sources"),
    [
        (dense, False, 5, 6),
        (dense, True, 2, 6),
        (gathered, False, 2, 6),
        (gathered, True, 5, 6),
        (packed, False, 2, 6),
        (packed, False, 5, 6),
        (packed, False, 2, MANY_SOURCES),
        (sparse, False, 5, 6),
        (sparse, True, 2, 6),
    ],
)
def test_layouts_are_the_same_operator(
    lay: Callable[..., Layout],
    with_copies: bool,
    n_classes: int,
    n_sources: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    votes, copies = votes_of(n_sources, n_classes), copies_of(n_sources) if with_copies else None
    layout = lay(votes, copies, monkeypatch)
    rng = np.random.default_rng(4)
    weights = rng.normal(size=(n_sources, n_classes, 3)).astype(np.float32)
    own = rng.normal(size=(n_sources, n_classes)).astype(np.float32)
    values = rng.random((N_ITEMS, 3)).astype(np.float32)
    q = rng.dirichlet(np.ones(n_classes), N_ITEMS).astype(np.float32)
    items = rng.integers(0, 4, N_ITEMS).astype(np.float32)

    one_hot, share = _written_out(votes, copies)
    found = applied(layout, weights, own, values, q, items)
    np.testing.assert_allclose(
        np.asarray(found.evidence)[:N_ITEMS], np.einsum("ums,um,msc->uc", one_hot, share, weights), atol=1e-4
    )
    np.testing.assert_allclose(found.counts, np.einsum("ums,uc->msc", one_hot, values), rtol=1e-4)
    np.testing.assert_allclose(
        np.asarray(found.own_evidence)[:N_ITEMS], np.einsum("ums,um,ms->us", one_hot, share, own), atol=1e-4
    )
    np.testing.assert_allclose(found.own_counts, np.einsum("umk,uk->mk", one_hot, q), rtol=1e-4)
    np.testing.assert_allclose(found.share_totals, np.einsum("ums,um,u->m", one_hot, share, items), rtol=1e-4)


def _written_out(votes: Votes, copies: sp.csr_array | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[U, M, S] ones where votes are, and [U, M] their shares."""
    matrix = votes.to_dense()
    one_hot = (matrix[:, :, None] == np.arange(votes.n_classes)).astype(float)
    shares = np.ones(matrix.shape)
    if copies is not None:
        scores = copies.toarray()
        for item, source in zip(*np.nonzero(matrix >= 0), strict=True):
            n_copies = sum(scores[source, other] for other in np.flatnonzero(matrix[item] >= 0))
            shares[item, source] = 1 / (1 + n_copies) if n_copies < SILENCING else 0
    return one_hot, shares


@pytest.mark.parametrize(("n_sources", "n_symbols"), [(1, 2), (10, 2), (50, 2), (20, 10), (7, 64), (3, 2500)])
def test_words_hold_all_votes_and_keep_their_tables_small(n_sources: int, n_symbols: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-2, n_symbols, (300, n_sources))
    layout = packed_codes(codes, n_symbols)
    assert isinstance(layout, PackedLayout)
    assert layout.words.shape == (300, n_words(n_sources, n_symbols))
    base = n_symbols + 1
    assert layout.votes_a_word == 1 or base**layout.votes_a_word <= 2048
    words = np.asarray(layout.words, np.int64)
    digits = words[:, None, :] // base ** np.arange(layout.votes_a_word)[None, :, None] % base
    np.testing.assert_array_equal(digits.reshape(300, -1)[:, :n_sources], np.maximum(codes, -1) + 1)


def held_by(arrangement: Arrangement, slots: NDArray[np.int64], row: int) -> set[int]:
    """What lies in the slots of a row, by their description: those of the block, then narrow ones of its first rows."""
    size = arrangement.block_rows
    block, at = divmod(int(arrangement.places[row]), size)
    narrow = int(arrangement.starts[block] + arrangement.n_slots[block] * size)
    held = slots[int(arrangement.starts[block]) + at : narrow : size].tolist()
    if arrangement.n_narrow is not None and at < FEWEST_ROWS:
        held += slots[narrow + at : narrow + int(arrangement.n_narrow[block]) * FEWEST_ROWS : FEWEST_ROWS].tolist()
    return {vote for vote in held if vote >= 0}


@pytest.mark.parametrize("n_long", [0, 3, 150])
def test_slots_hold_each_vote_once_and_waste_little(n_long: int) -> None:
    """Also where every source voted on some items: in slots of few rows, or in small blocks if these are many."""
    rng = np.random.default_rng(1)
    length = np.minimum(rng.geometric(0.25, 100_000) - 1, 40)
    length[rng.choice(len(length), n_long, replace=False)] = 3000
    rows = np.repeat(np.arange(len(length)), length)
    arrangement = arrange(length, 2**17, 100)
    assert arrangement.block_rows == (2**11 if n_long < FEWEST_ROWS else 2**9)
    assert (arrangement.n_narrow is not None) == (n_long > 0)
    size = arrangement.size + 100
    slots = in_slots(arrangement, np.arange(len(rows)), -1, size)[: arrangement.size]
    np.testing.assert_array_equal(np.sort(slots[slots >= 0]), np.arange(len(rows)))
    np.testing.assert_array_equal(arrangement.rows[arrangement.places], np.arange(2**17))
    for row in {*range(0, len(length), 997), *np.argsort(-length)[: n_long + 3].tolist()}:
        assert held_by(arrangement, slots, row) == set(np.flatnonzero(rows == row))
    assert arrangement.size < (1.3 if n_long == 0 else 4) * len(rows)


def test_narrow_slots_of_a_later_block() -> None:
    """Whose first rows are longer by several votes, while wider slots of the block before are filled."""
    length = np.concatenate([[3000, 3000], np.full(2046, 10), np.full(30, 8), np.ones(40_000, int)])
    arrangement = arrange(length, 2**16, 100)
    assert arrangement.block_rows == 2048
    assert arrangement.n_narrow is not None
    np.testing.assert_array_equal(arrangement.n_slots[:3], [10, 1, 1])
    np.testing.assert_array_equal(arrangement.n_narrow[:3], [2990, 7, 0])
    rows = np.repeat(np.arange(len(length)), length)
    slots = in_slots(arrangement, np.arange(len(rows)), -1, arrangement.size)
    np.testing.assert_array_equal(np.sort(slots[slots >= 0]), np.arange(len(rows)))
    for row in (0, 1, 2, 2047, 2048, 2077, 2078, 5000):
        assert held_by(arrangement, slots, row) == set(np.flatnonzero(rows == row))


def test_few_long_rows_do_not_make_all_slots_long() -> None:
    length = np.full(2**20, 3)
    assert arrange(length, 2**20, 3).block_rows == 2**16
    length[17] = 5000
    arrangement = arrange(length, 2**20, 3)
    assert arrangement.block_rows == 2**16
    assert arrangement.size <= 1.2 * length.sum()


def test_rows_of_any_length_lie_by_their_length() -> None:
    length = np.array([3, 100_000, 5, 70_000, 0, 34_000])
    arrangement = arrange(length, 256, 3)
    np.testing.assert_array_equal(arrangement.length[:6], [100_000, 70_000, 34_000, 5, 3, 0])
    np.testing.assert_array_equal(arrangement.rows[:6], [1, 3, 5, 2, 0, 4])


@pytest.mark.parametrize(
    ("n_long", "narrow", "with_copies", "n_classes"),
    [(2, True, False, 2), (2, True, True, 20), (90, False, True, 2), (90, False, False, 20)],
)
def test_rows_of_many_votes_among_short_ones(
    n_long: int, narrow: bool, with_copies: bool, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose votes are put in place, and looked up, several at once."""
    rng = np.random.default_rng(5)
    length = np.minimum(rng.geometric(0.4, 2000), 9)
    length[77 : 77 + n_long] = rng.integers(300, 700, n_long)
    length[77] = 700
    items = np.repeat(np.arange(2000), length)
    sources = np.concatenate([rng.permutation(700)[:n] for n in length])
    labels = rng.integers(0, n_classes, len(items))
    votes = Votes.from_triples(items, sources, labels, n_classes=n_classes, n_items=2000, n_sources=700)
    copies = copies_of(700) if with_copies else None
    layout = sparse(votes, copies, monkeypatch)
    assert isinstance(layout, SparseLayout)
    assert layout.block_rows == 128
    assert (layout.n_narrow is not None) == narrow
    share = np.ones(len(items))
    if copies is not None:
        scores = copies.toarray()
        spoke = set(zip(items.tolist(), sources.tolist(), strict=True))
        for at, (item, source) in enumerate(zip(items.tolist(), sources.tolist(), strict=True)):
            others = [other for other in (1, 2, 3, 4) if (item, other) in spoke]
            n_copies = scores[source, others].sum()
            share[at] = 1 / (1 + n_copies) if n_copies < SILENCING else 0
        assert share.min() == 0
        assert len(set(share)) > 3
    place = (items, sources * n_classes + labels)
    one_hot = sp.csr_array((np.ones(len(items)), place), shape=(2000, 700 * n_classes))
    shared = sp.csr_array((share, place), shape=one_hot.shape)
    weights = rng.normal(size=(700, n_classes, 3)).astype(np.float32)
    own = rng.normal(size=(700, n_classes)).astype(np.float32)
    values, q = rng.random((2000, 3)).astype(np.float32), rng.random((2000, n_classes)).astype(np.float32)
    weight = values[:, 0]
    found = applied(layout, weights, own, values, q, weight)
    np.testing.assert_allclose(np.asarray(found.evidence)[:2000], shared @ weights.reshape(-1, 3), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(np.reshape(found.counts, (-1, 3)), one_hot.T @ values, rtol=1e-4)
    expected = np.zeros((2000, n_classes))
    np.add.at(expected, (items, labels), share * own[sources, labels])
    np.testing.assert_allclose(np.asarray(found.own_evidence)[:2000], expected, atol=1e-3)
    right = np.zeros((700, n_classes))
    np.add.at(right, (sources, labels), q[items, labels])
    np.testing.assert_allclose(found.own_counts, right, rtol=1e-4)
    np.testing.assert_allclose(found.share_totals, np.bincount(sources, share * weight[items], 700), rtol=1e-4)


def test_what_is_mostly_silent_or_of_many_classes_is_laid_out_sparse() -> None:
    assert is_dense(votes_of(50, 2, 0.3))
    assert is_dense(votes_of(20, 10, 0.3))
    assert not is_dense(votes_of(300, 2, 0.02))
    assert not is_dense(votes_of(10, 100, 0.3))


def test_a_million_rows_are_summed_without_losing_digits() -> None:
    """One float32 number after the other would lose three digits of seven."""
    rng = np.random.default_rng(2)
    codes = (rng.random((2**20, 7)) < 0.01).astype(np.int8)  # so that nearly all rows have the same words
    values = rng.beta(0.05, 2, (2**20, 1)).astype(np.float32)
    counts = jax.jit(lambda codes, values: pack(codes, 2).counts(values, 7, 2))(codes, values)
    found = np.asarray(counts)[:, :, 0]
    exact = np.stack([(codes == k).T.astype(float) @ values[:, 0].astype(float) for k in range(2)], axis=1)
    np.testing.assert_allclose(found, exact, rtol=2e-5)
