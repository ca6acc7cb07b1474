"""Classes added later: a model of the old leaves labels votes over a taxonomy that has grown.

Shapes: N items, K old leaves, L new leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.trees.taxonomy import Taxonomy
from weaklabel.votes import Votes
from weaklabel.votes.conversion import over_other_classes

ROOT = -1
"""The root without a name, above all nodes."""


class Classifier(Protocol):
    """A fitted label model."""

    @property
    def classes(self) -> tuple[str, ...]:
        """K names."""
        ...

    @property
    def predict_proba(self) -> Callable[..., NDArray[np.float32]]:
        """[N, K] soft labels of votes."""
        ...


class _Growth(NamedTuple):
    """How the new leaves hang on old nodes."""

    splits: list[NDArray[np.int64]]
    """Of each old leaf, the new leaves that it is now."""
    added: dict[int, NDArray[np.int64]]
    """New leaves that are no part of an old leaf, by the old node that they hang under, or ROOT."""
    stands_for: NDArray[np.bool_]
    """[L, K] the old leaves that the old model may take a vote for a new leaf as."""


def predict_proba_grown(
    model: Classifier, votes: Votes, old: Taxonomy, new: Taxonomy, *, prior_votes: float = 1.0, **options: Any
) -> NDArray[np.float64]:
    """[N, L] soft labels over the leaves of a taxonomy that has grown, by a model that was fitted before.

    Votes are read on the old leaves: one for a part of a leaf that was split is a vote for the leaf, one for a leaf
    that was added is a vote for one of the old leaves of its parent. The model's probabilities are then shared out:

    * Of an old leaf that was split, over its parts: `prior_votes` votes in equal shares, and the votes on the item.
    * To an added leaf, from its parent (the nearest old node above it): the parent's probability times the share of the
      leaf in the votes below the parent, with `prior_votes` votes in equal shares of the parent's leaves, old and
      added. What remains stays in the proportions of the model.

    So the model is kept as it is, and up to rounding: an old node that only splits lie below or beside has the
    probability that the model gives it; the parent of an added leaf has it, too (unless another one was added above
    it); the odds of old leaves with the same added leaves beside and above them are the model's; and without votes a
    new leaf has an equal share of its parent. The skill of sources at new leaves is not known before a fit of a
    `LabelModel` to votes over the new leaves.

    Args:
        model: fitted on the leaves of `old`.
        votes: over the leaves of `new`.
        old: the taxonomy of the model.
        new: the same nodes in the same order above each other, and further ones below or between them.
        prior_votes: number of votes that equal shares weigh, above 0.
        **options: of `model.predict_proba`, such as `unseen`.

    Raises:
        InvalidArgumentError: if the model is over other classes, `new` is no growth of `old` (it names the node), or
            prior_votes is not above 0.
        InvalidVotesError: if the votes are not over the leaves of `new`, and as in `predict_proba`.
    """
    if tuple(model.classes) != old.leaves:
        raise InvalidArgumentError("the classes of the model are not the leaves of the old taxonomy", field="old")
    if isinstance(prior_votes, bool) or not isinstance(prior_votes, (int, float, np.number)) or not prior_votes > 0:
        raise InvalidArgumentError(f"prior_votes must be a number above 0, got {prior_votes!r}", field="prior_votes")
    if votes.n_classes != new.n_leaves or votes.classes not in (None, new.leaves):
        raise InvalidVotesError("the votes are not over the leaves of the new taxonomy", field="votes")
    growth = _growth(old, new)
    read_back = over_other_classes(votes, growth.stands_for, old.leaves)
    soft = np.asarray(model.predict_proba(read_back, **options), np.float64)
    return _shared_out(soft, np.asarray(votes.counts(), np.float64), old, growth, float(prior_votes))


def _growth(old: Taxonomy, new: Taxonomy) -> _Growth:
    old_index = {name: at for at, name in enumerate(old.nodes)}
    for name, parent in zip(old.nodes, old.parents, strict=True):
        if name not in new.nodes:
            raise InvalidArgumentError(f"new: the node {name!r} of the old taxonomy is missing", field="new")
        above = _nearest(new, new.parents[new.index(name)], old_index)
        if above != parent:
            raise InvalidArgumentError(
                f"new: {name!r} is below {_name(old, above)}, and was below {_name(old, parent)}", field="new"
            )
    splits: list[list[int]] = [[] for _ in old.leaves]
    added: dict[int, list[int]] = {}
    stands_for = np.ones((new.n_leaves, old.n_leaves), bool)
    for leaf in range(new.n_leaves):
        anchor = _nearest(new, leaf, old_index)
        if anchor != ROOT:
            stands_for[leaf] = old.descendants[anchor]
        (splits[anchor] if 0 <= anchor < old.n_leaves else added.setdefault(anchor, [])).append(leaf)
    parts = {anchor: np.array(leaves) for anchor, leaves in added.items()}
    return _Growth([np.array(leaves) for leaves in splits], parts, stands_for)


def _nearest(new: Taxonomy, node: int, old_index: dict[str, int]) -> int:
    """The old node that is nearest above a new one, or it itself; ROOT for none."""
    while node >= 0 and new.nodes[node] not in old_index:
        node = new.parents[node]
    return ROOT if node < 0 else old_index[new.nodes[node]]


def _name(taxonomy: Taxonomy, node: int) -> str:
    return "no old node" if node == ROOT else repr(taxonomy.nodes[node])


def _shared_out(
    soft: NDArray[np.float64], counts: NDArray[np.float64], old: Taxonomy, growth: _Growth, prior_votes: float
) -> NDArray[np.float64]:
    """[N, L] soft labels, of those of the old leaves [N, K] and the number of votes for each new one [N, L]."""
    result = np.zeros(counts.shape)
    kept = np.ones((len(old.nodes) + 1, len(soft)))  # what added leaves above and at a node leave to it; last: ROOT
    for node in sorted((ROOT, *range(len(old.nodes))), key=lambda one: -1 if one == ROOT else old.levels[one]):
        above = np.ones(len(soft)) if node == ROOT else kept[old.parents[node]]
        kept[node] = above
        if node not in growth.added:
            continue
        leaves = np.ones(old.n_leaves, bool) if node == ROOT else old.descendants[node]
        inside = ~(growth.stands_for & ~leaves).any(1)  # new leaves below the node
        among = growth.added[node]
        n_votes = counts[:, inside].sum(1, keepdims=True)
        equal = 1 / (leaves.sum() + len(among))
        share = (prior_votes * equal + counts[:, among]) / (prior_votes + n_votes)
        result[:, among] = (soft[:, leaves].sum(1) * above)[:, None] * share
        kept[node] = above * (1 - share.sum(1))
    for leaf, parts in enumerate(growth.splits):
        inside_votes = counts[:, parts]
        share = (prior_votes / len(parts) + inside_votes) / (prior_votes + inside_votes.sum(1, keepdims=True))
        result[:, parts] = (soft[:, leaf] * kept[leaf])[:, None] * share
    return result
