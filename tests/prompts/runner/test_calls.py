"""Runs by calls: votes, the clock, the bill, and that nothing is paid twice."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weaklabel import ABSTAIN, apply, labeling_function
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Budget,
    Endpoint,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    PromptProgress,
    ResponseCache,
    StoppedEarlyWarning,
    plan,
    run,
)
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
WORDS = ("subscribe", "nice", "music")


def comments(n: int) -> list[dict[str, str]]:
    return [{"text": f"comment {i:04d} {WORDS[i % 3]}"} for i in range(n)]


def expected(n: int) -> list[int]:
    return [(1, ABSTAIN, 0)[i % 3] for i in range(n)]


def test_votes_are_those_that_the_answers_stand_for(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = endpoint.by_keyword
    done = run([prompt], comments(30), make_engine(), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == expected(30)
    assert done.votes.source_names == ("asks_for_action",)
    assert (done.spent.calls, done.spent.input_tokens, done.spent.output_tokens) == (30, 1500, 150)
    assert done.spent.money == pytest.approx((1500 * 0.25 + 150 * 2.00) / 1e6)  # by the table: gpt-5-mini
    summary = done.summary[0]
    assert (summary.voted, summary.abstained, summary.errors, summary.missing) == (20, 10, 0, 0)
    assert list(done.families.values()) == ["gpt-5"]


def test_the_request_constrains_the_answer(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    run([prompt], comments(1), make_engine(), progress=False)
    (request,) = endpoint.chats
    schema = request.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["answer"]["enum"] == ["yes", "no", "unsure", "clearly not spam"]
    assert request.body["temperature"] == 0
    assert request.body["max_completion_tokens"] == 1024
    assert "logprobs" not in request.body


def test_prompts_mix_with_functions(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = endpoint.by_keyword
    first, last = (
        labeling_function(name=name)(lambda x, label=label: label if "music" in x["text"] else ABSTAIN)
        for name, label in (("first", 0), ("last", 1))
    )
    votes = apply([first, prompt, last], comments(6), progress=False, engine=make_engine())
    assert votes.source_names == ("first", "asks_for_action", "last")
    assert votes.to_codes().tolist() == [[-1, 1, -1], [-1, -1, -1], [0, 0, 1]] * 2
    done = run([first, prompt, last], comments(6), make_engine(), progress=False)
    assert done.votes == votes
    assert list(done.families.values()) == ["gpt-5"]
    assert done.summary[0].agreement == pytest.approx(0.5)  # on 2 items, with one of the two others


def test_rows_of_tables_and_item_ids(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    import pandas as pd

    endpoint.reply = endpoint.by_keyword
    table = pd.DataFrame(comments(6), index=list("abcdef"))
    done = run([prompt], table, make_engine(), progress=False)
    assert done.votes.item_ids is not None
    assert done.votes.item_ids.tolist() == list("abcdef")
    assert done.votes.to_codes()[:, 0].tolist() == expected(6)


# ---------------------------------------------------------------- answers


READINGS = {
    "outside the map": ("maybe", "not an answer: 'maybe'"),
    "an answer inside of a sentence": ("The answer is yes.", "not an answer"),
    "two answers": ("yes\nno", "not an answer"),
    "JSON of another shape": ('{"label": "yes"}', "not an answer"),
    "JSON with two answers": ('{"answer": "yes", "Answer": "no"}', "not an answer"),
    "an answer that is no text": ('{"answer": 1}', "not an answer"),
    "nothing": ("", "no text in the reply"),
    "no content": (None, "no text in the reply"),
}


@pytest.mark.parametrize("case", READINGS)
def test_what_is_no_answer_is_an_error(endpoint: Any, make_engine: Make, prompt: PromptFunction, case: str) -> None:
    content, reason = READINGS[case]
    endpoint.reply = lambda request: endpoint.completion(content)
    with pytest.warns(LabelingFunctionWarning, match="not an answer|no text"):
        done = run([prompt], comments(1), make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR]]
    assert reason in done.failures[0].error
    assert len(endpoint.chats) == 1  # it was answered, and paid: asking again would be paid again


@pytest.mark.parametrize(
    ("content", "vote"),
    [("yes", 1), (" Yes.\n", 1), ("**YES**", 1), ('"no"', -1), ("Clearly, not spam!", 0), ('{"answer": "Yes"}', 1)],
)
def test_case_space_and_punctuation_do_not_matter(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, content: str, vote: int
) -> None:
    endpoint.reply = lambda request: endpoint.completion(content)
    assert run([prompt], comments(1), make_engine(), progress=False).votes.to_codes().tolist() == [[vote]]


def test_refusals_are_errors_counted_apart(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    replies = {
        "0000": endpoint.completion(None, refusal="I can't help with that."),
        "0001": endpoint.completion("yes", finish_reason="content_filter"),
        "0002": endpoint.completion("yes", finish_reason="length"),
    }
    endpoint.reply = lambda request: next(
        (r for k, r in replies.items() if k in request.text), endpoint.completion("yes")
    )
    with pytest.warns(LabelingFunctionWarning, match="refused"):
        done = run([prompt], comments(4), make_engine(), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [ERROR, ERROR, ERROR, 1]
    assert (done.summary[0].errors, done.summary[0].refused) == (3, 2)
    assert "cut off" in done.failures[2].error


# ---------------------------------------------------------------- the clock


def test_a_deadline_leaves_the_rest_missing(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.3)
    with pytest.warns(StoppedEarlyWarning, match="deadline"):
        apply([prompt], comments(200), progress=False, engine=make_engine(concurrency=4, deadline=0.7))
    seen: list[PromptProgress] = []
    done = run([prompt], comments(200), make_engine(concurrency=4, deadline=0.7), progress=seen.append)
    assert done.stopped == "deadline"
    missing = done.missing[:, 0]
    assert seen[-1].missing == missing.sum()
    assert 0 < missing.sum() < 200
    assert (done.votes.to_codes()[missing] == ABSTAIN).all()
    assert (done.votes.to_codes()[~missing] == 1).all()
    assert done.summary[0].abstained == 0
    assert done.spent.unconfirmed > 0  # the calls that were cut off may be billed


def test_an_exception_of_the_progress_callback_ends_the_run(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.05)

    class CancelledByUserError(Exception):
        pass

    def cancel(now: PromptProgress) -> None:
        if now.done:
            raise CancelledByUserError

    with pytest.raises(CancelledByUserError):
        run([prompt], comments(500), make_engine(concurrency=4), progress=cancel)
    asked = len(endpoint.chats)
    assert asked < 100
    done = run([prompt], comments(500), make_engine(concurrency=64), progress=False)
    assert done.spent.calls >= 500 - asked
    assert len(endpoint.chats) <= 500 + 4


def test_progress_tells_how_far_the_run_is(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    seen: list[PromptProgress] = []
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.1)
    run([prompt], comments(20), make_engine(concurrency=4), progress=seen.append)
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    last = seen[-1]
    assert (last.total, last.done, last.cached, last.errors, last.missing) == (20, 20, 0, 0, 0)
    assert last.tokens == 20 * 55
    assert last.money > 0
    assert last.rate > 0


def test_an_interrupt_inside_of_a_running_loop_ends_the_run(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    """As the stop button of a notebook: the loop runs in this thread, and the run in another."""
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.05)
    interrupted, main = False, threading.get_ident()

    def interrupt(now: PromptProgress) -> None:
        nonlocal interrupted
        if now.done and not interrupted:
            interrupted = True
            signal.pthread_kill(main, signal.SIGINT)

    async def cell() -> None:
        run([prompt], comments(300), make_engine(concurrency=4), progress=interrupt)

    # Tests that a shell runs in the background inherit that interrupts are ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.closing(asyncio.new_event_loop()) as loop, pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(endpoint.chats) < 100


async def test_a_run_inside_of_a_running_loop(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    assert run([prompt], comments(2), make_engine(), progress=False).votes.to_codes().tolist() == [[1], [1]]


# ------------------------------------------------------------------- money


def test_a_plan_tells_what_a_run_takes_and_sends_nothing(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    engine = make_engine()
    run([prompt], comments(10), engine, progress=False)
    asked = len(endpoint.requests)
    several = replace(prompt, name="several", samples=3, votes="answer")
    other = replace(prompt, name="other", model="unpriced")
    estimate = plan([prompt, several, other], comments(25), engine)
    assert len(endpoint.requests) == asked
    assert [(one.calls, one.cached) for one in estimate.prompts] == [(15, 10), (75, 0), (25, 0)]
    assert estimate.money is None
    assert estimate.prompts[2].money is None
    first = estimate.prompts[0]
    assert first.money is not None
    assert first.most_money is not None
    assert 0 < first.money < first.most_money
    assert json.loads(json.dumps(estimate.to_dict()))["calls"] == 115


def test_what_is_billed_never_passes_the_budget(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    """Each reply is as long as max_tokens allows, so that the worst case comes true."""
    small = replace(prompt, max_tokens=100, model="m")
    endpoint.reply = lambda request: endpoint.completion("yes", usage=(60, 100), delay=0.01)
    table = PriceTable({"m": Price(input=1000.0, output=10_000.0)})  # a call costs 1.06 USD
    budget = Budget(money=20.0)
    done = run([small], comments(100), make_engine(prices=table, budget=budget, concurrency=16), progress=False)
    assert done.stopped == "budget"
    billed = len(endpoint.chats) * 1.06
    assert done.spent.money == pytest.approx(billed)
    assert 15 < billed <= 20.0
    assert done.missing.sum() == 100 - len(endpoint.chats)
    assert (done.votes.to_codes()[done.missing] == ABSTAIN).all()
    assert done.votes.errors.tolist() == [0]
    rest = run([small], comments(100), make_engine(prices=table), progress=False)
    assert rest.spent.calls == 100 - done.spent.calls
    assert not rest.missing.any()


def test_a_small_budget_does_not_serialise_the_run(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    """Two of the longest replies fit, replies are a hundredth of these, and once ten are seen many calls are in flight.

    One reply is longer than its room: it is asked again with all of it, and both are billed.
    """
    long = replace(prompt, max_tokens=10_000, model="m", parameters={"top_k": 1})
    table = PriceTable({"m": Price(input=0.0, output=100.0)})  # a call costs 1 USD at most, and 0.01 for 100 tokens
    most = 0

    def reply(request: Any) -> Any:
        nonlocal most
        most = max(most, endpoint.open_now)
        room = request.body["max_completion_tokens"]
        if "0150" in request.text:
            cut = room < 500
            return endpoint.completion(
                "ye" if cut else "yes",
                usage=(50, min(room, 500)),
                delay=0.02,
                finish_reason="length" if cut else "stop",
            )
        return endpoint.completion("yes", usage=(50, 100), delay=0.02)

    endpoint.reply = reply
    budget = Budget(money=2.5 + 0.01 * 210)
    done = run([long], comments(200), make_engine(prices=table, budget=budget, concurrency=32), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 200
    assert most > 10
    rooms = [chat.body["max_completion_tokens"] for chat in endpoint.chats if "0150" in chat.text]
    billed = 0.01 * 199 + sum(min(room, 500) for room in rooms) * 100 / 1e6
    assert done.spent.money == pytest.approx(billed)
    again = run([long], comments(200), make_engine(prices=table), progress=False)  # kept as if asked with all of it
    assert (again.votes, again.spent.calls) == (done.votes, 0)


def test_a_reply_cut_off_for_want_of_budget_is_not_kept(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    long = replace(prompt, max_tokens=10_000, model="m")
    table = PriceTable({"m": Price(input=0.0, output=100.0)})  # 1 USD at most, 0.01 for 100 tokens

    def reply(request: Any) -> Any:
        tokens = 500 if "0028" in request.text else 100
        room = request.body["max_completion_tokens"]
        reason = "stop" if tokens <= room else "length"
        return endpoint.completion("yes", usage=(50, min(room, tokens)), finish_reason=reason)

    endpoint.reply = reply
    tight = make_engine(prices=table, budget=Budget(money=1.25), concurrency=1)
    done = run([long], comments(32), tight, progress=False)
    assert done.missing[:, 0].nonzero()[0].tolist() == [28]  # the budget does not hold a reply of 10,000 tokens
    assert done.votes.to_codes()[~done.missing[:, 0], 0].tolist() == [1] * 31
    assert done.spent.money == pytest.approx(31 * 0.01 + 0.02)  # twice the longest so far, cut off and billed
    rest = run([long], comments(32), make_engine(prices=table), progress=False)
    assert (rest.spent.calls, rest.votes.to_codes()[28, 0]) == (1, 1)


def test_an_account_without_end_is_none(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    body = b'{"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 1e999, "completion_tokens": 1}}'
    endpoint.reply = lambda request: endpoint.raw(body)
    engine = make_engine(budget=Budget(tokens=1e6), tokens_per_minute=1e6, concurrency=1)
    done = run([prompt], comments(3), engine, progress=False)
    assert done.votes.to_codes().tolist() == [[1]] * 3


def test_a_budget_in_tokens(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    small = replace(prompt, max_tokens=100, model="unpriced")
    endpoint.reply = lambda request: endpoint.completion("yes", usage=(60, 100))
    done = run([small], comments(100), make_engine(budget=Budget(tokens=5000)), progress=False)
    assert done.spent.input_tokens + done.spent.output_tokens <= 5000
    assert done.stopped == "budget"


def test_calls_without_a_reply_count_against_the_budget(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None
) -> None:
    small = replace(prompt, max_tokens=100, model="m")
    endpoint.reply = lambda request: endpoint.half()
    table = PriceTable({"m": Price(input=0.0, output=10_000.0)})  # a call costs 1 USD at most
    engine = make_engine(prices=table, budget=Budget(money=10.0), concurrency=2, max_retries=3)
    with pytest.warns(LabelingFunctionWarning):
        done = run([small], comments(100), engine, progress=False)
    assert len(endpoint.chats) == 10
    assert done.spent.money == 0
    assert done.spent.unconfirmed == pytest.approx(10.0)
    assert done.missing.sum() > 90


def test_a_budget_in_money_needs_a_price(make_engine: Make, prompt: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="no price is known for 'unpriced'"):
        run([replace(prompt, model="unpriced")], comments(1), make_engine(budget=Budget(money=1.0)), progress=False)


# --------------------------------------------------------- nothing paid twice


def test_another_answer_map_reads_the_same_responses(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    plain = replace(prompt, structured=False)
    endpoint.reply = endpoint.by_keyword
    run([plain], comments(9), make_engine(), progress=False)
    other = replace(plain, answers={"yes": 0, "no": 1, "unsure": 1, "clearly not spam": 2})
    done = run([other], comments(9), make_engine(), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [0, 1, 2] * 3
    assert (done.spent.calls, done.spent.cached) == (0, 9)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-5"},
        {"temperature": 0.5},
        {"parameters": {"seed": 1}},
        {"max_tokens": 7},
        {"template": "Spam? {text}"},
    ],
)
def test_whatever_shapes_the_response_asks_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, change: dict[str, Any]
) -> None:
    run([prompt], comments(2), make_engine(), progress=False)
    assert run([replace(prompt, **change)], comments(2), make_engine(), progress=False).spent.calls == 2


def test_another_endpoint_is_asked_anew(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    run([prompt], comments(2), make_engine(), progress=False)
    other = endpoint.url.replace("127.0.0.1", "localhost")
    assert run([prompt], comments(2), make_engine(base_url=other), progress=False).spent.calls == 2


def test_endpoints_are_chosen_by_name(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    local = Endpoint(base_url=endpoint.url)
    dead = Endpoint(base_url="http://127.0.0.1:9/v1", max_retries=0)
    engine = make_engine(endpoints={"default": dead, "local": local})
    assert run([replace(prompt, endpoint="local")], comments(2), engine, progress=False).votes.n_votes == 2
    with pytest.warns(LabelingFunctionWarning, match="cannot be reached"):
        run([prompt], comments(1), engine, progress=False)
    with pytest.raises(InvalidArgumentError, match="known are default, local"):
        run([replace(prompt, endpoint="elsewhere")], comments(2), engine, progress=False)


def test_a_misspelt_field_is_said_before_anything_is_sent(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    with pytest.raises(InvalidArgumentError, match="items have no field 'txt'; they have text"):
        run([replace(prompt, template="{txt}")], comments(2), make_engine(), progress=False)
    with pytest.warns(LabelingFunctionWarning, match="the item has no 'text'"):
        done = run([prompt], [{"text": "a"}, {"text": None}], make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1], [ERROR]]
    assert len(endpoint.chats) == 1


def test_items_alike_are_asked_once(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    done = run([prompt], [{"text": "same"}] * 50, make_engine(), progress=False)
    assert len(endpoint.chats) == 1
    assert (done.spent.calls, done.spent.cached) == (1, 49)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 50


SCRIPT = """
    import sys
    from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction, run
    url, cache = sys.argv[1:]
    prompt = PromptFunction(name="p", model="m", template="{text}", answers={"yes": 1, "no": 0})
    engine = PromptEngine(Endpoint(base_url=url, concurrency=8), cache=cache)
    done = run([prompt], [{"text": f"item {i}"} for i in range(200)], engine, progress=False)
    print(done.spent.calls, int((done.votes.to_codes() == 1).sum()))
"""


def start(endpoint: Any, cache: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), endpoint.url, str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_after_kill_9_only_what_was_in_flight_is_asked_again(endpoint: Any, tmp_path: Path) -> None:
    cache = tmp_path / "c.sqlite"
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.05)
    process = start(endpoint, cache)
    while len(endpoint.chats) < 80:
        time.sleep(0.005)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.2)
    asked = Counter(request.text for request in endpoint.chats)
    assert set(asked.values()) == {1}
    second = start(endpoint, cache)
    output, _ = second.communicate(timeout=60)
    calls, answered = map(int, output.split())
    assert answered == 200
    again = Counter(request.text for request in endpoint.chats)
    assert len(again) == 200
    twice = sum(count > 1 for count in again.values())
    assert twice <= 8  # what was in flight, or on its way to the disk: a worker sends nothing more before it is there
    assert calls == 200 - len(asked) + twice


def test_two_processes_share_the_cache(endpoint: Any, tmp_path: Path) -> None:
    cache = tmp_path / "c.sqlite"
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.02)
    processes = [start(endpoint, cache) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [output.split()[1] for output in outputs] == ["200", "200"]
    kept = ResponseCache(cache)
    assert len(kept) == 200
    kept.close()


def test_threads_share_the_cache(endpoint: Any, make_engine: Make, prompt: PromptFunction, tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "shared.sqlite")
    endpoint.reply = endpoint.by_keyword
    results: list[list[int]] = []

    def work() -> None:
        done = run([prompt], comments(60), make_engine(cache=cache), progress=False)
        results.append(done.votes.to_codes()[:, 0].tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected(60)] * 4
    assert len(cache) == 60
    cache.close()
