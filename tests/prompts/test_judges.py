"""Judges: both orders of each pair are asked, and what comes is what a PreferenceModel takes."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weaklabel import PreferenceModel
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Budget,
    Example,
    JudgePrompt,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    plan,
    run,
    run_batch,
)

Make = Callable[..., PromptEngine]
PAIRS = [
    {"left": "a", "right": "b", "left_text": "good", "right_text": "bad", "question": "q1"},
    {"left": "b", "right": "c", "left_text": "bad", "right_text": "bad too", "question": "q2"},
]


@pytest.fixture
def judge() -> JudgePrompt:
    return JudgePrompt(
        name="mini",
        model="gpt-5-mini",
        template="Which answer to {question} is better?\n\nA: {first}\n\nB: {second}",
        choices=("A", "B"),
        tie="neither",
    )


def texts(request: Any) -> list[str]:
    """Question, first and second, as they stand between their marks."""
    return [match[1] for match in re.findall(r"<(data-\w+)>(.*?)</\1>", request.text, re.DOTALL)]


def test_both_orders_are_asked_and_become_comparisons(endpoint: Any, make_engine: Make, judge: JudgePrompt) -> None:
    def reply(request: Any) -> Any:
        _, first, second = texts(request)
        good = [text == "good" for text in (first, second)]
        return endpoint.completion("neither" if not any(good) else "A" if good[0] else "B")

    endpoint.reply = reply
    done = run([judge], PAIRS, make_engine(), progress=False, items=["x", "y"])
    assert sorted(map(texts, endpoint.chats)) == [
        ["q1", "bad", "good"],
        ["q1", "good", "bad"],
        ["q2", "bad", "bad too"],
        ["q2", "bad too", "bad"],
    ]
    assert done.comparisons == {
        "left": ["a", "a", "b", "b"],
        "right": ["b", "b", "c", "c"],
        "judge": ["mini"] * 4,
        "winner": ["left", "left", "tie", "tie"],
        "shown_first": ["left", "right", "left", "right"],
    }
    assert done.votes.tolist() == [[[0, 0]], [[2, 2]]]
    assert (done.judges, done.consistency, done.families) == (("mini",), {"mini": 1.0}, {"mini": "gpt-5"})
    assert [(one.item, one.item_id, one.shown_first, one.answers) for one in done.replies()] == [
        (0, "x", "left", ("A",)),
        (0, "x", "right", ("B",)),
        (1, "y", "left", ("neither",)),
        (1, "y", "right", ("neither",)),
    ]
    assert "mini: the same winner in both orders: 1.00" in str(done)


def test_a_judge_that_leans_to_the_first_is_found(endpoint: Any, make_engine: Make) -> None:
    """Two judges of simulated answers: one says the better one, the other mostly the one shown first."""
    rng = np.random.default_rng(3)
    quality = rng.normal(size=8)
    pairs = [
        {"left": f"item{i}", "right": f"item{j}", "left_text": str(quality[i]), "right_text": str(quality[j])}
        for i in range(8)
        for j in range(i)
    ]

    def reply(request: Any) -> Any:
        first, second = map(float, texts(request))
        if request.body["model"] == "leans":
            return endpoint.completion("first" if first - second + 2.0 > 0 else "second")
        return endpoint.completion("first" if first > second else "second")

    endpoint.reply = reply
    judges = [
        JudgePrompt(name=name, model=name, template="{first} or {second}?", tie=None) for name in ("fair", "leans")
    ]
    done = run(judges, pairs, make_engine(), progress=False)
    assert done.consistency["fair"] == 1.0
    assert done.consistency["leans"] == pytest.approx(  # by the rule: the lean decides nothing where |difference| > 2
        np.mean([abs(quality[i] - quality[j]) > 2 for i in range(8) for j in range(i)])
    )
    with pytest.warns(UserWarning, match="Judges may err together"):  # two judges cannot tell
        model = PreferenceModel(ties=False).fit(done.comparisons)
    bias = model.judges().set_index("judge")["position_bias"]
    assert bias["leans"] > 1 > abs(bias["fair"])
    scores = model.item_scores().set_index("item")["score"]
    assert scores.sort_values().index.tolist() == [f"item{i}" for i in np.argsort(quality)]
    with pytest.warns(UserWarning, match="Judges may err together"):
        alone = PreferenceModel(ties=False).fit(done.votes, judges=done.judges)  # each pair for itself
    assert alone.predict_proba().shape == (len(pairs), 2)


def test_one_order_without_an_answer(endpoint: Any, make_engine: Make, judge: JudgePrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion("A" if texts(request)[1] == "good" else "no idea")
    with pytest.warns(LabelingFunctionWarning, match="'mini' failed on 3 of 4 items"):
        done = run([judge], PAIRS, make_engine(), progress=False)
    assert done.votes.tolist() == [[[0, -1]], [[-1, -1]]]
    assert (done.comparisons["winner"], done.comparisons["shown_first"]) == (["left"], ["left"])
    assert [(one.item, one.error.partition(":")[0]) for one in done.failures] == [
        (0, "right shown first"),
        (1, "left shown first"),
        (1, "right shown first"),
    ]
    assert np.isnan(done.consistency["mini"])
    endpoint.reply = lambda request: endpoint.completion("B")  # asked again by pair, not by call
    with pytest.warns(LabelingFunctionWarning, match="'mini' failed on 2 of 4 items"):
        again = run([judge], PAIRS, make_engine(), progress=False, ask_again=[0])
    assert (again.votes.tolist(), again.spent.calls) == ([[[0, 0]], [[-1, -1]]], 1)


def test_what_a_run_takes_is_planned_counted_and_kept(endpoint: Any, make_engine: Make, judge: JudgePrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion("A", usage=(100, 1))
    engine = make_engine(prices=PriceTable({"gpt-5-mini": Price(10.0, 100.0)}))
    assert plan([judge], PAIRS, engine).calls == 4
    done = run([judge], PAIRS, engine, progress=False)
    assert done.spent.money == pytest.approx(4 * (100 * 10 + 100) / 1e6)
    assert done.votes.tolist() == [[[0, 1]], [[0, 1]]]  # always the first
    assert done.consistency == {"mini": 0.0}
    assert run([judge], PAIRS, engine, progress=False).spent.calls == 0
    stopped = run([judge], [{**PAIRS[0], "question": "q3"}], make_engine(budget=Budget(tokens=1)), progress=False)
    assert (stopped.stopped, stopped.missing.tolist()) == ("budget", [[[True, True]]])
    assert stopped.comparisons["winner"] == []


def test_by_batches(endpoint: Any, make_engine: Make, judge: JudgePrompt) -> None:
    endpoint.reply = lambda request: endpoint.completion("B")
    endpoint.on_batch = endpoint.finish_batch
    done = run_batch([judge], PAIRS, make_engine(), progress=False, poll=0.01)
    assert (done.votes.tolist(), endpoint.chats) == ([[[1, 0]], [[1, 0]]], [])


def test_names_are_the_texts_where_no_others_are_given(endpoint: Any, make_engine: Make) -> None:
    judge = JudgePrompt(
        name="j",
        model="m",
        template="{first} or {second}?",
        examples=[Example({"first": "1", "second": "2"}, "second")],
        n_examples=1,
    )
    endpoint.reply = lambda request: endpoint.completion("first")
    done = run([judge], [{"left": "x", "right": 7}], make_engine(), progress=False)
    assert sorted(map(texts, endpoint.chats)) == [["7", "x"], ["x", "7"]]
    assert (done.comparisons["left"], done.comparisons["right"]) == (["x", "x"], ["7", "7"])
    assert endpoint.chats[0].body["messages"][2]["content"] == '{"answer": "second"}'


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([{"left": "a"}], "pair 0 has no 'right'"),
        ([{"left": "", "right": "b"}], "pair 0 has no 'left'"),
        (["a"], "pair 0 has no 'left'"),
        ([*PAIRS, {"left": "c", "right": "c"}], "pair 2: 'c' is compared with itself"),
        ([*PAIRS, PAIRS[0]], "pair 2 is pair 0 again"),
        (
            [
                PAIRS[0],
                {"left": "b", "right": "a", "left_text": "bad", "right_text": "good", "question": "q1"},
            ],
            "pair 1 is pair 0 again, 'b' and 'a'",
        ),
        ([{"left": "a", "right": "b"}], "items have no field 'question'"),
    ],
)
def test_pairs_are_checked(make_engine: Make, judge: JudgePrompt, pairs: list[Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        run([judge], pairs, make_engine(), progress=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"template": "{first}"}, "the template has no {second}"),
        ({"choices": ("A", "A")}, "choices must be two answers"),
        ({"choices": ("A", "tie")}, "choices must be two answers"),
        ({"choices": "AB"}, "choices must be two answers"),
        ({"choices": ("A", "a")}, "are one answer"),
        ({"model": ""}, "model must be a text"),
    ],
)
def test_declarations_are_checked(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        JudgePrompt(**{"name": "j", "model": "m", "template": "{first} {second}"} | changed)


def test_judges_go_to_a_run_of_their_own(make_engine: Make, judge: JudgePrompt, prompt: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="JudgePrompt go to a run of their own"):
        run([judge, prompt], PAIRS, make_engine(), progress=False)  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match="mini"):
        run([judge, judge], PAIRS, make_engine(), progress=False)
