"""Labels of a document as a first-order Markov chain: forward-backward, and the best path (Rabiner 1989,
doi:10.1109/5.18626).

Shapes: L steps, B lanes (see `lanes`), K tags. Probabilities, scaled at each step, and not their logarithms: they
cost an exponential a token and no more.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

IMPOSSIBLE = -1e30
"""Logarithm of the probability of a transition that is not legal."""
LEAST_LIKELY = -60.0
"""Log-likelihood of a tag beside that of the likeliest of the token, at least: its exponential is a float32 that
products of two do not lose."""


class Chain(NamedTuple):
    """P(labels of a document): the tag of the first token, of each next one given the tag before, and the end."""

    first: Float[Array, " K"]
    """P(tag of the first token)."""
    next: Float[Array, "K K"]
    """P(tag | tag before), the tag before on the first axis; rows sum to one, 0 where the scheme forbids it."""
    last: Float[Array, " K"]
    """1 for tags on which a document may end, 0 for others."""


class ChainPosterior(NamedTuple):
    """What a forward-backward pass finds."""

    probabilities: Float[Array, "L B K"]
    """Marginal probability of each tag; uniform where a lane is empty."""
    firsts: Float[Array, " K"]
    """Expected number of documents whose first tag is this one."""
    pairs: Float[Array, "K K"]
    """Expected number of neighbours with these tags, the tag before on the first axis."""
    log_marginal: Float[Array, ""]
    """Log marginal likelihood of the votes of all documents."""


def forward_backward(
    log_likelihood: Float[Array, "L B K"], starts: Bool[Array, "L B"], real: Bool[Array, "L B"], chain: Chain
) -> ChainPosterior:
    """The posterior of the tags of all documents.

    Args:
        log_likelihood: of each token's votes in each tag; 0 where a lane is empty.
        starts: of `lay_out_lanes`.
        real: where a lane is not empty.
        chain: prior of the labels.
    """
    highest = log_likelihood.max(2, keepdims=True)
    likelihood = jnp.exp(jnp.maximum(log_likelihood - highest, LEAST_LIKELY))
    ends = jnp.concatenate([starts[1:], jnp.ones_like(starts[:1])]) & real
    likelihood = jnp.where(ends[:, :, None], likelihood * chain.last[None, None], likelihood)

    def forward(before: Array, step: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        likely, start = step
        joint = jnp.where(start[:, None], chain.first[None], before @ chain.next) * likely
        total = joint.sum(1, keepdims=True)
        return joint / total, (joint / total, total[:, 0])

    def backward(
        carry: tuple[Array, Array], step: tuple[Array, Array, Array, Array]
    ) -> tuple[tuple[Array, Array], Array]:
        message, pairs = carry  # likelihood of all that follows, times that of the next token; 0 where another starts
        filtered, likely, total, start = step
        follows = message.sum(1, keepdims=True) > 0
        later = jnp.where(follows, message @ chain.next.T, 1.0)
        p = filtered * later
        pairs = pairs + filtered.T @ message
        message = jnp.where(start[:, None], 0.0, likely * later / total[:, None])
        return (message, pairs), p / p.sum(1, keepdims=True)

    n_lanes, n_tags = log_likelihood.shape[1:]
    nothing = jnp.zeros((n_lanes, n_tags), likelihood.dtype)
    _, (filtered, totals) = jax.lax.scan(forward, nothing, (likelihood, starts))
    carry = nothing, jnp.zeros((n_tags, n_tags), likelihood.dtype)
    (_, pairs), p = jax.lax.scan(backward, carry, (filtered, likelihood, totals, starts), reverse=True)
    began = (starts & real)[:, :, None]
    log_marginal = jnp.where(real, jnp.log(totals) + highest[:, :, 0], 0.0).sum()
    return ChainPosterior(p, jnp.where(began, p, 0.0).sum((0, 1)), pairs * chain.next, log_marginal)


def best_path(
    log_score: Float[Array, "L B K"],
    starts: Bool[Array, "L B"],
    real: Bool[Array, "L B"],
    first: Float[Array, " K"],
    step: Float[Array, "K K"],
    last: Float[Array, " K"],
) -> Int[Array, "L B"]:
    """The labels of each document with the largest sum of scores (Viterbi 1967, doi:10.1109/TIT.1967.1054010).

    Args:
        log_score: of each token and tag; 0 where a lane is empty.
        starts: of `lay_out_lanes`.
        real: where a lane is not empty.
        first: score of a document's first tag.
        step: score of a tag after another, the tag before on the first axis; `IMPOSSIBLE` where that is not legal.
        last: score of a document's last tag.
    """
    ends = jnp.concatenate([starts[1:], jnp.ones_like(starts[:1])]) & real
    score = jnp.where(ends[:, :, None], log_score + last[None, None], log_score)

    def forward(best: Array, at: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        own, start = at
        through = best[:, :, None] + step[None]
        before = through.argmax(1).astype(jnp.int8 if step.shape[0] < 128 else jnp.int16)
        reached = jnp.where(start[:, None], first[None], through.max(1)) + own
        return reached - reached.max(1, keepdims=True), (reached, before)

    def backward(later: tuple[Array, Array], at: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        tag, over = later  # the tag that the next token needs here, and whether nothing follows
        reached, before, start = at
        here = jnp.where(over, reached.argmax(1), tag).astype(jnp.int32)
        return (jnp.take_along_axis(before, here[:, None], axis=1)[:, 0].astype(jnp.int32), start), here

    n_lanes, n_tags = log_score.shape[1:]
    zeros = jnp.zeros((n_lanes, n_tags), log_score.dtype)
    _, (reached, before) = jax.lax.scan(forward, zeros, (score, starts))
    over = jnp.ones(n_lanes, bool)
    _, tags = jax.lax.scan(backward, (jnp.zeros(n_lanes, jnp.int32), over), (reached, before, starts), reverse=True)
    return tags
