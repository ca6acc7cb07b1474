"""From soft labels and parameters to what people look at."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.ordinal.pipeline import Fitted
from weaklabel.model.report.diagnostics import Finding

Decode = Literal["median", "mode", "mean"]
TINY = 1e-9
"""A cumulative probability that falls short of one half by less reaches it."""


def decoded(soft: NDArray[np.float64], decode: str) -> NDArray[Any]:
    """[N] the median, the mode or the mean of soft labels [N, K].

    Raises:
        InvalidArgumentError: for another `decode`.
    """
    if decode not in get_args(Decode):
        raise InvalidArgumentError(
            f"decode must be one of {', '.join(get_args(Decode))}, got {decode!r}", field="decode"
        )
    if decode == "mode":
        return np.asarray(soft.argmax(axis=1))
    if decode == "mean":
        return np.asarray(soft @ np.arange(soft.shape[1]))
    return np.asarray((np.cumsum(soft, axis=1)[:, :-1] < 0.5 - TINY).sum(axis=1))


def leniency(fitted: Fitted) -> NDArray[np.float64]:
    """[M] by how many classes a source's votes lie above those of the usual one, at the class balance."""
    votes = np.arange(len(fitted.params.balance))
    mean = np.einsum("mkc,k,c->m", fitted.confusion, votes, fitted.params.balance)
    return np.asarray(mean - np.average(mean, weights=fitted.n_votes))


def doubts(names: tuple[str, ...], fitted: Fitted, classes: tuple[str, ...]) -> tuple[Finding, ...]:
    """What is doubtful about a fit."""
    found = []
    if not fitted.converged:
        words = f"EM did not converge in {fitted.n_iter} iterations: raise max_iter"
        found.append(Finding("converged", words))
    position = fitted.params.position
    turned = [at for at in range(len(position) - 1) if position[at + 1] <= position[at]]
    if turned:
        low, high = classes[turned[0]], classes[turned[0] + 1]
        words = f"votes do not tell {high!r} from {low!r}, which comes before it: are the classes in order?"
        found.append(Finding("order", words))
    flat = [name for name, one in zip(names, fitted.params.sharpness, strict=True) if np.exp(one) < 0.3]
    if flat:
        more = f" and {len(flat) - 5} more" if len(flat) > 5 else ""
        words = f"votes of {', '.join(map(repr, flat[:5]))}{more} hardly move with the class"
        found.append(Finding("flat", words))
    return tuple(found)
