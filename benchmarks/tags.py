#!/usr/bin/env python
"""Sets of tags: scores of TagModel beside vote shares and a binary LabelModel a tag.

    .venv/bin/python benchmarks/tags.py folder

Reads chexpert.npz and crowdtruth_medrel.npz in the folder's multilabel/. Fits all votes without gold, in one setting of
the defaults, and scores the cells with gold. Votes that are uncertain are left out; the last answer of a worker counts.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, TagModel
from weaklabel.kinds.tags.scores import METRICS, tag_scores

Votes = NDArray[np.int8]


def chexpert(path: Path) -> tuple[list[str], Votes, Votes]:
    """Tags, [N, M, K] votes and [N, K] gold."""
    with np.load(path, allow_pickle=False) as data:
        votes = np.where(data["votes"] == -2, -1, data["votes"]).astype(np.int8)
        return list(map(str, data["tags"])), votes, data["gold"]


def medrel(path: Path) -> tuple[list[str], Votes, NDArray[np.bool_], Votes]:
    """Tags, [N, M, K] votes with an unlisted tag as no, which of them are lists, and [N, K] gold."""
    with np.load(path, allow_pickle=False) as data:
        voted = np.full((int(data["n_items"]), int(data["n_workers"]), len(data["tags"])), -1, np.int8)
        voted[data["item"], data["worker"]] = data["tags_voted"]  # the last of a repeated pair
        return list(map(str, data["tags"])), voted, (voted[:, :, 0] >= 0), data["gold"]


def share(votes: Votes) -> NDArray[np.float64]:
    """[N, K] share of yes with one vote more, half of it yes."""
    return np.asarray(((votes == 1).sum(1) + 0.5) / ((votes >= 0).sum(1) + 1))


def a_tag(votes: Votes, gold: Votes) -> NDArray[np.float64]:
    """[N, K] by a binary LabelModel for each tag with gold."""
    found = np.full(gold.shape, 0.5)
    for tag in np.flatnonzero((gold >= 0).any(0)):
        used = (votes[:, :, tag] >= 0).any(0)
        own = votes[:, used, tag].astype(int)
        found[:, tag] = LabelModel(classes=["no", "yes"]).fit(own).predict_proba(own)[:, 1]
    return found


def scored(probability: NDArray[np.float64], gold: Votes) -> dict[str, float]:
    """Scores of the cells with gold."""
    item, tag = np.nonzero(gold >= 0)
    return tag_scores(probability[item, tag], tag, gold[item, tag].astype(np.int8), METRICS)


def show(name: str, scores: dict[str, float]) -> None:
    """Prints a line."""
    print(f"{name:28s}" + "".join(f"{scores[metric]:10.3f}" for metric in METRICS), flush=True)


def timed(n_items: int) -> None:
    """Fits items of ten votes on 10,000 tags with a long tail."""
    rng = np.random.default_rng(0)
    names = [f"tag {at}" for at in range(10_000)]
    item, source = np.repeat(np.arange(n_items), 10), (rng.integers(0, 200, (n_items, 1)) + np.arange(10) * 7) % 200
    true = rng.zipf(1.3, (n_items, 4)) % 10_000
    listed = true[np.arange(n_items)[:, None], rng.integers(0, 4, (n_items, 10))]
    listed = np.where(rng.random(listed.shape) < 0.7, listed, rng.zipf(1.3, listed.shape) % 10_000)
    tag: NDArray[Any] = np.array(names, object)[listed.ravel()]
    for run in ("first", "warm"):
        started = time.perf_counter()
        model = TagModel(names).fit(item, source.ravel(), tag)
        print(f"{run}: {len(item):,} votes in {time.perf_counter() - started:.1f} s, {model.n_iter} rounds")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with multilabel/")
    parser.add_argument("--size", type=int, default=0, help="items of a simulated fit to time, such as 100000")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':28s}" + "".join(f"{metric:>10s}" for metric in METRICS))
    path = arguments.data / "multilabel" / "chexpert.npz"
    if path.exists():
        tags, votes, gold = chexpert(path)
        show("chexpert: vote share", scored(share(votes), gold))
        show("LabelModel a tag", scored(a_tag(votes, gold), gold))
        show("TagModel", TagModel(tags).fit(votes).score(votes, gold, METRICS))
    path = arguments.data / "multilabel" / "crowdtruth_medrel.npz"
    if path.exists():
        tags, votes, looked, gold = medrel(path)
        show("medrel (CAUSES): vote share", scored(share(votes), gold))
        show("LabelModel a tag", scored(a_tag(votes, gold), gold))
        item, source, tag = np.nonzero(votes == 1)
        none = np.argwhere(looked & ~(votes == 1).any(2))
        item, source = np.r_[item, none[:, 0]], np.r_[source, none[:, 1]]
        named = np.array([*tags, None], object)[np.r_[tag, np.full(len(none), len(tags))]]
        model = TagModel(tags).fit(item, source, named)
        show("TagModel", model.score(item, gold[np.unique(item)], METRICS, source=source, tag=named))
    if arguments.size:
        timed(arguments.size)


if __name__ == "__main__":
    main()
