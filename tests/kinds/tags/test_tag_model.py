"""Sets of tags: enumeration, recovery, equivariance, gold, keeping, bad input."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import TagModel
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.kinds.tags import settings
from weaklabel.kinds.tags.correlation import correlate
from weaklabel.kinds.tags.decoding import best_f1
from weaklabel.kinds.tags.gold import GRID, GoldCalibration, threshold
from weaklabel.kinds.tags.scores import tag_scores

TAGS = ["red", "round", "soft", "heavy"]
Lists = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.int8]]


def lists(seed: int, *, items: int = 400, sources: int = 8, recall: float = 0.5, tags: list[str] = TAGS) -> Lists:
    """Items, sources and tags that each source lists of every item, None where it lists nothing; and the truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((items, len(tags))) < 0.3).astype(np.int8)
    said = rng.random((items, sources, len(tags))) < np.where(truth[:, None] == 1, recall, 0.03)
    item, source, tag = np.nonzero(said)
    nothing = np.argwhere(~said.any(2))
    names = np.array([*tags, None], object)
    columns = np.concatenate([tag, np.full(len(nothing), len(tags))])
    return np.r_[item, nothing[:, 0]], np.r_[source, nothing[:, 1]], names[columns], truth


def block(seed: int, items: int = 300) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """[N, 6, 4] votes yes and no of sources whose accuracy goes from .55 to .95, a third of them silent; the truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((items, 4)) < 0.4).astype(np.int8)
    right = rng.random((items, 6, 4)) < np.linspace(0.55, 0.95, 6)[:, None]
    votes = np.where(right, truth[:, None], 1 - truth[:, None]).astype(np.int64)
    votes[rng.random(votes.shape) < 1 / 3] = -1
    return votes, truth


# --------------------------------------------------- enumeration and closed forms


@pytest.mark.parametrize("seed", range(5))
def test_the_set_of_most_expected_f1_is_that_of_all_sets_and_truths(seed: int) -> None:
    p = np.random.default_rng(seed).random(5) ** (2 + 2 * seed)  # down to sets that are best left empty
    sets = list(itertools.product([0, 1], repeat=5))

    def expected(chosen: tuple[int, ...]) -> float:
        total = 0.0
        for truth in sets:
            hits = sum(a * b for a, b in zip(chosen, truth, strict=True))
            f1 = 2 * hits / (sum(chosen) + sum(truth)) if sum(chosen) + sum(truth) else 1.0
            total += f1 * float(np.prod([q if one else 1 - q for q, one in zip(p, truth, strict=True)]))
        return total

    best = max(sets, key=expected)
    assert best_f1(p).tolist() == np.flatnonzero(best).tolist()


def test_slopes_of_correlation_are_those_of_ridge_regressions_one_by_one() -> None:
    shares = np.random.default_rng(0).random((50, 3))
    shares[:, 1] = (shares[:, 0] + shares[:, 1]) / 2
    found = correlate(shares, np.arange(3, dtype=np.int32))
    centered = shares - shares.mean(0)
    for at in range(3):
        others = [one for one in range(3) if one != at]
        x = centered[:, others]
        slope = np.linalg.solve(x.T @ x + settings.RIDGE * np.eye(2), x.T @ centered[:, at])
        mean = shares[:, at].mean()
        np.testing.assert_allclose(found.slope[others, at], settings.CORRELATED * slope / (mean * (1 - mean)))
        assert found.slope[at, at] == 0


def test_a_threshold_by_gold_keeps_the_risk_with_one_item_more_that_misses_all() -> None:
    missed = np.where(GRID > 0.2, 0.3, np.where(GRID > 0.05, 0.05, 0.0))
    gold = GoldCalibration(1.0, 0.0, np.zeros(1), missed, 99)
    assert threshold(gold, 0.9) == GRID[GRID <= 0.2][-1]  # (99 * .05 + 1) / 100 = .0595
    assert threshold(gold, 0.95) == GRID[GRID <= 0.05][-1]  # .0595 is too much; .01 is not
    assert threshold(gold, 0.995) == 0.0


def test_scores_are_those_of_a_hand_made_table() -> None:
    p, tag = np.array([0.9, 0.6, 0.4, 0.2]), np.array([0, 0, 0, 1])
    truth = np.array([1, 0, 1, 0], np.int8)
    found = tag_scores(p, tag, truth, ["micro_f1", "macro_f1", "map", "nll", "ece"])
    assert found["micro_f1"] == found["macro_f1"] == 0.5  # one of two said, one of two true
    assert found["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["nll"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.8]).mean())
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.2) / 4)


def test_one_source_that_votes_once_gets_the_share_with_the_prior() -> None:
    probability = (
        TagModel(["a"])
        .fit([0, 1], ["s", "s"], ["a", "a"], [1, 0])
        .predict_proba([0, 1], ["s", "s"], ["a", "a"], [1, 0])
    )
    half = settings.SHARE_PRIOR / 2
    np.testing.assert_allclose(probability[:, 0], [(1 + half) / (1 + 2 * half), half / (1 + 2 * half)], rtol=1e-5)


# --------------------------------------------------------------------- recovery


def test_explicit_votes_recover_truths_and_the_order_of_sources() -> None:
    votes, truth = block(0)
    model = TagModel(TAGS).fit(votes)
    majority = (votes == 1).sum(1) > (votes == 0).sum(1)
    assert (model.predict(votes) == truth).mean() > (majority == truth).mean() + 0.01
    evidence = model.sources()["evidence"].to_numpy()
    assert np.argmin(evidence) in (0, 1)
    assert np.argmax(evidence) in (4, 5)
    assert model.converged


def test_what_an_omission_says_is_learned() -> None:
    item, source, tag, truth = lists(1, recall=0.35)
    said = {
        unlisted: TagModel(TAGS, unlisted=unlisted)
        .fit(item, source, tag)
        .score(item, truth, ["nll", "micro_f1"], source=source, tag=tag)
        for unlisted in ("learned", "no", "unknown")
    }
    assert said["learned"]["nll"] < min(said["no"]["nll"], said["unknown"]["nll"])
    assert said["learned"]["micro_f1"] > said["no"]["micro_f1"] + 0.1


def test_sources_that_miss_little_leave_out_more_telling_tags() -> None:
    weights = [TagModel(TAGS).fit(*lists(2, recall=recall)[:3]).params.omission for recall in (0.3, 0.9)]
    assert weights[0] + 0.2 < weights[1]


def test_tags_that_go_together_help() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat((rng.random((600, 2)) < 0.4).astype(np.int8), 2, axis=1)  # two pairs of equal tags
    right = rng.random((600, 3, 4)) < 0.75
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    votes[:, :, 3][rng.random((600, 3)) < 0.8] = -1
    model = TagModel(TAGS).fit(votes)
    with_others = model.score(votes, truth, ["map"])["map"]
    apart = TagModel(["heavy"]).fit(votes[:, :, 3:])
    alone = apart.score(votes[:, :, 3:][(votes[:, :, 3] >= 0).any(1)], truth[(votes[:, :, 3] >= 0).any(1), 3:], ["map"])
    assert with_others > 0.8
    assert model.score(votes, np.where(np.arange(4) == 3, truth, -1), ["map"])["map"] > alone["map"] - 0.02


# ------------------------------------------------------------------ equivariance


def test_the_order_of_items_sources_and_tags_is_nothing() -> None:
    votes, _ = block(4, items=80)
    before = TagModel(TAGS).fit(votes).predict_proba(votes)
    rng = np.random.default_rng(0)
    rows, columns, tags = rng.permutation(80), rng.permutation(6), rng.permutation(4)
    moved = votes[rows][:, columns][:, :, tags]
    after = TagModel([TAGS[at] for at in tags]).fit(moved).predict_proba(moved)
    np.testing.assert_allclose(after, before[rows][:, tags], atol=1e-4)


def test_an_item_twice_has_the_same_answer_twice() -> None:
    votes, _ = block(5, items=60)
    model = TagModel(TAGS).fit(votes)
    twice = model.predict_proba(np.concatenate([votes, votes]))
    np.testing.assert_allclose(twice[:60], twice[60:], atol=1e-6)
    np.testing.assert_allclose(twice[:60], model.predict_proba(votes), atol=1e-6)


def test_rows_a_frame_and_a_block_are_read_alike() -> None:
    import pandas as pd

    votes, _ = block(6, items=50)
    item, source, tag = np.nonzero(votes >= 0)
    names = np.array(TAGS, object)[tag]
    frame = pd.DataFrame({"item": item, "worker": source, "tag": names, "value": votes[item, source, tag]})
    frame = frame.sample(frac=1, random_state=0)
    dense = TagModel(TAGS).fit(votes).predict_proba(votes)
    np.testing.assert_allclose(TagModel(TAGS).fit(frame).predict_proba(frame), dense, atol=1e-6)


def test_lines_of_cells_hold_what_the_dense_answer_holds() -> None:
    item, source, tag, _ = lists(7, items=60)
    model = TagModel(TAGS).fit(item, source, tag)
    frame, dense = model.predict_frame(item, source, tag), model.predict_proba(item, source, tag)
    at = [TAGS.index(one) for one in frame["tag"]]
    np.testing.assert_allclose(frame["probability"], dense[frame["item"].to_numpy(int), at], atol=1e-6)
    sets = model.predict_tags(item, source, tag)
    chosen = frame[frame["probability"] > 0.5]
    assert [len(one) for one in sets] == np.bincount(chosen["item"].to_numpy(int), minlength=60).tolist()


# ---------------------------------------------------------------------- gold


def test_gold_moves_probabilities_to_the_truth_and_sets_cover() -> None:
    item, source, tag, truth = lists(8, items=600, recall=0.25, sources=5)
    known = np.where(np.arange(600)[:, None] < 150, truth, -1)
    held = np.where(np.arange(600)[:, None] >= 150, truth, -1).astype(np.int8)
    without, told = TagModel(TAGS).fit(item, source, tag), TagModel(TAGS).fit(item, source, tag, gold=known)
    scores = [one.score(item, held, ["nll", "ece"], source=source, tag=tag) for one in (without, told)]
    assert scores[1]["nll"] < scores[0]["nll"]
    assert scores[1]["ece"] < 0.06
    sets = told.predict_sets(item, source, tag, coverage=0.7)
    kept = [np.isin(np.array(TAGS)[truth[at] == 1], sets[at]).mean() for at in range(150, 600) if truth[at].any()]
    assert np.mean(kept) > 0.66
    assert sum(map(len, sets)) < sum(map(len, told.predict_sets(item, source, tag, coverage=0.75)))


def test_gold_by_name_is_gold_by_number() -> None:
    votes, truth = block(9, items=40)
    known = np.where(np.arange(40)[:, None] < 10, truth, -1)
    named = {at: [TAGS[one] for one in np.flatnonzero(truth[at])] for at in range(10)}
    by_number, by_name = (TagModel(TAGS).fit(votes, gold=gold).predict_proba(votes) for gold in (known, named))
    np.testing.assert_array_equal(by_number, by_name)


# -------------------------------------------------------------------- keeping


def test_a_model_comes_back_from_its_bytes(tmp_path: Any) -> None:
    votes, truth = block(10, items=40)
    model = TagModel(TAGS).fit(votes, gold=truth)
    model.save(tmp_path / "tags.npz")
    again = TagModel.load(tmp_path / "tags.npz")
    np.testing.assert_array_equal(again.predict_proba(votes), model.predict_proba(votes))
    assert again.summary() == model.summary()
    assert again.predict_sets(votes) == model.predict_sets(votes)
    with pytest.raises(ModelFileError, match="this is not a tag model"):
        TagModel.from_bytes(model.to_bytes()[:500])


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 2)),), r"\[items, sources, 4 tags\]"),
        ((np.full((2, 2, 4), 7),), r"got 7 at \(0, 0, 0\)"),
        ((np.full((2, 2, 4), -1),), "no vote"),
        (([0], ["s"], ["blue"]), "'blue' of row 0"),
        (([0, 0], ["s", "s"], ["red", "red"]), "votes twice on tag 'red' of item 0"),
        (([0], ["s"], ["red"], [2]), "row 0 must be 1 or 0"),
        (([0, 1], ["s"], ["red"]), "as many"),
        (([0.0, np.nan], ["s", "s"], ["red", "red"]), "item of row 1 is missing"),
        (([0], ["s"], [None]), "no vote"),
        (([0], ["s"]), "both source and tag"),
    ],
    ids=["matrix", "value", "silent", "tag", "twice", "answer", "length", "missing", "nothing", "no tag"],
)
def test_bad_votes_are_refused_with_their_place(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        TagModel(TAGS).fit(*arguments)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="given twice"):
        TagModel(["a", "a"])
    with pytest.raises(InvalidArgumentError, match="learned, no, unknown"):
        TagModel(TAGS, unlisted="maybe")
    with pytest.raises(NotFittedError):
        TagModel(TAGS).predict_proba(np.ones((1, 1, 4)))
    votes, truth = block(11, items=20)
    model = TagModel(TAGS).fit(votes)
    for gold, message in (
        (truth[:5], "must be"),
        ({99: ["red"]}, "99"),
        ({0: ["blue"]}, "'blue'"),
        (truth - 9, "-9|-8"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            TagModel(TAGS).fit(votes, gold=gold)
    with pytest.raises(InvalidArgumentError, match="need gold"):
        model.predict_sets(votes)
    with pytest.raises(InvalidVotesError, match="not among the 6 sources"):
        model.predict([0], ["stranger"], ["red"])
    with pytest.raises(InvalidArgumentError, match="'each' or 'f1'"):
        model.predict(votes, decode="best")


def test_a_fit_says_what_is_doubtful() -> None:
    item, source, tag, _ = lists(12, items=100)
    assert "every listed tag is likely" in TagModel(TAGS, unlisted="unknown").fit(item, source, tag).summary()
    votes, truth = block(13)
    votes[:, 0] = 1 - truth  # turned round
    assert (
        "'0'" in " ".join(TagModel(TAGS).fit(votes).warnings)
        or "against" in TagModel(TAGS).fit(votes).diagnostics[0].kind
    )
