"""Projects, and the sources that vote in them."""

from collections.abc import Iterable, Iterator

from weaklabel_client._exceptions import AlreadyExists
from weaklabel_client._protocol import calls
from weaklabel_client._results.types import (
    Project,
    Source,
)
from weaklabel_client._sync.asking import Asking
from weaklabel_protocol.label_spaces import LabelSpace


class Projects(Asking):
    """The methods of a client about projects and sources."""

    def create_project(
        self,
        project: str,
        classes: Iterable[str] | None = None,
        *,
        label_space: LabelSpace | None = None,
        exist_ok: bool = False,
        timeout: float | None = None,
    ) -> Project:
        """Creates a project with the names of its K classes, in the order of their indices, or with a label space.

        Args:
            project: Its id: 1 to 63 characters out of a-z, 0-9, "-" and "_".
            classes: At least two, distinct. They are fixed for good. None where the label space has none: Numbers,
                Tags, Preferences, Sequences; the leaves of a Tree.
            label_space: What a label is, where it is not one of the classes; of Ordinal, classes are from the lowest to
                the highest.
            exist_ok: Whether a project of that name with these classes is as good.
            timeout: Seconds, instead of the client's.

        Raises:
            AlreadyExists: The name is taken; with exist_ok, by a project with other classes.
        """
        named = calls.classes_of(classes, label_space)
        try:
            return self._connection.perform(calls.create_project(project, named, label_space), timeout)
        except AlreadyExists as error:
            if not exist_ok:
                raise
            existing = self.get_project(project, timeout=timeout)
            return calls.same_project(error, existing, named, label_space)

    def get_project(self, project: str, *, timeout: float | None = None) -> Project:
        """One project."""
        return self._connection.perform(calls.get_project(project), timeout)

    def list_projects(self) -> Iterator[Project]:
        """All projects, by id."""
        return self._connection.pages(calls.list_projects())

    def delete_project(self, project: str, *, timeout: float | None = None) -> None:
        """Deletes a project with everything in it, for good.

        Raises:
            FailedPrecondition: One of its operations runs.
        """
        self._connection.perform(calls.delete_project(project), timeout)

    def get_source(self, project: str, source: str, *, timeout: float | None = None) -> Source:
        """One source, by the name that the uploader gave."""
        return self._connection.perform(calls.get_source(project, source), timeout)

    def list_sources(self, project: str) -> Iterator[Source]:
        """The sources of a project, in the order in which they first voted."""
        return self._connection.pages(calls.list_sources(project))

    def delete_source(self, project: str, source: str, *, timeout: float | None = None) -> int:
        """Deletes a source and its votes from the current votes; returns the version of the votes without it."""
        return self._connection.perform(calls.delete_source(project, source), timeout)
