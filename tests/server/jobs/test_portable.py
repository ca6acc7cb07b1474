"""Projects as folders straight out of a store and into it, on SQLite and on PostgreSQL; folders while they come."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.project_folders import FileEntry, FolderWriter, Manifest, ProjectFolderError, pieces
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.portable.export import export, take_snapshot
from weaklabel_server.jobs.portable.importing import Importer
from weaklabel_server.jobs.portable.spool import Spool
from weaklabel_server.jobs.transfers import ImportLimits
from weaklabel_server.store import items, projects, schema, trash, vote_uploads, votes
from weaklabel_server.store.access import quotas
from weaklabel_server.store.access.quotas import Limits, Quotas
from weaklabel_server.store.chunks import pack_dense
from weaklabel_server.store.database import Database

N = 5_000
IDS = [f"item {number}" for number in range(N)]
CODES = np.random.default_rng(0).integers(-2, 2, (N, 3)).astype(np.int8)
LIMITS = ImportLimits(max_cells=10**9, max_side_data_bytes=10**9, max_model_bytes=10**8, max_class_bytes=10**6)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, database_urls: Callable[[str], str]) -> Iterator[Database]:
    opened = Database(database_urls(request.param))
    with opened.write() as tx:
        projects.create(tx, "p", ["a", "b"])
        _, upload = vote_uploads.open_upload(tx, "p", str(uuid.uuid4()), ("s", "t", "u"), b"")
        vote_uploads.append(tx, upload, 0, pack_dense(CODES, IDS, Symbols.empty(2)))
        vote_uploads.finish(tx, upload, N, max_cells=10**9)
    yield opened
    opened.close()


def exported(database: Database, folder: Path) -> Manifest:
    with database.read() as tx:
        snapshot = take_snapshot(tx, "p", 0, None)
    with FolderWriter(folder) as writer:
        for piece in export(database, snapshot, None):
            if piece.is_end:
                writer.end_file(piece.file, piece.size_bytes, piece.sha256)
            else:
                writer.write(piece.file, piece.data)
        return writer.finish(snapshot.description())


def imported(database: Database, folder: Path, manifest: Manifest, *, max_bytes: int = 10**9, check: Any = None) -> Any:
    limits = Limits(max_rows=10**9, max_sources=100, max_classes=100, max_bytes=max_bytes)
    importer = Importer(database, Quotas(limits), LIMITS, replica_id="r" * 32, check=check or (lambda: None))
    return importer.run(folder, manifest, "q", "i1", lambda tx, show: show(tx))


def left(database: Database) -> int:
    """Projects beside the first that a caller sees, or that wait hidden; and not those that are thrown away."""
    with database.read() as tx:
        kept = ~schema.projects.c.project_id.startswith("~") & (schema.projects.c.project_id != "p")
        return int(tx.execute(select(func.count()).select_from(schema.projects).where(kept)).scalar_one())


async def test_out_and_in(database: Database, tmp_path: Path) -> None:
    manifest = exported(database, tmp_path / "out")
    made = imported(database, tmp_path / "out", manifest)
    assert (made.project_id, made.item_count, made.votes_version, made.named_items) == ("q", N, 1, True)
    with database.read() as tx:
        view = votes.view(tx, "q", 0)
        np.testing.assert_array_equal(votes.read_rows(tx, view, 0, N)[0], CODES)
        assert items.ids(tx, view.project, 0, N) == IDS
        stored = [quotas.stored_bytes(tx, projects.get(tx, one).key) for one in "pq"]
        blobs = func.sum(func.length(schema.chunks.c.votes))
        of_q = tx.execute(
            select(blobs).join(schema.uploads).where(schema.uploads.c.project_key == view.project.key)
        ).scalar_one()
    assert stored[1] == of_q
    assert 0 < stored[1] < 2 * stored[0]
    # The same snapshot gives the same bytes.
    assert exported(database, tmp_path / "again") == manifest
    await trash.empty(database)
    assert left(database) == 1


def test_what_fails_in_the_middle_leaves_nothing(database: Database, tmp_path: Path) -> None:
    manifest = exported(database, tmp_path / "out")
    calls = []

    def stop() -> None:
        calls.append(1)
        assert left(database) == 1  # which nobody sees
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imported(database, tmp_path / "out", manifest, check=stop)
    assert left(database) == 0
    with pytest.raises(ServiceError, match='project "q" may hold 1000 bytes'):
        imported(database, tmp_path / "out", manifest, max_bytes=1000)
    assert left(database) == 0
    with pytest.raises(ServiceError, match="there is no project"), database.read() as tx:
        projects.get(tx, "q")


def _manifest(tmp_path: Path) -> tuple[Manifest, bytes]:
    """Three files, one of them empty, and their bytes in a row."""
    contents = {"sources.parquet": b"0123456789", "votes/part-00000.parquet": b"", "models.parquet": b"abc"}
    with FolderWriter(tmp_path / "sent") as writer:
        for name, data in contents.items():
            writer.write(name, data)
            writer.end_file(name)
        return writer.finish({}), b"".join(contents.values())


def test_a_folder_comes_in_pieces_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    manifest, data = _manifest(tmp_path)
    spool = Spool(tmp_path, 20)
    first = spool.open("key", manifest)
    assert first.append(0, data[:7]) == 7
    again = Spool(tmp_path, 20).open("key", manifest)  # by a server that was started anew
    assert again.committed_bytes == 7
    second = spool.open("key", manifest)
    with pytest.raises(ServiceError, match="another stream"):
        first.append(7, data[7:])
    assert second.append(0, data[:7]) == 7  # it was there already
    with pytest.raises(ServiceError, match="begins with byte 7, not 8"):
        second.append(8, data[8:])
    with pytest.raises(ServiceError, match="more than the 13 bytes"):
        second.append(7, data[7:] + b"x")
    with pytest.raises(ServiceError, match="7 bytes came"):
        second.end()
    for offset, piece in pieces(tmp_path / "sent", manifest, 7):
        second.append(offset, piece)
    second.end()
    for entry in manifest.files:
        assert (second.folder / entry.name).read_bytes() == (tmp_path / "sent" / entry.name).read_bytes()
    with pytest.raises(ServiceError, match="imports take at most 20 bytes"):
        spool.open("other", manifest)
    spool.remove("key")
    assert not second.folder.exists()
    assert spool.open("other", manifest).committed_bytes == 0


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "votes/../x", "a/b/c", "", ".", "..", "manifest.json", "x\0", "votes/"]
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    values = {"name": name, "bytes": 1, "sha256": "0" * 64}
    data = json.dumps({"format": "weaklabel project", "format_version": 1, "files": [values]}).encode()
    with pytest.raises(ProjectFolderError, match=r"files\[0\]"):
        Manifest.from_bytes(data)
    with FolderWriter(tmp_path / "folder") as writer, pytest.raises(ProjectFolderError, match="cannot be called"):
        writer.write(name, b"x")
    assert not (tmp_path / "folder").exists()


def test_the_manifest_says_what_it_is() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    manifest = Manifest({"project": "p"}, (FileEntry("card.md", 1, digest),))
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    for data, told in [
        (b"{", "not JSON"),
        (b"[]", "not that of a project"),
        (manifest.to_bytes().replace(b'"format_version": 1', b'"format_version": 2'), "format version 2"),
        (b"[" * 10_000, "not JSON"),
        (b" " * 3_000_000, "bytes, at most"),
    ]:
        with pytest.raises(ProjectFolderError, match=told):
            Manifest.from_bytes(data)
