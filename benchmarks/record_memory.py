"""Memory of fits to records, beside the estimate of the server: `python benchmarks/record_memory.py [ROWS]`.

Each label space is fitted in a process of its own, on simulated votes: 5 votes an item (spans a document of 30 tokens,
pairs of a tenth as many items), 50 sources, 1,000 tags.
"""

import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

from weaklabel_protocol.column_tables import to_message
from weaklabel_protocol.columns import Table, Texts
from weaklabel_protocol.label_spaces import LabelSpace, Numbers, Preferences, Sequences, Tags
from weaklabel_server.jobs.workers.estimate import RecordsSize, record_memory_bytes

PER_ITEM, SOURCES, TOKENS = 5, 50, 30
SPACES: dict[str, LabelSpace] = {
    "numbers": Numbers(),
    "tags": Tags([f"t{at}" for at in range(1000)]),
    "preferences": Preferences(ties=False),
    "sequence": Sequences(["PER", "LOC"]),
}


def simulated(space: LabelSpace, rows: int) -> Table:
    """Votes without any truth."""
    rng = np.random.default_rng(0)
    at = np.arange(rows)
    items = Texts(tuple(f"item {n}" for n in range(rows // PER_ITEM)), (at // PER_ITEM).astype(np.int32))
    turn = (at % PER_ITEM + 5 * (at // PER_ITEM % 9)).astype(np.int32)  # never twice on an item
    sources = Texts(tuple(f"s{n}" for n in range(SOURCES)), turn)
    match space:
        case Numbers():
            return Table({"item": items, "source": sources, "value": rng.normal(size=rows)})
        case Tags():
            tags = rng.integers(0, len(space.names), rows).astype(np.int32)
            return Table({"item": items, "source": sources, "tag": Texts(tuple(space.names), tags)})
        case Preferences():
            names = tuple(f"m{n}" for n in range(rows // PER_ITEM // 10))
            left = rng.integers(0, len(names), rows)
            right = (left + 1 + rng.integers(0, len(names) - 1, rows)) % len(names)
            sides = Texts(names, left.astype(np.int32)), Texts(names, right.astype(np.int32))
            winner = Texts(("left", "right"), rng.integers(0, 2, rows).astype(np.int32))
            return Table({"left": sides[0], "right": sides[1], "judge": sources, "winner": winner})
        case _:
            few = Texts(sources.names[:PER_ITEM], (at % PER_ITEM).astype(np.int32))
            start = rng.integers(0, TOKENS - 2, rows).astype(np.int32)
            types = Texts(("PER", "LOC"), rng.integers(0, 2, rows).astype(np.int32))
            tokens = np.full(rows, TOKENS, np.int32)
            return Table(
                {
                    "document": items,
                    "tokens": tokens,
                    "source": few,
                    "start": start,
                    "end": start + np.int32(2),
                    "type": types,
                }
            )


def measure(name: str, rows: int) -> dict[str, float]:
    """Seconds, and the peak of this process in MiB beside the estimate."""
    from weaklabel_server.jobs.kinds.fit import pack
    from weaklabel_server.jobs.kinds.kind import FitArguments
    from weaklabel_server.jobs.kinds.registry import kind_of
    from weaklabel_server.store.projects import Project

    space = SPACES[name]
    table = simulated(space, rows)
    size = RecordsSize(rows=rows, bytes=len(to_message(table).SerializeToString()))
    project = Project(
        key=0,
        project_id=name,
        classes=(),
        named_items=None,
        item_count=0,
        source_count=0,
        votes_version=0,
        create_time=0,
        label_space=space,
    )
    kind = kind_of(project)
    begin = time.monotonic()
    with warnings.catch_warnings(action="ignore"):
        model = kind.fit(table, None, FitArguments(seed=0, max_iter=None, options={}))
    fitted = time.monotonic()
    for one, labels in kind.labels(model, table, {}).items():
        pack(one, labels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "fit_seconds": round(fitted - begin, 1),
        "label_seconds": round(time.monotonic() - fitted, 1),
        "peak_mib": round(peak),
        "estimate_mib": round(record_memory_bytes(size) / 2**20),
    }


def main() -> None:
    """Prints a line for each label space."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        print(json.dumps(measure(sys.argv[2], rows)))
        return
    for name in SPACES:
        done = subprocess.run([sys.executable, __file__, str(rows), name], capture_output=True, text=True, check=True)
        print(name, done.stdout.strip())


if __name__ == "__main__":
    main()
