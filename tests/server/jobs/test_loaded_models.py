"""Models are found again without the store, and never after what they were is deleted or replaced."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import LabelModel
from weaklabel_protocol.v1 import labels_pb2, models_pb2
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.loaded_models import QUICK_SECONDS, LoadedModels, Pace
from weaklabel_server.names import LATEST, ChildName
from weaklabel_server.store import models, projects
from weaklabel_server.store.database import Database, sqlite_url
from weaklabel_server.store.models import FittedModel, ModelSummary, SourceEstimate

NAME = ChildName("spam", LATEST)


@pytest.fixture(scope="module")
def content() -> bytes:
    votes = np.random.default_rng(0).integers(-1, 2, (60, 3)).astype(np.int8)
    return LabelModel(classes=["ham", "spam"]).fit(votes).to_bytes()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(sqlite_url(tmp_path))
    with opened.write() as tx:
        projects.create(tx, "spam", ["ham", "spam"])
    yield opened
    opened.close()


def _add(database: Database, model_id: str, content: bytes) -> None:
    sources = [SourceEstimate(source=one, coverage=1, accuracy=1, accuracy_low=1, accuracy_high=1) for one in "abc"]
    summary = ModelSummary(
        iteration_count=1, converged=True, objective=[], class_balance=[], sources=sources, warnings=[], risk=0.0
    )
    fitted = FittedModel(
        model_id=model_id,
        votes_version=0,
        summary=summary,
        content=content,
        probabilities=np.empty((0, 2), np.float32),
        labels=np.empty(0, np.int32),
    )
    with database.write() as tx:
        models.add(tx, projects.get(tx, "spam").key, fitted)


def test_it_is_recalled_until_the_store_changes(database: Database, content: bytes) -> None:
    loaded = LoadedModels(database, 2)
    assert loaded.recall(NAME) is None
    _add(database, "one", content)
    first = loaded.load(NAME)
    assert first.name == "projects/spam/models/one"
    assert loaded.recall(NAME) is first
    assert loaded.recall(ChildName("other", LATEST)) is None
    _add(database, "two", content)
    assert loaded.recall(NAME) is None
    assert loaded.load(NAME).name == "projects/spam/models/two"
    assert loaded.load(ChildName("spam", "one")) is first, "models never change, so it is not read again"


def test_what_another_process_deletes_is_not_recalled(database: Database, content: bytes, tmp_path: Path) -> None:
    loaded = LoadedModels(database, 2)
    _add(database, "one", content)
    loaded.load(NAME)
    other = sqlite3.connect(sqlite_url(tmp_path).database or "")
    with other:
        other.execute("DELETE FROM models")
    other.close()
    assert loaded.recall(NAME) is None
    with pytest.raises(ServiceError, match="no model yet"):
        loaded.load(NAME)


def test_what_a_shared_database_holds_is_always_looked_up(database_urls: Callable[[str], str], content: bytes) -> None:
    database = Database(database_urls("postgresql"))
    with database.write() as tx:
        projects.create(tx, "spam", ["ham", "spam"])
    _add(database, "one", content)
    loaded = LoadedModels(database, 2)
    first = loaded.load(NAME)
    assert database.change_count() is None
    assert loaded.recall(NAME) is None
    assert loaded.load(NAME) is first
    database.close()


def test_only_what_stays_quick_is_predicted_on_the_event_loop() -> None:
    pace = Pace()
    seen = []
    for seconds in (0.5, QUICK_SECONDS, 2 * QUICK_SECONDS, QUICK_SECONDS / 2, 0.5, QUICK_SECONDS / 2):
        pace.note(seconds)
        seen.append(pace.is_quick)
    assert seen == [False, True, False, True, False, False]


def test_predictions_know_at_once_what_was_deleted_or_replaced(server: Any, harness: Any, simulated: Any) -> None:
    votes, _ = simulated()
    parent = server.create_project()
    server.upload(parent, votes)
    first = server.fit(parent).model
    row = harness.tensor(votes[:1])

    def predict(name: str) -> Any:
        return server.labels.Predict(labels_pb2.PredictRequest(model=name, votes=row), timeout=30)

    latest = f"{parent}/models/latest"
    assert {predict(latest).model for _ in range(20)} == {first}
    second = server.fit(parent).model
    assert predict(latest).model == second
    assert predict(first).model == first
    server.models.DeleteModel(models_pb2.DeleteModelRequest(name=second), timeout=30)
    assert predict(latest).model == first
    server.models.DeleteModel(models_pb2.DeleteModelRequest(name=first), timeout=30)
    for name in (first, second, latest):
        with pytest.raises(grpc.RpcError) as raised:
            predict(name)
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
