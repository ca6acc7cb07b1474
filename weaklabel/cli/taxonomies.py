"""Taxonomies in files, and votes for their nodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from weaklabel import Taxonomy
    from weaklabel.formats.vote_tables import VoteTable


def read_taxonomy(path: Path, leaves: list[str] | None) -> Taxonomy:
    """The taxonomy of a table of two columns, node and parent; blank for a root.

    Args:
        path: CSV, TSV, JSON lines or Parquet.
        leaves: the leaves in the order of the class indices; None for that of the file.

    Raises:
        InvalidVotesError: for a file that cannot be read as a table, one of more or fewer columns, and what is no
            taxonomy, or one with other leaves.
    """
    from weaklabel import Taxonomy
    from weaklabel.errors import InvalidArgumentError, InvalidVotesError
    from weaklabel.formats.tables import format_of, name_of, read_bytes, table_of

    table = table_of(read_bytes(path), name_of(path), format_of(path))
    if len(table.columns) != 2:
        raise InvalidVotesError(
            f"{table.name} has {len(table.columns)} columns: two are expected, node and parent", field="taxonomy"
        )
    node, parent = (table.texts(name) for name in table.columns)
    try:
        return Taxonomy.from_parents(list(zip(node, parent, strict=True)), leaves=leaves)
    except InvalidArgumentError as error:
        raise InvalidVotesError(f"{table.name}: {error} (row 0 follows the names)", field="taxonomy") from None


def over_leaves(table: VoteTable, taxonomy: Taxonomy) -> VoteTable:
    """A table of votes for nodes as one of votes for leaves.

    Raises:
        InvalidVotesError: for a known label that is an inner node.
    """
    from weaklabel.errors import InvalidVotesError

    for labels in (table.gold, table.labels):
        if labels is not None and (inner := labels >= taxonomy.n_leaves).any():
            at = int(np.argmax(inner))
            raise InvalidVotesError(
                f"item {at}: the known label {taxonomy.nodes[labels[at]]!r} is an inner node; known labels are leaves",
                field="gold",
            )
    return replace(table, votes=taxonomy.votes(table.votes), classes=taxonomy.leaves)
