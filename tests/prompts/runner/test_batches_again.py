"""Runs by the Batch API: failures asked again, and the end of a run where replies fail alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import EndpointError, PromptEngine, PromptFunction, run, run_batch
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
ITEMS = [{"text": f"item {i}"} for i in range(6)]
MANY = [{"text": f"item {i}"} for i in range(30)]


@pytest.fixture
def plain() -> PromptFunction:
    return PromptFunction(name="p", model="m", template="{text}", answers={"yes": 1, "no": 0}, max_tokens=10)


def lines(endpoint: Any) -> list[int]:
    """How many requests each batch held."""
    return [len(endpoint.files[batch["input_file_id"]].splitlines()) for batch in endpoint.batches.values()]


def test_failed_readings_are_asked_again_item_by_item(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    endpoint.on_batch = endpoint.finish_batch
    endpoint.reply = lambda request: endpoint.completion(
        "perhaps" if any(f"item {i}" in request.text for i in (1, 3)) else "no"
    )
    with pytest.warns(LabelingFunctionWarning):
        first = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.02)
    assert first.votes.to_codes()[:, 0].tolist() == [0, ERROR, 0, ERROR, 0, 0]
    endpoint.reply = lambda request: endpoint.completion("yes")
    with pytest.warns(LabelingFunctionWarning):
        one = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.02, ask_again=[1])
    assert one.votes.to_codes()[:, 0].tolist() == [0, 1, 0, ERROR, 0, 0]
    every = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.02, ask_again=True)
    assert every.votes.to_codes()[:, 0].tolist() == [0, 1, 0, 1, 0, 0]
    assert lines(endpoint) == [6, 1, 1]
    kept = run([plain], ITEMS, make_engine(), progress=False)  # the new replies took the place of the old ones
    assert (kept.votes, kept.spent.calls) == (every.votes, 0)


def test_what_is_asked_again_and_under_way_is_not_sent_twice(
    endpoint: Any, make_engine: Make, plain: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("perhaps")
    with pytest.warns(LabelingFunctionWarning):
        run([plain], ITEMS, make_engine(), progress=False)
    endpoint.reply = lambda request: endpoint.completion("yes")
    for _ in range(2):
        waiting = run_batch([plain], ITEMS, make_engine(), progress=False, wait=False, ask_again=True)
        assert waiting.missing.all()
    for batch in endpoint.batches.values():
        endpoint.finish_batch(batch)
    done = run_batch([plain], ITEMS, make_engine(), progress=False, poll=0.02, ask_again=True)
    assert (done.votes.to_codes()[:, 0].tolist(), lines(endpoint)) == ([1] * 6, [6])


def test_nothing_is_sent_where_the_first_replies_failed_alike(
    endpoint: Any, make_engine: Make, plain: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("perhaps")
    with pytest.raises(EndpointError, match="fail alike"):
        run([plain], MANY, make_engine(), progress=False)
    with pytest.raises(EndpointError, match="prompt 'p': the first 20 replies fail alike"):
        run_batch([plain], MANY, make_engine(), progress=False, poll=0.02)
    assert not endpoint.batches
    with pytest.warns(LabelingFunctionWarning, match="20 of 30"):
        waiting = run_batch([plain], MANY, make_engine(give_up_after=None), progress=False, wait=False)
    assert (int(waiting.missing.sum()), lines(endpoint)) == (10, [10])
    for batch in endpoint.batches.values():
        endpoint.finish_batch(batch)
    readable = replace(plain, parse=lambda text: "yes" if text == "perhaps" else None)
    done = run_batch([readable], MANY, make_engine(), progress=False, poll=0.02)
    assert (done.votes.to_codes()[:, 0].tolist(), done.spent.cached) == ([1] * 30, 20)


def finish_first(endpoint: Any, batch: dict[str, Any]) -> None:
    if batch["id"] == "batch-0":
        endpoint.finish_batch(batch)


def test_batches_under_way_are_cancelled_where_replies_fail_alike(
    endpoint: Any, make_engine: Make, plain: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("perhaps")
    endpoint.on_batch = lambda batch: finish_first(endpoint, batch)
    other = replace(plain, name="q", model="n")
    with pytest.raises(EndpointError, match="prompt 'p'"):
        run_batch([plain, other], MANY, make_engine(), progress=False, poll=0.02)
    assert [batch["status"] for batch in endpoint.batches.values()] == ["completed", "cancelling"]
    endpoint.batches["batch-1"]["status"] = "cancelled"
    with pytest.raises(EndpointError, match="prompt 'p'"):  # what was answered is known, and nothing is sent
        run_batch([plain, other], [*MANY, {"text": "one more"}], make_engine(), progress=False, poll=0.02)
    assert len(endpoint.batches) == 2


def test_replies_that_are_paid_are_handed_out_though_all_fail(
    endpoint: Any, make_engine: Make, plain: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("perhaps")
    endpoint.on_batch = endpoint.finish_batch
    with pytest.warns(LabelingFunctionWarning):
        done = run_batch([plain], MANY, make_engine(), progress=False, poll=0.02)
    assert done.votes.to_codes()[:, 0].tolist() == [ERROR] * 30


def test_a_batch_that_expired_does_not_end_the_others(endpoint: Any, make_engine: Make, plain: PromptFunction) -> None:
    def expire(batch: dict[str, Any]) -> None:
        if batch["id"] == "batch-0":
            batch["status"] = "expired"

    endpoint.reply, endpoint.on_batch = lambda request: endpoint.completion("yes"), expire
    other = replace(plain, name="q", model="n")
    with pytest.warns(LabelingFunctionWarning, match="expired"):
        first = run_batch([plain, other], MANY, make_engine(deadline=0.5), progress=False, poll=0.02)
    assert first.stopped == "deadline"
    assert endpoint.batches["batch-1"]["status"] == "validating"
    endpoint.finish_batch(endpoint.batches["batch-1"])
    endpoint.on_batch = endpoint.finish_batch
    done = run_batch([plain, other], MANY, make_engine(), progress=False, poll=0.02)
    assert done.votes.to_codes().tolist() == [[1, 1]] * 30
    assert lines(endpoint) == [30, 30, 30]
