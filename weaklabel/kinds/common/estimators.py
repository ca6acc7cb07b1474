"""Estimators of any kind: fitted or not, by the habits of scikit-learn, and kept in files."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from weaklabel._archive import MOST_BYTES, KeptInFiles
from weaklabel._parameters import Parameters
from weaklabel.errors import InvalidArgumentError, ModelFileError, NotFittedError


class HowItWent(Protocol):
    """A fit, as far as all estimators know it."""

    @property
    def n_iter(self) -> int:
        """Number of iterations."""
        ...

    @property
    def converged(self) -> bool:
        """Whether they converged."""
        ...


State = TypeVar("State")
Fit = TypeVar("Fit", bound=HowItWent)
Model = TypeVar("Model")


class Estimator(Parameters, KeptInFiles, Generic[State]):
    """An estimator that is fitted once its state is set."""

    _state: State | None = None
    _first: ClassVar[str] = "fit(votes)"
    """What makes it fitted."""

    @property
    def _fitted(self) -> State:
        if self._state is None:
            raise NotFittedError(f"the model is not fitted: call {self._first} first")
        return self._state

    def __sklearn_is_fitted__(self) -> bool:
        return self._state is not None


class SourceEstimator(Estimator[tuple[tuple[str, ...], Fit]]):
    """An estimator whose state is the names of the sources, and a fit."""

    _storage: ClassVar[Any]
    """The module whose `pack` makes bytes of the parameters, the names and the fit, and whose `unpack` reads them."""

    @property
    def source_names(self) -> tuple[str, ...]:
        """M names."""
        return self._fitted[0]

    @property
    def n_iter(self) -> int:
        """Number of iterations."""
        return self._fitted[1].n_iter

    @property
    def converged(self) -> bool:
        """Whether they converged before `max_iter`."""
        return self._fitted[1].converged

    def to_bytes(self) -> bytes:
        """The fitted model as bytes, without pickle.

        Raises:
            NotFittedError: before `fit`.
        """
        data: bytes = self._storage.pack(self._params_to_keep(), *self._fitted)
        return data

    def _params_to_keep(self) -> dict[str, Any]:
        """The parameters as JSON knows them."""
        return self.get_params()

    @classmethod
    def from_bytes(cls, data: bytes, *, most_bytes: int = MOST_BYTES) -> Self:
        """The model out of `to_bytes`; no code of the bytes is run.

        Args:
            data: the bytes.
            most_bytes: what they may unpack to; more is refused before it takes the memory.

        Raises:
            ModelFileError: if the bytes are not a model that this version can read.
        """
        parameters, names, fitted = cls._storage.unpack(data, most_bytes)
        model = made(cls, parameters)
        model._state = names, fitted
        return model


def made(model: type[Model], parameters: dict[str, Any]) -> Model:
    """A model of the parameters that a file holds.

    Raises:
        ModelFileError: if they are none of it.
    """
    try:
        return model(**parameters)
    except (TypeError, InvalidArgumentError) as error:
        raise ModelFileError(f"the model file is damaged: {error!r}") from None
