"""Calls and streams over a channel, for asyncio."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from weaklabel_client._connection import channel
from weaklabel_client._connection.backoff import Backoff, Retries
from weaklabel_client._exceptions import Unavailable, from_rpc_error
from weaklabel_client._progress import Reported, shown
from weaklabel_client._protocol import calls, rpcs
from weaklabel_client._protocol.job import Job
from weaklabel_client._protocol.report_job import ReportJob
from weaklabel_client._protocol.upload_jobs import upload_side_data
from weaklabel_client._results.types import SideData, UploadProgress

Result = TypeVar("Result")
_Outbox = asyncio.Queue[Message | None]


class Connection:
    """A channel to a server, for one event loop, and what is performed over it."""

    def __init__(
        self,
        target: str,
        *,
        security: channel.Security,
        timeout: float,
        reconnect_timeout: float,
    ) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "a client for asyncio belongs to a running event loop: make it inside of an async function, as in "
                "`async with weaklabel_client.aio.Client(target) as client`, not in a module; code without asyncio "
                "takes weaklabel_client.Client"
            ) from None
        self.target = target
        self._metadata = security.metadata
        credentials = security.credentials
        self._timeout = timeout
        self._reconnect_timeout = reconnect_timeout
        self._closed = False
        options = channel.options()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(target, options)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials, options)
        self._unary = {
            rpc: self._channel.unary_unary(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in rpcs.UNARY
        }
        self._streams = {
            rpc: self._channel.stream_stream(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in rpcs.STREAMS
        }

    async def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        self._closed = True
        await self._channel.close()

    async def wait_for_ready(self, timeout: float) -> None:
        """Waits until the server answers, for so many seconds at most."""
        self.check_open()
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout)
        except TimeoutError:
            raise Unavailable(f"no server of weaklabel answered at {self.target} within {timeout:g} s") from None

    def check_open(self) -> None:
        """Raise RuntimeError once the connection is closed."""
        if self._closed:
            raise RuntimeError(f"<Client of {self.target}> is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                f"<Client of {self.target}> belongs to another event loop: make one in each, as in each asyncio.run"
            )

    async def perform(self, call: calls.Call[Result], timeout: float | None = None) -> Result:
        """Makes a unary call, and reads its response; again where the server says when, within the timeout."""
        self.check_open()
        seconds = self._timeout if timeout is None else timeout
        retries = Retries(seconds)
        while True:
            try:
                response = await self._unary[call.rpc](
                    call.request, timeout=retries.remaining(), metadata=self._metadata
                )
            except grpc.RpcError as failure:
                error = from_rpc_error(failure, self.target, call.rpc.method, seconds)
            else:
                return call.read(response)
            if (wait := retries.wait(error)) is None:
                raise error
            await asyncio.sleep(wait)

    async def pages(self, listing: calls.Listing[Result]) -> AsyncIterator[Result]:
        """The elements of all pages of a listing."""
        token = ""
        while True:
            page, token = await self.perform(listing(token))
            for item in page:
                yield item
            if not token:
                return

    async def upload(
        self,
        job: Job[Any, Any, Reported],
        blocks: Iterable[Any] | AsyncIterable[Any],
        progress: bool | Callable[[Reported], None],
        timeout: float | None,
        what: str = "upload",
    ) -> None:
        """Performs an upload, and reports its progress."""
        with shown(progress, what) as report:
            async with aclosing(self.converse(job, blocks, timeout)) as states:
                async for state in states:
                    report(state)

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
        """Uploads side data of one kind."""
        job, blocks = upload_side_data(project, kind, values, items, upload_id)
        await self.upload(job, blocks, progress, timeout)
        return await self.perform(calls.get_side_data(job.name))

    async def collect(self, job: ReportJob[Any, Any, Result], timeout: float | None) -> Result:
        """Performs a download that has one result."""
        async for _ in self.converse(job, (), timeout):
            pass
        return job.result()

    async def converse(
        self,
        job: Job[Any, Any, Result],
        blocks: Iterable[Any] | AsyncIterable[Any],
        timeout: float | None,
    ) -> AsyncGenerator[Result, None]:
        """Performs a streaming call over as many connections as it takes; yields its outputs.

        Args:
            job: The call.
            blocks: The input that it is fed with.
            timeout: Seconds for the whole call; None for any time.
        """
        backoff = Backoff(timeout, self._reconnect_timeout)
        pending = _each(blocks)
        while True:
            self.check_open()
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
                        error = from_rpc_error(failure, self.target, job.rpc.method, timeout)
                        break
                    except asyncio.CancelledError:
                        task = asyncio.current_task()
                        if task is None or task.cancelling():
                            raise
                        # gRPC itself: a deadline that passes while a message is being sent cancels the call.
                        error = Unavailable("the call ended before its answer")
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

    async def _send(self, job: Job[Any, Any, Any], pending: AsyncIterator[Any], outbox: _Outbox) -> None:
        """Sends what the job has to send, and feeds it for as long as it is hungry."""
        while True:
            for request in job.requests():
                outbox.put_nowait(request)
            if not job.is_hungry():
                break
            await self._feed(job, pending)
        if job.sent_all:
            outbox.put_nowait(None)

    async def _feed(self, job: Job[Any, Any, Any], pending: AsyncIterator[Any]) -> None:
        job.feed(await anext(pending, None))
        if (project := job.needs_classes()) is not None:
            job.take_classes(len((await self.perform(calls.get_project(project))).classes))


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
