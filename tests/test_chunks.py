from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import Votes
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes.chunks import VoteChunks


def rows(*cells: list[int]) -> NDArray[np.int8]:
    return np.array(cells, np.int8)


def test_chunks_are_votes_and_can_be_read_again() -> None:
    chunks = VoteChunks([rows([0, 1], [1, -1]), [[1, 0]]], 2, sources=["a", "b"])
    for _ in range(2):
        read = list(chunks)
        assert [part.n_items for part in read] == [2, 1]
        assert {part.source_names for part in read} == {("a", "b")}
        np.testing.assert_array_equal(np.concatenate([part.to_codes() for part in read]), [[0, 1], [1, -1], [1, 0]])


def test_a_function_starts_anew_each_time() -> None:
    started: list[int] = []

    def read() -> Iterator[NDArray[np.int8]]:
        started.append(1)
        yield rows([0, 1])

    chunks = VoteChunks(read, 2)
    assert [part.n_items for part in chunks] == [part.n_items for part in chunks] == [1]
    assert len(started) == 2


def test_a_function_that_does_not_start_anew_is_refused() -> None:
    once = iter([rows([0, 1])])
    chunks = VoteChunks(lambda: once, 2)
    assert len(list(chunks)) == 1
    with pytest.raises(InvalidArgumentError, match="a new iterator"):
        list(chunks)


def test_chunks_without_rows_are_left_out() -> None:
    empty = np.empty((0, 2), np.int8)
    assert [part.n_items for part in VoteChunks([empty, rows([0, 1]), empty], 2)] == [1]


def test_what_can_be_read_only_once_is_refused() -> None:
    for once in (iter([rows([0, 1])]), (part for part in [rows([0, 1])])):
        with pytest.raises(InvalidArgumentError, match="only once") as refused:
            VoteChunks(once, 2)  # type: ignore[arg-type]
        assert refused.value.field == "chunks"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (rows([0, 5]), r"chunk 1: row 0, column 1 .*label 5 is outside 0\.\.1"),
        ([[0, 1], [1]], "chunk 1: ragged"),
        (rows([0, 1, 1]), "chunk 1"),
        (Votes.from_dense(rows([0, 1]), 2, sources=["a", "c"]), "chunk 1 has other sources"),
        (Votes.from_dense(rows([0, 1]), 3), "chunk 1 is over 3 classes, not 2"),
    ],
)
def test_a_wrong_chunk_is_named(wrong: Any, said: str) -> None:
    read = iter(VoteChunks([rows([0, 1]), wrong], 2))
    assert next(read).n_items == 1
    with pytest.raises(InvalidVotesError, match=said):
        next(read)
