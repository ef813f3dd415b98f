"""Pieces of one fit on the workers of a Dask cluster."""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, NamedTuple

from distributed import Client, Future, wait
from distributed.client import FutureCancelledError, FuturesCancelledError
from distributed.scheduler import KilledWorker
from threadpoolctl import threadpool_limits

from spikeweft.errors import InputError
from spikeweft.inference.cluster import NO_WORKER_S, Cluster, local_cluster, no_worker
from spikeweft.runtime.memory import MIB, available_memory_mb, memory_in_use_mb
from spikeweft.runtime.parallel import on_one_thread

_POLL_S = 1.0
_MOST_LOSSES = 3

_one_at_a_time = threading.Lock()

Work = Callable[[Any, Any], Any]


class ClusterWorkers:
    """Worker processes of a cluster, each of which is given the data once, and a piece at a time.

    What a worker that is lost was working on is made again by another; what others have made stays.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def number(self) -> int:
        """Worker processes that are there now; one where none has joined yet."""
        with _reached():
            return max(1, len(self._client.nthreads()))

    def available_memory_mb(self, n_pieces: int) -> float:  # noqa: ARG002
        """What the worker with least memory may take in MiB; infinite where none says it.

        What it has in use now says little of the hours in which pieces are made.
        """
        with _reached():
            workers = self._client.scheduler_info()["workers"].values()
        limits = [worker["memory_limit"] for worker in workers if worker["memory_limit"]]
        return min(limits, default=math.inf) / MIB

    def results(self, work: Work, data: Any, pieces: Sequence[Any]) -> Iterator[Any]:
        """Results of the pieces, in their order, as they come.

        Raises
        ------
        InputError
            Where no worker comes, or the cluster loses its workers again and again.
        """
        under_way = _UnderWay(self._cluster, work, data, pieces)
        with _copies_kept(self._client):
            try:
                for piece in range(len(pieces)):
                    yield under_way.result(piece)
            finally:
                under_way.cancel()

    @property
    def _client(self) -> Client:
        return self._cluster.client


class LocalWorkers:
    """Processes on this machine, which begin when there is work for them.

    Parameters
    ----------
    n_workers
        How many.
    until
        When this ends, they end.
    """

    def __init__(self, n_workers: int, until: ExitStack) -> None:
        self._n_workers, self._until = n_workers, until

    def number(self) -> int:
        """As many as were asked for."""
        return self._n_workers

    def available_memory_mb(self, n_pieces: int) -> float:
        """The part of what this machine has that each may take, beside libraries and data."""
        n_at_a_time = min(self._n_workers, n_pieces)
        return max(0.0, available_memory_mb() / n_at_a_time - memory_in_use_mb())

    def results(self, work: Work, data: Any, pieces: Sequence[Any]) -> Iterator[Any]:
        """Results of the pieces, in their order, as they come.

        Raises
        ------
        InputError
            Where workers are lost again and again.
        """
        while_working = self._until.enter_context(ExitStack())
        n_workers = min(self._n_workers, len(pieces))
        cluster = while_working.enter_context(local_cluster(n_workers))
        yield from ClusterWorkers(cluster).results(work, data, pieces)
        while_working.close()


@contextmanager
def local_workers(n_workers: int) -> Iterator[LocalWorkers]:
    """So many processes on this machine, once there is work for them."""
    with ExitStack() as until:
        yield LocalWorkers(n_workers, until)


class _NotYetError(Exception):
    """A result that was there, and was lost with its worker before it was fetched."""


class _Begun(NamedTuple):
    piece: int
    worker: str


class _UnderWay:
    """Pieces on their way: at most one on each worker, and results that came before their turn."""

    def __init__(self, cluster: Cluster, work: Work, data: Any, pieces: Sequence[Any]) -> None:
        self._cluster, self._client = cluster, cluster.client
        self._work, self._data, self._pieces = work, data, pieces
        self._placed: Future | None = None
        self._waiting = deque(range(len(pieces)))
        self._begun: dict[Future, _Begun] = {}
        self._found: dict[int, Any] = {}
        self._n_losses: Counter[int] = Counter()

    def result(self, piece: int) -> Any:
        """The result of a piece, once it is there."""
        self._take_what_is_done()
        while piece not in self._found:
            self._wait()
            self._take_what_is_done()
        return self._found.pop(piece)

    def cancel(self) -> None:
        """Nothing that is begun is needed any longer."""
        _say_last(self._client, lambda: self._client.cancel(list(self._begun)))

    def _wait(self) -> None:
        with _reached():
            self._cluster.keep_up()
            if not self._begun:  # there is no worker
                time.sleep(_POLL_S)
                return
            with self._client.as_current(), suppress(TimeoutError, FuturesCancelledError):
                wait(list(self._begun), timeout=_POLL_S, return_when="FIRST_COMPLETED")

    def _take_what_is_done(self) -> None:
        """Keep what workers have made, and give those that are free the next pieces."""
        for future in [future for future in self._begun if future.done()]:
            self._take(future, self._begun.pop(future))
        with _reached():
            self._begin()

    def _take(self, future: Future, begun: _Begun) -> None:
        """The result, or the error of the work itself, which is the caller's.

        A result that is lost before it is here is made again, by whoever has room.
        """
        fetches = _reached() if future.status == "finished" else nullcontext()
        try:
            with fetches:
                self._found[begun.piece] = self._fetched(future)
        except (KilledWorker, FutureCancelledError) as error:
            self._lose(begun.piece, error)
        except _NotYetError:
            self._begun[future] = begun

    def _fetched(self, future: Future) -> Any:
        try:
            return future.result(timeout=NO_WORKER_S)
        except TimeoutError as error:
            if future.done() and future.status == "error":  # it is the work's own
                raise
            raise _NotYetError from error

    def _lose(self, piece: int, error: BaseException) -> None:
        self._n_losses[piece] += 1
        if self._n_losses[piece] == _MOST_LOSSES:
            raise InputError(
                "workers were lost again and again, probably for lack of memory; give each more, "
                "or use fewer on a machine"
            ) from error
        self._waiting.appendleft(piece)
        if isinstance(error, FutureCancelledError):
            self._placed = None  # with the last worker that had them the data are lost too

    def _begin(self) -> None:
        """A piece for each worker that has none."""
        if not self._waiting:
            return
        if self._placed is None:
            self._placed = self._place()
        workers, busy = self._client.nthreads(), {begun.worker for begun in self._begun.values()}
        free = [worker for worker in workers if worker not in busy]
        n_more = min(len(self._waiting), len(workers) - len(self._begun))
        for worker in free[: max(n_more, 0)]:
            piece = self._waiting.popleft()
            # Were it for this worker alone, nobody would make it again when the worker is lost.
            future = self._client.submit(
                _worked,
                self._work,
                self._placed,
                self._pieces[piece],
                workers=[worker],
                allow_other_workers=True,
                pure=False,
            )
            self._begun[future] = _Begun(piece, worker)

    def _place(self) -> Future:
        """The data, at each worker that is there; those that join later take them from others."""
        try:
            self._client.wait_for_workers(1, timeout=NO_WORKER_S)
        except TimeoutError as error:
            raise no_worker() from error
        (placed,) = self._client.scatter([self._data], broadcast=True, hash=False)
        return placed


@contextmanager
def _copies_kept(client: Client) -> Iterator[None]:
    """Let no worker that waits for its next piece drop the data, which it would be sent again."""
    with _reached():
        drops = client.amm.running()
        client.amm.stop()
    try:
        yield
    finally:
        if drops:
            _say_last(client, client.amm.start)


def _say_last(client: Client, say: Callable[[], object]) -> None:
    """Say something to a cluster that may be closed by then, or be what went wrong."""
    if client.status == "running":
        with suppress(OSError):
            say()


@contextmanager
def _reached() -> Iterator[None]:
    """Say that the cluster is out of reach, where what is asked of it fails for that."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cluster can no longer be reached ({error}); run the same command with --resume "
            "to continue"
        ) from error


def _worked(work: Work, data: Any, piece: Any) -> Any:
    """One piece on a worker: on one thread, one at a time in a process.

    So as many worker processes as there are processors do not wait for each other.
    """
    with _one_at_a_time, on_one_thread(), threadpool_limits(1):
        return work(data, piece)
