"""A process that compiles for very many shapes gives programs up before the kernel ends it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
from weaklabel.model.numerics import memory_maps
from weaklabel.model.numerics.compiled import compiled

double = compiled(lambda x: 2 * x + 1)
before = memory_maps.map_count()
memory_maps.limit = lambda: 2 * (before + 300)  # the half of it is soon reached
most = 0
for size in range(1, 400):
    assert float(double(np.ones(size, np.float32))[0]) == 3
    most = max(most, memory_maps.map_count())
print(before, most, memory_maps.map_count())
"""


@pytest.mark.slow
def test_programs_are_given_up_before_there_are_too_many() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=100)
    before, most, _ = map(int, done.stdout.split())
    assert "compiled programs are given up" in done.stderr
    assert most < before + 300 + 32 * 12  # the limit, and what may come between two looks
