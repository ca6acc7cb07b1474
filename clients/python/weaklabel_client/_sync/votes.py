"""Votes and side data: up, and down again."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy.typing as npt

from weaklabel_client._protocol import calls, upload_jobs
from weaklabel_client._protocol.read_jobs import ReadVotesJob
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.joining import joined_votes
from weaklabel_client._results.types import (
    SideData,
    UploadProgress,
    UploadResult,
    VoteMatrix,
)
from weaklabel_client._sync.asking import Asking


class Votes(Asking):
    """The methods of a client about votes and side data."""

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
            kind: "gold": true classes [N], -1 where unknown, or a mapping from item ids; one_of(0, 2) and not_(1) where
                the class is known to be one of several. "gold_weight": numbers [N], above 0 where there is gold, or
                such a mapping. "prior": beliefs about the class [N, K], NaN in rows without any. "groups": names or
                numbers [N]. "features": numbers [N, D], or a sparse matrix of SciPy. "bags": what class_counts,
                proportions, at_least_one, none_of, same_label or different_label make, or a list of them.
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
