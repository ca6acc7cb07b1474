"""The codebook of votes for more than one class.

K classes, C candidate sets, P soft votes. Inside the client a code of -3 - j stands for entry j of a codebook or of a
list of vote objects, because how many classes a project has is not always known where votes are read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_protocol.tensors import from_tensor, sets_from_tensor, sets_to_tensor, smallest_dtype, to_tensor
from weaklabel_protocol.v1 import symbols_pb2
from weaklabel_protocol.vote_objects import CandidateSet, SoftVote, vote_of

FIRST = -3

IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Codebook:
    """What codes from K on stand for.

    Attributes:
        candidate_sets: bool [C, K]: code K + c stands for the classes of row c.
        soft_votes: float32 [P, K]: code K + C + p stands for the probabilities of row p.
    """

    candidate_sets: npt.NDArray[np.bool_]
    soft_votes: npt.NDArray[np.float32]

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.candidate_sets.shape[1])

    def __len__(self) -> int:
        return len(self.candidate_sets) + len(self.soft_votes)

    def vote(self, code: int) -> int | CandidateSet | SoftVote:
        """What a code stands for: a class index, -1 or -2 itself, or a vote object."""
        return vote_of(int(code), self.candidate_sets, self.soft_votes)

    def to_message(self, codes: IntArray) -> tuple[IntArray, symbols_pb2.Codebook | None]:
        """Codes with -3 - j for entry j as labels of the contract, with the message of the entries that they use."""
        used = np.unique(FIRST - codes[codes <= FIRST])
        if not len(used):
            return codes.astype(smallest_dtype(codes), copy=False), None
        split = np.searchsorted(used, len(self.candidate_sets))
        labels = codes.astype(np.int32)
        labels[codes <= FIRST] = self.n_classes + np.searchsorted(used, FIRST - codes[codes <= FIRST])
        sets, rows = self.candidate_sets[used[:split]], self.soft_votes[used[split:] - len(self.candidate_sets)]
        message = symbols_pb2.Codebook(
            class_count=self.n_classes,
            candidate_sets=sets_to_tensor(sets) if len(sets) else None,
            soft_votes=to_tensor(rows, np.float32) if len(rows) else None,
        )
        return labels.astype(smallest_dtype(labels), copy=False), message

    @classmethod
    def from_message(cls, message: symbols_pb2.Codebook) -> "Codebook":
        """Reads the contract's message."""
        n_classes = message.class_count
        sets, rows = np.empty((0, n_classes), bool), np.empty((0, n_classes), np.float32)
        if message.HasField("candidate_sets"):
            sets = sets_from_tensor(message.candidate_sets, n_classes)
        if message.HasField("soft_votes"):
            rows = from_tensor(message.soft_votes).copy()
        return cls(sets, rows)

    @property
    def entry_bytes(self) -> int:
        """The most bytes that an entry takes in a message."""
        return 4 * self.n_classes if len(self.soft_votes) else -(-self.n_classes // 8)
