"""`spikeweft sweep`: many fits over seeds, settings, bootstraps and recordings."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from spikeweft.cli.apps import app
from spikeweft.cli.options import (
    ALL_UNITS,
    NO_INPUTS,
    AtLeastOne,
    Count,
    Counts,
    InputOptions,
    Minutes,
    Names,
    UnitOptions,
    check_has_covariate,
    given,
)
from spikeweft.cli.printing import number
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    from spikeweft.inference.cluster import Cluster
    from spikeweft.inference.settings import Inference
    from spikeweft.inference.sweep.run import SweepProgress
    from spikeweft.inference.sweep.table import Row


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """What to fit.

    Attributes
    ----------
    seeds
        Seeds of the fits.
    n_hidden
        Numbers of hidden neurons that the model may place between the recorded ones.
    minutes
        Use only the first minutes; each number is a fit of its own. All by default.
    epochs
        Names of epochs; each name is a fit of its own. All by default.
    n_bootstraps
        How many bootstraps to fit beside each recording: their spread shows how sure weights are.
    block_s
        Approximate length of a bootstrap's blocks in seconds; 10 by default.
    """

    seeds: Annotated[tuple[int, ...], Counts] = (0,)
    n_hidden: Annotated[tuple[int, ...], Counts, Parameter(name="--hidden")] = (0,)
    minutes: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = ()
    epochs: Annotated[tuple[str, ...], Names] = ()
    n_bootstraps: Annotated[int, Count, Parameter(name="--bootstraps")] = 0
    block_s: Annotated[float | None, Minutes] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Where to fit.

    Attributes
    ----------
    workers
        Processes on this machine, each with a fit on one thread; one for each processor by default.
    scheduler
        Address of a Dask scheduler that runs already, as tcp://node:8786.
    slurm
        Submit jobs to Slurm by dask-jobqueue, whose configuration holds what is not given here.
    """

    workers: Annotated[int | None, AtLeastOne] = None
    scheduler: str | None = None
    slurm: bool = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What to ask of Slurm.

    Attributes
    ----------
    jobs
        Number of Slurm jobs; one by default.
    queue
        Slurm's partition.
    account
        Slurm's account.
    cores
        Processors of a job, each of which makes one fit at a time.
    memory
        Memory of a job, as 16GB.
    walltime
        Longest time of a job, as 04:00:00. When it is over the job is submitted again.
    interface
        Network interface by which jobs reach this machine, as ib0.
    """

    jobs: Annotated[int | None, AtLeastOne] = None
    queue: str | None = None
    account: str | None = None
    cores: Annotated[int | None, AtLeastOne] = None
    memory: str | None = None
    walltime: str | None = None
    interface: str | None = None


@app.command(usage="Usage: spikeweft sweep RECORDING... OUT_DIR [OPTIONS]")
def sweep(
    *paths: Path,
    grid: GridOptions = GridOptions(),
    used: UnitOptions = ALL_UNITS,
    inputs: InputOptions = NO_INPUTS,
    place: PlaceOptions = PlaceOptions(),
    slurm_jobs: SlurmOptions = SlurmOptions(),
) -> None:
    """Fit every combination of seeds and settings to recordings, on one machine or on many.

    Example: `spikeweft sweep ring.npz results --seeds 1 2 3 --hidden 0 10 --bootstraps 20`

    Every fit is a result folder in `OUT_DIR/fits`, as `spikeweft infer` makes it but always by
    CircuitGNN, so that fits differ in their settings alone, and a row of `OUT_DIR/sweep.csv`, with
    its settings, scores, costs, versions, machine, and the command that makes it again. A sweep
    that was interrupted or killed continues when its command is repeated, and makes no fit twice. A
    fit that failed is a row that says why; the next run tries it again.

    With several numbers of hidden neurons it says which one predicts spikes of the last
    tenth best, and how much the weights depend on it.

    It runs on this machine, unless `--scheduler` or `--slurm` name another place. Those machines
    must see recordings and OUT_DIR under the same paths.

    Parameters
    ----------
    paths
        Recordings, as `spikeweft infer` reads them, and last the folder for table and fits.
    """
    with needs_extra("dask"):
        from spikeweft.inference.sweep.run import check_folder, fits_folder, sweep

    if len(paths) < 2:
        raise InputError("give one or more recordings, and last the folder for the results")
    *recordings, folder = paths
    check_folder(folder)
    fits = _planned(tuple(recordings), folder, grid, used, inputs)
    cluster = _cluster(folder, place, vars(slurm_jobs))
    rows = sweep(fits, folder, cluster, _print_progress, on_stage=_print, on_warning=_print_warning)
    n_failed = sum(bool(row.failed) for row in rows)
    print(f"{len(rows) - n_failed} of {len(rows)} fits are in {folder / 'sweep.csv'}")
    _print_hidden_curves(rows, fits_folder(folder))
    if n_failed:
        print(f"{n_failed} failed: the table says why, and the same command tries them again")
        raise SystemExit(1)


def _planned(
    recordings: tuple[Path, ...],
    folder: Path,
    options: GridOptions,
    used: UnitOptions,
    inputs: InputOptions,
) -> "list[Inference]":
    from spikeweft.inference.sweep.grid import Grid, planned
    from spikeweft.inference.sweep.run import fits_folder

    if options.block_s is not None and options.n_bootstraps == 0:
        raise InputError("--block-s is for bootstraps; add --bootstraps, or leave it out")
    check_has_covariate(inputs)
    epochs, minutes = options.epochs or (None,), options.minutes or (None,)
    grid = Grid(recordings=recordings, **given(options), **given(used), **given(inputs))
    grid = replace(grid, epochs=epochs, minutes=minutes)
    return planned(grid, fits_folder(folder))


def _cluster(
    folder: Path, place: PlaceOptions, asked: Mapping[str, int | str | None]
) -> "AbstractContextManager[Cluster]":
    """The cluster that the options name."""
    from spikeweft.runtime.parallel import n_processors

    with needs_extra("dask"):
        from spikeweft.inference.cluster import cluster_at, local_cluster, slurm_cluster
    places = [f"--{name}" for name, value in vars(place).items() if value not in (None, False)]
    if len(places) > 1:
        raise InputError(f"{' and '.join(places)} name different places to run; give one of them")
    for_slurm = [f"--{name}" for name, value in asked.items() if value is not None]
    if for_slurm and not place.slurm:
        raise InputError(f"{', '.join(for_slurm)} is for Slurm jobs; add --slurm, or leave it out")
    if place.slurm:
        return slurm_cluster(asked, folder / "slurm")
    if place.scheduler is not None:
        return cluster_at(place.scheduler)
    return local_cluster(place.workers or n_processors())


def _print_hidden_curves(rows: "list[Row]", fits: Path) -> None:
    """For each recording fitted with several numbers of hidden neurons, how they compare."""
    import numpy as np

    from spikeweft.inference.sweep.hidden_number import hidden_curves, preferred, still_rises

    for name, curve in hidden_curves(rows, fits).items():
        best = preferred(curve)
        print(f"\n{name}: {best.n_hidden} hidden neurons predict test spikes best")
        if still_rises(curve):
            print(
                "These are the most that were tried, and prediction still improves: try more, up "
                "to as many as may be missing, before the weights are interpreted"
            )
        print("hidden  bits per spike  below the best     weights agree with fewer, between seeds")
        for point in curve:
            agreement, of_seeds = (
                "–" if np.isnan(share) else f"{share:.3f}"
                for share in (point.agreement, point.agreement_of_seeds)
            )
            print(
                f"{point.n_hidden:6}  {point.bits_per_spike:14.4f}  {point.below_best:6.4f} ± "
                f"{point.below_best_error:.4f}  {agreement:>24}  {of_seeds:>14}"
            )


def _print_progress(progress: "SweepProgress") -> None:
    row = progress.row
    outcome = f"failed: {row.failed}" if row.failed else _scores(row)
    _print(f"{progress.n_done} of {progress.n_fits}: {row.fit}: {outcome}")


def _print_warning(warning: str) -> None:
    _print(f"warning: {warning}")


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _scores(row: "Row") -> str:
    known = "" if row.delta is None else f"Δ {number(row.delta)}, "
    return f"{known}{number(row.bits_per_spike)} bits per spike, {row.seconds or 0.0:.0f} s"
