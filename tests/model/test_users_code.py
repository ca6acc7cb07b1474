"""Code that users hand to a fit runs under their own settings of JAX."""

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.experimental
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from weaklabel import LabelModel, VoteChunks

ENABLE_X64: Any = vars(jax if "enable_x64" in vars(jax) else jax.experimental)["enable_x64"]
CODES = np.random.default_rng(0).integers(-1, 2, (300, 4))


def test_progress_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def chunks() -> Iterator[NDArray[np.int64]]:
        for part in np.split(CODES, 3):
            seen.append(jnp.ones(1).dtype)
            yield part

    with ENABLE_X64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LabelModel(2).fit(CODES, progress=lambda _: seen.append(jnp.ones(1).dtype))
        n_reports = len(seen)
        LabelModel(2).fit(VoteChunks(chunks, 2))
    assert n_reports > 0
    assert len(seen) > n_reports
    assert set(seen) == {jnp.dtype("float64")}


def test_an_error_in_users_code_leaves_the_settings_as_they_were() -> None:
    def stop(_: object) -> None:
        raise KeyError("stopped")

    with jax.debug_nans(True):
        with pytest.raises(KeyError, match="stopped"):
            LabelModel(2).fit(CODES, progress=stop)
        assert getattr(jax.config, "jax_debug_nans")  # noqa: B009  # which has no type
