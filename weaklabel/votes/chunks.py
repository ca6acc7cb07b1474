"""Votes that do not fit in memory: read chunk by chunk, as often as a fit needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import Votes
from weaklabel.votes.validation import check_count

Chunk = Votes | ArrayLike


class VoteChunks:
    """Votes on N items in chunks of rows, which are read several times and never held together.

    Examples:
        >>> import numpy as np
        >>> chunks = VoteChunks([np.array([[0, 1, 1]]), np.array([[1, 1, -1], [0, 0, 0]])], n_classes=2)
        >>> [part.n_items for part in chunks]
        [1, 2]
    """

    def __init__(
        self,
        chunks: Sequence[Chunk] | Callable[[], Iterable[Chunk]],
        n_classes: int,
        *,
        sources: Sequence[str] | None = None,
    ) -> None:
        """Takes chunks, or a function that starts reading them anew.

        Args:
            chunks: Votes, or whole numbers [n, M] as in `Votes.from_codes`, in the order of the items; or a function
                without arguments that returns an iterable of these, the same ones at each call.
            n_classes: K, at least 2.
            sources: M distinct names, for chunks that are arrays.

        Raises:
            InvalidArgumentError: for an iterator, which can be read only once.
        """
        if isinstance(chunks, Iterator):
            raise InvalidArgumentError(
                "an iterator can be read only once, and a fit reads its votes several times: pass a list of chunks, or "
                "a function that makes the iterator",
                field="chunks",
            )
        self._read: Callable[[], Iterable[Any]] = chunks if callable(chunks) else lambda: chunks
        self._started: Iterable[Any] | None = None
        self.n_classes = check_count(n_classes, "n_classes", 2)
        self._sources = None if sources is None else tuple(sources)

    def __iter__(self) -> Iterator[Votes]:
        """The chunks as Votes, from the first on; chunks without rows are left out.

        Raises:
            InvalidVotesError: where a chunk cannot be read, or has other sources or classes than those before it.
            InvalidArgumentError: where the function returns the iterator that it returned before.
        """
        names, before, self._started = self._sources, self._started, self._read()
        if isinstance(self._started, Iterator) and self._started is before:
            raise InvalidArgumentError("the function must start a new iterator at each call", field="chunks")
        for number, chunk in enumerate(self._started):
            votes = self._votes(chunk, number)
            if names is not None and votes.source_names != tuple(names):
                raise InvalidVotesError(f"chunk {number} has other sources than the chunks before it", field="chunks")
            names = votes.source_names
            if votes.n_items:
                yield votes

    def with_ids(self) -> Iterator[Votes]:
        """The same with the ids of the items, where there are any."""
        return iter(self)

    def _votes(self, chunk: Chunk, number: int) -> Votes:
        try:
            votes = (
                chunk if isinstance(chunk, Votes) else Votes.from_codes(chunk, self.n_classes, sources=self._sources)
            )
        except InvalidVotesError as error:
            raise InvalidVotesError(f"chunk {number}: {error}", field="chunks") from error
        if votes.n_classes != self.n_classes:
            raise InvalidVotesError(
                f"chunk {number} is over {votes.n_classes} classes, not {self.n_classes}", field="chunks"
            )
        return votes
