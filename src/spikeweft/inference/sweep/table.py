"""The table of a sweep: a row for each fit, with its scores or why there are none."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spikeweft.inference.settings import Inference
from spikeweft.results import csv_table
from spikeweft.results.result import Result, read_result


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was fitted, its scores as in `metrics.json`, costs, why it failed, and where it is from.

    None, and an empty cell in the file: not defined, or not known. `peak_memory_mb` is the most
    that the process has held so far, including fits that it made before.
    """

    fit: str
    recording: str | None = None
    n_hidden: int | None = None
    seed: int | None = None
    epochs: str | None = None
    minutes: float | None = None
    bootstrap: int | None = None
    block_s: float | None = None
    delta: float | None = None
    delta_bias: float | None = None
    delta_variance: float | None = None
    bits_per_spike: float | None = None
    bits_per_spike_pooled: float | None = None
    glm_delta: float | None = None
    glm_bits_per_spike: float | None = None
    glm_bits_per_spike_pooled: float | None = None
    oracle_bits_per_spike: float | None = None
    oracle_bits_per_spike_pooled: float | None = None
    structure: str | None = None
    tau_s: float | None = None
    n_neurons: int | None = None
    n_spikes: int | None = None
    duration_s: float | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None
    failed: str | None = None
    spikeweft: str | None = None
    python: str | None = None
    numpy: str | None = None
    scipy: str | None = None
    torch: str | None = None
    numba: str | None = None
    machine: str | None = None
    date: str | None = None
    recording_path: str | None = None
    sha256: str | None = None
    command: str | None = None


_COLUMNS = tuple(field.name for field in fields(Row))


def row_of(folder: Path) -> Row:
    """The row of a fit that is whole.

    Raises
    ------
    InputError
        Where the folder is no whole result.
    """
    return _row(folder.name, read_result(folder))


def failed_row(inference: Inference, why: str) -> Row:
    """The row of a fit that failed.

    It has no command where `infer` would choose between two models, as fits of a sweep do not.
    """
    return Row(
        fit=inference.folder.name,
        recording=inference.recording.name,
        n_hidden=inference.n_hidden,
        seed=inference.seed,
        epochs=inference.epochs,
        minutes=inference.minutes,
        bootstrap=inference.bootstrap,
        block_s=None if inference.bootstrap is None else inference.block_s,
        failed=why,
        recording_path=str(inference.recording),
        command=None if inference.leaves_a_choice else inference.command,
    )


def read_rows(path: Path) -> list[Row]:
    """Rows of a table that was written before; none where there is none.

    Raises
    ------
    InputError
        Where it is not such a table.
    """
    return csv_table.read_rows(path, Row)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the table whole or not at all, ordered by fit.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    csv_table.write_rows(path, sorted(rows, key=lambda row: row.fit), Row)


def _row(name: str, result: Result) -> Row:
    circuit = result.connectivity.metadata
    known: dict[str, Any] = {
        **{key: circuit.get(key) for key in ("structure", "tau_s")},
        **result.metrics,
        **result.provenance.get("versions", {}),
        **result.provenance,
    }
    return Row(fit=name, **{column: known.get(column) for column in _COLUMNS[1:]})
