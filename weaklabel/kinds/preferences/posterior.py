"""From comparisons to scores and judges with their uncertainty: graph, compiled loop, posterior variances.

Shapes: C comparisons, I items, J judges, U latent variables, one for each item; of a pair that stands alone, one.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.kinds.preferences.fitting import (
    Answers,
    Data,
    State,
    before_first,
    diagonal_of,
    estimate,
    moments_of,
    precision_of,
    solve,
)
from weaklabel.kinds.preferences.ranked import Ranked, log_weights, pair_moments
from weaklabel.kinds.preferences.records import LEFT, TIE, Comparisons, Rankings
from weaklabel.kinds.preferences.settings import PreferenceSettings
from weaklabel.model.em.segments import OnProgress, in_segments
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.padding import bucket, rounded_up, to_device

MOST_EXACT = 1024
"""Items up to which the posterior precision is inverted; beyond, its inverse is sampled."""
LARGE = 2**15
"""Comparisons, items or judges above which sizes are padded less."""
SAMPLES, SAMPLING_STEPS = 32, 40
"""Draws of the posterior, and steps of conjugate gradients for each, ..."""
SAMPLES_OF_MANY, STEPS_OF_MANY = 8, 12
"""... and of more than `LARGE` comparisons."""


class Graph(NamedTuple):
    """Which items are compared, directly or by way of others."""

    component: NDArray[np.int64]
    """[I] number of the connected component of each item."""
    size: NDArray[np.int64]
    """[I] number of items in it."""


class Estimated(NamedTuple):
    """A converged loop and the posterior of its scores."""

    data: Data
    state: State
    graph: Graph
    mean: NDArray[np.float64]
    """[I]"""
    variance: NDArray[np.float64]
    """[I]"""
    covariance: NDArray[np.float64]
    """[I] mean covariance with another item of the component."""


def graph_of(comparisons: Comparisons) -> Graph:
    """Connected components of the items."""
    from scipy.sparse.csgraph import connected_components  # only here: it takes long to load

    n_items = len(comparisons.item_names)
    ones = np.ones(len(comparisons.left), np.int8)
    edges = sp.coo_array((ones, (comparisons.left, comparisons.right)), shape=(n_items, n_items))
    component = np.asarray(connected_components(edges, directed=False)[1]).astype(np.int64)
    return Graph(component, np.bincount(component)[component].astype(np.int64))


def merged(comparisons: Comparisons) -> Comparisons:
    """Comparisons that are alike, once, with the sum of their weights; the smaller item stands left."""
    turned = comparisons.left > comparisons.right
    left = np.where(turned, comparisons.right, comparisons.left).astype(np.int64)
    right = np.where(turned, comparisons.left, comparisons.right).astype(np.int64)
    outcome = np.where(turned & (comparisons.outcome != TIE), 1 - comparisons.outcome, comparisons.outcome)
    first = np.where(turned, -comparisons.first, comparisons.first)
    n_items, answer = len(comparisons.item_names), outcome.astype(np.int64) * 3 + first + 1
    rankings, slot = comparisons.rankings, np.full(len(left), -1, np.int64)
    if rankings is not None:
        slot, other = rankings.slot_left, rankings.slot_right
        slot, other = np.where(turned, other, slot), np.where(turned, slot, other)
        rankings = rankings._replace(slot_left=slot, slot_right=other)
    pair, judged = left * n_items + right, comparisons.judge.astype(np.int64) * 9 + answer
    order = np.lexsort((slot, judged, pair))
    pair, judged, slot = pair[order], judged[order], slot[order]
    alike = (pair[1:] == pair[:-1]) & (judged[1:] == judged[:-1]) & (slot[1:] == slot[:-1])
    new = np.concatenate([[True], ~alike])
    weight = np.add.reduceat(comparisons.weight[order].astype(np.float64), np.flatnonzero(new))
    chosen = order[new]
    return comparisons._replace(
        left=left[chosen].astype(np.int32),
        right=right[chosen].astype(np.int32),
        judge=comparisons.judge[chosen],
        outcome=outcome[chosen].astype(np.int8),
        first=first[chosen].astype(np.int8),
        weight=weight.astype(np.float32),
        rankings=None if rankings is None else rankings.of_rows(chosen),
    )


def _padded_size(size: int) -> int:
    """Few sizes where compiling takes longer than computing."""
    return bucket(size) if size <= LARGE else rounded_up(size)


def data_of(comparisons: Comparisons, graph: Graph) -> Data:
    """Comparisons on the device, padded; items and judges without any are no part of the model."""
    n, n_items, n_judges = (
        _padded_size(len(one)) for one in (comparisons.left, comparisons.item_names, comparisons.judge_names)
    )
    alone = graph.size[comparisons.left] == 2
    used = np.bincount(comparisons.left, minlength=n_items) > 0
    used |= np.bincount(comparisons.right[~alone], minlength=n_items) > 0
    judges = np.bincount(comparisons.judge, minlength=n_judges) > 0
    half = np.select([comparisons.outcome == LEFT, comparisons.outcome == TIE], [0.5, 0.0], -0.5)
    return Data(
        left=to_device(comparisons.left, n),
        right=to_device(comparisons.right, n),
        judge=to_device(comparisons.judge, n),
        half=to_device(half.astype(np.float32), n, 0.5),
        first=to_device(comparisons.first.astype(np.float32), n),
        weight=to_device(np.where(_is_ranked(comparisons), 0, comparisons.weight).astype(np.float32), n),
        scale=to_device(np.where(alone, np.sqrt(2), 1).astype(np.float32), n),
        other=to_device(np.where(alone, 0, 1).astype(np.float32), n),
        used_items=to_device(used.astype(np.float32)),
        used_judges=to_device(judges.astype(np.float32)),
        ranked=None if comparisons.rankings is None else _ranked(comparisons.rankings, n),
    )


def _is_ranked(comparisons: Comparisons) -> NDArray[np.bool_]:
    """[C] whether each comparison is of a ranking."""
    rankings = comparisons.rankings
    return np.zeros(len(comparisons.left), bool) if rankings is None else np.asarray(rankings.slot_left >= 0)


def _ranked(rankings: Rankings, n: int) -> Ranked:
    """Rankings on the device, padded; n is the padded number of comparisons."""
    n_rankings, longest = rankings.items.shape
    rows, width = _padded_size(n_rankings), bucket(longest, 4)
    items = np.full((rows, width), -1, np.int32)
    items[:n_rankings, :longest] = rankings.items

    left, right = rankings.slot_left, rankings.slot_right
    better, worse = (
        np.where(left < 0, 0, slot // longest * width + slot % longest).astype(np.int32)
        for slot in (np.minimum(left, right), np.maximum(left, right))
    )
    return Ranked(
        item=to_device(np.maximum(items, 0)),
        there=to_device((items >= 0).astype(np.float32)),
        judge=to_device(rankings.judge, rows),
        weight=to_device(rankings.weight, rows),
        better=to_device(better, n),
        worse=to_device(worse, n),
        sign=to_device(np.where(left < 0, 0, np.sign(right - left)).astype(np.float32), n),
    )


def estimate_scores(
    comparisons: Comparisons,
    settings: PreferenceSettings,
    *,
    ties: bool,
    max_iter: int,
    tol: float,
    seed: int,
    progress: OnProgress | None = None,
) -> Estimated:
    """The loop, and the posterior of the scores given how judges answer.

    Args:
        comparisons: merged, so that the left item of a pair is always the same.
        settings: constants.
        ties: whether a tie is an outcome.
        max_iter: limit of iterations.
        tol: change of scores, in prior deviations, at which the loop ends.
        seed: of the draws, for more than `MOST_EXACT` items.
        progress: who is told of the iterations.
    """
    graph = graph_of(comparisons)
    data = data_of(comparisons, graph)
    state = in_segments(
        lambda state, stop_at: estimate(data, state, settings, np.float32(tol), stop_at, ties=ties),
        before_first(data, settings, ties=ties, room=bucket(max_iter)),
        max_iter,
        progress,
        lambda state, done: float(np.asarray(state.objective)[done - 1]),
    )
    return posterior_of(comparisons, data, state, graph, seed)


def posterior_of(comparisons: Comparisons, data: Data, state: State, graph: Graph, seed: int) -> Estimated:
    """Means and variances of the scores of all items, by the latent variables of the loop."""
    n_items, spread = len(graph.size), float(state.priors.spread)
    latent = np.asarray(state.scores, np.float64)[:n_items]
    used = np.asarray(data.used_items)[:n_items] > 0
    curvature = curvature_of(data, state)
    if n_items <= MOST_EXACT:
        of_latent = _exact(data, state, np.asarray(curvature, np.float64), n_items)
    else:
        n_padded = data.used_items.shape[0]
        component = to_device(graph.component.astype(np.int32), n_padded, n_padded - 1)
        of_latent = np.asarray(_sampled(data, curvature, state, component, jax.random.key(seed)), np.float64)[:n_items]
    of_latent = np.where(used, of_latent, spread)
    mean, variance = np.where(used, latent, 0), of_latent
    # Of a pair that stands alone, the difference is sqrt(2) times what is latent, and the sum is what it was before.
    alone = graph.size[comparisons.left] == 2
    left, right = comparisons.left[alone], comparisons.right[alone]
    mean[left], mean[right] = latent[left] / np.sqrt(2), -latent[left] / np.sqrt(2)
    variance[left] = variance[right] = (spread + of_latent[left]) / 2
    # A component's precision times ones is ones over the spread: its covariances sum to spread times its size.
    total = np.bincount(graph.component, variance)[graph.component]
    covariance = (spread * graph.size - total) / np.maximum(graph.size * (graph.size - 1.0), 1)
    return Estimated(
        data=data,
        state=state,
        graph=graph,
        mean=mean,
        variance=variance,
        covariance=np.where(graph.size > 1, covariance, 0),
    )


@compiled
def curvature_of(data: Data, state: State) -> Float[Array, " C"]:
    """[C] curvature of the bound at the end of the loop."""
    return moments_of(data, state.scores, state.variance, state.answers).curvature


@compiled
def slope_of(data: Data, state: State) -> Float[Array, " C"]:
    """[C] what each pair of a ranking adds to the difference of its items: what it says beyond its expectation."""
    assert data.ranked is not None
    return pair_moments(data.ranked, log_weights(data.ranked, state.scores, state.answers.skill)).slope


def _exact(data: Data, state: State, curvature: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """[I] diagonal of the inverse precision."""
    answers: Answers = state.answers
    square = np.asarray(answers.skill, np.float64) ** 2 + np.asarray(answers.skill_variance, np.float64)
    weight = curvature * square[np.asarray(data.judge)]
    left, right = np.asarray(data.left), np.asarray(data.right)
    scale, other = np.asarray(data.scale, np.float64), np.asarray(data.other, np.float64)
    precision = np.eye(n_items) / float(state.priors.spread)
    np.add.at(precision, (left, left), weight * scale**2)
    np.add.at(precision, (right, right), weight * other**2)
    np.add.at(precision, (left, right), -weight * scale * other)
    np.add.at(precision, (right, left), -weight * scale * other)
    return np.asarray(np.diagonal(np.linalg.inv(precision)).copy())


@partial(compiled)
def _sampled(
    data: Data, curvature: Float[Array, " C"], state: State, component: Array, key: Array
) -> Float[Array, " I"]:
    """[I] diagonal of the inverse precision, by perturbations that have it as covariance (Papandreou and Yuille 2010).

    Each draw x solves H x = z with z of covariance H. The variance of item i is 1 / H_ii, that given the others, and
    the mean square of what the others say of it, sum_j H_ij x_j / H_ii (Siden et al. 2018,
    doi:10.1080/10618600.2018.1473782). The mean of a component is known to have the variance spread / size: it is taken
    off the draws.
    """
    answers, spread = state.answers, state.priors.spread
    diagonal = diagonal_of(data, curvature, answers, spread)
    deviation = jnp.sqrt(curvature * (answers.skill**2 + answers.skill_variance)[data.judge])
    n_items = data.used_items.shape[0]
    many = deviation.shape[0] > LARGE
    n_samples, n_steps = (SAMPLES_OF_MANY, STEPS_OF_MANY) if many else (SAMPLES, SAMPLING_STEPS)
    size = jnp.maximum(jax.ops.segment_sum(jnp.ones(n_items), component, n_items), 1)
    whole = jnp.where(size[component] > 2, 1.0, 0.0)  # a pair that stands alone is one latent variable: no mean

    def draw(total: Array, key: Array) -> tuple[Array, None]:
        of_comparisons, of_items = jax.random.split(key)
        noise = deviation * jax.random.normal(of_comparisons, deviation.shape)
        z = jax.ops.segment_sum(data.scale * noise, data.left, n_items)
        z -= jax.ops.segment_sum(data.other * noise, data.right, n_items)
        z += jax.random.normal(of_items, (n_items,)) / jnp.sqrt(spread)

        def product(x: Array) -> Array:
            return precision_of(data, curvature, answers, spread, x)

        x = solve(product, z, z / diagonal, diagonal, n_steps)
        x = x - (jax.ops.segment_sum(x, component, n_items) / size)[component] * whole
        return total + (x - product(x) / diagonal) ** 2, None

    total, _ = jax.lax.scan(draw, jnp.zeros(n_items), jax.random.split(key, n_samples))
    of_mean = whole * spread / size[component] * (1 - 1 / (spread * diagonal)) ** 2
    return 1 / diagonal + total / n_samples + of_mean


def difference_of(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    covariance: NDArray[np.float64],
    component: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[n] mean and variance of the difference of scores of pairs; the component's mean covariance stands for theirs."""
    left, right = pairs.T
    together = np.where(component[left] == component[right], covariance[left], 0)
    of_difference = variance[left] + variance[right] - 2 * together
    return mean[left] - mean[right], np.maximum(of_difference, 1e-9)
