"""The client for code that waits. Its twin for asyncio is weaklabel_client.aio."""

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from weaklabel_client import _calls, _channel, _rpcs, _streams, _votes
from weaklabel_client._backoff import Backoff
from weaklabel_client._exceptions import AlreadyExists, Unavailable, from_rpc_error
from weaklabel_client._operation import FitState, WaitingOperation
from weaklabel_client._predict import PredictRows
from weaklabel_client._progress import shown
from weaklabel_client._prompts import Prompts
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

Result = TypeVar("Result")
_Outbox = queue.SimpleQueue[Message | None]


class Client:
    """A connection to a weaklabel server. Safe to share between threads.

    Wherever a project is asked for, "spam" and "projects/spam" both do. A model is "m1", its full name, or None for
    the newest. Votes are class indices 0..K-1, -1 where a source abstains, -2 where it failed, or vote objects (one_of,
    not_, soft) that say less than one class. They are arrays [N, M], data frames, whose columns name the sources where
    they are strings, or weaklabel's own Votes, with their names and ids; names and ids that a call gives come first.

    Every call raises a ClientError when the server refuses it or cannot be reached, and a ValueError for what can be
    seen to be wrong before anything is sent. Calls that break off are repeated safely; streams go on where
    they stopped.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        timeout: float = _channel.TIMEOUT,
        reconnect_timeout: float = _channel.RECONNECT_TIMEOUT,
    ) -> None:
        """Opens the channel; the connection is made with the first call.

        Args:
            target: "host:port", or any other target of gRPC.
            credentials: Of grpc.ssl_channel_credentials(...), for TLS. None: not encrypted.
            token: Sent as "authorization: Bearer TOKEN". It needs TLS, unless the server is on this machine.
            timeout: Seconds that a unary call may take, unless the call says otherwise.
            reconnect_timeout: Seconds for which a broken stream is taken up again, where nothing arrives in between.
        """
        self._target = target
        self._metadata = _channel.metadata(target, credentials, token)
        self._timeout = timeout
        self._reconnect_timeout = reconnect_timeout
        self._closed = False
        options = _channel.options()
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, credentials, options)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        self._closed = True
        self._channel.close()

    def wait_for_ready(self, timeout: float = _channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most.

        Raises:
            Unavailable: It did not.
        """
        self._check_open()
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise Unavailable(f"{self._target} did not answer within {timeout} s") from None

    # Projects

    def create_project(
        self, project: str, classes: Iterable[str], *, exist_ok: bool = False, timeout: float | None = None
    ) -> Project:
        """Creates a project with the names of its K classes, in the order of their indices.

        Args:
            project: Its id: 1 to 63 characters out of a-z, 0-9, "-" and "_".
            classes: At least two, distinct. They are fixed for good.
            exist_ok: Whether a project of that name with these classes is as good.
            timeout: Seconds, instead of the client's.

        Raises:
            AlreadyExists: The name is taken; with exist_ok, by a project with other classes.
        """
        classes = _votes.names(classes, None, "classes")
        try:
            return self._perform(_calls.create_project(project, classes), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            return _calls.same_project(error, self.get_project(project, timeout=timeout), classes)

    def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return self._perform(_calls.get_project(project), timeout)

    def list_projects(self) -> Iterator[Project]:
        """All projects, by id."""
        return self._pages(_calls.list_projects())

    def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good.

        Raises:
            FailedPrecondition: One of its operations runs.
        """
        self._perform(_calls.delete_project(project), timeout)

    # Sources

    def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return self._perform(_calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> Iterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._pages(_calls.list_sources(project))

    def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return self._perform(_calls.delete_source(project, source), timeout)

    # Votes

    def upload_votes(
        self,
        project: str,
        votes: npt.ArrayLike | Iterable[Any],
        *,
        sources: Iterable[str] | None = None,
        items: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> UploadResult:
        """Uploads votes; they become visible together, as one new version.

        The later vote of a source on an item replaces the earlier one. A repeated upload of the same array adds
        nothing, and goes on where an earlier one was broken off. When the connection is lost, the upload goes on over
        a new one.

        Args:
            project: The project.
            votes: Integers [N, M]: N items, M sources, vote objects (one_of, not_, soft) among them or not; or soft
                votes [N, M, K], a row of NaN where a source abstains. Or an iterable of chunks, for more than memory
                holds: votes [n, M], or pairs of such votes and n item ids.
            sources: M names; by default those of the votes, or else "source_0", "source_1", ...
            items: N ids, for a project that names its items; by default those of weaklabel's Votes. Without any, row r
                is item r.
            codebook: What codes from K on in votes stand for, as read_votes gives it.
            upload_id: A UUID, to take up an upload of an iterable that was broken off. The iterable starts from its
                beginning; what the server has is skipped.
            progress: True for a bar on stderr, or a function that is called as rows become safe.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            ValueError: The votes are no matrix of integers, or names are not distinct; the message names the place.
            InvalidArgument: A vote is not among the project's classes.
            UploadInterrupted: The server was lost for longer than reconnect_timeout, or the timeout passed. The error
                says how many rows are safe; the same call goes on from there. Where several callers upload the same
                at once, they wait for each other, within these limits too.
        """
        job, blocks = _streams.upload_votes(project, votes, sources, items, codebook, upload_id)
        self._upload(job, blocks, progress, timeout)
        return job.result()

    def upload_triples(
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
        """Uploads votes where most sources are silent on most items: one triple a vote, in any order.

        Args:
            project: The project.
            items: Row of each vote, from 0; integers [votes].
            sources: Column of each vote, from 0; integers [votes].
            labels: Class index of each vote; integers [votes], vote objects among them or not. Of two votes of a source
                on an item the last counts.
            n_items: Number of items N; by default that of item_ids, or one more than the largest of items.
            source_names: M names; "source_0", "source_1", ... by default.
            item_ids: N ids, for a project that names its items. By default row r is item r.
            upload_id: See upload_votes.
            progress: See upload_votes.
            timeout: See upload_votes.

        Raises:
            ValueError: An index is out of range, or names are not distinct; the message names the place.
            InvalidArgument: See upload_votes.
            UploadInterrupted: See upload_votes.
        """
        triples = (items, sources, labels)
        job, blocks = _streams.upload_triples(project, triples, n_items, source_names, item_ids, upload_id)
        self._upload(job, blocks, progress, timeout)
        return job.result()

    def read_votes(self, project: str, *, votes_version: int | None = None, timeout: float | None = None) -> VoteMatrix:
        """The votes of a project, dense; the newest version unless one is named."""
        return _streams.joined_votes(list(self.iter_votes(project, votes_version=votes_version, timeout=timeout)))

    def iter_votes(
        self,
        project: str,
        *,
        votes_version: int | None = None,
        row_offset: int = 0,
        row_limit: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[VoteMatrix]:
        """The votes of a project in chunks of at most 65,536 rows."""
        return self._converse(_streams.ReadVotesJob(project, votes_version, row_offset, row_limit), (), timeout)

    # Side data

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
        """Uploads what is known of items beside the votes, to be named by fits.

        The same content of one kind is kept once: a repeated upload adds nothing, and goes on where an earlier one was
        broken off.

        Args:
            project: The project.
            kind: "gold": true classes [N], -1 where unknown, or a mapping from item ids. "prior": beliefs about the
                class [N, K], NaN in rows of which nothing is known. "groups": names or numbers [N]. "features": numbers
                [N, D], or a sparse matrix of SciPy. "bags": what class_counts, proportions, at_least_one, none_of,
                same_label or different_label make, or a list of them.
            values: The data.
            items: N ids, for a project that names its items. Without any, row r is item r.
            upload_id: A UUID, to take up an upload that was broken off.
            progress: See upload_votes.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            ValueError: The data cannot be read; the message begins with the kind.
            InvalidArgument: A class is not among the project's, or a row is no distribution.
            UploadInterrupted: See upload_votes.
        """
        job, blocks = _streams.upload_side_data(project, kind, values, items, upload_id)
        self._upload(job, blocks, progress, timeout)
        return self._perform(_calls.get_side_data(job.name))

    def list_side_data(self, project: str) -> Iterator[SideData]:
        """The side data of a project, newest first."""
        return self._pages(_calls.list_side_data(project))

    def delete_side_data(self, project: str, side_data: str, *, timeout: float | None = None) -> None:
        """Deletes side data, for good; models that were fitted with it stay."""
        self._perform(_calls.delete_side_data(project, side_data), timeout)

    # Prompts

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self)

    # Models

    def fit(
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
        """Starts to fit a model on the server, and returns at once.

        Args:
            project: The project.
            votes_version: The version of the votes to fit on; the newest by default.
            seed: For what is random in a fit. The same seed on the same votes gives the same model.
            max_iter: Limit of EM iterations; the server's by default.
            gold: True classes of items. This and the next ones are side data: arrays, which are uploaded first, or what
                upload_side_data returned. See there.
            gold_error: Share of gold that may be wrong, 0 to below 1.
            prior: Beliefs about the class of each item.
            groups: The group of each item: groups have a class balance each.
            bounds: By source, the accuracies (low, high) within which a person is sure.
            bags: Bags of items of which the numbers or shares of classes are known, or that agree or differ.
            features: Features of each item.
            items: N ids of what arrays of side data speak of, for a project that names its items.
            timeout: Seconds for the start, instead of the client's.

        Raises:
            ValueError: Side data cannot be read.
            FailedPrecondition: The project has no votes.
        """
        given = {"gold": gold, "prior": prior, "groups": groups, "features": features, "bags": bags}
        items = None if items is None else tuple(items)
        names: dict[str, str] = {}
        for kind, values in given.items():
            if isinstance(values, SideData | str):
                names[kind] = values if isinstance(values, str) else values.name
            elif values is not None:
                own_ids = kind == "bags" or isinstance(values, Mapping)
                ids = None if own_ids else items
                names[kind] = (self.upload_side_data(project, kind, values, items=ids)).name
        side = _calls.side_information(project, names, gold_error, bounds)
        call = _calls.fit(project, votes_version, seed, max_iter, side)
        return FitOperation(self, self._perform(call, timeout))

    def operation(self, name: str, *, timeout: float | None = None) -> "FitOperation":
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self, self._perform(_calls.get_operation(name), timeout))

    def list_operations(self, project: str) -> Iterator["FitOperation"]:
        """The fits of a project, newest first."""
        for message in self._pages(_calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self, message)

    def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return self._perform(_calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> Iterator[Model]:
        """The models of a project, newest first."""
        return self._pages(_calls.list_models(project))

    def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        self._perform(_calls.delete_model(project, model), timeout)

    # Labels

    def soft_labels(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items that a model was fitted on, float32 [N, K]."""
        return self.labels(project, model=model, timeout=timeout).probabilities

    def labels(self, project: str, *, model: str | None = None, timeout: float | None = None) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and the class that the model calls."""
        return _streams.joined_labels(list(self.iter_soft_labels(project, model=model, timeout=timeout)))

    def iter_soft_labels(
        self,
        project: str,
        *,
        model: str | None = None,
        row_offset: int = 0,
        row_limit: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[SoftLabels]:
        """The soft labels of a model in chunks of at most 65,536 rows."""
        return self._converse(_streams.ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)

    def predict(
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
        """The probabilities of the classes for new items.

        Args:
            project: The project.
            votes: Votes [N, M], of any kind that upload_votes takes. A source that failed (-2) counts as one that
                abstains. None where only features are known.
            model: A model; the newest by default.
            sources: M names, in the order of the columns; by default those of the votes, or else the model's own. A
                source of the model that is not among them abstains.
            codebook: What codes from K on in votes stand for, as read_votes gives it.
            prior: Beliefs about the class of each item [N, K], NaN in rows of which nothing is known.
            groups: The group of each item [N]; of one that the fit was not told, the balance of all is taken.
            features: Features [N, D], dense or sparse, where the model was fitted with features.
            bags: One declaration of bags of these items, by their positions; all items go in one message then.
            timeout: Seconds for the whole call, instead of the client's.

        Returns:
            float32 [N, K].
        """
        rows = PredictRows(votes, codebook, prior=prior, groups=groups, features=features, bags=bags)
        if rows.needs_classes():
            rows.resolve(len(self.get_project(project).classes))
        sources = rows.sources if sources is None else sources
        if rows.fits_one_call():
            return self._perform(_calls.predict(project, rows, model, sources), timeout)
        (answer,) = self.predict_stream(project, [rows], model=model, sources=sources, timeout=timeout)
        return answer.probabilities

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[SoftLabels]:
        """Soft labels of new votes without end: one answer for each chunk [n, M], in order.

        A chunk is votes, or a mapping of arguments of predict: votes, prior, groups, features.
        A few chunks are taken from the iterable ahead of the answers. All answers come from the same model, also when
        a newer one is fitted in the meantime. For the other arguments see predict.
        """
        return self._converse(_streams.PredictJob(project, model, sources), chunks, timeout)

    # The wire

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed")

    def _perform(self, call: _calls.Call[Result], timeout: float | None = None) -> Result:
        self._check_open()
        seconds = self._timeout if timeout is None else timeout
        try:
            response = self._unary[call.rpc](call.request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return call.read(response)

    def _pages(self, listing: _calls.Listing[Result]) -> Iterator[Result]:
        token = ""
        while True:
            page, token = self._perform(listing(token))
            yield from page
            if not token:
                return

    def _upload(
        self,
        job: _streams.UploadJob | _streams.SideUploadJob,
        blocks: Iterable[Any],
        progress: bool | Callable[[UploadProgress], None],
        timeout: float | None,
    ) -> None:
        with shown(progress, "upload") as report:
            for state in self._converse(job, blocks, timeout):
                report(state)

    def _converse(
        self,
        job: _streams.Job[Any, Any, Result],
        blocks: Iterable[Any],
        timeout: float | None,
    ) -> Iterator[Result]:
        backoff = Backoff(timeout, self._reconnect_timeout)
        pending = iter(blocks)
        while True:
            self._check_open()
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
                        error = from_rpc_error(failure)
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

    def _send(self, job: _streams.Job[Any, Any, Any], pending: Iterator[Any], outbox: _Outbox) -> None:
        """Sends what the job has to send, and feeds it for as long as it is hungry."""
        while True:
            for request in job.requests():
                outbox.put(request)
            if not job.is_hungry():
                break
            self._feed(job, pending)
        if job.sent_all:
            outbox.put(None)

    def _feed(self, job: _streams.Job[Any, Any, Any], pending: Iterator[Any]) -> None:
        job.feed(next(pending, None))
        if (project := job.asks_for_classes()) is not None:
            job.tell_classes(len(self.get_project(project).classes))


class FitOperation(FitState, WaitingOperation[FitProgress, Model]):
    """A fit that runs on the server. It goes on whether or not anyone waits for it."""
