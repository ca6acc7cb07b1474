"""Wrong labels of items that have several: tags, each set or not (Thyagarajan et al. 2022, arXiv:2211.13895).

An item is as doubtful as its tags are together: the exponential moving average of how probably right each is, in which
the most doubtful one counts most.

Shapes: N items, T tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.label_errors.issues import LabelIssues
from weaklabel.label_errors.voters import label_errors
from weaklabel.side_information.numbers import read_numbers
from weaklabel.votes import Votes, check_votes
from weaklabel.votes.frames import pandas
from weaklabel.votes.validation import column_names

DECAY = 0.8
"""Of the moving average over the tags of an item, the most doubtful last (arXiv:2211.13895)."""


class TagSuspect(NamedTuple):
    """One tag of an item that is likelier wrong than right."""

    item: int
    """Position."""
    item_id: str | None
    tag: str
    given: bool
    """Whether the item has the tag."""
    probability: float
    """That this is wrong."""
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class MultilabelIssues:
    """What is known of the tags of N items.

    Iterating gives the tags that are likelier wrong than right, those of the worst item first.
    """

    quality: NDArray[np.float64]
    """[N] how probably right the tags of the item are together; NaN where no tag is known."""
    probability: NDArray[np.float64]
    """[N, T] that a tag is wrong; NaN where it is not known."""
    tags: tuple[str, ...]
    """T names."""
    of_tag: tuple[LabelIssues, ...]
    """T: the same tag by tag, with the expected number of wrong ones."""
    item_ids: tuple[str, ...] | None

    @property
    def ranked(self) -> NDArray[np.intp]:
        """Positions of the items with a known tag, those to look at first first."""
        order = np.argsort(np.nan_to_num(self.quality, nan=2.0), kind="stable")
        return order[: int(np.isfinite(self.quality).sum())]

    def __len__(self) -> int:
        return int((np.nan_to_num(self.probability) > 0.5).sum())

    def __iter__(self) -> Iterator[TagSuspect]:
        for item in self.ranked.tolist():
            doubt = np.nan_to_num(self.probability[item])
            for tag in np.argsort(-doubt, kind="stable")[: int((doubt > 0.5).sum())].tolist():
                reasons = self.of_tag[tag].reasons
                yield TagSuspect(
                    item=item,
                    item_id=None if self.item_ids is None else self.item_ids[item],
                    tag=self.tags[tag],
                    given=bool(self.of_tag[tag].given[item]),
                    probability=float(doubt[tag]),
                    reason="" if reasons is None else reasons[item],
                )

    def to_frame(self) -> Any:
        """A pandas table of the suspects: item, item_id where there are ids, tag, given, probability, reason.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        table = pandas().DataFrame([one._asdict() for one in self], columns=list(TagSuspect._fields))
        return table.drop(columns="item_id") if self.item_ids is None else table

    def __repr__(self) -> str:
        n_known, expected = int(np.isfinite(self.probability).sum()), sum(one.n_expected for one in self.of_tag)
        head = f"MultilabelIssues({len(self):,} of {n_known:,} tags of {len(self.quality):,} items are likelier wrong "
        return head + f"than right, {expected:,.0f} wrong ones are expected)"


def multilabel_errors(
    votes: Mapping[str, Votes], tags: ArrayLike, *, families: Mapping[str, str] | None = None, seed: int = 0
) -> MultilabelIssues:
    """Which tags of a data set are probably wrong, by what other sources say of them.

    Each tag is looked at by `label_errors` on its own; an item is ranked by all of its tags together.

    Args:
        votes: for each tag, by name, the votes on whether an item has it: class 0 for no, 1 for yes. All are of the
            same N items; sources may differ.
        tags: [N, T] 1 where an item has the tag, 0 where not, -1 or missing where it is not known; in the order of
            `votes`.
        families: which sources are of one family, by name; see `LabelModel.fit`.
        seed: of the fits.

    Raises:
        InvalidArgumentError: for votes that are not of two classes, or on other items; for tags of another shape, other
            numbers than these, and a tag that is known of no item; and as of `LabelModel.fit`.
    """
    names = tuple(votes) if isinstance(votes, Mapping) else ()
    if not names:
        raise InvalidArgumentError("votes must be a dict with the votes on each tag by its name", field="votes")
    first = check_votes(votes[names[0]])
    given = _read_tags(tags, first, names)
    for at, name in enumerate(names):
        _check_tag(name, check_votes(votes[name]), first)
        if not (given[:, at] >= 0).any():
            raise InvalidArgumentError(f"tag {name!r} is known of no item", field="tags")
    found = list[LabelIssues]()
    for at, name in enumerate(names):
        among = set(votes[name].source_names)
        related = {source: family for source, family in (families or {}).items() if source in among}
        found.append(
            label_errors(votes[name], given[:, at], classes=("no", "yes"), families=related or None, seed=seed)
        )
    probability = np.stack([one.probability for one in found], axis=1)
    return MultilabelIssues(
        quality=_pooled(1 - probability),
        probability=probability,
        tags=names,
        of_tag=tuple(found),
        item_ids=found[0].item_ids,
    )


def find_multilabel_issues(tags: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """How probably right the tags of each item are, together: the lowest first to look at (arXiv:2211.13895).

    Each tag has the quality p where it is set and 1 - p where it is not; an item has their exponential moving average,
    in which the most doubtful tag counts most.

    Args:
        tags: [N, K] 1 where an item has the tag, 0 where not.
        probabilities: [N, K] of each tag, of a classifier that was not trained on the item; rows need not sum to one.

    Returns:
        [N] quality in [0, 1].

    Raises:
        InvalidArgumentError: for shapes that do not agree, tags other than 0 and 1, and probabilities outside [0, 1].
    """
    p, given = read_numbers(probabilities, "probabilities"), read_numbers(tags, "tags")
    if p.ndim != 2 or p.shape != given.shape:
        raise InvalidArgumentError(
            f"tags and probabilities must both be [N, K], got shapes {given.shape} and {p.shape}", field="tags"
        )
    if not np.isin(given, (0, 1)).all():
        raise InvalidArgumentError("tags must hold 0 and 1", field="tags")
    if not ((p >= 0) & (p <= 1)).all():
        raise InvalidArgumentError("probabilities must lie in [0, 1]", field="probabilities")
    return _pooled(np.where(given == 1, p, 1 - p))


def _pooled(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] exponential moving average over the known tags of each item, the most doubtful last; NaN without one."""
    ordered = -np.sort(-np.nan_to_num(quality, nan=np.inf), axis=1)  # what is not known comes first
    average = ordered[:, 0]
    for tag in range(1, ordered.shape[1]):
        average = np.where(np.isinf(average), ordered[:, tag], DECAY * ordered[:, tag] + (1 - DECAY) * average)
    return np.where(np.isinf(average), np.nan, average)


def _read_tags(tags: ArrayLike, votes: Votes, names: Sequence[str]) -> NDArray[np.int32]:
    """[N, T] 1, 0, or -1 where not known; the columns of a table are matched by name."""
    titles, shape = column_names(tags), (votes.n_items, len(names))
    read = read_numbers(tags, "tags", votes.n_items, votes.item_ids)
    if read.shape != shape:
        raise InvalidArgumentError(
            f"tags must be {list(shape)}, a column for each tag of votes, got shape {read.shape}", field="tags"
        )
    if titles is not None:
        if missing := [name for name in names if name not in titles]:
            raise InvalidArgumentError(f"tags has no column {missing[0]!r}, which is a tag of votes", field="tags")
        read = read[:, [titles.index(name) for name in names]]
    given = np.nan_to_num(read, nan=-1.0)
    wrong = ~np.isin(given, (-1, 0, 1))
    if wrong.any():
        item, tag = np.argwhere(wrong)[0].tolist()
        raise InvalidArgumentError(
            f"tag {names[tag]!r} of item {item} is {read[item, tag]:g}: give 1, 0, or -1 where it is not known",
            field="tags",
        )
    return given.astype(np.int32)


def _check_tag(name: str, votes: Votes, first: Votes) -> None:
    if votes.n_classes != 2:
        raise InvalidArgumentError(
            f"the votes on tag {name!r} are over {votes.n_classes} classes: 0 for no and 1 for yes are wanted",
            field="votes",
        )
    ids = [None if one.item_ids is None else one.item_ids.tolist() for one in (votes, first)]
    if votes.n_items != first.n_items or ids[0] != ids[1]:
        raise InvalidArgumentError(f"the votes on tag {name!r} are on other items than those before", field="votes")
