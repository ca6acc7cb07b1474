"""Calls to one endpoint: limits, retries, and which fields of a request an endpoint does not know."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

import httpx2
import openai

from weaklabel.prompts.budget import Cost, Ledger
from weaklabel.prompts.http.call import Call, Reply
from weaklabel.prompts.http.connections import Connections, PackedError, TooLongError
from weaklabel.prompts.http.endpoint import Endpoint, EndpointError
from weaklabel.prompts.http.failures import (
    AttemptFailedError,
    FieldRefusedError,
    is_too_long,
    retry_after,
)
from weaklabel.prompts.http.faults import Fault, fault_of, read_fault
from weaklabel.prompts.http.limits import Gate, RateLimit
from weaklabel.prompts.http.wire import Wire
from weaklabel.prompts.pricing import Tokens
from weaklabel.prompts.responses.completion import is_completion, is_cut_off, usage

_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 30.0  # seconds
_JITTER = 0.25  # of a wait
_FRUITLESS_CALLS = 20  # calls given up, with no answer before or between, after which the endpoint is taken for dead
_REFUSED_CALLS = 5  # calls refused whatever the item, with none answered before, after which the request is at fault
_SEEN, _ROOM, _LEAST_ROOM = 10, 2, 64  # replies, and how much longer than the longest of them the next ones may be
_RETRIED = {408, 409, 425, 429}
_NOT_RETRIED = {501, 505}
_LONGEST_REASON = 300
_REPLIES = {"chat": "chat completion", "responses": "response of the Responses API"}
_LEAST_SECRET = 8  # characters; "x" or "EMPTY", for servers without keys, may well stand in a reply


class Transport:
    """An endpoint, driven within its limits. An asynchronous context manager, for one run and one event loop."""

    def __init__(self, endpoint: Endpoint, ledger: Ledger, *, most_bytes: int | None = None) -> None:
        self.endpoint = endpoint
        self._most_bytes = most_bytes or endpoint.max_response_bytes
        self._key = endpoint.read_key()
        self._headers = endpoint.read_headers()
        self._secrets = {self._key, *(v for k, v in self._headers.items() if endpoint.headers[k].startswith("$"))}
        self._ledger = ledger
        self._requests = RateLimit(endpoint.requests_per_minute)
        self._tokens = RateLimit(endpoint.tokens_per_minute)
        self._gate = Gate()
        self.wire = Wire(endpoint)
        self._answered = False
        self._lengths: dict[str, tuple[int, float]] = {}  # by model: number of replies, and tokens of the longest
        self._fruitless = self._refusals = 0
        # Whole, it need not be joined at every call; Azure makes one of its own out of the path and the model.
        path = self.wire.path
        self._url = path if endpoint.azure_api_version is not None else endpoint.url + path
        self._client = self._make_client()

    def _make_client(self) -> openai.AsyncOpenAI:
        # Redirects are not followed: they would carry items to where nobody sent them.
        http = httpx2.AsyncClient(
            transport=Connections(self.endpoint.url, self._most_bytes),
            timeout=None,  # one clock for the whole call instead of four for its parts: see _attempt
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"} | self._headers,
        )
        settings: dict[str, Any] = {"api_key": self._key, "max_retries": 0, "timeout": None, "http_client": http}
        if self.endpoint.azure_api_version is not None:
            return openai.AsyncAzureOpenAI(
                azure_endpoint=self.endpoint.url, api_version=self.endpoint.azure_api_version, **settings
            )
        return openai.AsyncOpenAI(base_url=self.endpoint.url, **settings)

    @property
    def client(self) -> openai.AsyncOpenAI:
        """A client for what is not a chat completion; it tries again by itself."""
        return self._client.with_options(max_retries=self.endpoint.max_retries, timeout=self.endpoint.timeout)

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    # ------------------------------------------------------------------- calls

    async def send(self, call: Call) -> Reply:
        """Send a call until it is answered, given up, or not affordable.

        Raises:
            EndpointError: if the endpoint refuses the key or the model, or answers nothing at all.
        """
        reason, attempt, whole = "", 0, call
        while True:
            # A budget with little left would let few of the longest possible replies be in flight.
            if call is whole and not self._ledger.fits(whole.most) and not reason:
                call = self._shortened(whole)
            reserved = call.most
            if not await self._ledger.reserve(reserved):
                return Reply(affordable=False) if attempt == 0 else Reply(error=f"{reason}; the budget holds no retry")
            actual: Cost | None = Cost(0, 0)
            try:
                await self._wait_turn(call)
                actual = None  # from here on a call may be billed, whether its reply arrives or not
                body, raw, tokens = await self._attempt(call)
                actual = call.cost(tokens)
                self._answered, self._fruitless = True, 0
                self._note_length(call, tokens)
                if call is not whole and is_cut_off(body):
                    call, reason, wait = whole, "the reply was cut off", 0.0
                    continue
                return Reply(body=body, raw=raw, tokens=tokens)
            except EndpointError:
                actual = Cost(0, 0)
                raise
            except FieldRefusedError as refused:
                actual, wait = Cost(0, 0), 0.0
                self.wire.leave_out(refused.field, call.body["model"])
            except AttemptFailedError as failure:
                actual = None if failure.billed else Cost(0, 0)
                reason, attempt = failure.reason, attempt + 1
                if failure.of_request:
                    self._count_refusal(reason)
                if not failure.retry or attempt > self.endpoint.max_retries:
                    reply = self._give_up(reason, attempt, alive=not failure.retry)
                    return reply._replace(refused=failure.refused)
                if failure.wait is not None and failure.wait > self.endpoint.max_retry_wait:
                    return self._give_up(f"{reason}; asked to wait {failure.wait:.0f} s", attempt, alive=True)
                wait = self._wait(failure.wait, attempt)
            finally:
                self._ledger.settle(reserved, actual)
            await asyncio.sleep(wait)

    def _shortened(self, call: Call) -> Call:
        """The call with room for a reply longer than any so far, where that is much less than it asks for."""
        seen, longest = self._lengths.get(call.body["model"], (0, 0.0))
        room = max(int(_ROOM * longest), _LEAST_ROOM)
        return call.shortened(room) if seen >= _SEEN and 2 * room <= call.body["max_tokens"] else call

    def _note_length(self, call: Call, tokens: Tokens) -> None:
        seen, longest = self._lengths.get(call.body["model"], (0, 0.0))
        self._lengths[call.body["model"]] = seen + 1, max(longest, tokens.output)

    async def _wait_turn(self, call: Call) -> None:
        """Returns when the endpoint's pauses and the limits let a call through."""
        await self._gate.passed()
        now = time.monotonic()
        if wait := max(self._requests.take(1, now), self._tokens.take(call.expected.total, now)):
            await asyncio.sleep(wait)

    def _wait(self, requested: float | None, attempt: int) -> float:
        """Seconds until the next attempt: what the endpoint asks for, and up to a quarter more so that calls spread."""
        if requested:  # 0, and a date that is over, do not tell when it will go better
            self._gate.close_for(requested)
            return requested * (1 + _JITTER * random.random())  # noqa: S311  # no secret
        return self.backoff(attempt)

    @staticmethod
    def backoff(attempt: int) -> float:
        """Seconds until the next attempt where the endpoint asks for none."""
        longest: float = min(_FIRST_BACKOFF * 2 ** (attempt - 1), _LONGEST_BACKOFF)
        return longest * (1 - _JITTER * 2 * random.random())  # noqa: S311

    def _give_up(self, reason: str, attempts: int, *, alive: bool) -> Reply:
        self._fruitless = 0 if alive else self._fruitless + 1
        if self._fruitless >= _FRUITLESS_CALLS:
            raise EndpointError(
                f"{self.endpoint.url} answered none of the last {self._fruitless} calls, {attempts} attempts each; the "
                f"last: {reason}"
            )
        return Reply(error=reason if attempts == 1 else f"{reason} ({attempts} attempts)")

    def _count_refusal(self, reason: str) -> None:
        self._refusals += 1
        if self._refusals >= _REFUSED_CALLS and not self._answered:
            raise EndpointError(
                f"{self.endpoint.url} refuses each of the first {self._refusals} calls; the last: {reason}"
            )

    async def _attempt(self, call: Call) -> tuple[dict[str, Any], bytes, Tokens]:
        sent = self.wire.known(call.body)
        self._renew_key()
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                response = await self._client.post(self._url, cast_to=httpx2.Response, body=self.wire.encode(sent))
        except openai.APIStatusError as error:
            fault = read_fault(error.status_code, error.response.content)
            raise self._failed(fault, error.response.headers, sent) from None
        except (openai.APITimeoutError, TimeoutError):
            raise AttemptFailedError(f"no reply within {self.endpoint.timeout:g} s", retry=True, billed=True) from None
        except (openai.APIConnectionError, httpx2.TransportError, TooLongError, PackedError) as error:
            raise self._lost(error.__cause__ or error) from None
        raw = self.without_key(response.content)
        try:
            completion = json.loads(raw)
        except (ValueError, RecursionError):  # the latter where brackets are nested deep
            raise AttemptFailedError("the reply is not JSON", retry=True, billed=True) from None
        if not is_completion(completion):
            if (fault_in_body := fault_of(200, completion)) is not None:
                raise self._failed(fault_in_body, response.headers, sent)
            raise AttemptFailedError(f"the reply is no {_REPLIES[self.endpoint.api]}", retry=True, billed=True)
        tokens = usage(completion)
        if tokens is None:
            tokens = Tokens(call.most.tokens - call.body["max_tokens"], call.body["max_tokens"])
        else:
            self._tokens.correct(tokens.total - call.expected.total)
        return completion, raw, tokens

    def without_key(self, raw: bytes) -> bytes:
        """What an endpoint sent, with the key cut out, which it may echo."""
        for secret in self._secrets:
            raw = raw if len(secret) < _LEAST_SECRET else raw.replace(secret.encode(), b"[key]")
        return raw

    def _renew_key(self) -> None:
        """Reads the key anew, where a function returns it."""
        if self.endpoint.key is not None and (key := self.endpoint.read_key()) != self._key:
            self._key = self._client.api_key = key
            self._secrets.add(key)

    # ---------------------------------------------------------------- failures

    def _failed(self, fault: Fault, headers: httpx2.Headers, sent: dict[str, Any]) -> AttemptFailedError:
        """What a fault means for an attempt.

        Raises:
            EndpointError: if it ends the run: the endpoint refuses the key, the model, or the account.
            FieldRefusedError: if the call can do without what the endpoint does not know.
        """
        status, reason = fault.status, self._words(fault)
        if fault.filtered:
            found = f" ({', '.join(fault.categories)})" if fault.categories else ""
            return AttemptFailedError(
                f"refused: stopped by the endpoint's content filter{found}: {reason}", retry=False, refused=True
            )
        self._check_refused_whole(fault, headers, reason)
        if (field := self.wire.refuses(fault, sent)) is not None:
            raise FieldRefusedError(field)
        # An error in a body of status 200 may go better next time, and be billed.
        retry = status in (200, 401) or status in _RETRIED or (status >= 500 and status not in _NOT_RETRIED)
        return AttemptFailedError(
            reason,
            retry=retry,
            wait=retry_after(headers) if retry else None,
            billed=status == 200,
            of_request=not retry and not is_too_long(fault),
        )

    def _check_refused_whole(self, fault: Fault, headers: httpx2.Headers, reason: str) -> None:
        """Ends the run where no other call can go better: the key, the account, the model, the address."""
        status, url = fault.status, self.endpoint.url
        expired = status == 401 and self._answered and self.endpoint.key is not None
        if (status == 401 and not expired) or (status in (403, 404) and not self._answered):
            chat = '. Endpoint(api="chat") asks it for chat completions' if self.endpoint.api != "chat" else ""
            hint = chat if status == 404 and chat else f". The key is read from {self.endpoint.key_variable}"
            raise EndpointError(f"{url} refuses: {reason}{hint}")
        if status == 402 or (status == 429 and fault.code == "insufficient_quota"):
            raise EndpointError(f"{url} refuses: {reason}")
        if 300 <= status < 400 and not self._answered:
            target = headers.get("location", "").partition("?")[0].removesuffix(self.wire.path)
            where = f" to {target}: if that is the endpoint, name it as base_url" if target else ""
            raise EndpointError(
                f"{url} redirects ({reason}){where}. Redirects are not followed: they "
                "would carry items and key elsewhere"
            )

    def _words(self, fault: Fault) -> str:
        """The status and the endpoint's message, in short, without the key."""
        words = " ".join(fault.message.split())
        text = self.without_key(words.encode(errors="replace")).decode()  # half of a surrogate pair may be in it
        if len(text) > _LONGEST_REASON:
            text = text[:_LONGEST_REASON] + "…"
        status = "an error in the reply" if fault.status == 200 else f"HTTP {fault.status}"
        return status + (f": {text}" if text else "")

    def _lost(self, cause: BaseException) -> AttemptFailedError:
        if isinstance(cause, TooLongError):
            return AttemptFailedError(f"the reply is longer than {self._most_bytes:,} bytes", retry=False, billed=True)
        if isinstance(cause, PackedError):
            return AttemptFailedError(f"the reply is packed by {str(cause)!r}, unasked", retry=False, billed=True)
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
            return AttemptFailedError("the endpoint cannot be reached", retry=True)
        return AttemptFailedError(f"the connection was lost ({type(cause).__name__})", retry=True, billed=True)
