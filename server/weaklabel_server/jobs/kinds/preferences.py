"""Preferences."""

# Methods have the names, arguments and documentation of Kind.
# ruff: noqa: ARG002, D102

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel import PreferenceModel
from weaklabel._archive import MOST_BYTES
from weaklabel_protocol.columns import Table, Texts
from weaklabel_protocol.label_spaces import Preferences
from weaklabel_server.jobs.kinds.kind import FitArguments, Inspection, Kind, Tables, Told, inspection, table_of

_METRICS = ("accuracy", "nll", "brier")
_RANKED_CELL = 200
"""Bytes of a place of an item in a ranking: 80 to 95 were seen, and sizes are padded to up to 2.5 times."""


class PreferenceKind(Kind[PreferenceModel]):
    """The better of two items: the table "items" has a row an item, "pairs" one a pair that was compared."""

    def __init__(self, space: Preferences) -> None:
        self._ties = space.ties

    def fit(self, votes: Table, gold: Table | None, arguments: FitArguments) -> PreferenceModel:
        model = PreferenceModel(ties=self._ties, seed=arguments.seed, **arguments.of())
        return model.fit(_lists(votes), gold=None if gold is None else _lists(gold), progress=arguments.progress)

    def open(self, data: bytes, most_bytes: int = MOST_BYTES) -> PreferenceModel:
        return PreferenceModel.from_bytes(data, most_bytes=most_bytes)

    def fault(self, model: PreferenceModel) -> str:
        told = {True: "knows ties", False: "knows no ties"}
        return "" if model.ties is self._ties else f"it {told[model.ties]}, and the project {told[self._ties]}"

    def probe(self, model: PreferenceModel) -> Table:
        items = model.items_
        pairs = [(items[0], items[1]), (items[1], items[0]), (items[0], items[-1])]
        left, right = zip(*pairs, strict=True)
        return Table({"left": Texts.of(left), "right": Texts.of(right)})

    def save(self, model: PreferenceModel) -> bytes:
        return model.to_bytes()

    def labels(self, model: PreferenceModel, votes: Table, options: Mapping[str, Any]) -> Tables:
        left, right = model.pairs_.T
        pairs = table_of({"left": left, "right": right} | _probabilities(model, None))
        return {"items": table_of(model.item_columns()), "pairs": pairs}

    def predict(self, model: PreferenceModel, records: Table, options: Mapping[str, Any]) -> Tables:
        probabilities = _probabilities(model, _lists(records))
        return {"pairs": Table({name: records.columns[name] for name in ("left", "right")} | probabilities)}

    def sources(self, model: PreferenceModel) -> dict[str, Any]:
        return model.source_columns()

    def told(self, model: PreferenceModel) -> Told:
        return Told(
            iterations=model.n_iter,
            converged=model.converged,
            objective=model.objective,
            warnings=tuple(finding.message for finding in model.diagnostics.findings),
            text=model.summary(),
        )

    def score(
        self, model: PreferenceModel, votes: Table | None, gold: Table, metrics: Sequence[str]
    ) -> dict[str, float]:
        return model.score(_lists(gold), metrics=metrics or _METRICS)

    def inspect(self, model: PreferenceModel) -> Inspection:
        told = model.diagnostics
        return inspection(
            told.findings,
            {"doubt": told.doubt, "residual_correlation": told.residual_correlation},
            sources=(len(model.judges_), model.source_columns),
            items=(len(model.items_), model.item_columns),
        )

    def cells(self, votes: Table) -> int:
        return votes.n_rows

    def bytes_beyond_rows(self, votes: Table) -> int:
        """A fit lays rankings out as a table as wide as the longest, of m items and m (m - 1) / 2 rows."""
        ranking = votes.columns.get("ranking")
        if not isinstance(ranking, Texts):
            return 0
        rows = np.bincount(ranking.codes[ranking.codes >= 0], minlength=1)
        longest = math.ceil((1 + math.sqrt(1 + 8 * int(rows.max()))) / 2)
        return int((rows > 1).sum()) * longest * _RANKED_CELL


def _lists(table: Table) -> dict[str, list[Any]]:
    return {name: values.tolist() for name, values in table.values().items()}


def _probabilities(model: PreferenceModel, pairs: Any) -> dict[str, Any]:
    names = ("probability_left", "probability_right", "probability_tie")
    return dict(zip(names, model.predict_proba(pairs).T, strict=False))
