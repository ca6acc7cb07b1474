"""M-step: from expected counts to the evidence of votes."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.numerics import class_axis
from weaklabel.model.records import Params, Rows, Sources, Statistics
from weaklabel.model.settings import Settings
from weaklabel.model.sources.bounds import bounded_confusion
from weaklabel.model.sources.imprecise import latent_votes, set_evidence, soft_counts

FEWEST = 1e-4
"""Least probability in a matrix whose accuracy is bounded."""


def statistics(rows: Rows, responsibilities: Float[Array, "U K"], params: Params, n_groups: int = 0) -> Statistics:
    """Expected counts under the responsibilities: of each source, symbol and class, or of right votes (one coin).

    Args:
        rows: the data.
        responsibilities: [U, K] of the E-step.
        params: those before; they say which form, and what is behind votes for several classes.
        n_groups: G; 0 where there are no groups.
    """
    weighted = rows.weight[:, None] * responsibilities
    (n_sources, *symbols), n_classes = params.evidence.shape[:-1], responsibilities.shape[1]
    by_group = None
    if rows.side is not None and rows.side.group is not None:
        by_group = jnp.zeros((n_groups, n_classes), weighted.dtype).at[rows.side.group].add(weighted)
    if not symbols:
        return Statistics(
            rows.layout.own_counts(weighted, n_sources).sum(1), class_axis.of_all_rows(weighted), by_group
        )
    counts = rows.layout.counts(weighted, n_sources, symbols[0])
    if rows.soft is not None:
        plain = soft_counts(rows.soft, params.confusion, weighted, counts[:, :n_classes])
        counts = jnp.concatenate([plain, counts[:, n_classes:]], axis=1)
    return Statistics(counts, class_axis.of_all_rows(weighted), by_group)


def m_step(counted: Statistics, sources: Sources, settings: Settings, before: Params) -> Params:
    """Parameters that fit the expected counts: a confusion matrix a source, or one accuracy each (one coin).

    Args:
        counted: of the E-step.
        sources: what is known of the sources.
        settings: constants.
        before: the parameters before, which say what is behind candidate sets.
    """
    counts, totals = counted.counts, counted.totals + 1
    log_balance = jnp.log(totals / totals.sum())
    log_prior = tempered_prior(log_balance, sources, settings.prior_precision)
    n_classes = sources.vote_counts.shape[1]
    if counts.ndim == 1:
        accuracy, _ = shrunk_accuracy(counts, sources, settings)
        if sources.bounds is not None:
            accuracy = jnp.clip(accuracy, sources.bounds[:, 0], sources.bounds[:, 1]).clip(1e-3, 1 - 1e-3)
        gain = jnp.log(accuracy * (n_classes - 1) / (1 - accuracy))
        evidence = jnp.tile(gain[:, None], (1, n_classes))
        return Params(accuracy, evidence, log_prior, totals, *group_prior(counted, totals, sources, settings))
    shown_sets = counts[:, n_classes:]
    counts = counts[:, :n_classes]
    of_source = counts.sum(1) + shown_sets.sum(1)
    if sources.sets is not None:
        counts = counts + latent_votes(shown_sets, before.confusion, sources.sets)
    accuracy, overall = shrunk_accuracy(jnp.trace(counts, axis1=1, axis2=2), sources, settings)
    if sources.bounds is not None:
        accuracy = jnp.clip(accuracy, sources.bounds[:, 0], sources.bounds[:, 1])
    centre = expected_confusion(counts, accuracy, overall, sources, settings)
    recall = counts + settings.recall_mass * centre + settings.recall_floor / n_classes
    confusion = recall / recall.sum(1, keepdims=True)
    if sources.bounds is not None:
        balance = (of_source + 1e-6) / (of_source + 1e-6).sum(1, keepdims=True)
        confusion = bounded_confusion(confusion, balance, *sources.bounds.T)
    shown = (sources.vote_counts > 0).astype(counts.dtype)[:, :, None]
    precision = counts + settings.precision_mass * centre * shown + settings.precision_floor / n_classes
    of_class = precision / precision.sum(2, keepdims=True)
    if sources.bounds is not None:
        shares = (counts.sum(2) + 1e-6) / (counts.sum(2) + 1e-6).sum(1, keepdims=True)
        of_class = bounded_confusion(of_class.transpose(0, 2, 1), shares, *sources.bounds.T).transpose(0, 2, 1)
    if sources.bounds is not None:  # a bound of 0 or 1 is certain, evidence must not be
        confusion, of_class = confusion.clip(FEWEST), of_class.clip(FEWEST)
    by_precision = jnp.log(of_class) - log_balance[None, None]
    share = sources.precision[:, None, None]
    evidence = (1 - share) * jnp.log(confusion) + share * by_precision
    if sources.sets is not None:
        of_sets = set_evidence(
            shown_sets, confusion, of_source, log_balance, sources.precision, sources.sets, settings.set_mass
        )
        evidence = jnp.concatenate([evidence, of_sets], axis=1)
    return Params(confusion, evidence, log_prior, totals, *group_prior(counted, totals, sources, settings))


def group_prior(
    counted: Statistics, totals: Float[Array, " K"], sources: Sources, settings: Settings
) -> tuple[Float[Array, "G K"] | None, Float[Array, "G K"] | None]:
    """Expected class totals of each group, drawn to the balance of all, and what the groups add to the log-prior.

    Shared confusions and a balance each are latent label shift (Garg et al. 2022, arXiv:2207.13179).
    """
    if counted.group_totals is None or sources.log_anchored_groups is None:
        return None, None
    balance = totals / totals.sum()
    of_group = counted.group_totals + settings.group_mass * balance[None]
    shift = jnp.log(of_group / of_group.sum(1, keepdims=True)) - jnp.log(balance)[None]
    anchored = sources.log_anchored_groups - sources.log_anchored[None]
    share = sources.mean_precision
    return of_group, (1 - share) * shift + share * settings.prior_precision * anchored


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
