"""What the models share, by the habits of scikit-learn: parameters, scores, and predictions as frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._parameters import Parameters
from weaklabel.analysis.scores import METRICS, Predictions, ScoreTable, positive_class, score, score_slices
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.calibration.decision import TieBreakPolicy
from weaklabel.side_information.gold import read_labels
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas
from weaklabel.votes.validation import row_ids

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("accuracy", "f1_macro", "nll", "brier", "ece")


class Estimator(Parameters):
    """Methods of a model that come down to `label` and to the parameters of its making."""

    _together = frozenset({"n_classes", "classes"})
    classes: tuple[str, ...]
    _given_classes: tuple[int | None, Sequence[str] | None]
    """`n_classes` and `classes` as they were given."""

    def label(self, votes: Any, tie_break_policy: TieBreakPolicy = "abstain", **side: Any) -> Any:
        """Soft labels [N, K] and hard labels [N]."""
        raise NotImplementedError

    # ---------------------------------------------------------------- parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that make a model like this one, not fitted; as scikit-learn's `clone` wants them.

        Args:
            deep: nothing: no parameter is a model itself.
        """
        given = dict(zip(("n_classes", "classes"), getattr(self, "_given_classes", (None, self.classes)), strict=True))
        return {name: given.get(name, value) for name, value in super().get_params(deep).items()}

    # -------------------------------------------------------------------- frames

    def predict_frame(
        self, votes: Votes | ArrayLike | None = None, tie_break_policy: TieBreakPolicy = "abstain", **side: Any
    ) -> pd.DataFrame:
        """Soft labels by class name, and "label", the name of the likeliest class, missing where classes are tied.

        The index holds the ids of the items, where they have some. A class that is called "label" keeps its column; the
        hard labels then stand in "label_".

        Args:
            votes: as in `predict_proba`.
            tie_break_policy: as in `predict`.
            **side: what else `predict_proba` takes.

        Raises:
            MissingExtraError: if pandas is not installed.
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `predict`.
        """
        library = pandas()
        soft, labels = self.label(votes, tie_break_policy, **side)
        ids = _ids_of(votes, side.get("features"))
        index = library.RangeIndex(len(soft)) if ids is None else library.Index(np.asarray(ids, object), name="item")
        frame: pd.DataFrame = library.DataFrame(soft, index=index, columns=list(self.classes))
        name = "label"
        while name in self.classes:
            name += "_"
        frame.insert(0, name, library.Categorical.from_codes(labels, categories=list(self.classes)))
        return frame

    # -------------------------------------------------------------------- scores

    @overload
    def score(
        self,
        votes: Votes | ArrayLike | None,
        gold: ArrayLike,
        metric: str = ...,
        *,
        metrics: None = ...,
        positive: int | str | None = ...,
        **side: Any,
    ) -> float: ...

    @overload
    def score(
        self,
        votes: Votes | ArrayLike | None,
        gold: ArrayLike,
        metric: str = ...,
        *,
        metrics: Sequence[str],
        positive: int | str | None = ...,
        **side: Any,
    ) -> dict[str, float]: ...

    def score(
        self,
        votes: Votes | ArrayLike | None,
        gold: ArrayLike,
        metric: str = "accuracy",
        *,
        metrics: Sequence[str] | None = None,
        positive: int | str | None = None,
        **side: Any,
    ) -> float | dict[str, float]:
        """How good predictions are on the items with gold.

        Hard labels: "accuracy"; "precision", "recall" and "f1" of the positive class; "precision_macro",
        "recall_macro" and "f1_macro", plain means over the classes that are in gold or predictions. A tie, which
        `predict` leaves open, is wrong. Soft labels: "roc_auc", of the positive class or the mean of each class against
        the others, where ties count half; "nll", "brier" and "ece" as in `weaklabel.analysis.Scores`.

        Args:
            votes: as in `predict_proba`.
            gold: as in `fit`.
            metric: the one wanted.
            metrics: several at once.
            positive: name or index of the positive class; of two classes the second where not given.
            **side: what else `predict_proba` takes.

        Returns:
            The score; with `metrics`, scores by name.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict`.
            InvalidArgumentError: if gold has another length than the votes, no label, or holds what is no class; for
                unknown metrics, and those of one class where none is named.
        """
        if metrics is None and (not isinstance(metric, str) or metric not in METRICS):
            raise InvalidArgumentError(
                f"metric must be one of {', '.join(METRICS)}, got {metric!r}; several are metrics=[...]",
                field="metric",
            )
        predictions, _, _ = self._judged(votes, gold, positive, side)
        found = score(predictions, [metric] if metrics is None else metrics)
        return found[metric] if metrics is None else found

    def score_by(
        self,
        votes: Votes | ArrayLike | None,
        gold: ArrayLike,
        by: Any,
        *,
        metrics: Sequence[str] = USUAL,
        positive: int | str | None = None,
        **side: Any,
    ) -> ScoreTable:
        """Scores of slices of the items with gold: of all, and of those that have a value in common.

        Args:
            votes: as in `predict_proba`.
            gold: as in `fit`.
            by: [N] groups, or a frame with N rows, a column each; matched by ids where both sides have them. Numbers of
                many different values are cut into quarters of the items.
            metrics: names, as in `score`.
            positive: as in `score`.
            **side: what else `predict_proba` takes.

        Raises:
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `score`, and for slices that do not fit.
        """
        predictions, known, ids = self._judged(votes, gold, positive, side)
        return score_slices(predictions, metrics, by, known, ids)

    def _judged(
        self, votes: Any, gold: Any, positive: int | str | None, side: dict[str, Any]
    ) -> tuple[Predictions, NDArray[np.bool_], Any]:
        """Predictions of the items with gold, which these are, and the ids of all."""
        soft, labels = self.label(votes, **side)
        ids = _ids_of(votes, side.get("features"))
        truth = read_labels(gold, len(labels), len(self.classes), item_ids=ids, classes=self.classes)
        known = truth >= 0
        if not known.any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        chosen = positive_class(positive, self.classes)
        return Predictions(soft[known].astype(np.float64), labels[known], truth[known], chosen), known, ids


def _ids_of(votes: Any, features: Any) -> Any:
    return votes.item_ids if isinstance(votes, Votes) else row_ids(features if votes is None else votes)
