"""Bags as arrays on the device, padded so that bags of like size share a compilation. Made on the host.

Shapes: U rows, K classes; B bags of at most L items; J axes of the state that counts classes, see
`weaklabel.model.labels.bags`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.labels.expected_counts import ExpectedCounts
from weaklabel.model.numerics.padding import bucket, padded, single, to_device
from weaklabel.side_information.bags import CheckedBags, CountBags

MOST_STATES = 2**12
"""Of one bag, axes padded."""
IMPOSSIBLE = -1e30
"""Logarithm of zero in the passes: finite, so that differences are not NaN."""
SMALLEST_LENGTH = 8
MOST_PADDING = 3
"""Bags share a shape as long as it does not take more than so many times the states that they need."""


class CountGroup(NamedTuple):
    """Bags that are passed over together: of like size, with axes of like length."""

    rows: Int[Array, "B L"]
    """Rows of the members; beyond the last row for padding."""
    size: Int[Array, " B"]
    """Number of members, which come first."""
    classes: Int[Array, "B J"]
    """Class that each axis counts."""
    axis_of: Int[Array, "B K"]
    """1 + axis of each class; 0 for classes that are not counted, -1 for those that are excluded."""
    factors: tuple[Float[Array, "B _"], ...]
    """J log-factors [B, D_j] on the final counts."""
    overflow: Float[Array, "B J"]
    """0 where the last index of an axis stands for all higher counts as well, `IMPOSSIBLE` where there are none."""
    rest_factor: Float[Array, "B L1"]
    """Log-factor on the number of items, 0..L, of the classes that are not counted."""


class SameGroups(NamedTuple):
    """Groups of items with one label each."""

    rows: Int[Array, " T"]
    group: Int[Array, " T"]
    size: Int[Array, " G"]


class BagLayout(NamedTuple):
    """All bags of a fit, on the device."""

    counts: tuple[CountGroup, ...]
    expected: tuple[ExpectedCounts, ...]
    """Bags that are too large to sum over."""
    same: SameGroups | None
    different: Int[Array, "P 2"] | None
    """Rows of pairs with different labels."""


def lay_out_bags(bags: CheckedBags, row_of: NDArray[np.intp] | None, n_rows: int) -> BagLayout:
    """Bags on the device, padded so that bags of like size share a compilation.

    Args:
        bags: checked against the votes.
        row_of: [N] row of each item, of its own where it is in a bag; None where rows and items are the same.
        n_rows: U, padded: what points beyond is padding.
    """
    rows_of = np.arange(n_rows) if row_of is None else row_of
    same = None
    if len(bags.same_item):
        n_groups, n_members = (
            bucket(size, SMALLEST_LENGTH) for size in (int(bags.same_group[-1]) + 1, len(bags.same_item))
        )
        rows, group = np.full(n_members, n_rows), np.full(n_members, n_groups)
        rows[: len(bags.same_item)], group[: len(bags.same_item)] = rows_of[bags.same_item], bags.same_group
        same = SameGroups(_indices(rows), _indices(group), _indices(np.bincount(bags.same_group, minlength=n_groups)))
    different = None
    if len(bags.different):
        pairs = np.full((bucket(len(bags.different), SMALLEST_LENGTH), 2), n_rows)
        pairs[: len(bags.different)] = rows_of[bags.different]
        different = _indices(pairs)
    return BagLayout(*_count_groups(bags.counts, rows_of, n_rows), same, different)


def _count_groups(
    bags: CountBags, rows_of: NDArray[np.intp], n_rows: int
) -> tuple[tuple[CountGroup, ...], tuple[ExpectedCounts, ...]]:
    """Bags grouped by the padded lengths of themselves and of their axes; and those with too many states."""
    axes = _axes(bags)
    classes = np.argsort(-axes, axis=1, kind="stable")
    axes = _rounded_up(np.take_along_axis(axes, classes, 1))
    size = bags.size
    constrained = np.asarray(((bags.high < size[:, None]) | (axes > 0)).any(1))
    first = np.concatenate([[0], np.cumsum(size)])
    n_states = np.where(axes > 0, axes, 1).astype(np.float64).prod(1)

    def rows(chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        members = np.full((bucket(len(chosen), 1), bucket(int(size[chosen].max()), SMALLEST_LENGTH)), n_rows)
        for place, bag in enumerate(chosen):
            members[place, : size[bag]] = rows_of[bags.item[first[bag] : first[bag + 1]]]
        return members

    few = n_states <= MOST_STATES
    groups = []
    for chosen in _alike(size, axes, constrained & few):
        lengths = [int(axis) for axis in axes[chosen].max(0) if axis]
        groups.append(_count_group(bags, chosen, rows(chosen), classes[chosen, : len(lengths)], lengths))
    many = np.flatnonzero(~few)
    lengths_of = np.array([bucket(length, SMALLEST_LENGTH) for length in size[many].tolist()])
    loose = [many[lengths_of == length] for length in np.unique(lengths_of)]
    return tuple(groups), tuple(_expected_counts(bags, chosen, rows(chosen)) for chosen in loose)


def _alike(
    size: NDArray[np.int64], axes: NDArray[np.int64], constrained: NDArray[np.bool_]
) -> Iterator[NDArray[np.intp]]:
    """Bags that are padded to one shape: each group costs a compilation, and padding costs work."""
    kinds = np.column_stack([(axes > 0).sum(1), [bucket(length, SMALLEST_LENGTH) for length in size.tolist()]])
    n_states = np.where(axes > 0, axes, 1).astype(np.float64).prod(1)
    for kind in np.unique(kinds[constrained], axis=0):
        bags = np.flatnonzero(constrained & (kinds == kind).all(1))
        bags = bags[np.lexsort((*axes[bags].T, -n_states[bags]))]
        start = 0
        while start < len(bags):
            rest = bags[start:]
            filled_up = np.maximum.accumulate(axes[rest, : kind[0]], 0).prod(1) * np.arange(1, len(rest) + 1)
            most = np.flatnonzero(filled_up <= MOST_PADDING * n_states[rest].cumsum())[-1] + 1
            yield rest[:most]
            start += most


def _count_group(
    bags: CountBags, chosen: NDArray[np.intp], rows: NDArray[np.intp], classes: NDArray[np.intp], lengths: list[int]
) -> CountGroup:
    axis_of = np.zeros((len(chosen), bags.low.shape[1]), np.int64)
    np.put_along_axis(axis_of, classes, np.arange(1, len(lengths) + 1)[None], 1)
    axis_of[bags.high[chosen] == 0] = -1
    open_ended = np.take_along_axis(_is_open(bags)[chosen], classes, 1)
    factors = tuple(_log_factor(bags, chosen, classes[:, j], length) for j, length in enumerate(lengths))
    # Where one class alone is left, its own bounds hold for the rest.
    alone = (axis_of == 0).sum(1) == 1
    left = (axis_of == 0).argmax(1)
    rest_factor = np.where(alone[:, None], _log_factor(bags, chosen, left, rows.shape[1] + 1), 0)
    return CountGroup(
        rows=_indices(rows),
        size=_indices(padded(bags.size[chosen], len(rows))),
        classes=_indices(padded(classes, len(rows))),
        axis_of=_indices(padded(axis_of, len(rows))),
        factors=tuple(single(padded(factor, len(rows))) for factor in factors),
        overflow=single(padded(np.where(open_ended, 0.0, IMPOSSIBLE), len(rows))),
        rest_factor=single(padded(rest_factor, len(rows))),
    )


def _expected_counts(bags: CountBags, chosen: NDArray[np.intp], rows: NDArray[np.intp]) -> ExpectedCounts:
    low, high, centre, spread = (part[chosen] for part in bags[2:])
    soft = np.isfinite(centre)
    known = soft | (low == high)
    return ExpectedCounts(
        rows=_indices(rows),
        size=_indices(padded(bags.size[chosen], len(rows))),
        target=single(padded(np.where(soft, centre, np.where(known, low, 0)), len(rows))),
        variance=single(padded(np.where(soft, spread**2, 0), len(rows))),
        known=to_device(padded(known, len(rows))),
        excluded=to_device(padded(high == 0, len(rows))),
    )


def _axes(bags: CountBags) -> NDArray[np.int64]:
    """[B, K] length of the axis that counts each class; 0 where it is not counted."""
    free = (bags.low == 0) & (bags.high == bags.size[:, None]) & np.isnan(bags.centre)
    axes = np.where(free | (bags.high == 0), 0, np.where(_is_open(bags), bags.low, bags.high) + 1)
    # Where all classes are bounded the largest follows from the others.
    implied = ~(free | _is_open(bags)).any(1)
    axes[implied, axes[implied].argmax(1)] = 0
    return axes


def _is_open(bags: CountBags) -> NDArray[np.bool_]:
    """[B, K] whether a class has a lower bound alone."""
    unbounded = (bags.low < bags.high) & (bags.high == bags.size[:, None]) & np.isnan(bags.centre)
    return np.asarray(unbounded & (bags.low > 0))


def _log_factor(
    bags: CountBags, chosen: NDArray[np.intp], classes: NDArray[np.intp], length: int
) -> NDArray[np.float64]:
    """[B, length] log-factor on the counts 0.. of one class of each bag."""
    low, high, centre, spread = (part[chosen, classes][:, None] for part in bags[2:])
    count = np.arange(length)[None]
    soft = np.where(np.isfinite(centre), -0.5 * ((count - centre) / spread) ** 2, 0)
    return np.where((low <= count) & (count <= high), soft, IMPOSSIBLE)


def _rounded_up(axes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lengths rounded up to one of four steps an octave: up to a quarter more."""
    octave = np.maximum(np.ceil(np.log2(np.maximum(axes, 1))).astype(np.int64) - 3, 0)
    return -(-axes >> octave) << octave


def _indices(values: NDArray[np.generic]) -> Array:
    return to_device(np.asarray(values).astype(np.int32))
