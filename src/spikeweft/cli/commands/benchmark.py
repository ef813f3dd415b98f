"""`spikeweft benchmark`: methods compared on networks whose wiring is known."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from spikeweft.cli.apps import benchmark_app
from spikeweft.cli.options import Counts, Minutes, Names
from spikeweft.cli.printing import number

if TYPE_CHECKING:
    from spikeweft.benchmark.rows import Row
    from spikeweft.benchmark.run import StudyProgress
    from spikeweft.benchmark.sparse_circuits.rows import SparseRow
    from spikeweft.benchmark.studies import Case


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Which fits of a study to make.

    Attributes
    ----------
    table
        Names of tables; all by default.
    seeds
        Networks' seeds.
    methods
        Names of methods, as CircuitGNN PoissonGLM; all by default.
    force
        Fit again and replace rows that exist.
    """

    table: Annotated[tuple[str, ...], Names] = ()
    seeds: Annotated[tuple[int, ...], Counts] = (100, 101, 102)
    methods: Annotated[tuple[str, ...], Names] = ()
    force: bool = False


_ALL = StudyOptions()


@benchmark_app.command
def paper(
    out_dir: Path,
    /,
    *,
    options: StudyOptions = _ALL,
    minutes: Annotated[float, Minutes] = 8.0,
) -> None:
    """Tables 1 to 3 of Yoon (2025), and circuits of which a part is hidden.

    Example: `spikeweft benchmark paper results --table 1 --seeds 100`

    Its tables are 1 (no input), 2 (external drive), 3 (Profile II), and partial (hidden neurons).

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    minutes
        Length of each recording.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.paper(options.seeds, minutes), out_dir, options)


@benchmark_app.command
def curves(out_dir: Path, /, *, options: StudyOptions = _ALL) -> None:
    """How the error depends on recurrent strength, and on the length of the recording.

    Example: `spikeweft benchmark curves results --table minutes --seeds 100`

    Its tables are strength and minutes.

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.curves(options.seeds), out_dir, options)


@benchmark_app.command
def wirings(
    out_dir: Path,
    /,
    *,
    options: StudyOptions = _ALL,
    minutes: Annotated[float, Minutes] = 4.0,
    spycon: Path | None = None,
) -> None:
    """Networks other than rings: random wiring, and a network that others simulated.

    Example: `spikeweft benchmark wirings results --spycon spycon_sim1917Cell1Block1_tiny.npz`

    Its tables are simulated and spycon.

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    minutes
        Length of each simulated recording.
    spycon
        File of christiando/spycon, which may not be redistributed; without it, its network is left
        out.
    """
    from spikeweft.benchmark import studies

    if spycon is None:
        print("the network of christiando/spycon is left out; name its file with --spycon FILE")
    _benchmark(studies.wirings(options.seeds, minutes, spycon), out_dir, options)


@benchmark_app.command
def ablations(
    out_dir: Path,
    /,
    *,
    options: StudyOptions = _ALL,
    minutes: Annotated[float, Minutes] = 8.0,
) -> None:
    """What each ingredient of CircuitGNN contributes: one is left out at a time.

    Example: `spikeweft benchmark ablations results --seeds 100`

    Its only table is 1, the two rings; its methods are variants of CircuitGNN.

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    minutes
        Length of each recording.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.ablations(options.seeds, minutes), out_dir, options)


@benchmark_app.command
def sparse(
    out_dir: Path,
    /,
    *,
    networks: Annotated[tuple[str, ...], Names] = (),
    seeds: Annotated[tuple[int, ...], Counts] = (100, 101, 102, 103, 104),
    methods: Annotated[tuple[str, ...], Names] = (),
    minutes: Annotated[float, Minutes] = 60.0,
    spycon: Path | None = None,
    force: bool = False,
) -> None:
    """Who is monosynaptically connected: sparse networks with delays, inhibition, shared states.

    Example: `spikeweft benchmark sparse results --networks "Poisson, all 60" --methods GLMCC`

    Its networks are of Izhikevich's, of integrate-and-fire and of Poisson neurons, and a population
    without connections, and one of christiando/spycon if its file is given. Where all is fitted,
    tables and figure are made again.

    Parameters
    ----------
    out_dir
        Folder for table and figure.
    networks
        Names of networks, as "Poisson, all 60"; all by default.
    seeds
        Seeds of wirings and spikes.
    methods
        Names of methods, as SynapseModel GLMCC; all by default but CircuitGNN, which takes hours.
    minutes
        Length of each recording.
    spycon
        File of christiando/spycon, which may not be redistributed; without it, its network is left
        out.
    force
        Fit again and replace rows that exist.
    """
    from spikeweft.benchmark.sparse_circuits.cases import sparse
    from spikeweft.benchmark.sparse_circuits.figure import average_precision_panels
    from spikeweft.benchmark.sparse_circuits.run import run_sparse
    from spikeweft.benchmark.sparse_circuits.tables import sparse_markdown, sparse_summary
    from spikeweft.reporting.plot_style import write_figure

    cases = sparse(seeds, minutes, networks, methods, spycon)
    rows = run_sparse(cases, out_dir, force=force, on_row=_print_sparse)
    print(f"{sparse_summary(rows)}\n\n{sparse_markdown(rows)}")
    axes = average_precision_panels(rows)
    if axes is not None:
        (out_dir / "figures").mkdir(exist_ok=True)
        write_figure(axes, out_dir / "figures" / "average_precision")


@benchmark_app.command
def figures(out_dir: Path, /) -> None:
    """Draw the figures and print the tables of OUT_DIR again; nothing is fitted.

    Example: `spikeweft benchmark figures results`

    Parameters
    ----------
    out_dir
        Folder that the other benchmark commands filled.
    """
    from spikeweft.benchmark.figures.draw import circuits_gone, draw_figures
    from spikeweft.benchmark.markdown_tables import folder_markdown
    from spikeweft.data.file_contents.sentences import counted

    print(folder_markdown(out_dir))
    drawn = draw_figures(out_dir)
    print(f"{counted(len(drawn), 'figure')} in {out_dir / 'figures'}")
    if gone := circuits_gone(out_dir):
        print(
            "Matrices of some networks are not drawn, since the folder lacks "
            f"{counted(len(gone), 'circuit')}, the first {gone[0].name}; repeat their fits with "
            "--force."
        )


def _benchmark(cases: "Sequence[Case]", out_dir: Path, options: StudyOptions) -> None:
    """Run the chosen cases, printing a line for each, then show all tables and figures."""
    from spikeweft.benchmark.run import run
    from spikeweft.benchmark.studies import chosen

    wanted = chosen(cases, options.table, options.methods)
    run(wanted, out_dir, force=options.force, on_progress=_print_progress)
    figures(out_dir)


def _print_progress(progress: "StudyProgress") -> None:
    case, row = progress.case, progress.row
    where = (case.table, case.setting, f"{case.neuron_model} neurons", f"seed {case.seed}")
    if case.n_hidden or case.table == "partial":
        where += (f"{case.n_observed} observed", f"{case.n_hidden} hidden")
    place = f"{progress.number} of {progress.n_cases}: {case.method.name} on {', '.join(where)}"
    print(f"{place}: {_outcome(row)}" if row else place, file=sys.stderr, flush=True)


def _outcome(row: "Row") -> str:
    if row.failed:
        return f"failed: {row.failed}"
    outcome = f"Δ {number(row.delta)}, {row.seconds:.0f} s"
    if math.isnan(row.bits_per_spike_pooled):
        return outcome
    return f"{outcome}, {number(row.bits_per_spike_pooled)} bits per spike"


def _print_sparse(row: "SparseRow") -> None:
    outcome = (
        f"failed: {row.failed}"
        if row.failed
        else f"average precision {number(row.average_precision)}, {row.wall_seconds:.0f} s"
    )
    place = f"{row.method} on {row.network} neurons, seed {row.seed}"
    print(f"{place}: {outcome}", file=sys.stderr, flush=True)
