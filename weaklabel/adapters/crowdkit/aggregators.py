"""The aggregators under crowd-kit's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel.adapters.crowdkit.frames import LongFrame, read_long
from weaklabel.analysis import krippendorff_alpha, source_confusions
from weaklabel.errors import InvalidArgumentError
from weaklabel.model import LabelModel
from weaklabel.votes import ABSTAIN, Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class _Aggregator:
    """What the aggregators share: results are attributes that end in an underscore, after `fit`."""

    labels_: pd.Series[Any]
    """Label of each task, by task."""
    probas_: pd.DataFrame
    """[N, K] by task and label."""

    def fit(self, data: pd.DataFrame) -> Self:
        """Aggregates the votes of a frame with the columns task, worker and label.

        Raises:
            InvalidVotesError: for what is no such frame, with the row.
        """
        raise NotImplementedError

    def fit_predict(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> pd.Series[Any]:
        """The label of each task; arguments and errors as of `fit`."""
        return self.fit(data, *args, **kwargs).labels_

    def fit_predict_proba(self, data: pd.DataFrame, *args: Any, **kwargs: Any) -> pd.DataFrame:
        """[N, K] probabilities by task and label; arguments and errors as of `fit`."""
        return self.fit(data, *args, **kwargs).probas_

    def _keep(self, read: LongFrame, probabilities: NDArray[np.float64]) -> None:
        self.probas_ = read.by_task(probabilities)
        best = read.labels.take(probabilities.argmax(1))
        self.labels_ = pandas().Series(best, index=read.tasks, name="agg_label")

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no {name} yet, or none at all: call fit(data) first")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class MajorityVote(_Aggregator):
    """The label with most votes, or with the largest sum of skills; of tied labels the first.

    Args:
        default_skill: of workers without one, where `on_missing_skill` is "value".
        on_missing_skill: what to do about workers without a skill: "error", "ignore" their votes, or "value".
    """

    skills_: pd.Series[Any]
    """Share of the votes of each worker that are for the label of the task."""

    def __init__(
        self, default_skill: float | None = None, on_missing_skill: Literal["error", "ignore", "value"] = "error"
    ) -> None:
        if on_missing_skill not in ("error", "ignore", "value") or (on_missing_skill == "value") != (
            default_skill is not None
        ):
            raise InvalidArgumentError(
                "on_missing_skill must be 'error', 'ignore', or 'value' with a default_skill", field="on_missing_skill"
            )
        self.default_skill, self.on_missing_skill = default_skill, on_missing_skill

    def fit(self, data: pd.DataFrame, skills: pd.Series[Any] | None = None) -> Self:
        """Counts votes.

        Args:
            data: one row a vote, in the columns task, worker and label.
            skills: weight of each worker's votes, by worker.

        Raises:
            InvalidVotesError: for what is no such frame, with the row.
            InvalidArgumentError: for a worker without a skill, or a task on which nobody has one.
        """
        read = read_long(data)
        counted = read if skills is None else self._with_skill(read, skills)
        weight = None if skills is None else self._weights(counted, skills)
        cells = np.bincount(
            counted.task * len(read.labels) + counted.label, weight, len(read.tasks) * len(read.labels)
        ).reshape(len(read.tasks), -1)
        total = cells.sum(1, keepdims=True)
        if (total <= 0).any():
            raise InvalidArgumentError(
                f"task {read.tasks.tolist()[int((total[:, 0] <= 0).argmax())]!r} has no vote of a worker with a skill",
                field="skills",
            )
        self._keep(read, cells / total)
        self.skills_ = _accuracy(read, self.labels_)
        return self

    def _with_skill(self, read: LongFrame, skills: pd.Series[Any]) -> LongFrame:
        known = read.workers.isin(skills.index)
        if known.all() or self.on_missing_skill == "value":
            return read
        if self.on_missing_skill == "error":
            raise InvalidArgumentError(
                f"worker {read.workers.tolist()[int((~known).argmax())]!r} has no skill", field="skills"
            )
        chosen = np.asarray(known)[read.worker]
        return read._replace(task=read.task[chosen], worker=read.worker[chosen], label=read.label[chosen])

    def _weights(self, read: LongFrame, skills: pd.Series[Any]) -> NDArray[np.float64]:
        of_worker = skills.reindex(read.workers).fillna(self.default_skill or 0.0)
        return np.asarray(of_worker.to_numpy(np.float64)[read.worker])


class Wawa(_Aggregator):
    """Worker agreement with aggregate: votes weighted by each worker's share of agreement with the majority."""

    skills_: pd.Series[Any]
    """Share of the votes of each worker that are for the label with most votes."""

    def fit(self, data: pd.DataFrame) -> Self:
        """Skills of the workers, and labels by them; errors as of `MajorityVote.fit`."""
        skills = MajorityVote().fit(data).skills_
        self._weigh(data, skills)
        self.skills_ = skills
        return self

    def predict(self, data: pd.DataFrame) -> pd.Series[Any]:
        """The label of each task of a frame, by the skills of the fit."""
        return self._weigh(data, self.skills_).labels_

    def predict_proba(self, data: pd.DataFrame) -> pd.DataFrame:
        """[N, K] shares of the skills by task and label, by the skills of the fit."""
        return self._weigh(data, self.skills_).probas_

    def _weigh(self, data: pd.DataFrame, skills: pd.Series[Any]) -> Self:
        weighted = MajorityVote().fit(data, skills)
        self.probas_, self.labels_ = weighted.probas_, weighted.labels_
        return self


class DawidSkene(_Aggregator):
    """`weaklabel.LabelModel` with a confusion matrix per worker; the model itself is `model_`, after `fit`.

    Args:
        n_iter: limit of EM iterations.
        tol: EM converges when no responsibility changes by more; crowd-kit's is of the loss.

    Raises:
        InvalidArgumentError: for limits that are not positive, and an `initial_error_strategy`.
    """

    priors_: pd.Series[Any]
    """Estimated share of each label, by label."""
    errors_: pd.DataFrame
    """P(vote | label): a line for each worker and vote that was given, a column for each label."""
    skills_: pd.Series[Any]
    """Estimated share of each worker's votes that are right."""
    loss_history_: list[float]
    """Log marginal likelihood per task after each iteration."""
    model_: LabelModel
    """The label model: diagnostics, intervals, explanations."""

    _source_model = "confusion"

    def __init__(self, n_iter: int = 100, tol: float = 1e-4, initial_error_strategy: None = None) -> None:
        if initial_error_strategy is not None:
            raise InvalidArgumentError(
                "initial_error_strategy has no meaning here: accuracies that are known go into "
                "weaklabel.LabelModel.fit(bounds=)",
                field="initial_error_strategy",
            )
        LabelModel(2, max_iter=n_iter, tol=tol)  # refuses what it would refuse at the fit
        self.n_iter, self.tol = n_iter, tol

    def fit(self, data: pd.DataFrame, true_labels: pd.Series[Any] | None = None, initial_error: None = None) -> Self:
        """Fits the label model.

        Args:
            data: one row a vote, in the columns task, worker and label.
            true_labels: known labels of some tasks, by task; tasks without votes among them are left out.
            initial_error: nothing but None.

        Raises:
            InvalidVotesError: for what is no such frame, with the row.
            InvalidArgumentError: for a known label that no worker gives, and `initial_error`.
        """
        if initial_error is not None:
            raise InvalidArgumentError(
                "initial_error is not taken: accuracies that are known go into weaklabel.LabelModel.fit(bounds=)",
                field="initial_error",
            )
        read = read_long(data)
        votes = read.votes()
        model = LabelModel(len(read.labels), max_iter=self.n_iter, tol=self.tol, source_model=self._source_model)
        model.fit(votes, gold=None if true_labels is None else _gold(read, true_labels))
        self._keep(read, model.predict_proba(votes).astype(np.float64))
        self.model_, self.loss_history_ = model, list(map(float, model.objective))
        self.priors_ = pandas().Series(model.class_balance, index=read.labels, name="prior")
        self.skills_ = read.by_worker(model.source_accuracy)
        self.errors_ = _errors(read, self._confusions(votes, model))
        return self

    def _confusions(self, votes: Votes, model: LabelModel) -> NDArray[np.float64]:
        """[M, K, K] P(vote | label), label on the second axis, vote on the last."""
        return source_confusions(votes, model).rates


class OneCoinDawidSkene(DawidSkene):
    """`weaklabel.LabelModel` with one accuracy per worker, `skills_`."""

    _source_model = "one_coin"

    def _confusions(self, votes: Votes, model: LabelModel) -> NDArray[np.float64]:
        right, n_classes = model.source_accuracy[:, None, None], votes.n_classes
        same = np.eye(n_classes)[None]
        return np.asarray(same * right + (1 - same) * (1 - right) / (n_classes - 1))


def alpha_krippendorff(answers: pd.DataFrame) -> float:
    """Krippendorff's alpha of nominal labels, of a frame with the columns task, worker and label.

    Raises:
        InvalidVotesError: for what is no such frame, with the row.
    """
    return float(krippendorff_alpha(read_long(answers).votes()).value)


def _accuracy(read: LongFrame, labels: pd.Series[Any]) -> pd.Series[Any]:
    """Share of the votes of each worker that agree with the label of the task."""
    right = read.labels.get_indexer(pandas().Index(labels))[read.task] == read.label
    n_workers = len(read.workers)
    return read.by_worker(np.bincount(read.worker, right, n_workers) / np.bincount(read.worker, minlength=n_workers))


def _gold(read: LongFrame, true_labels: pd.Series[Any]) -> NDArray[np.int64]:
    """[N] known labels, -1 where unknown."""
    if not hasattr(true_labels, "reindex") or not true_labels.index.is_unique:
        raise InvalidArgumentError("true_labels must be a pandas Series with one label a task", field="true_labels")
    known = true_labels[true_labels.notna() & true_labels.index.isin(read.tasks)]
    codes = read.labels.get_indexer(pandas().Index(known))
    if (codes < 0).any():
        at = int((codes < 0).argmax())
        raise InvalidArgumentError(
            f"true_labels of task {known.index.tolist()[at]!r} is {known.tolist()[at]!r}, which no worker gives",
            field="true_labels",
        )
    gold = np.full(len(read.tasks), ABSTAIN, np.int64)
    gold[read.tasks.get_indexer(known.index)] = codes
    return gold


def _errors(read: LongFrame, rates: NDArray[np.float64]) -> pd.DataFrame:
    """The columns [M, K, K] of votes that were given."""
    given = np.unique(read.worker * len(read.labels) + read.label)
    worker, label = np.divmod(given, len(read.labels))
    index = pandas().MultiIndex.from_arrays(
        [read.workers.take(worker), read.labels.take(label)], names=["worker", "label"]
    )
    values = rates[worker, :, label]
    frame: pd.DataFrame = pandas().DataFrame(values, index=index, columns=read.labels.rename(None))
    return frame
