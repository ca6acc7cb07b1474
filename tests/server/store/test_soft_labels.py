"""Soft labels in the store, on a real SQLite file and a real PostgreSQL."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select

from weaklabel_server.store import models, projects, schema
from weaklabel_server.store.chunks import compressed
from weaklabel_server.store.database import Database
from weaklabel_server.store.models import FittedModel, Model, ModelSummary

N_ITEMS, N_CLASSES = 9_000, 100
RNG = np.random.default_rng(0)
SOFT = RNG.random((N_ITEMS, N_CLASSES), np.float32)
HARD = RNG.integers(0, N_CLASSES, N_ITEMS).astype(np.int32)
SUMMARY = ModelSummary(
    iteration_count=1, converged=True, objective=[0.0], class_balance=[0.01] * 100, sources=[], warnings=[], risk=0.0
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> Any:
    opened = Database(database_urls(request.param))
    yield opened
    opened.close()


def stored(database: Database, project_id: str) -> Model:
    fitted = FittedModel(model_id="m", votes_version=1, summary=SUMMARY, content=b"", probabilities=SOFT, labels=HARD)
    with database.write() as tx:
        project = projects.create(tx, project_id, [f"class {k}" for k in range(N_CLASSES)])
        models.add(tx, project.key, fitted)
        return models.get(tx, project, "m")


def as_before(database: Database, model: Model) -> None:
    """The labels in chunks of 65,536 rows of whatever size, as earlier versions have stored them."""
    values = {
        "model_key": model.key,
        "row_offset": 0,
        "rows": N_ITEMS,
        "probabilities": zlib.compress(SOFT.tobytes(), 1),
        "labels": zlib.compress(HARD.tobytes(), 1),
    }
    with database.write() as tx:
        tx.execute(delete(schema.soft_labels).where(schema.soft_labels.c.model_key == model.key))
        tx.execute(insert(schema.soft_labels).values(values))


@pytest.mark.parametrize("earlier", [False, True])
def test_labels_are_read_in_chunks_and_by_positions(database: Database, earlier: bool) -> None:
    model = stored(database, f"labels{earlier}".lower())
    if earlier:
        as_before(database, model)
    with database.read() as tx:
        parts = list(models.all_soft_labels(tx, model))
        np.testing.assert_array_equal(np.concatenate([soft for soft, _ in parts]), SOFT)
        np.testing.assert_array_equal(np.concatenate([hard for _, hard in parts]), HARD)
        assert earlier or max(soft.nbytes for soft, _ in parts) <= 2**20
        first, soft, hard = models.soft_labels(tx, model, 5_000)
        assert first <= 5_000 < first + len(soft)
        np.testing.assert_array_equal(soft, SOFT[first : first + len(soft)])
        np.testing.assert_array_equal(hard, HARD[first : first + len(soft)])
        positions = np.array([8_999, 3, 3, 5_000, 0, 2_621, 2_620, 7_000])
        soft, hard = models.soft_labels_at(tx, model, positions)
        np.testing.assert_array_equal(soft, SOFT[positions])
        np.testing.assert_array_equal(hard, HARD[positions])


def test_only_what_becomes_much_smaller_is_compressed(database: Database) -> None:
    alike = np.repeat(SOFT[:2], 5_000, axis=0).tobytes()
    for data, smaller in ((SOFT.tobytes(), False), (alike, True), (b"", False), (b"abc", False)):
        packed = compressed(data)
        assert zlib.decompress(packed) == data
        assert (len(packed) < len(data) / 10) == smaller
    model = stored(database, "size")
    with database.read() as tx:
        query = select(schema.soft_labels.c.probabilities).where(schema.soft_labels.c.model_key == model.key)
        size = sum(map(len, tx.execute(query).scalars()))
    assert SOFT.nbytes <= size <= 1.001 * SOFT.nbytes
