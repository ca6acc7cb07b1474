"""The Responses API beside chat completions: the same prompts, votes, money and errors."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.prompts.conftest import KEY, message, said
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Endpoint,
    EndpointError,
    Price,
    PriceTable,
    PromptEngine,
    PromptFunction,
    run,
    run_batch,
)
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
TABLE = PriceTable({"gpt-5-mini": Price(100.0, 1000.0, batch=0.5)})
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "It asks."}],
}


@pytest.fixture
def engine(make_engine: Make) -> PromptEngine:
    return make_engine(api="responses", prices=TABLE)


def one(endpoint: Any, engine: PromptEngine, prompt: PromptFunction, reply: Any) -> Any:
    endpoint.reply = lambda request: reply
    return run([prompt], ["a"], engine, progress=False)


def test_a_response_is_a_vote_at_its_price(endpoint: Any, engine: PromptEngine, prompt: PromptFunction) -> None:
    done = one(endpoint, engine, prompt, endpoint.response(REASONING, said('{"answer": "yes"}')))
    assert done.votes.to_codes().tolist() == [[1]]
    assert (done.spent.input_tokens, done.spent.output_tokens) == (50, 5)
    assert done.spent.money == pytest.approx((50 * 100 + 5 * 1000) / 1e6)
    (reply,) = done.replies()
    assert (reply.text, reply.reasoning, reply.answers) == ('{"answer": "yes"}', "It asks.", ("yes",))
    assert [(request.method, request.path) for request in endpoint.requests] == [("POST", "/v1/responses")]
    again = run([prompt], ["a"], engine, progress=False)
    assert (again.votes, again.spent.calls) == (done.votes, 0)


def test_the_request_is_one_of_the_responses_api(endpoint: Any, engine: PromptEngine, prompt: PromptFunction) -> None:
    asked = replace(prompt, votes="logprobs", parameters={"reasoning_effort": "minimal", "verbosity": "low", "seed": 1})
    one(endpoint, engine, asked, endpoint.response(said("yes")))
    body = endpoint.requests[0].body
    assert set(body) == {
        *("model", "input", "max_output_tokens", "temperature", "text", "include", "top_logprobs", "store", "seed"),
        "reasoning",
    }
    assert [one["role"] for one in body["input"]] == ["system", "user"]
    assert (body["max_output_tokens"], body["store"], body["include"], body["reasoning"]) == (
        1024,
        False,
        ["message.output_text.logprobs"],
        {"effort": "minimal"},
    )
    form = body["text"]["format"]
    assert (form["type"], form["name"], form["strict"], body["text"]["verbosity"]) == (
        "json_schema",
        "answer",
        True,
        "low",
    )
    assert form["schema"]["properties"]["answer"]["enum"] == list(prompt.answers)


def test_what_a_prompt_says_of_storing_goes(endpoint: Any, engine: PromptEngine, prompt: PromptFunction) -> None:
    one(endpoint, engine, replace(prompt, parameters={"store": True}), endpoint.response(said("yes")))
    assert endpoint.requests[0].body["store"] is True


def test_probabilities_are_read(endpoint: Any, engine: PromptEngine) -> None:
    prompt = PromptFunction(
        name="p", model="gpt-5-mini", template="{text}", answers={"yes": 1, "no": 0}, votes="logprobs"
    )
    logprobs = [
        {
            "token": "yes",
            "bytes": [],
            "logprob": math.log(0.8),
            "top_logprobs": [
                {"token": "yes", "bytes": [], "logprob": math.log(0.8)},
                {"token": "no", "bytes": [], "logprob": math.log(0.2)},
            ],
        }
    ]
    done = one(endpoint, engine, prompt, endpoint.response(said("yes", logprobs)))
    distribution = done.votes.symbols.distributions()[done.votes.to_codes()[0, 0]]
    np.testing.assert_allclose(distribution, [0.2, 0.8], atol=1e-3)
    plain = one(endpoint, replace(engine, cache=None), prompt, endpoint.response(said("yes")))
    assert (plain.summary[0].plain, plain.votes.to_codes().tolist()) == (1, [[1]])


def test_several_fields_are_read(endpoint: Any, engine: PromptEngine) -> None:
    prompt = PromptFunction(name="p", model="gpt-5-mini", template="{text}", answers={"a": bool, "b": bool})
    done = one(endpoint, engine, prompt, endpoint.response(said('{"a": true, "b": false}')))
    assert (done.votes.to_codes().tolist(), len(endpoint.requests)) == ([[1, 0]], 1)


CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
FILTERED = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
ERRORS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, bool]] = {
    "cut off": ([said('{"answer": "y')], CUT, "cut off: raise max_tokens", False),
    "cut off in its reasoning": ([REASONING], CUT, "inside of its reasoning", False),
    "filtered": ([said("y")], FILTERED, "content filter", True),
    "a refusal": ([message({"type": "refusal", "refusal": "I cannot"})], {}, "refused: 'I cannot'", True),
    "no message": ([REASONING], {}, "beside its reasoning", False),
    "nothing": ([], {}, "no text in the reply", False),
    "not an answer": ([said("perhaps")], {}, "not an answer: 'perhaps'", False),
}


@pytest.mark.parametrize("case", ERRORS)
def test_why_there_is_no_answer(endpoint: Any, engine: PromptEngine, prompt: PromptFunction, case: str) -> None:
    output, more, words, refused = ERRORS[case]
    with pytest.warns(LabelingFunctionWarning):
        done = one(endpoint, engine, prompt, endpoint.response(*output, **more))
    assert done.votes.to_codes().tolist() == [[ERROR]]
    assert words in done.failures[0].error
    assert done.summary[0].refused == int(refused)
    assert len(endpoint.requests) == 1


FAILED: dict[str, dict[str, Any]] = {
    "failed": {"status": "failed", "error": {"code": "server_error", "message": "try later"}},
    "failed without a reason": {"status": "failed"},
    "under way": {"status": "in_progress"},
    "no output": {"output": None},
    "an output of texts": {"output": ["yes"]},
}


@pytest.mark.parametrize("case", FAILED)
@pytest.mark.usefixtures("fast")
def test_what_is_no_response_is_tried_again_and_not_kept(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, case: str
) -> None:
    engine = make_engine(api="responses", max_retries=1)
    with pytest.warns(LabelingFunctionWarning, match="2 attempts"):
        one(endpoint, engine, prompt, endpoint.response(said("yes"), **FAILED[case]))
    done = one(endpoint, engine, prompt, endpoint.response(said("yes")))
    assert (done.votes.to_codes().tolist(), len(endpoint.requests)) == ([[1]], 3)


NOT_KNOWN: dict[str, tuple[dict[str, Any], str, str]] = {
    "text.format by its name": ({"param": "text.format"}, "not supported", "text"),
    "text.format in words": ({}, "Unsupported parameter: 'text.format'", "text"),
    "temperature": ({"param": "temperature"}, "Unsupported parameter", "temperature"),
    "logprobs by include": ({"param": "include[0]"}, "logprobs are not supported with reasoning models", "include"),
    "top_logprobs": ({"param": "top_logprobs"}, "not supported", "top_logprobs"),
    "store": ({"param": "store"}, "unknown field", "store"),
}


@pytest.mark.parametrize("case", NOT_KNOWN)
def test_what_an_endpoint_does_not_know_is_left_out(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, case: str
) -> None:
    error, words, field = NOT_KNOWN[case]
    endpoint.reply = lambda request: (
        endpoint.status(400, words, **error) if field in request.body else endpoint.response(said("yes"))
    )
    asked = replace(prompt, votes="logprobs")
    done = run([asked], ["a", "b", "c"], make_engine(api="responses", concurrency=1), progress=False)
    assert done.votes.to_codes().tolist() == [[1]] * 3
    assert len(endpoint.requests) == 4  # remembered


def test_many_refused_at_once_are_all_sent_without_it(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: (
        endpoint.status(400, "not supported", delay=0.05, param="text.format")
        if "text" in request.body
        else endpoint.response(said("yes"))
    )
    items = [f"item {i}" for i in range(12)]
    done = run([prompt], items, make_engine(api="responses", concurrency=12), progress=False)
    assert done.votes.to_codes().tolist() == [[1]] * 12


ENDS: dict[str, tuple[int, dict[str, Any], str]] = {
    "key": (401, {}, "OPENAI_API_KEY"),
    "money": (402, {}, "HTTP 402"),
    "no such path": (404, {}, r'Endpoint\(api="chat"\)'),
    "quota": (429, {"code": "insufficient_quota"}, "HTTP 429"),
    "redirect": (307, {"headers": {"location": "http://other/v1/responses"}}, "http://other/v1: if that"),
    "a limit that it does not know": (400, {"param": "max_output_tokens"}, "refuses each of the first"),
}


@pytest.mark.parametrize("case", ENDS)
def test_what_ends_a_run_ends_it(endpoint: Any, engine: PromptEngine, prompt: PromptFunction, case: str) -> None:
    status, more, words = ENDS[case]
    endpoint.reply = lambda request: endpoint.status(status, f"unsupported for {KEY}", **more)
    with pytest.raises(EndpointError, match=words) as raised:
        run([prompt], [f"item {i}" for i in range(10)], engine, progress=False)
    assert KEY not in str(raised.value)


def test_the_apis_have_cached_responses_of_their_own(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    one(endpoint, make_engine(api="responses"), prompt, endpoint.response(said("yes")))
    done = one(endpoint, make_engine(), prompt, endpoint.completion("no"))
    assert (done.votes.to_codes().tolist(), done.spent.calls) == ([[-1]], 1)
    assert [request.path for request in endpoint.requests] == ["/v1/responses", "/v1/chat/completions"]


def test_batches_go_by_the_same_api(endpoint: Any, engine: PromptEngine, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.response(said("yes" if "item 1" in request.text else "no"))
    endpoint.on_batch = endpoint.finish_batch
    done = run_batch([prompt], ["item 0", "item 1"], engine, progress=False, poll=0.05)
    assert done.votes.to_codes().tolist() == [[-1], [1]]
    assert done.spent.money == pytest.approx(2 * (50 * 100 + 5 * 1000) / 1e6 / 2)
    line = json.loads(endpoint.files["file-0"].splitlines()[0])
    assert (line["url"], "input" in line["body"]) == ("/v1/responses", True)
    assert endpoint.batches["batch-0"]["endpoint"] == "/v1/responses"


def test_batches_of_two_apis_at_one_address_are_refused(
    endpoint: Any, engine: PromptEngine, prompt: PromptFunction
) -> None:
    both = {"default": Endpoint(base_url=endpoint.url), "other": Endpoint(base_url=endpoint.url, api="responses")}
    prompts = [prompt, replace(prompt, name="q", endpoint="other")]
    with pytest.raises(InvalidArgumentError, match="one API"):
        run_batch(prompts, ["a"], replace(engine, endpoints=both), progress=False)
    assert not endpoint.requests


def test_settings() -> None:
    with pytest.raises(InvalidArgumentError, match="api must be"):
        Endpoint(api="completions")  # type: ignore[arg-type]
    assert Endpoint.from_dict(json.loads(json.dumps(Endpoint(api="responses").to_dict()))).api == "responses"
