"""Soft labels as a data set of torch, where torch is installed."""

import importlib
import sys
import types
from typing import Any

import numpy as np
import pytest

from weaklabel_client import Client

pytestmark = pytest.mark.timeout(120)


def test_without_torch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "weaklabel_client.torch", raising=False)
    with pytest.raises(ImportError, match="pip install torch"):
        importlib.import_module("weaklabel_client.torch")


class Generic:
    """What a class of torch is asked for here: to be subscripted, and subclassed."""

    def __class_getitem__(cls, _item: object) -> type:
        return cls


def test_workers_share_the_rows(monkeypatch: pytest.MonkeyPatch, shared_server: Any, project: str) -> None:
    """With a stand-in for torch that names the worker; the next test has the real one, where it is installed."""
    worker: list[Any] = [None]
    names = {"Tensor": object, "from_numpy": lambda array: array}
    data = {"IterableDataset": Generic, "get_worker_info": lambda: worker[0]}
    for name, content in (("torch", names), ("torch.utils", {}), ("torch.utils.data", data)):
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "weaklabel_client.torch", raising=False)
    stand_in = importlib.import_module("weaklabel_client.torch")
    votes = np.random.default_rng(0).integers(-1, 2, (100, 4)).astype(np.int8)
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["ham", "spam"])
        client.upload_votes(project, votes)
        client.fit(project).result(timeout=120)
        expected = client.soft_labels(project)
        stream = stand_in.SoftLabelStream(shared_server.address, project, batch_size=30)
        client.fit(project, seed=9).result(timeout=120)  # a newer model changes nothing
    assert len(stream) == 4
    for n_workers in (1, 3, 101):
        batches = []
        for at in range(n_workers):
            worker[0] = types.SimpleNamespace(num_workers=n_workers, id=at)
            batches += list(stream)
        assert max(len(batch["labels"]) for batch in batches) <= 30
        assert np.concatenate([batch["position"] for batch in batches]).tolist() == list(range(100))
        np.testing.assert_array_equal(np.concatenate([batch["probabilities"] for batch in batches]), expected)
    monkeypatch.delitem(sys.modules, "weaklabel_client.torch")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_all_rows(shared_server: Any, project: str, workers: int) -> None:
    pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    from weaklabel_client.torch import SoftLabelStream

    votes = np.random.default_rng(0).integers(-1, 2, (500, 4)).astype(np.int8)
    with Client(shared_server.address) as client:
        client.create_project(project, classes=["ham", "spam"])
        client.upload_votes(project, votes)
        client.fit(project).result(timeout=120)
        expected = client.labels(project)
        stream = SoftLabelStream(shared_server.address, project, batch_size=64)
        client.fit(project, seed=9).result(timeout=120)  # a newer model changes nothing
    assert len(stream) == 8
    for _ in range(2):
        batches = list(
            DataLoader(
                stream, batch_size=None, num_workers=workers, multiprocessing_context="spawn" if workers else None
            )
        )
        position = np.concatenate([batch["position"].numpy() for batch in batches])
        order = np.argsort(position)
        assert position[order].tolist() == list(range(500))
        probabilities = np.concatenate([batch["probabilities"].numpy() for batch in batches])[order]
        np.testing.assert_array_equal(probabilities, expected.probabilities)
        labels = np.concatenate([batch["labels"].numpy() for batch in batches])[order]
        np.testing.assert_array_equal(labels, expected.labels)
