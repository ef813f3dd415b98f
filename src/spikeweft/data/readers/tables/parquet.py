"""Tables in Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(path: Path) -> "pd.DataFrame":
    """The table, with its index as columns where that was named and is no column already.

    Raises
    ------
    InputError
        Where pyarrow is not installed, the file is damaged, or columns share a name.
    """
    import pandas as pd

    with needs_extra("parquet"):
        import pyarrow  # noqa: F401 - pandas reads with it
    with unreadable(path):
        table = pd.read_parquet(path, engine="pyarrow")
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()]
        raise InputError(f"{path} has several columns {listed(twice)}; name each otherwise")
    more = [name for name in table.index.names if name is not None and name not in table.columns]
    return table.reset_index(more) if more else table
