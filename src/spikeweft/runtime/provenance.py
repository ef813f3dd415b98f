"""The machine and software that produced a result."""

import os
import platform
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("spikeweft", "numpy", "scipy", "torch", "numba", "xarray", "pynapple", "scikit-learn")
"""Those that decide what a fit finds."""


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
