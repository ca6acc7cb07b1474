"""A project in a folder, as the library reads it: votes, gold, soft labels, files of models."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaklabel.formats.projects import files, tables
from weaklabel.votes import Votes, label_dtype
from weaklabel.votes.symbols import Symbols
from weaklabel_protocol.label_spaces import LabelSpace
from weaklabel_protocol.project_folders import FileEntry, Manifest, ProjectFolderError, check_file, read_manifest

if TYPE_CHECKING:
    import pyarrow as pa

_PART = re.compile(r"votes/part-\d+\.parquet")
_MOST_LISTED = 1_000_000


class VotePart(NamedTuple):
    """Votes of consecutive items."""

    ids: list[str] | None
    codes: NDArray[Any]
    """[n, M] class indices, -1 abstains, -2 an error, codes of the codebook from K on."""
    symbols: Symbols
    where: str
    """File and row group, for messages."""


class SideDataEntry(NamedTuple):
    """Side data in the folder."""

    id: str
    kind: str
    rows: int
    columns: int
    content_digest: bytes


class RecordSetEntry(NamedTuple):
    """A record set in the folder."""

    id: str
    role: str
    rows: int
    content_digest: bytes


class LabelTableEntry(NamedTuple):
    """A table of the labels of a model in the folder."""

    model: str
    name: str
    rows: int


class ModelEntry(NamedTuple):
    """A model in the folder."""

    id: str
    votes_version: int
    items: int
    uploaded: bool
    side_information: str
    """JSON: what the fit was told beside the votes."""


@dataclass(frozen=True, eq=False)
class SoftLabelTable:
    """Soft labels of N items: N ids or None, probabilities float32 [N, K], hard labels int32 [N], -1 where tied."""

    ids: tuple[str, ...] | None
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int32]


class ProjectFolder:
    """A project that was exported. Each file is compared with its checksum before it is read.

    Attributes:
        folder: where it is.
        manifest: its files, and its description.
        project_id: id of the project that was exported.
        classes: K names; none where the label space has none.
        label_space: what a label is; None where it is one of the classes.
        n_items: N.
        named_items: whether items have ids.
        votes_version: of the votes; 0 where there are none.
        source_names: M names.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Reads the description, and the names of the sources.

        Raises:
            ProjectFolderError: They are not there, or are none.
        """
        self.folder, self.manifest = folder, manifest
        self._entries = {one.name: one for one in manifest.files}
        self._checked: set[str] = set()
        values = manifest.description
        self.project_id = self._described(values, "project", str)
        self.classes = tuple(self._described(values, "classes", list))
        self.n_items = self._described(values, "items", int)
        self.votes_version = self._described(values, "votes_version", int)
        self.named_items = self._described(values, "named_items", bool)
        self.label_space = self._label_space(values.get("label_space"))
        fewest = 2 if self.label_space is None or self.label_space.has_classes else 0
        if len(self.classes) < fewest or not all(isinstance(one, str) for one in self.classes):
            raise ProjectFolderError('manifest.json: "classes" are at least two names')
        self.sources = self._listing("sources.parquet", tables.SOURCES)
        self.source_names = tuple(row["source"] for row in self.sources)

    @property
    def side_data(self) -> list[SideDataEntry]:
        """All side data, the oldest first."""
        rows = self._listing("side_data.parquet", tables.SIDE_DATA)
        return [SideDataEntry(*(row[name] for name in SideDataEntry._fields)) for row in rows]

    @property
    def record_sets(self) -> list[RecordSetEntry]:
        """All record sets, the oldest first."""
        rows = self._listing("record_sets.parquet", tables.RECORD_SETS) if self._has("record_sets.parquet") else []
        return [RecordSetEntry(*(row[name] for name in RecordSetEntry._fields)) for row in rows]

    @property
    def label_tables(self) -> list[LabelTableEntry]:
        """All tables of labels, in the order of the models."""
        rows = self._listing("label_tables.parquet", tables.LABEL_TABLES) if self._has("label_tables.parquet") else []
        return [LabelTableEntry(*(row[name] for name in LabelTableEntry._fields)) for row in rows]

    @property
    def models(self) -> list[ModelEntry]:
        """All models, the oldest first."""
        rows = self._listing("models.parquet", tables.MODELS)
        return [ModelEntry(*(row[name] for name in ModelEntry._fields)) for row in rows]

    def vote_parts(self) -> Iterator[VotePart]:
        """The votes, some items at a time.

        Raises:
            ProjectFolderError: A file is damaged, or holds what is no vote; with file, row and column.
        """
        n_classes, item = len(self.classes), self._item_column
        for name in [one for one in self._entries if _PART.fullmatch(one)]:
            symbols = self._codebook(name.replace("votes/", "codebooks/"))
            dtype = np.dtype(label_dtype(n_classes + len(symbols)))
            schema = tables.votes_schema(self.source_names, dtype, item)
            for number, table in enumerate(self.groups(name, schema, numbers=True)):
                where = f"{name}, row group {number}"
                ids = None if item is None else tables.texts_of(table.column(0), f"{where}, column {item!r}")
                codes = tables.codes_of(table, int(item is not None), n_classes + len(symbols), where)
                yield VotePart(ids, codes, symbols, where)

    def votes(self) -> Votes:
        """All votes, N items, M sources.

        Raises:
            ProjectFolderError: As vote_parts; or there are none.
        """
        parts = [
            Votes.from_codes(
                part.codes, len(self.classes), symbols=part.symbols, sources=self.source_names, items=part.ids
            )
            for part in self.vote_parts()
            if len(part.codes)
        ]
        if not parts or not self.source_names:
            raise ProjectFolderError(f"{self.folder} holds no votes")
        return Votes.concatenate_items(parts)

    def gold(self, side_data: str | None = None) -> NDArray[Any]:
        """[N] known classes of the items, -1 where unknown: those that were given last, unless side data is named.

        Where sets of classes are known, they are objects, as `LabelModel.fit` takes them.

        Raises:
            ProjectFolderError: There is no such gold, or it is damaged.
        """
        known = [one.id for one in self.side_data if one.kind == "gold"]
        chosen = side_data or (known[-1] if known else None)
        if chosen not in known:
            raise ProjectFolderError(f"{self.folder} holds no gold{f' {chosen!r}' if chosen else ''}")
        gold = np.full(self.n_items, -1, np.int32)
        position_of = {one: at for at, one in enumerate(self._ids())} if self.named_items else None
        row = 0
        for table in self.groups(f"side_data/{chosen}.parquet"):
            labels = np.asarray(table.column("gold").to_numpy(), np.int32)
            if position_of is None:
                positions = np.arange(row, row + len(labels))
            else:
                ids = table.column("item").to_pylist()
                positions = np.array([position_of.get(one, self.n_items) for one in ids], np.int64)
            inside = positions < self.n_items
            gold[positions[inside]] = labels[inside]
            row += len(labels)
        return tables.gold_of(gold, self.gold_symbols(chosen), f"side_data/{chosen}.parquet")

    def gold_symbols(self, side_data: str) -> Symbols:
        """What codes of gold from K on stand for.

        Raises:
            ProjectFolderError: It is no codebook.
        """
        return self._codebook(f"codebooks/{side_data}.parquet")

    def soft_labels(self, model: str | None = None) -> SoftLabelTable:
        """The soft labels of a model, the newest that has any unless one is named.

        Raises:
            ProjectFolderError: There are none, or they are damaged.
        """
        labeled = [one.id for one in self.models if one.items]
        chosen = model or (labeled[-1] if labeled else None)
        if chosen not in labeled:
            raise ProjectFolderError(f"{self.folder} holds no soft labels{f' of {chosen!r}' if chosen else ''}")
        ids: list[str] = []
        parts = []
        for of_part, probabilities, labels in self.label_parts(chosen):
            ids += of_part or []
            parts.append((probabilities, labels))
        probabilities, labels = (np.concatenate(one) for one in zip(*parts, strict=True))
        return SoftLabelTable(tuple(ids) if self.named_items else None, probabilities, labels)

    def label_parts(self, model: str) -> Iterator[tuple[list[str] | None, NDArray[np.float32], NDArray[np.int32]]]:
        """The soft labels of a model, some items at a time: ids, probabilities [n, K], labels [n].

        Raises:
            ProjectFolderError: They are not there, or damaged; with file and row.
        """
        item, name = self._item_column, f"soft_labels/{model}.parquet"
        schema = tables.labels_schema(self.classes, item)
        for number, table in enumerate(self.groups(name, schema, numbers=True)):
            where = f"{name}, row group {number}"
            ids = None if item is None else tables.texts_of(table.column(0), f"{where}, column {item!r}")
            yield ids, *tables.labels_of(table, int(item is not None), where)

    def model_file(self, model: str | None = None) -> Path:
        """The file of a model, for LabelModel.load; of the newest unless one is named.

        Raises:
            ProjectFolderError: There is none, or it is damaged.
        """
        known = [one.id for one in self.models]
        chosen = model or (known[-1] if known else None)
        if chosen not in known:
            raise ProjectFolderError(f"{self.folder} holds no model{f' {chosen!r}' if chosen else ''}")
        return self.file(f"models/{chosen}.npz")

    def file(self, name: str) -> Path:
        """One of the files of the manifest, compared with its checksum.

        Raises:
            ProjectFolderError: It is not there, or is another.
        """
        entry: FileEntry | None = self._entries.get(name)
        if entry is None:
            raise ProjectFolderError(f"manifest.json names no file {name}")
        if name not in self._checked:
            check_file(self.folder, entry)
            self._checked.add(name)
        return self.folder / name

    def check(self) -> None:
        """Compares every file with its checksum.

        Raises:
            ProjectFolderError: One is another.
        """
        for name in self._entries:
            self.file(name)

    def groups(self, name: str, schema: pa.Schema | None = None, *, numbers: bool = False) -> Iterator[pa.Table]:
        """The row groups of one of the files; see files.read_groups."""
        return files.read_groups(self.file(name), name, schema, numbers=numbers)

    def _has(self, name: str) -> bool:
        """Whether the manifest names a file: earlier versions have not written all of them."""
        return name in self._entries

    @staticmethod
    def _label_space(values: Any) -> LabelSpace | None:
        if values is None:
            return None
        try:
            return LabelSpace.from_json(values)
        except (TypeError, ValueError) as error:
            raise ProjectFolderError(f"manifest.json: {error}") from None

    @property
    def _item_column(self) -> str | None:
        return tables.item_column(self.source_names) if self.named_items else None

    def _ids(self) -> Iterator[str]:
        for part in self.vote_parts():
            yield from part.ids or ()

    def _codebook(self, name: str) -> Symbols:
        symbols = Symbols.empty(len(self.classes))
        if name in self._entries:
            books = [tables.symbols_of(table, len(self.classes), name) for table in self.groups(name, tables.CODEBOOK)]
            if len(books) != 1:
                raise ProjectFolderError(f"{name} has {len(books)} row groups, where 1 is expected")
            symbols = books[0]
        return symbols

    def _listing(self, name: str, schema: pa.Schema) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for table in self.groups(name, schema):
            for column in table.schema.names:
                if table.column(column).null_count:
                    raise ProjectFolderError(f"{name}, column {column!r}: a value is missing")
            rows += table.to_pylist()
            if len(rows) > _MOST_LISTED:
                raise ProjectFolderError(f"{name} has more than {_MOST_LISTED} rows")
        return rows

    @staticmethod
    def _described(values: Any, name: str, kind: type[Any]) -> Any:
        value = values.get(name)
        if type(value) is not kind or (kind is int and not 0 <= value < 2**62):
            raise ProjectFolderError(f"manifest.json: {name!r} is {value!r:.50}, which is not what it is to be")
        return value


def read_project(folder: str | os.PathLike[str]) -> ProjectFolder:
    """A project that the service has exported.

    Args:
        folder: of `export_project` or `weaklabel export`.

    Raises:
        ProjectFolderError: It is no whole project; the message says what is missing. It is an InvalidArgumentError.
        MissingExtraError: pyarrow is not installed.
        OSError: It cannot be read.
    """
    path = Path(folder)
    return ProjectFolder(path, read_manifest(path)[0])
