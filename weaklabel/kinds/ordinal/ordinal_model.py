"""The estimator for ordered classes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.common.arguments import count_of, number_between
from weaklabel.kinds.common.estimators import SourceEstimator
from weaklabel.kinds.ordinal import settings, storage
from weaklabel.kinds.ordinal.decoding import Decode, decoded, doubts, leniency
from weaklabel.kinds.ordinal.pipeline import Fitted, HostParams, fit_ordinal, predict_ordinal
from weaklabel.kinds.ordinal.scores import ordinal_scores
from weaklabel.model.class_names import class_names
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.inputs import watcher
from weaklabel.model.report.diagnostics import ConvergenceWarning, Finding
from weaklabel.votes import Votes, as_gold, as_votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class OrdinalModel(SourceEstimator[Fitted]):
    """Soft labels for ordered classes, such as ratings, from votes for these classes.

    Each source has thresholds, shrunk to those that all share, and a sharpness: how fast its votes move with the class.
    That is one confusion matrix per source out of 1 + K numbers, fitted by EM; see docs/numbers.md.

    Examples:
        >>> votes = np.array([[0, 0, 1], [1, 1, 2], [2, 2, 2], [0, 0, 0], [2, 1, 2], [0, 1, 0]])
        >>> OrdinalModel(["bad", "fair", "good"]).fit(votes).predict(votes)
        array([0, 1, 2, 0, 2, 0])
    """

    _together = frozenset({"n_classes", "classes"})
    _storage: ClassVar[Any] = storage

    def __init__(
        self,
        classes: Sequence[str] | None = None,
        *,
        n_classes: int | None = None,
        common_error: float = settings.COMMON_ERROR,
        max_iter: int = 200,
        tol: float = 1e-3,
    ) -> None:
        """Takes the classes from the lowest to the highest.

        Args:
            classes: K names, in order.
            n_classes: K, where the classes have no names.
            common_error: correlation of the errors of an item's sources, from 0 to 1: n votes weigh
                n / (1 + c (n - 1)).
            max_iter: EM iterations at most.
            tol: EM converges when the mean total-variation change of the posterior is at most this.

        Raises:
            InvalidArgumentError: for values out of range; `field` names the argument.
        """
        self._names = class_names(n_classes, classes)
        self.classes = self._names if classes is not None else None
        self.n_classes = len(self._names)
        self._given = n_classes
        self.common_error = number_between(common_error, "common_error", 0, 1)
        self.max_iter = count_of(max_iter, "max_iter")
        self.tol = number_between(tol, "tol", 0, 1)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that make a model like this one, not fitted; as scikit-learn's `clone` wants them.

        Args:
            deep: nothing: no parameter is a model itself.
        """
        return super().get_params(deep) | {"n_classes": self._given}

    # ------------------------------------------------------------- fitting

    def fit(
        self,
        votes: Votes | ArrayLike,
        *,
        gold: ArrayLike | None = None,
        progress: OnProgress | bool | None = None,
    ) -> Self:
        """Learns the sources.

        Args:
            votes: Votes, or whole numbers [N, M] with -1 for an abstain.
            gold: [N] known classes, indices or names, -1 or missing where unknown: EM keeps these items at them.
            progress: True for a bar on stderr; or a function, called with `FitProgress` every few iterations: what it
                raises ends the fit, and the model stays as it was.

        Returns:
            The model. A fit that did not converge warns.

        Raises:
            InvalidVotesError: if the votes cannot be read, or are not all votes for one class.
            InvalidArgumentError: if gold does not fit the votes.
        """
        read = self._read(votes)
        if not read.n_votes:
            raise InvalidVotesError("there is no vote", field="votes")
        known = None if gold is None else as_gold(gold, read, self._names)
        with watcher(progress, self.max_iter) as tell:
            fitted = fit_ordinal(read, known, self.max_iter, self.tol, tell)
        self._state = tuple(read.source_names), fitted
        if not fitted.converged:
            warnings.warn(
                f"EM did not converge in {self.max_iter} iterations: raise max_iter", ConvergenceWarning, stacklevel=2
            )
        return self

    def _read(self, votes: Any) -> Votes:
        read = as_votes(votes, self.n_classes, self._names)
        if not read.is_plain:
            raise InvalidVotesError("candidate sets and soft votes have no order: vote for one class", field="votes")
        return read

    # ---------------------------------------------------------- predicting

    def predict_proba(self, votes: Votes | ArrayLike) -> NDArray[np.float64]:
        """[N, K] soft labels: the class balance where there are no votes.

        Args:
            votes: as in `fit`, of sources of the fit.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not among those of the fit.
        """
        names, fitted = self._fitted
        read = self._read(votes)
        if unknown := [name for name in read.source_names if name not in set(names)]:
            raise InvalidVotesError(
                f"source {unknown[0]!r} is not among the {len(names)} sources of the fit", field="votes"
            )
        params = fitted.params
        if tuple(read.source_names) != names:
            place = {name: at for at, name in enumerate(names)}
            rows = [place[name] for name in read.source_names]
            params = params._replace(own=params.own[rows], sharpness=params.sharpness[rows])
        return predict_ordinal(read, params, self.common_error)

    def predict_cumulative(self, votes: Votes | ArrayLike) -> NDArray[np.float64]:
        """[N, K - 1] probability that the class is at most each but the last.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
        """
        return np.asarray(np.cumsum(self.predict_proba(votes), axis=1)[:, :-1])

    def predict(self, votes: Votes | ArrayLike, decode: Decode = "median") -> NDArray[Any]:
        """[N] the class of each item, or its mean.

        Args:
            votes: as in `predict_proba`.
            decode: "median", the class that has the least expected distance; "mode", the likeliest; "mean", a number
                from 0 to K - 1, which has the least expected squared distance.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for an unknown `decode`.
        """
        return decoded(self.predict_proba(votes), decode)

    def predict_frame(self, votes: Votes | ArrayLike, decode: Decode = "median") -> pd.DataFrame:
        """Soft labels by class name, "label", the decoded class, and "mean", from 0 to K - 1. The index holds the ids.

        Raises:
            MissingExtraError: if pandas is not installed.
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `predict`.
        """
        if decode == "mean":
            raise InvalidArgumentError('decode must be "median" or "mode" here; the mean is a column', field="decode")
        library, read = pandas(), self._read(votes)
        soft = self.predict_proba(read)
        index = None if read.item_ids is None else library.Index(np.asarray(read.item_ids, object), name="item")
        frame: pd.DataFrame = library.DataFrame(soft, index=index, columns=list(self._names))
        label, mean = "label", "mean"
        while {label, mean} & set(self._names):
            label, mean = f"{label}_", f"{mean}_"
        codes = decoded(soft, decode)
        frame.insert(0, label, library.Categorical.from_codes(codes, categories=list(self._names), ordered=True))
        frame.insert(1, mean, decoded(soft, "mean"))
        return frame

    @overload
    def score(
        self,
        votes: Votes | ArrayLike,
        gold: ArrayLike,
        metric: str = ...,
        *,
        metrics: None = ...,
        decode: Decode = ...,
    ) -> float: ...

    @overload
    def score(
        self,
        votes: Votes | ArrayLike,
        gold: ArrayLike,
        metric: str = ...,
        *,
        metrics: Sequence[str],
        decode: Decode = ...,
    ) -> dict[str, float]: ...

    def score(
        self,
        votes: Votes | ArrayLike,
        gold: ArrayLike,
        metric: str = "mae",
        *,
        metrics: Sequence[str] | None = None,
        decode: Decode = "median",
    ) -> float | dict[str, float]:
        """How good predictions are on the items with gold.

        Args:
            votes: as in `predict_proba`.
            gold: as in `fit`.
            metric: "mae", in classes; "accuracy"; "rps", the ranked probability score: squared errors of the cumulative
                probabilities, summed over the classes; "nll", in nats; "cumulative_ece", the calibration error of the
                cumulative probabilities in ten bins.
            metrics: several at once.
            decode: as in `predict`, for "mae" and "accuracy".

        Returns:
            The score; with `metrics`, scores by name.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if gold does not fit the votes or holds no label, and for unknown metrics.
        """
        read = self._read(votes)
        soft, truth = self.predict_proba(read), as_gold(gold, read, self._names)
        known = truth >= 0
        if not known.any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        labels = np.asarray(decoded(soft, decode), np.float64)
        found = ordinal_scores(soft[known], labels[known], truth[known], [metric] if metrics is None else metrics)
        return found[metric] if metrics is None else found

    # ---------------------------------------------------------- the sources

    @property
    def params(self) -> HostParams:
        """Class balance, positions of the classes, thresholds and sharpness."""
        return self._fitted[1].params

    @property
    def class_balance(self) -> NDArray[np.float64]:
        """[K] estimated share of each class."""
        return self._fitted[1].params.balance

    @property
    def confusion_matrices(self) -> NDArray[np.float64]:
        """[M, K, K] P(vote | class) of each source: vote on the second axis, class on the last."""
        return self._fitted[1].confusion

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] log posterior of the parameters per item, in nats, after each iteration. It never falls."""
        return self._fitted[1].objective

    @property
    def diagnostics(self) -> tuple[Finding, ...]:
        """What is doubtful about the fit."""
        return doubts(*self._fitted, self._names)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the fit, in plain words."""
        return tuple(finding.message for finding in self.diagnostics)

    def sources(self) -> pd.DataFrame:
        """A line a source: "votes"; "accuracy", the share of right votes at the class balance; "sharpness", 1 for the
        usual source; "leniency", by how many classes its votes lie above those of the usual source in the mean.

        Raises:
            NotFittedError: before `fit`.
            MissingExtraError: if pandas is not installed.
        """
        library, columns = pandas(), self.source_columns()
        index = library.Index(columns.pop("source"), name="source", dtype=object)
        frame: pd.DataFrame = library.DataFrame(columns, index=index)
        return frame

    def source_columns(self) -> dict[str, Any]:
        """The columns of `sources`, "source" first; without pandas.

        Raises:
            NotFittedError: before `fit`.
        """
        names, fitted = self._fitted
        return {
            "source": list(names),
            "votes": fitted.n_votes,
            "accuracy": fitted.accuracy,
            "sharpness": np.exp(fitted.params.sharpness),
            "leniency": leniency(fitted),
        }

    def summary(self) -> str:
        """The fit in a few lines of plain words.

        Raises:
            NotFittedError: before `fit`.
        """
        names, fitted = self._fitted
        shares = ", ".join(
            f"{name} {100 * share:.0f} %" for name, share in zip(self._names, fitted.params.balance, strict=True)
        )
        lines = [
            f"{fitted.n_items:,} items, {len(names):,} sources, {int(fitted.n_votes.sum()):,} votes",
            f"class balance: {shares}",
            *(f"- {line}" for line in self.warnings or ("nothing doubtful was found",)),
        ]
        return "\n".join(lines)

    def _params_to_keep(self) -> dict[str, Any]:
        return self.get_params() | {"classes": list(self._names), "n_classes": None}

    def __repr__(self) -> str:
        if self._state is None:
            return f"OrdinalModel({self.n_classes} classes, not fitted)"
        n_sources = len(self.source_names)
        return f"OrdinalModel({self.n_classes} classes, fitted on {n_sources} sources in {self.n_iter} iterations)"
