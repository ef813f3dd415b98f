"""`spikeweft check`: what a recording is good for, before hours are spent on it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from spikeweft.cli.apps import app
from spikeweft.cli.options import ALL_USED, Minutes, RecordingFile, UsedOptions
from spikeweft.cli.printing import printable

if TYPE_CHECKING:
    from spikeweft.check.findings import Checkup


_STYLES = {"fine": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}


@app.command(usage="Usage: spikeweft check RECORDING [OPTIONS]")
def check(
    recording: Annotated[Path, RecordingFile],
    /,
    *,
    used: UsedOptions = ALL_USED,
    minutes: Annotated[float | None, Minutes] = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    html_file: Annotated[Path | None, Parameter(name="--html")] = None,
    force: bool = False,
) -> None:
    """Say what a recording is good for, what is wrong with it, and how long a fit will take.

    Example: `spikeweft check recording.nwb --html check.html`

    It looks for silent and duplicate units, refractory violations, drift, gaps and synchrony, and
    fits its start quickly to predict how far off the weights will be, how many minutes would be
    needed for less, and the time and memory of the whole fit.

    Parameters
    ----------
    minutes
        Use only the first minutes.
    json_file
        Write all that was measured to this file.
    html_file
        Write one page to read to this file.
    force
        Overwrite files that exist.
    """
    from spikeweft.runtime.files import check_new_file, write_whole

    outputs = [path for path in (json_file, html_file) if path is not None]
    for path in outputs:
        check_new_file(path, force=force)
    from spikeweft.check.checkup import check_file
    from spikeweft.check.page import build_page
    from spikeweft.data.file_contents.selection import Selection

    checkup = check_file(recording, Selection(**vars(used)), minutes=minutes, on_stage=_print_stage)
    _print(checkup)
    if json_file is not None:
        write_whole(json_file, json.dumps(checkup.to_dict(), indent=2).encode())
    if html_file is not None:
        write_whole(html_file, build_page(checkup).encode())
    for path in outputs:
        print(f"written: {path}")


def _print_stage(stage: str) -> None:
    print(stage, file=sys.stderr, flush=True)


def _print(checkup: "Checkup") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from spikeweft.check.page import verdict

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
    for finding in sorted(checkup.findings, key=lambda finding: -finding.severity):
        word = finding.severity.word
        said = Text(printable(finding.summary))
        if finding.remedy:
            said.append(f"\n→ {printable(finding.remedy)}", style="dim")
        table.add_row(Text(word, style=_STYLES[word]), Text(finding.topic, style="bold"), said)
    console = Console()
    source = printable(checkup.source)
    console.print(f"{source}: {verdict(checkup)}\n", markup=False, highlight=False)
    console.print(table)
