"""What sources do, one by one and two by two; labels that may be wrong."""

from collections.abc import Iterable, Mapping
from typing import Any

from weaklabel_client._protocol.analysis_calls import AlphaMetric
from weaklabel_client._results.inspection import (
    ContestedItems,
    LeaveOneOut,
    Mistakes,
    Reliability,
    SourceConfusions,
    SourcePairs,
)
from weaklabel_client._results.label_errors import LabelIssues
from weaklabel_client._sync.asking import Asking


class Inspection(Asking):
    """The methods of a client that look closer."""

    def krippendorff_alpha(
        self,
        project: str,
        metric: AlphaMetric = "nominal",
        *,
        confidence: float = 0.95,
        n_bootstrap: int = 1000,
        seed: int = 0,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> Reliability:
        """How far all sources agree beyond chance: weaklabel.analysis.krippendorff_alpha.

        Args:
            project: The project.
            metric: "nominal", classes without an order; "ordinal", classes in the order of their indices; "interval",
                as far apart as their indices.
            confidence: Of the interval.
            n_bootstrap: Draws of items that the interval comes from, at most 10,000; 0 for no interval.
            seed: Of the draws.
            votes_version: The version of the votes; the newest by default.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes, or no item has two votes.
        """
        call = (self._ask(project)).reliability(metric, confidence, n_bootstrap, seed, votes_version)
        return self._connection.perform(call, timeout)

    def fleiss_kappa(
        self,
        project: str,
        *,
        confidence: float = 0.95,
        n_bootstrap: int = 1000,
        seed: int = 0,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> Reliability:
        """The same where each item has as many votes: weaklabel.analysis.fleiss_kappa.

        Arguments are those of krippendorff_alpha.

        Raises:
            FailedPrecondition: Also where items differ in the number of their votes.
        """
        call = (self._ask(project)).reliability("fleiss", confidence, n_bootstrap, seed, votes_version)
        return self._connection.perform(call, timeout)

    def source_pairs(
        self,
        project: str,
        gold: Any = None,
        *,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourcePairs:
        """Agreement and dependence of each two sources: weaklabel.analysis.source_pairs.

        Args:
            project: The project.
            gold: True classes, as in fit, by which errors are seen; where not given, soft labels of the model say which
                are expected.
            model: A model, of whose votes it is; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes.
            ResourceExhausted: There are more than 2,000 sources.
        """
        ask = self._ask(project, model, items, gold=gold)
        return self._connection.collect(ask.pairs(), timeout)

    def source_confusions(
        self,
        project: str,
        gold: Any = None,
        *,
        sources: Iterable[str] | None = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> SourceConfusions:
        """What each source says of each class, with intervals: weaklabel.analysis.source_confusions.

        Args:
            project: The project.
            gold: See source_pairs.
            sources: Names of the sources to look at; all by default.
            model: See source_pairs.
            items: See source_pairs.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes.
            ResourceExhausted: The matrices have more than 4,194,304 cells.
        """
        ask = self._ask(project, model, items, gold=gold)
        return self._connection.collect(ask.confusions(sources, self._classes(project)), timeout)

    def contested_items(
        self,
        project: str,
        n: int = 20,
        *,
        model: str | None = None,
        votes_version: int | None = None,
        timeout: float | None = None,
    ) -> ContestedItems:
        """Items that sources fight over: weaklabel.analysis.contested_items.

        Args:
            project: The project.
            n: How many items at most, up to 10,000.
            model: A model, by whose accuracies votes weigh; "latest" for the newest. None: each weighs 1.
            votes_version: The version of the votes, without a model; the newest by default.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: There are votes for several classes among the votes.
        """
        ask = self._ask(project, model)
        return self._connection.collect(ask.contested(n, votes_version, self._classes(project)), timeout)

    def where_wrong(
        self,
        project: str,
        source: str,
        gold: Any = None,
        *,
        by: Any = None,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Mistakes:
        """Where a source is wrong: on which classes, and in which slices: weaklabel.analysis.where_wrong.

        Args:
            project: The project.
            source: Name of the source.
            gold: See source_pairs.
            by: See score_by.
            model: See source_pairs.
            items: N ids of the items of arrays, for a project that names its items.
            timeout: Seconds; None for any time.

        Raises:
            InvalidArgument: The source is unknown, or has no vote on an item with a label.
            FailedPrecondition: There are votes for several classes among the votes.
        """
        ask = self._ask(project, model, items, gold=gold, by=by)
        return self._connection.collect(ask.mistakes(source), timeout)

    def leave_one_source_out(
        self,
        project: str,
        *,
        sources: Iterable[str] | None = None,
        gold: Any = None,
        refit: bool = True,
        model: str | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> LeaveOneOut:
        """How many labels flip without each source: weaklabel.analysis.leave_one_source_out.

        Args:
            project: The project.
            sources: Names of the sources to leave out, one at a time, at most 100 of them with refit; all by default.
            gold: True classes, as in fit, to compare accuracies by.
            refit: Whether to fit anew without each, with the side data of the model's fit, which takes as many fits. A
                call that ends ends them.
            model: A model; the newest by default.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds; None for any time.

        Raises:
            FailedPrecondition: The model was uploaded and is to be fitted anew; reason FIT_UNKNOWN.
        """
        ask = self._ask(project, model, items, gold=gold)
        return self._connection.collect(ask.leave_one_out(sources, refit=refit), timeout)

    def label_errors(
        self,
        project: str,
        labels: Any,
        *,
        gold: Any = None,
        families: Mapping[str, str] | None = None,
        seed: int = 0,
        votes_version: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> LabelIssues:
        """Which labels are probably wrong, by what the sources say: weaklabel.label_errors.label_errors.

        Args:
            project: The project.
            labels: Class indices [N], -1 where there is none, or a mapping from item ids, or side data of the kind
                "labels" or "gold"; or the name of a source, which then is no voter.
            gold: Labels that are known to be right, as in fit.
            families: Which sources are of one family, by name; see fit.
            seed: Of the two fits.
            votes_version: The version of the votes; the newest by default.
            items: N ids of the items of arrays, for a project that names its items.
            timeout: Seconds; None for any time.

        Raises:
            ValueError: Labels cannot be read.
            InvalidArgument: There is no label among them.
        """
        ask = self._ask(project, None, items, gold=gold, labels=labels)
        return self._connection.collect(
            ask.label_errors(families, seed, votes_version, self._classes(project)), timeout
        )
