"""The label model that people hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError, ModelFileError, NotFittedError
from weaklabel.model import files
from weaklabel.model.classes import class_names
from weaklabel.model.decide import TieBreakPolicy, decide
from weaklabel.model.dependence import excess_correlation
from weaklabel.model.fit import run, start, votes_by_class
from weaklabel.model.init import Prepared, make_rows, prepare
from weaklabel.model.layout import MergedRows, merge_rows
from weaklabel.model.params import Params, ReadOut, Settings, State
from weaklabel.model.readout import make_read_out, read_out
from weaklabel.votes import Votes, as_votes

ITERATIONS_A_SEGMENT = 10
"""Between two reports of progress."""
MOSTLY_UNIPOLAR = 0.95
"""Above this mean precision all safeguards are in force anyway, and dependence need not be measured."""

_read_out = jax.jit(read_out)


class FitProgress(NamedTuple):
    """How far a fit has come."""

    iteration: int
    """EM iterations done."""
    max_iter: int
    """At most so many."""
    objective: float
    """Penalised log-likelihood an item after the last iteration."""
    change: float
    """Largest change of a responsibility in the last iteration; EM stops when it is under the tolerance."""


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
        n_iter: number of EM iterations.
        converged: whether EM came to rest before `max_iter`.
        objective: [n_iter] penalised log-likelihood an item, after each iteration.
        class_balance: [K] estimated share of each class among the items.
        source_names: M names.
        source_accuracy: [M] estimated share of each source's votes that are right.
        coverage: [M] share of the items on which each source voted.
        warnings: what is doubtful about the fit, in plain words.
    """

    n_iter: int
    converged: bool
    objective: NDArray[np.float64]
    class_balance: NDArray[np.float64]
    source_names: tuple[str, ...]
    source_accuracy: NDArray[np.float64]
    coverage: NDArray[np.float64]
    warnings: tuple[str, ...]

    def __init__(
        self,
        n_classes: int | None = None,
        *,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        max_iter: int = 200,
        tol: float = 1e-4,
    ) -> None:
        """Makes a model that is not fitted yet.

        Args:
            n_classes: K, at least 2; may be left out where `classes` is given.
            classes: K distinct names, in the order of the class indices.
            seed: for ties broken at random. The same votes and seed give the same bits.
            max_iter: limit of EM iterations.
            tol: EM stops when no responsibility changes by more.

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
        self._settings = Settings()
        self._params: Params | None = None

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.classes)

    def fit(self, votes: Votes | ArrayLike, *, progress: Callable[[FitProgress], None] | None = None) -> Self:
        """Estimates the sources and the class balance from votes.

        Args:
            votes: Votes, or whole numbers [N, M] with -1 for an abstain.
            progress: called with the state of the fit every few iterations; an exception that it raises ends the fit,
                and leaves the model as it was.

        Raises:
            InvalidVotesError: if the votes cannot be read.
        """
        votes = as_votes(votes, self.n_classes)
        if votes.n_sources == 0:
            raise InvalidVotesError("votes of at least one source are needed", field="votes")
        merged = merge_rows(votes)
        prepared = prepare(merged, self._settings)
        rows, sources = prepared.rows, prepared.sources
        state = start(rows, votes.n_sources, self.max_iter)
        tol = jnp.asarray(self.tol, jnp.float32)
        done = 0
        while done < self.max_iter and (done == 0 or float(state.change) >= self.tol):
            stop_at = min(done + ITERATIONS_A_SEGMENT, self.max_iter) if progress else self.max_iter
            state = run(rows, sources, state, self._settings, jnp.asarray(stop_at, jnp.int32), tol)
            done = int(state.iteration)
            if progress:
                progress(
                    FitProgress(done, self.max_iter, float(np.asarray(state.objective)[done - 1]), float(state.change))
                )
        self._params, self._copies = state.params, prepared.copies
        self._how = self._read_out(prepared, merged, state)
        self.n_iter, self.converged = done, float(state.change) < self.tol
        self.objective = np.asarray(state.objective, np.float64)[:done]
        totals = np.asarray(state.params.class_totals, np.float64)
        self.class_balance = totals / totals.sum()
        self.source_names, self.coverage = votes.source_names, votes.coverage
        probabilities = np.asarray(_read_out(rows, self._how)[0])
        self.source_accuracy = _accuracy(merged, probabilities)
        self.warnings = self._doubts()
        return self

    def predict_proba(self, votes: Votes | ArrayLike) -> NDArray[np.float32]:
        """[N, K] soft labels: calibrated probabilities of the classes; rows sum to one.

        Args:
            votes: Votes, whose sources are matched by name (a source of the model that is missing abstains), or whole
                numbers [N, M] with the columns in the order of the fit. Rows without votes are uniform.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError: if the votes cannot be read, or a source is not known to the model.
        """
        return self.label(votes)[0]

    def predict(self, votes: Votes | ArrayLike, tie_break_policy: TieBreakPolicy = "abstain") -> NDArray[np.int32]:
        """[N] the class called for each item.

        Args:
            votes: as in `predict_proba`.
            tie_break_policy: what to answer where classes are tied: "abstain" (-1), "random" (one of them, the same at
                each call with the same seed) or "true-random".

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for an unknown policy.
        """
        return self.label(votes, tie_break_policy)[1]

    def label(
        self, votes: Votes | ArrayLike, tie_break_policy: TieBreakPolicy = "abstain"
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """`predict_proba` and `predict` in one pass."""
        if self._params is None:
            raise NotFittedError("the model is not fitted: call fit(votes) first")
        merged = merge_rows(self._aligned(votes))
        rows = make_rows(merged, self._copies, self._settings)
        probabilities, scores = (merged.spread(np.asarray(part)) for part in _read_out(rows, self._how))
        return probabilities, decide(scores, tie_break_policy, self.seed)

    def score(self, votes: Votes | ArrayLike, gold: ArrayLike, metric: str = "accuracy") -> float:
        """Share of the items, among those with gold (>= 0), that `predict` calls rightly; ties count as wrong.

        Raises:
            InvalidArgumentError: if gold has another length than the votes, or no label.
        """
        if metric != "accuracy":
            raise InvalidArgumentError(f"the metric known here is 'accuracy', got {metric!r}", field="metric")
        truth, called = np.asarray(gold), self.predict(votes)
        if truth.shape != called.shape:
            raise InvalidArgumentError(f"gold must have shape {called.shape}, got {truth.shape}", field="gold")
        known = truth >= 0
        if not known.any():
            raise InvalidArgumentError("gold holds no label", field="gold")
        return float((called[known] == truth[known]).mean())

    def _read_out(self, prepared: Prepared, merged: MergedRows, state: State) -> ReadOut:
        """How soft labels are read off, by the dependence that the fit shows."""
        params, sources, correlation, fired = state.params, prepared.sources, 0.0, None
        if params.confusion.ndim == 3:
            fired = votes_by_class(prepared.rows, state.responsibilities, merged.votes.n_sources)
            if float(sources.mean_precision) < MOSTLY_UNIPOLAR:
                # One source of each group of copies: that copies err together is known already.
                first = ~(np.tril(prepared.copies.toarray(), -1) > 0.5).any(axis=1)
                names = [merged.votes.source_names[source] for source in np.flatnonzero(first)]
                correlation = excess_correlation(
                    merged.votes.select_sources(names),
                    np.asarray(prepared.rows.weight, np.float64)[: merged.votes.n_items],
                    np.asarray(params.confusion, np.float64)[first],
                    np.asarray(params.log_prior, np.float64),
                    self.seed,
                )
        covered = np.asarray(prepared.rows.n_votes)[: merged.votes.n_items] > 0
        n_uncovered = float(merged.weight[~covered].sum())
        return make_read_out(
            params, sources, self._settings, correlation=correlation, expected_votes=fired, n_uncovered=n_uncovered
        )

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
        )

    def _named(self, array: ArrayLike) -> Votes:
        width = np.shape(array)[-1] if np.ndim(array) == 2 else None
        if width is not None and width != len(self.source_names):
            raise InvalidVotesError(
                f"the model was fitted on {len(self.source_names)} sources, the votes have {width} columns",
                field="votes",
            )
        return Votes.from_dense(array, self.n_classes, sources=self.source_names)

    def _doubts(self) -> tuple[str, ...]:
        doubts = []
        if not self.converged:
            doubts.append(f"EM did not come to rest within {self.n_iter} iterations: raise max_iter")
        silent = [name for name, share in zip(self.source_names, self.coverage, strict=True) if share == 0]
        if silent:
            doubts.append(f"{len(silent)} of {len(self.source_names)} sources never vote, such as {silent[0]!r}")
        return tuple(doubts)

    # ------------------------------------------------------------- keeping

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._params is None:
            raise NotFittedError("the model is not fitted: call fit(votes) first")
        header: dict[str, Any] = {
            "classes": list(self.classes),
            "sources": list(self.source_names),
            "seed": self.seed,
            "max_iter": self.max_iter,
            "tol": self.tol,
            "n_iter": self.n_iter,
            "converged": self.converged,
            "warnings": list(self.warnings),
            "settings": self._settings._asdict(),
        }
        arrays = {f"params.{name}": np.asarray(value) for name, value in self._params._asdict().items()}
        arrays |= {f"read_out.{name}": np.asarray(value) for name, value in self._how._asdict().items()}
        pairs = self._copies.tocoo()
        arrays |= {"copies.row": pairs.row, "copies.column": pairs.col, "copies.score": pairs.data}
        arrays |= {"objective": self.objective, "source_accuracy": self.source_accuracy, "coverage": self.coverage}
        return files.pack(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The model out of `to_bytes`.

        Raises:
            ModelFileError: if the bytes are not a model that this version can read.
        """
        header, arrays = files.unpack(data)
        try:
            model = cls(classes=header["classes"], seed=header["seed"], max_iter=header["max_iter"], tol=header["tol"])
            model._settings = Settings(**{name: float(value) for name, value in header["settings"].items()})
            model._params = Params(*(jnp.asarray(arrays[f"params.{name}"]) for name in Params._fields))
            model._how = ReadOut(*(jnp.asarray(arrays[f"read_out.{name}"]) for name in ReadOut._fields))
            model.source_names = tuple(str(name) for name in header["sources"])
            pairs = (arrays["copies.row"], arrays["copies.column"])
            square = (len(model.source_names),) * 2
            model._copies = sp.csr_array((np.asarray(arrays["copies.score"], float), pairs), shape=square)
            model.n_iter, model.converged = int(header["n_iter"]), bool(header["converged"])
            model.warnings = tuple(str(doubt) for doubt in header["warnings"])
            model.objective = arrays["objective"]
            model.source_accuracy, model.coverage = arrays["source_accuracy"], arrays["coverage"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model file is incomplete: {error!r}") from None
        model._check()
        totals = np.asarray(model._params.class_totals, np.float64)
        model.class_balance = totals / totals.sum()
        return model

    def _check(self) -> None:
        """Refuses parameters whose shapes do not agree, or that are not numbers."""
        assert self._params is not None
        n_sources, n_classes = len(self.source_names), self.n_classes
        shapes: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
            "confusion": (self._params.confusion, [(n_sources, n_classes, n_classes), (n_sources,)]),
            "evidence": (self._how.evidence, [(n_sources, n_classes, n_classes), (n_sources, n_classes)]),
            "log_prior": (self._how.log_prior, [(n_classes,)]),
            "class_totals": (self._params.class_totals, [(n_classes,)]),
            "uncovered_call": (self._how.uncovered_call, [(n_classes,)]),
            "correlation": (self._how.correlation, [()]),
            "sharpness": (self._how.sharpness, [()]),
            "anchor_share": (self._how.anchor_share, [()]),
            "uniform_share": (self._how.uniform_share, [()]),
            "source_accuracy": (self.source_accuracy, [(n_sources,)]),
            "coverage": (self.coverage, [(n_sources,)]),
        }
        for name, (array, allowed) in shapes.items():
            if array.shape not in allowed or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ModelFileError(f"the model file is damaged: {name} has shape {array.shape}, dtype {array.dtype}")

    def save(self, path: str | Path) -> None:
        """Writes the fitted model to a file, without pickle; conventionally `*.npz`.

        Raises:
            NotFittedError: before `fit`.
            OSError: if the file cannot be written.
        """
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a model that `save` wrote; no code of the file is run.

        Raises:
            ModelFileError: if the file is not a model that this version can read.
            OSError: if it cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes())

    def __repr__(self) -> str:
        if self._params is None:
            return f"LabelModel({self.n_classes} classes, not fitted)"
        return (
            f"LabelModel({self.n_classes} classes, fitted on {len(self.source_names)} sources in {self.n_iter} steps)"
        )


def _accuracy(merged: MergedRows, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """[M] expected share of each source's votes that are right; the mean of all where it has none."""
    rows, sources, labels = merged.votes.triples()
    weight = merged.weight[rows].astype(np.float64)
    n_sources = merged.votes.n_sources
    right = np.bincount(sources, weight * probabilities[rows, labels], minlength=n_sources)
    total = np.bincount(sources, weight, minlength=n_sources)
    overall = right.sum() / total.sum() if total.sum() else 1 / merged.votes.n_classes
    return np.where(total > 0, right / np.maximum(total, 1), overall)
