"""Predictions of a fitted label model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.analysis import EffectiveVotes, effective_votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.calibration.decision import TieBreakPolicy, decide
from weaklabel.model.fitted_attributes import FittedAttributes
from weaklabel.model.inputs import check_items_apart, read_votes
from weaklabel.model.prediction import predict, read_side_information
from weaklabel.model.report.explanation import Explanation, explain
from weaklabel.model.settings import Settings
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.features import read_features
from weaklabel.side_information.gold import as_gold
from weaklabel.votes import Votes


class Predictor(FittedAttributes):
    """What `LabelModel` does with votes once it is fitted."""

    classes: tuple[str, ...]
    seed: int
    _settings: Settings

    def predict_proba(
        self,
        votes: Votes | ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        **unknown: Never,
    ) -> NDArray[np.float32]:
        """[N, K] soft labels: calibrated probabilities of the classes; rows sum to one.

        Args:
            votes: Votes, whose sources are matched by name (a source of the model that is missing abstains), or whole
                numbers [N, M] with the columns in the order of the fit. None where there are features only. Items of
                which nothing is known are uniform.
            prior: as in `fit`.
            groups: as in `fit`. A group that the fit has not seen has the class balance of all.
            bags: as in `fit`.
            features: as in `fit`. Those of a fit need not be given; then votes speak alone.
            **unknown: nothing; other names are refused.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not known to the model.
            InvalidArgumentError: if anything else does not fit the votes, or the model was fitted without it.
        """
        return self._predict(votes, prior, groups, bags, features, unknown)

    def predict(
        self,
        votes: Votes | ArrayLike | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        **unknown: Never,
    ) -> NDArray[np.int32]:
        """[N] the hard label of each item: the likeliest class of `predict_proba`.

        Classes are tied where probabilities differ by less than 1e-6, as on items of which nothing is known.

        Args:
            votes: as in `predict_proba`.
            tie_break_policy: what to answer where classes are tied: "abstain" (-1), "random" (one of them, the same at
                each call with the same seed) or "true-random".
            prior: as in `predict_proba`.
            groups: as in `predict_proba`.
            bags: as in `predict_proba`.
            features: as in `predict_proba`.
            **unknown: nothing; other names are refused.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for an unknown policy, and as in `predict_proba`.
        """
        return self.label(votes, tie_break_policy, prior=prior, groups=groups, bags=bags, features=features, **unknown)[
            1
        ]

    def label(
        self,
        votes: Votes | ArrayLike | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        **unknown: Never,
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """`predict_proba` and `predict` in one pass."""
        soft = self._predict(votes, prior, groups, bags, features, unknown)
        return soft, decide(soft, tie_break_policy, self.seed)

    def predict_chunks(
        self, chunks: Iterable[Votes | ArrayLike], tie_break_policy: TieBreakPolicy = "abstain"
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """`label` of votes that come in chunks, chunk by chunk: memory holds one.

        Args:
            chunks: VoteChunks, or any other iterable of what `label` takes. Read once.
            tie_break_policy: as in `predict`.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the label space ties items to each other.
            InvalidVotesError: on the way, as in `label`.
        """
        check_items_apart(type(self._fitted.params.labels), "votes that are read in chunks")
        return (self.label(votes, tie_break_policy) for votes in chunks)

    def decision_function(
        self,
        votes: Votes | ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        **unknown: Never,
    ) -> NDArray[np.float32]:
        """[N, K] scores whose largest `predict` takes: the probabilities of `predict_proba`.

        Args and errors as in `predict_proba`.
        """
        return self._predict(votes, prior, groups, bags, features, unknown)

    def _predict(
        self,
        votes: Votes | ArrayLike | None,
        prior: ArrayLike | None,
        groups: ArrayLike | None,
        bags: Bags | Sequence[Bags] | None,
        features: Any | None,
        unknown: Mapping[str, object],
    ) -> NDArray[np.float32]:
        if unknown:  # type checkers refuse it; this says what is known
            name = min(unknown)
            raise InvalidArgumentError(
                f"{name} is not known at prediction: prior, groups, bags and features are", field=name
            )
        fitted = self._fitted
        matrix = None if features is None else read_features(features, None)
        readable = read_votes(votes, fitted, len(self.classes), matrix)
        items = read_side_information(fitted, readable, prior=prior, groups=groups, bags=bags, features=matrix)
        return predict(readable, fitted, self._settings.share_prior_mass, items)

    def explain(self, votes: Votes | ArrayLike, row: int) -> Explanation:
        """Contributions of the class balance, each vote and the vote shares to one item's soft label, in log-odds.

        Args:
            votes: as in `predict_proba`.
            row: position of the item.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if there is no such row, or the label space ties items to each other.
        """
        fitted = self._fitted
        check_items_apart(type(fitted.params.labels), "explanations")
        readable = read_votes(votes, fitted, len(self.classes), None)
        if not -readable.n_items <= row < readable.n_items:
            raise InvalidArgumentError(f"row {row} is not among the {readable.n_items} items", field="row")
        item = readable.select_items([row % readable.n_items])
        mass = self._settings.share_prior_mass
        return explain(item, fitted.calibration, fitted.copies, fitted.gold, mass, self.classes)

    def effective_votes(
        self, votes: Votes | ArrayLike, gold: ArrayLike | None = None, *, families: Mapping[str, str] | None = None
    ) -> EffectiveVotes:
        """How many independent votes the sources are worth: `weaklabel.analysis.effective_votes` of these votes.

        Args:
            votes: as in `predict_proba`, plain votes only.
            gold: [N] true classes, -1 where unknown; where not given, `predict_proba` of the votes stands for them.
            families: family by name of a source, for the number of each family.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: as in `weaklabel.analysis.effective_votes`.
        """
        readable = read_votes(votes, self._fitted, len(self.classes), None)
        labels = self.predict_proba(readable) if gold is None else as_gold(gold, readable)
        return effective_votes(readable, labels, families=families)

    def score(
        self,
        votes: Votes | ArrayLike | None,
        gold: ArrayLike,
        metric: str = "accuracy",
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        **unknown: Never,
    ) -> float:
        """Share of the items, among those with gold (>= 0), whose hard label is right; ties count as wrong.

        Votes and side information are those of `predict`.

        Raises:
            InvalidArgumentError: if gold has another length than the votes, or no label.
        """
        if metric != "accuracy":
            raise InvalidArgumentError(f"the metric known here is 'accuracy', got {metric!r}", field="metric")
        truth = np.asarray(gold)
        predicted = self.predict(votes, prior=prior, groups=groups, bags=bags, features=features, **unknown)
        if truth.shape != predicted.shape:
            raise InvalidArgumentError(f"gold must have shape {predicted.shape}, got {truth.shape}", field="gold")
        known = truth >= 0
        if not known.any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        return float((predicted[known] == truth[known]).mean())
