"""The estimator of what sources would vote."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.disagreement.states import States, VoteCells, log_tables, responsibilities, run, start
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import bucket, single, to_device
from weaklabel.votes import Votes

MAX_ITER = 100
TOL = 1e-5
GROUP_ROUNDS = 100
GROUP_VOTES = 10.0


class VoteModel(NamedTuple):
    """What was learned of M sources and L states of items. Predictions take votes of the same sources, in order."""

    states: States
    """On the host."""
    tables: NDArray[np.float64]
    """[M, L, K] P(vote | state) of each source."""
    n_votes: NDArray[np.int64]
    """[M]"""
    source_names: tuple[str, ...]

    def state_proba(self, votes: Votes) -> NDArray[np.float64]:
        """[N, L] probability of each state."""
        return _state_proba(votes, self.states)

    def vote_proba(self, votes: Votes, source: int) -> NDArray[np.float64]:
        """[N, K] what a source would vote on each item."""
        return np.asarray(self.state_proba(votes) @ self.tables[source])

    def population(self, votes: Votes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, K] what a source drawn by `weights` [M] would vote on each item."""
        return np.asarray(self.state_proba(votes) @ np.einsum("m,mlk->lk", weights / weights.sum(), self.tables))

    def disagreement(self, votes: Votes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N] probability that two different sources, drawn by `weights` [M], would vote for different classes."""
        share = weights / weights.sum()
        mean = np.einsum("m,mlk->lk", share, self.tables)
        alike = (mean**2).sum(1) - np.einsum("m,mlk->l", share**2, self.tables**2)
        return np.asarray(self.state_proba(votes) @ (1 - alike / max(1 - (share**2).sum(), 1e-12)))

    def groups(self, n_groups: int, seed: int) -> NDArray[np.float64]:
        """[M, G] probability that each source belongs to each group of sources that vote alike in each state.

        A mixture of multinomials over the expected votes by state, fitted by EM from groups drawn by `seed`; the
        largest group comes first.
        """
        counts = np.asarray(self.states.counts, np.float64)
        pooled = counts.sum(0) / np.maximum(counts.sum((0, 2))[:, None], 1e-12)
        belongs = np.random.default_rng(seed).dirichlet(np.full(n_groups, 0.3), len(counts))
        for _ in range(GROUP_ROUNDS):
            of_group = np.einsum("mg,mlk->glk", belongs, counts) + GROUP_VOTES * pooled
            log_table = np.log(of_group / np.maximum(of_group.sum(2, keepdims=True), 1e-12) + 1e-12)
            joint = np.einsum("mlk,glk->mg", counts, log_table) + np.log(
                (belongs.sum(0) + 1) / (len(counts) + n_groups)
            )
            joint -= joint.max(1, keepdims=True)
            before, belongs = belongs, np.exp(joint) / np.exp(joint).sum(1, keepdims=True)
            if np.abs(belongs - before).max() < 1e-4:
                break
        return np.asarray(belongs[:, np.argsort(-belongs.sum(0), kind="stable")])


@under_own_settings
def fit_vote_model(votes: Votes) -> VoteModel:
    """Learns states and sources from votes, all for one class.

    Raises:
        InvalidVotesError: if there are candidate sets or soft votes among them, or no votes.
    """
    if not votes.is_plain:
        raise InvalidVotesError("what sources would vote is learned from votes for one class only", field="votes")
    if not votes.n_votes:
        raise InvalidVotesError("there is no vote", field="votes")
    _, source, label = votes.triples()
    pooled = np.bincount(label, minlength=votes.n_classes) + 1.0
    cells, n_items = _on_device(votes), bucket(votes.n_items)
    first = start(single(pooled / pooled.sum()), votes.n_sources)
    done = run(first, cells, single(TOL), n_items=n_items, max_iter=MAX_ITER).states
    return VoteModel(
        states=States(*(np.asarray(one) for one in done)),  # type: ignore[arg-type]  # arrays of the host
        tables=np.exp(np.asarray(log_tables(done), np.float64)),
        n_votes=np.bincount(source, minlength=votes.n_sources),
        source_names=tuple(votes.source_names),
    )


@under_own_settings
def _state_proba(votes: Votes, states: States) -> NDArray[np.float64]:
    on_device = States(*(jnp.asarray(one) for one in states))
    found = responsibilities(on_device, _on_device(votes), n_items=bucket(votes.n_items))
    return np.asarray(found, np.float64)[: votes.n_items]


def source_weights(weights: Any, model: VoteModel) -> NDArray[np.float64]:
    """[M] weights of the sources of a population: "votes" as many as each gave, "equal", or by name.

    Raises:
        InvalidArgumentError: for other texts, names that are no source, and weights that are negative or all 0.
    """
    if weights == "votes":
        return model.n_votes.astype(np.float64)
    if weights == "equal":
        return np.ones(len(model.source_names))
    if not isinstance(weights, dict):
        raise InvalidArgumentError(f'weights must be "votes", "equal" or a dict, got {weights!r}', field="weights")
    if unknown := [name for name in weights if name not in model.source_names]:
        raise InvalidArgumentError(f"{unknown[0]!r} is no source of the fit", field="weights")
    found = np.array([float(weights.get(name, 0.0)) for name in model.source_names])
    if not (np.isfinite(found).all() and (found >= 0).all() and found.sum() > 0):
        raise InvalidArgumentError("weights must be 0 or more, and not all 0", field="weights")
    return found


def _on_device(votes: Votes) -> VoteCells:
    item, source, label = votes.triples()  # sorted by item
    room = bucket(len(item))
    return VoteCells(
        to_device(item.astype(np.int32), room, bucket(votes.n_items) - 1),
        to_device(source.astype(np.int32), room),
        to_device(label.astype(np.int32), room),
        to_device(np.ones(len(item), np.float32), room),
    )
