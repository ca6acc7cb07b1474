"""Operations: fits and runs of prompts, from the request for them until long after they are done."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, func, insert, null, select, update

from weaklabel_server.clock import now_micros
from weaklabel_server.errors import Reason, ServiceError
from weaklabel_server.pages import Page
from weaklabel_server.store import schema
from weaklabel_server.store.listings import newest_first
from weaklabel_server.store.locking import for_update
from weaklabel_server.store.projects import Project
from weaklabel_server.store.record_sets import RecordSettings
from weaklabel_server.store.side_data import SideSettings

_operations = schema.operations.c


class NotOwnedError(Exception):
    """Another replica has taken an operation over, or it is done: what this one made of it does not count."""


class Stage(StrEnum):
    """The stage of an operation: a fit is fitting and labeling, a run of prompts asking and storing."""

    QUEUED = "queued"
    READING = "reading"
    FITTING = "fitting"
    LABELING = "labeling"
    ASKING = "asking"
    STORING = "storing"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """How far a fit is."""

    stage: Stage
    iteration: int = 0
    max_iterations: int = 0
    objective: float = 0.0
    change: float = 0.0

    def at(self, stage: Stage) -> "Progress":
        """The same at another stage."""
        return replace(self, stage=stage)


@dataclass(frozen=True)
class PromptProgress:
    """How far a run of prompts is: weaklabel.prompts.PromptProgress, and its stage."""

    stage: Stage
    total: int = 0
    done: int = 0
    cached: int = 0
    errors: int = 0
    missing: int = 0
    money: float = 0.0
    tokens: float = 0.0
    seconds: float = 0.0
    rate: float = 0.0

    def at(self, stage: Stage) -> "PromptProgress":
        """The same at another stage."""
        return replace(self, stage=stage)


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit; max_iterations 0 means the default of the label model."""

    seed: int = 0
    max_iterations: int = 0
    side: SideSettings = field(default_factory=SideSettings)
    records: RecordSettings = field(default_factory=RecordSettings)
    follow: bool = False
    """Whether each later version of the votes is fitted, too."""
    over_time: bool = False
    """Whether the skill of a source may change from upload to upload."""

    def to_json(self) -> dict[str, Any]:
        """Itself, for JSON."""
        return asdict(self) | {"seed": str(self.seed)}  # as text: JSON numbers lose digits in some databases

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What to_json gave; what is missing, in that of earlier versions, has its default."""
        read = {
            "seed": int(values["seed"]),
            "side": SideSettings.from_json(values.get("side", {})),
            "records": RecordSettings.from_json(values.get("records", {})),
        }
        return cls(**{**values, **read})


@dataclass(frozen=True)
class PromptSettings:
    """Settings of a run of prompts: the declarations, as PromptFunction.to_dict gives them, and the items."""

    prompts: tuple[dict[str, Any], ...]
    side_data_id: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation as it stands in one transaction. Once done, error or, in a fit, model_id is set."""

    key: int
    project_key: int
    project_id: str
    operation_id: str
    votes_version: int
    settings: FitSettings | PromptSettings
    progress: Progress | PromptProgress
    cancel_requested: bool
    done: bool
    error: bytes | None
    model_id: str | None
    create_time: int
    end_time: int | None
    owner: str


def queued(settings: FitSettings | PromptSettings) -> Progress | PromptProgress:
    """The progress of an operation that waits for its turn."""
    return PromptProgress(stage=Stage.QUEUED) if isinstance(settings, PromptSettings) else Progress(Stage.QUEUED)


def create(tx: Connection, project: Project, votes_version: int, settings: FitSettings | PromptSettings) -> Operation:
    """Adds an operation to the queue; votes_version is what a fit reads, and 0 for prompts."""
    operation_id = secrets.token_hex(8)
    tx.execute(
        insert(schema.operations).values(
            project_key=project.key,
            operation_id=operation_id,
            votes_version=votes_version,
            options=_options(settings),
            create_time=now_micros(),
            **_progress_values(queued(settings)),
        )
    )
    return get(tx, project.project_id, operation_id)


def get(tx: Connection, project_id: str, operation_id: str) -> Operation:
    """One operation.

    Raises:
        ServiceError: OPERATION_NOT_FOUND.
    """
    query = _select().where(schema.projects.c.project_id == project_id, _operations.operation_id == operation_id)
    row = tx.execute(query).first()
    if row is None:
        raise ServiceError(
            Reason.OPERATION_NOT_FOUND,
            f'project "{project_id}" has no operation "{operation_id}"',
            metadata={"project": project_id, "operation": operation_id},
        )
    return _operation(row)


def list_page(tx: Connection, project: Project, page: Page[int]) -> list[Operation]:
    """Up to size + 1 operations, newest first."""
    query = _select().where(_operations.project_key == project.key)
    return [_operation(row) for row in tx.execute(newest_first(query, _operations.key, page))]


def list_unfinished(tx: Connection) -> list[Operation]:
    """All operations that are not done, the oldest first."""
    query = _select().where(_operations.done.is_(False), schema.projects.c.trash.is_(False)).order_by(_operations.key)
    return [_operation(row) for row in tx.execute(query)]


def count_unfinished_fits(tx: Connection, project: Project | None = None) -> int:
    """Number of fits, of a project or of all, that wait or run."""
    query = select(func.count()).where(_operations.done.is_(False), _operations.prompts.is_(null()))
    if project is not None:
        query = query.where(_operations.project_key == project.key)
    return int(tx.execute(query).scalar_one())


def begin(tx: Connection, operation: Operation, owner: str) -> int | None:
    """Takes an operation on that nobody runs; again, where this replica runs it already.

    Returns the number of starts that came to no end, this one included; None where it is done, gone, or another's.
    """
    row = _locked(tx, operation)
    if row is None or row.done or row.owner not in ("", owner):
        return None
    starts: int = row.starts + (row.owner == "")
    _change(tx, operation, owner=owner, starts=starts)
    return starts


def release(tx: Connection, operation: Operation, owner: str) -> None:
    """Gives back an operation that was ended in good order, to be made again; its start does not count."""
    row = _locked(tx, operation)
    if row is not None and not row.done and row.owner == owner:
        _change(tx, operation, owner="", starts=row.starts - 1)


def newest_votes(tx: Connection, project: Project, version: int) -> bool:
    """Lets a fit that follows the project, and that nobody has begun, read a version; whether there is one."""
    query = select(_operations.key, _operations.options).where(
        _operations.project_key == project.key,
        _operations.done.is_(False),
        _operations.owner == "",
        _operations.prompts.is_(null()),
    )
    for row in tx.execute(for_update(tx, query, schema.operations)):
        if row.options.get("follow"):
            tx.execute(update(schema.operations).where(_operations.key == row.key).values(votes_version=version))
            return True
    return False


def save_progress(tx: Connection, operation: Operation, progress: Progress | PromptProgress) -> None:
    """Notes how far an operation is."""
    statement = update(schema.operations).where(_operations.key == operation.key, _operations.done.is_(False))
    tx.execute(statement.values(**_progress_values(progress)))


def request_cancel(tx: Connection, project_id: str, operation_id: str, error: bytes) -> Operation:
    """Ends an operation that nobody runs; of another, notes that it is to stop, so that its replica ends it.

    Args:
        tx: The transaction.
        project_id: The project.
        operation_id: The operation.
        error: The serialized weaklabel.v1.Status of its end.

    Raises:
        ServiceError: OPERATION_NOT_FOUND.
    """
    operation = get(tx, project_id, operation_id)
    row = _locked(tx, operation)
    if row is not None and not row.done:
        _change(tx, operation, cancel_requested=True)
        if row.owner == "":
            _end(tx, operation, operation.progress, error=error)
    return operation


def succeed(
    tx: Connection,
    operation: Operation,
    owner: str,
    keep: Callable[[Connection], str | None],
    progress: Progress | PromptProgress,
) -> bool:
    """Ends the operation with what keep(tx) stores, unless a cancellation came first; returns whether it ended so.

    `keep` returns the id of the model that a fit made.

    Raises:
        NotOwnedError: It is done, gone, or another's.
    """
    row = _locked(tx, operation)
    if row is None or row.done or row.owner != owner:
        raise NotOwnedError(operation.operation_id)
    if row.cancel_requested:
        return False
    _end(tx, operation, progress, model_id=keep(tx))
    return True


def fail(tx: Connection, operation: Operation, owner: str, error: bytes, progress: Progress | PromptProgress) -> None:
    """Ends the operation, which this replica or none runs, with a serialized weaklabel.v1.Status.

    Raises:
        NotOwnedError: It is done, gone, or another's.
    """
    row = _locked(tx, operation)
    if row is None or row.done or row.owner not in ("", owner):
        raise NotOwnedError(operation.operation_id)
    _end(tx, operation, progress, error=error)


def _locked(tx: Connection, operation: Operation) -> Row[Any] | None:
    """Who runs an operation, and how it stands; nobody else changes that before the transaction ends."""
    query = select(_operations.owner, _operations.done, _operations.starts, _operations.cancel_requested)
    return tx.execute(for_update(tx, query.where(_operations.key == operation.key), schema.operations)).first()


def _change(tx: Connection, operation: Operation, **values: Any) -> None:
    tx.execute(update(schema.operations).where(_operations.key == operation.key).values(**values))


def _end(
    tx: Connection,
    operation: Operation,
    progress: Progress | PromptProgress,
    *,
    error: bytes | None = None,
    model_id: str | None = None,
) -> None:
    values = _progress_values(progress.at(Stage.DONE))
    _change(tx, operation, done=True, owner="", error=error, model_id=model_id, end_time=now_micros(), **values)


def _progress_values(progress: Progress | PromptProgress) -> dict[str, Any]:
    if isinstance(progress, PromptProgress):
        return {"stage": progress.stage, "prompts": asdict(progress)}
    return {
        "stage": progress.stage,
        "iteration": progress.iteration,
        "max_iterations": progress.max_iterations,
        "objective": progress.objective,
        "change": progress.change,
    }


def _select() -> Select[Any]:
    return select(schema.operations, schema.projects.c.project_id).join(
        schema.projects, schema.projects.c.key == _operations.project_key
    )


def _options(settings: FitSettings | PromptSettings) -> dict[str, Any]:
    if isinstance(settings, PromptSettings):
        return {"prompts": list(settings.prompts), "side_data_id": settings.side_data_id}
    return settings.to_json()


def _settings(options: dict[str, Any]) -> FitSettings | PromptSettings:
    if "prompts" in options:
        return PromptSettings(tuple(options["prompts"]), options["side_data_id"])
    return FitSettings.from_json(options)


def _progress(row: Row[Any]) -> Progress | PromptProgress:
    if row.prompts is not None:
        return PromptProgress(**row.prompts | {"stage": Stage(row.stage)})
    return Progress(
        Stage(row.stage),
        iteration=row.iteration,
        max_iterations=row.max_iterations,
        objective=row.objective,
        change=row.change,
    )


def _operation(row: Row[Any]) -> Operation:
    return Operation(
        key=row.key,
        project_key=row.project_key,
        project_id=row.project_id,
        operation_id=row.operation_id,
        votes_version=row.votes_version,
        settings=_settings(row.options),
        progress=_progress(row),
        cancel_requested=row.cancel_requested,
        done=row.done,
        error=row.error,
        model_id=row.model_id,
        create_time=row.create_time,
        end_time=row.end_time,
        owner=row.owner,
    )
