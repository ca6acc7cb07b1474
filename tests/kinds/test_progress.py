"""Fits of every kind are watched as those of label models are: it changes no bit, and who watches can end them."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from weaklabel import NumericModel, OrdinalModel, PreferenceModel, SequenceModel, TagModel
from weaklabel.errors import InvalidArgumentError
from weaklabel.model import FitProgress

rng = np.random.default_rng(7)
_CHOSEN = rng.random((90, 4, 3)) < np.where(rng.random((90, 1, 3)) < 0.4, 0.8, 0.1)
_LEVELS = np.clip(rng.integers(0, 4, (150, 1)) + rng.integers(-1, 2, (150, 5)), 0, 3)
_TAGS = np.where(rng.random((200, 4)) < 0.7, rng.integers(0, 3, (200, 1)), rng.integers(0, 3, (200, 4)))
_PAIRS = rng.integers(0, 12, (400, 2))
_PAIRS = _PAIRS[_PAIRS[:, 0] != _PAIRS[:, 1]]
_GAP = _PAIRS[:, 1] - _PAIRS[:, 0]
_COMPARED = {
    "left": [f"i{one}" for one in _PAIRS[:, 0]],
    "right": [f"i{one}" for one in _PAIRS[:, 1]],
    "judge": [f"j{one}" for one in rng.integers(0, 4, len(_PAIRS))],
    "winner": np.where(
        rng.random(len(_PAIRS)) < 1 / (1 + np.exp(0.4 * (_PAIRS[:, 1] - _PAIRS[:, 0]))), "left", "right"
    ),
}

# How to make a model that ends after many iterations, what it is fitted on, and the iterations before its own.
KINDS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], int]] = {
    "numbers": (NumericModel, (rng.normal(size=(120, 1)) + rng.normal(size=(120, 5)) * [0.1, 0.3, 0.6, 1, 2],), {}, 0),
    "tags": (lambda **given: TagModel(["a", "b", "c"], **given), (_CHOSEN.astype(np.int64),), {}, 0),
    "ordinal": (lambda **given: OrdinalModel(["0", "1", "2", "3"], **given), (_LEVELS,), {}, 0),
    "sequences": (
        lambda **given: SequenceModel(["PER"], **given),
        (_TAGS,),
        {"lengths": np.full(20, 10)},
        10,
    ),
    "preferences": (PreferenceModel, (_COMPARED,), {}, 0),
}


def _made(kind: str, **given: Any) -> Any:
    """A model that is not satisfied soon."""
    return KINDS[kind][0](max_iter=25, tol=1e-12, **given)


def _fit(model: Any, kind: str, **given: Any) -> Any:
    _, votes, arguments, _ = KINDS[kind]
    with warnings.catch_warnings(action="ignore"):
        return model.fit(*votes, **arguments, **given)


@pytest.mark.parametrize("kind", KINDS)
def test_watching_a_fit_changes_no_bit(kind: str) -> None:
    seen: list[FitProgress] = []
    watched = _fit(_made(kind), kind, progress=seen.append)
    plain = _fit(_made(kind), kind)
    assert watched.to_bytes() == plain.to_bytes()
    before, last = KINDS[kind][3], plain.n_iter
    assert 12 <= last <= 25
    tens = [*range(0, before, 10), *range(before, before + last, 10)]
    assert [step.iteration for step in seen] == sorted({*tens, before + last} - {0})
    assert {step.max_iter for step in seen} == {25 + before}
    assert all(step.change >= 0 for step in seen)
    if kind == "tags":
        assert np.isnan(seen[-1].objective)
    else:
        assert seen[-1].objective == pytest.approx(watched.objective[-1], rel=1e-6)
        assert seen[-2].objective == pytest.approx(watched.objective[(last - 1) // 10 * 10 - 1], rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_that_settles_says_so_once(kind: str) -> None:
    seen: list[FitProgress] = []
    model = KINDS[kind][0](tol=0.5)
    _fit(model, kind, progress=seen.append)
    assert seen[-1].iteration == model.n_iter + (seen[0].iteration if KINDS[kind][3] else 0)
    assert model.n_iter < 10
    assert len({step.iteration for step in seen}) == len(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_who_watches_can_end_a_fit_and_the_model_stays(kind: str) -> None:
    model = _fit(_made(kind), kind)
    before = model.to_bytes()

    def cancel(step: FitProgress) -> None:
        raise InterruptedError(f"enough at {step.iteration}")

    with pytest.raises(InterruptedError, match="enough at 10"):
        _fit(model, kind, progress=cancel)
    assert model.to_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_a_bar_or_a_function(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    _fit(_made(kind), kind, progress=True)
    assert "iterations" in capsys.readouterr().err
    with pytest.raises(InvalidArgumentError, match="progress must be True for a bar, or a function"):
        _fit(_made(kind), kind, progress="yes")
