"""What the columns of a stream of blocks are."""

from collections.abc import Iterable

from weaklabel_client._inputs.names import names


class Columns:
    """What the columns of a stream of blocks are: the sources that the user names, or else those of the first block."""

    def __init__(self, sources: Iterable[str] | None) -> None:
        self.names = None if sources is None else names(sources, None, "sources")
        self._by_user = self.names is not None
        self._count = None if self.names is None else len(self.names)

    def take(self, own_names: tuple[str, ...] | None, count: int) -> None:
        """Takes the number of columns of a block, and their names if it brings any along.

        Raises:
            ValueError: They differ from what they are in the stream.
        """
        if self._count is None:
            self.names, self._count = own_names, count
        if count != self._count:
            raise ValueError(f"votes: there are {count} columns for {self._count} sources")
        if not self._by_user and own_names not in (None, self.names):
            raise ValueError("votes: all chunks must name the same sources in the same order as the first one")
