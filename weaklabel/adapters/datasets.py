"""Hugging Face Datasets: votes and soft labels as columns, in memory or streaming.

`weaklabel.apply(functions, dataset)` reads a Dataset or an IterableDataset as it is. Here votes become columns, so that
they are kept beside the data, and come back from them::

    dataset = add_votes(dataset, votes)  # a column a source, ClassLabel where the classes have names
    votes = votes_of(dataset, votes.source_names)
    dataset = add_soft_labels(dataset, model, votes)  # "soft_label" [K] and "label"
    stream = label_stream(stream, functions, model)  # an IterableDataset with soft labels, batch by batch
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weaklabel import labeling
from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.votes import ABSTAIN, Votes, check_votes

__all__ = ["add_soft_labels", "add_votes", "gold_of", "label_stream", "votes_of"]

SOFT, HARD = "soft_label", "label"
BATCH = 1000


class Labeler(Protocol):
    """LabelModel after fit, or MajorityVote."""

    classes: tuple[str, ...]

    def label(self, votes: Votes) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Soft labels [N, K] and hard labels [N]."""
        ...


def add_votes(dataset: Any, votes: Votes, *, prefix: str = "", classes: Sequence[str] | None = None) -> Any:
    """A Dataset with a column a source: class indices, null for an abstain.

    Args:
        dataset: N rows, in the order of the items.
        votes: N items, plain votes.
        prefix: of the columns, where a source is called as a column of the data.
        classes: K names; `votes.classes` where not given. With names the columns are ClassLabel, else int64.

    Raises:
        InvalidVotesError: for votes that are not plain.
        InvalidArgumentError: for another number of rows, and columns that are there already.
        MissingExtraError: if datasets is not installed.
    """
    library = _library()
    if not check_votes(votes).is_plain:
        raise InvalidVotesError("candidate sets and soft votes have no place in a column of classes", field="votes")
    _check_rows(dataset, votes.n_items)
    feature = _feature(library, votes.classes if classes is None else classes, votes.n_classes)
    codes = votes.to_dense()
    for at, source in enumerate(votes.source_names):
        cells = [None if vote < 0 else vote for vote in codes[:, at].tolist()]
        dataset = _with_column(dataset, prefix + source, cells, feature)
    return dataset


def votes_of(dataset: Any, sources: Sequence[str], *, n_classes: int | None = None, ids: str | None = None) -> Votes:
    """Votes out of columns: class indices, -1 or null for an abstain; names where the columns are of text.

    Args:
        dataset: a Dataset; of an IterableDataset take `label_stream`, or a batch at a time.
        sources: M columns.
        n_classes: K; where not given that of the ClassLabel columns, or what `Votes.from_pandas` finds in texts.
        ids: column of item ids.

    Raises:
        InvalidVotesError: for columns that are not there, whose class names differ, and cells that are no votes.
        MissingExtraError: if datasets, or pandas, is not installed.
    """
    library = _library()
    _check_columns(dataset, [*sources, *([] if ids is None else [ids])])
    kinds = [dataset.features[name] for name in sources]
    names = {tuple(kind.names) for kind in kinds if isinstance(kind, library.ClassLabel)}
    if len(names) > 1 or (names and not all(isinstance(kind, library.ClassLabel) for kind in kinds)):
        raise InvalidVotesError(
            f"the columns {', '.join(sources)} do not have the same class names: cast them to one ClassLabel",
            field="sources",
        )
    table = dataset.select_columns([*sources, *([] if ids is None else [ids])]).with_format("arrow")[:]
    if any(kind.dtype in ("string", "large_string") for kind in kinds):
        return Votes.from_pandas(table, sources=list(sources), ids=ids)
    codes = np.stack([_codes(table.column(name), name) for name in sources], 1)
    if n_classes is None:
        n_classes = len(next(iter(names))) if names else max(2, int(codes.max(initial=1)) + 1)
    items = None if ids is None else table.column(ids).to_pylist()
    votes = Votes.from_dense(codes, n_classes, sources=list(sources), items=items)
    return _named(votes, next(iter(names))) if names else votes


def gold_of(dataset: Any, column: str = HARD) -> NDArray[np.int32]:
    """[N] known labels of a column of class indices, -1 where they are null or -1: for `fit(votes, gold=...)`.

    Raises:
        InvalidVotesError: for a column that is not there, or is not of whole numbers.
    """
    _check_columns(dataset, [column])
    return _codes(dataset.select_columns([column]).with_format("arrow")[:].column(column), column).astype(np.int32)


def add_soft_labels(dataset: Any, model: Labeler, votes: Votes, *, soft: str = SOFT, hard: str = HARD) -> Any:
    """A Dataset with soft labels, a list of K floats, and hard labels, a ClassLabel: null where classes are tied.

    Args:
        dataset: N rows, in the order of the items.
        model: a fitted LabelModel, or MajorityVote.
        votes: N items.
        soft: the column of soft labels.
        hard: the column of hard labels; where the data has one of this name, give another.

    Raises:
        InvalidArgumentError: for another number of rows, and columns that are there already.
        NotFittedError, InvalidVotesError: as the model.
        MissingExtraError: if datasets is not installed.
    """
    library = _library()
    _check_rows(dataset, votes.n_items)
    p, labels = model.label(votes)
    dataset = _with_column(dataset, soft, p.tolist(), library.List(library.Value("float32")))
    cells = [None if label < 0 else label for label in labels.tolist()]
    return _with_column(dataset, hard, cells, library.ClassLabel(names=list(model.classes)))


def label_stream(
    stream: Any,
    functions: Sequence[Any],
    model: Labeler,
    *,
    soft: str = SOFT,
    hard: str = HARD,
    batch_size: int = BATCH,
) -> Any:
    """An IterableDataset with soft labels: functions are called, and the model asked, a batch at a time.

    Args:
        stream: an IterableDataset, or a Dataset.
        functions: labeling functions, the sources of the model.
        model: a fitted LabelModel, or MajorityVote.
        soft: the column of soft labels.
        hard: the column of hard labels.
        batch_size: rows a batch.

    Raises:
        InvalidArgumentError: for columns that are there already.
        MissingExtraError: if datasets is not installed.
    """
    library = _library()
    known = getattr(stream, "features", None)
    if taken := [name for name in (soft, hard) if name in (known or ())]:
        raise InvalidArgumentError(f"the data has a column {taken[0]!r}: give another name", field="soft")

    def labeled(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = list(_rows(batch))
        votes = labeling.apply(functions, rows, n_classes=len(model.classes), progress=False)
        p, labels = model.label(votes)
        return {soft: p.tolist(), hard: [None if label < 0 else label for label in labels.tolist()]}

    features = None
    if known is not None:
        features = library.Features(
            {
                **known,
                soft: library.List(library.Value("float32")),
                hard: library.ClassLabel(names=list(model.classes)),
            }
        )
    return stream.map(labeled, batched=True, batch_size=batch_size, features=features)


def _rows(batch: dict[str, list[Any]]) -> Iterator[labeling.Row]:
    return (labeling.Row(zip(batch, cells, strict=True)) for cells in zip(*batch.values(), strict=True))


def _library() -> Any:
    return require("datasets", extra="datasets", needed_for="Hugging Face Datasets")


def _check_rows(dataset: Any, n_items: int) -> None:
    if not hasattr(dataset, "add_column") or not hasattr(dataset, "num_rows"):
        raise InvalidArgumentError(
            f"a Dataset is expected, got {type(dataset).__name__}: of a stream see label_stream, of a DatasetDict take "
            "a split",
            field="dataset",
        )
    if dataset.num_rows != n_items:
        raise InvalidArgumentError(f"the dataset has {dataset.num_rows} rows, votes {n_items} items", field="dataset")


def _check_columns(dataset: Any, names: Sequence[str]) -> None:
    for name in names:
        if name not in dataset.column_names:
            raise InvalidVotesError(
                f"the dataset has no column {name!r}; it has {', '.join(dataset.column_names)}", field="sources"
            )


def _with_column(dataset: Any, name: str, cells: list[Any], feature: Any) -> Any:
    if name in dataset.column_names:
        raise InvalidArgumentError(f"the dataset has a column {name!r} already: give another name", field="dataset")
    return dataset.add_column(name, cells, feature=feature)


def _feature(library: Any, classes: Sequence[str] | None, n_classes: int) -> Any:
    if classes is None:
        return library.Value("int64")
    if len(classes) != n_classes:
        raise InvalidArgumentError(f"{len(classes)} names are given for {n_classes} classes", field="classes")
    return library.ClassLabel(names=list(classes))


def _codes(column: Any, name: str) -> NDArray[np.int64]:
    """Class indices of a column of Arrow, -1 where it is null."""
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        raise InvalidVotesError(f"column {name!r} is of {column.type}, not of class indices", field="sources")
    return np.array([ABSTAIN if cell is None else cell for cell in column.to_pylist()], np.int64)


def _named(votes: Votes, names: Sequence[str]) -> Votes:
    """The same votes, with the names of the classes."""
    parts = votes._parts()
    return Votes._make(*parts._replace(classes=tuple(names)))
