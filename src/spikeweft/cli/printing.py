"""Numbers and tables as every command prints them."""

import math


def number(value: float | None) -> str:
    """Four digits; nothing where there is no value, words where it is not a number."""
    if value is None:
        return ""
    return "not defined" if math.isnan(value) else f"{value:.4g}"


def printable(text: str) -> str:
    """The same text without what a terminal would take for a command to itself."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A table on standard output; all columns but the first to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in header:
        table.add_column(Text(printable(name)))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)
