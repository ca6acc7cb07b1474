import numpy as np
import pandas as pd
import pytest

from weaklabel import Votes
from weaklabel_client._inputs import chunks, names, vote_blocks
from weaklabel_client._inputs import votes as inputs
from weaklabel_protocol.tensors import from_tensor


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([[0, 1], [0.5, 1]], "row 1, column 0 is 0.5"),
        ([[0, float("inf")]], "row 0, column 1 is inf"),
        ([[0, 1], [1, -3]], "row 1, column 1 is -3"),
        ([[0, 2**31]], "row 0, column 1 is 2147483648"),
        ([[0, 1], [1]], "row 0 has 2 votes, row 1 has 1"),
        ([["spam", "ham"]], "row 0, column 0 is spam: an integer is expected"),
        ([[True, False]], "the type is bool"),
        ([0, 1], r"the shape is \[2\]"),
        (np.zeros((3, 0), dtype=int), "3 items and 0 sources"),
    ],
)
def test_what_is_no_matrix_of_votes_is_refused_with_the_place(votes: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inputs.vote_matrix(votes, None)


@pytest.mark.parametrize(
    "votes",
    [
        np.array([[0, -1], [2, -2]]),
        np.array([[0, -1], [2, -2]], dtype=">i4"),
        np.array([[0.0, -1.0], [2.0, -2.0]]),
        [[0, -1], [2, -2]],
        pd.DataFrame({"a": [0, 2], "b": [-1, -2]}),
        pd.DataFrame({"a": [0, 2], "b": [-1, -2]}, dtype=object),
    ],
)
def test_whole_numbers_of_any_kind_become_the_smallest_type(votes: object) -> None:
    matrix, symbols = inputs.vote_matrix(votes, None)
    assert symbols is None
    assert matrix.dtype == np.int8
    assert matrix.tolist() == [[0, -1], [2, -2]]


def test_to_a_model_a_source_that_failed_is_one_that_abstains() -> None:
    matrix = inputs.predict_block(Votes.from_codes([[0, -2], [-1, 1]], 2)).votes
    assert matrix.dtype == np.int8
    assert matrix.tolist() == [[0, -1], [-1, 1]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "a"], 'names 0 and 2 are both "a"'),
        (["a", ""], "name 1 is ''"),
        (["a", None], "name 1 is None"),
        (["a", "x" * 256], "name 1 is 'xx"),
        (["a"], "there are 1 names for 2"),
        ("ab", "is one string"),
        (["a", "b\udc80"], r"sources: name 1 is 'b\\udc80': character 1 is half of a surrogate pair"),
    ],
)
def test_names_that_are_not_distinct_strings_are_refused(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        names.names(values, 3 if len(values) == 3 else 2, "sources")  # type: ignore[arg-type]  # all have a length


def test_index_and_columns_of_a_data_frame_are_names() -> None:
    frame = pd.DataFrame({"a": [0], "b": [1]}, index=[17])
    assert names.names(frame.columns, 2, "sources") == ("a", "b")
    assert names.names(frame.index, 1, "items") == ("17",)


def test_columns_of_a_data_frame_name_the_sources_where_they_are_strings() -> None:
    assert inputs.own_sources(pd.DataFrame({"a": [0], "b": [1]}, index=["x"])) == ("a", "b")
    assert inputs.own_sources(pd.DataFrame([[0, 1]])) is None
    assert inputs.own_sources(pd.DataFrame({"a": [0], 1: [1]})) == ("a", "1")
    assert inputs.own_sources(pd.DataFrame({7: [0], 2: [1]})) == ("7", "2")
    assert inputs.own_sources(np.zeros((1, 2))) is None
    with pytest.raises(ValueError, match='sources: names 0 and 1 are both "a"'):
        inputs.own_sources(pd.DataFrame([[0, 1]], columns=["a", "a"]))


def test_votes_bring_their_names_and_ids() -> None:
    dense = Votes.from_codes([[0, -2], [-1, 1]], 2, sources=["a", "b"], items=["x", "y"])
    block = inputs.matrix_block(dense)
    assert isinstance(block, vote_blocks.DenseBlock)
    assert (block.sources, block.items, block.votes.tolist()) == (("a", "b"), ("x", "y"), [[0, -2], [-1, 1]])
    assert inputs.matrix_block(dense, ["v", "w"]).chunk(0, 2, 0).item_ids == ["v", "w"]
    # The last item and the last source have no votes.
    sparse = Votes.from_triples([1, 0], [0, 1], [1, 0], n_classes=2, n_items=3, source_names=["a", "b", "c"])
    block = inputs.matrix_block(sparse)
    assert isinstance(block, vote_blocks.SparseBlock)
    assert (block.sources, block.items, block.n_rows, block.n_sources) == (("a", "b", "c"), None, 3, 3)
    assert block.triples.tolist() == [[0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    ("items", "sources", "labels", "message"),
    [
        ([0, 1], [0], [0, 0], "have 2, 1 and 2 elements"),
        ([0, 5], [0, 0], [0, 0], "items: element 1 is 5"),
        ([0, -1], [0, 0], [0, 0], "items: element 1 is -1"),
        ([0, 1], [0, 2], [0, 0], "sources: element 1 is 2"),
        ([0, 1], [0, 1], [0, -3], "labels: element 1 is -3"),
        ([0.5], [0], [0], "items: one dimension of integers"),
    ],
)
def test_triples_out_of_range_are_refused_with_the_place(
    items: list[int], sources: list[int], labels: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        inputs.sparse_block(items, sources, labels, 5, ["a", "b"], None)


def test_sparse_chunks_hold_the_triples_of_their_rows_in_the_order_given() -> None:
    block = inputs.sparse_block([3, 0, 3, 2], [1, 0, 1, 0], [0, 1, 2, 1], 5, ["a", "b"], None)
    chunk = block.chunk(2, 5, 2)
    assert (chunk.row_offset, chunk.rows) == (2, 3)
    # Row 3 is row 1 of the chunk; of its two votes by source 1 the later one, 2, comes last.
    assert from_tensor(chunk.sparse.triples).tolist() == [[0, 0, 1], [1, 1, 0], [1, 1, 2]]
    assert block.row_bytes(2, 5).tolist() == [12, 24, 0]


def test_a_chunk_of_long_ids_stays_within_the_limit() -> None:
    ids = [f"{row:05}{'é' * 250}" for row in range(20_000)]
    block = inputs.matrix_block(np.zeros((20_000, 3), dtype=int), ids)
    rows = chunks.rows_that_fit(block.row_bytes(0, 20_000), chunks.MAX_BYTES)
    size = block.chunk(0, rows, 0).ByteSize()
    assert 0.99 * chunks.MAX_BYTES < size < 1.01 * chunks.MAX_BYTES


def test_one_item_that_fits_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="one item takes 4,000,000 bytes"):
        chunks.rows_that_fit(np.array([4_000_000]), chunks.MAX_BYTES)


def test_the_digest_is_that_of_the_content() -> None:
    votes = np.array([[0, 1], [-1, 0]])
    digest = inputs.matrix_block(votes).digest(("a", "b"))
    assert digest == inputs.matrix_block(np.asfortranarray(votes.astype(float))).digest(("a", "b"))
    others = [
        inputs.matrix_block(votes).digest(("ab", "c")),
        inputs.matrix_block(votes, ["x", "y"]).digest(("a", "b")),
        inputs.matrix_block(votes[::-1]).digest(("a", "b")),
        inputs.matrix_block(votes.reshape(1, 4)).digest(("a", "b")),
        inputs.sparse_block([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, -1, 0], 2, ["a", "b"], None).digest(("a", "b")),
    ]
    assert len({digest, *others}) == 6
    assert len(digest) <= 64
