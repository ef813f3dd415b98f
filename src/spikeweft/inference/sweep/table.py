"""The table of a sweep: a row for each fit, read from its folder, or with why there is none."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spikeweft.errors import InputError
from spikeweft.inference.settings import Inference
from spikeweft.results.result import Result, read_result
from spikeweft.runtime.files import write_whole

Row = Mapping[str, str]


"""One cell for each of `COLUMNS`; empty where it is not defined, or not known."""


COLUMNS = (
    *("fit", "recording", "n_hidden", "seed", "epochs", "minutes", "bootstrap", "block_s"),
    *("delta", "delta_bias", "delta_variance", "bits_per_spike", "bits_per_spike_pooled"),
    *("glm_delta", "glm_bits_per_spike", "glm_bits_per_spike_pooled"),
    *("oracle_bits_per_spike", "oracle_bits_per_spike_pooled", "structure", "tau_s"),
    *("n_neurons", "n_spikes", "duration_s", "seconds", "peak_memory_mb", "failed"),
    *("spikeweft", "python", "numpy", "scipy", "torch", "numba", "machine", "date"),
    *("recording_path", "sha256", "command"),
)


"""What was fitted, its scores as in `metrics.json`, costs, why it failed, and where it is from.

`peak_memory_mb` is the most that the process held so far, which may have made other fits before.
"""


def row_of(folder: Path) -> Row:
    """The row of a fit that is whole.

    Raises
    ------
    InputError
        Where the folder is no whole result.
    """
    return _row(folder.name, read_result(folder))


def bare_row(**known: object) -> Row:
    """The row of which only some cells are known."""
    return _cells(known)


def failed_row(inference: Inference, why: str) -> Row:
    """The row of a fit that failed."""
    return bare_row(
        fit=inference.folder.name,
        recording=inference.recording.name,
        n_hidden=inference.n_hidden,
        seed=inference.seed,
        epochs=inference.epochs,
        minutes=inference.minutes,
        bootstrap=inference.bootstrap,
        block_s=None if inference.bootstrap is None else inference.block_s,
        failed=why,
        recording_path=inference.recording,
        command=inference.command,
    )


def read_rows(path: Path) -> list[Row]:
    """Rows of a table that was written before; none where there is none.

    Raises
    ------
    InputError
        Where it is not such a table.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file, strict=True)
            if table.fieldnames != list(COLUMNS):
                raise ValueError("its columns are others")
            return [_whole(row) for row in table]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a table that this version writes ({error}); move it away, or choose "
            "another folder"
        ) from error


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the table whole or not at all, ordered by fit.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: row["fit"]))
    write_whole(path, text.getvalue().encode())


def _row(name: str, result: Result) -> Row:
    provenance = dict(result.provenance)
    versions = provenance.pop("versions", {})
    circuit = result.connectivity.metadata
    return _cells(
        {
            **{key: circuit.get(key) for key in ("structure", "tau_s")},
            **result.metrics,
            **versions,
            **provenance,
            "fit": name,
        }
    )


def _cells(known: Mapping[str, Any]) -> Row:
    return {column: _cell(known.get(column)) for column in COLUMNS}


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _whole(row: Mapping[str, str | None]) -> Row:
    if None in row.values() or None in row:
        raise ValueError("a row has another number of cells")
    return {key: cell or "" for key, cell in row.items()}
