"""The report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import datetime
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from weaklabel._archive import write_file
from weaklabel._html import element
from weaklabel.model import LabelModel
from weaklabel.report.facts import gather
from weaklabel.report.page import Page, page_of
from weaklabel.votes import Votes


@dataclass(frozen=True, eq=False)
class Report:
    """A report on labels; `save` it, or show it in a notebook."""

    title: str
    verdict: str
    """Whether the labels can be relied on, in a sentence."""
    findings: tuple[str, ...]
    """What is doubtful, and what to do about it."""
    date: str | None
    """As it was given."""
    _page: Page

    def to_html(self, date: datetime.date | str | None = None) -> str:
        """The file as text: the same for the same votes, model, gold, title and date, of one version of weaklabel.

        Args:
            date: written into it; the one that was given to `report`, or else that of today, where not given.
        """
        given = date if date is not None else self.date
        return self._page.html(str(datetime.datetime.now(datetime.UTC).date() if given is None else given))

    def save(self, path: str | os.PathLike[str], date: datetime.date | str | None = None) -> None:
        """Writes `to_html` to a file of that name; conventionally `*.html`.

        Raises:
            OSError: if it cannot be written.
        """
        write_file(path, self.to_html(date).encode())

    def _repr_html_(self) -> str:
        # A frame of its own: neither the notebook's styles nor those of the report reach the other.
        whole = html.escape(self.to_html())
        style = "width:100%;height:80vh;border:1px solid #888"
        frame = element("iframe", title=self.title, sandbox="allow-scripts", style=style)
        return frame.replace("<iframe ", f'<iframe srcdoc="{whole}" ', 1)

    def __repr__(self) -> str:
        return f"Report({self.title!r}: {self.verdict})"


def report(
    votes: Votes | ArrayLike,
    model: LabelModel | None = None,
    *,
    gold: ArrayLike | None = None,
    title: str = "Label report",
    classes: Sequence[str] | None = None,
    date: datetime.date | str | None = None,
) -> Report:
    """What there is to know of labels made of votes, before anybody trusts them, as one HTML file.

    The verdict and the findings with what to do, the sources, their agreement and dependence, the class balance, how
    sure the labels are, how right on known labels, and the items that sources fight over. Of more than 100,000 items a
    sample is looked at, always the same; long lists are cut; the report says where.

    Args:
        votes: Votes, or whole numbers [N, M] with -1 for an abstain.
        model: fitted, and knows the sources by name. One is fitted to the votes alone where none is given.
        gold: [N] known labels, indices or names of classes; -1, or missing, where unknown. Compared with, not learned.
        title: of the report.
        classes: K names, for a model that is fitted here, or to make sure that they are those of the model.
        date: written into the report. Where not given, it is the day on which the file is written.

    Raises:
        NotFittedError: for a model that is not fitted.
        InvalidVotesError: if the votes cannot be read.
        InvalidArgumentError: for classes that are not the model's, a source that the model does not know, gold that
            does not fit, and neither Votes, model nor classes to tell the number of classes.
    """
    facts = gather(votes, model, gold, classes)
    page = page_of(facts, title)
    return Report(
        title=title,
        verdict=page.verdict,
        findings=tuple(finding.message for finding in facts.diagnostics.findings),
        date=None if date is None else str(date),
        _page=page,
    )
