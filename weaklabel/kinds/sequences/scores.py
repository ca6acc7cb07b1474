"""Scores of tags and spans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.sequences.schemes import Scheme
from weaklabel.kinds.sequences.spans import find_spans

METRICS = ("f1", "precision", "recall", "accuracy", "nll")


def score(
    metric: str,
    soft: NDArray[np.floating],
    hard: NDArray[np.integer],
    gold: NDArray[np.integer],
    lengths: NDArray[np.int64],
    scheme: Scheme,
) -> float:
    """One of `METRICS`; see `SequenceModel.score`.

    Raises:
        InvalidArgumentError: if gold holds no label, or of spans, no document whose tokens all have one.
    """
    known = gold >= 0
    if not known.any():
        raise InvalidArgumentError("gold holds no label", field="gold")
    if metric == "accuracy":
        return float((hard[known] == gold[known]).mean())
    if metric == "nll":
        right = np.take_along_axis(soft[known], gold[known].astype(np.int64)[:, None], 1)
        return float(-np.log(np.clip(right.astype(np.float64), 1e-6, 1)).mean())
    whole = np.add.reduceat(known, np.cumsum(lengths) - lengths) == lengths
    if not whole.any():
        raise InvalidArgumentError("spans are compared in documents whose tokens all have gold: none has", field="gold")
    some = np.repeat(whole, lengths)
    predicted, true = (find_spans(tags[some], lengths[whole], scheme).keys() for tags in (hard, gold))
    hits = len(predicted & true)
    parts = {"precision": hits / max(len(predicted), 1), "recall": hits / max(len(true), 1)}
    parts["f1"] = 2 * hits / max(len(predicted) + len(true), 1)
    return parts[metric]
