"""Methods that the label model and majority vote share: all that comes down to soft labels, votes and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._archive import KeptInFiles
from weaklabel.analysis import EffectiveVotes, effective_votes
from weaklabel.errors import InvalidArgumentError
from weaklabel.model.calibration import conformal
from weaklabel.model.calibration.decision import TieBreakPolicy
from weaklabel.model.estimator import Estimator
from weaklabel.model.gold.sampling import NextToLabel, draw
from weaklabel.model.inputs import Unseen
from weaklabel.side_information.gold import as_gold
from weaklabel.votes import Votes


class CommonMethods(Estimator, KeptInFiles):
    """Needs soft labels of a class, its votes as it reads them, and its bytes."""

    classes: tuple[str, ...]
    seed: int
    _training: tuple[Votes, NDArray[np.int32]] | None
    """Votes and exact gold, to calibrate sets on."""
    _sets: tuple[Any, NDArray[np.float32]] | None
    """A model, and 1 - its probability of the true class on items that it has not learned from."""

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    # ------------------------------------------------------- what a class says

    def predict_proba(self, votes: Any, **side: Any) -> NDArray[np.float32]:
        """[N, K] soft labels."""
        raise NotImplementedError

    def _readable(self, votes: Any) -> Votes:
        """Votes with the sources that the model reads."""
        raise NotImplementedError

    def _check_items_apart(self, what: str) -> None:
        """Refuses what looks at items apart, where their labels depend on each other."""

    def _check_sets(self) -> None:
        """Refuses conformal sets of models that do not make them."""
        self._check_items_apart("conformal sets")

    def _calibrated(self, votes: Votes, gold: NDArray[np.int32]) -> tuple[Any, NDArray[np.float32]]:
        """`_sets` by these votes and labels."""
        raise NotImplementedError

    # ------------------------------------------------------------- predictions

    def predict_chunks(
        self,
        chunks: Iterable[Votes | ArrayLike],
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        unseen: Unseen = "error",
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """`label` of votes that come in chunks, chunk by chunk: memory holds one.

        Args:
            chunks: VoteChunks, or any other iterable of what `label` takes. Read once.
            tie_break_policy: as in `predict`.
            unseen: as in `predict_proba`.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the label space ties items to each other.
            InvalidVotesError: on the way, as in `label`.
        """
        self._check_items_apart("votes that are read in chunks")
        return (self.label(votes, tie_break_policy, unseen=unseen) for votes in chunks)

    def next_to_label(
        self, votes: Votes | ArrayLike, n: int, *, gold: ArrayLike | None = None, seed: int | None = None
    ) -> NextToLabel:
        """Draws items whose labels would teach the model most, with the weights that `fit` needs beside their gold.

        Half of the probability is even, half follows the doubt of the soft labels. The weights undo this: with them
        the labels stand for all items. See docs/gold.md for what 10 to 200 labels buy.

        Args:
            votes: as in `predict_proba`.
            n: number of items to draw.
            gold: [N] labels that are known already, -1 where unknown: those items are not drawn.
            seed: of the draw; None for the model's. With the same seed and votes the same items are drawn.

        Returns:
            Positions of n items, and their weights.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if n is not between 1 and the number of items without gold.
        """
        readable = self._readable(votes)
        known = np.full(readable.n_items, -1) if gold is None else as_gold(gold, readable, self.classes)
        candidates = np.flatnonzero(known < 0)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= len(candidates):
            raise InvalidArgumentError(
                f"n must be between 1 and {len(candidates)} items without gold, got {n}", field="n"
            )
        return draw(self.predict_proba(votes), candidates, int(n), self.seed if seed is None else seed)

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
        readable = self._readable(votes)
        labels = self.predict_proba(readable) if gold is None else as_gold(gold, readable, self.classes)
        return effective_votes(readable, labels, families=families)

    # ---------------------------------------------------------- conformal sets

    def predict_set(
        self, votes: Votes | ArrayLike, coverage: float = 0.9, *, unseen: Unseen = "error"
    ) -> NDArray[np.bool_]:
        """[N, K] sets of classes that hold the true one with probability `coverage`, by split conformal prediction.

        The guarantee is marginal, and for items like those with gold: over draws of gold and items, the true class is
        in the set with at least that probability, however good the model is. Half of the gold fits a model of its own,
        the other half calibrates it; with c labels in that half, coverage above c / (c + 1) gives sets of all classes.
        That model knows votes and exact gold only: side information of the fit is left out.

        Args:
            votes: as in `predict_proba`.
            coverage: in (0, 1).
            unseen: as in `predict_proba`.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the model was fitted without exact gold, coverage is not in (0, 1), or the label
                space ties items to each other.
        """
        if not isinstance(coverage, (int, float, np.number)) or not 0 < coverage < 1:
            raise InvalidArgumentError(f"coverage must be in (0, 1), got {coverage!r}", field="coverage")
        model, calibration = self._set_model()
        return np.asarray(1 - model.predict_proba(votes, unseen=unseen) <= conformal.threshold(calibration, coverage))

    def calibrate_sets(self, votes: Votes | ArrayLike, gold: ArrayLike) -> Self:
        """Takes the votes and the exact gold for `predict_set`, of a model that was loaded; `fit` with gold does so.

        Args:
            votes: as in `predict_proba`: those of the fit, for the sets of the model that was saved.
            gold: [N] known labels, as in `fit`.

        Returns:
            The model.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if gold does not fit the votes, or holds no label.
        """
        readable = self._readable(votes)
        known = as_gold(gold, readable, self.classes)
        if not (known >= 0).any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        self._training, self._sets = (readable, known), None
        return self

    def _set_model(self) -> tuple[Any, NDArray[np.float32]]:
        if self._sets is None:
            self._fitted  # noqa: B018  # raises where the model is not fitted
            self._check_sets()
            if self._training is None:
                raise InvalidArgumentError(
                    "sets need exact gold (of gold_error 0) to be calibrated on: call fit(votes, gold=...) or "
                    "calibrate_sets(votes, gold) first",
                    field="gold",
                )
            self._sets = self._calibrated(*self._training)
            self._training = None  # read once
        return self._sets

    @property
    def _fitted(self) -> Any:
        raise NotImplementedError


def item_at(row: int, votes: Votes) -> Votes:
    """The votes on one item, by its position; negative ones count from the end.

    Raises:
        InvalidArgumentError: if there is no such row.
    """
    if isinstance(row, bool) or not isinstance(row, (int, np.integer)):
        raise InvalidArgumentError(f"row must be the position of an item, got {row!r}", field="row")
    if not -votes.n_items <= row < votes.n_items:
        raise InvalidArgumentError(f"row {row} is not among the {votes.n_items} items", field="row")
    return votes.select_items(np.array([row % votes.n_items]))
