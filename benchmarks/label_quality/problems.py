"""Sets of votes with gold: read from archives, cut down, resampled."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import Votes

GROUPS = ("weak", "llm", "crowd", "partial")
F1_SETS = {"sms", "spouse", "basketball"}
FAMILY = re.compile(r"css_|ds_|mvh_|medrel|factcheck|llmbar")


class Problem(NamedTuple):
    """Votes with gold."""

    group: str
    name: str
    family: str
    """Sets of one family share their sources or their makers."""
    votes: Votes
    gold: NDArray[np.int64]
    """[N], -1 where unknown."""
    test: NDArray[np.bool_]
    """[N] whether the item is scored."""
    rare: bool = False
    """Whether the score is the F1 of class 1."""
    features: NDArray[np.float32] | None = None
    """[N, D]."""
    bayes: NDArray[np.float64] | None = None
    """[N, K] posterior under the true parameters, where they are known."""

    @property
    def key(self) -> str:
        """The name of the set, unique over groups."""
        return f"{self.group}/{self.name}"

    def select(self, items: NDArray[Any]) -> Problem:
        """Some items only, in the order given."""
        return self._replace(
            votes=self.votes.select_items(items),
            gold=self.gold[items],
            test=self.test[items],
            features=None if self.features is None else self.features[items],
            bayes=None if self.bayes is None else self.bayes[items],
        )


def family_of(name: str) -> str:
    """The family of a set: what its name begins with, where several sets share that; else the set itself."""
    found = FAMILY.match(name)
    return found.group().rstrip("_") if found else name


def generator(*keys: str | int) -> np.random.Generator:
    """A generator seeded by names and numbers."""
    return np.random.default_rng([zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys])


def read(path: Path, group: str) -> Problem:
    """One archive."""
    archive = np.load(path)
    gold = archive["gold"].astype(np.int64)
    if "candidates" in archive:
        votes = Votes.from_candidates(archive["candidates"].astype(bool))
    elif "votes" in archive:
        votes = Votes.from_dense(archive["votes"], int(archive["n_classes"]))
    else:
        votes = Votes.from_triples(
            archive["item"],
            archive["worker"],
            archive["label"],
            n_classes=int(archive["n_classes"]),
            n_items=len(gold),
            n_sources=int(archive["n_workers"]),
        )
    test = gold >= 0
    if "split" in archive and (test & (archive["split"] == 2)).any():
        test &= archive["split"] == 2
    return Problem(
        group=group,
        name=path.stem,
        family=family_of(path.stem),
        votes=votes,
        gold=gold,
        test=test,
        rare=group == "weak" and path.stem in F1_SETS,
        features=archive["features"].astype(np.float32) if "features" in archive else None,
    )


def read_groups(folder: Path, groups: list[str]) -> Iterator[Problem]:
    """The archives of some groups."""
    for group in groups:
        paths = sorted((folder / group).glob("*.npz"))
        if not paths:
            raise SystemExit(f"no archives in {folder / group}")
        for path in paths:
            yield read(path, group)


def cut(problem: Problem, n_items: int, *, with_gold: bool = False) -> Problem:
    """At most so many items, drawn with a fixed seed: among those that are scored first, or of those with gold only."""
    rng = generator("cut", problem.key)
    if with_gold:
        known = np.flatnonzero(problem.gold >= 0)
        problem = problem.select(np.sort(rng.permutation(known)[:n_items]))
        return problem._replace(test=problem.gold >= 0)
    if problem.votes.n_items <= n_items:
        return problem
    order = rng.permutation(problem.votes.n_items)
    order = order[np.argsort(~problem.test[order], kind="stable")]
    return problem.select(np.sort(order[:n_items]))


def resample(problem: Problem, n: int) -> Iterator[Problem]:
    """Problems out of one: a random subset of at least 3 sources, and a bootstrap of the items."""
    n_sources = problem.votes.n_sources
    for replicate in range(n):
        rng = generator(problem.name, replicate)
        size = rng.integers(min(3, n_sources), n_sources + 1)
        names = [problem.votes.source_names[m] for m in np.sort(rng.choice(n_sources, size, replace=False))]
        items = rng.integers(0, problem.votes.n_items, problem.votes.n_items)
        if problem.test[items].any():
            chosen = problem._replace(votes=problem.votes.select_sources(names), bayes=None)
            yield chosen.select(items)._replace(name=f"{problem.name}#{replicate}")
