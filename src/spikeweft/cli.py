"""The command line: parse, call, print."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, Token
from cyclopts.validators import Number

from spikeweft.errors import InputError

if TYPE_CHECKING:
    from spikeweft.benchmark.rows import Row
    from spikeweft.benchmark.run import Standing
    from spikeweft.benchmark.studies import Case
    from spikeweft.infer import Inference
    from spikeweft.metrics import InferenceError
    from spikeweft.result import Result
    from spikeweft.train import Progress

_DEMO_MINUTES = 2.0
_SECONDS_BETWEEN_LINES = 10.0
_TO_GO_ON = {
    "infer": "; run the same command with --resume to go on",
    "benchmark": "; run the same command, without --force, to go on",
}

app = App(
    name="spikeweft",
    version=lambda: version("spikeweft"),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    default_parameter=Parameter(negative=()),
    help="""Finds out, from spikes alone, which neurons drive which.

    **Start here:** `spikeweft demo` simulates a small network, infers its wiring from the spikes
    and shows how close it came.

    **Your own data:** `spikeweft infer recording.nwb` makes a folder with the inferred
    connectivity, its scores, and a page to read: `report.html`.

    Every command explains itself: `spikeweft infer --help`.
    """,
)
simulate_app = App(name="simulate", help="Make recordings of networks whose wiring is known.")
app.command(simulate_app)
benchmark_app = App(
    name="benchmark",
    help="""Compare methods on networks whose wiring is known, each fit in a process of its own.

    **Start here:** `spikeweft benchmark paper OUT_DIR --table 1 --seeds 100 --methods CircuitGNN
    PoissonGLM` fits two methods to two rings, prints the tables, and draws the figures.

    Every fit is one row of `OUT_DIR/STUDY.csv`, with its scores, time, memory, versions, and the
    command that makes it again. What the table has is not fitted again, so a study that was
    interrupted goes on when its command is repeated. The true wiring scores and does nothing else.
    """,
)
app.command(benchmark_app)


def _finite_and_positive(_: type, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"{value:g} is not a positive number")


def _whole_number(_: type, tokens: Sequence[Token]) -> int:
    # cyclopts itself would round 1.5.
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value} is not a whole number") from None


Minutes = Parameter(validator=_finite_and_positive)
Count = Parameter(converter=_whole_number, validator=Number(gte=0))
Seeds = Parameter(validator=Number(gte=0), consume_multiple=True)
Names = Parameter(consume_multiple=True, show_default=False)


@simulate_app.command
def ring(
    out: Path,
    /,
    *,
    neuron_model: Literal["threshold", "lnp"] = "threshold",
    minutes: Annotated[float, Minutes] = 8.0,
    seed: Annotated[int, Count] = 0,
    recurrent_strength: float = 0.025,
    drive_amplitude: float = 0.0,
    force: bool = False,
) -> None:
    """Simulate a ring of 100 neurons with bumps of activity; spikes and truth go into one file.

    Example: `spikeweft simulate ring ring.npz --neuron-model lnp --minutes 8 --seed 1`

    Neurons in different bumps fire together without being connected, which is what misleads
    methods that look at correlations. The file holds `spike_times` (s), `spike_units`, and the
    true `weights[post, pre]`.

    Parameters
    ----------
    out
        File to write, ending in .npz.
    neuron_model
        Threshold-crossing neurons with noise, or linear-nonlinear-Poisson ones.
    minutes
        Length of the recording.
    seed
        The same seed gives the same spikes.
    recurrent_strength
        Factor on all weights; 0.025 is the strongest published, 0.0025 is weak.
    drive_amplitude
        Amplitude in neurons of a slow external drive that moves the bumps.
    force
        Overwrite a file that exists.
    """
    from dataclasses import replace

    import numpy as np

    from spikeweft.io import check_new_npz, save_simulation
    from spikeweft.simulate.network import simulate
    from spikeweft.simulate.ring import lnp_ring, threshold_ring

    check_new_npz(out, force=force)
    published = {"threshold": threshold_ring, "lnp": lnp_ring}[neuron_model]
    network = replace(published(recurrent_strength), drive_amplitude_neurons=drive_amplitude)
    recording = simulate(network, 60.0 * minutes, np.random.default_rng(seed))
    save_simulation(out, recording, network.connectivity, force=force)
    print(f"{out}: {recording.n_neurons} neurons, {len(recording.spike_times_s):,} spikes")


@app.command(usage="Usage: spikeweft infer RECORDING [OUT_DIR] [OPTIONS]")
def infer(
    recording: Path,
    out_dir: Path | None = None,
    /,
    *,
    hidden: Annotated[int, Count] = 0,
    seed: Annotated[int, Count] = 0,
    epochs: str | None = None,
    minutes: Annotated[float | None, Minutes] = None,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Infer who drives whom from a recording, and write a folder with the answer.

    Example: `spikeweft infer recording.nwb result --hidden 10 --epochs wake`

    The folder holds `connectivity.nc` (weights[post, pre]; positive excites), `metrics.json`,
    `history.csv`, the model (`model.safetensors`, `model.json`) and `report.html`, the page to
    open first. The last tenth of the recording only scores. Where the file holds the true wiring,
    the answer is scored against it too.

    Until it is whole, the folder is called OUT_DIR.partial; interrupted, it can be resumed.

    Parameters
    ----------
    recording
        NWB file, saved pynapple TsGroup, or .npz with `spike_times` (s) and `spike_units`.
    out_dir
        Folder to make. Without it, the recording's name in the current folder.
    hidden
        Neurons the model may place between the recorded ones.
    seed
        The same seed on the same machine gives the same answer.
    epochs
        Use only epochs with this name, such as "wake".
    minutes
        Use only the first minutes.
    resume
        Go on with an inference that was interrupted, to the result it would have had.
    force
        Replace a result that exists, or start an interrupted inference over.
    """
    from spikeweft.infer import Inference

    _infer(
        Inference(
            recording=recording,
            folder=Path(recording.stem) if out_dir is None else out_dir,
            n_hidden=hidden,
            seed=seed,
            epochs=epochs,
            minutes=minutes,
            resume=resume,
            force=force,
        )
    )


@app.command
def score(out_dir: Path, truth: Path, /) -> None:
    """Measure how far an inferred circuit is from the true one.

    Example: `spikeweft score result ring.npz`

    Δ is the distance of the inferred weights from the true ones after bringing them to the same
    scale: 0 is perfect, 1 is no better than no connections. On a ring it splits into bias, the
    error that more data would not remove, and variance. "Δ (profile)" finds the scale from the mean
    profile of weights (Yoon 2025) instead of all weights (Das & Fiete 2020).

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    truth
        .npz with the true `weights[post, pre]`, such as `spikeweft simulate` writes.
    """
    from spikeweft.infer import score

    _print_errors(score(out_dir, truth))


@app.command
def report(out_dir: Path, /) -> None:
    """Write `report.html` of a result folder again.

    Example: `spikeweft report result`

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    """
    from spikeweft.infer import write_report

    print(write_report(out_dir))


@benchmark_app.command
def paper(
    out_dir: Path,
    /,
    *,
    table: Annotated[tuple[str, ...], Names] = (),
    seeds: Annotated[tuple[int, ...], Seeds] = (100, 101, 102),
    methods: Annotated[tuple[str, ...], Names] = (),
    minutes: Annotated[float, Minutes] = 8.0,
    force: bool = False,
) -> None:
    """Tables 1 to 3 of Yoon (2025), and circuits of which a part is hidden.

    Example: `spikeweft benchmark paper results --table 1 --seeds 100`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        1 (no input), 2 (external drive), 3 (Profile II), or partial (hidden neurons); else all.
    seeds
        Networks' seeds.
    methods
        Names of methods, as CircuitGNN PoissonGLM; else all.
    minutes
        Length of each recording.
    force
        Make rows that exist anew.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.paper(seeds, minutes), out_dir, table, methods, force=force)


@benchmark_app.command
def curves(
    out_dir: Path,
    /,
    *,
    table: Annotated[tuple[str, ...], Names] = (),
    seeds: Annotated[tuple[int, ...], Seeds] = (100, 101, 102),
    methods: Annotated[tuple[str, ...], Names] = (),
    force: bool = False,
) -> None:
    """How the error depends on recurrent strength, and on the length of the recording.

    Example: `spikeweft benchmark curves results --table minutes --seeds 100`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        strength or minutes; else both.
    seeds
        Networks' seeds.
    methods
        Names of methods; else all.
    force
        Make rows that exist anew.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.curves(seeds), out_dir, table, methods, force=force)


@benchmark_app.command
def wirings(
    out_dir: Path,
    /,
    *,
    table: Annotated[tuple[str, ...], Names] = (),
    seeds: Annotated[tuple[int, ...], Seeds] = (100, 101, 102),
    methods: Annotated[tuple[str, ...], Names] = (),
    minutes: Annotated[float, Minutes] = 4.0,
    spycon: Path | None = None,
    force: bool = False,
) -> None:
    """Networks that are no rings: random wiring, and a network that others simulated.

    Example: `spikeweft benchmark wirings results --spycon spycon_sim1917Cell1Block1_tiny.npz`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        simulated or spycon; else both.
    seeds
        Networks' seeds.
    methods
        Names of methods; else all.
    minutes
        Length of each simulated recording.
    spycon
        The file of christiando/spycon; without it, it is looked for beside the checkout.
    force
        Make rows that exist anew.
    """
    from spikeweft.benchmark import studies

    file = spycon or studies.spycon_beside_checkout()
    if file is None:
        print(f"no {studies.SPYCON} was found, so it is left out; name it with --spycon PATH")
    _benchmark(studies.wirings(seeds, minutes, file), out_dir, table, methods, force=force)


@benchmark_app.command
def ablations(
    out_dir: Path,
    /,
    *,
    table: Annotated[tuple[str, ...], Names] = (),
    seeds: Annotated[tuple[int, ...], Seeds] = (100, 101, 102),
    methods: Annotated[tuple[str, ...], Names] = (),
    minutes: Annotated[float, Minutes] = 8.0,
    force: bool = False,
) -> None:
    """What each part of CircuitGNN contributes: the method with one thing left out at a time.

    Example: `spikeweft benchmark ablations results --seeds 100`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        Only 1, the two rings, so far.
    seeds
        Networks' seeds.
    methods
        Names of variants; else all.
    minutes
        Length of each recording.
    force
        Make rows that exist anew.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.ablations(seeds, minutes), out_dir, table, methods, force=force)


@benchmark_app.command
def figures(out_dir: Path, /) -> None:
    """Draw figures and print tables again, from what OUT_DIR holds; nothing is fitted.

    Example: `spikeweft benchmark figures results`

    Parameters
    ----------
    out_dir
        Folder that the other benchmark commands filled.
    """
    from spikeweft.benchmark.figures import draw_figures
    from spikeweft.benchmark.tables import folder_markdown

    print(folder_markdown(out_dir))
    drawn = draw_figures(out_dir)
    print(f"{len(drawn)} figures in {out_dir / 'figures'}")


@app.command
def demo(out_dir: Path = Path("demo"), /, *, force: bool = False) -> None:
    """Simulate a small network, infer its wiring from the spikes, and score the answer.

    Example: `spikeweft demo`

    It runs the other commands one after the other, and shows each before it runs.

    Parameters
    ----------
    out_dir
        Folder to make; the simulated recording lies beside it, as OUT_DIR.npz.
    force
        Replace a demo that exists.
    """
    from spikeweft.infer import Inference, check_folder

    made = Path(f"{out_dir}.npz")
    inference = Inference(recording=made, folder=out_dir, force=force)
    check_folder(inference)
    options = f"--neuron-model lnp --minutes {_DEMO_MINUTES:g} --seed 1"
    print(f"$ spikeweft simulate ring {made} {options}")
    ring(made, neuron_model="lnp", minutes=_DEMO_MINUTES, seed=1, force=force)
    print(f"\n$ spikeweft infer {made} {out_dir}")
    _infer(inference)
    print(f"\n$ spikeweft score {out_dir} {made}")
    score(out_dir, made)
    print(f"\n$ spikeweft report {out_dir}")
    report(out_dir)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command; 0 where it went well, 2 where the user has to change something."""
    words = sys.argv[1:] if tokens is None else list(tokens)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # some terminals have no Δ
    try:
        app(words, exit_on_error=False, print_error=False)
    except (InputError, CycloptsError) as error:
        print(f"spikeweft: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        remedy = _TO_GO_ON.get(words[0] if words else "", "")
        print(f"\nspikeweft: interrupted{remedy}", file=sys.stderr)
        return 130
    return 0


def _benchmark(
    cases: "Sequence[Case]",
    out_dir: Path,
    tables: Sequence[str],
    methods: Sequence[str],
    *,
    force: bool,
) -> None:
    """Run the chosen cases with a line for each, then show all that the folder holds."""
    from spikeweft.benchmark.run import run
    from spikeweft.benchmark.studies import chosen

    run(chosen(cases, tables, methods), out_dir, force=force, on_standing=_print_standing)
    figures(out_dir)


def _print_standing(standing: "Standing") -> None:
    case, row = standing.case, standing.row
    where = (case.table, case.setting, f"{case.neuron_model} neurons", f"seed {case.seed}")
    if case.n_hidden or case.table == "partial":
        where += (f"{case.n_observed} observed", f"{case.n_hidden} hidden")
    place = f"{standing.number} of {standing.n_cases}: {case.method.name} on {', '.join(where)}"
    print(f"{place}: {_outcome(row)}" if row else place, file=sys.stderr, flush=True)


def _outcome(row: "Row") -> str:
    if row.failed:
        return f"failed: {row.failed}"
    outcome = f"Δ {_number(row.delta)}, {row.seconds:.0f} s"
    if math.isnan(row.bits_per_spike_pooled):
        return outcome
    return f"{outcome}, {_number(row.bits_per_spike_pooled)} bits per spike"


def _infer(inference: "Inference") -> None:
    from spikeweft.infer import infer

    with _progress_display() as (on_progress, on_stage):
        result = infer(inference, on_progress, on_stage)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _print_scores(result)
    print(f"open {inference.folder / 'report.html'}")


@contextmanager
def _progress_display() -> Iterator[tuple[Callable[["Progress"], None], Callable[[str], None]]]:
    """Two functions that show where an inference stands: after a step, and at a new stage."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _progress_lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("starting", total=None, scores="")

        def on_progress(progress: "Progress") -> None:
            bar.update(
                task,
                description=progress.stage,
                completed=progress.step,
                total=progress.n_steps,
                scores=_describe(progress),
            )

        yield on_progress, lambda stage: bar.update(task, description=stage)


def _progress_lines() -> tuple[Callable[["Progress"], None], Callable[[str], None]]:
    """The same for a file or a pipe: a line for each new stage, and one now and then."""
    last = {"stage": "", "shown": 0.0}

    def show(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def on_progress(progress: "Progress") -> None:
        is_due = time.monotonic() - last["shown"] > _SECONDS_BETWEEN_LINES
        if is_due or progress.stage != last["stage"]:
            last.update(stage=progress.stage, shown=time.monotonic())
            place = f"step {progress.step} of {progress.n_steps}"
            show(f"{progress.stage}: {place}, {_describe(progress)}")

    return on_progress, show


def _describe(progress: "Progress") -> str:
    left_s = progress.seconds / max(progress.step, 1) * (progress.n_steps - progress.step)
    return (
        f"loss {progress.loss:.4f} nats/spike, held out {progress.held_out_bits_per_spike:.4f} "
        f"bits/spike, about {int(left_s // 60)}:{int(left_s % 60):02d} left"
    )


def _print_scores(result: "Result") -> None:
    metrics = result.metrics
    rows = [
        ("bits per spike", "bits_per_spike", "glm_bits_per_spike", "oracle_bits_per_spike"),
        ("Δ", "delta", "glm_delta", ""),
    ]
    known = [[name, *(_number(metrics.get(key)) for key in keys)] for name, *keys in rows]
    _print_table(["", "spikeweft", "Poisson GLM", "oracle"], [row for row in known if any(row[1:])])


def _print_errors(errors: dict[str, "InferenceError"]) -> None:
    parts = {
        "Δ": "delta",
        "  bias": "bias",
        "  variance": "variance",
        "Δ (profile)": "delta_profile",
        "scale α": "scale",
    }
    rows = [
        [label, *(_number(getattr(error, part)) for error in errors.values())]
        for label, part in parts.items()
    ]
    _print_table(["", *errors], rows)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "not defined" if math.isnan(value) else f"{value:.4g}"


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
