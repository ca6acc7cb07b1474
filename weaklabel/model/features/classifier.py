"""The end model p(class | features): linear or small networks, trained on the evidence of votes, cross-fitted.

Each maximises the likelihood of the votes, sum_i w_i log sum_c p(c | x_i) exp(evidence_ic), in mini-batches. The
gradient is that of the cross-entropy with expected labels, proportional to p(c | x_i) exp(evidence_ic), which are taken
anew at each step: EM with the expectation inside (Jin and Ghahramani, Learning with multiple labels, NIPS 2002; with
networks, Lv et al., ICML 2020, arXiv 2002.08053). Candidate sets, soft labels and known labels are all evidence.

For each weight decay, a model for each fold is trained, all side by side on the same batches: without the items of the
fold, and without the votes of some sources (`weaklabel.model.features.evidence`). The likelihood of what they were not
told chooses, without gold, the decay and the epoch. The end model is the mean of the folds' models: where it hangs on a
few sources what the class is, they disagree, and the mean is unsure (a jackknife over sources and items).

Shapes: N items, K classes, D features, F folds, L weight decays, G models (L times F), B batches of b rows with E
cells where features are sparse, I inputs and O outputs of a layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from weaklabel.model.features.evidence import Evidence
from weaklabel.model.features.network import Classifier, Layer, Network, log_proba_of, mean_log_proba, select
from weaklabel.model.features.scaling import fit_scaling, scaled
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
    weight_decays: tuple[float, ...] = (0.3, 3.0, 30.0, 100.0)
    """Tried side by side. Half of one, times the squared weights, is the penalty on the log-likelihood of all items."""
    learning_rate: float = 0.05
    batch_rows: int = 256
    steps: int = 500
    """Batches seen, to the extent that `EPOCHS` allows."""


class _Told(NamedTuple):
    """`Evidence` in batches: each part [B, b, ...]."""

    weight: Float[Array, "B b"]
    fold: Int[Array, "B b"]
    seen: Float[Array, "B b F K"]
    seen_weight: Float[Array, "B b F"]
    held: Float[Array, "B b K"]
    held_weight: Float[Array, "B b"]


class _Batches(NamedTuple):
    """Rows in batches, padded."""

    values: Float[Array, "B b D"] | Float[Array, "B E"]
    """Dense rows, or the cells of sparse ones."""
    places: Int[Array, "B E 2"] | None
    """Row within the batch, and column, of each cell; None where rows are dense."""
    told: _Told


class _Progress(NamedTuple):
    network: Network
    optimizer: optax.OptState
    best: Network
    best_score: Float[Array, " L"]
    held_out: Float[Array, "epochs L"]


class CrossFit(NamedTuple):
    """The outcome of `cross_fit`."""

    classifier: Classifier
    """The mean of the folds' models."""
    out_of_fold: NDArray[np.float32]
    """[N, K] log p(class | features), of each item by the model of its fold, which was not told of it; of items
    without weight by all."""
    held_out: NDArray[np.float32]
    """[epochs, L] log-likelihood of what was held out, per item, in nats."""


def cross_fit(features: Features, evidence: Evidence, settings: ClassifierSettings, *, seed: int) -> CrossFit:
    """Trains the end model of each fold.

    Args:
        features: [N, D] finite.
        evidence: of N items.
        settings: constants.
        seed: of the order and the networks' first weights.
    """
    rng = np.random.default_rng([seed, 1])
    n_folds, n_classes = evidence.seen.shape[1:]
    scaling = fit_scaling(features, evidence.weight)
    rows = scaled(features, scaling)
    seen = rng.permutation(np.flatnonzero(evidence.weight > 0))
    n_batches = max(-(-len(seen) // settings.batch_rows), 1)
    batches = _batch(rows, evidence, seen, n_batches, settings.batch_rows)
    epochs = int(np.clip(settings.steps // n_batches, *EPOCHS))
    network, held_out = _train(
        batches,
        _start(rows.shape[1], n_classes, n_folds, settings, rng),
        jax.random.key(int(rng.integers(2**31))),
        jnp.asarray(n_batches, jnp.int32),
        jnp.asarray(settings.learning_rate, jnp.float32),
        jnp.asarray(np.asarray(settings.weight_decays) / max(evidence.weight.sum(), 1e-9), jnp.float32),
        jnp.asarray(epochs, jnp.int32),
    )
    trace = np.asarray(held_out)[:epochs]
    first = int(trace.max(0).argmax()) * n_folds
    chosen = select(network, slice(first, first + n_folds), rows.shape[1])
    model = np.where(evidence.weight > 0, evidence.fold, -1)
    out_of_fold = np.zeros((len(model), n_classes), np.float32)
    for number in np.unique(model):
        items = np.flatnonzero(model == number)
        of_items = mean_log_proba(chosen, rows[items]) if number < 0 else log_proba_of(chosen, int(number), rows[items])
        out_of_fold[items] = of_items
    return CrossFit(Classifier(scaling, chosen), out_of_fold, trace)


# -------------------------------------------------------------------- training


def _batch(rows: Features, evidence: Evidence, seen: NDArray[np.intp], n_batches: int, batch_rows: int) -> _Batches:
    """The rows to train on, in batches, padded with rows of weight 0."""
    shape = (rounded_up(n_batches), batch_rows)
    places = np.full(shape[0] * shape[1], -1)
    places.reshape(shape)[:n_batches].T.flat[: len(seen)] = seen
    width = rounded_up(rows.shape[1])

    def spread(values: NDArray[Any]) -> Array:
        taken = values[np.maximum(places, 0)]
        taken[places < 0] = 0
        return jnp.asarray(taken.reshape(*shape, *values.shape[1:]))

    told = _Told(**{part: spread(getattr(evidence, part)) for part in _Told._fields})
    if isinstance(rows, np.ndarray):
        dense = np.zeros((len(places), width), np.float32)
        dense[places >= 0, : rows.shape[1]] = rows[places[places >= 0]]
        return _Batches(jnp.asarray(dense.reshape(*shape, width)), None, told)
    taken = [places[start : start + batch_rows] for start in range(0, n_batches * batch_rows, batch_rows)]
    parts = [rows[part[part >= 0]].tocoo() for part in taken]
    n_cells = rounded_up(max((part.nnz for part in parts), default=0))
    values, cells = np.zeros((shape[0], n_cells), np.float32), np.zeros((shape[0], n_cells, 2), np.int32)
    for number, (part, block) in enumerate(zip(parts, taken, strict=True)):
        values[number, : part.nnz] = part.data
        cells[number, : part.nnz, 0] = np.flatnonzero(block >= 0)[part.row]
        cells[number, : part.nnz, 1] = part.col
    return _Batches(jnp.asarray(values), jnp.asarray(cells), told)


def _start(
    n_features: int, n_classes: int, n_folds: int, settings: ClassifierSettings, rng: np.random.Generator
) -> Network:
    """Weights before training: all classes alike, so that the first expected labels are those of the votes."""
    width, models = rounded_up(n_features), len(settings.weight_decays) * n_folds
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
    n_padded, batch_rows = batches.told.weight.shape
    total, held = batches.told.weight.sum(), batches.told.held_weight.sum().clip(1e-9)
    decay = jnp.repeat(weight_decays, per_decay) * total / (n_batches * batch_rows).astype(jnp.float32)
    optimizer = optax.scale_by_adam()

    def loss(network: Network, batch: _Batches) -> tuple[Array, Array]:
        told = batch.told
        log_p = jax.nn.log_softmax(_logits(network, batch), axis=-1)
        log_p = log_p.reshape(batch_rows, n_decays, per_decay, -1)
        likelihood = told.seen_weight[:, None] * jax.nn.logsumexp(log_p + told.seen[:, None], axis=-1)  # [b, L, F]
        own = jnp.take_along_axis(log_p, told.fold[:, None, None, None], axis=2)[:, :, 0]
        score = told.held_weight @ jax.nn.logsumexp(own + told.held[:, None], axis=-1)
        squares = sum((layer.weight**2).sum((1, 2)) for layer in network)
        return 0.5 * (decay * squares).sum() - likelihood.sum() / batch_rows, score

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
        return _Progress(network, memory, best, best_score, state.held_out.at[number].set(score / held))

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
        values = jax.ops.segment_sum(cells, batch.places[:, 0], num_segments=batch.told.weight.shape[0])
    values = values.reshape(-1, models, outputs) + network[0].bias[None]
    for layer in network[1:]:
        values = jnp.einsum("bgi,gio->bgo", jax.nn.relu(values), layer.weight) + layer.bias[None]
    return values
