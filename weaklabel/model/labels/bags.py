"""Exact posteriors of items whose labels are bound together: counts of a bag, groups of one label, pairs that differ.

Given the evidence of each item, the labels of a bag whose counts are known are a chain: item after item, the state is
how many have had each class so far. Forward-backward over that state gives the posterior of every label, and the
evidence of the bag, over all labelings that the counts allow (General Framework for Learning from Weak Supervision,
Chen et al. 2024, arXiv:2402.01922; the loss of learning from label proportions, arXiv:2310.08056). A bag of L items
costs L times the number of states.

The state has one axis for each class of which something is said, but none for classes that are excluded, and none for
the largest where all are known, which follows from the others. Axes end at the largest count that is allowed, or, under
a lower bound alone, at that bound, which then stands for all higher counts. So "at least one" takes 2 states, two
classes with known counts take min(n_0, n_1) + 1, and K classes the product of n_k + 1 over all but the largest. Beyond
`MOST_STATES` counts hold in expectation only; see weaklabel.model.labels.expected_counts.

Shapes: U rows, K classes; B bags of at most L items; J axes of the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.labels.expected_counts import ExpectedCounts, expected_posterior
from weaklabel.side_information.bags import CheckedBags, CountBags

MOST_STATES = 2**12
"""Of one bag, axes padded."""
IMPOSSIBLE = -1e30
"""Logarithm of zero in the passes: finite, so that differences are no NaN."""
BLOCK_CELLS = 2**20
"""Items times states that are passed over at once: bounds the memory."""
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


class BagPosterior(NamedTuple):
    """The posterior of each row's label."""

    probabilities: Float[Array, "U K"]
    """Marginal probability of each class, given what is known of the row's bag."""
    log_evidence: Float[Array, " U"]
    """Of the row; of rows in a bag an even share of the bag's, so that the sum over rows is that of the whole.
    -inf where no labeling is possible; the probabilities are then those without the bag."""


# --------------------------------------------------------------------- passing


def bag_posterior(log_joint: Float[Array, "U K"], layout: BagLayout) -> BagPosterior:
    """Marginals of the labels, and the evidence, under what is known of bags; exact but for `layout.expected`.

    Args:
        log_joint: log-prior plus log-evidence of each row's votes, not normalised; -inf for classes that are excluded,
            but not for all of a row.
        layout: of `lay_out_bags`.
    """
    log_evidence = jax.scipy.special.logsumexp(log_joint, axis=1)
    log_p = jnp.maximum(log_joint - log_evidence[:, None], IMPOSSIBLE)
    found = BagPosterior(jnp.exp(log_p), log_evidence)
    for group in layout.counts:
        found = _put(found, group.rows, group.size[:, None].astype(log_p.dtype), *_count_posterior(log_p, group))
    for bags in layout.expected:
        members = log_p.at[bags.rows].get(mode="fill", fill_value=0)
        p, log_evidence = expected_posterior(members, bags)
        found = _put(found, bags.rows, bags.size[:, None].astype(log_p.dtype), p, log_evidence[:, None])
    if layout.same is not None:
        found = _put(found, layout.same.rows, *_same_posterior(log_p, layout.same))
    if layout.different is not None:
        found = _put(found, layout.different, jnp.asarray(2.0), *_different_posterior(log_p, layout.different))
    return found


def _put(
    found: BagPosterior, rows: Int[Array, "*T"], size: Array, p: Float[Array, "*T K"], log_evidence: Array
) -> BagPosterior:
    """The posterior with that of rows in bags; `log_evidence` is that of the bag beyond its items'."""
    possible = log_evidence > IMPOSSIBLE / 2
    share = jnp.broadcast_to(jnp.where(possible, log_evidence, -jnp.inf) / jnp.maximum(size, 1), rows.shape)
    p = jnp.where(possible[..., None], p, found.probabilities.at[rows].get(mode="fill", fill_value=0))
    return BagPosterior(
        found.probabilities.at[rows].set(p, mode="drop"), found.log_evidence.at[rows].add(share, mode="drop")
    )


def _count_posterior(
    log_p: Float[Array, "U K"], group: CountGroup
) -> tuple[Float[Array, "B L K"], Float[Array, "B 1"]]:
    axis_of = group.axis_of[:, None, :]
    members = log_p.at[group.rows].get(mode="fill", fill_value=0)
    members = jnp.where(axis_of < 0, IMPOSSIBLE, members)
    counted = axis_of > 0
    real = jnp.arange(group.rows.shape[1])[None, :] < group.size[:, None]
    rest = jax.scipy.special.logsumexp(jnp.where(counted, IMPOSSIBLE, members), axis=2, keepdims=True)
    own = jnp.take_along_axis(members, group.classes[:, None, :], axis=2)
    # A padded item is of no counted class, for sure.
    weights = jnp.concatenate(
        [jnp.where(real[:, :, None], rest, 0.0), jnp.where(real[:, :, None], own, IMPOSSIBLE)], axis=2
    )
    n_states = int(np.prod([factor.shape[1] for factor in group.factors]))
    most = max(1, BLOCK_CELLS // (n_states * group.rows.shape[1]))
    size = min(len(group.size), 1 << (most.bit_length() - 1))  # a power of two, as is the number of bags
    blocks = jax.tree.map(
        lambda part: part.reshape(len(part) // size, size, *part.shape[1:]),
        (weights, group.size, group.factors, group.overflow, group.rest_factor),
    )
    by_axis, log_evidence = jax.lax.map(lambda block: _forward_backward(*block), blocks)
    by_axis = jnp.take_along_axis(by_axis.reshape(weights.shape), jnp.maximum(axis_of, 0), axis=2)
    p = by_axis * jnp.where(counted, 1.0, jnp.exp(members - rest))
    return p, log_evidence.reshape(-1, 1)


def _forward_backward(
    weights: Float[Array, "B L J1"],
    size: Int[Array, " B"],
    factors: tuple[Float[Array, "B _"], ...],
    overflow: Float[Array, "B J"],
    rest_factor: Float[Array, "B L1"],
) -> tuple[Float[Array, "B L J1"], Float[Array, " B"]]:
    """Probability that each item is of none of the counted classes, or of each, and the log-evidence of the bags."""
    n_bags, n_axes = len(size), len(factors)
    lengths = tuple(factor.shape[1] for factor in factors)
    over_states = tuple(range(1, n_axes + 1))

    def spread(values: Float[Array, " B"]) -> Array:
        return values.reshape(n_bags, *(1,) * n_axes)

    def forward(before: Array, weight: Float[Array, "B J1"]) -> tuple[Array, Array]:
        after = before + spread(weight[:, 0])
        for axis in over_states:
            risen = _risen(before, axis, spread(overflow[:, axis - 1]))
            after = _log_add(after, risen + spread(weight[:, axis]))
        return after, before

    def backward(after: Array, step: tuple[Array, Float[Array, "B J1"]]) -> tuple[Array, Float[Array, "B J1"]]:
        before, weight = step
        risen = [_before_rise(after, axis, spread(overflow[:, axis - 1])) for axis in over_states]
        moves = [to + spread(weight[:, axis]) for axis, to in enumerate([after, *risen])]
        base = before - spread(log_evidence)
        found = [jnp.exp(base + move).sum(over_states) for move in moves]
        return reduce(_log_add, moves), jnp.stack(found, axis=1)

    steps = jnp.moveaxis(weights, 1, 0)
    start = jnp.full((n_bags, *lengths), IMPOSSIBLE).at[(slice(None), *(0,) * n_axes)].set(0.0)
    end, befores = jax.lax.scan(forward, start, steps)
    final = _final(size, factors, rest_factor)
    log_evidence = jax.scipy.special.logsumexp(end + final, axis=over_states)
    _, found = jax.lax.scan(backward, final, (befores, steps), reverse=True)
    p = jnp.moveaxis(found, 0, 1)
    return p / p.sum(2, keepdims=True), log_evidence


def _log_add(a: Array, b: Array) -> Array:
    """log(exp a + exp b) of finite numbers."""
    return jnp.maximum(a, b) + jnp.log(1 + jnp.exp(-jnp.abs(a - b)))


def _risen(state: Array, axis: int, overflow: Array) -> Array:
    """The state after one more of the class of an axis."""
    head, below, last = jnp.split(state, [state.shape[axis] - 2, state.shape[axis] - 1], axis)
    return jnp.concatenate([jnp.full_like(last, IMPOSSIBLE), head, _log_add(below, last + overflow)], axis)


def _before_rise(state: Array, axis: int, overflow: Array) -> Array:
    """What each state leads to by one more of the class of an axis."""
    _, above = jnp.split(state, [1], axis)
    _, last = jnp.split(state, [state.shape[axis] - 1], axis)
    return jnp.concatenate([above, last + overflow], axis)


def _final(
    size: Int[Array, " B"], factors: tuple[Float[Array, "B _"], ...], rest_factor: Float[Array, "B L1"]
) -> Array:
    """[B, D_1, ..., D_J] log-factor of each final state."""
    n_bags, n_axes = len(size), len(factors)
    total = jnp.zeros((n_bags, *(1,) * n_axes))
    rest = size.reshape(n_bags, *(1,) * n_axes)
    for axis, factor in enumerate(factors, 1):
        shape = [1] * (n_axes + 1)
        shape[axis] = factor.shape[1]
        total = total + factor.reshape(n_bags, *shape[1:])
        rest = rest - jnp.arange(factor.shape[1], dtype=size.dtype).reshape(shape)
    rest = jnp.maximum(rest, 0).reshape(n_bags, -1)  # states that count more items than there are are not reached
    return total + jnp.take_along_axis(rest_factor, rest, axis=1).reshape(total.shape)


def _same_posterior(log_p: Float[Array, "U K"], same: SameGroups) -> tuple[Array, ...]:
    members = log_p.at[same.rows].get(mode="fill", fill_value=0)
    total = jnp.zeros((len(same.size), log_p.shape[1])).at[same.group].add(members, mode="drop")
    p, log_evidence = jax.nn.softmax(total, axis=1), jax.scipy.special.logsumexp(total, axis=1)
    size = same.size.astype(log_p.dtype)
    return size[same.group], p[same.group], log_evidence[same.group]


def _different_posterior(
    log_p: Float[Array, "U K"], pairs: Int[Array, "P 2"]
) -> tuple[Float[Array, "P 2 K"], Float[Array, "P 1"]]:
    first, second = jnp.moveaxis(log_p.at[pairs].get(mode="fill", fill_value=0), 1, 0)
    joint = jnp.stack([first + _log_sum_others(second), second + _log_sum_others(first)], axis=1)
    return jax.nn.softmax(joint, axis=2), jax.scipy.special.logsumexp(joint[:, 0], axis=1)[:, None]


def _log_sum_others(log_p: Float[Array, "P K"]) -> Float[Array, "P K"]:
    """For each class the log-sum over all others, without subtraction: it may be tiny beside the class itself."""
    wall = jnp.full_like(log_p[:, :1], IMPOSSIBLE)
    below = jax.lax.associative_scan(_log_add, jnp.concatenate([wall, log_p[:, :-1]], axis=1), axis=1)
    above = jax.lax.associative_scan(_log_add, jnp.concatenate([log_p[:, 1:], wall], axis=1), axis=1, reverse=True)
    return _log_add(below, above)


# ------------------------------------------------------------------ laying out


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
        n_groups, n_members = _bucket(int(bags.same_group[-1]) + 1), _bucket(len(bags.same_item))
        rows, group = np.full(n_members, n_rows), np.full(n_members, n_groups)
        rows[: len(bags.same_item)], group[: len(bags.same_item)] = rows_of[bags.same_item], bags.same_group
        same = SameGroups(_indices(rows), _indices(group), _indices(np.bincount(bags.same_group, minlength=n_groups)))
    different = None
    if len(bags.different):
        pairs = np.full((_bucket(len(bags.different)), 2), n_rows)
        pairs[: len(bags.different)] = rows_of[bags.different]
        different = _indices(pairs)
    return BagLayout(*_count_groups(bags.counts, rows_of, n_rows), same, different)


def _count_groups(
    bags: CountBags, rows_of: NDArray[np.intp], n_rows: int
) -> tuple[tuple[CountGroup, ...], tuple[ExpectedCounts, ...]]:
    """Bags grouped by the padded lengths of themselves and of their axes; and those with too many states."""
    axes = _axes(bags)
    classes = np.argsort(-axes, axis=1, kind="stable")
    axes = _padded(np.take_along_axis(axes, classes, 1))
    size = bags.size
    said = np.asarray(((bags.high < size[:, None]) | (axes > 0)).any(1))
    first = np.concatenate([[0], np.cumsum(size)])
    n_states = np.where(axes > 0, axes, 1).astype(np.float64).prod(1)

    def rows(chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        found = np.full((_bucket(len(chosen), 1), _bucket(int(size[chosen].max()))), n_rows)
        for place, bag in enumerate(chosen):
            found[place, : size[bag]] = rows_of[bags.item[first[bag] : first[bag + 1]]]
        return found

    few = n_states <= MOST_STATES
    groups = []
    for chosen in _alike(size, axes, said & few):
        lengths = [int(axis) for axis in axes[chosen].max(0) if axis]
        groups.append(_count_group(bags, chosen, rows(chosen), classes[chosen, : len(lengths)], lengths))
    many = np.flatnonzero(~few)
    lengths_of = np.array([_bucket(length) for length in size[many].tolist()])
    loose = [many[lengths_of == length] for length in np.unique(lengths_of)]
    return tuple(groups), tuple(_expected_counts(bags, chosen, rows(chosen)) for chosen in loose)


def _alike(size: NDArray[np.int64], axes: NDArray[np.int64], said: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Bags that are padded to one shape: each group costs a compilation, and padding costs work."""
    kinds = np.column_stack([(axes > 0).sum(1), [_bucket(length) for length in size.tolist()]])
    n_states = np.where(axes > 0, axes, 1).astype(np.float64).prod(1)
    for kind in np.unique(kinds[said], axis=0):
        bags = np.flatnonzero(said & (kinds == kind).all(1))
        bags = bags[np.lexsort((*axes[bags].T, -n_states[bags]))]
        start = 0
        while start < len(bags):
            rest = bags[start:]
            padded = np.maximum.accumulate(axes[rest, : kind[0]], 0).prod(1) * np.arange(1, len(rest) + 1)
            most = np.flatnonzero(padded <= MOST_PADDING * n_states[rest].cumsum())[-1] + 1
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
        _indices(rows),
        _indices(_lengthened(bags.size[chosen], len(rows))),
        _indices(_lengthened(classes, len(rows))),
        _indices(_lengthened(axis_of, len(rows))),
        tuple(jnp.asarray(_lengthened(factor, len(rows)), jnp.float32) for factor in factors),
        jnp.asarray(_lengthened(np.where(open_ended, 0.0, IMPOSSIBLE), len(rows)), jnp.float32),
        jnp.asarray(_lengthened(rest_factor, len(rows)), jnp.float32),
    )


def _expected_counts(bags: CountBags, chosen: NDArray[np.intp], rows: NDArray[np.intp]) -> ExpectedCounts:
    low, high, centre, spread = (part[chosen] for part in bags[2:])
    soft = np.isfinite(centre)
    known = soft | (low == high)
    return ExpectedCounts(
        _indices(rows),
        _indices(_lengthened(bags.size[chosen], len(rows))),
        jnp.asarray(_lengthened(np.where(soft, centre, np.where(known, low, 0)), len(rows)), jnp.float32),
        jnp.asarray(_lengthened(np.where(soft, spread**2, 0), len(rows)), jnp.float32),
        jnp.asarray(_lengthened(known, len(rows))),
        jnp.asarray(_lengthened(high == 0, len(rows))),
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


def _padded(axes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lengths rounded up to one of four steps an octave: up to a quarter more."""
    octave = np.maximum(np.ceil(np.log2(np.maximum(axes, 1))).astype(np.int64) - 3, 0)
    return -(-axes >> octave) << octave


def _bucket(size: int, least: int = SMALLEST_LENGTH) -> int:
    return max(least, 1 << max(size - 1, 0).bit_length())


def _lengthened(values: NDArray[Any], length: int) -> NDArray[Any]:
    """The values of bags, and zeros for padded ones."""
    return np.concatenate([values, np.zeros((length - len(values), *values.shape[1:]), values.dtype)])


def _indices(values: NDArray[np.generic]) -> Array:
    return jnp.asarray(values, jnp.int32)
