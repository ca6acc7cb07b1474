"""What people would answer, rather than a truth: predictions of a fitted label model about its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.model.disagreement.vote_model import VoteModel, fit_vote_model, source_weights
from weaklabel.model.fitted_attributes import FittedAttributes
from weaklabel.votes import Votes

Weights = Literal["votes", "equal"] | Mapping[str, float]


class Population(FittedAttributes):
    """Methods of a label model that predict votes. They learn from the votes of the fit when first asked."""

    classes: tuple[str, ...]
    seed: int
    _votes_seen: Votes | None
    """Of the fit, until the vote model is learned."""
    _vote_model: VoteModel | None

    def learn_votes(self, votes: Votes | ArrayLike) -> Self:
        """Learns what sources would vote from other votes than those of the fit, or for a model that was loaded.

        Args:
            votes: as in `predict_proba`, votes for one class each.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`; for candidate sets, soft votes and no votes.
        """
        self._vote_model, self._votes_seen = fit_vote_model(self._readable(votes)), None
        return self

    def predict_vote_proba(
        self, votes: Votes | ArrayLike, source: str | int | Sequence[str | int] | None = None
    ) -> NDArray[np.float64]:
        """What a source would vote on each item: [N, K] for one, [N, S, K] for several, [N, M, K] for all.

        Items have latent states, more than there are classes, so that a contested item is a state of its own and no
        doubt about a truth; each source has its own probabilities in each. See docs/disagreement.md. A source that has
        voted on an item is among those that tell its state.

        Args:
            votes: as in `predict_proba`, votes for one class each.
            source: name or position of a source of the fit, or several; None for all.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for a source that is not of the fit; for a model that was loaded or fitted on chunks,
                until `learn_votes` is called.
        """
        model, readable = self._voting(), self._readable(votes)
        one = isinstance(source, (str, int, np.integer))
        asked: Any = model.source_names if source is None else [source] if one else source
        places = [_place(name, model.source_names) for name in asked]
        found = np.einsum("nl,slk->nsk", model.state_proba(readable), model.tables[places])
        return np.asarray(found[:, 0] if one else found)

    def soft_labels(
        self,
        votes: Votes | ArrayLike,
        population: Literal["truth", "sources"] = "truth",
        *,
        weights: Weights = "votes",
    ) -> NDArray[np.float64]:
        """[N, K] soft labels: of the true class, or of what a person of the population would answer.

        Args:
            votes: as in `predict_vote_proba`.
            population: "truth", as `predict_proba`; "sources", the answer of a source that is drawn by `weights`.
            weights: "votes", sources count by the votes that they gave; "equal"; or a weight by name, 0 where left out.

        Raises:
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `predict_vote_proba`; for an unknown
                population and weights that do not fit.
        """
        if population not in get_args(Literal["truth", "sources"]):
            raise InvalidArgumentError(
                f'population must be "truth" or "sources", got {population!r}', field="population"
            )
        if population == "truth":
            return np.asarray(self.predict_proba(votes), np.float64)  # type: ignore[attr-defined]  # of Predictor
        model = self._voting()
        return model.population(self._readable(votes), source_weights(weights, model))

    def item_disagreement(self, votes: Votes | ArrayLike, *, weights: Weights = "votes") -> NDArray[np.float64]:
        """[N] probability that two different sources would vote for different classes: how contested an item is.

        Args:
            votes: as in `predict_vote_proba`.
            weights: as in `soft_labels`.

        Raises:
            NotFittedError, InvalidVotesError, InvalidArgumentError: as in `soft_labels`.
        """
        model = self._voting()
        return model.disagreement(self._readable(votes), source_weights(weights, model))

    def source_groups(self, n_groups: int = 2) -> NDArray[np.float64]:
        """[M, G] probability that each source belongs to each of so many groups that vote alike; the largest first.

        Give `weights={name: probability}` to `soft_labels` for the answer of a group.

        Raises:
            NotFittedError, InvalidArgumentError: as in `predict_vote_proba`; if there are fewer sources than groups.
        """
        model = self._voting()
        most = len(model.source_names)
        if isinstance(n_groups, bool) or not isinstance(n_groups, (int, np.integer)) or not 1 <= n_groups <= most:
            raise InvalidArgumentError(f"n_groups must be between 1 and {most}, got {n_groups!r}", field="n_groups")
        return model.groups(int(n_groups), self.seed)

    if TYPE_CHECKING:

        def _readable(self, votes: Any) -> Votes: ...  # of Predictor

    def _voting(self) -> VoteModel:
        self._fitted  # noqa: B018  # raises where the model is not fitted
        if self._vote_model is None:
            if self._votes_seen is None:
                raise InvalidArgumentError(
                    "what sources would vote is not kept in files, nor learned from chunks: call learn_votes(votes)",
                    field="votes",
                )
            self.learn_votes(self._votes_seen)
            return self._voting()
        return self._vote_model


def _place(source: Any, names: Sequence[str]) -> int:
    if isinstance(source, str) and source in names:
        return names.index(source)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool) and 0 <= source < len(names):
        return int(source)
    raise InvalidArgumentError(f"{source!r} is none of the {len(names)} sources of the fit", field="source")
