"""What a request repeats comes back cut: errors and pages fit into what gRPC carries, whatever they are about."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from weaklabel_protocol.v1 import (
    labels_pb2,
    models_pb2,
    operations_pb2,
    projects_pb2,
    prompts_pb2,
    prompts_pb2_grpc,
    side_data_pb2,
    sources_pb2,
    votes_pb2,
)
from weaklabel_server.errors import MAX_VIOLATIONS, FieldViolation, Reason, ServiceError, cut

LARGEST_MESSAGE = 64 * 1024
TRAILERS = 8 * 1024
"""Bytes of metadata that gRPC lets through by default."""


@pytest.fixture(scope="module")
def narrow(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server whose messages are small, with prompts."""
    settings = tmp_path_factory.mktemp("narrow-settings") / "prompts.toml"
    settings.write_text('[endpoints.default]\nbase_url = "http://127.0.0.1:9/v1"\nparameters = ["seed"]\n[budget]\n')
    environment = {
        "WEAKLABEL_MAX_MESSAGE_BYTES": str(LARGEST_MESSAGE),
        "WEAKLABEL_PROMPTS_FILE": str(settings),
    }
    with serving(tmp_path_factory.mktemp("narrow"), environment) as server:
        yield server


@pytest.mark.parametrize("text", ["a" * 50_000, "é" * 50_000, "\U0001f600" * 50_000, "\n" * 50_000, "\ud800" * 9])
def test_every_error_fits_into_trailers(text: str) -> None:
    error = ServiceError(
        Reason.INVALID_FIELD,
        text,
        metadata={f"key {at}": text for at in range(100)},
        violations=[FieldViolation(text, text)] * 1_000,
    )
    status = error.to_status().SerializeToString()
    in_percent = sum(1 if 32 <= byte < 127 and byte != 37 else 3 for byte in error.message.encode())
    assert len(base64.b64encode(status)) + in_percent < TRAILERS - 512


def test_cutting_keeps_what_fits() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcdef", 5) == "ab..."
    assert cut("éé", 4) == "éé"
    assert cut("ééé", 5) == "é..."
    assert cut("\ud800", 100) == "\\ud800"


def test_of_many_faults_the_first_are_named_and_the_others_counted(server: Any, harness: Any, simulated: Any) -> None:
    parent = server.create_project()
    repeated = list(harness.upload_messages(parent, np.zeros((1_000, 1)), items=["i" * 255] * 1_000))
    failure = harness.failure_of(lambda: list(server.votes.UploadVotes(iter(repeated))))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    named = [field for field in failure.violations if field]
    assert named[0] == "chunk.item_ids[1]"
    assert 1 < len(named) <= MAX_VIOLATIONS
    assert failure.violations[""] == f"and {999 - len(named)} more"

    codes, _ = simulated(items=40)
    server.upload(parent, codes)
    unknown = [f"{at} {'u' * 200}" for at in range(500)]
    request = labels_pb2.PredictRequest(
        model=server.fit(parent).model, sources=unknown, votes=harness.tensor(np.zeros((1, 500)))
    )
    failure = harness.failure_of(lambda: server.labels.Predict(request))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MODEL_SOURCES_UNKNOWN")
    assert failure.violations[""] == f"and {501 - len(failure.violations)} more"


@pytest.mark.parametrize("text", ["x" * 100_000, "é" * 100_000, "projects/" + "p" * 100_000, "a\0b"])
def test_long_names_come_back_cut(server: Any, harness: Any, text: str) -> None:
    project = projects_pb2.GetProjectRequest(name=text)
    for call in (
        lambda: server.projects.GetProject(project),
        lambda: server.models.GetModel(models_pb2.GetModelRequest(name=f"projects/a/models/{text}")),
        lambda: server.sources.GetSource(sources_pb2.GetSourceRequest(name=f"projects/a/sources/{text}")),
        lambda: server.operations.GetOperation(operations_pb2.GetOperationRequest(name=text)),
        lambda: server.side_data.GetSideData(side_data_pb2.GetSideDataRequest(name=text)),
        lambda: server.projects.CreateProject(projects_pb2.CreateProjectRequest(project_id=text, classes=[text] * 3)),
        lambda: list(server.votes.ReadVotes(votes_pb2.ReadVotesRequest(parent=text))),
        lambda: list(server.labels.ReadSoftLabels(labels_pb2.ReadSoftLabelsRequest(model=text))),
    ):
        failure = harness.failure_of(call)
        assert failure.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


@pytest.mark.parametrize("key", ["\ud800", "a\0b", "é", 2**63, -1, True, None])
def test_forged_page_tokens(server: Any, harness: Any, key: Any) -> None:
    parent = server.create_project()
    listings: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("projects", lambda one: server.projects.ListProjects(projects_pb2.ListProjectsRequest(page_token=one))),
        (
            f"{parent}/models",
            lambda one: server.models.ListModels(models_pb2.ListModelsRequest(parent=parent, page_token=one)),
        ),
    )
    for listing, call in listings:
        token = base64.urlsafe_b64encode(json.dumps([listing, key]).encode()).decode()
        failure = harness.failure_of(lambda: call(token))  # noqa: B023
        assert list(failure.violations) == ["page_token"]


def test_nul_in_the_encoded_name_of_a_source(server: Any, harness: Any) -> None:
    parent = server.create_project()
    request = sources_pb2.GetSourceRequest(name=f"{parent}/sources/a%00b")
    failure = harness.failure_of(lambda: server.sources.GetSource(request))
    assert list(failure.violations) == ["name"]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e308])
def test_numbers_in_prompts_that_json_or_sums_cannot_take(narrow: Any, harness: Any, value: float) -> None:
    parent = narrow.create_project()
    stub = prompts_pb2_grpc.PromptServiceStub(narrow.channel)
    rows = side_data_pb2.SideRows(fields=side_data_pb2.Fields(items=[side_data_pb2.ItemFields(values={"text": "b"})]))
    items = narrow.upload_side(parent, side_data_pb2.SIDE_DATA_KIND_FIELDS, (1, rows))[-1].name
    prompt = prompts_pb2.Prompt(name="p", model="m", template="{text}?")
    prompt.answers.add(text="yes", label=1)
    prompt.answers.add(text="no").soft.probabilities.extend([value, value])
    request = prompts_pb2.PlanPromptsRequest(parent=parent, items=items, prompts=[prompt])
    failure = harness.failure_of(lambda: stub.PlanPrompts(request))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    if value != 1e308:
        del prompt.answers[1]
        prompt.answers.add(text="no", label=0)
        prompt.parameters["seed"] = value
        request = prompts_pb2.PlanPromptsRequest(parent=parent, items=items, prompts=[prompt])
        failure = harness.failure_of(lambda: stub.PlanPrompts(request))
        assert list(failure.violations) == ["prompts[0].parameters"]


def test_pages_are_cut_by_bytes(narrow: Any, harness: Any) -> None:
    """Of models with long names of sources, and of projects with long names of classes."""
    parent = narrow.create_project()
    names = [f"{at} {'s' * 240}" for at in range(70)]
    narrow.upload(parent, np.random.default_rng(0).integers(0, 2, (30, 70)).astype(np.int8), sources=names)
    made = [narrow.fit(parent, options=models_pb2.FitOptions(max_iterations=1)).model for _ in range(7)]
    listed, token, pages = [], "", 0
    while pages == 0 or token:
        request = models_pb2.ListModelsRequest(parent=parent, page_size=100, page_token=token)
        answer = narrow.models.ListModels(request)
        assert answer.ByteSize() <= LARGEST_MESSAGE
        listed += [model.name for model in answer.models]
        token, pages = answer.next_page_token, pages + 1
    assert listed == made[::-1]
    assert pages > 2
    rows = narrow.models.ListModels(models_pb2.ListModelsRequest(parent=parent, page_size=2))
    assert [model.name for model in rows.models] == made[:-3:-1]

    classes = [f"{at} {'c' * 250}" for at in range(60)]
    projects = [narrow.create_project(classes) for _ in range(9)]
    found: list[str] = []
    token = ""
    while not found or token:
        page = narrow.projects.ListProjects(projects_pb2.ListProjectsRequest(page_size=1000, page_token=token))
        found += [project.name for project in page.projects]
        token = page.next_page_token
    assert found == sorted(set(found))
    assert set(projects) <= set(found)


def test_names_that_no_message_could_hold_are_refused(narrow: Any, server: Any, harness: Any) -> None:
    request = projects_pb2.CreateProjectRequest(project_id="wide", classes=[f"{at} {'c' * 250}" for at in range(100)])
    failure = harness.failure_of(lambda: narrow.projects.CreateProject(request))
    assert failure.violations["classes"].startswith("names of 16384 bytes in all")

    parent = server.create_project()
    names = [f"{at} {'s' * 240}" for at in range(10_000)]
    messages = list(harness.upload_messages(parent, np.zeros((1, 10_000)), sources=names, upload_id=str(uuid.uuid4())))
    failure = harness.failure_of(lambda: list(server.votes.UploadVotes(iter(messages))))
    assert (failure.code, failure.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PROJECT_TOO_LARGE")
    assert failure.retry_seconds is None
    assert not server.sources.ListSources(sources_pb2.ListSourcesRequest(parent=parent)).sources
