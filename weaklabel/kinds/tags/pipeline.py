"""Votes in, parameters or probabilities out: cells, the loop, correlations, gold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from weaklabel.kinds.tags import settings
from weaklabel.kinds.tags.cells import ANSWERS, NO, OMITTED, Cells, Pairs, cells_of, pairs_of
from weaklabel.kinds.tags.correlation import Correlation, correlate
from weaklabel.kinds.tags.fitting import Answers, Sources, before_first, run, share_of
from weaklabel.kinds.tags.gold import GoldCalibration, calibrate, uncalibrated
from weaklabel.kinds.tags.votes import TagVotes
from weaklabel.model.em.segments import OnProgress, in_segments
from weaklabel.model.numerics.jax_settings import under_own_settings
from weaklabel.model.numerics.padding import bucket, rounded_up, single, to_device

SMALL = 2**16
"""Answers, cells or pairs up to which they are padded to a power of two."""

Gold = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class TagParams(NamedTuple):
    """What a fit learns."""

    pairs: Pairs
    weight: NDArray[np.float64]
    """[P] of a vote of each source on a tag, about 1."""
    omission: float
    """Weight of an omission beside a vote of the same source."""
    log_ratio: NDArray[np.float64]
    """[P, 3] log P(answer | tag holds) / P(answer | it does not), of no, yes and an omission."""
    prevalence: NDArray[np.float64]
    """[K] mean share of each tag over all items."""
    correlation: Correlation
    gold: GoldCalibration
    n_votes: NDArray[np.int64]
    """[M]"""


class Fitted(NamedTuple):
    """Parameters, and how the fit went."""

    params: TagParams
    n_iter: int
    converged: bool
    n_items: int


class Read(NamedTuple):
    """Votes with what is known of their cells."""

    cells: Cells
    n_items: int
    log_odds: NDArray[np.float64]
    """[C] of the cells, before correlations and gold."""
    unlisted: NDArray[np.float64]
    """[N] share of a tag that nobody voted on, at most."""
    other_tags: NDArray[np.float64] | None
    """[N, Q] shares of the correlated tags, less their means."""


@under_own_settings
def fit_tags(
    votes: TagVotes,
    gold: Gold | None,
    n_tags: int,
    unlisted: str,
    max_iter: int,
    tol: float,
    progress: OnProgress | None = None,
) -> Fitted:
    """Sources on tags from votes, and from gold where there is some."""
    voted = pairs_of(votes, n_tags)
    pairs = voted if unlisted != "no" else _with_omissions(voted, votes)
    cells = cells_of(votes, pairs, unlisted)
    n_pairs, n_cells = _room(len(pairs.code)), _room(len(cells.item))
    sources = _sources(votes, cells, pairs, unlisted, n_pairs)
    known = np.full(n_cells, -1.0, np.float32)
    if gold is not None:
        known[: len(cells.item)] = _known(cells, gold, n_tags)
    answers, known_cells, limit = _on_device(cells), to_device(known), single(tol)
    size = {"n_sources": votes.n_sources, "n_tags": n_tags}
    state = in_segments(
        lambda begin, stop_at: run(begin, answers, sources, known_cells, stop_at, limit, **size),
        before_first(answers, sources, n_cells=n_cells),
        max_iter,
        progress,
    )
    cut = len(pairs.code)
    params = TagParams(
        pairs=pairs,
        weight=np.asarray(state.weight, np.float64)[:cut],
        omission=float(state.omission) if unlisted == "learned" else 1.0,
        log_ratio=np.asarray(state.log_ratio, np.float64)[:cut],
        prevalence=np.zeros(n_tags),
        correlation=Correlation(np.zeros(0, np.int32), np.zeros(0), np.zeros((0, 0))),
        gold=uncalibrated(n_tags),
        n_votes=np.bincount(votes.source[votes.tag >= 0], minlength=votes.n_sources),
    )
    params = _with_tags(params, cells, votes, unlisted)
    if gold is not None:
        z = log_odds_at(read_out(votes, params, unlisted), params, gold[0], gold[1], calibrated=False)
        params = params._replace(gold=calibrate(z, *gold, n_tags))
    return Fitted(params, int(state.iteration), bool(state.change <= tol), votes.n_items)


@under_own_settings
def read_out(votes: TagVotes, params: TagParams, unlisted: str) -> Read:
    """Cells of votes by known sources, and their log odds."""
    cells = cells_of(votes, params.pairs, unlisted)
    weight = np.append(params.weight, 1.0)  # of a pair that the fit has not seen
    room = np.zeros(_room(len(weight)), np.float32)
    room[: len(weight)] = weight
    share = share_of(_on_device(cells), to_device(room), single(params.omission), n_cells=_room(len(cells.item)))
    log_odds = logit(np.asarray(share, np.float64)[: len(cells.item)])
    silence = np.zeros(votes.n_items)
    if unlisted != "unknown":
        silent = np.ones(votes.n_sources, np.bool_) if unlisted == "no" else ~params.pairs.explicit
        np.add.at(silence, cells.looked_item, params.omission * silent[cells.looked_source])
    ceiling = settings.SHARE_PRIOR / 2 / (settings.SHARE_PRIOR + silence)
    read = Read(cells, votes.n_items, log_odds, ceiling, None)
    correlation = params.correlation
    if len(correlation.tag):
        shares = dense_shares(read, params.prevalence, correlation.tag)
        read = read._replace(other_tags=shares - correlation.mean)
    return read


def dense_shares(read: Read, prevalence: NDArray[np.float64], tag: NDArray[np.int32]) -> NDArray[np.float64]:
    """[N, Q] shares of some tags, ascending, before correlations and gold."""
    shares = np.minimum(read.unlisted[:, None], prevalence[tag])
    column = np.full(len(prevalence), -1)
    column[tag] = np.arange(len(tag))
    at = np.flatnonzero(column[read.cells.tag] >= 0)
    shares[read.cells.item[at], column[read.cells.tag[at]]] = expit(read.log_odds[at])
    return shares


def cell_probabilities(read: Read, params: TagParams) -> NDArray[np.float64]:
    """[C] probability of each cell that somebody voted on."""
    return expit(_finished(read.log_odds, read, params, read.cells.item, read.cells.tag, calibrated=True))


def dense_probabilities(read: Read, params: TagParams) -> NDArray[np.float64]:
    """[N, K] probabilities."""
    n_tags = params.pairs.n_tags
    found = logit(dense_shares(read, params.prevalence, np.arange(n_tags, dtype=np.int32)))
    if read.other_tags is not None:
        found[:, params.correlation.tag] += read.other_tags @ params.correlation.slope
    gold = params.gold
    return np.asarray(expit(gold.slope * found + gold.shift + gold.tag_shift))


def log_odds_at(
    read: Read, params: TagParams, item: NDArray[Any], tag: NDArray[Any], *, calibrated: bool = True
) -> NDArray[np.float64]:
    """Log odds of any cells."""
    n_tags = params.pairs.n_tags
    code = read.cells.item.astype(np.int64) * n_tags + read.cells.tag
    wanted = item.astype(np.int64) * n_tags + tag
    at = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    rest = logit(np.minimum(read.unlisted[item], params.prevalence[tag]))
    return _finished(
        np.where(code[at] == wanted, read.log_odds[at], rest), read, params, item, tag, calibrated=calibrated
    )


def _finished(
    log_odds: NDArray[np.float64], read: Read, params: TagParams, item: Any, tag: Any, *, calibrated: bool
) -> NDArray[np.float64]:
    correlation, gold = params.correlation, params.gold
    found = log_odds.copy()
    if read.other_tags is not None:
        column = np.full(params.pairs.n_tags, -1)
        column[correlation.tag] = np.arange(len(correlation.tag))
        at = np.flatnonzero(column[tag] >= 0)
        found[at] += (read.other_tags @ correlation.slope)[item[at], column[tag[at]]]
    return gold.slope * found + gold.shift + gold.tag_shift[tag] if calibrated else found


def _with_tags(params: TagParams, cells: Cells, votes: TagVotes, unlisted: str) -> TagParams:
    """Prevalence of the tags, and correlations."""
    n_tags = params.pairs.n_tags
    read = read_out(votes, params, unlisted)
    share = expit(read.log_odds)
    seen = np.bincount(cells.tag, minlength=n_tags)
    total = np.bincount(cells.tag, share, minlength=n_tags)
    # A tag that sources say no to is judged on its cells; of one that is only listed, other items have none.
    said_no = np.bincount(cells.tag[cells.cell], cells.answer == NO, minlength=n_tags) > 0
    items = np.where(said_no, seen, votes.n_items) if unlisted != "unknown" else seen
    params = params._replace(prevalence=(total + settings.SHARE_PRIOR / 2) / (items + 2 * settings.SHARE_PRIOR))
    top = np.sort(np.argsort(-seen, kind="stable")[: settings.MOST_CORRELATED])
    tag = top[seen[top] > 0].astype(np.int32)
    if len(tag) < 2:
        return params
    return params._replace(correlation=correlate(dense_shares(read, params.prevalence, tag), tag))


def _with_omissions(pairs: Pairs, votes: TagVotes) -> Pairs:
    """The pairs, and those of sources that looked at an item of which another has voted on a tag."""
    cells = np.unique(votes.item[votes.tag >= 0].astype(np.int64) * pairs.n_tags + votes.tag[votes.tag >= 0])
    looked = np.unique(votes.item.astype(np.int64) * votes.n_sources + votes.source)
    count = np.bincount(looked // votes.n_sources, minlength=votes.n_items)
    first = np.cumsum(count) - count
    item, tag = cells // pairs.n_tags, cells % pairs.n_tags
    size = count[item]
    offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    source = (looked % votes.n_sources)[np.repeat(first[item], size) + offset]
    return pairs._replace(code=np.unique(source * pairs.n_tags + np.repeat(tag, size)))


def _sources(votes: TagVotes, cells: Cells, pairs: Pairs, unlisted: str, room: int) -> Sources:
    """Pairs on the device; with the items that a positives-only source looked at and where nobody voted on the tag."""
    source, tag = pairs.source, pairs.tag
    silent = np.ones(votes.n_sources, np.bool_) if unlisted == "no" else ~pairs.explicit
    elsewhere = np.zeros((room, ANSWERS), np.float32)
    if unlisted != "unknown":
        looked = np.bincount(cells.looked_source, minlength=votes.n_sources)
        here = np.bincount(cells.pair, minlength=len(source))
        kind = OMITTED if unlisted == "learned" else NO
        elsewhere[: len(source), kind] = np.maximum(looked[source] - here, 0) * silent[source]
    omits = np.zeros(room, np.float32)
    omits[: len(source)] = silent[source] & (unlisted == "learned")
    return Sources(to_device(source, room), to_device(tag, room), to_device(omits), to_device(elsewhere))


def _known(cells: Cells, gold: Gold, n_tags: int) -> NDArray[np.float32]:
    code = cells.item.astype(np.int64) * n_tags + cells.tag
    wanted = gold[0].astype(np.int64) * n_tags + gold[1]
    at = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
    known = np.full(len(code), -1.0, np.float32)
    here = code[at] == wanted
    known[at[here]] = gold[2][here]
    return known


def _on_device(cells: Cells) -> Answers:
    room = _room(len(cells.cell))
    return Answers(
        to_device(cells.cell, room, _room(len(cells.item)) - 1),  # padding stays in the order of cells
        to_device(cells.pair, room),
        to_device(cells.answer.astype(np.int32), room),
        to_device(np.ones(len(cells.cell), np.float32), room),
    )


def _room(size: int) -> int:
    return bucket(size) if size <= SMALL else rounded_up(size)
