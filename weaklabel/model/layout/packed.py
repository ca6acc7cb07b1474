"""Votes of several sources packed into one word: a CPU looks words up in small tables that stay in its cache.

With S symbols and a silence, g votes make a word of (S + 1)^g values. The evidence of a row is the sum of one table
entry a word, and its expected counts go to one row of a histogram a word: g times fewer steps than votes, and no
arithmetic with the zeros of one-hot vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.layout.protocol import Block, Layout, Tree
from weaklabel.model.numerics.compute_once import compute_once

MOST_VALUES = 2048
"""Of a word, where it holds several votes: so that all tables fit into the cache next to a core."""
SUMMED_ROWS = 2**14
UNROLLED = 16
"""Words looked up in one step: more of them take long to compile."""


@partial(
    jax.tree_util.register_dataclass, data_fields=["words"], meta_fields=["n_sources", "n_symbols", "votes_a_word"]
)
@dataclass(frozen=True)
class PackedLayout:
    """Every cell of the matrix, several to a word."""

    words: Int[Array, "U W"]
    """Word w holds the votes of the sources w, W + w, 2 W + w, ...: the sum over places of (symbol + 1) (S + 1)^place,
    where 0 stands for no vote, or one that lies elsewhere."""
    n_sources: int
    n_symbols: int
    votes_a_word: int

    @property
    def n_rows(self) -> int:
        """See `Layout.n_rows`."""
        return self.words.shape[0]

    @property
    def block_rows(self) -> int:
        """See `Layout.block_rows`."""
        return self.n_rows

    @property
    def n_cells(self) -> int:
        """See `Layout.n_cells`."""
        return self.n_rows * self.n_sources

    @property
    def is_weighted(self) -> bool:
        """See `Layout.is_weighted`."""
        return False

    def unweighted(self) -> Layout:
        """See `Layout.unweighted`."""
        return self

    @property
    def streams(self) -> bool:
        """See `Layout.streams`."""
        return False

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""
        n_words, n_columns = self.words.shape[1], weights.shape[2]
        of_votes = jnp.pad(weights, ((0, n_words * self.votes_a_word - self.n_sources), (0, 0), (0, 0)))
        of_words = of_votes.reshape(self.votes_a_word, n_words, -1, n_columns).swapaxes(0, 1)
        tables = jnp.einsum("vd,wdc->wvc", self._spelling, of_words.reshape(n_words, -1, n_columns))
        return compute_once(_looked_up, tables, self.words)

    def counts(
        self, values: Float[Array, "U C"], n_sources: int, n_symbols: int, start: Float[Array, "M S C"] | None = None
    ) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""
        n_columns = values.shape[1]
        histograms = compute_once(partial(_histograms, n_values=len(self._spelling)), values, self.words)
        of_words = jnp.einsum("vd,wvc->wdc", self._spelling, histograms)
        of_votes = of_words.reshape(-1, self.votes_a_word, n_symbols, n_columns).swapaxes(0, 1)
        counts = of_votes.reshape(-1, n_symbols, n_columns)[:n_sources]
        return counts if start is None else start + counts

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.evidence(jax.vmap(jnp.diag)(weights))

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return jax.vmap(jnp.diag)(self.counts(values, n_sources, values.shape[1]))

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        return self.counts(weight[:, None], n_sources, n_symbols).sum((1, 2))

    def map_blocks(self, function: Callable[[Layout], Tree]) -> Tree:
        """See `Layout.map_blocks`; words are few, and one block."""
        return function(self)

    def fold_blocks(self, function: Callable[[Block, Tree], Tree], start: Tree) -> Tree:
        """See `Layout.fold_blocks`."""
        return function(Block(0, self, lambda values: values), start)

    def in_storage_order(self) -> tuple[Layout, NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """See `Layout.in_storage_order`."""
        return self, None, None

    @property
    def _spelling(self) -> NDArray[np.float32]:
        """[V, g*S] the symbols of each value of a word, as ones."""
        base = self.n_symbols + 1
        values = np.arange(base**self.votes_a_word)[:, None]
        digits = values // base ** np.arange(self.votes_a_word) % base
        ones = digits[:, :, None] == np.arange(1, base)
        return np.asarray(ones.reshape(len(values), -1), np.float32)


def _looked_up(tables: Float[Array, "W V C"], words: Int[Array, "U W"]) -> Float[Array, "U C"]:
    """The sum of one entry of each word's table."""

    def add(total: Array, step: tuple[Array, Array]) -> tuple[Array, None]:
        tables, words = step
        for at in range(len(tables)):
            total += tables[at].at[words[:, at].astype(jnp.uint32)].get(mode="promise_in_bounds")
        return total, None

    total = jnp.zeros((words.shape[0], tables.shape[2]), tables.dtype)
    whole = len(tables) // UNROLLED * UNROLLED
    if whole:
        total, _ = jax.lax.scan(add, total, (tables[:whole].reshape(-1, UNROLLED, *tables.shape[1:]), _steps(words)))
    return add(total, (tables[whole:], words[:, whole:]))[0]


def _histograms(values: Float[Array, "U C"], words: Int[Array, "U W"], n_values: int) -> Float[Array, "W V C"]:
    """The sums of the values over the rows that have each value of each word."""

    def of_step(words: Int[Array, "U W"], values: Float[Array, "U C"]) -> Float[Array, "W V C"]:
        nothing = jnp.zeros((n_values, values.shape[1]), values.dtype)
        places = [words[:, at].astype(jnp.uint32) for at in range(words.shape[1])]
        return jnp.stack([nothing.at[place].add(values, mode="promise_in_bounds") for place in places])

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        words, values = block
        whole = words.shape[1] // UNROLLED * UNROLLED
        steps = [of_step(words[:, whole:], values)] if whole < words.shape[1] else []
        if whole:
            of_steps = jax.lax.map(lambda words: of_step(words, values), _steps(words))
            steps.insert(0, of_steps.reshape(whole, *total.shape[1:]))
        return total + jnp.concatenate(steps), None

    # Sums of sums: one after the other, a million float32 numbers would lose three digits.
    size = min(len(words), SUMMED_ROWS)
    blocks = words.reshape(-1, size, words.shape[1]), values.reshape(-1, size, values.shape[1])
    total, _ = jax.lax.scan(add, jnp.zeros((words.shape[1], n_values, values.shape[1]), values.dtype), blocks)
    return total


def _steps(words: Int[Array, "U W"]) -> Int[Array, "_ U _"]:
    """Whole steps of words."""
    whole = words.shape[1] // UNROLLED * UNROLLED
    return words[:, :whole].reshape(len(words), -1, UNROLLED).swapaxes(0, 1)


def n_words(n_sources: int, n_symbols: int, most_values: int = MOST_VALUES) -> int:
    """Words of a row."""
    most_votes = max(1, int(math.log(most_values, n_symbols + 1) + 1e-9))
    return -(-n_sources // most_votes)


def pack(codes: Int[Array, "U M"], n_symbols: int, most_values: int = MOST_VALUES) -> PackedLayout:
    """Packs a matrix of symbols.

    Args:
        codes: symbol index; negative where there is none, and `n_symbols` or above where the vote lies elsewhere.
        n_symbols: S, less than 65,536.
        most_values: of a word, where it holds several votes. Long tables do not pay for few rows.
    """
    n_sources, base = codes.shape[1], n_symbols + 1
    width = n_words(n_sources, n_symbols, most_values)
    votes_a_word = -(-n_sources // max(width, 1))
    codes = jnp.pad(codes, ((0, 0), (0, width * votes_a_word - n_sources)), constant_values=-1)
    words = jnp.zeros((codes.shape[0], width), jnp.int32)
    for place in range(votes_a_word):
        of_place = codes[:, place * width : (place + 1) * width]
        here = (of_place >= 0) & (of_place < n_symbols)
        words += jnp.where(here, of_place.astype(jnp.int32) + 1, 0) * base**place
    n_values = base**votes_a_word
    word = jnp.uint8 if n_values <= 2**8 else jnp.uint16
    return PackedLayout(words.astype(word), n_sources, n_symbols, votes_a_word)
