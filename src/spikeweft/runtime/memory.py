"""Memory of this process and of the machine."""

import os
import re
import resource
import sys
from pathlib import Path


def peak_memory_mb() -> float:
    """Largest memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count what the parent process held
        (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(kib) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


MIB = 2**20


def memory_in_use_mb() -> float:
    """Memory of this process in MiB, with its libraries and the recording; 0 if unknown."""
    return _kib_of("/proc/self/status", "VmRSS") / 2**10


def available_memory_mb() -> float:
    """Memory in MiB that a new process could take; all of the machine's if that is unknown."""
    available = _kib_of("/proc/meminfo", "MemAvailable") / 2**10
    return available or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MIB


def _kib_of(status: str, name: str) -> int:
    """An entry of Linux's status files; 0 on other systems."""
    if not Path(status).exists():
        return 0
    found = re.search(rf"{name}:\s+(\d+) kB", Path(status).read_text())
    return int(found[1]) if found else 0
