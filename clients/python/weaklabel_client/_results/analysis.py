"""Reports on votes and models: what weaklabel.analysis and a fitted LabelModel give, under the same names.

N items, M sources, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.short import ShortRepr
from weaklabel_client._results.tables import Columns, Tabular, data_frame
from weaklabel_protocol.tensors import from_tensor
from weaklabel_protocol.v1 import analysis_pb2, labels_pb2
from weaklabel_protocol.vote_objects import CandidateSet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class SourceSummary(Tabular, ShortRepr):
    """One line per source. Shares are of all N items.

    Attributes:
        votes_version: The version of the votes.
        sources: M names.
        polarity: For each source, the classes that it votes for, then the candidate sets.
        coverage: Share of items on which it votes, float64 [M].
        overlaps: Share of items on which it and another source vote, float64 [M].
        conflicts: Share of items on which its vote conflicts with another's, float64 [M].
        errors: Number of items on which it failed, int64 [M].
        correct: Number of its votes that agree with gold, int64 [M]; None without gold.
        incorrect: Number of its votes that disagree with gold, int64 [M]; None without gold.
        empirical_accuracy: correct / (correct + incorrect), float64 [M], NaN where both are 0; None without gold.
        learned_accuracy: Accuracy by the model's account, float64 [M]; None without a model.
    """

    votes_version: int
    sources: tuple[str, ...]
    polarity: tuple[tuple[int | CandidateSet, ...], ...]
    coverage: npt.NDArray[np.float64]
    overlaps: npt.NDArray[np.float64]
    conflicts: npt.NDArray[np.float64]
    errors: npt.NDArray[np.int64]
    correct: npt.NDArray[np.int64] | None
    incorrect: npt.NDArray[np.int64] | None
    empirical_accuracy: npt.NDArray[np.float64] | None
    learned_accuracy: npt.NDArray[np.float64] | None

    @classmethod
    def from_messages(cls, messages: Sequence[analysis_pb2.ReadSourceSummaryResponse]) -> "SourceSummary":
        """Reads the contract's messages."""
        lines = [line for message in messages for line in message.lines]
        with_gold = any(line.HasField("correct") for line in lines)
        with_model = any(line.HasField("learned_accuracy") for line in lines)

        def numbers(field: str) -> npt.NDArray[np.float64]:
            return np.array([getattr(line, field) if line.HasField(field) else np.nan for line in lines])

        return cls(
            votes_version=messages[0].votes_version,
            sources=tuple(line.source for line in lines),
            polarity=tuple(map(_polarity, lines)),
            coverage=np.array([line.coverage for line in lines]),
            overlaps=np.array([line.overlaps for line in lines]),
            conflicts=np.array([line.conflicts for line in lines]),
            errors=np.array([line.errors for line in lines], np.int64),
            correct=np.array([line.correct for line in lines], np.int64) if with_gold else None,
            incorrect=np.array([line.incorrect for line in lines], np.int64) if with_gold else None,
            empirical_accuracy=numbers("empirical_accuracy") if with_gold else None,
            learned_accuracy=numbers("learned_accuracy") if with_model else None,
        )

    def _columns(self, classes: Sequence[str] | None) -> Columns:
        def said(one: int | CandidateSet) -> str:
            if isinstance(one, int):
                return str(one) if classes is None else classes[one]
            return " or ".join(str(k) if classes is None else classes[k] for k in one.classes)

        columns = {
            "source": list(self.sources),
            "polarity": [", ".join(map(said, one)) for one in self.polarity],
            "coverage": self.coverage,
            "overlaps": self.overlaps,
            "conflicts": self.conflicts,
            "errors": self.errors,
            "correct": self.correct,
            "incorrect": self.incorrect,
            "empirical_accuracy": self.empirical_accuracy,
            "learned_accuracy": self.learned_accuracy,
        }
        return {title: values for title, values in columns.items() if values is not None}


def _polarity(line: analysis_pb2.SourceSummaryLine) -> tuple[int | CandidateSet, ...]:
    if not line.HasField("candidate_sets"):
        return tuple(line.classes)
    sets = Codebook.from_message(line.candidate_sets).candidate_sets
    return *line.classes, *(CandidateSet(tuple(np.flatnonzero(row).tolist())) for row in sets)


class PairwiseAgreement(NamedTuple):
    """Agreement of each two of M sources, on the items that both vote on."""

    sources: tuple[str, ...]
    """M names."""
    items: npt.NDArray[np.int64]
    """[M, M] number of these items."""
    raw: npt.NDArray[np.float64]
    """[M, M] share of them on which both say the same, in the precision of float32; NaN without items."""
    kappa: npt.NDArray[np.float64]
    """[M, M] Cohen's kappa, likewise; NaN without items, and where both always vote for the same one class."""

    @classmethod
    def from_messages(cls, messages: Sequence[analysis_pb2.ReadPairwiseAgreementResponse]) -> "PairwiseAgreement":
        """Reads the contract's messages."""
        return cls(
            sources=tuple(source for message in messages for source in message.sources),
            items=np.concatenate([from_tensor(message.items) for message in messages]).astype(np.int64),
            raw=np.concatenate([from_tensor(message.raw) for message in messages]).astype(np.float64),
            kappa=np.concatenate([from_tensor(message.kappa) for message in messages]).astype(np.float64),
        )

    def to_pandas(self) -> "pd.DataFrame":
        """A line for each two sources that share items: source, other, items, raw, kappa.

        Raises:
            ImportError: pandas is not installed.
        """
        at, other = np.nonzero(np.triu(self.items, 1))
        names = np.array(self.sources, object)
        columns = {"items": self.items, "raw": self.raw, "kappa": self.kappa}
        return data_frame(
            {"source": names[at], "other": names[other]} | {name: values[at, other] for name, values in columns.items()}
        )


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveVotes(ShortRepr):
    """How many independent votes sources are worth.

    Attributes:
        model: "projects/ID/models/ID" of the model whose soft labels, or votes, they are of.
        number: Independent sources whose mean error would vary as much, between 1 and M.
        interval: 90 % interval of the number, over the items.
        n_sources: M.
        n_items: Items with a label and a vote.
        by: What took the place of the truth.
        sources: M names, in the order of pairs.
        without: By source, the number of the others together.
        families: By family, the number of its sources alone; empty where no families are given.
        correlation: Mean of pairs over the pairs of different sources; NaN where no pair has one.
        pairs: Correlation of the errors of two sources, float64 [M, M] in the precision of float32; NaN where there is
            none.
    """

    model: str
    number: float
    interval: tuple[float, float]
    n_sources: int
    n_items: int
    by: Literal["gold", "soft labels"]
    sources: tuple[str, ...]
    without: dict[str, float]
    families: dict[str, float]
    correlation: float
    pairs: npt.NDArray[np.float64]

    @classmethod
    def from_messages(cls, messages: Sequence[analysis_pb2.ReadEffectiveVotesResponse]) -> "EffectiveVotes":
        """Reads the contract's messages."""
        first, sources = messages[0].summary, [source for message in messages for source in message.sources]
        without = [number for message in messages for number in message.without]
        rows = [from_tensor(message.pairs) for message in messages if message.sources]
        return cls(
            model=messages[0].model,
            number=first.number,
            interval=(first.number_low, first.number_high),
            n_sources=len(sources),
            n_items=first.item_count,
            by="gold" if first.by_gold else "soft labels",
            sources=tuple(sources),
            without={source: one for source, one in zip(sources, without, strict=True) if not np.isnan(one)},
            families={one.family: one.number for message in messages for one in message.families},
            correlation=first.correlation,
            pairs=np.concatenate(rows).astype(np.float64) if rows else np.empty((0, 0)),
        )

    def to_pandas(self) -> "pd.DataFrame":
        """A line for each two sources whose errors can be compared: source, other, correlation.

        Raises:
            ImportError: pandas is not installed.
        """
        at, other = np.nonzero(np.triu(np.isfinite(self.pairs), 1))
        names = np.array(self.sources, object)
        return data_frame({"source": names[at], "other": names[other], "correlation": self.pairs[at, other]})


class ConfusionMatrices(NamedTuple):
    """P(vote | class) of each source, as a model estimates it."""

    model: str
    """ "projects/ID/models/ID"."""
    sources: tuple[str, ...]
    """M names."""
    matrices: npt.NDArray[np.float32]
    """[M, K, K]: vote on the second axis, class on the last."""

    @classmethod
    def from_messages(cls, messages: Sequence[analysis_pb2.ReadConfusionMatricesResponse]) -> "ConfusionMatrices":
        """Reads the contract's messages."""
        rows = np.concatenate([from_tensor(message.rows) for message in messages])
        return cls(
            model=messages[0].model,
            sources=tuple(source for message in messages for source in message.sources),
            matrices=rows.reshape(-1, rows.shape[1], rows.shape[1]),
        )


class Finding(NamedTuple):
    """One thing that is doubtful about a fit."""

    kind: str
    """For programs: a field of Diagnostics."""
    message: str
    """What it is, and what to do about it."""


@dataclass(frozen=True)
class Diagnostics:
    """What a fit says about itself. `print` it for the findings.

    Attributes:
        model: "projects/ID/models/ID".
        findings: What is doubtful; empty where nothing is.
        risk: Estimated probability that the accuracy of hard labels is more than a point below majority vote's.
        unanimous_items: Items whose votes, two or more, all agree, and whose likeliest class is another.
        unanimous_share: Their share of the items with such votes.
        balance_shift: Total variation distance between the estimated class balance and that of the vote shares.
        worse_than_chance: Sources that are right less often than by chance, with 95 % probability.
        constant: Sources that vote for one class on (nearly) every item.
        silent: Sources that never vote.
        views: Number of sources that vote, copies counted once.
        joint_items: Items with votes of three sources or more.
        likelihood_gain: Rise of the objective, in nats per item, from the vote shares to the fit.
        excess_correlation: Correlation of errors beyond what independent sources of these accuracies show.
        doubt: 0 where conditional independence of the sources stands, 1 where it is refuted or cannot be tested.
        copies: Groups of sources that copy each other, and count once.
        votes_per_parameter: Votes for each free parameter of the confusion matrices.
        converged: Whether EM converged before the limit of iterations.
        feature_strength: How far features are trusted, from 0 to 1; None where the fit had none.
    """

    model: str
    findings: tuple[Finding, ...]
    risk: float
    unanimous_items: int
    unanimous_share: float
    balance_shift: float
    worse_than_chance: tuple[str, ...]
    constant: tuple[str, ...]
    silent: tuple[str, ...]
    views: float
    joint_items: int
    likelihood_gain: float
    excess_correlation: float
    doubt: float
    copies: tuple[tuple[str, ...], ...]
    votes_per_parameter: float
    converged: bool
    feature_strength: float | None

    @classmethod
    def from_message(cls, response: analysis_pb2.GetDiagnosticsResponse, sources: Sequence[str]) -> "Diagnostics":
        """Reads the contract's message; sources are those of the model, in its order."""
        message = response.diagnostics

        def named(places: Sequence[int]) -> tuple[str, ...]:
            return tuple(sources[place] for place in places)

        return cls(
            model=response.model,
            findings=tuple(Finding(one.kind, one.message) for one in message.findings),
            risk=message.risk,
            unanimous_items=message.unanimous_items,
            unanimous_share=message.unanimous_share,
            balance_shift=message.balance_shift,
            worse_than_chance=named(message.worse_than_chance),
            constant=named(message.constant),
            silent=named(message.silent),
            views=message.views,
            joint_items=message.joint_items,
            likelihood_gain=message.likelihood_gain,
            excess_correlation=message.excess_correlation,
            doubt=message.doubt,
            copies=tuple(named(group.sources) for group in message.copies),
            votes_per_parameter=message.votes_per_parameter,
            converged=message.converged,
            feature_strength=response.feature_strength if response.HasField("feature_strength") else None,
        )

    def __str__(self) -> str:
        lines = [finding.message for finding in self.findings] or ["no finding"]
        lines.append(f"estimated risk of hard labels worse than majority vote's: {100 * self.risk:.0f} %")
        return "\n".join(f"- {line}" for line in lines)


class Scores(NamedTuple):
    """Quality of soft labels on items with known labels."""

    accuracy: float
    """Share of the items whose likeliest class is right; classes tied for it share the item."""
    f1: float | None
    """F1 of the positive class, where one is named; ties are shared."""
    nll: float
    """Mean negative log-likelihood, in nats."""
    brier: float
    """Mean squared error, summed over the classes."""
    ece: float
    """Expected calibration error."""
    n_items: int
    """Number of items with a known label."""

    @classmethod
    def from_message(cls, message: analysis_pb2.EvaluateResponse) -> "Scores":
        """Reads the contract's message."""
        return cls(
            accuracy=message.accuracy,
            f1=message.f1 if message.HasField("f1") else None,
            nll=message.nll,
            brier=message.brier,
            ece=message.ece,
            n_items=message.item_count,
        )


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ShortRepr):
    """Additive contributions to one item's soft label, in nats, centred over the classes.

    softmax(prior + sources.sum(0) + vote_shares + gold) is the soft label.

    Attributes:
        classes: K names.
        source_names: The V sources that voted on the item.
        votes: Their votes, int32 [V]: class index, K and above where a vote is for several classes.
        vote_texts: The same in words.
        prior: Of the class balance, float64 [K].
        sources: Of each vote, copies counted once, tempered, float64 [V, K] in the precision of float32.
        vote_shares: Of the vote shares that are pooled with the posterior, float64 [K].
        gold: Of what known labels have taught, float64 [K]; zero where there were none.
        probabilities: The soft label, float64 [K].
    """

    classes: tuple[str, ...]
    source_names: tuple[str, ...]
    votes: npt.NDArray[np.int32]
    vote_texts: tuple[str, ...]
    prior: npt.NDArray[np.float64]
    sources: npt.NDArray[np.float64]
    vote_shares: npt.NDArray[np.float64]
    gold: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]

    @classmethod
    def from_message(cls, message: labels_pb2.Explanation, classes: tuple[str, ...]) -> "Explanation":
        """Reads the contract's message."""
        return cls(
            classes=classes,
            source_names=tuple(message.sources),
            votes=np.array(message.votes, np.int32),
            vote_texts=tuple(message.vote_texts),
            prior=np.array(message.prior),
            sources=from_tensor(message.contributions).astype(np.float64),
            vote_shares=np.array(message.vote_shares),
            gold=np.array(message.gold),
            probabilities=np.array(message.probabilities),
        )
