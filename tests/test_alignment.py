"""Rows and columns that have names on both sides are matched by them, or refused; never joined by position."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote, Votes, at_least_one, class_counts
from weaklabel.analysis import effective_votes, source_summary
from weaklabel.analysis.metrics import evaluate
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.labeling import apply, labeling_function
from weaklabel.side_information.bags import Bags, check_bags
from weaklabel.side_information.features import read_features
from weaklabel.side_information.gold import as_gold, read_gold
from weaklabel.side_information.groups import read_groups
from weaklabel.side_information.priors import read_prior
from weaklabel.training import SoftLabelDataset, expand, hard_labels
from weaklabel_protocol.names import column_names, row_ids


def masked(values: Any, mask: Any) -> Any:
    """A masked array."""
    return np.ma.array(values, mask=np.asarray(mask, bool))


IDS = ["w", "x", "y", "z"]
ORDER = [2, 0, 3, 1]
MATRIX = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, -1]])
VOTES = Votes.from_dense(MATRIX, 2, items=IDS)
GOLD = pd.Series([0, 1, 1, 0], index=IDS)


@cache
def problem() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Votes of workers with integer ids on tasks with ids, of unlike quality, as `pivot` gives them; and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    right = rng.random((300, 4)) < [0.95, 0.8, 0.7, 0.55]
    frame = pd.DataFrame({"task": np.repeat(np.arange(300) + 1000, 4), "worker": np.tile([7, 2, 31, 4], 300)})
    frame["label"] = np.where(right, truth[:, None], 1 - truth[:, None]).ravel()
    return frame.pivot(index="task", columns="worker", values="label"), truth


@cache
def fitted() -> LabelModel:
    return LabelModel(2).fit(problem()[0])


# ---------------------------------------------------------------------- columns


def test_columns_named_by_integers_are_sources() -> None:
    frame, _ = problem()
    assert fitted().source_names == ("2", "4", "7", "31")
    expected = fitted().predict_proba(frame)
    np.testing.assert_array_equal(fitted().predict_proba(frame[[31, 7, 4, 2]]), expected)
    others = frame.copy()
    others[[4, 7]] = -1
    np.testing.assert_allclose(fitted().predict_proba(frame[[31, 2]]), fitted().predict_proba(others), atol=1e-6)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "arrow batch", "levels"])
def test_tables_of_every_kind_name_their_columns(kind: str) -> None:
    table: Any = pd.DataFrame(MATRIX, columns=["7", "2", "9"])
    if kind == "polars":
        table = pl.from_pandas(table)
    elif kind.startswith("arrow"):
        table = pa.Table.from_pandas(table, preserve_index=False)
        table = table.to_batches()[0] if kind == "arrow batch" else table
    elif kind == "levels":
        table.columns = pd.MultiIndex.from_tuples([("label", 7), ("label", 2), ("label", 9)])
    assert Votes.from_dense(table, 2).source_names == ("7", "2", "9")


def test_names_of_columns_and_rows() -> None:
    frame = pd.DataFrame(MATRIX)
    assert (column_names(frame), row_ids(frame), row_ids(MATRIX), row_ids([1, 2])) == (None, None, None, None)
    assert column_names(frame[[2, 0]]) == ["2", "0"]
    assert column_names(frame.rename(columns={0: 101.0})) == ["101", "1", "2"]
    assert column_names(frame.set_axis([("a", 1), ("b", 1), ("b", 2)], axis=1)) == ["a, 1", "b, 1", "b, 2"]
    assert row_ids(frame[1:]) == ["1", "2", "3"]
    assert row_ids(frame.set_index(pd.Index([b"a", 2.0, "c", 4]))) == ["a", "2", "c", "4"]


def test_default_columns_and_numbers_are_the_same_sources() -> None:
    """Of a table whose columns only count, and of what is selected from it; of triples and of a matrix."""
    frame = pd.DataFrame(problem()[0].to_numpy())
    model = LabelModel(2).fit(frame)
    expected = model.predict_proba(frame)
    np.testing.assert_array_equal(model.predict_proba(frame[[3, 1, 2, 0]]), expected)
    rows, columns = np.nonzero(np.ones(frame.shape))
    triples = Votes.from_triples(rows, columns, frame.to_numpy().ravel(), n_classes=2)
    np.testing.assert_allclose(model.predict_proba(triples), expected, atol=1e-6)
    of_triples = LabelModel(2).fit(triples)
    np.testing.assert_array_equal(
        of_triples.predict_proba(Votes.from_dense(frame, 2)), of_triples.predict_proba(triples)
    )
    turned = LabelModel(2).fit(frame[[3, 1, 2, 0]])
    np.testing.assert_array_equal(turned.predict_proba(frame), turned.predict_proba(frame[[3, 1, 2, 0]]))


def test_a_column_that_is_no_source_is_refused() -> None:
    with pytest.raises(InvalidVotesError, match="source '8' is not known to the model"):
        fitted().predict(problem()[0].rename(columns={7: 8}))
    with pytest.raises(InvalidVotesError, match="source 'a' is not known"):
        LabelModel(2).fit(MATRIX).predict(pd.DataFrame(MATRIX, columns=["a", "b", "c"]))


# ------------------------------------------------------------------------- rows


def test_a_pandas_index_names_the_items() -> None:
    assert Votes.from_dense(pd.DataFrame(MATRIX, index=IDS), 2) == VOTES
    assert Votes.from_dense(pd.DataFrame(MATRIX), 2).item_ids is None
    assert Votes.from_dense(pd.DataFrame(MATRIX, index=IDS), 2, items=list("abcd")).item_ids.tolist() == list("abcd")  # type: ignore[union-attr]
    assert Votes.from_codes(pd.DataFrame(MATRIX, index=IDS), 2) == VOTES
    soft = pd.DataFrame([[0.3, 0.7]] * 4, index=IDS)
    for votes in (Votes.from_soft(soft), Votes.from_candidates(soft.round())):
        assert votes.item_ids is not None
        assert votes.item_ids.tolist() == IDS
    with pytest.raises(InvalidVotesError, match=r"item id '0' appears twice.*reset_index\(drop=True\)"):
        Votes.from_dense(pd.DataFrame(MATRIX, index=[0, 1, 0, 1]), 2)


def test_the_index_is_the_same_to_apply_and_to_from_dense() -> None:
    @labeling_function
    def of_column(x: Any) -> Any:
        return int(x.a)

    frame = pd.DataFrame({"a": MATRIX[:, 0]}, index=[30, 10, 20, 40])
    assert apply([of_column], frame, n_classes=2, progress=False) == Votes.from_dense(
        frame.rename(columns={"a": "of_column"}), 2
    )


def bag_of_items(bags: Bags) -> list[int]:
    """The bag of each item of the votes."""
    counts = check_bags(bags, 4, 2, item_ids=VOTES.item_ids).counts
    return [int(bag) for bag in counts.bag[np.argsort(counts.item)]]


GIVEN: dict[str, Any] = {
    "gold": lambda series: as_gold(series, VOTES),
    "gold_weight": lambda series: read_gold([1] * 4, VOTES, gold_weight=series + 1).weight,  # type: ignore[union-attr]
    "gold_error": lambda series: read_gold([1] * 4, VOTES, gold_error=series / 4).error,  # type: ignore[union-attr]
    "groups": lambda series: read_groups(series, 4, None, VOTES.item_ids)[0],
    "features": lambda series: read_features(series.to_frame(), 4, item_ids=VOTES.item_ids)[:, 0],
    "prior": lambda series: read_prior(pd.DataFrame({0: 1 - series, 1: series}), 4, 2, item_ids=VOTES.item_ids)[:, 1],
    "bags": lambda series: bag_of_items(class_counts([[1, 1], [1, 1]], bag_of=series)),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_rows_in_another_order_are_matched(kind: str) -> None:
    np.testing.assert_array_equal(GIVEN[kind](GOLD.iloc[ORDER]), GIVEN[kind](GOLD))
    np.testing.assert_array_equal(GIVEN[kind](GOLD), GIVEN[kind](GOLD.reset_index(drop=True)))


@pytest.mark.parametrize("kind", GIVEN)
def test_rows_of_other_items_are_refused(kind: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"item 'q' is not in the votes; .*\.to_numpy\(\)"):
        GIVEN[kind](GOLD.rename({"y": "q"}))
    with pytest.raises(InvalidArgumentError, match="item 'w' has two rows"):
        GIVEN[kind](GOLD.rename({"y": "w"}))


@pytest.mark.parametrize("kind", ["gold_error", "groups", "features"])
def test_an_item_without_a_row_is_refused(kind: str) -> None:
    with pytest.raises(InvalidArgumentError, match="item 'w' of the votes has no row"):
        GIVEN[kind](GOLD[1:])


def test_gold_of_some_items_leaves_the_others_unknown() -> None:
    assert as_gold(GOLD[["z", "x"]], VOTES).tolist() == [-1, 1, -1, 0]
    assert as_gold({"z": 0, "x": 1}, VOTES).tolist() == [-1, 1, -1, 0]  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="the votes have no ids"):
        as_gold({"z": 0}, Votes.from_dense(MATRIX, 2))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"gold has 2 rows with ids .*reindex\(range\(4\)\)"):
        as_gold(pd.Series([0, 1], index=[2, 3]), Votes.from_dense(MATRIX, 2))


@pytest.mark.parametrize(("ids", "index"), [(None, [2, 0, 3, 1]), ([2, 0, 3, 1], None)])
def test_positions_in_another_order_are_refused(ids: Any, index: Any) -> None:
    """One side is shuffled and kept its index, the other has none: nobody knows whether it was shuffled, too."""
    votes = Votes.from_dense(MATRIX, 2, items=ids)
    gold = pd.Series([0, 1, 1, 0], index=index)
    with pytest.raises(InvalidArgumentError, match=r"gold: the .* 0 to 3 in another order.*gold\.to_numpy\(\)"):
        as_gold(gold, votes)
    assert as_gold(gold.to_numpy(), votes).tolist() == [0, 1, 1, 0]


def test_integer_ids_are_ids_on_both_sides() -> None:
    votes = Votes.from_triples([205, 101, 205], [9, 9, 7], [1, 0, 1], n_classes=2)
    assert as_gold(pd.Series([1, 0], index=[205, 101]), votes).tolist() == [0, 1]
    assert as_gold(pd.Series([1, 0], index=[205.0, 101.0]), votes).tolist() == [0, 1]


def test_a_fit_does_not_hang_on_the_order_of_rows_and_columns() -> None:
    frame, truth = problem()
    rng = np.random.default_rng(1)
    order = rng.permutation(300)
    gold = pd.Series(np.where(rng.random(300) < 0.2, truth, np.nan), index=frame.index)
    features = pd.DataFrame({"a": truth + rng.normal(size=300), "b": rng.normal(size=300)}, index=frame.index)
    groups = pd.Series(np.where(np.arange(300) % 3 == 0, "r", np.where(truth, "p", "q")), index=frame.index)
    known: dict[str, Any] = {"gold": gold, "features": features, "groups": groups}
    model = LabelModel(2).fit(frame, **known)
    again = LabelModel(2).fit(frame, **{name: values.iloc[order] for name, values in known.items()})
    assert model.to_bytes() == again.to_bytes()
    side: dict[str, Any] = {"features": features, "groups": groups}
    expected = model.predict_proba(frame, **side)
    turned: dict[str, Any] = {"features": features[["b", "a"]].iloc[order], "groups": groups.iloc[order]}
    np.testing.assert_array_equal(model.predict_proba(frame, **turned), expected)
    loaded = LabelModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(loaded.predict_proba(frame, **turned), expected)
    alone = pd.Series(truth, index=frame.index)
    assert model.score(frame, alone.iloc[order]) == model.score(frame, truth)
    assert model.score(None, alone.iloc[order], features=features) == model.score(None, truth, features=features)
    with pytest.raises(InvalidArgumentError, match="column 'c' is not expected; the columns must be a, b"):
        model.predict(frame, features=features.rename(columns={"a": "c"}))
    with pytest.raises(InvalidArgumentError, match="column 'b' is missing"):
        model.predict(frame, features=features[["a"]])


def test_columns_of_a_prior_are_classes() -> None:
    belief = pd.DataFrame([[0.9, 0.1]] * 4, columns=["ham", "spam"])
    for table in (belief, belief[["spam", "ham"]], pl.from_pandas(belief[["spam", "ham"]]), belief.to_numpy()):
        np.testing.assert_allclose(read_prior(table, 4, 2, classes=["ham", "spam"]), [[0.9, 0.1]] * 4)
    turned = belief.set_axis([1, 0], axis=1)
    np.testing.assert_allclose(read_prior(turned, 4, 2, classes=["ham", "spam"]), [[0.1, 0.9]] * 4)
    with pytest.raises(InvalidArgumentError, match="column 'eggs' is not expected; the columns must be ham, spam"):
        read_prior(belief.rename(columns={"ham": "eggs"}), 4, 2, classes=["ham", "spam"])


def test_reports_match_gold_by_id() -> None:
    turned = GOLD.iloc[ORDER]
    np.testing.assert_array_equal(source_summary(VOTES, turned).correct, source_summary(VOTES, GOLD.to_numpy()).correct)
    assert effective_votes(VOTES, turned).number == effective_votes(VOTES, GOLD.to_numpy()).number
    p = pd.DataFrame([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]], index=IDS)
    assert evaluate(p, turned).nll == evaluate(p, GOLD.to_numpy()).nll


def test_tables_for_training_must_have_one_index() -> None:
    features = pd.DataFrame({"a": [1, 2, 3]}, index=list("xyz"))
    soft = pd.DataFrame([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]], index=list("xyz"))
    assert expand(features, soft).items.tolist() == [0, 0, 1, 2]
    for make in (expand, hard_labels, SoftLabelDataset):
        with pytest.raises(InvalidArgumentError, match=r"soft_labels\.loc\[features\.index\]"):
            make(features, soft.loc[list("zxy")])
        with pytest.raises(InvalidArgumentError, match="voted has another index"):
            make(features, soft, voted=pd.Series([True] * 3, index=list("zyx")))


def test_bags_of_all_items_may_bring_their_ids() -> None:
    bags = at_least_one(1, bag_of=pd.Series([0, 0, -1, 1], index=[*"zyxw"]))
    assert check_bags(bags, 4, 2, item_ids=VOTES.item_ids).counts.item.tolist() == [3, 2, 0]
    assert check_bags(bags, 4, 2).counts.item.tolist() == [0, 1, 3]


def test_ids_that_end_in_nul_are_refused() -> None:
    """Arrays of text cut them off: two ids would be one, and a file that holds both could not be read."""
    for make in (
        lambda: Votes.from_dense(MATRIX, 2, items=["a", "a\0", "b", "c"]),
        lambda: Votes.from_triples(["a", "a\0"], ["s", "s"], [0, 1], n_classes=2),
        lambda: Votes.from_dense(pd.DataFrame(MATRIX, index=["a", "a\0", "b", "c"]), 2),
        lambda: apply([labeling_function(lambda x: 0)], [1], items=["a\0"], progress=False),
        lambda: read_groups(["a", "a\0"], 2, None),
        lambda: class_counts([1, 1], items=["a", "b\0"]),
    ):
        with pytest.raises(InvalidArgumentError, match="must not end in the character NUL"):
            make()
    assert Votes.from_dense([[0, 1]], 2, items=["a\0b"]).item_ids.tolist() == ["a\0b"]  # type: ignore[union-attr]


def test_majority_vote_reads_tables_too() -> None:
    given = masked([[0, 1, 1]], mask=[[0, 1, 1]])
    assert MajorityVote(2).predict(given).tolist() == [0]
