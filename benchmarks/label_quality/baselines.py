"""What the label model is measured against: vote shares, a plain Dawid-Skene, peers in an environment of their own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_quality.problems import Problem
from label_quality.scoring import METRICS, Scores, score
from weaklabel import MajorityVote, Votes

PEER_WORKER = Path(__file__).parents[1] / "peer_worker.py"
PEERS = ("Snorkel", "crowd-kit Dawid-Skene", "crowd-kit one-coin", "hyper label model")
SHARES = "smoothed vote shares"
MAJORITY = "majority vote"
DAWID_SKENE = "Dawid-Skene"
Model = Callable[[Votes], NDArray[Any]]
"""From votes to probabilities [N, K]."""


def majority(votes: Votes) -> NDArray[Any]:
    """[N, K] vote shares; uniform without votes."""
    return MajorityVote(votes.n_classes).predict_proba(votes)


def smoothed_shares(votes: Votes) -> NDArray[np.float64]:
    """[N, K] vote shares with one more vote, spread evenly: (V + 1/K)/(n + 1)."""
    counts = votes.counts().astype(np.float64)
    return np.asarray((counts + 1 / votes.n_classes) / (counts.sum(1, keepdims=True) + 1))


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


def baselines(problem: Problem) -> dict[str, Model]:
    """The baselines that can read a problem's votes."""
    models: dict[str, Model] = {SHARES: smoothed_shares, MAJORITY: majority}
    if problem.votes.is_plain:
        models[DAWID_SKENE] = dawid_skene
    return models


class PeerBoard:
    """Scores of peers, kept in a file since peers take long and do not change."""

    def __init__(self, path: Path, python: Path | None) -> None:
        self._path, self._python = path, python
        self._models: dict[str, Model] = {}
        self._known: dict[str, dict[str, list[float]]] = json.loads(path.read_text()) if path.exists() else {}

    def scores(self, problem: Problem) -> dict[str, Scores]:
        """Scores of all peers on a problem; none without an environment of peers, or where sets of classes vote."""
        if self._python is None or not problem.votes.is_plain:
            return {}
        return {name: self._score(name, problem) for name in PEERS}

    def _score(self, name: str, problem: Problem) -> Scores:
        known = self._known.setdefault(name, {})
        # The size belongs to the key: a set that was cut down is another problem.
        key = f"{problem.key} {problem.votes.n_items} x {problem.votes.n_sources}"
        if key not in known:
            assert self._python is not None
            if name not in self._models:
                self._models[name] = peer(name, self._python)
            gold = np.where(problem.test, problem.gold, -1)
            known[key] = list(score(self._models[name](problem.votes), gold, rare=problem.rare))
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._known))
        return Scores(*known[key])


def read_published(path: Path) -> dict[str, dict[str, Scores]]:
    """Figures of a CSV file (columns group, set, peer, and the metrics), by peer and set."""
    figures: dict[str, dict[str, Scores]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["score"]:
                values = Scores(*(float(row[metric]) for metric in METRICS))
                figures.setdefault(row["peer"], {})[f"{row['group']}/{row['set']}"] = values
    return figures
