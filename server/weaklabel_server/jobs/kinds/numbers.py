"""Numbers."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

from collections.abc import Mapping, Sequence
from typing import Any

from weaklabel import NumericModel
from weaklabel._archive import MOST_BYTES
from weaklabel.kinds.numbers.scores import METRICS
from weaklabel_protocol.columns import Table
from weaklabel_server.jobs.kinds.kind import (
    FitArguments,
    Inspection,
    Kind,
    Tables,
    Told,
    all_vote,
    inspection,
    known_once,
    table_of,
)


class NumberKind(Kind[NumericModel]):
    """A number an item: the table "labels" has a row an item, as NumericModel.predict_frame."""

    def fit(self, votes: Table, gold: Table | None, arguments: FitArguments) -> NumericModel:
        model = NumericModel(**arguments.of("common_error"))
        return model.fit(
            *_columns(votes), gold=None if gold is None else known_once(gold, "value"), progress=arguments.progress
        )

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> NumericModel:
        return NumericModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: NumericModel) -> str:
        return ""

    def probe(self, model: NumericModel) -> Table:
        return all_vote(model, "value", 0.0, 1.0)

    def save(self, model: NumericModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: NumericModel, votes: Table, options: Mapping[str, Any]) -> Tables:
        return self.predict(model, votes, options)

    def predict(self, model: NumericModel, records: Table, options: Mapping[str, Any]) -> Tables:
        columns = model.predict_columns(*_columns(records), coverage=options.get("coverage", 0.9))
        return {"labels": table_of(columns)}

    def sources(self, model: NumericModel) -> dict[str, Any]:
        return model.source_columns()

    def told(self, model: NumericModel) -> Told:
        return Told(
            iterations=model.n_iter,
            converged=model.converged,
            objective=model.objective,
            warnings=model.warnings,
            text=model.summary(),
        )

    def score(self, model: NumericModel, votes: Table | None, gold: Table, metrics: Sequence[str]) -> dict[str, float]:
        assert votes is not None
        items, source, value = _columns(votes)
        known = known_once(gold, "value")
        found = model.score(items, known, metrics=metrics or METRICS, source=source, value=value)
        assert isinstance(found, dict)
        return found

    def inspect(self, model: NumericModel) -> Inspection:
        told = model.diagnostics
        figures = {"effective_votes": told.effective_votes, "shared_shift": told.shared_shift, "width": told.width}
        sources = len(model.source_names), model.source_columns
        return inspection(told.findings, figures, sources=sources)

    def cells(self, votes: Table) -> int:
        return votes.n_rows


def _columns(table: Table) -> tuple[Any, Any, Any]:
    return table.texts("item"), table.texts("source"), table.numbers("value")
