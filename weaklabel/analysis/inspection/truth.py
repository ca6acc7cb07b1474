"""Labels that sources are judged by: gold, soft labels, or those of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.side_information.gold import read_labels
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes import Votes, check_votes

LEVEL = 0.9
"""Probability of all intervals of inspection, as of those of the model."""


class Model(Protocol):
    """What inspection asks of a model: LabelModel after fit, or MajorityVote."""

    @property
    def classes(self) -> tuple[str, ...]:
        """K names."""

    def predict_proba(self, votes: Votes) -> NDArray[np.floating[Any]]:
        """[N, K] soft labels."""


class Truth(NamedTuple):
    """What is true of the items, as far as it is known."""

    soft: NDArray[np.floating[Any]]
    """[N, K] probabilities; 0 and 1 by gold, and zeros where it is not known."""
    known: NDArray[np.bool_]
    """[N]"""
    by: Literal["gold", "soft labels"]
    classes: tuple[str, ...]
    """K names."""


def names_of(votes: Votes, model: Model | None, classes: Sequence[str] | None) -> tuple[str, ...]:
    """[K] names of the classes: those given, else those of the model or the votes, else numbers.

    Raises:
        InvalidArgumentError: if they are not K.
    """
    if classes is not None:
        names = tuple(map(str, classes))
    else:
        own: Any = None if model is None else getattr(model, "classes", None)
        names = own or votes.classes or tuple(map(str, range(votes.n_classes)))
    if len(names) != votes.n_classes:
        raise InvalidArgumentError(f"{votes.n_classes} classes, {len(names)} names are given", field="classes")
    return names


def read_truth(votes: Votes, truth: Model | ArrayLike, classes: Sequence[str] | None = None) -> Truth:
    """Labels to judge by.

    Args:
        votes: N items, K classes; plain votes only.
        truth: a fitted model, whose soft labels of these votes are taken; or soft labels [N, K]; or gold [N], class
            indices or names, -1 or missing where unknown.
        classes: K names; those of the model or the votes where not given.

    Raises:
        InvalidVotesError: for candidate sets and soft votes.
        InvalidArgumentError: for labels that do not fit the votes, or gold without a label.
    """
    if not check_votes(votes).is_plain:
        raise InvalidVotesError(
            "plain votes only: a candidate set or a soft vote is not simply right or wrong", field="votes"
        )
    given: Any = truth
    is_model = hasattr(given, "predict_proba")
    names = names_of(votes, given if is_model else None, classes)
    if is_model:
        soft = np.asarray(given.predict_proba(votes))
        return Truth(soft, np.ones(votes.n_items, bool), "soft labels", names)
    if np.ndim(given) == 2 and np.shape(given)[1] > 1:
        soft = read_numbers(given, "truth", votes.n_items, votes.item_ids)
        if soft.shape != (votes.n_items, votes.n_classes):
            raise InvalidArgumentError(
                f"truth must be gold [{votes.n_items}] or soft labels [{votes.n_items}, {votes.n_classes}], got shape "
                f"{soft.shape}",
                field="truth",
            )
        if not (np.isfinite(soft).all() and (soft >= 0).all() and np.allclose(soft.sum(1), 1, atol=1e-3)):
            raise InvalidArgumentError("soft labels must lie in [0, 1], and rows sum to one", field="truth")
        return Truth(soft, np.ones(votes.n_items, bool), "soft labels", names)
    gold = read_labels(given, votes.n_items, votes.n_classes, item_ids=votes.item_ids, classes=names, field="truth")
    known = gold >= 0
    if not known.any():
        raise InvalidArgumentError("gold holds no label", field="truth")
    soft = np.zeros((votes.n_items, votes.n_classes), np.float32)
    soft[np.flatnonzero(known), gold[known]] = 1
    return Truth(soft, known, "gold", names)


def interval_of(
    share: NDArray[np.float64], number: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of Jeffreys' interval of shares of so many observations, broadcast; it holds the share."""
    tail = (1 - LEVEL) / 2
    right = np.clip(share, 0, 1) * number
    left = np.maximum(number - right, 0)
    with np.errstate(invalid="ignore"):
        low, high = betaincinv(right + 0.5, left + 0.5, tail), betaincinv(right + 0.5, left + 0.5, 1 - tail)
    return np.minimum(low, share), np.maximum(high, share)
