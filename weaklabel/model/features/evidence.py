"""What the end model learns from, and by what it is judged: the evidence of votes, by fold.

The model of a fold sees neither the items of the fold nor, on any item, the votes of the sources that the fold leaves
out. It is judged by the votes of these sources on these items. Functions of a text are functions of its words: from the
words of other texts one knows the votes of a function, whatever the class. Only what words say of functions that the
model has not seen goes through the class.

Shapes: N items, M sources, K classes, F folds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax

from weaklabel.votes import Votes
from weaklabel.votes.conversion import heard_only

MOST_LEFT_OUT = 0.8
"""Share of the votes for a class that a fold leaves out at most: else some fold would not know the class."""
FOLDS = 5
"""Each leaves out a fifth of the items, and of the votes."""


class Evidence(NamedTuple):
    """By fold. Log-likelihoods are those of what is known of an item in each class, up to a constant a row."""

    weight: NDArray[np.float32]
    """[N] of each item; 0 for those of which nothing is known, which are predicted only."""
    known: NDArray[np.float32]
    """[N, K] all that is known of it."""
    fold: NDArray[np.int32]
    """[N] of each item."""
    seen: NDArray[np.float32]
    """[N, F, K] what the model of a fold is told."""
    seen_weight: NDArray[np.float32]
    """[N, F]; 0 for the items of the fold, and those of which its model is told nothing."""
    held: NDArray[np.float32]
    """[N, K] what the model of the item's own fold is judged by."""
    held_weight: NDArray[np.float32]
    """[N]"""


def draw_folds(n_items: int, seed: int) -> NDArray[np.int32]:
    """[N] a fold for each item, at random, about equally many each."""
    return (np.random.default_rng(seed).permutation(n_items) % FOLDS).astype(np.int32)


def by_item(evidence: NDArray[np.float32], weight: NDArray[np.float32], fold: NDArray[np.int32]) -> Evidence:
    """Folds that hold out items, and no source.

    Args:
        evidence: [N, K] log-likelihood of each item's votes in each class, up to a constant per row.
            `relative_evidence` makes it of soft labels; for candidate sets it is log(candidates + a small leak).
        weight: [N] of each item; 0 for those without votes.
        fold: [N].
    """
    return Evidence(
        weight=weight,
        known=evidence,
        fold=fold,
        seen=np.repeat(evidence[:, None], FOLDS, axis=1),
        seen_weight=(weight[:, None] * (fold[:, None] != np.arange(FOLDS))).astype(np.float32),
        held=evidence,
        held_weight=weight,
    )


def left_out(counts: NDArray[np.floating], copies: sp.csr_array[np.float64]) -> NDArray[np.bool_]:
    """[F, M] the sources that each fold leaves out: about equally many votes, and each source in one fold.

    Of fewer sources than folds, none: each would be too much to lose. A source without which a fold would know too
    little of a class is left out nowhere, and copies are left out together: else what a fold leaves out would be told
    by its copy. A fold for which there are no sources has those of another.

    Args:
        counts: [M, K] votes of each source for each class.
        copies: [M, M] how surely each pair of sources copies each other.
    """
    from scipy.sparse.csgraph import connected_components  # only here: it takes long to load

    n_sources, n_classes = counts.shape
    _, group = connected_components(copies, directed=False) if n_sources else (0, np.zeros(0, np.int32))
    votes = np.zeros((int(group.max(initial=-1)) + 1, n_classes))
    np.add.at(votes, group, counts)
    if len(votes) < FOLDS:
        return np.zeros((FOLDS, n_sources), bool)
    most = MOST_LEFT_OUT * votes.sum(0)
    out, lost = np.zeros((FOLDS, n_sources), bool), np.zeros((FOLDS, n_classes))
    for together in np.argsort(-votes.sum(1), kind="stable"):
        possible = np.flatnonzero((lost + votes[together] <= most).all(1))
        if len(possible) and votes[together].any():
            fold = possible[lost[possible].sum(1).argmin()]
            out[fold, group == together] = True
            lost[fold] += votes[together]
    filled = np.flatnonzero(out.any(1))
    for at, fold in enumerate(np.flatnonzero(~out.any(1)) if len(filled) else ()):
        out[fold] = out[filled[at % len(filled)]]
    return out


class Told(NamedTuple):
    """Soft labels that stand for what is known of items."""

    soft: NDArray[np.floating]
    """[N, K]"""
    known: NDArray[np.bool_]
    """[N] items of which anything is known."""


def by_item_and_source(
    votes: Votes,
    everything: Told,
    fold: NDArray[np.int32],
    out: NDArray[np.bool_],
    seen: Callable[[Votes], Told],
    held: Callable[[Votes], Told],
) -> Evidence:
    """Folds that hold out items, and the votes of some sources.

    Args:
        votes: of all sources.
        everything: what is known of the items by all votes.
        fold: [N].
        out: [F, M] as `left_out` has it.
        seen: what is known of the items by some votes and all that is known beside them.
        held: the same by the votes that a fold leaves out.
    """
    weight = everything.known.astype(np.float32)
    shape = (votes.n_items, len(out))
    log_likelihoods, told = np.zeros((*shape, votes.n_classes), np.float32), np.zeros(shape, np.float32)
    for number, silent in enumerate(out):
        by_others = seen(heard_only(votes, ~silent[None], np.zeros_like(fold)))
        log_likelihoods[:, number] = _of(by_others)
        told[:, number] = weight * by_others.known * (fold != number)
    judge = held(heard_only(votes, out, fold))
    return Evidence(
        weight=weight,
        known=_of(everything),
        fold=fold,
        seen=log_likelihoods,
        seen_weight=told,
        held=_of(judge),
        held_weight=(weight * judge.known).astype(np.float32),
    )


def _of(told: Told) -> NDArray[np.float32]:
    return np.where(told.known[:, None], relative_evidence(told.soft, told.known.astype(np.float64)), np.float32(0))


def relative_evidence(soft_labels: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.float32]:
    """[N, K] evidence that stands behind soft labels: their logarithm, less that of their mean.

    With no features to tell items apart, its likelihood is largest at that mean: training on it leaves the class
    balance where the label model has put it.

    Args:
        soft_labels: [N, K] rows sum to one.
        weight: [N] of each item; 0 for those without votes.
    """
    labels = np.clip(np.asarray(soft_labels, np.float64), 1e-12, None)
    mean = weight @ labels / max(float(weight.sum()), 1e-9)
    return np.asarray(np.log(labels) - np.log(np.maximum(mean, 1e-12)), np.float32)


def balance(evidence: NDArray[np.floating], weight: NDArray[np.floating]) -> NDArray[np.float64]:
    """[K] class balance under which the votes are likeliest, by EM: what one knows who sees no features."""
    shares = np.full(evidence.shape[1], 1 / evidence.shape[1])
    for _ in range(200):
        before = shares
        joint = softmax(np.log(shares) + evidence, axis=1)
        shares = np.clip(weight @ joint / max(float(weight.sum()), 1e-9), 1e-6, None)
        shares /= shares.sum()
        if np.abs(shares - before).max() < 1e-6:
            break
    return shares
