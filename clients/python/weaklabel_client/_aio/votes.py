"""Votes and side data: up, and down again."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any

import numpy.typing as npt

from weaklabel_client._aio.asking import Asking
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


class Votes(Asking):
    """The methods of a client about votes and side data."""

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
