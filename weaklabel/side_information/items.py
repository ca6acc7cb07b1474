"""What is known of items beside their votes, as the label model takes it: checked, on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from weaklabel.side_information.bags import Bags, CheckedBags, check_bags
from weaklabel.side_information.groups import read_groups
from weaklabel.side_information.priors import read_prior
from weaklabel.votes import Votes


class ItemInformation(NamedTuple):
    """Side information on N items; each part None where there is nothing."""

    offset: NDArray[np.float32] | None = None
    """[N, K] added to the log-posterior: prior beliefs, and what features say."""
    replaces_balance: NDArray[np.bool_] | None = None
    """[N] items whose offset replaces the class balance."""
    alone: NDArray[np.float32] | None = None
    """[N, K] soft labels of items without votes."""
    group: NDArray[np.int32] | None = None
    """[N] index into the names of the groups."""
    group_names: tuple[str, ...] = ()
    bags: CheckedBags | None = None
    believed: NDArray[np.bool_] | None = None
    """[N] items with a prior belief of their own."""
    votes_power: float = 1.0
    """Power of balance and votes in the soft labels: less than 1 where features hold part of what votes say."""

    @property
    def is_given(self) -> bool:
        """Whether anything is known."""
        return any(part is not None for part in (self.offset, self.alone, self.group, self.bags))

    def of_rows(self, rows: NDArray[Any]) -> ItemInformation:
        """That of some items, of which nothing is known together."""
        return self._each(lambda *parts: parts[0][rows], [self])

    @staticmethod
    def joined(parts: Sequence[ItemInformation]) -> ItemInformation:
        """That of the items of parts, one after the other, of which the same kinds of things are known."""
        return parts[0]._each(lambda *arrays: np.concatenate(arrays), parts)

    def _each(self, function: Callable[..., Any], parts: Sequence[ItemInformation]) -> ItemInformation:
        of_items = ("offset", "replaces_balance", "alone", "group", "believed")
        there = [name for name in of_items if getattr(self, name) is not None]
        return self._replace(**{name: function(*(getattr(part, name) for part in parts)) for name in there})

    def with_features(
        self, offset: NDArray[np.float32], log_proba: NDArray[np.float32], votes_power: float
    ) -> ItemInformation:
        """The same and what features say: of items with votes, and of those without."""
        alone = log_proba if self.offset is None else log_softmax(log_proba + self.offset, axis=1)
        both = offset if self.offset is None else self.offset + offset
        alone = np.exp(alone).astype(np.float32)
        return self._replace(offset=both.astype(np.float32), alone=alone, votes_power=votes_power)


def read_items(
    votes: Votes,
    *,
    gold: NDArray[np.int32] | None = None,
    prior: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    group_names: tuple[str, ...] | None = None,
    bags: Bags | Sequence[Bags] | None = None,
    classes: Sequence[str] | None = None,
) -> ItemInformation:
    """Side information, checked against the votes.

    Args:
        votes: N items.
        gold: [N] labels that bags must agree with, -1 where unknown.
        prior: [N, K] beliefs before the votes; a row of NaN for none.
        groups: [N] names or numbers of groups.
        group_names: of a model that is fitted; None to number the groups anew.
        bags: constraints over bags of items.
        classes: K names, for the columns of a prior.

    Raises:
        InvalidArgumentError: naming the argument, and the first item that is wrong.
    """
    known = ItemInformation()
    if prior is not None:
        given = read_prior(prior, votes.n_items, votes.n_classes, item_ids=votes.item_ids, classes=classes)
        known = of_prior(given)
    group, names = None, group_names or ()
    if groups is not None:
        group, names = read_groups(groups, votes.n_items, group_names, votes.item_ids)
    checked = None
    if bags is not None:
        checked = check_bags(bags, votes.n_items, votes.n_classes, item_ids=votes.item_ids, gold=gold)
    return known._replace(group=group, group_names=names, bags=checked)


def of_prior(prior: NDArray[np.float64]) -> ItemInformation:
    """Beliefs before the votes, of N items.

    Args:
        prior: [N, K] probabilities; a row of NaN for none.
    """
    replaces_balance = np.asarray(~np.isnan(prior).any(1))
    belief = np.where(replaces_balance[:, None], np.log(prior), 0)
    return ItemInformation(
        offset=belief.astype(np.float32),
        replaces_balance=replaces_balance,
        alone=softmax(belief, axis=1).astype(np.float32),
        believed=np.asarray(np.ptp(belief, axis=1) > 0),
    )
