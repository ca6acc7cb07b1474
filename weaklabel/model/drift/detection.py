"""Whether, how fast and when the skill of a source changes: by the marginal likelihood of its right and wrong votes.

In each class a source's right votes of a block are Beta-binomial, given those of the blocks before, which fade: the
filter of West, Harrison and Migon (1985, doi:10.1080/01621459.1985.10477131), here with a rate learned per source. At a
jump all is forgotten. The best jumps for a rate are found exactly by dynamic programming (optimal partitioning: Jackson
et al. 2005, doi:10.1109/LSP.2001.838216).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

HALVINGS = 7
"""Half-lives that are tried beside none: the time between the first and the last block, and halves of it."""
FADE_EVIDENCE = 3.0
"""Rise of the log marginal likelihood, in nats, that makes a source one that fades, ..."""
JUMP_EVIDENCE = 5.0
"""... and that makes for each jump."""
PRIOR_VOTES = 8.0
"""Votes, in each class, behind the accuracy that a source is expected to have at first and after a jump."""
FEWEST_BLOCKS_TO_JUDGE = 3
"""With fewer blocks, nothing changes."""


class Changes(NamedTuple):
    """How the skill of each source changes."""

    rates: NDArray[np.float64]
    """[M] counts fade by exp(-rate) in a unit of time; 0 where nothing fades."""
    segments: NDArray[np.int32]
    """[M, B] number of jumps up to each block."""

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        return bool(self.rates.any() or self.segments.any())


def nothing_changes(n_sources: int, n_blocks: int) -> Changes:
    """Of sources whose skill is constant."""
    return Changes(np.zeros(n_sources), np.zeros((n_sources, n_blocks), np.int32))


def find_changes(counts: NDArray[np.float32], times: NDArray[np.float64]) -> Changes:
    """The likeliest rate and jumps of each source.

    Args:
        counts: [B, M, K, K] expected votes of each block: vote on the third axis, class on the last.
        times: [B] of the blocks.
    """
    n_blocks, n_sources = counts.shape[:2]
    span = times[-1] - times[0] if n_blocks else 0.0
    if n_blocks < FEWEST_BLOCKS_TO_JUDGE or not span > 0:
        return nothing_changes(n_sources, n_blocks)
    right = np.einsum("bmkk->bmk", counts).astype(np.float64)
    wrong = counts.sum(2, dtype=np.float64) - right
    expected = (right.sum() + 0.75) / (right.sum() + wrong.sum() + 1)
    prior = PRIOR_VOTES * expected, PRIOR_VOTES * (1 - expected)
    rates = np.append(0.0, np.log(2) / (span / 2.0 ** np.arange(HALVINGS)))
    segments_by_rate, scores = [], []
    for rate in rates:
        gains = _segment_scores(right, wrong, times, float(rate), prior)
        segments, score = _partition(gains)
        segments_by_rate.append(segments)
        scores.append(score - (FADE_EVIDENCE if rate else 0))
    best = np.argmax(scores, axis=0)
    return Changes(rates[best], np.stack(segments_by_rate)[best, np.arange(n_sources)])


def _segment_scores(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    times: NDArray[np.float64],
    rate: float,
    prior: tuple[float, float],
) -> NDArray[np.float64]:
    """[M, B, B + 1] log marginal likelihood of the blocks from one on, and before another, as a segment of its own."""
    n_blocks, n_sources, _ = right.shape
    seen_right, seen_wrong = np.zeros_like(right), np.zeros_like(wrong)  # by the block that a segment begins with
    total = np.zeros((n_blocks, n_sources))
    scores = np.full((n_sources, n_blocks, n_blocks + 1), -np.inf)
    for at in range(n_blocks):
        if at and rate:
            fade = np.exp(-rate * (times[at] - times[at - 1]))
            seen_right[:at] *= fade
            seen_wrong[:at] *= fade
        a, b = seen_right[: at + 1] + prior[0], seen_wrong[: at + 1] + prior[1]
        total[: at + 1] += (betaln(a + right[at], b + wrong[at]) - betaln(a, b)).sum(2)
        scores[:, : at + 1, at + 1] = total[: at + 1].T
        seen_right[: at + 1] += right[at]
        seen_wrong[: at + 1] += wrong[at]
    return scores


def _partition(scores: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """[M, B] number of jumps up to each block, and [M] the log marginal likelihood, less what jumps must bring."""
    n_sources, n_blocks, _ = scores.shape
    best = np.full((n_sources, n_blocks + 1), -np.inf)
    best[:, 0] = JUMP_EVIDENCE
    begins = np.zeros((n_sources, n_blocks + 1), np.int64)
    for end in range(1, n_blocks + 1):
        candidates = best[:, :end] + scores[:, :end, end] - JUMP_EVIDENCE
        begins[:, end] = candidates.argmax(1)
        best[:, end] = candidates.max(1)
    jumps = np.zeros((n_sources, n_blocks), np.int32)
    ends, every = np.full(n_sources, n_blocks), np.arange(n_sources)
    while ends.any():
        ends = begins[every, ends]
        jumps[every[ends > 0], ends[ends > 0]] = 1
    return jumps.cumsum(1, dtype=np.int32), best[:, n_blocks]


def fading(changes: Changes, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, B, B] weight of the counts of a block (last axis) in the skills of another: none across a jump.

    Args:
        changes: of M sources.
        times: [B] of the blocks.
    """
    apart = np.abs(times[:, None] - times[None])
    same = changes.segments[:, :, None] == changes.segments[:, None, :]
    return np.asarray(np.exp(-changes.rates[:, None, None] * apart) * same)
