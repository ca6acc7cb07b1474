"""Projects as folders, out of a server and in again; cards, beside those that the library makes."""

import hashlib
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from numpy.typing import NDArray

import weaklabel_client.aio
from weaklabel import LabelModel, Votes
from weaklabel.formats.projects import read_project
from weaklabel.report import card as library_card
from weaklabel_client import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    TransferProgress,
    not_,
    one_of,
    same_label,
    soft,
)
from weaklabel_protocol.project_folders import FolderWriter, ProjectFolderError
from weaklabel_server.errors import Reason

CLASSES = ("ham", "spam", "eggs")
SOURCES = ("links", "item", "a.b")  # one that is called as the ids would be, and one with a dot
N = 150
pytestmark = pytest.mark.timeout(120)


def simulated() -> NDArray[np.int8]:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, N)
    votes = np.where(rng.random((N, 3)) < 0.8, truth[:, None], rng.integers(0, 3, (N, 3)))
    votes = np.where(rng.random((N, 3)) < 0.2, -1, votes)
    votes[3, 1] = -2
    return votes.astype(np.int8)


VOTES = simulated()
IDS = [f"mail {number}" for number in range(N)]


@pytest.fixture
async def one_client(shared_server: Any) -> AsyncIterator[Any]:
    """A client of one kind, for what is the server's."""
    async with weaklabel_client.aio.Client(shared_server.address) as client:
        yield client


async def filled(client: Any, project: str, *, whole: bool = True) -> dict[str, Any]:
    """A project with something of every kind, or with gold and one model; what it was filled with."""
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES, sources=SOURCES, items=IDS)
    rng = np.random.default_rng(1)
    gold = np.where(rng.random(N) < 0.3, np.maximum(VOTES[:, 0], 0), -1)
    prior = rng.dirichlet(np.ones(3), N).astype(np.float32)
    prior[::7] = np.nan
    features = rng.normal(size=(N, 4)).astype(np.float32)
    sides = {
        "gold": gold,
        "prior": prior,
        "groups": [f"group {number % 3}" for number in range(N)],
        "features": features,
        "gold_weight": (gold >= 0).astype(np.float32),
        "fields": [{"text": f"text {number}"} for number in range(N)],
    }
    if not whole:
        await client.upload_side_data(project, "gold", gold, items=IDS)
        return {"models": [await (await client.fit(project)).result()]}
    for kind, values in sides.items():
        await client.upload_side_data(project, kind, values, items=IDS)
    await client.upload_side_data(project, "bags", [same_label([IDS[1:3], IDS[4:7]])])
    first = await (await client.fit(project, seed=1)).result()
    second = await (await client.fit(project, gold=gold, items=IDS, seed=2, bounds={"links": (0.6, 0.95)})).result()
    return {"gold": gold, "prior": prior, "features": features, "models": [first, second]}


async def test_what_goes_out_comes_in_again(client: Any, project: str, tmp_path: Path) -> None:
    given = await filled(client, project)
    out, copy = tmp_path / "out", f"{project}-2"
    exported: list[TransferProgress] = []
    imported: list[TransferProgress] = []
    assert await client.export_project(project, out, progress=exported.append) == out
    made = await client.import_project(out, copy, progress=imported.append)
    assert (made.name, made.classes, made.n_items, made.n_sources) == (f"projects/{copy}", CLASSES, N, 3)

    votes = await client.read_votes(copy)
    np.testing.assert_array_equal(votes.votes, VOTES)
    assert (list(votes.items), tuple(votes.sources)) == (IDS, SOURCES)
    new = np.array([[0, 1, 2], [1, 1, -1], [2, -1, 0]], np.int8)
    listed = [[one async for one in client.list_models(name)] for name in (project, copy)]
    assert len(listed[0]) == 2
    for before, after in zip(*listed, strict=True):
        model = before.name.rpartition("/")[2]
        assert after.name == f"projects/{copy}/models/{model}"
        assert [vars(one) for one in after.sources] == [vars(one) for one in before.sources]
        soft_there, soft_here = [await client.soft_labels(name, model=model) for name in (project, copy)]
        np.testing.assert_array_equal(soft_here, soft_there)
        there, here = [await client.predict(one, new, model=model, sources=SOURCES) for one in (project, copy)]
        np.testing.assert_array_equal(here, there)
        assert await client.download_model(copy, model) == await client.download_model(project, model)
    # Side data: fits of both with all of it are the same to the bit, and so are exports of both.
    sides = {one.kind: one.name.rpartition("/")[2] async for one in client.list_side_data(copy)}
    assert len(sides) == 7
    await client.export_project(copy, tmp_path / "again")
    named = {one.name: one for one in out.rglob("*") if one.is_file()}
    size = sum(one.stat().st_size for name, one in named.items() if name != "manifest.json")
    assert len({one.transferred_bytes for one in exported}) > 1
    assert exported[-1] == TransferProgress(size, None)
    assert imported[0] == TransferProgress(0, size)
    assert imported[-1] == TransferProgress(size, size)
    for steps in (exported, imported):
        assert steps == sorted(steps, key=lambda one: one.transferred_bytes)
    assert len(named) == 1 + len(read_project(out).manifest.files)
    for name in (one.name for one in read_project(out).manifest.files):
        if name not in ("sources.parquet", "side_data.parquet", "models.parquet", "card.json", "card.md"):
            assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    for name in ("side_data.parquet", "models.parquet", "sources.parquet"):
        tables = [pq.read_table(folder / name).drop_columns(["create_time"]) for folder in (out, tmp_path / "again")]
        assert tables[0].equals(tables[1]), name
    assert [one.kind for one in read_project(out).side_data if one.kind == "gold"]
    assert given["models"][1].name.rpartition("/")[2] == read_project(out).models[-1].id


async def test_the_library_reads_the_folder(client: Any, project: str, tmp_path: Path) -> None:
    given = await filled(client, project)
    folder = read_project(await client.export_project(project, tmp_path / "out"))
    votes = folder.votes()
    assert votes == Votes.from_codes(VOTES, 3, sources=SOURCES, items=IDS)
    np.testing.assert_array_equal(folder.gold(), given["gold"])
    labels = await client.labels(project)
    read = folder.soft_labels()
    np.testing.assert_array_equal(read.probabilities, labels.probabilities)
    np.testing.assert_array_equal(read.labels, labels.labels)
    assert read.ids == tuple(IDS)
    model = LabelModel.load(folder.model_file())
    np.testing.assert_array_equal(model.predict_proba(votes), await client.predict(project, VOTES, sources=SOURCES))
    # As plain Parquet, too: side data has the values that were given.
    names = {one.kind: f"side_data/{one.id}.parquet" for one in folder.side_data}
    prior = pq.read_table(folder.folder / names["prior"])["prior"].to_pylist()
    np.testing.assert_array_equal(np.array(prior, np.float32), given["prior"])
    features = pq.read_table(folder.folder / names["features"])["features"].to_pylist()
    np.testing.assert_array_equal(np.array(features, np.float32), given["features"])
    assert pq.read_table(folder.folder / names["bags"])["item_ids"].to_pylist() == [IDS[1:3], IDS[4:7]]
    manifest = json.loads((folder.folder / "manifest.json").read_text())
    for one in manifest["files"]:
        assert hashlib.sha256((folder.folder / one["name"]).read_bytes()).hexdigest() == one["sha256"]


async def test_votes_for_several_classes_and_items_without_ids(one_client: Any, project: str, tmp_path: Path) -> None:
    client = one_client
    cells = [[0, one_of(0, 1), -1], [not_(2), 1, soft([0.25, 0.5, 0.25])], [-1, -2, soft([0.5, 0.25, 0.25])]]
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, cells, sources=SOURCES)
    await client.upload_side_data(project, "gold", [0, -1, 2])
    sparse = scipy.sparse.csr_matrix(np.array([[0, 1.5, 0], [0, 0, 0], [2, 0, -1]], np.float32))
    await client.upload_side_data(project, "features", sparse)
    out = await client.export_project(project, tmp_path / "out")
    await client.import_project(out, f"{project}-2")
    votes = await client.read_votes(f"{project}-2")
    expected = await client.read_votes(project)
    np.testing.assert_array_equal(votes.votes, expected.votes)
    assert votes.items is None
    read = read_project(out).votes()
    assert [read.vote_at(1, 0), read.vote_at(1, 2), read.vote_at(0, 1)] == [
        one_of(0, 1),
        soft([0.25, 0.5, 0.25]),
        one_of(0, 1),
    ]
    np.testing.assert_array_equal(read_project(out).gold(), [0, -1, 2])
    again = await client.export_project(f"{project}-2", tmp_path / "again")
    for one in read_project(out).side_data:
        name = f"side_data/{one.id}.parquet"
        assert (again / name).read_bytes() == (out / name).read_bytes()
        if one.kind == "features":
            table = pq.read_table(out / name).to_pydict()
            assert table == {"columns": [[1], [], [0, 2]], "features": [[1.5], [], [2.0, -1.0]]}


async def test_an_earlier_version_of_the_votes(one_client: Any, project: str, tmp_path: Path) -> None:
    client = one_client
    await client.create_project(project, classes=CLASSES)
    await client.upload_votes(project, VOTES[:100], sources=SOURCES, items=IDS[:100])
    model = await (await client.fit(project)).result()
    await client.upload_votes(project, VOTES, sources=SOURCES, items=IDS)
    await (await client.fit(project)).result()
    out = await client.export_project(project, tmp_path / "out", votes_version=1)
    made = await client.import_project(out, f"{project}-2")
    assert (made.n_items, made.votes_version) == (100, 1)
    assert [one.name.rpartition("/")[2] async for one in client.list_models(f"{project}-2")] == [
        model.name.rpartition("/")[2]
    ]
    # The next upload goes on from there.
    assert (await client.upload_votes(f"{project}-2", VOTES, sources=SOURCES, items=IDS)).votes_version == 2
    np.testing.assert_array_equal((await client.read_votes(f"{project}-2")).votes, VOTES)
    newest = await client.export_project(project, tmp_path / "newest", models=1)
    made = await client.import_project(newest, f"{project}-3")
    assert (made.votes_version, len(read_project(newest).models)) == (2, 1)
    with pytest.raises(NotFound):
        await client.export_project(project, tmp_path / "never", votes_version=9)
    assert {"never", "never.partial"}.isdisjoint(_listed(tmp_path))


def _entries(folder: Path) -> list[str]:
    return [one.name for one in read_project(folder).manifest.files]


def _listed(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def _spoil(folder: Path, name: str) -> None:
    """Flips a bit in the middle of a file."""
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)


async def test_damage_and_halves_are_refused(one_client: Any, project: str, tmp_path: Path) -> None:
    client = one_client
    await filled(client, project, whole=False)
    out = await client.export_project(project, tmp_path / "out")
    copy = f"{project}-2"
    for number, name in enumerate(_entries(out)[::2]):
        spoilt = tmp_path / f"spoilt-{number}"
        shutil.copytree(out, spoilt)
        _spoil(spoilt, name)
        with pytest.raises(InvalidArgument, match="damaged: its checksum") as caught:
            await client.import_project(spoilt, copy)
        assert caught.value.reason == Reason.IMPORT_UNSUITABLE
        assert name in str(caught.value)
        with pytest.raises(ProjectFolderError, match="damaged"):
            read_project(spoilt).check()
        with pytest.raises(NotFound):
            await client.get_project(copy)
    half = tmp_path / "half.partial"
    shutil.copytree(out, half)
    (half / "manifest.json").unlink()
    with pytest.raises(ProjectFolderError, match=r"has no manifest\.json: it was not written to its end"):
        await client.import_project(half, copy)
    (tmp_path / "short").mkdir()
    shutil.copytree(out, tmp_path / "short", dirs_exist_ok=True)
    (tmp_path / "short" / "models.parquet").unlink()
    with pytest.raises(ProjectFolderError, match=r"models\.parquet is missing"):
        read_project(tmp_path / "short")
    with pytest.raises(ProjectFolderError, match="not an empty folder"):
        await client.export_project(project, out)
    with pytest.raises(AlreadyExists):
        await client.import_project(out, project)
    assert (await client.import_project(out, copy)).n_items == N


def _rewritten(out: Path, target: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """The folder with one table changed, and a manifest that fits."""
    manifest = read_project(out).manifest
    with FolderWriter(target) as writer:
        for entry in manifest.files:
            data = (out / entry.name).read_bytes()
            if entry.name == name:
                changed = change(pq.read_table(out / name))
                pq.write_table(changed, target.with_suffix(".table"), use_dictionary=False)
                data = target.with_suffix(".table").read_bytes()
            writer.write(entry.name, data)
            writer.end_file(entry.name)
        writer.finish(manifest.description)
    return target


async def test_values_that_cannot_be_are_refused_with_their_place(
    one_client: Any, project: str, tmp_path: Path
) -> None:
    client = one_client
    await filled(client, project, whole=False)
    out, copy = await client.export_project(project, tmp_path / "out", models=1), f"{project}-2"
    model = read_project(out).models[0].id

    def put(column: str, row: int, value: Any) -> Callable[[Any], Any]:
        def change(table: Any) -> Any:
            cells = table[column].to_pylist()
            cells[row] = value
            at = table.schema.get_field_index(column)
            return table.set_column(at, table.schema.field(at), pa.array(cells, table.schema.field(at).type))

        return change

    votes, labels = "votes/part-00000.parquet", f"soft_labels/{model}.parquet"
    gold = next(f"side_data/{one.id}.parquet" for one in read_project(out).side_data if one.kind == "gold")
    for number, (name, change, told) in enumerate(
        [
            (votes, put("a.b", 7, 3), r"row group 0: row 7, column 'a\.b': 3 is no vote"),
            (votes, put("_item", 9, IDS[2]), f'row group 0, ids\\[9\\]: "{IDS[2]}" stands at index 2'),
            (votes, put("_item", 9, "x" * 300), r"ids\[9\]: 1 to 255 characters"),
            (votes, lambda table: table.slice(0, 10), "votes have 10 rows, and 150 items"),
            (votes, lambda table: table.drop_columns(["links"]), "column 1 is 'item'"),
            (labels, put("p_ham", 4, np.nan), "row 4 is no soft label"),
            (labels, lambda table: table.slice(5), "has 145 rows, not 150"),
            (gold, put("gold", 5, 3), r"row group 0, column 'gold': row 5: 3 is outside -1\.\.2"),
            ("sources.parquet", put("source", 0, "item"), "votes|sources"),
            ("models.parquet", put("side_information", 0, "[]"), "side information"),
            ("models.parquet", put("votes_version", 0, 7), "votes, or has items, that are not here"),
            ("side_data.parquet", put("rows", 0, 7), "150 rows, and 7"),
            ("side_data.parquet", put("kind", 0, "gospel"), "'gospel' of 150 rows is no side data"),
        ]
    ):
        changed = _rewritten(out, tmp_path / f"changed-{number}", name, change)
        with pytest.raises(InvalidArgument, match=told) as caught:
            await client.import_project(changed, copy)
        assert caught.value.reason == Reason.IMPORT_UNSUITABLE
        with pytest.raises(NotFound):
            await client.get_project(copy)


async def test_transfers_go_on_over_broken_connections(
    connect: Callable[..., Any], shared_server: Any, make_proxy: Callable[[str], Any], project: str, tmp_path: Path
) -> None:
    proxy = make_proxy(shared_server.address)
    client = connect(proxy.address)
    await client.create_project(project, classes=CLASSES)
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 3, (120_000, 12), dtype=np.int8)
    await client.upload_votes(project, votes)
    out = await client.export_project(project, tmp_path / "out")
    import_id = str(uuid.uuid4())
    proxy.cut_after(100_000, 60_000)
    connections = proxy.n_connections
    made = await client.import_project(out, f"{project}-2", import_id=import_id)
    assert made.n_items == 120_000
    assert proxy.n_connections > connections
    np.testing.assert_array_equal((await client.read_votes(f"{project}-2")).votes, votes)
    # The same import once more is the one that was.
    assert (await client.import_project(out, f"{project}-2", import_id=import_id)).name == made.name


GIVEN: dict[str, Any] = {
    "name": "Mails",
    "version": "1.2",
    "license": "CC-BY-4.0",
    "creators": ["A. Person"],
    "date": "2026-01-31",
    "url": "https://mails.example",
    "source_versions": {"links": "3"},
    "files": {"labels.csv": "ab" * 32},
}


async def test_the_card_is_that_of_the_library(client: Any, project: str, tmp_path: Path) -> None:
    given = await filled(client, project)
    pulled = await client.read_votes(project)
    votes = Votes.from_codes(pulled.votes, 3, sources=pulled.sources, items=pulled.items)
    model = LabelModel.from_bytes(await client.download_model(project))
    expected = library_card(votes, model, gold=given["gold"], **GIVEN)
    made = await client.card(project, gold=given["gold"], items=IDS, **GIVEN)
    assert made.to_json() == expected.to_json()
    assert made.to_markdown() == expected.to_markdown()
    assert made.model == given["models"][1].name
    # And the one in an exported folder.
    out = await client.export_project(project, tmp_path / "out")
    bare = library_card(votes, model, name=project, version="1")
    assert (out / "card.json").read_text() == bare.to_json()
    assert (out / "card.md").read_text() == bare.to_markdown()
    with pytest.raises(InvalidArgument, match="no source of the votes"):
        await client.card(project, name="x", version="1", source_versions={"nobody": "1"})
    with pytest.raises(InvalidArgument, match="not empty"):
        await client.card(project, name=" ", version="1")
    uploaded = await client.upload_model(project, model)
    with pytest.raises(FailedPrecondition):
        await client.card(project, name="x", version="1", model=uploaded.name)
