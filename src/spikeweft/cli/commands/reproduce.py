"""`spikeweft reproduce`: a result made again, and compared bit by bit."""

from pathlib import Path
from typing import TYPE_CHECKING

from spikeweft.cli.apps import app
from spikeweft.cli.printing import print_table
from spikeweft.cli.progress import progress_display

if TYPE_CHECKING:
    from spikeweft.inference.reproduction import Reproduction


@app.command
def reproduce(out_dir: Path, /, *, recording: Path | None = None) -> None:
    """Make a result again from its own settings and recording, and compare it bit by bit.

    Example: `spikeweft reproduce result`

    Nothing is written to OUT_DIR. The exit status is 0 where all is the same; otherwise it is 1 and
    the largest differences are shown with their place.

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made, or one of the fits of a sweep.
    recording
        Where its recording is now, if it was moved. Another recording is refused.
    """
    from spikeweft.inference.reproduction import reproduce

    with progress_display() as (on_progress, on_stage):
        made = reproduce(out_dir, recording, on_progress, on_stage)
    _print(made)
    if not made.is_same:
        raise SystemExit(1)


def _print(made: "Reproduction") -> None:
    for name, (then, now) in made.changes.items():
        print(f"{name} was {then} and is {now}")
    if made.is_same:
        print(f"the same bit by bit: {', '.join(made.compared)}")
        return
    rows = [
        [one.array, str(one.n_entries), f"{one.largest:.3g}", one.where, f"{one.scale:.3g}"]
        for one in made.differences
    ]
    header = ["not the same", "entries", "largest difference", "where", "largest value"]
    print_table(header, rows)
    same = [name for name in made.compared if name not in {one.array for one in made.differences}]
    print(f"the same bit by bit: {', '.join(same) or 'nothing'}")
