"""How votes lie in memory, as all that uses them sees it.

Shapes: U rows, M sources, S vote symbols (the K classes, then the candidate sets), K classes, C any number of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

Tree = TypeVar("Tree")
"""Any pytree of arrays."""


class Block(NamedTuple):
    """Consecutive rows of a layout."""

    number: Array | int
    """Of the block, from 0."""
    layout: Layout
    """Their votes."""
    part: Callable[[Array], Array]
    """Takes values of all rows, rows first, to those of the block."""


@runtime_checkable
class Layout(Protocol):
    """How votes lie in memory: a linear operator.

    Write the votes as a matrix X of shape [U, M*S]: one row for each distinct vote row, one column for each (source,
    symbol), 1 where the source showed it. EM multiplies by X (log-likelihoods, E-step) and by its transpose (expected
    counts, M-step).
    """

    @property
    def n_rows(self) -> int:
        """U, padded."""
        ...

    @property
    def block_rows(self) -> int:
        """Rows of a block; they divide U."""
        ...

    @property
    def n_cells(self) -> int:
        """Places for votes, empty ones included."""
        ...

    @property
    def is_weighted(self) -> bool:
        """Whether votes count by shares, because sources copy each other."""
        ...

    def unweighted(self) -> Layout:
        """The same votes, each of which counts wholly."""
        ...

    @property
    def streams(self) -> bool:
        """Whether rows are worked on block by block, so that what is made of a row is not kept for all rows."""
        ...

    def evidence(self, weights: Float[Array, "M S C"]) -> Float[Array, "U C"]:
        """X @ weights, each vote by its share: the sum of the weights of a row's votes."""
        ...

    def counts(
        self, values: Float[Array, "U C"], n_sources: int, n_symbols: int, start: Float[Array, "M S C"] | None = None
    ) -> Float[Array, "M S C"]:
        """X^T @ values: with responsibilities, how often each source showed each symbol in each class.

        Args:
            values: of the rows.
            n_sources: M.
            n_symbols: S.
            start: what the counts are added to; None for zeros.
        """
        ...

    def own_evidence(self, weights: Float[Array, "M K"]) -> Float[Array, "U K"]:
        """`evidence` of votes that speak for their own class only: the diagonal of the full weights."""
        ...

    def own_counts(self, values: Float[Array, "U K"], n_sources: int) -> Float[Array, "M K"]:
        """The diagonal of `counts`: how often each vote of each source is right."""
        ...

    def share_totals(self, weight: Float[Array, " U"], n_sources: int, n_symbols: int) -> Float[Array, " M"]:
        """Sum of the shares of each source's votes, rows weighted."""
        ...

    def map_blocks(self, function: Callable[[Layout], Tree]) -> Tree:
        """A tree of arrays with rows first, made of the votes block by block, so that no temporary is large."""
        ...

    def fold_blocks(self, function: Callable[[Block, Tree], Tree], start: Tree) -> Tree:
        """What the function makes of `start` and the first block, of that and the second, and so on."""
        ...

    def in_storage_order(self) -> tuple[Layout, NDArray[np.int32] | None, NDArray[np.int32] | None]:
        """The layout whose rows are in the order in which they are stored.

        With it the place [U] of each row, and the row [U] at each place; None where that is the order of the rows.
        """
        ...
