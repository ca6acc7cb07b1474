"""Fits and models, also as files."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from weaklabel_client._aio.asking import Asking
from weaklabel_client._aio.operations import FitOperation
from weaklabel_client._inputs.side_data import GoldSampling, fit_side_data
from weaklabel_client._protocol import calls, model_calls
from weaklabel_client._protocol.kind_options import kind_options
from weaklabel_client._protocol.report_job import UploadModelJob, model_bytes
from weaklabel_client._results.types import (
    Model,
)


class Models(Asking):
    """The methods of a client about models."""

    async def fit(
        self,
        project: str,
        *,
        votes_version: int | None = None,
        seed: int = 0,
        max_iter: int | None = None,
        gold: Any = None,
        gold_error: float = 0.0,
        gold_weight: Any = None,
        gold_sampling: GoldSampling = "auto",
        prior: Any = None,
        groups: Any = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        bags: Any = None,
        features: Any = None,
        families: Mapping[str, str] | None = None,
        items: Iterable[str] | None = None,
        options: Mapping[str, Any] | None = None,
        follow: bool = False,
        over_time: bool = False,
        timeout: float | None = None,
    ) -> FitOperation:
        """Starts to fit a model on the server, and returns at once."""
        kinds = {"gold": gold, "gold_weight": gold_weight, "prior": prior, "groups": groups}
        side_data = fit_side_data(items, **kinds, features=features, bags=bags)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (await self._connection.upload_side_data(project, kind, values, items=ids)).name
        side = calls.side_information(project, side_data.names, gold_error, gold_sampling, bounds, families)
        given = kind_options(options)
        call = calls.fit(project, votes_version, seed, max_iter, side, given, follow=follow, over_time=over_time)
        return FitOperation(self._connection, await self._connection.perform(call, timeout))

    async def stop_following(self, project: str, *, timeout: float | None = None) -> None:
        """Ends what fit(follow=True) began; fits that wait or run go on."""
        await self._connection.perform(calls.stop_following(project), timeout)

    async def operation(self, name: str, *, timeout: float | None = None) -> FitOperation:
        """Picks up a fit by its name, which FitOperation.name gave: in another process, or after a crash."""
        return FitOperation(self._connection, await self._connection.perform(calls.get_operation(name), timeout))

    async def list_operations(self, project: str) -> AsyncIterator[FitOperation]:
        """The fits of a project, newest first."""
        async for message in self._connection.pages(calls.list_operations(project)):
            if not message.HasField("prompts"):
                yield FitOperation(self._connection, message)

    async def get_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> Model:
        """One model; the newest unless one is named."""
        return await self._connection.perform(calls.get_model(project, model), timeout)

    def list_models(self, project: str) -> AsyncIterator[Model]:
        """The models of a project, newest first."""
        return self._connection.pages(calls.list_models(project))

    async def delete_model(self, project: str, model: str, *, timeout: float | None = None) -> None:
        """Deletes a model and its soft labels, for good."""
        await self._connection.perform(calls.delete_model(project, model), timeout)

    async def download_model(self, project: str, model: str | None = None, *, timeout: float | None = None) -> bytes:
        """The file of a model, which weaklabel.LabelModel.from_bytes reads; the newest unless one is named."""
        return await self._connection.collect(model_calls.download_model(project, model), timeout)

    async def upload_model(
        self, project: str, model: Any, *, votes_version: int | None = None, timeout: float | None = None
    ) -> Model:
        """Takes a model that was fitted elsewhere into a project, as a model like others."""
        job = UploadModelJob(project, model_bytes(model), votes_version, calls.new_request_id())
        (uploaded,) = [one async for one in self._connection.converse(job, (), timeout)]
        return uploaded
