"""Programs are given up before a process has no memory maps left, for then the compiler would end it.

A compiled program takes several of the maps that Linux allows a process (vm.max_map_count); where there are no more,
LLVM ends the process with "cannot allocate memory". A process that fits sets of very many sizes comes there.
"""

from __future__ import annotations

import logging
from pathlib import Path

import jax

LOOK_EVERY = 32
"""New programs from one look at the maps to the next, which takes milliseconds where there are many."""
MOST_OF_MAPS = 0.5
"""Share of the maps that a process may have."""
USUAL_LIMIT = 65_530
_PROC = Path("/proc")

log = logging.getLogger(__name__)


def map_count() -> int:
    """Memory maps of this process; 0 where that is unknown, as on systems other than Linux."""
    try:
        return (_PROC / "self" / "maps").read_bytes().count(b"\n")
    except OSError:
        return 0


def limit() -> int:
    """How many a process may have."""
    try:
        return int((_PROC / "sys" / "vm" / "max_map_count").read_text())
    except (OSError, ValueError):
        return USUAL_LIMIT


def give_up_programs_if_many() -> bool:
    """Clears JAX's caches where maps are running out; what is still used is compiled again, or read from disk."""
    maps, most = map_count(), limit()
    if maps <= MOST_OF_MAPS * most:
        return False
    log.warning("compiled programs are given up: %d memory maps of at most %d", maps, most)
    jax.clear_caches()
    return True
