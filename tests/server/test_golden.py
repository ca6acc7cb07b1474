"""Databases written by servers of earlier versions: see golden/write.py. Every later server opens them and goes on."""

import json
import runpy
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weaklabel_client import Client

GOLDEN = Path(__file__).parent / "golden"
DATABASES = sorted(GOLDEN.glob("*.db"))
SOFT_LABELS, PREDICTIONS = 1e-6, 1e-5
# What was uploaded in a year long past is otherwise abandoned by now.
ENVIRONMENT = {"WEAKLABEL_KEEP_DAYS": "36500"}


@pytest.fixture(scope="module")
def writer() -> dict[str, Any]:
    """The names of golden/write.py."""
    return runpy.run_path(str(GOLDEN / "write.py"))


@pytest.fixture(params=DATABASES, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def client(
    golden: Path, tmp_path: Path, serving: Callable[[Path, dict[str, str]], AbstractContextManager[Any]]
) -> Iterator[Client]:
    """A client of today's server on a copy of the database."""
    shutil.copy(golden, tmp_path / "weaklabel.db")
    with serving(tmp_path, ENVIRONMENT) as server, Client(server.process.address) as connected:
        yield connected


def check_same(found: Any, expected: Any, place: str = "") -> None:
    """Everything is the same; soft labels and predictions nearly."""
    if place.endswith(("/probabilities", "/predictions")):
        tolerance = SOFT_LABELS if place.endswith("/probabilities") else PREDICTIONS
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=place)
    elif isinstance(expected, dict):
        assert sorted(found) == sorted(expected), place
        for name, value in expected.items():
            check_same(found[name], value, f"{place}/{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), place
        for at, value in enumerate(expected):
            check_same(found[at], value, f"{place}[{at}]")
    else:
        assert found == expected, place


def test_there_is_one_of_each_version() -> None:
    assert [path.stem for path in DATABASES] == ["v0.1.0"]


@pytest.mark.slow
def test_it_is_read_alike_and_written_to(client: Client, golden: Path, writer: dict[str, Any]) -> None:
    found = json.loads(json.dumps(writer["read_back"](client)))
    expected = json.loads(golden.with_suffix(".json").read_text())
    check_same(found, expected)
    check_unfinished_upload_is_taken_up(client, writer)
    check_side_data_can_be_named(client)
    check_votes_can_be_replaced(client, expected)
    client.delete_project("codebook")
    assert sorted(one.name for one in client.list_projects()) == ["projects/dense", "projects/side", "projects/sparse"]


def check_unfinished_upload_is_taken_up(client: Client, writer: dict[str, Any]) -> None:
    first, *rest = writer["broken_chunks"]()
    other = 1 - np.maximum(first, 0)  # the server has the first chunk already, and skips this one
    result = client.upload_votes("dense", iter([other, *rest]), sources=["late"], upload_id=writer["BROKEN_UPLOAD"])
    assert (result.n_rows, result.votes_version) == (150, 5)
    np.testing.assert_array_equal(client.read_votes("dense").votes[:, -1:], np.concatenate([first, *rest]))


def check_side_data_can_be_named(client: Client) -> None:
    kept = {one.kind: one for one in client.list_side_data("side")}
    model = client.fit("side", gold=kept["gold"], groups=kept["groups"], bags=kept["bags"]).result()
    assert sorted(model.group_balance) == ["0", "1"]
    assert client.soft_labels("side").shape == (150, 3)
    assert client.get_model("side").name == model.name


def check_votes_can_be_replaced(client: Client, expected: dict[str, Any]) -> None:
    version = len(expected["sparse"]["votes"])
    result = client.upload_votes("sparse", [[1], [0]], sources=["late"], items=["item 0", "of today"])
    assert result.votes_version == version + 1
    read = client.read_votes("sparse")
    assert read.items is not None
    assert (read.items[0], read.items[-1], read.votes[0, -1], read.votes[-1, -1]) == ("item 0", "of today", 1, 0)
