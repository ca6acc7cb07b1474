"""Models as files: down into the library, and up from where they were fitted."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import weaklabel_client
from weaklabel import LabelModel, Votes
from weaklabel.errors import InvalidArgumentError
from weaklabel_client import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted

CLASSES = ("ham", "spam")
SOURCES = ("links", "caps", "words")
pytestmark = pytest.mark.timeout(120)


def simulated(seed: int = 0) -> NDArray[np.int8]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 120)
    votes = np.where(rng.random((120, 3)) < 0.8, truth[:, None], 1 - truth[:, None])
    return np.where(rng.random((120, 3)) < 0.2, -1, votes).astype(np.int8)


VOTES = simulated()


def fitted(sources: tuple[str, ...] = SOURCES, classes: tuple[str, ...] = CLASSES, **options: Any) -> LabelModel:
    votes = Votes.from_dense(VOTES[:, : len(sources)], n_classes=len(classes), sources=sources)
    return LabelModel(classes=classes, **options).fit(votes)


def changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The file with another header."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
    change(header)
    text = io.BytesIO()
    np.save(text, np.frombuffer(json.dumps(header).encode(), np.uint8))
    members["header.npy"] = text.getvalue()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


async def test_a_model_goes_up_and_is_one_like_others(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES, sources=SOURCES)
    model = fitted(seed=3)
    uploaded = await client.upload_model(project, model, votes_version=0)
    assert (uploaded.uploaded, uploaded.votes_version, uploaded.n_items) == (True, 1, 120)
    assert [one.source for one in uploaded.sources] == list(SOURCES)
    np.testing.assert_array_equal(uploaded.class_balance, model.class_balance)
    assert (await client.get_model(project)).name == uploaded.name
    np.testing.assert_allclose(await client.soft_labels(project), model.predict_proba(VOTES), atol=1e-6)
    np.testing.assert_allclose(await client.predict(project, VOTES[:7]), model.predict_proba(VOTES[:7]), atol=1e-6)
    assert await client.download_model(project) == model.to_bytes()
    (told,) = await client.explain(project, 5)
    np.testing.assert_allclose(told.probabilities, model.explain(VOTES, 5).probabilities, atol=1e-6)
    drawn = await client.next_to_label(project, 10)
    np.testing.assert_array_equal(drawn.positions, model.next_to_label(VOTES, 10).items)


async def test_a_model_without_labels_predicts_only(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)  # and nobody has voted
    model = fitted()
    uploaded = await client.upload_model(project, model.to_bytes())
    assert (uploaded.votes_version, uploaded.n_items) == (0, 0)
    np.testing.assert_allclose(await client.predict(project, VOTES), model.predict_proba(VOTES), atol=1e-6)
    assert (await client.diagnostics(project)).risk == model.diagnostics.risk
    for call in (
        client.soft_labels(project),
        client.labels(project, items=[0]),
        client.explain(project, 0),
        client.next_to_label(project, 3),
        client.evaluate(project, np.zeros(120, int)),
        client.effective_votes(project),
    ):
        with pytest.raises(FailedPrecondition, match="uploaded without a version") as caught:
            await call
        assert caught.value.reason == "NO_SOFT_LABELS"


async def test_what_does_not_fit_is_refused(client: Any, project: str) -> None:
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES, sources=SOURCES)
    good = fitted().to_bytes()

    def with_risk(value: Any) -> bytes:
        return changed(good, lambda header: header["diagnostics"].update(risk=value))

    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    bomb = io.BytesIO(good)
    with zipfile.ZipFile(bomb, "a") as archive:
        archive.writestr("more.npy", huge.getvalue())
    cases = {
        "not a label model": b"PK hello",
        "classes are not": fitted(classes=("spam", "ham")).to_bytes(),
        "sources that are not among those of the project: 'strange'": fitted(("links", "strange")).to_bytes(),
        "damaged: TypeError": with_risk("much"),
        "risk and doubt lie between": with_risk(float("nan")),
        "damaged: KeyError": changed(good, lambda header: header["diagnostics"].update(silent=["nobody"])),
        "its seed": changed(good, lambda header: header.update(seed=-1)),
        "shorter than its shape": bomb.getvalue(),
    }
    for said, data in cases.items():
        with pytest.raises(InvalidArgument, match=said) as caught:
            await client.upload_model(project, data)
        assert caught.value.reason == "MODEL_FILE_UNSUITABLE", said
    with pytest.raises(NotFound):
        await client.get_model(project)
    with pytest.raises(NotFound):
        await client.upload_model("no-such-project", good)
    with pytest.raises(TypeError, match="a model of weaklabel, such as LabelModel, or its bytes"):
        await client.upload_model(project, 7)


async def test_too_large_a_model_is_refused(
    start_server: Any, connect: Any, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEAKLABEL_MAX_MODEL_BYTES", str(2**20))
    client = connect(start_server().address)
    await client.create_project(project, classes=CLASSES)
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(2**20 + 1))
    assert len(zeros.getvalue()) < 2**12
    for data, said in ((zeros.getvalue(), "would take 1,048,577 bytes"), (bytes(2**20 + 1), "at most 1048576 bytes")):
        with pytest.raises(ResourceExhausted, match=said) as caught:
            await client.upload_model(project, data)
        assert caught.value.reason == "MODEL_TOO_LARGE"


def test_the_library_takes_a_model_from_a_server(shared_server: Any, project: str) -> None:
    votes = Votes.from_dense(VOTES, n_classes=2, sources=SOURCES)
    with weaklabel_client.Client(shared_server.address) as client:
        client.create_project(project, classes=CLASSES)
        client.upload_votes(project, VOTES, sources=SOURCES)
        name = client.fit(project).result(timeout=120).name
        own = LabelModel(classes=CLASSES).fit(votes)
        for server in (client, shared_server.address):
            for asked in (name, f"projects/{project}/models/latest"):
                model = LabelModel.from_server(server, asked)
                assert (model.classes, model.source_names) == (CLASSES, SOURCES)
                np.testing.assert_allclose(model.predict_proba(votes), own.predict_proba(votes), atol=2e-5)
                np.testing.assert_allclose(model.predict_proba(votes), client.soft_labels(project), atol=1e-6)
        with pytest.raises(NotFound):
            LabelModel.from_server(client, f"projects/{project}/models/none")
        with pytest.raises(InvalidArgumentError, match="projects/PROJECT/models/MODEL"):
            LabelModel.from_server(client, project)
        with pytest.raises(InvalidArgumentError, match=r"an address or a weaklabel_client\.Client"):
            LabelModel.from_server(client._connection, name)
