"""The loop of a study: one case after another, each row written as soon as it is made."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikeweft.benchmark.datasets import DataSet, recorded, simulated
from spikeweft.benchmark.rows import Row, read_rows, write_rows
from spikeweft.benchmark.score import Scored, empty_row, fit_and_score
from spikeweft.benchmark.studies import Case
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.files import only_writer, write_whole
from spikeweft.runtime.isolated_call import CallError, alone


class StudyProgress(NamedTuple):
    """How far a run is: at the start of a case, without its row, or at its end."""

    case: Case
    row: Row | None
    number: int
    n_cases: int


def run(
    cases: Sequence[Case],
    folder: Path,
    *,
    force: bool = False,
    on_progress: Callable[[StudyProgress], None] = lambda _: None,
) -> Path:
    """Fit and score the cases of one study that its table does not have yet.

    Each case runs in its own process; its row goes to `folder/STUDY.csv` before the next one
    begins, its circuit to `folder/weights`. A case that fails becomes a row that says why, and is
    tried again by the next run. Where another table of the study has the same fit, its scores
    are reused. Cases that share data should follow each other.

    Parameters
    ----------
    cases
        What to fit, of one study.
    folder
        Folder for table and circuits; made where it does not exist.
    force
        Fit these cases again and replace their rows.
    on_progress
        Called before and after each case.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    InputError
        Where the folder or the table cannot be used, or another run writes to it.
    """
    (study,) = {case.study for case in cases}
    busy = f"another benchmark is at work on {folder}; let it end, or choose another folder"
    with only_writer(_checked(folder) / "lock", busy):
        return _run(cases, folder / f"{study}.csv", force=force, on_progress=on_progress)


def weights_file(folder: Path, row: Row) -> Path:
    """The file with the circuit of a row."""
    return folder / "weights" / f"{row.name}.npz"


def _run(
    cases: Sequence[Case], table: Path, *, force: bool, on_progress: Callable[[StudyProgress], None]
) -> Path:
    asked = {empty_row(case).key: case for case in cases}
    rows = [r for r in read_rows(table) if not (r.key in asked and (force or r.failed))]
    if force and table.exists():
        write_rows(table, rows)
    done = {row.key for row in rows}
    missing = [case for key, case in asked.items() if key not in done]
    data_of = lru_cache(maxsize=1)(_data_set)
    fits = {} if force else {row.fit: row for row in rows if not row.failed}
    for number, case in enumerate(missing, start=1 + len(asked) - len(missing)):
        on_progress(StudyProgress(case, None, number, len(asked)))
        same = fits.get(empty_row(case).fit)
        row = _of_case(case, same, table.parent) if same else _row(case, data_of, table.parent)
        rows.append(row)
        if not row.failed:
            fits[row.fit] = row
        write_rows(table, rows)
        on_progress(StudyProgress(case, row, number, len(asked)))
    return table


class _Source(NamedTuple):
    """What decides a data set."""

    network: object
    minutes: float
    seed: int
    file: Path | None


def _row(case: Case, data_of: Callable[[_Source], DataSet], folder: Path) -> Row:
    try:
        data = data_of(_Source(case.network, case.minutes, case.seed, case.file))
        scored = alone(fit_and_score, case, data)
    except CallError as error:
        return empty_row(case, failed=str(error))
    _write_circuit(weights_file(folder, scored.row), scored)
    return scored.row


def _of_case(case: Case, same: Row, folder: Path) -> Row:
    """The row of a case that another table has fitted, with its circuit where there is one."""
    row = replace(same, table=case.table, command=case.command)
    circuit = weights_file(folder, same)
    if circuit.exists():
        write_whole(weights_file(folder, row), circuit.read_bytes())
    return row


def _data_set(source: _Source) -> DataSet:
    if source.file is not None:
        return alone(recorded, source.file)
    return alone(simulated, source.network, source.minutes, source.seed)


def _write_circuit(path: Path, scored: Scored) -> None:
    """Inferred and true weights, the scale between them, and the sample that figures show."""
    inferred, truth, sample = scored.inferred, scored.truth, scored.sample
    arrays = {
        "weights": inferred.weights.astype(np.float32),
        "informed": inferred.informed,
        "true_weights": truth.weights.astype(np.float32),
        "scale": np.array(inference_error(inferred, truth).scale),
        "sample_spike_times_s": sample.spike_times_s,
        "sample_spike_neurons": sample.spike_neurons.astype(np.int32),
        "sample_epochs_s": sample.epochs_s,
    }
    if truth.angle_rad is not None:
        arrays["angle_rad"] = truth.angle_rad
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_whole(path, content.getvalue())


def _checked(folder: Path) -> Path:
    try:
        (folder / "weights").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be made ({error.strerror or error}); choose another"
        ) from error
    return folder
