"""What a person meets first: import, fit and predict in fresh processes, without and with the compilation cache.

Each figure is the least of several processes, wall seconds and CPU seconds, votes being in memory. Run it as
`python benchmarks/first_fit.py`; `--repeats` says how often.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROGRAM = """
import json, sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
from simulate import Size, simulate
votes = simulate(Size("first", int(sys.argv[2]), 10, 2)).votes
assert votes is not None
def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
def load():
    global LabelModel
    from weaklabel import LabelModel
def fit():
    LabelModel(2).fit(votes).predict_proba(votes)
print(json.dumps({"import": timed(load), "first": timed(fit), "later": min(timed(fit) for _ in range(4))}))
"""


class Times(NamedTuple):
    """Wall and CPU seconds."""

    wall: float
    cpu: float


def measured(n_items: int, cache: str, repeats: int) -> dict[str, Times]:
    """The least of several processes, of each stage and of import and first fit together."""
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(n_items)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            command, env=environment | {"WEAKLABEL_COMPILE_CACHE": cache}, capture_output=True, text=True, check=True
        )
        stages = {name: Times(*pair) for name, pair in json.loads(done.stdout).items()}
        whole = Times(*(sum(pair) for pair in zip(stages["import"], stages["first"], strict=True)))
        runs.append(stages | {"import + first": whole})
    return {name: Times(*(min(pair) for pair in zip(*(run[name] for run in runs), strict=True))) for name in runs[0]}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    stages = ("import", "first", "import + first", "later")
    print("wall (CPU) seconds | " + " | ".join(stages))
    for n_items in (1_700, 10_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            measured(n_items, folder, 1)  # fills it
            for name, cache in (("no cache", "off"), ("cache", folder)):
                found = measured(n_items, cache, repeats)
                cells = (f"{found[stage].wall:.2f} ({found[stage].cpu:.2f})" for stage in stages)
                print(f"{n_items:,} x 10, {name} | " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
