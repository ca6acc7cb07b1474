"""weaklabel admin beside a real server: what it copies is whole, and what it removes nobody needs."""

import hashlib
import json
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from weaklabel.cli.main import app
from weaklabel.prompts.cache import Entry, ResponseCache
from weaklabel_protocol.v1 import models_pb2, projects_pb2, sources_pb2


def admin(*arguments: object) -> Result:
    """Runs the command in this process: others take seconds to start."""
    return CliRunner().invoke(app, ["admin", *map(str, arguments)])


def said(*arguments: object) -> str:
    done = admin(*arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def refused(*arguments: object) -> str:
    done = admin(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_backup_and_restore_while_it_serves(
    start: Any, simulated: Any, tmp_path: Path, serving: Callable[..., Any]
) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    items = [f"i{row}" for row in range(len(codes))]
    server.upload(parent, codes, items=items)
    data_dir, file = server.process.data_dir, tmp_path / "backup.db"
    printed = said("backup", file, "--data-dir", data_dir)
    checked = subprocess.run(
        ["sha256sum", "--check", f"{file.name}.sha256"], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.stdout == "backup.db: OK\n"
    assert file.with_name("backup.db.sha256").read_text().split()[0] in printed
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob("backup.db*")} == {0o600}
    assert len(list(tmp_path.glob("backup.db*"))) == 2
    # It serves as before, and what comes later is not in the copy.
    server.upload(parent, codes[:5], items=items[:5], sources=["later", *"abcd"])
    assert "exists already" in refused("backup", file, "--data-dir", data_dir)
    assert said("check", "--data-dir", data_dir).endswith("the store is whole\n")

    restored = tmp_path / "restored"
    said("restore", file, "--data-dir", restored)
    assert "chunks: 1 rows" in said("check", "--data-dir", restored)
    assert "is not empty" in refused("restore", file, "--data-dir", restored)
    with serving(restored, {}) as other:
        np.testing.assert_array_equal(other.read_votes(parent), codes)
        assert stat.S_IMODE(restored.stat().st_mode) == 0o700
        assert {stat.S_IMODE(one.stat().st_mode) for one in restored.iterdir() if one.is_file()} == {0o600}
        assert "another server has" in refused("migrate", "--data-dir", restored)
    assert "the schema of this version" in said("migrate", "--data-dir", restored)

    # A file alone, without its log, is a store again where it is taken for one.
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "weaklabel.db").write_bytes((data_dir / "weaklabel.db").read_bytes())
    assert "without its write-ahead log" in refused("check", "--data-dir", tmp_path / "alone")
    said("restore", tmp_path / "alone" / "weaklabel.db", "--data-dir", tmp_path / "accepted")
    assert "the store is whole" in said("check", "--data-dir", tmp_path / "accepted")

    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    file.write_bytes(damaged)
    assert "its checksum is not the one" in refused("restore", file, "--data-dir", tmp_path / "never")
    assert not (tmp_path / "never").exists()
    assert "there is no database" in refused("backup", tmp_path / "x", "--data-dir", tmp_path / "nowhere")


def test_responses_to_prompts_are_part_of_a_backup(start: Any, tmp_path: Path) -> None:
    """As the library writes them, while it does: those on disk when the copy is made are in it, without their log."""
    data_dir, file, restored = start().process.data_dir, tmp_path / "b" / "backup.db", tmp_path / "restored"
    file.parent.mkdir()
    entries = [Entry(key=bytes([n]) * 32, endpoint="http://e", model="m", response=b"reply %d" % n) for n in range(9)]
    with closing(ResponseCache(data_dir / "prompts.sqlite")) as cache:
        with closing(ResponseCache(data_dir / "prompts-7.sqlite")) as apart:
            apart.put_many(entries[:2])
        cache.put_many(entries)
        printed = said("backup", file, "--data-dir", data_dir)
        cache.put_many([Entry(key=b"x" * 32, endpoint="http://e", model="m", response=b"later")])
        assert "prompts.sqlite: 10 rows" in said("check", "--data-dir", data_dir)
    names = ["backup.db", "backup.db.prompts-7.sqlite", "backup.db.prompts.sqlite"]
    assert [line.split(":")[0] for line in printed.splitlines()] == [str(file.with_name(name)) for name in names]
    assert sorted(one.name for one in file.parent.iterdir()) == [*names, "backup.db.sha256"]
    checked = subprocess.run(
        ["sha256sum", "--check", "backup.db.sha256"], cwd=file.parent, capture_output=True, text=True
    )
    assert checked.stdout == "".join(f"{name}: OK\n" for name in names)

    said("restore", file, "--data-dir", restored)
    with closing(ResponseCache(restored / "prompts.sqlite")) as cache:
        assert cache.get_many([one.key for one in entries]) == {one.key: one.response for one in entries}
        assert len(cache) == 9
    with closing(ResponseCache(restored / "prompts-7.sqlite")) as cache:
        assert len(cache) == 2
    assert {stat.S_IMODE(one.stat().st_mode) for one in restored.iterdir()} == {0o600}

    spoilt = file.with_name("backup.db.prompts.sqlite")
    whole = spoilt.read_bytes()
    spoilt.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{spoilt} is damaged: its checksum" in refused("restore", file, "--data-dir", tmp_path / "never")
    spoilt.unlink()
    assert f"{spoilt} is missing" in refused("restore", file, "--data-dir", tmp_path / "never")
    (restored / "prompts-7.sqlite").write_bytes(b"not a database, but longer than a header of SQLite would be")
    done = admin("check", "--data-dir", restored)
    assert done.exit_code == 1
    assert "prompts-7.sqlite: file is not a database" in done.stderr


def test_a_project_goes_out_and_in_while_it_serves(start: Any, simulated: Any, tmp_path: Path) -> None:
    codes, _ = simulated()
    server = start()
    parent = server.create_project()
    items = [f"i{row}" for row in range(len(codes))]
    server.upload(parent, codes, items=items)
    model = server.fit(parent).model
    data_dir, folder = server.process.data_dir, tmp_path / "out"
    project = parent.removeprefix("projects/")
    assert said("export", project, folder, "--data-dir", data_dir) == f"wrote {folder}\n"
    assert "400 items, 5 sources, version 1" in said("import", folder, "copy", "--data-dir", data_dir)
    np.testing.assert_array_equal(server.read_votes("projects/copy"), codes)
    copied = server.read_soft_labels(model.replace(parent, "projects/copy"))
    for one, other in zip(server.read_soft_labels(model), copied, strict=True):
        np.testing.assert_array_equal(one, other)
    assert '"copy" exists already' in refused("import", folder, "copy", "--data-dir", data_dir)
    assert "not an empty folder" in refused("export", project, folder, "--data-dir", data_dir)
    assert 'no project "nobody"' in refused("export", "nobody", tmp_path / "x", "--data-dir", data_dir)
    # What an import that fails has written is nowhere, and does not count.
    spoilt = bytearray((folder / "soft_labels" / f"{model.rpartition('/')[2]}.parquet").read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (folder / "soft_labels" / f"{model.rpartition('/')[2]}.parquet").write_bytes(spoilt)
    assert "damaged: its checksum" in refused("import", folder, "other", "--data-dir", data_dir)
    said("gc", "--data-dir", data_dir)
    with closing(sqlite3.connect(data_dir / "weaklabel.db")) as database:
        names = [row[0] for row in database.execute("SELECT project_id FROM projects ORDER BY key")]
        assert names == [project, "copy"]
        noted = database.execute("SELECT method, resource FROM audit WHERE token_name = 'admin'").fetchall()
        assert noted == [("admin import", "projects/copy")]
    assert said("check", "--data-dir", data_dir).endswith("the store is whole\n")


@pytest.mark.slow
def test_check_finds_damage(start: Any, simulated: Any) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    server.upload(parent, simulated()[0], sources=list("abcde"))
    assert server.terminate() == 0
    with closing(sqlite3.connect(server.process.data_dir / "weaklabel.db")) as database, database:
        (blob,) = database.execute("SELECT votes FROM chunks WHERE upload_key = 1").fetchone()
        spoilt = blob[:-1] + bytes([blob[-1] ^ 1])  # of the checksum that zlib puts at the end
        database.execute("UPDATE chunks SET votes = ? WHERE upload_key = 1", (spoilt,))
        database.execute("UPDATE uploads SET committed_rows = 399 WHERE key = 2")
    done = admin("check", "--data-dir", server.process.data_dir)
    assert done.exit_code == 1
    assert "chunks: upload 1, row 0: Error -3" in done.stderr
    assert "uploads: 2 has chunks of 400 rows, and not 399" in done.stderr


def test_gc_while_it_serves(start: Any, harness: Any) -> None:
    server = start()
    parent = server.create_project()
    project = projects_pb2.GetProjectRequest(name=parent)

    def rows(count: int, value: int) -> Any:
        return np.full((count, 2), value, np.int8)

    server.upload(parent, rows(6, 0))  # all of it is voted anew by the third
    server.upload(parent, rows(3, 1))
    server.upload(parent, rows(6, 1))
    server.upload(parent, rows(2, 0))  # which does not hide the third
    server.upload(parent, rows(9, 0), sources=["other", "third"])
    for name in ("other", "third"):
        server.sources.DeleteSource(sources_pb2.DeleteSourceRequest(name=f"{parent}/sources/{name}"))
    models = [server.fit(parent).model for _ in range(3)]
    expected = server.read_votes(parent)
    data_dir = server.process.data_dir
    assert "removed: 0 uploads, 0 answers, 0 models, 0 versions" in said("gc", "--data-dir", data_dir)
    printed = said("gc", "--data-dir", data_dir, "--keep-models", 2, "--keep-versions", 1, "--keep-days", 0)
    assert "1 models, 6 versions" in printed
    np.testing.assert_array_equal(server.read_votes(parent), expected)
    assert server.projects.GetProject(project).project.votes_version == 7
    failure = harness.failure_of(lambda: server.read_votes(parent, votes_version=6))
    assert failure.info.reason == "VOTES_VERSION_NOT_FOUND"
    listed = server.models.ListModels(models_pb2.ListModelsRequest(parent=parent)).models
    assert [one.name for one in listed] == models[:0:-1]
    with closing(sqlite3.connect(data_dir / "weaklabel.db")) as database:
        assert [row[0] for row in database.execute("SELECT version FROM uploads ORDER BY 1")] == [3, 4]
        assert database.execute("SELECT count(*) FROM projects").fetchone() == (1,)
    assert said("check", "--data-dir", data_dir).endswith("the store is whole\n")
    assert server.fit(parent).model


def test_figures_as_json(start: Any, simulated: Any, tmp_path: Path) -> None:
    server = start()
    parent = server.create_project()
    server.upload(parent, simulated()[0])
    data_dir, project = server.process.data_dir, parent.removeprefix("projects/")

    def told(*arguments: object) -> Any:
        return json.loads(said(*arguments, "--json"))

    file, folder = tmp_path / "backup.db", tmp_path / "out"
    digest = {"path": str(file), "bytes": 0, "sha256": ""}
    (found,) = told("backup", file, "--data-dir", data_dir)["files"]
    digest |= {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert found == digest
    said("export", project, folder, "--data-dir", data_dir)
    imported = told("import", folder, "copy", "--data-dir", data_dir)
    assert imported == {"project": "copy", "items": 400, "sources": 5, "votes_version": 1}
    whole = told("check", "--data-dir", data_dir)
    assert (whole["whole"], whole["damages"], whole["rows"]["projects"]) == (True, [], 2)
    removed = {"uploads": 0, "answers": 0, "models": 0, "versions": 0}
    assert told("gc", "--data-dir", data_dir)["removed"].items() >= removed.items()
    said("quotas", "set", project, "--max-rows", 7, "--data-dir", data_dir)
    (quota,) = told("quotas", "list", "--data-dir", data_dir)["quotas"]
    assert quota["max_rows"] == 7
    said("tokens", "create", "ann", "--grant", "read:*", "--data-dir", data_dir)
    (token,) = told("tokens", "list", "--data-dir", data_dir)["tokens"]
    assert token | {"id": ""} == {"id": "", "state": token["state"], "ends": None, "name": "ann", "grants": ["read:*"]}
    said("tokens", "rotate", token["id"], "--days", 1, "--data-dir", data_dir)
    assert told("tokens", "list", "--data-dir", data_dir)["tokens"][0]["ends"][10] == "T"
    asked = admin("health", "--address", server.process.address, "--json")  # which may still warm up
    health = json.loads(asked.stdout)
    assert health.keys() == {"address", "service", "status"}
    assert asked.exit_code == {"SERVING": 0, "NOT_SERVING": 1}[health["status"]]
