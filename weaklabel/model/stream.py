"""Fits on more rows than are worth iterating over: EM on a sample, then a few passes over all of them.

Parameters fitted on a sample are off by the sample's error. Each pass over all rows is an EM iteration, which shrinks
that error by EM's own rate; passes go on until the responsibilities of the sampled rows hardly move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from weaklabel.chunks import VoteChunks
from weaklabel.errors import InvalidVotesError
from weaklabel.model.init import Prepared, pad
from weaklabel.model.layout import bucket, padded, shares_of
from weaklabel.model.merge import MergedRows, merge_rows
from weaklabel.model.params import Settings, Sources
from weaklabel.model.sweep import Reading, Swept, sweep
from weaklabel.votes import ABSTAIN, Codes, Votes

CHUNK_ROWS = 2**17
"""Rows on the device at once."""
CHUNKS_IN_FLIGHT = 8
VOTES_PER_PARAMETER = 8
"""A sample holds so many votes for each cell of the confusion matrices."""


class Chunk(NamedTuple):
    """Consecutive rows."""

    codes: Codes
    """[n, M]"""
    gold: NDArray[np.int32] | None
    """[n] known labels, -1 where unknown."""


def cut(votes: Votes, gold: NDArray[np.int32] | None) -> Iterator[Chunk]:
    """Votes in memory, in chunks that are views."""
    codes = votes.to_codes()
    for start in range(0, votes.n_items, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        yield Chunk(codes[rows], None if gold is None else gold[rows])


def cut_chunks(chunks: VoteChunks) -> Iterator[Chunk]:
    """Votes that are read anew, in chunks of at most CHUNK_ROWS; small ones are put together."""
    waiting: list[Codes] = []
    for votes in chunks:
        if not votes.is_plain:
            raise InvalidVotesError("votes that are read in chunks must be plain classes", field="votes")
        codes = votes.to_codes()
        for start in range(0, len(codes), CHUNK_ROWS):
            part = codes[start : start + CHUNK_ROWS]
            if sum(map(len, waiting)) + len(part) > CHUNK_ROWS:
                yield Chunk(np.concatenate(waiting), None)
                waiting = []
            waiting.append(part)
    if waiting:
        yield Chunk(np.concatenate(waiting), None)


def sample_size(votes: Votes, sample_rows: int) -> int:
    """Rows that a sample of these votes needs: more where there are many parameters."""
    n_cells = votes.n_sources * votes.n_classes**2
    looked_at = votes.to_codes()[:CHUNK_ROWS]
    per_row = max(np.count_nonzero(looked_at >= 0) / max(len(looked_at), 1), 1e-9)
    return max(sample_rows, int(min(VOTES_PER_PARAMETER * n_cells / per_row, 2**62)))


def draw(votes: Votes, gold: NDArray[np.int32] | None, size: int, seed: int) -> MergedRows:
    """A sample of the rows, and all rows with a known label, merged.

    Args:
        votes: N items.
        gold: [N] known labels, -1 where unknown.
        size: number of rows.
        seed: of the choice.
    """
    ranks = row_ranks(0, votes.n_items, seed)
    if gold is not None:
        ranks[gold >= 0] = 0
    chosen = np.flatnonzero(ranks <= np.partition(ranks, size)[size])
    return weighed(votes.select_items(chosen), None if gold is None else gold[chosen], votes.n_items)


def weighed(votes: Votes, gold: NDArray[np.int32] | None, n_items: int) -> MergedRows:
    """Sampled rows merged, with weights that add up to the number of all items."""
    n_known = 0 if gold is None else int((gold >= 0).sum())
    merged = merge_rows(votes, gold)
    scale = (n_items - n_known) / max(votes.n_items - n_known, 1)
    factor = scale if merged.gold is None else np.where(merged.gold >= 0, 1, scale)
    return merged._replace(weight=(merged.weight * factor).astype(np.float32), scale=scale)


def draw_chunks(
    chunks: Iterable[Chunk], n_classes: int, names: tuple[str, ...], size: int, seed: int
) -> tuple[MergedRows, int]:
    """As `draw`, of rows that are read once, and their number."""
    kept, ranks, n_items = np.empty((0, len(names)), np.int8), np.empty(0, np.uint32), 0
    limit = np.uint32(0xFFFFFFFF)
    for chunk in chunks:
        of_chunk = row_ranks(n_items, len(chunk.codes), seed)
        n_items += len(chunk.codes)
        near = of_chunk <= limit
        kept, ranks = np.concatenate([kept, chunk.codes[near]]), np.concatenate([ranks, of_chunk[near]])
        if len(ranks) > size + 1:
            limit = np.partition(ranks, size)[size]
            kept, ranks = kept[ranks <= limit], ranks[ranks <= limit]
    return weighed(Votes.from_codes(kept, n_classes, sources=names), None, n_items), n_items


def row_ranks(start: int, n_rows: int, seed: int) -> NDArray[np.uint32]:
    """[n] the places of rows in a random order that depends on their number and the seed alone (a 32-bit mixer)."""
    x = np.arange(start, start + n_rows, dtype=np.uint32)
    x += np.uint32((seed * 0x9E3779B9 + 1) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return x


def pass_over(chunks: Iterable[Chunk], prepared: Prepared, reading: Reading) -> Swept:
    """Sums over all rows, in float64."""
    copies = jnp.asarray(prepared.copies.toarray(), jnp.float32) if prepared.copies.nnz else None
    total: Swept | None = None
    waiting: list[Swept] = []
    for chunk in chunks:
        waiting.append(_sweep_chunk(chunk, copies, reading))
        if len(waiting) == CHUNKS_IN_FLIGHT:  # the device works while the host reads on
            total, waiting = _added(total, waiting), []
    if total is None and not waiting:
        raise InvalidVotesError("there are no rows", field="votes")
    return _added(total, waiting)


def _added(total: Swept | None, found: list[Swept]) -> Swept:
    exact = [jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), one) for one in found]
    summed: Swept = jax.tree.map(lambda *leaves: sum(leaves), *exact, *([] if total is None else [total]))
    return summed


def _sweep_chunk(chunk: Chunk, copies: Array | None, reading: Reading) -> Swept:
    n_rows = bucket(len(chunk.codes))
    codes = jnp.asarray(padded(chunk.codes, n_rows))
    items = pad(np.ones(len(chunk.codes), np.float32), n_rows)
    gold = None if chunk.gold is None else pad(chunk.gold, n_rows, ABSTAIN)
    shares = None if copies is None else shares_of(codes, copies)
    found: Swept = sweep(codes, shares, items, gold, reading)
    return found


def read_with(prepared: Prepared, settings: Settings) -> dict[str, Array]:
    """What a pass needs beside the parameters."""
    return {
        "anchor_mass": jnp.asarray(settings.anchor_mass, jnp.float32),
        "hold": jnp.asarray(prepared.hold, jnp.float32),
        "gold_weights": prepared.gold_weights,
    }


def refreshed(sources: Sources, swept: Swept) -> Sources:
    """What is known of the sources, with the counts of all rows in place of the sample's."""
    anchored = np.asarray(swept.anchored) + 1
    return sources._replace(
        n_votes=jnp.asarray(swept.n_votes, jnp.float32),
        log_anchored=jnp.asarray(np.log(anchored / anchored.sum()), jnp.float32),
    )
