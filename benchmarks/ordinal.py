#!/usr/bin/env python
"""Ordered classes: OrdinalModel beside vote shares and LabelModel on the same votes, without gold.

    .venv/bin/python benchmarks/ordinal.py folder

Reads crowd/s5_adult.npz and crowd/factcheck3.npz (`item`, `worker`, `label`, `gold`), and numeric/n_emotion.npz and
numeric/dots_mge.npz, cut into classes. A set that is not there is skipped. Accuracy of the mode, distance of the
median, ranked probability score, negative log likelihood.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, OrdinalModel, Votes
from weaklabel.kinds.ordinal.scores import ordinal_scores

METRICS = ("mae", "rps", "nll")
VALENCE = 600
"""First item of n_emotion whose scale is another."""
CUTS = (0.5, 15.5, 40.5)
"""Of n_emotion."""


def sets(folder: Path) -> Iterator[tuple[str, Votes, NDArray[np.int64]]]:
    """Name, votes and gold of each set that is there."""
    for name in ("s5_adult", "factcheck3"):
        if (path := folder / "crowd" / f"{name}.npz").exists():
            with np.load(path) as data:
                yield name, _votes(data["item"], data["worker"], data["label"], int(data["n_classes"])), data["gold"]
    for name in ("n_emotion", "dots_mge"):
        if (path := folder / "numeric" / f"{name}.npz").exists():
            with np.load(path) as data:
                item, worker, value, gold = (data[one] for one in ("item", "worker", "value", "gold"))
            cuts: Any = CUTS if name == "n_emotion" else np.quantile(gold, [0.2, 0.4, 0.6, 0.8])
            kept = item < VALENCE if name == "n_emotion" else np.ones(len(item), np.bool_)
            label = np.digitize(value[kept], cuts)
            votes = _votes(item[kept], worker[kept], label, len(cuts) + 1)
            yield f"{name}, cut", votes, np.digitize(gold[: votes.n_items], cuts)


def _votes(item: Any, worker: Any, label: Any, n_classes: int) -> Votes:
    matrix = np.full((int(item.max()) + 1, int(worker.max()) + 1), -1, np.int16)
    matrix[item, worker] = label  # the last of a repeated pair
    return Votes.from_dense(matrix, n_classes=n_classes)


def line(soft: NDArray[np.float64], gold: NDArray[np.int64]) -> str:
    """Scores of soft labels."""
    known = gold >= 0
    soft, truth = soft[known] / soft[known].sum(1, keepdims=True), gold[known].astype(np.int32)
    median = (np.cumsum(soft, axis=1)[:, :-1] < 0.5 - 1e-9).sum(axis=1).astype(np.float64)
    scores = ordinal_scores(soft, median, truth, METRICS)
    accuracy = f"accuracy {100 * (soft.argmax(1) == truth).mean():.1f} "
    return accuracy + " ".join(f"{name} {value:.3f}" for name, value in scores.items())


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with crowd/ and numeric/")
    for name, votes, gold in sets(parser.parse_args().data):
        truth = np.asarray(gold[: votes.n_items], np.int64)
        print(f"{name}: {votes.n_classes} classes, {votes.n_items} items")
        print("  vote shares  ", line(np.asarray(votes.counts() + 0.5, np.float64), truth))
        label_model = LabelModel(n_classes=votes.n_classes).fit(votes)
        print("  LabelModel   ", line(label_model.predict_proba(votes).astype(np.float64), truth))
        ordinal = OrdinalModel(n_classes=votes.n_classes).fit(votes)
        print("  OrdinalModel ", line(ordinal.predict_proba(votes), truth))


if __name__ == "__main__":
    main()
