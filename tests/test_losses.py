"""Losses against closed forms, limits and theorems of their papers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import log_softmax, softmax

from weaklabel import losses

RNG = np.random.default_rng(0)
N, K = 7, 4
LOGITS = jnp.asarray(RNG.normal(0, 2, (N, K)), jnp.float32)
SOFT = jnp.asarray(RNG.dirichlet(np.ones(K), N), jnp.float32)
HARD = jnp.asarray(np.eye(K)[RNG.integers(0, K, N)], jnp.float32)
P = softmax(np.asarray(LOGITS, np.float64), axis=1)
TRUE = np.asarray(HARD).argmax(1)
P_TRUE = P[np.arange(N), TRUE]
TRANSITION = jnp.asarray(0.7 * np.eye(K) + 0.3 * RNG.dirichlet(np.ones(K), K), jnp.float32)
SETS = jnp.asarray(np.maximum(np.asarray(HARD), RNG.random((N, K)) < 0.4), jnp.float32)

TWO = {
    "active_passive": HARD,
    "candidate_average": SETS,
    "candidate_likelihood": SETS,
    "candidate_progressive": SETS,
    "complementary_forward": HARD,
    "complementary_unbiased": HARD,
    "generalized_cross_entropy": HARD,
    "mean_absolute_error": HARD,
    "normalized_cross_entropy": HARD,
    "reverse_cross_entropy": HARD,
    "soft_cross_entropy": SOFT,
    "symmetric_cross_entropy": SOFT,
}
THREE = {
    "backward_corrected_cross_entropy": TRANSITION,
    "early_learning_regularized": SOFT,
    "forward_corrected_cross_entropy": TRANSITION,
}


def close(found: jax.Array, expected: object, rtol: float = 1e-5) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=1e-6)


def test_every_loss_is_public_and_tested() -> None:
    assert losses.__all__ == sorted(losses.__all__)
    assert set(losses.__all__) == set(TWO) | set(THREE)


def test_soft_cross_entropy_is_that_of_optax() -> None:
    close(losses.soft_cross_entropy(LOGITS, SOFT), optax.losses.softmax_cross_entropy(LOGITS, SOFT))


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_generalized_cross_entropy_in_closed_form(q: float) -> None:
    close(losses.generalized_cross_entropy(LOGITS, HARD, q), (1 - P_TRUE**q) / q)


def test_generalized_cross_entropy_in_its_limits() -> None:
    close(losses.generalized_cross_entropy(LOGITS, HARD, 1e-4), -np.log(P_TRUE), rtol=2e-3)
    close(losses.generalized_cross_entropy(LOGITS, HARD, 1.0), losses.mean_absolute_error(LOGITS, HARD) / 2)


def test_mean_absolute_error_of_one_hot_labels() -> None:
    close(losses.mean_absolute_error(LOGITS, HARD), 2 * (1 - P_TRUE))


def test_normalized_cross_entropy_sums_to_one_over_the_labels() -> None:
    over_labels = jnp.stack([losses.normalized_cross_entropy(LOGITS, jnp.tile(row, (N, 1))) for row in jnp.eye(K)])
    close(over_labels.sum(0), np.ones(N))
    close(losses.normalized_cross_entropy(LOGITS, HARD), np.log(P_TRUE) / np.log(P).sum(1))


def test_reverse_cross_entropy_of_one_hot_labels_is_a_scaled_absolute_error() -> None:
    # Ma et al. 2020: RCE = -A / 2 MAE, with A = log 0 = -4.
    close(losses.reverse_cross_entropy(LOGITS, HARD), 2 * losses.mean_absolute_error(LOGITS, HARD))


@pytest.mark.parametrize("loss", ["mean_absolute_error", "normalized_cross_entropy", "reverse_cross_entropy"])
def test_symmetric_losses_sum_to_a_constant_over_the_labels(loss: str) -> None:
    # What makes them robust to symmetric noise (Ghosh et al. 2017); cross-entropy is not of the kind.
    def spread(name: str) -> float:
        sums = sum(getattr(losses, name)(LOGITS, jnp.tile(row, (N, 1))) for row in jnp.eye(K))
        return float(jnp.ptp(jnp.asarray(sums)))

    assert spread(loss) < 1e-4
    assert spread("soft_cross_entropy") > 1


def test_sums_of_two_losses() -> None:
    cross, reverse = losses.soft_cross_entropy(LOGITS, SOFT), losses.reverse_cross_entropy(LOGITS, SOFT)
    close(losses.symmetric_cross_entropy(LOGITS, SOFT, 0.3, 2.0), 0.3 * cross + 2 * reverse)
    normalized = losses.normalized_cross_entropy(LOGITS, SOFT)
    close(losses.active_passive(LOGITS, SOFT, 0.3, 2.0), 0.3 * normalized + 2 * reverse)


def test_forward_correction_in_closed_form_and_without_noise() -> None:
    expected = -np.log((P @ np.asarray(TRANSITION, np.float64))[np.arange(N), TRUE])
    close(losses.forward_corrected_cross_entropy(LOGITS, HARD, TRANSITION), expected)
    without = losses.forward_corrected_cross_entropy(LOGITS, SOFT, jnp.eye(K))
    close(without, losses.soft_cross_entropy(LOGITS, SOFT))


def test_forward_correction_is_least_at_the_clean_probabilities() -> None:
    clean = np.asarray(SOFT[0], np.float64)
    noisy = jnp.asarray(clean @ np.asarray(TRANSITION, np.float64), jnp.float32)
    gradient = jax.grad(lambda logits: losses.forward_corrected_cross_entropy(logits, noisy, TRANSITION))
    close(gradient(jnp.log(SOFT[0])), np.zeros(K))
    assert np.abs(gradient(jnp.log(noisy))).max() > 1e-3


def test_backward_correction_is_cross_entropy_on_average_over_the_noise() -> None:
    over_noise = jnp.stack(
        [losses.backward_corrected_cross_entropy(LOGITS, jnp.tile(row, (N, 1)), TRANSITION) for row in jnp.eye(K)]
    )
    mean = np.einsum("jn,nj->n", np.asarray(over_noise, np.float64), np.asarray(TRANSITION)[TRUE])
    close(jnp.asarray(mean), -np.log(P_TRUE), rtol=1e-4)


def test_early_learning_regularization_in_closed_form() -> None:
    agreement = (P * np.asarray(SOFT)).sum(1)
    expected = -np.log(P_TRUE) + 3 * np.log(1 - agreement)
    close(losses.early_learning_regularized(LOGITS, HARD, SOFT, 3.0), expected, rtol=1e-4)
    # Where the target agrees with the label, the loss keeps on rewarding it; where not, it holds the label off.
    held = losses.early_learning_regularized(LOGITS, HARD, jnp.eye(K)[(TRUE + 1) % K])
    assert (np.asarray(held) < -np.log(P_TRUE)).all()


def test_candidate_likelihood_in_closed_form() -> None:
    close(losses.candidate_likelihood(LOGITS, SETS), -np.log((P * np.asarray(SETS)).sum(1)))
    close(losses.candidate_likelihood(LOGITS, jnp.ones((N, K))), np.zeros(N))
    close(losses.candidate_likelihood(LOGITS, HARD), -np.log(P_TRUE))
    close(losses.candidate_likelihood(LOGITS, SOFT), -np.log((P * np.asarray(SOFT)).sum(1)))


def test_progressive_and_likelihood_have_one_gradient() -> None:
    one = jax.grad(lambda logits: losses.candidate_likelihood(logits, SETS).sum())(LOGITS)
    other = jax.grad(lambda logits: losses.candidate_progressive(logits, SETS).sum())(LOGITS)
    close(one, other)
    close(losses.candidate_progressive(LOGITS, HARD), -np.log(P_TRUE))


def test_candidate_average_in_closed_form() -> None:
    sets = np.asarray(SETS)
    close(losses.candidate_average(LOGITS, SETS), -(sets * np.log(P)).sum(1) / sets.sum(1))


def test_complementary_forward_in_closed_form() -> None:
    close(losses.complementary_forward(LOGITS, HARD), -np.log((1 - P_TRUE) / (K - 1)), rtol=1e-4)
    biased = (1 - np.eye(K)) * RNG.dirichlet(np.ones(K), K)
    biased /= biased.sum(1, keepdims=True)
    expected = -np.log((P @ biased)[np.arange(N), TRUE])
    close(losses.complementary_forward(LOGITS, HARD, jnp.asarray(biased, jnp.float32)), expected, rtol=1e-4)


def test_unbiased_complementary_loss_is_cross_entropy_on_average_over_wrong_classes() -> None:
    shown = [losses.complementary_unbiased(LOGITS, jnp.tile(row, (N, 1))) for row in jnp.eye(K)]
    wrong = (1 - np.asarray(HARD)) / (K - 1)
    close(jnp.asarray(np.einsum("jn,nj->n", np.asarray(shown), wrong)), -np.log(P_TRUE), rtol=1e-4)


@pytest.mark.parametrize("name", losses.__all__)
def test_values_and_gradients_are_finite_at_extremes(name: str) -> None:
    scales = np.array([0.0, 1.0, -1.0, 1e3, -1e3, 1e6, -1e6], np.float32)
    logits = scales[:, None] * np.array([1.0, -1.0, 0.5, 0.0], np.float32)
    labels = np.eye(K, dtype=np.float32)[[1, 0, 2, 1, 0, 1, 0]]
    third = np.eye(K, dtype=np.float32) if name.endswith("cross_entropy") else labels
    rest = (third,) if name in THREE else ()

    @jax.jit
    def both(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss = getattr(losses, name)
        return loss(logits, labels, *rest), jax.grad(lambda logits: loss(logits, labels, *rest).sum())(logits)

    values, gradient = both(jax.device_put(logits))
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", losses.__all__)
def test_one_loss_an_example_of_any_leading_shape(name: str) -> None:
    labels = {**TWO, **dict.fromkeys(THREE, HARD)}[name]
    each = [LOGITS, labels] + ([SOFT] if name == "early_learning_regularized" else [])
    shared = [TRANSITION] if name.endswith("corrected_cross_entropy") else []
    loss = getattr(losses, name)

    @jax.jit
    def of_shapes(each: list[jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        two, one = [jnp.stack([part, part]) for part in each], [part[0] for part in each]
        return loss(*each, *shared), loss(*two, *shared), loss(*one, *shared)

    flat, stacked, alone = of_shapes(each)
    assert flat.shape == (N,)
    close(stacked, np.stack([flat, flat]))
    close(alone, np.asarray(flat)[0])


def test_log_probabilities_of_the_tests_are_those_of_scipy() -> None:
    close(jax.nn.log_softmax(LOGITS), log_softmax(np.asarray(LOGITS), axis=1))
