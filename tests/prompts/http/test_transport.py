"""Calls to an endpoint that misbehaves: retries, limits, refusals and secrets."""

import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel import ABSTAIN
from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunctionWarning
from weaklabel.prompts import (
    Endpoint,
    EndpointError,
    PromptEngine,
    PromptFunction,
    run,
)
from weaklabel.votes import ERROR

Make = Callable[..., PromptEngine]
WORDS = ("subscribe", "nice", "music")


def comments(n: int) -> list[dict[str, str]]:
    return [{"text": f"comment {i:04d} {WORDS[i % 3]}"} for i in range(n)]


def expected(n: int) -> list[int]:
    return [(1, ABSTAIN, 0)[i % 3] for i in range(n)]


# ------------------------------------------------------------- misbehaviour

FAULTS: dict[str, Callable[[Any], Any]] = {
    "429": lambda e: e.status(429, "slow down"),
    "429 with Retry-After": lambda e: e.status(429, "slow down", {"Retry-After": "0.05"}),
    "500": lambda e: e.status(500, "broken"),
    "503": lambda e: e.status(503, "busy", {"Retry-After": "0"}),
    "reset": lambda e: e.reset(),
    "half a body": lambda e: e.half(),
    "malformed JSON": lambda e: e.raw(b'{"choices": [{"mess'),
    "no completion": lambda e: e.raw(b'{"choices": []}'),
    "not an object": lambda e: e.raw(b"[1, 2]"),
    "brackets nested deep": lambda e: e.raw(b"[" * 20_000),
    "Retry-After without end": lambda e: e.status(
        429, "slow", {"Retry-After": "Wed, 21 Oct 99999999999999 07:28:00 GMT"}
    ),
    "half of a surrogate pair": lambda e: e.status(500, "broken \ud83d"),
    "slow drips": lambda e: e.drip(0.5),
    "hang": lambda e: e.hang(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fault: str, fast: None
) -> None:
    faults = iter([FAULTS[fault](endpoint)])
    endpoint.reply = lambda request: next(faults, None) or endpoint.completion("yes")
    done = run([prompt], comments(1), make_engine(timeout=0.4), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    assert len(endpoint.chats) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_an_error_with_its_reason(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fault: str, fast: None
) -> None:
    endpoint.reply = lambda request: FAULTS[fault](endpoint)
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(1), make_engine(timeout=0.2, max_retries=2), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR]]
    (failure,) = done.failures
    assert "3 attempts" in failure.error
    assert len(endpoint.chats) == 3


def test_a_long_reply_is_not_read_to_its_end(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes" + " " * 50_000)
    with pytest.warns(LabelingFunctionWarning, match="longer than 10,000 bytes"):
        done = run([prompt], comments(1), make_engine(max_response_bytes=10_000), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR]]


@pytest.mark.parametrize("kind", ["a long error", "a packed body"])
def test_errors_and_packed_bodies_are_bounded_too(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, kind: str
) -> None:
    packed = gzip.compress(endpoint.completion("yes" + " " * 50_000).raw.partition(b"\r\n\r\n")[2])
    assert len(packed) < 20_000
    long = endpoint.status(400, "x" * 50_000)
    endpoint.reply = lambda request: (
        long if kind == "a long error" else endpoint.raw(packed, {"content-encoding": "gzip"})
    )
    with pytest.warns(LabelingFunctionWarning, match="longer than 20,000 bytes"):
        done = run([prompt], comments(1), make_engine(max_response_bytes=20_000), progress=False)
    assert done.votes.to_codes().tolist() == [[ERROR]]


def test_redirects_are_not_followed(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.status(302, "elsewhere", {"Location": "/v1/elsewhere/chat/completions"})
    with pytest.raises(EndpointError, match=r"redirects \(HTTP 302: elsewhere\) to /v1/elsewhere: "):
        run([prompt], comments(1), make_engine(), progress=False)
    assert len(endpoint.requests) == 1


def test_under_a_mix_of_faults_every_item_is_answered_once(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None
) -> None:
    rng = random.Random(7)
    kinds: list[Callable[[Any], Any]] = [
        *FAULTS.values(),
        lambda e: e.completion("perhaps"),
        lambda e: e.completion(None, refusal="no"),
    ]
    good = endpoint.by_keyword
    paid: Counter[str] = Counter()

    def reply(request: Any) -> Any:
        if rng.random() < 0.1:
            response = rng.choice(kinds)(endpoint)
            if b"perhaps" in response.raw or b'"refusal": "no"' in response.raw:
                paid[request.text] += 1
            return response
        paid[request.text] += 1
        return good(request)

    endpoint.reply = reply
    with pytest.warns(LabelingFunctionWarning):
        done = run([prompt], comments(300), make_engine(timeout=0.5, concurrency=32), progress=False)
    codes, right = done.votes.to_codes()[:, 0], np.array(expected(300))
    failed = codes == ERROR
    assert 0 < failed.sum() < 30
    assert (codes == right)[~failed].all()
    assert len(done.failures) == failed.sum()
    assert all("not an answer" in one.error or "refused" in one.error for one in done.failures)
    assert len(paid) == 300
    assert set(paid.values()) == {1}
    before = len(endpoint.chats)
    with pytest.warns(LabelingFunctionWarning):
        again = run([prompt], comments(300), make_engine(), progress=False)
    assert again.votes == done.votes
    assert len(endpoint.chats) == before
    assert (again.spent.calls, again.spent.cached, again.spent.money) == (0, 300, 0)


def test_retry_after_is_honoured(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    came: list[float] = []

    def reply(request: Any) -> Any:
        came.append(time.monotonic())
        return endpoint.status(429, headers={"Retry-After": "0.6"}) if len(came) == 1 else endpoint.completion("yes")

    endpoint.reply = reply
    run([prompt], comments(3), make_engine(concurrency=1), progress=False)
    assert came[1] - came[0] >= 0.6


@pytest.mark.parametrize("after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_is_over_backs_off(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, after: str
) -> None:
    came: list[float] = []

    def reply(request: Any) -> Any:
        came.append(time.monotonic())
        return endpoint.status(429, headers={"Retry-After": after}) if len(came) == 1 else endpoint.completion("yes")

    endpoint.reply = reply
    run([prompt], comments(1), make_engine(), progress=False)
    assert came[1] - came[0] >= 0.25  # half a second, less up to a half of it


def test_a_retry_after_beyond_reason_is_an_error(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.status(429, headers={"Retry-After": "86400"})
    with pytest.warns(LabelingFunctionWarning, match="asked to wait 86400 s"):
        run([prompt], comments(1), make_engine(), progress=False)


def test_an_endpoint_without_structured_output_is_asked_for_text(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    def reply(request: Any) -> Any:
        if "response_format" in request.body:
            return endpoint.status(400, "response_format of type json_schema is not supported", param="response_format")
        if "logprobs" in request.body:
            return endpoint.status(400, "'logprobs' is not supported with this model", param=None)
        if "max_completion_tokens" in request.body:
            return endpoint.status(400, "unknown field max_completion_tokens", param="max_completion_tokens")
        return endpoint.completion("Yes.")

    endpoint.reply = reply
    soft = replace(prompt, votes="logprobs")
    done = run([soft], comments(5), make_engine(concurrency=1), progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 5
    last = endpoint.chats[-1].body
    assert last["max_tokens"] == 1024
    assert len(endpoint.chats) == 5 + len({"response_format", "logprobs", "max_completion_tokens"})


def test_an_item_too_long_does_not_change_the_name_of_the_limit(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    """An endpoint that ignores the other name would have no limit from then on."""
    too_long = "max_completion_tokens is too large: 1024. The context is 4096 tokens, of which your messages take 4000"
    endpoint.reply = lambda request: (
        endpoint.status(400, too_long) if "0000" in request.text else endpoint.completion("yes")
    )
    with pytest.warns(LabelingFunctionWarning, match="is too large"):
        run([prompt], comments(2), make_engine(concurrency=1), progress=False)
    assert endpoint.chats[-1].body["max_completion_tokens"] == 1024


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_ends_the_run_at_once(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, status: int, key: str
) -> None:
    endpoint.reply = lambda request: endpoint.status(
        status, f"Incorrect API key provided: {request.headers['authorization']}"
    )
    with pytest.raises(EndpointError, match=f"HTTP {status}") as caught:
        run([prompt], comments(500), make_engine(), progress=False)
    assert key not in str(caught.value)
    assert len(endpoint.chats) <= 64


def test_an_account_without_money_ends_the_run(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    endpoint.reply = lambda request: endpoint.status(429, "You exceeded your quota", code="insufficient_quota")
    with pytest.raises(EndpointError, match="exceeded your quota"):
        run([prompt], comments(500), make_engine(concurrency=4), progress=False)
    assert len(endpoint.chats) <= 4


def test_azure_is_asked_by_deployment_and_version(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, key: str
) -> None:
    url = endpoint.url.removesuffix("/v1")
    done = run([prompt], comments(1), make_engine(base_url=url, azure_api_version="2024-10-21"), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    (request,) = endpoint.chats
    assert request.path == "/openai/deployments/gpt-5-mini/chat/completions?api-version=2024-10-21"
    assert request.headers["api-key"] == key


def test_a_dead_endpoint_ends_the_run(endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None) -> None:
    endpoint.reply = lambda request: endpoint.reset()
    with pytest.raises(EndpointError, match=r"answered none of the last \d+ calls"):
        run([prompt], comments(500), make_engine(max_retries=1), progress=False)


def test_a_missing_key_is_said_before_anything_is_sent(
    prompt: PromptFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EndpointError, match="set the environment variable OPENAI_API_KEY"):
        run([prompt], comments(1), PromptEngine(cache=tmp_path / "c.sqlite"), progress=False)


# -------------------------------------------------------- limits and the clock


def test_concurrency_is_bounded_and_connections_are_reused(
    endpoint: Any, make_engine: Make, prompt: PromptFunction
) -> None:
    endpoint.reply = lambda request: endpoint.completion("yes", delay=0.02)
    run([prompt], comments(60), make_engine(concurrency=5), progress=False)
    assert endpoint.most_open == 5
    assert endpoint.connections == 5


def test_requests_a_minute_are_kept(endpoint: Any, make_engine: Make, prompt: PromptFunction) -> None:
    started = time.monotonic()
    run([prompt], comments(30), make_engine(requests_per_minute=1200), progress=False)
    assert time.monotonic() - started >= (30 - 1) / 20 - 1.0  # a second's worth may go at once


# ------------------------------------------------------------------ secrets


def test_the_key_is_sent_and_appears_nowhere_else(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    echo = iter([lambda r: endpoint.status(400, f"bad {r.headers['authorization']}")])
    endpoint.reply = lambda request: next(echo, lambda r: endpoint.completion("yes", note=r.headers["authorization"]))(
        request
    )
    engine = make_engine(concurrency=1)
    with pytest.warns(LabelingFunctionWarning) as warned:
        done = run([prompt], comments(2), engine, progress=False)
    assert endpoint.chats[0].headers["authorization"] == f"Bearer {key}"
    assert "[key]" in done.failures[0].error
    texts = [repr(engine), str(done), repr(done), str(done.failures), caplog.text, *(str(w.message) for w in warned)]
    texts.append(json.dumps(engine.endpoint_of(prompt).to_dict()))
    assert not [text for text in texts if key in text]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


@pytest.mark.parametrize("placeholder", ["x", "1", "EMPTY"])
def test_a_placeholder_for_a_key_leaves_replies_alone(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, placeholder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", placeholder)
    endpoint.reply = lambda request: endpoint.completion("EMPTY x1")
    done = run([replace(prompt, answers={"EMPTY x1": 1})], comments(1), make_engine(), progress=False)
    assert done.votes.to_codes().tolist() == [[1]]
    assert (done.spent.input_tokens, done.spent.output_tokens) == (50, 5)


def test_a_key_in_the_url_of_the_environment_is_refused(
    prompt: PromptFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://user:secret@host/v1")
    with pytest.raises(InvalidArgumentError, match="OPENAI_BASE_URL must hold no key") as caught:
        run([prompt], comments(1), PromptEngine(cache=tmp_path / "p.sqlite"), progress=False)
    assert "secret" not in str(caught.value)


def test_a_key_in_the_url_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold no key"):
        Endpoint(base_url="https://user:secret@host/v1")


# ------------------------------------------------------------------ gateways


def test_headers_for_gateways(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "gateway-secret-1")
    headers = {"X-Team": "labels", "X-Auth": "$GATEWAY_KEY"}
    endpoint.reply = lambda request: endpoint.status(400, f"bad {request.headers['x-auth']}")
    engine = make_engine(headers=headers)
    with pytest.warns(LabelingFunctionWarning, match=r"bad \[key\]"):
        run([prompt], comments(1), engine, progress=False)
    assert endpoint.chats[0].headers["x-team"] == "labels"
    assert endpoint.chats[0].headers["x-auth"] == "gateway-secret-1"
    written = json.dumps(engine.endpoint_of(prompt).to_dict())
    assert "gateway-secret-1" not in written
    assert Endpoint.from_dict(json.loads(written)) == engine.endpoint_of(prompt)
    monkeypatch.delenv("GATEWAY_KEY")
    with pytest.raises(EndpointError, match="set the environment variable GATEWAY_KEY"):
        run([prompt], comments(2), engine, progress=False)


@pytest.mark.parametrize("settings", [{}, {"azure_api_version": "2024-10-21"}])
def test_a_key_that_expires_is_asked_for_anew(
    endpoint: Any, make_engine: Make, prompt: PromptFunction, fast: None, settings: dict[str, Any]
) -> None:
    name = "api-key" if settings else "authorization"
    keys = iter(["first-secret-key"] * 3 + ["second-secret-key"] * 20)
    seen: list[str] = []

    def reply(request: Any) -> Any:
        key = request.headers[name].removeprefix("Bearer ")
        seen.append(key)
        expired = key == "first-secret-key" and len(seen) > 1
        return endpoint.status(401, f"{key} expired") if expired else endpoint.completion("yes", note=key)

    endpoint.reply = reply
    engine = make_engine(key=lambda: next(keys), concurrency=1, **settings)
    done = run([prompt], comments(4), engine, progress=False)
    assert done.votes.to_codes()[:, 0].tolist() == [1] * 4
    assert set(seen) == {"first-secret-key", "second-secret-key"}
    assert "secret-key" not in repr(engine) + repr(list(done.replies()))


def test_a_key_function_that_returns_none_is_said(make_engine: Make, prompt: PromptFunction) -> None:
    with pytest.raises(EndpointError, match="returned no key"):
        run([prompt], comments(1), make_engine(key=lambda: ""), progress=False)
    with pytest.raises(InvalidArgumentError, match="belongs into key_variable"):
        make_engine(key="sk-secret")
