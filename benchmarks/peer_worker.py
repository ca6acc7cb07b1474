#!/usr/bin/env python
"""Runs one peer in the environment it is installed in: reads paths of problems, writes what it found beside them.

    python -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install snorkel crowd-kit hyperlm

Imports nothing of this project. Speaks with its caller by lines: a path in, "done" out. A problem is an archive with
`n_classes` and `votes` [N, M], or `item`, `worker`, `label` triples with `n_sources` and `truth` [N]. Beside it are
put probabilities [N, K] (.npy) and the time and memory that they took (.json).
"""

import functools
import importlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")
import numpy as np


def dense(problem):
    """[N, M] votes as the wide integers that peers ask for."""
    if "votes" in problem:
        return problem["votes"].astype(int)
    votes = np.full((len(problem["truth"]), int(problem["n_sources"])), -1)
    votes[problem["item"], problem["worker"]] = problem["label"]
    return votes


def frame(problem):
    """Number of items, and triples as the table that crowd-kit asks for."""
    import pandas as pd

    if "votes" in problem:
        votes = problem["votes"]
        i, j = np.nonzero(votes >= 0)
        return len(votes), pd.DataFrame({"task": i, "worker": j, "label": votes[i, j].astype(int)})
    columns = {"task": problem["item"], "worker": problem["worker"], "label": problem["label"].astype(int)}
    return len(problem["truth"]), pd.DataFrame(columns)


def snorkel(problem, k):
    """Snorkel's label model, its defaults with 500 epochs."""
    from snorkel.labeling.model import LabelModel

    votes, model = dense(problem), LabelModel(cardinality=k, verbose=False)
    return (
        lambda: model.fit(votes, n_epochs=500, seed=123, progress_bar=False),
        lambda: model.predict_proba(votes),
    )


def snorkel_majority(problem, k):
    """Snorkel's majority vote."""
    from snorkel.labeling.model import MajorityLabelVoter

    votes = dense(problem)
    return lambda: None, lambda: MajorityLabelVoter(cardinality=k).predict_proba(votes)


def crowdkit(name, problem, k):
    """A model of crowd-kit, its defaults; items without votes are uniform."""
    import crowdkit.aggregation

    n, table = frame(problem)
    model = getattr(crowdkit.aggregation, name)()

    def predict():
        found = model.probas_
        p = np.full((n, k), 1 / k)
        p[np.asarray(found.index, int)] = 0
        p[np.ix_(np.asarray(found.index, int), np.asarray(found.columns, int))] = found.to_numpy(float)
        return p / p.sum(1, keepdims=True)

    return lambda: model.fit(table), predict


def hyperlm(problem, k):
    """The hyper label model; items without votes are uniform."""
    import torch

    torch.load = functools.partial(torch.load, weights_only=False)  # its checkpoint predates the new default
    import hyperlm as package

    votes = dense(problem)
    known = (votes >= 0).any(1)

    def predict():
        with torch.no_grad():
            model = package.HyperLabelModel(device="cpu")
            found = np.asarray(model.infer(votes[known], return_probs=True))
        p = np.full((len(votes), k), 1 / k)
        p[known] = 0
        p[known, : found.shape[1]] = found
        return p

    return lambda: None, predict


PEERS = {
    "Snorkel": ("snorkel.labeling.model", snorkel),
    "Snorkel majority vote": ("snorkel.labeling.model", snorkel_majority),
    "crowd-kit Dawid-Skene": ("crowdkit.aggregation", functools.partial(crowdkit, "DawidSkene")),
    "crowd-kit one-coin": ("crowdkit.aggregation", functools.partial(crowdkit, "OneCoinDawidSkene")),
    "hyper label model": ("torch", hyperlm),
}


def memory(field):
    """VmRSS (now) or VmHWM (at most so far) of this process in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def main():
    """Answers until the input ends."""
    module, peer = PEERS[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the peer prints must not look like an answer
    importlib.import_module(module)
    imported = memory("VmRSS")
    for line in sys.stdin:
        path = Path(line.strip())
        problem = np.load(path)
        k = int(problem["n_classes"])
        fit, predict = peer(problem, k)
        start = time.perf_counter()
        fit()
        fitted = time.perf_counter()
        p = predict()
        figures = {"fit_s": fitted - start, "predict_s": time.perf_counter() - fitted}
        p = np.nan_to_num(np.asarray(p, float), nan=1 / k)
        p = np.clip(p, 0, 1)
        p /= np.maximum(p.sum(1, keepdims=True), 1e-12)
        p[p.sum(1) < 0.5] = 1 / k
        np.save(path.with_suffix(".npy"), p)
        figures["peak_mb"] = memory("VmHWM") - imported
        path.with_suffix(".json").write_text(json.dumps(figures))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
