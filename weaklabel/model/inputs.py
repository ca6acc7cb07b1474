"""Reading what people give to `fit` and to predictions: checked, and in the order of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.fitted import Fitted
from weaklabel.model.preparation.prepare import FitInputs
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.sources.choice import FULL_CELLS
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.bounds import read_bounds
from weaklabel.side_information.families import read_families
from weaklabel.side_information.features import Features, read_features
from weaklabel.side_information.gold import GoldSampling, KnownLabels, read_gold
from weaklabel.side_information.items import read_items
from weaklabel.votes import Votes, as_votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.conversion import with_codebook, with_sources
from weaklabel.votes.validation import column_names


class TrainingData(NamedTuple):
    """Votes and all that a fit is given beside them."""

    votes: Votes
    gold: KnownLabels | None
    """None where no label is known."""
    inputs: FitInputs
    features: Features | None


def read_training_data(
    votes: Votes | ArrayLike,
    n_classes: int,
    source_model: type[SourceModel] | None,
    *,
    gold: ArrayLike | None,
    gold_error: ArrayLike,
    gold_weight: ArrayLike | None,
    gold_sampling: GoldSampling,
    prior: ArrayLike | None,
    groups: ArrayLike | None,
    bounds: Mapping[str, tuple[float, float]] | None,
    bags: Bags | Sequence[Bags] | None,
    features: object | None,
    families: Mapping[str, str] | None,
) -> TrainingData:
    """The arguments of `LabelModel.fit`; see there for what they are and what they raise."""
    votes = as_votes(votes, n_classes)
    if votes.n_sources == 0:
        raise InvalidVotesError("votes of at least one source are needed", field="votes")
    if not votes.is_plain and source_model and not source_model.takes_imprecise_votes():
        raise InvalidVotesError(
            f"{source_model.__name__} has no likelihood of votes for several classes: leave source_model out",
            field="source_model",
        )
    if not votes.is_plain and not source_model and votes.n_sources * n_classes**2 > FULL_CELLS:
        raise InvalidVotesError(
            f"votes for several classes need one confusion matrix per source, and {votes.n_sources} sources of "
            f"{n_classes} classes are too many for that: at most {FULL_CELLS:,} cells",
            field="votes",
        )
    known = read_gold(gold, votes, gold_error=gold_error, gold_weight=gold_weight, gold_sampling=gold_sampling)
    certain = None if known is None else known.certain(votes.n_items)
    items = read_items(votes, gold=certain, prior=prior, groups=groups, bags=bags)
    matrix = None if features is None else read_features(features, votes.n_items)
    inputs = FitInputs(
        items=items if items.is_given else None,
        bounds=read_bounds(bounds, votes.source_names),
        families=read_families(families, votes.source_names),
    )
    return TrainingData(votes, known, inputs, matrix)


def check_chunks(
    chunks: VoteChunks, n_classes: int, label_space: type[LabelSpace], given: Mapping[str, object]
) -> None:
    """Refuses votes in chunks over other classes, of items that are tied, or together with what is given by name."""
    check_items_apart(label_space, "votes that are read in chunks")
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise InvalidArgumentError(
            f"votes that are read in chunks come without {', '.join(names)}: hold them in memory", field=names[0]
        )
    if chunks.n_classes != n_classes:
        raise InvalidVotesError(
            f"the votes are over {chunks.n_classes} classes, the model over {n_classes}", field="votes"
        )


def check_items_apart(label_space: type[LabelSpace], what: str) -> None:
    """Refuses a label space in which the label of an item depends on other items, for what looks at items apart."""
    if label_space.ties_items():
        raise InvalidArgumentError(
            f"{what} need items whose labels do not depend on each other; those of {label_space.__name__} do",
            field="label_space",
        )


def read_votes(votes: Votes | ArrayLike | None, fitted: Fitted, n_classes: int, features: Features | None) -> Votes:
    """Votes to predict from, with the sources and the codebook of the model.

    Args:
        votes: as people give them; None for items that have features only.
        fitted: the model.
        n_classes: K.
        features: of the items, where there are any.

    Raises:
        InvalidVotesError: if they cannot be read, or do not fit the model.
        InvalidArgumentError: if there are neither votes nor features.
    """
    names = fitted.source_names
    if votes is None:
        if features is None:
            raise InvalidArgumentError("votes are needed where there are no features", field="votes")
        silent = np.empty(0, np.int32)
        size = {"n_classes": n_classes, "n_items": features.shape[0], "n_sources": len(names)}
        return Votes.from_triples(silent, silent, silent, **size, source_names=names)
    votes = as_votes(votes, n_classes) if isinstance(votes, Votes) else _named(votes, n_classes, names)
    readable = with_codebook(with_sources(votes, names), fitted.sets)
    if not readable.is_plain and not fitted.params.sources.takes_imprecise_votes():
        raise InvalidVotesError(
            "the model has one accuracy per source, which says nothing of votes for several classes", field="votes"
        )
    return readable


def _named(array: ArrayLike, n_classes: int, names: tuple[str, ...]) -> Votes:
    """Votes of an array: of the model's sources in their order, or of those that a DataFrame's columns name."""
    if column_names(array) is not None:
        return Votes.from_dense(array, n_classes)
    width = np.shape(array)[-1] if np.ndim(array) == 2 else None
    if width is not None and width != len(names):
        raise InvalidVotesError(
            f"the model was fitted on {len(names)} sources, the votes have {width} columns", field="votes"
        )
    return Votes.from_dense(array, n_classes, sources=names)
