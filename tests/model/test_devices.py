"""The same answer on any number of devices and processes. Devices are forced before JAX loads: in processes."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel
from weaklabel.model.numerics.devices import at_once
from weaklabel.votes.chunks import VoteChunks

FIT = """
import json, sys
import jax
import numpy as np
from weaklabel import LabelModel
from weaklabel.votes.chunks import VoteChunks
from weaklabel.model.em import subsample

process, n_processes, port, votes, out, *cuts = sys.argv[1:]
if int(n_processes) > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", int(n_processes), int(process))
subsample.CHUNK_ROWS = 1024
codes = np.load(votes)
own = np.split(codes, [int(cut) for cut in cuts])[int(process)]
model = LabelModel(3, sample_rows=1000)
if int(n_processes) > 1:
    model.fit(VoteChunks([own[:50], own[50:]], 3))
else:
    model.fit(codes)
soft, _ = model.label(own)
sources = model._fitted.params.sources
np.savez(out, confusion=sources.confusion, balance=model.class_balance, coverage=model.coverage, soft=soft)
print(json.dumps({"devices": jax.local_device_count(), "processes": jax.process_count()}))
"""


def simulate(n_items: int) -> NDArray[np.int8]:
    """Votes of 14 independent sources on three classes, the first two of them copies of each other."""
    rng = np.random.default_rng(0)
    truth, shape = rng.integers(0, 3, (n_items, 1)), (n_items, 14)
    right = rng.random(shape) < rng.uniform(0.6, 0.9, 14)
    votes = np.where(right, truth, (truth + rng.integers(1, 3, shape)) % 3)
    votes = np.where(rng.random(shape) < 0.5, votes, -1)
    votes[:, 1] = votes[:, 0]
    return votes.astype(np.int8)


def start(
    folder: Path, process: int, n_processes: int, port: int, n_devices: int, cuts: list[int]
) -> subprocess.Popen[str]:
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={n_devices}"
    command = [sys.executable, "-c", FIT, str(process), str(n_processes), str(port), str(folder / "votes.npy")]
    return subprocess.Popen(
        [*command, str(folder / f"{n_processes}-{process}-{n_devices}.npz"), *map(str, cuts)],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, int]:
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return dict(json.loads(out.splitlines()[-1]))


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with votes, and what one device of one process makes of them."""
    folder = tmp_path_factory.mktemp("devices")
    np.save(folder / "votes.npy", simulate(5000))
    assert finish(start(folder, 0, 1, 0, 1, [])) == {"devices": 1, "processes": 1}
    return folder


def check_same(found: Path, expected: Path, rows: slice) -> None:
    with np.load(found) as one, np.load(expected) as other:
        for name in ("confusion", "balance", "coverage"):
            np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(one["soft"], other["soft"][rows], atol=1e-4)


@pytest.mark.slow
def test_devices_of_a_process_answer_as_one(problem: Path) -> None:
    """Of six, four are used."""
    n_devices = 6
    assert finish(start(problem, 0, 1, 0, n_devices, [])) == {"devices": n_devices, "processes": 1}
    check_same(problem / f"1-0-{n_devices}.npz", problem / "1-0-1.npz", slice(None))


@pytest.mark.parametrize("cut", [1700, 0], ids=["each has rows", "one has none"])
def test_two_processes_answer_as_one(problem: Path, cut: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    processes = [start(problem, number, 2, port, 1, [cut]) for number in range(2)]
    try:
        for process in processes:
            assert finish(process) == {"devices": 1, "processes": 2}
    finally:
        for process in processes:
            process.kill()
    check_same(problem / "2-0-1.npz", problem / "1-0-1.npz", slice(0, cut))
    check_same(problem / "2-1-1.npz", problem / "1-0-1.npz", slice(cut, None))


@pytest.mark.skipif(jax.default_backend() == "cpu", reason="JAX has no accelerator here")
@pytest.mark.parametrize("in_chunks", [False, True])
def test_an_accelerator_answers_as_the_cpu(in_chunks: bool) -> None:
    codes = simulate(20_000)

    def fitted() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        votes = VoteChunks(np.split(codes, [7000]), 3) if in_chunks else codes
        model = LabelModel(3, sample_rows=5000).fit(votes)
        return np.asarray(model._fitted.params.sources.confusion), model.predict_proba(codes)

    with jax.default_device(jax.devices("cpu")[0]):
        expected = fitted()
    for found, wanted in zip(fitted(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("n_parts", [0, 1, 2, 5])
def test_parts_are_worked_on_in_order_and_a_single_one_without_a_thread(n_parts: int) -> None:
    seen = []

    def double(part: int) -> int:
        seen.append(threading.current_thread())
        return 2 * part

    assert list(at_once(double, iter(range(n_parts)))) == [2 * part for part in range(n_parts)]
    if n_parts == 1:  # the label of a few rows must not wait for a thread to start
        assert seen == [threading.current_thread()]
