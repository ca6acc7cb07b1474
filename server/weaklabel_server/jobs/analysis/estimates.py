"""Estimates with intervals, from few known labels and the stored soft labels of a model. They block."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.jobs import side_data
from weaklabel_server.jobs.analysis.labels import read_labels
from weaklabel_server.jobs.analysis.reading import Reader, refusals
from weaklabel_server.jobs.loaded_models import LoadedModel
from weaklabel_server.messages.analysis.estimates import Known, LabelsOf
from weaklabel_server.store.models import Model
from weaklabel_server.store.side_data import SideKind
from weaklabel_server.store.votes import View

if TYPE_CHECKING:
    from weaklabel.analysis import ClassRates, Estimate


class _Sample(NamedTuple):
    """Of the N items of a model."""

    soft_labels: NDArray[np.float32]  # [N, K]
    gold: NDArray[np.int32]  # [N]
    weight: NDArray[np.float32] | None  # [N]
    labels: list[NDArray[np.int32]]  # [N] each


class Estimates:
    """Makes estimates. All raise ServiceError: NO_SOFT_LABELS, LABELS_TOO_LARGE, GOLD_SEEN, SIDE_DATA_NOT_FOUND,
    SIDE_DATA_UNSUITABLE, INVALID_FIELD, MODEL_NOT_FOUND, VOTES_UNSUITABLE.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def accuracy(self, model: LoadedModel, known: Known, labels: LabelsOf | None) -> "Estimate":
        """weaklabel.analysis.estimate_accuracy of labels, or where there are none of the model's own."""
        from weaklabel.analysis import estimate_accuracy

        of = self._read(model, known, {"labels": labels})
        with refusals():
            return estimate_accuracy(
                of.labels[0], of.soft_labels, of.gold, gold_weight=of.weight, confidence=known.confidence
            )

    def balance(self, model: LoadedModel, known: Known) -> "list[Estimate]":
        """weaklabel.analysis.estimate_balance."""
        from weaklabel.analysis import estimate_balance

        of = self._read(model, known, {})
        with refusals():
            return estimate_balance(of.soft_labels, of.gold, gold_weight=of.weight, confidence=known.confidence)

    def rates(self, model: LoadedModel, known: Known, labels: LabelsOf | None) -> "list[ClassRates]":
        """weaklabel.analysis.estimate_rates of labels, or where there are none of the model's own."""
        from weaklabel.analysis import estimate_rates

        of = self._read(model, known, {"labels": labels})
        with refusals():
            return estimate_rates(
                of.labels[0], of.soft_labels, of.gold, gold_weight=of.weight, confidence=known.confidence
            )

    def difference(self, model: LoadedModel, known: Known, labels: LabelsOf | None, others: LabelsOf) -> "Estimate":
        """weaklabel.analysis.estimate_difference of labels, or where there are none of the model's own, and others."""
        from weaklabel.analysis import estimate_difference

        of = self._read(model, known, {"labels": labels, "others": others})
        one, two = of.labels
        with refusals():
            return estimate_difference(
                one, two, of.soft_labels, of.gold, gold_weight=of.weight, confidence=known.confidence
            )

    def labels_needed(self, estimate: "Estimate", width: float) -> int:
        """weaklabel.analysis.labels_needed."""
        from weaklabel.analysis import labels_needed

        with refusals():
            return labels_needed(estimate, width)

    def _read(self, model: LoadedModel, known: Known, labels: dict[str, LabelsOf | None]) -> _Sample:
        """What is known of the items of a model, and the labels in question by the field that names them."""
        with self._reader.begin() as tx:
            stored, view = self._reader.view_of(tx, model)
            gold = side_data.read_gold(tx, view, known.gold, field="gold")
            if not (gold >= 0).any():
                raise invalid("gold", "gold holds no label")
            _check_unseen(tx, stored, view, gold)
            weight = None
            if known.gold_weight is not None:
                kinds = (SideKind.GOLD_WEIGHT,)
                _, weight = side_data.read_one(tx, view, known.gold_weight, kinds, field="gold_weight")
                side_data.check_every_gold(gold, weight)
            soft_labels, own = self._reader.labels_of(tx, stored, view)
            given = [own if of is None else read_labels(tx, view, of, field=field) for field, of in labels.items()]
        return _Sample(soft_labels, gold, weight, given)


def _check_unseen(tx: Connection, stored: Model, view: View, gold: NDArray[np.int32]) -> None:
    """Refuses known labels that the fit of a model has seen: its soft labels know the answers there.

    Raises:
        ServiceError: GOLD_SEEN.
    """
    seen_id = stored.summary.side.data.get(SideKind.GOLD)
    if seen_id is None:
        return
    advice = "estimate by a model that was fitted without gold"
    try:
        seen = side_data.read_known(tx, view, seen_id, field="model")
    except ServiceError as error:
        if error.reason is not Reason.SIDE_DATA_NOT_FOUND:
            raise
        raise ServiceError(
            Reason.GOLD_SEEN, f"the gold of the model's fit was deleted, so nobody knows what it has seen: {advice}"
        ) from None
    both = np.flatnonzero(seen & (gold >= 0))
    if len(both):
        raise ServiceError(
            Reason.GOLD_SEEN,
            f"the fit of the model has seen {len(both)} of the known labels, the first of item {both[0]}, and an "
            f"interval would not hold: {advice}, or leave these labels out",
            metadata={"model": stored.model_id},
        )
