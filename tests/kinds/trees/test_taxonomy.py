"""Taxonomies: what is read, what is refused and where; names of nodes as votes; nodes out of soft labels."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from weaklabel import ABSTAIN, LabelModel, Taxonomy, Votes, one_of
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

PARENTS = {
    "cat": "animal",
    "dog": "animal",
    "oak": "tree",
    "fir": "tree",
    "rose": "plant",
    "tree": "plant",
    "animal": "life",
    "plant": "life",
}
LEAVES = ("cat", "dog", "oak", "fir", "rose")
BELOW = {
    "cat": {0},
    "dog": {1},
    "oak": {2},
    "fir": {3},
    "rose": {4},
    "tree": {2, 3},
    "animal": {0, 1},
    "plant": {2, 3, 4},
    "life": {0, 1, 2, 3, 4},
}
"""By hand."""


@pytest.fixture(scope="module")
def life() -> Taxonomy:
    return Taxonomy.from_parents(PARENTS)


def test_nodes_levels_and_descendants(life: Taxonomy) -> None:
    assert life.leaves == LEAVES
    assert life.nodes == (*LEAVES, "life", "animal", "plant", "tree")
    assert dict(zip(life.nodes, life.levels.tolist(), strict=True)) == {
        "life": 0,
        "animal": 1,
        "plant": 1,
        "cat": 2,
        "dog": 2,
        "rose": 2,
        "tree": 2,
        "oak": 3,
        "fir": 3,
    }
    for name, leaves in BELOW.items():
        assert set(np.flatnonzero(life.descendants[life.index(name)]).tolist()) == leaves


@pytest.mark.parametrize(
    "given",
    [
        list(PARENTS.items()),
        pd.DataFrame({"node": list(PARENTS), "parent": list(PARENTS.values())}),
        [("life", None), *PARENTS.items()],
        pd.DataFrame({"node": [*PARENTS, "life"], "parent": [*PARENTS.values(), float("nan")]}),
        [*PARENTS.items(), ("life", " ")],
    ],
    ids=["pairs", "frame", "root said", "root missing", "root blank"],
)
def test_pairs_and_frames_say_the_same_as_a_mapping(given: Any, life: Taxonomy) -> None:
    assert Taxonomy.from_parents(given) == life


def test_polars_pyarrow_and_parquet_keep_it(life: Taxonomy, tmp_path: Any) -> None:
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {"node": list(life.to_parents()), "parent": list(life.to_parents().values())}
    assert Taxonomy.from_parents(pl.DataFrame(columns)) == life
    assert Taxonomy.from_parents(pa.table(columns)) == life
    pd.DataFrame(columns).to_parquet(tmp_path / "tree.parquet")
    assert Taxonomy.from_parents(pd.read_parquet(tmp_path / "tree.parquet")) == life


def test_the_order_of_leaves_can_be_given_and_is_kept() -> None:
    taxonomy = Taxonomy.from_parents(PARENTS, leaves=["rose", "fir", "dog", "oak", "cat"])
    assert taxonomy.leaves == ("rose", "fir", "dog", "oak", "cat")
    assert Taxonomy.from_parents(taxonomy.to_parents()) == taxonomy
    assert taxonomy.vote("tree") == one_of(1, 3)


@pytest.mark.parametrize(
    ("parents", "leaves", "message"),
    [
        ([("a", "b"), ("c", "b"), ("a", "d")], None, "row 2: 'a' is put under 'd', and row 0 puts it under 'b'"),
        ([("x", "r"), ("a", "b"), ("b", "c"), ("c", "a")], None, "row 1: 'a' is above itself: a -> b -> c -> a"),
        ([("x", "r"), ("a", "a")], None, "row 1: 'a' is its own parent"),
        ([("a", "b"), (None, "b")], None, "row 1: the name of the node is missing"),
        ([("a", "b"), ("a", "b", "c")], None, "row 1 is .*: a pair"),
        ({"a": "b"}, None, "two leaves at least, got 1"),
        ("a,b", None, "got a str"),
        (pd.DataFrame({"a": ["x"]}), None, "two columns"),
        (PARENTS, ["cat", "dog", "oak", "tree", "rose"], "leaf 3 is 'tree', which is the parent of 'oak'"),
        (PARENTS, ["cat", "elm"], "leaf 1 is 'elm', of which the parents say nothing"),
        (PARENTS, [*LEAVES, "cat"], "leaf 5: 'cat' is named twice"),
        (PARENTS, LEAVES[:4], "'rose' has no children and is not among the leaves"),
        (PARENTS, "cat", "a list of names"),
    ],
)
def test_what_is_no_taxonomy_is_refused_with_its_place(parents: Any, leaves: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Taxonomy.from_parents(parents, leaves=leaves)


def test_deep_trees_are_read() -> None:
    deep = Taxonomy.from_parents([*((f"n{at}", f"n{at + 1}") for at in range(500)), ("side", "n500")])
    assert deep.levels[deep.index("n0")] == 500


def test_names_of_any_level_are_votes(life: Taxonomy) -> None:
    assert life.vote("dog") == 1
    assert life.vote("plant") == one_of(2, 3, 4)
    assert life.vote("life") == ABSTAIN
    with pytest.raises(InvalidArgumentError, match="no node 'stone'"):
        life.vote("stone")
    votes = life.votes([["cat", "plant", None], ["animal", "", "life"]], sources=["a", "b", "c"], items=["x", "y"])
    expected = [[0, one_of(2, 3, 4), ABSTAIN], [one_of(0, 1), ABSTAIN, ABSTAIN]]
    assert votes == Votes.from_dense(expected, 5, sources=["a", "b", "c"], items=["x", "y"])
    assert votes.classes == LEAVES


def test_an_inner_node_with_one_leaf_is_that_leaf() -> None:
    taxonomy = Taxonomy.from_parents({"pine": "conifer", "conifer": "tree", "oak": "tree", "rose": None})
    assert taxonomy.vote("conifer") == taxonomy.vote("pine") == taxonomy.index("pine")


def test_frames_wide_and_long_and_sparse_votes_say_the_same(life: Taxonomy) -> None:
    wide = pd.DataFrame({"a": ["cat", "tree", None], "b": ["animal", "oak", "plant"]}, index=["x", "y", "z"])
    expected = Votes.from_dense(
        [[0, one_of(0, 1)], [one_of(2, 3), 2], [-1, one_of(2, 3, 4)]], 5, sources=["a", "b"], items=["x", "y", "z"]
    )
    assert life.votes(wide) == expected
    long = wide.reset_index(names="item").melt("item", var_name="source", value_name="label").dropna()
    long = long.sort_values(["item", "source"])
    read = life.votes(long, long=["item", "source", "label"])
    assert read.is_sparse
    assert {(i, s): read.vote_at(i, s) for i in range(3) for s in "ab"} == {
        (i, s): expected.vote_at(i, s) for i in range(3) for s in "ab"
    }
    failed = life.votes(Votes.from_codes([[0, -2], [8, -1]], 9).to_sparse())
    assert failed.errors.tolist() == [0, 1]
    assert failed.vote_at(1, 0) == one_of(2, 3)


def test_what_is_no_node_is_refused_with_its_place(life: Taxonomy) -> None:
    with pytest.raises(InvalidVotesError, match="row 1, column 0 is 'stone'"):
        life.votes([["cat", "dog"], ["stone", "dog"]])
    with pytest.raises(InvalidVotesError, match=r"row 1 .*column 'a' is 'stone'"):
        life.votes(pd.DataFrame({"a": ["cat", "stone"]}, index=["x", "y"]))
    with pytest.raises(InvalidVotesError, match="row 1 is"):
        life.votes([["cat", "dog"], ["cat"]])
    with pytest.raises(InvalidVotesError, match="over 5 other classes"):
        life.votes(Votes.from_dense([[0, 1]], 5))
    with pytest.raises(InvalidArgumentError, match="items is not known"):
        life.votes(pd.DataFrame({"a": ["cat"]}), items=["x"])
    with pytest.raises(InvalidArgumentError, match="ids is not known"):
        life.votes([["cat"]], ids="x")


def test_marginals_are_sums_over_leaves_by_enumeration(life: Taxonomy) -> None:
    soft = np.random.default_rng(0).dirichlet(np.ones(5), 40)
    marginals = life.marginals(soft)
    for row, probabilities in enumerate(soft):
        for node, name in enumerate(life.nodes):
            assert marginals[row, node] == pytest.approx(sum(probabilities[leaf] for leaf in BELOW[name]))


def test_a_level_gives_its_likeliest_node_and_a_threshold_the_deepest(life: Taxonomy) -> None:
    soft = np.array([[0.3, 0.2, 0.26, 0.24, 0.0], [0.02, 0.03, 0.55, 0.2, 0.2], [0.5, 0.5, 0, 0, 0]])
    assert life.names(life.predict(soft)) == ["cat", "oak", None]
    assert life.names(life.predict(soft, level=1)) == [None, "plant", "animal"]
    assert life.names(life.predict(soft, level=2)) == ["tree", "tree", None]
    assert life.names(life.predict(soft, level=3)) == ["cat", "oak", None]
    assert life.names(life.predict(soft, level=0)) == ["life"] * 3
    assert life.names(life.predict(soft, threshold=0.5)) == ["life", "oak", "animal"]
    assert life.names(life.predict(soft, threshold=0.6)) == ["life", "tree", "animal"]
    assert life.names(life.predict(soft, threshold=0.9)) == ["life", "plant", "animal"]
    assert life.names(life.nodes_at(2)) == ["cat", "dog", "rose", "tree"]


def test_the_threshold_takes_the_deepest_node_above_it_by_enumeration(life: Taxonomy) -> None:
    depth = {"life": 0, "animal": 1, "plant": 1, "tree": 2, "cat": 2, "dog": 2, "rose": 2, "oak": 3, "fir": 3}
    soft = np.random.default_rng(1).dirichlet(np.full(5, 0.4), 200)
    for threshold in (0.5, 0.7, 0.95):
        for row, name in zip(soft, life.names(life.predict(soft, threshold=threshold)), strict=True):
            above = [node for node, leaves in BELOW.items() if sum(row[leaf] for leaf in leaves) > threshold]
            assert name == max(above, key=depth.__getitem__)


def test_several_roots_stand_under_one_without_a_name() -> None:
    forest = Taxonomy.from_parents({"oak": "tree", "fir": "tree", "rose": "flower", "lily": "flower"})
    assert forest.levels.tolist() == [2, 2, 2, 2, 1, 1]
    assert forest.predict([[0.3, 0.3, 0.2, 0.2]], threshold=0.7).tolist() == [-1]
    assert forest.names(forest.predict([[0.3, 0.3, 0.2, 0.2]], level=1)) == ["tree"]
    with pytest.raises(InvalidArgumentError, match="between 1 and 2, got 0"):
        forest.predict([[0.3, 0.3, 0.2, 0.2]], level=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 4}, "level must be between 0 and 3, got 4"),
        ({"level": True}, "level must be"),
        ({"threshold": 0.4}, r"threshold must be in \[0.5, 1\), got 0.4"),
        ({"threshold": 1.0}, "threshold must be"),
        ({"level": 1, "threshold": 0.5}, "not both"),
    ],
)
def test_levels_and_thresholds_that_are_not_there(options: dict[str, Any], message: str, life: Taxonomy) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        life.predict(np.full((1, 5), 0.2), **options)


@pytest.mark.parametrize(
    ("soft", "message"),
    [
        ([[0.5, 0.5]], "a column a leaf"),
        ([[1, 0, 0, 0, 0], [0.5, 0, 0, 0, 0]], "row 1 is no distribution"),
        ([[np.nan, 0, 0, 0, 1]], "row 0 is no distribution"),
        ([[1.5, -0.5, 0, 0, 0]], "row 0 is no distribution"),
    ],
)
def test_what_is_no_soft_label_is_refused(soft: Any, message: str, life: Taxonomy) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        life.marginals(soft)


def test_hierarchical_scores_by_hand(life: Taxonomy) -> None:
    # oak: {oak, tree, plant}; fir: {fir, tree, plant}; cat: {cat, animal}; the root counts for nothing
    got = life.score(["oak", "oak", "cat", "rose", None], ["fir", "tree", "oak", -1, "cat"])
    both, said, true = 2 + 2 + 0 + 0, 3 + 2 + 3 + 0, 3 + 3 + 2 + 2
    assert got["hierarchical_precision"] == pytest.approx(both / said)
    assert got["hierarchical_recall"] == pytest.approx(both / true)
    assert got["hierarchical_f1"] == pytest.approx(2 * both / (said + true))
    assert got["accuracy"] == 0
    assert life.score([0, 2], ["cat", "oak"]) == dict.fromkeys(got, 1.0)
    assert life.score(["cat"], ["life"]) == dict.fromkeys(got, 0.0)


def test_scores_refuse_what_is_no_node(life: Taxonomy) -> None:
    for truth, said, message in [
        (["cat"], ["stone"], "predicted: entry 0 is 'stone'"),
        ([0, 9], [0, 0], "truth: entry 1 is 9"),
        ([0], [0, 1], "1 items have a truth, 2 a prediction"),
        ([-1], [0], "no node is known"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            life.score(truth, said)


def test_votes_for_inner_nodes_teach_the_model() -> None:
    """Two sources that tell leaves apart badly, three that know the upper level: the model joins both."""
    taxonomy = Taxonomy.from_parents({"a": "x", "b": "x", "c": "y", "d": "y"})
    rng = np.random.default_rng(3)
    truth = rng.integers(4, size=800)
    fine = [np.where(rng.random(800) < 0.6, truth, rng.integers(4, size=800)) for _ in range(3)]
    coarse = [np.where(rng.random(800) < 0.95, truth // 2, 1 - truth // 2) + 4 for _ in range(2)]
    names = np.array(taxonomy.nodes, object)[np.stack([*fine, *coarse], 1)]
    both, alone = taxonomy.votes(names), taxonomy.votes(names[:, :3])
    right = [
        (taxonomy.predict(LabelModel(classes=taxonomy.leaves).fit(votes).predict_proba(votes)) == truth).mean()
        for votes in (both, alone)
    ]
    assert right[0] > right[1] + 0.05


def test_nodes_of_the_same_level_share_all_probability(life: Taxonomy) -> None:
    soft = np.random.default_rng(2).dirichlet(np.ones(5), 10)
    for level in range(4):
        nodes = life.nodes_at(level)
        np.testing.assert_allclose(life.marginals(soft)[:, nodes].sum(1), 1)
        for one, other in itertools.combinations(nodes.tolist(), 2):
            assert not (life.descendants[one] & life.descendants[other]).any()


def test_known_nodes_of_any_level_are_gold(life: Taxonomy) -> None:
    names = ["oak", "tree", None, "life", "plant", "nan"]
    expected = [2, one_of(2, 3), -1, -1, one_of(2, 3, 4), -1]
    assert life.gold(names) == expected
    ids = ["u", "v", "w", "x", "y", "z"]
    assert life.gold(dict(zip(ids, names, strict=True))) == dict(zip(ids, expected, strict=True))
    series = life.gold(pd.Series(names, index=ids))
    assert (series.tolist(), series.index.tolist()) == (expected, ids)
    with pytest.raises(InvalidArgumentError, match="gold of item 1 is 'elm', which is no node"):
        life.gold(["oak", "elm"])


def test_gold_at_inner_nodes_teaches_the_model(life: Taxonomy) -> None:
    """As gold at the leaves does where the leaves are told apart anyway; by ids of items, too."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, 300)
    swapped = np.array([2, 3, 0, 1, 4])[truth]  # animals for trees
    shared = rng.random(300) < 0.45
    matrix = np.stack(
        [np.where(shared ^ (rng.random(300) < 0.05), swapped, truth) for _ in range(6)]
        + [np.where(rng.random(300) < 0.1, rng.integers(0, 5, 300), truth)],
        axis=1,
    )
    ids = [f"item{at}" for at in range(300)]
    votes = Votes.from_dense(matrix, 5, items=ids)
    upper = {0: "animal", 1: "animal", 2: "tree", 3: "tree", 4: "rose"}
    gold = life.gold({ids[at]: upper[int(truth[at])] for at in range(50)})
    models = [LabelModel(classes=life.leaves).fit(votes, gold=given) for given in (None, gold)]
    right = [(model.predict_proba(votes)[50:].argmax(1) == truth[50:]).mean() for model in models]
    assert right[1] > right[0] + 0.1
