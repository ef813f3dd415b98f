"""Tables of measurements: each row is made in a process of its own and says where it comes from.

A table is written after every row, and rows that it has are not made again, so an interrupted
benchmark goes on where it was. To measure anew, delete the table.
"""

import argparse
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from spikeweft.results.csv_table import read_cells, write_cells
from spikeweft.runtime.provenance import commit, machine

KIB, MIB = 2**10, 2**20

Row = dict[str, str | int | float]


class Growth(NamedTuple):
    """How costs grow with a size, among rows that are alike in other columns."""

    size: str
    costs: tuple[str, ...]
    alike: tuple[str, ...]


def fill(
    script: str,
    description: str | None,
    cases: Iterable[Row],
    measure: Callable[..., Row],
    packages: Sequence[str],
    growths: Sequence[Growth] = (),
) -> None:
    """Measure the cases that the script's table lacks; `measure` gets each as keywords."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=Path(script).with_suffix(".csv"))
    parser.add_argument("--first", type=int, help="stop after this many new rows")
    chosen = parser.parse_args()
    missing = [case for case in cases if not _is_in(case, rows(chosen.table))]
    for case in missing[: chosen.first]:
        origin = provenance(script, packages)
        made = {**case, **alone(measure, case), **origin}
        write_cells(chosen.table, with_exponents([*rows(chosen.table), made], growths))
        print(", ".join(f"{name} {value}" for name, value in made.items() if name not in origin))


def rows(table: Path) -> list[Row]:
    """Rows that a table has; those without provenance, of older scripts, do not count."""
    if not table.exists():
        return []
    return [dict(row) for row in read_cells(table) if row.get("command")]


def with_exponents(made: Sequence[Row], growths: Sequence[Growth]) -> list[Row]:
    """The rows, each with the exponents of growth since the next smaller row of its kind."""
    return [row | _exponents(row, made, growths) for row in made]


def _exponents(row: Row, made: Sequence[Row], growths: Sequence[Growth]) -> Row:
    exponents: Row = {}
    for growth in growths:
        kind = _kind(row, growth)
        smaller = [
            other
            for other in made
            if _kind(other, growth) == kind and float(other[growth.size]) < float(row[growth.size])
        ]
        if not smaller:
            continue
        before = max(smaller, key=lambda other: float(other[growth.size]))
        grown = math.log(float(row[growth.size]) / float(before[growth.size]))
        for cost in growth.costs:
            if row.get(cost) and before.get(cost):
                ratio = float(row[cost]) / float(before[cost])
                exponents[f"{cost}_by_{growth.size}"] = round(math.log(ratio) / grown, 2)
    return exponents


def _kind(row: Row, growth: Growth) -> list[str]:
    """What rows of a kind share, as text: rows that were read have nothing else."""
    return [str(row.get(name)) for name in growth.alike]


def _is_in(case: Row, made: Sequence[Row]) -> bool:
    return any(all(str(row.get(key)) == str(value) for key, value in case.items()) for row in made)


def alone(measure: Callable[..., Row], case: Row) -> Row:
    """Measure a case in a fresh process, with the linear algebra as it chooses itself to be."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, **case).result()


def provenance(script: str, packages: Sequence[str]) -> Row:
    """Commit, versions, machine and how busy it was, date, and the command that makes the table."""
    return {
        "version": version("spikeweft"),
        "commit": commit(),
        **{package: version(package) for package in packages},
        "machine": machine(),
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python benchmarks/{Path(script).name}",
    }


# ---- memory of this process: ru_maxrss would count the parent's as well, /proc does not ----------


def memory_mib(what: str) -> float:
    """Memory of this process in use ("VmRSS") or at most so far ("VmHWM")."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(what)).split()[1]) * KIB / MIB


def forget_peak() -> None:
    """Count the peak from what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")


def free_mib() -> float:
    """Memory that new processes can have."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) / KIB
