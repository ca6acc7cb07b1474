"""Prompts that the server runs: a real server, a real endpoint on loopback that speaks the OpenAI protocol."""

import contextlib
import importlib.util
import sqlite3
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel.prompts import PromptFunction
from weaklabel_client import Client
from weaklabel_protocol.v1 import operations_pb2, projects_pb2, prompts_pb2, prompts_pb2_grpc, side_data_pb2, votes_pb2
from weaklabel_server.admin import tokens
from weaklabel_server.app import App, StartError
from weaklabel_server.config import ServerConfig
from weaklabel_server.messages.prompts import read_prompt
from weaklabel_server.prompt_settings import PromptFile, PromptSettingsError

KEY = "sk-secret-of-the-server-0123456789"
MODEL = "test-model"
CALL = 0.055  # USD: 55 tokens at the price below
SETTINGS = """
[endpoints.default]
base_url = "{url}"
key_variable = "KEY_OF_TESTS"
concurrency = 4
timeout = 20
models = ["{model}"]
parameters = ["seed"]

[endpoints.idle]
base_url = "http://127.0.0.1:9/v1"

[budget]
money = 1000.0

[budgets.poor]
money = 1.5

[budgets.short]
tokens = 2000

[prices.{model}]
input = 1000.0
output = 1000.0
"""


def _endpoint_server() -> Any:
    """The endpoint of the library's own tests."""
    path = Path(__file__).parents[1] / "prompts" / "conftest.py"
    spec = importlib.util.spec_from_file_location("endpoint_of_prompts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EndpointServer()


@pytest.fixture(scope="module")
def shared_endpoint() -> Iterator[Any]:
    server = _endpoint_server()
    yield server
    server.stop()


@pytest.fixture
def endpoint(shared_endpoint: Any) -> Any:
    """The endpoint, as if it had just been started."""
    shared_endpoint.reply = lambda _: shared_endpoint.completion("yes")
    shared_endpoint.requests.clear()
    return shared_endpoint


@pytest.fixture(scope="module")
def settings_file(shared_endpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "prompts.toml"
    path.write_text(SETTINGS.format(url=shared_endpoint.url, model=MODEL))
    return path


@pytest.fixture(scope="module")
def environment(settings_file: Path) -> dict[str, str]:
    return {
        "WEAKLABEL_PROMPTS_FILE": str(settings_file),
        "WEAKLABEL_MAX_PROMPT_RUNS": "2",
        "WEAKLABEL_MAX_PROMPT_CALLS": "500",
        "WEAKLABEL_LOG_LEVEL": "debug",
        "KEY_OF_TESTS": KEY,
    }


class Prompting:
    """A server that runs prompts, and short forms of calls."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.stub = prompts_pb2_grpc.PromptServiceStub(server.channel)
        self._begun: list[str] = []

    def project(self, project_id: str | None = None, classes: Sequence[str] = ("ham", "spam", "other")) -> str:
        project_id = project_id or f"p{uuid.uuid4().hex[:12]}"
        request = projects_pb2.CreateProjectRequest(project_id=project_id, classes=classes)
        name: str = self.server.projects.CreateProject(request).project.name
        return name

    def upload(self, parent: str, texts: Sequence[str], ids: Sequence[str] = ()) -> str:
        """Items, in two chunks."""
        half = len(texts) // 2
        chunks = [
            (len(part), side_data_pb2.SideRows(fields=fields(part))) for part in (texts[:half], texts[half:]) if part
        ]
        answers = self.server.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_FIELDS, *chunks, items=ids)
        assert answers[-1].finished
        name: str = answers[-1].name
        return name

    def plan(self, parent: str, items: str, *prompts: prompts_pb2.Prompt) -> prompts_pb2.PlanPromptsResponse:
        request = prompts_pb2.PlanPromptsRequest(parent=parent, prompts=prompts, items=items)
        answer: prompts_pb2.PlanPromptsResponse = self.stub.PlanPrompts(request)
        return answer

    def begin(self, parent: str, items: str, *prompts: prompts_pb2.Prompt, request_id: str = "") -> str:
        request = prompts_pb2.RunPromptsRequest(parent=parent, prompts=prompts, items=items, request_id=request_id)
        name: str = self.stub.RunPrompts(request).operation.name
        self._begun.append(name)
        return name

    def cancel_all(self) -> None:
        """End what a test left running: a test that fails must not ask the endpoint while the next one counts."""
        for name in self._begun:
            self.server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
            self.server.wait(name)

    def end(self, operation: str) -> prompts_pb2.PromptRun:
        done = self.server.wait(operation)
        assert done.prompt_run, done
        request = prompts_pb2.GetPromptRunRequest(name=done.prompt_run)
        run: prompts_pb2.PromptRun = self.stub.GetPromptRun(request).prompt_run
        return run

    def run(self, parent: str, items: str, *prompts: prompts_pb2.Prompt) -> prompts_pb2.PromptRun:
        return self.end(self.begin(parent, items, *prompts))

    def spending(self, parent: str) -> prompts_pb2.PromptSpending:
        request = prompts_pb2.GetPromptSpendingRequest(parent=parent)
        spending: prompts_pb2.PromptSpending = self.stub.GetPromptSpending(request).spending
        return spending

    def votes(self, parent: str, version: int = 0) -> votes_pb2.ReadVotesResponse:
        (answer,) = self.server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=parent, votes_version=version))
        message: votes_pb2.ReadVotesResponse = answer
        return message


@pytest.fixture(scope="module")
def prompt_server(
    serving: Callable[..., Any], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """One server for the tests that leave it running; each test uses projects of its own."""
    with serving(tmp_path_factory.mktemp("prompting") / "data", environment) as server:
        yield server


@pytest.fixture
def prompting(prompt_server: Any) -> Iterator[Prompting]:
    made = Prompting(prompt_server)
    yield made
    made.cancel_all()


def fields(texts: Sequence[str]) -> side_data_pb2.Fields:
    return side_data_pb2.Fields(items=[side_data_pb2.ItemFields(values={"text": text}) for text in texts])


def prompt(name: str = "asks", **more: Any) -> prompts_pb2.Prompt:
    made = prompts_pb2.Prompt(
        name=name,
        model=MODEL,
        template=f"Does {name} hold?\n{{text}}",
        max_tokens=10,
        answers=[
            prompts_pb2.PromptAnswer(text="yes", label=1),
            prompts_pb2.PromptAnswer(text="no", label=-1),
            prompts_pb2.PromptAnswer(text="not spam", none_of=prompts_pb2.PromptClasses(indices=[1])),
            prompts_pb2.PromptAnswer(text="either", one_of=prompts_pb2.PromptClasses(indices=[0, 1])),
            prompts_pb2.PromptAnswer(text="perhaps", soft={"probabilities": [0.25, 0.5, 0.25]}),
        ],
    )
    made.MergeFrom(prompts_pb2.Prompt(**more))
    return made


def matrix(answer: votes_pb2.ReadVotesResponse, harness: Any) -> Any:
    return harness.matrix(answer.votes)


def asked(endpoint: Any) -> Counter[str]:
    """How often each item was asked about, by its text."""
    return Counter(request.text.partition(">")[2].partition("</")[0] for request in endpoint.chats)


def test_a_server_without_an_endpoint_says_so(server: Any, harness: Any) -> None:
    stub = prompts_pb2_grpc.PromptServiceStub(server.channel)
    parent = server.create_project()
    items = f"{parent}/sideData/{uuid.uuid4()}"
    for call, request in (
        (stub.PlanPrompts, prompts_pb2.PlanPromptsRequest(parent=parent, prompts=[prompt()], items=items)),
        (stub.RunPrompts, prompts_pb2.RunPromptsRequest(parent=parent, prompts=[prompt()], items=items)),
        (stub.GetPromptSpending, prompts_pb2.GetPromptSpendingRequest(parent=parent)),
    ):
        failure = harness.failure_of(lambda call=call, request=request: call(request))
        assert (failure.code.name, failure.info.reason) == ("FAILED_PRECONDITION", "PROMPTS_NOT_CONFIGURED")
        assert "WEAKLABEL_PROMPTS_FILE" in failure.message


def test_plan_run_and_run_again(prompting: Prompting, endpoint: Any, harness: Any) -> None:
    said = {"a": "yes", "b": "no", "c": "not spam", "d": "either", "e": "perhaps", "f": "maybe"}
    endpoint.reply = lambda request: endpoint.completion(said[request.text.partition(">")[2][0]])
    parent, ids = prompting.project(), [f"item {text}" for text in said]
    items = prompting.upload(parent, list(said), ids)

    plan = prompting.plan(parent, items, prompt())
    assert not endpoint.requests
    (line,) = plan.prompts
    assert (line.name, line.calls, line.cached) == ("asks", 6, 0)
    assert 0 < line.money < line.most_money
    assert plan.spending.budget_money == 1000
    assert plan.spending.money == 0

    run = prompting.run(parent, items, prompt())
    assert (run.votes_version, run.budget_reached) == (1, False)
    (summary,) = run.prompts
    assert (summary.voted, summary.abstained, summary.errors, summary.calls, summary.cached) == (4, 1, 1, 6, 0)
    assert summary.group == "test-model"
    assert [(one.prompt, one.row) for one in run.failures] == [("asks", 5)]
    assert run.spending.money == pytest.approx(6 * CALL)
    assert (run.spending.tokens, run.spending.unconfirmed_money) == (6 * 55, 0)

    votes = prompting.votes(parent)
    assert (list(votes.sources), list(votes.item_ids)) == (["asks"], ids)
    codes = matrix(votes, harness)[:, 0]
    sets = np.unpackbits(
        np.frombuffer(votes.codebook.candidate_sets.data, np.uint8).reshape(-1, 1), axis=1, bitorder="little"
    )[:, :3]
    assert list(codes[[0, 1, 5]]) == [1, -1, -2]
    assert sets[codes[2] - 3].tolist() == [1, 0, 1]
    assert sets[codes[3] - 3].tolist() == [1, 1, 0]
    soft = np.frombuffer(votes.codebook.soft_votes.data, "<f4").reshape(-1, 3)
    np.testing.assert_allclose(soft[codes[4] - 3 - len(sets)], [0.25, 0.5, 0.25])

    again = prompting.run(parent, items, prompt())
    assert (again.votes_version, again.prompts[0].cached, again.spending.money) == (2, 6, 0)
    assert len(endpoint.chats) == 6
    assert prompting.spending(parent).money == pytest.approx(6 * CALL)
    listed = prompting.stub.ListPromptRuns(prompts_pb2.ListPromptRunsRequest(parent=parent, page_size=1))
    assert [one.name for one in listed.prompt_runs] == [again.name]
    assert listed.next_page_token
    # Answers that mean something else now are read again, not asked again.
    other = prompt()
    other.answers[0].label = 0
    assert prompting.plan(parent, items, other).prompts[0].cached == 6


def test_the_budget_of_a_project_is_hard(prompting: Prompting, endpoint: Any, harness: Any) -> None:
    endpoint.reply = lambda _: endpoint.completion("yes", delay=0.01)
    poor, rich = prompting.project("poor"), prompting.project()
    texts = [f"text {at}" for at in range(40)]
    zeros = np.zeros((40, 1), np.int8)
    prompting.server.upload(poor, zeros, sources=["asks"])  # what was said before
    items = prompting.upload(poor, texts)
    run = prompting.run(poor, items, prompt("asks"), prompt("new"))
    n_asked = len(endpoint.chats)
    assert 0 < n_asked * CALL <= 1.5
    assert run.budget_reached
    assert run.spending.money == pytest.approx(n_asked * CALL)
    assert [one.missing + one.voted for one in run.prompts] == [40, 40]
    assert sum(one.missing for one in run.prompts) == 80 - n_asked

    votes = prompting.votes(poor)
    assert list(votes.sources) == ["asks", "new"]
    codes, was_asked = matrix(votes, harness), np.zeros((40, 2), bool)
    for request in endpoint.chats:
        was_asked[texts.index(request.text.partition(">")[2].partition("</")[0]), int("new hold" in request.text)] = (
            True
        )
    # Missing is not an abstain: it takes back nothing that was said.
    np.testing.assert_array_equal(codes, np.where(was_asked, 1, [0, -1]))

    # Nothing is left for another run, but what is known; another project has a budget of its own.
    run = prompting.run(poor, items, prompt("asks"), prompt("new"))
    assert run.budget_reached
    assert prompting.spending(poor).money <= 1.5
    before = len(endpoint.chats)
    assert before * CALL <= 1.5
    assert not prompting.run(rich, prompting.upload(rich, texts), prompt("asks")).budget_reached


def test_a_budget_in_tokens(prompting: Prompting, endpoint: Any) -> None:
    short = prompting.project("short")
    run = prompting.run(short, prompting.upload(short, [f"text {at}" for at in range(60)]), prompt("counted"))
    assert run.budget_reached
    assert 0 < len(endpoint.chats) * 55 == run.spending.tokens <= 2000
    # Where nothing at all is left, there is no new version.
    run = prompting.run(short, prompting.upload(short, ["another text"]), prompt("counted"))
    assert (run.votes_version, run.prompts[0].missing) == (0, 1)


def test_cancel_and_a_second_run_that_waits(prompting: Prompting, endpoint: Any, harness: Any) -> None:
    endpoint.reply = lambda _: endpoint.completion("yes", delay=0.1)
    parent = prompting.project()
    items = prompting.upload(parent, [f"text {at}" for at in range(200)])
    first, second = prompting.begin(parent, items, prompt("one")), prompting.begin(parent, items, prompt("two"))
    watched = prompting.server.operations.WatchOperation(operations_pb2.WatchOperationRequest(name=first))
    progress = next(one.operation.prompts for one in watched if one.operation.prompts.done > 8)
    assert progress.stage == operations_pb2.PROMPT_STAGE_ASKING
    assert (progress.total, progress.errors, progress.missing) == (200, 0, 0)
    # Money is spent when a reply arrives; the call is done when the reply is on disk, for each of 4 workers.
    assert progress.done * CALL - 1e-9 <= progress.money <= (progress.done + 4) * CALL + 1e-9
    assert progress.rate > 0

    get = operations_pb2.GetOperationRequest(name=second)
    waiting = prompting.server.operations.GetOperation(get).operation
    assert waiting.prompts.stage == operations_pb2.PROMPT_STAGE_QUEUED
    # Another project's run does not wait.
    other = prompting.project()
    assert prompting.run(other, prompting.upload(other, ["a", "b"]), prompt("one")).votes_version == 1
    assert prompting.server.operations.GetOperation(get).operation.prompts.stage == operations_pb2.PROMPT_STAGE_QUEUED
    for name in (second, first):
        prompting.server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
        operation = prompting.server.wait(name)
        assert (operation.error.code, operation.prompts.stage) == (1, operations_pb2.PROMPT_STAGE_DONE)
    n_asked = len(endpoint.chats) - 2
    assert n_asked < 200
    failure = harness.failure_of(lambda: prompting.votes(parent))
    assert failure.info.reason == "NO_VOTES"
    # What was answered is paid, and what was cut off may have been.
    spent = prompting.spending(parent)
    assert spent.money + spent.unconfirmed_money >= n_asked * CALL - 1e-9
    assert spent.money <= n_asked * CALL + 1e-9
    endpoint.reply = lambda _: endpoint.completion("yes")
    run = prompting.run(parent, items, prompt("one"))
    assert run.prompts[0].cached >= n_asked - 2
    assert all(count <= 2 for count in asked(endpoint).values())


@pytest.mark.parametrize("end", ["kill", pytest.param("terminate", marks=pytest.mark.slow)])
def test_the_server_ends_in_the_middle(
    serving: Any, environment: dict[str, str], endpoint: Any, harness: Any, tmp_path: Path, end: str
) -> None:
    """What was answered is asked once; what was in flight, twice at most; the run ends when the server is back."""
    endpoint.reply = lambda _: endpoint.completion("yes", delay=0.05)
    with serving(tmp_path / "data", environment) as server:
        prompting = Prompting(server)
        parent = prompting.project()
        items = prompting.upload(parent, [f"text {at}" for at in range(100)])
        request_id = str(uuid.uuid4())
        name = prompting.begin(parent, items, prompt(), request_id=request_id)
        harness.until(lambda: len(endpoint.chats) >= 30)
        getattr(server, end)()
        before = len(endpoint.chats)
        assert before < 90

    endpoint.reply = lambda _: endpoint.completion("yes")
    with serving(tmp_path / "data", environment) as server:
        prompting = Prompting(server)
        assert prompting.begin(parent, items, prompt(), request_id=request_id) == name
        run = prompting.end(name)
        counts, total = asked(endpoint), len(endpoint.chats)
        assert len(counts) == 100
        assert total <= 102
        assert max(counts.values()) <= 2
        assert (run.votes_version, run.prompts[0].voted, run.prompts[0].cached) == (1, 100, 100 - (total - before))
        np.testing.assert_array_equal(matrix(prompting.votes(parent), harness), np.ones((100, 1)))
        # The books, over both starts: every answer that counts is paid, and no call is forgotten.
        spent = run.spending
        assert 100 * CALL - 1e-9 <= spent.money <= total * CALL + 1e-9
        assert spent.money + spent.unconfirmed_money >= total * CALL - 1e-9
        assert prompting.run(parent, items, prompt()).prompts[0].cached == 100
        assert len(endpoint.chats) == total


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a model that is not allowed": ({"model": "gpt-5"}, "prompts[0].model"),
    "an endpoint that is not there": ({"endpoint": "http://127.0.0.1:1/v1"}, "prompts[0].endpoint"),
    "a class beyond": ({"answers": [{"text": "x", "label": 3}]}, "prompts[0].answers"),
    "a soft vote of another length": (
        {"answers": [{"text": "x", "soft": {"probabilities": [1]}}]},
        "prompts[0].answers",
    ),
    "an answer twice": ({"answers": [{"text": "yes", "label": 0}]}, "prompts[0].answers[5].text"),
    "an answer without a vote": ({"answers": [{"text": "x"}]}, "prompts[0].answers[5].vote"),
    "too many samples": ({"samples": 101}, "prompts[0].samples"),
    "calibration without logprobs": ({"calibrate": True}, "prompts[0].calibrate"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_declarations_that_are_refused(case: str, settings_file: Path, tmp_path: Path) -> None:
    from weaklabel_server.errors import ServiceError
    from weaklabel_server.jobs.prompts import Prompts
    from weaklabel_server.store.projects import Project

    more, field = REFUSED[case]
    engine = Prompts(Any, PromptFile.read(settings_file), tmp_path, max_cells=1, max_runs=1, max_calls=1)  # type: ignore[arg-type]  # not used
    project = Project(
        key=1,
        project_id="p",
        classes=("a", "b", "c"),
        named_items=None,
        item_count=0,
        source_count=0,
        votes_version=0,
        create_time=0,
    )
    with pytest.raises(ServiceError) as caught:
        engine.check_prompts([read_prompt(prompt(**more), field="prompts[0]")], project)
    assert [one.field for one in caught.value.violations] == [field]


def test_requests_that_are_refused(prompting: Prompting, endpoint: Any, harness: Any) -> None:
    parent, other = prompting.project(), prompting.project()
    items = prompting.upload(parent, ["a"])
    gold = side_data_pb2.SideRows(gold=harness.tensor([[0]]))
    not_items = prompting.server.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_GOLD, (1, gold))[-1].name
    free, unpriced = prompt(), prompt(endpoint="idle")
    free.parameters.update({"tools": []})
    unpriced.model = "nobody-knows"
    for call, code, reason, field in (
        (lambda: prompting.begin(parent, items), "INVALID_ARGUMENT", "INVALID_FIELD", "prompts"),
        (lambda: prompting.begin(parent, items, prompt(), prompt()), "INVALID_ARGUMENT", "INVALID_FIELD", "prompts[1]"),
        (lambda: prompting.begin(parent, not_items, prompt()), "INVALID_ARGUMENT", "INVALID_FIELD", "items"),
        (lambda: prompting.begin(other, items, prompt()), "INVALID_ARGUMENT", "INVALID_FIELD", "items"),
        (lambda: prompting.begin(parent, items, free), "INVALID_ARGUMENT", "INVALID_FIELD", "prompts[0].parameters"),
        (lambda: prompting.begin(parent, items, unpriced), "FAILED_PRECONDITION", "PROMPT_PRICE_UNKNOWN", None),
        (lambda: prompting.begin(parent, f"{parent}/sideData/x", prompt()), "NOT_FOUND", "SIDE_DATA_NOT_FOUND", None),
        (
            lambda: prompting.plan(parent, items, prompt(template="{txt}")),
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
            "prompts",
        ),
    ):
        failure = harness.failure_of(call)
        assert (failure.code.name, failure.info.reason) == (code, reason), failure.message
        assert list(failure.violations) == ([field] if field else [])
    many = prompting.upload(parent, [f"text {at}" for at in range(101)])
    failure = harness.failure_of(lambda: prompting.begin(parent, many, prompt(samples=5, temperature=1)))
    assert (failure.code.name, failure.info.reason) == ("RESOURCE_EXHAUSTED", "PROMPT_RUN_TOO_LARGE")
    named = prompting.upload(parent, ["a"], ["id of a"])
    prompting.server.upload(parent, np.zeros((1, 1), np.int8))
    failure = harness.failure_of(lambda: prompting.begin(parent, named, prompt()))
    assert failure.info.reason == "ITEM_NAMING_MIXED"
    missing = prompts_pb2.GetPromptRunRequest(name=f"{parent}/promptRuns/x")
    assert harness.failure_of(lambda: prompting.stub.GetPromptRun(missing)).info.reason == "PROMPT_RUN_NOT_FOUND"
    assert not endpoint.requests


def test_the_key_is_nowhere(prompting: Prompting, endpoint: Any) -> None:
    parent = prompting.project()
    items = prompting.upload(parent, ["a text"])
    endpoint.reply = lambda request: endpoint.completion("yes", model=KEY)
    run = prompting.run(parent, items, prompt())
    endpoint.reply = lambda request: endpoint.status(401, f"Incorrect API key provided: {KEY}")
    operation = prompting.server.wait(prompting.begin(parent, items, prompt("again")))
    assert {request.headers["authorization"] for request in endpoint.chats} == {f"Bearer {KEY}"}
    assert "PROMPT_ENDPOINT_FAILED" in str(operation.error)
    assert prompting.spending(parent).unconfirmed_money == 0  # what is refused is not billed
    assert 'endpoint "default"' in operation.error.message
    assert endpoint.url not in operation.error.message
    written = b"".join(path.read_bytes() for path in prompting.server.process.data_dir.rglob("*") if path.is_file())
    for text in (str(operation), str(run), prompting.server.process.log()):
        assert KEY not in text
    assert "HTTP Request" not in prompting.server.process.log()
    assert "Warning" not in prompting.server.process.log()
    assert KEY.encode() not in written
    with contextlib.closing(sqlite3.connect(prompting.server.process.data_dir / "prompts.sqlite")) as cache:
        assert any(b"[key]" in response for (response,) in cache.execute("SELECT response FROM responses"))


def test_shortlists_read_the_lists_of_items(prompting: Prompting, endpoint: Any, harness: Any) -> None:
    parent = prompting.project(classes=[f"class {k}" for k in range(50)])
    endpoint.reply = lambda request: endpoint.completion("none of these")
    answers = [prompts_pb2.PromptAnswer(text=f"intent {k}", label=k) for k in range(50)]
    listed = prompts_pb2.Prompt(
        name="intent",
        model=MODEL,
        template="{text}",
        max_tokens=10,
        answers=answers,
        shortlist=prompts_pb2.PromptShortlist(size=2, candidates="near"),
    )
    rows = [
        {"text": "a", "near": '["intent 7", "intent 9", "intent 11"]'},
        {"text": "b", "near": "no list"},
        {"text": "c", "near": "[" * 20_000},
    ]
    content = side_data_pb2.Fields(items=[side_data_pb2.ItemFields(values=row) for row in rows])
    items = prompting.server.upload_side(
        parent, side_data_pb2.SIDE_DATA_KIND_FIELDS, (3, side_data_pb2.SideRows(fields=content))
    )[-1].name
    run = prompting.run(parent, items, listed)
    votes = prompting.votes(parent)
    codes = matrix(votes, harness)[:, 0]
    sets = np.unpackbits(
        np.frombuffer(votes.codebook.candidate_sets.data, np.uint8).reshape(-1, 7), axis=1, bitorder="little"
    )[:, :50]
    assert np.flatnonzero(sets[codes[0] - 50] == 0).tolist() == [7, 9]
    assert codes[1:].tolist() == [-2, -2]
    assert "near" in run.failures[0].reason
    assert len(endpoint.chats) == 1


def test_declarations_are_those_of_the_library() -> None:
    """Every attribute, through the message and back."""
    message = prompt(
        votes=prompts_pb2.PROMPT_VOTES_LOGPROBS,
        samples=3,
        temperature=0.5,
        structured=False,
        calibrate=True,
        family="family",
        endpoint="local",
        instructions="Be brief.",
        example_count=1,
        examples=[prompts_pb2.PromptExample(fields={"text": "x"}, answer="yes")],
    )
    message.parameters.update({"seed": 7, "top_p": 0.5, "stop": ["a", 1.0]})
    message.shortlist.MergeFrom(
        prompts_pb2.PromptShortlist(size=5, field="text", none="", descriptions={"yes": "it is"})
    )
    assert PromptFunction.from_dict(read_prompt(message, field="prompts[0]")).to_dict() == {
        "name": "asks",
        "model": MODEL,
        "template": "Does asks hold?\n{text}",
        "answers": {
            "yes": 1,
            "no": -1,
            "not spam": {"not": [1]},
            "either": {"one_of": [0, 1]},
            "perhaps": {"soft": [0.25, 0.5, 0.25]},
        },
        "endpoint": "local",
        "family": "family",
        "votes": "logprobs",
        "samples": 3,
        "temperature": 0.5,
        "max_tokens": 10,
        "parameters": {"seed": 7, "stop": ["a", 1], "top_p": 0.5},
        "structured": False,
        "calibrate": True,
        "examples": [{"fields": {"text": "x"}, "answer": "yes"}],
        "n_examples": 1,
        "shortlist": {
            "n": 5,
            "field": "text",
            "candidates": None,
            "none": None,
            "pick": 1,
            "descriptions": {"yes": "it is"},
        },
        "instructions": "Be brief.",
    }
    plain = read_prompt(prompts_pb2.Prompt(name="n", model="m", template="{text}"), field="prompts[0]")
    assert plain == {"name": "n", "model": "m", "template": "{text}", "answers": {}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[budget]", "endpoints: Field required"),
        ("[endpoints.default]", "budget: Field required"),
        ('[endpoints.default]\nkey = "sk-1"\n[budget]', "endpoints.default.key: Extra inputs"),
        ("[endpoints.default]\nconcurrency = 0\n[budget]", "endpoints.default.concurrency"),
        ("[budget", "prompts.toml"),
    ],
)
def test_settings_that_cannot_be_used(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(content)
    with pytest.raises(PromptSettingsError, match=message.replace("[", r"\[")):
        PromptFile.read(path)
    path.unlink()
    with pytest.raises(PromptSettingsError, match="No such file"):
        PromptFile.read(path)


async def test_a_server_without_the_prompts_extra_names_it(
    tmp_path: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    app = App(ServerConfig(listen="127.0.0.1:0", data_dir=tmp_path / "data", prompts_file=settings_file))
    with pytest.raises(StartError, match=r'pip install "weaklabel\[server,prompts\]"'):
        await app.start()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[budget]", "endpoints: Field required"),
        ('[endpoints.default]\nbase_url = "http://user:sk-1@host/v1"\n[budget]', "must hold no key"),
    ],
)
async def test_a_server_does_not_start_on_them(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.toml"
    path.write_text(content)
    app = App(ServerConfig(listen="127.0.0.1:0", data_dir=tmp_path / "data", prompts_file=path))
    with pytest.raises(StartError, match=f"WEAKLABEL_PROMPTS_FILE: .*{message}") as caught:
        await app.start()
    assert "sk-1" not in str(caught.value)


def test_with_tokens_plans_do_not_tell_what_other_projects_have_asked(
    serving: Callable[..., contextlib.AbstractContextManager[Any]],
    environment: dict[str, str],
    endpoint: Any,
    tmp_path: Path,
) -> None:
    asks = PromptFunction(name="asks", model=MODEL, template="Is this spam? {text}", answers={"no": 0, "yes": 1})
    cached = []
    made = [tokens.create(tmp_path, team, [f"admin:{team}"], days=None) for team in ("red", "blue")]
    with serving(tmp_path, environment | {"WEAKLABEL_REQUIRE_TOKENS": "on"}) as server:
        for team, token in zip(("red", "blue"), made, strict=True):
            with Client(server.process.address, token=token) as client:
                client.create_project(team, ["ham", "spam"])
                items = client.prompts.upload_items(team, [{"text": "subscribe"}, {"text": "lovely"}])
                before = client.prompts.plan(team, [asks], items).cached
                client.prompts.run(team, [asks], items).result()
                cached.append((before, client.prompts.plan(team, [asks], items).cached))
    assert cached == [(0, 2), (0, 2)]
    assert len(endpoint.requests) == 4
