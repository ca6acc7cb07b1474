"""Shrinkage: what the accuracies and confusion matrices of sources are drawn to, where their votes are few."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from weaklabel.model.records import Profile
from weaklabel.model.settings import Settings


def shrunk_accuracy(
    correct: Float[Array, " M"], profile: Profile, settings: Settings
) -> tuple[Float[Array, " M"], Float[Array, ""]]:
    """Accuracy of each source, drawn to that of all together, which is drawn to what is expected; and the latter."""
    n_votes, n_classes = profile.n_votes, profile.vote_counts.shape[1]
    mass = settings.accuracy_mass
    right = (profile.independence * correct).sum() + mass * settings.accuracy_mean
    overall = right / ((profile.independence * n_votes).sum() + mass)
    return jnp.clip((correct + mass * overall) / (n_votes + mass), 1 / n_classes, 0.999), overall


def expected_confusion(
    counts: Float[Array, "M K K"],
    accuracy: Float[Array, " M"],
    overall: Float[Array, ""],
    profile: Profile,
) -> Float[Array, "M K K"]:
    """What each confusion matrix is drawn to: the source's accuracy on the diagonal, errors in the shape all share."""
    n_classes = counts.shape[1]
    eye = jnp.eye(n_classes)
    pooled = (profile.independence[:, None, None] * counts).sum(0)
    errors = (pooled + profile.error_mass * (1 - overall) / (n_classes - 1)) * (1 - eye)
    shape = errors / errors.sum(0, keepdims=True)
    return accuracy[:, None, None] * eye[None] + (1 - accuracy)[:, None, None] * shape[None]
