"""The end of an operation, at moments that a test of the whole server does not hit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from weaklabel_protocol.v1 import status_pb2
from weaklabel_server.jobs.operations.runner import OperationRunner
from weaklabel_server.jobs.operations.schedule import WaitingFit
from weaklabel_server.pages import Page
from weaklabel_server.store import models, operations, projects
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.models import FittedModel, ModelSummary
from weaklabel_server.store.operations import FitSettings, Operation

SUMMARY = ModelSummary(
    iteration_count=1, converged=True, objective=[0.0], class_balance=[0.5, 0.5], sources=[], warnings=[], risk=0.0
)


class FitterCancelledAtTheEnd:
    """A fitter whose fit is cancelled when it is over and only the model is left to be stored."""

    def __init__(self, database: Database, *, cancelled: bool) -> None:
        self._database = database
        self._cancelled = cancelled

    def waiting(self, _: Connection, operation: Operation) -> WaitingFit:
        return WaitingFit(key=operation.key, project=operation.project_key)

    def fit(self, operation: Operation, _: Any) -> FittedModel:
        if self._cancelled:
            with self._database.write() as tx:
                operations.request_cancel(tx, operation.project_id, operation.operation_id, b"")
        probabilities, labels = np.full((1, 2), 0.5, np.float32), np.zeros(1, np.int32)
        return FittedModel(
            model_id="m",
            votes_version=1,
            summary=SUMMARY,
            content=b"",
            probabilities=probabilities,
            labels=labels,
        )


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_cancellation_at_the_last_moment_counts(tmp_path: Path, cancelled: bool) -> None:
    database = Database(sqlite_url(tmp_path))
    with database.write() as tx:
        project = projects.create(tx, "p", ["a", "b"])
        operation = operations.create(tx, project, 1, FitSettings())
    fitter: Any = FitterCancelledAtTheEnd(database, cancelled=cancelled)
    runner = OperationRunner(database, fitter, max_fits=1)
    await runner.start()
    *_, last = [one async for one in runner.watch("p", operation.operation_id)]
    with database.read() as tx:
        made = [model.model_id for model in models.list_page(tx, project, Page("", 10, None))]
    if cancelled:
        assert last.error is not None
        assert status_pb2.Status.FromString(last.error).code == 1
        assert (last.model_id, made) == (None, [])
    else:
        assert (last.error, last.model_id, made) == (None, "m", ["m"])
    await runner.stop()
    database.close()
