"""`spikeweft heading`: head-direction cells, their circuit, and its controls."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from spikeweft.cli.apps import app
from spikeweft.cli.options import Count, Counts, GivenInPython
from spikeweft.cli.printing import printable

Files = Parameter(consume_multiple=True, show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class HeadingOptions:
    """What to study.

    Attributes
    ----------
    angle
        Name of the direction; by default the only angle of the recording.
    n_hidden
        Numbers of hidden neurons, a fit with and without the direction for each.
    epochs
        Use only epochs with this name, such as "wake".
    elsewhere
        Recordings of the same neurons in another state, such as sleep, on which the circuit is
        tested.
    draws
        How often spikes are drawn from tuning alone for the fit that is judged, which is given the
        direction and has the fewest hidden neurons. Fewer than 19 give no p value.
    seed
        The same seed on the same machine gives the same answer.
    """

    angle: str | None = None
    n_hidden: Annotated[tuple[int, ...], Counts, Parameter(name=("--hidden", "--n-hidden"))] = (
        0,
        5,
        10,
        20,
    )
    epochs: str | None = None
    elsewhere: Annotated[tuple[Path, ...], Files] = ()
    draws: Annotated[int, Count] = 19
    seed: Annotated[int, Count] = 0


@app.command(usage="Usage: spikeweft heading RECORDING OUT_DIR [OPTIONS]")
def heading(
    recording: Path,
    out_dir: Path,
    /,
    *,
    options: HeadingOptions = HeadingOptions(),
    force: bool = False,
    study_by: Annotated[Callable | None, GivenInPython] = None,
) -> None:
    """Infer the circuit of head-direction cells, beside what their tuning alone would show.

    Example: `spikeweft heading mouse.nwb heading --angle head-direction --n-hidden 0 10`

    Finds the head-direction cells, places them on a ring by preferred direction, and infers their
    coupling with and without the direction as an input. A common input and a ring attractor give
    the same profile, so every profile is shown beside those of spikes drawn from tuning alone and
    of shuffled directions. OUT_DIR holds tables (CSV), figures, and `heading.html`, the page
    to open first. Each step is saved; after an interruption, the same command continues.

    Parameters
    ----------
    recording
        NWB file or folder, or .npz, with the animal's direction among its covariates.
    out_dir
        Folder to make, or to continue in.
    force
        Start over.
    study_by
        Function that takes the steps of a study; `steps.run_study` where None.
    """
    from spikeweft.head_direction.page import write_study
    from spikeweft.head_direction.steps import run_study
    from spikeweft.head_direction.study import HeadDirectionStudy

    study = HeadDirectionStudy(recording=recording, folder=out_dir, **vars(options))
    findings = (study_by or run_study)(study, _print_stage, force=force)
    page = write_study(findings)
    for warning in findings.prepared.warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
    print(f"open {page}")


def _print_stage(stage: str) -> None:
    print(stage, file=sys.stderr, flush=True)
