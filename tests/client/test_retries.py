"""Calls that a server has no place for are made again when it says, within their timeout."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from weaklabel_client import Client, aio
from weaklabel_client._connection.backoff import Retries
from weaklabel_client._exceptions import NotFound, ResourceExhausted

CALLERS = 24
ROUNDS = 20
"""Of so many calls at a time: where the client gets little of a busy machine, it may not crowd the server at once."""


@pytest.fixture(scope="module")
def crowded(shared_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with two places for predictions and two for streams; holds a project "p" with a model."""
    environment = {"WEAKLABEL_MAX_CONCURRENT_RPCS": "2", "WEAKLABEL_MAX_STREAMS": "2", "WEAKLABEL_PEER_SHARE": "1"}
    process = type(shared_server)(tmp_path_factory.mktemp("crowded"), environment=environment)
    process.start()
    with Client(process.address) as client:
        client.create_project("p", classes=["ham", "spam"])
        client.upload_votes("p", np.tile(np.array([[0, 0, 1], [1, 1, 1]], np.int8), (20, 1)))
        client.fit("p").result()
    yield process
    process.kill()


def _refused(process: Any) -> int:
    return str(process.log()).count("reason=TOO_MANY_")


@pytest.mark.parametrize("make", [lambda client: client.get_project("p"), lambda client: client.read_votes("p")])
def test_every_caller_gets_in(crowded: Any, make: Callable[[Client], Any]) -> None:
    before = _refused(crowded)
    with Client(crowded.address) as client, ThreadPoolExecutor(CALLERS) as threads:
        for _ in range(ROUNDS):
            answers = list(threads.map(lambda _: make(client), range(8 * CALLERS)))
            assert len(answers) == 8 * CALLERS
            if _refused(crowded) > before:
                return
    raise AssertionError("nobody was refused")


def test_every_caller_gets_in_with_asyncio(crowded: Any) -> None:
    before = _refused(crowded)

    async def call() -> None:
        async with aio.Client(crowded.address) as client:
            for _ in range(ROUNDS):
                answers = await asyncio.gather(*(client.get_project("p") for _ in range(8 * CALLERS)))
                assert len(answers) == 8 * CALLERS
                if _refused(crowded) > before:
                    return

    asyncio.run(call())
    assert _refused(crowded) > before


def test_waits() -> None:
    refused = ResourceExhausted("full")
    assert Retries(10).wait(refused) is None  # a limit that waiting does not lift
    assert Retries(10).wait(NotFound("none")) is None
    refused.retry_seconds = 0.5
    waits = [Retries(10).wait(refused) for _ in range(50)]
    assert all(wait is not None and 0.5 <= wait <= 1.0 for wait in waits)
    assert len(set(waits)) > 1
    short = Retries(0.4)
    assert short.wait(refused) is None
    assert short.remaining() <= 0.4
