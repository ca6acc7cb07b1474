"""Label sets to be released, and projects as folders."""

import datetime
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from weaklabel_client._inputs.side_data import fit_side_data
from weaklabel_client._progress import shown
from weaklabel_client._protocol import model_calls
from weaklabel_client._protocol.transfer_jobs import ExportJob, ImportJob
from weaklabel_client._results.cards import Card
from weaklabel_client._results.types import Project, TransferProgress
from weaklabel_client._sync.connection import Connection
from weaklabel_protocol.project_folders import FolderWriter, pieces, read_manifest


class Releases:
    """The methods of a client about what is released, and about projects as folders."""

    _connection: Connection

    def card(
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
        """The card of the soft labels of a model: weaklabel.report.card of the votes that it labeled, to the byte.

        Args:
            project: The project.
            name: Of the label set.
            version: Of the label set.
            model: A model; the newest by default.
            license: Of the label set: an SPDX identifier, or an address. The card says where none is stated.
            description: In a sentence or two.
            url: Where the label set is found.
            creators: Names of those who made it.
            citation: How to cite it; made of name, version, creators and url where not given.
            date: Of the release.
            source_versions: Version by name of a source.
            source_licenses: Licence by name of a source.
            files: SHA-256, in hexadecimal, by name of each file of the release.
            gold: True classes, as in fit, for scores.
            items: N ids of the items of an array of gold, for a project that names its items.
            timeout: Seconds for the call, instead of the client's.

        Raises:
            FailedPrecondition: The model labeled no items.
            InvalidArgument: Name or version is empty, a source is unknown, a digest is none.
            ResourceExhausted: There are more votes than the server makes reports of.
        """
        side_data = fit_side_data(items, gold=gold)
        for kind, values, ids in side_data.uploads:
            side_data.names[kind] = (self._connection.upload_side_data(project, kind, values, items=ids)).name
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
        return self._connection.perform(model_calls.card(project, model, side_data.names, words), timeout)

    def export_project(
        self,
        project: str,
        folder: str | os.PathLike[str],
        *,
        votes_version: int | None = None,
        models: int | None = None,
        progress: bool | Callable[[TransferProgress], None] = False,
        timeout: float | None = None,
    ) -> Path:
        """Writes a project to a folder: votes, side data, models, soft labels, and the card of the newest labels.

        The files are Parquet, which weaklabel.formats.projects.read_project reads, and import_project of any server.
        While it is written the folder is called FOLDER.partial. When the connection is lost, it goes on with the file
        that was broken off.

        Args:
            project: The project.
            folder: A folder that is not there yet, or empty.
            votes_version: The version of the votes; the newest by default. Models of later versions stay behind.
            models: At most so many models, the newest; all by default.
            progress: True for a line on stderr, or a function that is called as bytes are written.
            timeout: Seconds for all of it; None for any time.

        Returns:
            The folder.

        Raises:
            ProjectFolderError: The folder is not empty, or a file came damaged. It is a ValueError.
            FailedPrecondition: The server has no pyarrow, or something of the project was deleted meanwhile.
            OSError: The folder cannot be written.
        """
        job = ExportJob(project, votes_version, models)
        with FolderWriter(folder) as writer, shown(progress, "export") as report:
            for part in self._connection.converse(job, (), timeout):
                part.write(writer)
                report(TransferProgress(writer.written_bytes, None))
            writer.finish(job.description)
        return Path(folder)

    def import_project(
        self,
        folder: str | os.PathLike[str],
        project: str,
        *,
        import_id: str | None = None,
        progress: bool | Callable[[TransferProgress], None] = False,
        timeout: float | None = None,
    ) -> Project:
        """Makes a project of a folder that export_project wrote. It is there when all of it is, or not at all.

        The votes keep the number of their version; versions before it are not kept, but models made of them are.

        Args:
            folder: The folder.
            project: Id of the project, which is not there yet.
            import_id: A UUID4, to take up an import that was broken off.
            progress: True for a bar on stderr, or a function that is called as bytes become safe.
            timeout: Seconds for all of it; None for any time.

        Raises:
            ProjectFolderError: The folder is no whole project; the message says what is missing. It is a ValueError.
            InvalidArgument: A file is damaged, or says what cannot be; the message says where.
            AlreadyExists: There is such a project.
            UploadInterrupted: The server was lost for longer than reconnect_timeout, or the timeout passed. The error
                has the import_id to go on with, as its upload_id.
            OSError: The folder cannot be read.
        """
        manifest, data = read_manifest(folder)
        job = ImportJob(project, data, manifest.total_bytes, partial(pieces, Path(folder), manifest), import_id)
        self._connection.upload(job, (), progress, timeout, "import")
        return job.result()
