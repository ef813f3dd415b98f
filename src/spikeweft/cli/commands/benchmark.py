"""`spikeweft benchmark`: methods compared on networks whose wiring is known."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from spikeweft.cli.apps import benchmark_app
from spikeweft.cli.options import Minutes, Names, Seeds
from spikeweft.cli.printing import number

if TYPE_CHECKING:
    from spikeweft.benchmark.rows import Row
    from spikeweft.benchmark.run import StudyProgress
    from spikeweft.benchmark.studies import Case


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
        1 (no input), 2 (external drive), 3 (Profile II), partial (hidden neurons); all by default.
    seeds
        Networks' seeds.
    methods
        Names of methods, as CircuitGNN PoissonGLM; all by default.
    minutes
        Length of each recording.
    force
        Fit again and replace rows that exist.
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
        strength or minutes; both by default.
    seeds
        Networks' seeds.
    methods
        Names of methods; all by default.
    force
        Fit again and replace rows that exist.
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
    """Networks other than rings: random wiring, and a network that others simulated.

    Example: `spikeweft benchmark wirings results --spycon spycon_sim1917Cell1Block1_tiny.npz`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        simulated or spycon; both by default.
    seeds
        Networks' seeds.
    methods
        Names of methods; all by default.
    minutes
        Length of each simulated recording.
    spycon
        File of christiando/spycon, which may not be redistributed; without it, its network is left
        out.
    force
        Fit again and replace rows that exist.
    """
    from spikeweft.benchmark import studies

    if spycon is None:
        print("the network of christiando/spycon is left out; name its file with --spycon FILE")
    _benchmark(studies.wirings(seeds, minutes, spycon), out_dir, table, methods, force=force)


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
    """What each ingredient of CircuitGNN contributes: one is left out at a time.

    Example: `spikeweft benchmark ablations results --seeds 100`

    Parameters
    ----------
    out_dir
        Folder for table, circuits and figures.
    table
        1, the two rings: the only table so far.
    seeds
        Networks' seeds.
    methods
        Names of variants; all by default.
    minutes
        Length of each recording.
    force
        Fit again and replace rows that exist.
    """
    from spikeweft.benchmark import studies

    _benchmark(studies.ablations(seeds, minutes), out_dir, table, methods, force=force)


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

    print(folder_markdown(out_dir))
    drawn = draw_figures(out_dir)
    print(f"{len(drawn)} figures in {out_dir / 'figures'}")
    if gone := circuits_gone(out_dir):
        print(
            f"Matrices of some networks are not drawn, since {len(gone)} circuits are not in the "
            f"folder, the first {gone[0].name}; repeat their fits with --force."
        )


def _benchmark(
    cases: "Sequence[Case]",
    out_dir: Path,
    tables: Sequence[str],
    methods: Sequence[str],
    *,
    force: bool,
) -> None:
    """Run the chosen cases, printing a line for each, then show all tables and figures."""
    from spikeweft.benchmark.run import run
    from spikeweft.benchmark.studies import chosen

    run(chosen(cases, tables, methods), out_dir, force=force, on_progress=_print_progress)
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
