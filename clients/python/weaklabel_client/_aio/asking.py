"""What the reports of a client share: gold and labels that are uploaded first."""

from collections.abc import Iterable
from typing import Any

from weaklabel_client._aio.connection import Connection
from weaklabel_client._inputs.report_data import ReportData
from weaklabel_client._protocol import calls
from weaklabel_client._protocol.analysis_calls import Ask


class Asking:
    """A client that asks about projects."""

    _connection: Connection

    async def _ask(
        self, project: str, model: str | None = None, items: Iterable[str] | None = None, **given: Any
    ) -> Ask:
        """The calls about a project, once what is given is uploaded."""
        return Ask(project, model, await self._uploaded(project, items, **given))

    async def _uploaded(self, project: str, items: Iterable[str] | None, **given: Any) -> ReportData:
        """What is given to a report, uploaded."""
        data = ReportData(items, **given)
        for what, kind, values, ids in data.uploads:
            data.names[what] = (await self._connection.upload_side_data(project, kind, values, items=ids)).name
        return data

    async def _classes(self, project: str) -> tuple[str, ...]:
        """The names of the classes of a project."""
        return (await self._connection.perform(calls.get_project(project))).classes
