"""`LabelModel` and `MajorityLabelVoter` by the arguments of Snorkel, with the label model of this library inside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel import model
from weaklabel.adapters._arguments import check_arguments
from weaklabel.adapters.snorkel.analysis import vote_table
from weaklabel.adapters.snorkel.scoring import Scorer, label_array, probs_to_preds
from weaklabel.errors import InvalidArgumentError, NotFittedError
from weaklabel.votes import Votes

_DESCENT = "EM converges by itself, weaklabel.LabelModel(tol=, max_iter=) says when it ends"
_UNUSED_IN_FIT = {
    "n_epochs": _DESCENT,
    "lr": _DESCENT,
    "l2": _DESCENT,
    "optimizer": _DESCENT,
    "optimizer_config": _DESCENT,
    "lr_scheduler": _DESCENT,
    "lr_scheduler_config": _DESCENT,
    "prec_init": "accuracies that are known go into weaklabel.LabelModel.fit(bounds=)",
    "log_freq": "",
    "mu_eps": "",
}


class _Labeler:
    """What the models share."""

    def __init__(self, cardinality: int = 2, **kwargs: Any) -> None:
        """Takes the number of classes; `verbose` and `device` have no meaning.

        Raises:
            InvalidArgumentError: for fewer than two classes, and arguments that are not known.
        """
        for name in ("n_classes", "classes"):
            if name in kwargs:
                raise InvalidArgumentError(
                    f"{type(self).__name__} has no argument {name!r}: in Snorkel it is cardinality=, and "
                    f"weaklabel.LabelModel has {name}=",
                    field=name,
                )
        kwargs = {name: value for name, value in kwargs.items() if name != "verbose"}
        check_arguments(
            type(self).__name__, kwargs, {"device": "JAX chooses the device, by JAX_PLATFORMS"}, stacklevel=4
        )
        if isinstance(cardinality, bool) or not isinstance(cardinality, (int, np.integer)) or cardinality < 2:
            raise InvalidArgumentError(f"cardinality must be 2 or more, got {cardinality!r}", field="cardinality")
        self.cardinality = int(cardinality)

    def predict_proba(self, L: ArrayLike) -> NDArray[np.float64]:
        """[N, K] soft labels."""
        raise NotImplementedError

    def predict(self, L: ArrayLike, return_probs: bool | None = False, tie_break_policy: str = "abstain") -> Any:
        """[N] hard labels; with `return_probs` also the soft labels they are of.

        Args:
            L: [N, M] class indices, -1 for an abstain.
            return_probs: return (hard labels, soft labels).
            tie_break_policy: as in `probs_to_preds`.

        Raises:
            InvalidArgumentError: for another policy.
            InvalidVotesError: for votes that cannot be read.
        """
        probs = self.predict_proba(L)
        preds = probs_to_preds(probs, tie_break_policy)
        return (preds, probs) if return_probs else preds

    def score(
        self,
        L: ArrayLike,
        Y: ArrayLike,
        metrics: Sequence[str] | None = ("accuracy",),
        tie_break_policy: str = "abstain",
    ) -> dict[str, float]:
        """Scores by name, over the items with a gold label and, as in Snorkel, a prediction.

        With "abstain" this leaves out the items that the model cannot tell: add "coverage" to see how many, or take
        "random", or `weaklabel.LabelModel.score`, which counts them as wrong.

        Args:
            L: as in `predict`.
            Y: [N] true classes, -1 where unknown.
            metrics: as in `metric_score`.
            tie_break_policy: as in `predict`.

        Raises:
            InvalidArgumentError, InvalidVotesError: as `predict` and `Scorer`.
        """
        preds, probs = self.predict(L, return_probs=True, tie_break_policy=tie_break_policy)
        return Scorer(metrics=metrics).score(label_array(Y, "Y"), preds, probs)


class MajorityLabelVoter(_Labeler):
    """The class with most votes; classes that are tied for it share it."""

    def predict_proba(self, L: ArrayLike) -> NDArray[np.float64]:
        """[N, K] 1 for the class with most votes; equal shares where classes are tied."""
        counts = Votes.from_dense(L, self.cardinality).counts()
        most = counts == counts.max(1, keepdims=True)
        return np.asarray(most / most.sum(1, keepdims=True), np.float64)


class LabelModel(_Labeler):
    """`weaklabel.LabelModel` under Snorkel's names; the model itself is `model`, after `fit`."""

    def __init__(self, cardinality: int = 2, **kwargs: Any) -> None:
        super().__init__(cardinality, **kwargs)
        self._model: model.LabelModel | None = None
        self._balance: NDArray[np.float64] | None = None
        self._table: NDArray[np.float64] | None = None

    def fit(
        self,
        L_train: ArrayLike,
        Y_dev: ArrayLike | None = None,
        class_balance: Sequence[float] | None = None,
        progress_bar: bool = True,  # noqa: ARG002  # a fit takes less than a bar
        *,
        seed: int = 0,
        **kwargs: Any,
    ) -> Self:
        """Fits the label model.

        Args:
            L_train: [N, M] class indices, -1 for an abstain.
            Y_dev: true classes of some other items, of which the class balance is read, as in Snorkel. Labels of the
                items of `L_train` say more: `weaklabel.LabelModel.fit(gold=)`.
            class_balance: [K] shares of the classes, which are then not estimated.
            progress_bar: nothing.
            seed: of ties.
            **kwargs: settings of Snorkel's gradient descent, which have no meaning here and warn.

        Raises:
            InvalidVotesError: for votes that cannot be read.
            InvalidArgumentError: for a class balance that is none, and arguments that are not known.
        """
        if "gold" in kwargs or "Y" in kwargs:
            raise InvalidArgumentError(
                "labels of the training items go into weaklabel.LabelModel.fit(votes, gold=...)", field="Y_dev"
            )
        check_arguments("LabelModel.fit", kwargs, _UNUSED_IN_FIT)
        votes = Votes.from_dense(L_train, self.cardinality)
        balance = self._known_balance(class_balance, Y_dev)
        fitted = model.LabelModel(n_classes=self.cardinality, seed=seed)
        fitted.fit(votes, prior=None if balance is None else np.tile(balance, (votes.n_items, 1)))
        self._model, self._balance = fitted, balance
        self._table = vote_table(votes.to_dense(), self.predict_proba(votes.to_dense()))
        return self

    def _known_balance(self, balance: Sequence[float] | None, labels: ArrayLike | None) -> NDArray[np.float64] | None:
        if balance is None and labels is None:
            return None
        field = "Y_dev" if balance is None else "class_balance"
        if balance is None:
            counts = np.bincount(label_array(np.asarray(labels), field), minlength=self.cardinality).astype(np.float64)
            known = counts / max(counts.sum(), 1)
        else:
            known = np.asarray(balance, np.float64)
        if known.shape != (self.cardinality,) or not (known > 0).all() or abs(known.sum() - 1) > 1e-3:
            raise InvalidArgumentError(
                f"{field} gives the class balance {known.tolist()}: {self.cardinality} shares above 0 that sum to 1 "
                "are expected",
                field=field,
            )
        return np.asarray(known / known.sum(), np.float64)

    @property
    def model(self) -> model.LabelModel:
        """The label model inside: diagnostics, intervals, explanations.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._model is None:
            raise NotFittedError("the label model is not fitted: call fit(L_train) first")
        return self._model

    def predict_proba(self, L: ArrayLike) -> NDArray[np.float64]:
        """[N, K] calibrated soft labels; items without a vote have the class balance where it was given, else are even.

        Args:
            L: as in `predict`.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: for votes that cannot be read.
        """
        fitted = self.model
        votes = Votes.from_dense(L, self.cardinality)
        prior = None if self._balance is None else np.tile(self._balance, (votes.n_items, 1))
        return fitted.predict_proba(votes, prior=prior).astype(np.float64)

    def get_weights(self) -> NDArray[np.float64]:
        """[M] estimated share of the votes of each function that are right, as in Snorkel."""
        return self.model.source_accuracy

    def get_conditional_probs(self) -> NDArray[np.float64]:
        """[M, K + 1, K] P(vote | class) by the soft labels; the first row of each matrix is the abstain.

        Raises:
            NotFittedError: before `fit`, and after `load`: a file does not hold how often functions abstain.
        """
        if self._table is None:
            raise NotFittedError("conditional probabilities are of the votes of the fit: call fit(L_train) first")
        return self._table.copy()

    def save(self, destination: str | os.PathLike[str]) -> None:
        """Writes the model to a file, which is no pickle.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: for a model that was fitted with a class balance, which the file does not hold.
        """
        if self._balance is not None:
            raise InvalidArgumentError(
                "the file of a model does not hold the given class balance: keep the soft labels, or fit without it",
                field="destination",
            )
        self.model.save(os.fspath(destination))

    def load(self, source: str | os.PathLike[str]) -> None:
        """Reads a file of `save`, or of `weaklabel.LabelModel.save`; Snorkel's own files are pickles and refused.

        Raises:
            ModelFileError: for a file that is no model of this library.
            InvalidArgumentError: for a model of another number of classes.
        """
        loaded = model.LabelModel.load(os.fspath(source))
        if loaded.n_classes != self.cardinality:
            raise InvalidArgumentError(
                f"{source} holds a model of {loaded.n_classes} classes: make LabelModel(cardinality="
                f"{loaded.n_classes})",
                field="source",
            )
        self._model, self._balance, self._table = loaded, None, None
