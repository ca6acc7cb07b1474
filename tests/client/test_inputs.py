"""What is uploaded: what is missing in arrays of every kind, and rows that have ids on both sides."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from weaklabel_client import at_least_one
from weaklabel_client._inputs import names
from weaklabel_client._inputs import votes as inputs
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.side_data import side_blocks
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import labels_pb2


def masked(values: Any, mask: Any) -> Any:
    """A masked array."""
    return np.ma.array(values, mask=np.asarray(mask, bool))


CELLS = [[0, None, 1], [None, 1, 0], [2, 2, None]]
EXPECTED = [[0, -1, 1], [-1, 1, 0], [2, 2, -1]]
FRAME = pd.DataFrame(CELLS, columns=["a", "b", "c"])
MASKED = masked([[0, 1, 1], [2, 1, 0], [2, 2, 1]], mask=[[0, 1, 0], [1, 0, 0], [0, 0, 1]])
GOLD = [1, None, 0]


@pytest.mark.parametrize(
    "votes",
    [
        MASKED,
        list(MASKED),
        CELLS,
        FRAME,
        FRAME.astype("Int64"),
        FRAME.astype("category"),
        pl.DataFrame(CELLS, orient="row"),
        pl.DataFrame(CELLS, orient="row").to_arrow(),
        np.array(CELLS, object),
    ],
)
def test_a_vote_that_is_missing_abstains(votes: Any) -> None:
    matrix, symbols = inputs.vote_matrix(votes, None)
    assert symbols is None
    assert matrix.tolist() == EXPECTED
    assert inputs.predict_block(votes).votes.tolist() == EXPECTED


@pytest.mark.parametrize("silent", [-1, None, np.nan, np.ma.masked, pd.NA])
def test_a_triple_that_abstains_is_left_out(silent: Any) -> None:
    block = inputs.sparse_block([0, 0, 1], [0, 0, 0], [1, silent, 0], 2, ["a"], None)
    assert from_tensor(block.chunk(0, 2, 0).sparse.triples).tolist() == [[0, 0, 1], [1, 0, 0]]


def uploaded(kind: str, values: Any, items: Any = None) -> tuple[list[Any], list[str]]:
    """The values of a message, and the ids of its items."""
    (block,) = side_blocks(kind, values, items)
    chunk = block.chunk(0, block.n_rows, 0)
    if kind == "groups":
        index = from_tensor(chunk.values.groups.indices)[:, 0]
        return [chunk.values.groups.names[at] for at in index], list(chunk.item_ids)
    return from_tensor(getattr(chunk.values, kind)).tolist(), list(chunk.item_ids)


@pytest.mark.parametrize(
    "gold",
    [
        masked([1, 7, 0], mask=[0, 1, 0]),
        GOLD,
        [1, np.nan, 0],
        pd.Series(GOLD),
        pd.Series(GOLD, dtype="Int64"),
        pd.Series(GOLD, dtype="category"),
        pl.Series(GOLD),
        pa.array(GOLD),
        pd.DataFrame({"gold": GOLD}),
    ],
)
def test_gold_that_is_missing_is_unknown(gold: Any) -> None:
    assert uploaded("gold", gold) == ([[1], [-1], [0]], [])


def test_other_side_data_that_is_missing() -> None:
    belief = masked([[0.25, 0.75]] * 2, mask=[[0, 0], [1, 1]])
    values, _ = uploaded("prior", belief)
    np.testing.assert_array_equal(values, [[0.25, 0.75], [np.nan, np.nan]])
    for groups in (["a", None], masked(["a", "b"], mask=[0, 1]), pd.Series(["a", None], dtype="string")):
        with pytest.raises(ValueError, match="groups: item 1 has none"):
            side_blocks("groups", groups, None)


def test_an_index_names_the_items_of_an_upload() -> None:
    frame = FRAME.set_axis([30, 10, 20])
    block = inputs.matrix_block(frame)
    assert block.chunk(0, 3, 0).item_ids == ["30", "10", "20"]
    assert inputs.matrix_block(frame, ["x", "y", "z"]).chunk(0, 3, 0).item_ids == ["x", "y", "z"]
    assert inputs.matrix_block(FRAME).chunk(0, 3, 0).item_ids == []
    with pytest.raises(ValueError, match="in another order"):
        inputs.matrix_block(frame, ["10", "20", "30"])
    assert inputs.matrix_block(FRAME.set_axis([7, 2, 9], axis=1)).sources == ("7", "2", "9")
    assert uploaded("gold", pd.Series([1, 0], index=["x", "y"])) == ([[1], [0]], ["x", "y"])


def test_side_data_is_matched_to_the_ids_of_items() -> None:
    ids, turned = ["x", "y", "z"], ["z", "x", "y"]
    assert uploaded("gold", pd.Series([1, 0, 1], index=turned), ids) == ([[0], [1], [1]], ids)
    assert uploaded("gold", pd.Series([1, 0], index=["z", "x"]), ids) == ([[0], [-1], [1]], ids)
    assert uploaded("groups", pd.Series(["p", "q", "r"], index=turned), ids) == (["q", "r", "p"], ids)
    features = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=turned)
    assert uploaded("features", features, ids) == ([[2.0], [3.0], [1.0]], ids)
    with pytest.raises(ValueError, match=r"features: item 'q' is not in the votes; .*features\.to_numpy\(\)"):
        uploaded("features", features.rename({"x": "q"}), ids)
    with pytest.raises(ValueError, match="features: item 'y' of the votes has no row"):
        uploaded("features", features[:2], ids)
    (block,) = side_blocks("bags", at_least_one(1, bag_of=pd.Series([0, -1, 0], index=turned)), None)
    assert list(block.chunk(0, 1, 0).values.bags.item_ids) == ["z", "y"]


def test_side_data_of_a_prediction_is_matched_to_its_votes() -> None:
    votes = pd.DataFrame(EXPECTED, index=["x", "y", "z"])
    rows = PredictRows(votes, features=pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=["z", "x", "y"]))
    request = labels_pb2.PredictRequest()
    rows.put(request, 0, 3)
    assert from_tensor(request.side.features).tolist() == [[2.0], [3.0], [1.0]]


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        (sp.csr_array(np.eye(3)), r"sparse matrix .*upload_triples\(project, m\.row.*matrix\.toarray\(\)"),
        ({"a": [1]}, "votes: an array is expected, got a dict"),
        ([[0, "1"]], "row 0, column 1 is 1: an integer is expected"),
    ],
)
def test_what_is_no_matrix_is_refused_with_what_to_write(votes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inputs.vote_matrix(votes, None)


def test_names_that_end_in_nul_are_refused() -> None:
    with pytest.raises(ValueError, match="must not end in the character NUL"):
        names.names(["a", "a\0"], None, "items")
    with pytest.raises(ValueError, match="must not end in the character NUL"):
        side_blocks("groups", ["a", "a\0"], None)
    with pytest.raises(ValueError, match=r"gold: .*of names, write their indices"):
        side_blocks("gold", ["spam"], None)
    with pytest.raises(ValueError, match=r"items: one dimension of integers .*source_names or item_ids"):
        inputs.sparse_block(["x"], [0], [1], 1, None, None)
