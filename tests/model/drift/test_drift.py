"""Skills that change: fading counts, the search for jumps, and models that go on from new items."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaln

from weaklabel import LabelModel, Votes, one_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.model.drift.blocks import block_at, borders, cut, pairs_to_join
from weaklabel.model.drift.detection import (
    FADE_EVIDENCE,
    JUMP_EVIDENCE,
    PRIOR_VOTES,
    Changes,
    fading,
    find_changes,
)
from weaklabel.model.drift.history import faded_counts

N_BLOCKS, SIZE = 16, 120
JUMP = 9


def _drawn(jumps: bool, seed: int = 0, n_sources: int = 7) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Votes, truth and times; sources 0 and 1 fall from .9 to .3 at the beginning of block 9."""
    rng = np.random.default_rng(seed)
    times = np.repeat(np.arange(N_BLOCKS), SIZE) + rng.random(N_BLOCKS * SIZE)
    skill = np.tile(np.array([0.9, 0.9, *np.linspace(0.7, 0.85, n_sources - 2)]), (len(times), 1))
    if jumps:
        skill[times >= JUMP, :2] = 0.3
    truth = rng.integers(0, 2, len(times))
    return np.where(rng.random(skill.shape) < skill, truth[:, None], 1 - truth[:, None]), truth, times


def _nll(proba: NDArray[Any], truth: NDArray[Any]) -> float:
    return float(-np.log(np.clip(proba[np.arange(len(truth)), truth], 1e-6, 1)).mean())


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return _drawn(jumps=True)


@pytest.fixture(scope="module")
def model(drawn: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> LabelModel:
    return LabelModel(2).fit(drawn[0], times=drawn[2])


# ------------------------------------------------------------------ counts


def test_counts_fade_by_half_a_half_life_away_and_end_at_jumps() -> None:
    """Two sources, three blocks at 0, 1 and 3: by hand."""
    counts = np.zeros((3, 2, 2, 2), np.float32)
    counts[:, 0, 0, 0] = 8, 4, 2  # source 0 fades with half-life 1
    counts[:, 1, 1, 1] = 8, 4, 2  # source 1 does not, but jumps before the last block
    changes = Changes(np.array([np.log(2), 0]), np.array([[0, 0, 0], [0, 0, 1]], np.int32))
    faded = faded_counts(fading(changes, np.array([0.0, 1, 3])), counts)
    np.testing.assert_allclose(faded[:, 0, 0, 0], [8 + 2 + 0.25, 4 + 4 + 0.5, 1 + 1 + 2])
    np.testing.assert_allclose(faded[:, 1, 1, 1], [12, 12, 2])
    assert faded.sum() == pytest.approx(22.75 + 26)


def test_counts_that_do_not_fade_are_those_of_all_blocks() -> None:
    counts = np.random.default_rng(0).random((4, 3, 2, 2)).astype(np.float32)
    changes = Changes(np.zeros(3), np.zeros((3, 4), np.int32))
    faded = faded_counts(fading(changes, np.arange(4.0)), counts)
    np.testing.assert_allclose(faded, np.repeat(counts.sum(0)[None], 4, 0), rtol=1e-6)


def _counts(right: list[float], votes: float) -> NDArray[np.float32]:
    """[B, 1, 2, 2] so many right votes in each block, of class 0."""
    counts = np.zeros((len(right), 1, 2, 2), np.float32)
    counts[:, 0, 0, 0] = right
    counts[:, 0, 1, 0] = votes - np.array(right)
    return counts


def _one_segment(right: NDArray[Any], votes: float, prior: tuple[float, float]) -> float:
    """Log marginal likelihood of blocks of one skill: closed form, whatever the order of the votes."""
    n = len(right) * votes
    return float(betaln(prior[0] + right.sum(), prior[1] + n - right.sum()) - betaln(*prior))


@pytest.mark.parametrize("after", [14, 13, 12, 10, 4])
def test_a_jump_is_found_where_its_marginal_likelihood_outweighs_the_evidence_it_needs(after: float) -> None:
    right = np.array([16.0] * 4 + [after] * 4)
    expected = (right.sum() + 0.75) / (8 * 20 + 1)
    prior = PRIOR_VOTES * expected, PRIOR_VOTES * (1 - expected)
    gain = _one_segment(right[:4], 20, prior) + _one_segment(right[4:], 20, prior) - _one_segment(right, 20, prior)
    assert abs(gain - JUMP_EVIDENCE) > 0.1
    # Blocks far apart in time but for one step: fading would forget all, or nothing.
    found = find_changes(_counts(right.tolist(), 20), np.arange(8.0))
    jumped = bool(found.segments[0, -1])
    if gain < JUMP_EVIDENCE:
        assert not jumped
    if gain > JUMP_EVIDENCE + 2 * FADE_EVIDENCE:
        assert found.segments[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
        assert found.rates[0] == 0


def test_a_skill_that_wanders_fades_and_one_that_does_not_is_constant() -> None:
    wandering = 50 + 40 * np.sin(np.arange(40) / 3)
    counts = np.concatenate([_counts(wandering.tolist(), 100), _counts([80.0] * 40, 100)], axis=1)
    found = find_changes(counts, np.arange(40.0))
    assert found.rates[0] > 0
    assert found.rates[1] == 0
    assert not found.segments[1].any()


def test_two_blocks_and_blocks_of_one_time_tell_no_change() -> None:
    assert not find_changes(_counts([20, 0], 20), np.arange(2.0)).any
    assert not find_changes(_counts([20, 20, 0, 0], 20), np.zeros(4)).any


# ------------------------------------------------------------------ blocks


def test_items_of_one_time_are_in_one_block_and_blocks_are_in_order() -> None:
    times = np.array([3.0, 1, 1, 1, 1, 1, 2, 9])
    blocks = cut(times, 2)
    assert all(len(set(blocks.number[times == time])) == 1 for time in times)
    assert (np.diff(blocks.starts) > 0).all()
    np.testing.assert_array_equal(blocks.starts <= blocks.ends, True)
    assert blocks.number[times == 9] == len(blocks.starts) - 1


def test_a_time_belongs_to_the_nearest_block() -> None:
    starts, middles, ends = (
        np.array([0.0, 4, 5]),
        np.array([1.0, 4.5, 7]),
        np.array([2.0, 6, 9]),
    )  # the last two overlap
    edges = borders(starts, middles, ends)
    np.testing.assert_allclose(edges, [3, 5.75])
    assert block_at(np.array([-9, 2.9, 3.1, 5.7, 5.8, 99]), edges).tolist() == [0, 0, 1, 1, 2, 2]


def test_neighbours_with_the_fewest_items_become_one_block() -> None:
    assert pairs_to_join(np.array([6.0, 1, 2, 9, 4, 4]), 4).tolist() == [0, 1, 1, 2, 3, 3]


# ------------------------------------------------------------------ models


def test_without_change_a_fit_with_times_is_the_plain_fit_to_the_bit() -> None:
    votes, _, times = _drawn(jumps=False)
    plain, timed = LabelModel(2).fit(votes), LabelModel(2).fit(votes, times=times)
    assert timed.skill_jumps == ()
    assert set(timed.half_lives.values()) == {np.inf}
    np.testing.assert_array_equal(timed.predict_proba(votes, times=times), plain.predict_proba(votes))
    np.testing.assert_array_equal(timed.source_accuracy, plain.source_accuracy)
    frame = timed.skill_at([0.0, 12.0])
    np.testing.assert_array_equal(frame["accuracy"], np.tile(plain.source_accuracy, 2))


def test_jumps_are_found_told_and_used(model: LabelModel, drawn: tuple[Any, Any, Any]) -> None:
    votes, truth, times = drawn
    assert {jump.source for jump in model.skill_jumps} == {"source_0", "source_1"}
    for jump in model.skill_jumps:
        assert jump.time == pytest.approx(JUMP, abs=0.6)
        assert jump.before == pytest.approx(0.9, abs=0.05)
        assert jump.after == pytest.approx(0.3, abs=0.07)
    (finding,) = [one for one in model.diagnostics.findings if one.kind == "skill_jump"]
    assert "source_0 from 0." in finding.message
    log_odds = np.log(np.array([0.9, 0.9, *np.linspace(0.7, 0.85, 5)]))
    skill = np.tile(np.exp(log_odds), (len(times), 1))
    skill[times >= JUMP, :2] = 0.3
    odds = (np.log(skill / (1 - skill)) * (2 * votes - 1)).sum(1)
    bayes = _nll(np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1), truth)
    timed = _nll(model.predict_proba(votes, times=times), truth)
    assert timed < bayes + 0.01
    assert timed < _nll(LabelModel(2).fit(votes).predict_proba(votes), truth) - 0.03


def test_skills_at_times_have_intervals_that_hold_the_share_of_right_votes(
    model: LabelModel, drawn: tuple[Any, Any, Any]
) -> None:
    votes, truth, times = drawn
    for time, here in ((2.0, times < JUMP), (14.0, times >= JUMP)):
        frame = model.skill_at(time)
        assert frame["source"].tolist() == list(model.source_names)
        share = (votes[here][:, :2] == truth[here][:, None]).mean(0)  # of the two that jump
        assert (frame["low"].to_numpy()[:2] < share).all()
        assert (share < frame["high"].to_numpy()[:2]).all()


def test_items_may_come_in_any_order_with_their_times(model: LabelModel, drawn: tuple[Any, Any, Any]) -> None:
    votes, _, times = drawn
    order = np.random.default_rng(1).permutation(len(votes))
    again = LabelModel(2).fit(votes[order], times=times[order])
    np.testing.assert_allclose(
        again.predict_proba(votes, times=times), model.predict_proba(votes, times=times), atol=1e-4
    )
    assert [jump[:2] for jump in again.skill_jumps] == [jump[:2] for jump in model.skill_jumps]


@pytest.mark.slow
def test_votes_given_sparsely_say_the_same(model: LabelModel, drawn: tuple[Any, Any, Any]) -> None:
    votes, _, times = drawn
    silent = np.pad(votes, ((0, 0), (0, 40)), constant_values=-1)  # most of the matrix: laid out by votes
    sparse = LabelModel(2).fit(Votes.from_dense(silent, 2).to_sparse(), times=times)
    assert [jump[:2] for jump in sparse.skill_jumps] == [jump[:2] for jump in model.skill_jumps]


def test_the_first_call_of_partial_fit_is_a_fit_and_later_ones_go_on(drawn: tuple[Any, Any, Any]) -> None:
    votes, truth, times = drawn
    early, late = times < 5, times >= 5
    going, fitted = LabelModel(2).partial_fit(votes[early], times=times[early]), LabelModel(2)
    fitted.fit(votes[early], times=times[early])
    np.testing.assert_array_equal(going.predict_proba(votes), fitted.predict_proba(votes))
    soft = np.empty((len(votes), 2), np.float32)
    soft[early] = going.predict_proba(votes[early], times=times[early])
    for start in (5, 8, 11, 14):
        now = (times >= start) & (times < start + 3) & late
        going.partial_fit(votes[now], times=times[now])
        soft[now] = going.predict_proba(votes[now], times=times[now])
    assert {jump.source for jump in going.skill_jumps} == {"source_0", "source_1"}
    assert _nll(soft, truth) < _nll(LabelModel(2).fit(votes).predict_proba(votes), truth) - 0.02
    np.testing.assert_allclose(going.source_accuracy[:2], 0.3, atol=0.07)  # of the latest items
    np.testing.assert_allclose(going.coverage, 1)


@pytest.mark.slow
def test_sources_may_arrive(drawn: tuple[Any, Any, Any]) -> None:
    votes, truth, times = drawn
    early = times < 8
    model = LabelModel(2).partial_fit(Votes.from_dense(votes[early][:, :5], 2), times=times[early])
    model.partial_fit(Votes.from_dense(votes[~early], 2), times=times[~early])
    assert model.source_names == tuple(f"source_{at}" for at in range(7))
    late = model.skill_at(15.0).set_index("source")["accuracy"]
    assert late["source_6"] == pytest.approx((votes[~early][:, 6] == truth[~early]).mean(), abs=0.09)


def test_calls_without_times_are_numbered() -> None:
    votes, _, times = _drawn(jumps=True)
    model = LabelModel(2)
    for block in range(N_BLOCKS):
        model.partial_fit(votes[times.astype(int) == block])
    assert {jump.source for jump in model.skill_jumps} == {"source_0", "source_1"}
    assert all(abs(jump.time - JUMP) <= 1.5 for jump in model.skill_jumps)
    with pytest.raises(InvalidArgumentError, match="the items before had no times"):
        model.partial_fit(votes, times=times)


def test_a_model_is_kept_with_its_history(model: LabelModel, drawn: tuple[Any, Any, Any]) -> None:
    votes, _, times = drawn
    again = LabelModel.from_bytes(model.to_bytes())
    assert again.skill_jumps == model.skill_jumps
    np.testing.assert_array_equal(again.predict_proba(votes, times=times), model.predict_proba(votes, times=times))
    more = LabelModel.from_bytes(model.to_bytes()).partial_fit(votes[:200], times=times[:200] + 20)
    again.partial_fit(votes[:200], times=times[:200] + 20)
    np.testing.assert_array_equal(again.predict_proba(votes), more.predict_proba(votes))


def test_a_history_that_contradicts_itself_is_refused(model: LabelModel) -> None:
    from weaklabel.model import storage

    fitted = model._fitted
    assert fitted.drift is not None
    broken = fitted._replace(drift=fitted.drift._replace(sample=fitted.drift.sample + 5))
    parameters = {"classes": ["0", "1"], "seed": 0, "max_iter": 9, "tol": 1e-4}
    with pytest.raises(ModelFileError, match="blocks of time contradicts"):
        LabelModel.from_bytes(storage.pack(parameters, broken, model._settings))


def test_dates_are_told_as_dates(model: LabelModel, drawn: tuple[Any, Any, Any]) -> None:
    votes, _, times = drawn
    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dates = [begin + dt.timedelta(days=float(day)) for day in times]
    dated = LabelModel(2).fit(votes, times=dates)
    assert [jump.source for jump in dated.skill_jumps] == [jump.source for jump in model.skill_jumps]
    for jump, number in zip(dated.skill_jumps, model.skill_jumps, strict=True):
        assert (jump.time - np.datetime64("2024-01-01")) / np.timedelta64(1, "D") == pytest.approx(
            number.time, abs=0.01
        )
    frame = dated.skill_at(np.array(["2024-01-03", "2024-01-14"], "datetime64[D]"))
    assert frame["time"].dtype.kind == "M"
    with pytest.raises(InvalidArgumentError, match="the times of the fit are dates, these are numbers"):
        dated.predict_proba(votes, times=times)


# ------------------------------------------------------------------ bad input

GOOD = Votes.from_dense([[0, 1], [1, 1], [0, 0]], 2)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, 2], r"one time for each of the 3 items, got shape \(2,\)"),
        ([[1, 2, 3]], "one time for each of the 3 items"),
        ([1, np.nan, 3], "item 1 has the time nan, which is not finite"),
        (np.array([1, 2, np.inf]), "item 2 has the time inf, which is not finite"),
        (np.array(["2024-01-01", "NaT", "2024-01-03"], "datetime64[D]"), "item 1 has no time"),
        ([dt.date(2024, 1, 1), 3, dt.date(2024, 1, 2)], "item 1 has a number where items before it have a date"),
        (
            [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 2)],  # noqa: DTZ001
            "item 1 has a date with a time zone where items before it have a date",
        ),
        ([1, None, 3], "item 1 has no time"),
        ([True, False, True], "item 0 has True, which is neither a number nor a date"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], "item 0 has '2024-01-01', which is neither"),
        (np.array(["a", "b", "c"]), "must be numbers or dates"),
        (7, "must be a sequence of times"),
        ({"a": 1}, "the votes have no ids"),
    ],
)
def test_times_that_cannot_be_read_are_refused(times: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        LabelModel(2).fit(GOOD, times=times)
    assert caught.value.field == "times"


def test_an_index_of_pandas_names_the_items() -> None:
    import pandas as pd

    from weaklabel.side_information.times import read_times

    votes = Votes.from_dense([[0], [1], [0]], 2, items=["a", "b", "c"])
    read = read_times(pd.Series([3.0, 1.0, 2.0], index=["c", "a", "b"]), 3, votes.item_ids)
    assert read.values.tolist() == [1, 2, 3]
    zoned = pd.Series(pd.to_datetime(["2024-01-01T01:00+01:00"] * 3))
    assert read_times(zoned, 3).values[0] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp()
    with pytest.raises(InvalidArgumentError, match="item 1 has no time"):
        read_times(pd.Series([pd.Timestamp(0), pd.NaT, pd.Timestamp(1)], dtype=object), 3)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"gold": [0, -1, 1]}, "gold"),
        ({"groups": ["a", "b", "a"]}, "groups"),
        ({"prior": np.full((3, 2), 0.5)}, "prior"),
        ({"features": np.ones((3, 2))}, "features"),
        ({"bounds": {"source_0": (0.5, 0.9)}}, "bounds"),
        ({"families": {"source_0": "a", "source_1": "a"}}, "families"),
    ],
)
def test_what_times_do_not_go_with_is_refused(more: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"items with times come without {name}"):
        LabelModel(2).fit(GOOD, times=[1, 2, 3], **more)


def test_models_and_votes_without_confusion_matrices_are_refused(model: LabelModel) -> None:
    with pytest.raises(InvalidArgumentError, match="times need one confusion matrix per source"):
        LabelModel(2, source_model="one_coin").fit(GOOD, times=[1, 2, 3])
    with pytest.raises(InvalidVotesError, match="votes for one class each"):
        LabelModel(3).fit(Votes.from_dense([[one_of(0, 1), 2]], 3), times=[1])
    with pytest.raises(InvalidVotesError, match="at least one item"):
        LabelModel(2).partial_fit(np.empty((0, 2), int))
    with pytest.raises(InvalidArgumentError, match="come without groups"):
        model.predict_proba(np.zeros((1, 7), int), times=[1], groups=["a"])
    with pytest.raises(InvalidArgumentError, match='take unseen="error"'):
        model.predict_proba(np.zeros((1, 7), int), times=[1], unseen="average")
    with pytest.raises(InvalidArgumentError, match="sets are not made"):
        model.predict_set(np.zeros((1, 7), int))


def test_models_without_times_say_so() -> None:
    model = LabelModel(2)
    with pytest.raises(NotFittedError):
        model.skill_at(1)
    model.fit(GOOD)
    for call in (lambda: model.skill_at(1), lambda: model.skill_jumps, lambda: model.half_lives):
        with pytest.raises(InvalidArgumentError, match="fitted without times"):
            call()
    with pytest.raises(InvalidArgumentError, match="fitted without times"):
        model.predict_proba(GOOD, times=[1, 2, 3])
    with pytest.raises(InvalidArgumentError, match="begin with partial_fit"):
        model.partial_fit(GOOD)
