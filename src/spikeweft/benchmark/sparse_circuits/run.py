"""The loop of the study of sparse circuits: each row is written as soon as it is made."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from spikeweft.benchmark.sparse_circuits.cases import SparseCase
from spikeweft.benchmark.sparse_circuits.rows import (
    SparseRow,
    empty_row,
    read_sparse_rows,
    write_sparse_rows,
)
from spikeweft.benchmark.sparse_circuits.score import SparseData, fit_and_score, recorded, simulated
from spikeweft.errors import InputError
from spikeweft.runtime.files import only_writer
from spikeweft.runtime.isolated_call import CallError, alone

DataOf = Callable[[str, float, int, Path | None], SparseData]


def sparse_table(folder: Path) -> Path:
    """The table of the study in a folder."""
    return folder / "sparse.csv"


def run_sparse(
    cases: Sequence[SparseCase],
    folder: Path,
    *,
    force: bool = False,
    on_row: Callable[[SparseRow], None] = lambda _: None,
) -> list[SparseRow]:
    """Fit and score the cases that the table of a folder does not have yet.

    Each case runs in its own process. A case that fails becomes a row that says why, and is tried
    again by the next run. Cases that share data should follow each other.

    Parameters
    ----------
    cases
        What to fit.
    folder
        Folder of the table; made where it does not exist.
    force
        Fit these cases again and replace their rows.
    on_row
        Called after each case.

    Returns
    -------
    list
        All rows of the table.

    Raises
    ------
    InputError
        Where the folder or the table cannot be used, or another run writes to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be made ({error.strerror or error}); choose another"
        ) from error
    busy = f"another benchmark is at work on {folder}; let it end, or choose another folder"
    with only_writer(folder / "lock", busy):
        return _run(cases, sparse_table(folder), force=force, on_row=on_row)


def _run(
    cases: Sequence[SparseCase], table: Path, *, force: bool, on_row: Callable[[SparseRow], None]
) -> list[SparseRow]:
    rows = read_sparse_rows(table)
    done = set() if force else {row.key for row in rows if not row.failed}
    data_of = lru_cache(maxsize=1)(_data)
    for case in cases:
        if empty_row(case).key in done:
            continue
        row = _row(case, data_of)
        rows = [*(other for other in rows if other.key != row.key), row]
        write_sparse_rows(table, rows)
        on_row(row)
    return rows


def _data(network: str, minutes: float, seed: int, file: Path | None) -> SparseData:
    return alone(simulated, network, minutes, seed) if file is None else recorded(file)


def _row(case: SparseCase, data_of: DataOf) -> SparseRow:
    try:
        data = data_of(case.network, case.minutes, case.seed, case.file)
        return alone(fit_and_score, case, data)
    except CallError as error:
        return empty_row(case, failed=str(error))
