"""Maps between two taxonomies: votes and soft labels over the leaves of one as those over the leaves of another.

Shapes: N items, K leaves of the source, L leaves of the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.trees.decision import read_soft_labels
from weaklabel.kinds.trees.taxonomy import Taxonomy
from weaklabel.votes import Votes
from weaklabel.votes.conversion import over_other_classes


class MappedVotes(NamedTuple):
    """Votes over the leaves of the target."""

    votes: Votes
    n_silent: int
    """How many votes became abstains, because the target has nothing for them, or all of its leaves."""


class MappedLabels(NamedTuple):
    """Soft labels over the leaves of the target."""

    soft_labels: NDArray[np.float64]
    """[N, L] rows that sum to 1 - unmapped."""
    unmapped: NDArray[np.float64]
    """[N] the probability of leaves for which the target has nothing."""


class TaxonomyMap:
    """What each leaf of one taxonomy may be in another: one leaf, several, or none.

    Examples:
        >>> coarse = Taxonomy.from_parents([("plant", None), ("animal", None), ("rock", None)])
        >>> fine = Taxonomy.from_parents({"oak": "plant", "rose": "plant", "cat": "animal", "dog": "animal"})
        >>> mapping = TaxonomyMap.by_name(coarse, fine)
        >>> mapping.unmapped
        ('rock',)
        >>> mapping.soft_labels([[0.5, 0.25, 0.25]]).soft_labels
        array([[0.25 , 0.25 , 0.125, 0.125]])

    Attributes:
        source: the taxonomy that is mapped from.
        target: the taxonomy that is mapped to.
        candidates: bool [K, L], whether a leaf of the source may be a leaf of the target.
    """

    source: Taxonomy
    target: Taxonomy
    candidates: NDArray[np.bool_]

    def __init__(self, source: Taxonomy, target: Taxonomy, targets: Mapping[str, str | Sequence[str] | None]) -> None:
        """Makes a map out of names.

        Args:
            source: of K leaves.
            target: of L leaves.
            targets: of nodes of the source, the node or the nodes of the target that they may be. An inner node stands
                for all of its leaves. What is not named, or named with None, cannot be mapped: see `unmapped`.

        Raises:
            InvalidArgumentError: for a node that is not there; it says of which taxonomy.
        """
        self.source, self.target = source, target
        self.candidates = np.zeros((source.n_leaves, target.n_leaves), bool)
        for name, given in targets.items():
            if name not in source.nodes:
                raise InvalidArgumentError(f"targets: there is no node {name!r} in the source", field="targets")
            wanted = () if given is None else (given,) if isinstance(given, str) else tuple(given)
            for one in wanted:
                if one not in target.nodes:
                    raise InvalidArgumentError(
                        f"targets: {name!r} is mapped to {one!r}, which is no node of the target", field="targets"
                    )
                leaves = source.descendants[source.index(name)][:, None]
                self.candidates |= leaves & target.descendants[target.index(one)]
        self.candidates.flags.writeable = False

    @classmethod
    def by_name(cls, source: Taxonomy, target: Taxonomy) -> Self:
        """The map of each leaf to the node of the same name, and of others to none."""
        return cls(source, target, {name: name for name in source.leaves if name in target.nodes})

    def inverse(self) -> Self:
        """The map back: a leaf of the target may be each leaf that may be it."""
        pairs = zip(self.target.leaves, self.candidates.T, strict=True)
        back = {name: [self.source.leaves[at] for at in np.flatnonzero(row)] for name, row in pairs}
        return type(self)(self.target, self.source, back)

    @property
    def unmapped(self) -> tuple[str, ...]:
        """Leaves of the source for which the target has nothing."""
        return tuple(self.source.leaves[at] for at in np.flatnonzero(~self.candidates.any(1)))

    def votes(self, votes: Votes) -> MappedVotes:
        """Votes over the leaves of the target: a leaf is a vote for one of its candidates.

        A candidate set becomes the union of those of its leaves, and the probabilities of a soft vote are shared out
        over them; what cannot be mapped is left out of both.

        Args:
            votes: over the leaves of the source.

        Raises:
            InvalidVotesError: for votes over another number of classes.
        """
        if votes.n_classes != self.source.n_leaves:
            raise InvalidVotesError(
                f"the votes are over {votes.n_classes} classes, the source has {self.source.n_leaves} leaves",
                field="votes",
            )
        mapped = over_other_classes(votes, self.candidates, self.target.leaves)
        return MappedVotes(mapped, votes.n_votes - mapped.n_votes)

    def soft_labels(self, soft_labels: ArrayLike, *, balance: ArrayLike | None = None) -> MappedLabels:
        """Soft labels over the leaves of the target: each leaf's probability is shared out over its candidates.

        No probability is lost: rows and `unmapped` sum to 1.

        Args:
            soft_labels: [N, K].
            balance: [L] how common the leaves of the target are: candidates have shares in this proportion, or equal
                ones where none of them has any; None for equal shares.

        Raises:
            InvalidArgumentError: for other shapes, rows that are no probabilities, and a balance that is negative.
        """
        soft = read_soft_labels(soft_labels, self.source.n_leaves)
        weight = np.ones(self.target.n_leaves) if balance is None else np.asarray(balance, np.float64)
        if weight.shape != (self.target.n_leaves,) or not (np.isfinite(weight) & (weight >= 0)).all():
            raise InvalidArgumentError(
                f"balance must be {self.target.n_leaves} numbers of at least 0, one a leaf of the target",
                field="balance",
            )
        shares = self.candidates * weight
        shares = np.where(shares.sum(1, keepdims=True) > 0, shares, self.candidates)
        total = shares.sum(1, keepdims=True)
        return MappedLabels(soft @ (shares / np.where(total > 0, total, 1)), soft @ ~self.candidates.any(1))

    def __repr__(self) -> str:
        told = f", {len(self.unmapped)} without a target" if self.unmapped else ""
        return f"TaxonomyMap({self.source.n_leaves} leaves to {self.target.n_leaves}{told})"
