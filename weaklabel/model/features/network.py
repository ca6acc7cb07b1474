"""The end model, once it is trained: the mean of several linear models or small networks.

Shapes: N items, K classes, D features, E models, I inputs and O outputs of a layer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray
from scipy.special import log_softmax

from weaklabel.model.features.scaling import Scaling, scaled
from weaklabel.side_information.features import Features


class Layer(NamedTuple):
    """One layer of E models side by side: on the device while they are trained, in numpy afterwards."""

    weight: Float[Array, "E I O"] | NDArray[np.float32]
    bias: Float[Array, "E O"] | NDArray[np.float32]


Network = tuple[Layer, ...]
"""One layer (linear), or a hidden layer of rectified units and one on top."""


class Classifier(NamedTuple):
    """A trained end model: all that prediction needs."""

    scaling: Scaling
    network: Network

    def log_proba(self, features: Features) -> NDArray[np.float32]:
        """[N, K] log p(class | features), the mean over the models."""
        return mean_log_proba(self.network, scaled(features, self.scaling))


def select(network: Network, models: slice, n_features: int) -> Network:
    """Some of the models, without padding, on the host."""
    first, *rest = (Layer(np.asarray(layer.weight[models]), np.asarray(layer.bias[models])) for layer in network)
    return (first._replace(weight=first.weight[:, :n_features]), *rest)


def mean_log_proba(network: Network, rows: Features) -> NDArray[np.float32]:
    """[N, K] logarithm of the mean probability over the models."""
    n_models, total = len(network[0].bias), np.zeros(())
    for model in range(n_models):
        total = total + np.exp(log_proba_of(network, model, rows))
    return np.asarray(np.log(np.maximum(total / n_models, np.finfo(np.float32).tiny)), np.float32)


def log_proba_of(network: Network, model: int, rows: Features) -> NDArray[np.float32]:
    """[N, K] by one model, on the host and without compilation."""
    values = np.asarray(rows @ np.asarray(network[0].weight[model])) + np.asarray(network[0].bias[model])
    for layer in network[1:]:
        values = np.maximum(values, 0) @ np.asarray(layer.weight[model]) + np.asarray(layer.bias[model])
    return np.asarray(log_softmax(values, axis=1), np.float32)
