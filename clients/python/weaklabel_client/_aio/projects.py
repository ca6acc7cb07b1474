"""Projects, and the sources that vote in them."""
# ruff: noqa: ASYNC109  # a timeout here is more than a local one: it reaches the server as the deadline of the call

from collections.abc import AsyncIterator, Iterable

from weaklabel_client._aio.asking import Asking
from weaklabel_client._exceptions import AlreadyExists
from weaklabel_client._protocol import calls
from weaklabel_client._results.types import (
    Project,
    Source,
)
from weaklabel_protocol.label_spaces import LabelSpace


class Projects(Asking):
    """The methods of a client about projects and sources."""

    async def create_project(
        self,
        project: str,
        classes: Iterable[str] | None = None,
        *,
        label_space: LabelSpace | None = None,
        exist_ok: bool = False,
        timeout: float | None = None,
    ) -> Project:
        """Creates a project with the names of its K classes, or with another label space."""
        named = calls.classes_of(classes, label_space)
        try:
            return await self._connection.perform(calls.create_project(project, named, label_space), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            existing = await self.get_project(project, timeout=timeout)
            return calls.same_project(error, existing, named, label_space)

    async def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return await self._connection.perform(calls.get_project(project), timeout)

    def list_projects(self) -> AsyncIterator[Project]:
        """All projects, by id."""
        return self._connection.pages(calls.list_projects())

    async def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good."""
        await self._connection.perform(calls.delete_project(project), timeout)

    async def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return await self._connection.perform(calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> AsyncIterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._connection.pages(calls.list_sources(project))

    async def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return await self._connection.perform(calls.delete_source(project, source), timeout)
