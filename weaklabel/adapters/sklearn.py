"""scikit-learn: a label model as an estimator of pipelines and grid searches, over arrays of votes.

`X` is a matrix of votes [N, M], -1 for an abstain, and `y` the known labels, -1 where unknown, or None: the model
learns from the votes::

    pipeline = Pipeline([("votes", VoteTransformer(functions)), ("label", WeakLabelClassifier())])
    soft_labels = pipeline.fit(texts).predict_proba(texts)
    GridSearchCV(WeakLabelClassifier(), {"source_model": ["confusion", "one_coin"]}).fit(votes, gold)

`EXPECTED_FAILURES` says which checks of `sklearn.utils.estimator_checks.check_estimator` do not apply, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel import labeling
from weaklabel._extras import require
from weaklabel.model import LabelModel
from weaklabel.votes import Votes

if TYPE_CHECKING:

    class BaseEstimator: ...

    class ClassifierMixin: ...

    class TransformerMixin: ...

else:
    _base = require("sklearn.base", extra="sklearn", needed_for="estimators of scikit-learn")
    BaseEstimator, ClassifierMixin, TransformerMixin = (
        _base.BaseEstimator,
        _base.ClassifierMixin,
        _base.TransformerMixin,
    )

__all__ = ["EXPECTED_FAILURES", "VoteTransformer", "WeakLabelClassifier"]


class WeakLabelClassifier(ClassifierMixin, BaseEstimator):
    """`weaklabel.LabelModel` with the manners of a classifier: `classes_`, `n_features_in_`, known labels as `y`.

    Args:
        n_classes: K; where not given, the smallest that fits votes and known labels of the fit, and at least 2.
        source_model: as of `weaklabel.LabelModel`.
        max_iter: likewise.
        tol: likewise.
        random_state: the seed of ties.

    Attributes:
        classes_: [K] class indices.
        n_features_in_: M.
        model_: the label model.
    """

    def __init__(
        self,
        n_classes: int | None = None,
        *,
        source_model: str | None = None,
        max_iter: int = 200,
        tol: float = 1e-4,
        random_state: int = 0,
    ) -> None:
        self.n_classes = n_classes
        self.source_model = source_model
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Fits the label model.

        Args:
            X: [N, M] votes: class indices, -1 for an abstain; or `weaklabel.Votes`.
            y: [N] known labels, -1 where unknown, which the model learns from; or None.

        Raises:
            InvalidVotesError, InvalidArgumentError: as `weaklabel.LabelModel`.
        """
        gold = None if y is None else np.asarray(y)
        n_classes = self.n_classes
        if n_classes is None:
            largest = X.n_classes - 1 if isinstance(X, Votes) else _largest(X)
            n_classes = max(2, largest + 1, 1 + (0 if gold is None else _largest(gold)))
        model = LabelModel(
            n_classes, seed=self.random_state, max_iter=self.max_iter, tol=self.tol, source_model=self.source_model
        )
        known = gold is not None and bool(np.size(gold)) and bool((gold != -1).any())
        self.model_ = model.fit(X, gold=gold if known else None)
        self.classes_ = np.arange(n_classes)
        self.n_features_in_ = len(model.source_names)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """[N, K] calibrated soft labels.

        Raises:
            NotFittedError of scikit-learn: before `fit`.
            InvalidVotesError: for votes that cannot be read.
        """
        require("sklearn.utils.validation", extra="sklearn", needed_for="estimators").check_is_fitted(self)
        return self.model_.predict_proba(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """[N] the likeliest class; of tied ones a random one, the same at each call.

        A classifier of scikit-learn has no abstain: `model_.predict` does.
        """
        require("sklearn.utils.validation", extra="sklearn", needed_for="estimators").check_is_fitted(self)
        return self.model_.predict(X, "random").astype(np.int64)


class VoteTransformer(TransformerMixin, BaseEstimator):
    """Labeling functions as a step of a pipeline: data in, votes [N, M] out.

    Args:
        functions: labeling functions.
        n_classes: K, or None.
        n_jobs: number of processes.
    """

    def __init__(self, functions: Sequence[Any], n_classes: int | None = None, n_jobs: int = 1) -> None:
        self.functions = functions
        self.n_classes = n_classes
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Nothing to learn."""
        return self

    def transform(self, X: Any) -> NDArray[np.int64]:
        """[N, M] votes, -1 for an abstain.

        Raises:
            InvalidArgumentError: as `weaklabel.apply`.
        """
        votes = labeling.apply(self.functions, X, n_classes=self.n_classes, n_jobs=self.n_jobs, progress=False)
        return votes.to_dense().astype(np.int64)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """[M] names of the functions."""
        return np.array([one.name for one in self.functions], object)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _largest(values: Any) -> int:
    """The largest whole number; what is none is refused later, with its place."""
    try:
        return int(np.nanmax(np.asarray(values, np.float64), initial=0))
    except (TypeError, ValueError, OverflowError):
        return 0


_VOTES = "X holds votes, class indices and -1, not measurements: what the check makes is refused"
EXPECTED_FAILURES: dict[str, str] = {
    "check_classifiers_one_label": "there are two classes at least",
    "check_estimators_nan_inf": "what is missing among votes abstains",
    "check_estimators_empty_data_messages": "votes on no items are votes",
    "check_fit2d_1sample": "one item is enough for a label model",
    "check_fit2d_1feature": "one source is enough for a label model",
    "check_requires_y_none": "y may be None, and the message on X speaks of votes",
    "check_complex_data": "the message says that votes must be whole numbers",
    "check_classifier_data_not_an_array": "what is no array is refused",
    "check_classifiers_regression_target": "the message on X comes first",
    "check_positive_only_tag_during_fit": _VOTES,
} | dict.fromkeys(
    (
        "check_classifiers_classes",
        "check_classifiers_train",
        "check_dict_unchanged",
        "check_dont_overwrite_parameters",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_predict1d",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_fit_score_takes_y",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in",
        "check_n_features_in_after_fitting",
        "check_non_transformer_estimators_n_iter",
        "check_pipeline_consistency",
        "check_readonly_memmap_input",
        "check_supervised_y_2d",
    ),
    _VOTES,
)
"""Checks of scikit-learn that do not apply to `WeakLabelClassifier`, and why; what each of the last would find out of
votes is in the tests."""
