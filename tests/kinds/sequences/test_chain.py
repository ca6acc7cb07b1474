"""Forward-backward and the best path, against sums over all labelings."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from weaklabel.kinds.sequences.chain import IMPOSSIBLE, Chain, best_path, forward_backward
from weaklabel.kinds.sequences.lanes import lay_out_lanes, place_of_tokens
from weaklabel.kinds.sequences.schemes import read_scheme

LENGTHS = np.array([4, 1, 5, 3])


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_the_posterior_is_the_sum_over_all_labelings(scheme: str) -> None:
    tags = read_scheme(["X"], scheme)
    n_tags, rng = len(tags.tags), np.random.default_rng(3)
    first = np.where(tags.first, rng.random(n_tags), 0)
    follows = np.where(tags.legal, rng.random((n_tags, n_tags)), 0)
    first, follows = first / first.sum(), follows / follows.sum(1, keepdims=True)
    log_likelihood = rng.normal(0, 2, (LENGTHS.sum(), n_tags))

    marginal, firsts, pairs = np.zeros_like(log_likelihood), np.zeros(n_tags), np.zeros((n_tags, n_tags))
    best: list[int] = []
    log_z = 0.0
    for begin, length in zip(np.cumsum(LENGTHS) - LENGTHS, LENGTHS, strict=True):
        labelings = [
            one
            for one in itertools.product(range(n_tags), repeat=length)
            if tags.first[one[0]] and tags.last[one[-1]] and all(tags.legal[a, b] for a, b in itertools.pairwise(one))
        ]
        weights = np.array(
            [
                np.log(first[one[0]])
                + sum(np.log(follows[a, b]) for a, b in itertools.pairwise(one))
                + sum(log_likelihood[begin + at, tag] for at, tag in enumerate(one))
                for one in labelings
            ]
        )
        log_z += logsumexp(weights)
        best += labelings[int(weights.argmax())]
        for one, p in zip(labelings, np.exp(weights - logsumexp(weights)), strict=True):
            marginal[begin + np.arange(length), one] += p
            firsts[one[0]] += p
            for a, b in itertools.pairwise(one):
                pairs[a, b] += p

    lanes = lay_out_lanes(LENGTHS)
    place, real = place_of_tokens(lanes, int(LENGTHS.sum())), lanes.token < LENGTHS.sum()
    grid = np.concatenate([log_likelihood, np.zeros((1, n_tags))]).astype(np.float32)[lanes.token]
    chain = Chain(jnp.float32(first), jnp.float32(follows), jnp.float32(tags.last))
    found = jax.jit(forward_backward)(grid, lanes.starts, real, chain)
    np.testing.assert_allclose(np.asarray(found.probabilities).reshape(-1, n_tags)[place], marginal, atol=2e-6)
    np.testing.assert_allclose(found.firsts, firsts, atol=1e-5)
    np.testing.assert_allclose(found.pairs, pairs, atol=1e-5)
    assert float(found.log_marginal) == pytest.approx(log_z, rel=1e-5)

    with np.errstate(divide="ignore"):
        steps = [np.maximum(np.log(x), IMPOSSIBLE).astype(np.float32) for x in (first, follows, tags.last * 1.0)]
    path = np.asarray(jax.jit(best_path)(grid, lanes.starts, real, *steps)).ravel()[place]
    assert path.tolist() == list(best)


@pytest.mark.parametrize("lengths", [[1], [7, 300, 2], [3] * 1000, [40] * 9000])
def test_documents_stay_whole_in_lanes(lengths: list[int]) -> None:
    sizes = np.array(lengths)
    lanes = lay_out_lanes(sizes)
    total = sizes.sum()
    inside = lanes.token < total
    np.testing.assert_array_equal(np.sort(lanes.token[inside]), np.arange(total))
    assert lanes.starts[~inside].all()
    begins = np.cumsum(sizes) - sizes
    np.testing.assert_array_equal(np.sort(lanes.token[inside & lanes.starts]), begins)
    after = inside[1:] & ~lanes.starts[1:]
    np.testing.assert_array_equal(lanes.token[1:][after], lanes.token[:-1][after] + 1)
    assert not (inside[0] & ~lanes.starts[0]).any()  # no document begins in another lane
