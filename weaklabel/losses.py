"""Losses for training on imprecise labels: soft, noisy, candidate sets and complementary labels.

Pure JAX functions by the conventions of optax: logits [..., K] and labels first, one loss an example [...] out, nothing
averaged or summed. Weight them by `weaklabel.training.confidence` and take the mean as you like::

    loss = (weight * losses.soft_cross_entropy(logits, soft_labels)).mean()

Labels are probabilities [..., K] (one-hot where a class is known), or 0/1 for sets. All are finite, gradients included,
for any finite logits.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = [
    "active_passive",
    "backward_corrected_cross_entropy",
    "candidate_average",
    "candidate_likelihood",
    "candidate_progressive",
    "complementary_forward",
    "complementary_unbiased",
    "early_learning_regularized",
    "forward_corrected_cross_entropy",
    "generalized_cross_entropy",
    "mean_absolute_error",
    "normalized_cross_entropy",
    "reverse_cross_entropy",
    "soft_cross_entropy",
    "symmetric_cross_entropy",
]

_LOG_ZERO = -4.0
"""What stands for log 0 in reverse cross-entropy, as in its paper."""
_TINY = 1e-30


def soft_cross_entropy(logits: Float[Array, "*N K"], labels: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Cross-entropy with soft labels: the expected log-loss under the label model's probabilities.

    It is the noise-aware loss of Ratner et al., Data Programming, NIPS 2016, arXiv 1605.07723.
    """
    return -(labels * jax.nn.log_softmax(logits)).sum(-1)


# ------------------------------------------------------- known confusions of labels


def forward_corrected_cross_entropy(
    logits: Float[Array, "*N K"], labels: Float[Array, "*N K"], transition: Float[Array, "K K"]
) -> Float[Array, "*N"]:
    """Cross-entropy between noisy labels and the prediction carried through the noise.

    Its minimiser over noisy data is that of cross-entropy over clean data. Patrini et al., Making deep neural networks
    robust to label noise, CVPR 2017, arXiv 1609.03683, theorem 2.

    Args:
        logits: of the clean class.
        labels: noisy ones.
        transition: P(noisy class | class), class on the first axis; rows sum to one.
    """
    return -(labels * _log_through(logits, transition)).sum(-1)


def backward_corrected_cross_entropy(
    logits: Float[Array, "*N K"], labels: Float[Array, "*N K"], transition: Float[Array, "K K"]
) -> Float[Array, "*N"]:
    """Cross-entropy whose expectation over the noise is that on clean labels; it may be negative.

    Patrini et al., CVPR 2017, arXiv 1609.03683, theorem 1.

    Args:
        logits: of the clean class.
        labels: noisy ones.
        transition: P(noisy class | class), class on the first axis; it must be invertible.
    """
    clean = jnp.linalg.solve(transition.T, labels.reshape(-1, labels.shape[-1]).T).T
    return soft_cross_entropy(logits, clean.reshape(labels.shape))


def _log_through(logits: Float[Array, "*N K"], transition: Float[Array, "K S"]) -> Float[Array, "*N S"]:
    """Log-probability of what is shown: the sum over classes, in logarithms."""
    # A floor, so that what no class shows has a loss and a gradient.
    log_transition = jnp.expand_dims(jnp.log(jnp.maximum(transition, _TINY)), tuple(range(logits.ndim - 1)))
    return jax.nn.logsumexp(jax.nn.log_softmax(logits)[..., :, None] + log_transition, axis=-2)


# ---------------------------------------------------------- robust to unknown noise


def mean_absolute_error(logits: Float[Array, "*N K"], labels: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Sum of absolute differences, 2 (1 - p) on one-hot labels: robust to symmetric noise, and slow to learn.

    Ghosh et al., Robust loss functions under label noise for deep neural networks, AAAI 2017, arXiv 1712.09482.
    """
    return jnp.abs(labels - jax.nn.softmax(logits)).sum(-1)


def generalized_cross_entropy(
    logits: Float[Array, "*N K"], labels: Float[Array, "*N K"], q: float = 0.7
) -> Float[Array, "*N"]:
    """(1 - p^q) / q of the label's class: cross-entropy as q goes to 0, half the mean absolute error at 1.

    Zhang and Sabuncu, Generalized cross entropy loss, NeurIPS 2018, arXiv 1805.07836. Soft labels weigh the classes.

    Args:
        logits: of the class.
        labels: noisy ones.
        q: in (0, 1]; the larger, the more robust and the slower.
    """
    return -(labels * jnp.expm1(q * jax.nn.log_softmax(logits))).sum(-1) / q


def normalized_cross_entropy(logits: Float[Array, "*N K"], labels: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Cross-entropy over its sum for all labels, in [0, 1]: robust to symmetric noise. Ma et al., ICML 2020."""
    log_p = jax.nn.log_softmax(logits)
    return (labels * log_p).sum(-1) / log_p.sum(-1)


def reverse_cross_entropy(logits: Float[Array, "*N K"], labels: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Cross-entropy with prediction and label exchanged, and log 0 = -4. Wang et al., ICCV 2019."""
    log_labels = jnp.where(labels > 0, jnp.maximum(jnp.log(jnp.maximum(labels, _TINY)), _LOG_ZERO), _LOG_ZERO)
    return -(jax.nn.softmax(logits) * log_labels).sum(-1)


def symmetric_cross_entropy(
    logits: Float[Array, "*N K"], labels: Float[Array, "*N K"], alpha: float = 0.1, beta: float = 1.0
) -> Float[Array, "*N"]:
    """The sum of alpha times cross-entropy and beta times reverse cross-entropy.

    Wang et al., Symmetric cross entropy for robust learning with noisy labels, ICCV 2019, arXiv 1908.06112.
    """
    return alpha * soft_cross_entropy(logits, labels) + beta * reverse_cross_entropy(logits, labels)


def active_passive(
    logits: Float[Array, "*N K"], labels: Float[Array, "*N K"], alpha: float = 1.0, beta: float = 1.0
) -> Float[Array, "*N"]:
    """The sum of alpha times normalized and beta times reverse cross-entropy (NCE + RCE): robust, and quick to learn.

    Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020, arXiv 2006.13554.
    """
    return alpha * normalized_cross_entropy(logits, labels) + beta * reverse_cross_entropy(logits, labels)


def early_learning_regularized(
    logits: Float[Array, "*N K"],
    labels: Float[Array, "*N K"],
    targets: Float[Array, "*N K"],
    strength: float = 3.0,
) -> Float[Array, "*N"]:
    """Cross-entropy + strength log(1 - <p, target>): holds predictions to what was learned before noise is memorised.

    Liu et al., Early-learning regularization prevents memorization of noisy labels, NeurIPS 2020, arXiv 2007.00151.

    Args:
        logits: of the class.
        labels: noisy ones.
        targets: running mean of each example's past predictions, kept by the caller: .7 target + .3 p after each step.
        strength: of the regularizer.
    """
    agreement = (jax.nn.softmax(logits) * jax.lax.stop_gradient(targets)).sum(-1)
    return soft_cross_entropy(logits, labels) + strength * jnp.log(1 - jnp.clip(agreement, 0, 1 - 1e-4))


# ------------------------------------------------------------------ candidate sets


def candidate_likelihood(logits: Float[Array, "*N K"], candidates: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """-log of the probability that the class is among the candidates: the classifier-consistent loss (CC).

    Jin and Ghahramani, NIPS 2002; Feng et al., Provably consistent partial-label learning, NeurIPS 2020,
    arXiv 2007.08929. With weights in place of 0/1 it is the likelihood of votes under their evidence.
    """
    inside = candidates > 0
    log_candidates = jnp.where(inside, jnp.log(jnp.where(inside, candidates, 1)), jnp.log(_TINY))
    return -jax.nn.logsumexp(jax.nn.log_softmax(logits) + log_candidates, axis=-1)


def candidate_progressive(logits: Float[Array, "*N K"], candidates: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Cross-entropy with the prediction itself, restricted to the candidates, for a constant label.

    The risk-consistent loss (RC, Feng et al., NeurIPS 2020, arXiv 2007.08929) and PRODEN (Lv et al., ICML 2020,
    arXiv 2002.08053) with the weights taken anew at each step. Its gradient is that of `candidate_likelihood`.
    """
    inside = jnp.where(candidates > 0, jax.lax.stop_gradient(logits), -jnp.inf)
    shares = jax.nn.softmax(jnp.where((candidates > 0).any(-1, keepdims=True), inside, 0.0))
    return soft_cross_entropy(logits, shares)


def candidate_average(logits: Float[Array, "*N K"], candidates: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Mean cross-entropy over the candidates: the plain baseline, which takes all of them for equally right.

    Hüllermeier and Beringer, Learning from ambiguously labeled examples, Intelligent Data Analysis 10(5), 2006.
    """
    return soft_cross_entropy(logits, candidates / candidates.sum(-1, keepdims=True).clip(1))


# ------------------------------------------------------------- complementary labels


def complementary_forward(
    logits: Float[Array, "*N K"], not_labels: Float[Array, "*N K"], transition: Float[Array, "K K"] | None = None
) -> Float[Array, "*N"]:
    """-log of the probability of being shown "not this class".

    Yu et al., Learning with biased complementary labels, ECCV 2018, arXiv 1711.09535.

    Args:
        logits: of the class.
        not_labels: one-hot, the class that the example is said not to have.
        transition: P("not j" | class i), class on the first axis; uniform over the other classes if None.
    """
    n_classes = logits.shape[-1]
    if transition is None:
        transition = (1 - jnp.eye(n_classes)) / (n_classes - 1)
    return -(not_labels * _log_through(logits, transition)).sum(-1)


def complementary_unbiased(logits: Float[Array, "*N K"], not_labels: Float[Array, "*N K"]) -> Float[Array, "*N"]:
    """Cross-entropy over all classes less K - 1 times that of the excluded one.

    Where "not" labels are uniform over the wrong classes, its expectation is cross-entropy with the true class; it may
    be negative. Ishida et al., Complementary-label learning for arbitrary losses and models, ICML 2019,
    arXiv 1810.04327, theorem 1.
    """
    log_p = jax.nn.log_softmax(logits)
    return -log_p.sum(-1) + (logits.shape[-1] - 1) * (not_labels * log_p).sum(-1)
