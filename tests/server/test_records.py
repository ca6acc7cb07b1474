"""Records on the wire and in the store: uploads that survive, what is refused and where, and the calls of a space."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import NumericModel, PreferenceModel
from weaklabel_protocol.rankings import comparisons_from_rankings
from weaklabel_protocol.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    label_spaces_pb2,
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    records_pb2,
    records_pb2_grpc,
    side_data_pb2,
    tables_pb2,
    tensor_pb2,
)
from weaklabel_server.admin import checks
from weaklabel_server.errors import ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import projects, record_sets, trash
from weaklabel_server.store.access import quotas
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.record_sets import RecordChunk, RecordRole

VOTES, GOLD = records_pb2.RECORD_ROLE_VOTES, records_pb2.RECORD_ROLE_GOLD
Space = label_spaces_pb2.LabelSpace
NUMBERS = Space(numbers=label_spaces_pb2.NumberSpace())
TAGS = Space(tags=label_spaces_pb2.TagSpace(names=["red", "round"]))
PREFERENCES = Space(preferences=label_spaces_pb2.PreferenceSpace(ties=False))
SEQUENCE = Space(sequence=label_spaces_pb2.SequenceSpace(types=["PER"]))
ORDINAL = Space(ordinal=label_spaces_pb2.OrdinalSpace())


def doubles(values: Any) -> tensor_pb2.Tensor:
    data = np.array(values, "<f8")
    return tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_FLOAT64, rows=len(data), columns=1, data=data.tobytes())


def whole(values: Any) -> tensor_pb2.Tensor:
    data = np.array(values, "<i4")
    return tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_INT32, rows=len(data), columns=1, data=data.tobytes())


def table(**columns: Any) -> tables_pb2.ColumnTable:
    """Columns as the contract describes them, without the product's codec: lists of texts, arrays of numbers."""
    made = tables_pb2.ColumnTable()
    for name, values in columns.items():
        column = made.columns.add(name=name)
        if isinstance(values, np.ndarray):
            column.numbers.CopyFrom(doubles(values) if values.dtype.kind == "f" else whole(values))
        else:
            names = [one for one in dict.fromkeys(values) if one is not None]
            column.texts.names.extend(names)
            column.texts.indices.CopyFrom(whole([-1 if one is None else names.index(one) for one in values]))
        made.rows = len(values)
    return made


def number_table(values: Sequence[float], first: int = 0) -> tables_pb2.ColumnTable:
    at = range(first, first + len(values))
    return table(item=[f"i{n // 3}" for n in at], source=[f"s{n % 3}" for n in at], value=np.array(values, float))


def messages(
    parent: str, *tables: tables_pb2.ColumnTable, role: int = VOTES, digest: bytes = b"", finish: bool = True
) -> Iterator[records_pb2.UploadRecordsRequest]:
    opening = records_pb2.UploadRecordsOpen(parent=parent, record_set_id=str(uuid.uuid4()), content_digest=digest)
    opening.role = role  # type: ignore[assignment]
    yield records_pb2.UploadRecordsRequest(open=opening)
    row = 0
    for one in tables:
        yield records_pb2.UploadRecordsRequest(chunk=records_pb2.UploadRecordsChunk(row_offset=row, table=one))
        row += one.rows
    if finish:
        yield records_pb2.UploadRecordsRequest(finish=records_pb2.UploadRecordsFinish(total_rows=row))


def stub(server: Any) -> Any:
    return records_pb2_grpc.RecordServiceStub(server.channel)


def upload(server: Any, parent: str, *tables: tables_pb2.ColumnTable, **options: Any) -> list[Any]:
    return list(stub(server).UploadRecords(messages(parent, *tables, **options), timeout=60))


def create(server: Any, space: Space | None, classes: Sequence[str] = ()) -> str:
    request = projects_pb2.CreateProjectRequest(
        project_id=f"p{uuid.uuid4().hex[:12]}", classes=classes, label_space=space
    )
    name: str = server.projects.CreateProject(request, timeout=60).project.name
    return name


def fit(server: Any, parent: str, *votes: str, **fields: Any) -> Any:
    records = models_pb2.RecordFit(votes=votes, **fields)
    return server.fit(parent, records=records)


def values_of(server: Any, name: str, **fields: Any) -> list[float]:
    answers = list(stub(server).ReadRecords(records_pb2.ReadRecordsRequest(name=name, **fields), timeout=60))
    found: list[float] = []
    for answer in answers:
        (column,) = [one for one in answer.table.columns if one.name == "value"]
        found += np.frombuffer(column.numbers.data, "<f8").tolist()
    return found


def read_labels(server: Any, model: str, **fields: Any) -> dict[str, Any]:
    request = records_pb2.ReadLabelTableRequest(model=model, **fields)
    columns: dict[str, list[Any]] = {}
    for answer in stub(server).ReadLabelTable(request, timeout=60):
        for column in answer.table.columns:
            if column.HasField("texts"):
                codes = np.frombuffer(
                    column.texts.indices.data, f"<i{len(column.texts.indices.data) // answer.table.rows}"
                )
                columns.setdefault(column.name, []).extend(column.texts.names[code] for code in codes)
            elif column.numbers.data_type == tensor_pb2.DATA_TYPE_FLOAT64:
                columns.setdefault(column.name, []).extend(np.frombuffer(column.numbers.data, "<f8"))
    return columns


# ---------------------------------------------------------------------- uploads


def test_upload_get_list_read_and_delete(server: Any, harness: Any) -> None:
    parent = create(server, NUMBERS)
    names = []
    for values in ([1.0, 2.0, 3.0], [4.0]):
        answers = upload(server, parent, number_table(values), number_table([9.0], len(values)))
        assert [one.committed_rows for one in answers] == [0, len(values), len(values) + 1, len(values) + 1]
        assert [one.finished for one in answers] == [False] * 3 + [True]
        names.append(answers[-1].name)
    get = records_pb2.GetRecordSetRequest
    found = stub(server).GetRecordSet(get(name=names[0])).record_set
    assert (found.role, found.row_count, list(found.columns)) == (VOTES, 4, ["item", "source", "value"])
    assert found.name.startswith(f"{parent}/recordSets/")
    assert values_of(server, names[0]) == [1, 2, 3, 9]
    assert values_of(server, names[0], row_offset=2) == [3, 9]
    assert values_of(server, names[0], row_offset=1, row_limit=2) == [2, 3]

    ask = records_pb2.ListRecordSetsRequest
    first = stub(server).ListRecordSets(ask(parent=parent, page_size=1))
    second = stub(server).ListRecordSets(ask(parent=parent, page_token=first.next_page_token))
    assert [one.name for page in (first, second) for one in page.record_sets] == names[::-1]

    delete = records_pb2.DeleteRecordSetRequest(name=names[0], request_id=str(uuid.uuid4()))
    stub(server).DeleteRecordSet(delete)
    stub(server).DeleteRecordSet(delete)  # repeated
    failure = harness.failure_of(lambda: stub(server).GetRecordSet(get(name=names[0])))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.NOT_FOUND, "RECORD_SET_NOT_FOUND")


def test_the_same_content_is_kept_once(server: Any) -> None:
    parent = create(server, NUMBERS)
    first = upload(server, parent, number_table([1.0]), digest=b"one")
    again = upload(server, parent, number_table([1.0]), digest=b"one")
    assert [one.finished for one in again] == [True] * 3
    assert {one.name for one in again} == {first[0].name}
    gold = table(item=["i0"], value=np.array([1.0]))
    assert upload(server, parent, gold, digest=b"one", role=GOLD)[0].name != first[0].name


@pytest.mark.slow  # two starts of a server
def test_what_was_acknowledged_outlives_kill_9(start: Callable[..., Any], harness: Any) -> None:
    server = start()
    parent = create(server, NUMBERS)
    generator = np.random.default_rng(0)
    parts = [number_table(generator.normal(10, 5, 30).tolist(), first) for first in (0, 30, 60)]
    sent = list(messages(parent, *parts, digest=b"content"))
    queue = SimpleQueue[Any]()
    responses = stub(server).UploadRecords(iter(queue.get, None))
    for message in sent[:3]:  # the opening and two chunks
        queue.put(message)
        answer = next(responses)
    assert (answer.committed_rows, answer.finished) == (60, False)
    server.kill()
    queue.put(None)

    server = start()
    opened = list(stub(server).UploadRecords(iter(sent[:1]), timeout=60))
    assert (opened[0].committed_rows, opened[0].finished) == (60, False)
    answers = list(stub(server).UploadRecords(iter([sent[0], *sent[3:]]), timeout=60))
    assert [one.committed_rows for one in answers] == [60, 90, 90]
    name = answers[-1].name
    expected = np.concatenate([np.frombuffer(one.columns[2].numbers.data, "<f8") for one in parts])
    assert values_of(server, name) == expected.tolist()

    request = models_pb2.FitModelRequest(parent=parent, records=models_pb2.RecordFit(votes=[name]))
    operation = server.models.FitModel(request, timeout=60).operation.name
    get = operations_pb2.GetOperationRequest(name=operation)
    stages = (operations_pb2.FIT_STAGE_READING, operations_pb2.FIT_STAGE_FITTING)
    harness.until(lambda: server.operations.GetOperation(get).operation.progress.stage in stages)
    server.kill()  # in the midst of the fit

    server = start()
    ended = server.wait(operation)
    assert ended.model, ended
    own = NumericModel().fit([f"i{n // 3}" for n in range(90)], [f"s{n % 3}" for n in range(90)], expected)
    labels = read_labels(server, ended.model)
    items = [f"i{n // 3}" for n in range(90)], [f"s{n % 3}" for n in range(90)], expected
    assert labels["value"] == own.predict(*items).tolist()
    assert labels["item"] == sorted({f"i{n}" for n in range(30)})

    assert server.terminate() == 0
    assert _faults(server) == []
    with closing(sqlite3.connect(server.process.data_dir / "weaklabel.db")) as connection, connection:
        connection.execute("UPDATE label_chunks SET content = x'00'")
        connection.execute("DELETE FROM record_chunks WHERE row_offset = 30")
    told = "; ".join(_faults(server))
    assert "label_chunks: model_key 1, row 0: " in told
    assert "record_uploads: 1 has chunks of 60 rows, and not 90" in told


def _faults(server: Any) -> list[str]:
    """What `weaklabel admin check` finds."""
    database = Database(sqlite_url(server.process.data_dir))
    try:
        with database.read() as tx:
            return checks.check(tx)
    finally:
        database.close()


# --------------------------------------------------------------------- refusals

SPANS = {"document": ["d", "d"], "tokens": np.array([4, 4]), "source": ["s", "s"]}
BAD = [
    (NUMBERS, table(item=["a"], source=["s"], value=np.array([np.inf])), "numbers.data", 'row 3, column "value"'),
    (
        NUMBERS,
        table(item=[None], source=["s"], value=np.array([1.0])),
        "indices.data",
        'row 3, column "item": there is',
    ),
    (NUMBERS, table(item=["a"], source=["s"]), "columns", 'no column "value"'),
    (NUMBERS, table(item=["a"], source=["s"], value=np.array([1])), "data_type", "DATA_TYPE_FLOAT64"),
    (NUMBERS, table(item=["a"], source=["s"], value=["one"]), "numbers", 'column "value" holds numbers'),
    (NUMBERS, table(item=["a"], source=["s"], value=np.array([1.0]), color=["x"]), "columns[3].name", "none of item"),
    (NUMBERS, table(item=["a" * 256], source=["s"], value=np.array([1.0])), "names[0]", "1 to 255 characters"),
    (NUMBERS, tables_pb2.ColumnTable(), "rows", "1 to 65536"),
    (TAGS, table(item=["a"], source=["s"], tag=["blue"]), "names[0]", '"blue" is none of red, round'),
    (TAGS, table(item=["a"], source=["s"], tag=["red"], yes=np.array([2])), "numbers.data", "0 to 1"),
    (PREFERENCES, table(left=["a"], right=["b"], judge=["j"], winner=["tie"]), "names[0]", '"tie" is none of'),
    (PREFERENCES, table(left=["a"], right=["a"], judge=["j"], winner=["left"]), "table", "row 3: an item is compared"),
    (
        PREFERENCES,
        table(left=["a"], right=["b"], judge=["j"], winner=["left"], weight=np.array([-1.0])),
        "numbers.data",
        "at least 0",
    ),
    (
        PREFERENCES,
        table(left=["a"], right=["b"], judge=["j"], winner=["left"], ranking=np.array([1])),
        "texts",
        'column "ranking" holds texts',
    ),
    (
        PREFERENCES,
        table(left=["a"], right=["b"], judge=["j"], winner=["left"], ranking=["r" * 256]),
        "names[0]",
        "1 to 255 characters",
    ),
    (SEQUENCE, table(**SPANS, start=np.array([0, 3]), end=np.array([2, 5]), type=["PER"] * 2), "table", "row 4: start"),
    (SEQUENCE, table(**SPANS, start=np.array([0, 2]), end=np.array([2, 3]), tag=["O", "B"]), "names[1]", "none of O"),
    (SEQUENCE, table(**SPANS, start=np.array([0, 2]), end=np.array([2, 3])), "columns", 'one of "type" and "tag"'),
    (
        SEQUENCE,
        table(**SPANS, start=np.array([0, 1]), end=np.array([2, 1]), type=["PER", None]),
        "table",
        "row 4: start",
    ),
]


@pytest.mark.parametrize(("space", "wrong", "field", "told"), BAD)
def test_wrong_records_are_refused_with_their_place(
    server: Any, harness: Any, space: Space, wrong: tables_pb2.ColumnTable, field: str, told: str
) -> None:
    parent = create(server, space)
    # As if three rows were before.
    request = records_pb2.UploadRecordsRequest(chunk=records_pb2.UploadRecordsChunk(row_offset=3, table=wrong))
    opening = next(messages(parent))
    failure = harness.failure_of(lambda: list(stub(server).UploadRecords(iter([opening, request]), timeout=60)))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"), failure.message
    (found,) = failure.violations.items()
    assert found[0].startswith("chunk.table")
    assert found[0].endswith(field), found
    assert told in found[1], found


def test_indices_and_shapes_are_checked(server: Any, harness: Any) -> None:
    parent = create(server, NUMBERS)
    for change, told in (
        (lambda made: made.columns[0].texts.indices.CopyFrom(whole([7])), "index 7 of 1 names"),
        (lambda made: made.columns[0].texts.indices.CopyFrom(whole([0, 0])), "1 rows of 1 column, got 2"),
        (lambda made: made.columns[0].texts.names.append("a"), "stands at index 0 already"),
        (lambda made: setattr(made.columns[2].numbers, "data", b"1"), "data has 1 bytes"),
        (lambda made: made.columns.append(made.columns[0]), "stands there twice"),
    ):
        made = table(item=["a"], source=["s"], value=np.array([1.0]))
        change(made)
        failure = harness.failure_of(lambda made=made: upload(server, parent, made))
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert told in failure.message
    other = harness.failure_of(
        lambda: upload(
            server,
            create(server, TAGS),
            table(item=["a"], source=["s"], tag=["red"]),
            table(item=["b"], source=["s"], tag=["red"], yes=np.array([1])),
        )
    )
    assert "item, source, tag, as in the chunks before; got item, source, tag, yes" in other.message


def test_spaces_are_checked(server: Any, harness: Any) -> None:
    edges = [label_spaces_pb2.TreeEdge(node=one, parent="top") for one in ("a", "b")]
    for space, classes, told in (
        (NUMBERS, ["a", "b"], "a project of this label space has none, got 2"),
        (ORDINAL, [], "2 to 10000 classes, got 0"),
        (Space(), ["a", "b"], "one of its fields must be set"),
        (Space(tags=label_spaces_pb2.TagSpace()), [], "at least one of the tags"),
        (Space(tags=label_spaces_pb2.TagSpace(names=["x", "x"])), [], '"x" stands at index 0 already'),
        (Space(sequence=label_spaces_pb2.SequenceSpace(types=[" "])), [], "not all blank"),
        (Space(tree=label_spaces_pb2.TreeSpace(edges=edges)), ["a", "c"], "leaf 1 is 'c'"),
        (Space(tree=label_spaces_pb2.TreeSpace(edges=[*edges, edges[0]])), ["a", "b"], 'node "a" stands in an edge'),
        (
            Space(tree=label_spaces_pb2.TreeSpace(edges=[*edges, label_spaces_pb2.TreeEdge(node="top", parent="top")])),
            ["a", "b"],
            "'top' is its own parent",
        ),
    ):
        failure = harness.failure_of(lambda space=space, classes=classes: create(server, space, classes))
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert told in failure.message


def test_calls_of_another_label_space_are_refused(server: Any, harness: Any) -> None:
    of_classes, of_numbers = server.create_project(), create(server, NUMBERS)
    name = upload(server, of_numbers, number_table(np.arange(30.0).tolist()))[-1].name
    model = fit(server, of_numbers, name).model
    gold = side_data_pb2.SideRows(gold=harness.tensor([[0]]))
    analysis = analysis_pb2_grpc.AnalysisServiceStub(server.channel)
    codes = np.zeros((1, 1), np.int8)
    for call in (
        lambda: server.upload(of_numbers, codes),
        lambda: server.upload_side(of_numbers, side_data_pb2.SIDE_DATA_KIND_GOLD, (1, gold)),
        lambda: server.read_votes(of_numbers),
        lambda: server.read_soft_labels(model),
        lambda: server.labels.Predict(labels_pb2.PredictRequest(model=model, votes=harness.tensor(codes))),
        lambda: server.labels.Explain(labels_pb2.ExplainRequest(model=model, votes=harness.tensor(codes))),
        lambda: analysis.GetDiagnostics(analysis_pb2.GetDiagnosticsRequest(model=model)),
        lambda: list(analysis.ReadSourceSummary(analysis_pb2.ReadSourceSummaryRequest(parent=of_numbers))),
        lambda: upload(server, of_classes, number_table([1.0])),
    ):
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LABEL_SPACE_MISMATCH")
        assert "RecordService" in failure.message or "VoteService" in failure.message
    server.upload(of_classes, np.zeros((3, 2), np.int8))
    plain = server.fit(of_classes).model
    failure = harness.failure_of(lambda: read_labels(server, plain))
    assert (failure.info.reason, "LabelService" in failure.message) == ("LABEL_SPACE_MISMATCH", True)
    failure = harness.failure_of(lambda: read_labels(server, model, table="nodes"))
    assert (failure.info.reason, "it has labels" in failure.message) == ("LABEL_TABLE_NOT_FOUND", True)


def test_fits_are_checked(server: Any, harness: Any) -> None:
    parent = create(server, NUMBERS)
    votes = upload(server, parent, number_table(np.arange(30.0).tolist()))[-1].name
    gold = upload(server, parent, table(item=["nowhere"], value=np.array([1.0])), role=GOLD)[-1].name
    options = models_pb2.KindOptions
    for fields, reason, told in (
        ({}, "NO_VOTES", "no record sets are named"),
        ({"votes": [gold]}, "INVALID_FIELD", "records of votes, got those of gold"),
        ({"votes": [votes, votes]}, "INVALID_FIELD", "named twice"),
        ({"votes": [f"{parent}/recordSets/none"]}, "RECORD_SET_NOT_FOUND", 'no record set "none"'),
        ({"votes": [votes], "options": options(unlisted="no")}, "INVALID_FIELD", "are common_error, coverage"),
        ({"votes": [votes], "options": options(coverage=1.5)}, "INVALID_FIELD", "above 0 and below 1"),
    ):
        request = models_pb2.FitModelRequest(parent=parent, records=models_pb2.RecordFit(**fields))
        failure = harness.failure_of(lambda request=request: server.models.FitModel(request))
        assert failure.info.reason == reason, failure.message
        assert told in failure.message
    ended = fit(server, parent, votes, gold=gold)
    assert "gold is given for item 'nowhere', which has no votes" in ended.error.message
    assert ended.error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]


def test_only_votes_have_rankings(server: Any, harness: Any) -> None:
    parent, pair = create(server, PREFERENCES), {"left": ["a"], "right": ["b"]}
    gold = table(**pair, winner=["left"], ranking=["r"])
    votes = upload(server, parent, table(**pair, judge=["j"], winner=["left"]))[-1].name
    model = fit(server, parent, votes).model
    new = records_pb2.PredictRecordsRequest(model=model, records=table(**pair, ranking=["r"]))
    for call, columns in (
        (lambda: upload(server, parent, gold, role=GOLD), "left, right, winner"),
        (lambda: stub(server).PredictRecords(new, timeout=60), "left, right"),
    ):
        failure = harness.failure_of(call)
        assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert f'"ranking" is none of {columns}' in failure.message


@pytest.mark.filterwarnings("ignore:Judges")
def test_a_ranking_may_be_cut_by_chunks(server: Any) -> None:
    parent = create(server, PREFERENCES)
    pairs = [("a", "b"), ("a", "c"), ("b", "c")] * 4
    rows = [(*pair, "j", "left", str(at // 3)) for at, pair in enumerate(pairs)]
    names = ("left", "right", "judge", "winner", "ranking")
    cut = [table(**dict(zip(names, map(list, zip(*part, strict=True)), strict=True))) for part in (rows[:4], rows[4:])]
    model = fit(server, parent, upload(server, parent, *cut)[-1].name).model
    own = PreferenceModel(ties=False).fit([dict(zip(names, row, strict=True)) for row in rows])
    assert read_labels(server, model)["score"] == own.scores_.tolist()


def test_long_rankings_count_as_memory(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_FIT_MEMORY_BYTES", str(660 << 20))
    server = start()
    parent = create(server, PREFERENCES)
    items = [f"m{at}" for at in range(40)]
    orders = [items, *([items[at % 30], items[at % 30 + 5], items[at % 30 + 9]] for at in range(3000))]
    for some, refused in ((orders[1:], False), (orders, True)):  # all as long as the longest: 3001 x 40 places
        columns = comparisons_from_rankings(some)
        weight, rest = np.array(columns.pop("weight")), {name: list(map(str, one)) for name, one in columns.items()}
        ended = fit(server, parent, upload(server, parent, table(**rest, weight=weight))[-1].name)
        assert bool(ended.model) is not refused, ended
    assert ended.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert "the table of the rankings, each as long as the longest, takes about 24008000 bytes" in ended.error.message


def test_predictions_are_bounded(server: Any, harness: Any) -> None:
    parent = create(server, SEQUENCE)
    spans = table(**SPANS, start=np.array([0, 2]), end=np.array([2, 3]), type=["PER"] * 2)
    model = fit(server, parent, upload(server, parent, spans)[-1].name).model
    huge = SPANS | {"tokens": np.array([2**31 - 1] * 2)}
    records = table(**huge, start=np.array([0, 2]), end=np.array([2, 3]), type=["PER"] * 2)
    failure = harness.failure_of(
        lambda: stub(server).PredictRecords(records_pb2.PredictRecordsRequest(model=model, records=records))
    )
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LABELS_TOO_LARGE")
    request = records_pb2.PredictRecordsStreamRequest
    failure = harness.failure_of(
        lambda: list(stub(server).PredictRecordsStream(iter([request(model=model, records=records)])))
    )
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LABELS_TOO_LARGE")
    ended = fit(server, parent, upload(server, parent, records)[-1].name)
    assert "LABELS_TOO_LARGE" in str(ended.error.details)


def test_a_stream_of_predictions_has_one_model(server: Any, harness: Any) -> None:
    parent = create(server, NUMBERS)
    model = fit(server, parent, upload(server, parent, number_table(np.arange(30.0).tolist()))[-1].name).model
    request = records_pb2.PredictRecordsStreamRequest
    first = request(model=model, records=number_table([3.0, 4.0, 5.0]))
    same = [first, request(records=first.records), first]
    answers = list(stub(server).PredictRecordsStream(iter(same), timeout=60))
    assert [(one.model, one.ends_answer, len(one.tables)) for one in answers] == [
        (model, True, 1),
        ("", True, 1),
        ("", True, 1),
    ]
    assert answers[0].tables == answers[1].tables == answers[2].tables
    other = request(model=f"{parent}/models/other", records=first.records)
    failure = harness.failure_of(lambda: list(stub(server).PredictRecordsStream(iter([first, other]))))
    assert (failure.code, list(failure.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, ["model"])
    assert list(stub(server).PredictRecordsStream(iter([]))) == []
    missing = request(model=f"{parent}/models/none", records=first.records)
    failure = harness.failure_of(lambda: list(stub(server).PredictRecordsStream(iter([missing]))))
    assert failure.info.reason == "MODEL_NOT_FOUND"


# -------------------------------------------------------------------- the store


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> Any:
    opened = Database(database_urls(request.param))
    yield opened
    opened.close()


async def test_records_in_the_store(database: Database) -> None:
    from weaklabel_protocol.label_spaces import Numbers, Tree

    tree = Tree({"b": "a", "c": "a", "d": None})
    with database.write() as tx:
        projects.create(tx, "of-tree", ["b", "c", "d"], tree)
        project = projects.create(tx, "of-numbers", [], Numbers())
        _, opened = record_sets.open_upload(tx, "of-numbers", str(uuid.uuid4()), RecordRole.VOTES, b"")
    with database.read() as tx:
        assert projects.get(tx, "of-tree").label_space == tree
        assert projects.get(tx, "of-numbers").label_space == Numbers()
    chunks = [RecordChunk(start, 5, ("item",), bytes([start]) * 100) for start in (0, 5, 10)]
    for chunk in chunks:
        with database.write() as tx:
            record_sets.append(tx, opened, chunk, max_bytes=1000)
            record_sets.append(tx, opened, chunk, max_bytes=1000)  # once more: nothing is added
    with pytest.raises(ServiceError, match="1000 bytes"), database.write() as tx:
        record_sets.append(tx, opened, RecordChunk(15, 1, ("item",), b"x" * 701), max_bytes=1000)
    with pytest.raises(ServiceError, match="has not got all of"), database.read() as tx:
        record_sets.get(tx, project, opened.upload_id)
    with database.write() as tx:
        record_sets.finish(tx, opened, 15)
    with database.read() as tx:
        found = record_sets.get(tx, project, opened.upload_id)
        assert list(record_sets.chunks(tx, found)) == chunks
        assert record_sets.chunk_of(tx, found, 7) == chunks[1]
        assert [one.upload_id for one in record_sets.list_page(tx, project, Page("", 10, None))] == [found.upload_id]
        stored = quotas.stored_bytes(tx, project.key)
    assert 0 < stored < 300
    with database.write() as tx:
        _, left = record_sets.open_upload(tx, "of-numbers", str(uuid.uuid4()), RecordRole.GOLD, b"")
        assert record_sets.remove_abandoned(tx, 2**62) == 1
        record_sets.remove(tx, project, found.upload_id)
        assert quotas.stored_bytes(tx, project.key) == 0
    await trash.empty(database)
    with database.read() as tx:
        assert not list(record_sets.chunks(tx, found))
        assert not list(record_sets.chunks(tx, left))
