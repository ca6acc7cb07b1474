"""What a response is parsed to: answers, and their probabilities out of those of the tokens."""

import math
from typing import Any

import pytest

from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.responses.completion import is_completion
from weaklabel.prompts.responses.parser import parse

SPAM = AnswerMap({"yes": 1, "no": -1, "unsure": -1, "clearly not spam": 0})


def token(text: str, shares: dict[str, float]) -> dict[str, Any]:
    """A token of a reply with its alternatives, as the protocol has it."""
    top = [{"token": other, "logprob": math.log(share)} for other, share in shares.items()]
    return {"token": text, "logprob": math.log(shares[text]), "top_logprobs": top}


def reply(*tokens: dict[str, Any]) -> dict[str, Any]:
    content = "".join(one["token"] for one in tokens)
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": "stop", "logprobs": {"content": list(tokens)}}]}


FIRST = {"yes": 0.7, "no": 0.2, "unsure": 0.06, "clearly": 0.04}
EXPECTED = {"yes": 0.7, "no": 0.2, "unsure": 0.06, "clearly not spam": 0.04}


def sure(text: str) -> dict[str, Any]:
    return token(text, {text: 1.0})


@pytest.mark.parametrize(
    "response",
    [
        reply(token("yes", FIRST)),
        reply(sure('{"'), sure("answer"), sure('":"'), token("yes", FIRST), sure('"}')),
        reply(sure('{"answer": '), token('"yes', {f'"{a}': share for a, share in FIRST.items()}), sure('"}')),
        reply(token("Yes", {a.capitalize(): share for a, share in FIRST.items()}), sure(".")),
        reply(token("yes", {"yes": 0.4, "Yes": 0.3} | {a: share for a, share in FIRST.items() if a != "yes"})),
        reply(token("clearly", FIRST), sure(" not"), sure(" spam")),
    ],
    ids=["plain", "json", "quote in the token", "capitals", "two spellings", "the rarest"],
)
def test_shares_are_the_probabilities_of_the_answers(response: dict[str, Any]) -> None:
    assert parse(response, SPAM).shares == pytest.approx(EXPECTED)


def test_what_belongs_to_no_answer_is_left_out() -> None:
    parsed = parse(reply(token("yes", {"yes": 0.6, "no": 0.2, "Sure": 0.2})), SPAM)
    assert parsed.shares == pytest.approx({"yes": 0.75, "no": 0.25})


def test_answers_that_start_alike_part_where_they_differ() -> None:
    answers = AnswerMap({"class a": 0, "class b": 1, "class bb": 2})
    shares = {" a": 0.5, " b": 0.5}
    response = reply(sure("class"), token(" b", shares), token("b", {"b": 0.4, "<end>": 0.6}))
    assert parse(response, answers).shares == pytest.approx({"class a": 0.5 / 0.7, "class bb": 0.2 / 0.7})


def test_an_answer_that_starts_another_ends_before_it() -> None:
    answers = AnswerMap({"no": 0, "not spam": 1})
    response = reply(sure('{"answer":"'), token("no", {"no": 0.9, "yes": 0.1}), token('"}', {'"}': 0.8, "t": 0.2}))
    assert parse(response, answers).shares == pytest.approx({"no": 0.8, "not spam": 0.2})


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": None},
        {"content": [{"token": "yes"}]},
        {"content": [{"token": "other", "logprob": -1.0}]},
        "no",
    ],
)
def test_without_usable_logprobs_the_answer_alone_counts(logprobs: Any) -> None:
    response = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop", "logprobs": logprobs}]}
    parsed = parse(response, SPAM)
    assert parsed.answers == ("yes",)
    assert not parsed.shares
    assert parsed.error is None


def test_thinking_is_not_the_answer() -> None:
    response = {"choices": [{"message": {"content": "<think>no, no</think>\n\nyes"}, "finish_reason": "stop"}]}
    assert parse(response, SPAM).answers == ("yes",)


def test_answers_that_differ_in_punctuation_only_must_match_exactly() -> None:
    answers = AnswerMap({"C": 0, "C++": 1, "C#": 2})
    assert [answers.match(text) for text in ("c", "C++", "c#", "C.", "(c)")] == ["C", "C++", "C#", None, None]


@pytest.mark.parametrize(
    "value", [None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "yes"}]}, "x", 5]
)
def test_what_is_no_completion(value: Any) -> None:
    assert not is_completion(value)


def test_several_answers_where_several_may_be_named() -> None:
    answers = AnswerMap({"cat": 0, "dog": 1, "cow": 2})
    for content in ('{"answer": ["cat", "dog"]}', "cat\n- Dog\n"):
        response = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
        assert parse(response, answers, most=2).answers == ("cat", "dog")
    for content in ('{"answer": ["cat", "dog", "cow"]}', "cat\ncat", "cat\nfish", '{"answer": []}'):
        response = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
        assert parse(response, answers, most=2).error is not None


def test_brackets_nested_deep_are_no_answer() -> None:
    content = '{"answer": ' + "[" * 20_000
    response = {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]}
    assert str(parse(response, SPAM).error).startswith("not an answer")
