"""New items to predict from: their votes and their side data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs import chunks
from weaklabel_client._inputs.side_data import bag_list, item_values
from weaklabel_client._inputs.side_values import BagRows, Values
from weaklabel_client._inputs.vote_list import VoteList
from weaklabel_client._inputs.votes import predict_block, votes_ids
from weaklabel_client._results.codebook import Codebook
from weaklabel_protocol.bags import Bags
from weaklabel_protocol.v1 import labels_pb2

Request = labels_pb2.PredictRequest | labels_pb2.PredictStreamRequest
VotesRequest = Request | labels_pb2.ExplainRequest | labels_pb2.PredictSetRequest


class PredictRows:
    """Items of which requests are made; votes, or features, or both.

    Args:
        votes: Votes [N, M] of any kind, or None.
        codebook: What codes from K on among them stand for.
        side_data: By kind, "prior", "groups", "features" and "bags"; None where there is none.

    Raises:
        ValueError: They cannot be read, or differ in their numbers of rows; the message names the place.
    """

    def __init__(self, votes: Any, codebook: Codebook | None = None, **side_data: Any) -> None:
        self.block = None if votes is None else predict_block(votes, codebook)
        items = votes_ids(votes)
        self._values: dict[str, Values] = {
            kind: item_values(kind, values, items)
            for kind, values in side_data.items()
            if values is not None and kind != "bags"
        }
        if self.block is None and "features" not in self._values:
            raise ValueError("votes: votes are needed, or features of items without votes")
        self.n_rows = self.block.n_rows if self.block is not None else self._values["features"].n_rows
        for kind, values in self._values.items():
            if values.n_rows != self.n_rows:
                raise ValueError(f"{kind}: there are {values.n_rows} rows for {self.n_rows} items")
        bags = side_data.get("bags")
        self._bags = None if bags is None else BagRows(_one_declaration(bags, self.n_rows))

    @classmethod
    def read(cls, chunk: Any) -> "PredictRows":
        """Reads one element of an iterable of chunks: votes [n, M], or a mapping of arguments of predict."""
        if isinstance(chunk, cls):
            return chunk
        return cls(**chunk) if isinstance(chunk, Mapping) else cls(chunk)

    @property
    def n_sources(self) -> int | None:
        """M; None without votes."""
        return None if self.block is None else self.block.n_sources

    @property
    def sources(self) -> tuple[str, ...] | None:
        """The names that the votes bring along."""
        return None if self.block is None else self.block.sources

    def needs_classes(self) -> bool:
        """Whether the number of classes is needed to make requests."""
        return self.block is not None and isinstance(self.block.symbols, VoteList)

    def resolve(self, n_classes: int) -> None:
        """Takes the number of classes."""
        if self.block is not None:
            self.block.resolve(n_classes)

    def fits_one_call(self) -> bool:
        """Whether they are few enough to be predicted in a unary call, whatever the number of classes."""
        return self.n_rows <= chunks.FEW_ROWS and int(self.row_bytes(0, self.n_rows).sum()) <= chunks.MAX_BYTES

    def row_bytes(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Bytes that each of these rows takes in a message, [stop - start]."""
        size = np.zeros(stop - start, np.int64) if self.block is None else self.block.row_bytes(start, stop)
        return sum((values.row_bytes(start, stop) for values in self._values.values()), start=size)

    def may_cut(self) -> bool:
        """Whether rows may go in several messages: bags must stay whole."""
        return self._bags is None

    def put_votes(self, request: VotesRequest, start: int, stop: int) -> None:
        """Adds the votes of these rows to a request that takes nothing else."""
        assert self.block is not None
        votes, codebook = self.block.part(start, stop)
        request.votes.CopyFrom(votes)
        if codebook is not None:
            request.codebook.CopyFrom(codebook)

    def put(self, request: Request, start: int, stop: int) -> None:
        """Adds these rows to a request."""
        if self.block is not None:
            self.put_votes(request, start, stop)
        for values in self._values.values():
            values.put(request.side, start, stop)
        if self._bags is not None:
            self._bags.put(request.side, 0, self._bags.n_rows)


def _one_declaration(declared: Any, n_items: int) -> Bags:
    listed = bag_list(declared)
    if len(listed) > 1:
        raise ValueError("bags: a prediction takes one kind of bags")
    (bags,) = listed
    if bags.n_items not in (None, n_items):
        raise ValueError(f"bags: bag_of is given for {bags.n_items} items, but there are {n_items} to predict")
    return bags
