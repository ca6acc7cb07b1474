"""Votes that lie in partitions on many machines: what is computed of them goes there, and comes back as sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeVar

from weaklabel.errors import InvalidVotesError
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.matrix import Votes

R = TypeVar("R")


class PartitionedVotes(ABC):
    """Votes on N items in numbered partitions, in the order of the items, the same ones at each reading.

    Attributes:
        n_classes: K.
        source_names: M names.
    """

    n_classes: int
    source_names: tuple[str, ...]

    @abstractmethod
    def reduce(
        self, of_partition: Callable[[int, Iterable[Votes]], R], add: Callable[[R, R], R], *, ids: bool = False
    ) -> R:
        """The sum of the results of a function on each partition.

        Args:
            of_partition: takes the number of a partition and its votes in parts; it is pickled, and called where the
                partition lies.
            add: associative; it may be called anywhere.
            ids: whether the votes must come with the ids of their items.

        Raises:
            InvalidVotesError: for votes that cannot be read or have no ids, or where there are no rows.
        """


class OnePartition(PartitionedVotes):
    """Votes in chunks that this process reads."""

    def __init__(self, chunks: VoteChunks) -> None:
        """Reads up to the first chunk.

        Raises:
            InvalidVotesError: if there is none.
        """
        first = next(iter(chunks), None)
        if first is None:
            raise InvalidVotesError("there are no rows", field="votes")
        self.n_classes, self.source_names, self._chunks = chunks.n_classes, first.source_names, chunks

    def reduce(
        self,
        of_partition: Callable[[int, Iterable[Votes]], R],
        add: Callable[[R, R], R],  # noqa: ARG002  # there is one
        *,
        ids: bool = False,
    ) -> R:
        """See `PartitionedVotes`."""
        return of_partition(0, self._chunks.with_ids() if ids else self._chunks)
