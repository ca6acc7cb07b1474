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

from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from weaklabel.model.labels.bag_layout import IMPOSSIBLE, BagLayout, CountGroup, SameGroups
from weaklabel.model.labels.expected_counts import expected_posterior

BLOCK_CELLS = 2**20
"""Items times states that are passed over at once: bounds the memory."""


class BagPosterior(NamedTuple):
    """The posterior of each row's label."""

    probabilities: Float[Array, "U K"]
    """Marginal probability of each class, given what is known of the row's bag."""
    log_marginal: Float[Array, " U"]
    """Of the row; of rows in a bag an even share of the bag's, so that the sum over rows is that of the whole.
    -inf where no labeling is possible; the probabilities are then those without the bag."""


def rows_in_bags(bags: BagLayout, n_rows: int) -> Bool[Array, " U"]:
    """Rows that are in a bag."""
    members = [group.rows for group in bags.counts] + [group.rows for group in bags.expected]
    if bags.same is not None:
        members.append(bags.same.rows)
    if bags.different is not None:
        members.append(bags.different)
    inside = jnp.zeros(n_rows, bool)
    for rows in members:
        inside = inside.at[rows].set(True, mode="drop")
    return inside


def bag_posterior(log_joint: Float[Array, "U K"], layout: BagLayout) -> BagPosterior:
    """Marginals of the labels, and the evidence, under what is known of bags; exact except for `layout.expected`.

    Args:
        log_joint: log-prior plus log-likelihood of each row's votes, not normalised; -inf for classes that are
            excluded, but not for all of a row.
        layout: of `lay_out_bags`.
    """
    log_marginal = jax.scipy.special.logsumexp(log_joint, axis=1)
    log_p = jnp.maximum(log_joint - log_marginal[:, None], IMPOSSIBLE)
    posterior = BagPosterior(jnp.exp(log_p), log_marginal)
    for group in layout.counts:
        posterior = _put(
            posterior, group.rows, group.size[:, None].astype(log_p.dtype), *_count_posterior(log_p, group)
        )
    for bags in layout.expected:
        members = log_p.at[bags.rows].get(mode="fill", fill_value=0)
        p, log_marginal = expected_posterior(members, bags)
        posterior = _put(posterior, bags.rows, bags.size[:, None].astype(log_p.dtype), p, log_marginal[:, None])
    if layout.same is not None:
        posterior = _put(posterior, layout.same.rows, *_same_posterior(log_p, layout.same))
    if layout.different is not None:
        posterior = _put(posterior, layout.different, jnp.asarray(2.0), *_different_posterior(log_p, layout.different))
    return posterior


def _put(
    posterior: BagPosterior, rows: Int[Array, "*T"], size: Array, p: Float[Array, "*T K"], log_marginal: Array
) -> BagPosterior:
    """The posterior with that of rows in bags; `log_marginal` is that of the bag beyond its items'."""
    possible = log_marginal > IMPOSSIBLE / 2
    share = jnp.broadcast_to(jnp.where(possible, log_marginal, -jnp.inf) / jnp.maximum(size, 1), rows.shape)
    p = jnp.where(possible[..., None], p, posterior.probabilities.at[rows].get(mode="fill", fill_value=0))
    return BagPosterior(
        posterior.probabilities.at[rows].set(p, mode="drop"), posterior.log_marginal.at[rows].add(share, mode="drop")
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
    by_axis, log_marginal = jax.lax.map(lambda block: _forward_backward(*block), blocks)
    by_axis = jnp.take_along_axis(by_axis.reshape(weights.shape), jnp.maximum(axis_of, 0), axis=2)
    p = by_axis * jnp.where(counted, 1.0, jnp.exp(members - rest))
    return p, log_marginal.reshape(-1, 1)


def _forward_backward(
    weights: Float[Array, "B L J1"],
    size: Int[Array, " B"],
    factors: tuple[Float[Array, "B _"], ...],
    overflow: Float[Array, "B J"],
    rest_factor: Float[Array, "B L1"],
) -> tuple[Float[Array, "B L J1"], Float[Array, " B"]]:
    """Probability that each item is of none of the counted classes, or of each; log marginal likelihood of the bags."""
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
        base = before - spread(log_marginal)
        of_moves = [jnp.exp(base + move).sum(over_states) for move in moves]
        return reduce(_log_add, moves), jnp.stack(of_moves, axis=1)

    steps = jnp.moveaxis(weights, 1, 0)
    start = jnp.full((n_bags, *lengths), IMPOSSIBLE).at[(slice(None), *(0,) * n_axes)].set(0.0)
    end, befores = jax.lax.scan(forward, start, steps)
    final = _final(size, factors, rest_factor)
    log_marginal = jax.scipy.special.logsumexp(end + final, axis=over_states)
    _, by_item = jax.lax.scan(backward, final, (befores, steps), reverse=True)
    p = jnp.moveaxis(by_item, 0, 1)
    return p / p.sum(2, keepdims=True), log_marginal


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
    p, log_marginal = jax.nn.softmax(total, axis=1), jax.scipy.special.logsumexp(total, axis=1)
    size = same.size.astype(log_p.dtype)
    return size[same.group], p[same.group], log_marginal[same.group]


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
