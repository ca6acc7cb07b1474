"""Compiled programs kept on disk: what one process has compiled, later ones read back (JAX's persistent cache).

A first fit spends most of its time compiling. So the cache is on, in a folder that only the user can read or write; the
environment variable WEAKLABEL_COMPILE_CACHE names another folder, or is "off". The server keeps its own, in its data
folder. What the program itself compiles with JAX is kept there as well, unless it has chosen a folder for JAX.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import sys
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

VARIABLE = "WEAKLABEL_COMPILE_CACHE"
"""Of the environment: a folder, or "off"."""
_FOLDER = "jax_compilation_cache_dir"
_LEAST_SECONDS = "jax_persistent_cache_min_compile_time_secs"


def user_folder() -> Path:
    """The cache of the user: weaklabel/compiled under XDG_CACHE_HOME, or ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "weaklabel" / "compiled"


def use_by_default() -> None:
    """Keeps compiled programs in the folder of the user, unless the environment or the program has chosen otherwise.

    A folder that cannot be made, or that others can write to, is left alone: nothing is kept.
    """
    chosen = os.environ.get(VARIABLE)
    jax = sys.modules.get("jax")
    if chosen == "off" or (jax is not None and jax.config.jax_compilation_cache_dir is not None):
        return
    if chosen:
        use(chosen)
        return
    try:
        path = user_folder() / _machine()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        for one in (path.parent, path):
            found = one.stat()
            if found.st_mode & 0o022 or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
                raise OSError(f"others can write to {one}")
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        log.info("compiled programs are not kept: %s", error)
        return
    use(path)


def _machine() -> str:
    """A name for the kind of processor: its programs may not run on others that share the home."""
    kind = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    return hashlib.sha256(kind.encode()).hexdigest()[:12]


def use(folder: str | os.PathLike[str] | None = None) -> None:
    """Keeps compiled programs in a folder, from now on and in processes that this one starts.

    Where the environment names a folder for JAX already (JAX_COMPILATION_CACHE_DIR), that one stays. A folder that
    cannot be written is logged, and nothing is kept. Who can write to the folder can run code in processes that use it:
    it is made for its owner only.

    Args:
        folder: made where it is missing; `user_folder()` where not given.
    """
    if _FOLDER.upper() in os.environ:
        return
    path = user_folder() if folder is None else Path(folder)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        log.warning("compiled programs are not kept: %s", error)
        return
    settings: dict[str, str | int] = {_FOLDER: str(path), _LEAST_SECONDS: 0}  # most programs are small
    for name, value in settings.items():
        os.environ[name.upper()] = str(value)
    if "jax" in sys.modules:  # which has read the environment, and may have compiled something
        import jax
        from jax.experimental.compilation_cache import compilation_cache

        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
