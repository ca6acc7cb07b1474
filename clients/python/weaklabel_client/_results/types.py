"""What the client returns: plain frozen data classes, with numpy arrays where there are many numbers."""

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.timestamp_pb2 import Timestamp

from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.column_table import ColumnTable
from weaklabel_client._results.short import ShortRepr
from weaklabel_client._results.tables import Columns, Tabular, class_titles
from weaklabel_protocol import column_tables, label_space_messages
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.v1 import labels_pb2, models_pb2, operations_pb2, projects_pb2, side_data_pb2, sources_pb2
from weaklabel_protocol.vote_objects import CandidateSet, SoftVote


def _time(stamp: Timestamp) -> datetime.datetime:
    return stamp.ToDatetime(tzinfo=datetime.UTC)


@dataclass(frozen=True, repr=False)
class Project(ShortRepr):
    """A labeling task.

    Attributes:
        name: "projects/ID".
        classes: Names of the K classes, in the order of their indices.
        n_items: Number of items that votes have been uploaded for.
        n_sources: Number of sources that have voted.
        votes_version: 0 before the first upload, one more with each change of the votes.
        create_time: When it was created, in UTC.
        label_space: What a label is; None where it is one of the classes.
        followed: Whether each new version of the votes is fitted, see Client.fit.
    """

    name: str
    classes: tuple[str, ...]
    n_items: int
    n_sources: int
    votes_version: int
    create_time: datetime.datetime
    label_space: LabelSpace | None = None
    followed: bool = False

    @classmethod
    def from_message(cls, message: projects_pb2.Project) -> "Project":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            classes=tuple(message.classes),
            n_items=message.item_count,
            n_sources=message.source_count,
            votes_version=message.votes_version,
            create_time=_time(message.create_time),
            label_space=label_space_messages.from_message(message.label_space),
            followed=message.followed,
        )


@dataclass(frozen=True, repr=False)
class Source(ShortRepr):
    """A labeling function, a prompt or an annotator.

    Attributes:
        name: "projects/ID/sources/NAME", percent-encoded.
        display_name: The name that the uploader gave.
        votes_version: The last version of the votes that it took part in.
        create_time: When it first voted, in UTC.
    """

    name: str
    display_name: str
    votes_version: int
    create_time: datetime.datetime

    @classmethod
    def from_message(cls, message: sources_pb2.Source) -> "Source":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            display_name=message.display_name,
            votes_version=message.votes_version,
            create_time=_time(message.create_time),
        )


@dataclass(frozen=True, repr=False)
class SourceEstimate(ShortRepr):
    """What a model estimates of one source.

    Attributes:
        source: Name of the source.
        coverage: Share of the items on which it voted.
        accuracy: Estimated share of its votes that are right.
        accuracy_interval: Holds the accuracy with 90 % probability, if sources are independent.
    """

    source: str
    coverage: float
    accuracy: float
    accuracy_interval: tuple[float, float]

    @classmethod
    def from_message(cls, message: models_pb2.SourceEstimate) -> "SourceEstimate":
        """Reads the contract's message."""
        return cls(
            source=message.source,
            coverage=message.coverage,
            accuracy=message.accuracy,
            accuracy_interval=(message.accuracy_low, message.accuracy_high),
        )


@dataclass(frozen=True)
class SkillJump:
    """A change of the skill of a source.

    Attributes:
        source: Name of the source.
        time: Half way between the items before and after it, in UTC.
        before: Accuracy before it.
        after: Accuracy after it.
    """

    source: str
    time: datetime.datetime
    before: float
    after: float

    @classmethod
    def from_message(cls, message: models_pb2.SkillJump) -> "SkillJump":
        """Reads the contract's message."""
        return cls(message.source, _time(message.time), message.accuracy_before, message.accuracy_after)


@dataclass(frozen=True, eq=False, repr=False)
class Model(ShortRepr):
    """A fitted label model.

    Attributes:
        name: "projects/ID/models/ID".
        votes_version: The version of the votes that it was fitted on, or as an uploaded model, labeled; 0 for none.
        n_items: Number of items N, for each of which there is a soft label; 0 where there are none.
        n_iter: Number of EM iterations.
        converged: Whether EM converged before the limit of iterations.
        objective: The objective after each iteration, float64 [n_iter].
        class_balance: Estimated share of each class, float64 [K].
        sources: One estimate for each of the M sources.
        warnings: What is doubtful about the fit, in plain words.
        risk: Estimated probability that the hard labels are more than a point worse than those of majority vote.
        doubt: 0 where conditional independence of the sources stands, 1 where it is refuted or cannot be tested; None
            of models that an earlier version of the server fitted.
        group_balance: Estimated share of each class in each group, float64 [K] by the name of the group; empty where
            the fit had no groups.
        create_time: When the fit or the upload ended, in UTC.
        uploaded: Whether it was fitted elsewhere, and uploaded.
        tables: Names of the tables of its labels, which read_labels reads; none in a project of classes.
        source_table: What was learned of each source, a row a source; None in a project of classes or of a tree.
        summary: The fit in a few lines of plain words; empty likewise.
        over_time: Whether the skills of sources were let change over time.
        skill_jumps: When they jumped, in the order of time.
        record_sets: Names of the record sets that it was fitted to, those of votes before that of gold.
    """

    name: str
    votes_version: int
    n_items: int
    n_iter: int
    converged: bool
    objective: npt.NDArray[np.float64]
    class_balance: npt.NDArray[np.float64]
    sources: tuple[SourceEstimate, ...]
    warnings: tuple[str, ...]
    risk: float
    doubt: float | None
    group_balance: Mapping[str, npt.NDArray[np.float64]]
    create_time: datetime.datetime
    uploaded: bool = False
    tables: tuple[str, ...] = ()
    source_table: ColumnTable | None = None
    summary: str = ""
    over_time: bool = False
    skill_jumps: tuple[SkillJump, ...] = ()
    record_sets: tuple[str, ...] = ()

    @classmethod
    def from_message(cls, message: models_pb2.Model) -> "Model":
        """Reads the contract's message."""
        return cls(
            name=message.name,
            votes_version=message.votes_version,
            n_items=message.item_count,
            n_iter=message.iteration_count,
            converged=message.converged,
            objective=np.array(message.objective, dtype=np.float64),
            class_balance=np.array(message.class_balance, dtype=np.float64),
            sources=tuple(SourceEstimate.from_message(one) for one in message.sources),
            warnings=tuple(message.warnings),
            risk=message.risk,
            doubt=message.doubt if message.HasField("doubt") else None,
            group_balance={one.group: np.array(one.class_balance, np.float64) for one in message.groups},
            create_time=_time(message.create_time),
            uploaded=message.uploaded,
            tables=tuple(one.name for one in message.tables),
            source_table=(
                ColumnTable.of(column_tables.from_message(message.source_table))
                if message.HasField("source_table")
                else None
            ),
            summary=message.summary,
            over_time=message.over_time,
            skill_jumps=tuple(SkillJump.from_message(one) for one in message.skill_jumps),
            record_sets=(*message.records.votes, *([message.records.gold] if message.records.gold else [])),
        )


class FitStage(enum.Enum):
    """What a fit is doing."""

    UNKNOWN = operations_pb2.FIT_STAGE_UNSPECIFIED
    QUEUED = operations_pb2.FIT_STAGE_QUEUED
    READING = operations_pb2.FIT_STAGE_READING
    FITTING = operations_pb2.FIT_STAGE_FITTING
    LABELING = operations_pb2.FIT_STAGE_LABELING
    DONE = operations_pb2.FIT_STAGE_DONE
    FAILED = -1
    CANCELLED = -2

    @classmethod
    def _missing_(cls, _value: object) -> "FitStage":
        return cls.UNKNOWN  # of a newer server


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is.

    Attributes:
        stage: What it is doing.
        iteration: EM iterations done.
        max_iter: At most so many.
        objective: The objective after the last iteration.
        change: Largest change of a responsibility in the last iteration; of many rows, the mean total variation. EM
            stops when it is under the tolerance.
    """

    stage: FitStage
    iteration: int
    max_iter: int
    objective: float
    change: float

    @classmethod
    def from_message(cls, message: operations_pb2.FitProgress) -> "FitProgress":
        """Reads the contract's message."""
        return cls(
            stage=FitStage(message.stage),
            iteration=message.iteration,
            max_iter=message.max_iterations,
            objective=message.objective,
            change=message.change,
        )

    @property
    def fraction(self) -> float | None:
        """Share of the work that is done, from 0 to 1. A fit may converge long before its limit."""
        if self.stage is FitStage.DONE:
            return 1.0
        return self.iteration / self.max_iter if self.max_iter else None

    def __str__(self) -> str:
        text = self.stage.name.lower()
        return f"{text}, iteration {self.iteration}, change {self.change:.1e}" if self.iteration else text


@dataclass(frozen=True)
class UploadProgress:
    """How far an upload is.

    Attributes:
        committed_rows: So many rows are on the server's disk.
        total_rows: Of so many; None where the votes come from an iterable.
    """

    committed_rows: int
    total_rows: int | None

    @property
    def fraction(self) -> float | None:
        """Share of the rows that are on the server's disk, from 0 to 1; None where the total is not known."""
        return self.committed_rows / self.total_rows if self.total_rows else None

    def __str__(self) -> str:
        return f"{self.committed_rows:,}" + (f" of {self.total_rows:,} rows" if self.total_rows else " rows")


@dataclass(frozen=True)
class TransferProgress:
    """How far the export or the import of a project is.

    Attributes:
        transferred_bytes: So many bytes of its files are safe at their end.
        total_bytes: Of so many; None where that is known only at the end, as for exports.
    """

    transferred_bytes: int
    total_bytes: int | None

    @property
    def fraction(self) -> float | None:
        """Share of the bytes, from 0 to 1; None where the total is not known."""
        return self.transferred_bytes / self.total_bytes if self.total_bytes else None

    def __str__(self) -> str:
        megabytes = f"{self.transferred_bytes / 1e6:,.1f}"
        return megabytes + (f" of {self.total_bytes / 1e6:,.1f} MB" if self.total_bytes else " MB")


@dataclass(frozen=True)
class UploadResult:
    """A finished upload.

    Attributes:
        upload_id: The id under which the server knows it.
        n_rows: Number of rows of the upload.
        votes_version: The version of the votes that it made.
        added: False where the server had the very same votes already, so that nothing was added.
    """

    upload_id: str
    n_rows: int
    votes_version: int
    added: bool


@dataclass(frozen=True, eq=False, repr=False)
class VoteMatrix(Tabular, ShortRepr):
    """Votes as the server holds them.

    Attributes:
        votes_version: The version read.
        row_offset: Index of the first row among the items of the project.
        sources: Names of the M columns.
        items: Ids of the N rows; None where the project names items by position.
        votes: Class index, -1 abstain, -2 error, K and above as in codebook; an integer array [N, M].
        codebook: What codes from K on stand for; None where there are none.
    """

    votes_version: int
    row_offset: int
    sources: tuple[str, ...]
    items: tuple[str, ...] | None
    votes: npt.NDArray[np.integer[Any]]
    codebook: Codebook | None = None

    def vote_at(self, row: int, column: int) -> int | CandidateSet | SoftVote:
        """One vote: a class index, -1, -2, or a vote object."""
        code = int(self.votes[row, column])
        return code if self.codebook is None else self.codebook.vote(code)

    def _columns(self, classes: Sequence[str] | None) -> Columns:  # noqa: ARG002  # votes stay codes
        n_rows = len(self.votes)
        rows = np.arange(self.row_offset, self.row_offset + n_rows) if self.items is None else list(self.items)
        if "item" in self.sources:
            raise ValueError('a source is called "item", as the column of the items is: take `votes` and `sources`')
        return {"item": rows, **dict(zip(self.sources, self.votes.T, strict=True))}


@dataclass(frozen=True)
class SideData:
    """Side data of items, as the server holds it. Fits may name it.

    Attributes:
        name: "projects/ID/sideData/ID".
        kind: "gold", "gold_weight", "prior", "groups", "features", "bags", "fields" or "labels".
        n_rows: Number of items, or of bags.
        n_columns: Number of features; 0 of other kinds.
        create_time: When its upload began, in UTC.
    """

    name: str
    kind: str
    n_rows: int
    n_columns: int
    create_time: datetime.datetime

    @classmethod
    def from_message(cls, message: side_data_pb2.SideData) -> "SideData":
        """Reads the contract's message."""
        kind = side_data_pb2.SideDataKind.Name(message.kind).removeprefix("SIDE_DATA_KIND_").lower()
        return cls(
            name=message.name,
            kind=kind,
            n_rows=message.row_count,
            n_columns=message.column_count,
            create_time=_time(message.create_time),
        )


@dataclass(frozen=True, eq=False, repr=False)
class SoftLabels(Tabular, ShortRepr):
    """Probabilities of the K classes for N items.

    Attributes:
        model: "projects/ID/models/ID" of the model that they are from.
        row_offset: Index of the first row among the items of the project, or of the votes sent.
        items: Ids of the items; None where the project names items by position, and for new votes.
        probabilities: float32 [N, K]; rows sum to one.
        labels: The hard label, int32 [N]: the most probable class, -1 where the most probable ones are tied.
    """

    model: str
    row_offset: int
    items: tuple[str, ...] | None
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]

    def _columns(self, classes: Sequence[str] | None) -> Columns:
        n_rows, n_classes = self.probabilities.shape
        rows = np.arange(self.row_offset, self.row_offset + n_rows) if self.items is None else list(self.items)
        titles = class_titles(classes, n_classes, "probability")
        return {"item": rows, **dict(zip(titles, self.probabilities.T, strict=True)), "label": self.labels}


@dataclass(frozen=True, eq=False, repr=False)
class NextToLabel(ShortRepr):
    """Items to label by hand, in the order in which they were drawn: the first ones are a sample, too.

    Attributes:
        model: "projects/ID/models/ID" of the model by whose soft labels they were drawn.
        positions: Their rows among the items of the project, int64 [n].
        items: Their ids; None where the project names items by position.
        weights: One over the probability with which each was drawn, over its mean, float64 [n]: gold_weight of a fit.
            Those of several rounds go together as they are.
    """

    model: str
    positions: npt.NDArray[np.int64]
    items: tuple[str, ...] | None
    weights: npt.NDArray[np.float64]

    @classmethod
    def from_message(cls, message: labels_pb2.NextToLabelResponse) -> "NextToLabel":
        """Reads the contract's message."""
        return cls(
            model=message.model,
            positions=np.array(message.positions, np.int64),
            items=tuple(message.item_ids) or None,
            weights=np.array(message.weights, np.float64),
        )
