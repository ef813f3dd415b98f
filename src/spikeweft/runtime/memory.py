"""Memory of this process and of the machine, and what others let it have of that."""

import os
import re
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spikeweft.errors import InputError

_SURELY_TOO_MUCH = 1.25
"""How far beyond what is free an expected memory has to be to be refused: it is rough."""

_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux shows its control groups, and where it says in which of them this process is."""


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
    """Memory in MiB that this process could still take.

    The least of what is free on the machine and what control groups (containers, batch systems) and
    a Slurm job leave of theirs; all of the machine's where nothing is known.
    """
    free_mb = _kib_of("/proc/meminfo", "MemAvailable") / 2**10
    free_mb = free_mb or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MIB
    return max(0.0, min(free_mb, *_left_in_groups_mb(), *_left_in_job_mb()))


def gigabytes(mb: float) -> str:
    """Memory in words, with two or three digits."""
    value = mb / 1024
    return f"{value:,.0f} GB" if value >= 10 else f"{value:.2g} GB"


def check_room(what: str, needed_mb: float, available_mb: float, remedy: str) -> None:
    """Refuse what surely takes more memory than there is.

    Raises
    ------
    InputError
        Where it does.
    """
    if needed_mb > _SURELY_TOO_MUCH * available_mb:
        raise InputError(
            f"{what} takes about {gigabytes(needed_mb)} of memory, and "
            f"{gigabytes(available_mb)} are free; {remedy}"
        )


class _GroupFiles(NamedTuple):
    """Files of a control group, and what its statistics call memory that it gives back if asked."""

    limit: str
    used: str
    returned: tuple[str, ...]


_GROUP_FILES = _GroupFiles(
    "memory.max", "memory.current", ("inactive_file", "active_file", "slab_reclaimable")
)
_GROUP_FILES_V1 = _GroupFiles(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
)


def _left_in_groups_mb() -> Iterator[float]:
    """What is left to this process's control group, and to each that this one lies in."""
    lines = _OWN_GROUPS.read_text().splitlines() if _OWN_GROUPS.exists() else []
    for number, controllers, path in (line.split(":", 2) for line in lines):
        if number == "0":
            root, files = _GROUPS, _GROUP_FILES
        elif "memory" in controllers.split(","):
            root, files = _GROUPS / "memory", _GROUP_FILES_V1
        else:
            continue
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                yield from _left_in_group_mb(folder, files)


def _left_in_group_mb(folder: Path, files: _GroupFiles) -> Iterator[float]:
    """One number, or none where the group has no limit or says nothing."""
    try:
        limit, used = ((folder / name).read_text().strip() for name in (files.limit, files.used))
        statistics = (folder / "memory.stat").read_text()
    except OSError:
        return
    names = "|".join(files.returned)
    returned = sum(map(int, re.findall(rf"^(?:{names}) (\d+)", statistics, re.MULTILINE)))
    if limit.isdigit():
        yield (int(limit) - int(used) + returned) / MIB


def _left_in_job_mb() -> Iterator[float]:
    """What a Slurm job asked for less what this process has; nothing outside one."""
    names = ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE")
    words = [os.environ.get(name, "") for name in names]
    per_node, per_cpu, n_cpus = (int(word) if word.isdigit() else 0 for word in words)
    for asked_mb in (per_node, per_cpu * n_cpus):
        if asked_mb:
            yield asked_mb - memory_in_use_mb()


def _kib_of(status: str, name: str) -> int:
    """An entry of Linux's status files; 0 on other systems."""
    if not Path(status).exists():
        return 0
    found = re.search(rf"{name}:\s+(\d+) kB", Path(status).read_text())
    return int(found[1]) if found else 0
