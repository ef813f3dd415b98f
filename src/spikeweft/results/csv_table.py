"""Tables as CSV files: typed rows to text and back; a file is written whole or not at all."""

import csv
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import pandas as pd

from spikeweft.errors import InputError
from spikeweft.runtime.files import write_whole

Row = TypeVar("Row")

NAN = float("nan")


def read_rows(path: Path, row_type: type[Row], may_lack: Collection[str] = ()) -> list[Row]:
    """Rows of a table, each a dataclass or named tuple; none where there is no file.

    An empty cell is NaN in a column of numbers and None where the type allows it.

    Parameters
    ----------
    path
        The file.
    row_type
        What a row is made as.
    may_lack
        Columns that a table need not have, as older ones do not; their cells are empty then.

    Raises
    ------
    InputError
        Where the file is not such a table.
    """
    if not path.exists():
        return []
    kinds = get_type_hints(row_type)
    try:
        table = _table(path)
        if list(table.columns) != [k for k in kinds if k in table or k not in may_lack]:
            raise ValueError("its columns are others")
        return [
            row_type(**{name: _value(kinds[name], row.get(name, "")) for name in kinds})
            for row in _cells(table)
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not a table that this version writes ({error}); move it away, or choose "
            "another folder"
        ) from error


def write_rows(path: Path, rows: Iterable[Row], row_type: type[Row]) -> None:
    """Write typed rows, numbers with six digits.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    columns = list(get_type_hints(row_type))
    cells = [as_cells({name: getattr(row, name) for name in columns}) for row in rows]
    write_cells(path, cells, columns)


def read_cells(path: Path) -> list[dict[str, str]]:
    """Rows of any table, as text.

    Raises
    ------
    OSError, ValueError
        Where the file cannot be read, or its rows have different numbers of cells.
    """
    return _cells(_table(path))


def write_cells(
    path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] | None = None
) -> None:
    """Write rows as they are; what a row lacks is an empty cell.

    Parameters
    ----------
    path
        File to write.
    rows
        Cells by column.
    columns
        Names of the columns in order; those of all rows where None.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    if columns is None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
    table = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    # A cell is quoted where it has the end of a line, which a bare \r is to those who read it.
    has_return = any("\r" in str(cell) for row in rows for cell in row.values())
    quoting = csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    write_whole(path, table.to_csv(index=False, lineterminator="\n", quoting=quoting).encode())


def as_cells(row: Mapping[str, object]) -> dict[str, str]:
    """A row as text: six digits of a number; an empty cell for NaN and None."""
    return {name: _cell(value) for name, value in row.items()}


def _table(path: Path) -> pd.DataFrame:
    # The faster engine does not tell an empty cell from a missing one.
    table = pd.read_csv(path, dtype=str, keep_default_na=False, engine="python")
    if not isinstance(table.index, pd.RangeIndex) or table.isna().any(axis=None):
        raise ValueError("a row has another number of cells")
    return table


def _cells(table: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(name): cell for name, cell in row.items()} for row in table.to_dict("records")]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _value(kind: Any, cell: str) -> Any:
    if isinstance(kind, UnionType):
        return _value(get_args(kind)[0], cell) if cell else None
    if kind is float:
        return float(cell) if cell else NAN
    if kind is bool:
        return {"True": True, "False": False}[cell]
    return int(cell) if kind is int else cell
