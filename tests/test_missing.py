"""What is missing in arrays of every kind: masked, None, NaN, pandas.NA, nulls of polars and pyarrow."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, at_least_one, class_counts
from weaklabel.analysis.metrics import evaluate
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.side_information.bags import check_bags
from weaklabel.side_information.features import read_features
from weaklabel.side_information.gold import as_gold, read_gold
from weaklabel.side_information.groups import read_groups
from weaklabel.side_information.priors import read_prior
from weaklabel.training import expand
from weaklabel_protocol.arrays import read_array


def masked(values: Any, mask: Any) -> Any:
    """A masked array."""
    return np.ma.array(values, mask=np.asarray(mask, bool))


VALUES = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]])
MISSING = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]], bool)
EXPECTED = [[0, 1, -1], [-1, 0, 1], [1, 1, 0], [0, -1, -1]]
CELLS = [
    [None if gone else int(value) for value, gone in zip(*rows, strict=True)]
    for rows in zip(VALUES, MISSING, strict=True)
]
FRAME = pd.DataFrame(CELLS, columns=["a", "b", "c"])
POLARS = pl.DataFrame(CELLS, schema=["a", "b", "c"], orient="row")
MASKED = masked(VALUES, mask=MISSING)

MATRICES: dict[str, Any] = {
    "masked": MASKED,
    "masked floats": MASKED.astype(float),
    "masked half precision": MASKED.astype(np.float16),
    "a list of masked rows": list(MASKED),
    "lists of masked scalars": [list(row) for row in MASKED],
    "NaN": np.where(MISSING, np.nan, VALUES),
    "NaN of half precision": np.where(MISSING, np.nan, VALUES).astype(np.float16),
    "None": CELLS,
    "NaN among integers": [[np.nan if cell is None else cell for cell in row] for row in CELLS],
    "pandas.NA": [[pd.NA if cell is None else cell for cell in row] for row in CELLS],
    "pandas floats": FRAME,
    "pandas nullable": FRAME.astype("Int64"),
    "pandas nullable floats": FRAME.astype("Float32"),
    "pandas categorical": FRAME.astype("category"),
    "pandas objects": FRAME.astype(object),
    "pandas on arrow": FRAME.astype("int64[pyarrow]"),
    "pandas sparse": FRAME.astype(pd.SparseDtype("float64")),
    "pandas, of each kind a column": FRAME.assign(a=FRAME.a.astype("Int8"), b=FRAME.b.astype("category")),
    "a list of pandas rows": [FRAME.astype("Int64").iloc[at] for at in range(4)],
    "polars": POLARS,
    "polars unsigned": POLARS.cast(pl.UInt8),
    "polars floats": POLARS.cast(pl.Float64),
    "narwhals": nw.from_native(POLARS),
    "arrow": POLARS.to_arrow(),
    "arrow batch": POLARS.to_arrow().to_batches()[0],
    "arrow dictionary": pa.table({c: pa.array(POLARS[c].to_list()).dictionary_encode() for c in "abc"}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", MATRICES)
def test_a_vote_that_is_missing_abstains(kind: str) -> None:
    votes = Votes.from_dense(MATRICES[kind], 2)
    assert votes.to_dense().tolist() == EXPECTED
    assert votes.n_votes == 8
    assert votes.errors.tolist() == [0, 0, 0]


def columns(values: list[Any]) -> dict[str, Any]:
    """A column with None where values are missing, of every kind."""
    series, is_text = pd.Series(values, dtype=object), any(isinstance(value, str) for value in values)
    gone = np.array([value is None for value in values])
    plain = np.array([("" if is_text else 0) if value is None else value for value in values])
    return {
        "list": values,
        "masked": masked(plain, mask=gone),
        "masked list": [np.ma.masked if value is None else value for value in values],
        "objects": np.array(values, object),
        "a column [N, 1]": np.array(values, object)[:, None],
        "pandas objects": series,
        "pandas.NA": series.where(~gone, pd.NA),
        "pandas nullable": series.astype("string" if is_text else "Int64"),
        "pandas categorical": series.astype("category"),
        "a frame of one column": series.astype("string" if is_text else "float64").to_frame(),
        "polars": pl.Series(values),
        "polars categorical": pl.Series(values, dtype=pl.Categorical) if is_text else pl.Series(values),
        "arrow": pa.array(values),
        "arrow chunks": pa.chunked_array([values[:2], values[2:]]),
        "arrow dictionary": pa.array(values).dictionary_encode(),
    } | ({} if is_text else {"NaN": np.where(gone, np.nan, plain), "half": np.where(gone, np.nan, plain).astype("f2")})


GOLD = columns([1, None, 0, None])
NAMED = columns(["spam", None, "ham", None])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", GOLD)
def test_gold_that_is_missing_is_unknown(kind: str) -> None:
    assert as_gold(GOLD[kind], Votes.from_dense(VALUES, 2)).tolist() == [1, -1, 0, -1]


@pytest.mark.parametrize("kind", NAMED)
def test_gold_may_be_names_of_classes(kind: str) -> None:
    votes = Votes.from_dense(VALUES, 2)
    assert as_gold(NAMED[kind], votes, ["ham", "spam"]).tolist() == [1, -1, 0, -1]
    with pytest.raises(InvalidArgumentError, match="is no class: the classes are eggs, spam"):
        as_gold(NAMED[kind], votes, ["eggs", "spam"])
    with pytest.raises(InvalidArgumentError, match="write class indices"):
        as_gold(NAMED[kind], votes)


def test_gold_that_is_masked_throughout_changes_nothing() -> None:
    """It once took the accuracy from .93 to .07: what stands under a mask is anything."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    votes = np.where(rng.random((400, 6)) < 0.8, truth[:, None], 1 - truth[:, None])
    expected = LabelModel(2).fit(votes).predict_proba(votes)
    given = masked(1 - truth, mask=np.ones(400))
    np.testing.assert_array_equal(LabelModel(2).fit(votes, gold=given).predict_proba(votes), expected)


@pytest.mark.parametrize("kind", GOLD)
def test_a_triple_whose_label_is_missing_is_left_out(kind: str) -> None:
    votes = Votes.from_triples(["x", "x", "y", "y"], ["a", "a", "a", "b"], GOLD[kind], n_classes=2)
    assert votes.to_dense().tolist() == [[1, -1], [0, -1]]


@pytest.mark.parametrize("what", ["items", "sources"])
@pytest.mark.parametrize("kind", [*NAMED, "names"])
def test_a_triple_needs_an_item_and_a_source(kind: str, what: str) -> None:
    values = NAMED.get(kind, [3, None, 1, 2])
    arguments: dict[str, Any] = {"items": ["x"] * 4, "sources": ["a"] * 4, what: values}
    with pytest.raises(InvalidVotesError, match=f"{what}: entry 1 is"):
        Votes.from_triples(**arguments, labels=[0, 1, 0, 1], n_classes=2)


def soft_of(make: Callable[[NDArray[Any]], Any]) -> Any:
    return make(np.repeat(MISSING[:, :, None], 2, axis=2))


@pytest.mark.parametrize(
    "tensor",
    [
        soft_of(lambda gone: masked(np.eye(2)[VALUES], mask=gone)),
        soft_of(lambda gone: np.where(gone, np.nan, np.eye(2)[VALUES])),
        soft_of(lambda gone: np.asarray(np.where(gone, None, np.eye(2)[VALUES].astype(object))).tolist()),
        soft_of(lambda gone: list(masked(np.eye(2)[VALUES], mask=gone))),
    ],
)
def test_a_soft_vote_or_a_candidate_set_that_is_missing_abstains(tensor: Any) -> None:
    assert Votes.from_soft(tensor).to_dense().tolist() == EXPECTED
    assert Votes.from_candidates(tensor).to_dense().tolist() == EXPECTED


def test_a_soft_vote_that_is_missing_in_part_is_refused() -> None:
    partly = masked([[[0.5, 0.5]], [[0.2, 0.8]]], mask=[[[0, 0]], [[0, 1]]])
    with pytest.raises(InvalidVotesError, match="row 1, column 0"):
        Votes.from_soft(partly)


def test_side_information_that_is_missing_is_said_or_left_out() -> None:
    votes = Votes.from_dense(VALUES, 2)
    belief = masked(np.tile([0.3, 0.7], (4, 1)), mask=[[0, 0], [1, 1], [0, 0], [0, 0]])
    stated = read_prior(belief, 4, 2)
    assert np.isnan(stated[1]).all()
    np.testing.assert_allclose(stated[[0, 2, 3]], [[0.3, 0.7]] * 3)
    known = read_gold([1, 0, 0, 1], votes, gold_weight=masked([1.0, 2, 3, 4], mask=np.zeros(4)))
    assert known is not None
    assert known.weight.tolist() == [1, 2, 3, 4]
    with pytest.raises(InvalidArgumentError, match="gold_weight of item 1, which has gold, is nan"):
        read_gold([1, 0, 0, 1], votes, gold_weight=masked([1.0, 2, 3, 4], mask=[0, 1, 0, 0]))
    with pytest.raises(InvalidArgumentError, match="gold_error"):
        read_gold([1, 0, 0, 1], votes, gold_error=masked([0.1] * 4, mask=[0, 1, 0, 0]))
    for table in (masked(np.ones((4, 2)), mask=MISSING[:, :2]), FRAME[["a", "b"]], POLARS, POLARS.to_arrow()):
        with pytest.raises(InvalidArgumentError, match="missing"):
            read_features(table, 4)


@pytest.mark.parametrize("kind", NAMED)
def test_a_group_that_is_missing_is_refused(kind: str) -> None:
    with pytest.raises(InvalidArgumentError, match="groups: item 1 has none"):
        read_groups(NAMED[kind], 4, None)


@pytest.mark.parametrize("kind", GOLD)
def test_an_item_whose_bag_is_missing_is_in_none(kind: str) -> None:
    bags = check_bags(at_least_one(1, bag_of=GOLD[kind]), 4, 2).counts
    assert (bags.item.tolist(), bags.bag.tolist()) == ([2, 0], [0, 1])


def test_counts_and_members_of_bags_that_are_missing() -> None:
    counts = class_counts(masked([2, 9, 1], mask=[0, 1, 0]), bag_of=np.zeros(4, int))
    assert counts.values.tolist() == [[2, 1, 1]]  # the other two say it
    with pytest.raises(InvalidArgumentError, match="bag 0 must list items"):
        class_counts([1, 1], items=masked([0, 1], mask=[0, 1]))


def test_scores_leave_out_what_is_missing() -> None:
    p = [[0.2, 0.8], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]
    for kind, gold in GOLD.items():
        assert evaluate(p, gold).n_items == 2, kind
    named = pd.DataFrame(p, columns=["ham", "spam"])
    assert evaluate(named, NAMED["pandas nullable"]).accuracy == 1.0


def test_training_rows_and_selections_know_masks() -> None:
    soft = [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    kept = expand(np.eye(3), soft, voted=pd.Series([True, None, True], dtype="boolean"))
    assert kept.items.tolist() == [0, 0, 2]
    with pytest.raises(InvalidArgumentError, match="soft labels: row 1"):
        expand(np.eye(3), masked(soft, mask=[[0, 0], [0, 1], [0, 0]]))
    votes = Votes.from_dense(VALUES, 2)
    with pytest.raises(InvalidArgumentError, match="index: entry 1 is missing"):
        votes.select_items(masked([0, 1], mask=[0, 1]))
    with pytest.raises(InvalidArgumentError, match="positions of the 4 items"):
        votes.select_items([9])


def test_names_and_ids_that_are_missing_are_refused() -> None:
    for ids in (masked(list("abcd"), mask=[0, 1, 0, 0]), pl.Series(["a", None, "c", "d"]), FRAME.a):
        with pytest.raises(InvalidVotesError, match="the id of item"):
            Votes.from_dense(VALUES, 2, items=ids)


@pytest.mark.filterwarnings("error")
def test_half_precision_raises_no_warning_of_ours() -> None:
    votes = Votes.from_dense(VALUES.astype(np.float16), 2)
    assert votes.to_dense().tolist() == VALUES.tolist()
    assert Votes.from_soft(np.eye(2, dtype=np.float16)[VALUES]).to_dense().tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("text", "got the text 'text'"),
        ({"a": [1]}, "got a dict"),
        ({1, 2}, "got a set: collect it"),
        ((row for row in [[1]]), "got a generator: collect it"),
        (POLARS.lazy(), "lazy table"),
        (np.zeros(2, [("a", int), ("b", int)]), "records with the fields a, b"),
        ([[0, 1], [1]], "ragged x: row 0 has 2 values, row 1 has 1"),
    ],
)
def test_what_is_no_array_is_refused_with_what_to_write(values: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        read_array(values, "x")
    assert caught.value.field == "x"


def test_an_array_is_not_copied() -> None:
    assert read_array(VALUES, "x").values is VALUES
