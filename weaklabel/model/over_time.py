"""Label models of items with times: going on from new items, and the skill of each source over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.drift.history import Drift
from weaklabel.model.drift.report import SkillJump, jumps_of, skill_over_time
from weaklabel.model.fitted import Fitted
from weaklabel.model.fitted_attributes import FittedAttributes
from weaklabel.model.inputs import check_time_kind, plain_votes
from weaklabel.model.labels.classes import ClassPrior
from weaklabel.model.pipeline import Job
from weaklabel.model.settings import Settings
from weaklabel.model.sources.choice import suitable_source_model
from weaklabel.model.sources.confusion import ConfusionMatrices
from weaklabel.model.with_drift import train_over_time, update
from weaklabel.side_information.times import Times, read_times, times_at
from weaklabel.votes import Votes
from weaklabel.votes.frames import pandas

if TYPE_CHECKING:
    import pandas as pd

FORGOTTEN = dict.fromkeys(("_training", "_sets", "_vote_model", "_votes_seen", "_feature_names"))
"""What a model keeps of the items of a fit, and not of those that came bit by bit."""


class OverTime(FittedAttributes):
    """Methods of a label model whose items have times, or arrive bit by bit."""

    _settings: Settings

    def partial_fit(self, votes: Votes | ArrayLike, times: Any | None = None) -> Self:
        """Goes on from new items: what was counted of items before is kept, and fades where skills change.

        The first call is `fit(votes, times=times)`. Later ones read the new items only, by EM from the skills as they
        were; older items keep what was counted of them. Sources that are new join; sources that do not vote any more
        stay. Rates and jumps are learned again from the counts of all blocks of time.

        Args:
            votes: plain votes as in `fit`; an array has the columns of the model.
            times: [N] numbers or dates, as in `fit`. None for the number of the call, where no call had times.

        Returns:
            The model, whose attributes and predictions without times are those of the latest items.

        Raises:
            InvalidVotesError: if the votes cannot be read, hold no item, or votes for several classes.
            InvalidArgumentError: if times do not fit the votes or the times before, or the model was fitted without.
        """
        fitted = self._state
        if fitted is not None and fitted.drift is None:
            raise InvalidArgumentError(
                "the model was fitted without times, and has no counts to go on from: begin with partial_fit, or with "
                "fit(votes, times=times)",
                field="times",
            )
        readable = plain_votes(votes, self.classes, None if fitted is None else fitted.source_names)
        if readable.n_items == 0:
            raise InvalidVotesError("votes of at least one item are needed", field="votes")
        drift = None if fitted is None else fitted.drift
        read = _times_of(readable, times, drift)
        job = self._job(None)  # type: ignore[attr-defined]  # of LabelModel
        if fitted is None or drift is None:
            fitted = self._fit_over_time(readable, read, job, are_calls=times is None)
        else:
            fitted = update(fitted, readable, read, job)
        self.__dict__.update(FORGOTTEN, _state=fitted)
        return self

    def skill_at(self, times: Any) -> pd.DataFrame:
        """The accuracy of each source at some times: a frame of time, source, accuracy, low and high.

        Low and high bound a 90 % interval, if sources are independent. Where a skill changes they rest on the votes
        around that time, which count less the further away they are; at times without items they are wider.

        Args:
            times: one time, or several: numbers or dates, as in the fit.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the model was fitted without times, or they are of another kind.
            MissingExtraError: if pandas is not installed.
        """
        drift = self._drift
        several = np.ndim(times) > 0 or hasattr(times, "__len__")
        given = times if several else [times]
        read = read_times(given, len(given))
        check_time_kind(drift, read.are_dates)
        fitted, n_sources = self._fitted, len(self.source_names)
        if drift.changes.any:
            accuracy, interval = skill_over_time(drift, read.values, self._settings)
        else:
            accuracy = np.repeat(fitted.source_accuracy[None], len(read.values), 0)
            interval = np.repeat(fitted.source_accuracy_interval[None], len(read.values), 0)
        frame: pd.DataFrame = pandas().DataFrame(
            {
                "time": np.repeat(times_at(read.values, read.are_dates), n_sources),
                "source": list(self.source_names) * len(read.values),
                "accuracy": accuracy.ravel(),
                "low": interval[..., 0].ravel(),
                "high": interval[..., 1].ravel(),
            }
        )
        return frame

    @property
    def skill_jumps(self) -> tuple[SkillJump, ...]:
        """When the accuracy of a source jumped: source, time, and accuracy before and after; in the order of time.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the model was fitted without times.
        """
        return jumps_of(self._drift, self.source_names, self._settings)

    @property
    def half_lives(self) -> Mapping[str, float]:
        """Time, by name of a source, in which its votes lose half of their weight; infinite where skill is constant.

        In the units of times; of dates, in seconds.

        Raises:
            NotFittedError: before `fit`.
            InvalidArgumentError: if the model was fitted without times.
        """
        rates = self._drift.rates
        lives = np.divide(np.log(2), rates, out=np.full(len(rates), np.inf), where=rates > 0)
        return dict(zip(self.source_names, lives.tolist(), strict=True))

    @property
    def _drift(self) -> Drift:
        drift = self._fitted.drift
        if drift is None:
            raise InvalidArgumentError(
                "the model was fitted without times: give them, as fit(votes, times=times)", field="times"
            )
        return drift

    def _fit_over_time(self, votes: Votes, times: Times, job: Job, *, are_calls: bool = False) -> Fitted:
        """A first fit to items with times."""
        if votes.n_sources == 0:
            raise InvalidVotesError("votes of at least one source are needed", field="votes")
        if votes.n_items == 0:
            raise InvalidVotesError("votes of at least one item are needed where items have times", field="votes")
        model = job.source_model or suitable_source_model(votes.n_sources, votes.n_classes)
        if model is not ConfusionMatrices:
            raise InvalidArgumentError(
                f"times need one confusion matrix per source; {votes.n_sources} sources of {votes.n_classes} classes, "
                f"or source_model=, make this a model of {model.__name__}",
                field="times",
            )
        if job.label_space is not ClassPrior:
            raise InvalidArgumentError('times need label_space="classes"', field="times")
        return train_over_time(votes, times, job, are_calls=are_calls)


def _times_of(votes: Votes, times: Any | None, before: Drift | None) -> Times:
    """The times of new items; the number of the call where none are given."""
    are_calls = times is None
    if before is not None and bool(before.are_calls) != are_calls:
        said = "had no times" if before.are_calls else "had times"
        raise InvalidArgumentError(f"the items before {said}: give times to all calls or to none", field="times")
    if are_calls:
        call = 0.0 if before is None else np.floor(before.ends[-1]) + 1
        return Times(np.full(votes.n_items, call), are_dates=False)
    read = read_times(times, votes.n_items, votes.item_ids)
    if before is not None:
        check_time_kind(before, read.are_dates)
    return read
