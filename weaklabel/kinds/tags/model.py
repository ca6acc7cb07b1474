"""The estimator for sets of tags."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from weaklabel.errors import InvalidArgumentError
from weaklabel.kinds.common.arguments import count_of, number_between
from weaklabel.kinds.common.estimators import SourceEstimator
from weaklabel.kinds.tags import settings, storage
from weaklabel.kinds.tags.cells import UNLISTED
from weaklabel.kinds.tags.decoding import best_f1
from weaklabel.kinds.tags.diagnostics import diagnose, source_evidence
from weaklabel.kinds.tags.gold import threshold
from weaklabel.kinds.tags.pipeline import (
    Fitted,
    Read,
    TagParams,
    cell_probabilities,
    dense_probabilities,
    fit_tags,
    log_odds_at,
    read_out,
)
from weaklabel.kinds.tags.scores import tag_scores
from weaklabel.kinds.tags.votes import TagVotes, read_tag_gold, read_tag_votes
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.inputs import watcher
from weaklabel.model.report.diagnostics import ConvergenceWarning, Finding
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd


class TagModel(SourceEstimator[Fitted]):
    """The tags of each item, of sources that say yes or no to some tags, or list those they see.

    Each source has a weight on each tag, shrunk to what it is worth on others and what others are worth on the tag; the
    probability of a tag is the weighted share of yes, moved by what its other tags say. What an unlisted tag says is
    learned, or told. See docs/tags.md.

    Examples:
        >>> model = TagModel(["red", "round"])
        >>> item, source, tag = [0, 0, 1, 1], ["a", "b", "a", "b"], ["red", "red", "round", "round"]
        >>> model.fit(item, source, tag).predict_tags(item, source, tag)
        [('red',), ('round',)]
    """

    _storage: ClassVar[Any] = storage

    def __init__(
        self, tags: Sequence[str], *, unlisted: str = "learned", max_iter: int = 50, tol: float = 1e-3
    ) -> None:
        """Takes the tags, and what is not said of them.

        Args:
            tags: K names.
            unlisted: what a source that looked at an item says of the tags that it does not list. "learned": one that
                says no elsewhere says nothing; one that never does omits the tag, which is evidence with a learned
                weight. "no": no. "unknown": nothing.
            max_iter: rounds at most.
            tol: the fit has converged when no share moves by more.

        Raises:
            InvalidArgumentError: for no tags, a tag twice, and values out of range; `field` names the argument.
        """
        self.tags = tuple(tags)
        if isinstance(tags, str) or not self.tags or not all(isinstance(one, str) and one for one in self.tags):
            raise InvalidArgumentError(f"tags must be a list of names, got {tags!r}", field="tags")
        if len(set(self.tags)) < len(self.tags):
            twice = next(name for at, name in enumerate(self.tags) if name in self.tags[:at])
            raise InvalidArgumentError(f"tag {twice!r} is given twice", field="tags")
        if unlisted not in UNLISTED:
            raise InvalidArgumentError(
                f"unlisted must be one of {', '.join(UNLISTED)}, got {unlisted!r}", field="unlisted"
            )
        self.unlisted = unlisted
        self.max_iter = count_of(max_iter, "max_iter")
        self.tol = number_between(tol, "tol", 0, 1)

    # ------------------------------------------------------------- fitting

    def fit(
        self,
        votes: Any,
        source: Any = None,
        tag: Any = None,
        value: Any = None,
        *,
        gold: Any = None,
        progress: OnProgress | bool | None = None,
    ) -> Self:
        """Learns the sources.

        Args:
            votes: [J] items, with `source` and `tag`; a frame with columns for item, source and tag, by names such as
                "item", "worker", "tag", and "value" where there are no's; an array [N, M, K] of 1 for yes, 0 for no, -1
                for nothing; or `TagVotes`.
            source: [J] names or numbers of the sources.
            tag: [J] names of tags; None where a source looked at an item and listed nothing.
            value: [J] of 1 for yes and 0 for no; all yes if left out.
            gold: true tags of a few items: a mapping from item id to all its tags; or [N, K] of 1, 0 and, where
                unknown, -1, in the order of the ids. They calibrate each tag, shrunk to what is shared, and
                `predict_sets`.
            progress: True for a bar on stderr; or a function, called with `FitProgress` every few iterations: what it
                raises ends the fit, and the model stays as it was.

        Returns:
            The model. Look at `warnings` for what is doubtful; a fit that did not converge warns as well.

        Raises:
            InvalidVotesError: if the votes cannot be read; the message names the row, source or tag.
            InvalidArgumentError: if gold does not fit the votes.
        """
        read = read_tag_votes(votes, self.tags, source, tag, value)
        known = None if gold is None else read_tag_gold(gold, read, self.tags)
        with watcher(progress, self.max_iter) as tell:
            fitted = fit_tags(read, known, len(self.tags), self.unlisted, self.max_iter, self.tol, tell)
        self._state = read.source_names, fitted
        if not fitted.converged:
            words = f"weights did not settle in {self.max_iter} rounds: raise max_iter"
            warnings.warn(words, ConvergenceWarning, stacklevel=2)
        return self

    def _votes(self, votes: Any, source: Any, tag: Any, value: Any) -> TagVotes:
        names, _ = self._fitted
        return read_tag_votes(votes, self.tags, source, tag, value).of_sources(names)

    def _read(self, votes: TagVotes) -> Read:
        return read_out(votes, self.params, self.unlisted)

    # ---------------------------------------------------------- predicting

    def predict_proba(self, votes: Any, source: Any = None, tag: Any = None, value: Any = None) -> NDArray[np.float64]:
        """[N, K] probability of each tag, items in the order of their ids.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not among those of the fit.
            InvalidArgumentError: for more than 200 million cells: `predict_frame` has those that somebody voted on.
        """
        read = self._votes(votes, source, tag, value)
        if read.n_items * len(self.tags) > settings.MOST_CELLS:
            raise InvalidArgumentError(
                f"{read.n_items:,} items x {len(self.tags):,} tags are too many: use predict_frame, or fewer items",
                field="votes",
            )
        return dense_probabilities(self._read(read), self.params)

    def predict(
        self, votes: Any, source: Any = None, tag: Any = None, value: Any = None, *, decode: str = "each"
    ) -> NDArray[np.bool_]:
        """[N, K] whether each tag holds.

        Args:
            votes: as in `fit`, of sources of the fit.
            source: as in `fit`.
            tag: as in `fit`.
            value: as in `fit`.
            decode: "each": tags of a probability above a half, fewest errors; "f1": the set of most expected F1 of each
                item, tags being independent.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for another `decode`, and as in `predict_proba`.
        """
        if decode not in ("each", "f1"):
            raise InvalidArgumentError(f"decode must be 'each' or 'f1', got {decode!r}", field="decode")
        probability = self.predict_proba(votes, source, tag, value)
        if decode == "each":
            return np.asarray(probability > 0.5)
        found = np.zeros(probability.shape, np.bool_)
        for at, row in enumerate(probability):
            found[at, best_f1(row)] = True
        return found

    def predict_tags(self, votes: Any, source: Any = None, tag: Any = None, value: Any = None) -> list[tuple[str, ...]]:
        """N sets: the names of the tags of a probability above a half, of those that somebody voted on; any size.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
        """
        return self._sets(self._votes(votes, source, tag, value), 0.5, strictly=True)

    def predict_sets(
        self, votes: Any, source: Any = None, tag: Any = None, value: Any = None, *, coverage: float = 0.9
    ) -> list[tuple[str, ...]]:
        """N sets that hold, in the mean over items, a share of `coverage` or more of an item's true tags.

        By the gold of the fit, whose items must be like these; of tags that somebody voted on. Conformal risk control:
        Angelopoulos et al. 2022, arXiv:2208.02814. The gold has calibrated the model, too: shares are near, not exact.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if coverage is not in (0, 1), or the fit had no gold with true tags.
        """
        if isinstance(coverage, bool) or not isinstance(coverage, (int, float)) or not 0 < coverage < 1:
            raise InvalidArgumentError(f"coverage must be in (0, 1), got {coverage!r}", field="coverage")
        gold = self.params.gold
        if not gold.n_gold:
            raise InvalidArgumentError("sets of a coverage need gold: fit(votes, gold=...)", field="gold")
        return self._sets(self._votes(votes, source, tag, value), threshold(gold, coverage), strictly=False)

    def _sets(self, votes: TagVotes, least: float, *, strictly: bool) -> list[tuple[str, ...]]:
        read = self._read(votes)
        probability = cell_probabilities(read, self.params)
        kept = np.flatnonzero(probability > least if strictly else probability >= least)
        found: list[list[str]] = [[] for _ in range(votes.n_items)]
        for item, tag in zip(read.cells.item[kept].tolist(), read.cells.tag[kept].tolist(), strict=True):
            found[item].append(self.tags[tag])
        return [tuple(one) for one in found]

    def predict_frame(self, votes: Any, source: Any = None, tag: Any = None, value: Any = None) -> pd.DataFrame:
        """A line an item and tag that somebody voted on: "item", "tag", "probability". Of any number of tags.

        Raises:
            MissingExtraError: if pandas is not installed.
            NotFittedError, InvalidVotesError: as in `predict_proba`.
        """
        frame: pd.DataFrame = pandas().DataFrame(self.predict_columns(votes, source, tag, value))
        return frame

    def predict_columns(
        self, votes: Any, source: Any = None, tag: Any = None, value: Any = None
    ) -> dict[str, NDArray[Any]]:
        """The columns of `predict_frame`; without pandas.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
        """
        read_votes = self._votes(votes, source, tag, value)
        read = self._read(read_votes)
        names = np.array(self.tags, dtype=object)
        columns = {"item": read_votes.item_ids[read.cells.item], "tag": names[read.cells.tag]}
        return columns | {"probability": cell_probabilities(read, self.params)}

    def score(
        self,
        votes: Any,
        gold: Any,
        metrics: Sequence[str] = ("micro_f1",),
        *,
        source: Any = None,
        tag: Any = None,
        value: Any = None,
    ) -> dict[str, float]:
        """How good probabilities are on the cells with gold.

        Args:
            votes: as in `predict`.
            gold: as in `fit`.
            metrics: of "micro_f1", "macro_f1", "map" (mean average precision; both means over tags with a true cell),
                "nll" (nats a cell) and "ece" (ten bins of equal width).
            source: as in `fit`.
            tag: as in `fit`.
            value: as in `fit`.

        Returns:
            Scores by name.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict`.
            InvalidArgumentError: if gold does not fit the votes, and for unknown metrics.
        """
        read = self._votes(votes, source, tag, value)
        item, column, truth = read_tag_gold(gold, read, self.tags)
        return tag_scores(expit(log_odds_at(self._read(read), self.params, item, column)), column, truth, metrics)

    # ---------------------------------------------------------- the sources

    @property
    def params(self) -> TagParams:
        """What was learned."""
        return self._fitted[1].params

    @property
    def diagnostics(self) -> tuple[Finding, ...]:
        """What is doubtful about the fit, as data."""
        return diagnose(*self._fitted, self.unlisted)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the fit, in plain words."""
        return tuple(finding.message for finding in self.diagnostics)

    def sources(self) -> pd.DataFrame:
        """A line a source: "votes"; "explicit", whether it says no; "weight", the mean of its votes', and "evidence",
        by how much more log odds its yes is for a tag than its no or its omission: means over its tags.

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
        pairs = fitted.params.pairs
        count = np.maximum(np.bincount(pairs.source, minlength=len(names)), 1)
        return {
            "source": list(names),
            "votes": fitted.params.n_votes,
            "explicit": pairs.explicit,
            "weight": np.bincount(pairs.source, fitted.params.weight, minlength=len(names)) / count,
            "evidence": source_evidence(fitted, len(names)),
        }

    def summary(self) -> str:
        """The fit in a few lines of plain words.

        Raises:
            NotFittedError: before `fit`.
        """
        names, fitted = self._fitted
        params = fitted.params
        told = f"{params.gold.n_gold} items with true tags by gold" if params.gold.n_gold else "no gold"
        n_votes, silent = int(params.n_votes.sum()), int((~params.pairs.explicit).sum())
        lines = [
            f"{fitted.n_items:,} items, {len(self.tags):,} tags, {len(names):,} sources, {n_votes:,} votes, {told}",
            f"{silent:,} sources only list tags; an omission weighs {params.omission:.2g} of a vote"
            if self.unlisted == "learned"
            else f"an unlisted tag is {self.unlisted}",
            "\n".join(f"- {line}" for line in self.warnings) or "- nothing doubtful was found",
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        if self._state is None:
            return f"TagModel({len(self.tags)} tags, not fitted)"
        return f"TagModel({len(self.tags)} tags, fitted on {len(self.source_names)} sources in {self.n_iter} rounds)"
