"""The client for asyncio: the methods of weaklabel_client.Client as coroutines and asynchronous iterators.

Arguments, results and errors are those of weaklabel_client.Client, where they are described.
"""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import numpy.typing as npt

from weaklabel_client._aio.connection import Connection
from weaklabel_client._aio.operations import FitOperation, PromptOperation
from weaklabel_client._aio.prompts import Prompts
from weaklabel_client._connection import channel
from weaklabel_client._exceptions import AlreadyExists
from weaklabel_client._inputs.names import names
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.side_data import GoldSampling, fit_side_data
from weaklabel_client._protocol import calls, upload_jobs
from weaklabel_client._protocol.predict_job import PredictJob
from weaklabel_client._protocol.read_jobs import ReadSoftLabelsJob, ReadVotesJob
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.joining import joined_labels, joined_votes
from weaklabel_client._results.types import (
    Model,
    NextToLabel,
    Project,
    SideData,
    SoftLabels,
    Source,
    UploadProgress,
    UploadResult,
    VoteMatrix,
)

__all__ = ["Client", "FitOperation", "PromptOperation", "Prompts"]


class Client:
    """A connection to a weaklabel server, for one event loop. See weaklabel_client.Client."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        timeout: float = channel.TIMEOUT,
        reconnect_timeout: float = channel.RECONNECT_TIMEOUT,
    ) -> None:
        """Opens the channel on the running event loop; the connection is made with the first call.

        Raises:
            RuntimeError: No event loop runs.
        """
        self._connection = Connection(
            target, credentials=credentials, token=token, timeout=timeout, reconnect_timeout=reconnect_timeout
        )

    def __repr__(self) -> str:
        return f"<Client of {self._connection.target}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        await self._connection.close()

    async def wait_for_ready(self, timeout: float = channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most."""
        await self._connection.wait_for_ready(timeout)

    # Projects

    async def create_project(
        self, project: str, classes: Iterable[str], *, exist_ok: bool = False, timeout: float | None = None
    ) -> Project:
        """Creates a project with the names of its K classes, in the order of their indices."""
        classes = names(classes, None, "classes")
        try:
            return await self._connection.perform(calls.create_project(project, classes), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            return calls.same_project(error, await self.get_project(project, timeout=timeout), classes)

    async def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return await self._connection.perform(calls.get_project(project), timeout)

    def list_projects(self) -> AsyncIterator[Project]:
        """All projects, by id."""
        return self._connection.pages(calls.list_projects())

    async def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good."""
        await self._connection.perform(calls.delete_project(project), timeout)

    # Sources

    async def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return await self._connection.perform(calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> AsyncIterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._connection.pages(calls.list_sources(project))

    async def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return await self._connection.perform(calls.delete_source(project, source), timeout)

    # Votes

    async def upload_votes(
        self,
        project: str,
        votes: npt.ArrayLike | Iterable[Any] | AsyncIterable[Any],
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> UploadResult:
        """Uploads votes [N, M], or an iterable of chunks of them, which may be asynchronous."""
        job, blocks = upload_jobs.upload_votes(project, votes, sources, items, codebook, upload_id)
        await self._connection.upload(job, blocks, progress, timeout)
        return job.result()

    async def upload_triples(
        self,
        project: str,
        items: npt.ArrayLike,
        sources: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        n_items: int | None = None,
        source_names: Iterable[str] | None = None,
        item_ids: Iterable[str] | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> UploadResult:
        """Uploads votes where most sources are silent on most items: one triple per vote, in any order."""
        triples = (items, sources, labels)
        job, blocks = upload_jobs.upload_triples(project, triples, n_items, source_names, item_ids, upload_id)
        await self._connection.upload(job, blocks, progress, timeout)
        return job.result()

    async def read_votes(
        self, project: str, *, votes_version: int | None = None, timeout: float | None = None
    ) -> VoteMatrix:
        """The votes of a project, dense; the newest version unless one is named."""
        chunks = self.iter_votes(project, votes_version=votes_version, timeout=timeout)
        return joined_votes([chunk async for chunk in chunks])

    def iter_votes(
        self,
        project: str,
        *,
        votes_version: int | None = None,
        row_offset: int = 0,
        row_limit: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[VoteMatrix]:
        """The votes of a project in chunks of at most 65,536 rows."""
        return self._connection.converse(ReadVotesJob(project, votes_version, row_offset, row_limit), (), timeout)

    # Side data

    async def upload_side_data(
        self,
        project: str,
        kind: str,
        values: Any,
        *,
        items: Iterable[str] | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> SideData:
        """Uploads side data of items, to be named by fits."""
        return await self._connection.upload_side_data(
            project, kind, values, items=items, upload_id=upload_id, progress=progress, timeout=timeout
        )

    def list_side_data(self, project: str) -> AsyncIterator[SideData]:
        """The side data of a project, newest first."""
        return self._connection.pages(calls.list_side_data(project))

    async def delete_side_data(self, project: str, side_data: str, *, timeout: float | None = None) -> None:
        """Deletes side data, for good; models that were fitted with it stay."""
        await self._connection.perform(calls.delete_side_data(project, side_data), timeout)

    # Prompts

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self._connection)

    # Models

    async def fit(
        self,
        project: str,
        *,
        votes_version: int | None = None,
        seed: int = 0,
        max_iter: int | None = None,
        gold: Any = None,
        gold_error: float = 0.0,
        gold_weight: Any = None,
        gold_sampling: GoldSampling = "auto",
        prior: Any = None,
        groups: Any = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Any = None,
        features: Any = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> FitOperation:
        """Starts to fit a model on the server, and returns at once."""
        kinds = {"gold": gold, "gold_weight": gold_weight, "prior": prior, "groups": groups}
        side_data = fit_side_data(items, **kinds, features=features, bags=bags)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (await self._connection.upload_side_data(project, kind, values, items=ids)).name
        side = calls.side_information(project, side_data.names, gold_error, gold_sampling, bounds)
        call = calls.fit(project, votes_version, seed, max_iter, side)
        return FitOperation(self._connection, await self._connection.perform(call, timeout))

    async def operation(self, name: str, *, timeout: float | None = None) -> FitOperation:
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self._connection, await self._connection.perform(calls.get_operation(name), timeout))

    async def list_operations(self, project: str) -> AsyncIterator[FitOperation]:
        """The fits of a project, newest first."""
        async for message in self._connection.pages(calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self._connection, message)

    async def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return await self._connection.perform(calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> AsyncIterator[Model]:
        """The models of a project, newest first."""
        return self._connection.pages(calls.list_models(project))

    async def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        await self._connection.perform(calls.delete_model(project, model), timeout)

    # Labels

    async def soft_labels(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items that a model was fitted on, float32 [N, K]."""
        return (await self.labels(project, model=model, timeout=timeout)).probabilities

    async def labels(self, project: str, *, model: str | None = None, timeout: float | None = None) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and its hard labels."""
        chunks = self.iter_soft_labels(project, model=model, timeout=timeout)
        return joined_labels([chunk async for chunk in chunks])

    def iter_soft_labels(
        self,
        project: str,
        *,
        model: str | None = None,
        row_offset: int = 0,
        row_limit: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[SoftLabels]:
        """The soft labels of a model in chunks of at most 65,536 rows."""
        return self._connection.converse(ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)

    async def predict(
        self,
        project: str,
        votes: npt.ArrayLike | None = None,
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        prior: Any = None,
        groups: Any = None,
        features: Any = None,
        bags: Any = None,
        timeout: float | None = None,
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for new votes [N, M], float32 [N, K]."""
        rows = PredictRows(votes, codebook, prior=prior, groups=groups, features=features, bags=bags)
        if rows.needs_classes():
            rows.resolve(len((await self.get_project(project)).classes))
        sources = rows.sources if sources is None else sources
        if rows.fits_one_call():
            return await self._connection.perform(calls.predict(project, rows, model, sources), timeout)
        chunks = self.predict_stream(project, [rows], model=model, sources=sources, timeout=timeout)
        (chunk,) = [chunk async for chunk in chunks]
        return chunk.probabilities

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any] | AsyncIterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[SoftLabels]:
        """Soft labels of new votes without end: one reply for each array [n, M], in order."""
        return self._connection.converse(PredictJob(project, model, sources), chunks, timeout)

    async def next_to_label(
        self,
        project: str,
        n: int,
        *,
        gold: Any = None,
        model: str | None = None,
        seed: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> NextToLabel:
        """Draws n items whose labels would teach the model most, with the weights that fit needs beside their gold."""
        side_data = fit_side_data(items, gold=gold)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (await self._connection.upload_side_data(project, kind, values, items=ids)).name
        call = calls.next_to_label(project, n, model, side_data.names, seed)
        return await self._connection.perform(call, timeout)
