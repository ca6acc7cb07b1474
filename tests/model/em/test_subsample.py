import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, NotFittedError
from weaklabel.model.em import subsample
from weaklabel.model.em.subsample import chunks_of, draw_from_chunks, draw_subsample, recut, row_ranks, sample_size
from weaklabel.votes.chunks import VoteChunks


def simulate(n_items: int, n_sources: int, n_classes: int = 2, coverage: float = 0.5) -> NDArray[np.int8]:
    """Votes of independent sources."""
    rng = np.random.default_rng(0)
    shape = (n_items, n_sources)
    truth = rng.integers(0, n_classes, (n_items, 1))
    right = rng.random(shape) < rng.uniform(0.6, 0.9, n_sources)
    votes = np.where(right, truth, (truth + rng.integers(1, n_classes, shape)) % n_classes)
    return np.where(rng.random(shape) < coverage, votes, -1).astype(np.int8)


def parameters(model: LabelModel) -> NDArray[np.float32]:
    confusion = model._fitted.params.sources.confusion
    assert confusion is not None
    return np.concatenate([np.ravel(leaf) for leaf in (confusion, model.class_balance)])


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the device took 256 rows at once."""
    monkeypatch.setattr(subsample, "CHUNK_ROWS", 256)


@pytest.mark.parametrize("cuts", [[], [0, 0, 1, 2, 255, 256, 257, 900], [512, 1000]])
def test_rows_are_cut_the_same_however_they_come(small_chunks: None, cuts: list[int]) -> None:
    codes = simulate(1000, 4)
    at_once = list(chunks_of(Votes.from_codes(codes, 2)))
    in_parts = list(recut(VoteChunks(np.split(codes, cuts), 2)))
    assert [len(part) for part in in_parts] == [256, 256, 256, 232]
    for one, other in zip(at_once, in_parts, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cuts", [[1, 2, 3000], [0, 1024, 1024, 4999]])
def test_the_sample_is_the_same_however_rows_come(small_chunks: None, cuts: list[int]) -> None:
    codes = simulate(5000, 14, 3)
    drawn = draw_from_chunks(VoteChunks(np.split(codes, cuts), 3), 1000, seed=3)
    at_once = draw_subsample(Votes.from_codes(codes, 3), 1000, 3)
    assert drawn.is_sample
    np.testing.assert_array_equal(drawn.rows.votes.to_codes(), at_once.votes.to_codes())
    np.testing.assert_array_equal(drawn.rows.weight, at_once.weight)


def test_a_sample_that_overflows_on_the_way_is_cut_back(small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subsample, "MOST_SAMPLED_CELLS", 14)  # so that no more than sample_rows are held
    codes = simulate(5000, 14, 3)
    drawn = draw_from_chunks(VoteChunks(np.split(codes, 50), 3), 300, seed=3)
    np.testing.assert_array_equal(
        drawn.rows.votes.to_codes(), draw_subsample(Votes.from_codes(codes, 3), 300, 3).votes.to_codes()
    )


def test_a_sample_is_random_rows() -> None:
    ranks = np.concatenate([row_ranks(start, 1000, seed=5) for start in range(0, 100_000, 1000)])
    assert len(np.unique(ranks)) == len(ranks)  # the mixer is a bijection
    chosen = np.flatnonzero(ranks < 2**32 // 10)
    assert len(chosen) == pytest.approx(10_000, abs=400)  # 4 standard deviations
    assert np.bincount(chosen // 10_000) == pytest.approx(np.full(10, 1000), abs=130)
    assert not np.array_equal(ranks, row_ranks(0, 100_000, seed=6))


def test_a_sample_holds_more_where_there_are_more_parameters() -> None:
    assert sample_size(10**6, 3 * 10**6, 10, 2, 1000) == 1000
    # 8 votes a cell of 10 matrices of 100 x 100, three votes a row
    assert sample_size(10**6, 3 * 10**6, 10, 100, 1000) == 8 * 10 * 100**2 // 3
    # without votes no number is enough: as many as memory takes
    assert sample_size(10**9, 0, 10, 2, 1000) == subsample.MOST_SAMPLED_CELLS // 10


@pytest.mark.parametrize(
    ("n_items", "n_sources", "n_classes", "sample_rows"),
    [(3000, 6, 2, 10_000), (6000, 14, 3, 1000), (3000, 30, 2, 500)],
    ids=["few distinct rows", "a sample", "a sample of rows that differ"],
)
def test_chunks_are_fitted_as_the_matrix(
    small_chunks: None, n_items: int, n_sources: int, n_classes: int, sample_rows: int
) -> None:
    codes = simulate(n_items, n_sources, n_classes)
    model = LabelModel(n_classes, sample_rows=sample_rows)
    at_once = model.fit(codes)
    expected, proba, n_iter = parameters(at_once), at_once.predict_proba(codes), at_once.n_iter
    chunks = VoteChunks(np.split(codes, [0, 1, 200, 201, n_items // 2]), n_classes)
    model.fit(chunks)
    np.testing.assert_allclose(parameters(model), expected, atol=1e-6)
    np.testing.assert_allclose(model.coverage, (codes >= 0).mean(0), atol=1e-6)
    assert model.n_iter == n_iter
    predicted = list(model.predict_chunks(chunks))
    np.testing.assert_allclose(np.concatenate([soft for soft, _ in predicted]), proba, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([called for _, called in predicted]), model.predict(codes))


def test_chunks_of_nothing_but_abstains_change_nothing(small_chunks: None) -> None:
    codes = simulate(3000, 14, 3)
    silent = np.full((400, 14), -1, np.int8)
    with_silence = [silent, codes[:1000], silent, codes[1000:]]
    model = LabelModel(3, sample_rows=1000)
    fitted = parameters(model.fit(VoteChunks(with_silence, 3)))
    np.testing.assert_allclose(fitted, parameters(model.fit(np.concatenate(with_silence))), atol=1e-6)
    soft = [soft for soft, _ in model.predict_chunks(VoteChunks(with_silence, 3))]
    np.testing.assert_allclose(soft[0], 1 / 3, atol=1e-6)


def test_nothing_but_abstains() -> None:
    silent = np.full((300, 3), -1, np.int8)
    model = LabelModel(2).fit(VoteChunks([silent, silent], 2))
    np.testing.assert_allclose(model.predict_proba(silent), 0.5)


def test_copies_are_found_in_chunks(small_chunks: None) -> None:
    codes = simulate(3000, 12)
    codes[:, 1] = codes[:, 0]
    model = LabelModel(2, sample_rows=500)
    expected = parameters(model.fit(codes))
    assert model._fitted.copies.nnz > 0
    np.testing.assert_allclose(parameters(model.fit(VoteChunks([codes[:70], codes[70:]], 2))), expected, atol=1e-6)


def broken(after: int) -> Any:
    def read() -> Iterator[NDArray[np.int8]]:
        for _ in range(after):
            yield simulate(300, 6)
        yield np.full((1, 6), 7, np.int8)

    return read


def test_a_wrong_chunk_ends_a_fit_and_leaves_the_model_as_it_was() -> None:
    with pytest.raises(InvalidVotesError, match=r"chunk 2: row 0, column 0 .*label 7"):
        LabelModel(2).fit(VoteChunks(broken(2), 2))
    model = LabelModel(2).fit(simulate(3000, 6))
    before = parameters(model)
    with pytest.raises(InvalidVotesError, match="chunk 1"):
        model.fit(VoteChunks(broken(1), 2))
    np.testing.assert_array_equal(parameters(model), before)


@pytest.mark.parametrize("chunks", [[], [np.empty((0, 3), np.int8)]])
def test_no_rows_are_refused(chunks: list[Any]) -> None:
    with pytest.raises(InvalidVotesError, match="no rows"):
        LabelModel(2).fit(VoteChunks(chunks, 2))


def test_what_chunks_come_without() -> None:
    chunks = VoteChunks([simulate(10, 3)], 2)
    with pytest.raises(InvalidArgumentError, match="in chunks come without features") as refused:
        LabelModel(2).fit(chunks, features=np.zeros((10, 2)))
    assert refused.value.field == "features"
    with pytest.raises(InvalidVotesError, match="over 2 classes, the model over 3"):
        LabelModel(3).fit(chunks)
    with pytest.raises(InvalidVotesError, match="at least one source"):
        LabelModel(2).fit(VoteChunks([np.empty((2, 0), np.int8)], 2))
    with pytest.raises(NotFittedError):
        next(LabelModel(2).predict_chunks(chunks))
    with pytest.raises(InvalidVotesError, match="plain"):
        LabelModel(2).fit(VoteChunks([Votes.from_soft(np.full((3, 2, 2), [0.4, 0.6]))], 2))


@pytest.mark.slow
def test_slow_passes_come_to_rest_and_nobody_is_told_otherwise(small_chunks: None) -> None:
    """Few sources, hardly better than chance: EM's rate is about .85."""
    rng = np.random.default_rng(0)
    shape, n_classes = (20_000, 10), 3
    truth = rng.integers(0, n_classes, (shape[0], 1))
    right = rng.random(shape) < rng.uniform(0.5, 0.75, shape[1])
    votes = np.where(right, truth, (truth + rng.integers(1, n_classes, shape)) % n_classes)
    votes = np.where(rng.random(shape) < 0.4, votes, -1).astype(np.int8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampled = LabelModel(n_classes, sample_rows=6000).fit(votes)
    assert sampled.converged
    full = LabelModel(n_classes, sample_rows=None).fit(votes).predict_proba(votes)
    soft = sampled.predict_proba(votes)
    assert np.abs(soft - full).max(1).mean() < 1e-3
    assert (soft.argmax(1) == full.argmax(1)).mean() > 0.998
