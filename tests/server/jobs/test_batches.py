"""Small predictions that come together are answered as each would be alone."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_protocol.v1 import labels_pb2, models_pb2, side_data_pb2
from weaklabel_server.jobs.batches import MOST_ROWS, Batches


async def test_what_comes_while_one_runs_is_answered_together() -> None:
    goes_on, batches = threading.Event(), []

    def answer(requests: Sequence[int]) -> list[int | Exception]:
        batches.append(list(requests))
        assert goes_on.wait(10)
        return [ValueError("3") if one == 3 else 10 * one for one in requests]

    with ThreadPoolExecutor(2) as threads:
        asked = Batches(answer, threads)
        tasks = [asyncio.create_task(asked.ask("a", 0, 1))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(asked.ask("a", one, 1)) for one in range(1, 5)]
        large = [asyncio.create_task(asked.ask("a", 5 + one, MOST_ROWS)) for one in range(2)]
        await asyncio.sleep(0.05)
        tasks[2].cancel()  # its client has gone
        goes_on.set()
        got = await asyncio.gather(*tasks, *large, return_exceptions=True)
    assert batches == [[0], [1, 3, 4], [5], [6]]
    assert [str(one) for one in got if isinstance(one, ValueError)] == ["3"]
    assert isinstance(got[2], asyncio.CancelledError)
    assert [got[at] for at in (0, 1, 4, 5, 6)] == [0, 10, 40, 50, 60]
    assert not asked._waiting, "a key whose requests are answered is forgotten"


async def test_a_key_runs_until_all_that_have_asked_are_answered() -> None:
    goes_on = threading.Event()

    def answer(requests: Sequence[int]) -> list[int | Exception]:
        assert goes_on.wait(10)
        return [10 * one for one in requests]

    with ThreadPoolExecutor(1) as threads:
        asked = Batches(answer, threads)
        tasks = [asyncio.create_task(asked.ask("a", one, 1)) for one in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # the one in whose turn the other is answered
        await asyncio.sleep(0.01)
        assert asked.runs("a")
        assert not asked.runs("b")
        goes_on.set()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert got[1] == 10
        assert not asked.runs("a")


@pytest.mark.parametrize("gold", [False, True])
def test_together_they_are_labeled_as_alone(
    server: Any, harness: Any, simulated: Callable[..., Any], gold: bool
) -> None:
    votes, truth = simulated()
    project = server.create_project()
    server.upload(project, votes)
    given: dict[str, Any] = {}
    if gold:
        known = np.where(np.arange(len(truth)) < 60, truth, -1).reshape(-1, 1)
        rows = side_data_pb2.SideRows(gold=harness.tensor(known))
        kind = side_data_pb2.SIDE_DATA_KIND_GOLD
        name = server.upload_side(project, kind, (len(known), rows))[-1].name
        given["side"] = models_pb2.SideInformation(gold=name)
    model = server.fit(project, **given).model

    def request(row: int, **fields: Any) -> labels_pb2.PredictRequest:
        return labels_pb2.PredictRequest(model=model, votes=harness.tensor(votes[row : row + 1]), **fields)

    alone = [server.labels.Predict(request(row)) for row in range(100)]
    wrong = request(0)
    wrong.votes.data = bytes([7]) * votes.shape[1]
    calls = [server.labels.Predict.future(request(row)) for row in range(100)]
    refused = server.labels.Predict.future(wrong)
    for call, expected in zip(calls, alone, strict=True):
        found = call.result()
        np.testing.assert_allclose(
            harness.matrix(found.probabilities), harness.matrix(expected.probabilities), atol=1e-7, rtol=0
        )
        assert found.labels == expected.labels
        assert found.model == expected.model
    with pytest.raises(grpc.RpcError, match=r"outside 0\.\.1"):  # and it alone
        refused.result()
