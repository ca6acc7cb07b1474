"""Projects that are followed: each new version of the votes is fitted, and a jump of skill is told."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel.votes.symbols import Symbols
from weaklabel_client import Client, ClientError, Model
from weaklabel_protocol.v1 import models_pb2
from weaklabel_protocol.vote_objects import soft
from weaklabel_server.store import following, operations, projects, vote_uploads
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database
from weaklabel_server.store.operations import FitSettings

CLASSES = ("ham", "spam")


def week(number: int, *, broken: bool = False) -> tuple[NDArray[np.int8], list[str]]:
    """Votes [400, 5] of sources that are right in 85 % of them; the first in 20 % where it is broken."""
    rng = np.random.default_rng(number)
    truth = rng.integers(0, 2, 400)
    right = rng.random((400, 5)) < ([0.2 if broken else 0.85] + [0.85] * 4)
    votes = np.where(right, truth[:, None], 1 - truth[:, None]).astype(np.int8)
    return votes, [f"week {number} item {at}" for at in range(400)]


@pytest.fixture
def client(shared_server: Any) -> Any:
    with Client(shared_server.address) as client:
        yield client


def _newest(client: Client, project: str) -> Model:
    return client.get_model(project)


def test_each_upload_is_fitted_and_a_jump_of_skill_is_told(client: Client, harness: Any) -> None:
    project = client.create_project("followed", CLASSES).name
    votes, items = week(0)
    client.upload_votes(project, votes, items=items)
    model = client.fit(project, follow=True, over_time=True).result()
    assert (model.over_time, model.skill_jumps) == (True, ())
    assert client.get_project(project).followed
    times = []
    for number in range(1, 6):
        votes, items = week(number, broken=number > 2)
        times.append(client.upload_votes(project, votes, items=items).votes_version)
        harness.until(lambda: _newest(client, project).votes_version == times[-1])
    model = _newest(client, project)
    assert model.n_items == 2400
    (jump,) = model.skill_jumps
    assert jump.source == "source_0"
    assert jump.before == pytest.approx(0.85, abs=0.06)
    assert jump.after == pytest.approx(0.2, abs=0.06)
    uploads = sorted(one.create_time for one in client.list_models(project))
    assert uploads[1] < jump.time < uploads[3]  # between the third upload and the fourth
    assert any("source_0" in warning for warning in model.warnings)


def test_a_fit_that_waits_reads_the_newest_votes(client: Client, harness: Any) -> None:
    project = client.create_project("waiting", CLASSES).name
    rng = np.random.default_rng(0)
    client.upload_votes(project, rng.integers(0, 2, (20_000, 8)).astype(np.int8))
    long = client.fit(project, follow=True)  # the fits of a project run one after the other
    client.upload_votes(project, rng.integers(0, 2, (10, 8)).astype(np.int8))
    time.sleep(1.5)  # the fit that follows has joined the queue
    version = client.upload_votes(project, rng.integers(0, 2, (20, 8)).astype(np.int8)).votes_version
    long.result()
    harness.until(lambda: _newest(client, project).votes_version == version)


def test_it_ends_when_it_is_told_to(client: Client) -> None:
    project = client.create_project("left", CLASSES).name
    votes, items = week(0)
    client.upload_votes(project, votes, items=items)
    client.fit(project, follow=True).result()
    client.stop_following(project)
    client.stop_following(project)  # nothing happens
    assert not client.get_project(project).followed
    votes, items = week(1)
    client.upload_votes(project, votes, items=items)
    assert len(list(client.list_operations(project))) == 1


def test_what_it_cannot_be_told(client: Client, server: Any, harness: Any) -> None:
    parent = server.create_project()
    server.upload(parent, week(0)[0])
    refused = {
        "votes_version": models_pb2.FitModelRequest(parent=parent, follow=True, votes_version=1),
        "side": models_pb2.FitModelRequest(
            parent=parent, over_time=True, side=models_pb2.SideInformation(prior=f"{parent}/sideData/{'0' * 32}")
        ),
    }
    for field, request in refused.items():
        failure = harness.failure_of(lambda: server.models.FitModel(request))  # noqa: B023
        assert field in str(failure.violations), failure.violations
    client.upload_votes(client.create_project("soft", CLASSES).name, np.array([[soft((0.3, 0.7)), 0], [1, 0]], object))
    with pytest.raises(ClientError, match="one class each"):
        client.fit("soft", over_time=True).result()


def test_a_fit_that_was_not_begun_when_the_server_was_killed(start: Callable[..., Any], harness: Any) -> None:
    server = start()
    with Client(server.process.address) as client:
        client.create_project("killed", CLASSES)
        votes, items = week(0)
        client.upload_votes("killed", votes, items=items)
        client.fit("killed", follow=True).result()
        votes, items = week(1)
        version = client.upload_votes("killed", votes, items=items).votes_version
    server.kill()
    server = start()
    with Client(server.process.address) as client:
        harness.until(lambda: _newest(client, "killed").votes_version == version)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_uploads_that_come_while_a_fit_waits_are_fitted_together(
    kind: str, database_urls: Callable[[str], str]
) -> None:
    database = Database(database_urls(kind))
    try:
        with database.write() as tx:
            project = projects.create(tx, "p", list(CLASSES))
            following.begin(tx, project, FitSettings(seed=2**63, follow=True))

        def upload(number: int) -> None:
            with database.write() as tx:
                _, upload = vote_uploads.open_upload(tx, "p", f"u{number}", ("a", "b"), b"")
                vote_uploads.append(tx, upload, 0, pack_dense(np.zeros((3, 2), np.int8), None, Symbols.empty(2)))
                vote_uploads.finish(tx, upload, 3, max_cells=100)

        def waiting() -> list[tuple[int, str]]:
            with database.read() as tx:
                return [(one.votes_version, one.owner) for one in operations.list_unfinished(tx)]

        upload(1)
        upload(2)
        assert waiting() == [(2, "")]
        with database.write() as tx:
            (operation,) = operations.list_unfinished(tx)
            assert operation.settings == FitSettings(seed=2**63, follow=True)
            operations.begin(tx, operation, "me")
        upload(3)  # what has begun reads what it has read
        assert waiting() == [(2, "me"), (3, "")]
    finally:
        database.close()
