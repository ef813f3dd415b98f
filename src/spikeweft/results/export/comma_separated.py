"""Connections as a table of comma-separated values."""

from pathlib import Path

from spikeweft.data.connectivity import Connectivity
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.plain_text import check_kept
from spikeweft.runtime.files import write_whole


def write_csv(path: Path, circuit: Connectivity, choice: Choice) -> int:
    """Write `Connectivity.to_pandas` with all digits; an empty cell is a number that is not known.

    Returns how many connections there are.

    Raises
    ------
    InputError
        Where a name cannot be written, or the file system refuses.
    """
    check_kept(circuit.neuron_ids)
    table = circuit.to_pandas(**choice._asdict())
    write_whole(path, table.to_csv(index=False, lineterminator="\n").encode())
    return len(table)
