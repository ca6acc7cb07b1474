"""Sequence models on public data sets, beside majority vote and Dawid-Skene a token.

    python benchmarks/sequences.py FOLDER [NAME ...]

FOLDER holds noisebench_en.npz and the like: `votes` [T, M] tag indices, `seq_id` [T], `gold` [T], `label_names`; where
there are some, `split` (2 is scored) and `lf_rec` (columns of the set NAME:rec). Fits use votes alone. The data sets
were looked at when the model was designed: figures on them are in sample.
"""

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import SequenceModel
from weaklabel.kinds.sequences.schemes import read_scheme
from weaklabel.kinds.sequences.scores import score

NAMES = ("noisebench_en", "laptopreview:rec", "laptopreview", "bc5cdr:rec", "bc5cdr")


class Problem(NamedTuple):
    """A data set."""

    votes: NDArray[np.int64]
    gold: NDArray[np.int64]
    """-1 where not scored."""
    lengths: NDArray[np.int64]
    types: list[str]


def read(folder: Path, name: str) -> Problem:
    """The data set of a name, its tags in the order of `SequenceModel`."""
    with np.load(folder / f"{name.split(':')[0]}.npz") as archive:
        data = dict(archive)
    names = [str(one) for one in data["label_names"]]
    types = list(dict.fromkeys(one[2:] for one in names if one != "O"))
    tags = read_scheme(types, "BIO").tags
    order = np.array([tags.index(one) for one in names])
    votes, gold = order[data["votes"].astype(int)], data["gold"].astype(int)
    if name.endswith(":rec"):
        votes = votes[:, data["lf_rec"]]
    known = gold >= 0
    if "split" in data and (data["split"] == 2).any():
        known &= data["split"] == 2
    begins = np.flatnonzero(np.append(True, np.diff(data["seq_id"]) != 0))
    return Problem(votes, np.where(known, order[gold], -1), np.diff(np.append(begins, len(gold))), types)


def majority_vote(votes: NDArray[np.int64], n_tags: int, *, annotators: bool) -> NDArray[np.float64]:
    """Smoothed vote shares; of functions only of what they mark, and "O" where none does."""
    counts = np.stack([(votes == tag).sum(1) for tag in range(n_tags)], 1).astype(float)
    if not annotators:
        counts[:, 0] = counts[:, 1:].sum(1) == 0
    shares: NDArray[np.float64] = (counts + 1 / n_tags) / (counts.sum(1, keepdims=True) + 1)
    return shares


def dawid_skene(votes: NDArray[np.int64], n_tags: int) -> NDArray[np.float64]:
    """By EM from the vote shares of all tags, one pseudo-count a cell."""
    rows, row = np.unique(votes, axis=0, return_inverse=True)
    weight = np.bincount(row.ravel()).astype(float)
    q = np.stack([(rows == tag).mean(1) for tag in range(n_tags)], 1)
    for _ in range(100):
        balance = weight @ q + 1
        log_p = np.repeat(np.log(balance / balance.sum())[None], len(rows), 0)
        for source in rows.T:
            confusion = np.ones((n_tags, n_tags))
            np.add.at(confusion, source, weight[:, None] * q)
            log_p += np.log(confusion / confusion.sum(0))[source]
        log_p = np.exp(log_p - log_p.max(1, keepdims=True))
        q = log_p / log_p.sum(1, keepdims=True)
    found: NDArray[np.float64] = q[row.ravel()]
    return found


def main(folder: str, names: list[str]) -> None:
    """Prints a line for each data set."""
    print(f"{'F1 / NLL':18} {'majority vote':>16} {'Dawid-Skene':>16} {'SequenceModel':>16} {'seconds':>8}")
    for name in names or list(NAMES):
        problem = read(Path(folder), name)
        model, started = SequenceModel(problem.types), time.perf_counter()
        model.fit(problem.votes, lengths=problem.lengths)
        spent = time.perf_counter() - started
        scheme = read_scheme(problem.types, "BIO")
        n_tags = len(scheme.tags)
        annotators = model.summary[0].kind == "annotator"
        soft = {
            "majority vote": majority_vote(problem.votes, n_tags, annotators=annotators),
            "Dawid-Skene": dawid_skene(problem.votes, n_tags),
        }
        cells = [_cell(p, p.argmax(1), problem, scheme) for p in soft.values()]
        p = model.predict_proba(problem.votes, lengths=problem.lengths)
        cells.append(_cell(p, model.predict(problem.votes, lengths=problem.lengths), problem, scheme))
        print(f"{name:18} {''.join(f'{cell:>17}' for cell in cells)[1:]} {spent:8.1f}", flush=True)


def _cell(soft: NDArray[Any], hard: NDArray[Any], problem: Problem, scheme: Any) -> str:
    f1, nll = (score(one, soft, hard, problem.gold, problem.lengths, scheme) for one in ("f1", "nll"))
    return f"{100 * f1:.1f} / {nll:.3f}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
