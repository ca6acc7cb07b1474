"""Sets of tags."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel import TagModel
from weaklabel._archive import MOST_BYTES
from weaklabel.kinds.tags.scores import METRICS
from weaklabel_protocol.columns import Table, Texts
from weaklabel_protocol.label_spaces import Tags
from weaklabel_server.jobs.kinds.kind import (
    FitArguments,
    Inspection,
    Kind,
    Tables,
    Told,
    all_vote,
    inspection,
    table_of,
)


class TagKind(Kind[TagModel]):
    """A set of tags an item: the table "labels" has a row an item and tag, as TagModel.predict_frame."""

    def __init__(self, space: Tags) -> None:
        self._tags = tuple(space.names)

    def fit(self, votes: Table, gold: Table | None, arguments: FitArguments) -> TagModel:
        known = None if gold is None else _known(gold)
        return TagModel(self._tags, **arguments.of("unlisted")).fit(
            *_columns(votes), gold=known, progress=arguments.progress
        )

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> TagModel:
        return TagModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: TagModel) -> str:
        if model.tags == self._tags:
            return ""
        return f"its {len(model.tags)} tags are not the {len(self._tags)} of the project, in order"

    def probe(self, model: TagModel) -> Table:
        return all_vote(model, "tag", self._tags[0], self._tags[-1])

    def save(self, model: TagModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: TagModel, votes: Table, options: Mapping[str, Any]) -> Tables:
        return self.predict(model, votes, options)

    def predict(self, model: TagModel, records: Table, options: Mapping[str, Any]) -> Tables:
        return {"labels": table_of(model.predict_columns(*_columns(records)))}

    def sources(self, model: TagModel) -> dict[str, Any]:
        return model.source_columns()

    def told(self, model: TagModel) -> Told:
        return Told(
            iterations=model.n_iter,
            converged=model.converged,
            objective=np.empty(0),
            warnings=model.warnings,
            text=model.summary(),
        )

    def score(self, model: TagModel, votes: Table | None, gold: Table, metrics: Sequence[str]) -> dict[str, float]:
        assert votes is not None
        item, source, tag, yes = _columns(votes)
        return model.score(item, _known(gold), metrics or METRICS, source=source, tag=tag, value=yes)

    def inspect(self, model: TagModel) -> Inspection:
        return inspection(
            model.diagnostics,
            {},
            sources=(len(model.source_names), model.source_columns),
            tags=(len(self._tags), lambda: {"tag": Texts.of(self._tags), "prevalence": model.params.prevalence}),
        )

    def cells(self, votes: Table) -> int:
        """Tags that somebody listed times sources that looked, summed over the items."""
        item, source, tag = (_texts(votes, name) for name in ("item", "source", "tag"))
        n_items = len(item.names)
        listed = tag.codes >= 0
        cells = np.unique(item.codes[listed].astype(np.int64) * len(tag.names) + tag.codes[listed])
        looked = np.unique(item.codes.astype(np.int64) * len(source.names) + source.codes)
        of_item = np.bincount(cells // max(len(tag.names), 1), minlength=n_items)
        return int((of_item * np.bincount(looked // len(source.names), minlength=n_items)).sum())


def _texts(table: Table, name: str) -> Texts:
    column = table.columns[name]
    assert isinstance(column, Texts)
    return column


def _columns(table: Table) -> tuple[Any, Any, Any, Any]:
    yes = table.numbers("yes") if "yes" in table else None
    return table.texts("item"), table.texts("source"), table.texts("tag"), yes


def _known(gold: Table) -> dict[str, list[str]]:
    """All true tags of each item with gold."""
    known: dict[str, list[str]] = {item: [] for item in gold.texts("item").tolist()}
    for item, tag in zip(gold.texts("item").tolist(), gold.texts("tag").tolist(), strict=True):
        if tag is not None:
            known[item].append(tag)
    return known
