"""Write the golden model files: models of the installed weaklabel, their votes, and what they predict.

    python tests/golden/write_models.py tests/golden/models/v5

Files that are committed are never written anew: a release that changes the format adds a folder, named after the
version of the format, see docs/releasing.md. Those in v2 were written by commit 9f171ea, and those in v1 by the commit
before fc4578a, on the same votes, which it could not save itself. What files up to v3 record of `predict` and
`decision_function` was computed apart from the soft labels; from v4 on, these are the likeliest classes and the soft
labels.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel import LabelModel, Votes, not_, one_of, soft

ATTRIBUTES = ("class_balance", "coverage", "objective", "source_accuracy", "source_accuracy_interval", "group_balance")
"""Arrays that a model hands out, or None."""


class Case(NamedTuple):
    """A fit, and what is given beside the votes when it predicts."""

    votes: Votes
    fit: Mapping[str, Any] = MappingProxyType({})
    predict: Mapping[str, NDArray[Any]] = MappingProxyType({})


def _simulate(
    n_items: int, accuracies: list[float], n_classes: int, seed: int, coverage: float = 0.7
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Vote matrix of independent sources, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_items, dtype=np.int32)
    size = (n_items, len(accuracies))
    wrong = (labels[:, None] + rng.integers(1, n_classes, size)) % n_classes
    votes = np.where(rng.random(size) < accuracies, labels[:, None], wrong)
    return np.where(rng.random(size) < coverage, votes, -1).astype(np.int32), labels


def plain() -> Case:
    """Classes only, dense."""
    matrix, _ = _simulate(60, [0.85, 0.8, 0.7, 0.75, 0.6], 3, seed=1)
    return Case(Votes.from_dense(matrix, 3, sources=["a", "b", "c", "d", "e"]))


def one_coin() -> Case:
    """So many sources and classes (9 x 512 x 512 cells) that each source has one accuracy; sparse votes."""
    matrix, _ = _simulate(24, [0.9, 0.8, 0.7, 0.8, 0.6, 0.7, 0.9, 0.8, 0.7], 512, seed=2)
    items, sources = np.nonzero(matrix >= 0)
    return Case(Votes.from_triples(items, sources, matrix[items, sources], n_classes=512, n_items=24, n_sources=9))


def groups() -> Case:
    """A class balance for each group."""
    matrix, labels = _simulate(60, [0.85, 0.8, 0.7, 0.75], 2, seed=3)
    names = np.where((labels == 1) ^ (np.arange(60) % 5 == 0), "north", "south")
    return Case(Votes.from_dense(matrix, 2), {"groups": names}, {"groups": names})


def features() -> Case:
    """A linear end model beside the votes."""
    matrix, labels = _simulate(80, [0.85, 0.8, 0.7, 0.75], 2, seed=4, coverage=0.5)
    noise = np.random.default_rng(5).normal(size=(80, 3))
    columns = (noise + labels[:, None] * [2.0, -1.0, 0.0]).astype(np.float32)
    return Case(Votes.from_dense(matrix, 2), {"features": columns}, {"features": columns})


def imprecise() -> Case:
    """Candidate sets and soft votes among classes."""
    matrix, labels = _simulate(60, [0.85, 0.8, 0.7, 0.75], 3, seed=6)
    cells: list[list[object]] = [list(row) for row in matrix.tolist()]
    for item in range(0, 60, 3):
        truth, other = int(labels[item]), int(labels[item] + 1) % 3
        cells[item][0] = one_of(truth, other)
        cells[item][1] = not_(other)
        cells[item][2] = soft([0.7 if label == truth else 0.15 for label in range(3)])
    return Case(Votes.from_dense(cells, 3))


def bounds_and_copies() -> Case:
    """A source twice, an accuracy that a person bounds, and a family."""
    matrix, _ = _simulate(120, [0.85, 0.8, 0.7, 0.75], 3, seed=7)
    matrix = np.concatenate([matrix, matrix[:, :1]], axis=1)
    votes = Votes.from_dense(matrix, 3, sources=["a", "b", "c", "d", "a again"])
    return Case(votes, {"bounds": {"b": (0.6, 0.7)}, "families": {"c": "llm", "d": "llm"}})


def gold() -> Case:
    """Calibrated by the labels of a third of the items."""
    matrix, labels = _simulate(90, [0.85, 0.8, 0.7, 0.75], 3, seed=8)
    return Case(Votes.from_dense(matrix, 3), {"gold": np.where(np.arange(90) % 3 == 0, labels, -1)})


def gold_and_features() -> Case:
    """Votes and features, corrected by labels of which some may be wrong, drawn with unlike probabilities."""
    matrix, labels = _simulate(80, [0.85, 0.8, 0.7, 0.75], 2, seed=9, coverage=0.6)
    noise = np.random.default_rng(10).normal(size=(80, 3))
    columns = (noise + labels[:, None] * [2.0, -1.0, 0.0]).astype(np.float32)
    known = {
        "gold": np.where(np.arange(80) % 3 == 0, labels, -1),
        "gold_error": 0.05,
        "gold_weight": 1.0 + np.arange(80) % 2,
        "gold_sampling": "random",
    }
    return Case(Votes.from_dense(matrix, 2), {"features": columns, **known}, {"features": columns})


CASES = (plain, one_coin, groups, features, imprecise, bounds_and_copies, gold, gold_and_features)


def expected(model: LabelModel, votes: Votes, side: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """What the model predicts and says of itself, as arrays for one file."""
    arrays = {name: getattr(model, name) for name in ATTRIBUTES if getattr(model, name) is not None}
    words = {
        "classes": model.classes,
        "source_names": model.source_names,
        "group_names": model.group_names,
        "seed": model.seed,
        "max_iter": model.max_iter,
        "tol": model.tol,
        "n_iter": model.n_iter,
        "converged": model.converged,
        "feature_strength": model.feature_strength,
        "diagnostics": str(model.diagnostics),
    }
    return {
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
        "predict_proba": model.predict_proba(votes, **side),
        "predict": model.predict(votes, **side),
        "decision_function": model.decision_function(votes, **side),
        **arrays,
        **{f"given.{name}": values for name, values in side.items()},
    }


def write(folder: Path) -> None:
    """Write three files for each case: votes, model, and what is expected of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        votes, fit, side = case()
        model = LabelModel(votes.n_classes, seed=7).fit(votes, **fit)
        votes.save(folder / f"{case.__name__}.votes.npz")
        model.save(folder / f"{case.__name__}.model.npz")
        arrays = expected(model, votes, side)
        np.savez_compressed(folder / f"{case.__name__}.expected.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
