"""Runs by the Batch API: half the price, and resumable wherever they end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Budget,
    EndpointError,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    ResponseCache,
    run,
    run_batch,
)
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
ITEMS = [{"text": f"item {i}"} for i in range(20)]
TABLE = PriceTable({"m": Price(100.0, 1000.0, batch=0.5)})


@pytest.fixture
def plain() -> PromptFunction:
    return PromptFunction(name="p", model="m", template="{text}", answers={"yes": 1, "no": 0}, max_tokens=10)


def answers(endpoint: Any) -> Callable[[Any], Any]:
    return lambda request: endpoint.completion("yes" if re.search(r"item \d*1", request.text) else "no")


EXPECTED = [[int("1" in str(i))] for i in range(20)]


def test_a_batch_answers_at_half_the_price(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.reply = answers(endpoint)
    endpoint.on_batch = endpoint.finish_batch
    engine = make_engine(prices=TABLE)
    done = run_batch([plain], ITEMS, engine, progress=False, poll=0.05)
    assert done.votes.to_codes().tolist() == EXPECTED
    assert done.spent.money == pytest.approx(20 * (50 * 100 + 5 * 1000) / 1e6 / 2)
    assert not endpoint.chats
    assert len(endpoint.batches) == 1
    again = run([plain], ITEMS, engine, progress=False)
    assert (again.votes, again.spent.calls) == (done.votes, 0)
    line = json.loads(endpoint.files["file-0"].splitlines()[0])
    assert (line["method"], line["url"], line["body"]["model"]) == ("POST", "/v1/chat/completions", "m")


def test_a_batch_under_way_is_found_again(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.reply = answers(endpoint)
    engine = make_engine()
    first = run_batch([plain], ITEMS, engine, progress=False, wait=False)
    assert first.missing.all()
    second = run_batch([plain], [*ITEMS, {"text": "item 99"}], engine, progress=False, wait=False)
    assert second.missing.all()
    assert [len(endpoint.files[f"file-{k}"].splitlines()) for k in range(2)] == [20, 1]
    for batch in endpoint.batches.values():
        endpoint.finish_batch(batch)
    third = run_batch([plain], ITEMS, engine, progress=False, poll=0.05)
    assert third.votes.to_codes().tolist() == EXPECTED
    assert len(endpoint.batches) == 2


def test_each_batch_is_of_one_model(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.reply = answers(endpoint)
    endpoint.on_batch = endpoint.finish_batch
    other = replace(plain, name="q", model="n")
    done = run_batch([plain, other], ITEMS, make_engine(), progress=False, poll=0.05)
    models = [
        {json.loads(line)["body"]["model"] for line in file.splitlines()}
        for name, file in endpoint.files.items()
        if name.startswith("file")
    ]
    assert models == [{"m"}, {"n"}]
    assert done.votes.to_codes().tolist() == [row * 2 for row in EXPECTED]


def test_requests_that_fail_are_errors_and_are_sent_anew(
    endpoint: Any, make_engine: Make, plain: PromptFunction
) -> None:
    good = answers(endpoint)
    endpoint.reply = lambda request: endpoint.status(500, "broken") if "item 7" in request.text else good(request)
    endpoint.on_batch = endpoint.finish_batch
    with pytest.warns(LabelingFunctionWarning, match="HTTP 500: broken"):
        done = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    assert done.votes.to_codes()[7, 0] == ERROR
    endpoint.reply = good
    again = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    assert again.votes.to_codes().tolist() == EXPECTED
    assert len(endpoint.files["file-1"].splitlines()) == 1


def test_requests_that_a_batch_lost_are_errors(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.reply = answers(endpoint)

    def finish(batch: dict[str, Any]) -> None:
        endpoint.finish_batch(batch)
        name = batch["output_file_id"]
        endpoint.files[name] = b"\n".join(endpoint.files[name].splitlines()[:-1])
        batch["status"] = "expired"

    endpoint.on_batch = finish
    with pytest.warns(LabelingFunctionWarning, match=r"the batch ended \(expired\) without a reply to it"):
        done = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    assert done.votes.to_codes()[-1, 0] == ERROR
    assert not done.missing.any()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_batch_whose_making_fails_is_made_once(
    endpoint: Any, make_engine: Make, plain: PromptFunction, fast: None, arrives: bool
) -> None:
    """The reply is lost, or there is none: only the list of batches tells which it was."""
    endpoint.reply = answers(endpoint)
    endpoint.on_batch = endpoint.finish_batch
    respond, faults = endpoint._batches, iter([endpoint.status(500, "broken")])

    def lose(request: Any) -> Any:
        if request.method == "POST" and request.path == "/v1/batches" and (fault := next(faults, None)):
            if arrives:
                respond(request)
            return fault
        return respond(request)

    endpoint._batches = lose
    done = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    assert done.votes.to_codes().tolist() == EXPECTED
    assert len(endpoint.batches) == 1


def test_a_batch_that_never_arrived_is_given_up_though_its_process_number_lives_on(
    endpoint: Any, make_engine: Make, plain: PromptFunction, tmp_path: Path
) -> None:
    endpoint.reply = answers(endpoint)
    endpoint.on_batch = endpoint.finish_batch
    cache = ResponseCache(tmp_path / "p.sqlite")
    engine = make_engine(cache=cache)
    run_batch([plain], ITEMS, engine, progress=False, wait=False)
    (sent,) = cache.open_batches()
    keys = cache.batch_keys(sent.tag)
    cache.end_batch(sent.tag, [])
    lost = sent._replace(tag="weaklabel-lost", id=None, owner=f"{socket.gethostname()}:{os.getppid()}", created=1.0)
    cache.begin_batch(lost, sorted(keys))
    done = run_batch([plain], ITEMS, engine, progress=False, poll=0.05)
    cache.close()
    assert done.votes.to_codes().tolist() == EXPECTED


def test_a_faulty_batch_is_an_error_of_the_endpoint(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    def fail(batch: dict[str, Any]) -> None:
        batch["status"] = "failed"
        batch["errors"] = {"object": "list", "data": [{"code": "x", "message": "quota exceeded"}]}

    endpoint.on_batch = fail
    with pytest.raises(EndpointError, match="quota exceeded"):
        run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)


def test_answers_to_what_was_not_asked_are_left_out(
    endpoint: Any, make_engine: Make, plain: PromptFunction, tmp_path: Path
) -> None:
    endpoint.reply = answers(endpoint)

    def finish(batch: dict[str, Any]) -> None:
        endpoint.finish_batch(batch)
        name = batch["output_file_id"]
        line = json.loads(endpoint.files[name].splitlines()[0])
        forged = json.dumps(line | {"custom_id": "ab" * 32}).encode()
        endpoint.files[name] += b"\n" + forged + b"\nnot json\n{}"

    endpoint.on_batch = finish
    run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    cache = ResponseCache(tmp_path / "p.sqlite")
    assert len(cache) == 20
    assert cache.get(bytes.fromhex("ab" * 32)) is None
    cache.close()


def test_a_budget_bounds_what_is_sent(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", usage=(0, 10))
    endpoint.on_batch = endpoint.finish_batch
    table = PriceTable({"m": Price(0.0, 100_000.0, batch=0.5)})  # half a dollar a call
    done = run_batch([plain], ITEMS, make_engine(prices=table, budget=Budget(money=3.2)), progress=False, poll=0.05)
    assert len(endpoint.files["file-0"].splitlines()) == 6
    assert done.spent.money == pytest.approx(3.0)
    assert done.stopped == "budget"
    assert done.missing.sum() == 14


def test_a_batch_needs_a_cache(make_engine: Make, plain: PromptFunction) -> None:
    with pytest.raises(InvalidArgumentError, match="need a cache"):
        run_batch([plain], ITEMS, make_engine(cache=None), progress=False)


SCRIPT = """
    import sys
    from weaklabel.prompts import Endpoint, PromptEngine, PromptFunction, run_batch
    url, cache = sys.argv[1:]
    prompt = PromptFunction(name="p", model="m", template="{text}", answers={"yes": 1, "no": 0}, max_tokens=10)
    engine = PromptEngine(Endpoint(base_url=url), cache=cache)
    run_batch([prompt], [{"text": f"item {i}"} for i in range(20)], engine, progress=False)
"""


@pytest.mark.parametrize("moment", ["before the batch is made", "after it is made, before its name is known"])
def test_after_kill_9_nothing_is_sent_twice(
    endpoint: Any, make_engine: Make, plain: PromptFunction, tmp_path: Path, moment: str
) -> None:
    endpoint.reply = answers(endpoint)
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), endpoint.url, str(tmp_path / "p.sqlite")]
    process = subprocess.Popen(command)

    def kill(*_: Any) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    if moment.startswith("after"):
        endpoint.on_batch = kill
    else:
        endpoint.on_upload = kill
    process.wait(timeout=60)
    time.sleep(0.1)
    endpoint.on_batch = endpoint.on_upload = None
    assert len(endpoint.batches) == (1 if moment.startswith("after") else 0)
    run_batch([plain], ITEMS, make_engine(), progress=False, wait=False)
    run_batch([plain], ITEMS, make_engine(), progress=False, wait=False)
    assert len(endpoint.batches) == 1
    endpoint.finish_batch(endpoint.batches["batch-0"])
    done = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.05)
    assert done.votes.to_codes().tolist() == EXPECTED
    assert len(endpoint.batches) == 1
