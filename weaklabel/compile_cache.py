"""Compiled programs kept on disk: what one process has compiled, later ones read back (JAX's persistent cache).

A first fit spends most of its time compiling. The server turns the cache on by itself; a script does with::

    from weaklabel import compile_cache

    compile_cache.use()
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

_FOLDER = "jax_compilation_cache_dir"
_LEAST_SECONDS = "jax_persistent_cache_min_compile_time_secs"


def user_folder() -> Path:
    """The cache of the user: weaklabel/compiled under XDG_CACHE_HOME, or ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "weaklabel" / "compiled"


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
