"""Answers of several fields: one call, a source for each field."""

import enum
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field

from weaklabel import apply
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning, labeling_function
from weaklabel.prompts import (
    Budget,
    EndpointError,
    Example,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    Shortlist,
    next_to_ask,
    plan,
    run,
    with_examples,
)
from weaklabel.votes import ABSTAIN, ERROR, Votes

Make = Callable[..., PromptEngine]


class Tone(enum.Enum):
    FRIENDLY = "friendly"
    RUDE = "rude"
    NEUTRAL = "neutral"


class Link(enum.Enum):
    yes = 1
    no = ABSTAIN
    unsure = ABSTAIN  # noqa: PIE796  # an alias to Python, an answer of its own to us


class Comment(BaseModel):
    """A comment."""

    kind: Literal["ham", "spam"] = Field(description="what it is")
    tone: Tone
    link: Link
    shouts: bool


@pytest.fixture
def several() -> PromptFunction:
    return PromptFunction(name="p", model="m", template="Judge: {text}", answers=Comment)


def reply(**fields: Any) -> str:
    return json.dumps({"kind": "spam", "tone": "rude", "link": "yes", "shouts": True} | fields)


NAMES = ("p.kind", "p.tone", "p.link", "p.shouts")


def test_one_call_makes_a_vote_for_each_field(endpoint: Any, make_engine: Make, several: PromptFunction) -> None:
    said = {
        "a": reply(),
        "b": reply(kind="ham", tone="neutral", link="no", shouts=False),
        "c": reply(link="unsure", tone="friendly"),
    }
    endpoint.reply = lambda request: endpoint.completion(said[_item(request)])
    engine = make_engine(prices=PriceTable({"m": Price(100.0, 1000.0)}))
    before = plan([several], ["a", "b", "c"], engine)
    assert (before.calls, [one.name for one in before.prompts]) == (3, list(NAMES))
    done = run([several], ["a", "b", "c"], engine, progress=False)
    assert done.votes.source_names == NAMES
    assert done.votes.to_codes().tolist() == [[1, 1, 1, 1], [0, 2, -1, 0], [1, 0, -1, 1]]
    assert (len(endpoint.chats), done.spent.calls) == (3, 3)
    assert done.spent.money == pytest.approx(3 * (50 * 100 + 5 * 1000) / 1e6)
    assert done.families == dict.fromkeys(NAMES, "m")
    assert [one.prompt for one in done.replies()] == [name for name in NAMES for _ in range(3)]
    assert sum(one.money or 0.0 for one in done.replies()) == pytest.approx(done.spent.money)
    again = run([several], ["a", "b", "c"], engine, progress=False)
    assert (again.votes, again.spent.calls, plan([several], ["a", "b", "c"], engine).calls) == (done.votes, 0, 0)


def _item(request: Any) -> str:
    return str(request.text.split(">")[1].split("<")[0])


def test_the_request_holds_the_schema_of_the_model(endpoint: Any, make_engine: Make, several: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion(reply())
    run([several], ["a"], make_engine(), progress=False)
    asked = endpoint.chats[0].body
    form = asked["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"] == {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["ham", "spam"], "description": "what it is"},
            "tone": {"type": "string", "enum": ["friendly", "rude", "neutral"]},
            "link": {"type": "string", "enum": ["yes", "no", "unsure"]},
            "shouts": {"type": "boolean"},
        },
        "required": ["kind", "tone", "link", "shouts"],
        "additionalProperties": False,
    }
    system = asked["messages"][0]["content"]
    for line in ('- kind (what it is): "ham", "spam"', "- shouts: false, true"):
        assert line in system.splitlines()


def test_an_endpoint_without_response_formats_answers_all_the_same(
    endpoint: Any, make_engine: Make, several: PromptFunction
) -> None:
    endpoint.reply = lambda request: (
        endpoint.status(400, "response_format is not supported", param="response_format")
        if "response_format" in request.body
        else endpoint.completion(f"Here it is:\n```json\n{reply()}\n```")
    )
    assert run([several], ["a"], make_engine(), progress=False).votes.to_codes().tolist() == [[1, 1, 1, 1]]


ONE_FAILS: dict[str, str] = {
    "missing": json.dumps({"kind": "spam", "link": "yes", "shouts": True}),
    "no answer of it": reply(tone="odd"),
    "null": reply(tone=None),
    "an object": reply(tone={"tone": "rude"}),
    "a list of two": reply(tone=["rude", "neutral"]),
    "given twice": reply()[:-1] + ', "tone": "neutral"}',
    "a boolean": reply(tone=True),
}


@pytest.mark.parametrize("case", ONE_FAILS)
def test_the_reading_of_each_field_fails_alone(
    endpoint: Any, make_engine: Make, several: PromptFunction, case: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion(ONE_FAILS[case])
    with pytest.warns(LabelingFunctionWarning, match=r"p\.tone"):
        done = run([several], [f"item {i}" for i in range(25)], make_engine(), progress=False)  # past the first 20
    assert done.votes.to_codes().tolist() == [[1, ERROR, 1, 1]] * 25
    assert {one.function for one in done.failures} == {"p.tone"}
    assert "not an answer to 'tone'" in done.failures[0].error


@pytest.mark.parametrize(("field", "column"), [("kind", 0), ("shouts", 3)])
def test_a_field_that_always_fails_does_not_end_the_run(
    endpoint: Any, make_engine: Make, several: PromptFunction, field: str, column: int
) -> None:
    endpoint.reply = lambda request: endpoint.completion(reply(**{field: "odd"}))
    with pytest.warns(LabelingFunctionWarning):
        done = run([several], [f"item {i}" for i in range(25)], make_engine(), progress=False)
    assert done.votes.errors.tolist() == [25 * (at == column) for at in range(4)]


READ: dict[str, str] = {
    "keys in other cases": '{"KIND": "Spam", " Tone": "RUDE", "link": "yes.", "shouts": true}',
    "booleans as texts": reply(shouts="True"),
    "a list of one": reply(tone=["rude"]),
    "further keys": reply(why="because"),
    "reasoning": f"<think>hm</think>\n{reply()}",
    "a fence": f"```\n{reply()}\n```",
    "words after it": f"{reply()}\nThat is all.",
}


@pytest.mark.parametrize("case", READ)
def test_replies_people_really_get_are_read(
    endpoint: Any, make_engine: Make, several: PromptFunction, case: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion(READ[case])
    assert run([several], ["a"], make_engine(), progress=False).votes.to_codes().tolist() == [[1, 1, 1, 1]]


UNREAD = {
    "no JSON": "spam",
    "two objects": f"{reply()}\n{reply(kind='ham')}",
    "cut off": reply()[:-9],
    "a list": f"[{reply()}]",
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_reply_without_an_object_of_its_own_fails_in_every_field(
    endpoint: Any, make_engine: Make, several: PromptFunction, case: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion(UNREAD[case])
    with pytest.warns(LabelingFunctionWarning):
        done = run([several], ["a"], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR] * 4]
    with pytest.raises(EndpointError, match="fail alike"):
        run([several], [f"item {i}" for i in range(30)], make_engine(), progress=False)
    assert len(endpoint.chats) <= 1 + 20


def test_a_field_that_failed_is_asked_again_in_one_call(
    endpoint: Any, make_engine: Make, several: PromptFunction
) -> None:
    items = [f"item {i}" for i in range(300)]  # more than are looked up together
    endpoint.reply = lambda request: endpoint.completion(reply(tone="odd") if "item 255<" in request.text else reply())
    with pytest.warns(LabelingFunctionWarning, match=r"p\.tone"):
        first = run([several], items, make_engine(), progress=False)
    assert [one.item for one in first.failures] == [255]
    endpoint.reply = lambda request: endpoint.completion(reply(kind="ham"))
    done = run([several], items, make_engine(), progress=False, ask_again=True)
    assert done.spent.calls == 1
    assert done.votes.to_codes()[255].tolist() == [0, 1, 1, 1]  # all of the new reply, nothing of the old one


def test_apply_puts_the_sources_where_the_prompt_stands(
    endpoint: Any, make_engine: Make, several: PromptFunction
) -> None:
    @labeling_function()
    def first(x: Any) -> int:
        return 0

    @labeling_function()
    def last(x: Any) -> int:
        return 1

    endpoint.reply = lambda request: endpoint.completion(reply())
    votes = apply([first, several, last], ["a"], engine=make_engine(), progress=False)
    assert votes.source_names == ("first", *NAMES, "last")
    assert votes.to_codes().tolist() == [[0, 1, 1, 1, 1, 1]]
    assert votes.n_classes == 3  # of the tone


def test_names_that_repeat_are_refused(make_engine: Make, several: PromptFunction) -> None:
    other = PromptFunction(name="p.tone", model="m", template="{text}", answers={"a": 0})
    with pytest.raises(InvalidArgumentError, match=r"p\.tone"):
        apply([several, other], ["a"], engine=make_engine(), progress=False)


def test_probabilities_are_those_of_the_field(endpoint: Any, make_engine: Make) -> None:
    prompt = PromptFunction(
        name="p",
        model="m",
        template="{text}",
        answers={"a": {"yes": 1, "no": 0}, "b": {"yes": 1, "no": 0}, "c": bool},
        votes="logprobs",
    )
    shares = {"a": 0.9, "b": 0.3, "c": 0.6}
    tokens: list[tuple[str, float, str, float]] = []
    for field, share in shares.items():
        quote = "" if field == "c" else '"'
        tokens.append((f'{", " if tokens else "{"}"{field}": {quote}', 1.0, "x", 0.0))
        said, other = (("true", "false") if field == "c" else ("yes", "no"))[:: 1 if share > 0.5 else -1]
        likelier = max(share, 1 - share)
        tokens.append((said, likelier, other, 1 - likelier))
        tokens.append((quote, 1.0, "x", 0.0))
    tokens.append(("}", 1.0, "x", 0.0))
    logprobs = [
        {
            "token": said,
            "logprob": math.log(p),
            "top_logprobs": [
                {"token": said, "logprob": math.log(p)},
                {"token": other, "logprob": math.log(q) if q else -99.0},
            ],
        }
        for said, p, other, q in tokens
        if said
    ]
    text = "".join(one[0] for one in tokens)
    endpoint.reply = lambda request: endpoint.completion(text, logprobs=logprobs)
    votes = run([prompt], ["a"], make_engine(), progress=False).votes
    likely = votes.symbols.distributions()[votes.to_codes()[0]]
    np.testing.assert_allclose(likely[:, 1], list(shares.values()), atol=1e-3)


def test_frequencies_of_samples_are_those_of_the_field(endpoint: Any, make_engine: Make) -> None:
    prompt = PromptFunction(name="p", model="m", template="{text}", answers={"a": bool, "b": bool}, samples=4)
    said = iter([(True, True), (True, False), (True, False), (False, False)])
    endpoint.reply = lambda request: endpoint.completion(json.dumps(dict(zip("ab", next(said), strict=True))))
    done = run([prompt], ["a"], make_engine(), progress=False)
    assert len(endpoint.chats) == 4
    likely = done.votes.symbols.distributions()[done.votes.to_codes()[0]]
    np.testing.assert_allclose(likely[:, 1], [0.75, 0.25])


def test_a_function_may_read_the_fields(endpoint: Any, make_engine: Make, several: PromptFunction) -> None:
    def lines(text: str) -> Any:
        return dict(line.split("=") for line in text.splitlines())

    endpoint.reply = lambda request: endpoint.completion("kind=spam\ntone=rude\nshouts=true")
    with pytest.warns(LabelingFunctionWarning, match=r"p\.link"):
        done = run([replace(several, parse=lines)], ["a"], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1, 1, ERROR, 1]]


def test_examples_show_an_answer_to_each_field(endpoint: Any, make_engine: Make, several: PromptFunction) -> None:
    solved = {"kind": "ham", "tone": "friendly", "link": "no", "shouts": "false"}
    shown = replace(several, examples=[Example({"text": "nice song"}, solved)], n_examples=1)
    endpoint.reply = lambda request: endpoint.completion(reply())
    run([shown], ["a"], make_engine(), progress=False)
    assert json.loads(endpoint.chats[0].body["messages"][2]["content"]) == solved | {"shouts": False}
    assert PromptFunction.from_dict(json.loads(json.dumps(shown.to_dict()))) == shown


def test_a_budget_counts_a_call_once(endpoint: Any, make_engine: Make, several: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion(reply())
    table = PriceTable({"m": Price(100.0, 1000.0)})
    free = make_engine(prices=table, cache=None)
    most = plan([several], ["a", "b"], free).most_money
    assert most is not None
    engine = make_engine(prices=table, cache=None, budget=Budget(money=most * 1.01), concurrency=2)
    assert run([several], ["a", "b"], engine, progress=False).stopped is None


def test_votes_of_a_field_may_change_without_another_call(endpoint: Any, make_engine: Make) -> None:
    endpoint.reply = lambda request: endpoint.completion('{"a": "yes", "b": "no"}')
    maps = {"a": {"yes": 1, "no": ABSTAIN}, "b": {"yes": 1, "no": 0}}
    prompt = PromptFunction(name="p", model="m", template="{text}", answers=maps)
    assert run([prompt], ["a"], make_engine(), progress=False).votes.to_codes().tolist() == [[1, 0]]
    other = replace(prompt, answers=maps | {"a": {"yes": 0, "no": ABSTAIN}})
    done = run([other], ["a"], make_engine(), progress=False)
    assert (done.votes.to_codes().tolist(), done.spent.calls) == ([[0, 0]], 0)


def test_a_declaration_goes_through_json(several: PromptFunction) -> None:
    read = PromptFunction.from_dict(json.loads(json.dumps(several.to_dict())))
    assert read == several
    assert read.descriptions == {"kind": "what it is"}
    assert read.source_names == NAMES
    assert read.least_classes == 3


def test_a_vote_in_json_is_no_field() -> None:
    votes = PromptFunction(name="p", model="m", template="{text}", answers={"a": {"one_of": [0, 2]}, "b": {"not": [1]}})
    assert (votes.fields, votes.source_names, votes.least_classes) == ((), ("p",), 3)


class _Text(BaseModel):
    kind: str


class _Number(BaseModel):
    kind: Literal["a", "b"]
    score: int


class _Optional(BaseModel):
    kind: Literal["a", "b"] | None


class _Numbers(BaseModel):
    kind: Literal[1, 2]


class _Empty(BaseModel):
    pass


class _Nested(BaseModel):
    inner: _Text


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a text": ({"answers": _Text}, "'kind' is of .*str.*expected a Literal of texts, an Enum or bool"),
    "a number": ({"answers": _Number}, "'score'"),
    "an optional one": ({"answers": _Optional}, "'kind'.*-1 is an abstain"),
    "numbers": ({"answers": _Numbers}, "'kind'.*1 is not a text"),
    "a model in it": ({"answers": _Nested}, "'inner'"),
    "no fields": ({"answers": _Empty}, "has no fields"),
    "a vote beside a field": ({"answers": {"a": bool, "b": 1}}, "'b' is of 1"),
    "fields that differ in case": ({"answers": {"a": bool, "A": bool}}, "differ in case only"),
    "a field without answers": ({"answers": {"a": {}, "b": bool}}, "'a'"),
    "a shortlist": ({"answers": Comment, "shortlist": Shortlist()}, "one field"),
    "a regular expression": ({"answers": Comment, "parse": "(x)"}, "a function"),
    "another's description": ({"answers": Comment, "descriptions": {"x": "y"}}, "'x' is no field"),
    "an example of one text": (
        {"answers": Comment, "examples": [Example({"text": "a"}, "ham")], "n_examples": 1},
        "example 0",
    ),
    "an example without a field": (
        {"answers": {"a": bool, "b": bool}, "examples": [Example({"text": "a"}, {"a": "true"})], "n_examples": 1},
        "example 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused(case: str) -> None:
    attributes, words = REFUSED[case]
    with pytest.raises(InvalidArgumentError, match=words):
        PromptFunction(**{"name": "p", "model": "m", "template": "{text}"} | attributes)


def test_what_knows_one_source_a_prompt_says_so(several: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="each of several fields"):
        with_examples(several, ["a"], [0])
    with pytest.raises(InvalidArgumentError, match="several sources"):
        next_to_ask(Votes.from_dense([[0, 1], [1, 1]], 2), [several], 5)
