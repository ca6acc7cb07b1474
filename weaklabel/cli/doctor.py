"""weaklabel doctor: versions, devices, and whether a small fit gives what it must."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import typer

from weaklabel._version import __version__
from weaklabel.cli import options
from weaklabel.cli.session import FAILED, command, show_json

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "optax", "narwhals", "pandas", "polars", "pyarrow")
EXTRAS = {"server": "weaklabel-server", "client": "weaklabel-client", "prompts": "openai", "parquet": "pyarrow"}
LEAST_ACCURACY = 0.9
"""Of the self-test, where an item is labeled best with probability 0.979 (by enumeration)."""


def doctor(as_json: options.AsJson = False) -> None:
    """Show versions and devices, and fit a small model of known votes. Exit code 1 if something does not work."""
    with command("doctor"):
        found = examined()
        if as_json:
            show_json(found)
        else:
            typer.echo(_as_text(found))
        if not found["ok"]:
            raise typer.Exit(FAILED)


def examined() -> dict[str, Any]:
    """All that is shown."""
    found: dict[str, Any] = {
        "weaklabel": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "extras": {extra: _version(package) is not None for extra, package in EXTRAS.items()},
    }
    try:
        import jax

        from weaklabel import compile_cache

        found["devices"] = [f"{one.platform}: {one.device_kind}" for one in jax.devices()]
        found["self_test"] = self_test()
        # Read after the fit, which is what turns the cache on.
        folder = jax.config.values.get("jax_compilation_cache_dir")
        found["compile_cache"] = {"folder": folder, "variable": compile_cache.VARIABLE}
        found["ok"] = found["self_test"]["ok"]
    except Exception as error:  # whatever is broken is what is asked for
        found |= {"ok": False, "error": " ".join(f"{type(error).__name__}: {error}".split())}
    return found


def self_test() -> dict[str, Any]:
    """A fit of five independent sources of known accuracy on 500 items, and how many of its labels are right."""
    from weaklabel import LabelModel, Votes

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 500)
    right = rng.random((500, 5)) < [0.9, 0.85, 0.8, 0.9, 0.85]
    start = time.perf_counter()
    votes = Votes.from_dense(np.where(right, truth[:, None], 1 - truth[:, None]), 2)
    labels = LabelModel(2).fit(votes).predict(votes)
    accuracy = float((labels == truth).mean())
    return {"ok": accuracy >= LEAST_ACCURACY, "accuracy": accuracy, "seconds": time.perf_counter() - start}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _as_text(found: dict[str, Any]) -> str:
    lines = [
        f"weaklabel {found['weaklabel']}, Python {found['python']} ({found['executable']}), {found['platform']}",
        "packages: " + ", ".join(f"{name} {told or 'not installed'}" for name, told in found["packages"].items()),
        "extras: " + ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in found["extras"].items()),
    ]
    if "devices" in found:
        lines.append("devices: " + ", ".join(found["devices"]))
    if "compile_cache" in found:
        lines.append(f"compiled programs are kept in: {found['compile_cache']['folder'] or 'no folder'}")
    if test := found.get("self_test"):
        told = "passed" if test["ok"] else "FAILED"
        lines.append(f"self-test {told}: accuracy {test['accuracy']:.3f} in {test['seconds']:.1f} s")
    if "error" in found:
        lines.append(f"FAILED: {found['error']}")
    return "\n".join(lines)
