"""M-step: from expected counts to the evidence of votes."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.params import Params, Rows, Settings, Sources


def m_step(
    rows: Rows, sources: Sources, responsibilities: Float[Array, "U K"], settings: Settings, *, full: bool
) -> Params:
    """Parameters that maximise the expected, penalised log-likelihood.

    Args:
        rows: the data.
        sources: what is known of the sources.
        responsibilities: [U, K] of the E-step.
        settings: constants.
        full: a confusion matrix for each source; else one accuracy each (one coin).
    """
    n_sources, n_classes = sources.vote_counts.shape
    weighted = rows.weight[:, None] * responsibilities
    totals = weighted.sum(0) + 1
    log_balance = jnp.log(totals / totals.sum())
    own = rows.layout.own_counts(weighted, n_sources) if not full else None
    counts = rows.layout.counts(weighted, n_sources) if full else None
    correct = jnp.trace(counts, axis1=1, axis2=2) if counts is not None else own.sum(1)  # type: ignore[union-attr]
    accuracy = shrunk_accuracy(correct, sources.vote_counts.sum(1), settings, n_classes)
    if counts is None:
        evidence = jnp.log(accuracy) - jnp.log((1 - accuracy) / (n_classes - 1))
        return Params(jnp.broadcast_to(evidence[:, None], own.shape), log_balance, jnp.exp(log_balance))  # type: ignore[union-attr]
    return Params(
        full_evidence(counts, accuracy, sources, log_balance, settings),
        tempered_prior(rows, sources, log_balance),
        jnp.exp(log_balance),
    )


def shrunk_accuracy(
    correct: Float[Array, " M"], n_votes: Float[Array, " M"], settings: Settings, n_classes: int
) -> Float[Array, " M"]:
    """Accuracy of each source, drawn to the mean of all, and that to what is expected."""
    mass, mean = settings.accuracy_mass, settings.accuracy_mean
    overall = (correct.sum() + mass * mean) / (n_votes.sum() + mass)
    return jnp.clip((correct + mass * overall) / (n_votes + mass), 1 / n_classes, 0.999)


def full_evidence(
    counts: Float[Array, "M K K"],
    accuracy: Float[Array, " M"],
    sources: Sources,
    log_balance: Float[Array, " K"],
    settings: Settings,
) -> Float[Array, "M K K"]:
    """Evidence of each vote: P(vote | class) and P(class | vote) / P(class), by the polarity of the source."""
    n_classes = counts.shape[1]
    eye = jnp.eye(n_classes)[None]
    off = (1 - accuracy) / (n_classes - 1)
    centre = accuracy[:, None, None] * eye + off[:, None, None] * (1 - eye)
    recall = counts + settings.recall_mass * centre + settings.recall_floor / n_classes
    by_recall = jnp.log(recall / recall.sum(1, keepdims=True))
    shown = (sources.vote_counts > 0).astype(counts.dtype)[:, :, None]
    precision = counts + settings.precision_mass * centre * shown + settings.precision_floor / n_classes
    by_precision = jnp.log(precision / precision.sum(2, keepdims=True)) - log_balance[None, None]
    share = sources.precision[:, None, None]
    return (1 - share) * by_recall + share * by_precision


def tempered_prior(rows: Rows, sources: Sources, log_balance: Float[Array, " K"]) -> Float[Array, " K"]:
    """The class balance as it enters the posterior.

    What unipolar sources say of the balance cannot be trusted (it would run away), so as far as votes are read by
    precision, half the logarithm of the anchors' balance stands in.
    """
    anchored = (rows.weight[:, None] * rows.anchor).sum(0) + 1
    log_anchored = jnp.log(anchored / anchored.sum())
    n_votes = sources.vote_counts.sum(1)
    share = (sources.precision * n_votes).sum() / jnp.maximum(n_votes.sum(), 1)
    return (1 - share) * log_balance + share * log_anchored / 2
