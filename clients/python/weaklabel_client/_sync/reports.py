"""What the client tells of models and votes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy.typing as npt

from weaklabel_client._inputs.choices import Unseen
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.selection import Selection
from weaklabel_client._protocol import calls, model_calls
from weaklabel_client._protocol.analysis_calls import USUAL, positive_class
from weaklabel_client._results.analysis import (
    ConfusionMatrices,
    Diagnostics,
    EffectiveVotes,
    Explanation,
    PairwiseAgreement,
    Scores,
    SourceSummary,
)
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.inspection import (
    ScoreTable,
)
from weaklabel_client._sync.asking import Asking


class Reports(Asking):
    """The methods of a client that tell of models and votes."""

    def source_summary(
        self,
        project: str,
        *,
        gold: Any = None,
        model: str | None = None,
        votes_version: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourceSummary:
        """How each source votes, and how often it is right: weaklabel.source_summary.

        Args:
            project: The project.
            gold: True classes, as in fit, for how often sources are right.
            model: A model, for the accuracies that it has learned; "latest" for the newest. None: without.
            votes_version: The version of the votes; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds; None for any time.
        """
        job = model_calls.source_summary(project, votes_version, self._uploaded(project, items, gold=gold).names, model)
        return self._connection.collect(job, timeout)

    def pairwise_agreement(
        self, project: str, *, votes_version: int | None = None, timeout: float | None = None
    ) -> PairwiseAgreement:
        """How far each two sources agree, raw and beyond chance: weaklabel.analysis.pairwise_agreement.

        Args:
            project: The project.
            votes_version: The version of the votes; the newest by default.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes.
            ResourceExhausted: There are more than 2,000 sources.
        """
        return self._connection.collect(model_calls.pairwise_agreement(project, votes_version), timeout)

    def effective_votes(
        self,
        project: str,
        gold: Any = None,
        *,
        families: Mapping[str, str] | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> EffectiveVotes:
        """How many independent votes the sources are worth: LabelModel.effective_votes of the votes of its fit.

        Args:
            project: The project.
            gold: True classes, as in fit; where not given, soft labels of the model stand for them.
            families: Family by name of a source, for the number of each family.
            model: A model; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes.
            ResourceExhausted: There are more than 2,000 sources.
        """
        job = model_calls.effective_votes(project, model, self._uploaded(project, items, gold=gold).names, families)
        return self._connection.collect(job, timeout)

    def confusion_matrices(
        self, project: str, *, model: str | None = None, timeout: float | None = None
    ) -> ConfusionMatrices:
        """P(vote | class) of each source: LabelModel.confusion_matrices. Model.sources has intervals.

        Raises:
            FailedPrecondition: The model has one accuracy a source, and no matrices.
        """
        return self._connection.collect(model_calls.confusion_matrices(project, model), timeout)

    def diagnostics(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Diagnostics:
        """All that a fit says about itself: LabelModel.diagnostics."""
        found = self._connection.perform(calls.get_model(project, model), timeout)
        return self._connection.perform(model_calls.diagnostics(project, found), timeout)

    def evaluate(
        self,
        project: str,
        gold: Any,
        *,
        positive: int | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Scores:
        """How good the soft labels of a model are on items with known labels: weaklabel.analysis.evaluate.

        Args:
            project: The project.
            gold: True classes, as in fit.
            positive: Class whose F1 is wanted.
            model: A model; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds for the call, instead of the client's.
        """
        names = self._uploaded(project, items, gold=gold).names
        return self._connection.perform(model_calls.evaluate(project, model, names, positive), timeout)

    @overload
    def score(
        self,
        project: str,
        gold: Any,
        metric: str = ...,
        *,
        metrics: None = ...,
        positive: int | str | None = ...,
        model: str | None = ...,
        items: Iterable[str] | None = ...,
        timeout: float | None = ...,
    ) -> float: ...

    @overload
    def score(
        self,
        project: str,
        gold: Any,
        metric: str = ...,
        *,
        metrics: Sequence[str],
        positive: int | str | None = ...,
        model: str | None = ...,
        items: Iterable[str] | None = ...,
        timeout: float | None = ...,
    ) -> dict[str, float]: ...

    def score(
        self,
        project: str,
        gold: Any,
        metric: str = "accuracy",
        *,
        metrics: Sequence[str] | None = None,
        positive: int | str | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> float | dict[str, float]:
        """How good the stored labels of a model are on the items with gold: LabelModel.score.

        Args:
            project: The project.
            gold: True classes, as in fit.
            metric: The one wanted. Of hard labels: "accuracy"; "precision", "recall" and "f1" of the positive class;
                "precision_macro", "recall_macro" and "f1_macro". A tie is wrong. Of soft labels: "roc_auc", "nll",
                "brier", "ece".
            metrics: Several at once.
            positive: Name or index of the positive class; of two classes the second by default.
            model: A model; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds; None for any time.

        Returns:
            The score; with `metrics`, scores by name.
        """
        wanted = [metric] if metrics is None else metrics
        chosen = positive_class(positive, self._classes(project) if isinstance(positive, str) else ())
        ask = self._ask(project, model, items, gold=gold)
        table = self._connection.collect(ask.scores(wanted, chosen), timeout)
        found = {name: float(values[0]) for name, values in table.scores.items()}
        return found[metric] if metrics is None else found

    def score_by(
        self,
        project: str,
        gold: Any,
        by: Any,
        *,
        metrics: Sequence[str] = USUAL,
        positive: int | str | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> ScoreTable:
        """Scores of slices of the items with gold: LabelModel.score_by of the stored labels of a model.

        Args:
            project: The project.
            gold: True classes, as in fit.
            by: Groups [N], or a frame with N rows, a column each; matched by ids where both sides have them. Numbers of
                many different values are cut into quarters of the items. Or side data of the kind "groups" or "fields".
            metrics: Names, as in score.
            positive: As in score.
            model: A model; the newest by default.
            items: N ids of the items of arrays, for a project that names its items.
            timeout: Seconds; None for any time.
        """
        chosen = positive_class(positive, self._classes(project) if isinstance(positive, str) else ())
        ask = self._ask(project, model, items, gold=gold, by=by)
        return self._connection.collect(ask.scores(metrics, chosen), timeout)

    def explain(
        self,
        project: str,
        items: Iterable[str] | Iterable[int] | str | int | None = None,
        *,
        votes: npt.ArrayLike | None = None,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> list[Explanation]:
        """Why soft labels are what they are: contributions of the class balance and each vote, in log-odds.

        Of items of the project or of new votes. Features and beliefs of the fit are left out. Each item takes the
        server tens of milliseconds.

        Args:
            project: The project.
            items: Ids of items, or positions; one of them or several.
            votes: New votes [N, M] instead; see predict.
            model: A model; the newest by default.
            sources: Of votes; see predict.
            codebook: Of votes; see predict.
            unseen: Of votes; see predict.
            timeout: Seconds for each 64 items, instead of the client's.

        Returns:
            One explanation an item.

        Raises:
            ValueError: Neither or both of items and votes are given.
            NotFound: An item is not among those of the model.
        """
        if (items is None) == (votes is None):
            raise ValueError("items: either items of the project or votes are explained")
        if items is not None:
            asked = model_calls.explain_items(project, model, Selection(items))
        else:
            rows = self._rows(project, votes, codebook)
            asked = model_calls.explain_votes(
                project, model, rows, rows.sources if sources is None else sources, unseen
            )
        return [one for call in asked for one in self._connection.perform(call, timeout)]

    def _rows(self, project: str, votes: Any, codebook: Codebook | None) -> PredictRows:
        """New votes, with the number of classes where that is needed to read them."""
        rows = PredictRows(votes, codebook)
        if rows.needs_classes():
            rows.resolve(len(self._connection.perform(calls.get_project(project)).classes))
        return rows
