"""The client for asyncio: the methods of weaklabel_client.Client as coroutines and asynchronous iterators.

Arguments, results and errors are those of the twin, where they are described.
"""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from weaklabel_client import _calls, _channel, _rpcs, _streams, _votes
from weaklabel_client._aio_prompts import PromptOperation, Prompts
from weaklabel_client._backoff import Backoff
from weaklabel_client._exceptions import AlreadyExists, Unavailable, from_rpc_error
from weaklabel_client._operation import AsyncOperation, FitState
from weaklabel_client._predict import PredictRows
from weaklabel_client._progress import shown
from weaklabel_client._symbols import Codebook
from weaklabel_client._types import (
    FitProgress,
    Model,
    Project,
    SideData,
    SoftLabels,
    Source,
    UploadProgress,
    UploadResult,
    VoteMatrix,
)

__all__ = ["Client", "FitOperation", "PromptOperation", "Prompts"]

Result = TypeVar("Result")
_Outbox = asyncio.Queue[Message | None]


class Client:
    """A connection to a weaklabel server, for one event loop. See weaklabel_client.Client."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        timeout: float = _channel.TIMEOUT,
        reconnect_timeout: float = _channel.RECONNECT_TIMEOUT,
    ) -> None:
        """Opens the channel on the running event loop; the connection is made with the first call.

        Raises:
            RuntimeError: No event loop runs.
        """
        asyncio.get_running_loop()
        self._target = target
        self._metadata = _channel.metadata(target, credentials, token)
        self._timeout = timeout
        self._reconnect_timeout = reconnect_timeout
        self._closed = False
        options = _channel.options()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, options)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, options)
        self._unary = {
            rpc: self._channel.unary_unary(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in _rpcs.UNARY
        }
        self._streams = {
            rpc: self._channel.stream_stream(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in _rpcs.STREAMS
        }

    def __repr__(self) -> str:
        return f"<Client of {self._target}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        self._closed = True
        await self._channel.close()

    async def wait_for_ready(self, timeout: float = _channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most."""
        self._check_open()
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout)
        except TimeoutError:
            raise Unavailable(f"{self._target} did not answer within {timeout} s") from None

    # Projects

    async def create_project(
        self, project: str, classes: Iterable[str], *, exist_ok: bool = False, timeout: float | None = None
    ) -> Project:
        """Creates a project with the names of its K classes, in the order of their indices."""
        classes = _votes.names(classes, None, "classes")
        try:
            return await self._perform(_calls.create_project(project, classes), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            return _calls.same_project(error, await self.get_project(project, timeout=timeout), classes)

    async def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return await self._perform(_calls.get_project(project), timeout)

    def list_projects(self) -> AsyncIterator[Project]:
        """All projects, by id."""
        return self._pages(_calls.list_projects())

    async def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good."""
        await self._perform(_calls.delete_project(project), timeout)

    # Sources

    async def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return await self._perform(_calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> AsyncIterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._pages(_calls.list_sources(project))

    async def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return await self._perform(_calls.delete_source(project, source), timeout)

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
        job, blocks = _streams.upload_votes(project, votes, sources, items, codebook, upload_id)
        await self._upload(job, blocks, progress, timeout)
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
        """Uploads votes where most sources are silent on most items: one triple a vote, in any order."""
        triples = (items, sources, labels)
        job, blocks = _streams.upload_triples(project, triples, n_items, source_names, item_ids, upload_id)
        await self._upload(job, blocks, progress, timeout)
        return job.result()

    async def read_votes(
        self, project: str, *, votes_version: int | None = None, timeout: float | None = None
    ) -> VoteMatrix:
        """The votes of a project, dense; the newest version unless one is named."""
        chunks = self.iter_votes(project, votes_version=votes_version, timeout=timeout)
        return _streams.joined_votes([chunk async for chunk in chunks])

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
        return self._converse(_streams.ReadVotesJob(project, votes_version, row_offset, row_limit), (), timeout)

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
        """Uploads what is known of items beside the votes, to be named by fits."""
        job, blocks = _streams.upload_side_data(project, kind, values, items, upload_id)
        await self._upload(job, blocks, progress, timeout)
        return await self._perform(_calls.get_side_data(job.name))

    def list_side_data(self, project: str) -> AsyncIterator[SideData]:
        """The side data of a project, newest first."""
        return self._pages(_calls.list_side_data(project))

    async def delete_side_data(self, project: str, side_data: str, *, timeout: float | None = None) -> None:
        """Deletes side data, for good; models that were fitted with it stay."""
        await self._perform(_calls.delete_side_data(project, side_data), timeout)

    # Prompts

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self)

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
        prior: Any = None,
        groups: Any = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Any = None,
        features: Any = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> "FitOperation":
        """Starts to fit a model on the server, and returns at once."""
        given = {"gold": gold, "prior": prior, "groups": groups, "features": features, "bags": bags}
        items = None if items is None else tuple(items)
        names: dict[str, str] = {}
        for kind, values in given.items():
            if isinstance(values, SideData | str):
                names[kind] = values if isinstance(values, str) else values.name
            elif values is not None:
                own_ids = kind == "bags" or isinstance(values, Mapping)
                ids = None if own_ids else items
                names[kind] = (await self.upload_side_data(project, kind, values, items=ids)).name
        side = _calls.side_information(project, names, gold_error, bounds)
        call = _calls.fit(project, votes_version, seed, max_iter, side)
        return FitOperation(self, await self._perform(call, timeout))

    async def operation(self, name: str, *, timeout: float | None = None) -> "FitOperation":
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self, await self._perform(_calls.get_operation(name), timeout))

    async def list_operations(self, project: str) -> AsyncIterator["FitOperation"]:
        """The fits of a project, newest first."""
        async for message in self._pages(_calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self, message)

    async def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return await self._perform(_calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> AsyncIterator[Model]:
        """The models of a project, newest first."""
        return self._pages(_calls.list_models(project))

    async def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        await self._perform(_calls.delete_model(project, model), timeout)

    # Labels

    async def soft_labels(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items that a model was fitted on, float32 [N, K]."""
        return (await self.labels(project, model=model, timeout=timeout)).probabilities

    async def labels(self, project: str, *, model: str | None = None, timeout: float | None = None) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and the class that the model calls."""
        chunks = self.iter_soft_labels(project, model=model, timeout=timeout)
        return _streams.joined_labels([chunk async for chunk in chunks])

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
        return self._converse(_streams.ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)

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
            return await self._perform(_calls.predict(project, rows, model, sources), timeout)
        answers = self.predict_stream(project, [rows], model=model, sources=sources, timeout=timeout)
        (answer,) = [answer async for answer in answers]
        return answer.probabilities

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any] | AsyncIterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[SoftLabels]:
        """Soft labels of new votes without end: one answer for each array [n, M], in order."""
        return self._converse(_streams.PredictJob(project, model, sources), chunks, timeout)

    # The wire

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed")

    async def _perform(self, call: _calls.Call[Result], timeout: float | None = None) -> Result:
        self._check_open()
        seconds = self._timeout if timeout is None else timeout
        try:
            response = await self._unary[call.rpc](call.request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return call.read(response)

    async def _pages(self, listing: _calls.Listing[Result]) -> AsyncIterator[Result]:
        token = ""
        while True:
            page, token = await self._perform(listing(token))
            for item in page:
                yield item
            if not token:
                return

    async def _upload(
        self,
        job: _streams.UploadJob | _streams.SideUploadJob,
        blocks: Iterable[Any] | AsyncIterable[Any],
        progress: bool | Callable[[UploadProgress], None],
        timeout: float | None,
    ) -> None:
        with shown(progress, "upload") as report:
            async with aclosing(self._converse(job, blocks, timeout)) as states:
                async for state in states:
                    report(state)

    async def _converse(
        self,
        job: _streams.Job[Any, Any, Result],
        blocks: Iterable[Any] | AsyncIterable[Any],
        timeout: float | None,
    ) -> AsyncGenerator[Result, None]:
        backoff = Backoff(timeout, self._reconnect_timeout)
        pending = _each(blocks)
        while True:
            self._check_open()
            job.connected()
            while job.is_hungry():
                await self._feed(job, pending)
            if job.is_done():
                return
            outbox: _Outbox = asyncio.Queue()  # None ends what is sent
            call = self._streams[job.rpc](_drained(outbox), timeout=backoff.remaining(), metadata=self._metadata)
            try:
                while True:
                    await self._send(job, pending, outbox)
                    try:
                        response = await call.read()
                    except grpc.RpcError as failure:
                        error = from_rpc_error(failure)
                        break
                    if response is grpc.aio.EOF:
                        job.ended()
                        error = Unavailable("the server ended the stream before its end")
                        break
                    for output in job.received(response):
                        backoff.progressed()
                        yield output
            finally:
                outbox.put_nowait(None)
                call.cancel()
            if job.is_done():
                return
            if (wait := backoff.wait(error)) is None:
                raise job.gave_up(backoff.ended_by(error))
            await asyncio.sleep(wait)

    async def _send(self, job: _streams.Job[Any, Any, Any], pending: AsyncIterator[Any], outbox: _Outbox) -> None:
        """Sends what the job has to send, and feeds it for as long as it is hungry."""
        while True:
            for request in job.requests():
                outbox.put_nowait(request)
            if not job.is_hungry():
                break
            await self._feed(job, pending)
        if job.sent_all:
            outbox.put_nowait(None)

    async def _feed(self, job: _streams.Job[Any, Any, Any], pending: AsyncIterator[Any]) -> None:
        job.feed(await anext(pending, None))
        if (project := job.asks_for_classes()) is not None:
            job.tell_classes(len((await self.get_project(project)).classes))


async def _drained(outbox: _Outbox) -> AsyncIterator[Message]:
    while (request := await outbox.get()) is not None:
        yield request


async def _each(blocks: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(blocks, AsyncIterable):
        async for block in blocks:
            yield block
    else:
        for block in blocks:
            yield block


class FitOperation(FitState, AsyncOperation[FitProgress, Model]):
    """A fit that runs on the server. It goes on whether or not anyone waits for it."""
