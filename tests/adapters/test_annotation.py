"""Exports of annotation tools as votes, and imports for them: their own formats, checked by their own packages."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import LabelModel
from weaklabel.adapters.annotation import write_entries
from weaklabel.adapters.annotation.argilla import argilla_records, read_argilla
from weaklabel.adapters.annotation.doccano import doccano_lines, read_doccano
from weaklabel.adapters.annotation.label_studio import label_studio_tasks, read_label_studio
from weaklabel.errors import InvalidArgumentError, InvalidVotesError

SOFT = [[0.9, 0.1], [0.45, 0.55], [0.3, 0.7]]
CLASSES = ["ham", "spam"]


def choice(label: Any, who: Any = 1, **more: Any) -> dict[str, Any]:
    """An annotation of Label Studio's export."""
    value = {"choices": label if isinstance(label, list) else [label]}
    result = {"id": "x1", "from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
    return {"id": 5, "completed_by": who, "was_cancelled": False, "ground_truth": False, "result": [result], **more}


def task(key: int, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": key, "data": {"text": f"text {key}"}, "annotations": list(annotations), "predictions": [], **more}


TASKS = [
    task(11, choice("ham"), choice("spam", {"id": 2, "email": "b@x.org"}), choice("ham", ground_truth=True)),
    task(12, choice("spam", 1), choice("spam", {"id": 2, "email": "b@x.org"}, was_cancelled=True)),
    task(15),
]


def test_label_studio_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(TASKS))
    read = read_label_studio(tmp_path / "export.json")
    assert read.votes.source_names == ("1", "b@x.org")
    assert read.votes.to_dense().tolist() == [[0, 1], [1, -1], [-1, -1]]
    assert read.votes.item_ids is not None
    assert read.votes.item_ids.tolist() == ["11", "12", "15"]
    assert read.gold.tolist() == [0, -1, -1]
    assert read.classes == ("ham", "spam")
    assert read.data[2] == {"text": "text 15"}

    queue = label_studio_tasks(read.data, SOFT, read.classes, control="sentiment", ids=read.votes.item_ids, n=2)
    assert [one["meta"]["id"] for one in queue] == ["12", "15"]  # the least sure first
    assert queue[0]["predictions"][0]["score"] == 0.55
    write_entries(tmp_path / "tasks.json", queue)
    again = json.loads((tmp_path / "tasks.json").read_text())
    assert again == queue
    numbered = [{**one, "id": at} for at, one in enumerate(again)]
    assert read_label_studio(numbered, predictions=True, classes=CLASSES).votes.to_dense().tolist() == [[1], [1]]


@pytest.mark.filterwarnings("ignore")
def test_label_studio_takes_the_tasks() -> None:
    sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    interface = sdk.LabelInterface(
        '<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text">'
        '<Choice value="ham"/><Choice value="spam"/></Choices></View>'
    )
    made: dict[str, Any] = {"id": 1, "data": {"text": "a"}, "annotations": [interface.generate_sample_annotation()]}
    said = made["annotations"][0]["result"][0]["value"]["choices"][0]
    read = read_label_studio([made], classes=CLASSES)
    assert read.votes.to_dense().tolist() == [[CLASSES.index(said)]]
    for one in label_studio_tasks(["a", "b", "c"], SOFT, CLASSES, control="sentiment"):
        assert interface.validate_prediction(one["predictions"][0])
    (wrong, *_) = label_studio_tasks(["a", "b", "c"], SOFT, ["eggs", "spam"], control="sentiment")
    assert not interface.validate_prediction(wrong["predictions"][0])


def test_predictions_of_models_are_votes_where_asked_for() -> None:
    prediction = {"model_version": "v1", "score": 0.9, "result": choice("spam")["result"]}
    tasks = [task(1, choice("ham"), predictions=[prediction])]
    assert read_label_studio(tasks, classes=CLASSES).votes.shape == (1, 1)
    both = read_label_studio(tasks, predictions=True)
    assert both.votes.source_names == ("1", "model:v1")
    assert both.votes.to_dense().tolist() == [[0, 1]]
    rating = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 4}}
    stars = read_label_studio([task(1, {"completed_by": 1, "result": [rating]})], classes=["3", "4"])
    assert stars.votes.to_dense().tolist() == [[1]]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([{"text": "a", "sentiment": "ham"}], "task 1 has no data, or no list of annotations: export as JSON, not"),
        ([task(1, choice(["ham", "spam"]))], r"task 1 \(id 1\), annotation 1 has 2 labels"),
        ([task(1, choice("ham", None))], r"annotation 1 does not say who made it"),
        ([task(1, choice("ham"), choice("spam"))], "annotation 2 is 'spam', and .* annotation 1 'ham': '1' says two"),
        ([task(1, choice("eggs"))], "annotation 1 is 'eggs', which is no class; they are ham, spam"),
        ([task(1, choice("ham")), task(1)], "entries 1 and 2 both have the id '1'"),
        ([task(1)], "has 0 controls, none"),
        ([task(1, choice("ham", ground_truth=True))], "holds no annotation"),
        ([task(1, *(choice(k, ground_truth=True) for k in CLASSES), choice("ham"))], "and another one is known"),
        ([3], "task 1 is 3, not an object"),
    ],
)
def test_bad_exports_of_label_studio_are_refused_with_the_place(tasks: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        read_label_studio(tasks, classes=CLASSES)


def test_a_control_is_named_where_there_are_several() -> None:
    other = choice("x")
    other["result"] = [*other["result"], {**other["result"][0], "from_name": "topic"}]
    with pytest.raises(InvalidVotesError, match=r"has 2 controls, 'sentiment', 'topic': name one, control="):
        read_label_studio([task(1, other)], classes=["x", "y"])
    assert read_label_studio([task(1, other)], classes=["x", "y"], control="topic").votes.n_votes == 1
    with pytest.raises(InvalidVotesError, match="no control 'nothing'"):
        read_label_studio([task(1, other)], classes=["x", "y"], control="nothing")


def record(key: str, *responses: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A record of Argilla's `to_list()`."""
    answers = [{"value": value, "user_id": who} for who, value in responses]
    given = {"label": answers} if answers else {}
    return {"id": key, "fields": {"text": f"text {key}"}, "metadata": {}, "suggestions": {}, "responses": given, **more}


def test_argilla_there_and_back(tmp_path: Path) -> None:
    records = [record("a", ("u1", "ham"), ("u2", "spam")), record("b", ("u2", "spam")), record("c")]
    (tmp_path / "records.json").write_text(json.dumps(records))
    read = read_argilla(tmp_path / "records.json")
    assert read.votes.source_names == ("u1", "u2")
    assert read.votes.to_dense().tolist() == [[0, 1], [-1, 1], [-1, -1]]
    made = argilla_records(read.data, SOFT, read.classes, ids=read.votes.item_ids, n=1)
    assert made[0]["id"] == "b"
    assert made[0]["suggestions"] == {"label": {"value": "spam", "score": 0.55, "agent": "weaklabel"}}
    suggested = read_argilla([*made, record("x", ("u1", "ham"))], suggestions=True)
    assert suggested.votes.source_names == ("agent:weaklabel", "u1")


@pytest.mark.filterwarnings("ignore")
def test_argilla_makes_and_takes_the_records(tmp_path: Path) -> None:
    rg = pytest.importorskip("argilla", reason="argilla is not installed")
    from uuid import UUID

    users = [UUID(int=at) for at in (1, 2)]
    records = [
        rg.Record(
            id=f"r{at}",
            fields={"text": "hello"},
            responses=[rg.Response("label", label, user_id=user) for user, label in zip(users, labels, strict=True)],
            suggestions=[rg.Suggestion("label", "ham", score=0.7, agent="llm")],
        )
        for at, labels in enumerate([("ham", "spam"), ("spam", "spam")])
    ]
    from_objects, from_dicts = read_argilla(records), read_argilla([one.to_dict() for one in records])
    flat = importlib.import_module("argilla.records._io._generic").GenericIO.to_list(records, flatten=True)
    for read in (from_objects, from_dicts, read_argilla(flat)):
        assert read.data == [{"text": "hello"}] * 2
        assert read.votes.source_names == tuple(map(str, users))
        assert read.votes.to_dense().tolist() == [[0, 1], [1, 1]]
    draft = rg.Response("label", "spam", user_id=UUID(int=3), status="draft")
    undecided = rg.Record(id="r9", fields={"text": "hello"}, responses=[draft])
    assert read_argilla([*records, undecided]).votes.shape == (3, 2)
    made = argilla_records(from_dicts.data, SOFT[:2], CLASSES, ids=["r0", "r1"])
    taken = [rg.Record.from_dict(one) for one in made]
    assert [(one.id, one.suggestions["label"].value, one.suggestions["label"].score) for one in taken] == [
        ("r0", "ham", 0.9),
        ("r1", "spam", 0.55),
    ]


def test_flat_records_of_argilla() -> None:
    """As `to_list(flatten=True)` and `to_datasets()` of argilla 2.8 name them."""
    flat = {
        "id": "a",
        "status": "completed",
        "_server_id": "s",
        "text": "hello",
        "label.responses": ["ham", "spam", "spam"],
        "label.responses.users": ["u1", "u2", "u3"],
        "label.responses.status": ["submitted", "discarded", "submitted"],
        "label.suggestion": "spam",
        "label.suggestion.agent": "llm",
        "label.suggestion.score": 0.5,
    }
    read = read_argilla([flat], suggestions=True)
    assert read.data == [{"text": "hello"}]
    assert dict(zip(read.votes.source_names, read.votes.to_dense()[0].tolist(), strict=True)) == {
        "u1": 0,
        "u3": 1,
        "agent:llm": 1,
    }


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"text": "a"}], r"record 1 \(id 0\) has no responses"),
        ([record("a", ("u1", ["ham", "spam"]))], r"record 1 \(id a\), user:u1 has 2 labels"),
        ([record("a", ("u1", "ham"), ("u1", "spam"))], "'u1' says two things"),
        ([record("a", responses={"label": [{"value": "ham"}]})], "does not say who gave it"),
        ([{"id": "a", "text": "", "label.responses": ["ham"], "label.responses.users": []}], "1 responses .* of 0"),
    ],
)
def test_bad_exports_of_argilla_are_refused_with_the_place(records: Any, message: str) -> None:
    with pytest.raises(InvalidVotesError, match=message):
        read_argilla(records, classes=CLASSES)


ANN = '{"id": 1, "text": "a", "label": ["ham"], "Comments": []}\n{"id": 2, "text": "b", "label": []}\n'
BOB = '\n{"id": 2, "text": "b", "label": ["spam"]}\n{"id": 1, "text": "a", "label": ["spam"]}\n'


def test_doccano_there_and_back(tmp_path: Path) -> None:
    """The lines of doccano's documentation for text classification, a file an annotator."""
    (tmp_path / "ann.jsonl").write_text(ANN)
    (tmp_path / "bob.jsonl").write_text(BOB)
    read = read_doccano(tmp_path)
    assert read.votes.source_names == ("ann", "bob")
    assert read.votes.to_dense().tolist() == [[0, 1], [-1, 1]]
    assert read.data == [{"text": "a"}, {"text": "b"}]
    lines = doccano_lines(read.data, SOFT[:2], read.classes, ids=read.votes.item_ids)
    assert lines[0]["label"] == ["ham"]
    assert lines[1]["item"] == "2"
    write_entries(tmp_path / "import.jsonl", lines)
    assert [json.loads(line) for line in (tmp_path / "import.jsonl").read_text().splitlines()] == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": 1, "text": "a"', "ann.jsonl, line 1 is no JSON"),
        ('{"id": 1, "text": "a"}', "line 1 has no id, text or label"),
        ('{"id": 1, "text": "a", "label": ["ham", "spam"]}', "line 1 has 2 labels"),
        ('{"id": 1, "text": "a", "label": [[0, 3, "PER"]]}', "line 1 labels spans"),
        ('{"id": 1, "text": "a", "label": ["ham"]}\n' * 2, "line 2: the id '1' stands twice"),
    ],
)
def test_bad_exports_of_doccano_are_refused_with_the_place(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "ann.jsonl").write_text(text)
    with pytest.raises(InvalidVotesError, match=message):
        read_doccano(tmp_path, classes=CLASSES)


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ann.jsonl").write_text(ANN)
    (tmp_path / "other.jsonl").write_text('{"id": 1, "text": "other", "label": ["ham"]}')
    with pytest.raises(InvalidVotesError, match="has another text in an earlier file"):
        read_doccano(tmp_path)
    with pytest.raises(InvalidVotesError, match="is no folder: give files by annotator"):
        read_doccano(tmp_path / "ann.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidVotesError, match=r"holds no file \*.jsonl"):
        read_doccano(tmp_path / "empty")
    with pytest.raises(InvalidVotesError, match=r"names the classes \['ham'\]: name all"):
        read_doccano({"ann": tmp_path / "ann.jsonl"})
    with pytest.raises(InvalidVotesError, match="must be a path or a list, got a dict"):
        read_label_studio({"tasks": []})  # type: ignore[arg-type]
    with pytest.raises(InvalidVotesError, match="cannot be read"):
        read_argilla(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("[{")
    with pytest.raises(InvalidVotesError, match="is no JSON"):
        read_label_studio(tmp_path / "broken.json")


def test_soft_labels_must_fit() -> None:
    cases: list[tuple[Any, str]] = [
        (lambda: doccano_lines(["a"], SOFT, CLASSES), r"= \(1, 2\), got shape \(3, 2\)"),
        (lambda: doccano_lines(["a"], [[0.5, 0.9]], CLASSES), "must be probabilities"),
        (lambda: doccano_lines(["a"], [[0.5, 0.5]], CLASSES, n=0), "n must be a number of items"),
        (lambda: doccano_lines(["a"], [[0.5, 0.5]], CLASSES, ids=[1, 2]), "2 ids are given for 1 items"),
    ]
    for call, message in cases:
        with pytest.raises(InvalidArgumentError, match=message):
            call()


def test_votes_of_a_tool_are_fitted() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    tasks = [
        task(at, *(choice(CLASSES[k if rng.random() < 0.85 else 1 - k], who) for who in range(4)))
        for at, k in enumerate(truth.tolist())
    ]
    read = read_label_studio(tasks)
    soft = LabelModel(classes=read.classes).fit(read.votes).predict_proba(read.votes)
    assert (soft.argmax(1) == truth).mean() > 0.9
    queue = label_studio_tasks(read.data, soft, read.classes, control="sentiment", n=5)
    scores = [one["predictions"][0]["score"] for one in queue]
    assert scores == sorted(scores)
    assert scores[-1] <= np.sort(soft.max(1))[5]
