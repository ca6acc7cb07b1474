"""What nobody waits for any more is not begun, and ends early where it was."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.jobs.predict import Predictor, SourceColumns
from weaklabel_server.store.database import Database, sqlite_url


class SlowModel:
    """Stands for a fitted model: labels each block when it is told to, and counts them."""

    def __init__(self) -> None:
        self.blocks = 0
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def label(self, codes: Any, _: str, *, unseen: str) -> tuple[Any, Any]:
        self.blocks += 1
        self.entered.set()
        assert self.go_on.wait(10)
        return np.zeros((len(codes), 2), np.float32), np.zeros(len(codes), np.int32)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path))
    yield made
    made.close()


def test_predictions_that_nobody_waits_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel_server.jobs.predict.BLOCK_CELLS", 10)
    predictor = Predictor(database, prediction_threads=1, cached_models=1, max_label_cells=10**6)
    slow: Any = SlowModel()
    columns = SourceColumns.of(LoadedModel("m", 2, {"a": 0}, slow), ())
    begun: list[str] = []

    async def calls() -> None:
        first = asyncio.create_task(predictor.run(predictor.label, columns, np.zeros((100, 1), np.int8), 100))
        await asyncio.to_thread(slow.entered.wait, 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await predictor.run(begun.append, "second")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        slow.go_on.set()
        await predictor.run(begun.append, "third")

    asyncio.run(calls())
    predictor.close()
    assert begun == ["third"]
    assert slow.blocks == 1  # of ten


def test_blocks_join_to_the_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weaklabel_server.jobs.predict.BLOCK_CELLS", 7)
    predictor = Predictor(database, prediction_threads=1, cached_models=1, max_label_cells=100)

    class Echo:
        def label(self, codes: Any, _: str, *, unseen: str, **side: Any) -> tuple[Any, Any]:
            assert unseen == "error"
            assert len(codes) == len(side["prior"]) <= 3
            return np.repeat(codes[:, :1], 2, 1).astype(np.float32) + side["prior"], codes[:, 1].astype(np.int32)

    echo: Any = Echo()
    columns = SourceColumns.of(LoadedModel("m", 2, {"a": 0, "b": 1}, echo), ("b", "a"))
    codes = np.arange(40, dtype=np.int8).reshape(20, 2)
    probabilities, labels = predictor.label(columns, codes, 20, prior=np.full((20, 2), 0.25, np.float32))
    np.testing.assert_array_equal(probabilities[:, 0], codes[:, 1] + 0.25)
    np.testing.assert_array_equal(labels, codes[:, 0])
    with pytest.raises(ServiceError, match="at most 3 rows") as caught:
        predictor.label(columns, codes, 20, bags=[])
    assert caught.value.reason is Reason.INVALID_FIELD
    predictor.close()


def test_writes_that_nobody_waits_for_are_not_begun(database: Database) -> None:
    busy, go_on = threading.Event(), threading.Event()
    begun: list[str] = []

    def occupy(_: Any) -> None:
        busy.set()
        assert go_on.wait(10)

    async def calls() -> None:
        first = asyncio.create_task(database.run_write(occupy))
        await asyncio.to_thread(busy.wait, 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.run_write(lambda _: begun.append("second"))
        go_on.set()
        await first
        await database.run_write(lambda _: begun.append("third"))

    asyncio.run(calls())
    assert begun == ["third"]
