"""Memory and memory maps, of this machine and of a process, as Linux tells them. Elsewhere they are unknown."""

import os
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = (_CGROUP / "memory.max", _CGROUP / "memory" / "memory.limit_in_bytes")
_CGROUP_KILLS = (_CGROUP / "memory.events", _CGROUP / "memory" / "memory.oom_control", _PROC / "vmstat")
_USUAL_MAX_MAPS = 65_530

MAPS_SHARE = 0.5
"""Of the maps that a process may have: compiled programs take several each, and where there are no more, the compiler
ends the process with "LLVM: cannot allocate memory"."""


def memory_bytes() -> int:
    """What this machine has, or what its control group allows, whichever is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        text = _read(path).strip()
        if text.isdigit():
            found.append(int(text))
    return min(found)


def resident_bytes(process: int | str = "self") -> int:
    """What a process has in memory; 0 where that is unknown."""
    fields = _read(_PROC / str(process) / "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def map_count(process: int | str = "self") -> int:
    """Number of memory maps of a process; 0 where that is unknown."""
    return _read(_PROC / str(process) / "maps").count("\n")


def max_map_count() -> int:
    """How many a process may have."""
    text = _read(_PROC / "sys" / "vm" / "max_map_count").strip()
    return int(text) if text.isdigit() else _USUAL_MAX_MAPS


def near_map_limit(maps: int, limit: int) -> bool:
    """Whether a process with so many maps should not compile much more."""
    return maps > MAPS_SHARE * limit


def kills_for_memory() -> int:
    """How often the kernel has killed a process because memory ran out."""
    kills = 0
    for path in _CGROUP_KILLS:
        for line in _read(path).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                kills += int(value)
    return kills


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
