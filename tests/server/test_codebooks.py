"""Votes that say less than one class, on the wire as the contract describes them, without the product's codec."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel_protocol.v1 import symbols_pb2, tensor_pb2, votes_pb2

CLASSES = ["a", "b", "c"]
SETS = [0b101, 0b011]  # {a, c} and {a, b}: the least significant bit is class 0
SOFT = [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]


def codebook(harness: Any, sets: Any = SETS, soft: Any = SOFT, class_count: int = 3) -> symbols_pb2.Codebook:
    message = symbols_pb2.Codebook(class_count=class_count)
    if sets is not None:
        message.candidate_sets.CopyFrom(harness.tensor(np.reshape(sets, (len(sets), -1))))
    if soft is not None:
        message.soft_votes.CopyFrom(harness.tensor(soft, "<f4"))
    return message


def chunk(harness: Any, codes: Any, book: symbols_pb2.Codebook) -> votes_pb2.UploadVotesChunk:
    dense = votes_pb2.DenseVotes(votes=harness.tensor(codes))
    return votes_pb2.UploadVotesChunk(rows=len(codes), dense=dense, codebook=book)


def messages(harness: Any, parent: str, part: votes_pb2.UploadVotesChunk) -> list[votes_pb2.UploadVotesRequest]:
    columns = [f"s{m}" for m in range(part.dense.votes.columns or 2)]
    opening, *_ = harness.upload_messages(parent, np.zeros((1, len(columns)), np.int8), sources=columns)
    finish = votes_pb2.UploadVotesFinish(total_rows=part.rows)
    return [opening, votes_pb2.UploadVotesRequest(chunk=part), votes_pb2.UploadVotesRequest(finish=finish)]


def read(server: Any, harness: Any, parent: str) -> tuple[NDArray[Any], symbols_pb2.Codebook]:
    (answer,) = server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent))
    return harness.matrix(answer.votes), answer.codebook


def test_codes_and_their_codebook_come_back(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    codes = np.array([[0, 3], [4, -1], [-2, 5], [6, 3]])
    list(server.votes.UploadVotes(iter(messages(harness, parent, chunk(harness, codes, codebook(harness))))))
    votes, book = read(server, harness, parent)
    np.testing.assert_array_equal(votes, codes)
    assert book.class_count == 3
    assert harness.matrix(book.candidate_sets)[:, 0].tolist() == SETS
    assert harness.matrix(book.soft_votes).tolist() == SOFT


def test_what_means_one_class_or_nothing_is_kept_as_such(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    book = codebook(harness, [0b010, 0b111, 0b101, 0b101], [[1, 0, 0], [1 / 3] * 3, SOFT[0], SOFT[0]])
    codes = np.array([[3, 4, 5, 6, 7, 8, 9, 10]])
    list(server.votes.UploadVotes(iter(messages(harness, parent, chunk(harness, codes, book)))))
    votes, book = read(server, harness, parent)
    assert votes.tolist() == [[1, -1, 3, 3, 0, -1, 4, 4]]
    assert (book.candidate_sets.rows, book.soft_votes.rows) == (1, 1)


def test_sparse_votes_point_into_the_codebook_too(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    sparse = votes_pb2.SparseVotes(triples=harness.tensor([[0, 1, 3], [1, 0, 6], [1, 0, 4]], "<i4"))
    part = votes_pb2.UploadVotesChunk(rows=2, sparse=sparse, codebook=codebook(harness))
    list(server.votes.UploadVotes(iter(messages(harness, parent, part))))
    votes, book = read(server, harness, parent)
    assert votes.tolist() == [[-1, 3], [4, -1]]
    assert harness.matrix(book.candidate_sets)[:, 0].tolist() == SETS
    assert not book.HasField("soft_votes")


def test_bits_of_many_classes(server: Any, harness: Any) -> None:
    parent = server.create_project([f"c{k}" for k in range(11)])
    wide = np.array([[0, 0b100], [-128, 0b001]], np.int8)  # {10}, and {7, 8}
    book = symbols_pb2.Codebook(class_count=11, candidate_sets=harness.tensor(wide))
    list(server.votes.UploadVotes(iter(messages(harness, parent, chunk(harness, np.array([[11, 12]]), book)))))
    votes, book = read(server, harness, parent)
    assert votes.tolist() == [[10, 11]]
    assert harness.matrix(book.candidate_sets).tolist() == [[-128, 1]]


def test_it_survives_kill_9(start: Any, harness: Any) -> None:
    server = start()
    parent = server.create_project(CLASSES)
    codes = np.array([[0, 3], [6, 5]])
    list(server.votes.UploadVotes(iter(messages(harness, parent, chunk(harness, codes, codebook(harness))))))
    before = read(server, harness, parent)
    server.kill()
    server = start()
    after = read(server, harness, parent)
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1] == before[1]


BAD: dict[str, tuple[Callable[[Any], symbols_pb2.Codebook], str, str]] = {
    "no number of classes": (lambda h: codebook(h, class_count=0), "class_count", "3, got 0"),
    "another number of classes": (lambda h: codebook(h, class_count=4), "class_count", "3, got 4"),
    "a set without classes": (lambda h: codebook(h, [1, 0]), "candidate_sets.data", "set 1 has no class"),
    "a class that is not there": (lambda h: codebook(h, [1, 0b1001]), "candidate_sets", "set 1 has a class from 3 on"),
    "two bytes a set": (lambda h: codebook(h, [[1, 0]]), "candidate_sets", "1 columns of INT8"),
    "too few probabilities": (lambda h: codebook(h, soft=[[0.5, 0.5]]), "soft_votes.columns", "3 columns, got 2"),
    "a wrong sum": (lambda h: codebook(h, soft=[SOFT[0], [0.5, 0.5, 0.5]]), "soft_votes.data", "row 1"),
    "a negative one": (lambda h: codebook(h, soft=[[1.5, -0.5, 0]]), "soft_votes.data", "row 0"),
    "NaN": (lambda h: codebook(h, soft=[[np.nan, 0.5, 0.5]]), "soft_votes.data", "row 0"),
    "NaN throughout": (lambda h: codebook(h, soft=[[np.nan] * 3]), "soft_votes.data", "row 0"),
    "no floats": (
        lambda h: symbols_pb2.Codebook(class_count=3, soft_votes=h.tensor([[1, 0, 0]])),
        "soft_votes.data_type",
        "FLOAT32, got DATA_TYPE_INT8",
    ),
    "too few bytes": (
        lambda _: symbols_pb2.Codebook(
            class_count=3,
            soft_votes=tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_FLOAT32, rows=2, columns=3, data=bytes(4)),
        ),
        "soft_votes.data",
        "4 bytes",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_codebooks(server: Any, harness: Any, case: str) -> None:
    make, field, fragment = BAD[case]
    parent = server.create_project(CLASSES)
    part = chunk(harness, np.array([[0, 1]]), make(harness))
    failure = harness.failure_of(lambda: list(server.votes.UploadVotes(iter(messages(harness, parent, part)))))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(failure.violations) == [f"chunk.codebook.{field}"]
    assert fragment in failure.violations[f"chunk.codebook.{field}"]


def test_a_code_behind_the_codebook(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    part = chunk(harness, np.array([[0, 1], [2, 7]]), codebook(harness))
    failure = harness.failure_of(lambda: list(server.votes.UploadVotes(iter(messages(harness, parent, part)))))
    assert failure.violations == {
        "chunk.dense.votes.data": "row 1, column 1 (source 's1'): label 7 is outside 0..2, none of the 4 symbols 3..6 "
        "and neither -1 nor -2"
    }
