"""Fits of records on a server: they tell their iterations, are cancelled between them, and run on PostgreSQL too."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel import NumericModel, PreferenceModel
from weaklabel_client import Client, Numbers, Preferences, comparisons_from_rankings
from weaklabel_protocol.v1 import models_pb2, operations_pb2

pytestmark = pytest.mark.filterwarnings("ignore")


def numbers(items: int) -> dict[str, list[Any]]:
    generator = np.random.default_rng(items)
    item, source = np.repeat(np.arange(items), 4), np.tile(np.arange(4), items)
    value = generator.normal(50, 20, items)[item] + generator.normal(0, 1 + source)
    return {"item": [f"i{n:04d}" for n in item], "source": [f"s{n}" for n in source], "value": value.tolist()}


def comparisons(rows: int) -> dict[str, list[str]]:
    """Judges who agree on nothing: EM takes its time."""
    generator = np.random.default_rng(0)
    left = generator.integers(0, 3000, rows)
    right = (left + generator.integers(1, 3000, rows)) % 3000
    return {
        "left": [f"i{n}" for n in left],
        "right": [f"i{n}" for n in right],
        "judge": [f"j{n}" for n in generator.integers(0, 20, rows)],
        "winner": [("left", "right")[n] for n in generator.integers(0, 2, rows)],
    }


@pytest.mark.slow  # a fit of seconds, so that it can be seen to go on
def test_a_fit_of_records_tells_its_iterations_and_is_cancelled_between_them(start: Any, harness: Any) -> None:
    server = start()
    with Client(server.process.address) as client:
        client.create_project("judged", label_space=Preferences(ties=False))
        name = client.upload_records("judged", comparisons(150_000)).name
        request = models_pb2.FitModelRequest(parent="projects/judged", records=models_pb2.RecordFit(votes=[name]))
        operation = server.models.FitModel(request, timeout=60).operation.name
        seen: dict[int, operations_pb2.FitProgress] = {}

        def at_work() -> bool:
            now = server.operations.GetOperation(operations_pb2.GetOperationRequest(name=operation)).operation
            assert not now.done, "it was over before it told of an iteration"
            seen[now.progress.iteration] = now.progress
            return bool(now.progress.iteration > 0)

        harness.until(at_work)
        progress = seen[max(seen)]
        assert progress.stage == operations_pb2.FIT_STAGE_FITTING
        assert (progress.iteration % 10, progress.max_iterations) == (0, 200)
        assert progress.change > 0
        assert progress.objective < 0  # a bound of a log-likelihood
        server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=operation))
        ended = server.wait(operation)
        assert ended.error.code == grpc.StatusCode.CANCELLED.value[0]
        assert not list(client.list_models("judged"))

        # The worker goes on with the next fit, and a fit that nobody cancels says how it ended.
        small = comparisons(300)
        model = client.fit_records("judged", small).result(timeout=90)
        own = PreferenceModel(ties=False).fit(small)
        assert model.n_iter == own.n_iter
        table = client.read_labels("judged", "items")
        np.testing.assert_array_equal(table["score"], own.item_columns()["score"])


@pytest.mark.slow  # two starts of a server
def test_fits_of_records_on_postgresql_with_two_replicas(
    postgres: Any, tmp_path: Path, serving: Callable[..., Any]
) -> None:
    environment = {"WEAKLABEL_DATABASE_URL": postgres.new_database(), "WEAKLABEL_LEASE_SECONDS": "2"}
    with ThreadPoolExecutor(2) as pool:  # both migrate the empty database
        contexts = [serving(tmp_path / f"replica{n}", environment) for n in range(2)]
        first, second = pool.map(lambda one: one.__enter__(), contexts)
    try:
        with Client(first.process.address) as here, Client(second.process.address) as there:
            votes = numbers(300)
            here.create_project("ages", label_space=Numbers())
            records = here.upload_records("ages", votes)
            # Uploaded by one, fitted by way of the other, read at both; several at a time end once each.
            fits = [client.fit_records("ages", [records.name], seed=n) for n in range(2) for client in (here, there)]
            made = [fit.result(timeout=120).name for fit in fits]
            assert len(set(made)) == 4
            own = NumericModel().fit(*votes.values())
            for client in (here, there):
                assert {one.name for one in client.list_models("ages")} == set(made)
                labels = client.read_labels("ages")
                for column, values in own.predict_columns(*votes.values()).items():
                    np.testing.assert_array_equal(labels[column], values)
                new = numbers(7)
                (answer,) = client.predict_records_stream("ages", [new])
                np.testing.assert_array_equal(answer["labels"]["value"], own.predict(*new.values()))
            ranked = comparisons_from_rankings([["a", "b", "c"], ["b", "a", "d", "c"]] * 5, ["x", "y"] * 5)
            here.create_project("ranked", label_space=Preferences(ties=False))
            there.fit_records("ranked", here.upload_records("ranked", ranked)).result(timeout=120)
            scores = PreferenceModel(ties=False).fit(ranked).scores_
            np.testing.assert_array_equal(here.read_labels("ranked")["score"], scores)
            # One of them is killed: the other has what was acknowledged, and goes on.
            first.kill()
            model = there.fit_records("ages", [records.name], gold={"item": ["i0003"], "value": [50.0]})
            assert model.result(timeout=120).name not in made
            uploaded = there.upload_model("ages", own)
            assert there.download_model("ages", uploaded.name) == own.to_bytes()
    finally:
        for one in contexts:
            one.__exit__(None, None, None)
