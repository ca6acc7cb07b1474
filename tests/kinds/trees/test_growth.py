"""Classes added later: what a model of the old leaves says of a taxonomy that has grown, and what stays exactly."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote, Taxonomy, Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.trees import predict_proba_grown

PARENTS = {"cat": "animal", "dog": "animal", "oak": "plant", "rose": "plant"}
OLD = Taxonomy.from_parents(PARENTS)
SPLIT = Taxonomy.from_parents({**PARENTS, "beagle": "dog", "husky": "hunting", "hunting": "dog"})
ADDED = Taxonomy.from_parents({**PARENTS, "fox": "animal"})


class Fixed:
    """A model that always answers the same, and remembers what it was asked."""

    classes = OLD.leaves

    def __init__(self, soft: list[float]) -> None:
        self.soft = np.array(soft)

    def predict_proba(self, votes: Votes, **options: Any) -> NDArray[Any]:
        self.asked, self.options = votes, options
        return np.tile(self.soft, (votes.n_items, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> LabelModel:
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=300)
    votes = np.where(rng.random((300, 5)) < 0.7, truth[:, None], rng.integers(4, size=(300, 5)))
    return LabelModel(classes=OLD.leaves).fit(Votes.from_dense(votes, 4))


def by_name(taxonomy: Taxonomy, soft: NDArray[Any]) -> dict[str, float]:
    return dict(zip(taxonomy.leaves, soft[0].tolist(), strict=True))


def test_parts_of_a_split_leaf_by_hand() -> None:
    fixed = Fixed([0.1, 0.6, 0.2, 0.1])
    votes = SPLIT.votes([["beagle", "beagle", "dog", "cat", "animal"]])
    got = by_name(SPLIT, predict_proba_grown(fixed, votes, OLD, SPLIT, prior_votes=2))
    # votes inside dog: 2 for beagle, "dog" a half each, "animal" a third each; 2 votes in equal shares
    beagle, husky = 1 + 2 + 1 / 2 + 1 / 3, 1 + 1 / 2 + 1 / 3
    assert got["beagle"] == pytest.approx(0.6 * beagle / (beagle + husky))
    assert got["husky"] == pytest.approx(0.6 * husky / (beagle + husky))
    assert [got[name] for name in ("cat", "oak", "rose")] == pytest.approx([0.1, 0.2, 0.1])
    assert fixed.asked == OLD.votes([["dog", "dog", "dog", "cat", "animal"]])


def test_an_added_leaf_by_hand() -> None:
    fixed = Fixed([0.2, 0.4, 0.3, 0.1])
    got = by_name(ADDED, predict_proba_grown(fixed, ADDED.votes([["fox", "cat", "oak"]]), OLD, ADDED))
    fox = (1 / 3 + 1) / (1 + 2)
    assert got["fox"] == pytest.approx(0.6 * fox)
    assert got["cat"] == pytest.approx(0.2 * (1 - fox))
    assert got["dog"] == pytest.approx(0.4 * (1 - fox))
    assert [got["oak"], got["rose"]] == pytest.approx([0.3, 0.1])
    assert fixed.asked == OLD.votes([["animal", "cat", "oak"]])


def test_without_votes_a_new_leaf_has_an_equal_share_of_its_parent() -> None:
    fixed = Fixed([0.2, 0.4, 0.3, 0.1])
    got = by_name(ADDED, predict_proba_grown(fixed, ADDED.votes([[None, "oak"]]), OLD, ADDED))
    assert got["fox"] == pytest.approx(0.6 / 3)
    parts = by_name(SPLIT, predict_proba_grown(fixed, SPLIT.votes([[None, "oak"]]), OLD, SPLIT))
    assert parts["beagle"] == parts["husky"] == pytest.approx(0.2)


def test_leaves_added_at_two_levels_by_hand() -> None:
    new = Taxonomy.from_parents(
        {**PARENTS, "fox": "animal", "quartz": "stone", "stone": None, "husky": "dog", "pug": "dog"}
    )
    fixed = Fixed([0.2, 0.4, 0.3, 0.1])
    got = by_name(new, predict_proba_grown(fixed, new.votes([["quartz", "fox", "pug"]]), OLD, new))
    quartz, fox, pug = (1 / 5 + 1) / (1 + 3), (1 / 3 + 1) / (1 + 2), (1 / 2 + 1) / (1 + 1)
    expected = {
        "quartz": quartz,
        "oak": 0.3 * (1 - quartz),
        "rose": 0.1 * (1 - quartz),
        "fox": 0.6 * (1 - quartz) * fox,
        "cat": 0.2 * (1 - quartz) * (1 - fox),
        "pug": 0.4 * (1 - quartz) * (1 - fox) * pug,
        "husky": 0.4 * (1 - quartz) * (1 - fox) * (1 - pug),
    }
    assert got == pytest.approx(expected)
    assert sum(got.values()) == pytest.approx(1)
    assert fixed.asked.to_dense()[0, 0] == -1  # a vote for a stone says nothing to the old model


def test_old_nodes_have_the_probability_of_the_model(model: LabelModel) -> None:
    rng = np.random.default_rng(1)
    names = np.array(["cat", "beagle", "husky", "dog", "animal", "oak", "plant", ""], object)[
        rng.integers(8, size=(60, 5))
    ]
    split = predict_proba_grown(model, SPLIT.votes(names), OLD, SPLIT)
    as_before = np.vectorize(lambda name: {"beagle": "dog", "husky": "dog"}.get(name, name), otypes=[object])(names)
    before = OLD.marginals(model.predict_proba(OLD.votes(as_before)))
    after = SPLIT.marginals(split)
    for at, name in enumerate(OLD.nodes):
        np.testing.assert_allclose(after[:, SPLIT.index(name)], before[:, at], atol=1e-6)


def test_votes_in_old_names_give_the_old_labels(model: LabelModel) -> None:
    rng = np.random.default_rng(2)
    names = np.array([*OLD.nodes, ""], object)[rng.integers(7, size=(60, 5))]
    before = model.predict_proba(OLD.votes(names))
    added = predict_proba_grown(model, ADDED.votes(names), OLD, ADDED)
    marginals = ADDED.marginals(added)
    for name in ("animal", "plant"):
        wanted = OLD.marginals(before)[:, OLD.index(name)]
        np.testing.assert_allclose(marginals[:, ADDED.index(name)], wanted, atol=1e-6)
    for name in ("oak", "rose"):
        np.testing.assert_allclose(added[:, ADDED.index(name)], before[:, OLD.index(name)], atol=1e-6)
    odds = added[:, ADDED.index("cat")] / added[:, ADDED.index("dog")]
    np.testing.assert_allclose(odds, before[:, 0] / before[:, 1], rtol=1e-4)


def test_options_and_other_models_pass_through() -> None:
    fixed = Fixed([0.25] * 4)
    predict_proba_grown(fixed, ADDED.votes([["fox"]]), OLD, ADDED, unseen="ignore")
    assert fixed.options == {"unseen": "ignore"}
    majority = MajorityVote(classes=OLD.leaves).fit(OLD.votes([["cat", "dog"]]))
    assert predict_proba_grown(majority, ADDED.votes([["cat", "cat"]]), OLD, ADDED).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            Taxonomy.from_parents({"cat": "animal", "dog": "animal", "oak": "plant"}),
            "'rose' of the old taxonomy is miss",
        ),
        (Taxonomy.from_parents({**PARENTS, "cat": "plant"}), "'cat' is below 'plant', and was below 'animal'"),
        (Taxonomy.from_parents({**PARENTS, "plant": "animal"}), "'plant' is below 'animal', and was below no old node"),
    ],
)
def test_what_is_no_growth_is_refused(new: Taxonomy, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        predict_proba_grown(Fixed([0.25] * 4), Votes.from_dense([[0]], new.n_leaves), OLD, new)


def test_what_does_not_fit_is_refused() -> None:
    votes = ADDED.votes([["fox"]])
    with pytest.raises(InvalidArgumentError, match="classes of the model"):
        predict_proba_grown(Fixed([0.25] * 4), votes, ADDED, ADDED)
    with pytest.raises(InvalidVotesError, match="not over the leaves of the new"):
        predict_proba_grown(Fixed([0.25] * 4), OLD.votes([["cat"]]), OLD, ADDED)
    for prior_votes in (0, -1, float("nan"), True):
        with pytest.raises(InvalidArgumentError, match="prior_votes must be"):
            predict_proba_grown(Fixed([0.25] * 4), votes, OLD, ADDED, prior_votes=prior_votes)
