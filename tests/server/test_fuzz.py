"""Random and mutated messages to every method: whatever comes, the caller gets a precise error, and the server goes on.

WEAKLABEL_FUZZ_MESSAGES sets how many messages are sent, WEAKLABEL_FUZZ_SEED which. What fails can be sent again: the
assertion shows the method and the bytes.
"""

import base64
import json
import math
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from weaklabel_protocol.v1 import (
    analysis_pb2,
    estimates_pb2,
    inspection_pb2,
    label_errors_pb2,
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    prompts_pb2,
    records_pb2,
    records_pb2_grpc,
    releases_pb2,
    side_data_pb2,
    sources_pb2,
    symbols_pb2,
    tables_pb2,
    tensor_pb2,
    votes_pb2,
)

MESSAGES = int(os.environ.get("WEAKLABEL_FUZZ_MESSAGES", "340"))
SEED = int(os.environ.get("WEAKLABEL_FUZZ_SEED", "0"))
SECONDS = 5.0
LASTING = {"WaitOperation": 0.2, "WatchOperation": 0.2, "Watch": 0.1}
"""Seconds for calls that may well last."""
NEVER = {"INTERNAL", "UNKNOWN"}

FILES = (
    projects_pb2,
    sources_pb2,
    votes_pb2,
    side_data_pb2,
    records_pb2,
    models_pb2,
    prompts_pb2,
    operations_pb2,
    labels_pb2,
    analysis_pb2,
    releases_pb2,
    health_pb2,
    reflection_pb2,
)
METHODS: list[MethodDescriptor] = [
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]
PROMPTS = """
[endpoints.default]
base_url = "http://127.0.0.1:9/v1"
timeout = 1
parameters = ["seed", "a"]
[budget]
tokens = 1000
"""

_INTEGERS = (0, 1, 2, 3, 5, 7, 255, 65_536, 65_537, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**64 - 1)
_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e30, 1e308, -1e308, math.inf, -math.inf, math.nan)
_TEXTS = (
    "",
    "a",
    "\0",
    "a\0b",
    "x" * 255,
    "y" * 300,
    "é" * 200,
    "\U0001f600" * 70,
    "line\nINFO forged code=OK",
    "%00",
    "%ff",
    "../..",
    "{text}",
    "{text!r:>{width}}",
    "'; DROP TABLE projects; --",
    "\u2028\u202e",
    "z" * 20_000,
)


_SPACES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"numbers": {}}, {"item": ["a", "a", "b"], "source": ["s", "t", "s"], "value": [1.0, 2.0, 5.0]}),
    (
        {"tags": {"names": ["x", "y"]}},
        {"item": ["a", "b", "b"], "source": ["s", "t", "s"], "tag": ["x", "y", "x"], "yes": [1, 0, 1]},
    ),
    (
        {"preferences": {"ties": True}},
        {"left": ["a", "b", "a"], "right": ["b", "c", "c"], "judge": ["j"] * 3, "winner": ["left", "tie", "right"]},
    ),
    (
        {"preferences": {"ties": False}},
        {
            "left": ["a", "b", "a"],
            "right": ["b", "c", "c"],
            "judge": ["j"] * 3,
            "winner": ["left"] * 3,
            "ranking": ["r"] * 3,
        },
    ),
    (
        {"sequence": {"types": ["P"]}},
        {
            "document": ["d"] * 3,
            "tokens": [4] * 3,
            "source": ["s", "t", "s"],
            "start": [0, 1, 2],
            "end": [1, 3, 4],
            "type": ["P"] * 3,
        },
    ),
)
"""Label spaces, and records of each."""


class _Space:
    """A project of a label space, with records and a model."""

    def __init__(self, server: Any, harness: Any, space: tuple[dict[str, Any], dict[str, Any]]) -> None:
        label_space, columns = space
        request = projects_pb2.CreateProjectRequest(project_id=f"p{uuid.uuid4().hex}", label_space=label_space)
        self.parent: str = server.projects.CreateProject(request).project.name
        self.table = tables_pb2.ColumnTable(rows=3)
        for name, values in columns.items():
            column = self.table.columns.add(name=name)
            if isinstance(values[0], str):
                names = list(dict.fromkeys(values))
                column.texts.names.extend(names)
                column.texts.indices.CopyFrom(harness.tensor([[names.index(one)] for one in values]))
            elif isinstance(values[0], int):
                column.numbers.CopyFrom(harness.tensor([[one] for one in values]))
            else:
                column.numbers.CopyFrom(tensor_pb2.Tensor(rows=3, columns=1, data=np.array(values, "<f8").tobytes()))
                column.numbers.data_type = tensor_pb2.DATA_TYPE_FLOAT64
        stub = records_pb2_grpc.RecordServiceStub(server.channel)
        self.records: str = list(stub.UploadRecords(iter(self.upload())))[-1].name
        fitted = server.fit(self.parent, records=models_pb2.RecordFit(votes=[self.records]))
        self.model: str = fitted.model
        assert self.model, fitted

    def upload(self) -> list[Message]:
        """A valid upload."""
        opening = records_pb2.UploadRecordsOpen(
            parent=self.parent, record_set_id=str(uuid.uuid4()), role=records_pb2.RECORD_ROLE_VOTES
        )
        return [
            records_pb2.UploadRecordsRequest(open=opening),
            records_pb2.UploadRecordsRequest(chunk=records_pb2.UploadRecordsChunk(table=self.table)),
            records_pb2.UploadRecordsRequest(finish=records_pb2.UploadRecordsFinish(total_rows=3)),
        ]

    def fresh(self) -> records_pb2.PredictRecordsRequest:
        """A valid prediction."""
        made = records_pb2.PredictRecordsRequest(model=self.model, records=self.table)
        if "judge" in [column.name for column in self.table.columns]:
            del made.records.columns[2:]
        return made

    def stream(self) -> list[records_pb2.PredictRecordsStreamRequest]:
        """Valid messages of a stream of predictions."""
        fresh = self.fresh()
        first = records_pb2.PredictRecordsStreamRequest(model=fresh.model, records=fresh.records)
        return [first, records_pb2.PredictRecordsStreamRequest(records=fresh.records)]


class World:
    """What exists on the server: names for requests to be about."""

    def __init__(self, server: Any, harness: Any, codes: Any) -> None:
        self.parent = server.create_project()
        server.upload(self.parent, codes)
        self.operation = server.fit(self.parent)
        self.model = self.operation.model
        fields = side_data_pb2.Fields(items=[side_data_pb2.ItemFields(values={"text": "b"}) for _ in range(3)])
        rows = side_data_pb2.SideRows(fields=fields)
        self.items = server.upload_side(self.parent, side_data_pb2.SIDE_DATA_KIND_FIELDS, (3, rows))[-1].name
        gold = side_data_pb2.SideRows(gold=harness.tensor(np.zeros((4, 1))))
        self.gold = server.upload_side(self.parent, side_data_pb2.SIDE_DATA_KIND_GOLD, (4, gold))[-1].name
        self.wide = server.create_project(["a", "b", "c"])  # whose gold names sets of classes
        server.upload(self.wide, codes)
        book = symbols_pb2.Codebook(class_count=3, candidate_sets=harness.tensor([[3], [6]]))
        self.sets = side_data_pb2.SideRows(gold=harness.tensor([[0], [3], [4]]), gold_codebook=book)
        self.wide_gold = server.upload_side(self.wide, side_data_pb2.SIDE_DATA_KIND_GOLD, (3, self.sets))[-1].name
        self.spaces = [_Space(server, harness, space) for space in _SPACES]
        self.names = [
            *(name for one in self.spaces for name in (one.parent, one.records, one.model)),
            self.parent,
            self.model,
            f"{self.parent}/models/latest",
            self.operation.name,
            self.items,
            self.gold,
            self.wide,
            self.wide_gold,
            f"{self.parent}/sources/source%200",
            f"{self.parent}/sources/a%00b",
            f"{self.parent}/promptRuns/none",
            "projects/a\0b",
        ]
        self.texts = ["source 0", "source 1", "ham", "yes", "text", "default", self.parent.removeprefix("projects/")]

    def name_of(self, field: FieldDescriptor) -> str:
        """What a field of a request is most likely to name."""
        owner: Any = field.containing_type
        about = f"{owner.name} {field.name}".lower()
        if "record" in about or "table" in about:
            one = self.spaces[len(about) % len(self.spaces)]
            return one.parent if field.name == "parent" else one.model if field.name == "model" else one.records
        if field.name == "parent":
            return str(self.parent)
        for word, name in (
            ("operation", self.operation.name),
            ("source", f"{self.parent}/sources/source%200"),
            ("gold", self.gold),
            ("items", self.items),
            ("sidedata", self.gold),
            ("project", self.parent),
        ):
            if word in about:
                return str(name)
        return str(self.model)


class Fuzzer:
    """Makes messages, the same ones for the same seed."""

    def __init__(self, world: World, seed: int) -> None:
        self._random = random.Random(seed)
        self._world = world

    def requests(self, method: MethodDescriptor, seeds: Sequence[Message]) -> list[bytes]:
        """What is sent in one call: one message, or several where the method takes a stream."""
        pick = self._random
        kind = message_factory.GetMessageClass(method.input_type)
        if seeds and pick.random() < 0.6:
            made = [self._mutated(one) for one in seeds]
            return made[: pick.randint(1, len(made))] if pick.random() < 0.2 else made
        count = pick.randint(0, 4) if method.client_streaming else 1
        return [self._broken(self.message(kind.DESCRIPTOR).SerializeToString()) for _ in range(count)]

    def message(self, descriptor: Any, depth: int = 0) -> Any:
        """A random message."""
        made = message_factory.GetMessageClass(descriptor)()
        if isinstance(made, tensor_pb2.Tensor) and self._random.random() < 0.8:
            return self._tensor()
        if isinstance(made, Struct):
            self._fill_struct(made)
            return made
        for field in descriptor.fields:
            if self._random.random() < (0.7 if depth < 2 else 0.4) and depth < 6:
                self._set(made, field, depth)
        return made

    def _set(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            for _ in range(self._random.randint(0, 2)):
                if value.message_type is not None:
                    getattr(message, field.name)[self._scalar(key)].CopyFrom(
                        self.message(value.message_type, depth + 1)
                    )
                else:
                    getattr(message, field.name)[self._scalar(key)] = self._scalar(value)
        elif _is_repeated(field):
            values = [self._value(field, depth) for _ in range(self._random.choice((0, 1, 1, 2, 3, 150)))]
            message.ClearField(field.name)
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._value(field, depth))
        else:
            setattr(message, field.name, self._scalar(field))

    def _value(self, field: FieldDescriptor, depth: int) -> Any:
        return self.message(field.message_type, depth + 1) if field.message_type is not None else self._scalar(field)

    def _scalar(self, field: FieldDescriptor) -> Any:
        pick, kinds = self._random, FieldDescriptor
        if field.cpp_type == kinds.CPPTYPE_STRING:
            return pick.randbytes(pick.choice((0, 1, 8, 65))) if field.type == kinds.TYPE_BYTES else self._text(field)
        if field.cpp_type == kinds.CPPTYPE_BOOL:
            return pick.random() < 0.5
        if field.cpp_type == kinds.CPPTYPE_ENUM:
            kind: Any = field.enum_type
            return pick.choice((*(value.number for value in kind.values), 99))
        if field.cpp_type in (kinds.CPPTYPE_DOUBLE, kinds.CPPTYPE_FLOAT):
            return pick.choice(_FLOATS)
        bits = 64 if field.cpp_type in (kinds.CPPTYPE_INT64, kinds.CPPTYPE_UINT64) else 32
        is_unsigned = field.cpp_type in (kinds.CPPTYPE_UINT32, kinds.CPPTYPE_UINT64)
        if is_unsigned:
            return pick.choice([one for one in _INTEGERS if one < 2**bits])
        value = pick.choice([one for one in _INTEGERS if one < 2 ** (bits - 1)])
        return value if pick.random() < 0.7 else -value

    def _text(self, field: FieldDescriptor) -> str:
        pick = self._random
        if field.name == "page_token" and pick.random() < 0.8:
            collections = ("models", "sources", "operations", "sideData", "recordSets", "promptRuns")
            listing = pick.choice([f"{self._world.parent}/{one}" for one in collections] + ["projects"])
            key: Any = pick.choice((0, 1, -1, 2**70, "\ud800", "a\0", "é", None, 1.5, True, [], "a"))
            return base64.urlsafe_b64encode(json.dumps([listing, key]).encode()).decode()
        if field.name in ("name", "parent", "model", "items", "gold") and pick.random() < 0.5:
            return self._world.name_of(field)
        if field.name.endswith("_id") and pick.random() < 0.6:
            return str(uuid.UUID(int=pick.getrandbits(128), version=4))
        if pick.random() < 0.6:
            return str(pick.choice(self._world.names if pick.random() < 0.7 else self._world.texts))
        return pick.choice(_TEXTS)

    def _tensor(self) -> tensor_pb2.Tensor:
        """A tensor whose data has the length that its shape needs, most of the time."""
        pick = self._random
        rows, columns = pick.choice((0, 1, 3, 4, 4, 40)), pick.choice((0, 1, 1, 2, 3, 5))
        kind, size = pick.choice(((1, 1), (2, 2), (3, 4), (4, 4), (5, 8)))
        if kind >= 4:
            data = np.array([pick.choice(_FLOATS) for _ in range(rows * columns)], "f8")
            with np.errstate(over="ignore"):
                content = data.astype(f"<f{size}").tobytes()
        else:
            values = [pick.choice((-3, -2, -1, 0, 0, 1, 1, 2, 100)) for _ in range(rows * columns)]
            content = np.array(values, f"<i{size}").tobytes()
        made = tensor_pb2.Tensor(rows=rows, columns=columns, data=content)
        made.data_type = kind  # type: ignore[assignment]  # an enum is a number
        return made

    def _fill_struct(self, made: Struct) -> None:
        pick = self._random
        for _ in range(pick.randint(0, 3)):
            value: Any = pick.choice((None, True, "a", *_FLOATS))
            made[pick.choice(("seed", "a", "", "b\0"))] = [value, {"a": value}] if pick.random() < 0.3 else value

    def _mutated(self, seed: Message) -> bytes:
        """A valid message with a field or a few set anew, somewhere in it."""
        made: Any = type(seed)()
        made.CopyFrom(seed)
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 3))):
            place = made
            while True:
                inner = _inner(place)
                if not inner or self._random.random() < 0.4:
                    break
                place = self._random.choice(inner)
            if isinstance(place, Struct):
                self._fill_struct(place)
            elif place.DESCRIPTOR.fields:
                self._set(place, self._random.choice(place.DESCRIPTOR.fields), 1)
        return self._broken(made.SerializeToString())

    def _broken(self, data: bytes) -> bytes:
        """The bytes; sometimes cut, or with some of them changed."""
        if not data or self._random.random() < 0.9:
            return data
        if self._random.random() < 0.3:
            return data[: self._random.randrange(len(data))]
        broken = bytearray(data)
        for _ in range(self._random.randint(1, 3)):
            broken[self._random.randrange(len(broken))] = self._random.randrange(256)
        return bytes(broken)


def _inner(message: Any) -> list[Any]:
    """The messages that stand in a message."""
    found = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        found += list(value) if _is_repeated(field) else [value]
    return found


def _is_repeated(field: Any) -> bool:
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED)  # of older versions of protobuf


def _seeds(world: World, harness: Any) -> dict[str, list[Message]]:
    """A valid call of methods that need more than names."""
    codes = np.array([[0, 1, 0, -1, 1], [1, 1, -1, 0, 0]], np.int8)
    prompt = prompts_pb2.Prompt(name="p", model="m", template="{text}?")
    for text, label in (("yes", 1), ("no", 0)):
        prompt.answers.add(text=text, label=label)
    prompt.parameters["seed"] = 1
    soft = prompts_pb2.Prompt(name="q", model="m", template="{text}?")
    soft.answers.add(text="yes").soft.probabilities.extend([0.2, 0.8])
    soft.answers.add(text="no", label=0)
    bags = side_data_pb2.Bags(
        sizes=harness.tensor([[2]], "<i4"),
        items=harness.tensor([[0], [1]], "<i4"),
        values=harness.tensor([[1, 1]], "<f4"),
    )
    bags.kind = side_data_pb2.BAG_KIND_CLASS_COUNTS
    with_bags = labels_pb2.PredictRequest(
        model=world.model, votes=harness.tensor(codes), side=side_data_pb2.SideRows(bags=bags)
    )
    return {
        "CreateProject": [projects_pb2.CreateProjectRequest(project_id="fuzz", classes=["a", "b"])],
        "UploadVotes": list(harness.upload_messages(world.parent, codes)),
        "UploadSideData": list(harness.side_messages(world.wide, side_data_pb2.SIDE_DATA_KIND_GOLD, (3, world.sets))),
        "ReadLabelTable": [records_pb2.ReadLabelTableRequest(model=world.spaces[-1].model, table="tokens")],
        "ReadVotes": [votes_pb2.ReadVotesRequest(parent=world.parent, row_limit=5)],
        "FitModel": [
            models_pb2.FitModelRequest(
                parent=world.wide,
                options=models_pb2.FitOptions(max_iterations=2),
                side=models_pb2.SideInformation(gold=world.wide_gold),
            )
        ],
        "PlanPrompts": [prompts_pb2.PlanPromptsRequest(parent=world.parent, items=world.items, prompts=[prompt, soft])],
        "RunPrompts": [prompts_pb2.RunPromptsRequest(parent=world.parent, items=world.items, prompts=[soft])],
        "Predict": [with_bags],
        "PredictStream": [labels_pb2.PredictStreamRequest(model=world.model, votes=harness.tensor(codes))] * 2,
        "NextToLabel": [labels_pb2.NextToLabelRequest(model=world.model, n=3, gold=world.gold)],
        "ReadSoftLabels": [labels_pb2.ReadSoftLabelsRequest(model=world.model)],
        "WaitOperation": [operations_pb2.WaitOperationRequest(name=world.operation.name)],
        **_reports(world),
    }


def _reports(world: World) -> dict[str, list[Message]]:
    """A valid call of reports that need more than names."""
    named = {"model": world.model, "gold": world.gold}
    labels = estimates_pb2.GivenLabels(source="source 0")
    by = inspection_pb2.Slicing(side_data=world.items, fields=["text"])
    estimate = estimates_pb2.Estimate(value=0.5, confidence=0.95, label_count=4, unexplained=1)
    return {
        "GetAccuracyEstimate": [estimates_pb2.GetAccuracyEstimateRequest(labels=labels, confidence=0.9, **named)],
        "GetDifferenceEstimate": [estimates_pb2.GetDifferenceEstimateRequest(others=labels, **named)],
        "ReadRateEstimates": [estimates_pb2.ReadRateEstimatesRequest(labels=labels, **named)],
        "GetLabelsNeeded": [estimates_pb2.GetLabelsNeededRequest(parent=world.parent, estimate=estimate, width=0.1)],
        "GetReliability": [inspection_pb2.GetReliabilityRequest(parent=world.parent, bootstrap_draws=9)],
        "ReadContestedItems": [inspection_pb2.ReadContestedItemsRequest(parent=world.parent, model=world.model)],
        "ReadMistakes": [inspection_pb2.ReadMistakesRequest(model=world.model, source="source 0", by=by)],
        "ReadScores": [inspection_pb2.ReadScoresRequest(metrics=["f1", "nll"], by=by, **named)],
        "ReadLeaveOneOut": [
            inspection_pb2.ReadLeaveOneOutRequest(model=world.model, sources=["source 1"], keep_fit=True)
        ],
        "ReadLabelErrors": [label_errors_pb2.ReadLabelErrorsRequest(parent=world.parent, labels=labels)],
    }


@pytest.fixture(scope="module")
def fuzzed(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with prompts, whose endpoint answers nothing."""
    settings = tmp_path_factory.mktemp("fuzzed-settings") / "prompts.toml"
    settings.write_text(PROMPTS)
    with serving(tmp_path_factory.mktemp("fuzzed"), {"WEAKLABEL_PROMPTS_FILE": str(settings)}) as server:
        yield server


def _call(server: Any, method: MethodDescriptor, requests: list[bytes]) -> Callable[[], str]:
    path = f"/{method.containing_service.full_name}/{method.name}"

    def call() -> str:
        """The name of the status."""
        stream = server.channel.stream_stream(path)(iter(requests), timeout=LASTING.get(method.name, SECONDS))
        try:
            for _, _ in zip(range(50), stream, strict=False):
                pass
        except grpc.RpcError as error:
            failed: Any = error
            return str(failed.code().name)
        finally:
            stream.cancel()
        return "OK"

    return call


def _tracebacks(server: Any) -> list[str]:
    return [line for line in server.process.log().splitlines() if line.startswith("  | ")][-200:]


def _memory(server: Any) -> int:
    pages = Path(f"/proc/{server.process.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_random_and_mutated_messages(fuzzed: Any, harness: Any, simulated: Any) -> None:
    world = World(fuzzed, harness, simulated(items=40)[0])
    seeds = _seeds(world, harness)
    fuzzer = Fuzzer(world, SEED)
    ends: Counter[tuple[str, str]] = Counter()
    # Deleted projects and models would leave nothing to be about.
    deleting = ("DeleteProject", "DeleteModel", "DeleteSideData", "DeleteRecordSet")
    methods = [one for one in METHODS if one.name not in deleting]
    memory = 0
    failures: list[str] = []
    for at in range(MESSAGES):
        method = methods[at % len(methods)]
        space = world.spaces[at // len(methods) % len(world.spaces)]
        own: dict[str, list[Message]] = {
            "UploadRecords": space.upload(),
            "PredictRecords": [space.fresh()],
            "PredictRecordsStream": list(space.stream()),
            "ScoreRecords": [
                records_pb2.ScoreRecordsRequest(
                    model=space.model, records=models_pb2.RecordFit(votes=[space.records], gold=space.records)
                )
            ],
            "InspectModel": [records_pb2.InspectModelRequest(model=space.fresh().model)],
            "ReadRecords": [records_pb2.ReadRecordsRequest(name=space.records)],
        }
        valid = (seeds | own).get(method.name, ())
        is_first = at < len(methods)  # which is sent as it is, where there is one
        requests = [one.SerializeToString() for one in valid] if is_first else []
        requests = requests or fuzzer.requests(method, valid)
        code = _call(fuzzed, method, requests)()
        ends[method.name, code] += 1
        if code in NEVER:
            failures.append(f"message {at}: {method.name} ended with {code}: {requests}")
        if at == min(MESSAGES // 4, 2_000):
            memory = _memory(fuzzed)
    assert not failures, "\n".join([*failures[:5], *_tracebacks(fuzzed)])
    assert {name for name, _ in ends} == {one.name for one in methods}
    # The messages are not all refused at the door.
    assert len({name for name, code in ends if code == "OK"}) > 0.5 * len(methods), ends
    assert _memory(fuzzed) < 1.2 * memory + 128 * 2**20
    assert "Traceback" not in fuzzed.process.log()
    assert fuzzed.process.process.poll() is None
    for method in METHODS:
        if method.name.startswith("Delete"):
            for _ in range(3):
                assert _call(fuzzed, method, fuzzer.requests(method, ()))() not in NEVER
