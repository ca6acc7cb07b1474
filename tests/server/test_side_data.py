"""Side data on the wire and in the store: uploads that survive, what is refused, and what a fit is told."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
import scipy.sparse as sp

from weaklabel import not_
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.v1 import models_pb2, projects_pb2, side_data_pb2, symbols_pb2
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.side_data import read as read_side_data
from weaklabel_server.messages.side_data import read_chunk
from weaklabel_server.store import projects, side_data, vote_uploads, votes
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.side_data import SideChunk, SideKind, SideSettings, SourceBounds

GOLD = side_data_pb2.SIDE_DATA_KIND_GOLD
PRIOR = side_data_pb2.SIDE_DATA_KIND_PRIOR
GROUPS = side_data_pb2.SIDE_DATA_KIND_GROUPS
FEATURES = side_data_pb2.SIDE_DATA_KIND_FEATURES
BAGS = side_data_pb2.SIDE_DATA_KIND_BAGS
WEIGHT = side_data_pb2.SIDE_DATA_KIND_GOLD_WEIGHT
Rows = side_data_pb2.SideRows
CLASSES = ["a", "b", "c"]


def gold(harness: Any, labels: list[int]) -> tuple[int, Rows]:
    return len(labels), Rows(gold=harness.tensor(np.reshape(labels, (-1, 1))))


def gold_sets(harness: Any, labels: list[int], sets: list[int], **fields: Any) -> Rows:
    """Gold of which 3 + c stands for set c; sets of three classes as the numbers that their bits are."""
    bits = harness.tensor(np.reshape(sets, (-1, 1)))
    made = Rows(gold_codebook=symbols_pb2.Codebook(**{"class_count": 3, "candidate_sets": bits} | fields))
    made.gold.CopyFrom(harness.tensor(np.reshape(labels, (-1, 1))))
    return made


def weights(harness: Any, values: list[float]) -> Rows:
    return Rows(gold_weight=harness.tensor(np.reshape(values, (-1, 1)), "<f4"))


def sparse(harness: Any, columns: int, lengths: Any, indices: Any, values: Any) -> Rows:
    made = side_data_pb2.SparseRows(columns=columns)
    for field, numbers, dtype in (("lengths", lengths, "<i4"), ("indices", indices, "<i4"), ("values", values, "<f4")):
        getattr(made, field).CopyFrom(harness.tensor(np.reshape(numbers, (-1, 1)), dtype))
    return Rows(sparse_features=made)


def bags(harness: Any, kind: int, sizes: Any, items: Any, values: Any = None, **fields: Any) -> Rows:
    made = side_data_pb2.Bags(sizes=harness.tensor(np.reshape(sizes, (-1, 1)), "<i4"), **fields)
    made.kind = kind  # type: ignore[assignment]
    if items is not None:
        made.items.CopyFrom(harness.tensor(np.reshape(items, (-1, 1)), "<i4"))
    if values is not None:
        made.values.CopyFrom(harness.tensor(values, "<f4"))
    return Rows(bags=made)


def groups(harness: Any, names: list[str], indices: list[int]) -> Rows:
    return Rows(groups=side_data_pb2.Groups(names=names, indices=harness.tensor(np.reshape(indices, (-1, 1)))))


# ---------------------------------------------------------------------- uploads


def test_upload_get_list_and_delete(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    names = []
    for labels in ([0, 1, -1], [2]):
        answers = server.upload_side(parent, GOLD, gold(harness, labels), gold(harness, [1]))
        assert [answer.committed_rows for answer in answers] == [0, len(labels), len(labels) + 1, len(labels) + 1]
        assert [answer.finished for answer in answers] == [False] * 3 + [True]
        names.append(answers[-1].name)
    get = side_data_pb2.GetSideDataRequest
    found = server.side_data.GetSideData(get(name=names[0])).side_data
    assert (found.kind, found.row_count, found.column_count) == (GOLD, 4, 0)
    assert found.name.startswith(f"{parent}/sideData/")

    ask = side_data_pb2.ListSideDataRequest
    first = server.side_data.ListSideData(ask(parent=parent, page_size=1))
    second = server.side_data.ListSideData(ask(parent=parent, page_token=first.next_page_token))
    assert [one.name for page in (first, second) for one in page.side_data] == names[::-1]
    assert second.next_page_token == ""

    delete = side_data_pb2.DeleteSideDataRequest(name=names[0], request_id=str(uuid.uuid4()))
    server.side_data.DeleteSideData(delete)
    server.side_data.DeleteSideData(delete)  # repeated
    failure = harness.failure_of(lambda: server.side_data.GetSideData(get(name=names[0])))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.NOT_FOUND, "SIDE_DATA_NOT_FOUND")


def test_the_same_content_is_kept_once(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    chunk = gold(harness, [0, 1])
    first = server.upload_side(parent, GOLD, chunk, digest=b"one")
    again = server.upload_side(parent, GOLD, chunk, digest=b"one")
    assert [answer.finished for answer in again] == [True] * 3
    assert {answer.name for answer in again} == {first[0].name}
    prior = Rows(prior=harness.tensor([[0.2, 0.3, 0.5]], "<f4"))
    for other in (
        server.upload_side(parent, GOLD, chunk, digest=b"two"),
        server.upload_side(parent, PRIOR, (1, prior), digest=b"one"),
    ):
        assert other[0].name != first[0].name


def test_an_upload_goes_on_after_kill_9(start: Any, harness: Any) -> None:
    server = start()
    parent = server.create_project(CLASSES)
    chunks = [gold(harness, [label] * 3) for label in range(3)]
    parts = list(harness.side_messages(parent, GOLD, *chunks, digest=b"content"))
    messages = SimpleQueue[Any]()
    responses = server.side_data.UploadSideData(iter(messages.get, None))
    for message in parts[:3]:  # the opening and two chunks
        messages.put(message)
        answer = next(responses)
    assert (answer.committed_rows, answer.finished) == (6, False)
    server.kill()
    messages.put(None)

    server = start()
    name = answer.name
    get = side_data_pb2.GetSideDataRequest(name=name)
    assert harness.failure_of(lambda: server.side_data.GetSideData(get)).info.reason == "SIDE_DATA_NOT_FOUND"
    # Another client with the same content, under another id, takes it up.
    opening = next(harness.side_messages(parent, GOLD, digest=b"content"))
    answers = list(server.side_data.UploadSideData(iter([opening, *parts[3:]])))
    assert [(answer.name, answer.committed_rows) for answer in answers] == [(name, 6), (name, 9), (name, 9)]
    server.kill()
    server = start()
    assert server.side_data.GetSideData(get).side_data.row_count == 9


def test_it_goes_with_its_project(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)
    name = server.upload_side(parent, GOLD, gold(harness, [0]))[-1].name
    server.projects.DeleteProject(projects_pb2.DeleteProjectRequest(name=parent))
    failure = harness.failure_of(lambda: server.side_data.GetSideData(side_data_pb2.GetSideDataRequest(name=name)))
    assert failure.info.reason == "PROJECT_NOT_FOUND"


Make = Callable[[Any], Rows]
COUNTS, SAME, DIFFERENT = 1, 5, 6
BAD: dict[str, tuple[int, int, Make, str, str]] = {
    "no values": (GOLD, 1, lambda _: Rows(), "chunk.values", "the field of gold"),
    "another kind": (PRIOR, 1, lambda h: gold(h, [0])[1], "chunk.values", "the field of prior"),
    "two kinds": (
        GOLD,
        1,
        lambda h: Rows(gold=h.tensor([[0]]), prior=h.tensor([[1, 0, 0]], "<f4")),
        "chunk.values",
        "no other",
    ),
    "a class too high": (GOLD, 2, lambda h: gold(h, [0, 3])[1], "chunk.values.gold.data", "row 1: 3 is outside -1..2"),
    "a set that is not there": (
        GOLD,
        2,
        lambda h: gold_sets(h, [3, 5], [3, 6]),
        "chunk.values.gold.data",
        "row 1: 5 is outside -1..4",
    ),
    "a set without a class": (
        GOLD,
        1,
        lambda h: gold_sets(h, [3], [0]),
        "chunk.values.gold_codebook.candidate_sets.data",
        "set 0 has no class",
    ),
    "a set of other classes": (
        GOLD,
        1,
        lambda h: gold_sets(h, [3], [8]),
        "chunk.values.gold_codebook.candidate_sets",
        "set 0 has a class from 3 on",
    ),
    "a codebook of more classes": (
        GOLD,
        1,
        lambda h: gold_sets(h, [3], [3], class_count=4),
        "chunk.values.gold_codebook.class_count",
        "the number of classes, 3, got 4",
    ),
    "gold with a probability": (
        GOLD,
        1,
        lambda h: gold_sets(h, [3], [3], soft_votes=h.tensor([[0.5, 0.5, 0]], "<f4")),
        "chunk.values.gold_codebook.soft_votes",
        "gold is a class, or a set of classes",
    ),
    "a codebook without gold": (
        PRIOR,
        1,
        lambda h: Rows(prior=h.tensor([[0.2, 0.3, 0.5]], "<f4"), gold_codebook=symbols_pb2.Codebook(class_count=3)),
        "gold_codebook",
        "it is of gold",
    ),
    "too few rows": (GOLD, 3, lambda h: gold(h, [0, 1])[1], "chunk.values.gold.rows", "3 rows, got 2"),
    "two columns": (GOLD, 1, lambda h: Rows(gold=h.tensor([[0, 1]])), "chunk.values.gold.columns", "got 2"),
    "a wrong sum": (
        PRIOR,
        1,
        lambda h: Rows(prior=h.tensor([[0.5, 0.6, 0]], "<f4")),
        "chunk.values.prior.data",
        "row 0",
    ),
    "a group that has no name": (
        GROUPS,
        1,
        lambda h: groups(h, ["x"], [1]),
        "chunk.values.groups.indices.data",
        "1 is outside 0..0",
    ),
    "a group named twice": (
        GROUPS,
        1,
        lambda h: groups(h, ["x", "x"], [1]),
        "chunk.values.groups.names[1]",
        '"x" stands',
    ),
    "an infinite feature": (
        FEATURES,
        2,
        lambda h: Rows(features=h.tensor([[1, 2], [3, np.inf]], "<f4")),
        "chunk.values.features.data",
        "row 1, column 1",
    ),
    "a sparse column too high": (
        FEATURES,
        2,
        lambda h: sparse(h, 4, [1, 1], [0, 4], [1, 1]),
        "chunk.values.sparse_features.indices.data",
        "element 1: column 4 is outside 0..3",
    ),
    "a sparse cell twice": (
        FEATURES,
        2,
        lambda h: sparse(h, 4, [1, 2], [3, 2, 2], [1, 1, 1]),
        "chunk.values.sparse_features.indices.data",
        "column 2 is given twice",
    ),
    "lengths that lie": (
        FEATURES,
        2,
        lambda h: sparse(h, 4, [1, 2], [3, 2], [1, 1]),
        "chunk.values.sparse_features.lengths.data",
        "they say 3 elements",
    ),
    "counts of another size": (
        BAGS,
        1,
        lambda h: bags(h, COUNTS, [2], [0, 1], [[1, 1, 1]]),
        "chunk.values.bags",
        "bag 0 has 2 items, but its counts sum to 3",
    ),
    "a bag without items": (
        BAGS,
        2,
        lambda h: bags(h, SAME, [0, 1], [0]),
        "chunk.values.bags.sizes.data",
        "at least one item",
    ),
    "three that differ": (BAGS, 1, lambda h: bags(h, DIFFERENT, [3], [0, 1, 2]), "chunk.values.bags", "pairs only"),
    "a weight below 0": (
        WEIGHT,
        2,
        lambda h: weights(h, [0, -0.5]),
        "chunk.values.gold_weight.data",
        "row 1: -0.5 is below 0",
    ),
    "a weight that is no number": (
        WEIGHT,
        2,
        lambda h: weights(h, [1, np.nan]),
        "chunk.values.gold_weight.data",
        "row 1: not a finite number",
    ),
    "weights of whole numbers": (
        WEIGHT,
        1,
        lambda h: Rows(gold_weight=h.tensor([[1]])),
        "chunk.values.gold_weight.data_type",
        "DATA_TYPE_FLOAT32",
    ),
    "too few weights": (WEIGHT, 2, lambda h: weights(h, [1]), "chunk.values.gold_weight.rows", "2 rows, got 1"),
    "two weights an item": (
        WEIGHT,
        1,
        lambda h: Rows(gold_weight=h.tensor([[1, 1]], "<f4")),
        "chunk.values.gold_weight.columns",
        "got 2",
    ),
    "no kind of bag": (BAGS, 1, lambda h: bags(h, 0, [1], [0]), "chunk.values.bags.kind", "a kind of bag"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_chunks(server: Any, harness: Any, case: str) -> None:
    kind, rows, make, field, fragment = BAD[case]
    parent = server.create_project(CLASSES)
    failure = harness.failure_of(lambda: server.upload_side(parent, kind, (rows, make(harness))))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(failure.violations) == [field]
    assert fragment in failure.violations[field]


def test_bad_uploads(server: Any, harness: Any) -> None:
    parent = server.create_project(CLASSES)

    def fault(*values: Any, kind: int = GOLD, **options: Any) -> Any:
        return harness.failure_of(lambda: server.upload_side(parent, kind, *values, **options))

    assert list(fault(kind=0).violations) == ["open.kind"]
    assert list(fault(side_data_id="7").violations) == ["open.side_data_id"]
    assert list(fault(digest=bytes(65)).violations) == ["open.content_digest"]
    assert list(fault().violations) == ["finish.total_rows"]  # of no rows
    twice = fault(gold(harness, [0]), gold(harness, [1]), items=["x", "x"])
    assert twice.violations == {"chunk.item_ids": 'item "x" is in rows 0 and 1 of the upload'}
    mixed = fault(gold(harness, [0]), gold(harness, [1]), items=["x"])
    assert (mixed.code, mixed.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ITEM_NAMING_MIXED")
    columns = [(1, Rows(features=harness.tensor(np.ones((1, width)), "<f4"))) for width in (2, 3)]
    assert "2 columns, as in the chunks before, got 3" in fault(*columns, kind=FEATURES).violations["chunk.values"]

    side_data_id = str(uuid.uuid4())
    server.upload_side(parent, GOLD, gold(harness, [0]), side_data_id=side_data_id)
    reused = fault(side_data_id=side_data_id, kind=PRIOR)
    assert (reused.info.reason, list(reused.violations)) == ("UPLOAD_ID_REUSED", ["open.kind"])


def test_a_size_that_is_not_allowed(serving: Any, harness: Any, tmp_path: Path) -> None:
    wide = [(100, Rows(features=harness.tensor(np.ones((100, 10)), "<f4")))] * 2
    with serving(tmp_path, {"WEAKLABEL_MAX_SIDE_DATA_BYTES": "5000"}) as server:
        parent = server.create_project(CLASSES)
        server.upload_side(parent, FEATURES, wide[0])
        failure = harness.failure_of(lambda: server.upload_side(parent, FEATURES, *wide))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SIDE_DATA_TOO_LARGE")


def test_fits_name_what_is_there(server: Any, harness: Any) -> None:
    parent, other = server.create_project(CLASSES), server.create_project(CLASSES)
    server.upload(parent, np.zeros((3, 2), np.int8))
    mine = server.upload_side(parent, GOLD, gold(harness, [0, 1, 2]))[-1].name
    theirs = server.upload_side(other, GOLD, gold(harness, [0]))[-1].name

    def fault(**fields: Any) -> Any:
        request = models_pb2.FitModelRequest(parent=parent, side=models_pb2.SideInformation(**fields))
        return harness.failure_of(lambda: server.models.FitModel(request))

    assert list(fault(gold="spam").violations) == ["side.gold"]
    assert "side data of" in fault(gold=theirs).violations["side.gold"]
    assert "side data of kind prior" in fault(prior=mine).violations["side.prior"]
    missing = fault(gold=f"{parent}/sideData/{uuid.uuid4()}")
    assert (missing.code, missing.info.reason) == (grpc.StatusCode.NOT_FOUND, "SIDE_DATA_NOT_FOUND")
    for gold_name, error in (("", 1), (mine, 1), (mine, -0.1), ("", 0.1)):
        assert list(fault(gold=gold_name, gold_error=error).violations) == ["side.gold_error"]
    heavy = server.upload_side(parent, WEIGHT, (3, weights(harness, [1, 2, 3])))[-1].name
    assert fault(gold_weight=heavy).violations == {"side.gold_weight": "there is no gold that it could weigh"}
    assert "side data of kind gold_weight" in fault(gold=mine, gold_weight=mine).violations["side.gold_weight"]
    assert list(fault(gold=mine, gold_sampling=7).violations) == ["side.gold_sampling"]
    bound = models_pb2.SourceBounds
    assert list(fault(bounds=[bound(source="source 0", accuracy_low=0.9, accuracy_high=0.8)]).violations) == [
        "side.bounds[0]"
    ]
    assert list(fault(bounds=[bound(source="who", accuracy_low=0.8, accuracy_high=0.9)]).violations) == [
        "side.bounds[0].source"
    ]


# -------------------------------------------------------------- what a fit is told


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Database(sqlite_url(tmp_path_factory.mktemp("store")))
    yield opened
    opened.close()


def stored(
    database: Database, project_id: str, kind: SideKind, chunks: Sequence[tuple[list[str] | None, int, Rows]]
) -> str:
    """Side data in the store; its id."""
    side_data_id = str(uuid.uuid4())
    with database.write() as tx:
        _, found = side_data.open_upload(tx, project_id, side_data_id, kind, b"")
        start = 0
        for item_ids, rows, content in chunks:
            chunk = SideChunk(start, rows, item_ids, content.SerializeToString())
            start = side_data.append(tx, found, chunk, 0, max_bytes=10**9)
        side_data.finish(tx, found, start)
    return side_data_id


def project_with_votes(database: Database, items: list[str] | None, n_items: int = 5) -> str:
    project_id = uuid.uuid4().hex
    with database.write() as tx:
        projects.create(tx, project_id, CLASSES)
    add_votes(database, project_id, items, n_items)
    return project_id


def add_votes(database: Database, project_id: str, items: list[str] | None, n_items: int) -> None:
    with database.write() as tx:
        _, upload = vote_uploads.open_upload(tx, project_id, str(uuid.uuid4()), ("s",), b"")
        vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((n_items, 1), np.int8), items, Symbols.empty(3)))
        vote_uploads.finish(tx, upload, n_items, max_cells=1000)


def told(database: Database, project_id: str, **settings: Any) -> dict[str, Any]:
    with database.read() as tx:
        return read_side_data(tx, votes.view(tx, project_id, 0), SideSettings(**settings))


def test_rows_without_names_are_items_in_order(database: Database, harness: Any) -> None:
    project_id = project_with_votes(database, None)
    data = {
        SideKind.GOLD: [(None, 2, gold(harness, [0, -1])[1]), (None, 1, gold(harness, [2])[1])],
        SideKind.PRIOR: [(None, 2, Rows(prior=harness.tensor([[0.2, 0.3, 0.5], [np.nan] * 3], "<f4")))],
        SideKind.GROUPS: [
            (None, 3, groups(harness, ["x", "y"], [0, 1, 0])),
            (None, 2, groups(harness, ["z", "x"], [1, 0])),
        ],
        SideKind.FEATURES: [
            (None, 4, Rows(features=harness.tensor(np.arange(8).reshape(4, 2), "<f4"))),
            (None, 1, sparse(harness, 2, [1], [1], [9])),
        ],
        SideKind.BAGS: [
            (None, 1, bags(harness, COUNTS, [2], [0, 3], [[1, 1, 0]])),
            (None, 2, bags(harness, SAME, [1, 2], [1, 2, 4])),
        ],
    }
    ids = {kind: stored(database, project_id, kind, chunks) for kind, chunks in data.items()}
    bounds = (SourceBounds("s", 0.8, 0.95),)
    found = told(database, project_id, data=ids, gold_error=0.1, bounds=bounds)
    assert found["gold"].tolist() == [0, -1, 2, -1, -1]
    assert found["gold_error"] == 0.1
    assert found["bounds"] == {"s": (0.8, 0.95)}
    np.testing.assert_allclose(found["prior"][0], [0.2, 0.3, 0.5], atol=1e-7)
    assert np.isnan(found["prior"][1:]).all()
    assert found["groups"].tolist() == ["x", "y", "x", "x", "z"]
    assert isinstance(found["features"], sp.csr_array)
    assert found["features"].todense().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [0, 9]]
    assert [(one.kind, one.item.tolist(), one.bag.tolist()) for one in found["bags"]] == [
        ("class_counts", [0, 3], [0, 0]),
        ("same_label", [1, 2, 4], [0, 1, 1]),
    ]
    assert found["bags"][0].values.tolist() == [[1, 1, 0]]


def test_sets_of_classes_are_kept_as_they_are_used(harness: Any) -> None:
    """Equal entries are one, those that no row uses are not stored, and a set of one class is that class."""
    given = gold_sets(harness, [5, -1, 3, 1, 6, 4, 3], [0b011, 0b111, 0b110, 0b100, 0b101])
    chunk = side_data_pb2.UploadSideDataChunk(rows=7, values=given)
    kept = Rows.FromString(read_chunk(chunk, kind=SideKind.GOLD, n_classes=3)[0].content)
    assert harness.matrix(kept.gold)[:, 0].tolist() == [4, -1, 3, 1, 2, -1, 3]
    assert harness.matrix(kept.gold_codebook.candidate_sets)[:, 0].tolist() == [0b011, 0b110]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_sets_of_classes_in_the_store(database_urls: Callable[[str], str], harness: Any, dialect: str) -> None:
    opened = Database(database_urls(dialect))
    try:
        project_id = project_with_votes(opened, ["a", "b", "c", "d", "e"])
        chunks = [
            (["e", "b"], 2, gold_sets(harness, [3, 1], [0b110])),
            (["a"], 1, gold(harness, [2])[1]),
            (["d"], 1, gold_sets(harness, [4], [0b011, 0b101])),
        ]
        side = stored(opened, project_id, SideKind.GOLD, chunks)
        found = told(opened, project_id, data={SideKind.GOLD: side})["gold"]
    finally:
        opened.close()
    # Of two of three classes the third is said: it is shorter.
    assert found.tolist() == [2, 1, -1, not_(1), not_(0)]


def test_weights_and_sampling_of_gold(server: Any, harness: Any) -> None:
    """They come back with the model; a fit whose gold has no weight ends with an error."""
    parent = server.create_project(CLASSES)
    server.upload(parent, np.repeat(np.arange(3, dtype=np.int8)[:, None], 3, axis=1))
    name = server.upload_side(parent, GOLD, gold(harness, [0, -1, 2]))[-1].name
    good = server.upload_side(parent, WEIGHT, (3, weights(harness, [0.5, 0, 3])))[-1].name
    side = models_pb2.SideInformation(
        gold=name, gold_weight=good, gold_sampling=models_pb2.GOLD_SAMPLING_BY_CLASS, gold_error=0.25
    )
    model = server.fit(parent, side=side).model
    assert server.models.GetModel(models_pb2.GetModelRequest(name=model)).model.side == side
    short = server.upload_side(parent, WEIGHT, (1, weights(harness, [0.5])))[-1].name
    error = server.fit(parent, side=models_pb2.SideInformation(gold=name, gold_weight=short)).error
    assert "gold_weight: there is none above 0 for item 2, which has gold" in error.message


def test_gold_is_put_in_the_order_of_the_items_with_its_weights(database: Database, harness: Any) -> None:
    project_id = project_with_votes(database, [*"pqrst"])
    data = {
        SideKind.GOLD: [(["s", "q", "t"], 3, gold(harness, [1, 2, -1])[1])],
        SideKind.GOLD_WEIGHT: [(["q", "t", "s"], 3, weights(harness, [0.5, 0, 4]))],
    }
    ids = {kind: stored(database, project_id, kind, chunks) for kind, chunks in data.items()}
    found = told(database, project_id, data=ids, gold_sampling="random")
    assert found["gold"].tolist() == [-1, 2, -1, 1, -1]
    assert found["gold_weight"][[1, 3]].tolist() == [0.5, 4]
    assert found["gold_sampling"] == "random"
    assert told(database, project_id, data={SideKind.GOLD: ids[SideKind.GOLD]})["gold_sampling"] == "auto"


def test_rows_with_names_find_their_items(database: Database, harness: Any) -> None:
    project_id = project_with_votes(database, [*"pqrst"])
    order = [*"trqps"]
    data: dict[SideKind, list[tuple[list[str] | None, int, Rows]]] = {
        SideKind.GOLD: [(["s", "q"], 2, gold(harness, [1, 2])[1])],
        SideKind.FEATURES: [
            (order[:2], 2, Rows(features=harness.tensor([[4], [2]], "<f4"))),
            (order[2:], 3, Rows(features=harness.tensor([[1], [0], [3]], "<f4"))),
        ],
        SideKind.BAGS: [(None, 1, bags(harness, SAME, [3], None, item_ids=["t", "p", "r"]))],
    }
    ids = {kind: stored(database, project_id, kind, chunks) for kind, chunks in data.items()}
    found = told(database, project_id, data=ids)
    assert found["gold"].tolist() == [-1, 2, -1, 1, -1]
    assert found["features"].tolist() == [[0], [1], [2], [3], [4]]
    assert found["bags"][0].item.tolist() == [4, 0, 2]


def test_side_data_of_before_the_first_votes(database: Database, harness: Any) -> None:
    project_id = uuid.uuid4().hex
    with database.write() as tx:
        projects.create(tx, project_id, CLASSES)
    named = {SideKind.GOLD: stored(database, project_id, SideKind.GOLD, [(["q"], 1, gold(harness, [2])[1])])}
    numbered = {SideKind.GOLD: stored(database, project_id, SideKind.GOLD, [(None, 1, gold(harness, [2])[1])])}
    add_votes(database, project_id, [*"pq"], 2)
    assert told(database, project_id, data=named)["gold"].tolist() == [-1, 2]
    with pytest.raises(ServiceError, match="gold: this project names its items"):
        told(database, project_id, data=numbered)


@pytest.mark.parametrize(
    ("kind", "make", "message"),
    [
        (SideKind.GOLD, lambda h: ([*"pqx"], gold(h, [0, 1, 2])), 'gold: item "x" is not in version 1 of the votes'),
        (SideKind.GROUPS, lambda h: ([*"pqrs"], (4, groups(h, ["g"], [0] * 4))), "groups: there are none for item 4"),
        (
            SideKind.BAGS,
            lambda h: (None, (1, bags(h, SAME, [2], None, item_ids=["p", "y"]))),
            'bags: item "y" is not in version 1',
        ),
        (SideKind.BAGS, lambda h: (None, (1, bags(h, SAME, [2], [0, 5]))), "bags: item 5 is not among the 5 items"),
    ],
)
def test_side_data_of_other_items_is_refused(
    database: Database, harness: Any, kind: SideKind, make: Callable[[Any], Any], message: str
) -> None:
    project_id = project_with_votes(database, [*"pqrst"])
    item_ids, (rows, content) = make(harness)
    ids = {kind: stored(database, project_id, kind, [(item_ids, rows, content)])}
    with pytest.raises(ServiceError, match=message) as caught:
        told(database, project_id, data=ids)
    assert caught.value.reason == "SIDE_DATA_UNSUITABLE"
    assert caught.value.violations[0].field == f"side.{kind}"
