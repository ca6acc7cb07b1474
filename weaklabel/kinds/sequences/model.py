"""The estimator for sequences: spans in documents from votes on their tokens."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from weaklabel._archive import MOST_BYTES
from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.kinds.common.estimators import Estimator, made
from weaklabel.kinds.sequences.fitted import Fitted, SequenceDiagnostics
from weaklabel.kinds.sequences.fitting import FIRST_ITERATIONS, Job, train
from weaklabel.kinds.sequences.inputs import Documents, Silence, read_documents, read_gold
from weaklabel.kinds.sequences.prediction import Decoding, Labels, label
from weaklabel.kinds.sequences.schemes import SchemeName, read_scheme
from weaklabel.kinds.sequences.scores import METRICS, score
from weaklabel.kinds.sequences.spans import Span, tags_to_spans
from weaklabel.kinds.sequences.storage import Saved, from_bytes, to_bytes
from weaklabel.model.em.segments import OnProgress
from weaklabel.model.inputs import watcher
from weaklabel.model.report.diagnostics import ConvergenceWarning
from weaklabel.votes.validation import check_count

DEFAULT_SAMPLE = 2**19
"""Tokens on which EM runs."""


class SourceRow(NamedTuple):
    """What a fit says of a source."""

    source: str
    kind: str
    """"annotator" where its "O" is a vote, "function" where silence says nothing."""
    coverage: float
    """Share of the tokens that it marks as in a span."""
    precision: float
    """Estimated share of these that have the tag that it gives."""
    recall: float
    """Estimated share of the tokens in spans to which it gives their tag."""


class SequenceModel(Estimator[Fitted]):
    """Calibrated probabilities of the tags of tokens, and spans, from votes alone, by EM over documents.

    The tags of a document are a Markov chain whose transitions the scheme restricts. Annotators, whose "O" is a vote,
    err in runs, so that their votes are given the true tag and their own vote before (Bayesian sequence combination,
    Simpson and Gurevych 2019, arXiv:1811.00780). Labeling functions, whose silence says nothing, are read by what they
    mark, and one more source says whether any of them marks a token. See docs/sequences.md.

    Examples:
        >>> votes = [["B-PER", "B-PER"], ["I-PER", "I-PER"], ["O", "O"], ["B-LOC", "O"]]
        >>> model = SequenceModel(["PER", "LOC"]).fit(votes, lengths=[4])
        >>> model.predict_spans(votes, lengths=[4])[0][0]
        Span(start=0, end=2, type='PER')

    Attributes:
        tags: K names: "O", then those of each type.
        types, scheme, silence, decoding, seed, max_iter, tol, sample_tokens: as given.
    """

    _first = "fit(votes, lengths=...)"

    def __init__(
        self,
        types: Sequence[str],
        *,
        scheme: SchemeName = "BIO",
        silence: Silence | Mapping[str, Silence] = "auto",
        decoding: Decoding = "viterbi",
        seed: int = 0,
        max_iter: int = 200,
        tol: float = 1e-4,
        sample_tokens: int | None = DEFAULT_SAMPLE,
    ) -> None:
        """Makes a model that is not fitted yet.

        Args:
            types: names of the types of spans, such as "PER".
            scheme: "BIO", "IO" or "BIOES".
            silence: what "O" means where a source gives it: "O", a vote that the token is in no span, as of
                annotators; "nothing", as of functions that mark what they know; or "auto", by the votes, see
                docs/sequences.md. One for all sources, or by the name of a source.
            decoding: of hard labels: "viterbi", the likeliest labels of the document; or "marginal", the legal ones
                with the largest sum of marginal probabilities.
            seed: of the subsample. The same votes and seed give the same bits.
            max_iter: limit of EM iterations.
            tol: EM converges when the mean total-variation change of a token's posterior is less.
            sample_tokens: with more tokens than this, EM runs on documents drawn at random that make up so many; None
                runs it on all.

        Raises:
            InvalidArgumentError: for types that are missing or repeated, and values that are none of those above.
        """
        self._scheme = read_scheme(types, scheme)
        if decoding not in ("viterbi", "marginal"):
            raise InvalidArgumentError(f'decoding must be "viterbi" or "marginal", got {decoding!r}', field="decoding")
        if not isinstance(silence, Mapping) and silence not in ("auto", "O", "nothing"):
            raise InvalidArgumentError(f'silence must be "auto", "O" or "nothing", got {silence!r}', field="silence")
        if isinstance(tol, bool) or not isinstance(tol, int | float | np.number) or not tol > 0:
            raise InvalidArgumentError(f"tol must be a number above 0, got {tol!r}", field="tol")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InvalidArgumentError(f"seed must be a whole number of at least 0, got {seed!r}", field="seed")
        self.types, self.scheme, self.silence, self.decoding = types, scheme, silence, decoding
        self.seed, self.tol = int(seed), float(tol)
        self.max_iter = check_count(max_iter, "max_iter", 1, InvalidArgumentError)
        self.sample_tokens = (
            None if sample_tokens is None else check_count(sample_tokens, "sample_tokens", 1, InvalidArgumentError)
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """K names."""
        return self._scheme.tags

    def fit(
        self, votes: Any, *, lengths: Any = None, gold: Any = None, progress: OnProgress | bool | None = None
    ) -> Self:
        """Estimates sources and transitions from votes.

        Args:
            votes: [T, M] tags by name, or by index in `tags` with -1 for an abstain: an array, a frame with a column a
                source, or Votes over the K tags; the documents one after another. Or a dict of sources: of each the
                spans (start, end, type) of every document, end exclusive, None where it did not read the document; or
                [T] tags.
            lengths: [D] tokens of each document; None for one document.
            gold: [T] known tags, -1 or missing where unknown; or [D] the spans of documents, None where unknown. They
                are clamped: sources are learned from them, and so is how much functions miss.
            progress: True for a bar on stderr; or a function, called with `FitProgress` every few iterations: what it
                raises ends the fit, and the model stays as it was. The ten
                iterations before copies are looked for count, too.

        Returns:
            The model. Look at `diagnostics` for what is doubtful; a fit that did not converge warns as well.

        Raises:
            InvalidVotesError: if the votes cannot be read; the message names the token or document, and the source.
            InvalidArgumentError: if lengths or gold do not fit the votes.
        """
        documents = read_documents(votes, lengths, self._scheme)
        if not len(documents.lengths):
            raise InvalidVotesError("there are no tokens to fit to", field="votes")
        known = read_gold(gold, documents, self._scheme)
        with watcher(progress, FIRST_ITERATIONS + self.max_iter) as tell:
            job = Job(
                scheme=self._scheme,
                silence=self.silence,
                max_iter=self.max_iter,
                tol=self.tol,
                seed=self.seed,
                sample_tokens=self.sample_tokens,
                progress=tell,
            )
            self._state = train(documents, known, job)
        for finding in self._state.diagnostics.findings:
            if finding.kind == "converged":
                warnings.warn(finding.message, ConvergenceWarning, stacklevel=2)
        return self

    def label(self, votes: Any, *, lengths: Any = None) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """What `predict_proba` and `predict` give, at once. Args and errors as in `predict_proba`."""
        labels, _ = self._label(votes, lengths)
        return labels.soft, labels.hard

    def predict_proba(self, votes: Any, *, lengths: Any = None) -> NDArray[np.float32]:
        """[T, K] probabilities of the tags of each token; rows sum to one.

        Args:
            votes: as in `fit`. Sources are matched by name where they have names; one that is missing abstains.
            lengths: as in `fit`.

        Raises:
            NotFittedError: before `fit`.
            InvalidVotesError, InvalidArgumentError: as in `fit`, and for sources that the fit has not seen.
        """
        return self._label(votes, lengths)[0].soft

    def predict(self, votes: Any, *, lengths: Any = None) -> NDArray[np.int32]:
        """[T] the tag of each token, as an index in `tags`; a legal sequence in each document.

        Args and errors as in `predict_proba`.
        """
        return self._label(votes, lengths)[0].hard

    def predict_spans(self, votes: Any, *, lengths: Any = None) -> list[list[Span]]:
        """The spans of each document, in order, as tokens of the document.

        Args and errors as in `predict_proba`.
        """
        labels, documents = self._label(votes, lengths)
        return tags_to_spans(labels.hard, documents.lengths, self._scheme)

    def score(self, votes: Any, gold: Any, metric: str = "f1", *, lengths: Any = None) -> float:
        """Score of the predictions on documents with gold.

        Args:
            votes: as in `predict_proba`.
            gold: as in `fit`. Spans are compared in documents all of whose tokens have gold, tokens everywhere.
            metric: "f1", "precision" or "recall" of spans, exact in place and type (CoNLL, seqeval); "accuracy" or
                "nll" of tokens, probabilities clipped at 1e-6.
            lengths: as in `fit`.

        Raises:
            NotFittedError, InvalidVotesError: as in `predict_proba`.
            InvalidArgumentError: for another metric, and gold that does not fit or holds no label.
        """
        if metric not in METRICS:
            raise InvalidArgumentError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}", field="metric")
        labels, documents = self._label(votes, lengths)
        known = read_gold(gold, documents, self._scheme)
        return score(metric, labels.soft, labels.hard, known, documents.lengths, self._scheme)

    def _label(self, votes: Any, lengths: Any) -> tuple[Labels, Documents]:
        fitted = self._fitted
        documents = _matched(read_documents(votes, lengths, self._scheme), fitted, named=_are_named(votes))
        return label(documents.codes, documents.lengths, fitted, self._scheme, self.decoding), documents

    # ------------------------------------------------------------------- reports

    @property
    def diagnostics(self) -> SequenceDiagnostics:
        """What is doubtful about the fit, as data and, by `print`, in plain words."""
        return self._fitted.diagnostics

    @property
    def summary(self) -> tuple[SourceRow, ...]:
        """What the fit says of each source; a frame by `pandas.DataFrame(model.summary)`."""
        fitted = self._fitted
        kinds = ["annotator" if one else "function" for one in fitted.annotator]
        numbers = zip(fitted.coverage.tolist(), fitted.precision.tolist(), fitted.recall.tolist(), strict=True)
        return tuple(
            SourceRow(name, kind, *row) for name, kind, row in zip(fitted.source_names, kinds, numbers, strict=True)
        )

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""
        return self._fitted.source_names

    @property
    def n_iter(self) -> int:
        """Number of EM iterations."""
        return len(self._fitted.objective)

    @property
    def converged(self) -> bool:
        """Whether EM converged before `max_iter`."""
        return self._fitted.diagnostics.converged

    @property
    def objective(self) -> NDArray[np.float64]:
        """[n_iter] log marginal likelihood of the votes per token, in nats."""
        return self._fitted.objective

    @property
    def transitions(self) -> NDArray[np.float32]:
        """[K, K] P(tag | tag before), the tag before on the first axis."""
        return self._fitted.next

    # ---------------------------------------------------------------- parameters

    def __repr__(self) -> str:
        state = "fitted" if self._state is not None else "not fitted"
        return f"SequenceModel({list(self.types)}, scheme={self.scheme!r}, {state})"

    # --------------------------------------------------------------------- files

    def to_bytes(self) -> bytes:
        """The model as bytes, without the votes.

        Raises:
            NotFittedError: before `fit`.
        """
        params = self.get_params() | {"types": list(self.types)}
        params["silence"] = self.silence if isinstance(self.silence, str) else dict(self.silence)
        return to_bytes(Saved(params, self._fitted))

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """The model out of `to_bytes`.

        Args:
            data: the bytes.
            most_bytes: what they may unpack to; more is refused before it takes the memory.

        Raises:
            ModelFileError: for bytes that are none, or of a later version.
        """
        saved = from_bytes(data, most_bytes)
        model = made(cls, saved.params)
        model._state = saved.fitted
        return model


def _are_named(votes: Any) -> bool:
    return isinstance(votes, Mapping) or hasattr(votes, "source_names") or hasattr(votes, "columns")


def _matched(documents: Documents, fitted: Fitted, *, named: bool) -> Documents:
    """The votes with the sources of the fit, in its order.

    Raises:
        InvalidVotesError: for sources that the fit has not seen, or another number of columns.
    """
    names = documents.source_names
    if not named:
        if len(names) != len(fitted.source_names):
            raise InvalidVotesError(
                f"votes have {len(names)} sources, the model {len(fitted.source_names)}", field="votes"
            )
        return documents._replace(source_names=fitted.source_names)
    if unknown := [name for name in names if name not in fitted.source_names]:
        raise InvalidVotesError(f"source {unknown[0]!r} is not known to the model", field="votes")
    if names == fitted.source_names:
        return documents
    codes = np.full((len(documents.codes), len(fitted.source_names)), -1, documents.codes.dtype)
    codes[:, [fitted.source_names.index(name) for name in names]] = documents.codes
    return documents._replace(codes=codes, source_names=fitted.source_names)
