"""`spikeweft show`: what is in a recording's file, and how to ask for it."""

from pathlib import Path
from typing import Annotated

from spikeweft.cli.apps import app
from spikeweft.cli.options import RecordingFile
from spikeweft.cli.printing import print_table, printable


@app.command(usage="Usage: spikeweft show RECORDING [OPTIONS]")
def show(recording: Annotated[Path, RecordingFile], /, *, units_table: str | None = None) -> None:
    """Print what is in a recording: its units, its epochs, and what was sampled beside them.

    Example: `spikeweft show recording.nwb`

    Nothing is read but what describes it, and nothing is written. The last line is a command that
    would use some of it.

    Parameters
    ----------
    units_table
        Name of the table of units, where an NWB file has several.
    """
    from spikeweft.check.listing import example_command, listings
    from spikeweft.data.readers.load import contents_of

    contents = contents_of(recording, units_table)
    for listing in listings(contents):
        print(listing.title)
        if listing.rows:
            print_table(listing.header, listing.rows)
        print()
    for warning in contents.warnings:
        print(f"note: {printable(warning)}")
    print(printable(example_command(contents)))
