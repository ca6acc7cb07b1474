"""Reading what people give to `fit` beside votes that are not held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from weaklabel.errors import InvalidArgumentError, InvalidVotesError
from weaklabel.model.inputs import check_items_apart, named_in
from weaklabel.model.preparation.prepare import FitInputs
from weaklabel.model.protocols import LabelSpace
from weaklabel.side_information.bounds import read_bounds
from weaklabel.side_information.by_id import KnownById, read_known_by_id
from weaklabel.side_information.families import read_families
from weaklabel.side_information.gold import KnownLabels, read_gold
from weaklabel.votes import Votes
from weaklabel.votes.chunks import VoteChunks
from weaklabel.votes.partitions import OnePartition, PartitionedVotes

IN_MEMORY_ONLY = ("bags", "features", "times")


class PartitionedData(NamedTuple):
    """Votes and what a fit is given beside them."""

    votes: PartitionedVotes
    known: KnownById | None
    inputs: FitInputs
    read_gold: Callable[[Votes], KnownLabels | None]
    """Reads gold against the votes of the items that have some."""


def read_partitioned(
    votes: VoteChunks | PartitionedVotes,
    n_classes: int,
    label_space: type[LabelSpace],
    given: Mapping[str, Any],
    classes: Sequence[str],
) -> PartitionedData | None:
    """The arguments of `LabelModel.fit`; None for chunks with nothing beside them.

    Raises:
        InvalidArgumentError: for what such votes come without, items that are tied, and what cannot be read.
        InvalidVotesError: for votes over other classes.
    """
    check_items_apart(label_space, "votes that are read in chunks")
    names = named_in(given)
    if refused := [name for name in names if name in IN_MEMORY_ONLY]:
        raise InvalidArgumentError(
            f"votes that are read in chunks come without {', '.join(refused)}: hold them in memory", field=refused[0]
        )
    if votes.n_classes != n_classes:
        raise InvalidVotesError(
            f"the votes are over {votes.n_classes} classes, the model over {n_classes}", field="votes"
        )
    if not names and isinstance(votes, VoteChunks):
        return None
    if jax.process_count() > 1 and names:
        raise InvalidArgumentError(f"{names[0]} is for fits of one process", field=names[0])
    gold = {name: given[name] for name in ("gold_error", "gold_weight", "gold_sampling")}
    if np.ndim(gold["gold_error"]):
        raise InvalidArgumentError("gold_error must be one number where votes are read in chunks", field="gold_error")
    known = read_known_by_id(given["gold"], given["prior"], given["groups"], n_classes, classes)
    lookup = None if known is None else known.gold
    if lookup is None:
        read_gold(None, _silent(n_classes), **gold)  # says what needs gold

    def read(of_gold: Votes) -> KnownLabels | None:
        assert lookup is not None
        labels = lookup.values[lookup.rows(np.asarray(of_gold.item_ids), all_items=True)]
        return read_gold(labels, of_gold, **(gold | {"gold_weight": _of_items(gold["gold_weight"], of_gold)}))

    partitions = OnePartition(votes) if isinstance(votes, VoteChunks) else votes
    inputs = FitInputs(
        bounds=read_bounds(given["bounds"], partitions.source_names),
        families=read_families(given["families"], partitions.source_names),
    )
    return PartitionedData(partitions, known, inputs, read)


def _silent(n_classes: int) -> Votes:
    return Votes.from_codes(np.empty((0, 1), np.int8), n_classes)


def _of_items(weight: Any, votes: Votes) -> dict[str, float] | None:
    """The weights of these items, out of those of more."""
    if weight is None:
        return None
    if not isinstance(weight, Mapping) and not hasattr(weight, "items"):
        raise InvalidArgumentError("gold_weight goes by the ids of items, as gold does", field="gold_weight")
    by_id = {str(key): value for key, value in weight.items()}
    return {one: by_id.get(one, np.nan) for one in np.asarray(votes.item_ids).tolist()}
