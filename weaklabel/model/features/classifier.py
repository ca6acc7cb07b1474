"""The end model p(class | features): linear or a small network, trained on the evidence of votes, cross-fitted.

It maximises the likelihood of the votes, sum_i w_i log sum_c p(c | x_i) exp(evidence_ic), in mini-batches. The gradient
is that of the cross-entropy with expected labels, proportional to p(c | x_i) exp(evidence_ic), which are taken anew at
each step: EM with the expectation inside (Jin and Ghahramani, Learning with multiple labels, NIPS 2002; with networks,
Lv et al., ICML 2020, arXiv 2002.08053). Candidate sets, soft labels and known labels are all evidence.

For each weight decay, a model for each fold and one for all items are trained side by side on the same batches. The
likelihood of held-out items chooses, without gold, the decay and the epoch; and no item's own votes enter its
out-of-fold prediction.

Shapes: N items, K classes, D features, F folds, L weight decays, G models (L times F + 1), B batches of b rows with E
cells where features are sparse, I inputs and O outputs of a layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray
from scipy.special import log_softmax

from weaklabel.model.numerics.padding import rounded_up
from weaklabel.side_information.features import Features

if TYPE_CHECKING:
    import optax

EPOCHS = (10, 100)
"""At least, and at most."""


class ClassifierSettings(NamedTuple):
    """How the end model is trained."""

    hidden: int = 0
    """Units of the hidden layer; 0 for a linear model."""
    folds: int = 5
    weight_decays: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    """Tried side by side. Half of one, times the squared weights, is the penalty on the log-likelihood of all items."""
    learning_rate: float = 0.05
    batch_rows: int = 256
    steps: int = 500
    """Batches seen, to the extent that `EPOCHS` allows."""


class Scaling(NamedTuple):
    """What makes features comparable: each row is (x - mean) * factor, then drawn towards unit length."""

    mean: NDArray[np.float32]
    """[D]; zeros for sparse features, which stay sparse."""
    factor: NDArray[np.float32]
    """[D]"""
    unit: float
    """Mean squared length of a row; ..."""
    cell: float
    """... and of its cells that are not zero."""


class Layer(NamedTuple):
    """One layer: of G models side by side while they are trained, of one model (no G, in numpy) afterwards."""

    weight: Float[Array, "G I O"] | NDArray[np.float32]
    bias: Float[Array, "G O"] | NDArray[np.float32]


Network = tuple[Layer, ...]
"""One layer (linear), or a hidden layer of rectified units and one on top."""


class Classifier(NamedTuple):
    """A trained end model: all that prediction needs."""

    scaling: Scaling
    network: Network

    def log_proba(self, features: Features) -> NDArray[np.float32]:
        """[N, K] log p(class | features)."""
        return _log_proba(self.network, scaled(features, self.scaling))


class CrossFit(NamedTuple):
    """The outcome of settings."""

    classifier: Classifier
    """Trained on all items."""
    out_of_fold: NDArray[np.float32]
    """[N, K] log p(class | features), of each item by the model that did not see its fold."""
    held_out: NDArray[np.float32]
    """[epochs, L] log-likelihood of the votes of held-out items, per item, in nats."""


class _Batches(NamedTuple):
    """Rows in batches, padded."""

    values: Float[Array, "B b D"] | Float[Array, "B E"]
    """Dense rows, or the cells of sparse ones."""
    places: Int[Array, "B E 2"] | None
    """Row within the batch, and column, of each cell; None where rows are dense."""
    evidence: Float[Array, "B b K"]
    weight: Float[Array, "B b"]
    fold: Int[Array, "B b"]


class _Progress(NamedTuple):
    network: Network
    optimizer: optax.OptState
    best: Network
    best_score: Float[Array, " L"]
    held_out: Float[Array, "epochs L"]


def cross_fit(
    features: Features,
    evidence: NDArray[np.float32],
    weight: NDArray[np.float32],
    settings: ClassifierSettings,
    *,
    seed: int,
) -> CrossFit:
    """Trains the end model on all items, and on all but each fold.

    Args:
        features: [N, D] finite.
        evidence: [N, K] log-likelihood of each item's votes in each class; a constant may be added to a row.
        weight: [N] of each item; 0 for those without votes, which are predicted only.
        settings: constants.
        seed: of folds, order and the network's first weights.
    """
    rng = np.random.default_rng(seed)
    n_items, n_classes = evidence.shape
    fold = (rng.permutation(n_items) % settings.folds).astype(np.int32)
    scaling = fit_scaling(features, weight)
    rows = scaled(features, scaling)
    seen = rng.permutation(np.flatnonzero(weight > 0))
    n_batches = max(-(-len(seen) // settings.batch_rows), 1)
    batches = _batch(rows, evidence, weight, fold, seen, n_batches, settings.batch_rows)
    epochs = int(np.clip(settings.steps // n_batches, *EPOCHS))
    network, held_out = _train(
        batches,
        _start(rows.shape[1], n_classes, settings, rng),
        jax.random.key(int(rng.integers(2**31))),
        jnp.asarray(n_batches, jnp.int32),
        jnp.asarray(settings.learning_rate, jnp.float32),
        jnp.asarray(np.asarray(settings.weight_decays) / max(weight.sum(), 1e-9), jnp.float32),
        jnp.asarray(epochs, jnp.int32),
    )
    trace = np.asarray(held_out)[:epochs]
    first = int(trace.max(0).argmax()) * (settings.folds + 1)
    whole = first + settings.folds
    # Items without votes were seen by no model, and have that of all items.
    model = np.where(weight > 0, first + fold, whole)
    out_of_fold = np.zeros((n_items, n_classes), np.float32)
    for number in np.unique(model):
        chosen = np.flatnonzero(model == number)
        out_of_fold[chosen] = _log_proba(_select(network, int(number), rows.shape[1]), rows[chosen])
    return CrossFit(Classifier(scaling, _select(network, whole, rows.shape[1])), out_of_fold, trace)


# --------------------------------------------------------------------- scaling


def fit_scaling(features: Features, weight: NDArray[np.float32]) -> Scaling:
    """How to scale features, from the rows with weight.

    Dense: z-scores; constant columns are left out. Sparse: nothing is subtracted, and columns are divided by their
    largest value where that is above 1, so that TF-IDF and indicators keep their proportions.
    """
    n_features = features.shape[1]
    known = features[np.flatnonzero(weight > 0)]
    mean, factor = np.zeros(n_features), np.ones(n_features)
    if isinstance(known, np.ndarray):
        if len(known):
            mean, deviation = known.mean(0, dtype=np.float64), known.std(0, dtype=np.float64)
            varies = deviation > 1e-6 * np.abs(mean)
            factor = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        unit = max(float(np.count_nonzero(factor)), 1.0)
        return Scaling(mean.astype(np.float32), factor.astype(np.float32), unit, 1.0)
    if known.nnz:
        factor = 1 / np.maximum(abs(known).max(axis=0).toarray().ravel(), 1)
        squares = float(np.square(known.data * factor[known.indices]).sum())
        factor *= np.sqrt(known.shape[0] / max(squares, 1e-30))
    cell = known.shape[0] / known.nnz if known.nnz else 1.0
    return Scaling(mean.astype(np.float32), factor.astype(np.float32), 1.0, cell)


def scaled(features: Features, scaling: Scaling) -> Features:
    """Features as the classifier reads them: all rows about equally long.

    Lengths are taken with one more cell of ordinary size, so that with many features rows come to have the same length,
    and a single feature keeps its order.
    """
    if sp.issparse(features) and scaling.mean.any():  # learned on dense ones
        features = features.toarray()
    if isinstance(features, np.ndarray):
        rows = (features - scaling.mean) * scaling.factor
        squares = np.einsum("nd,nd->n", rows, rows)
        return np.asarray(rows * _shrink(squares, scaling)[:, None], np.float32)
    columns = sp.csr_array(features.multiply(scaling.factor[None, :]))
    squares = np.asarray(columns.multiply(columns).sum(axis=1)).ravel()
    return sp.csr_array(columns.multiply(_shrink(squares, scaling)[:, None])).astype(np.float32)


def _shrink(squares: NDArray[np.floating], scaling: Scaling) -> NDArray[np.floating]:
    """[N] factors that bring rows of these squared lengths towards the ordinary one."""
    return np.asarray(np.sqrt((scaling.unit + scaling.cell) / (squares + scaling.cell)))


# -------------------------------------------------------------------- training


def _batch(
    rows: Features,
    evidence: NDArray[np.float32],
    weight: NDArray[np.float32],
    fold: NDArray[np.int32],
    seen: NDArray[np.intp],
    n_batches: int,
    batch_rows: int,
) -> _Batches:
    """The rows to train on, in batches, padded with rows of weight 0."""
    shape = (rounded_up(n_batches), batch_rows)
    places = np.full(shape[0] * shape[1], -1)
    places.reshape(shape)[:n_batches].T.flat[: len(seen)] = seen
    width = rounded_up(rows.shape[1])

    def spread(values: NDArray[Any]) -> Array:
        taken = values[np.maximum(places, 0)]
        taken[places < 0] = 0
        return jnp.asarray(taken.reshape(*shape, *values.shape[1:]))

    common = (spread(evidence), spread(weight), spread(fold))
    if isinstance(rows, np.ndarray):
        dense = np.zeros((len(places), width), np.float32)
        dense[places >= 0, : rows.shape[1]] = rows[places[places >= 0]]
        return _Batches(jnp.asarray(dense.reshape(*shape, width)), None, *common)
    taken = [places[start : start + batch_rows] for start in range(0, n_batches * batch_rows, batch_rows)]
    parts = [rows[part[part >= 0]].tocoo() for part in taken]
    n_cells = rounded_up(max((part.nnz for part in parts), default=0))
    values, cells = np.zeros((shape[0], n_cells), np.float32), np.zeros((shape[0], n_cells, 2), np.int32)
    for number, (part, block) in enumerate(zip(parts, taken, strict=True)):
        values[number, : part.nnz] = part.data
        cells[number, : part.nnz, 0] = np.flatnonzero(block >= 0)[part.row]
        cells[number, : part.nnz, 1] = part.col
    return _Batches(jnp.asarray(values), jnp.asarray(cells), *common)


def _start(n_features: int, n_classes: int, settings: ClassifierSettings, rng: np.random.Generator) -> Network:
    """Weights before training: all classes alike, so that the first expected labels are those of the votes."""
    width, models = rounded_up(n_features), len(settings.weight_decays) * (settings.folds + 1)
    sizes = [width, n_classes] if not settings.hidden else [width, settings.hidden, n_classes]
    layers = [
        Layer(jnp.zeros((models, inputs, outputs)), jnp.zeros((models, outputs))) for inputs, outputs in pairwise(sizes)
    ]
    if settings.hidden:
        # The same for all models, so that they differ by what they saw alone.
        drawn = rng.normal(0, np.sqrt(2 / max(n_features, 1)), (1, width, settings.hidden)).astype(np.float32)
        layers[0] = layers[0]._replace(weight=jnp.asarray(np.tile(drawn, (models, 1, 1))))
    return tuple(layers)


@jax.jit
def _train(
    batches: _Batches,
    start: Network,
    key: Array,
    n_batches: Int[Array, ""],
    learning_rate: Float[Array, ""],
    weight_decays: Float[Array, " L"],
    epochs: Int[Array, ""],
) -> tuple[Network, Float[Array, "epochs L"]]:
    """Adam; the networks of each weight decay after the epoch in which held-out items were predicted best."""
    import optax  # only here: fits without features need not wait for it

    n_decays, n_models = weight_decays.shape[0], start[0].bias.shape[0]
    per_decay = n_models // n_decays
    n_padded, batch_rows = batches.weight.shape
    total = batches.weight.sum()
    decay = jnp.repeat(weight_decays, per_decay) * total / (n_batches * batch_rows).astype(jnp.float32)
    optimizer = optax.scale_by_adam()

    def loss(network: Network, batch: _Batches) -> tuple[Array, Array]:
        log_p = jax.nn.log_softmax(_logits(network, batch), axis=-1)
        likelihood = batch.weight[:, None] * jax.nn.logsumexp(log_p + batch.evidence[:, None, :], axis=-1)  # [b, G]
        held = batch.fold[:, None] == (jnp.arange(n_models) % per_decay)[None, :]
        score = jnp.where(held, likelihood, 0).sum(0).reshape(n_decays, per_decay).sum(1)
        squares = sum((layer.weight**2).sum((1, 2)) for layer in network)
        penalty = 0.5 * (decay * squares).sum()
        return penalty - jnp.where(held, 0, likelihood).sum() / batch_rows, score

    def epoch(number: Array, state: _Progress) -> _Progress:
        order = jax.random.permutation(jax.random.fold_in(key, number), n_padded)
        order = order[jnp.argsort(order >= n_batches, stable=True)]  # padding last
        rate = learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * number.astype(jnp.float32) / epochs.astype(jnp.float32)))

        def step(number: Array, carry: tuple[Network, optax.OptState, Array]) -> tuple[Network, optax.OptState, Array]:
            network, memory, score = carry
            batch = jax.tree.map(lambda part: part[order[number]], batches)
            (_, held), gradient = jax.value_and_grad(loss, has_aux=True)(network, batch)
            with jax.numpy_dtype_promotion("standard"):  # optax raises floats to whole powers
                updates, memory = optimizer.update(gradient, memory)
            moved = jax.tree.map(lambda weight, update: weight - rate * update, network, updates)
            return moved, memory, score + held

        carry = (state.network, state.optimizer, jnp.zeros(n_decays))
        network, memory, score = jax.lax.fori_loop(0, n_batches, step, carry)
        # The score is of the networks on their way through the epoch, and costs nothing.
        better = score > state.best_score

        def keep_better(new: Array, old: Array) -> Array:
            return jnp.where(jnp.repeat(better, per_decay).reshape(-1, *(1,) * (new.ndim - 1)), new, old)

        best = jax.tree.map(keep_better, network, state.best)
        best_score = jnp.where(better, score, state.best_score)
        return _Progress(network, memory, best, best_score, state.held_out.at[number].set(score / total))

    nothing = jnp.full(n_decays, -jnp.inf)
    first = _Progress(start, optimizer.init(start), start, nothing, jnp.zeros((EPOCHS[1], n_decays)))
    last = jax.lax.fori_loop(0, epochs, epoch, first)
    return last.best, last.held_out


def _logits(network: Network, batch: _Batches) -> Float[Array, "b G K"]:
    models, width, outputs = network[0].weight.shape
    flat = network[0].weight.transpose(1, 0, 2).reshape(width, models * outputs)
    if batch.places is None:
        values = batch.values @ flat
    else:
        cells = batch.values[:, None] * flat[batch.places[:, 1]]
        values = jax.ops.segment_sum(cells, batch.places[:, 0], num_segments=batch.weight.shape[0])
    values = values.reshape(-1, models, outputs) + network[0].bias[None]
    for layer in network[1:]:
        values = jnp.einsum("bgi,gio->bgo", jax.nn.relu(values), layer.weight) + layer.bias[None]
    return values


# ------------------------------------------------------------------ prediction


def _select(network: Network, model: int, n_features: int) -> Network:
    """One of the models, without padding, on the host."""
    first, *rest = (Layer(np.asarray(layer.weight[model]), np.asarray(layer.bias[model])) for layer in network)
    return (first._replace(weight=first.weight[:n_features]), *rest)


def _log_proba(network: Network, rows: Features) -> NDArray[np.float32]:
    """[N, K] by one model, on the host and without compilation."""
    values = np.asarray(rows @ np.asarray(network[0].weight)) + np.asarray(network[0].bias)
    for layer in network[1:]:
        values = np.maximum(values, 0) @ np.asarray(layer.weight) + np.asarray(layer.bias)
    return np.asarray(log_softmax(values, axis=1), np.float32)
