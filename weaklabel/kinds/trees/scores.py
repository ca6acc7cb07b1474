"""How good predicted nodes are: those above them count, too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError


def hierarchical(truth: NDArray[np.int64], predicted: NDArray[np.int64], above: NDArray[np.bool_]) -> dict[str, float]:
    """Hierarchical precision, recall and F1, summed over items, and accuracy; see `Taxonomy.score`.

    Args:
        truth: [N] nodes, -1 where unknown.
        predicted: [N] nodes, -1 for the root.
        above: [T + 1, T] whether a node counts for another: itself and those above it. The last row is of -1.

    Raises:
        InvalidArgumentError: for lengths that differ, and where no truth is known.
    """
    if len(truth) != len(predicted):
        raise InvalidArgumentError(f"{len(truth)} items have a truth, {len(predicted)} a prediction", field="predicted")
    known = truth >= 0
    if not known.any():
        raise InvalidArgumentError("truth: no node is known", field="truth")
    true, said = above[truth[known]], above[predicted[known]]
    both, n_said, n_true = (int(one.sum()) for one in (true & said, said, true))
    precision, recall = both / max(n_said, 1), both / max(n_true, 1)
    return {
        "hierarchical_precision": precision,
        "hierarchical_recall": recall,
        "hierarchical_f1": 2 * both / max(n_said + n_true, 1),
        "accuracy": float((truth[known] == predicted[known]).mean()),
    }
