"""The label model that people hold."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.model import storage
from weaklabel.model.calibration import conformal
from weaklabel.model.calibration.decision import TieBreakPolicy, decide
from weaklabel.model.calibration.tempering import of_plain_votes
from weaklabel.model.class_names import class_names
from weaklabel.model.em.initialization import set_symbols
from weaklabel.model.em.loop import FULL_CELLS
from weaklabel.model.em.rows import describe
from weaklabel.model.layout.choice import bucket, lay_out, lay_out_soft
from weaklabel.model.pipeline import DEFAULT_SAMPLE, Beside, FitProgress, Fitted, train
from weaklabel.model.prediction import Predicted, predict, with_codebook
from weaklabel.model.report.diagnostics import ConvergenceWarning, Diagnostics
from weaklabel.model.report.explanation import Explanation, explain
from weaklabel.model.settings import Settings
from weaklabel.model.side import Known, bounds_of, families_of, read_features, read_gold_error, read_known
from weaklabel.model.sources.duplicates import vote_shares
from weaklabel.side_information.bags import Bags
from weaklabel.votes import Votes, as_gold, as_votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.validation import column_names


class LabelModel:
    """Calibrated probabilities of the classes from votes alone, by anchored EM over the true label.

    The true label of an item is latent; each source has a confusion matrix (Dawid and Skene 1979,
    doi:10.2307/2346806), estimated by EM over all labelings that the votes allow (Imprecise Label Learning, Chen et al.
    2023, arXiv:2305.12715). The vote shares anchor the estimate, so that labels neither flip nor run away, and soft
    labels are tempered, because sources depend on each other. The equations are in docs/label-model.md.

    Example:
        >>> votes = Votes.from_dense([[1, 1, 0], [0, 0, 0], [1, 1, -1], [0, -1, 1]], n_classes=2)
        >>> LabelModel(n_classes=2).fit(votes).predict(votes)
        array([1, 0, 1, 0], dtype=int32)

    Attributes:
        classes: names of the K classes.
        seed, max_iter, tol: as given.
    """

    def __init__(
        self,
        n_classes: int | None = None,
        *,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        max_iter: int = 200,
        tol: float = 1e-4,
        sample_rows: int | None = DEFAULT_SAMPLE,
    ) -> None:
        """Makes a model that is not fitted yet.

        Args:
            n_classes: K, at least 2; may be left out where `classes` is given.
            classes: K distinct names, in the order of the class indices.
            seed: for ties broken at random. The same votes and seed give the same bits.
            max_iter: limit of EM iterations.
            tol: EM stops when no responsibility changes by more; of more than some 32,000 distinct rows, when twice the
                mean change is less.
            sample_rows: with more distinct rows of a matrix than this, EM runs on a sample of at least so many, and
                ends with passes over all rows; None runs it on all rows, as it always does on sparse votes, and on a
                matrix that costs less by its votes than by its cells.

        Raises:
            InvalidArgumentError: for classes that are missing, fewer than two or repeated, or limits that are not
                positive.
        """
        self.classes = class_names(n_classes, classes)
        if max_iter < 1:
            raise InvalidArgumentError(f"max_iter must be at least 1, got {max_iter}", field="max_iter")
        if not tol > 0:
            raise InvalidArgumentError(f"tol must be above 0, got {tol}", field="tol")
        self.seed, self.max_iter, self.tol = int(seed), int(max_iter), float(tol)
        if sample_rows is not None and sample_rows < 1:
            raise InvalidArgumentError(f"sample_rows must be at least 1, got {sample_rows}", field="sample_rows")
        self.sample_rows = sample_rows
        self._settings = Settings()
        self._state: Fitted | None = None
        self._training: tuple[Votes, NDArray[np.int32]] | None = None
        self._sets: tuple[LabelModel, NDArray[np.float32]] | None = None

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    def fit(
        self,
        votes: Votes | VoteChunks | ArrayLike,
        *,
        gold: ArrayLike | None = None,
        gold_error: ArrayLike = 0.0,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        families: Mapping[str, str] | None = None,
        progress: Callable[[FitProgress], None] | None = None,
    ) -> Self:
        """Estimates the sources and the class balance from votes, and from what else is known.

        Votes that are read in chunks must be plain classes, and come without anything else. Side information on items
        (all but gold and bounds) makes each item a row of its own.

        Args:
            votes: Votes, of classes, candidate sets and probability vectors in any mixture; or whole numbers [N, M]
                with -1 for an abstain; or VoteChunks.
            gold: [N] known labels, -1 where unknown; any number of them. They enter the likelihood, and set how sure
                soft labels are. Gold that was drawn by class is weighed back to the balance of the votes.
            gold_error: probability, one number or [N], that a gold label is wrong. Above 0, gold is a belief.
            prior: [N, K] a belief about each item before the votes, rows summing to 1; a row of NaN for none (prior
                beliefs of labelers and items: arXiv:2202.14000).
            groups: [N] names or numbers: a class balance for each group, and confusions that all share (latent label
                shift, arXiv:2207.13179).
            bounds: (low, high) of the accuracy of sources, by name.
            bags: what is known of the labels of several items together, see weaklabel.side_information.bags.
            features: [N, D] numbers, dense or a scipy sparse matrix: p(class | features) is learned on the soft labels
                and joins the votes as far as it predicts the votes of held-out items.
            families: family of sources by name, such as the LLM behind several prompts: sources of one family count
                as half copies of each other at least.
            progress: called with the state of the fit every few iterations; an exception that it raises ends the fit,
                and leaves the model as it was.

        Returns:
            The model. Look at `diagnostics` for what is doubtful; a fit that did not converge warns as well.

        Raises:
            InvalidVotesError: if the votes cannot be read.
            InvalidArgumentError: if anything else does not fit the votes; `field` names the argument.
        """
        side = {"gold": gold, "prior": prior, "groups": groups, "bags": bags, "features": features}
        if isinstance(votes, VoteChunks):
            given = [name for name, value in side.items() if value is not None]
            given += [name for name, value in (("bounds", bounds), ("families", families)) if value]
            if given:
                raise InvalidArgumentError(
                    f"votes that are read in chunks come without {', '.join(given)}: hold them in memory",
                    field=given[0],
                )
            if votes.n_classes != self.n_classes:
                raise InvalidVotesError(
                    f"the votes are over {votes.n_classes} classes, the model over {self.n_classes}", field="votes"
                )
            self._train(votes, None, Beside(), progress)
            return self
        votes = as_votes(votes, self.n_classes)
        if votes.n_sources == 0:
            raise InvalidVotesError("votes of at least one source are needed", field="votes")
        if not votes.is_plain and votes.n_sources * self.n_classes**2 > FULL_CELLS:
            raise InvalidVotesError(
                f"votes for several classes need a confusion matrix a source, and {votes.n_sources} sources of "
                f"{self.n_classes} classes are too many for that: at most {FULL_CELLS:,} cells",
                field="votes",
            )
        known = None if gold is None else as_gold(gold, votes)
        known = known if known is not None and (known >= 0).any() else None
        if gold is None and read_gold_error(gold_error, votes.n_items).any():
            raise InvalidArgumentError("gold_error says how often gold is wrong: gold is needed", field="gold_error")
        by_item = read_known(votes, gold=known, gold_error=gold_error, prior=prior, groups=groups, bags=bags)
        matrix = None if features is None else read_features(features, votes.n_items)
        if known is not None:
            known = np.where(read_gold_error(gold_error, votes.n_items) > 0, -1, known).astype(np.int32)
            known = known if (known >= 0).any() else None
        beside = Beside(
            by_item if by_item.is_something else None, bounds_of(bounds, votes), matrix, families_of(families, votes)
        )
        self._train(votes, known, beside, progress)
        self._training = None if known is None else (votes, known)
        return self

    def _train(
        self,
        votes: Votes | VoteChunks,
        gold: NDArray[np.int32] | None,
        beside: Beside,
        progress: Callable[[FitProgress], None] | None,
    ) -> None:
        self._state = train(
            votes,
            gold,
            beside,
            self._settings,
            seed=self.seed,
            max_iter=self.max_iter,
            tol=self.tol,
            sample_rows=self.sample_rows,
            progress=progress,
        )
        self._training, self._sets = None, None
        for finding in self._state.diagnostics.findings:
            if finding.kind == "converged":
                warnings.warn(finding.message, ConvergenceWarning, stacklevel=3)

    @property
    def _fitted(self) -> Fitted:
        if self._state is None:
            raise NotFittedError("the model is not fitted: call fit(votes) first")
        return self._state

    @property
    def n_iter(self) -> int:
        """Number of EM iterations."""
        return self._fitted.n_iter

    @property
    def converged(self) -> bool:
        """Whether EM came to rest before `max_iter`."""
        return self._fitted.converged

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] log-evidence of the votes an item, in nats, after each iteration.

        It rises with each iteration where sources are read by recall, but for 1e-4 nats after a longer step of a large
        fit; where they are read by precision it mostly does.
        """
        return self._fitted.objective

    @property
    def class_balance(self) -> NDArray[np.float64]:
        """[K] estimated share of each class among the items with votes."""
        return self._fitted.class_balance

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""
        return self._fitted.source_names

    @property
    def coverage(self) -> NDArray[np.float64]:
        """[M] share of the items on which each source voted."""
        return self._fitted.coverage

    @property
    def source_accuracy(self) -> NDArray[np.float64]:
        """[M] estimated share of each source's votes that are right."""
        return self._fitted.source_accuracy

    @property
    def source_accuracy_interval(self) -> NDArray[np.float64]:
        """[M, 2] interval that holds each source's accuracy with 90 % probability, if sources are independent."""
        return self._fitted.source_accuracy_interval

    @property
    def diagnostics(self) -> Diagnostics:
        """What is doubtful about the fit, as data and, by `print`, in plain words."""
        return self._fitted.diagnostics

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the fit, in plain words."""
        return tuple(finding.message for finding in self._fitted.diagnostics.findings)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the G groups of the fit; empty without groups."""
        return self._fitted.group_names

    @property
    def group_balance(self) -> NDArray[np.float64] | None:
        """[G, K] estimated class balance of each group; None without groups."""
        return self._fitted.group_balance

    @property
    def feature_strength(self) -> float | None:
        """How far features are trusted, in [0, 1]: 0 where they say nothing; None without features."""
        return None if self._fitted.features is None else self._fitted.features.strength

    def predict_proba(self, votes: Votes | ArrayLike | None = None, **side: Any) -> NDArray[np.float32]:
        """[N, K] soft labels: calibrated probabilities of the classes; rows sum to one.

        Args:
            votes: Votes, whose sources are matched by name (a source of the model that is missing abstains), or whole
                numbers [N, M] with the columns in the order of the fit. None where there are features only. Items of
                which nothing is known are uniform.
            **side: prior=, groups=, bags= and features=, as in `fit`. A group that the fit has not seen has the class
                balance of all. The features of a fit need not be given; then votes speak alone.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not known to the model.
            InvalidArgumentError: if anything else does not fit the votes, or the model was fitted without it.
        """
        return self._predict(votes, side, with_calls=False).soft

    def predict(
        self, votes: Votes | ArrayLike | None = None, tie_break_policy: TieBreakPolicy = "abstain", **side: Any
    ) -> NDArray[np.int32]:
        """[N] the class called for each item.

        Not always the likeliest: where the model is not sure, the call leans to the majority of the votes; and
        on items without votes, whose soft label is uniform, it may follow the class balance and the silence of
        unipolar sources (`diagnostics.guessed_share` says how often).

        Args:
            votes: as in `predict_proba`.
            tie_break_policy: what to answer where classes are tied: "abstain" (-1), "random" (one of them, the same at
                each call with the same seed) or "true-random".
            **side: as in `predict_proba`.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for an unknown policy, and as in `predict_proba`.
        """
        return self.label(votes, tie_break_policy, **side)[1]

    def label(
        self, votes: Votes | ArrayLike | None = None, tie_break_policy: TieBreakPolicy = "abstain", **side: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """`predict_proba` and `predict` in one pass."""
        soft, scores = self._predict(votes, side, with_calls=True)
        return soft, decide(scores, tie_break_policy, self.seed)

    def predict_chunks(
        self, chunks: Iterable[Votes | ArrayLike], tie_break_policy: TieBreakPolicy = "abstain"
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """`label` of votes that come in chunks, chunk by chunk: memory holds one.

        Args:
            chunks: VoteChunks, or any other iterable of what `label` takes. Read once.
            tie_break_policy: as in `predict`.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: on the way, as in `label`.
        """
        self._fitted  # noqa: B018  # raises where the model is not fitted
        return (self.label(votes, tie_break_policy) for votes in chunks)

    def decision_function(self, votes: Votes | ArrayLike | None = None, **side: Any) -> NDArray[np.float32]:
        """[N, K] scores whose largest is called by `predict`: for those who break ties, or weigh errors, themselves.

        Args and errors as in `predict_proba`.
        """
        return self._predict(votes, side, with_calls=True).scores

    def _predict(self, votes: Votes | ArrayLike | None, side: dict[str, Any], *, with_calls: bool) -> Predicted:
        fitted, mass = self._fitted, self._settings.anchor_mass
        unknown = sorted(set(side) - {"prior", "groups", "bags", "features"})
        if unknown:
            raise InvalidArgumentError(
                f"{unknown[0]} is not known at prediction: prior, groups, bags and features are", field=unknown[0]
            )
        features = side.get("features")
        matrix = None if features is None else read_features(features, None)
        if votes is None:
            if matrix is None:
                raise InvalidArgumentError("votes are needed where there are no features", field="votes")
            silent = np.empty(0, np.int32)
            aligned = Votes.from_triples(
                silent,
                silent,
                silent,
                n_classes=self.n_classes,
                n_items=matrix.shape[0],
                n_sources=len(self.source_names),
                source_names=self.source_names,
            )
        else:
            aligned = self._readable(votes)
        known = self._known(aligned, side, matrix)
        return predict(aligned, fitted.copies, fitted.read_out, mass, known, with_calls=with_calls)

    def _known(
        self, votes: Votes, side: dict[str, Any], features: NDArray[np.float32] | sp.csr_array[np.float32] | None
    ) -> Known | None:
        """Side information of a prediction; None where there is none."""
        fitted = self._fitted
        if side.get("groups") is not None and not fitted.group_names:
            raise InvalidArgumentError("the model was fitted without groups", field="groups")
        given: dict[str, Any] = {name: side.get(name) for name in ("prior", "groups", "bags")}
        known = read_known(votes, **given, group_names=fitted.group_names)
        if features is not None:
            read_features(features, votes.n_items)
            if fitted.features is None:
                raise InvalidArgumentError("the model was fitted without features", field="features")
            dimensions = len(fitted.features.classifier.scaling.mean)
            if features.shape[1] != dimensions:
                raise InvalidArgumentError(
                    f"the model was fitted with {dimensions} features, got {features.shape[1]}", field="features"
                )
            model = fitted.features
            known = known.with_features(model.offset(features), model.log_proba(features), model.strength)
        return known if known.is_something else None

    def predict_set(self, votes: Votes | ArrayLike, coverage: float = 0.9) -> NDArray[np.bool_]:
        """[N, K] sets of classes that hold the true one with probability `coverage`, by split conformal prediction.

        The guarantee is marginal, and for items like those with gold: over draws of gold and items, the true class is
        in the set with at least that probability, however good the model is. Half of the gold fits a model of its own,
        the other half calibrates it; with c labels in that half, coverage above c / (c + 1) gives sets of all classes.
        That model knows votes and exact gold only: side information of the fit is left out.

        Args:
            votes: as in `predict_proba`.
            coverage: in (0, 1).

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the model was fitted without exact gold, or coverage is not in (0, 1).
        """
        if not 0 < coverage < 1:
            raise InvalidArgumentError(f"coverage must be in (0, 1), got {coverage}", field="coverage")
        model, calibration = self._set_model()
        limit = conformal.threshold(calibration, coverage)
        return np.asarray(1 - model.predict_proba(votes) <= limit)

    def _set_model(self) -> tuple[LabelModel, NDArray[np.float32]]:
        """A model fitted on half of the gold, and 1 - probability of the true class on the other half."""
        if self._sets is None:
            self._fitted  # noqa: B018  # raises where the model is not fitted
            if self._training is None:
                raise InvalidArgumentError(
                    "sets need exact gold (of gold_error 0) to be calibrated on: call fit(votes, gold=...) first",
                    field="gold",
                )
            votes, gold = self._training
            fitting, held = conformal.split(gold, self.seed)
            model = LabelModel(classes=self.classes, seed=self.seed, max_iter=self.max_iter, tol=self.tol)
            items = np.flatnonzero(held >= 0)
            p = model.fit(votes, gold=fitting).predict_proba(votes.select_items(items))
            self._sets = model, 1 - p[np.arange(len(items)), held[items]]
        return self._sets

    def explain(self, votes: Votes | ArrayLike, row: int) -> Explanation:
        """Contributions of the class balance, each vote and the vote shares to one item's soft label, in log-odds.

        Args:
            votes: as in `predict_proba`.
            row: position of the item.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: if there is no such row.
        """
        fitted = self._fitted
        aligned = self._readable(votes)
        if not -aligned.n_items <= row < aligned.n_items:
            raise InvalidArgumentError(f"row {row} is not among the {aligned.n_items} items", field="row")
        item = aligned.select_items([row % aligned.n_items])
        layout, mass = lay_out(item, fitted.copies), self._settings.anchor_mass
        size = {"n_sources": item.n_sources, "n_classes": item.n_classes, "anchor_mass": mass}
        sets, soft = None if item.is_plain else set_symbols(item), lay_out_soft(item, fitted.copies)
        rows = describe(layout, jnp.ones(bucket(1)), **size, sets=sets, soft=soft)
        how = of_plain_votes(fitted.read_out) if item.is_plain else fitted.read_out
        return explain(item, rows, vote_shares(item, fitted.copies), how, mass, self.classes)

    def score(self, votes: Votes | ArrayLike | None, gold: ArrayLike, metric: str = "accuracy", **side: Any) -> float:
        """Share of the items, among those with gold (>= 0), that `predict` calls rightly; ties count as wrong.

        Votes and side information are those of `predict`.

        Raises:
            InvalidArgumentError: if gold has another length than the votes, or no label.
        """
        if metric != "accuracy":
            raise InvalidArgumentError(f"the metric known here is 'accuracy', got {metric!r}", field="metric")
        truth, called = np.asarray(gold), self.predict(votes, **side)
        if truth.shape != called.shape:
            raise InvalidArgumentError(f"gold must have shape {called.shape}, got {truth.shape}", field="gold")
        known = truth >= 0
        if not known.any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        return float((called[known] == truth[known]).mean())

    def _readable(self, votes: Votes | ArrayLike) -> Votes:
        """The votes with the sources and the codebook of the model."""
        fitted = self._fitted
        readable = with_codebook(self._aligned(votes), fitted.sets)
        if not readable.is_plain and fitted.read_out.evidence.ndim == 2:
            raise InvalidVotesError(
                "the model has one accuracy a source, which says nothing of votes for several classes", field="votes"
            )
        return readable

    def _aligned(self, votes: Votes | ArrayLike) -> Votes:
        """The votes with the sources of the model as columns, in its order."""
        votes = as_votes(votes, self.n_classes) if isinstance(votes, Votes) else self._named(votes)
        if votes.source_names == self.source_names:
            return votes
        unknown = [name for name in votes.source_names if name not in set(self.source_names)]
        if unknown:
            raise InvalidVotesError(f"source {unknown[0]!r} is not known to the model", field="sources")
        rows, columns, labels = votes.triples()
        column_of = {name: column for column, name in enumerate(self.source_names)}
        target = np.array([column_of[name] for name in votes.source_names], np.int32)
        return Votes.from_triples(
            rows,
            target[columns],
            labels,
            n_classes=votes.n_classes,
            n_items=votes.n_items,
            n_sources=len(self.source_names),
            source_names=self.source_names,
            item_ids=votes.item_ids,
            symbols=votes.symbols,
        )

    def _named(self, array: ArrayLike) -> Votes:
        """Votes of an array: of the model's sources in their order, or of those that a DataFrame's columns name."""
        if column_names(array) is not None:
            return Votes.from_dense(array, self.n_classes)
        width = np.shape(array)[-1] if np.ndim(array) == 2 else None
        if width is not None and width != len(self.source_names):
            raise InvalidVotesError(
                f"the model was fitted on {len(self.source_names)} sources, the votes have {width} columns",
                field="votes",
            )
        return Votes.from_dense(array, self.n_classes, sources=self.source_names)

    # ------------------------------------------------------------- keeping

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle. Sets (`predict_set`) must be calibrated anew after loading.

        Raises:
            NotFittedError: before `fit`.
        """
        header = {
            "classes": list(self.classes),
            "seed": self.seed,
            "max_iter": self.max_iter,
            "tol": self.tol,
        }
        return storage.pack(header, self._fitted, self._settings)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model out of `to_bytes`.

        Raises:
            ModelFileError: if the bytes are not a model that this version can read.
        """
        header, fitted, settings = storage.unpack(data)
        try:
            model = cls(classes=header["classes"], seed=header["seed"], max_iter=header["max_iter"], tol=header["tol"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model file is damaged: {error!r}") from None
        model._settings, model._state = settings, fitted
        return model

    def save(self, path: str | Path) -> None:
        """Writes the fitted model to a file, without pickle; conventionally `*.npz`.

        Raises:
            NotFittedError: before `fit`.
            OSError: if the file cannot be written.
        """
        target = Path(path)
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            beside.write_bytes(self.to_bytes())
            beside.replace(target)  # at once, so that a crash leaves the old file or the new one
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a model that `save` wrote; no code of the file is run.

        Raises:
            ModelFileError: if the file is not a model that this version can read.
            OSError: if it cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes())

    def __repr__(self) -> str:
        if self._state is None:
            return f"LabelModel({self.n_classes} classes, not fitted)"
        n_sources = len(self.source_names)
        return f"LabelModel({self.n_classes} classes, fitted on {n_sources} sources in {self.n_iter} iterations)"
