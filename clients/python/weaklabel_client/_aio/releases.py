"""Label sets to be released, and projects as folders, for asyncio."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

import asyncio
import datetime
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

from weaklabel_client._aio.connection import Connection
from weaklabel_client._inputs.side_data import fit_side_data
from weaklabel_client._progress import shown
from weaklabel_client._protocol import model_calls
from weaklabel_client._protocol.transfer_jobs import ExportJob, ImportJob
from weaklabel_client._results.cards import Card
from weaklabel_client._results.types import Project, TransferProgress
from weaklabel_protocol.project_folders import FolderWriter, pieces, read_manifest


class Releases:
    """The methods of a client about what is released, and about projects as folders."""

    _connection: Connection

    async def card(
        self,
        project: str,
        *,
        name: str,
        version: str,
        model: str | None = None,
        license: str | None = None,  # noqa: A002  # as every card calls it
        description: str | None = None,
        url: str | None = None,
        creators: Iterable[str] = (),
        citation: str | None = None,
        date: datetime.date | str | None = None,
        source_versions: Mapping[str, str] | None = None,
        source_licenses: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        gold: Any = None,
        items: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Card:
        """The card of the soft labels of a model: weaklabel.report.card of the votes that it labeled, to the byte."""
        side_data = fit_side_data(items, gold=gold)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (await self._connection.upload_side_data(project, kind, values, items=ids)).name
        words: dict[str, Any] = {
            "display_name": name,
            "version": version,
            "license": license,
            "description": description,
            "url": url,
            "creators": tuple(creators),
            "citation": citation,
            "date": None if date is None else str(date),
            "source_versions": source_versions,
            "source_licenses": source_licenses,
            "files": files,
        }
        return await self._connection.perform(model_calls.card(project, model, side_data.names, words), timeout)

    async def export_project(
        self,
        project: str,
        folder: str | os.PathLike[str],
        *,
        votes_version: int | None = None,
        models: int | None = None,
        progress: bool | Callable[[TransferProgress], None] = False,
        timeout: float | None = None,
    ) -> Path:
        """Writes a project to a folder: votes, side data, models, soft labels, and the card of the newest labels."""
        job = ExportJob(project, votes_version, models)
        with FolderWriter(folder) as writer, shown(progress, "export") as report:
            async with aclosing(self._connection.converse(job, (), timeout)) as parts:
                async for part in parts:
                    await asyncio.to_thread(part.write, writer)
                    report(TransferProgress(writer.written_bytes, None))
            await asyncio.to_thread(writer.finish, job.description)
        return Path(folder)

    async def import_project(
        self,
        folder: str | os.PathLike[str],
        project: str,
        *,
        import_id: str | None = None,
        progress: bool | Callable[[TransferProgress], None] = False,
        timeout: float | None = None,
    ) -> Project:
        """Makes a project of a folder that export_project wrote. It is there when all of it is, or not at all."""
        manifest, data = await asyncio.to_thread(read_manifest, folder)
        job = ImportJob(project, data, manifest.total_bytes, partial(pieces, Path(folder), manifest), import_id)
        await self._connection.upload(job, (), progress, timeout, "import")
        return job.result()
