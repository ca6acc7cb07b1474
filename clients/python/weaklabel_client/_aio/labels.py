"""Labels of a model, of items of the project and of new ones."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from weaklabel_client._aio.asking import Asking
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


class Labels(Asking):
    """The methods of a client about labels."""

    async def soft_labels(
        self,
        project: str,
        *,
        model: str | None = None,
        items: Iterable[str] | Iterable[int] | None = None,
        timeout: float | None = None,
    ) -> npt.NDArray[np.float32]:
        """The probabilities of the classes for the items of a model, or some of them, float32 [N, K]."""
        return (await self.labels(project, model=model, items=items, timeout=timeout)).probabilities

    async def labels(
        self,
        project: str,
        *,
        model: str | None = None,
        items: Iterable[str] | Iterable[int] | None = None,
        timeout: float | None = None,
    ) -> SoftLabels:
        """The soft labels of a model, with the ids of the items and its hard labels."""
        chunks = self.iter_soft_labels(project, model=model, items=items, timeout=timeout)
        return joined_labels([chunk async for chunk in chunks])

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
    ) -> AsyncIterator[SoftLabels]:
        """The soft labels of a model in chunks of at most 65,536 rows, or in batches of one size."""
        if items is None:
            chunks = self._connection.converse(ReadSoftLabelsJob(project, model, row_offset, row_limit), (), timeout)
        elif row_offset or row_limit is not None:
            raise ValueError("items: row_offset and row_limit are of all items")
        else:
            chunks = self._soft_labels_of(model_calls.soft_labels_of(project, model, Selection(items)), timeout)
        return chunks if batch_size is None else self._rebatched(chunks, Batches(batch_size))

    async def _soft_labels_of(
        self, asked: model_calls.SoftLabelCalls, timeout: float | None
    ) -> AsyncGenerator[SoftLabels, None]:
        while (call := asked.next()) is not None:
            yield await self._connection.perform(call, timeout)

    async def _rebatched(self, chunks: AsyncIterator[SoftLabels], batches: Batches) -> AsyncGenerator[SoftLabels, None]:
        async for chunk in chunks:
            for batch in batches.add(chunk):
                yield batch
        for batch in batches.rest():
            yield batch

    async def predict(
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
        """The probabilities of the classes for new votes [N, M], float32 [N, K]."""
        side: dict[str, Any] = {"prior": prior, "groups": groups, "features": features, "bags": bags}
        options: dict[str, Any] = {"model": model, "sources": sources, "codebook": codebook, "unseen": unseen}
        return (await self.label(project, votes, **options, **side, timeout=timeout))[0]

    async def label(
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
        """Probabilities of the classes and the hard label of new items: LabelModel.label."""
        rows = PredictRows(votes, codebook, prior=prior, groups=groups, features=features, bags=bags)
        if rows.needs_classes():
            rows.resolve(len((await self._connection.perform(calls.get_project(project))).classes))
        sources = rows.sources if sources is None else sources
        if rows.fits_one_call():
            call = calls.label(project, rows, model, sources, tie_break_policy, unseen)
            return await self._connection.perform(call, timeout)
        job = PredictJob(project, model, sources, tie_break_policy, unseen)
        (chunk,) = [chunk async for chunk in self._connection.converse(job, [rows], timeout)]
        return chunk.probabilities, chunk.labels

    async def predict_set(
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
        """Sets of classes that hold the true one with probability `coverage`: LabelModel.predict_set."""
        n_classes = len((await self._connection.perform(calls.get_project(project))).classes)
        rows = PredictRows(votes, codebook)
        rows.resolve(n_classes)
        columns = rows.sources if sources is None else sources
        asked = model_calls.predict_set(project, model, rows, columns, coverage, unseen, n_classes)
        return np.concatenate([await self._connection.perform(call, timeout) for call in asked])

    def predict_stream(
        self,
        project: str,
        chunks: Iterable[Any] | AsyncIterable[Any],
        *,
        model: str | None = None,
        sources: Iterable[str] | None = None,
        tie_break_policy: TieBreakPolicy = "abstain",
        unseen: Unseen = "error",
        timeout: float | None = None,
    ) -> AsyncIterator[SoftLabels]:
        """Soft labels of new votes without end: one reply for each array [n, M], in order."""
        return self._connection.converse(PredictJob(project, model, sources, tie_break_policy, unseen), chunks, timeout)

    async def next_to_label(
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
        """Draws n items whose labels would teach the model most, with the weights that fit needs beside their gold."""
        names = (await self._uploaded(project, items, gold=gold)).names
        call = calls.next_to_label(project, n, model, names, seed)
        return await self._connection.perform(call, timeout)
