"""Votes for classes, and for nodes of a tree, out of records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weaklabel import Votes, one_of
from weaklabel.errors import InvalidVotesError
from weaklabel_protocol.columns import Table, Texts


def read_class_votes(table: Table, classes: Sequence[str], below: Mapping[str, Sequence[str]]) -> Votes:
    """Votes of records with item, source and label; of two votes of a source on an item the last counts.

    Args:
        table: The records.
        classes: K names.
        below: The leaves below each inner node, for which a vote may be, too.

    Raises:
        InvalidVotesError: A label is no class and no node; the message names the row.
    """
    item, source, label = (table.columns[name] for name in ("item", "source", "label"))
    assert isinstance(item, Texts)
    assert isinstance(source, Texts)
    assert isinstance(label, Texts)
    place = {name: at for at, name in enumerate(classes)}
    meant: list[Any] = []
    for code, name in enumerate(label.names):
        if name in place:
            meant.append(place[name])
        elif name in below:
            meant.append(one_of(*(place[leaf] for leaf in below[name])))
        else:
            row = int(np.argmax(label.codes == code))
            raise InvalidVotesError(f"row {row}: {name!r} is no {'node' if below else 'class'}", field="label")
    return Votes.from_triples(
        item.codes,
        source.codes,
        [meant[code] for code in label.codes.tolist()],
        n_classes=len(classes),
        source_names=source.names,
        item_ids=item.names,
    )


def class_cells(votes: Votes | Table, per_item: int) -> int:
    """Numbers that labeling votes holds: so many an item, and one for each source."""
    if isinstance(votes, Votes):
        return int(votes.n_items) * per_item
    item, source = votes.columns["item"], votes.columns["source"]
    assert isinstance(item, Texts)
    assert isinstance(source, Texts)
    return len(item.names) * (per_item + len(source.names))


def item_names(votes: Votes) -> Texts:
    """The ids of items; their positions where they have none."""
    ids = votes.item_ids if votes.item_ids is not None else range(votes.n_items)
    return Texts(tuple(map(str, ids)), np.arange(votes.n_items, dtype=np.int32))
