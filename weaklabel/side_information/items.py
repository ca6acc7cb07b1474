"""What is known of items beside their votes, as the label model takes it: checked, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from weaklabel.side_information.bags import Bags, CheckedBags, check_bags
from weaklabel.side_information.gold import read_gold_error
from weaklabel.side_information.groups import read_groups
from weaklabel.side_information.priors import LEAST_BELIEF, read_prior
from weaklabel.votes import Votes


class ItemInformation(NamedTuple):
    """Side information on N items; each part None where there is nothing."""

    offset: NDArray[np.float32] | None = None
    """[N, K] added to the log-posterior: prior beliefs, gold that may be wrong, and what features say."""
    replaces_balance: NDArray[np.bool_] | None = None
    """[N] items whose offset replaces the class balance."""
    alone: NDArray[np.float32] | None = None
    """[N, K] soft labels of items without votes, ..."""
    alone_share: NDArray[np.float32] | None = None
    """[N] ... and their share in the decision scores of such items."""
    group: NDArray[np.int32] | None = None
    """[N] index into the names of the groups."""
    group_names: tuple[str, ...] = ()
    bags: CheckedBags | None = None
    believed: NDArray[np.bool_] | None = None
    """[N] items with a prior belief of their own."""
    gold: NDArray[np.int32] | None = None
    """[N] labels that bags must agree with, -1 where unknown."""

    @property
    def is_given(self) -> bool:
        """Whether anything is known."""
        return any(part is not None for part in (self.offset, self.alone, self.group, self.bags))

    def with_features(
        self, offset: NDArray[np.float32], log_proba: NDArray[np.float32], strength: float
    ) -> ItemInformation:
        """The same and what features say: of items with votes, and of those without; and how far they are trusted."""
        alone = log_proba if self.offset is None else log_softmax(log_proba + self.offset, axis=1)
        both = offset if self.offset is None else self.offset + offset
        trusted = np.full(len(offset), strength, np.float32)
        share = trusted if self.alone_share is None else np.maximum(self.alone_share, trusted)
        alone = np.exp(alone).astype(np.float32)
        return self._replace(offset=both.astype(np.float32), alone=alone, alone_share=share)


def read_items(
    votes: Votes,
    *,
    gold: NDArray[np.int32] | None = None,
    gold_error: ArrayLike = 0.0,
    prior: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    group_names: tuple[str, ...] | None = None,
    bags: Bags | Sequence[Bags] | None = None,
) -> ItemInformation:
    """Side information, checked against the votes.

    Args:
        votes: N items.
        gold: [N] known labels, -1 where unknown.
        gold_error: probability that they are wrong, one number or [N]; where it is above 0, gold is a belief.
        prior: [N, K] beliefs before the votes; a row of NaN for none.
        groups: [N] names or numbers of groups.
        group_names: of a model that is fitted; None to number the groups anew.
        bags: constraints over bags of items.

    Raises:
        InvalidArgumentError: naming the argument, and the first item that is wrong.
    """
    belief, replaces_balance = _beliefs(votes, gold, gold_error, prior)
    offset = alone = share = believed = None
    if belief is not None:
        offset, alone = belief.astype(np.float32), softmax(belief, axis=1).astype(np.float32)
        believed = np.asarray(np.ptp(belief, axis=1) > 0)
        share = believed.astype(np.float32)
    group, names = None, group_names or ()
    if groups is not None:
        group, names = read_groups(groups, votes.n_items, group_names)
    checked = None
    if gold is not None:  # a belief says nothing for certain
        gold = np.where(read_gold_error(gold_error, votes.n_items) > 0, -1, gold).astype(np.int32)
    if bags is not None:
        checked = check_bags(bags, votes.n_items, votes.n_classes, item_ids=votes.item_ids, gold=gold)
    return ItemInformation(
        offset=offset,
        replaces_balance=replaces_balance,
        alone=alone,
        alone_share=share,
        group=group,
        group_names=names,
        bags=checked,
        believed=believed,
        gold=gold if checked is not None else None,
    )


def _beliefs(
    votes: Votes, gold: NDArray[np.int32] | None, gold_error: ArrayLike, prior: ArrayLike | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    """[N, K] what beliefs add to the log-posterior, and [N] where a prior replaces the class balance.

    Beliefs are a prior, and gold that may be wrong.
    """
    n_items, n_classes = votes.n_items, votes.n_classes
    offset, replaces_balance = None, None
    if prior is not None:
        belief = read_prior(prior, n_items, n_classes)
        replaces_balance = np.asarray(~np.isnan(belief).any(1))
        offset = np.where(replaces_balance[:, None], np.log(belief), 0)
    error = read_gold_error(gold_error, n_items)
    if gold is not None and error.any():
        right = np.arange(n_classes)[None] == gold[:, None]
        likelihood = np.where(right, 1 - error[:, None], error[:, None] / (n_classes - 1))
        of_gold = np.where(((gold >= 0) & (error > 0))[:, None], np.log(np.clip(likelihood, LEAST_BELIEF, 1)), 0)
        offset = of_gold if offset is None else offset + of_gold
    return offset, replaces_balance
