"""The client for Node, built as its package is, against a real server."""

import json
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import (
    LabelModel,
    NumericModel,
    OrdinalModel,
    PreferenceModel,
    SequenceModel,
    TagModel,
    Taxonomy,
    Votes,
    not_,
    one_of,
)
from weaklabel_client import Client, comparisons_from_rankings, document_records

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("node_driver.mjs")
# Codes of npm that say that the registry cannot be reached. Any other failure is a fault of the package.
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # it downloads and compiles

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, its dependencies installed from the lock and built."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing = "nodejs: node and npm are not installed"
        if "nodejs" in os.environ.get("WEAKLABEL_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    root = tmp_path_factory.mktemp("node")
    shutil.copytree(ROOT / "protos", root / "protos")
    folder = root / "clients" / "node"
    ignored = shutil.ignore_patterns("node_modules", "dist", "protos", "generated")
    shutil.copytree(ROOT / "clients" / "node", folder, ignore=ignored)
    for words in (["ci", "--prefer-offline", "--ignore-scripts", "--fetch-retries=1"], ["run", "build"]):
        try:
            done = subprocess.run([npm, *words], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            if words[0] != "ci":
                raise
            pytest.skip("the npm registry cannot be reached: no answer within 90 s")
        if code := next((code for code in UNREACHABLE if f"code {code}" in done.stderr), None):
            pytest.skip(f"the npm registry cannot be reached: {code}")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def start(package: Path) -> Start:
    """Starts a scenario of the driver."""

    def run(scenario: str, address: str, **given: Any) -> "subprocess.Popen[str]":
        command = ["node", str(DRIVER), str(package), scenario, address, json.dumps(given)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return run


def answer(process: "subprocess.Popen[str]") -> Any:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_votes_go_in_and_labels_come_out(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=(300, 1))
    votes = np.where(generator.random((300, 5)) < 0.7, truth, generator.integers(-1, 3, size=(300, 5)))
    items, sources = [f"mail {n}" for n in range(300)], [f"source {n}" for n in range(5)]
    classes = ["ham", "spam", "größe"]
    gold = np.where(np.arange(300) < 20, truth[:, 0], -1)
    found = answer(
        start(
            "mainPath",
            shared_server.address,
            project=project,
            classes=classes,
            sources=sources,
            items=items,
            votes=votes.tolist(),
            gold=[[items[n], int(gold[n])] for n in range(20)],
        )
    )
    own = LabelModel(classes=classes).fit(Votes.from_dense(votes, 3, sources=sources, items=items), gold=gold)
    assert found["name"] == f"projects/{project}"
    assert found["version"] == found["again"] == 1
    assert found["seen"][-1] == 300
    assert found["names"] == [found["model"]] == [found["soft"]["model"]]
    assert "DONE" in found["stages"]
    assert found["soft"]["items"] == items
    assert found["followed"] == [True, False]
    np.testing.assert_allclose(
        np.reshape(found["soft"]["probabilities"], (300, 3)), own.predict_proba(votes), atol=1e-5
    )
    np.testing.assert_array_equal(found["soft"]["labels"], own.predict(votes))
    np.testing.assert_allclose(found["predicted"]["probabilities"], own.predict_proba(votes[:5]).ravel(), atol=1e-5)
    streamed = [value for part in found["parts"] for value in part["probabilities"]]
    np.testing.assert_allclose(streamed, own.predict_proba(votes[:20]).ravel(), atol=1e-5)
    with Client(shared_server.address) as client:
        assert client.get_project(project).classes == tuple(classes)
        np.testing.assert_array_equal(client.read_votes(project).votes, votes)


def test_an_upload_outlives_a_killed_server(start: Start, server: Any) -> None:
    with Client(server.address) as client:
        client.create_project("big", classes=["a", "b"])
    rows, columns = 65_536 * 12, 8
    process = start("upload", server.address, project="big", rows=rows, columns=columns)
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["committedRows"] < 65_536:
        pass
    server.kill()
    time.sleep(0.5)
    server.start()
    assert answer(process) == {"version": 1}
    with Client(server.address) as client:
        held = client.read_votes("big").votes
    expected = ((np.arange(rows * columns, dtype=np.int64) * 7919) % 3 - 1).reshape(rows, columns)
    np.testing.assert_array_equal(held, expected)


def test_errors_say_what_was_wrong_and_where(start: Start, shared_server: Any, project: str) -> None:
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["a", "b"])
    found = answer(start("errors", shared_server.address, project=project))
    assert found["missing"]["ours"]
    assert (found["missing"]["code"], found["missing"]["reason"]) == ("NOT_FOUND", "PROJECT_NOT_FOUND")
    assert found["invalid"]["code"] == "INVALID_ARGUMENT"
    assert {one["field"] for one in found["invalid"]["violations"]} >= {"project_id"}
    assert found["votes"]["code"] == "INVALID_ARGUMENT"
    assert "label 9" in str(found["votes"])
    assert found["shape"] == {"ours": False, "message": "votes: row 1 has 2 votes, row 0 has 1"}
    assert found["early"]["code"] == "NOT_FOUND"
    assert found["stream"]["code"] == "NOT_FOUND"
    assert found["large"]["reason"] == "MESSAGE_TOO_LARGE"
    for name in ("larger", "largest"):
        assert (found[name]["code"], found[name]["reason"]) == ("RESOURCE_EXHAUSTED", ""), found[name]
        assert "pass fewer rows or items at a time" in found[name]["message"]


def test_a_fit_is_cancelled(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(0)
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["a", "b"])
        client.upload_votes(project, generator.integers(-1, 2, (60_000, 40)).astype(np.int8))
    assert answer(start("cancel", shared_server.address, project=project))["code"] == "CANCELLED"


def test_a_token_does_not_leave_the_machine_in_clear_text(start: Start, shared_server: Any) -> None:
    found = answer(start("clearText", shared_server.address))
    assert "not sent to labels.example:443 in clear text" in found["message"]


def _columns(frame: Any) -> dict[str, list[Any]]:
    return {str(name): [None if one is None else one for one in frame[name].tolist()] for name in frame.columns}


def test_numbers_and_tags(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(0)
    votes: dict[str, Any] = {
        "item": [f"i{n // 4:02d}" for n in range(80)],
        "source": [f"s{n % 4}" for n in range(80)],
        "value": generator.normal(10, 3, 80).tolist(),
    }
    gold: dict[str, Any] = {"item": ["i03"], "value": [9.5]}
    fresh: dict[str, Any] = {"item": ["x"], "source": ["s1"], "value": [4.25]}
    given = {"space": {"numbers": {}}, "votes": votes, "gold": gold, "fresh": fresh, "options": {"coverage": 0.5}}
    found = answer(start("labelSpace", shared_server.address, project=project, **given))
    own = NumericModel().fit(*votes.values(), gold={"i03": 9.5})
    expected = own.predict_frame(*votes.values(), coverage=0.5).reset_index()
    assert found["tables"] == {"labels": _columns(expected)}
    assert found["predicted"]["labels"]["value"] == own.predict(["x"], ["s1"], [4.25]).tolist()
    assert found["rows"] == votes
    assert found["warnings"] == list(own.warnings)
    assert found["sets"] == [1, 80]
    assert found["streamed"] == [found["predicted"]] * 2
    assert found["scores"] == {"mae": abs(own.predict(*votes.values())[3] - 9.5)}
    assert found["uploaded"] == {
        "uploaded": True,
        "same": True,
        "labels": _columns(own.predict_frame(*fresh.values()).reset_index()),
    }
    assert [one["message"] for one in found["inspected"]["findings"]] == list(own.warnings)
    assert found["inspected"]["figures"]["width"] == own.diagnostics.width
    assert found["inspected"]["tables"]["sources"]["source"] == list(own.source_names)

    tags = ["red", "round"]
    listed: dict[str, Any] = {
        "item": [f"i{n // 3:02d}" for n in range(60)],
        "source": [f"s{n % 3}" for n in range(60)],
        "tag": [tags[n % 2] if n % 5 else None for n in range(60)],
        "yes": [int(n % 7 > 0) for n in range(60)],
    }
    one = {name: values[:2] for name, values in listed.items()}
    given = {"space": {"tags": {"names": tags}}, "votes": listed, "fresh": one}
    found = answer(start("labelSpace", shared_server.address, project=f"{project}-tags", **given))
    model = TagModel(tags).fit(*listed.values())
    assert found["tables"] == {"labels": _columns(model.predict_frame(*listed.values()))}
    assert found["predicted"] == {"labels": _columns(model.predict_frame(*one.values()))}


def test_preferences_and_sequences(start: Start, shared_server: Any, project: str) -> None:
    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    votes = {
        "left": [f"m{a}" for a, _ in pairs] * 2,
        "right": [f"m{b}" for _, b in pairs] * 2,
        "judge": [f"j{n % 3}" for n in range(2 * len(pairs))],
        "winner": ["left" if a < b or (a + b) % 4 == 0 else "right" for a, b in pairs] * 2,
    }
    given = {"space": {"preferences": {"ties": False}}, "votes": votes, "fresh": {"left": ["m4"], "right": ["m0"]}}
    found = answer(start("labelSpace", shared_server.address, project=project, **given))
    with warnings.catch_warnings(action="ignore"):
        own = PreferenceModel(ties=False).fit(votes)
    assert found["tables"]["items"] == _columns(own.item_scores())
    assert found["predicted"]["pairs"]["probability_left"] == own.predict_proba([("m4", "m0")])[:, 0].tolist()
    assert found["inspected"]["tables"]["items"]["score"] == own.scores_.tolist()

    orders, judges = [["m1", "m0", "m2"], ["m0", "m2"], ["m2", "m1", "m0", "m3"]] * 3, ["j0", "j1", "j2"] * 3
    given = {"space": {"preferences": {"ties": False}}, "rankings": orders, "judges": judges}
    given["fresh"] = {"left": ["m3"], "right": ["m0"]}
    found = answer(start("labelSpace", shared_server.address, project=f"{project}-ranked", **given))
    with warnings.catch_warnings(action="ignore"):
        own = PreferenceModel(ties=False).fit(comparisons_from_rankings(orders, judges))
    assert found["tables"]["items"] == _columns(own.item_scores())
    assert found["rows"]["ranking"] == [str(one) for one in comparisons_from_rankings(orders)["ranking"]]

    spans: dict[str, Any] = {
        "a": [[(0, 2, "PER")], []],
        "b": [[(0, 2, "PER")], [(1, 2, "LOC")]],
        "c": [[(0, 1, "PER")], None],
    }
    records = document_records(spans, [3, 4])
    space = {"sequence": {"types": ["PER", "LOC"], "scheme": "TAGGING_SCHEME_BIO"}}
    given = {"space": space, "votes": records, "fresh": records, "options": {"silence": "O"}}
    found = answer(start("labelSpace", shared_server.address, project=f"{project}-spans", **given))
    model = SequenceModel(["PER", "LOC"], silence="O").fit(spans, lengths=[3, 4])
    soft = model.predict_proba(spans, lengths=[3, 4])
    for at, tag in enumerate(model.tags):
        assert found["tables"]["tokens"][f"probability_{tag}"] == soft[:, at].tolist()
    assert found["predicted"] == found["tables"]
    assert found["streamed"] == [found["tables"]] * 2


def test_uploads_are_cut_into_messages(start: Start, shared_server: Any, project: str) -> None:
    found = answer(start("wide", shared_server.address, project=project))
    assert found == {"version": 1, "rows": 20_000, "last": 19_999}


def test_gold_that_names_sets(start: Start, shared_server: Any, project: str) -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 40)
    votes = np.where(rng.random((40, 4)) < 0.6, truth[:, None], rng.integers(0, 4, (40, 4)))
    told: list[Any] = [-1] * 40
    for at in range(0, 40, 2):
        label, other = int(truth[at]), int(truth[at] + 1) % 4
        told[at] = (label, {"oneOf": [label, other]}, {"not": [other]})[at % 3]
    gold = [
        one if isinstance(one, int) else one_of(*one["oneOf"]) if "oneOf" in one else not_(*one["not"]) for one in told
    ]
    classes, sources = ["a", "b", "c", "d"], ["p", "q", "r", "s"]
    given = {"classes": classes, "sources": sources, "votes": votes.tolist(), "gold": told}
    found = answer(start("goldSets", shared_server.address, project=project, **given))
    of_sources = Votes.from_dense(votes, 4, sources=sources)
    own = LabelModel(classes=classes).fit(of_sources, gold=gold).predict_proba(of_sources)
    assert found["soft"]["probabilities"] == own.ravel().tolist()
    assert len(found["refused"]) == 4
    assert all(one.startswith("RangeError: gold: item 1: ") for one in found["refused"])


def test_ordered_classes_and_trees(start: Start, shared_server: Any, project: str) -> None:
    generator = np.random.default_rng(1)
    votes = np.clip(generator.integers(0, 3, (30, 1)) + generator.integers(-1, 2, (30, 4)), 0, 2)
    classes, sources = ["bad", "fair", "good"], ["a", "b", "c", "d"]
    items = [f"i{n}" for n in range(30)]
    fresh = {"item": ["x", "x"], "source": ["a", "b"], "label": ["good", "fair"]}
    named = {"classes": classes, "matrix": votes.tolist(), "sources": sources, "items": items, "fresh": fresh}
    found = answer(start("labelSpace", shared_server.address, project=project, space={"ordinal": {}}, **named))
    of_sources = Votes.from_dense(votes, 3, sources=sources)
    soft = OrdinalModel(classes).fit(of_sources).predict_proba(of_sources)
    for at, name in enumerate(classes):
        assert found["tables"]["labels"][f"probability_{name}"] == soft[:, at].tolist()
    assert found["tables"]["labels"]["item"] == items

    edges = [{"node": node, "parent": "any"} for node in ("bad", "fair")] + [{"node": "good", "parent": ""}]
    tree = {"tree": {"edges": [*edges, {"node": "any", "parent": ""}]}}
    fresh = {"item": ["x", "x"], "source": ["a", "b"], "label": ["any", "fair"]}
    given = named | {"space": tree, "fresh": fresh, "options": {"threshold": 0.6}}
    found = answer(start("labelSpace", shared_server.address, project=f"{project}-tree", **given))
    taxonomy = Taxonomy.from_parents({"bad": "any", "fair": "any", "good": None, "any": None}, leaves=classes)
    model = LabelModel(classes=classes).fit(votes)
    nodes = np.stack([found["tables"]["nodes"][f"probability_{one}"] for one in taxonomy.nodes], 1)
    np.testing.assert_allclose(nodes, taxonomy.marginals(model.predict_proba(votes)), atol=1e-5)
    assert found["predicted"]["labels"]["level_1"] == ["any"]
