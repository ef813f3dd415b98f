"""Rows of the table of sparse circuits, one per case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spikeweft.benchmark.sparse_circuits.cases import SparseCase
from spikeweft.results import csv_table
from spikeweft.results.csv_table import NAN
from spikeweft.runtime.provenance import commit, machine, versions


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseRow:
    """What one case gave. NaN, and an empty cell in the file: not defined, or not stated.

    Attributes
    ----------
    network, method, seed, minutes
        The case.
    n_observed, n_connections
        Neurons that the method sees, and connections among them.
    average_precision, excitatory_average_precision, inhibitory_average_precision, roc_area
        How well pairs are ordered, as in `evaluation.connection_detection.ConnectionOrder`.
    matthews_correlation, n_called
        Of the pairs that the method itself takes for connected, and how many they are; NaN where
        it has no threshold.
    latency_within_1_ms
        Share of the connections found whose latency is stated to within 1 ms; NaN where a membrane
        integrates.
    n_sure, sure_correct, sure_per_thousand
        Pairs said to be connected with 95 % or more, as in `Certainty`.
    bits_per_spike
        On the last tenth, all spikes together; NaN where no spikes are predicted.
    processor_seconds, wall_seconds, peak_memory_mb
        Of the fit, and the memory of its process, imports and data included.
    failed
        Why there is no result; empty where there is one.
    """

    network: str
    method: str
    seed: int
    minutes: float
    n_observed: int
    n_connections: float = NAN
    average_precision: float = NAN
    excitatory_average_precision: float = NAN
    inhibitory_average_precision: float = NAN
    roc_area: float = NAN
    matthews_correlation: float = NAN
    n_called: float = NAN
    latency_within_1_ms: float = NAN
    n_sure: float = NAN
    sure_correct: float = NAN
    sure_per_thousand: float = NAN
    bits_per_spike: float = NAN
    processor_seconds: float = NAN
    wall_seconds: float = NAN
    peak_memory_mb: float = NAN
    failed: str = ""
    spikeweft: str
    python: str
    numpy: str
    scipy: str
    torch: str
    numba: str
    machine: str
    date: str
    command: str
    commit: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells one case from another."""
        return (self.network, self.method, self.seed, f"{self.minutes:g}")

    @property
    def recorded(self) -> str:
        """The network and for how long it was recorded, in words."""
        return f"{self.network}, {self.minutes:g} minutes"


def empty_row(case: SparseCase, failed: str = "") -> SparseRow:
    """The row of a case without scores: who, where and when."""
    software: Mapping[str, Any] = versions("spikeweft", "numpy", "scipy", "torch", "numba")
    return SparseRow(
        network=case.network,
        method=case.method.name,
        seed=case.seed,
        minutes=case.minutes,
        n_observed=case.n_observed,
        failed=failed,
        **software,
        machine=machine(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=case.command,
        commit=commit(),
    )


def read_sparse_rows(path: Path) -> list[SparseRow]:
    """Rows of the table; none where there is no file.

    Raises
    ------
    InputError
        Where it is not such a table.
    """
    return csv_table.read_rows(path, SparseRow)


def write_sparse_rows(path: Path, rows: Sequence[SparseRow]) -> None:
    """Write the table whole or not at all: a run that is killed loses no row."""
    csv_table.write_rows(path, rows, SparseRow)
