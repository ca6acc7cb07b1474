"""Votes as a matrix of symbols, in blocks of rows: for accelerators, for many classes, and where copies weigh votes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.layout.protocol import Block, Layout, Tree
from weaklabel.model.numerics.default_device import on_cpu
from weaklabel.votes.counting import FEW_CLASSES

BLOCK_ROWS = 1024
"""On a CPU: what is made of them stays in the cache."""
ACCELERATOR_BLOCKS = 64
"""Blocks that a GPU or TPU takes together: it has no such cache, and each step costs it a launch."""


class DenseLayout(NamedTuple):
    """Every cell of the matrix, in blocks of rows: one-hot products for few classes, gathers for many."""

    codes: Int[Array, "U M"]
    """Symbol index; negative where there is none, and S or above where the vote lies elsewhere."""
    shares: Float[Array, "U M"] | None
    """Weight of each vote as evidence; None where all are 1."""

    @property
    def n_rows(self) -> int:
        """See `Layout.n_rows`."""
        return self.codes.shape[0]

    @property
    def block_rows(self) -> int:
        """See `Layout.block_rows`."""
        size = BLOCK_ROWS if on_cpu() else ACCELERATOR_BLOCKS * BLOCK_ROWS
        return min(self.codes.shape[0], size)

    @property
    def n_cells(self) -> int:
        """See `Layout.n_cells`."""
        return self.codes.size

    @property
    def is_weighted(self) -> bool:
        """See `Layout.is_weighted`."""
        return self.shares is not None

    def unweighted(self) -> Layout:
        """See `Layout.unweighted`."""
        return self._replace(shares=None)

    @property
    def streams(self) -> bool:
        """See `Layout.streams`."""
        return False

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """See `Layout.evidence`."""

        def block(_: None, part: tuple[Array, Array | None]) -> tuple[None, Array]:
            codes, shares = part
            if weights.shape[1] <= FEW_CLASSES:
                one_hot = jax.nn.one_hot(codes, weights.shape[1], dtype=weights.dtype)
                if shares is not None:
                    one_hot = one_hot * shares[:, :, None]
                return None, one_hot.reshape(codes.shape[0], -1) @ weights.reshape(-1, weights.shape[2])

            def add(source: Array, total: Array) -> Array:
                symbols = codes[:, source].astype(jnp.int32)
                values = weights[source, symbols.clip(0, weights.shape[1] - 1)]
                share = ((symbols >= 0) & (symbols < weights.shape[1])).astype(weights.dtype)
                share = share if shares is None else share * shares[:, source]
                return total + values * share[:, None]

            start = jnp.zeros((codes.shape[0], weights.shape[2]), weights.dtype)
            return None, jax.lax.fori_loop(0, codes.shape[1], add, start)

        _, rows = jax.lax.scan(block, None, self.blocks())
        return rows.reshape(-1, weights.shape[2])

    def counts(
        self, values: Float[Array, "U C"], n_sources: int, n_symbols: int, start: Float[Array, "M S C"] | None = None
    ) -> Float[Array, "M S C"]:
        """See `Layout.counts`."""
        codes, _ = self.blocks()

        def block(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
            codes, values = part
            if n_symbols <= FEW_CLASSES:
                one_hot = jax.nn.one_hot(codes, n_symbols, dtype=values.dtype).reshape(codes.shape[0], -1)
                return total + one_hot.T @ values, None

            def add(source: Array, total: Array) -> Array:
                symbols = codes[:, source].astype(jnp.int32)
                voted = (symbols >= 0) & (symbols < n_symbols)
                places = jnp.where(voted, source * n_symbols + symbols, n_sources * n_symbols)
                return total.at[places].add(values, mode="drop")

            return jax.lax.fori_loop(0, codes.shape[1], add, total), None

        shape = (n_sources * n_symbols, values.shape[1])
        start = jnp.zeros(shape, values.dtype) if start is None else start.reshape(shape)
        total, _ = jax.lax.scan(block, start, (codes, values.reshape(*codes.shape[:2], values.shape[1])))
        return total.reshape(n_sources, n_symbols, values.shape[1])

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """See `Layout.own_evidence`."""
        return self.evidence(jax.vmap(jnp.diag)(weights))

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """See `Layout.own_counts`."""
        return jax.vmap(jnp.diag)(self.counts(values, n_sources, values.shape[1]))

    def share_totals(
        self,
        weight: Float[Array, " U"],
        n_sources: int,  # noqa: ARG002
        n_symbols: int,
    ) -> Float[Array, " M"]:
        """See `Layout.share_totals`."""
        voted = (self.codes >= 0) & (self.codes < n_symbols)
        of_cells = voted.astype(weight.dtype)
        return weight @ (of_cells if self.shares is None else of_cells * self.shares)

    def blocks(self) -> tuple[Array, Array | None]:
        """Codes and shares, [blocks, rows of a block, M]."""
        shape = (-1, self.block_rows, self.codes.shape[1])
        return self.codes.reshape(shape), None if self.shares is None else self.shares.reshape(shape)

    def map_blocks(self, function: Callable[[Layout], Tree]) -> Tree:
        """See `Layout.map_blocks`."""
        codes, shares = self.blocks()
        if len(codes) == 1:
            return function(self)
        _, made = jax.lax.scan(lambda _, part: (None, function(DenseLayout(*part))), None, (codes, shares))
        of_rows: Tree = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), made)
        return of_rows

    def fold_blocks(self, function: Callable[[Block, Tree], Tree], start: Tree) -> Tree:
        """See `Layout.fold_blocks`."""
        codes, shares = self.blocks()
        size = codes.shape[1]

        def step(total: Tree, part: tuple[Array, Array, Array | None]) -> tuple[Tree, None]:
            number, codes, shares = part

            def of_block(values: Array) -> Array:
                block: Array = jax.lax.dynamic_slice_in_dim(values, number * size, size)
                return block

            return function(Block(number, DenseLayout(codes, shares), of_block), total), None

        return jax.lax.scan(step, start, (jnp.arange(len(codes)), codes, shares))[0]

    def in_storage_order(self) -> tuple[Layout, NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """See `Layout.in_storage_order`."""
        return self, None, None
