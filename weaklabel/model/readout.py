"""Read-out: from evidence to calibrated soft labels, and to the class that is called.

The posterior of a model whose sources are independent is too sure where they are not. So the evidence of one vote is
bounded, n votes count as n / (1 + (n - 1) r) with the correlation r of their errors, and a share of the vote shares and
of the uniform distribution is mixed in; all of it as far as errors are seen to be correlated.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from weaklabel.model.estep import row_evidence
from weaklabel.model.params import Params, ReadOut, Rows, Settings, Sources


def make_read_out(
    params: Params,
    sources: Sources,
    settings: Settings,
    *,
    correlation: float,
    expected_votes: Float[Array, "M K"] | None,
    n_uncovered: float,
) -> ReadOut:
    """The read-out of a fit.

    Args:
        params: what EM estimated.
        sources: what is known of the sources.
        settings: constants.
        correlation: excess correlation of errors.
        expected_votes: [M, K] how often each source voted in each class; None without confusion matrices.
        n_uncovered: number of items without votes.
    """
    precision = float(sources.mean_precision)
    beyond = max(correlation - settings.correlation_ignored, 0.0)
    seen = float(np.clip(beyond / settings.correlation_full, settings.least_safeguard, 1))
    safeguard = (1 - precision) * seen + precision
    voting = sources.vote_counts.sum(1) > 0
    n_sources = max(float(jnp.where(voting, sources.independence, 0).sum()), 1.0)
    few = settings.correlation_few / n_sources
    assumed = safeguard * (settings.correlation_base + few) + settings.correlation_gain * beyond
    call = _uncovered_call(params, sources, settings, expected_votes, n_uncovered)
    return ReadOut(
        evidence=_bounded(params, settings.bound, safeguard),
        log_prior=params.log_prior,
        sharpness=_scalar(1 - precision + precision * settings.sharpen_precision),
        correlation=_scalar((1 - precision) * assumed),
        anchor_share=_scalar(safeguard * settings.anchor_share),
        uniform_share=_scalar(safeguard * settings.uniform_share),
        uncovered_call=jnp.asarray(call, jnp.float32),
    )


def _scalar(value: float) -> Array:
    return jnp.asarray(value, jnp.float32)


def _bounded(params: Params, bound: float, safeguard: float) -> Array:
    """Evidence in which a vote may be noise with probability `bound`, as far as safeguards are in force."""
    if params.evidence.ndim == 2:
        n_classes = params.evidence.shape[1]
        accuracy = (1 - bound) * params.confusion + bound / n_classes
        bounded = jnp.tile(jnp.log(accuracy * (n_classes - 1) / (1 - accuracy))[:, None], (1, n_classes))
    else:
        scaled = jnp.exp(params.evidence - params.evidence.max(2, keepdims=True))
        bounded = jnp.log((1 - bound) * scaled + bound * scaled.mean(2, keepdims=True))
    return (1 - safeguard) * params.evidence + safeguard * bounded


def _uncovered_call(
    params: Params,
    sources: Sources,
    settings: Settings,
    expected_votes: Float[Array, "M K"] | None,
    n_uncovered: float,
) -> NDArray[np.float64]:
    """[K] score of each class where no source votes: the balance, and the silence of unipolar sources.

    Classes about as good as the best share the call, so that it is a tie rather than a guess.
    """
    counts = np.asarray(sources.vote_counts, np.float64)
    n_classes = counts.shape[1]
    if (counts.sum(0) > 0).sum() < 2:  # a class that nobody votes for says nothing of the others
        return np.full(n_classes, 1 / n_classes)
    totals = np.asarray(params.class_totals, np.float64)
    score = (1 - float(sources.mean_precision)) * np.log(totals / totals.sum())
    if expected_votes is not None:
        fired = np.asarray(expected_votes, np.float64)
        n_class = totals + n_uncovered / n_classes
        coverage = (fired + 2 * fired.sum(1, keepdims=True) / n_class.sum()) / (n_class + 2)
        silence = np.log(np.clip(1 - coverage, 1e-3, 1))
        score = score + (np.asarray(sources.precision * sources.independence)[:, None] * silence).sum(0)
    margin = max(settings.call_margin, settings.call_range * (score.max() - score.min()))
    best = score >= score.max() - margin
    return np.asarray(best / best.sum())


def read_out(rows: Rows, how: ReadOut) -> tuple[Float[Array, "U K"], Float[Array, "U K"]]:
    """Soft labels, and the scores whose largest is called: the same but for rows without votes."""
    n_classes = how.log_prior.shape[0]
    worth = how.sharpness / (1 + (rows.n_votes.clip(1) - 1) * how.correlation)
    posterior = jax.nn.softmax(worth[:, None] * (how.log_prior[None] + row_evidence(rows, how.evidence)), axis=1)
    mixed = (1 - how.anchor_share) * posterior + how.anchor_share * rows.anchor
    mixed = (1 - how.uniform_share) * mixed + how.uniform_share / n_classes
    covered = rows.n_votes[:, None] > 0
    uniform = jnp.full_like(mixed, 1 / n_classes)
    return jnp.where(covered, mixed, uniform), jnp.where(covered, mixed, how.uncovered_call[None])
