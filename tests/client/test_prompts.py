"""client.prompts of both clients, against a real server that asks a real endpoint on loopback."""

import importlib.util
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weaklabel_client as wc
from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction
from weaklabel.prompts import run as library_run
from weaklabel.prompts.declaration.shown import Example, Shortlist
from weaklabel.votes.symbols import not_, one_of, soft
from weaklabel_client._inputs.prompts import prompt_messages
from weaklabel_client._results.prompts import Plan, PromptSummary
from weaklabel_protocol.v1 import prompts_pb2
from weaklabel_server.jobs.prompts import Items, _answered
from weaklabel_server.messages.prompts import read_prompt

SPAM = {
    "name": "asks for action",
    "model": "test-model",
    "template": "Does it ask to act? {text}",
    "answers": {
        "yes": 1,
        "no": -1,
        "not spam": wc.not_(1),
        "either": wc.one_of(0, 1),
        "perhaps": wc.soft([0.5, 0.5, 0]),
    },
    "max_tokens": 10,
}
TEXTS = ["buy now", "hello", "thanks", "hm", "who knows", "¿qué?"]
SAID = dict(zip(TEXTS, ["yes", "no", "not spam", "either", "perhaps", "what?"], strict=True))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Any]:
    """The endpoint of the library's own tests."""
    path = Path(__file__).parents[1] / "prompts" / "conftest.py"
    spec = importlib.util.spec_from_file_location("endpoint_of_prompts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.EndpointServer()
    server.reply = lambda request: server.completion(SAID[request.text.partition(">")[2].partition("</")[0]])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prompt_server(endpoint: Any, shared_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with an endpoint."""
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "prompts.toml").write_text(
        f"""
        [endpoints.default]
        base_url = "{endpoint.url}"
        [budget]
        money = 1
        [prices.test-model]
        input = 10
        output = 10
        """
    )
    environment = {"WEAKLABEL_PROMPTS_FILE": str(folder / "prompts.toml")}
    process = type(shared_server)(folder / "data", environment=environment)
    process.start()
    yield process
    process.kill()


@pytest.fixture
async def prompting(connect: Callable[..., Any], prompt_server: Any, endpoint: Any, project: str) -> Any:
    """A client of either kind, and a project."""
    client = connect(prompt_server.address)
    await client.create_project(project, ["ham", "spam", "other"])
    endpoint.requests.clear()
    return client


async def test_plan_run_and_read(prompting: Any, endpoint: Any, project: str) -> None:
    # Another name each time: what the other client has asked is cached.
    declared = SPAM | {"template": f"{uuid.uuid4().hex} {{text}}"}
    ids = [f"item {at}" for at in range(len(TEXTS))]
    items = await prompting.prompts.upload_items(project, TEXTS, ids=ids)
    assert (items.kind, items.n_rows) == ("fields", 6)
    plan = await prompting.prompts.plan(project, declared, items)
    assert not endpoint.requests
    assert (plan.calls, plan.cached, plan.spending.budget_money) == (6, 0, 1)
    assert 0 < plan.money < plan.most_money
    assert "6 calls" in str(plan)

    seen: list[wc.PromptProgress] = []
    operation = await prompting.prompts.run(project, [declared], items.name)
    run = await operation.result(progress=seen.append)
    assert (seen[-1].stage, seen[-1].done, seen[-1].fraction) == (wc.PromptStage.DONE, 6, 1.0)
    assert await operation.done()
    (summary,) = run.prompts
    assert (summary.voted, summary.abstained, summary.errors, summary.missing) == (4, 1, 1, 0)
    assert summary.agreement is None
    assert run.failures[0].row == 5
    assert run.spending.money == pytest.approx(6 * 55 * 10 / 1e6)
    assert "4 voted" in str(run)

    votes = await prompting.read_votes(project)
    assert (votes.sources, votes.items, votes.votes_version) == (("asks for action",), tuple(ids), run.votes_version)
    assert [votes.vote_at(row, 0) for row in range(6)] == [
        1,
        -1,
        wc.one_of(0, 2),
        wc.one_of(0, 1),
        wc.soft([0.5, 0.5, 0]),
        -2,
    ]
    assert (await prompting.prompts.spending(project)).money == run.spending.money
    assert [one.name async for one in prompting.prompts.list_runs(project)] == [run.name]
    assert await prompting.prompts.get_run(project, run.name.rpartition("/")[2]) == run
    # It is an operation like others, but no fit.
    assert [one async for one in prompting.list_operations(project)] == []
    again = await prompting.prompts.operation(operation.name)
    assert (await again.result()) == run


async def test_items_of_any_kind_are_uploaded_on_the_way(prompting: Any, endpoint: Any, project: str) -> None:
    pandas = pytest.importorskip("pandas")
    declared = SPAM | {"template": f"{uuid.uuid4().hex} {{text}}"}
    frame = pandas.DataFrame({"text": TEXTS, "n": range(6), "nothing": [None, np.nan] * 3})
    request_id = str(uuid.uuid4())
    operation = await prompting.prompts.run(project, declared, frame, request_id=request_id)
    assert (await operation.result()).prompts[0].calls == 6
    assert (await prompting.prompts.run(project, declared, frame, request_id=request_id)).name == operation.name
    rows = [{"text": text, "n": at} for at, text in enumerate(TEXTS)]
    assert (await prompting.prompts.plan(project, declared, rows)).cached == 6
    assert len(endpoint.chats) == 6
    # The same content lies on the server once.
    assert len([one async for one in prompting.list_side_data(project)]) == 1


async def test_cancel(prompting: Any, endpoint: Any, project: str) -> None:
    answered = endpoint.reply
    endpoint.reply = lambda _: endpoint.completion("yes", delay=5)
    declared = SPAM | {"template": f"{uuid.uuid4().hex} {{text}}"}
    operation = await prompting.prompts.run(project, declared, TEXTS)
    assert not await operation.wait(timeout=0.2)
    await operation.cancel()
    with pytest.raises(wc.Cancelled):
        await operation.result()
    endpoint.reply = answered


async def test_refusals(prompting: Any, client: Any, project: str) -> None:
    with pytest.raises(wc.InvalidArgument) as caught:
        await prompting.prompts.plan(project, SPAM | {"endpoint": "elsewhere"}, TEXTS)
    assert [one.field for one in caught.value.field_violations] == ["prompts[0].endpoint"]
    await client.create_project(project, ["ham", "spam", "other"])
    with pytest.raises(wc.FailedPrecondition, match="no endpoint") as refused:
        await client.prompts.run(project, SPAM, TEXTS)
    assert refused.value.reason == "PROMPTS_NOT_CONFIGURED"
    for prompts, items, message in (
        (SPAM | {"colour": "red"}, TEXTS, r'prompts\[0\]: there is no attribute "colour"'),
        (SPAM | {"answers": {"yes": "spam"}}, TEXTS, 'answers: "yes" stands for'),
        ([SPAM, 7], TEXTS, r"prompts\[1\]: a mapping"),
        (SPAM, [3], "fields: item 0 is no mapping"),
        (SPAM, [{"text": "a\ud800"}], "fields: text of item 0"),
    ):
        with pytest.raises(ValueError, match=message):
            await prompting.prompts.plan(project, prompts, items)


def test_declarations_arrive_as_the_library_made_them() -> None:
    """Through the client's message and the server's reading, every attribute set."""
    made = PromptFunction(
        name="all",
        model="m",
        template="{text} {more}",
        answers={"a": 0, "b": -1, "c": one_of(0, 2), "d": not_(1), "e": soft([0.25, 0.5, 0.25])},
        endpoint="local",
        family="f",
        votes="logprobs",
        samples=3,
        temperature=0.5,
        max_tokens=77,
        parameters={"seed": 7, "nested": {"x": [1, 2.5, None, True, "s"]}},
        structured=False,
        calibrate=True,
        examples=[Example({"text": "x", "more": "y"}, "a")],
        n_examples=1,
        shortlist=Shortlist(n=4, field="more", candidates="near", none=None, descriptions={"a": "it is a"}),
        instructions="Be brief.",
    )
    plain = PromptFunction(name="n", model="m", template="{text}", answers={"yes": 1, "no": 0})
    hidden = replace(plain, structured=False, show_answers=False)
    for prompt in (made, plain, hidden):
        (message,) = prompt_messages(prompt)
        assert PromptFunction.from_dict(read_prompt(message, field="prompts[0]")).to_dict() == prompt.to_dict()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"parse": "is (yes|no)"}, "parse: the server reads"),
        ({"answers": {"a": bool, "b": {"yes": 1}}}, '"a" is a field with answers of its own'),
    ],
)
def test_what_only_the_library_runs_is_refused(attributes: dict[str, Any], words: str) -> None:
    prompt = replace(PromptFunction(name="n", model="m", template="{text}", answers={"yes": 1, "no": 0}), **attributes)
    with pytest.raises(ValueError, match=words):
        prompt_messages(prompt)


def test_a_summary_tells_of_unknown_prices_and_of_plain_answers(endpoint: Any, tmp_path: Path) -> None:
    prompt = PromptFunction(
        name="n", model="no-such-model", template="{text}", answers={"yes": 1, "no": 0}, votes="logprobs"
    )
    engine = PromptEngine(Endpoint(base_url=endpoint.url), cache=tmp_path / "p.sqlite")
    ran = library_run([prompt], TEXTS[:2], engine, progress=False)
    (stored,) = _answered(ran, Items([], None)).summaries
    message = prompts_pb2.PromptSummary(**json.loads(json.dumps(stored)))
    summary = PromptSummary.from_message(prompts_pb2.PromptSummary.FromString(message.SerializeToString()))
    assert (summary.money, summary.plain, summary.voted, summary.calls) == (None, 2, 2, 2)
    assert str(summary).endswith("2 without probabilities; 2 calls, 0 cached, no price known")
    earlier = PromptSummary.from_message(prompts_pb2.PromptSummary(name="n", money=0.5))  # of a server before these
    assert (earlier.money, earlier.plain) == (0.5, 0)


@pytest.mark.parametrize(
    ("second", "total"), [((0.5, 2.0), "about $0.7500, at most $3.0000"), ((None, None), "no price known")]
)
def test_a_plan_shows_the_price_of_all_prompts(second: tuple[float | None, float | None], total: str) -> None:
    response = prompts_pb2.PlanPromptsResponse()
    for name, (money, most) in {"a": (0.25, 1.0), "b": second}.items():
        response.prompts.add(name=name, calls=2, money=money, most_money=most)
    assert str(Plan.from_message(response)).splitlines()[-1] == f"in all: 4 calls, 0 cached, {total}"
