"""Pieces of one fit on the workers of a Dask cluster."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from distributed import Client, Future, wait
from distributed.client import FuturesCancelledError
from distributed.scheduler import KilledWorker
from threadpoolctl import threadpool_limits

from spikeweft.errors import InputError
from spikeweft.inference.cluster import NO_WORKER_S, Cluster, no_worker
from spikeweft.runtime.parallel import on_one_thread

_POLL_S = 1.0
_MOST_LOSSES = 3

_one_at_a_time = threading.Lock()


class ClusterWorkers:
    """Workers of a cluster, each of which is given the data once.

    What a worker that is lost was working on is made again by another, and so is what was lost with
    it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def results(
        self, work: Callable[[Any, Any], Any], data: Any, pieces: Sequence[Any]
    ) -> Iterator[Any]:
        """Results of the pieces, in their order, as they come.

        Raises
        ------
        InputError
            Where no worker comes, or the cluster loses its workers again and again.
        """
        n_done = n_losses = 0
        while n_done < len(pieces):
            futures: list[Future] = []
            try:
                futures = self._begun(work, data, pieces[n_done:])
                for future in futures:
                    yield self._result_of(future)
                    n_done += 1
            except (KilledWorker, FuturesCancelledError) as error:
                n_losses += 1
                if n_losses == _MOST_LOSSES:
                    raise InputError(
                        "workers were lost again and again, probably for lack of memory; give each "
                        "more, or use fewer on a machine"
                    ) from error
            except OSError as error:
                raise InputError(
                    f"the cluster can no longer be reached ({error}); run the same command with "
                    "--resume to continue"
                ) from error
            finally:
                with suppress(OSError):  # the cluster may be what went wrong
                    self._client.cancel(futures)

    @property
    def _client(self) -> Client:
        return self._cluster.client

    def _begun(
        self, work: Callable[[Any, Any], Any], data: Any, pieces: Sequence[Any]
    ) -> list[Future]:
        """All pieces under way, once each worker that is there has the data."""
        try:
            self._client.wait_for_workers(1, timeout=NO_WORKER_S)
        except TimeoutError as error:
            raise no_worker() from error
        placed = self._client.scatter(data, broadcast=True, hash=False)
        return [self._client.submit(_worked, work, placed, piece, pure=False) for piece in pieces]

    def _result_of(self, future: Future) -> Any:
        while future.status == "pending":
            self._cluster.keep_up()
            with self._client.as_current(), suppress(TimeoutError):
                wait(future, timeout=_POLL_S)
        return future.result()


def _worked(work: Callable[[Any, Any], Any], data: Any, piece: Any) -> Any:
    """One piece on a worker: on one thread, one at a time in a process.

    So as many worker processes as there are processors do not wait for each other.
    """
    with _one_at_a_time, on_one_thread(), threadpool_limits(1):
        return work(data, piece)
