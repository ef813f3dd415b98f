"""The loop of a sweep: each missing fit goes to a free worker, until all have a row."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from distributed import Client, Future, wait
from distributed.client import FuturesCancelledError
from distributed.scheduler import KilledWorker

from spikeweft.errors import InputError
from spikeweft.inference.cluster import Cluster
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.table import Row, failed_row, read_rows, row_of, write_rows
from spikeweft.inference.sweep.worker import fit, infer_by_circuit_gnn, sentence
from spikeweft.runtime.files import only_writer, written_to

_POLL_S = 1.0


class SweepProgress(NamedTuple):
    """How far a sweep is when one more fit has its row."""

    row: Row
    n_done: int
    n_fits: int


def fits_folder(folder: Path) -> Path:
    """The folder that holds the fits of a sweep."""
    return folder / "fits"


def sweep(
    planned: Sequence[Inference],
    folder: Path,
    cluster: AbstractContextManager[Cluster],
    on_progress: Callable[[SweepProgress], None] = lambda _: None,
    make: Callable[[Inference], object] = infer_by_circuit_gnn,
) -> list[Row]:
    """Make the fits that are missing, and write `folder/sweep.csv`.

    Each fit is a result folder in `folder/fits`; one that exists is not repeated, and one that was
    interrupted is resumed. A fit that fails, or that kills one worker after another, becomes a row
    that says why, and the next run tries it again. The table keeps the rows of other fits in
    `folder`.

    Parameters
    ----------
    planned
        The fits, as `grid.planned` gives them for `fits_folder(folder)`.
    folder
        Folder for table and fits; made where it does not exist.
    cluster
        Where the fits are made; entered only where one is missing.
    on_progress
        Called when a fit has its row.
    make
        Makes one fit on a worker; `CircuitGNN` unless another function stands in for it.

    Returns
    -------
    list of Row
        The rows of these fits.

    Raises
    ------
    InputError
        Where the folder cannot be used, another process writes to it, or the cluster is lost.
    """
    with written_to(folder):
        fits_folder(folder).mkdir(parents=True, exist_ok=True)
    busy = f"another sweep is at work on {folder}; let it end, or choose another folder"
    with only_writer(folder / "lock", busy):
        table, n = _Table(folder, planned), len(planned)
        table.write()
        missing = [fit for fit in planned if not table.has(fit.folder.name)]
        if missing:
            n_done = itertools.count(n - len(missing) + 1)
            with cluster as started, closing(_made(missing, started, make)) as rows:
                table.fill(rows, lambda row: on_progress(SweepProgress(row, next(n_done), n)))
        return [table.rows[inference.folder.name] for inference in planned]


class _Table:
    """The rows by fit, and when they were last written."""

    def __init__(self, folder: Path, planned: Sequence[Inference]) -> None:
        self.path = folder / "sweep.csv"
        asked = {inference.folder.name for inference in planned}
        self.rows = {
            row.fit: row for row in read_rows(self.path) if row.failed and row.fit not in asked
        }
        for path in fits_folder(folder).iterdir():
            if path.is_dir() and path.suffix not in (".partial", ".replaced"):
                self.rows[path.name] = _row_of(path)
        self.written = -_POLL_S

    def has(self, fit: str) -> bool:
        """Whether the fit has been made."""
        return fit in self.rows and not self.rows[fit].failed

    def fill(self, rows: Iterable[Row], on_row: Callable[[Row], None]) -> None:
        """Add rows as they come; the file is written at the end, whatever happens.

        Before, it is written at most once a second, since tables may be long.
        """
        try:
            for row in rows:
                self.rows[row.fit] = row
                if time.monotonic() - self.written >= _POLL_S:
                    self.write()
                on_row(row)
        finally:
            self.write()

    def write(self) -> None:
        write_rows(self.path, self.rows.values())
        self.written = time.monotonic()


def _row_of(folder: Path) -> Row:
    try:
        return row_of(folder)
    except InputError as error:
        return Row(fit=folder.name, failed=str(error))


def _made(
    missing: Sequence[Inference], cluster: Cluster, make: Callable[[Inference], object]
) -> Generator[Row, None, None]:
    """Rows in the order in which the fits end.

    There are never more fits under way than workers. A fit can die with a worker that another fit
    killed, so all suspects are repeated at the end, one by one.
    """
    waiting, suspects = deque(missing), deque[Inference]()
    under_way: dict[Future, Inference] = {}
    begin = partial(_begin, under_way, cluster.client, make)
    try:
        while waiting or suspects or under_way:
            cluster.keep_up()
            for _ in range(min(len(waiting), len(cluster.client.nthreads()) - len(under_way))):
                begin(waiting.popleft(), "fit")
            if suspects and not (waiting or under_way):
                begin(suspects.popleft(), "alone")
            for future in _ended(under_way, cluster):
                inference = under_way.pop(future)
                if future.status == "cancelled":  # the cluster forgot it
                    waiting.append(inference)
                elif _is_suspect(future):
                    suspects.append(inference)
                else:
                    yield _row(future, inference)
    except OSError as error:
        raise InputError(
            f"the cluster can no longer be reached ({sentence(error)}); run the same command to "
            "continue"
        ) from error
    finally:
        with suppress(OSError):  # the cluster may be what went wrong
            cluster.client.cancel(list(under_way))


def _begin(
    under_way: dict[Future, Inference],
    client: Client,
    make: Callable[[Inference], object],
    inference: Inference,
    key: str,
) -> None:
    future = client.submit(fit, inference, make, key=f"{key}-{inference.folder}")
    under_way[future] = inference


def _ended(under_way: Mapping[Future, Inference], cluster: Cluster) -> list[Future]:
    if not under_way:
        time.sleep(_POLL_S)
        return []
    none_yet = suppress(TimeoutError, FuturesCancelledError)  # or one that was forgotten
    with cluster.client.as_current(), none_yet:
        wait(list(under_way), timeout=_POLL_S, return_when="FIRST_COMPLETED")
    return [future for future in under_way if future.status != "pending"]


def _is_suspect(future: Future) -> bool:
    """Whether workers died with the fit while others were under way."""
    is_killed = future.status == "error" and isinstance(future.exception(), KilledWorker)
    return is_killed and not str(future.key).startswith("alone")


def _row(future: Future, inference: Inference) -> Row:
    if future.status == "finished":
        return future.result()
    error = future.exception()
    if isinstance(error, KilledWorker):
        why = "its process was killed again and again, probably for lack of memory"
        return failed_row(inference, why)
    return failed_row(inference, sentence(error))
