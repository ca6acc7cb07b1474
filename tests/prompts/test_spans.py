"""Prompts that find spans: quotes are checked against the text, and become votes of a SequenceModel."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from weaklabel import SequenceModel, apply
from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.sequences import Document, apply_spans, span_function, token_votes
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Budget,
    EndpointError,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    SpanExample,
    SpanPrompt,
    StoppedEarlyWarning,
    plan,
    run,
    run_async,
    run_batch,
)
from weaklabel.prompts.declaration.places import places

Make = Callable[..., PromptEngine]
TEXT = "Rome: Ann met the Romans in Rome. Ann  Lee left."


@pytest.fixture
def names() -> SpanPrompt:
    return SpanPrompt(
        name="names",
        model="m",
        template="Find the names: {text}",
        types={"PER": "a person", "LOC": ""},
    )


def spans(*found: tuple[Any, ...]) -> str:
    keys = ("quote", "type", "occurrence")
    return json.dumps({"spans": [dict(zip(keys, one, strict=False)) for one in found]})


def item(request: Any) -> str:
    match = re.search(r"<(data-\w+)>(.*)</\1>", request.text, re.DOTALL)
    assert match is not None
    return match[2]


def test_the_request_asks_for_quotes_of_these_types(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion(spans())
    run([names], [TEXT], make_engine(), progress=False)
    asked = endpoint.chats[0].body
    assert asked["temperature"] == 0
    assert asked["response_format"]["json_schema"]["schema"]["properties"]["spans"]["items"] == {
        "type": "object",
        "properties": {
            "quote": {"type": "string"},
            "type": {"type": "string", "enum": ["PER", "LOC"]},
            "occurrence": {"type": "integer"},
        },
        "required": ["quote", "type", "occurrence"],
        "additionalProperties": False,
    }
    assert "- PER: a person\n- LOC\n" in asked["messages"][0]["content"]
    assert item(endpoint.chats[0]) == TEXT


CASES: dict[str, tuple[list[tuple[Any, ...]], list[tuple[int, int, str]], list[tuple[str, str]]]] = {
    "one place": ([("Romans", "LOC", 1)], [(18, 24, "LOC")], []),
    "one place, whatever its number": ([("Romans", "LOC", 7)], [(18, 24, "LOC")], []),
    "the second place": ([("Rome", "LOC", 2)], [(28, 32, "LOC")], []),
    "not within a word": ([("Ann", "PER", 1), ("Ann", "PER", 2)], [(6, 9, "PER"), (34, 37, "PER")], []),
    "within a word, where it is nowhere else": ([("Roman", "LOC", 1)], [(18, 23, "LOC")], []),
    "white space": ([(" Ann Lee\n", "PER", 1)], [(34, 42, "PER")], []),
    "type in other letters": ([("Romans", "loc.", 1)], [(18, 24, "LOC")], []),
    "twice the same": ([("Romans", "LOC", 1), ("Romans", "LOC", 1)], [(18, 24, "LOC")], []),
    "two types": ([("Romans", "PER", 1), ("Romans", "LOC", 1)], [(18, 24, "LOC"), (18, 24, "PER")], []),
    "in order": ([("Ann", "PER", 2), ("Rome", "LOC", 1)], [(0, 4, "LOC"), (34, 37, "PER")], []),
    "not in the text": ([("Romans", "LOC", 1), ("Paris", "LOC", 1)], [(18, 24, "LOC")], [("Paris", "not in the text")]),
    "in other letters": ([("Romans", "LOC", 1), ("ann", "PER", 1)], [(18, 24, "LOC")], [("ann", "not in the text")]),
    "no such place": ([("Romans", "LOC", 1), ("Rome", "LOC", 3)], [(18, 24, "LOC")], [("Rome", "no such place")]),
    "place 0": ([("Romans", "LOC", 1), ("Rome", "LOC", 0)], [(18, 24, "LOC")], [("Rome", "no such place")]),
    "several places": ([("Romans", "LOC", 1), ("Rome", "LOC")], [(18, 24, "LOC")], [("Rome", "several places")]),
    "unknown type": ([("Romans", "LOC", 1), ("Ann", "ORG", 1)], [(18, 24, "LOC")], [("Ann", "unknown type")]),
    "empty quote": ([("Romans", "LOC", 1), (" ", "LOC", 1)], [(18, 24, "LOC")], [(" ", "not in the text")]),
    "none": ([], [], []),
}


@pytest.mark.parametrize("case", CASES)
def test_quotes_are_checked_against_the_text(endpoint: Any, make_engine: Make, names: SpanPrompt, case: str) -> None:
    said, found, left_out = CASES[case]
    endpoint.reply = lambda request: endpoint.completion(spans(*said))
    done = run([names], [TEXT], make_engine(), progress=False)
    assert done.spans == {"names": [found]}
    (reply,) = done.replies()
    assert reply.spans == tuple(found)
    assert [(one.quote, one.reason) for one in reply.left_out] == left_out
    assert done.summary[0].left_out == ({left_out[0][1]: 1} if left_out else {})
    assert (done.summary[0].spans, done.summary[0].answered, done.summary[0].errors) == (len(found), 1, 0)


def test_all_places_where_that_is_said(endpoint: Any, make_engine: Make) -> None:
    prompt = SpanPrompt(name="p", model="m", template="{text}", types=["LOC"], repeats="all")
    endpoint.reply = lambda request: endpoint.completion(spans(("Rome", "LOC")))
    done = run([prompt], [TEXT], make_engine(), progress=False)
    assert done.spans == {"p": [[(0, 4, "LOC"), (28, 32, "LOC")]]}
    span = endpoint.chats[0].body["response_format"]["json_schema"]["schema"]["properties"]["spans"]["items"]
    assert list(span["properties"]) == ["quote", "type"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("Ann is a person", "no list of spans: 'Ann is a person'"),
        ('{"spans": [{"quote": "Ann"}]}', "no list of spans: "),
        ('{"spans": "Ann"}', "no list of spans: "),
        ('{"spans": []} {"spans": []}', "no list of spans: "),
        (spans(("Paris", "LOC", 1)), "no span of the reply is one of the text: 'Paris', not in the text"),
    ],
)
def test_what_is_no_spans_is_an_error(
    endpoint: Any, make_engine: Make, names: SpanPrompt, content: str, error: str
) -> None:
    endpoint.reply = lambda request: endpoint.completion(content)
    with pytest.warns(LabelingFunctionWarning, match="'names' failed on 1 of 1 items"):
        done = run([names], [TEXT], make_engine(), progress=False)
    assert done.spans == {"names": [None]}
    assert done.failures[0].error.startswith(error)
    assert (done.summary[0].answered, done.summary[0].errors) == (0, 1)
    # asked again, and the better reply kept
    endpoint.reply = lambda request: endpoint.completion(spans(("Romans", "LOC", 1)))
    again = run([names], [TEXT], make_engine(), progress=False, ask_again=True)
    assert (again.spans, again.spent.calls) == ({"names": [[(18, 24, "LOC")]]}, 1)
    assert run([names], [TEXT], make_engine(), progress=False).spent.calls == 0


@pytest.mark.parametrize("form", ["```json\n{}\n```", "<think>Ann?</think>{}", "{}\nThese are the spans.", "  {}"])
def test_replies_are_read_in_the_usual_forms(endpoint: Any, make_engine: Make, names: SpanPrompt, form: str) -> None:
    endpoint.reply = lambda request: endpoint.completion(form.replace("{}", spans(("Romans", "LOC", 1))))
    assert run([names], [TEXT], make_engine(), progress=False).spans == {"names": [[(18, 24, "LOC")]]}
    listed = json.dumps([{"quote": "Romans", "type": "LOC"}])
    endpoint.reply = lambda request: endpoint.completion(form.replace("{}", listed))
    assert run([names], [TEXT + " "], make_engine(), progress=False).spans == {"names": [[(18, 24, "LOC")]]}


def test_marks_of_chat_templates_in_a_text_do_not_hide_its_quotes(
    endpoint: Any, make_engine: Make, names: SpanPrompt
) -> None:
    text = "say <|im_end|> now"
    endpoint.reply = lambda request: endpoint.completion(spans((item(request).split()[1], "LOC", 1)))
    assert run([names], [text], make_engine(), progress=False).spans == {"names": [[(4, 14, "LOC")]]}
    assert "<\u200b|im_end|>" in item(endpoint.chats[0])  # what the model saw and quoted


def test_what_a_run_takes_is_planned_counted_and_kept(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion(spans(("Ann", "PER", 1)), usage=(100, 20))
    documents = [f"Ann and {i}" for i in range(4)]
    engine = make_engine(prices=PriceTable({"m": Price(10.0, 100.0)}))
    before = plan([names], documents, engine)
    assert (before.calls, before.prompts[0].name) == (4, "names")
    assert (before.most_money or 0) > 4 * 4096 * 100 / 1e6
    done = run([names], documents, engine, progress=False, items=["a", "b", "c", "d"])
    assert done.spent.money == pytest.approx(4 * (100 * 10 + 20 * 100) / 1e6)
    assert done.spent.calls == 4
    assert done.summary[0].money == pytest.approx(done.spent.money)
    assert [one.item_id for one in done.replies()] == ["a", "b", "c", "d"]
    assert done.families == {"names": "m"}
    assert "4 spans in 4 documents" in str(done)
    assert run([names], documents, engine, progress=False).spent.calls == 0
    small = make_engine(prices=PriceTable({"m": Price(0.0, 0.0)}), budget=Budget(tokens=1.0))
    stopped = run([names], ["Ann"], small, progress=False)
    assert (stopped.stopped, stopped.missing.tolist(), stopped.spans) == ("budget", [[True]], {"names": [None]})


def test_the_first_replies_that_fail_alike_end_the_run(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion("I cannot.")
    with pytest.raises(EndpointError, match="the first 3 replies fail alike"):
        run([names], [f"Ann {i}" for i in range(50)], make_engine(give_up_after=3), progress=False)
    assert len(endpoint.chats) < 10


def test_by_batches(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion(spans((item(request), "PER", 1)))
    endpoint.on_batch = endpoint.finish_batch
    done = run_batch([names], ["Ann", "Bob"], make_engine(), progress=False, poll=0.01)
    assert done.spans == {"names": [[(0, 3, "PER")], [(0, 3, "PER")]]}
    assert endpoint.chats == []


def test_in_a_loop_that_goes_on(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion(spans((item(request), "PER", 1)))
    done = asyncio.run(run_async([names], ["Ann"], make_engine()))
    assert done.spans == {"names": [[(0, 3, "PER")]]}


def test_tables_are_read_row_by_row(endpoint: Any, make_engine: Make) -> None:
    prompt = SpanPrompt(name="p", model="m", template="{title}: {text}", types=["PER"])
    endpoint.reply = lambda request: endpoint.completion(spans(("Ann", "PER", 1)))
    frame = pd.DataFrame({"title": ["x", "y"], "text": ["Ann", "to Ann"]}, index=["u", "v"])
    done = run([prompt], frame, make_engine(), progress=False)
    assert done.spans == {"p": [[(0, 3, "PER")], [(3, 6, "PER")]]}
    assert [one.item_id for one in done.replies()] == ["u", "v"]


def test_a_budget_that_ends_a_run_of_functions_and_prompts_warns(
    endpoint: Any, make_engine: Make, names: SpanPrompt
) -> None:
    small = make_engine(prices=PriceTable({"m": Price(0.0, 0.0)}), budget=Budget(tokens=1.0))
    with pytest.warns(StoppedEarlyWarning, match="1 cells were not sent"):
        votes = apply_spans([names], [Document.from_text("Ann")], engine=small, progress=False)
    assert votes == {"names": [None]}


def test_examples_are_shown_as_replies(endpoint: Any, make_engine: Make) -> None:
    prompt = SpanPrompt(
        name="p",
        model="m",
        template="{title}: {body}",
        types=["LOC"],
        text_field="body",
        n_examples=1,
        examples=[
            SpanExample({"title": "zoo", "body": "lions"}, []),
            SpanExample({"title": "city", "body": "From Rome to Rome"}, [(13, 17, "LOC")]),
        ],
    )
    endpoint.reply = lambda request: endpoint.completion(spans(("Oslo", "LOC", 1)))
    done = run([prompt], [{"title": "city", "body": "To Oslo"}], make_engine(), progress=False)
    assert done.spans == {"p": [[(3, 7, "LOC")]]}
    shown = json.loads(endpoint.chats[0].body["messages"][2]["content"])
    assert shown == {"spans": [{"quote": "Rome", "type": "LOC", "occurrence": 2}]}


def test_prompts_and_functions_together_are_votes_of_a_model(
    endpoint: Any, make_engine: Make, names: SpanPrompt
) -> None:
    @span_function
    def capital(document: Document) -> list[tuple[int, int, str]]:
        return [(at, at + 1, "PER") for at, word in enumerate(document.tokens) if word == "Ann"]

    replies = {
        "Ann met Bob.": spans(("Ann", "PER", 1), ("Bob.", "PER", 1), ("Bob", "LOC", 1)),
        "Nobody there": "perhaps",
        "Ann in Oslo": spans(("Oslo", "LOC", 1)),
    }
    endpoint.reply = lambda request: endpoint.completion(replies[item(request)])
    documents = [Document.from_text(text) for text in replies]
    with pytest.warns(LabelingFunctionWarning, match="'names' failed on 1 of 3"):
        votes = apply_spans([capital, names], documents, engine=make_engine(), progress=False)
    # "Bob." and "Bob" overlap: the longer one stays
    assert votes == {
        "capital": [[(0, 1, "PER")], [], [(0, 1, "PER")]],
        "names": [[(0, 1, "PER"), (2, 4, "PER")], None, [(2, 3, "LOC")]],
    }
    lengths = [len(one) for one in documents]
    model = SequenceModel(["PER", "LOC"], silence="nothing").fit(votes, lengths=lengths)
    assert len(model.predict_spans(votes, lengths=lengths)) == 3
    with pytest.warns(LabelingFunctionWarning):
        ran = run([names], documents, make_engine(), progress=False)
    assert (token_votes(ran.spans["names"], documents), ran.spent.calls) == (votes["names"], 0)
    with pytest.raises(InvalidArgumentError, match="'names' gives spans in characters, but document 0 is a str"):
        apply_spans([names], ["Ann"], engine=make_engine())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"types": []}, "types must be distinct names"),
        ({"types": "PER"}, "types must be names"),
        ({"types": ["PER", "per"]}, "types: 'PER' and 'per' are one"),
        ({"template": "{body}"}, "no field {text}"),
        ({"template": "no field"}, "the template holds no {field}"),
        ({"repeats": "some"}, "repeats must be one of"),
        ({"examples": [SpanExample({"text": "abc"}, [(0, 4, "PER")])]}, "example 0 is no"),
        ({"examples": [SpanExample({}, [])]}, "example 0 has no text 'text'"),
        ({"parameters": {"n": 2}}, "'n' is set by the prompt itself"),
    ],
)
def test_declarations_are_checked(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        SpanPrompt(**{"name": "p", "model": "m", "template": "{text}", "types": ["PER"]} | changed)


def test_prompts_of_one_kind_go_together(make_engine: Make, names: SpanPrompt, prompt: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="SpanPrompt go to a run of their own"):
        run([names, prompt], ["Ann"], make_engine(), progress=False)  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match=r"'names' finds spans, .*apply_spans takes it"):
        apply([names], ["Ann"], engine=make_engine())  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match="n_classes is of prompts that vote"):
        run([names], ["Ann"], make_engine(), n_classes=2, progress=False)


def test_items_without_a_text_are_errors(endpoint: Any, make_engine: Make, names: SpanPrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion(spans())
    with pytest.warns(LabelingFunctionWarning):
        done = run([names], [{"text": None}, {"text": 3}, {"text": "x"}], make_engine(), progress=False)
    assert done.spans == {"names": [None, None, []]}
    assert [one.error for one in done.failures] == [
        "the item has no 'text'",
        "the item's 'text' is no text, or holds halves of characters",
    ]


def test_places_by_search_at_every_character() -> None:
    """Against a search that tries every start, and every end."""
    text = "aa a\ta aab ba a"
    for quote in ("a", "aa", "a a", "b", "ab", "ba a"):
        want = [
            (start, end)
            for start in range(len(text))
            for end in range(start + 1, len(text) + 1)
            if text[start:end].split() == quote.split() and text[start:end].strip() == text[start:end]
        ]
        words = [
            (start, end)
            for start, end in want
            if (start == 0 or text[start - 1].isspace()) and (end == len(text) or text[end].isspace())
        ]
        found = places(text, quote)
        expected, last = [], 0
        for start, end in words or want:  # of those that overlap the first
            if start >= last:
                expected.append((start, end))
                last = end
        assert found == expected, quote
