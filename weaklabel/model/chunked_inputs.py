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
from weaklabel.side_information.by_id import KnownById, Lookup, ids_of, read_known_by_id, weight_of
from weaklabel.side_information.families import read_families
from weaklabel.side_information.gold import KnownLabels, read_gold
from weaklabel.votes import ABSTAIN, Votes
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

    def read(of_gold: Votes) -> KnownLabels | None:
        labels = None if lookup is None else lookup.values[lookup.rows(ids_of(of_gold), all_items=True)]
        weight = gold["gold_weight"]
        return read_gold(
            labels, of_gold, **(gold | {"gold_weight": None if weight is None else weight_of(weight, of_gold)})
        )

    read(_silent(n_classes, lookup))  # says what is wrong before a long fit
    partitions = OnePartition(votes) if isinstance(votes, VoteChunks) else votes
    inputs = FitInputs(
        bounds=read_bounds(given["bounds"], partitions.source_names),
        families=read_families(given["families"], partitions.source_names),
    )
    return PartitionedData(partitions, known, inputs, read)


def _silent(n_classes: int, lookup: Lookup | None) -> Votes:
    """Votes of the items with gold, before they are known."""
    ids = [] if lookup is None else list(lookup.row)
    return Votes.from_codes(np.full((len(ids), 1), ABSTAIN, np.int8), n_classes, items=ids)
