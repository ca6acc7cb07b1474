"""Endpoint states that would burn through a run, and the words in which servers tell of them."""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.prompts.conftest import Response, completion, http
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import EndpointError, PromptEngine, PromptFunction, run
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]


def comments(n: int) -> list[dict[str, str]]:
    return [{"text": f"comment {i:04d}"} for i in range(n)]


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(http(status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers))


def failure_of(endpoint: Any, make_engine: Make, prompt: PromptFunction, response: Response) -> str:
    """The reason of the one cell that fails after a good one, and that nothing is asked twice."""
    endpoint.reply = lambda request: response if "0001" in request.text else endpoint.completion("yes")
    engine = make_engine(concurrency=1, max_retries=0)
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(2), engine, progress=False)
    assert done.votes.to_codes().tolist() == [[1], [ERROR]]
    return str(done.failures[0].error)


# ------------------------------------------------------ states that stay as they are

STATES = {
    "402": (402, {"error": {"message": "add credits"}}, None),
    "307": (307, {"error": "moved"}, {"Location": "https://other.example/v1/chat/completions?key=secret"}),
    "301": (301, b"", {"Location": "/v2/chat/completions"}),
    "400": (400, {"error": {"message": "add credits"}}, None),
    "405": (405, {"detail": "add credits"}, None),
    "422": (422, {"detail": "add credits"}, None),
    "501": (501, {"error": {"message": "add credits"}}, None),
    "402 in a 200": (200, {"error": {"code": 402, "message": "add credits"}}, None),
    "400 in a 200": (200, {"error": {"code": "400", "message": "add credits"}}, None),
    "401 in a 200": (200, {"error": {"code": 401, "message": "add credits"}}, None),
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_that_stays_ends_the_run_after_a_few_calls(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, state: str
) -> None:
    status, body, headers = STATES[state]
    endpoint.reply = lambda request: answer(status, body, headers)
    with pytest.raises(EndpointError, match="redirects" if status < 400 and headers else "add credits") as caught:
        run([prompt], comments(500), make_engine(), progress=False)
    assert len(endpoint.chats) <= 20
    assert "secret" not in str(caught.value)


def test_one_at_a_time_a_state_that_stays_takes_five_calls(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.status(422, "broken")
    with pytest.raises(EndpointError, match="each of the first 5 calls; the last: HTTP 422: broken"):
        run([prompt], comments(500), make_engine(concurrency=1), progress=False)
    assert len(endpoint.chats) == 5


def test_items_too_long_do_not_end_a_run(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    """Longest first, the first ten of them are refused."""
    long = endpoint.status(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")
    endpoint.reply = lambda request: long if "comment 000" in request.text else endpoint.completion("yes")
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(30), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [ERROR] * 10 + [1] * 20


def test_refusals_after_an_answer_are_those_of_items(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: (
        endpoint.completion("yes") if "0000" in request.text else endpoint.status(400, "no such item")
    )
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(40), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] + [ERROR] * 39


# -------------------------------------------------------------- fields refused


def refusals(field: str) -> dict[str, tuple[int, Any]]:
    pydantic = {"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted"}
    return {
        "400": (400, {"error": {"message": f"'{field}' is not supported", "param": field}}),
        "422 of FastAPI": (422, {"detail": [pydantic]}),
        "422 as text": (422, {"detail": f"{field} is not permitted here"}),
        "500": (500, {"error": f"{field} not supported by this backend"}),
        "501": (501, {"error": {"message": f"{field}: not implemented"}}),
        "200": (200, {"error": {"message": f"Unrecognized request argument: {field}"}}),
        "400 that repeats the request": (
            400,
            {
                "object": "error",
                "message": f"[{{'type': 'extra_forbidden', 'loc': ('body', '{field}'), 'msg': 'Extra inputs are not "
                "permitted', 'input': {'response_format': 1, 'top_logprobs': 2, 'temperature': 0}}]",
            },
        ),
    }


@pytest.mark.parametrize("how", refusals("x"))
@pytest.mark.parametrize("field", ["response_format", "logprobs", "temperature"])
def test_a_field_that_is_refused_is_left_out_from_then_on(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, field: str, how: str
) -> None:
    refused = answer(*refusals(field)[how])
    endpoint.reply = lambda request: refused if field in request.body else endpoint.completion("yes")
    soft = replace(prompt, votes="logprobs")
    done = run([soft], comments(6), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 6
    assert [field in chat.body for chat in endpoint.chats] == [True] + [False] * 6
    others = {"response_format", "logprobs", "temperature"} - {field}
    assert all(other in endpoint.chats[-1].body for other in others)


def test_many_calls_at_once_all_learn_of_a_refused_field(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    refused = endpoint.status(500, "response_format is not supported", delay=0.05)
    endpoint.reply = lambda request: refused if "response_format" in request.body else endpoint.completion("yes")
    done = run([prompt], comments(60), make_engine(concurrency=16), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 60


def test_a_500_that_only_names_a_field_is_tried_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None
) -> None:
    once = iter([endpoint.status(500, "worker died at temperature 90 C")])
    endpoint.reply = lambda request: next(once, None) or endpoint.completion("yes")
    run([prompt], comments(1), make_engine(), progress=False)
    assert endpoint.chats[-1].body["temperature"] == 0


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (500, "This model does not support the system role"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (422, "system messages are not supported"),
    ],
)
def test_a_server_without_the_system_role_gets_one_message(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, status: int, message: str
) -> None:
    def reply(request: Any) -> Any:
        roles = [one["role"] for one in request.body["messages"]]
        return endpoint.status(status, message) if "system" in roles else endpoint.completion("yes")

    endpoint.reply = reply
    done = run([prompt], comments(4), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 4
    assert len(endpoint.chats) == 5
    first, last = endpoint.chats[0].body["messages"], endpoint.chats[-1].body["messages"]
    assert last[0]["content"].startswith(first[0]["content"])
    assert "comment 0003" in last[0]["content"]


# ------------------------------------------------------------ what it says

WORDS: dict[str, tuple[int, Any, str]] = {
    "OpenAI": (400, {"error": {"message": "bad item", "type": "x", "param": None, "code": None}}, "HTTP 400: bad item"),
    "Ollama": (500, {"error": "bad item"}, "HTTP 500: bad item"),
    "FastAPI": (400, {"detail": "bad item"}, "HTTP 400: bad item"),
    "pydantic": (422, {"detail": [{"loc": ["body", "user"], "msg": "bad item"}]}, "HTTP 422: user: bad item"),
    "vLLM": (400, {"object": "error", "message": "bad item", "code": 400}, "HTTP 400: bad item"),
    "Gemini": (400, [{"error": {"code": 400, "message": "bad item"}}], "HTTP 400: bad item"),
    "problem": (400, {"title": "Bad Request", "detail": "bad item"}, "HTTP 400: bad item"),
    "list": (400, {"errors": [{"message": "bad item"}]}, "HTTP 400: bad item"),
    "page": (502, b"<html><style>p {}</style><body><h1>bad</h1> item</body></html>", "HTTP 502: bad item"),
    "gateway": (
        400,
        {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": "bad item"}}},
        "HTTP 400: Provider returned error: bad item",
    ),
    "in a 200": (200, {"error": {"message": "bad item"}}, "an error in the reply: bad item"),
    "detail in a 200": (200, {"detail": "bad item"}, "an error in the reply: bad item"),
    "status in a 200": (200, {"error": {"message": "bad item", "code": 502}}, "HTTP 502: bad item"),
    "in a choice": (
        200,
        {"choices": [{"finish_reason": "error", "error": {"code": 400, "message": "bad item"}, "message": {}}]},
        "HTTP 400: bad item",
    ),
}


@pytest.mark.parametrize("server", WORDS)
def test_what_a_server_says_is_read(endpoint: Any, make_engine: Make, prompt: PromptFunction, server: str) -> None:
    status, body, words = WORDS[server]
    assert failure_of(endpoint, make_engine, prompt, answer(status, body)) == words


FILTERED = {
    "Azure": (
        400,
        {
            "error": {
                "message": "The response was filtered",
                "code": "content_filter",
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {
                        "violence": {"filtered": True, "severity": "high"},
                        "hate": {"filtered": False, "severity": "safe"},
                    },
                },
            }
        },
        "(violence)",
    ),
    "OpenRouter": (403, {"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["hate"]}}}, "(hate)"),
    "in a 200": (200, {"error": {"code": "content_filter", "message": "filtered"}}, "content filter"),
}


@pytest.mark.parametrize("server", FILTERED)
def test_a_content_filter_is_a_refusal_of_the_item(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, server: str
) -> None:
    status, body, words = FILTERED[server]
    # The first eight items, before any answer: it is not the request that is refused.
    endpoint.reply = lambda request: (
        answer(status, body) if int(request.text.split("comment ")[-1][:4]) < 8 else endpoint.completion("yes")
    )
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(12), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [ERROR] * 8 + [1] * 4
    assert done.summary[0].refused == 8
    assert words in done.failures[0].error
    assert done.spent.unconfirmed == 0
    assert len(endpoint.chats) == 12


def _deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-Gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a frame": ("deflate", _deflated),
    "twice": ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
    "identity": ("identity", bytes),
}


@pytest.mark.parametrize("way", PACKED)
def test_a_packed_body_is_read(endpoint: Any, make_engine: Make, prompt: PromptFunction, way: str) -> None:
    encoding, pack = PACKED[way]
    body = json.dumps(completion("yes")).encode()
    endpoint.reply = lambda request: answer(200, pack(body), {"Content-Encoding": encoding})
    done = run([prompt], comments(3), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 3
    assert endpoint.connections == 1


def test_a_packed_error_is_read(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    body = gzip.compress(json.dumps({"error": {"message": "bad item"}}).encode())
    response = answer(400, body, {"Content-Encoding": "gzip"})
    assert failure_of(endpoint, make_engine, prompt, response) == "HTTP 400: bad item"


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("br", b"abc", "packed by 'br'"),
        ("gzip", b"not packed", "connection was lost"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-12], "connection was lost"),
    ],
    ids=["unknown", "not packed", "cut off"],
)
def test_a_packed_body_that_cannot_be_read_is_named(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, encoding: str, body: bytes, words: str
) -> None:
    response = answer(200, body, {"Content-Encoding": encoding})
    assert words in failure_of(endpoint, make_engine, prompt, response)


# ------------------------------------------------------------- the first replies

ALIKE: dict[str, Callable[[Any, Any], Response]] = {
    "no answer": lambda e, request: e.completion(f"I cannot tell about {request.text[-15:]}"),
    "nothing": lambda e, request: e.completion(""),
    "cut off": lambda e, request: e.completion("yes", finish_reason="length"),
    "refused": lambda e, request: e.completion(None, refusal="no"),
    "too long": lambda e, request: e.status(400, "the context length is exceeded", delay=0.01),
}


@pytest.mark.parametrize("concurrency", [1, 64])
@pytest.mark.parametrize("case", ALIKE)
def test_a_run_whose_first_items_fail_alike_stops_and_asks(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, case: str, concurrency: int
) -> None:
    endpoint.reply = lambda request: ALIKE[case](endpoint, request)
    with pytest.raises(EndpointError, match=r"the first 20 replies fail alike.*give_up_after=None"):
        run([prompt], comments(500), make_engine(concurrency=concurrency), progress=False)
    assert len(endpoint.chats) == 20
    kept = case != "too long"
    if kept:  # what was paid is in the cache, and asked again only where the caller goes on
        with pytest.raises(EndpointError, match="Nothing more was sent"):
            run([prompt], comments(500), make_engine(concurrency=concurrency), progress=False)
        assert len(endpoint.chats) == 20
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(50), make_engine(give_up_after=None), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [ERROR] * 50
    assert len(endpoint.chats) == (50 if kept else 70)


def test_failures_of_several_kinds_go_on(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    kinds = iter([endpoint.completion(""), endpoint.completion("maybe")] * 25)
    endpoint.reply = lambda request: next(kinds)
    with pytest.warns(LabelingFunctionWarning):
        run([prompt], comments(50), make_engine(concurrency=32), progress=False)
    assert len(endpoint.chats) == 50


def test_one_prompt_that_fails_is_seen_beside_one_that_works(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    other = replace(prompt, name="other", template="other: {text}")
    endpoint.reply = lambda request: endpoint.completion("maybe" if "other: " in request.text else "yes")
    with pytest.raises(EndpointError, match="'other'"):
        run([prompt, other], comments(500), make_engine(concurrency=8), progress=False)
    assert sum("other: " in chat.text for chat in endpoint.chats) == 20
