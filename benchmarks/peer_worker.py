#!/usr/bin/env python
"""Runs one peer in the environment it is installed in: reads paths of problems, writes probabilities beside them.

    python -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install snorkel crowd-kit hyperlm

Imports nothing of this project. Speaks with benchmarks/reference.py by lines: a path in, "done" out.
"""

import functools
import os
import sys

os.environ.setdefault("TQDM_DISABLE", "1")
import numpy as np


def snorkel(votes, k):
    """Snorkel's label model, its defaults with 500 epochs."""
    from snorkel.labeling.model import LabelModel

    model = LabelModel(cardinality=k, verbose=False)
    model.fit(votes.astype(int), n_epochs=500, seed=123, progress_bar=False)
    return model.predict_proba(votes.astype(int))


def crowdkit_dawid_skene(votes, k):
    """crowd-kit's Dawid-Skene, its defaults."""
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    i, j = np.nonzero(votes >= 0)
    frame = pd.DataFrame({"task": i, "worker": j, "label": votes[i, j].astype(int)})
    found = DawidSkene().fit(frame).probas_
    p = np.full((len(votes), k), 1 / k)
    p[np.asarray(found.index, int)] = 0
    p[np.ix_(np.asarray(found.index, int), np.asarray(found.columns, int))] = found.to_numpy(float)
    return p / p.sum(1, keepdims=True)


def hyperlm(votes, k):
    """The hyper label model; items without votes are uniform."""
    import torch

    torch.load = functools.partial(torch.load, weights_only=False)  # its checkpoint predates the new default
    import hyperlm as package

    known = (votes >= 0).any(1)
    with torch.no_grad():
        found = np.asarray(package.HyperLabelModel(device="cpu").infer(votes[known].astype(int), return_probs=True))
    p = np.full((len(votes), k), 1 / k)
    p[known] = 0
    p[known, : found.shape[1]] = found
    return p


PEERS = {"Snorkel": snorkel, "crowd-kit Dawid-Skene": crowdkit_dawid_skene, "hyper label model": hyperlm}


def main():
    """Answers until the input ends."""
    peer = PEERS[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints must not look like an answer
    for line in sys.stdin:
        problem = np.load(line.strip())
        k = int(problem["n_classes"])
        p = np.nan_to_num(np.asarray(peer(problem["votes"], k), float), nan=1 / k)
        p = np.clip(p, 0, 1)
        p /= np.maximum(p.sum(1, keepdims=True), 1e-12)
        p[p.sum(1) < 0.5] = 1 / k
        np.save(line.strip().removesuffix(".npz") + ".npy", p)
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
