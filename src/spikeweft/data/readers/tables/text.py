"""Tables in text: CSV and TSV."""

from pathlib import Path
from typing import TYPE_CHECKING

from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.tables.spike_rows import time_columns, unit_columns
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ("\t", ";", ",")

_ENDINGS = (".csv", ".tsv")

_LONGEST_LINE = 100_000


def is_text_table(path: Path) -> bool:
    """Whether a file is called a table, or its first line names a column of times and of units."""
    if path.suffix.lower() in _ENDINGS:
        return True
    try:
        first = _first_line(path)
    except UnicodeDecodeError:
        return False
    names = [name.strip().strip('"') for name in first.split(_separator(first))]
    return bool(time_columns(names)) and bool(unit_columns(names))


def read_text_table(path: Path) -> "pd.DataFrame":
    """The table, whose columns are separated as in its first line.

    Raises
    ------
    InputError
        Where the file is damaged, or rows have more values than there are columns.
    """
    import pandas as pd

    with unreadable(path):
        separator = _separator(_first_line(path))
        table = pd.read_csv(path, sep=separator, encoding="utf-8-sig", low_memory=False)
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"{path} has the columns {listed(table.columns)}, but rows with more values; name "
            "each column in the first line"
        )
    return table


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        return file.readline(_LONGEST_LINE).rstrip("\n")


def _separator(first_line: str) -> str:
    return next((separator for separator in _SEPARATORS if separator in first_line), ",")
