"""Scores of items and answers of judges by variational EM, as one compiled loop.

Judge k, asked for the better one of items i and j, answers with log-weights

    eta / 2 for i,   -eta / 2 for j,   t_k for a tie,      eta = a_k (x_i - x_j) + b_k s,

s = 1 where i is shown first, -1 where j is, 0 where nobody knows. These are the ties of Davidson (1970,
doi:10.1080/01621459.1970.10481082) with the order effect of Davidson and Beaver (1977, doi:10.2307/2529467); without
ties, the model of Bradley and Terry (1952, doi:10.2307/2334029) with a skill for each judge, as of Chen et al. (2013,
doi:10.1145/2433396.2433420), but signed. Scores x, skills a and biases b are normal a priori, with variances that are
estimated.

log(2 cosh(eta / 2) + exp t) is bounded by a parabola in eta (Jaakkola and Jordan 2000, doi:10.1023/A:1008932416310), so
that every update is a least-squares problem, and the evidence lower bound rises. With ties the parabola that touches in
+-xi lies above for exp t <= 4; beyond, it has the largest curvature, 1/4 (Boehning 1992, doi:10.1007/BF00048682). The
scores are the solution of a sparse system, by conjugate gradients whose products are sums over comparisons; nothing is
as large as items x judges.

Rankings of three items or more add a likelihood of their own: see `weaklabel.kinds.preferences.ranked`.

An item that is compared with one other only, which is compared with nothing else, has half of what is latent of its
pair: `scale` is sqrt(2) and `other` 0, so that the pair is one latent variable.

Shapes: C comparisons, I items, J judges.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from weaklabel.kinds.preferences.ranked import Ranked, log_likelihood, log_weights, pair_moments
from weaklabel.kinds.preferences.settings import PreferenceSettings
from weaklabel.model.numerics.compiled import compiled

INNER = 12
"""Steps of conjugate gradients in each iteration, from the scores before."""
LARGEST_TIE = 4.0
"""exp t up to which the parabola that touches in +-xi is a bound."""


class Data(NamedTuple):
    """Comparisons on the device; padding has weight 0, and so have those that are of a ranking."""

    left: Int[Array, " C"]
    right: Int[Array, " C"]
    judge: Int[Array, " C"]
    half: Float[Array, " C"]
    """1/2 where left wins, -1/2 where right does, 0 for a tie."""
    first: Float[Array, " C"]
    weight: Float[Array, " C"]
    scale: Float[Array, " C"]
    """Factor of the left score."""
    other: Float[Array, " C"]
    """Factor of the right score."""
    used_items: Float[Array, " I"]
    """1 where the item's score is part of the model."""
    used_judges: Float[Array, " J"]
    """1 where the judge is."""
    ranked: Ranked | None = None
    """Rankings; None where there are none."""


class Answers(NamedTuple):
    """How judges answer: normal posteriors of skill and bias, and a point for ties."""

    skill: Float[Array, " J"]
    bias: Float[Array, " J"]
    skill_variance: Float[Array, " J"]
    covariance: Float[Array, " J"]
    bias_variance: Float[Array, " J"]
    tie: Float[Array, " J"]


class Priors(NamedTuple):
    """Variances and means of the priors, estimated."""

    spread: Float[Array, ""]
    skill_variance: Float[Array, ""]
    bias_mean: Float[Array, ""]
    bias_variance: Float[Array, ""]
    tie_mean: Float[Array, ""]
    tie_variance: Float[Array, ""]


class State(NamedTuple):
    """Where the loop is."""

    scores: Float[Array, " I"]
    variance: Float[Array, " I"]
    """Of the mean-field posterior."""
    answers: Answers
    priors: Priors
    iteration: Int[Array, ""]
    change: Float[Array, ""]
    objective: Float[Array, " T"]


class Moments(NamedTuple):
    """Posterior moments of the comparisons."""

    difference: Float[Array, " C"]
    square: Float[Array, " C"]
    """Of the difference of scores."""
    eta: Float[Array, " C"]
    xi: Float[Array, " C"]
    """Root of the second moment of eta."""
    curvature: Float[Array, " C"]
    """Of the parabola, times the weight."""
    linear: Float[Array, " C"]
    """Coefficient of eta beside the parabola, times the weight."""


@partial(compiled, static_argnames=("ties",))
def estimate(
    data: Data, begin: State, settings: PreferenceSettings, tol: Float[Array, ""] | float, stop_at: Any, *, ties: bool
) -> State:
    """The loop: until no score changes by more than `tol` prior deviations, or until iteration `stop_at`.

    Called again with a later `stop_at` it goes on where it was.
    """

    def going_on(state: State) -> Array:
        return jnp.logical_and(state.iteration < stop_at, state.change > tol)

    def iterate(state: State) -> State:
        return _iterate(data, state, settings, ties=ties)

    return jax.lax.while_loop(going_on, iterate, begin)


@compiled
def judge_answers(data: Data, state: State, settings: PreferenceSettings) -> Answers:
    """How judges answer at the scores of the loop, with skills as far apart as `settings` expects."""
    priors = state.priors._replace(skill_variance=jnp.float32(settings.skill_variance))
    answers = state.answers
    for _ in range(4):
        moments = moments_of(data, state.scores, state.variance, answers)
        answers = _solve_answers(data, moments, state._replace(answers=answers, priors=priors), settings)
    return answers


def precision_of(data: Data, curvature: Float[Array, " C"], answers: Answers, spread: Array, x: Array) -> Array:
    """Product of the posterior precision of the scores with x [I]: a sum over comparisons."""
    weight = curvature * (answers.skill**2 + answers.skill_variance)[data.judge]
    return _to_items(data, weight * _difference(data, x)) + x / spread


def diagonal_of(data: Data, curvature: Float[Array, " C"], answers: Answers, spread: Array) -> Array:
    """Diagonal [I] of the posterior precision of the scores."""
    weight = curvature * (answers.skill**2 + answers.skill_variance)[data.judge]
    n_items = data.used_items.shape[0]
    left = jax.ops.segment_sum(weight * data.scale**2, data.left, n_items)
    return left + jax.ops.segment_sum(weight * data.other**2, data.right, n_items) + 1 / spread


def moments_of(data: Data, scores: Array, variance: Array, answers: Answers) -> Moments:
    """Moments of differences and of eta under the posterior."""
    difference = _difference(data, scores)
    square = difference**2 + data.scale**2 * variance[data.left] + data.other**2 * variance[data.right]
    skill, bias = answers.skill[data.judge], answers.bias[data.judge]
    eta = skill * difference + bias * data.first
    second = (skill**2 + answers.skill_variance[data.judge]) * square
    second += 2 * (skill * bias + answers.covariance[data.judge]) * data.first * difference
    second += (bias**2 + answers.bias_variance[data.judge]) * data.first**2
    xi = jnp.sqrt(jnp.maximum(second, 1e-8))
    nu = jnp.exp(answers.tie)[data.judge]
    secant = jnp.sinh(jnp.minimum(xi, 60) / 2) / (2 * jnp.cosh(jnp.minimum(xi, 60) / 2) + nu) / xi
    curvature, linear = data.weight * jnp.where(nu <= LARGEST_TIE, secant, 0.25), data.weight * data.half
    if data.ranked is not None:  # a parabola around the scores as they are
        pairs = pair_moments(data.ranked, log_weights(data.ranked, scores, answers.skill))
        curvature, linear = curvature + pairs.curvature, linear + pairs.slope + pairs.curvature * eta
    return Moments(
        difference=difference,
        square=square,
        eta=eta,
        xi=xi,
        curvature=curvature,
        linear=linear,
    )


@partial(compiled, static_argnames=("ties", "room"))
def before_first(data: Data, settings: PreferenceSettings, *, ties: bool, room: int) -> State:
    """Judges as they are expected, and every item equal; the loop's first step is to the scores.

    There is room for so many iterations.
    """
    n_items, n_judges = data.used_items.shape[0], data.used_judges.shape[0]
    share = jnp.sum(data.weight * _tied(data)) / jnp.maximum(jnp.sum(data.weight), 1e-9)
    tie_mean = jnp.log(2 * (share + 1e-3) / (1 - share + 1e-3)) if ties else jnp.float32(-jnp.inf)
    none = jnp.zeros(n_judges)
    answers = Answers(
        skill=jnp.full(n_judges, settings.skill_mean, jnp.float32),
        bias=none,
        skill_variance=none,
        covariance=none,
        bias_variance=none,
        tie=jnp.full(n_judges, tie_mean),
    )
    priors = Priors(
        spread=jnp.float32(settings.spread),
        skill_variance=jnp.float32(settings.skill_variance),
        bias_mean=jnp.float32(0),
        bias_variance=jnp.float32(settings.bias_variance),
        tie_mean=tie_mean,
        tie_variance=jnp.float32(settings.tie_variance),
    )
    return State(
        scores=jnp.zeros(n_items),
        variance=jnp.zeros(n_items),
        answers=answers,
        priors=priors,
        iteration=jnp.int32(0),
        change=jnp.float32(jnp.inf),
        objective=jnp.full(room, jnp.nan, jnp.float32),
    )


def _iterate(data: Data, state: State, settings: PreferenceSettings, *, ties: bool) -> State:
    moments = moments_of(data, state.scores, state.variance, state.answers)
    scores, variance = _solve_scores(data, moments, state)
    scores = _part_of_the_way(data, state.scores, scores)
    moments = moments_of(data, scores, variance, state.answers)
    answers = _solve_answers(data, moments, state, settings)
    answers = answers._replace(skill=_part_of_the_way(data, state.answers.skill, answers.skill))
    if ties:
        answers = _solve_ties(data, moments_of(data, scores, variance, answers), answers, state.priors)
    scores, variance, answers = _rescaled(data, scores, variance, answers, state.priors, settings)
    priors = _estimate_priors(data, scores, variance, answers, state.priors, settings, ties=ties)
    moments = moments_of(data, scores, variance, answers)
    bound = _bound(data, moments, scores, variance, answers, priors, settings)
    change = jnp.max(jnp.abs(scores - state.scores)) / jnp.sqrt(priors.spread)
    objective = state.objective.at[state.iteration].set(bound)
    return State(
        scores=scores,
        variance=variance,
        answers=answers,
        priors=priors,
        iteration=state.iteration + 1,
        change=change,
        objective=objective,
    )


def _part_of_the_way(data: Data, before: Array, after: Array) -> Array:
    """Half a step where there are rankings, whose parabolas are no bounds."""
    return after if data.ranked is None else (before + after) / 2


def _tied(data: Data) -> Array:
    return jnp.where(data.half == 0, 1.0, 0.0)


def _difference(data: Data, x: Array) -> Array:
    return data.scale * x[data.left] - data.other * x[data.right]


def _to_items(data: Data, values: Array) -> Array:
    n_items = data.used_items.shape[0]
    left = jax.ops.segment_sum(data.scale * values, data.left, n_items)
    return left - jax.ops.segment_sum(data.other * values, data.right, n_items)


def _solve_scores(data: Data, moments: Moments, state: State) -> tuple[Array, Array]:
    """Means and mean-field variances of the scores."""
    answers, spread = state.answers, state.priors.spread
    together = answers.skill * answers.bias + answers.covariance
    linear = moments.linear * answers.skill[data.judge]
    linear -= moments.curvature * data.first * together[data.judge]
    diagonal = diagonal_of(data, moments.curvature, answers, spread)
    return solve(
        lambda x: precision_of(data, moments.curvature, answers, spread, x),
        _to_items(data, linear),
        state.scores,
        diagonal,
        INNER,
    ), 1 / diagonal


def solve(product: Callable[[Array], Array], target: Array, start: Array, diagonal: Array, most: int) -> Array:
    """Conjugate gradients with the diagonal as preconditioner, from a start; Hestenes and Stiefel (1952)."""

    def step(_: int, held: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        x, residual, direction, rho = held
        image = product(direction)
        length = rho / jnp.maximum(jnp.sum(direction * image, -1, keepdims=True), 1e-30)
        x, residual = x + length * direction, residual - length * image
        ahead = residual / diagonal
        rho_next = jnp.sum(residual * ahead, -1, keepdims=True)
        return x, residual, ahead + rho_next / jnp.maximum(rho, 1e-30) * direction, rho_next

    residual = target - product(start)
    ahead = residual / diagonal
    rho = jnp.sum(residual * ahead, -1, keepdims=True)
    found: Array = jax.lax.fori_loop(0, most, step, (start, residual, ahead, rho))[0]
    return found


def _per_judge(data: Data, values: Array) -> Array:
    return jax.ops.segment_sum(values, data.judge, data.used_judges.shape[0])


def _solve_answers(data: Data, moments: Moments, state: State, settings: PreferenceSettings) -> Answers:
    """Skill and bias of each judge: a normal posterior of two parameters."""
    priors, curvature = state.priors, moments.curvature
    of_skill = _per_judge(data, curvature * moments.square) + 1 / priors.skill_variance
    of_both = _per_judge(data, curvature * moments.difference * data.first)
    of_bias = _per_judge(data, curvature * data.first**2) + 1 / priors.bias_variance
    linear_skill = _per_judge(data, moments.linear * moments.difference) + settings.skill_mean / priors.skill_variance
    linear_bias = _per_judge(data, moments.linear * data.first) + priors.bias_mean / priors.bias_variance
    determinant = of_skill * of_bias - of_both**2
    return Answers(
        skill=(of_bias * linear_skill - of_both * linear_bias) / determinant,
        bias=(of_skill * linear_bias - of_both * linear_skill) / determinant,
        skill_variance=of_bias / determinant,
        covariance=-of_both / determinant,
        bias_variance=of_skill / determinant,
        tie=state.answers.tie,
    )


def _solve_ties(data: Data, moments: Moments, answers: Answers, priors: Priors) -> Answers:
    """A Newton step for the width of ties of each judge, of which the bound is concave."""
    nu = jnp.exp(answers.tie)[data.judge]
    of_tie = nu / (2 * jnp.cosh(jnp.minimum(moments.xi, 60) / 2) + nu)
    slope = _per_judge(data, data.weight * (_tied(data) - of_tie))
    slope -= (answers.tie - priors.tie_mean) / priors.tie_variance
    curvature = _per_judge(data, data.weight * of_tie * (1 - of_tie)) + 1 / priors.tie_variance
    return answers._replace(tie=answers.tie + jnp.clip(slope / curvature, -1, 1))


def _rescaled(
    data: Data, scores: Array, variance: Array, answers: Answers, priors: Priors, settings: PreferenceSettings
) -> tuple[Array, Array, Answers]:
    """Scores times c, skills over c: the likelihood stays, and the bound is largest over c. It would take many steps.

    Parameter expansion (Liu, Rubin and Wu 1998, doi:10.1093/biomet/85.4.755).
    """
    n_judges = jnp.sum(data.used_judges)
    square = jnp.sum(data.used_judges * (answers.skill**2 + answers.skill_variance)) / priors.skill_variance
    first = settings.skill_mean * jnp.sum(data.used_judges * answers.skill) / priors.skill_variance
    c = 2 * square / (first + jnp.sqrt(first**2 + 4 * square * n_judges))
    answers = answers._replace(
        skill=answers.skill / c, skill_variance=answers.skill_variance / c**2, covariance=answers.covariance / c
    )
    return scores * c, variance * c**2, answers


def _estimate_priors(
    data: Data,
    scores: Array,
    variance: Array,
    answers: Answers,
    priors: Priors,
    settings: PreferenceSettings,
    *,
    ties: bool,
) -> Priors:
    """Variances and means of the priors at their posterior modes."""
    used, n_judges = data.used_judges, jnp.sum(data.used_judges)

    def variance_of(squares: Array, expected: float, mass: float = settings.judge_mass) -> Array:
        return (jnp.sum(used * squares) + mass * expected) / (n_judges + mass)

    def mean_of(values: Array, of_values: Array) -> Array:
        return jnp.sum(used * values) / (n_judges + of_values / settings.pooled_variance)

    of_items = jnp.sum(data.used_items * (scores**2 + variance)) + settings.item_mass * settings.spread
    bias_mean = mean_of(answers.bias, priors.bias_variance)
    of_skill = (answers.skill - settings.skill_mean) ** 2 + answers.skill_variance
    of_bias = (answers.bias - bias_mean) ** 2 + answers.bias_variance
    tie_mean = mean_of(answers.tie, priors.tie_variance) if ties else priors.tie_mean
    return Priors(
        spread=of_items / (jnp.sum(data.used_items) + settings.item_mass),
        skill_variance=variance_of(of_skill, settings.skill_variance, settings.skill_mass),
        bias_mean=bias_mean,
        bias_variance=variance_of(of_bias, settings.bias_variance),
        tie_mean=tie_mean,
        tie_variance=variance_of((answers.tie - tie_mean) ** 2, settings.tie_variance) if ties else priors.tie_variance,
    )


def _bound(
    data: Data,
    moments: Moments,
    scores: Array,
    variance: Array,
    answers: Answers,
    priors: Priors,
    settings: PreferenceSettings,
) -> Array:
    """Evidence lower bound per comparison: expected log-likelihood of the parabolas, less divergences from priors.

    Of rankings, per pick, the likelihood at the means and its curvature: no bound, but near it.
    """
    nu = jnp.exp(answers.tie)[data.judge]
    xi = moments.xi
    log_total = xi / 2 + jnp.log1p(jnp.exp(-xi) + nu * jnp.exp(-xi / 2))
    of_tie = jnp.where(data.half == 0, answers.tie[data.judge], 0)
    total = jnp.sum(jnp.where(data.weight > 0, data.weight * (data.half * moments.eta + of_tie - log_total), 0))
    count = jnp.sum(data.weight)
    if data.ranked is not None:
        eta = log_weights(data.ranked, scores, answers.skill)
        spread = moments.curvature * jnp.abs(data.ranked.sign) * (xi**2 - moments.eta**2)
        total += log_likelihood(data.ranked, eta) - jnp.sum(spread) / 2
        count += jnp.sum(data.ranked.weight * (jnp.sum(data.ranked.there, 1) - 1))
    total -= jnp.sum(data.used_items * _divergence(scores, variance, 0.0, priors.spread))
    skill, bias, used = answers.skill, answers.bias, data.used_judges
    of_skill = _divergence(skill, answers.skill_variance, settings.skill_mean, priors.skill_variance)
    of_bias = _divergence(bias, answers.bias_variance, priors.bias_mean, priors.bias_variance)
    correlation = answers.covariance**2 / (answers.skill_variance * answers.bias_variance)
    total -= jnp.sum(used * (of_skill + of_bias - 0.5 * jnp.log1p(-jnp.minimum(correlation, 1 - 1e-6))))
    return total / jnp.maximum(count, 1e-9)


def _divergence(mean: Array, variance: Array, prior_mean: Array | float, prior_variance: Array) -> Array:
    """Kullback-Leibler divergence of normal distributions."""
    ratio = variance / prior_variance
    return 0.5 * (ratio + (mean - prior_mean) ** 2 / prior_variance - 1 - jnp.log(ratio))
