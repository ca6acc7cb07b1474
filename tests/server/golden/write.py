"""Writes a golden database: what the server of the running version stores, and what its client reads back.

    python tests/server/golden/write.py VERSION

starts `weaklabel serve` of this interpreter's environment, fills it through the public client alone, and leaves
VERSION.db, a database without a WAL, and VERSION.json beside this file. Every later server must open the database and
give back the same: see test_golden.py. Run it once for a release, and never again for the same one.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_client import (
    Client,
    UploadProgress,
    at_least_one,
    class_counts,
    different_label,
    none_of,
    not_,
    one_of,
    proportions,
    same_label,
    soft,
)

N_ITEMS = 150
NAMES = tuple(f"item {row}" for row in range(N_ITEMS))
BROKEN_UPLOAD = str(uuid.UUID(int=7))
CLASSES = {
    "dense": ("red", "green", "blue"),
    "sparse": ("ham", "spam"),
    "codebook": ("a", "b", "c", "d"),
    "side": ("x", "y", "z"),
}


def simulated(project: str, *, seed: int, n_sources: int = 6, n_items: int = N_ITEMS) -> Any:
    """The classes [N] of items, and votes [N, M] of sources that are right in 75 % of their votes."""
    rng = np.random.default_rng(seed)
    n_classes = len(CLASSES[project])
    truth = rng.integers(0, n_classes, n_items)
    shape = (n_items, n_sources)
    votes = np.where(rng.random(shape) < 0.75, truth[:, None], rng.integers(0, n_classes, shape))
    return truth, np.where(rng.random(shape) < 0.3, -1, votes).astype(np.int8)


def with_objects(votes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Votes for classes, some of them replaced by candidate sets, complements and soft votes."""
    mixed = votes.astype(object)
    rows = len(votes) // 3
    mixed[:rows, 0] = [one_of(int(label), (int(label) + 1) % 4) for label in np.maximum(votes[:rows, 0], 0)]
    mixed[:rows, 1] = [not_((int(label) + 2) % 4) for label in np.maximum(votes[:rows, 1], 0)]
    mixed[:rows, 2] = [soft(np.roll([0.7, 0.1, 0.1, 0.1], int(label))) for label in np.maximum(votes[:rows, 2], 0)]
    return mixed


def broken_upload(seen: list[UploadProgress]) -> Iterator[npt.NDArray[Any]]:
    """Chunks of an upload, until the server has acknowledged the first of them."""
    for chunk in broken_chunks():
        if seen:
            raise KeyboardInterrupt
        yield chunk


def broken_chunks() -> Iterator[npt.NDArray[Any]]:
    """All chunks of the upload that was left unfinished."""
    yield from np.split(simulated("dense", seed=5, n_sources=1)[1], 30)


def fill(client: Client) -> None:
    """Uploads each kind of votes and of side data, and fits each kind of model."""
    for project, classes in CLASSES.items():
        client.create_project(project, classes)

    _, votes = simulated("dense", seed=1)
    votes[::7, 5] = -2
    client.upload_votes("dense", votes)
    client.upload_votes("dense", simulated("dense", seed=2, n_sources=1)[1], sources=["source_1"])
    client.upload_votes("dense", votes[:, :1], sources=["deleted"])
    client.delete_source("dense", "deleted")
    client.fit("dense", votes_version=1).result()
    client.fit("dense", seed=3).result()
    seen: list[UploadProgress] = []
    with contextlib.suppress(KeyboardInterrupt):
        client.upload_votes(
            "dense", broken_upload(seen), sources=["late"], upload_id=BROKEN_UPLOAD, progress=seen.append
        )

    _, votes = simulated("sparse", seed=3, n_sources=12)
    items, sources = np.nonzero(votes >= 0)
    client.upload_triples("sparse", items, sources, votes[items, sources], item_ids=NAMES)
    client.upload_votes("sparse", votes[:20, :1], sources=["late"], items=[*NAMES[10:20], *map(str, range(10))])
    client.fit("sparse").result()

    client.upload_votes("codebook", with_objects(simulated("codebook", seed=4)[1]))
    client.fit("codebook").result()

    truth, votes = simulated("side", seed=6)
    client.upload_votes("side", votes, items=NAMES)
    fill_side(client, truth)


def fill_side(client: Client, truth: npt.NDArray[Any]) -> None:
    """Uploads each kind of side data, and fits models that use it."""
    rng = np.random.default_rng(8)
    gold = np.where(rng.random(N_ITEMS) < 0.2, truth, -1)
    prior = np.full((N_ITEMS, 3), np.nan)
    prior[::5] = [0.5, 0.3, 0.2]
    features = (np.eye(3)[truth] + rng.normal(0, 0.5, (N_ITEMS, 3))).astype(np.float32)
    bags = [
        class_counts(np.bincount(truth[:8], minlength=3), NAMES[:8]),
        proportions(np.bincount(truth[20:40], minlength=3) / 20, NAMES[20:40], tolerance=0.1),
        same_label([NAMES[row] for row in np.flatnonzero(truth == 0)[20:23]]),
        different_label([NAMES[np.flatnonzero(truth == k)[-1]] for k in (0, 1)]),
        at_least_one(int(truth[50]), NAMES[50:55]),
        none_of(int(min({0, 1, 2} - set(truth[60:62].tolist()))), NAMES[60:62]),
    ]
    kept = {
        kind: client.upload_side_data("side", kind, values, items=NAMES)
        for kind, values in {"gold": gold, "prior": prior, "groups": truth % 2, "features": features}.items()
    }
    client.prompts.upload_items("side", [f"text {row}" for row in range(3)], ids=NAMES[:3])
    groups, bounds = kept["groups"], {"source_0": (0.6, 0.9)}
    client.fit("side", gold=kept["gold"], gold_error=0.05, groups=groups, bounds=bounds).result()
    client.fit("side", prior=kept["prior"], bags=bags).result()
    client.fit("side", features=kept["features"]).result()


def read_back(client: Client) -> dict[str, Any]:
    """What the server holds: votes by version, side data, and each model with its soft labels and predictions."""
    return {project.name.removeprefix("projects/"): read_project(client, project) for project in client.list_projects()}


def read_project(client: Client, project: Any) -> dict[str, Any]:
    """What the server holds of one project."""
    name = project.name.removeprefix("projects/")
    return {
        "classes": project.classes,
        "shape": [project.n_items, project.n_sources],
        "sources": [[one.display_name, one.votes_version] for one in client.list_sources(name)],
        "votes": [read_version(client, name, version) for version in range(1, project.votes_version + 1)],
        "side_data": [[one.name, one.kind, one.n_rows, one.n_columns] for one in client.list_side_data(name)],
        "models": [read_model(client, name, model) for model in client.list_models(name)],
        "operations": [[one.name, one.result().name] for one in client.list_operations(name)],
    }


def read_version(client: Client, project: str, version: int) -> dict[str, Any]:
    """One version of the votes: its shape, and a checksum of what each cell says."""
    read = client.read_votes(project, votes_version=version)
    cells = [
        [plain(read.vote_at(row, column)) for column in range(read.votes.shape[1])] for row in range(len(read.votes))
    ]
    content = json.dumps([read.sources, read.items, cells]).encode()
    return {"shape": list(read.votes.shape), "sha256": hashlib.sha256(content).hexdigest()}


def plain(vote: Any) -> Any:
    """A vote as JSON: a number, the classes of a candidate set, or the probabilities of a soft vote."""
    if isinstance(vote, int):
        return vote
    if hasattr(vote, "classes"):
        return {"one_of": list(vote.classes)}
    return {"soft": [round(share, 6) for share in vote.probabilities]}


def read_model(client: Client, project: str, model: Any) -> dict[str, Any]:
    """One model: its summary, its soft labels, and what it predicts for items that it has not seen."""
    labels = client.labels(project, model=model.name)
    return {
        "name": model.name,
        "votes_version": model.votes_version,
        "n_items": model.n_items,
        "n_iter": model.n_iter,
        "converged": model.converged,
        "objective": model.objective.tolist(),
        "class_balance": model.class_balance.tolist(),
        "sources": [[one.source, one.coverage, one.accuracy, *one.accuracy_interval] for one in model.sources],
        "warnings": model.warnings,
        "risk": model.risk,
        "group_balance": {group: balance.tolist() for group, balance in model.group_balance.items()},
        "items": labels.items,
        "labels": labels.labels.tolist(),
        "probabilities": numbers(labels.probabilities),
        "predictions": numbers(predict(client, project, model)),
    }


def predict(client: Client, project: str, model: Any) -> npt.NDArray[np.float32]:
    """Soft labels of 20 items that were not in the fit."""
    n_sources = len(model.sources)
    _, votes = simulated(project, seed=9, n_sources=n_sources, n_items=20)
    if project == "codebook":
        votes = with_objects(votes)
    groups = ["0", "1"] * 10 if model.group_balance else None
    return client.predict(project, votes, model=model.name, groups=groups)


def numbers(rows: npt.NDArray[np.float32]) -> list[list[float]]:
    """Probabilities with as many digits as the tests compare."""
    return [[round(float(value), 8) for value in row] for row in rows]


@contextlib.contextmanager
def serving(data_dir: Path) -> Iterator[str]:
    """The address of a server on some data, which ends with the block."""
    command = [str(Path(sys.executable).with_name("weaklabel")), "serve", "--listen", "127.0.0.1:0"]
    environment = os.environ | {"WEAKLABEL_COMPILE_CACHE": "off"}
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        listening = re.search(r"listening on (\S+),", process.stdout.readline())
        assert listening is not None
        yield listening[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def main() -> None:
    """Writes the database and what was read back."""
    target = Path(__file__).with_name(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        with serving(data_dir) as address, Client(address, timeout=300.0) as client:
            fill(client)
            read = read_back(client)
        with contextlib.closing(sqlite3.connect(data_dir / "weaklabel.db", isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("VACUUM")
        shutil.copy(data_dir / "weaklabel.db", target.with_name(f"{target.name}.db"))
    target.with_name(f"{target.name}.json").write_text(json.dumps(read, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
