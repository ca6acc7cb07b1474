"""Ordered classes."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel import OrdinalModel, Votes
from weaklabel._archive import MOST_BYTES
from weaklabel.kinds.ordinal.decoding import decoded
from weaklabel_protocol.columns import Table, Texts
from weaklabel_server.jobs.kinds.class_votes import class_cells, item_names, read_class_votes
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


class OrdinalKind(Kind[OrdinalModel]):
    """One of ordered classes: the table "labels" has a row an item: label, mean, and a probability a class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)

    def fit(self, votes: Votes, gold: Any, arguments: FitArguments) -> OrdinalModel:
        return OrdinalModel(self._classes, **arguments.of("common_error")).fit(
            votes, gold=gold, progress=arguments.progress
        )

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> OrdinalModel:
        return OrdinalModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: OrdinalModel) -> str:
        names = model.classes if model.classes is not None else map(str, range(model.n_classes))
        if tuple(names) == self._classes:
            return ""
        return f"its {model.n_classes} classes are not the {len(self._classes)} of the project, in order"

    def probe(self, model: OrdinalModel) -> Table:
        return all_vote(model, "label", self._classes[0], self._classes[-1])

    def save(self, model: OrdinalModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: OrdinalModel, votes: Votes, options: Mapping[str, Any]) -> Tables:
        soft = model.predict_proba(votes)
        columns = {
            "item": item_names(votes),
            "label": Texts(self._classes, decoded(soft, "median").astype(np.int32)),
            "mean": decoded(soft, "mean"),
        }
        probabilities = {f"probability_{name}": soft[:, at].copy() for at, name in enumerate(self._classes)}
        return {"labels": table_of(columns | probabilities)}

    def predict(self, model: OrdinalModel, records: Table, options: Mapping[str, Any]) -> Tables:
        return self.labels(model, read_class_votes(records, self._classes, {}), options)

    def sources(self, model: OrdinalModel) -> dict[str, Any]:
        return model.source_columns()

    def told(self, model: OrdinalModel) -> Told:
        return Told(
            iterations=model.n_iter,
            converged=model.converged,
            objective=model.objective,
            warnings=model.warnings,
            text=model.summary(),
        )

    def inspect(self, model: OrdinalModel) -> Inspection:
        n_sources, n_classes = len(model.source_names), len(self._classes)

        def confusion() -> dict[str, Any]:
            source, vote, label = np.indices((n_sources, n_classes, n_classes), np.int32).reshape(3, -1)
            return {
                "source": Texts(tuple(model.source_names), source),
                "label": Texts(self._classes, label),
                "vote": Texts(self._classes, vote),
                "probability": model.confusion_matrices[source, vote, label],
            }

        sources = n_sources, model.source_columns
        return inspection(model.diagnostics, {}, sources=sources, confusion=(n_sources * n_classes**2, confusion))

    def cells(self, votes: Any) -> int:
        return class_cells(votes, len(self._classes))
