"""M-step: from expected counts to the evidence of votes."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.params import Params, Rows, Settings, Sources, Statistics


def statistics(rows: Rows, responsibilities: Float[Array, "U K"], n_sources: int, *, full: bool) -> Statistics:
    """Expected counts under the responsibilities.

    Args:
        rows: the data.
        responsibilities: [U, K] of the E-step.
        n_sources: M.
        full: counts of each source, symbol and class; else only how often each source was right.
    """
    weighted = rows.weight[:, None] * responsibilities
    n_classes = responsibilities.shape[1]
    if full:
        return Statistics(rows.layout.counts(weighted, n_sources, n_classes), weighted.sum(0))
    return Statistics(rows.layout.own_counts(weighted, n_sources).sum(1), weighted.sum(0))


def m_step(counted: Statistics, sources: Sources, settings: Settings) -> Params:
    """Parameters that fit the expected counts: a confusion matrix a source, or one accuracy each (one coin).

    Args:
        counted: of the E-step.
        sources: what is known of the sources.
        settings: constants.
    """
    counts, totals = counted.counts, counted.totals + 1
    log_balance = jnp.log(totals / totals.sum())
    log_prior = tempered_prior(log_balance, sources, settings.prior_precision)
    n_classes = sources.vote_counts.shape[1]
    if counts.ndim == 1:
        accuracy, _ = shrunk_accuracy(counts, sources, settings)
        gain = jnp.log(accuracy * (n_classes - 1) / (1 - accuracy))
        return Params(accuracy, jnp.tile(gain[:, None], (1, n_classes)), log_prior, totals)
    accuracy, overall = shrunk_accuracy(jnp.trace(counts, axis1=1, axis2=2), sources, settings)
    centre = expected_confusion(counts, accuracy, overall, sources, settings)
    recall = counts + settings.recall_mass * centre + settings.recall_floor / n_classes
    confusion = recall / recall.sum(1, keepdims=True)
    shown = (sources.vote_counts > 0).astype(counts.dtype)[:, :, None]
    precision = counts + settings.precision_mass * centre * shown + settings.precision_floor / n_classes
    by_precision = jnp.log(precision / precision.sum(2, keepdims=True)) - log_balance[None, None]
    share = sources.precision[:, None, None]
    evidence = (1 - share) * jnp.log(confusion) + share * by_precision
    return Params(confusion, evidence, log_prior, totals)


def shrunk_accuracy(
    correct: Float[Array, " M"], sources: Sources, settings: Settings
) -> tuple[Float[Array, " M"], Float[Array, ""]]:
    """Accuracy of each source, drawn to that of all together, which is drawn to what is expected; and the latter."""
    n_votes, n_classes = sources.n_votes, sources.vote_counts.shape[1]
    mass = settings.accuracy_mass
    right = (sources.independence * correct).sum() + mass * settings.accuracy_mean
    overall = right / ((sources.independence * n_votes).sum() + mass)
    return jnp.clip((correct + mass * overall) / (n_votes + mass), 1 / n_classes, 0.999), overall


def expected_confusion(
    counts: Float[Array, "M K K"],
    accuracy: Float[Array, " M"],
    overall: Float[Array, ""],
    sources: Sources,
    settings: Settings,
) -> Float[Array, "M K K"]:
    """What each confusion matrix is drawn to: the source's accuracy on the diagonal, errors in the shape all share."""
    n_classes = counts.shape[1]
    eye = jnp.eye(n_classes)
    pooled = (sources.independence[:, None, None] * counts).sum(0)
    errors = (pooled + settings.error_mass * (1 - overall) / (n_classes - 1)) * (1 - eye)
    shape = errors / errors.sum(0, keepdims=True)
    return accuracy[:, None, None] * eye[None] + (1 - accuracy)[:, None, None] * shape[None]


def tempered_prior(
    log_balance: Float[Array, " K"], sources: Sources, power: float | Float[Array, ""]
) -> Float[Array, " K"]:
    """The class balance as it enters the posterior.

    What unipolar sources say of the balance cannot be trusted (it would run away), so as far as votes are read by
    precision, a power of the anchors' balance stands in.
    """
    share = sources.mean_precision
    return (1 - share) * log_balance + share * power * sources.log_anchored
