"""Wrong labels found beside votes: average precision, beside vote shares and cleanlab on the same votes.

    .venv/bin/python benchmarks/label_errors.py ../data --peers-python peers/bin/python

Labels are an annotator's own, the worst answer of each item, or gold with 15 % of it changed at random; gold says which
are wrong. cleanlab ranks by smoothed vote shares, and by the soft labels of the label model, in its two usual ways
(self confidence and normalized margin, adjusted); the better of both is shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from label_quality.problems import Problem, generator, read
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes
from weaklabel.label_errors import label_errors

WORST, CHANGED = "worst answer", "15 % changed"
SETS: tuple[tuple[str, str, str | int], ...] = (
    ("crowd", "cifar10n", WORST),
    ("crowd", "cifar10n", 0),
    ("crowd", "labelme", CHANGED),
    ("crowd", "rte", CHANGED),
    ("crowd", "sp_amt", CHANGED),
    ("llm", "css_semeval_stance", 0),
    ("llm", "css_discourse", 3),
    ("weak", "youtube", CHANGED),
    ("weak", "trec", CHANGED),
    ("sequence", "noisebench_en", 0),
    ("sequence", "noisebench_en", 2),
    ("sequence", "noisebench_en", 4),
    ("sequence", "noisebench_en", 5),
)
PEER = """
import json, sys
import numpy as np
from cleanlab.rank import get_label_quality_scores
archive = np.load(sys.argv[1])
found = {}
for name in ("shares", "soft"):
    for method in ("self_confidence", "normalized_margin"):
        found[f"{name} {method}"] = get_label_quality_scores(
            archive["given"], archive[name], method=method, adjust_pred_probs=True
        ).tolist()
print(json.dumps(found))
"""
HEADS = (
    "labels",
    "wrong",
    "label_errors",
    "suspects: expected, wrong",
    "vote shares",
    "cleanlab: shares",
    "soft labels",
)
Array = NDArray[np.float64]


def average_precision(wrong: NDArray[np.bool_], quality: Array) -> float:
    """Of finding what is wrong by the lowest quality."""
    hits = wrong[np.argsort(quality, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def given_labels(how: str | int, votes: Votes, gold: NDArray[np.int64]) -> tuple[NDArray[np.int64], Votes]:
    """[N] labels, and the votes beside them."""
    rng, dense = generator("label errors", str(how)), votes.to_dense()
    if isinstance(how, int):
        names = [name for name in votes.source_names if name != votes.source_names[how]]
        return dense[:, how].astype(np.int64), votes.select_sources(names)
    given = gold.copy()
    if how == WORST:
        for item, row in enumerate(dense):
            wrong = row[(row >= 0) & (row != gold[item])]
            given[item] = rng.choice(wrong) if len(wrong) else gold[item]
    else:
        changed = rng.random(len(gold)) < 0.15
        given[changed] = (given[changed] + rng.integers(1, votes.n_classes, changed.sum())) % votes.n_classes
    given[gold < 0] = -1
    return given, votes


def by_peer(python: str, given: NDArray[np.int64], shares: Array, soft: Array) -> dict[str, Array]:
    """Qualities of the labels by cleanlab."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.npz"
        np.savez(path, given=given, shares=shares, soft=soft)
        command = [python, "-W", "ignore", "-c", PEER, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: np.asarray(quality) for name, quality in json.loads(done.stdout).items()}


def row(problem: Problem, how: str | int, peers_python: str | None) -> list[str]:
    """A row of the table."""
    given, votes = given_labels(how, problem.votes, problem.gold)
    found = label_errors(votes, given)
    at = np.flatnonzero((problem.gold >= 0) & (given >= 0))
    all_wrong, labels = given != problem.gold, given[at]
    wrong = all_wrong[at]
    counts = votes.counts()
    shares = (counts + 1 / votes.n_classes) / (counts.sum(1, keepdims=True) + 1)
    suspects = np.intersect1d(found.suspects, at)
    label = f"answers of source {how}" if isinstance(how, int) else how
    cells = [
        f"{problem.name}, {label}",
        f"{100 * wrong.mean():.0f} % of {len(wrong):,}",
        f"{average_precision(wrong, -found.probability[at]):.3f}",
        f"{found.probability[suspects].mean():.2f}, {all_wrong[suspects].mean():.2f}" if len(suspects) else "none",
        f"{average_precision(wrong, shares[at, labels]):.3f}",
    ]
    if peers_python:
        soft = np.asarray(LabelModel(votes.n_classes).fit(votes).predict_proba(votes), np.float64)
        peers = by_peer(peers_python, labels, shares[at], soft[at])
        for of in ("shares", "soft"):
            best = max(average_precision(wrong, quality) for name, quality in peers.items() if name.startswith(of))
            cells.append(f"{best:.3f}")
    return cells


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of groups of archives")
    parser.add_argument("--peers-python", help="python of an environment with cleanlab")
    arguments = parser.parse_args()
    heads = HEADS if arguments.peers_python else HEADS[:5]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for group, name, how in SETS:
        cells = row(read(arguments.data / group / f"{name}.npz", group), how, arguments.peers_python)
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
