"""Tables in Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.errors import needs_extra

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(path: Path) -> "pd.DataFrame":
    """The table, with its index as columns where that was named.

    Raises
    ------
    InputError
        Where pyarrow is not installed, or the file is damaged.
    """
    import pandas as pd

    with needs_extra("parquet"):
        import pyarrow  # noqa: F401 - pandas reads with it
    with unreadable(path):
        table = pd.read_parquet(path, engine="pyarrow")
    return table.reset_index() if table.index.names != [None] else table
