"""Reading votes: as a matrix, as triples, counted, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.counting import FEW_CLASSES, counts_of_matrix, counts_of_triples, n_votes
from weaklabel.votes.matrix.state import VotesState, read_only
from weaklabel.votes.symbols import CandidateSet, SoftVote
from weaklabel.votes.validation import ABSTAIN, ERROR, Codes


class Reading(VotesState):
    """Methods of `Votes` that say what the votes are."""

    __slots__ = ()

    @property
    def n_sources(self) -> int:
        """M."""
        return len(self.source_names)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        return self.n_items, self.n_sources

    @property
    def is_sparse(self) -> bool:
        """Whether the votes are kept as triples."""
        return self._matrix is None

    @property
    def is_plain(self) -> bool:
        """Whether every vote is for one class: no candidate sets and no soft votes."""
        return not len(self.symbols)

    @property
    def n_votes(self) -> int:
        """Number of votes, abstains and errors left out."""
        return n_votes(self._values if self._matrix is None else self._matrix)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """[M] share of the items on which each source voted."""
        return self._per_source(lambda codes: codes >= 0) / max(self.n_items, 1)

    @property
    def errors(self) -> NDArray[np.int64]:
        """[M] number of items on which each source failed."""
        return self._per_source(lambda codes: codes == ERROR)

    def _per_source(self, choose: Callable[[Codes], NDArray[np.bool_]]) -> NDArray[np.int64]:
        if self._matrix is None:
            return np.bincount(self._columns[choose(self._values)], minlength=self.n_sources).astype(np.int64)
        return np.asarray(np.count_nonzero(choose(self._matrix), axis=0), np.int64)

    def to_codes(self) -> Codes:
        """[N, M] in the smallest signed integer type: class index, ABSTAIN, ERROR, or a code of `symbols`.

        Read-only where kept dense.
        """
        if self._matrix is not None:
            return self._matrix
        codes = np.full(self.shape, ABSTAIN, self._values.dtype)
        codes[self._rows, self._columns] = self._values
        return codes

    def to_dense(self) -> Codes:
        """[N, M] in the smallest signed integer type: class index or code of `symbols`; ABSTAIN where there is no vote.

        Read-only where it is what is kept: dense, and no source failed.
        """
        codes = self.to_codes()
        return np.maximum(codes, ABSTAIN, dtype=codes.dtype) if self.errors.any() else codes

    def to_sparse(self) -> Self:
        """The same votes, kept as triples."""
        if self._matrix is None:
            return self
        cells = self._parts().cells
        return self._make(*self._parts()._replace(layout=cells))

    def triples(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """(items, sources, labels), [V] each, votes only, sorted by item, then source; labels from K on are codes.

        Read-only.
        """
        rows, columns, codes = self._cells(lambda codes: codes >= 0)
        return read_only(rows), read_only(columns), read_only(codes.astype(np.int32))

    def _cells(
        self, choose: Callable[[Codes], NDArray[np.bool_]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], Codes]:
        """(items, sources, codes) of the cells chosen by their codes, sorted by item, then source."""
        if self._matrix is None:
            chosen = choose(self._values)
            if chosen.all():
                return self._rows, self._columns, self._values
            return self._rows[chosen], self._columns[chosen], self._values[chosen]
        rows, columns = np.nonzero(choose(self._matrix))
        return rows.astype(np.int32), columns.astype(np.int32), self._matrix[rows, columns]

    def counts(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """[N, K] number of votes for each class on each item.

        Whole numbers for plain votes. Otherwise expected ones, as float64: a candidate set counts in equal shares for
        its classes, a soft vote by its probabilities.
        """
        if self.is_plain and self._matrix is not None and self.n_classes <= FEW_CLASSES:
            return counts_of_matrix(self._matrix, self.n_classes)
        rows, _, labels = self.triples()
        return counts_of_triples(rows, labels, self.n_items, self.symbols)

    def vote_at(self, item: int, source: int | str) -> int | CandidateSet | SoftVote:
        """The vote of a source, by column or name, on an item: a class index, ABSTAIN, ERROR or a vote object.

        A vote made by `not_` comes back as the candidate set of the other classes.

        Raises:
            InvalidVotesError: for a source or an item that is not there.
        """
        column = self._columns_of([source])[0] if isinstance(source, str) else source
        if not (isinstance(item, (int, np.integer)) and isinstance(column, (int, np.integer))):
            raise InvalidVotesError(f"there is no vote at item {item!r}, source {source!r}: give positions")
        if not (0 <= item < self.n_items and 0 <= column < self.n_sources):
            raise InvalidVotesError(f"there is no vote at item {item}, source {source}: shape {self.shape}")
        if self._matrix is not None:
            return self.symbols.vote(int(self._matrix[item, column]))
        start, stop = np.searchsorted(self._rows, np.array([item, item + 1], self._rows.dtype))
        at = start + np.searchsorted(self._columns[start:stop], column)
        return self.symbols.vote(int(self._values[at]) if at < stop and self._columns[at] == column else ABSTAIN)
