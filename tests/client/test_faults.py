"""What goes wrong with a client is said as it is: what happened, and where."""

import asyncio
import socket
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_client import Client, DeadlineExceeded, FitProgress, FitStage, Model, SoftLabels, Unavailable, aio
from weaklabel_client._protocol.operations import FitState, PromptState
from weaklabel_client._results.prompts import PromptStage
from weaklabel_client._results.types import SourceEstimate
from weaklabel_protocol.v1 import operations_pb2


@pytest.fixture
def nobody() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def silent() -> Any:
    """An address at which somebody listens who never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_an_asyncio_client_outside_of_a_loop_names_the_way_out() -> None:
    with pytest.raises(RuntimeError, match=r"async with weaklabel_client\.aio\.Client\(target\) as client"):
        aio.Client("127.0.0.1:1")


def test_an_asyncio_client_of_another_loop_is_refused() -> None:
    async def make() -> aio.Client:
        return aio.Client("127.0.0.1:1")

    client = asyncio.run(make())
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:1> belongs to another event loop"):
        asyncio.run(client.get_project("spam"))


def test_a_missing_server_is_named(nobody: str) -> None:
    with Client(nobody, timeout=5) as client, pytest.raises(Unavailable, match=f"answers at {nobody}"):
        client.get_project("spam")
    with Client(nobody) as client, pytest.raises(Unavailable, match=f"answered at {nobody} within 0.1 s"):
        client.wait_for_ready(0.1)

    async def ask() -> None:
        async with aio.Client(nobody, timeout=5) as client:
            await client.get_project("spam")

    with pytest.raises(Unavailable, match=f"answers at {nobody}"):
        asyncio.run(ask())


def test_a_deadline_says_which_call_and_how_long(silent: str) -> None:
    with Client(silent) as client, pytest.raises(DeadlineExceeded, match=rf"GetProject .* by {silent} .* 0\.2 s"):
        client.get_project("spam", timeout=0.2)


@pytest.mark.parametrize(
    ("code", "stage"), [(grpc.StatusCode.CANCELLED, "CANCELLED"), (grpc.StatusCode.INTERNAL, "FAILED")]
)
def test_an_operation_without_a_result_is_not_called_done(code: grpc.StatusCode, stage: str) -> None:
    message = operations_pb2.Operation(name="projects/spam/operations/1", done=True)
    message.error.code = code.value[0]
    message.progress.stage = operations_pb2.FIT_STAGE_DONE
    message.prompts.stage = operations_pb2.PROMPT_STAGE_DONE

    class Fit(FitState):
        pass

    class Prompts(PromptState):
        pass

    fit, prompts = Fit(None, message), Prompts(None, message)
    assert (fit.progress.stage, prompts.progress.stage) == (FitStage[stage], PromptStage[stage])
    assert fit.progress.fraction != 1
    for state in (fit, prompts):
        assert stage.lower() in repr(state)
        assert "done" not in repr(state)


def test_reprs_fit_a_screen() -> None:
    source = SourceEstimate(source="a" * 500, coverage=0.1, accuracy=0.9, accuracy_interval=(0.8, 0.95))
    model = Model(
        name="projects/spam/models/1",
        votes_version=1,
        n_items=10**6,
        n_iter=200,
        converged=True,
        objective=np.zeros(200),
        class_balance=np.zeros(100),
        sources=(source,) * 1000,
        warnings=("w" * 300,) * 9,
        risk=0.1,
        doubt=None,
        group_balance={str(group): np.zeros(100) for group in range(1000)},
        create_time=None,  # type: ignore[arg-type]
    )
    labels = SoftLabels(
        "projects/spam/models/1",
        0,
        tuple(map(str, range(10**5))),
        np.zeros((10**5, 3), np.float32),
        np.zeros(5, np.int32),
    )
    for result in (model, labels):
        assert len(repr(result)) < 1000
    assert "probabilities=<float32 [100000, 3]>" in repr(labels)
    assert "items=('0', '1', '2', ... 100,000 in all)" in repr(labels)
    assert str(FitProgress(FitStage.CANCELLED, 0, 200, 0.0, 0.0)) == "cancelled"
