"""The estimator for votes that are numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.common.arguments import count_of, number_between
from weaklabel.kinds.common.estimators import SourceEstimator
from weaklabel.kinds.numbers import settings, storage
from weaklabel.kinds.numbers.diagnostics import NumericDiagnostics, diagnose
from weaklabel.kinds.numbers.distribution import NumericDistribution
from weaklabel.kinds.numbers.pipeline import Fitted, NumericParams, Predictions, fit_numbers, predict_numbers
from weaklabel.kinds.numbers.scores import numeric_scores
from weaklabel.kinds.numbers.sources import source_columns
from weaklabel.kinds.numbers.votes import NumericVotes, read_numeric_gold, read_numeric_votes
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.inputs import watcher
from weaklabel.model.report.diagnostics import ConvergenceWarning
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class NumericModel(SourceEstimator[Fitted]):
    """The value of each item from numbers that several sources gave, with intervals.

    Each source has a scale (the standard deviation of its error), a gain (how far its votes move when the value moves
    by one) and a share of gross errors; each item a difficulty. A vote weighs gain^2 / variance. The variance of a
    prediction is s^2 (1/n + c): c is the share of error that the sources of an item have in common, which more votes
    do not average away. What all sources miss together, votes cannot show: a few known values do. See docs/numbers.md.

    Examples:
        >>> votes = np.array([[10.0, 11.0, 10.0], [20.0, 21.0, np.nan], [30.0, 29.0, 31.0], [40.0, 41.0, 400.0]])
        >>> NumericModel().fit(votes).predict(votes).round(-1)
        array([10., 20., 30., 40.])
    """

    _storage: ClassVar[Any] = storage

    def __init__(self, *, common_error: float = settings.COMMON_ERROR, max_iter: int = 200, tol: float = 1e-4) -> None:
        """Takes what votes cannot show, and when EM stops.

        Args:
            common_error: c above, from 0, where the errors of an item's sources are independent, to 10.
            max_iter: EM iterations at most.
            tol: EM converges when no item's value moves by more than this, in spreads of all values (of a normal
                distribution, from the 5th to the 95th percentile).

        Raises:
            InvalidArgumentError: for values out of range; `field` names the argument.
        """
        self.common_error = number_between(common_error, "common_error", 0, 10)
        self.max_iter = count_of(max_iter, "max_iter")
        self.tol = number_between(tol, "tol", 0, 1)

    # ------------------------------------------------------------- fitting

    def fit(
        self,
        votes: Any,
        source: ArrayLike | None = None,
        value: ArrayLike | None = None,
        *,
        gold: Any = None,
        progress: OnProgress | bool | None = None,
    ) -> Self:
        """Learns the sources.

        Args:
            votes: [J] items, with `source` and `value`; a frame with columns for item, source and value, by names such
                as "item", "worker", "value"; or a matrix or frame [N, M], a column a source, NaN where it is silent. A
                source may vote on an item several times: each vote counts.
            source: [J] names or numbers of the sources.
            value: [J] numbers; NaN for no vote.
            gold: known values of a few items: a mapping or pandas column from item id to value, or [N] in the order of
                the ids with NaN where unknown. They set the shift of the sources and the width of intervals, both
                shrunk; predictions of the items themselves stay those of the votes.
            progress: True for a bar on stderr; or a function, called with `FitProgress` every few iterations: what it
                raises ends the fit, and the model stays as it was.

        Returns:
            The model. Look at `diagnostics` for what is doubtful; a fit that did not converge warns as well.

        Raises:
            InvalidVotesError: if the votes cannot be read; the message names the row, column or source.
            InvalidArgumentError: if gold does not fit the votes.
        """
        read = read_numeric_votes(votes, source, value)
        known = read_numeric_gold(gold, read)
        with watcher(progress, self.max_iter) as tell:
            fitted = fit_numbers(read, known, self.common_error, self.max_iter, self.tol, tell)
        self._state = read.source_names, fitted
        if not fitted.converged:
            warnings.warn(
                f"EM did not converge in {self.max_iter} iterations: raise max_iter", ConvergenceWarning, stacklevel=2
            )
        return self

    # ---------------------------------------------------------- predicting

    def predict(
        self, votes: Any, source: ArrayLike | None = None, value: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """[N] value of each item: the predictive mean, which is the median too; in the order of the items' ids.

        An item without votes gets the mean of the items of the fit.

        Args:
            votes: as in `fit`, of sources of the fit.
            source: as in `fit`.
            value: as in `fit`.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not among those of the fit.
        """
        return self.predict_distribution(votes, source, value).location

    def predict_interval(
        self,
        votes: Any,
        source: ArrayLike | None = None,
        value: ArrayLike | None = None,
        *,
        coverage: float = 0.9,
    ) -> NDArray[np.float64]:
        """[N, 2] central intervals that hold each item's value with probability `coverage`, in (0, 1).

        Raises:
            NotFittedError, InvalidVotesError: as in `predict`.
            InvalidArgumentError: if coverage is not in (0, 1).
        """
        return self.predict_distribution(votes, source, value).interval(coverage)

    def predict_distribution(
        self, votes: Any, source: ArrayLike | None = None, value: ArrayLike | None = None
    ) -> NumericDistribution:
        """The predictive distribution of each item: quantiles, probabilities, CRPS.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict`.
        """
        return self._predict(self._read(votes, source, value)).distribution

    def predict_frame(
        self,
        votes: Any,
        source: ArrayLike | None = None,
        value: ArrayLike | None = None,
        *,
        coverage: float = 0.9,
    ) -> pd.DataFrame:
        """A line an item: "value", the interval "low" to "high", "votes", "effective_votes", and "difficulty", the
        standard deviation of its votes relative to the pooled item. The index holds the ids.

        Raises:
            MissingExtraError: if pandas is not installed.
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `predict_interval`.
        """
        library, columns = pandas(), self.predict_columns(votes, source, value, coverage=coverage)
        frame: pd.DataFrame = library.DataFrame(columns).set_index("item")
        return frame

    def predict_columns(
        self,
        votes: Any,
        source: ArrayLike | None = None,
        value: ArrayLike | None = None,
        *,
        coverage: float = 0.9,
    ) -> dict[str, NDArray[Any]]:
        """The columns of `predict_frame`, "item" first; without pandas.

        Raises:
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `predict_interval`.
        """
        read = self._read(votes, source, value)
        predicted = self._predict(read)
        low, high = predicted.distribution.interval(coverage).T
        return {
            "item": read.item_ids,
            "value": predicted.distribution.location,
            "low": low,
            "high": high,
            "votes": np.bincount(read.item, minlength=read.n_items),
            "effective_votes": predicted.effective,
            "difficulty": predicted.difficulty,
        }

    def _read(self, votes: Any, source: Any, value: Any) -> NumericVotes:
        names, _ = self._fitted
        return read_numeric_votes(votes, source, value).of_sources(names)

    def _predict(self, votes: NumericVotes) -> Predictions:
        return predict_numbers(votes, self._fitted[1].params, self.common_error, self.max_iter, self.tol)

    @overload
    def score(
        self,
        votes: Any,
        gold: Any,
        metric: str = ...,
        *,
        metrics: None = ...,
        source: ArrayLike | None = ...,
        value: ArrayLike | None = ...,
    ) -> float: ...

    @overload
    def score(
        self,
        votes: Any,
        gold: Any,
        metric: str = ...,
        *,
        metrics: Sequence[str],
        source: ArrayLike | None = ...,
        value: ArrayLike | None = ...,
    ) -> dict[str, float]: ...

    def score(
        self,
        votes: Any,
        gold: Any,
        metric: str = "mae",
        *,
        metrics: Sequence[str] | None = None,
        source: ArrayLike | None = None,
        value: ArrayLike | None = None,
    ) -> float | dict[str, float]:
        """How good predictions are on the items with gold.

        Args:
            votes: as in `predict`.
            gold: as in `fit`.
            metric: "mae", "rmse", "bias" (mean of prediction - gold), "crps", "nll" (of the density, in nats), or
                "coverage" (share of gold in the 90 % intervals).
            metrics: several at once.
            source: as in `fit`.
            value: as in `fit`.

        Returns:
            The score; with `metrics`, scores by name.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict`.
            InvalidArgumentError: if gold does not fit the votes, and for unknown metrics.
        """
        read = self._read(votes, source, value)
        known = read_numeric_gold(gold, read)
        if known is None:
            raise InvalidArgumentError("gold holds no value", field="gold")
        found = numeric_scores(self._predict(read).distribution, known, [metric] if metrics is None else metrics)
        return found[metric] if metrics is None else found

    # ---------------------------------------------------------- the sources

    @property
    def params(self) -> NumericParams:
        """What was learned."""
        return self._fitted[1].params

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] evidence lower bound per item, in nats, before each iteration. It never falls."""
        return self._fitted[1].objective

    @property
    def diagnostics(self) -> NumericDiagnostics:
        """What is doubtful about the fit, as data and, by `print`, in plain words."""
        return diagnose(*self._fitted)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the fit, in plain words."""
        return tuple(finding.message for finding in self.diagnostics.findings)

    def sources(self) -> pd.DataFrame:
        """A line a source, in the units of the values, with 90 % intervals ("_low", "_high").

        "votes"; "scale", the standard deviation of its error on the average item; "gain"; "shift", its mean error
        against consensus, which is not taken off; "correction", what is taken off its votes by what gold has shown;
        "gross", the share of its votes that have nothing to do with the item; "weight" of a vote, 1 in the mean.

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
        return {"source": list(names)} | source_columns(fitted.params)

    def summary(self) -> str:
        """The fit in a few lines of plain words.

        Raises:
            NotFittedError: before `fit`.
        """
        names, fitted = self._fitted
        params = fitted.params
        columns = source_columns(params)
        low, middle, high = np.quantile(columns["scale"], [0.05, 0.5, 0.95])
        told = "no gold" if not params.gold.n_gold else f"{params.gold.n_gold} gold values"
        lines = [
            f"{fitted.n_items:,} items, {len(names):,} sources, {int(params.n_votes.sum()):,} votes, {told}",
            f"scale of sources: {middle:.3g} in the median, {low:.3g} to {high:.3g} for nine of ten",
            f"effective votes an item: {fitted.effective:.1f} in the median",
            str(self.diagnostics),
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        if self._state is None:
            return "NumericModel(not fitted)"
        return f"NumericModel(fitted on {len(self.source_names)} sources in {self.n_iter} iterations)"
