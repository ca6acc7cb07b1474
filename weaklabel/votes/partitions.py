"""Votes that lie in partitions on many machines: what is computed of them goes there, and comes back as sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeVar

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
    def reduce(self, of_partition: Callable[[int, Iterable[Votes]], R], add: Callable[[R, R], R]) -> R:
        """The sum of the results of a function on each partition.

        Args:
            of_partition: takes the number of a partition and its votes in parts; it is pickled, and called where the
                partition lies.
            add: associative; it may be called anywhere.

        Raises:
            InvalidVotesError: for votes that cannot be read, or where there are no rows.
        """
