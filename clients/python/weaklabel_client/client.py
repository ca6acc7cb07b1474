"""The client for code that waits. The asyncio client is weaklabel_client.aio."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
import numpy.typing as npt

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
from weaklabel_client._sync.connection import Connection
from weaklabel_client._sync.operations import FitOperation
from weaklabel_client._sync.prompts import Prompts


class Client:
    """A connection to a weaklabel server. Safe to share between threads.

    Wherever a project is asked for, "spam" and "projects/spam" both do. A model is named by its id, which is the last
    part of `Model.name`, or by its full name; None is the newest. Votes are class indices 0..K-1, -1 where a source
    abstains, -2 where it failed, or vote objects (one_of, not_, soft) that say less than one class. They are arrays [N,
    M], data frames, whose columns name the sources where they are strings, or weaklabel's own Votes, with their names
    and ids; names and ids that a call gives come first.

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
        timeout: float = channel.TIMEOUT,
        reconnect_timeout: float = channel.RECONNECT_TIMEOUT,
    ) -> None:
        """Opens the channel; the connection is made with the first call.

        Args:
            target: "host:port", or any other target of gRPC.
            credentials: Of grpc.ssl_channel_credentials(...), for TLS. None: not encrypted.
            token: Sent as "authorization: Bearer TOKEN". It needs TLS, unless the server is on this machine.
            timeout: Seconds that a unary call may take, unless the call says otherwise.
            reconnect_timeout: Seconds for which a broken stream is taken up again, where nothing arrives in between.
        """
        self._connection = Connection(
            target, credentials=credentials, token=token, timeout=timeout, reconnect_timeout=reconnect_timeout
        )

    def __repr__(self) -> str:
        return f"<Client of {self._connection.target}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls that run are cancelled. A second time does nothing."""
        self._connection.close()

    def wait_for_ready(self, timeout: float = channel.TIMEOUT) -> None:
        """Waits until the server answers, for so many seconds at most.

        Raises:
            Unavailable: It did not.
        """
        self._connection.wait_for_ready(timeout)

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
        classes = names(classes, None, "classes")
        try:
            return self._connection.perform(calls.create_project(project, classes), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            return calls.same_project(error, self.get_project(project, timeout=timeout), classes)

    def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return self._connection.perform(calls.get_project(project), timeout)

    def list_projects(self) -> Iterator[Project]:
        """All projects, by id."""
        return self._connection.pages(calls.list_projects())

    def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good.

        Raises:
            FailedPrecondition: One of its operations runs.
        """
        self._connection.perform(calls.delete_project(project), timeout)

    # Sources

    def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return self._connection.perform(calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> Iterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._connection.pages(calls.list_sources(project))

    def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return self._connection.perform(calls.delete_source(project, source), timeout)

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
                votes [N, M, K], a row of NaN where a source abstains. What is missing abstains, too. Or an iterable of
                chunks, for more than memory holds: votes [n, M], or pairs of such votes and n item ids.
            sources: M names; by default those of the votes, or else "source_0", "source_1", ...
            items: N ids, for a project that names its items; by default those of weaklabel's Votes, or of a pandas
                index, unless it is the default one. Without any, row r is item r.
            codebook: What codes from K on in votes stand for, as read_votes gives it.
            upload_id: A UUID, to take up an upload of an iterable that was broken off. The iterable starts from its
                beginning; what the server has is skipped.
            progress: True for a bar on stderr, or a function that is called as rows become safe.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            ValueError: The votes are not a matrix of integers, or names are not distinct; the message names the place.
            InvalidArgument: A vote is not among the project's classes.
            UploadInterrupted: The server was lost for longer than reconnect_timeout, or the timeout passed. The error
                says how many rows are safe; the same call goes on from there. Where several callers upload the same
                at once, they wait for each other, within these limits too.
        """
        job, blocks = upload_jobs.upload_votes(project, votes, sources, items, codebook, upload_id)
        self._connection.upload(job, blocks, progress, timeout)
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
        """Uploads votes where most sources are silent on most items: one triple per vote, in any order.

        Args:
            project: The project.
            items: Row of each vote, from 0; integers [votes].
            sources: Column of each vote, from 0; integers [votes].
            labels: Class index of each vote; integers [votes], vote objects among them or not; -1, or what is missing,
                is the same as no triple. Of two votes of a source on an item the last counts.
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
        job, blocks = upload_jobs.upload_triples(project, triples, n_items, source_names, item_ids, upload_id)
        self._connection.upload(job, blocks, progress, timeout)
        return job.result()

    def read_votes(self, project: str, *, votes_version: int | None = None, timeout: float | None = None) -> VoteMatrix:
        """The votes of a project, dense; the newest version unless one is named."""
        return joined_votes(list(self.iter_votes(project, votes_version=votes_version, timeout=timeout)))

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
        return self._connection.converse(ReadVotesJob(project, votes_version, row_offset, row_limit), (), timeout)

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
        """Uploads side data of items, to be named by fits.

        The same content of one kind is kept once: a repeated upload adds nothing, and goes on where an earlier one was
        broken off.

        Args:
            project: The project.
            kind: "gold": true classes [N], -1 where unknown, or a mapping from item ids. "gold_weight": numbers [N],
                above 0 where there is gold, or such a mapping. "prior": beliefs about the class [N, K], NaN in rows
                without any. "groups": names or numbers [N]. "features": numbers [N, D], or a sparse matrix of SciPy.
                "bags": what class_counts, proportions, at_least_one, none_of, same_label or different_label make, or a
                list of them.
            values: The data.
            items: N ids, for a project that names its items; by default those of a pandas index, unless it is the
                default one. Where both are given, rows are matched by them. Without any, row r is item r.
            upload_id: A UUID, to take up an upload that was broken off.
            progress: See upload_votes.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            ValueError: The data cannot be read; the message begins with the kind.
            InvalidArgument: A class is not among the project's, or a row is not a distribution.
            UploadInterrupted: See upload_votes.
        """
        return self._connection.upload_side_data(
            project, kind, values, items=items, upload_id=upload_id, progress=progress, timeout=timeout
        )

    def list_side_data(self, project: str) -> Iterator[SideData]:
        """The side data of a project, newest first."""
        return self._connection.pages(calls.list_side_data(project))

    def delete_side_data(self, project: str, side_data: str, *, timeout: float | None = None) -> None:
        """Deletes side data, for good; models that were fitted with it stay."""
        self._connection.perform(calls.delete_side_data(project, side_data), timeout)

    # Prompts

    @property
    def prompts(self) -> Prompts:
        """Prompts of language models, which the server runs."""
        return Prompts(self._connection)

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
        """Starts to fit a model on the server, and returns at once.

        Args:
            project: The project.
            votes_version: The version of the votes to fit on; the newest by default.
            seed: For what is random in a fit. The same seed on the same votes gives the same model.
            max_iter: Limit of EM iterations; the server's by default.
            gold: True classes of items. This and the next ones are side data: arrays, which are uploaded first, or what
                upload_side_data returned. See there.
            gold_error: Share of gold that may be wrong, 0 to below 1.
            gold_weight: How many items each label of gold stands for, relative to the others, as next_to_label gives
                it. Side data, too; None for the same of all.
            gold_sampling: How items with gold were drawn: "random"; "by_class", so many of each class, which says
                nothing of the class balance; or "auto", by class if all classes have as many labels, two or more.
            prior: Beliefs about the class of each item.
            groups: The group of each item: groups have a class balance each.
            bounds: By source, the accuracies (low, high) within which a person is sure.
            bags: Declarations about the classes of several items together: see class_counts, same_label, ...
            features: Features of each item.
            items: N ids of the items of arrays of side data, for a project that names its items.
            timeout: Seconds for the start, instead of the client's.

        Raises:
            ValueError: Side data cannot be read.
            FailedPrecondition: The project has no votes.
        """
        kinds = {"gold": gold, "gold_weight": gold_weight, "prior": prior, "groups": groups}
        side_data = fit_side_data(items, **kinds, features=features, bags=bags)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (self._connection.upload_side_data(project, kind, values, items=ids)).name
        side = calls.side_information(project, side_data.names, gold_error, gold_sampling, bounds)
        call = calls.fit(project, votes_version, seed, max_iter, side)
        return FitOperation(self._connection, self._connection.perform(call, timeout))

    def operation(self, name: str, *, timeout: float | None = None) -> FitOperation:
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self._connection, self._connection.perform(calls.get_operation(name), timeout))

    def list_operations(self, project: str) -> Iterator[FitOperation]:
        """The fits of a project, newest first."""
        for message in self._connection.pages(calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self._connection, message)

    def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return self._connection.perform(calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> Iterator[Model]:
        """The models of a project, newest first."""
        return self._connection.pages(calls.list_models(project))

    def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        self._connection.perform(calls.delete_model(project, model), timeout)

    # Labels

    def soft_labels(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items that a model was fitted on, float32 [N, K]."""
        return self.labels(project, model=model, timeout=timeout).probabilities

    def labels(self, project: str, *, model: str | None = None, timeout: float | None = None) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and its hard labels."""
        return joined_labels(list(self.iter_soft_labels(project, model=model, timeout=timeout)))

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
        return self._connection.converse(ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)

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
                abstains. None where there are only features.
            model: A model; the newest by default.
            sources: M names, in the order of the columns; by default those of the votes, or else the model's own. A
                source of the model that is not among them abstains.
            codebook: What codes from K on in votes stand for, as read_votes gives it.
            prior: Beliefs about the class of each item [N, K], NaN in rows without any.
            groups: The group of each item [N]; of a group that the fit did not have, the balance of all is taken.
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
            return self._connection.perform(calls.predict(project, rows, model, sources), timeout)
        (chunk,) = self.predict_stream(project, [rows], model=model, sources=sources, timeout=timeout)
        return chunk.probabilities

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[SoftLabels]:
        """Soft labels of new votes without end: one reply for each chunk [n, M], in order.

        A chunk is votes, or a mapping of arguments of predict: votes, prior, groups, features.
        A few chunks are taken from the iterable ahead of the replies. All replies come from the same model, also when
        a newer one is fitted in the meantime. For the other arguments see predict.
        """
        return self._connection.converse(PredictJob(project, model, sources), chunks, timeout)

    def next_to_label(
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
        """Draws items whose labels would teach the model most, with the weights that fit needs beside their gold.

        Half of the probability is even, half follows the doubt of the soft labels; the weights undo this, so that the
        labels stand for all items.

        Args:
            project: The project.
            n: Number of items to draw.
            gold: True classes that are known already, as in fit: those items are not drawn.
            model: A model, of whose items they are drawn; the newest by default.
            seed: Of the draw; that of the fit by default. With the same seed, model and gold the same items are drawn.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            ValueError: Gold cannot be read.
            InvalidArgument: n is not between 1 and the number of items without gold, or above 65,536.
        """
        side_data = fit_side_data(items, gold=gold)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (self._connection.upload_side_data(project, kind, values, items=ids)).name
        call = calls.next_to_label(project, n, model, side_data.names, seed)
        return self._connection.perform(call, timeout)
