"""What is known of items by their ids, for votes that are not held in memory: looked up where the votes are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.side_information.groups import read_groups
from weaklabel.side_information.items import ItemInformation, of_prior
from weaklabel.side_information.priors import read_prior
from weaklabel.votes import Votes
from weaklabel.votes.gold import read_labels
from weaklabel_protocol.names import first_repeat, has_index, label_text, row_ids


class Beside(NamedTuple):
    """What is known of some rows; each part None where there is nothing."""

    prior: NDArray[np.float64] | None
    """[n, K] probabilities; NaN for none."""
    group: NDArray[np.int32] | None
    """[n]"""


class Lookup(NamedTuple):
    """Values by the ids of items."""

    field: str
    """The argument that they are given as."""
    row: dict[str, int]
    """Of each id."""
    values: NDArray[Any]
    """[R, ...]"""

    def rows(self, ids: NDArray[np.str_], *, all_items: bool) -> NDArray[np.int64]:
        """[n] the row of each id, -1 where it has none.

        Raises:
            InvalidArgumentError: where it has none, and each needs one.
        """
        found = np.fromiter((self.row.get(one, -1) for one in ids.tolist()), np.int64, len(ids))
        if all_items and (found < 0).any():
            missing = str(ids[int(np.argmin(found))])
            raise InvalidArgumentError(f"{self.field}: item {missing!r} of the votes has no row", field=self.field)
        return found

    def check_found(self, times: NDArray[np.int64]) -> None:
        """Refuses ids that are in no row of the votes, or in several.

        Args:
            times: [R] in how many rows each was found.

        Raises:
            InvalidArgumentError: naming the first one that is in none.
            InvalidVotesError: naming the first one that is in several.
        """
        ids = list(self.row)
        if (times == 0).any():
            missing = ids[int(np.argmin(times))]
            raise InvalidArgumentError(f"{self.field}: item {missing!r} is not in the votes", field=self.field)
        if (times > 1).any():
            raise InvalidVotesError(f"item {ids[int(np.argmax(times))]!r} has several rows of votes", field="votes")


class KnownById(NamedTuple):
    """What a fit is given by ids; each part None where there is nothing."""

    gold: Lookup | None = None
    """Class indices of the items that have one."""
    prior: Lookup | None = None
    group: Lookup | None = None
    group_names: tuple[str, ...] = ()

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """All that there are."""
        return tuple(one for one in (self.gold, self.prior, self.group) if one is not None)

    @property
    def by_item(self) -> bool:
        """Whether items of the same votes may be unlike: by a prior or a group, not by gold."""
        return self.prior is not None or self.group is not None

    def beside(self, votes: Votes) -> Beside:
        """What is known of the items of some votes.

        Raises:
            InvalidArgumentError: for an item without a group, where there are groups.
        """
        prior = group = None
        if self.prior is not None:
            found = self.prior.rows(ids_of(votes), all_items=False)
            prior = np.where(found[:, None] >= 0, self.prior.values[found], np.nan)
        if self.group is not None:
            group = self.group.values[self.group.rows(ids_of(votes), all_items=True)].astype(np.int32)
        return Beside(prior, group)

    def information(self, beside: Beside) -> ItemInformation | None:
        """The same as the model takes it; None for nothing."""
        if beside.prior is None and beside.group is None:
            return None
        known = ItemInformation() if beside.prior is None else of_prior(beside.prior)
        return known._replace(group=beside.group, group_names=self.group_names)


def ids_of(votes: Votes) -> NDArray[np.str_]:
    """The ids of the items of votes that are read in chunks.

    Raises:
        InvalidVotesError: if they have none.
    """
    if votes.item_ids is None:
        raise InvalidVotesError(
            "gold, prior and groups go by the ids of items here, and these votes have none: name the column of ids, or "
            "make chunks as Votes with items=",
            field="votes",
        )
    return votes.item_ids


def read_known_by_id(
    gold: Any, prior: Any, groups: Any, n_classes: int, classes: Sequence[str] | None
) -> KnownById | None:
    """The arguments of `LabelModel.fit`, by ids; None where nothing is known.

    Raises:
        InvalidArgumentError: naming the argument, for what has no ids, ids that repeat, and wrong values.
    """
    if gold is None and prior is None and groups is None:
        return None
    known = KnownById()
    if gold is not None:
        ids = _own_ids(gold, "gold")
        labels = read_labels(gold, len(ids), n_classes, item_ids=ids, classes=classes)
        there = np.flatnonzero(labels >= 0)
        known = known._replace(gold=_lookup("gold", [ids[at] for at in there], labels[there]))
    if prior is not None:
        ids = _own_ids(prior, "prior")
        belief = read_prior(prior, len(ids), n_classes, item_ids=np.asarray(ids), classes=classes)
        known = known._replace(prior=_lookup("prior", ids, belief))
    if groups is not None:
        ids = _own_ids(groups, "groups")
        numbers, names = read_groups(groups, len(ids), None, np.asarray(ids))
        known = known._replace(group=_lookup("groups", ids, numbers), group_names=names)
    return known


def weight_of(weight: Any, votes: Votes) -> dict[str, Any]:
    """The weights of these items, by their ids, out of those of more; NaN where there is none.

    Raises:
        InvalidArgumentError: for what has no ids, and ids that repeat.
    """
    row = {one: at for at, one in enumerate(_own_ids(weight, "gold_weight"))}
    values = list(weight.values()) if isinstance(weight, Mapping) else np.asarray(weight, object).ravel().tolist()
    return {one: values[row[one]] if one in row else np.nan for one in ids_of(votes).tolist()}


def _own_ids(values: Any, field: str) -> list[str]:
    ids: list[str] | None = None
    if isinstance(values, Mapping):
        ids = [label_text(key) for key in values]
    elif has_index(values):
        ids = row_ids(values) or [label_text(label) for label in values.index]
    if ids is None:
        raise InvalidArgumentError(
            f"{field} of votes that are read in chunks goes by the ids of items: give a mapping of ids, or what has "
            "ids as its pandas index",
            field=field,
        )
    if repeat := first_repeat(ids):
        where = f"{repeat[1]} and {repeat[2]}"
        raise InvalidArgumentError(f"{field}: item {repeat[0]!r} has two rows, {where}", field=field)
    return ids


def _lookup(field: str, ids: list[str], values: NDArray[Any]) -> Lookup:
    return Lookup(field, {one: at for at, one in enumerate(ids)}, values)
