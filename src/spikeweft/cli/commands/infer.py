"""`spikeweft infer`: from a recording to a folder with the answer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from spikeweft.cli.apps import app
from spikeweft.cli.options import (
    ALL_USED,
    AtLeastOne,
    Count,
    GivenInPython,
    InputOptions,
    Minutes,
    RecordingFile,
    UsedOptions,
    check_has_covariate,
    given,
)
from spikeweft.cli.printing import number, print_table, printable
from spikeweft.cli.progress import progress_display
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    from spikeweft.inference.expectation import Expected
    from spikeweft.inference.settings import Inference
    from spikeweft.results.result import Result
    from spikeweft.runtime.workers import Workers


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InferOptions(InputOptions):
    """How to infer.

    Attributes
    ----------
    n_hidden
        Hidden neurons that the model may place between the recorded ones.
    seed
        The same seed on the same machine gives the same answer.
    minutes
        Use only the first minutes.
    bootstrap
        Fit to blocks of the recording that are drawn at random with this seed.
    block_s
        Approximate length of such a block in seconds; 10 by default.
    resume
        Resume an interrupted inference, to the result it would have had.
    force
        Replace a result that exists, or, without --resume, start an interrupted inference over.
    """

    n_hidden: Annotated[int, Count, Parameter(name="--hidden")] = 0
    seed: Annotated[int, Count] = 0
    minutes: Annotated[float | None, Minutes] = None
    bootstrap: Annotated[int | None, Count] = None
    block_s: Annotated[float | None, Minutes] = None
    resume: bool = False
    force: bool = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Who helps to fit more than 500 neurons; the result is the same.

    Attributes
    ----------
    workers
        Processes on this machine; each takes the memory of a block of neurons.
    scheduler
        Address of a Dask scheduler whose workers have spikeweft installed, as tcp://node:8786. A
        worker process makes one block at a time, on one thread: start them with --nthreads 1.
    """

    workers: Annotated[int | None, AtLeastOne] = None
    scheduler: str | None = None


@app.command(usage="Usage: spikeweft infer RECORDING [OUT_DIR] [OPTIONS]")
def infer(
    recording: Annotated[Path, RecordingFile],
    out_dir: Path | None = None,
    /,
    *,
    used: UsedOptions = ALL_USED,
    options: InferOptions = InferOptions(),
    helped_by: WorkerOptions = WorkerOptions(),
    infer_by: Annotated[Callable | None, GivenInPython] = None,
) -> None:
    """Infer which neurons drive which from a recording, and write the result to a folder.

    Example: `spikeweft infer recording.nwb result --hidden 10 --epochs wake`

    The folder holds `connectivity.nc` (weights[post, pre]; positive excites), `metrics.json`,
    `history.csv`, the model (`model.safetensors`, `model.json`) and `report.html`, the page to
    open first. The last tenth of the recording only scores. Where the file holds the true wiring,
    the answer is scored against it too.

    Until it is complete, the folder is called OUT_DIR.partial; an interrupted inference can be
    resumed.

    Parameters
    ----------
    out_dir
        Folder to make; by default in the current folder, named like the recording, with "-circuit"
        after it where that is a folder too.
    infer_by
        Function that infers; `inference.run.infer` where None.
    """
    from spikeweft.inference.settings import Inference

    if options.block_s is not None and options.bootstrap is None:
        raise InputError("--block-s is for a bootstrap; add --bootstrap, or leave it out")
    check_has_covariate(options)
    folder = _named_like(recording) if out_dir is None else out_dir
    inference = Inference(recording=recording, folder=folder, **given(used), **given(options))
    with _workers(helped_by) as workers:
        run_inference(inference, infer_by, workers)


@contextmanager
def _workers(asked: WorkerOptions) -> Iterator["Workers | None"]:
    """Those that the options name; None for this process alone.

    Processes on this machine begin when there is work for them.
    """
    if asked.workers is None and asked.scheduler is None:
        yield None
        return
    if asked.workers is not None and asked.scheduler is not None:
        raise InputError("--workers and --scheduler name different places to run; give one of them")
    with needs_extra("dask"):
        from spikeweft.inference.cluster import cluster_at
        from spikeweft.inference.cluster_workers import ClusterWorkers, local_workers
    if asked.scheduler is not None:
        with cluster_at(asked.scheduler) as cluster:
            yield ClusterWorkers(cluster)
    else:
        with local_workers(asked.workers or 1) as workers:
            yield workers


def _named_like(recording: Path) -> Path:
    """Not the same as a recording that is a folder itself."""
    return Path(f"{recording.resolve().name}-circuit" if recording.is_dir() else recording.stem)


def run_inference(
    inference: "Inference",
    infer_by: Callable | None = None,
    workers: "Workers | None" = None,
) -> None:
    """Infer with a progress display; print what it will take, warnings, scores, what to open."""
    from spikeweft.inference.run import infer
    from spikeweft.results.notices import notices

    said: list[str] = []

    def on_warning(warning: str) -> None:
        said.append(warning)
        print(f"warning: {printable(warning)}", file=sys.stderr, flush=True)

    def on_expected(expected: "list[Expected]") -> None:
        print(f"expected: {', '.join(map(str, expected))}", file=sys.stderr, flush=True)

    with progress_display() as (on_progress, on_stage):
        infer_by = infer_by or partial(infer, on_expected=on_expected, workers=workers)
        result = infer_by(inference, on_progress, on_stage, on_warning)
    for warning in (*result.warnings, *notices(result)):
        if warning not in said:
            on_warning(warning)
    if "circuit_kind" in result.metrics:
        print(result.metrics["circuit_kind"])
    _print_model(result)
    _print_scores(result)
    print(f"open {inference.folder / 'report.html'}")


def _print_model(result: "Result") -> None:
    from spikeweft.results.notices import NO_COUPLING

    known = result.connectivity.metadata
    if "structure" in known:
        acts = known["structure"] != NO_COUPLING
        kernel = known.get("synaptic_kernel") if acts else None
        print(f"model: {known['structure']}" + (f"; synaptic kernel {kernel}" if kernel else ""))


def _print_scores(result: "Result") -> None:
    metrics = result.metrics
    rows = [
        ("bits per spike", "bits_per_spike", "glm_bits_per_spike", "oracle_bits_per_spike"),
        ("Δ", "delta", "glm_delta", ""),
    ]
    known = [[name, *(number(metrics.get(key)) for key in keys)] for name, *keys in rows]
    print_table(["", "spikeweft", "Poisson GLM", "oracle"], [row for row in known if any(row[1:])])
