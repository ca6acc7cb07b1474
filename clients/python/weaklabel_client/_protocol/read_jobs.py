"""Downloads: the votes of a project, the soft labels of a model."""

from abc import abstractmethod
from collections.abc import Iterator

from weaklabel_client._exceptions import InternalError
from weaklabel_client._protocol.job import Job, Output
from weaklabel_client._protocol.resource_names import model_name, project_name
from weaklabel_client._protocol.rpcs import READ_SOFT_LABELS, READ_VOTES, Request, Response
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.types import SoftLabels, VoteMatrix
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import labels_pb2, votes_pb2


class ReadJob(Job[Request, Response, Output]):
    """A stream of chunks that the server sends; the next row is where a broken one goes on."""

    def __init__(self, row_offset: int, row_limit: int | None) -> None:
        if row_offset < 0 or (row_limit is not None and row_limit < 1):
            raise ValueError("row_offset is at least 0, and row_limit at least 1")
        self._first_row = self._next_row = row_offset
        self._rows_left = row_limit
        self._rows_again = 0  # at the beginning of what this connection brings

    def connected(self) -> None:
        self.sent_all = False
        # How many rows there are is not known, so the last one that arrived is asked for again: no request begins
        # behind the end, even where nothing but the end of the stream was lost.
        self._rows_again = min(1, self._next_row - self._first_row)

    def requests(self) -> Iterator[Request]:
        if not self.sent_all:
            self.sent_all = True
            limit = 0 if self._rows_left is None else self._rows_left + self._rows_again
            yield self._request(self._next_row - self._rows_again, limit)

    @abstractmethod
    def _request(self, row_offset: int, row_limit: int) -> Request: ...

    def _advance(self, row_offset: int, rows: int) -> int:
        """Takes note of the rows of a chunk; returns how many of the first of them had arrived before."""
        due = self._next_row - self._rows_again
        if row_offset != due:
            raise InternalError(f"the server sent row {row_offset} where row {due} was due")
        known = min(self._rows_again, rows)
        self._rows_again -= known
        self._next_row += rows - known
        if self._rows_left is not None:
            self._rows_left -= rows - known
            if self._rows_left < 0:
                raise InternalError(f"the server sent {-self._rows_left} rows more than it was asked for")
            self._done = self._rows_left == 0
        return known

    def ended(self) -> None:
        self._done = True


class ReadVotesJob(ReadJob[votes_pb2.ReadVotesRequest, votes_pb2.ReadVotesResponse, VoteMatrix]):
    """Reads one version of the votes."""

    rpc = READ_VOTES

    def __init__(self, project: str, votes_version: int | None, row_offset: int, row_limit: int | None) -> None:
        super().__init__(row_offset, row_limit)
        self._parent = project_name(project)
        self._votes_version = votes_version or 0
        self._sources: tuple[str, ...] = ()

    def _request(self, row_offset: int, row_limit: int) -> votes_pb2.ReadVotesRequest:
        return votes_pb2.ReadVotesRequest(
            parent=self._parent, votes_version=self._votes_version, row_offset=row_offset, row_limit=row_limit
        )

    def received(self, response: votes_pb2.ReadVotesResponse) -> Iterator[VoteMatrix]:
        self._votes_version = response.votes_version  # the newest stays the same version from now on
        self._sources = tuple(response.sources) or self._sources
        votes = from_tensor(response.votes)
        known = self._advance(response.row_offset, len(votes))
        if known == 0 or known < len(votes):
            items = tuple(response.item_ids)[known:] or None
            codebook = Codebook.from_message(response.codebook) if response.HasField("codebook") else None
            yield VoteMatrix(
                votes_version=self._votes_version,
                row_offset=response.row_offset + known,
                sources=self._sources,
                items=items,
                votes=votes[known:].copy(),
                codebook=codebook,
            )


class ReadSoftLabelsJob(ReadJob[labels_pb2.ReadSoftLabelsRequest, labels_pb2.ReadSoftLabelsResponse, SoftLabels]):
    """Reads the stored soft labels of a model."""

    rpc = READ_SOFT_LABELS

    def __init__(self, project: str, model: str | None, row_offset: int, row_limit: int | None) -> None:
        super().__init__(row_offset, row_limit)
        self._model = model_name(project, model)

    def _request(self, row_offset: int, row_limit: int) -> labels_pb2.ReadSoftLabelsRequest:
        return labels_pb2.ReadSoftLabelsRequest(model=self._model, row_offset=row_offset, row_limit=row_limit)

    def received(self, response: labels_pb2.ReadSoftLabelsResponse) -> Iterator[SoftLabels]:
        self._model = response.model or self._model  # "latest" stays the same model from now on
        probabilities, labels = from_tensor(response.probabilities), from_tensor(response.labels)[:, 0]
        known = self._advance(response.row_offset, len(probabilities))
        if known == 0 or known < len(probabilities):
            items = tuple(response.item_ids)[known:] or None
            yield SoftLabels(
                model=self._model,
                row_offset=response.row_offset + known,
                items=items,
                probabilities=probabilities[known:].copy(),
                labels=labels[known:].copy(),
            )
