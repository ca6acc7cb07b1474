#!/usr/bin/env python
"""Candidate sets with features: how many true labels are found, in training items and in unseen ones.

    .venv/bin/python benchmarks/partial.py folder

Reads every archive in the folder's partial/: `candidates` uint8 [N, K] (the truth lies inside), `features` float32
[N, D], `gold` [N]. Five folds, as in the literature: training items keep their candidates, and the true label has to be
picked from them (disambiguation); unseen items have features alone. Gold is used for the score only. The end model is
the product's, with one setting for all sets.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel.model.features.classifier import ClassifierSettings
from weaklabel.model.features.end_model import fit_features
from weaklabel.model.features.evidence import by_item, draw_folds

LEAK = 1e-3
"""Likelihood, beside 1, of a set that misses the truth."""


def run(
    features: NDArray[np.float32],
    candidates: NDArray[np.uint8],
    gold: NDArray[np.int64],
    settings: ClassifierSettings,
    seed: int,
    n_folds: int = 5,
) -> dict[str, float]:
    """Means over the folds: accuracies on training items (in sample and out of fold) and on unseen ones."""
    fold = np.random.default_rng(seed).permutation(len(gold)) % n_folds
    found: list[dict[str, float]] = []
    for held in range(n_folds):
        train, test = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        evidence = np.log(candidates[train] + LEAK).astype(np.float32)
        started = time.perf_counter()
        told = by_item(evidence, np.ones(len(train), np.float32), draw_folds(len(train), seed))
        fit = fit_features(features[train], told, settings, seed=seed)
        seconds = time.perf_counter() - started
        picked = {"train": fit.model.log_proba(features[train]), "out of fold": fit.log_proba}
        scores = {name: float(((log_p + evidence).argmax(1) == gold[train]).mean()) for name, log_p in picked.items()}
        unseen = float((fit.model.log_proba(features[test]).argmax(1) == gold[test]).mean())
        guess = (candidates[train] / candidates[train].sum(1, keepdims=True))[np.arange(len(train)), gold[train]]
        found.append(scores | {"unseen": unseen, "chance": float(guess.mean()), "seconds": seconds})
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with partial/")
    parser.add_argument("--seeds", type=int, default=3, help="splits into folds to average over")
    parser.add_argument("--hidden", type=int, nargs="*", default=[0, 64], help="sizes of the hidden layer; 0 is linear")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/partial.json"))
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "partial").glob("*.npz"))
    if not paths:
        raise SystemExit(f"no archives in {arguments.data}/partial")
    figures: dict[str, Any] = {}
    columns = ("chance", "train", "out of fold", "unseen", "seconds")
    print(f"{'set':12}{'model':12}" + "".join(f"{name:>13}" for name in columns))
    for path in paths:
        archive = np.load(path)
        data = (archive["features"].astype(np.float32), archive["candidates"], archive["gold"].astype(np.int64))
        for hidden in arguments.hidden:
            runs = [run(*data, ClassifierSettings(hidden=hidden), seed) for seed in range(arguments.seeds)]
            mean = {name: float(np.mean([each[name] for each in runs])) for name in columns}
            name = f"hidden {hidden}" if hidden else "linear"
            figures.setdefault(path.stem, {})[name] = mean
            print(f"{path.stem:12}{name:12}" + "".join(f"{mean[column]:13.3f}" for column in columns), flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
