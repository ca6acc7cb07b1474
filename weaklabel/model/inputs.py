"""Reading what people give to `fit` and to predictions: checked, and in the order of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.drift.history import Drift
from weaklabel.model.em.segments import FitProgress
from weaklabel.model.fitted import Fitted
from weaklabel.model.gold.correction import Correction
from weaklabel.model.preparation.prepare import FitInputs
from weaklabel.model.protocols import LabelSpace, SourceModel
from weaklabel.model.registry import entry_of
from weaklabel.model.sources.choice import FULL_CELLS
from weaklabel.side_information.bags import Bags
from weaklabel.side_information.bounds import read_bounds
from weaklabel.side_information.families import read_families
from weaklabel.side_information.features import Features, read_features
from weaklabel.side_information.gold import GoldSampling, KnownLabels, read_gold
from weaklabel.side_information.items import read_items
from weaklabel.votes import Votes, as_votes
from weaklabel.votes.conversion import numbered_alike, with_codebook, with_sources
from weaklabel.votes.validation import column_names, has_index


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
    classes: Sequence[str] | None = None,
) -> TrainingData:
    """The arguments of `LabelModel.fit`, and K names of classes; see there for what they are and what they raise."""
    votes = as_votes(votes, n_classes, classes)
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
    known = read_gold(
        gold, votes, gold_error=gold_error, gold_weight=gold_weight, gold_sampling=gold_sampling, classes=classes
    )
    certain = None if known is None else known.certain(votes.n_items)
    items = read_items(votes, gold=certain, prior=prior, groups=groups, bags=bags, classes=classes)
    matrix = None if features is None else read_features(features, votes.n_items, item_ids=votes.item_ids)
    inputs = FitInputs(
        items=items if items.is_given else None,
        bounds=read_bounds(bounds, votes.source_names),
        families=read_families(families, votes.source_names),
    )
    return TrainingData(votes, known, inputs, matrix)


def named_in(given: Mapping[str, Any]) -> list[str]:
    """What is given, by name: not what is None, and not what says nothing."""
    idle = {"gold_sampling", *(name for name in ("gold_error", "bounds", "families") if not np.any(given.get(name)))}
    return [name for name, value in given.items() if value is not None and name not in idle]


def check_items_apart(label_space: type[LabelSpace], what: str) -> None:
    """Refuses a label space in which the label of an item depends on other items, for what looks at items apart."""
    if label_space.ties_items():
        raise InvalidArgumentError(
            f"{what} need items whose labels do not depend on each other; those of {label_space.__name__} do",
            field="label_space",
        )


def plain_votes(votes: Votes | ArrayLike, classes: tuple[str, ...], sources: tuple[str, ...] | None) -> Votes:
    """Votes for one class each, of items with times; those of known sources first, then those of new ones.

    Args:
        votes: as people give them.
        classes: K names.
        sources: those of a fitted model; None where there is none.

    Raises:
        InvalidVotesError: if they cannot be read, or are for several classes.
    """
    if sources is None or isinstance(votes, Votes):
        readable = as_votes(votes, len(classes), classes)
    else:
        readable = named_votes(votes, len(classes), sources)
    if not readable.is_plain:
        raise InvalidVotesError(
            "items with times need votes for one class each: no candidate sets, no probability vectors", field="votes"
        )
    if sources is None:
        return readable
    readable, known = numbered_alike(readable, sources), set(sources)
    new = [name for name in readable.source_names if name not in known]
    return with_sources(readable, (*sources, *new))


def check_times_alone(given: Mapping[str, object]) -> None:
    """Refuses what is given by name beside the times of items."""
    names = named_in(given)
    if names:
        raise InvalidArgumentError(
            f"items with times come without {', '.join(names)}: fit without times, or without what else is known",
            field=names[0],
        )


def check_time_kind(drift: Drift, are_dates: bool) -> None:
    """Refuses dates of a model whose times are numbers, and the other way round."""
    if bool(drift.are_dates) != are_dates:
        kinds = ("numbers", "dates")
        raise InvalidArgumentError(
            f"the times of the fit are {kinds[int(drift.are_dates)]}, these are {kinds[int(are_dates)]}", field="times"
        )


@contextmanager
def watcher(
    progress: Callable[[FitProgress], None] | bool | None, max_iter: int
) -> Iterator[Callable[[FitProgress], None] | None]:
    """What is called as a fit goes on: the caller's function, or a bar on stderr, which is closed at the end.

    Args:
        progress: of `LabelModel.fit`.
        max_iter: limit of EM iterations.

    Raises:
        InvalidArgumentError: for anything else.
    """
    if progress is None or progress is False:
        yield None
    elif progress is True:
        from tqdm.auto import tqdm  # here, since few fits show a bar

        with tqdm(total=max_iter, desc="fit", unit=" iterations") as bar:

            def show(state: FitProgress) -> None:
                bar.set_postfix(change=f"{state.change:.1e}", refresh=False)
                bar.update(state.iteration - bar.n)

            yield show
    elif callable(progress):
        yield progress
    else:
        raise InvalidArgumentError(
            f"progress must be True for a bar, or a function that takes a FitProgress, got {progress!r}",
            field="progress",
        )


Unseen = Literal["error", "ignore", "average"]
"""What is done with votes of sources that the fit has not seen: refused, left out, or those of an average source."""


class Readable(NamedTuple):
    """Votes to predict from, and the model that reads them."""

    votes: Votes
    """With the sources and the codebook of the model."""
    fitted: Fitted
    """With average sources for those that the fit has not seen, where they are asked for."""


def read_votes(
    votes: Votes | ArrayLike | None,
    fitted: Fitted,
    n_classes: int,
    features: Features | None = None,
    unseen: Unseen = "error",
    classes: Sequence[str] | None = None,
) -> Readable:
    """Votes to predict from, with the sources and the codebook of the model.

    Args:
        votes: as people give them; None for items that have features only.
        fitted: the model.
        n_classes: K.
        features: of the items, where there are any; needed without votes only.
        unseen: what is done with sources that the fit has not seen.
        classes: K names.

    Raises:
        InvalidVotesError: if they cannot be read, or do not fit the model.
        InvalidArgumentError: if there are neither votes nor features; for an unknown `unseen`.
    """
    check_unseen(unseen)
    names = fitted.source_names
    if votes is None:
        if features is None:
            raise InvalidArgumentError("votes are needed where there are no features", field="votes")
        silent = np.empty(0, np.int32)
        size = {"n_classes": n_classes, "n_items": features.shape[0], "n_sources": len(names)}
        return Readable(Votes.from_triples(silent, silent, silent, **size, source_names=names), fitted)
    votes, new = known_sources(votes, names, n_classes, unseen, classes)
    if new:
        fitted = with_average_sources(fitted, new)
    readable = with_codebook(with_sources(votes, fitted.source_names), fitted.sets)
    if not readable.is_plain and not fitted.params.sources.takes_imprecise_votes():
        raise InvalidVotesError(
            "the model has one accuracy per source, which says nothing of votes for several classes", field="votes"
        )
    return Readable(readable, fitted)


def check_unseen(unseen: Unseen) -> None:
    """Refuses an unknown word for what is done with sources that a fit has not seen."""
    if unseen not in get_args(Unseen):
        raise InvalidArgumentError(
            f"unseen must be one of {', '.join(map(repr, get_args(Unseen)))}, got {unseen!r}", field="unseen"
        )


def known_sources(
    votes: Votes | ArrayLike, names: tuple[str, ...], n_classes: int, unseen: Unseen, classes: Sequence[str] | None
) -> tuple[Votes, list[str]]:
    """Votes with the sources of a fit by name, and the sources among them that count as average ones.

    Raises:
        InvalidVotesError: if they cannot be read, or a source is not known and `unseen` refuses it.
    """
    votes = as_votes(votes, n_classes, classes) if isinstance(votes, Votes) else named_votes(votes, n_classes, names)
    if votes.source_names == names:
        return votes, []
    votes = numbered_alike(votes, names)
    known = set(names)
    new = [name for name in votes.source_names if name not in known]
    if new and unseen == "ignore":
        return votes.select_sources([name for name in votes.source_names if name in known]), []
    if new and unseen == "error":
        more = f" (nor are {len(new) - 1} others)" if len(new) > 1 else ""
        raise InvalidVotesError(
            f'source {new[0]!r} is not known to the model{more}: predict(votes, unseen="ignore") leaves the votes of '
            'such sources out, and unseen="average" counts them as those of an average source',
            field="sources",
        )
    return votes, new


def named_votes(array: ArrayLike, n_classes: int, names: tuple[str, ...]) -> Votes:
    """Votes of an array: of the model's sources in their order, or of those that a table's columns name."""
    own = column_names(array)
    width = np.shape(array)[-1] if np.ndim(array) == 2 else None
    if own is None and has_index(array) and width is not None and sorted(names) == sorted(map(str, range(width))):
        own = [str(number) for number in range(width)]  # default columns of pandas, beside names that are numbers
    if own is not None:
        return Votes.from_dense(array, n_classes, sources=own)
    if width is not None and width != len(names):
        raise InvalidVotesError(
            f"the model was fitted on {len(names)} sources, the votes have {width} columns", field="votes"
        )
    return Votes.from_dense(array, n_classes, sources=names)


def with_average_sources(fitted: Fitted, names: Sequence[str]) -> Fitted:
    """The model with more sources, whose parameters are the means over those that it has.

    Args:
        fitted: the model.
        names: of the new sources.
    """
    n_new, n_sources = len(names), len(fitted.source_names)
    sources = fitted.calibration.sources
    of_sources = [key for key, entry in entry_of(sources).entries.items() if entry.shapes[0].startswith("M")]
    fields = {entry_of(sources).entries[key].field for key in of_sources}

    def extended(values: NDArray[Any]) -> NDArray[Any]:
        mean = values.mean(axis=0, keepdims=True, dtype=np.float64).astype(values.dtype)
        return np.concatenate([values, np.repeat(mean, n_new, axis=0)])

    more: Any = {field: extended(np.asarray(getattr(sources, field))) for field in fields}
    calibration = fitted.calibration._replace(sources=sources._replace(**more))  # type: ignore[attr-defined]
    copies = sp.csr_array(sp.block_diag([fitted.copies, sp.csr_array((n_new, n_new))]))
    gold = fitted.gold
    if gold is not None:
        gold = gold._replace(
            small=_extended_correction(gold.small, n_sources, extended),
            large=_extended_correction(gold.large, n_sources, extended),
            best=np.concatenate([gold.best, np.zeros(n_new)]),
        )
    return fitted._replace(
        source_names=(*fitted.source_names, *names), calibration=calibration, copies=copies, gold=gold
    )


def _extended_correction(
    correction: Correction, n_sources: int, extended: Callable[[NDArray[Any]], NDArray[Any]]
) -> Correction:
    of_votes = correction.of_votes
    if of_votes is not None:
        n_classes = of_votes.shape[1]
        of_votes = extended(of_votes.reshape(n_sources, n_classes, n_classes)).reshape(-1, n_classes)
    return correction._replace(trust=extended(correction.trust), of_votes=of_votes)
