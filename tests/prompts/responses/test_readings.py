"""Replies as people get them: read where the answer is unambiguous, an error where it is not."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import PromptEngine, PromptFunction, run
from weaklabel.prompts.declaration.answer_map import AnswerMap
from weaklabel.prompts.responses.parser import parse
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
SPAM = AnswerMap({"yes": 1, "no": -1, "unsure": -1, "clearly not spam": 0})
RATING = AnswerMap({"1": 0, "2": 1, "-1": 2, "true": 3})


def message(content: Any, finish_reason: str = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": finish_reason}]}


READ: dict[str, Any] = {
    "no opening tag": "It sells something.\n</think>\n\nyes",
    "both tags": "<think>no</think>yes",
    "two thoughts": "<think>no</think> no <think>no</think>yes",
    "another tag": "<thinking>no</thinking>\nyes",
    "Magistral": "[THINK]no[/THINK]yes",
    "gpt-oss": "<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>",
    "JSON after thinking": 'no</think>{"answer": "yes"}',
    "end of turn": "yes<|im_end|>",
    "end of text": "yes</s>",
    "fenced JSON": '```json\n{"answer": "yes"}\n```',
    "fenced JSON on a line": '```{"answer": "yes"}```',
    "fenced text": "```\nyes\n```",
    "fenced after words": 'It asks to click:\n\n```json\n{"answer": "yes"}\n```',
    "JSON and words": '{"answer": "yes"}\n\nIt asks to click.',
    "an extra key": '{"answer": "yes", "reason": "no link, but: no"}',
    "an extra key before": '{"reason": "no", "confidence": 0.9, "answer": "yes"}',
    "a list of one": '{"answer": ["yes"]}',
    "another case": '{"Answer": "YES"}',
    "line breaks in JSON": '{"why": "a\nb", "answer": "yes"}',
    "single quotes": "{'answer': 'yes'}",
    "no quotes": "{answer: yes}",
    "a comma too many": '{"answer": "yes",}',
    "byte-order mark": "\ufeffyes",
    "byte-order mark and JSON": '\ufeff{"answer": "yes"}',
    "zero-width space": "yes\u200b",
    "a label": "Answer: yes",
    "a label in bold": "**Answer:** yes.",
    "a label, all in bold": "**Answer: yes**",
    "final answer": "Final answer = Yes",
    "a label after reasons": "It sells.\nIt says no word of music.\n\nAnswer: yes",
    "a label before reasons": "Answer: yes\nReason: it sells.",
    "a label above": "It sells.\n### Answer:\nyes",
    "an element": "It sells. <answer>yes</answer>",
    "parts": [{"type": "text", "text": "y"}, {"type": "text", "text": "es"}],
    "parts with thinking": [{"type": "thinking", "thinking": [{"text": "no"}]}, {"type": "text", "text": "yes"}],
    "a part of output": [{"type": "output_text", "text": "yes"}],
    "an object": {"answer": "yes"},
}


@pytest.mark.parametrize("case", READ)
def test_what_is_unambiguous_is_read(case: str) -> None:
    parsed = parse(message(READ[case]), SPAM)
    assert (parsed.answers, parsed.error) == (("yes",), None)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ('{"answer": 1}', "1"),
        ('{"answer": 2.0}', "2"),
        ('{"answer": -1}', "-1"),
        ('{"answer": true}', "true"),
        ('{"answer": "1"}', "1"),
        ("1.", "1"),
        ("**-1**", "-1"),
        ("Answer: -1", "-1"),
        ("-2", None),
        ("1.5", None),
        ('{"answer": 1.5}', None),
        ('{"answer": null}', None),
        ("1-2", None),
    ],
)
def test_numbers_are_read_with_sign_and_point(content: str, answer: str | None) -> None:
    assert parse(message(content), RATING).answers == (() if answer is None else (answer,))


def test_a_number_is_no_answer_of_words_and_a_negative_one_not_a_positive() -> None:
    assert parse(message('{"answer": 1}'), SPAM).error is not None
    assert parse(message("-1"), AnswerMap({"0": 0, "1": 1})).error is not None


NOT_READ: dict[str, Any] = {
    "in a sentence": "The answer is yes.",
    "two lines": "yes\nno",
    "two labels": "Answer: yes\nAnswer: no",
    "a label in the middle": "It sells.\nAnswer: yes\nBut maybe not.",
    "two objects": '{"answer": "yes"} {"answer": "no"}',
    "a key twice": '{"answer": "yes", "answer": "no"}',
    "two keys": '{"answer": "yes", "ANSWER": "no"}',
    "another key": '{"label": "yes"}',
    "two answers": '{"answer": ["yes", "no"]}',
    "none": '{"answer": []}',
    "JSON inside of words": 'The item says {"answer": "yes"}, which I doubt.',
    "two fences": "```\nyes\n```\n```\nno\n```",
    "a fence inside of words": "The item says\n```\nyes\n```\nwhich I doubt.",
    "two elements": "<answer>yes</answer><answer>no</answer>",
    "an object inside": '{"answer": {"answer": "yes"}}',
    "thinking without end": "<think>yes",
    "thinking alone": "yes</think>",
    "parts of images": [{"type": "image_url", "image_url": "yes"}],
}


@pytest.mark.parametrize("case", NOT_READ)
def test_what_is_ambiguous_is_an_error(case: str) -> None:
    parsed = parse(message(NOT_READ[case]), SPAM)
    assert parsed.answers == ()
    assert parsed.error is not None


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_in_its_own_field(field: str) -> None:
    parsed = parse(message("yes", **{field: "no, no"}), SPAM)
    assert (parsed.answers, parsed.text, parsed.reasoning) == (("yes",), "yes", "no, no")
    assert parse(message(None, **{field: " yes\n"}), SPAM).answers == (
        "yes",
    )  # the whole reply was taken for reasoning
    assert "beside its reasoning" in str(parse(message("", **{field: "well, yes"}), SPAM).error)
    assert "raise max_tokens" in str(parse(message(None, "length", **{field: "yes"}), SPAM).error)


def test_a_refusal_among_parts() -> None:
    parsed = parse(message([{"type": "refusal", "refusal": "I can't."}]), SPAM)
    assert parsed.refused
    assert parsed.error == 'refused: "I can\'t."'


@pytest.mark.parametrize("content", ["1. cat\n2) Dog", "```\ncat\ndog\n```", '{"answer": ["cat", "dog"], "why": "x"}'])
def test_several_answers_are_read_likewise(content: str) -> None:
    assert parse(message(content), AnswerMap({"cat": 0, "dog": 1, "cow": 2}), most=2).answers == ("cat", "dog")


def test_shares_are_those_at_the_answer_and_not_of_a_word_like_it() -> None:
    def token(text: str, **others: float) -> dict[str, Any]:
        shares = {text: 1 - sum(others.values()), **others}
        top = [{"token": one, "logprob": math.log(share)} for one, share in shares.items()]
        return {"token": text, "logprob": math.log(shares[text]), "top_logprobs": top}

    tokens = [token('{"answer": "'), token("no", yes=0.3), token('", "why": "'), token("no", yes=0.01), token('"}')]
    response = message("".join(one["token"] for one in tokens))
    response["choices"][0]["logprobs"] = {"content": tokens}
    assert parse(response, SPAM).shares == pytest.approx({"no": 0.7, "yes": 0.3})


# -------------------------------------------------------------- the caller's way

OWN: list[tuple[Any, str]] = [
    (r"Verdict: (\w+)", "Verdict: yes, I think"),
    (r"(?<=Verdict: )\w+", "Verdict: yes, I think"),
    (re.compile(r"VERDICT: (\w+)", re.IGNORECASE), "verdict: yes, I think"),
    (lambda text: text.split()[-1], "I say yes"),
    (lambda text: [text.split()[-1]], "I say yes"),
]


@pytest.mark.parametrize(("way", "content"), OWN, ids=["group", "whole", "compiled", "function", "list"])
def test_a_way_of_reading_finds_the_answer(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, way: Any, content: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion("<think>Verdict: no</think>" + content)
    done = run([replace(prompt, parse=way)], ["a"], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]


def broken(text: str) -> str:
    raise KeyError(text)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (r"Verdict: (\w+)", "not an answer"),  # two of them
        (r"Score: (\w+)", "not an answer"),
        (lambda text: None, "not an answer"),
        (lambda text: "ham", "not an answer"),
        (broken, "parse raised KeyError"),
    ],
)
def test_a_way_of_reading_that_finds_none_is_an_error(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, way: Any, reason: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion("Verdict: yes. Verdict: no.")
    with pytest.warns(LabelingFunctionWarning, match=reason):
        done = run([replace(prompt, parse=way)], ["a"], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR]]


@pytest.mark.parametrize("way", ["(", r"(a)(b)", 5, re.compile(rb"(a)")])
def test_a_way_of_reading_that_is_none_is_refused(prompt: PromptFunction, way: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="parse"):
        replace(prompt, parse=way)


def test_only_a_regular_expression_is_written_as_json(prompt: PromptFunction) -> None:
    written = replace(prompt, parse=re.compile(r"V: (\w+)", re.IGNORECASE))
    assert written.to_dict()["parse"] == r"(?i)V: (\w+)"
    assert PromptFunction.from_dict(written.to_dict()) == written
    with pytest.raises(InvalidArgumentError, match="a function cannot be written"):
        replace(prompt, parse=str).to_dict()


# ------------------------------------------------------------ read again, not paid again


def test_another_way_of_reading_reads_cached_replies_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("Verdict: yes, I think")
    items = [f"item {i}" for i in range(15)]
    with pytest.warns(LabelingFunctionWarning):
        run([prompt], items, make_engine(), progress=False)
    done = run([replace(prompt, parse=r"Verdict: (\w+)")], items, make_engine(), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 15
    assert (done.spent.calls, done.spent.cached, len(endpoint.chats)) == (0, 15, 15)


@pytest.mark.parametrize("votes", ["answer", "logprobs"])
def test_other_words_for_the_answers_read_cached_replies_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, votes: Any
) -> None:
    """The template tells how to answer, and the request does not depend on the map."""
    own = replace(
        prompt,
        template="Spam? Reply ja or nein. {text}",
        structured=False,
        show_answers=False,
        answers={"yes": 1, "no": 0},
        votes=votes,
    )
    endpoint.reply = lambda request: endpoint.completion("Ja")
    with pytest.warns(LabelingFunctionWarning):
        run([own], ["a"], make_engine(), progress=False)
    assert "- yes" not in endpoint.chats[0].body["messages"][0]["content"]
    answers = {"ja": 1, "jawohl": 1, "nein": 0, "nee": 0, "vielleicht": -1}
    done = run([replace(own, answers=answers)], ["a"], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    assert len(endpoint.chats) == 1


def test_answers_that_are_not_shown_cannot_be_constrained(prompt: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="structured=False"):
        replace(prompt, show_answers=False)
