"""Calls and streams over a channel, for code that waits."""

import queue
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
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
_Outbox = queue.SimpleQueue[Message | None]


class Connection:
    """A channel to a server, and what is performed over it. Safe to share between threads."""

    def __init__(
        self,
        target: str,
        *,
        security: channel.Security,
        timeout: float,
        reconnect_timeout: float,
    ) -> None:
        self.target = target
        self._metadata = security.metadata
        credentials = security.credentials
        self._timeout = timeout
        self._reconnect_timeout = reconnect_timeout
        self._closed = False
        options = channel.options()
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, credentials, options)
        self._unary = {
            rpc: self._channel.unary_unary(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in rpcs.UNARY
        }
        self._streams = {
            rpc: self._channel.stream_stream(rpc.path, rpc.request.SerializeToString, rpc.response.FromString)
            for rpc in rpcs.STREAMS
        }

    def close(self) -> None:
        """Closes the channel; calls that run are cancelled. A second time does nothing."""
        self._closed = True
        self._channel.close()

    def wait_for_ready(self, timeout: float) -> None:
        """Waits until the server answers, for so many seconds at most.

        Raises:
            Unavailable: It did not.
        """
        self.check_open()
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise Unavailable(f"no server of weaklabel answered at {self.target} within {timeout:g} s") from None

    def check_open(self) -> None:
        """Raise RuntimeError once the connection is closed."""
        if self._closed:
            raise RuntimeError(f"<Client of {self.target}> is closed")

    def perform(self, call: calls.Call[Result], timeout: float | None = None) -> Result:
        """Makes a unary call, and reads its response; again where the server says when, within the timeout."""
        self.check_open()
        seconds = self._timeout if timeout is None else timeout
        retries = Retries(seconds)
        while True:
            try:
                response = self._unary[call.rpc](call.request, timeout=retries.remaining(), metadata=self._metadata)
            except grpc.RpcError as failure:
                error = from_rpc_error(failure, self.target, call.rpc.method, seconds)
            else:
                return call.read(response)
            if (wait := retries.wait(error)) is None:
                raise error
            time.sleep(wait)

    def pages(self, listing: calls.Listing[Result]) -> Iterator[Result]:
        """The elements of all pages of a listing."""
        token = ""
        while True:
            page, token = self.perform(listing(token))
            yield from page
            if not token:
                return

    def upload(
        self,
        job: Job[Any, Any, Reported],
        blocks: Iterable[Any],
        progress: bool | Callable[[Reported], None],
        timeout: float | None,
        what: str = "upload",
    ) -> None:
        """Performs an upload, and reports its progress."""
        with shown(progress, what) as report:
            for state in self.converse(job, blocks, timeout):
                report(state)

    def upload_side_data(
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
        self.upload(job, blocks, progress, timeout)
        return self.perform(calls.get_side_data(job.name))

    def collect(self, job: ReportJob[Any, Any, Result], timeout: float | None) -> Result:
        """Performs a download that has one result."""
        for _ in self.converse(job, (), timeout):
            pass
        return job.result()

    def converse(
        self,
        job: Job[Any, Any, Result],
        blocks: Iterable[Any],
        timeout: float | None,
    ) -> Iterator[Result]:
        """Performs a streaming call over as many connections as it takes; yields its outputs.

        Args:
            job: The call.
            blocks: The input that it is fed with.
            timeout: Seconds for the whole call; None for any time.
        """
        backoff = Backoff(timeout, self._reconnect_timeout)
        pending = iter(blocks)
        while True:
            self.check_open()
            job.connected()
            while job.is_hungry():
                self._feed(job, pending)
            if job.is_done():
                return
            outbox: _Outbox = queue.SimpleQueue()  # None ends what is sent
            call: Any = self._streams[job.rpc](
                iter(outbox.get, None), timeout=backoff.remaining(), metadata=self._metadata
            )
            try:
                while True:
                    self._send(job, pending, outbox)
                    try:
                        response = next(call, None)
                    except grpc.RpcError as failure:
                        error = from_rpc_error(failure, self.target, job.rpc.method, timeout)
                        break
                    if response is None:
                        job.ended()
                        error = Unavailable("the server ended the stream before its end")
                        break
                    for output in job.received(response):
                        backoff.progressed()
                        yield output
            finally:
                outbox.put(None)
                call.cancel()
            if job.is_done():
                return
            if (wait := backoff.wait(error)) is None:
                raise job.gave_up(backoff.ended_by(error))
            time.sleep(wait)

    def _send(self, job: Job[Any, Any, Any], pending: Iterator[Any], outbox: _Outbox) -> None:
        """Sends what the job has to send, and feeds it for as long as it is hungry."""
        while True:
            for request in job.requests():
                outbox.put(request)
            if not job.is_hungry():
                break
            self._feed(job, pending)
        if job.sent_all:
            outbox.put(None)

    def _feed(self, job: Job[Any, Any, Any], pending: Iterator[Any]) -> None:
        job.feed(next(pending, None))
        if (project := job.needs_classes()) is not None:
            job.take_classes(len(self.perform(calls.get_project(project)).classes))
