"""Votes that say less than one class: the vote objects, their codebook, and matrices in which they mix."""

import copy
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaklabel.errors import InvalidVotesError
from weaklabel.votes import ABSTAIN, ERROR, Votes
from weaklabel.votes.symbols import CandidateSet, Complement, SoftVote, Symbols, not_, one_of, soft

K = 4
Cell = int | CandidateSet | Complement | SoftVote
subsets = st.sets(st.integers(0, K - 1), min_size=1).map(tuple)
cells: st.SearchStrategy[Cell] = st.one_of(
    st.integers(-1, K - 1),
    subsets.map(lambda classes: one_of(*classes)),
    subsets.filter(lambda classes: len(classes) < K).map(lambda classes: not_(*classes)),
    st.lists(st.integers(0, 5), min_size=K, max_size=K).filter(any).map(lambda w: soft([x / sum(w) for x in w])),
)
matrices = st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(st.lists(cells, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])
)


def meaning(vote: Cell) -> Any:
    """What a vote says, in words of its own: a class, a set, or probabilities; None for nothing."""
    if isinstance(vote, SoftVote):
        p = np.array(vote.probabilities, np.float32)
        return None if np.ptp(p) < 1e-6 else int(p.argmax()) if p.max() == 1 else tuple(p.tolist())
    if isinstance(vote, int):
        return None if vote == ABSTAIN else vote
    classes = set(vote.classes) if isinstance(vote, CandidateSet) else set(range(K)) - set(vote.classes)
    return None if len(classes) == K else next(iter(classes)) if len(classes) == 1 else frozenset(classes)


def meanings(votes: Votes) -> list[list[Any]]:
    return [[meaning(votes.vote_at(i, m)) for m in range(votes.n_sources)] for i in range(votes.n_items)]


def sparse(matrix: list[list[Cell]]) -> Votes:
    triples = [(i, m, vote) for i, row in enumerate(matrix) for m, vote in enumerate(row)]
    items, sources, labels = zip(*triples, strict=True)
    return Votes.from_triples(items, sources, labels, n_classes=K, n_items=len(matrix), n_sources=len(matrix[0]))


# ---------------------------------------------------------------- vote objects


def test_vote_objects_are_values() -> None:
    assert one_of(2, 0) == one_of(0, 2) == CandidateSet((0, 2))
    assert not_(np.int64(1)) == not_(1)
    assert len({not_(1), one_of(1)}) == 2
    assert soft([0.25, 0.75]) == soft(np.array([0.25, 0.75])) == soft(iter((0.25, 0.75)))
    assert len({one_of(0, 2), one_of(2, 0), not_(1), not_(1), soft([0.5, 0.5]), soft([0.5, 0.5])}) == 3
    assert [repr(v) for v in (one_of(2, 0), not_(1), soft([0.25, 0.75]))] == [
        "one_of(0, 2)",
        "not_(1)",
        "soft([0.25, 0.75])",
    ]
    with pytest.raises(AttributeError):
        one_of(0, 1).classes = (1,)  # type: ignore[misc]


def test_probabilities_are_made_to_sum_to_one() -> None:
    assert soft([0.3333, 0.3333, 0.3333]).probabilities == pytest.approx((1 / 3, 1 / 3, 1 / 3), abs=1e-12)
    assert sum(soft([0.7, 0.3004]).probabilities) == pytest.approx(1, abs=1e-12)
    rows = np.random.default_rng(0).dirichlet(np.ones(5), 100).astype(np.float32)
    votes = Votes.from_soft(rows)
    assert np.array_equal(votes.symbols.soft, rows)  # and what was written as float32 stays as it is
    assert Votes.from_dense([[votes.vote_at(i, 0)] for i in range(100)], 5) == votes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one_of(), "one_of expects at least one class"),
        (lambda: not_(), "not_ expects at least one class"),
        (lambda: one_of(0, 0), r"one_of names a class twice: \[0, 0\]"),
        (lambda: one_of(-1), "got -1"),
        (lambda: not_(True), r"class indices, as in not_\(0, 2\), got True"),
        (lambda: one_of(1.0), "got 1.0"),  # type: ignore[arg-type]
        (lambda: one_of([0, 1]), r"got \[0, 1\]"),  # type: ignore[arg-type]
        (lambda: soft([]), "a probability for each class, got 0"),
        (lambda: soft([1]), "a probability for each class, got 1"),
        (lambda: soft([0.5, 0.6]), "sum to 1, got a sum of 1.1"),
        (lambda: soft([1.5, -0.5]), "at least 0, got"),
        (lambda: soft([np.nan, 1]), "at least 0, got"),
        (lambda: soft(["a", "b"]), "a list of probabilities"),  # type: ignore[list-item]
        (lambda: soft(0.5), "a list of probabilities, got 0.5"),  # type: ignore[arg-type]
    ],
)
def test_bad_vote_objects_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        make()


# -------------------------------------------------------------------- matrices


@given(matrices)
def test_every_form_of_a_matrix_says_what_its_cells_say(matrix: list[list[Cell]]) -> None:
    expected = [[meaning(vote) for vote in row] for row in matrix]
    listed: list[Cell] = [vote for row in matrix for vote in row]
    symbols = [vote for vote in listed if not isinstance(vote, int)]
    numbers = iter(range(K, K + len(symbols)))
    codes = [[vote if isinstance(vote, int) else next(numbers) for vote in row] for row in matrix]
    objects = np.empty((len(matrix), len(matrix[0])), object)
    for i, m in np.ndindex(objects.shape):
        objects[i, m] = matrix[i][m]
    dense = Votes.from_dense(matrix, K)
    forms = [
        dense,
        sparse(matrix),
        Votes.from_dense(objects, K),
        Votes.from_dense(pd.DataFrame(objects, columns=[f"source_{m}" for m in range(objects.shape[1])]), K),
        Votes.from_codes(codes, K, symbols=symbols),
        Votes.from_codes(dense.to_codes(), K, symbols=dense.symbols),
        pickle.loads(pickle.dumps(dense)),
        copy.deepcopy(dense),
    ]
    for votes in forms:
        assert meanings(votes) == expected
        assert votes == dense
        assert votes.n_votes == sum(one is not None for row in expected for one in row)


@given(matrices)
def test_the_codebook_holds_no_meaning_twice_and_codes_are_small(matrix: list[list[Cell]]) -> None:
    votes = Votes.from_dense(matrix, K)
    said = [meaning(votes.symbols.vote(code)) for code in range(K + len(votes.symbols))]
    assert said[:K] == list(range(K))
    assert len(set(said)) == len(said)
    assert None not in said
    assert votes.is_plain == all(isinstance(meaning(vote), int | None) for row in matrix for vote in row)
    assert votes.to_codes().dtype == np.int8
    distributions, supports = votes.symbols.distributions(), votes.symbols.supports()
    for one, distribution, support in zip(said, distributions.tolist(), supports, strict=True):
        if isinstance(one, frozenset):
            assert distribution == pytest.approx([(k in one) / len(one) for k in range(K)])
            assert set(np.flatnonzero(support)) == one
        elif isinstance(one, tuple):
            assert distribution == list(one)
            assert set(np.flatnonzero(support)) == {k for k in range(K) if one[k] > max(one) - 1e-6}
        else:
            assert distribution == [float(k == one) for k in range(K)]
            assert np.flatnonzero(support).tolist() == [one]


@given(matrices)
def test_counts_spread_a_vote_over_its_distribution(matrix: list[list[Cell]]) -> None:
    expected = np.zeros((len(matrix), K))
    for i, row in enumerate(matrix):
        for vote in row:
            said = meaning(vote)
            if isinstance(said, frozenset):
                expected[i, list(said)] += 1 / len(said)
            elif said is not None:
                expected[i] += said if isinstance(said, tuple) else np.eye(K)[said]
    for votes in (Votes.from_dense(matrix, K), sparse(matrix)):
        np.testing.assert_allclose(votes.counts(), expected, atol=1e-6)
        assert votes.counts().dtype == (np.int64 if votes.is_plain else np.float64)


@given(matrices, st.data())
def test_selecting_and_putting_together(matrix: list[list[Cell]], data: st.DataObject) -> None:
    n_items, n_sources = len(matrix), len(matrix[0])
    expected = [[meaning(vote) for vote in row] for row in matrix]
    rows = data.draw(st.lists(st.integers(0, n_items - 1), max_size=6))
    cut, split = data.draw(st.integers(1, n_sources)), data.draw(st.integers(0, n_items))
    for votes in (Votes.from_dense(matrix, K), sparse(matrix)):
        assert meanings(votes.select_items(np.array(rows, int))) == [expected[i] for i in rows]
        left, right = votes.select_sources(votes.source_names[:cut]), votes.select_sources(votes.source_names[cut:])
        assert meanings(left) == [row[:cut] for row in expected]
        assert Votes.concatenate_sources([left, right]) == votes
        assert meanings(Votes.concatenate_sources([right, left])) == [row[cut:] + row[:cut] for row in expected]
        top, bottom = votes.select_items(np.arange(split)), votes.select_items(np.arange(split, n_items))
        assert Votes.concatenate_items([top, bottom]) == votes
        assert Votes.concatenate_items([top, bottom]).is_sparse == votes.is_sparse
    mixed = Votes.concatenate_items([Votes.from_dense(matrix, K), sparse(matrix)])
    assert meanings(mixed) == expected * 2


def test_votes_of_other_codebooks_that_mean_the_same_are_equal() -> None:
    one = Votes.from_codes([[3, 4, 5]], 3, symbols=[one_of(0, 2), soft([0.5, 0.3, 0.2]), soft([0.2, 0.3, 0.5])])
    other = Votes.from_codes([[5, 4, 3]], 3, symbols=[soft([0.2, 0.3, 0.5]), soft([0.5, 0.3, 0.2]), not_(1)])
    assert one == other
    assert one.to_codes().tolist() != other.to_codes().tolist()
    assert one != Votes.from_codes([[4, 4, 3]], 3, symbols=[soft([0.2, 0.3, 0.5]), soft([0.5, 0.3, 0.2]), not_(1)])
    assert one != Votes.from_codes([[3, 4, 5]], 3, symbols=[one_of(0, 1), soft([0.5, 0.3, 0.2]), soft([0.2, 0.3, 0.5])])


def test_plain_votes_have_no_codebook() -> None:
    votes = Votes.from_dense([[0, 1], [-1, 2]], 3)
    assert votes.is_plain
    assert (len(votes.symbols), votes.symbols.sets.shape, votes.symbols.soft.shape) == (0, (0, 3), (0, 3))
    said_otherwise = Votes.from_dense([[one_of(0), not_(0, 2)], [one_of(0, 1, 2), soft([0, 0, 1])]], 3)
    assert said_otherwise == votes
    assert said_otherwise.is_plain
    assert said_otherwise.to_codes().dtype == np.int8
    assert Votes.from_dense([[soft([1 / 3] * 3), soft([1 / 3, 1 / 3, 1 / 3])]], 3).n_votes == 0


def test_codes_take_the_smallest_type_that_holds_them() -> None:
    pairs = [one_of(*pair) for pair in itertools.combinations(range(16), 2)]  # 120
    assert Votes.from_dense([pairs[:112]], 16).to_codes().dtype == np.int8
    assert Votes.from_dense([pairs], 16).to_codes().dtype == np.int16
    assert Votes.from_soft(np.random.default_rng(0).dirichlet([1, 1], 40_000)).to_codes().dtype == np.int32


def test_the_codebook_cannot_be_changed() -> None:
    votes = Votes.from_dense([[one_of(0, 1), soft([0.5, 0.3, 0.2])]], 3)
    for array in (votes.symbols.sets, votes.symbols.soft):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0
    with pytest.raises(AttributeError):
        votes.symbols = Symbols.empty(3)
    assert pickle.loads(pickle.dumps(votes.symbols)) == votes.symbols != Symbols.empty(3)
    assert repr(votes.symbols) == "Symbols(3 classes, 1 candidate sets, 1 soft votes)"
    assert repr(votes) == "Votes(1 items x 2 sources, 3 classes, 2 votes, density 1.000, 1 sets, 1 soft votes)"


def test_votes_that_are_looked_up() -> None:
    votes = Votes.from_codes(
        [[0, ERROR, 3], [-1, 4, 1]], 3, symbols=[not_(1), soft([0.5, 0.25, 0.25])], sources=[*"abc"]
    )
    assert [votes.vote_at(0, m) for m in range(3)] == [0, ERROR, one_of(0, 2)]
    assert [votes.vote_at(1, name) for name in "abc"] == [ABSTAIN, soft([0.5, 0.25, 0.25]), 1]
    for place in ((2, 0), (0, 3), (-1, 0), (0, "d")):
        with pytest.raises(InvalidVotesError):
            votes.vote_at(*place)


@pytest.mark.parametrize(
    ("array", "symbols", "message"),
    [
        ([[0, one_of(1, 3)]], None, r"row 0, column 1 \('source_1'\): one_of\(1, 3\) names class 3, outside 0\.\.2"),
        ([[0, 1], [not_(0, 1, 2), 0]], None, r"row 1, column 0 .*leaves none of the 3 classes"),
        ([[soft([0.5, 0.5]), 0]], None, r"row 0, column 0 .*2 probabilities; there are 3 classes"),
        ([[0, 4]], [one_of(0, 1)], r"row 0, column 1 .*label 4 is outside 0\.\.2, not one of the 1 symbols 3\.\.3"),
        ([[0, 3]], [one_of(0, 5)], r"symbols: entry 0: one_of\(0, 5\) names class 5"),
        ([[0, 3]], [(0, 1)], r"symbols: entry 0 is \(0, 1\), and not made by"),
        ([[0, 4]], Symbols.empty(4), "over 4 classes, the votes over 3"),
        ([[0, (0, 1)]], None, r"row 0, column 1 is \(0, 1\)"),
    ],
)
def test_votes_that_do_not_fit_are_refused_with_the_place(array: Any, symbols: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        Votes.from_dense(array, 3, symbols=symbols)


def test_triples_that_do_not_fit_are_refused_with_the_place() -> None:
    with pytest.raises(InvalidVotesError, match=r"triple 1: one_of\(0, 7\) names class 7"):
        Votes.from_triples([0, 1], [0, 0], [1, one_of(0, 7)], n_classes=3)


# --------------------------------------------------------------------- tensors


def test_soft_votes_of_a_tensor() -> None:
    nan = [np.nan] * 3
    tensor = np.array([[[0.2, 0.3, 0.5], nan], [[0, 0, 0], [0, 1, 0]], [[0.2, 0.3, 0.5], [1 / 3] * 3]])
    votes = Votes.from_soft(tensor, sources=["llm", "clf"], items=[*"abc"])
    expected: list[list[object]] = [[soft([0.2, 0.3, 0.5]), -1], [-1, 1], [soft([0.2, 0.3, 0.5]), -1]]
    assert votes == Votes.from_dense(expected, 3, sources=["llm", "clf"], items=[*"abc"])
    assert votes.symbols.soft.shape == (1, 3)
    assert Votes.from_soft(tensor[:, 0]).shape == (3, 1)
    assert Votes.from_soft(np.array([[0.7, 0.3005], [0.5, 0.4995]], np.float32)).symbols.soft.sum(1) == pytest.approx(1)


def test_candidate_sets_of_a_tensor() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    votes = Votes.from_candidates(mask)
    expected: list[list[object]] = [[one_of(0, 1)], [2], [-1], [one_of(0, 1)]]
    assert votes == Votes.from_dense(expected, 4)
    assert votes == Votes.from_candidates(mask.astype(bool))
    assert Votes.from_candidates(np.stack([mask, mask], 1)).shape == (4, 2)
    assert Votes.from_candidates(np.empty((0, 3))).shape == (0, 1)


@pytest.mark.parametrize(
    ("make", "tensor", "message"),
    [
        (Votes.from_soft, [[[0.5, 0.5], [0.5, 0.6]]], r"row 0, column 1 \('source_1'\): .* sum to 1, got \[0.5, 0.6\]"),
        (Votes.from_soft, [[0.5, 0.5], [np.nan, 1]], "row 1, column 0"),
        (Votes.from_soft, [[0.5, 0.5], [-0.5, 1.5]], "row 1, column 0"),
        (Votes.from_soft, [[0.5, 0.5], [np.inf, 0]], "row 1, column 0"),
        (Votes.from_soft, [0.5, 0.5], r"\[items, sources, classes\] or \[items, classes\], got shape \(2,\)"),
        (Votes.from_soft, [["a", "b"]], "must be numbers"),
        (Votes.from_soft, [[1.0]], "n_classes must be at least 2"),
        (Votes.from_candidates, [[1, 0], [0, 0]], r"row 1, column 0 .* a 1 at least \(all 1 abstains\), got \[0, 0\]"),
        (Votes.from_candidates, [[1, 2]], "row 0, column 0 .* expected 0 and 1"),
    ],
)
def test_bad_tensors_are_refused_with_the_place(make: Any, tensor: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        make(tensor)


# --------------------------------------------------------------- putting together


def test_plain_and_soft_sources_mix_in_one_matrix() -> None:
    rules = Votes.from_dense([[0, -1], [1, 2]], 3, sources=["r0", "r1"], items=["x", "y"])
    llm = Votes.from_soft([[0.1, 0.2, 0.7], [0.6, 0.2, 0.2]], sources=["llm"])
    votes = Votes.concatenate_sources([rules, llm])
    assert votes.source_names == ("r0", "r1", "llm")
    assert votes.item_ids is not None
    assert votes.item_ids.tolist() == ["x", "y"]
    assert votes.vote_at(1, "llm") == soft(np.array([0.6, 0.2, 0.2], np.float32).tolist())
    failed = Votes.from_codes([[ERROR], [0]], 3, sources=["failed"])
    crowd = Votes.from_triples([0], [0], [1], n_classes=3, n_items=2, source_names=["crowd"])
    both = Votes.concatenate_sources([crowd, failed])
    assert both.is_sparse
    assert both.to_codes().tolist() == [[1, ERROR], [-1, 0]]
    assert both.errors.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("together", "parts", "message"),
    [
        (Votes.concatenate_sources, [], "no votes to put together"),
        (Votes.concatenate_sources, [([[0]], 2, {}), ([[0]], 3, {})], "part 0 is over 2 classes, part 1 over 3"),
        (Votes.concatenate_sources, [([[0]], 2, {}), ([[0], [1]], 2, {})], "part 0 is on 1 items, part 1 on 2"),
        (Votes.concatenate_sources, [([[0]], 2, {}), ([[0]], 2, {})], "'source_0' appears twice"),
        (
            Votes.concatenate_sources,
            [([[0]], 2, {"items": ["a"]}), ([[0]], 2, {"items": ["b"], "sources": ["other"]})],
            "part 1 has other item ids",
        ),
        (Votes.concatenate_items, [([[0]], 2, {}), ([[0, 1]], 2, {})], "part 1 has other sources"),
        (Votes.concatenate_items, [([[0]], 2, {}), ([[0]], 2, {"items": ["a"]})], "one has item ids, the other none"),
        (Votes.concatenate_items, [([[0]], 2, {"items": ["a"]})] * 2, "'a' appears twice"),
    ],
)
def test_parts_that_do_not_fit_are_refused(together: Any, parts: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        together([Votes.from_dense(array, n_classes, **names) for array, n_classes, names in parts])


# ----------------------------------------------------------------------- files


@given(matrices)
def test_files_keep_votes(tmp_path_factory: pytest.TempPathFactory, matrix: list[list[Cell]]) -> None:
    path = tmp_path_factory.mktemp("votes") / "votes.npz"
    for votes in (Votes.from_dense(matrix, K), sparse(matrix)):
        votes.save(path)
        loaded = Votes.load(path)
        assert loaded == votes
        assert loaded.is_sparse == votes.is_sparse
        assert loaded.symbols == votes.symbols
        assert loaded.to_codes().dtype == votes.to_codes().dtype


def test_a_file_keeps_names_ids_and_errors(tmp_path: Path) -> None:
    votes = Votes.from_codes([[0, ERROR], [1, -1]], 2, sources=["a", "ü"], items=["x", "y"])
    votes.save(tmp_path / "votes")
    assert Votes.load(tmp_path / "votes") == votes
    assert [path.name for path in tmp_path.iterdir()] == ["votes"]


def test_files_that_hold_no_votes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    sparse([[0, one_of(0, 1)], [soft([0.1, 0.2, 0.3, 0.4]), 1]]).save(path)
    with np.load(path) as archive:
        whole = dict(archive)
    damages: dict[str, Any] = {
        "codes": whole["codes"] + 40,
        "rows": whole["rows"][::-1],
        "columns": whole["columns"] + 7,
        "sets": whole["sets"][:, :2],
        "soft": whole["soft"] * 2,
        "header": np.frombuffer(b"[]", np.uint8),
    }
    for name, array in damages.items():
        np.savez(path, **whole | {name: array})
        with pytest.raises(InvalidVotesError, match="is not a file of votes, or is damaged"):
            Votes.load(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidVotesError, match="is not a file of votes"):
        Votes.load(path)
    with pytest.raises(FileNotFoundError):
        Votes.load(tmp_path / "none")
