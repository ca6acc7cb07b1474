"""Labels of a model, of items of the project and of new ones."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_client._inputs.choices import TieBreakPolicy, Unseen
from weaklabel_client._inputs.predict_rows import PredictRows
from weaklabel_client._inputs.selection import Selection
from weaklabel_client._protocol import calls, model_calls
from weaklabel_client._protocol.predict_job import PredictJob
from weaklabel_client._protocol.read_jobs import ReadSoftLabelsJob
from weaklabel_client._results.codebook import Codebook
from weaklabel_client._results.joining import Batches, joined_labels
from weaklabel_client._results.types import (
    NextToLabel,
    SoftLabels,
)
from weaklabel_client._sync.asking import Asking


class Labels(Asking):
    """The methods of a client about labels."""

    def soft_labels(
        self,
        project: str,
        *,
        model: str | None = None,
        items: Iterable[str] | Iterable[int] | None = None,
        timeout: float | None = None,
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items of a model, or some of them, float32 [N, K]."""
        return self.labels(project, model=model, items=items, timeout=timeout).probabilities

    def labels(
        self,
        project: str,
        *,
        model: str | None = None,
        items: Iterable[str] | Iterable[int] | None = None,
        timeout: float | None = None,
    ) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and its hard labels.

        Args:
            project: The project.
            model: A model; the newest by default.
            items: Only these items, in this order: ids, or positions where the project does not name its items.
            timeout: Seconds for the whole call, and with items for each call that it takes.

        Raises:
            NotFound: An item is not among those of the model.
        """
        return joined_labels(list(self.iter_soft_labels(project, model=model, items=items, timeout=timeout)))

    def iter_soft_labels(
        self,
        project: str,
        *,
        model: str | None = None,
        row_offset: int = 0,
        row_limit: int | None = None,
        items: Iterable[str] | Iterable[int] | None = None,
        batch_size: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[SoftLabels]:
        """The soft labels of a model in chunks of at most 65,536 rows, or in batches of one size.

        Args:
            project: The project.
            model: A model; the newest by default. All chunks come from the same one.
            row_offset: First row.
            row_limit: At most so many rows; None for all.
            items: Only these items, see labels; not along with rows.
            batch_size: Rows of each batch but the last.
            timeout: Seconds for all of it, and with items for each call that it takes.
        """
        if items is None:
            chunks = self._connection.converse(ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)
        elif row_offset or row_limit is not None:
            raise ValueError("items: row_offset and row_limit are of all items")
        else:
            chunks = self._soft_labels_of(model_calls.soft_labels_of(project, model, Selection(items)), timeout)
        return chunks if batch_size is None else self._rebatched(chunks, Batches(batch_size))

    def _soft_labels_of(self, asked: model_calls.SoftLabelCalls, timeout: float | None) -> Iterator[SoftLabels]:
        while (call := asked.next()) is not None:
            yield self._connection.perform(call, timeout)

    def _rebatched(self, chunks: Iterator[SoftLabels], batches: Batches) -> Iterator[SoftLabels]:
        for chunk in chunks:
            yield from batches.add(chunk)
        yield from batches.rest()

    def predict(
        self,
        project: str,
        votes: npt.ArrayLike | None = None,
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        prior: Any = None,
        groups: Any = None,
        features: Any = None,
        bags: Any = None,
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for new items.

        Args:
            project: The project.
            votes: Votes [N, M], of any kind that upload_votes takes. A source that failed (-2) counts as one that
                abstains. None where there are only features.
            model: A model; the newest by default.
            sources: M names, in the order of the columns; by default those of the votes, or else the model's own. A
                source of the model that is not among them abstains.
            codebook: What codes from K on in votes stand for, as read_votes gives it.
            prior: Beliefs about the class of each item [N, K], NaN in rows without any.
            groups: The group of each item [N]; of a group that the fit did not have, the balance of all is taken.
            features: Features [N, D], dense or sparse, where the model was fitted with features.
            bags: One declaration of bags of these items, by their positions; all items go in one message then.
            unseen: What is done with the votes of sources that the model does not know: "error" refuses them, "ignore"
                leaves them out, "average" counts them as those of an average source.
            timeout: Seconds for the whole call, instead of the client's.

        Returns:
            float32 [N, K].
        """
        side: dict[str, Any] = {"prior": prior, "groups": groups, "features": features, "bags": bags}
        options: dict[str, Any] = {"model": model, "sources": sources, "codebook": codebook, "unseen": unseen}
        return (self.label(project, votes, **options, **side, timeout=timeout))[0]

    def label(
        self,
        project: str,
        votes: npt.ArrayLike | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        prior: Any = None,
        groups: Any = None,
        features: Any = None,
        bags: Any = None,
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Probabilities of the classes and the hard label of new items: LabelModel.label.

        Args:
            project: The project.
            votes: See predict.
            tie_break_policy: What the label is where the most probable classes are tied: "abstain" (-1), "random" (one
                of them, the same at each call with the same rows) or "true-random". Rows that go in several messages
                are drawn message by message.
            model: See predict.
            sources: See predict.
            codebook: See predict.
            prior: See predict.
            groups: See predict.
            features: See predict.
            bags: See predict.
            unseen: See predict.
            timeout: Seconds for the whole call, instead of the client's.

        Returns:
            float32 [N, K] and int32 [N].
        """
        rows = PredictRows(votes, codebook, prior=prior, groups=groups, features=features, bags=bags)
        if rows.needs_classes():
            rows.resolve(len(self._connection.perform(calls.get_project(project)).classes))
        sources = rows.sources if sources is None else sources
        if rows.fits_one_call():
            call = calls.label(project, rows, model, sources, tie_break_policy, unseen)
            return self._connection.perform(call, timeout)
        job = PredictJob(project, model, sources, tie_break_policy, unseen)
        (chunk,) = self._connection.converse(job, [rows], timeout)
        return chunk.probabilities, chunk.labels

    def predict_set(
        self,
        project: str,
        votes: npt.ArrayLike,
        coverage: float = 0.9,
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        codebook: Codebook | None = None,
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Sets of classes that hold the true one with probability `coverage`: LabelModel.predict_set.

        The first call for a model fits one on half of its gold, which takes as long as a fit: give it a timeout.

        Args:
            project: The project.
            votes: See predict.
            coverage: Above 0, below 1.
            model: See predict.
            sources: See predict.
            codebook: See predict.
            unseen: See predict.
            timeout: Seconds for each message of up to 65,536 rows, instead of the client's.

        Returns:
            bool [N, K].

        Raises:
            FailedPrecondition: The model was fitted without exact gold.
        """
        n_classes = len(self._connection.perform(calls.get_project(project)).classes)
        rows = PredictRows(votes, codebook)
        rows.resolve(n_classes)
        columns = rows.sources if sources is None else sources
        asked = model_calls.predict_set(project, model, rows, columns, coverage, unseen, n_classes)
        return np.concatenate([self._connection.perform(call, timeout) for call in asked])

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> Iterator[SoftLabels]:
        """Soft labels of new votes without end: one reply for each chunk [n, M], in order.

        A chunk is votes, or a mapping of arguments of predict: votes, prior, groups, features.
        A few chunks are taken from the iterable ahead of the replies. All replies come from the same model, also when
        a newer one is fitted in the meantime. For the other arguments see predict and label.
        """
        return self._connection.converse(PredictJob(project, model, sources, tie_break_policy, unseen), chunks, timeout)

    def next_to_label(
        self,
        project: str,
        n: int,
        *,
        gold: Any = None,
        model: str | None = None,
        seed: int | None = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> NextToLabel:
        """Draws items whose labels would teach the model most, with the weights that fit needs beside their gold.

        Half of the probability is even, half follows the doubt of the soft labels; the weights undo this, so that the
        labels stand for all items.

        Args:
            project: The project.
            n: Number of items to draw.
            gold: True classes that are known already, as in fit: those items are not drawn.
            model: A model, of whose items they are drawn; the newest by default.
            seed: Of the draw; that of the fit by default. With the same seed, model and gold the same items are drawn.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            ValueError: Gold cannot be read.
            InvalidArgument: n is not between 1 and the number of items without gold, or above 65,536.
        """
        names = self._uploaded(project, items, gold=gold).names
        call = calls.next_to_label(project, n, model, names, seed)
        return self._connection.perform(call, timeout)
