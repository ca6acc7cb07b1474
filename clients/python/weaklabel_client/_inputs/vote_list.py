"""Vote objects among numbers, before the number of classes is known."""

import numpy as np

from weaklabel_client._results.codebook import FIRST, Codebook, IntArray
from weaklabel_protocol.errors import InvalidVotesError
from weaklabel_protocol.vote_objects import ImpreciseVote, SoftVote, entries, misfit


class VoteList:
    """Vote objects, numbered as they come."""

    def __init__(self) -> None:
        self._index: dict[ImpreciseVote, int] = {}

    def code(self, vote: ImpreciseVote) -> int:
        """The code of a vote object."""
        return FIRST - self._index.setdefault(vote, len(self._index))

    def __len__(self) -> int:
        return len(self._index)

    def digest_bytes(self) -> bytes:
        """The content of all votes."""
        contents = [
            (type(vote).__name__, vote.probabilities if isinstance(vote, SoftVote) else vote.classes)
            for vote in self._index
        ]
        return "\0".join(map(repr, contents)).encode()

    def resolved(self, codes: IntArray, n_classes: int) -> tuple[IntArray, Codebook]:
        """The codes, and what they stand for, over K classes.

        Raises:
            InvalidVotesError: A vote does not fit them.
        """
        for vote in self._index:
            if reason := misfit(vote, n_classes):
                raise InvalidVotesError(f"votes: {vote} is no vote on {n_classes} classes: {reason}", field="votes")
        sets, soft, place = entries(self._index, n_classes)
        resolved = codes.astype(np.int32)
        is_entry = codes <= FIRST
        resolved[is_entry] = FIRST - place[FIRST - codes[is_entry]]
        return resolved, Codebook(sets, soft.astype(np.float32))


Symbols = Codebook | VoteList | None
"""What codes below -2 stand for; a VoteList until the number of classes is known."""
