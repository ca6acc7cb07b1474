"""The labels of a data set as one more voter, beside sources that vote on the same items.

Two posteriors say how probably a label is wrong: that of the other votes alone, and that of all votes together, in
which the label counts as far as the model trusts whoever gave it. The first does not know that labels are mostly right,
the second can trust them too much; the mean of their log-odds is taken.

Labels of some classes look worse than those of others for two reasons that votes cannot tell apart: they are, or the
voters miss this class together. So half of the difference between classes is taken for each (docs/label-errors.md).
Several judges beside a label: arXiv:2410.18889.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError
from weaklabel.label_errors.issues import LabelIssues, log_odds_of_error, shifted
from weaklabel.votes import Votes
from weaklabel.votes.gold import read_labels
from weaklabel.votes.matrix import check_votes

GIVEN = "given label"
"""Name of the voter that the labels are."""
MOST_NAMED = 4
OF_VOTERS = 0.5
"""Share of the difference between the labels of a class and those of all that is taken for the voters' fault, ..."""
FEW = 10
"""... and the number of labels of a class from which on more than half of its mean log-odds is its own."""


def label_errors(
    votes: Votes,
    labels: ArrayLike,
    *,
    classes: Iterable[str] | None = None,
    gold: ArrayLike | None = None,
    families: Mapping[str, str] | None = None,
    seed: int = 0,
) -> LabelIssues:
    """Which labels are probably wrong, by what other sources say: people, functions, judges, other models.

    Args:
        votes: of the sources; the labels are not among them.
        labels: [N] class indices or names, -1 where there is none.
        classes: K names; "0", "1", ... where not given.
        gold: [N] labels that are known to be right, -1 elsewhere; see `LabelModel.fit`.
        families: which sources are of one family, by name; see `LabelModel.fit`.
        seed: of the two fits.

    Raises:
        InvalidArgumentError: for labels that are no classes, or none at all, and as of `LabelModel.fit`.
    """
    from weaklabel.model import LabelModel  # only here: what reads a classifier's probabilities does without JAX

    check_votes(votes)
    names = None if classes is None else tuple(classes)
    given = read_labels(labels, votes.n_items, votes.n_classes, item_ids=votes.item_ids, classes=names, field="labels")
    at = np.flatnonzero(given >= 0)
    if not len(at):
        raise InvalidArgumentError("labels holds no label", field="labels")
    own = Votes.from_dense(
        given[:, None],
        votes.n_classes,
        sources=[_free_name(votes.source_names)],
        items=None if votes.item_ids is None else votes.item_ids.tolist(),
    )
    both = Votes.concatenate_sources([votes, own])
    model = LabelModel(votes.n_classes, seed=seed)
    alone, together = (
        np.asarray(model.fit(some, gold=gold, families=families).predict_proba(some), np.float64)
        for some in (votes, both)
    )
    mean = float(1 - together[at, given[at]].mean())
    log_odds = (log_odds_of_error(alone[at], given[at]) + log_odds_of_error(together[at], given[at])) / 2
    log_odds = between_classes(log_odds, given[at], votes.n_classes)
    probability = np.full(votes.n_items, np.nan)
    probability[at] = shifted(log_odds, mean)
    return LabelIssues(
        probability=probability,
        given=given,
        suggested=_likeliest_other(alone, given),
        n_expected=mean * len(at),
        classes=names or tuple(map(str, range(votes.n_classes))),
        item_ids=None if votes.item_ids is None else tuple(votes.item_ids.tolist()),
        reasons=_Reasons(votes, given),
    )


def between_classes(log_odds: NDArray[np.float64], given: NDArray[np.int32], n_classes: int) -> NDArray[np.float64]:
    """[L] log-odds that labels are wrong, with part of the difference between the given classes taken out."""
    if not len(given):
        return log_odds
    mean = log_odds.mean()
    sums = np.bincount(given, log_odds - mean, n_classes)
    differences = sums / (np.bincount(given, minlength=n_classes) + FEW)
    return np.asarray(log_odds - OF_VOTERS * differences[given])


class _Reasons(Sequence[str]):
    """Who says otherwise, written out when it is read."""

    def __init__(self, votes: Votes, given: NDArray[np.int32]) -> None:
        self._votes, self._given = votes, given
        self._items, self._sources, self._labels = votes.triples()

    def __len__(self) -> int:
        return self._votes.n_items

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return [self[at] for at in range(*item.indices(len(self)))]
        cells = slice(*np.searchsorted(self._items, [item, item + 1]))
        sources, labels = self._sources[cells], self._labels[cells]
        if not len(sources):
            return "no source votes on it"
        against = [self._votes.source_names[source] for source in sources[labels != self._given[item]]]
        named = ", ".join(against[:MOST_NAMED]) + (", ..." if len(against) > MOST_NAMED else "")
        return f"{len(against)} of {len(sources)} say otherwise" + (f": {named}" if against else "")


def _likeliest_other(soft: NDArray[np.float64], given: NDArray[np.int32]) -> NDArray[np.int32]:
    """[N] the likeliest class, leaving out the one that is given."""
    others = soft.copy()
    known = np.flatnonzero(given >= 0)
    others[known, given[known]] = -1
    return np.asarray(others.argmax(1), np.int32)


def _free_name(names: Sequence[str]) -> str:
    name = GIVEN
    while name in names:
        name += "'"
    return name
