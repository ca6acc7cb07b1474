"""Majority vote: the baseline that a label model has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._archive import MOST_BYTES, pack_arrays
from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError
from weaklabel.model import storage
from weaklabel.model.calibration.decision import TieBreakPolicy, decide
from weaklabel.model.class_names import class_names
from weaklabel.model.common_methods import CommonMethods, item_at
from weaklabel.model.fitted_attributes import AttributesOfVotes
from weaklabel.model.inputs import Unseen, check_unseen, known_sources
from weaklabel.model.report.explanation import ShareExplanation, explain_share
from weaklabel.side_information.gold import read_gold
from weaklabel.votes import Votes, as_votes
from weaklabel.votes.chunks import VoteChunks


class VoteTotals(NamedTuple):
    """What a fit keeps of its votes."""

    source_names: tuple[str, ...]
    class_balance: NDArray[np.float64]
    """[K]"""
    coverage: NDArray[np.float64]
    """[M]"""


class MajorityVote(AttributesOfVotes[VoteTotals], CommonMethods):
    """Shares of the votes on each item; uniform where there are none.

    All sources count alike, so predictions need no fit. `fit` keeps what `source_names`, `coverage`, `class_balance`,
    `unseen`, sets and files need. It has the methods of `LabelModel`, except those that a vote share cannot answer:
    estimates of how good a source is (`source_accuracy`, `source_accuracy_interval`, `confusion_matrices`); what EM
    says of itself (`n_iter`, `converged`, `objective`, `diagnostics`, `warnings`); what is learned of groups and
    features (`group_names`, `group_balance`, `feature_strength`); the model of what sources would vote (`learn_votes`,
    `predict_vote_proba`, `soft_labels`, `item_disagreement`, `source_groups`); skills over time (`partial_fit`,
    `skill_at`, `skill_jumps`, `half_lives`); and `from_server`, since servers fit label models.

    Examples:
        >>> import numpy as np
        >>> MajorityVote(n_classes=2).predict_proba(np.array([[0, 1, 1], [-1, -1, -1]]))
        array([[0.33333334, 0.6666667 ],
               [0.5       , 0.5       ]], dtype=float32)
    """

    def __init__(self, n_classes: int | None = None, *, classes: Sequence[str] | None = None, seed: int = 0) -> None:
        """Takes the number of classes or their names; `seed` breaks ties where asked to."""
        self.classes, self._given_classes = class_names(n_classes, classes), (n_classes, classes)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InvalidArgumentError(f"seed must be a whole number, got {seed!r}", field="seed")
        self.seed = int(seed)
        self._state, self._training, self._sets = None, None, None

    def fit(
        self,
        votes: Votes | VoteChunks | ArrayLike,
        *,
        gold: ArrayLike | None = None,
        gold_error: ArrayLike = 0.0,
        **beside: Any,  # noqa: ARG002  # so that models can be exchanged
    ) -> Self:
        """Checks the votes, and counts them; uses nothing of what else `LabelModel.fit` takes.

        Args:
            votes: as in `LabelModel.fit`.
            gold: [N] known labels; only `predict_set` uses them.
            gold_error: as in `LabelModel.fit`; labels that may be wrong are not used.
            **beside: what else `LabelModel.fit` takes.

        Raises:
            InvalidVotesError: if the votes cannot be read.
            InvalidArgumentError: if gold does not fit the votes.
        """
        training = None
        if isinstance(votes, VoteChunks):
            if votes.n_classes != self.n_classes:
                raise InvalidVotesError(
                    f"the votes are over {votes.n_classes} classes, the model over {self.n_classes}", field="votes"
                )
            if gold is not None:
                raise InvalidArgumentError(
                    "votes that are read in chunks come without gold: hold them in memory", field="gold"
                )
            totals = self._count(votes)
        else:
            read = as_votes(votes, self.n_classes, self.classes)
            known = read_gold(gold, read, gold_error=gold_error, classes=self.classes) if gold is not None else None
            if known is not None and not known.error.any():
                training = read, known.certain(read.n_items)
            totals = self._count([read])
        self._state, self._training, self._sets = totals, training, None
        return self

    def _count(self, chunks: Iterable[Votes]) -> VoteTotals:
        names: tuple[str, ...] = ()
        n_items, n_voted, voted, shares = 0, 0, np.zeros(0), np.zeros(self.n_classes)
        for votes in chunks:
            there = votes.counts().any(axis=1)
            names, n_items, n_voted = votes.source_names, n_items + votes.n_items, n_voted + int(there.sum())
            voted = votes.coverage * votes.n_items + (voted if len(voted) else 0)
            shares += self._shares(votes)[there].sum(axis=0, dtype=np.float64)
        balance = shares / n_voted if n_voted else np.full(self.n_classes, 1 / self.n_classes)
        return VoteTotals(source_names=names, class_balance=balance, coverage=voted / max(n_items, 1))

    def predict_proba(self, votes: Votes | ArrayLike, *, unseen: Unseen = "average") -> NDArray[np.float32]:  # type: ignore[override]  # there is nothing beside votes
        """[N, K] shares of the votes.

        Args:
            votes: Votes, or whole numbers [N, M].
            unseen: what is done with the votes of sources that the fit has not seen: "average" counts them like all
                others; "error" refuses them, "ignore" leaves them out, which both need a fit.

        Raises:
            InvalidVotesError: if the votes cannot be read, or a source is not known and refused.
            InvalidArgumentError: for an unknown `unseen`.
            NotFittedError: before `fit`, where `unseen` needs it.
        """
        return self._shares(self._read(votes, unseen))

    def _shares(self, votes: Votes) -> NDArray[np.float32]:
        counts = votes.counts()
        total = counts.sum(1, keepdims=True)
        return np.where(total > 0, counts / np.maximum(total, 1), 1 / self.n_classes).astype(np.float32)

    def _read(self, votes: Votes | ArrayLike, unseen: Unseen) -> Votes:
        check_unseen(unseen)
        if unseen == "average":
            return as_votes(votes, self.n_classes, self.classes)
        return known_sources(votes, self._fitted.source_names, self.n_classes, unseen, self.classes)[0]

    def _readable(self, votes: Any) -> Votes:
        return self._read(votes, "average")

    def decision_function(self, votes: Votes | ArrayLike, *, unseen: Unseen = "average") -> NDArray[np.float32]:
        """[N, K] scores whose largest `predict` takes: the shares."""
        return self.predict_proba(votes, unseen=unseen)

    def predict(
        self, votes: Votes | ArrayLike, tie_break_policy: TieBreakPolicy = "abstain", *, unseen: Unseen = "average"
    ) -> NDArray[np.int32]:
        """[N] the class with most votes; see `LabelModel.predict` for ties."""
        return self.label(votes, tie_break_policy, unseen=unseen)[1]

    def label(  # type: ignore[override]  # there is nothing beside votes
        self, votes: Votes | ArrayLike, tie_break_policy: TieBreakPolicy = "abstain", *, unseen: Unseen = "average"
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """`predict_proba` and `predict` in one pass."""
        shares = self.predict_proba(votes, unseen=unseen)
        return shares, decide(shares, tie_break_policy, self.seed)

    def predict_chunks(
        self,
        chunks: Iterable[Votes | ArrayLike],
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        unseen: Unseen = "average",
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """`label` of votes that come in chunks, chunk by chunk."""
        return super().predict_chunks(chunks, tie_break_policy, unseen=unseen)

    def predict_set(
        self, votes: Votes | ArrayLike, coverage: float = 0.9, *, unseen: Unseen = "average"
    ) -> NDArray[np.bool_]:
        """As `LabelModel.predict_set`; all gold calibrates, since vote shares learn nothing from it."""
        return super().predict_set(votes, coverage, unseen=unseen)

    def _calibrated(self, votes: Votes, gold: NDArray[np.int32]) -> tuple[Self, NDArray[np.float32]]:
        items = np.flatnonzero(gold >= 0)
        shares = self._shares(votes.select_items(items))
        return self, 1 - shares[np.arange(len(items)), gold[items]]

    def explain(self, votes: Votes | ArrayLike, row: int, *, unseen: Unseen = "average") -> ShareExplanation:
        """What each source adds to one item's vote shares.

        Args:
            votes: as in `predict_proba`.
            row: position of the item.
            unseen: as in `predict_proba`.

        Raises:
            InvalidVotesError, NotFittedError: as in `predict_proba`.
            InvalidArgumentError: if there is no such row.
        """
        return explain_share(item_at(row, self._read(votes, unseen)), self.classes)

    # ------------------------------------------------------------------- files

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle. After loading, `predict_set` needs `calibrate_sets`.

        Raises:
            NotFittedError: before `fit`.
        """
        totals = self._fitted
        header = {
            "format": storage.MAJORITY_FORMAT,
            "version": storage.MAJORITY_VERSION,
            "classes": list(self.classes),
            "seed": self.seed,
        }
        header["sources"] = list(totals.source_names)
        return pack_arrays(header, {"class_balance": totals.class_balance, "coverage": totals.coverage})

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """The model out of `to_bytes`; no code of the bytes is run.

        Args:
            data: a model.
            most_bytes: what it may unpack to; a larger one is refused before it takes the memory.

        Raises:
            ModelFileError: if the bytes are not a model that this version can read.
        """
        header, arrays = storage.opened(data, most_bytes, storage.MAJORITY_FORMAT)
        if (version := header.get("version")) != storage.MAJORITY_VERSION:
            raise ModelFileError(
                f"the model has format version {version}; this library reads {storage.MAJORITY_VERSION}"
            )
        try:
            model = cls(classes=header["classes"], seed=header["seed"])
            names = tuple(map(str, header["sources"]))
            sizes = {"class_balance": len(model.classes), "coverage": len(names)}
            totals = {name: np.asarray(arrays[name], np.float64) for name in sizes}
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model file is damaged: {error!r}") from None
        for name, size in sizes.items():
            if totals[name].shape != (size,) or not np.isfinite(totals[name]).all():
                raise ModelFileError(f"the model file is damaged: {name} does not hold {size} finite numbers")
        model._state = VoteTotals(source_names=names, **totals)
        return model

    def __repr__(self) -> str:
        return f"MajorityVote({self.n_classes} classes)"
