#!/usr/bin/env python
"""Held-out votes: what a source would vote on an item, by vote shares, confusion matrices, logits and states.

    .venv/bin/python benchmarks/disagreement.py folder

Reads every archive in the folder's disagreement/: `item`, `worker`, `value` [J]. Ten folds of the votes; each is
predicted from the others, those on the same item among them. A set that is not there is skipped. Negative log
likelihood in nats.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes

FOLDS = 10
LEAST = 1e-6
"""Probability that smaller ones are read as."""
Whole = NDArray[np.int64]
Numbers = NDArray[np.float64]


def loss(p: Numbers, label: Whole) -> float:
    """Mean negative log likelihood."""
    return float(-np.log(np.maximum(p[np.arange(len(label)), label], LEAST)).mean())


def shares(item: Whole, label: Whole, n_items: int, n_classes: int) -> Numbers:
    """[N, K] vote shares with two votes of the pooled ones."""
    counts = np.zeros((n_items, n_classes))
    np.add.at(counts, (item, label), 1)
    pooled = counts.sum(0) / counts.sum()
    return np.asarray((counts + 2 * pooled) / (counts.sum(1, keepdims=True) + 2))


def logits(item: Whole, source: Whole, label: Whole, shape: tuple[int, int, int]) -> Numbers:
    """[N + M, K] effects of items and sources on the logits, by gradient steps with a ridge of .3 and 1."""
    n_items, n_sources, n_classes = shape
    pooled = np.log(np.bincount(label, minlength=n_classes) + 1.0)
    effects = np.zeros((n_items + n_sources, n_classes))
    ridge = np.concatenate([np.full(n_items, 0.3), np.full(n_sources, 1.0)])[:, None]
    for _ in range(60):
        for rows in (item, n_items + source):
            score = pooled + effects[item] + effects[n_items + source]
            p = np.exp(score - score.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            gradient, curvature = np.zeros_like(effects), np.zeros_like(effects)
            np.add.at(gradient, rows, np.eye(n_classes)[label] - p)
            np.add.at(curvature, rows, p * (1 - p))
            used = np.isin(np.arange(len(effects)), rows)[:, None]
            effects += np.where(used, 0.7 * (gradient - ridge * effects) / (curvature + ridge), 0)
    return np.asarray(effects + np.where(np.arange(len(effects)) < n_items, 1, 0)[:, None] * pooled)


def run(item: Whole, source: Whole, label: Whole) -> dict[str, float]:
    """Losses by method."""
    n_items, n_sources, n_classes = (int(one.max()) + 1 for one in (item, source, label))
    fold = np.random.default_rng(0).permutation(len(item)) % FOLDS
    found: dict[str, list[float]] = {}
    for held in range(FOLDS):
        train, test = fold != held, fold == held
        asked = item[test], source[test]
        found.setdefault("item shares", []).append(
            loss(shares(item[train], label[train], n_items, n_classes)[asked[0]], label[test])
        )
        effects = logits(item[train], source[train], label[train], (n_items, n_sources, n_classes))
        score = effects[asked[0]] + effects[n_items + asked[1]]
        p = np.exp(score - score.max(1, keepdims=True))
        found.setdefault("item and source logits", []).append(loss(p / p.sum(1, keepdims=True), label[test]))
        matrix = np.full((n_items, n_sources), -1, np.int16)
        matrix[item[train], source[train]] = label[train]
        votes = Votes.from_dense(matrix, n_classes=n_classes)
        model = LabelModel(n_classes=n_classes).fit(votes)
        if (confusion := model.confusion_matrices) is not None:
            soft = model.predict_proba(votes).astype(np.float64)
            by_confusion = np.einsum("jc,jkc->jk", soft[asked[0]], confusion[asked[1]])
            found.setdefault("confusion matrices", []).append(loss(by_confusion, label[test]))
        p = np.empty((test.sum(), n_classes))
        for one in np.unique(asked[1]):
            rows = asked[1] == one
            p[rows] = model.predict_vote_proba(votes.select_items(asked[0][rows]), int(one))
        found.setdefault("predict_vote_proba", []).append(loss(p, label[test]))
    return {name: float(np.mean(losses)) for name, losses in found.items()}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with disagreement/")
    paths = sorted((parser.parse_args().data / "disagreement").glob("*.npz"))
    if not paths:
        print("no archives in disagreement/: skipped")
    for path in paths:
        with np.load(path) as data:
            value = data["value"].astype(np.int64)
            if path.stem == "convabuse":  # -3 to -1 are degrees of abuse
                value = (value < 0).astype(np.int64)
            label = value - value.min()
            table = run(data["item"].astype(np.int64), data["worker"].astype(np.int64), label)
        print(path.stem, " ".join(f"{name}: {value:.4f}" for name, value in table.items()), flush=True)


if __name__ == "__main__":
    main()
