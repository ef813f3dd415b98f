"""The loop of a sweep: each missing fit goes to a free worker, until all have a row."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from importlib.metadata import version
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
from spikeweft.results.unfinished_folder import CHECKPOINT, partial_of
from spikeweft.runtime.files import only_writer, written_to

_POLL_S = 1.0

_TABLE = "sweep.csv"


class SweepProgress(NamedTuple):
    """How far a sweep is when one more fit has its row."""

    row: Row
    n_done: int
    n_fits: int


def fits_folder(folder: Path) -> Path:
    """The folder that holds the fits of a sweep."""
    return folder / "fits"


def check_folder(folder: Path) -> None:
    """Refuse a place for results that may have been meant as a recording.

    Raises
    ------
    InputError
        Where it is a file, or a folder that holds something else.
    """
    if not folder.exists():
        return
    with written_to(folder):
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if names and names.isdisjoint({_TABLE, fits_folder(folder).name}):
        raise InputError(
            f"{folder} is not the folder of a sweep and not empty; give last the folder for the "
            "results"
        )


def sweep(
    planned: Sequence[Inference],
    folder: Path,
    cluster: AbstractContextManager[Cluster],
    on_progress: Callable[[SweepProgress], None] = lambda _: None,
    make: Callable[[Inference], object] = infer_by_circuit_gnn,
    *,
    on_stage: Callable[[str], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
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
    on_stage
        Called with a few words where no worker has come yet.
    on_warning
        Called before any fit with what may make the table wrong.

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
        if table.n_of_others:
            on_warning(
                f"{folder} holds fits of another version of spikeweft ({table.n_of_others} of "
                f"{len(table.rows)}), which may differ from those of this one; choose another "
                f"folder, or remove them from {fits_folder(folder)}"
            )
        missing = [fit for fit in planned if not table.has(fit.folder.name)]
        if missing:
            n_done = itertools.count(n - len(missing) + 1)
            with cluster as started, closing(_made(missing, started, make)) as rows:
                if not started.client.nthreads():
                    on_stage("waiting for workers")
                table.fill(rows, lambda row: on_progress(SweepProgress(row, next(n_done), n)))
        return [table.rows[inference.folder.name] for inference in planned]


class _Table:
    """The rows by fit, and when they were last written."""

    def __init__(self, folder: Path, planned: Sequence[Inference]) -> None:
        self.path = folder / _TABLE
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

    @property
    def n_of_others(self) -> int:
        """How many fits another version of this package has made."""
        mine = version("spikeweft")
        return sum(row.spikeweft not in (None, mine) for row in self.rows.values())

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


class _Begun(NamedTuple):
    """A fit under way, whether others are too, and when its last step was saved before."""

    inference: Inference
    is_alone: bool
    saved_ns: int | None

    @classmethod
    def of(cls, inference: Inference, is_alone: bool) -> "_Begun":
        return cls(inference, is_alone, _saved_ns(inference))

    @property
    def has_advanced(self) -> bool:
        """Whether more of it has been saved since."""
        return _saved_ns(self.inference) != self.saved_ns


def _saved_ns(inference: Inference) -> int | None:
    """When the last step of an unfinished fit was saved; None where none was."""
    try:
        return (partial_of(inference.folder) / CHECKPOINT).stat().st_mtime_ns
    except OSError:
        return None


def _made(
    missing: Sequence[Inference], cluster: Cluster, make: Callable[[Inference], object]
) -> Generator[Row, None, None]:
    """Rows in the order in which the fits end.

    There are never more fits under way than workers. A fit can die with a worker that another fit
    killed, so all suspects are repeated at the end, one by one. One that has advanced before its
    workers died, as where their time was up, goes on where it was.
    """
    waiting, suspects = deque(missing), deque[Inference]()
    under_way: dict[Future, _Begun] = {}
    begin = partial(_begin, under_way, cluster.client, make)
    try:
        while waiting or suspects or under_way:
            cluster.keep_up()
            for _ in range(min(len(waiting), len(cluster.client.nthreads()) - len(under_way))):
                begin(_Begun.of(waiting.popleft(), is_alone=False))
            if suspects and not (waiting or under_way):
                begin(_Begun.of(suspects.popleft(), is_alone=True))
            for future in _ended(under_way, cluster):
                begun = under_way.pop(future)
                if _goes_on(future, begun):
                    waiting.append(begun.inference)
                elif _is_killed(future) and not begun.is_alone:
                    suspects.append(begun.inference)
                else:
                    yield _row(future, begun.inference)
    except OSError as error:
        raise InputError(
            f"the cluster can no longer be reached ({sentence(error)}); run the same command to "
            "continue"
        ) from error
    finally:
        with suppress(OSError):  # the cluster may be what went wrong
            cluster.client.cancel(list(under_way))


def _begin(
    under_way: dict[Future, _Begun],
    client: Client,
    make: Callable[[Inference], object],
    begun: _Begun,
) -> None:
    under_way[client.submit(fit, begun.inference, make, pure=False)] = begun


def _ended(under_way: Mapping[Future, _Begun], cluster: Cluster) -> list[Future]:
    if not under_way:
        time.sleep(_POLL_S)
        return []
    none_yet = suppress(TimeoutError, FuturesCancelledError)  # or one that was forgotten
    with cluster.client.as_current(), none_yet:
        wait(list(under_way), timeout=_POLL_S, return_when="FIRST_COMPLETED")
    return [future for future in under_way if future.status != "pending"]


def _goes_on(future: Future, begun: _Begun) -> bool:
    """Whether a fit is to be begun again where it was: the cluster forgot it, or it got further."""
    return future.status == "cancelled" or (_is_killed(future) and begun.has_advanced)


def _is_killed(future: Future) -> bool:
    """Whether one worker after another died with the fit."""
    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _row(future: Future, inference: Inference) -> Row:
    if future.status == "finished":
        return future.result()
    error = future.exception()
    if isinstance(error, KilledWorker):
        why = (
            "its process was killed again and again before the next step of the fit was saved, "
            "probably for lack of memory or of walltime"
        )
        return failed_row(inference, why)
    return failed_row(inference, sentence(error))
