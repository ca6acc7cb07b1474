#!/usr/bin/env python
"""Votes at inner nodes of a tree: a fit that reads them beside one that must drop them, and labels at any level.

    .venv/bin/python benchmarks/trees.py folder [--draws 5]

labelme     crowd/labelme.npz: 8 classes, which this script puts under 2 nodes, places made by people and nature; 50 or
            80 % of the votes, drawn evenly, are replaced by their parent
cifar100n   hierarchy/cifar100n.npz: 100 classes under 20 nodes. An image has one vote, by one person. As it stands, and
            beside a simulated source that names the right upper class of 90 % of the images, another of the rest

            Before, gold: 50 or 200 items drawn evenly, whose leaf is known, or its parent only, one of 2 nodes or of 4;
            scored on the others.

accuracy: of leaves, a tie drawn by chance. hF: hierarchical F1 of the deepest node above the threshold. right: share of
items whose predicted node is the true leaf or above it; depth: mean level of the predicted node. What is absent from
the folder is skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, MajorityVote, Taxonomy, Votes

THRESHOLDS = (0.5, 0.8, 0.9)


def labelme(folder: Path, draws: int) -> None:
    """The model and majority vote, with votes for inner nodes and without."""
    with np.load(folder / "crowd" / "labelme.npz") as file:
        codes, gold = file["votes"].astype(np.int64), file["gold"].astype(np.int64)
    names = ("highway", "insidecity", "tallbuilding", "street", "forest", "coast", "mountain", "opencountry")
    tree = Taxonomy.from_parents([(name, ("made", "nature")[at // 4]) for at, name in enumerate(names)])
    pairs = Taxonomy.from_parents([(name, f"pair {at // 2}") for at, name in enumerate(names)])
    for name, one in (("two nodes", tree), ("four nodes", pairs)):
        _known_nodes(name, one, codes, gold, draws)
    for share in (0.5, 0.8):
        found: dict[str, list[float]] = {}
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            coarse = (rng.random(codes.shape) < share) & (codes >= 0)
            parents = np.where(coarse, np.array(tree.parents)[codes], codes)
            read = tree.votes(Votes.from_dense(parents, len(tree.nodes)))
            dropped = Votes.from_dense(np.where(coarse, -1, codes), 8)
            for kind, votes in (("inner nodes", read), ("dropped", dropped)):
                for model in (LabelModel(8, seed=draw), MajorityVote(8, seed=draw)):
                    labels = model.fit(votes).predict(votes, "random")
                    found.setdefault(f"{type(model).__name__}, {kind}", []).append(float((labels == gold).mean()))
        for name, values in found.items():
            shown = " ".join(f"{100 * one:.1f}" for one in values)
            print(f"labelme {share:.0%} coarse  {name:28} accuracy {100 * np.mean(values):.1f}  ({shown})", flush=True)
        if share == 0.5:
            _at_thresholds("labelme 50% coarse", tree, LabelModel(8).fit(read).predict_proba(read), gold)


def _known_nodes(name: str, tree: Taxonomy, codes: NDArray[np.int64], truth: NDArray[np.int64], draws: int) -> None:
    """Gold at leaves and at inner nodes, beside none: accuracy and negative log-likelihood on the items without it."""
    votes = Votes.from_dense(codes, 8)
    for n_known in (50, 200):
        found: dict[str, list[tuple[float, float]]] = {}
        for draw in range(draws):
            drawn = np.random.default_rng(draw).permutation(len(truth))[:n_known]
            rest = np.setdiff1d(np.arange(len(truth)), drawn)
            names: NDArray[Any] = np.full(len(truth), None, object)
            for level in ("none", "parents", "leaves"):
                if level != "none":
                    nodes = truth[drawn] if level == "leaves" else np.array(tree.parents)[truth[drawn]]
                    names[drawn] = np.array(tree.nodes, object)[nodes]
                soft = LabelModel(classes=tree.leaves).fit(votes, gold=tree.gold(names)).predict_proba(votes)[rest]
                nll = -np.log(np.maximum(soft[np.arange(len(rest)), truth[rest]], 1e-6)).mean()
                found.setdefault(level, []).append((float((soft.argmax(1) == truth[rest]).mean()), float(nll)))
        for level, values in found.items():
            accuracy, loss = np.mean(values, axis=0)
            print(
                f"labelme, {name}, {n_known} known {level:8} accuracy {100 * accuracy:.1f} nll {loss:.3f}", flush=True
            )


def cifar100n(folder: Path) -> None:
    """One vote an image, and one with an upper class beside it."""
    with np.load(folder / "hierarchy" / "cifar100n.npz") as file:
        votes, gold = file["noisy_label"].astype(np.int64), file["clean_label"].astype(np.int64)
        coarse_of = file["fine_to_coarse"].astype(np.int64)
    tree = Taxonomy.from_parents([(f"class {at}", f"group {group}") for at, group in enumerate(coarse_of)])
    parent = np.array(tree.parents[:100])
    rng = np.random.default_rng(0)
    groups = np.array(sorted(set(parent.tolist())))
    other = groups[(np.searchsorted(groups, parent[gold]) + rng.integers(1, 20, len(gold))) % 20]
    upper = np.where(rng.random(len(gold)) < 0.9, parent[gold], other)
    for name, columns in (("one vote", [votes]), ("and an upper class", [votes, upper])):
        start = time.perf_counter()
        read = tree.votes(Votes.from_dense(np.stack(columns, 1), len(tree.nodes)))
        model = LabelModel(100).fit(read)
        soft = model.predict_proba(read)
        seconds = time.perf_counter() - start
        right = float((model.predict(read, "random") == gold).mean())
        majority = float((MajorityVote(100).fit(read).predict(read, "random") == gold).mean())
        upper_right = float((tree.predict(soft, level=1) == parent[gold]).mean())
        print(f"cifar100n, {name}: accuracy {100 * right:.1f}, of upper classes {100 * upper_right:.1f}; ", end="")
        print(f"majority vote {100 * majority:.1f}; fit and labels {seconds:.1f} s", flush=True)
        _at_thresholds(f"cifar100n, {name}", tree, soft, gold)


def _at_thresholds(name: str, tree: Taxonomy, soft: NDArray[Any], gold: NDArray[np.int64]) -> None:
    for threshold in THRESHOLDS:
        nodes = tree.predict(soft, threshold=threshold)
        scores = tree.score(gold, nodes)
        below = np.concatenate([tree.descendants, np.ones((1, tree.n_leaves), bool)])  # -1: the root
        right = float(below[nodes, gold].mean())
        depth = float(np.where(nodes < 0, 0, tree.levels[nodes]).mean())
        precision, recall, f1 = (scores[f"hierarchical_{one}"] for one in ("precision", "recall", "f1"))
        print(
            f"  {name}, threshold {threshold}: hP {precision:.3f} hR {recall:.3f} hF {f1:.3f}, "
            f"right {right:.3f}, depth {depth:.2f}",
            flush=True,
        )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for path in ("crowd/labelme.npz", "hierarchy/cifar100n.npz"):
        if not (given.folder / path).exists():
            print(f"{path} is not in {given.folder}: skipped", file=sys.stderr)
        elif path.startswith("crowd"):
            labelme(given.folder, given.draws)
        else:
            cifar100n(given.folder)


if __name__ == "__main__":
    main()
