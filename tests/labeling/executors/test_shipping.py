"""Parts that come back from workers, without a cluster: positions, first failures, and what ends a run."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from weaklabel.errors import InvalidArgumentError
from weaklabel.labeling import LabelingFunction, opened_once
from weaklabel.labeling.evaluate import Setting
from weaklabel.labeling.executors import shipping
from weaklabel.labeling.failures import StoppedError

opened: list[int] = []


def open_it() -> int:
    opened.append(1)
    return 3


def modulo(x: Any, n: int) -> int:
    if x == 13:
        raise KeyError(x)
    return int(x) % n


def _shipped(resource: Any = 3, **how: Any) -> bytes:
    setting = Setting(**({"n_classes": 3, "stop_at_errors": False, "keep_failures": False} | how))
    return pickle.dumps(((LabelingFunction(modulo, resources={"n": resource}),), setting))


def _chunks() -> list[bytes]:
    return [pickle.dumps(list(range(start, start + 10))) for start in (0, 10, 20)]


def test_failures_stand_at_their_positions_in_all_of_the_data() -> None:
    shipped = _shipped()
    parts = list(shipping.received(shipping.evaluate_chunk(shipped, chunk) for chunk in _chunks()))
    expected = np.arange(30) % 3
    expected[13] = -2
    np.testing.assert_array_equal(np.concatenate([part.codes for part in parts])[:, 0], expected)
    assert [(one.item, one.error) for part in parts for one in part.failures] == [(13, "KeyError: 13")]


def test_the_first_failure_of_each_part_is_told_whatever_a_worker_saw_before() -> None:
    shipped, chunk = _shipped(), _chunks()[1]
    later, earlier = (shipping.evaluate_chunk(shipped, chunk) for _ in range(2))
    assert [len(part.failures) for part in shipping.received([earlier, later])] == [1, 1]


def test_a_failure_that_ends_the_run_keeps_its_cause() -> None:
    shipped = _shipped(stop_at_errors=True)
    parts = shipping.received(shipping.evaluate_chunk(shipped, chunk) for chunk in _chunks())
    next(parts)
    with pytest.raises(StoppedError) as stopped:
        next(parts)
    assert stopped.value.failure.item == 13
    assert isinstance(stopped.value.__cause__, KeyError)


def test_a_resource_is_opened_once_and_after_it_was_sent() -> None:
    opened.clear()
    shipped = _shipped(opened_once(open_it))
    assert opened == []
    list(shipping.received(shipping.evaluate_chunk(shipped, chunk) for chunk in _chunks()))
    assert opened == [1]


def test_functions_that_a_worker_cannot_load_are_told() -> None:
    parts = shipping.received([shipping.evaluate_chunk(b"nothing", _chunks()[0])])
    with pytest.raises(InvalidArgumentError, match="cannot be loaded by a worker"):
        next(parts)
