"""Votes in, parameters or soft labels out."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.kinds.ordinal import settings
from weaklabel.kinds.ordinal.fitting import Params, VoteArrays, before_first, log_likelihood, log_votes, run
from weaklabel.model.em.segments import OnProgress, in_segments
from weaklabel.model.numerics.compiled import compiled
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import bucket, rounded_up, single, to_device
from weaklabel.votes import Votes

SMALL = 2**16
"""Votes or items up to which they are padded to a power of two."""


class HostParams(NamedTuple):
    """`Params` on the host."""

    balance: NDArray[np.float64]
    position: NDArray[np.float64]
    common: NDArray[np.float64]
    own: NDArray[np.float64]
    sharpness: NDArray[np.float64]


class Fitted(NamedTuple):
    """Parameters, and how the fit went."""

    params: HostParams
    confusion: NDArray[np.float64]
    """[M, K, K] P(vote | class): vote on the second axis, class on the last."""
    objective: NDArray[np.float64]
    n_iter: int
    converged: bool
    n_items: int
    n_votes: NDArray[np.int64]
    """[M]"""
    accuracy: NDArray[np.float64]
    """[M] share of right votes, at the class balance."""


@under_own_settings
def fit_ordinal(
    votes: Votes, gold: NDArray[np.int32] | None, max_iter: int, tol: float, progress: OnProgress | None = None
) -> Fitted:
    """Sources from votes, and gold where there is some."""
    arrays, shares = _on_device(votes)
    known = np.full(len(shares), -1, np.int32)
    if gold is not None:
        known[: len(gold)] = gold
    begin, told = single(shares), to_device(known)
    n_items = max(votes.n_items, 1)
    done = in_segments(
        lambda state, stop_at: run(state, begin, arrays, told, stop_at, single(tol)),
        before_first(begin, told, n_sources=votes.n_sources, max_iter=max_iter),
        max_iter,
        progress,
        lambda state, iteration: float(np.asarray(state.objective)[iteration - 1]) / n_items,
    )
    params = HostParams(*(np.asarray(one, np.float64) for one in done.params))
    confusion = np.exp(np.asarray(log_votes(done.params), np.float64))
    n_iter = int(done.iteration)
    return Fitted(
        params=params,
        confusion=confusion,
        objective=np.asarray(done.objective, np.float64)[:n_iter] / n_items,
        n_iter=n_iter,
        converged=bool(done.change <= tol),
        n_items=votes.n_items,
        n_votes=np.bincount(votes.triples()[1], minlength=votes.n_sources),
        accuracy=np.asarray(np.einsum("mkk,k->m", confusion, params.balance)),
    )


@under_own_settings
def predict_ordinal(votes: Votes, params: HostParams, common_error: float) -> NDArray[np.float64]:
    """[N, K] soft labels: the posterior with votes weighed by their design effect, and a part of the vote shares."""
    arrays, shares = _on_device(votes)
    on_device = Params(*(single(one) for one in params))
    posterior = _posterior(on_device, arrays, single(shares), single(common_error), n_items=len(shares))
    return np.asarray(posterior, np.float64)[: votes.n_items]


@partial(compiled, static_argnames=("n_items",))
def _posterior(
    params: Params, votes: VoteArrays, shares: Float[Array, "N K"], common_error: Array, *, n_items: int
) -> Float[Array, "N K"]:
    number = jax.ops.segment_sum(votes.present, votes.item, n_items, indices_are_sorted=True)[:, None]
    weight = 1 / (1 + common_error * jnp.maximum(number - 1, 0.0))
    joint = weight * log_likelihood(params, votes, n_items) + jnp.log(params.balance)[None]
    pseudo = settings.SHARE_PSEUDO_VOTES
    smoothed = (shares * number + pseudo) / (number + pseudo * shares.shape[1])
    mixed = (1 - settings.SHARE_MIXTURE) * jax.nn.softmax(joint, axis=1) + settings.SHARE_MIXTURE * smoothed
    return jnp.where(number > 0, mixed, params.balance[None])


def _on_device(votes: Votes) -> tuple[VoteArrays, NDArray[np.float64]]:
    """Votes in the order of items, and their shares [padded N, K]."""
    item, source, label = votes.triples()  # sorted by item
    room, n_items = _room(len(item)), _room(votes.n_items)
    shares = np.zeros((n_items, votes.n_classes))
    np.add.at(shares, (item, label), 1.0)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1)
    cell = source.astype(np.int32) * votes.n_classes + label.astype(np.int32)
    arrays = VoteArrays(
        to_device(item.astype(np.int32), room, n_items - 1),
        to_device(cell.astype(np.int32), room),
        to_device(np.ones(len(item), np.float32), room),
    )
    return arrays, shares


def _room(size: int) -> int:
    return bucket(size) if size <= SMALL else rounded_up(size)
