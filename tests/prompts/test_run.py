"""What a run hands out: failures asked again, prices that are not known, a loop that goes on."""

import asyncio
import enum
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import Price, PriceTable, PromptEngine, PromptFunction, ResponseCache, run, run_async
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
ITEMS = [f"item {i}" for i in range(6)]
FAILED: dict[str, dict[str, Any]] = {
    "not an answer": {"content": "perhaps"},
    "empty": {"content": ""},
    "cut off": {"content": "ye", "finish_reason": "length"},
    "refused": {"content": None, "refusal": "no"},
}


@pytest.mark.parametrize("case", FAILED)
def test_failed_readings_are_asked_again_item_by_item(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, case: str
) -> None:
    bad = endpoint.completion(**FAILED[case])
    endpoint.reply = lambda request: (
        bad if any(f"item {i}" in request.text for i in (1, 3)) else endpoint.completion("no")
    )
    with pytest.warns(LabelingFunctionWarning):
        first = run([prompt], ITEMS, make_engine(), progress=False)
    assert first.votes.to_codes()[:, 0].tolist() == [-1, ERROR, -1, ERROR, -1, -1]
    endpoint.reply = lambda request: endpoint.completion("yes")
    with pytest.warns(LabelingFunctionWarning):
        one = run([prompt], ITEMS, make_engine(), progress=False, ask_again=[1])
    assert one.votes.to_codes()[:, 0].tolist() == [-1, 1, -1, ERROR, -1, -1]
    assert (one.spent.calls, one.spent.cached) == (1, 5)
    every = run([prompt], ITEMS, make_engine(), progress=False, ask_again=True)
    assert every.votes.to_codes()[:, 0].tolist() == [-1, 1, -1, 1, -1, -1]
    assert (every.spent.calls, every.spent.cached) == (1, 5)
    kept = run([prompt], ITEMS, make_engine(), progress=False)  # the new replies took the place of the old ones
    assert (kept.votes, kept.spent.calls) == (every.votes, 0)


def test_asked_again_in_vain_the_cached_reply_stays(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion("perhaps")
    with pytest.warns(LabelingFunctionWarning):
        run([prompt], ["a"], make_engine(), progress=False)
    endpoint.reply = lambda request: endpoint.status(413, "no")
    with pytest.warns(LabelingFunctionWarning, match="HTTP 413"):
        run([prompt], ["a"], make_engine(), progress=False, ask_again=True)
    with pytest.warns(LabelingFunctionWarning, match="perhaps"):
        assert run([prompt], ["a"], make_engine(), progress=False).spent.cached == 1


@pytest.mark.parametrize("more", [{}, {"error": {"code": 502, "message": "lost"}}])
def test_a_reply_that_ended_by_an_error_is_not_kept(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None, more: dict[str, Any]
) -> None:
    broken = endpoint.completion("yes", finish_reason="stop" if more else "error", **more)
    endpoint.reply = lambda request: broken
    with pytest.warns(LabelingFunctionWarning):
        run([prompt], ["a"], make_engine(max_retries=1), progress=False)
    assert len(endpoint.chats) == 2
    endpoint.reply = lambda request: endpoint.completion("no")
    done = run([prompt], ["a"], make_engine(), progress=False)
    assert (done.votes.to_codes().tolist(), done.spent.calls) == ([[-1]], 1)


def test_one_that_an_earlier_version_kept_is_asked_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, tmp_path: Any
) -> None:
    run([prompt], ["a"], make_engine(), progress=False)
    cache = ResponseCache(tmp_path / "p.sqlite")
    cache.export(tmp_path / "e.jsonl")
    line = json.loads((tmp_path / "e.jsonl").read_text())
    line["response"]["choices"][0]["finish_reason"] = "error"
    (tmp_path / "e.jsonl").write_text(json.dumps(line) + "\n")
    cache.purge()
    cache.import_from(tmp_path / "e.jsonl")
    cache.close()
    assert run([prompt], ["a"], make_engine(), progress=False).spent.calls == 1
    assert run([prompt], ["a"], make_engine(), progress=False).spent.calls == 0


def test_a_price_that_is_not_known_is_said(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    other = replace(prompt, model="my-model")
    done = run([other], ITEMS, make_engine(), progress=False)
    assert done.summary[0].money is None
    assert done.spent.unpriced == 6
    assert "$" not in str(done)
    assert "no price known" in str(done.summary[0])
    both = run([replace(prompt, name="b", template="b {text}"), replace(other, template="c {text}")], ITEMS,
               make_engine(), progress=False)  # fmt: skip
    assert both.spent.unpriced == 6
    assert "6 of unknown price" in str(both)
    free = PriceTable({"my-model": Price(0, 0)})
    assert "$0.0000" in str(run([other], ITEMS, make_engine(prices=free), progress=False).summary[0])


async def test_a_run_that_is_awaited_leaves_the_loop_free(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.1)
    gaps: list[float] = []

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - before)

    beats = asyncio.create_task(beat())
    done = await run_async([prompt], ITEMS, make_engine(concurrency=1))
    beats.cancel()
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 6
    assert len(gaps) > 15
    with pytest.raises(asyncio.CancelledError):
        await beats


async def test_a_run_that_is_cancelled_sends_nothing_more(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.05)
    task = asyncio.create_task(run_async([prompt], [f"item {i}" for i in range(300)], make_engine(concurrency=2)))
    while not endpoint.chats:  # noqa: ASYNC110  # the endpoint is in another thread
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.6)
    asked = len(endpoint.chats)
    assert asked < 50
    await asyncio.sleep(0.3)
    assert len(endpoint.chats) == asked


def test_replies_are_read_item_by_item(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    def reply(request: Any) -> Any:
        if "item 1" in request.text:
            return endpoint.completion("perhaps")
        top = [{"token": "yes", "logprob": math.log(0.75)}, {"token": "no", "logprob": math.log(0.25)}]
        tokens = [{"token": "yes", "logprob": math.log(0.75), "top_logprobs": top}]
        return endpoint.completion("<think>it asks</think>yes", logprobs=tokens)

    endpoint.reply = reply
    asked = replace(prompt, votes="logprobs")
    with pytest.warns(LabelingFunctionWarning):
        done = run([asked], ["item 0", "item 1", "item 0"], make_engine(), items=["a", "b", "c"], progress=False)
    first, second, third = done.replies()
    assert (first.prompt, first.item, first.item_id, first.sample) == ("asks_for_action", 0, "a", 0)
    assert (first.text, first.reasoning, first.answers, first.error) == ("yes", "it asks", ("yes",), None)
    assert first.probabilities == pytest.approx({"yes": 0.75, "no": 0.25})
    assert first.money == pytest.approx((50 * 0.25 + 5 * 2.00) / 1e6)  # by the table: gpt-5-mini
    assert (first.tokens, first.cached) == (55, False)
    assert (second.text, second.answers, second.error) == ("perhaps", (), "not an answer: 'perhaps'")
    assert (third.item_id, third.text, third.cached, third.money) == ("c", "yes", True, 0)
    again = run([replace(asked, model="other")], ["item 0"], make_engine(), progress=False)
    assert [one.money for one in again.replies()] == [None]


class Kind(enum.Enum):
    HAM = "clearly not spam"
    SPAM = "yes"


class Code(enum.IntEnum):
    unsure = -1
    yes = 1
    no = 0


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (Literal["no", "yes"], {"no": 0, "yes": 1}),
        (Kind, {"clearly not spam": 0, "yes": 1}),
        (Code, {"unsure": -1, "yes": 1, "no": 0}),
    ],
)
def test_answers_may_be_a_type(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, answers: Any, expected: dict[str, int]
) -> None:
    declared = replace(prompt, answers=answers)
    assert declared.answers == expected
    assert PromptFunction.from_dict(declared.to_dict()) == declared
    assert run([declared], ["a"], make_engine(), progress=False).votes.to_codes().tolist() == [[1]]


@pytest.mark.parametrize("answers", [Literal[1, 2], int, enum.Enum("Mixed", {"a": 1, "b": "x"}), Literal["a", "A"]])
def test_a_type_that_names_no_texts_is_refused(prompt: PromptFunction, answers: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="answers"):
        replace(prompt, answers=answers)
