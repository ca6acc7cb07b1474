"""Side information: what is known of items and sources beside their votes, as people give it. On the host, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.features.classifier import Features
from weaklabel.model.labels.bags import lay_out_bags
from weaklabel.model.records import Side
from weaklabel.model.sources.bounds import read_bounds
from weaklabel.side_information.bags import Bags, CheckedBags, check_bags
from weaklabel.votes import Votes

SUMS_TO_ONE = 1e-3
LEAST_BELIEF = 1e-6
"""Prior probabilities are kept off zero: a belief may be wrong."""


class Known(NamedTuple):
    """Side information on N items; each part None where there is nothing."""

    offset: NDArray[np.float32] | None = None
    """[N, K] added to the log-posterior."""
    instead: NDArray[np.bool_] | None = None
    """[N] items whose offset stands in place of the class balance."""
    alone: NDArray[np.float32] | None = None
    """[N, K] soft labels of items without votes, ..."""
    alone_share: NDArray[np.float32] | None = None
    """[N] ... and how far they stand in place of what is called on such items otherwise."""
    group: NDArray[np.int32] | None = None
    """[N] index into the names of the groups."""
    group_names: tuple[str, ...] = ()
    bags: CheckedBags | None = None
    believed: NDArray[np.bool_] | None = None
    """[N] items with a prior belief of their own."""
    gold: NDArray[np.int32] | None = None
    """[N] labels that bags must agree with, -1 where unknown."""

    @property
    def is_something(self) -> bool:
        """Whether anything is known."""
        return any(part is not None for part in (self.offset, self.alone, self.group, self.bags))

    def on_device(self, n_rows: int) -> Side | None:
        """The same, padded to [n_rows]."""
        if not self.is_something:
            return None
        fixed = None
        if self.bags is not None and self.gold is not None:
            excluded = (self.gold[:, None] >= 0) & (np.arange(self._n_classes)[None] != self.gold[:, None])
            fixed = _padded(np.where(excluded, -np.inf, 0).astype(np.float32), n_rows)
        return Side(
            offset=None if self.offset is None else _padded(self.offset, n_rows),
            instead=None if self.instead is None else _padded(self.instead, n_rows),
            group=None if self.group is None else _padded(self.group, n_rows),
            bags=None if self.bags is None else lay_out_bags(self.bags, None, n_rows),
            fixed=fixed,
            alone=None if self.alone is None else _padded(self.alone, n_rows),
            alone_share=None if self.alone_share is None else _padded(self.alone_share, n_rows),
            believed=None if self.believed is None else _padded(self.believed, n_rows),
        )

    @property
    def _n_classes(self) -> int:
        assert self.bags is not None
        return int(self.bags.counts.low.shape[1])

    def with_features(self, offset: NDArray[np.float32], log_proba: NDArray[np.float32], strength: float) -> Known:
        """The same and what features say: of items with votes, and of those without; and how far they are trusted."""
        alone = log_proba if self.offset is None else log_softmax(log_proba + self.offset, axis=1)
        both = offset if self.offset is None else self.offset + offset
        trusted = np.full(len(offset), strength, np.float32)
        share = trusted if self.alone_share is None else np.maximum(self.alone_share, trusted)
        alone = np.exp(alone).astype(np.float32)
        return self._replace(offset=both.astype(np.float32), alone=alone, alone_share=share)


def read_known(
    votes: Votes,
    *,
    gold: NDArray[np.int32] | None = None,
    gold_error: ArrayLike = 0.0,
    prior: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    group_names: tuple[str, ...] | None = None,
    bags: Bags | Sequence[Bags] | None = None,
) -> Known:
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
    told, instead = _beliefs(votes, gold, gold_error, prior)
    offset = alone = share = believed = None
    if told is not None:
        offset, alone = told.astype(np.float32), softmax(told, axis=1).astype(np.float32)
        believed = np.asarray(np.ptp(told, axis=1) > 0)
        share = believed.astype(np.float32)
    group, names = None, group_names or ()
    if groups is not None:
        group, names = _groups(groups, votes.n_items, group_names)
    checked = None
    if gold is not None:  # a belief says nothing for certain
        gold = np.where(read_gold_error(gold_error, votes.n_items) > 0, -1, gold).astype(np.int32)
    if bags is not None:
        checked = check_bags(bags, votes.n_items, votes.n_classes, item_ids=votes.item_ids, gold=gold)
    return Known(offset, instead, alone, share, group, names, checked, believed, gold if checked is not None else None)


def _beliefs(
    votes: Votes, gold: NDArray[np.int32] | None, gold_error: ArrayLike, prior: ArrayLike | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    """[N, K] what a prior and gold that may be wrong add to the log-posterior, and [N] where a prior says something."""
    n_items, n_classes = votes.n_items, votes.n_classes
    found, instead = None, None
    if prior is not None:
        belief = _read_prior(prior, n_items, n_classes)
        instead = np.asarray(~np.isnan(belief).any(1))
        found = np.where(instead[:, None], np.log(belief), 0)
    error = read_gold_error(gold_error, n_items)
    if gold is not None and error.any():
        right = np.arange(n_classes)[None] == gold[:, None]
        likelihood = np.where(right, 1 - error[:, None], error[:, None] / (n_classes - 1))
        of_gold = np.where(((gold >= 0) & (error > 0))[:, None], np.log(np.clip(likelihood, LEAST_BELIEF, 1)), 0)
        found = of_gold if found is None else found + of_gold
    return found, instead


def read_gold_error(gold_error: ArrayLike, n_items: int) -> NDArray[np.float64]:
    """[N] probabilities that gold labels are wrong."""
    error = _numbers(gold_error, "gold_error")
    if error.shape not in ((), (n_items,)):
        raise InvalidArgumentError(
            f"gold_error must be one probability, or one for each of the {n_items} items, got shape {error.shape}",
            field="gold_error",
        )
    if not ((error >= 0) & (error < 1)).all():
        raise InvalidArgumentError("gold_error must be at least 0 and below 1", field="gold_error")
    return np.broadcast_to(error, (n_items,))


def _numbers(values: ArrayLike, field: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{field} must hold numbers: {error}", field=field) from None


def _read_prior(prior: ArrayLike, n_items: int, n_classes: int) -> NDArray[np.float64]:
    belief = _numbers(prior, "prior").copy()
    if belief.shape != (n_items, n_classes):
        raise InvalidArgumentError(
            f"prior must be [items, classes] = {(n_items, n_classes)}, got shape {belief.shape}", field="prior"
        )
    stated = ~np.isnan(belief).all(1)
    wrong = stated & ~((belief >= 0).all(1) & (np.abs(belief.sum(1) - 1) <= SUMS_TO_ONE))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidArgumentError(
            f"prior of item {at} must hold probabilities that sum to 1, or NaN throughout, got {belief[at].tolist()}",
            field="prior",
        )
    belief[stated] = np.clip(belief[stated], LEAST_BELIEF, None)
    belief[stated] /= belief[stated].sum(1, keepdims=True)
    return belief


def _groups(
    groups: ArrayLike, n_items: int, known: tuple[str, ...] | None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    values = np.asarray(groups)
    if values.shape != (n_items,) or (n_items and values.dtype.kind not in "iuUO"):
        raise InvalidArgumentError(
            f"groups must hold a name or a number for each of the {n_items} items, got shape {values.shape} of "
            f"{values.dtype}",
            field="groups",
        )
    empty = [at for at, value in enumerate(values) if value is None or value != value] if values.dtype == object else []
    if empty:
        message = f"groups: item {empty[0]} has none: give such items a group of their own"
        raise InvalidArgumentError(message, field="groups")
    named = values.astype(str)
    if known is None:
        names, index = np.unique(named, return_inverse=True)
        return index.reshape(-1).astype(np.int32), tuple(names.tolist())
    place = {name: at for at, name in enumerate(known)}
    # A group that the fit has not seen stands behind the last one, where the balance of all is.
    return np.array([place.get(name, len(known)) for name in named.tolist()], np.int32), known


def read_features(features: Any, n_items: int | None) -> Features:
    """Features [N, D] as float32, dense or sparse.

    Args:
        features: matrix or sparse matrix of numbers.
        n_items: N that the votes have; None where there are no votes.

    Raises:
        InvalidArgumentError: for another number of rows, other shapes, or values that are not finite.
    """
    with np.errstate(over="ignore"):  # too large for float32 is not finite, and refused below
        if sp.issparse(features):
            given = sp.csr_array(features)  # type: ignore[call-overload]  # of any sparse format
            _check_real(given.dtype)
            sparse = given.astype(np.float32)
            matrix: Features = sp.csr_array((sparse.data, sparse.indices, sparse.indptr), shape=sparse.shape)
            values = sparse.data
        else:
            try:
                dense = np.asarray(features)
                dense = dense if dense.dtype.kind == "c" else dense.astype(np.float32, copy=False)
            except (TypeError, ValueError) as error:
                raise InvalidArgumentError(f"features must be numbers: {error}", field="features") from None
            _check_real(dense.dtype)
            values = matrix = dense
    if matrix.ndim != 2 or (n_items is not None and matrix.shape[0] != n_items) or matrix.shape[1] == 0:
        expected = "[items, dimensions]" if n_items is None else f"[{n_items}, dimensions]"
        raise InvalidArgumentError(f"features must be {expected}, got shape {matrix.shape}", field="features")
    if not np.isfinite(values).all():
        raise InvalidArgumentError(
            "features hold a value that is not finite, or too large for float32", field="features"
        )
    return matrix


def _check_real(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise InvalidArgumentError("features must be real numbers, got complex ones", field="features")


def bounds_of(bounds: Mapping[str, tuple[float, float]] | None, votes: Votes) -> Array | None:
    """[M, 2] least and largest accuracy of each source; None where nothing is said."""
    if bounds is None:
        return None
    if not isinstance(bounds, Mapping):
        raise InvalidArgumentError(
            f"bounds must be (low, high) by the name of the source, as in {{'one': (0.8, 0.95)}}, got {bounds!r}",
            field="bounds",
        )
    if not bounds:
        return None
    return jnp.asarray(np.stack(read_bounds(bounds, votes.source_names), axis=1), jnp.float32)


def families_of(families: Mapping[str, str] | None, votes: Votes) -> NDArray[np.int32] | None:
    """[M] number of each source's family, -1 for none; None where nothing is said.

    Raises:
        InvalidArgumentError: for a source that is not known.
    """
    if families is None:
        return None
    if not isinstance(families, Mapping):
        raise InvalidArgumentError(
            f"families must be the family by the name of the source, got {families!r}", field="families"
        )
    if not families:
        return None
    unknown = [name for name in families if name not in set(votes.source_names)]
    if unknown:
        raise InvalidArgumentError(f"families: there is no source {unknown[0]!r}", field="families")
    number = {family: at for at, family in enumerate(dict.fromkeys(families.values()))}
    return np.array([number[families[n]] if n in families else -1 for n in votes.source_names], np.int32)


def _padded(values: NDArray[Any], n_rows: int) -> Array:
    filled = np.zeros((n_rows, *values.shape[1:]), values.dtype)
    filled[: len(values)] = values
    return jnp.asarray(filled)
