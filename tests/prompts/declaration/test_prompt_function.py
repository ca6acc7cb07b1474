"""Prompts as data: what may be declared, and that a declaration survives JSON."""

import json
from typing import Any

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.prompts import Budget, Endpoint, Example, PriceTable, PromptFunction, Shortlist
from weaklabel.votes.symbols import not_, one_of, soft

PLAIN: dict[str, Any] = {"name": "p", "model": "m", "template": "Q {text}", "answers": {"yes": 1, "no": -1}}


def test_a_declaration_survives_json() -> None:
    prompt = PromptFunction(
        name="p",
        model="m",
        template="Q {text}",
        answers={"a": 2, "b": one_of(0, 1), "c": not_(2), "d": soft([0.25, 0.25, 0.5]), "e": -1},
        votes="logprobs",
        samples=3,
        parameters={"seed": 7},
        calibrate=True,
        examples=[Example({"text": "t"}, "a")],
        n_examples=1,
        shortlist=Shortlist(n=2),
    )
    again = PromptFunction.from_dict(json.loads(json.dumps(prompt.to_dict())))
    assert again == prompt
    assert list(again.answers) == ["a", "b", "c", "d", "e"]
    assert PromptFunction.from_dict(PLAIN).to_dict() == PLAIN
    assert prompt.least_classes == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"template": "no field"}, "template"),
        ({"template": "{text.x}"}, "template"),
        ({"answers": {}}, "answers"),
        ({"answers": {"yes": 1, "YES ": 0}}, "answers"),
        ({"answers": {"yes": True}}, "answers"),
        ({"answers": {"yes": -2}}, "answers"),
        ({"answers": {"yes": "spam"}}, "answers"),
        ({"answers": {"yes": {"one_of": [1, 1]}}}, "answers"),
        ({"answers": {"yes": {"any": [1]}}}, "answers"),
        ({"answers": {" ": 1}}, "answers"),
        ({"votes": "guess"}, "votes"),
        ({"samples": 0}, "samples"),
        ({"samples": True}, "samples"),
        ({"samples": 2, "temperature": 0}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"parameters": {"messages": []}}, "parameters"),
        ({"parameters": {"x": float("nan")}}, "parameters"),
        ({"calibrate": True}, "calibrate"),
        ({"n_examples": 2}, "examples"),
        ({"examples": [{"fields": {"text": "t"}, "answer": "maybe"}], "n_examples": 1}, "examples"),
        ({"examples": [{"fields": {}, "answer": "yes"}], "n_examples": 1}, "examples"),
        ({"examples": [{"wrong": 1}]}, "examples"),
        ({"shortlist": {"n": 0}}, "shortlist"),
        ({"shortlist": {"none": "yes"}}, "shortlist"),
        ({"shortlist": {"none": " "}}, "shortlist"),
        ({"shortlist": {}, "answers": {"unsure": -1}}, "shortlist"),
        ({"examples": [{"fields": "t", "answer": "yes"}], "n_examples": 1}, "examples"),
        ({"temperature": "hot"}, "temperature"),
        ({"shortlist": {"wrong": 1}}, "shortlist"),
        ({"base_url": "http://elsewhere"}, "base_url"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        PromptFunction.from_dict(PLAIN | change)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("model", "group"),
    [
        ("gpt-5-mini", "gpt-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5"),
        ("gpt-5", "gpt-5"),
        ("llama3.1:8b", "llama3.1"),
        ("llama3.1:70b-instruct", "llama3.1"),
        ("qwen2.5-7b-instruct", "qwen2.5"),
    ],
)
def test_models_of_one_family_are_one_group(model: str, group: str) -> None:
    assert PromptFunction.from_dict(PLAIN | {"model": model}).group == group


def test_a_family_may_be_named() -> None:
    assert PromptFunction.from_dict(PLAIN | {"family": "ours"}).group == "ours"


def test_settings_survive_json() -> None:
    endpoint = Endpoint(base_url="http://localhost:1/v1", key_variable="MY_KEY", concurrency=3)
    assert Endpoint.from_dict(json.loads(json.dumps(endpoint.to_dict()))) == endpoint
    assert Budget.from_dict(json.loads(json.dumps(Budget(money=2.5).to_dict()))) == Budget(money=2.5)
    table = PriceTable.default()
    assert PriceTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://x"},
        {"concurrency": 0},
        {"timeout": 0},
        {"max_retries": -1},
        {"requests_per_minute": 0},
        {"key": "k"},
    ],
)
def test_endpoints_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        Endpoint.from_dict(settings)


def test_a_dated_model_costs_what_its_model_does() -> None:
    table = PriceTable.default()
    assert table.of("gpt-5-mini-2025-08-07") == table.of("gpt-5-mini")
    assert table.of("gpt-5-unheard-of") is None
