"""The machine and software that produced a result."""

import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("spikeweft", "numpy", "scipy", "torch", "numba", "xarray", "pynapple", "scikit-learn")
"""Those that decide what a fit finds."""

_CODE = ":/*.py"
"""Files whose changes count: a table that is being written is not code."""

_PACKAGE = "src"

_NEW_CODE = f":/{_PACKAGE}/*.py"

_CHANGED = "-dirty"

_LONGEST_WAIT_S = 30.0


@cache
def machine() -> str:
    """Processor, number of cores and operating system."""
    described = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", described.read_text()) if described.exists() else []
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def versions(*packages: str) -> dict[str, str]:
    """Versions of some packages, or of all `PACKAGES`, and of Python."""
    return {
        **{package: version(package) for package in packages or PACKAGES},
        "python": platform.python_version(),
    }


@cache
def commit() -> str:
    """Git commit of this code, "-dirty" appended where Python files of its tree have changed.

    Empty where the code is not part of a git checkout, or git cannot tell.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        name = _git("rev-parse", "--short=12", "HEAD")
        return f"{name}{_CHANGED}" if _git("status", "--porcelain", "--", _CODE) else name
    except (OSError, subprocess.SubprocessError):
        return ""


@cache
def is_of_this_code(made_by: str) -> bool:
    """Whether a commit has the same source code as this one: the package, not all about it.

    What was made by changed code, or by code without a commit, may be of any.
    """
    if not made_by or made_by.endswith(_CHANGED):
        return False
    if made_by == commit():
        return True
    try:
        changed = _git("diff", "--name-only", made_by, "--", f":/{_PACKAGE}")
        return not changed and not _git("ls-files", "--others", "--exclude-standard", _NEW_CODE)
    except (OSError, subprocess.SubprocessError):
        return False


def _git(*words: str) -> str:
    """What git says, asked in the folder of this file."""
    here = str(Path(__file__).resolve().parent)
    command = ["git", "--no-optional-locks", "-C", here, *words]
    said = subprocess.run(command, capture_output=True, check=True, timeout=_LONGEST_WAIT_S).stdout
    return said.decode(errors="replace").strip()
