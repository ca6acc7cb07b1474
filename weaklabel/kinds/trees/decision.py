"""Which node is predicted for an item, given the probabilities of all nodes.

Shapes: N items, K leaves, T nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError

TIED = 1e-6
"""Nodes are tied whose probabilities differ by less, as classes are in `LabelModel.predict`."""
SUM_TOLERANCE = 1e-3
"""How far from 1 a row of probabilities may sum."""


def read_soft_labels(soft_labels: ArrayLike, n_leaves: int) -> NDArray[np.float64]:
    """[N, K] probabilities whose rows sum to 1.

    Raises:
        InvalidArgumentError: for another shape, and for rows that are no probabilities; it names the row.
    """
    soft = np.asarray(soft_labels, np.float64)
    if soft.ndim != 2 or soft.shape[1] != n_leaves:
        raise InvalidArgumentError(
            f"soft_labels must be [N, {n_leaves}], a column a leaf, got shape {soft.shape}", field="soft_labels"
        )
    wrong = ~((soft >= 0).all(1) & (np.abs(soft.sum(1) - 1) <= SUM_TOLERANCE))
    if wrong.any():
        raise InvalidArgumentError(
            f"soft_labels: row {int(np.argmax(wrong))} is no distribution: numbers of at least 0 that sum to 1 are "
            "expected",
            field="soft_labels",
        )
    normalized: NDArray[np.float64] = soft / soft.sum(1, keepdims=True)
    return normalized


def likeliest(marginals: NDArray[np.float64], nodes: NDArray[np.int64]) -> NDArray[np.int32]:
    """[N] the likeliest of some nodes, -1 where the first two are tied.

    Args:
        marginals: [N, T].
        nodes: of which one is right.
    """
    among = marginals[:, nodes]
    best: NDArray[np.int32] = nodes[among.argmax(1)].astype(np.int32)
    if len(nodes) > 1:
        second, first = np.partition(among, len(nodes) - 2, axis=1)[:, -2:].T
        best[first - second < TIED] = -1
    return best


def deepest(
    marginals: NDArray[np.float64], levels: NDArray[np.int64], parents: Sequence[int], threshold: float
) -> NDArray[np.int32]:
    """[N] the deepest node whose probability is above the threshold; the single root, or -1, where none is.

    Args:
        marginals: [N, T].
        levels: [T].
        parents: of the nodes.
        threshold: in [0.5, 1), so that no two nodes are above it but one above the other.

    Raises:
        InvalidArgumentError: for another threshold.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float, np.number)) or not 0.5 <= threshold < 1:
        raise InvalidArgumentError(f"threshold must be in [0.5, 1), got {threshold!r}", field="threshold")
    reached = np.where(marginals > threshold, levels, -1)
    roots = [node for node, parent in enumerate(parents) if parent < 0]
    fallback = roots[0] if len(roots) == 1 else -1
    return np.where(reached.max(1) < 0, fallback, reached.argmax(1)).astype(np.int32)
