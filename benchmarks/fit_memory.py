#!/usr/bin/env python
"""Peak memory of fits in the service's workers beside its estimate, shape by shape: each in a worker of its own.

    .venv/bin/python benchmarks/fit_memory.py                      all shapes, some minutes
    .venv/bin/python benchmarks/fit_memory.py small wide           those named

The estimate (server/weaklabel_server/jobs/workers/estimate.py) must not be below the peak, nor above twice as much.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from weaklabel_client import Client
from weaklabel_server.jobs.workers import estimate
from weaklabel_server.store import operations, votes
from weaklabel_server.store.database import sqlite_url
from weaklabel_server.store.operations import FitSettings
from weaklabel_server.store.reader import StoreReader

MIB = 1 << 20
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"n": 1_000, "m": 5, "k": 2},
    "small": {"n": 100_000, "m": 10, "k": 2},
    "medium": {"n": 1_000_000, "m": 10, "k": 2},
    "long": {"n": 5_000_000, "m": 10, "k": 3},
    "classes": {"n": 1_000_000, "m": 10, "k": 10},
    "many-classes": {"n": 200_000, "m": 10, "k": 100},
    "labels": {"n": 1_000_000, "m": 5, "k": 60},
    "wide": {"n": 1_000_000, "m": 40, "k": 4},
    "wider": {"n": 200_000, "m": 500, "k": 2, "coverage": 0.3},
    "sparse": {"n": 1_000_000, "m": 1000, "k": 3, "coverage": 0.01},
    "sparse-short": {"n": 200_000, "m": 1000, "k": 2, "coverage": 0.02},
    "features": {"n": 200_000, "m": 10, "k": 4, "features": 100},
    "features-wide": {"n": 100_000, "m": 10, "k": 3, "features": 600},
    "features-sparse": {"n": 100_000, "m": 10, "k": 4, "sparse_features": 20},
    "prior": {"n": 500_000, "m": 10, "k": 4, "prior": True},
    "groups": {"n": 500_000, "m": 10, "k": 4, "groups": 20},
    "gold": {"n": 500_000, "m": 10, "k": 4, "gold": 1000},
    "soft": {"n": 50_000, "m": 5, "k": 4, "soft": True},
}


class Peaks:
    """The most memory that any worker of a server has had, and the server itself without maps of files."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._running = True
        self.worker = self.server = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def workers(self) -> list[int]:
        """The processes that the server has started."""
        tasks = Path(f"/proc/{self._server}/task").iterdir()
        return [int(process) for task in tasks for process in (task / "children").read_text().split()]

    def end(self) -> None:
        """Looks no more."""
        self._running = False
        self._thread.join()

    def _watch(self) -> None:
        while self._running:
            try:
                self.worker = max([self.worker, *(_status(pid, "VmHWM") for pid in self.workers())])
                self.server = max(self.server, _status(self._server, "RssAnon"))
            except OSError:
                pass  # one of them has just ended
            time.sleep(0.02)


def _status(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, int]]:
    """The address and the process of a server that keeps no compiled programs: compiling takes memory, too."""
    command = [str(Path(sys.executable).with_name("weaklabel")), "serve", "--listen", "127.0.0.1:0"]
    environment = os.environ | {"WEAKLABEL_COMPILE_CACHE": "off"}
    with subprocess.Popen(
        [*command, "--data-dir", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[4].rstrip(","), process.pid
        finally:
            process.terminate()


def upload(client: Client, project: str, shape: dict[str, Any]) -> dict[str, Any]:
    """Makes a project of a shape; returns the side information of its fit."""
    rng = np.random.default_rng(0)
    n, m, k = shape["n"], shape["m"], shape["k"]
    coverage = shape.get("coverage", 0.7)
    truth = rng.integers(0, k, n).astype(np.int32)
    client.create_project(project, [f"class {one}" for one in range(k)])
    if shape.get("soft"):
        client.upload_votes(project, rng.dirichlet(np.ones(k), (n, m)).astype(np.float32))
    elif coverage * 12 < 1:
        cells = np.unique(rng.integers(0, n * m, int(n * m * coverage)))
        labels = np.where(rng.random(len(cells)) < 0.8, truth[cells // m], rng.integers(0, k, len(cells)))
        client.upload_triples(project, cells // m, cells % m, labels.astype(np.int32), n_items=n)
    else:
        codes = np.full((n, m), -1, np.int8 if k < 100 else np.int16)
        for column in range(m):
            given = np.where(rng.random(n) < 0.8, truth, rng.integers(0, k, n))
            codes[:, column] = np.where(rng.random(n) < coverage, given, -1)
        client.upload_votes(project, codes)
    side: dict[str, Any] = {}
    if columns := shape.get("features"):
        side["features"] = rng.standard_normal((n, columns), np.float32)
    if given := shape.get("sparse_features"):
        columns = rng.integers(0, 50_000, n * given)
        values = np.ones(n * given, np.float32)
        side["features"] = sp.csr_array((values, columns, np.arange(0, n * given + 1, given)), (n, 50_000))
    if shape.get("prior"):
        side["prior"] = rng.dirichlet(np.ones(k), n).astype(np.float32)
    if groups := shape.get("groups"):
        side["groups"] = np.array([f"group {one}" for one in rng.integers(0, groups, n)])
    if gold := shape.get("gold"):
        side["gold"] = np.where(np.arange(n) < gold, truth, -1)
    return side


def main() -> None:
    """Fits each shape and prints a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), help="names of shapes")
    names = parser.parse_args().shapes
    wrong = []
    print(f"{'shape':16} {'peak MiB':>9} {'estimate':>9} {'ratio':>6} {'server':>7} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (address, server), Client(address) as client:
        store = StoreReader(sqlite_url(Path(folder)))
        for name in names:
            side = upload(client, name, SHAPES[name])
            peaks = Peaks(server)
            for pid in peaks.workers():
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
            peaks.worker = peaks.server = 0
            began = time.monotonic()
            operation = client.fit(name, **side)
            operation.result()
            seconds = time.monotonic() - began
            peaks.end()
            with store.read() as tx:
                settings = operations.get(tx, name, operation.name.rpartition("/")[2]).settings
                assert isinstance(settings, FitSettings)
                size = estimate.size(tx, votes.view(tx, name, 0), settings.side)
            estimated = estimate.memory_bytes(size)
            ratio = estimated / peaks.worker
            print(
                f"{name:16} {peaks.worker // MIB:9} {estimated // MIB:9} {ratio:6.2f} {peaks.server // MIB:7} "
                f"{seconds:8.2f}   {size}",
                flush=True,
            )
            if not 1 <= ratio <= 2:
                wrong.append(name)
    sys.exit(f"not within a factor of 2 above: {', '.join(wrong)}" if wrong else None)


if __name__ == "__main__":
    main()
