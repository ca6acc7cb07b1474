"""Predictions of a fitted label model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.argument_hints import refuse
from weaklabel.model.calibration.decision import TieBreakPolicy, decide, generator_of
from weaklabel.model.common_methods import CommonMethods, item_at
from weaklabel.model.fitted_attributes import FittedAttributes
from weaklabel.model.inputs import Unseen, check_items_apart, check_time_kind, check_times_alone, read_votes
from weaklabel.model.labels.bag_decision import keep_to_bags
from weaklabel.model.prediction import predict, predict_over_time, read_side_information
from weaklabel.model.report.explanation import Explanation, explain
from weaklabel.model.settings import Settings
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.features import read_features
from weaklabel.side_information.items import ItemInformation
from weaklabel.side_information.times import read_times
from weaklabel.votes import Votes


class Predictor(FittedAttributes, CommonMethods):
    """What `LabelModel` does with votes once it is fitted."""

    classes: tuple[str, ...]
    seed: int
    _settings: Settings
    _feature_names: tuple[str, ...] | None
    """Of the features of the fit; None where they had none."""

    def predict_proba(
        self,
        votes: Votes | ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        times: Any | None = None,
        unseen: Unseen = "error",
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
            features: as in `fit`; the columns of a table are matched by name where the fit had a table. Those of a fit
                need not be given; then votes speak alone.
            times: as in `fit`: each item is read by the skills of its time, those behind the last by the last ones. Of
                a model fitted with times, None reads all by the last ones. Not beside other things that are known.
            unseen: what is done with the votes of sources that the fit has not seen: "error" refuses them, "ignore"
                leaves them out, "average" counts them as those of an average source, whose parameters are the means
                over the sources of the model.
            **unknown: nothing; other names are refused.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not known to the model.
            InvalidArgumentError: if anything else does not fit the votes, or the model was fitted without it.
        """
        return self._predict(votes, prior, groups, bags, features, times, unseen, unknown)[0]

    def predict(
        self,
        votes: Votes | ArrayLike | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        times: Any | None = None,
        unseen: Unseen = "error",
        **unknown: Never,
    ) -> NDArray[np.int32]:
        """[N] the hard label of each item: the likeliest class of `predict_proba`.

        Classes are tied where probabilities differ by less than 1e-6, as on items of which nothing is known. The hard
        labels of a bag keep to what is known of it: where the likeliest class of each item does not, they are the
        likeliest labels, by `predict_proba`, that do.

        Args:
            votes: as in `predict_proba`.
            tie_break_policy: what to answer where classes are tied: "abstain" (-1), "random" (one of them, the same at
                each call with the same seed) or "true-random". Where the counts of a bag have to be kept none of its
                items abstains, and "abstain" is read as "random".
            prior: as in `predict_proba`.
            groups: as in `predict_proba`.
            bags: as in `predict_proba`.
            features: as in `predict_proba`.
            times: as in `predict_proba`.
            unseen: as in `predict_proba`.
            **unknown: nothing; other names are refused.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for an unknown policy, and as in `predict_proba`.
        """
        side: dict[str, Any] = {"prior": prior, "groups": groups, "bags": bags, "features": features, "times": times}
        return self.label(votes, tie_break_policy, unseen=unseen, **side, **unknown)[1]

    def label(
        self,
        votes: Votes | ArrayLike | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        times: Any | None = None,
        unseen: Unseen = "error",
        **unknown: Never,
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """`predict_proba` and `predict` in one pass."""
        soft, items = self._predict(votes, prior, groups, bags, features, times, unseen, unknown)
        labels = decide(soft, tie_break_policy, self.seed)
        if items is not None and items.bags is not None:
            labels = keep_to_bags(labels, soft, items.bags, generator_of(tie_break_policy, self.seed))
        return soft, labels

    def decision_function(
        self,
        votes: Votes | ArrayLike | None = None,
        *,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        times: Any | None = None,
        unseen: Unseen = "error",
        **unknown: Never,
    ) -> NDArray[np.float32]:
        """[N, K] scores whose largest `predict` takes, of items in no bag: the probabilities of `predict_proba`.

        Args and errors as in `predict_proba`.
        """
        return self._predict(votes, prior, groups, bags, features, times, unseen, unknown)[0]

    def _predict(
        self,
        votes: Votes | ArrayLike | None,
        prior: ArrayLike | None,
        groups: ArrayLike | None,
        bags: Bags | Sequence[Bags] | None,
        features: Any | None,
        times: Any | None,
        unseen: Unseen,
        unknown: Mapping[str, object],
    ) -> tuple[NDArray[np.float32], ItemInformation | None]:
        """Soft labels, and what is known of the items beside their votes."""
        if unknown:  # type checkers refuse it; this says what is known
            refuse("prediction", unknown, "prior, groups, bags, features and times are known at prediction")
        if times is not None:
            check_times_alone({"prior": prior, "groups": groups, "bags": bags, "features": features})
            return self._predict_at(votes, times, unseen), None
        side: dict[str, Any] = {"prior": prior, "groups": groups, "bags": bags, "classes": self.classes}
        matrix = None
        if votes is None and features is not None:
            matrix = read_features(features, None, names=self._feature_names)
        readable, fitted = read_votes(votes, self._fitted, len(self.classes), matrix, unseen, self.classes)
        if votes is not None and features is not None:
            ids = readable.item_ids
            matrix = read_features(features, readable.n_items, item_ids=ids, names=self._feature_names)
        items = read_side_information(fitted, readable, features=matrix, **side)
        return predict(readable, fitted, self._settings.share_prior_mass, items), items

    def _predict_at(self, votes: Votes | ArrayLike | None, times: Any, unseen: Unseen) -> NDArray[np.float32]:
        """Soft labels of items with times."""
        if self._fitted.drift is None:
            raise InvalidArgumentError("the model was fitted without times", field="times")
        if unseen == "average":
            raise InvalidArgumentError('items with times take unseen="error" or unseen="ignore"', field="unseen")
        readable, fitted = read_votes(votes, self._fitted, len(self.classes), None, unseen, self.classes)
        if not readable.is_plain:
            raise InvalidVotesError("items with times need votes for one class each", field="votes")
        read = read_times(times, readable.n_items, readable.item_ids)
        check_time_kind(self._fitted.drift, read.are_dates)
        return predict_over_time(readable, read.values, fitted, self._settings)

    def explain(self, votes: Votes | ArrayLike, row: int, *, unseen: Unseen = "error") -> Explanation:
        """Contributions of the class balance, each vote and the vote shares to one item's soft label, in log-odds.

        Args:
            votes: as in `predict_proba`.
            row: position of the item.
            unseen: as in `predict_proba`.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if there is no such row, or the label space ties items to each other.
        """
        self._check_items_apart("explanations")
        readable, fitted = read_votes(votes, self._fitted, len(self.classes), unseen=unseen, classes=self.classes)
        item = item_at(row, readable)
        mass = self._settings.share_prior_mass
        return explain(item, fitted.calibration, fitted.copies, fitted.gold, mass, self.classes)

    def _readable(self, votes: Any) -> Votes:
        return read_votes(votes, self._fitted, len(self.classes), classes=self.classes).votes

    def _check_items_apart(self, what: str) -> None:
        check_items_apart(type(self._fitted.params.labels), what)
