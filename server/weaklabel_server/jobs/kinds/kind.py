"""What fits and predictions ask of a label space."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaklabel._archive import MOST_BYTES
from weaklabel.errors import InvalidArgumentError
from weaklabel_protocol.columns import AnyColumn, Table, Texts

if TYPE_CHECKING:
    from weaklabel.model.em.segments import OnProgress

Model = TypeVar("Model")

Tables = dict[str, Table]
"""Tables of labels by name, the main one first."""
MOST_ROWS = 65_536
"""Of a table that a model tells of itself."""


@dataclass(frozen=True, kw_only=True)
class FitArguments:
    """How to fit."""

    seed: int
    max_iter: int | None
    """None: the library's default."""
    options: Mapping[str, Any]
    """By their names in weaklabel.v1.KindOptions."""
    progress: "OnProgress | None" = None
    """Told of iterations."""

    def of(self, *names: str) -> dict[str, Any]:
        """Those of some options that are set, and the limit of iterations."""
        given = {name: self.options[name] for name in names if name in self.options}
        return given if self.max_iter is None else given | {"max_iter": self.max_iter}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a fit says of itself."""

    iterations: int
    converged: bool
    objective: NDArray[np.float64]
    warnings: tuple[str, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What the library tells of a model."""

    findings: Sequence[tuple[str, str]]
    """What is doubtful: for programs, and in words."""
    figures: Mapping[str, float]
    tables: Tables
    left_out: Sequence[str]
    """Tables of more rows than are told."""


def inspection(
    findings: Iterable[tuple[str, str]],
    figures: Mapping[str, float],
    **tables: tuple[int, Callable[[], Mapping[str, Any]]],
) -> Inspection:
    """An inspection of tables by the number of their rows and what makes their columns."""
    return Inspection(
        findings=[(kind, message) for kind, message in findings],
        figures={name: float(value) for name, value in figures.items()},
        tables={name: table_of(make()) for name, (rows, make) in tables.items() if rows <= MOST_ROWS},
        left_out=[name for name, (rows, _) in tables.items() if rows > MOST_ROWS],
    )


class Kind(ABC, Generic[Model]):
    """One label space, of one project. Errors are those of the library: WeaklabelError."""

    @abstractmethod
    def fit(self, votes: Any, gold: Any, arguments: FitArguments) -> Model:
        """A model of votes: a table of records, or weaklabel's Votes where votes are for classes.

        `gold` is a table of records, or classes [N], or None.
        """

    @abstractmethod
    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> Model:
        """A model out of its file, which unpacks to so many bytes at most.

        Raises:
            ModelFileError: It is none.
        """

    @abstractmethod
    def fault(self, model: Model) -> str:
        """What of a model is not as the label space has it; empty where it is one of it."""

    @abstractmethod
    def probe(self, model: Model) -> Table:
        """A few records that a model can label, with votes of all its sources where it has sources."""

    @abstractmethod
    def save(self, model: Model) -> bytes:
        """Its file."""

    @abstractmethod
    def labels(self, model: Model, votes: Any, options: Mapping[str, Any]) -> Tables:
        """The labels of the votes of the fit."""

    @abstractmethod
    def predict(self, model: Model, records: Table, options: Mapping[str, Any]) -> Tables:
        """The labels of new records."""

    @abstractmethod
    def sources(self, model: Model) -> dict[str, Any]:
        """What was learned of each source: columns by name."""

    @abstractmethod
    def told(self, model: Model) -> Told:
        """What the fit says of itself."""

    def score(self, model: Model, votes: Table | None, gold: Table, metrics: Sequence[str]) -> dict[str, float]:
        """Scores by name on records with gold; the usual ones where no metrics are named."""
        raise NotImplementedError("the votes of this label space are no records")

    @abstractmethod
    def inspect(self, model: Model) -> Inspection:
        """What the library tells of a model."""

    @abstractmethod
    def cells(self, votes: Any) -> int:
        """Numbers that labeling these votes holds at once: what limits of memory go by."""

    def bytes_beyond_rows(self, votes: Table) -> int:  # noqa: ARG002  # of most kinds
        """Memory that a fit takes beyond what the number of rows tells."""
        return 0


def table_of(columns: Mapping[str, Any]) -> Table:
    """A table of the columns of the library: whole numbers as int32, others as they are, objects as texts."""
    return Table({name: _column(values) for name, values in columns.items()})


def _column(values: Any) -> AnyColumn:
    array = values if isinstance(values, Texts | np.ndarray) else np.asarray(values, object)
    if isinstance(array, Texts) or array.dtype in (np.float32, np.float64, np.int32):
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.int32)
    return Texts.of(array.tolist())


def all_vote(model: Any, value: str, first: Any, second: Any) -> Table:
    """Records in which all sources of a model say one thing of an item, and each another of an item of its own."""
    names = tuple(model.source_names)
    each = np.arange(len(names), dtype=np.int32)
    items = Texts(tuple(f"i{at}" for at in range(len(names) + 1)), np.concatenate([0 * each, 1 + each]))
    sources = Texts(names, np.concatenate([each, each]))
    said = [first] * len(names) + [second] * len(names)
    return Table(
        {"item": items, "source": sources, value: Texts.of(said) if isinstance(first, str) else np.array(said)}
    )


def known_once(table: Table, value: str, what: str = "item") -> dict[str, Any]:
    """The values of gold by item.

    Raises:
        InvalidArgumentError: An item is there twice.
    """
    items, values = table.texts(what), table.numbers(value)
    known = dict(zip(items.tolist(), values.tolist(), strict=True))
    if len(known) < len(items):
        seen: set[str] = set()
        for row, item in enumerate(items.tolist()):
            if item in seen:
                raise InvalidArgumentError(f"row {row}: {what} {item!r} is there twice", field="gold")
            seen.add(item)
    return known
