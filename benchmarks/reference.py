"""What the label model is measured against: a plain Dawid-Skene, and peers in an environment of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaklabel import Votes

PEER_WORKER = Path(__file__).parent / "peer_worker.py"


def dawid_skene(votes: Votes, n_iter: int = 200, tol: float = 1e-5) -> NDArray[np.float64]:
    """[N, K] posteriors of Dawid and Skene (1979, doi:10.2307/2346806), .1 pseudo-counts a cell, from vote shares."""
    rows, sources, labels = votes.triples()
    n_items, n_sources, n_classes = votes.n_items, votes.n_sources, votes.n_classes
    counts = votes.counts().astype(float)
    covered = counts.sum(1) > 0
    q = np.where(covered[:, None], counts / np.maximum(counts.sum(1, keepdims=True), 1), 1 / n_classes)
    symbol = sources.astype(np.int64) * n_classes + labels
    for _ in range(n_iter):
        counts_by_class = [np.bincount(symbol, q[rows, c], minlength=n_sources * n_classes) for c in range(n_classes)]
        confusion = np.stack(counts_by_class, axis=1).reshape(n_sources, n_classes, n_classes) + 0.1
        log_vote = np.log(confusion / confusion.sum(1, keepdims=True)).reshape(-1, n_classes)
        balance = q[covered].sum(0) + 1
        joint = np.tile(np.log(balance / balance.sum()), (n_items, 1))
        for c in range(n_classes):
            joint[:, c] += np.bincount(rows, log_vote[symbol, c], minlength=n_items)
        joint -= joint.max(1, keepdims=True)
        fresh = np.exp(joint)
        fresh /= fresh.sum(1, keepdims=True)
        change, q = np.abs(fresh - q).max(), fresh
        if change < tol:
            break
    return q


def peer(name: str, python: Path) -> Callable[[Votes], NDArray[np.float64]]:
    """A model [N, K] that runs in another environment; it stays loaded between calls."""
    worker = subprocess.Popen(
        [str(python), str(PEER_WORKER), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    folder = tempfile.TemporaryDirectory()

    def run(votes: Votes) -> NDArray[np.float64]:
        path = Path(folder.name) / "problem.npz"
        np.savez(path, votes=votes.to_dense(), n_classes=votes.n_classes)
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(path, file=worker.stdin, flush=True)
        said = worker.stdout.readline().strip()
        if said != "done":
            sys.exit(f"{name} failed: {said or 'its process ended'}")
        return np.asarray(np.load(path.with_suffix(".npy")), np.float64)

    return run
