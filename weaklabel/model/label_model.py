"""The label model that people hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel._archive import MOST_BYTES
from weaklabel._extras import require
from weaklabel.errors import InvalidArgumentError, ModelFileError
from weaklabel.model import registry, storage
from weaklabel.model.argument_hints import refuse
from weaklabel.model.calibration import conformal
from weaklabel.model.chunked_inputs import read_partitioned
from weaklabel.model.class_names import class_names
from weaklabel.model.em.estimate import Options
from weaklabel.model.em.segments import FitProgress
from weaklabel.model.fitted import Fitted
from weaklabel.model.inputs import check_times_alone, plain_votes, read_training_data, watcher
from weaklabel.model.over_time import OverTime
from weaklabel.model.pipeline import DEFAULT_SAMPLE, Job, train, train_on_chunks, train_on_partitions
from weaklabel.model.population import Population
from weaklabel.model.predictor import Predictor
from weaklabel.model.report.diagnostics import ConvergenceWarning
from weaklabel.model.settings import Settings
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.features import feature_names
from weaklabel.side_information.gold import GoldSampling
from weaklabel.side_information.times import read_times
from weaklabel.votes import Votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.partitions import PartitionedVotes
from weaklabel.votes.validation import check_count


class LabelModel(Predictor, Population, OverTime):
    """Calibrated probabilities of the classes from votes alone, by EM over the true label.

    The true label of an item is latent; each source has a confusion matrix (Dawid and Skene 1979,
    doi:10.2307/2346806), estimated by EM over all labelings that the votes allow (Imprecise Label Learning, Chen et al.
    2023, arXiv:2305.12715). A vote-share prior keeps the estimate near the votes, so that labels neither flip nor run
    away, and soft labels are tempered, because sources depend on each other. The equations are in docs/label-model.md.

    Examples:
        >>> votes = Votes.from_dense([[1, 1, 0], [0, 0, 0], [1, 1, -1], [0, -1, 1]], n_classes=2)
        >>> LabelModel(n_classes=2).fit(votes).predict(votes)
        array([1, 0, 1, 0], dtype=int32)

    Attributes:
        classes: names of the K classes.
        seed, max_iter, tol, sample_rows, label_space, source_model: as given.
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
        label_space: str = "classes",
        source_model: str | None = None,
        **unknown: Never,
    ) -> None:
        """Makes a model that is not fitted yet.

        Args:
            n_classes: K, at least 2; may be left out where `classes` is given.
            classes: K distinct names, in the order of the class indices.
            seed: for ties broken at random. The same votes and seed give the same bits.
            max_iter: limit of EM iterations.
            tol: EM converges when no responsibility changes by more; of more than some 32,000 distinct rows, when their
                mean total-variation change is less.
            sample_rows: with more distinct rows of a matrix than this, EM runs on a subsample of at least so many, and
                ends with passes over all rows; None runs it on all rows, as it always does on sparse votes, and on a
                matrix that costs less by its votes than by its cells.
            label_space: what labels are, by a name of `weaklabel.model.registry`: "classes", one of K for each item.
            source_model: how sources vote, by such a name: "confusion", one confusion matrix per source, or "one_coin",
                one accuracy. None takes matrices, or one accuracy where they would have more than 2^21 cells.
            **unknown: nothing; other names are refused, those of other packages with the name here.

        Raises:
            InvalidArgumentError: for classes that are missing, fewer than two or repeated, limits that are not
                positive, and a label space or source model that is not registered.
        """
        if unknown:
            refuse("LabelModel", unknown)
        self.classes, self._given_classes = class_names(n_classes, classes), (n_classes, classes)
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InvalidArgumentError(f"seed must be a whole number, got {seed!r}", field="seed")
        if isinstance(tol, bool) or not isinstance(tol, (int, float, np.number)) or not tol > 0:
            raise InvalidArgumentError(f"tol must be a number above 0, got {tol!r}", field="tol")
        self.seed, self.max_iter, self.tol = (
            int(seed),
            check_count(max_iter, "max_iter", 1, InvalidArgumentError),
            float(tol),
        )
        sample_rows = None if sample_rows is None else check_count(sample_rows, "sample_rows", 1, InvalidArgumentError)
        self.sample_rows, self.label_space, self.source_model = sample_rows, label_space, source_model
        self._label_space = registry.label_space(label_space)
        self._source_model = None if source_model is None else registry.source_model(source_model)
        self._settings = Settings()
        self._state: Fitted | None = None
        self._feature_names: tuple[str, ...] | None = None
        self._training: tuple[Votes, NDArray[np.int32]] | None = None
        self._sets: tuple[LabelModel, NDArray[np.float32]] | None = None
        self._votes_seen, self._vote_model = None, None

    def fit(
        self,
        votes: Votes | VoteChunks | PartitionedVotes | ArrayLike,
        *,
        gold: ArrayLike | Sequence[Any] | Mapping[Any, Any] | None = None,
        gold_error: ArrayLike = 0.0,
        gold_weight: ArrayLike | Mapping[Any, Any] | None = None,
        gold_sampling: GoldSampling = "auto",
        prior: ArrayLike | Mapping[Any, Any] | None = None,
        groups: ArrayLike | Mapping[Any, Any] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Bags | Sequence[Bags] | None = None,
        features: Any | None = None,
        families: Mapping[str, str] | None = None,
        times: Any | None = None,
        progress: Callable[[FitProgress], None] | bool | None = None,
        **unknown: Never,
    ) -> Self:
        """Estimates the sources and the class balance from votes, and from what else is known.

        Side information on items (all except gold and bounds) makes each item a row of its own. Votes that are read in
        chunks must be plain classes; gold, its weights, priors and groups are given by the ids of the items then, as
        mappings or with ids as their pandas index, and what else is known of items is not taken.

        Args:
            votes: Votes, of classes, candidate sets and probability vectors in any mixture; or whole numbers [N, M]
                with -1 for an abstain; or VoteChunks; or votes on a cluster, see weaklabel.clusters.
            gold: [N] known labels, indices or names of classes; -1, or missing, where unknown; any number of them. An
                item that is known to be of one of several classes is `one_of` them, or `not_` the others, in votes that
                are held in memory. A correction of the soft labels of the votes alone is learned from them; see
                docs/gold.md.
            gold_error: probability, one number or [N], that a gold label is wrong.
            gold_weight: [N] how many items each gold label stands for, relative to the others: one over the
                probability with which the item was drawn, see `next_to_label`. None for the same of all.
            gold_sampling: how items with gold were drawn: "random"; "by_class", so many of each class, which says
                nothing of the class balance; or "auto", by class if each class has the same number, two or more.
            prior: [N, K] a belief about each item before the votes, rows summing to 1; a row of NaN for none (prior
                beliefs of labelers and items: arXiv:2202.14000).
            groups: [N] names or numbers: a class balance for each group, and confusions that all share (latent label
                shift, arXiv:2207.13179).
            bounds: (low, high) of the accuracy of sources, by name.
            bags: what is known of the labels of several items together, see weaklabel.side_information.bags.
            features: [N, D] numbers, dense or a scipy sparse matrix: p(class | features) is learned on the soft labels
                and joins the votes to the extent that it predicts the votes of held-out items.
            families: family of sources by name, such as the LLM behind several prompts: sources of one family count
                as half copies of each other at least.
            times: [N] when the items were made: numbers or dates, see docs/time.md. The skill of a source may then
                change: votes count less for times further away, at a rate learned per source, and not across a jump.
                Where no source is seen to change the fit is the one without times. For plain votes in memory, beside
                which nothing else is given.
            progress: True for a bar on stderr; or a function, called with the state of the fit every few iterations:
                an exception that it raises ends the fit, and leaves the model as it was.
            **unknown: nothing; other names are refused, those of other packages with the name here.

        Returns:
            The model. Look at `diagnostics` for what is doubtful; a fit that did not converge warns as well.

        Raises:
            InvalidVotesError: if the votes cannot be read.
            InvalidArgumentError: if anything else does not fit the votes; `field` names the argument.
        """
        if unknown:
            refuse("fit", unknown)
        given: dict[str, Any] = {"gold": gold, "gold_error": gold_error}
        given |= {"gold_weight": gold_weight, "gold_sampling": gold_sampling}
        given |= {"prior": prior, "groups": groups, "bags": bags, "features": features}
        given |= {"bounds": bounds, "families": families}
        with watcher(progress, self.max_iter) as watch:
            fitted, seen, training = self._train(votes, given, times, self._job(watch))
        self._feature_names = None if features is None else feature_names(features)
        self._state, self._training, self._sets = fitted, training, None
        self._votes_seen, self._vote_model = seen, None
        for finding in fitted.diagnostics.findings:
            if finding.kind == "converged":
                warnings.warn(finding.message, ConvergenceWarning, stacklevel=2)
        return self

    def _train(
        self,
        votes: Votes | VoteChunks | PartitionedVotes | ArrayLike,
        given: dict[str, Any],
        times: Any | None,
        job: Job,
    ) -> tuple[Fitted, Votes | None, tuple[Votes, NDArray[np.int32]] | None]:
        """The fit, its votes where they are held in memory, and these with exact gold where there is some."""
        if isinstance(votes, VoteChunks | PartitionedVotes):
            given |= {"times": times}
            parts = read_partitioned(votes, self.n_classes, self._label_space, given, self.classes)
            if parts is not None:
                return train_on_partitions(*parts, job), None, None
            assert isinstance(votes, VoteChunks)
            return train_on_chunks(votes, job), None, None
        if times is not None:
            check_times_alone(given)
            seen = plain_votes(votes, self.classes, None)
            return self._fit_over_time(seen, read_times(times, seen.n_items, seen.item_ids), job), seen, None
        data = read_training_data(votes, self.n_classes, self._source_model, classes=self.classes, **given)
        fitted = train(data.votes, data.gold, data.inputs, data.features, job)
        exact = data.gold is not None and not data.gold.error.any()
        training = (data.votes, data.gold.certain(data.votes.n_items)) if exact and data.gold is not None else None
        return fitted, data.votes, training

    def _job(self, progress: Callable[[FitProgress], None] | None) -> Job:
        """How a fit goes."""
        return Job(
            settings=self._settings,
            label_space=self._label_space,
            source_model=self._source_model,
            options=Options(self.max_iter, float(np.float32(self.tol)), progress),  # as the compiled loop compares
            seed=self.seed,
            sample_rows=self.sample_rows,
            classes=self.classes,
        )

    def _check_sets(self) -> None:
        super()._check_sets()
        if self._fitted.drift is not None:
            raise InvalidArgumentError("sets are not made of models fitted with times", field="times")

    def _calibrated(self, votes: Votes, gold: NDArray[np.int32]) -> tuple[LabelModel, NDArray[np.float32]]:
        """A model fitted on half of the gold, and 1 - probability of the true class on the other half."""
        fitting, held = conformal.split(gold, self.seed)
        model = LabelModel(
            classes=self.classes,
            seed=self.seed,
            max_iter=self.max_iter,
            tol=self.tol,
            label_space=self.label_space,
            source_model=self.source_model,
        )
        items = np.flatnonzero(held >= 0)
        p = model.fit(votes, gold=fitting).predict_proba(votes.select_items(items))
        return model, 1 - p[np.arange(len(items)), held[items]]

    # ------------------------------------------------------------- keeping

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle. After loading, `predict_set` needs `calibrate_sets`.

        Raises:
            NotFittedError: before `fit`.
        """
        parameters: dict[str, Any] = {"classes": list(self.classes), "seed": self.seed}
        parameters |= {"max_iter": self.max_iter, "tol": self.tol}
        if self.source_model is not None:  # a key that files without it do not need
            parameters["asked_source_model"] = self.source_model
        if self._feature_names is not None:
            parameters["feature_names"] = list(self._feature_names)
        if self.sample_rows != DEFAULT_SAMPLE:
            parameters["sample_rows"] = self.sample_rows
        return storage.pack(parameters, self._fitted, self._settings)

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """The model out of `to_bytes`; no code of the bytes is run.

        Args:
            data: a model.
            most_bytes: what it may unpack to; a larger one is refused before it takes the memory.

        Raises:
            ModelFileError: if the bytes are not a model that this version can read.
        """
        header, fitted, settings = storage.unpack(data, most_bytes)
        try:
            parameters = {name: header[name] for name in ("classes", "seed", "max_iter", "tol", "label_space")}
            asked = header.get("asked_source_model"), header.get("sample_rows", DEFAULT_SAMPLE)
            model = cls(**parameters, source_model=asked[0], sample_rows=asked[1])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"the model file is damaged: {error!r}") from None
        model._settings, model._state = settings, fitted
        if (names := header.get("feature_names")) is not None:
            model._feature_names = tuple(map(str, names))
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Arrays of the host: a worker process unpickles them without JAX, and says what is wrong when it is asked."""
        return self.__dict__ | {
            "_state": None if self._state is None else self._state.on_host(),
            "_votes_seen": None,
        }

    def __repr__(self) -> str:
        if self._state is None:
            return f"LabelModel({self.n_classes} classes, not fitted)"
        n_sources = len(self.source_names)
        return f"LabelModel({self.n_classes} classes, fitted on {n_sources} sources in {self.n_iter} iterations)"

    @classmethod
    def from_server(cls, server: Any, name: str) -> Self:
        """A model that a weaklabel server has fitted, or was sent: it predicts here as it does there.

        Args:
            server: the address of a server, "host:port", or a weaklabel_client.Client, which is left open.
            name: "projects/PROJECT/models/MODEL"; "latest" for the id of the newest model.

        Raises:
            MissingExtraError: if weaklabel-client is not installed.
            InvalidArgumentError: if `server` or `name` is of another kind.
            ModelFileError: if this version cannot read the model.
            weaklabel_client.ClientError: if the server refuses the call or cannot be reached.
        """
        client = require("weaklabel_client", extra="client", needed_for="models of a server")
        match name.split("/") if isinstance(name, str) else ():
            case ["projects", project, "models", model] if project and model:
                wanted = None if model == "latest" else model
            case _:
                raise InvalidArgumentError(f'name must be "projects/PROJECT/models/MODEL", got {name!r}', field="name")
        if isinstance(server, str):
            with client.Client(server) as opened:
                return cls.from_bytes(opened.download_model(project, wanted))
        if not isinstance(server, client.Client):
            raise InvalidArgumentError(
                f"server must be an address or a weaklabel_client.Client, got {type(server).__name__}", field="server"
            )
        return cls.from_bytes(server.download_model(project, wanted))
