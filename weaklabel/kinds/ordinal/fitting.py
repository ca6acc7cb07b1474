"""EM of the ordinal model, in one compiled loop.

The generalized partial credit model (Muraki 1992, doi:10.1177/014662169201600206) with classes for abilities: of
source j and true class c, P(vote k) is proportional to exp(sharpness_j * k * position_c - threshold_k - threshold_jk).
It is a confusion matrix with 1 + K parameters a source, in which votes move with the class. The M-step knows votes by
expected counts [M, K, K] only, which add up over any parts of the votes.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.kinds.ordinal import settings
from weaklabel.model.numerics.compiled import compiled


class VoteArrays(NamedTuple):
    """J votes on the device, in the order of items; padded votes are not present."""

    item: Int[Array, " J"]
    cell: Int[Array, " J"]
    """source * K + class."""
    present: Float[Array, " J"]


class Params(NamedTuple):
    """What EM estimates."""

    balance: Float[Array, " K"]
    position: Float[Array, " K"]
    """Of the classes, with mean 0."""
    common: Float[Array, " K"]
    """Thresholds that sources share, a logit for each vote."""
    own: Float[Array, "M K"]
    """What a source's thresholds add."""
    sharpness: Float[Array, " M"]
    """Log of how fast a source's votes move with the class."""


class Progress(NamedTuple):
    """How far the loop is."""

    params: Params
    posterior: Float[Array, "N K"]
    objective: Float[Array, " T"]
    change: Float[Array, ""]
    iteration: Int[Array, ""]


def log_votes(params: Params) -> Float[Array, "M K K"]:
    """Log of P(vote | class) of each source: vote on the second axis, class on the last."""
    n_classes = len(params.position)
    score = jnp.arange(n_classes, dtype=jnp.float32)[:, None] * params.position[None]
    logits = jnp.exp(params.sharpness)[:, None, None] * score[None] - (params.common[None] + params.own)[:, :, None]
    return logits - jax.nn.logsumexp(logits, axis=1, keepdims=True)


def log_likelihood(params: Params, votes: VoteArrays, n_items: int) -> Float[Array, "N K"]:
    """Of the votes on each item, given each class."""
    n_classes = len(params.position)
    of_votes = votes.present[:, None] * log_votes(params).reshape(-1, n_classes)[votes.cell]
    return jax.ops.segment_sum(of_votes, votes.item, n_items, indices_are_sorted=True)


def penalty(params: Params) -> tuple[Float[Array, " M"], Float[Array, ""]]:
    """Log prior of each source, and of what they share; without constants."""
    own = settings.THRESHOLD_PRIOR * (params.own**2).sum(1) + settings.SHARPNESS_PRIOR * params.sharpness**2
    shared = (params.position**2).sum() + (params.common**2).sum()
    balance = settings.BALANCE_PRIOR * jnp.log(params.balance).sum()
    return -0.5 * own, balance - 0.5 * settings.COMMON_PRIOR * shared


def counts(posterior: Float[Array, "N K"], votes: VoteArrays, n_sources: int) -> Float[Array, "M K K"]:
    """Expected number of votes of each source, for each class, on items of each class."""
    n_classes = posterior.shape[1]
    weights = votes.present[:, None] * posterior[votes.item]
    return jax.ops.segment_sum(weights, votes.cell, n_sources * n_classes).reshape(n_sources, n_classes, n_classes)


def m_step(params: Params, expected: Float[Array, "M K K"], posterior: Array, voted: Array) -> Params:
    """Damped Newton steps of one block after the other, kept where they raise the expected log posterior."""
    size = (posterior * voted[:, None]).sum(0) + settings.BALANCE_PRIOR
    params = params._replace(balance=size / size.sum())
    stepped: Params = jax.lax.fori_loop(
        0, settings.NEWTON_STEPS, lambda _, now: _shared(_sources(now, expected), expected), params
    )
    return stepped


def _value(params: Params, expected: Array) -> Float[Array, " M"]:
    return (expected * log_votes(params)).sum((1, 2)) + penalty(params)[0]


def _moments(params: Params, expected: Array) -> tuple[Array, Array, Array, Array]:
    """Per source and vote: residual and its curvature; per source and class: residual of the mean vote and variance."""
    chance, size = jnp.exp(log_votes(params)), expected.sum(1)
    fitted = chance * size[:, None, :]
    residual = expected - fitted
    votes = jnp.arange(expected.shape[1], dtype=jnp.float32)
    mean = jnp.einsum("mkc,k->mc", chance, votes)
    variance = jnp.einsum("mkc,k->mc", chance, votes**2) - mean**2
    curvature = (fitted * (1 - chance)).sum(2)
    return residual.sum(2), curvature, jnp.einsum("mkc,k->mc", residual, votes), variance * size


def _sources(params: Params, expected: Array) -> Params:
    """Thresholds, then sharpness, of every source by itself."""
    residual, curvature, _, _ = _moments(params, expected)
    prior = settings.THRESHOLD_PRIOR
    step = (-residual - prior * params.own) / (curvature + prior)
    params = _kept(params, params._replace(own=params.own + settings.DAMPING * step), expected)
    _, _, of_mean, variance = _moments(params, expected)
    slope, prior = jnp.exp(params.sharpness), settings.SHARPNESS_PRIOR
    gradient = slope * (of_mean * params.position[None]).sum(1) - prior * params.sharpness
    step = gradient / (slope**2 * (variance * params.position[None] ** 2).sum(1) + prior)
    moved = jnp.clip(params.sharpness + settings.DAMPING * step, *settings.LOG_SHARPNESS)
    return _kept(params, params._replace(sharpness=moved), expected)


def _kept(old: Params, new: Params, expected: Array) -> Params:
    """The new parameters of the sources for which they are better."""
    better = _value(new, expected) >= _value(old, expected)
    return old._replace(
        own=jnp.where(better[:, None], new.own, old.own), sharpness=jnp.where(better, new.sharpness, old.sharpness)
    )


def _shared(params: Params, expected: Array) -> Params:
    """Common thresholds, then positions."""
    residual, curvature, _, _ = _moments(params, expected)
    prior = settings.COMMON_PRIOR
    step = (-residual.sum(0) - prior * params.common) / (curvature.sum(0) + prior)
    params = _better(params, params._replace(common=params.common + settings.DAMPING * step), expected)
    _, _, of_mean, variance = _moments(params, expected)
    slope = jnp.exp(params.sharpness)[:, None]
    gradient = (slope * of_mean).sum(0) - prior * params.position
    step = gradient / ((slope**2 * variance).sum(0) + prior)
    return _better(params, params._replace(position=params.position + settings.DAMPING * step), expected)


def _better(old: Params, new: Params, expected: Array) -> Params:
    """The better one of two."""
    values = [_value(one, expected).sum() + penalty(one)[1] for one in (old, new)]
    chosen: Params = jax.tree.map(lambda of_old, of_new: jnp.where(values[1] >= values[0], of_new, of_old), old, new)
    return chosen


def start(n_sources: int, n_classes: int) -> Params:
    """Classes in order at even distances, sources alike."""
    span = settings.START_SPAN / (n_classes - 1)
    return Params(
        balance=jnp.full(n_classes, 1 / n_classes),
        position=jnp.linspace(-span / 2, span / 2, n_classes),
        common=jnp.zeros(n_classes),
        own=jnp.zeros((n_sources, n_classes)),
        sharpness=jnp.zeros(n_sources),
    )


@partial(compiled, static_argnames=("n_sources", "max_iter"))
def before_first(shares: Float[Array, "N K"], gold: Int[Array, " N"], *, n_sources: int, max_iter: int) -> Progress:
    """The loop, about to begin with the vote shares; at most `max_iter` iterations."""
    return Progress(
        start(n_sources, shares.shape[1]),
        _clamped(shares, gold),
        jnp.zeros(max_iter),
        jnp.asarray(jnp.inf),
        jnp.asarray(0, jnp.int32),
    )


def _clamped(posterior: Array, gold: Array) -> Array:
    return jnp.where(gold[:, None] >= 0, jax.nn.one_hot(gold, posterior.shape[1]), posterior)


@compiled
def run(
    begin: Progress, shares: Float[Array, "N K"], votes: VoteArrays, gold: Int[Array, " N"], stop_at: Array, tol: Array
) -> Progress:
    """EM until the mean total-variation change of the posterior is at most `tol`, or until iteration `stop_at`.

    Args:
        begin: where to begin.
        shares: vote shares; rows of zeros for items without votes.
        votes: the votes.
        gold: known classes, -1 where unknown.
        stop_at: called again with a later one, it goes on where it was.
        tol: see above.
    """
    n_items, n_classes = shares.shape
    n_sources = len(begin.params.sharpness)
    voted = (shares.sum(1) > 0).astype(jnp.float32)
    known = jax.nn.one_hot(gold, n_classes)

    def goes_on(progress: Progress) -> Array:
        return (progress.iteration < stop_at) & (progress.change > tol)

    def step(progress: Progress) -> Progress:
        before = progress.posterior * voted[:, None]
        params = m_step(progress.params, counts(before, votes, n_sources), before, voted)
        joint = log_likelihood(params, votes, n_items) + jnp.log(params.balance)[None]
        evidence = jnp.where(gold >= 0, (joint * known).sum(1), jax.nn.logsumexp(joint, axis=1))
        of_sources, shared = penalty(params)
        objective = (voted * evidence).sum() + of_sources.sum() + shared
        posterior = _clamped(jax.nn.softmax(joint, axis=1), gold)
        change = (0.5 * jnp.abs(posterior - before).sum(1) * voted).sum() / jnp.maximum(voted.sum(), 1.0)
        trace = progress.objective.at[progress.iteration].set(objective)
        return Progress(params, posterior, trace, change, progress.iteration + 1)

    return jax.lax.while_loop(goes_on, step, begin)
