"""Records of projects with a label space, and the tables of labels that models make of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from weaklabel_client._protocol import calls, record_calls
from weaklabel_client._protocol.record_jobs import ReadLabelTableJob, ReadRecordsJob, joined, upload_records
from weaklabel_client._protocol.record_stream import PredictRecordsJob
from weaklabel_client._results.column_table import ColumnTable, ModelInspection, RecordSet
from weaklabel_client._results.types import UploadProgress
from weaklabel_client._sync.asking import Asking
from weaklabel_client._sync.operations import FitOperation


class Records(Asking):
    """The methods of a client about records."""

    def upload_records(
        self,
        project: str,
        records: Any,
        *,
        role: Literal["votes", "gold"] = "votes",
        upload_id: str | None = None,
        progress: bool | Callable[[UploadProgress], None] = False,
        timeout: float | None = None,
    ) -> RecordSet:
        """Uploads votes, or gold, of a project whose labels are numbers, tags, preferences or sequences.

        The same content is kept once: a repeated upload adds nothing, and goes on where an earlier one was broken off.

        Args:
            project: The project.
            records: A row a vote: a frame of pandas, polars or pyarrow, a mapping of columns, or a list of mappings.
                Its columns, by label space: "item", "source" and "value"; "item", "source", "tag", and perhaps "yes";
                "left", "right", "judge", "winner", and perhaps "shown_first", "weight" and "ranking", as
                comparisons_from_rankings makes them; "document", "tokens", "source", "start", "end", and "type" or
                "tag", as document_records makes them. Names such as "worker" for "source" do, too. Gold has no
                source.
            role: "votes" or "gold".
            upload_id: A UUID, to take up an upload that was broken off.
            progress: See upload_votes.
            timeout: Seconds for the whole upload; None for any time.

        Raises:
            ValueError: The records cannot be read; the message names the column and the row.
            InvalidArgument: A value is not one that the project can have.
            UploadInterrupted: See upload_votes.
        """
        space = (self._connection.perform(calls.get_project(project))).label_space
        job, blocks = upload_records(project, records, space, role, upload_id)
        self._connection.upload(job, blocks, progress, timeout)
        return self._connection.perform(record_calls.get_record_set(job.name))

    def list_record_sets(self, project: str) -> Iterator[RecordSet]:
        """The record sets of a project, newest first."""
        return self._connection.pages(record_calls.list_record_sets(project))

    def delete_record_set(self, project: str, record_set: str, *, timeout: float | None = None) -> None:
        """Deletes a record set, for good; models that were fitted with it stay."""
        self._connection.perform(record_calls.delete_record_set(project, record_set), timeout)

    def read_records(self, project: str, record_set: str, *, timeout: float | None = None) -> ColumnTable:
        """The rows of a record set, in their order."""
        job = ReadRecordsJob(project, record_set)
        return joined(list(self._connection.converse(job, (), timeout)))

    def fit_records(
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
        """Starts to fit a model to records on the server, and returns at once.

        Args:
            project: The project.
            votes: Record sets, or their names, whose rows add up; or records, which are uploaded first.
            gold: The same of gold: one set.
            seed: For what is random in a fit.
            max_iter: Limit of iterations; the library's by default.
            options: By the label space: "common_error" and "coverage"; "unlisted"; "silence" and "decoding". They are
                those of the library's models.
            timeout: Seconds for the start, instead of the client's.

        Raises:
            ValueError: Records cannot be read, or an option is not known.
            InvalidArgument: An option is not of the label space.
        """
        names = self._named(project, votes, "votes")
        of_gold = None if gold is None else (self._named(project, gold, "gold"))[0]
        call = record_calls.fit_records(project, names, of_gold, seed, max_iter, options)
        return FitOperation(self._connection, self._connection.perform(call, timeout))

    def _named(self, project: str, records: Any, role: Literal["votes", "gold"]) -> list[str]:
        """The names of record sets, of records once they are uploaded."""
        names = record_calls.named_sets(records)
        return [(self.upload_records(project, records, role=role)).name] if names is None else names

    def read_labels(
        self, project: str, table: str | None = None, *, model: str | None = None, timeout: float | None = None
    ) -> ColumnTable:
        """A table of the labels of a model, of what it was fitted on.

        Args:
            project: The project.
            table: Its name, of Model.tables: "labels" of numbers, tags, ordered classes and trees, and "nodes" of
                trees; "items" and "pairs" of preferences; "spans" and "tokens" of sequences. The first by default.
            model: The model; the newest by default.
            timeout: Seconds for the whole table; None for any time.
        """
        job = ReadLabelTableJob(project, model, table)
        return joined(list(self._connection.converse(job, (), timeout)))

    def predict_records(
        self, project: str, records: Any, *, model: str | None = None, timeout: float | None = None
    ) -> dict[str, ColumnTable]:
        """Labels of new records by a model, tables by name as read_labels gives them; nothing is stored.

        Args:
            project: The project.
            records: At most 65,536 rows as in upload_records; of preferences "left" and "right" alone; of ordered
                classes and trees "item", "source" and "label", the name of a class or of a node.
            model: The model; the newest by default.
            timeout: Seconds, instead of the client's.

        Raises:
            ValueError: The records cannot be read.
            InvalidArgument: The model cannot label them; the message names the row.
        """
        space = (self._connection.perform(calls.get_project(project))).label_space
        call = record_calls.predict_records(project, records, space, model)
        return self._connection.perform(call, timeout)

    def predict_records_stream(
        self, project: str, pieces: Iterable[Any], *, model: str | None = None, timeout: float | None = None
    ) -> Iterator[dict[str, ColumnTable]]:
        """Labels of new records without end: for each piece what predict_records gives of it, in order.

        Each piece is labeled by itself: the records of an item belong into one. A few are taken from the iterable ahead
        of the answers. All answers come from the same model, also when a newer one is fitted in the meantime.

        Args:
            project: The project.
            pieces: Records as in predict_records, at most 65,536 rows each.
            model: The model; the newest by default.
            timeout: Seconds for the whole stream; None for any time.

        Raises:
            ValueError: Records cannot be read.
            InvalidArgument: The model cannot label them; the message names the row.
        """
        space = (self._connection.perform(calls.get_project(project))).label_space
        yield from self._connection.converse(PredictRecordsJob(project, space, model), pieces, timeout)

    def inspect_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> ModelInspection:
        """What the library tells of a model of numbers, tags, preferences, sequences or ordered classes.

        Args:
            project: The project.
            model: The model; the newest by default.
            timeout: Seconds, instead of the client's.

        Raises:
            FailedPrecondition: The models of the project are of classes, or of a tree; see diagnostics.
        """
        return self._connection.perform(record_calls.inspect_model(project, model), timeout)

    def score_records(
        self,
        project: str,
        votes: Any,
        gold: Any,
        *,
        metrics: Sequence[str] | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> dict[str, float]:
        """How good the labels of a model are on what is known, by the metrics of the library's score.

        Args:
            project: The project.
            votes: A record set or several, by name or as they were uploaded, or records, which are uploaded first; None
                of preferences, whose pairs are scored by what the model knows of its items.
            gold: Known labels, likewise.
            metrics: Their names; the usual ones of the label space by default.
            model: The model; the newest by default.
            timeout: Seconds, instead of the client's.

        Raises:
            ValueError: Records cannot be read.
            InvalidArgument: There is no such metric.
            FailedPrecondition: Gold does not fit the votes.
        """
        names = [] if votes is None else self._named(project, votes, "votes")
        of_gold = (self._named(project, gold, "gold"))[0]
        return self._connection.perform(record_calls.score_records(project, names, of_gold, metrics, model), timeout)
