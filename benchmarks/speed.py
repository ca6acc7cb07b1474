#!/usr/bin/env python
"""Speed and memory of the label model on simulated votes, beside peers and the machine's floors.

    make bench-speed
    .venv/bin/python benchmarks/speed.py --peers-python peers/bin/python
    .venv/bin/python benchmarks/speed.py --sizes "1M x 10, K=2" --no-scaling

Each measured system runs in a process of its own, one after the other, on the same votes (benchmarks/simulate.py). Fit
and predict are timed; making a peer's own input (tables, sparse matrices) is not. weaklabel is fitted to a small set
first; "first" is the first fit of a size in the process, compilation included, "weaklabel" the median of three later
fits to 1, 2 and 3 % fewer items, which should compile nothing. Memory is the peak above the process that has imported
the library.

floors    one read of the votes; one E-step in numpy, in its fastest form and in its plain one (a lookup and a sum a
          source, over whole columns); bandwidth of a copy. The fastest form works in blocks that stay in cache.
peers     IBCC always; crowd-kit's and Snorkel's models where --peers-python names an environment that holds them (see
          benchmarks/peer_worker.py). Targets are checked against the fastest package and against IBCC, which is bare
          arithmetic written for this comparison. A peer is of equal quality where its accuracy is at most .005 below
          weaklabel's, and its NLL at most .02 above.
quality   accuracy and NLL against the truth that was simulated; the share of rows with the same likeliest class as
          after a fit to every row (sample_rows=None), and the difference in mean NLL.

Targets are stated for the median of the later fits, against peers and floors of the same run. Figures that were
measured, and what was expected beforehand, are in docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from simulate import LARGE, SIZES, Size, simulate

from weaklabel.analysis import evaluate

HERE = Path(__file__).parent
CROWD_KIT = ("crowd-kit Dawid-Skene", "crowd-kit one-coin")
SNORKEL = ("Snorkel", "Snorkel majority vote")
ACCURACY_MARGIN, NLL_MARGIN = 0.005, 0.02
"""How far below weaklabel's a peer of equal quality may be."""
SCALING_ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
LINEAR_FROM = 300_000
"""Rows from which the slope is fitted."""

Figures = dict[str, Any]


class Target:
    """A figure that must show, and whether it did."""

    def __init__(self, what: str, value: float, limit: float, unit: str, *, least: bool = False) -> None:
        self.what, self.value, self.limit, self.unit, self.least = what, value, limit, unit, least
        self.met = value >= limit if least else value <= limit

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        verdict = "met" if self.met else "NOT MET"
        return f"  {self.what:62}{self.value:10.4g}   {sign} {self.limit:<6g} {self.unit:14}{verdict}"


# ------------------------------------------------------------------- measuring


def worker(
    job: str,
    problem: Path,
    *,
    save: Path | None = None,
    one_core: bool = False,
    environment: dict[str, str] | None = None,
) -> Figures:
    """Figures of one job of benchmarks/speed_worker.py."""
    command = [sys.executable, str(HERE / "speed_worker.py"), job, str(problem)]
    command += ["--save", str(save)] if save else []
    pin = (lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})) if one_core else None
    variables = os.environ | (environment or {})
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pin, env=variables)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peer(name: str, python: Path, problem: Path, limit: float) -> Figures:
    """Figures of one peer in its environment, and "failed" instead where it is out of time or memory."""
    command = [str(python), str(HERE / "peer_worker.py"), name]
    try:
        done = subprocess.run(command, input=f"{problem}\n", capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"> {limit:.0f} s"}
    if done.stdout.strip() != "done":
        return {"failed": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    return dict(json.loads(problem.with_suffix(".json").read_text()))


def scored(figures: Figures, path: Path, truth: NDArray[np.int8]) -> Figures:
    """With accuracy and NLL of the probabilities in a file."""
    if "failed" in figures:
        return figures
    scores = evaluate(np.load(path), truth.astype(np.int64))
    total = figures["fit_s"] + figures["predict_s"]
    return figures | {"total_s": total, "accuracy": scores.accuracy, "nll": scores.nll}


class Peers:
    """Runs peers; with a cache, each once ever."""

    def __init__(self, python: Path | None, limit: float, cache: Path | None) -> None:
        self._python, self._limit, self._cache = python, limit, cache
        self._known: dict[str, Figures] = json.loads(cache.read_text()) if cache and cache.exists() else {}

    def names(self, size: Size) -> list[str]:
        """The peers that can run on a size: Snorkel's take matrices only, and of 5,000 sources none that fits."""
        if self._python is None:
            return ["IBCC"]
        return ["IBCC", *CROWD_KIT] + ([] if size.votes_per_item else list(SNORKEL))

    def measure(self, name: str, size: Size, problem: Path, truth: NDArray[np.int8]) -> Figures:
        """Figures of one peer on one size."""
        votes = zlib.crc32((HERE / "simulate.py").read_bytes())  # figures are those of the votes that it makes
        key = f"{size.name} / {name} / {votes:08x}"
        if key in self._known:
            return self._known[key]
        found = problem.with_suffix(".npy")
        if name == "IBCC":
            figures = scored(worker("ibcc", problem, save=found), found, truth)
        else:
            assert self._python is not None
            figures = scored(peer(name, self._python, problem, self._limit), found, truth)
        if self._cache:
            self._known[key] = figures
            self._cache.write_text(json.dumps(self._known, indent=1))
        return figures


def measure(size: Size, peers: Peers, folder: Path) -> Figures:
    """Everything about one size; prints it as it comes."""
    path, found = folder / "problem.npz", folder / "problem.npy"
    problem = simulate(size)
    problem.save(path)
    floors = worker("floors", path)
    forms = ", ".join(f"{name} {_seconds(seconds)}" for name, seconds in floors["forms_s"].items())
    print(f"{size.name}: {problem.n_votes:,} votes; one read {_seconds(floors['read_s'])}", end="")
    print(f", one E-step {_seconds(floors['e_step_s'])} ({forms}), copy {floors['copy_gb_s']:.0f} GB/s")
    print(f"  {'seconds':24}{'fit':>9}{'predict':>9}{'total':>9}{'x ours':>8}", end="")
    print(f"{'peak MB':>9}{'accuracy':>10}{'NLL':>8}  iterations", flush=True)
    systems: dict[str, Figures] = {"weaklabel": scored(worker("fit", path, save=found), found, problem.truth)}
    ours = systems["weaklabel"]
    _print("weaklabel", ours, ours)
    _print("  first", ours["first"], ours)
    figures: Figures = {"floors": floors, "systems": systems, "n_votes": problem.n_votes}
    approximate = np.load(found)
    systems["weaklabel, every row"] = scored(worker("full", path, save=found), found, problem.truth)
    figures["same_argmax"] = float((approximate.argmax(1) == np.load(found).argmax(1)).mean())
    figures["nll_change"] = ours["nll"] - systems["weaklabel, every row"]["nll"]
    _print("  every row", systems["weaklabel, every row"], ours)
    change = f"{100 * figures['same_argmax']:.3f} % of the classes, NLL {figures['nll_change']:+.5f}"
    print(f"  against every row: {change}")
    systems["majority vote"] = scored(worker("majority", path, save=found), found, problem.truth)
    _print("majority vote", systems["majority vote"], ours)
    for name in peers.names(size):
        systems[name] = peers.measure(name, size, path, problem.truth)
        _print(name, systems[name], ours)
    figures["predict_one_core"] = worker("predict", path, one_core=True)
    print(f"  predict on one core: {figures['predict_one_core']['votes_per_s'] / 1e6:.0f} million votes a second")
    budget = (problem.nbytes + 4 * problem.n_items * problem.n_classes) / 2**20
    figures["memory_ratio"] = ours["peak_mb"] / budget
    print(f"  compiled in later fits: {ours['compiled']}", end="")
    print(f"; peak memory {figures['memory_ratio']:.1f} x votes and result\n")
    return figures


def start(folder: Path) -> Figures:
    """Seconds of `import weaklabel`, and of a process that fits 10,000 x 10 from its start to its end.

    The latter with nothing compiled before, and with what an earlier process left in JAX's compilation cache.
    """
    code = "import time; t = time.perf_counter(); import weaklabel; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    imports = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    path = folder / "small.npz"
    simulate(Size("small", 10_000, 10, 2)).save(path)
    with tempfile.TemporaryDirectory() as cache:
        kept = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        worker("cold", path, environment=kept)
        colds = {
            name: statistics.median(_wall("cold", path, variables) for _ in range(3))
            for name, variables in (("cold_s", {}), ("cold_cached_s", kept))
        }
    return {"import_s": statistics.median(imports)} | colds


def _wall(job: str, problem: Path, environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    worker(job, problem, environment=environment)
    return time.perf_counter() - began


def scaling(rows: tuple[int, ...], n_sources: int, folder: Path) -> Figures:
    """Seconds against rows, K=2: weaklabel, one plain E-step, and IBCC up to a million rows."""
    path, whole = folder / "problem.npz", simulate(Size("scaling", max(rows), n_sources, 2))
    curves: dict[str, list[float]] = {"weaklabel": [], "one E-step in plain numpy": [], "IBCC": []}
    for n in rows:
        whole.first(n).save(path)
        ours = worker("fit", path)
        curves["weaklabel"].append(ours["total_s"])
        curves["one E-step in plain numpy"].append(worker("floors", path)["forms_s"]["plain"])
        if n <= 1_000_000:
            curves["IBCC"].append(worker("ibcc", path)["fit_s"])
        print(f"  {n:>10,} x {n_sources}: {_seconds(ours['total_s'])}, {ours['iterations']} iterations", flush=True)
    return {"rows": list(rows), "seconds": curves, "slope": {name: slope(rows, s) for name, s in curves.items()}}


def slope(rows: tuple[int, ...], seconds: list[float]) -> float:
    """Exponent of time in rows, by least squares of the logarithms, from LINEAR_FROM on."""
    kept = [(n, s) for n, s in zip(rows, seconds, strict=False) if n >= LINEAR_FROM]
    x, y = np.log(np.array(kept)).T
    return float(np.polyfit(x, y, 1)[0])


# -------------------------------------------------------------------- printing


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def _print(name: str, figures: Figures, ours: Figures) -> None:
    if "failed" in figures:
        print(f"  {name:24}{figures['failed']}", flush=True)
        return
    line = f"  {name:24}{figures['fit_s']:9.3f}{figures['predict_s']:9.3f}{figures['total_s']:9.3f}"
    line += f"{figures['total_s'] / ours['total_s']:8.1f}{figures['peak_mb']:9.0f}"
    if "nll" in figures:
        line += f"{figures['accuracy']:10.4f}{figures['nll']:8.4f}"
    elif figures.get("compiled"):
        line += f"  of it {figures['compile_s']:.2f} s compiling"
    print(line + (f"  {figures['iterations']}" if figures.get("iterations") else ""), flush=True)


PEER_RATIO = {
    "1M x 10, K=2": 30.0,
    "1M x 50, K=2": 12.0,
    "1M x 20, K=10": 15.0,
    "100k x 10, K=100": 20.0,
    "crowd, 1M x 5,000, K=3": 20.0,
}
E_STEP_RATIO = {"1M x 10, K=2": 1.5, "1M x 50, K=2": 1.0, "1M x 20, K=10": 1.5, "100k x 10, K=100": 4.0}


def fastest_equal(systems: dict[str, Figures], names: tuple[str, ...]) -> tuple[str, float] | None:
    """The fastest of the peers that are as good as weaklabel, and its seconds."""
    ours = systems["weaklabel"]
    equal = {
        name: systems[name]["total_s"]
        for name in names
        if "total_s" in systems.get(name, {})
        and systems[name]["accuracy"] >= ours["accuracy"] - ACCURACY_MARGIN
        and systems[name]["nll"] <= ours["nll"] + NLL_MARGIN
    }
    return min(equal.items(), key=lambda entry: entry[1]) if equal else None


def targets(report: Figures) -> list[Target]:
    """What must show, beside what was measured; only what was."""
    rows: list[Target] = []
    for name, figures in report["sizes"].items():
        systems = figures["systems"]
        total = systems["weaklabel"]["total_s"]
        groups = (CROWD_KIT,) if name.startswith("crowd") else (("Snorkel", *CROWD_KIT), ("IBCC",))
        for peers in groups if name in PEER_RATIO else ():
            fastest = fastest_equal(systems, peers)
            if fastest:
                rows.append(Target(f"{name}: {fastest[0]}", fastest[1] / total, PEER_RATIO[name], "x ours", least=True))
        if name in E_STEP_RATIO:
            plain, best = figures["floors"]["forms_s"]["plain"], figures["floors"]["e_step_s"]
            rows.append(Target(f"{name}: plain E-step", total / plain, E_STEP_RATIO[name], "E-steps"))
            rows.append(Target(f"{name}: fastest E-step", total / best, E_STEP_RATIO[name], "E-steps"))
        same, change = 100 * figures["same_argmax"], abs(figures["nll_change"])
        rows.append(Target(f"{name}: classes as fitted to every row", same, 99.9, "%", least=True))
        rows.append(Target(f"{name}: NLL away from every row's", change, 0.002, "nats"))
        speed = figures["predict_one_core"]["votes_per_s"] / 1e6
        rows.append(Target(f"{name}: predict on one core", speed, 20, "M votes/s", least=True))
        rows.append(Target(f"{name}: compiled in later fits", systems["weaklabel"]["compiled"], 0, ""))
        if name == "1M x 50, K=2":
            rows.append(Target(f"{name}: peak memory", figures["memory_ratio"], 2.5, "votes+result"))
            if "total_s" in systems.get("Snorkel majority vote", {}):
                share = systems["majority vote"]["total_s"] / systems["Snorkel majority vote"]["total_s"]
                rows.append(Target(f"{name}: majority vote over Snorkel's", share, 0.15, "x"))
    rows.append(Target("import weaklabel", report["start"]["import_s"], 0.3, "s"))
    rows.append(Target("a cold process fits 10,000 x 10", report["start"]["cold_s"], 2.5, "s"))
    rows.append(Target("  the same with a compilation cache", report["start"]["cold_cached_s"], 2.5, "s"))
    for name, curve in report.get("scaling", {}).items():
        rows.append(Target(f"{name}: exponent of time in rows", curve["slope"]["weaklabel"], 1.1, ""))
    return rows


def plot(curves: dict[str, Figures], path: Path) -> None:
    """Time against rows, both logarithmic, a panel for each number of sources."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(5.2 * len(curves), 4.4), sharey=True, squeeze=False)
    for axis, (name, curve) in zip(axes[0], curves.items(), strict=True):
        for (system, seconds), marker in zip(curve["seconds"].items(), "os^", strict=True):
            label = f"{system}: slope {curve['slope'][system]:.2f}"
            axis.loglog(curve["rows"][: len(seconds)], seconds, marker=marker, label=label)
        ends = np.array([LINEAR_FROM, max(curve["rows"])])
        last = curve["seconds"]["weaklabel"][-1]
        axis.loglog(ends, last * ends / ends[1], "k:", label="linear: slope 1")
        axis.set_title(f"{name}, K=2, 30 % coverage")
        axis.set_xlabel("rows")
        axis.grid(alpha=0.3)
        axis.legend(title=f"slope from {LINEAR_FROM:,} rows on", fontsize=8, title_fontsize=8)
    axes[0][0].set_ylabel("fit + predict, or one E-step [s]")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", type=Path, help="python of an environment with snorkel and crowd-kit")
    parser.add_argument("--peer-limit", type=float, default=600, help="seconds that a peer may take")
    parser.add_argument(
        "--reuse-peers", action="store_true", help="take peers' figures of earlier runs: for development"
    )
    parser.add_argument("--sizes", nargs="+", metavar="NAME", choices=[size.name for size in SIZES], help="some only")
    parser.add_argument("--large", action="store_true", help="10 million rows as well")
    parser.add_argument("--no-scaling", action="store_true", help="leave out time against rows")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/speed.json"))
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    cache = arguments.output.with_name("speed-peers.json") if arguments.reuse_peers else None
    peers = Peers(arguments.peers_python, arguments.peer_limit, cache)
    chosen = arguments.sizes or [size.name for size in SIZES if arguments.large or size.name not in LARGE]
    report: Figures = {"machine": {"cpus": os.cpu_count(), "processor": platform.machine(), "python": sys.version}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        report["sizes"] = {size.name: measure(size, peers, folder) for size in SIZES if size.name in chosen}
        report["start"] = start(folder)
        if not arguments.no_scaling:
            print("time against rows")
            rows = (*SCALING_ROWS, 10_000_000) if arguments.large else SCALING_ROWS
            report["scaling"] = {f"{m} sources": scaling(rows, m, folder) for m in (10, 50)}
            plot(report["scaling"], arguments.output.with_suffix(".png"))
    checks = targets(report)
    report["targets"] = [vars(check) for check in checks]
    print("\ntargets (ratios of this run)")
    print("\n".join(map(str, checks)))
    arguments.output.write_text(json.dumps(report, indent=1))
    print(f"figures: {arguments.output}")


if __name__ == "__main__":
    main()
