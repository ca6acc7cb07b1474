"""Records of projects with a label space, and the tables of labels that models make of them."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from weaklabel_client._aio.asking import Asking
from weaklabel_client._aio.operations import FitOperation
from weaklabel_client._protocol import calls, record_calls
from weaklabel_client._protocol.record_jobs import ReadLabelTableJob, ReadRecordsJob, joined, upload_records
from weaklabel_client._protocol.record_stream import PredictRecordsJob
from weaklabel_client._results.column_table import ColumnTable, ModelInspection, RecordSet
from weaklabel_client._results.types import UploadProgress


class Records(Asking):
    """The methods of a client about records."""

    async def upload_records(
        self,
        project: str,
        records: Any,
        *,
        role: Literal["votes", "gold"] = "votes",
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> RecordSet:
        """Uploads votes, or gold, of a project whose labels are not classes."""
        space = (await self._connection.perform(calls.get_project(project))).label_space
        job, blocks = upload_records(project, records, space, role, upload_id)
        await self._connection.upload(job, blocks, progress, timeout)
        return await self._connection.perform(record_calls.get_record_set(job.name))

    def list_record_sets(self, project: str) -> AsyncIterator[RecordSet]:
        """The record sets of a project, newest first."""
        return self._connection.pages(record_calls.list_record_sets(project))

    async def delete_record_set(self, project: str, record_set: str, *, timeout: float | None = None) -> None:
        """Deletes a record set, for good; models that were fitted with it stay."""
        await self._connection.perform(record_calls.delete_record_set(project, record_set), timeout)

    async def read_records(self, project: str, record_set: str, *, timeout: float | None = None) -> ColumnTable:
        """The rows of a record set, in their order."""
        job = ReadRecordsJob(project, record_set)
        return joined([one async for one in self._connection.converse(job, (), timeout)])

    async def fit_records(
        self,
        project: str,
        votes: Any,
        *,
        gold: Any = None,
        seed: int = 0,
        max_iter: int | None = None,
        options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> FitOperation:
        """Starts to fit a model to records on the server, and returns at once."""
        names = await self._named(project, votes, "votes")
        of_gold = None if gold is None else (await self._named(project, gold, "gold"))[0]
        call = record_calls.fit_records(project, names, of_gold, seed, max_iter, options)
        return FitOperation(self._connection, await self._connection.perform(call, timeout))

    async def _named(self, project: str, records: Any, role: Literal["votes", "gold"]) -> list[str]:
        """The names of record sets, of records once they are uploaded."""
        names = record_calls.named_sets(records)
        return [(await self.upload_records(project, records, role=role)).name] if names is None else names

    async def read_labels(
        self, project: str, table: str | None = None, *, model: str | None = None, timeout: float | None = None
    ) -> ColumnTable:
        """A table of the labels of a model, of what it was fitted on."""
        job = ReadLabelTableJob(project, model, table)
        return joined([one async for one in self._connection.converse(job, (), timeout)])

    async def predict_records(
        self, project: str, records: Any, *, model: str | None = None, timeout: float | None = None
    ) -> dict[str, ColumnTable]:
        """Labels of new records by a model, tables by name as read_labels gives them; nothing is stored."""
        space = (await self._connection.perform(calls.get_project(project))).label_space
        call = record_calls.predict_records(project, records, space, model)
        return await self._connection.perform(call, timeout)

    async def predict_records_stream(
        self,
        project: str,
        pieces: Iterable[Any] | AsyncIterable[Any],
        *,
        model: str | None = None,
        timeout: float | None = None,  # as of the other methods
    ) -> AsyncIterator[dict[str, ColumnTable]]:
        """Labels of new records without end: for each piece what predict_records gives of it, in order."""
        space = (await self._connection.perform(calls.get_project(project))).label_space
        async for tables in self._connection.converse(PredictRecordsJob(project, space, model), pieces, timeout):
            yield tables

    async def inspect_model(
        self, project: str, model: str | None = None, *, timeout: float | None = None
    ) -> ModelInspection:
        """What the library tells of a model of numbers, tags, preferences, sequences or ordered classes."""
        return await self._connection.perform(record_calls.inspect_model(project, model), timeout)

    async def score_records(
        self,
        project: str,
        votes: Any,
        gold: Any,
        *,
        metrics: Sequence[str] | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> dict[str, float]:
        """How good the labels of a model are on what is known, by the metrics of the library's score."""
        names = [] if votes is None else await self._named(project, votes, "votes")
        of_gold = (await self._named(project, gold, "gold"))[0]
        call = record_calls.score_records(project, names, of_gold, metrics, model)
        return await self._connection.perform(call, timeout)
