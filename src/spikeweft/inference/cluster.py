"""Where fits are made: processes on this machine, a Dask scheduler's workers, or Slurm jobs."""

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

import dask
from distributed import Client, LocalCluster
from distributed.core import Status

from spikeweft.errors import InputError

_ONE_THREAD = {f"{library}_NUM_THREADS": 1 for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

_INHERITED = {"MALLOC_TRIM_THRESHOLD_": 65536, **_ONE_THREAD}

_CONNECT_S = 60

NO_WORKER_S = 600.0
"""How long a cluster that others started is waited for while it has no worker."""

_LOST_S = 90.0


class Cluster(NamedTuple):
    """A cluster that makes fits."""

    client: Client
    keep_up: Callable[[], None]
    """To be called regularly: replaces lost workers that the cluster itself does not, or gives up
    where there are none."""


@contextmanager
def local_cluster(n_workers: int) -> Iterator[Cluster]:
    """Processes on this machine, which end with this one."""
    with (
        _configured(),
        LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any port: sweeps may be many
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        cluster.sync(_leave_interrupts_to_us)
        cluster.scale(n_workers)
        yield Cluster(client, lambda: None)


@contextmanager
def cluster_at(scheduler: str) -> Iterator[Cluster]:
    """The workers of a scheduler that runs already, as "tcp://node:8786".

    They must see recordings and results under the same paths and have spikeweft installed.

    Raises
    ------
    InputError
        Where no scheduler answers there.
    """
    with _configured():
        try:
            client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {scheduler} ({error}); check the address, as "
                "tcp://node:8786"
            ) from error
        with client:
            yield Cluster(client, _Patience(client))


class _Patience:
    """Gives up where there has been no worker for long."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.alone_since: float | None = None

    def __call__(self) -> None:
        now = time.monotonic()
        if self.client.nthreads():
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = now
        elif now - self.alone_since > NO_WORKER_S:
            raise no_worker()


def no_worker() -> InputError:
    """What is said where nobody comes."""
    return InputError(
        f"no worker has joined the cluster within {NO_WORKER_S / 60:.0f} minutes; start some, or "
        "leave out --scheduler"
    )


@contextmanager
def slurm_cluster(asked: Mapping[str, int | str | None], logs: Path) -> Iterator[Cluster]:
    """Jobs submitted to Slurm, replaced when lost, and cancelled at the end.

    Parameters
    ----------
    asked
        "jobs", how many (one where None), and for each "cores" (as many fits run in it side by
        side), "memory", "queue", "account", "walltime" and "interface", as `SLURMCluster` of
        dask-jobqueue takes them; None: as its configuration says.
    logs
        Folder for what the jobs print.

    Raises
    ------
    InputError
        Where there is no Slurm, it takes no jobs, or an option is not valid.
    """
    from dask_jobqueue import SLURMCluster

    if shutil.which("sbatch") is None:
        raise InputError(
            "there is no 'sbatch' on this machine; run the sweep where Slurm is installed"
        )
    options: dict[str, Any] = {name: asked[name] for name in asked if name != "jobs"}
    with _configured():
        try:
            cluster = SLURMCluster(
                **options,
                processes=asked["cores"],
                log_directory=str(logs),
                job_script_prologue=[f"export {key}={n}" for key, n in _ONE_THREAD.items()],
                scheduler_options={"dashboard": False, "dashboard_address": ":0"},
                silence_logs=logging.CRITICAL,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"the Slurm jobs cannot be set up ({' '.join(str(error).split())}); check the "
                "options"
            ) from error
        with cluster, Client(cluster, set_as_default=False) as client:
            cluster.sync(_leave_interrupts_to_us)
            n_jobs = int(asked["jobs"] or 1)
            _submit(cluster, n_jobs)
            yield Cluster(client, _Replacement(cluster, n_jobs))


def _submit(cluster: Any, n_jobs: int) -> None:
    """Bring the jobs up to a number, each of which Slurm has taken.

    `cluster.scale` would not tell of one that it has not.
    """

    async def submitted() -> None:
        while len(cluster.worker_spec) < n_jobs:
            cluster.worker_spec.update(cluster.new_worker_spec())
        await cluster

    try:
        cluster.sync(submitted)
    except (OSError, ValueError, RuntimeError) as error:
        for job in cluster.workers.values():
            job.status = Status.failed  # or closing the cluster would end with another error
        said = str(error).rpartition("stderr:\n")[2] or str(error)
        raise InputError(
            f"Slurm does not take the jobs ({' '.join(said.split())}); check the options"
        ) from error


class _Replacement:
    """Submits jobs again whose workers are gone because their time was up."""

    def __init__(self, cluster: Any, n_jobs: int) -> None:
        self.cluster, self.n_jobs = cluster, n_jobs
        self.last_seen: dict[str, float] = {}

    def __call__(self) -> None:
        now = time.monotonic()
        workers = self.cluster.scheduler_info["workers"].values()
        for job in self.cluster.worker_spec:
            if any(_is_of(str(worker["name"]), str(job)) for worker in workers):
                self.last_seen[job] = now
        lost = [job for job, seen in self.last_seen.items() if now - seen > _LOST_S]
        if lost:
            self.last_seen = {job: t for job, t in self.last_seen.items() if job not in lost}
            self.cluster.sync(self.cluster.scale_down, lost)
            _submit(self.cluster, self.n_jobs)


def _is_of(worker: str, job: str) -> bool:
    """Whether a worker belongs to a job; several workers of one job have a number appended."""
    return worker == job or worker.startswith(f"{job}-")


@contextmanager
def _configured() -> Iterator[None]:
    """Dask made quiet, with one thread a fit and no endless repeats of a fit that kills workers.

    Nor does it give up a worker whose process is started again, which takes long on a busy machine.
    """
    quiet = logging.getLogger("distributed")
    level, environment = quiet.level, dict(os.environ)
    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.deploy.lost-worker-timeout": "365 days",
        "distributed.nanny.pre-spawn-environ": _INHERITED,
        "distributed.comm.timeouts.connect": f"{_CONNECT_S}s",
        "logging.distributed": "critical",
    }
    quiet.setLevel(logging.CRITICAL)
    try:
        with dask.config.set(settings):
            yield
    finally:
        quiet.setLevel(level)
        # Dask sets what workers inherit in this process too, so it is put back.
        for name in _INHERITED:
            if name in environment:
                os.environ[name] = environment[name]
            else:
                os.environ.pop(name, None)


async def _leave_interrupts_to_us() -> None:
    """Let Ctrl-C interrupt this process only: it ends the workers itself, without tracebacks.

    Processes inherit what is blocked in the thread that starts them. Python's tracker of resources
    unblocks interrupts when it is started, so that comes first.
    """
    resource_tracker.ensure_running()
    await asyncio.sleep(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
