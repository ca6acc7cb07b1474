"""The preference model that people hold."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from weaklabel._archive import MOST_BYTES
from weaklabel.analysis.scores import METRICS, Predictions, score
from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.common.estimators import Estimator, made
from weaklabel.kinds.preferences import storage
from weaklabel.kinds.preferences.outcomes import answer_probabilities
from weaklabel.kinds.preferences.pipeline import Job, train, unseen_pairs
from weaklabel.kinds.preferences.posterior import difference_of
from weaklabel.kinds.preferences.reading import Read, read_comparisons, read_gold, read_pairs
from weaklabel.kinds.preferences.records import Fitted, empty_comparisons
from weaklabel.kinds.preferences.report import PreferenceDiagnostics, diagnose, item_columns, judge_columns
from weaklabel.kinds.preferences.settings import PreferenceSettings
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.inputs import watcher
from weaklabel.model.report.diagnostics import ConvergenceWarning
from weaklabel.votes.frames import pandas
from weaklabel.votes.validation import check_count

if TYPE_CHECKING:
    import pandas as pd


class PreferenceModel(Estimator[Fitted]):
    """Scores of items, and probabilities of the better one of two, from comparisons by judges of unlike skill.

    Each judge has a signed skill, a position bias and a width of ties; the equations are in docs/preferences.md. Items
    that are in one pair only, with each other, have a latent difference of their own: nothing is transitive there.
    Where items recur, scores are those of Bradley and Terry (1952, doi:10.2307/2334029), shrunk.

    The two seams of the label model do not fit: an item has no label of its own, and a vote is of two items. What a
    `SourceModel` does by `log_likelihood` and `statistics` is in `fitting.moments_of` and its sums over judges, what a
    `LabelSpace` does by `posterior` and `m_step` in the solution for the scores and in their spread.

    Examples:
        >>> columns = {"left": ["a", "b", "a"], "right": ["b", "c", "c"], "judge": ["x", "x", "y"]}
        >>> with warnings.catch_warnings(action="ignore"):
        ...     model = PreferenceModel(ties=False).fit({**columns, "winner": ["left", "left", "left"]})
        >>> model.predict([("c", "a")])
        array([1], dtype=int32)
    """

    _first = "fit(comparisons)"

    def __init__(self, *, ties: bool = True, seed: int = 0, max_iter: int = 200, tol: float = 1e-3) -> None:
        """Makes a model that is not fitted yet.

        Args:
            ties: whether a tie is an outcome; then probabilities have a third column.
            seed: of the check of independence, and of the folds of gold.
            max_iter: limit of iterations.
            tol: the fit converges when no score changes by more than this share of their deviation.

        Raises:
            InvalidArgumentError: for values of another kind.
        """
        if not isinstance(ties, bool):
            raise InvalidArgumentError(f"ties must be True or False, got {ties!r}", field="ties")
        if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not tol > 0:
            raise InvalidArgumentError(f"tol must be a number above 0, got {tol!r}", field="tol")
        self.ties, self.seed, self.tol = ties, check_count(seed, "seed", 0, InvalidArgumentError), float(tol)
        self.max_iter = check_count(max_iter, "max_iter", 1, InvalidArgumentError)
        self._items: tuple[str, ...] = ()
        self._judges: tuple[str, ...] = ()

    def fit(
        self,
        comparisons: Any,
        *,
        gold: Any = None,
        judges: Sequence[str] | None = None,
        progress: OnProgress | bool | None = None,
    ) -> Self:
        """Estimates scores of items and how judges answer.

        Args:
            comparisons: a frame of any kind that narwhals reads, a mapping of columns, or records, with left, right,
                judge, winner ("left", "right", "tie", or the item; missing for no answer), and perhaps shown_first
                ("left", "right", or the item; missing where not known), weight, and ranking: the pairs of what has one
                name there are one ranking, see `comparisons_from_rankings`. Or votes [P, J], the left item
                shown first, or [P, J, 2], the left one first and the right one first: 0 left wins, 1 right wins, 2
                tie, -1 none; its items are called "0 left", "0 right", "1 left", ...
            gold: known pairs: a frame with left, right and winner; or outcomes of the rows of a frame or of the P pairs
                of votes, missing or -1 where unknown. See docs/gold.md for what is learned from them.
            judges: J names, for votes.
            progress: True for a bar on stderr; or a function, called with `FitProgress` every few iterations: what it
                raises ends the fit, and the model stays as it was.

        Returns:
            The model. Look at `diagnostics`; it warns where judges agree more than they can be right, without gold.

        Raises:
            InvalidVotesError: for what cannot be read; the message names the row and column.
        """
        read = read_comparisons(comparisons, judges, ties=self.ties)
        known = None if gold is None else read_gold(gold, read, ties=self.ties)
        with watcher(progress, self.max_iter) as tell:
            job = Job(PreferenceSettings(), self.ties, self.max_iter, self.tol, self.seed, tell)
            fitted = train(read.comparisons, read.pairs, known, job)
        self._state, self._items, self._judges = fitted, read.comparisons.item_names, read.comparisons.judge_names
        for finding in self.diagnostics.findings:
            if finding.kind in ("doubt", "converged"):
                kind = ConvergenceWarning if finding.kind == "converged" else UserWarning
                warnings.warn(finding.message, kind, stacklevel=2)
        return self

    # ---------------------------------------------------------------- predictions

    def predict_proba(self, pairs: Any = None) -> NDArray[np.float64]:
        """[n, 2] probability that left is better and that right is; with ties [n, 3], the last of a tie.

        Args:
            pairs: a frame or mapping with left and right, records, or [n, 2] names of items; None for the pairs of the
                fit, in the order of `pairs_`.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: for items that the fit has not seen.
        """
        fitted = self._fitted
        if pairs is None:
            return np.asarray(fitted.proba.copy(), np.float64)
        wanted = read_pairs(pairs, self._items)
        n_items = len(self._items)
        turned = wanted[:, 0] > wanted[:, 1]
        low, high = wanted.min(1), wanted.max(1)
        keys, key = fitted.pairs[:, 0] * n_items + fitted.pairs[:, 1], low * n_items + high
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        seen = keys[at] == key
        result = np.asarray(fitted.proba[at], np.float64)
        if not seen.all():
            result[~seen] = unseen_pairs(fitted, np.stack([low, high], 1)[~seen], ties=self.ties)
        result[turned, 0], result[turned, 1] = result[turned, 1].copy(), result[turned, 0].copy()
        return np.asarray(result, np.float64)

    def predict(self, pairs: Any = None) -> NDArray[np.int32]:
        """[n] the likeliest outcome: 0 left, 1 right, 2 a tie; -1 where two are equally likely.

        Raises:
            NotFittedError, InvalidVotesError: as `predict_proba`.
        """
        return _likeliest(self.predict_proba(pairs))

    def predict_vote_proba(
        self, pairs: Any, judge: str | None = None, shown_first: str | None = None
    ) -> NDArray[np.float64]:
        """[n, 2 or 3] what a judge would answer, rather than what is true.

        Args:
            pairs: as in `predict_proba`.
            judge: its name; None for one of skill 1 without position bias.
            shown_first: "left" or "right"; None for either, without position bias.

        Raises:
            NotFittedError, InvalidVotesError: as `predict_proba`.
            InvalidArgumentError: for a judge that the fit has not seen, and another side.
        """
        fitted = self._fitted
        wanted = fitted.pairs if pairs is None else read_pairs(pairs, self._items)
        moments = difference_of(fitted.scores, fitted.variance, fitted.covariance, fitted.component, wanted)
        if shown_first not in (None, "left", "right"):
            raise InvalidArgumentError(
                f"shown_first must be 'left' or 'right', got {shown_first!r}", field="shown_first"
            )
        skill, bias, tie = 1.0, 0.0, float(fitted.typical_tie)
        if judge is not None:
            if judge not in self._judges:
                raise InvalidArgumentError(f"{judge!r} is no judge of the fit", field="judge")
            at = self._judges.index(judge)
            sign = 0.0 if shown_first is None else 1.0 if shown_first == "left" else -1.0
            skill, bias, tie = float(fitted.skill[at]), sign * float(fitted.bias[at]), float(fitted.tie[at])
        return answer_probabilities(*moments, skill, bias, tie if self.ties else None)

    @overload
    def score(self, gold: Any, metric: str = ..., *, metrics: None = ...) -> float: ...

    @overload
    def score(self, gold: Any, metric: str = ..., *, metrics: Sequence[str]) -> dict[str, float]: ...

    def score(
        self, gold: Any, metric: str = "accuracy", *, metrics: Sequence[str] | None = None
    ) -> float | dict[str, float]:
        """How good predictions are on known pairs, by the metrics of `LabelModel.score`.

        Args:
            gold: a frame with left, right and winner; or outcomes of the pairs of the fit, as in `fit`.
            metric: the one wanted.
            metrics: several at once.

        Raises:
            NotFittedError, InvalidVotesError: as `predict_proba`.
            InvalidArgumentError: for unknown metrics.
        """
        names = [metric] if metrics is None else metrics
        if unknown := [name for name in names if name not in METRICS]:
            raise InvalidArgumentError(f"metrics must be of {', '.join(METRICS)}; got {unknown[0]!r}", field="metric")
        pairs, outcome = read_gold(gold, self._as_read(), ties=self.ties)
        soft = self.predict_proba(np.asarray(self._items, object)[pairs])
        found = score(
            Predictions(soft, _likeliest(soft), outcome.astype(np.int32), 1 if not self.ties else None), names
        )
        return found[metric] if metrics is None else found

    # ----------------------------------------------------------------- attributes

    @property
    def scores_(self) -> NDArray[np.float64]:
        """[I] score of each item, in log-odds of a judge of skill 1; they sum to 0 among items that are connected."""
        return self._fitted.scores

    @property
    def items_(self) -> tuple[str, ...]:
        """I names, in the order in which they came."""
        self._fitted  # noqa: B018  # raises before fit
        return self._items

    @property
    def judges_(self) -> tuple[str, ...]:
        """J names, in the order in which they came."""
        self._fitted  # noqa: B018  # raises before fit
        return self._judges

    @property
    def pairs_(self) -> NDArray[np.object_]:
        """[P, 2] names of the pairs of the fit, each once."""
        return np.asarray(self._items, object)[self._fitted.pairs]

    @property
    def n_iter(self) -> int:
        """Number of iterations."""
        return len(self._fitted.objective)

    @property
    def converged(self) -> bool:
        """Whether the fit converged before `max_iter`."""
        return self._fitted.converged

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] evidence lower bound per comparison, in nats."""
        return self._fitted.objective

    @property
    def diagnostics(self) -> PreferenceDiagnostics:
        """What is doubtful about the fit, in words."""
        return diagnose(self._fitted, self._items, self._judges)

    def item_scores(self) -> pd.DataFrame:
        """A line an item: score, the interval that holds it with 90 %, number of comparisons, and component.

        Raises:
            NotFittedError: before `fit`.
            MissingExtraError: if pandas is not installed.
        """
        frame: pd.DataFrame = pandas().DataFrame(self.item_columns())
        return frame

    def item_columns(self) -> dict[str, Any]:
        """The columns of `item_scores`; without pandas.

        Raises:
            NotFittedError: before `fit`.
        """
        return item_columns(self._fitted, self._items)

    def judges(self) -> pd.DataFrame:
        """A line a judge: accuracy, signed skill and position bias with 90 % intervals, and the width of ties.

        Raises:
            NotFittedError: before `fit`.
            MissingExtraError: if pandas is not installed.
        """
        frame: pd.DataFrame = pandas().DataFrame(self.source_columns())
        return frame

    def source_columns(self) -> dict[str, Any]:
        """The columns of `judges`; without pandas.

        Raises:
            NotFittedError: before `fit`.
        """
        return judge_columns(self._fitted, self._judges)

    def summary(self) -> str:
        """The fit in some lines: sizes, the best items, the judges, and what is doubtful."""
        fitted = self._fitted
        best = np.argsort(-fitted.scores, kind="stable")[:5]
        lines = [
            f"{len(self._items)} items, {len(self._judges)} judges, {fitted.n_judged.sum():g} comparisons",
            "best items: " + ", ".join(f"{self._items[at]} ({fitted.scores[at]:+.2f})" for at in best),
            f"skills {fitted.skill.min():.2f} to {fitted.skill.max():.2f}",
            f"position biases {fitted.bias.min():+.2f} to {fitted.bias.max():+.2f}",
            str(self.diagnostics),
        ]
        return "\n".join(lines)

    # ----------------------------------------------------------------- parameters

    # ---------------------------------------------------------------------- files

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, for `from_bytes`.

        Raises:
            NotFittedError: before `fit`.
        """
        fitted = self._fitted
        return storage.pack({"items": self._items, "judges": self._judges, "params": self.get_params()}, fitted)

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """A model out of `to_bytes`.

        Args:
            data: the bytes.
            most_bytes: what they may unpack to; more is refused before it takes the memory.

        Raises:
            ModelFileError: if the bytes are no preference model, or damaged.
        """
        header, fitted = storage.unpack(data, most_bytes)
        model = made(cls, header["params"])
        model._items, model._judges = tuple(map(str, header["items"])), tuple(map(str, header["judges"]))
        model._state = fitted
        return model

    def _as_read(self) -> Read:
        """The pairs of the fit, for gold that is given by them."""
        return Read(empty_comparisons(self._items, self._judges), self._fitted.pairs)


def _likeliest(soft: NDArray[np.float64]) -> NDArray[np.int32]:
    """[n] the likeliest outcome, -1 where two are equally likely."""
    ordered = np.sort(soft, 1)
    labels = np.asarray(soft.argmax(1), np.int32)
    labels[ordered[:, -1] - ordered[:, -2] < 1e-6] = -1
    return labels
