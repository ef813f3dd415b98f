"""What is in a file, as tables to print: its units, its epochs, its variables."""

import shlex
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from spikeweft.check.findings import listed
from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch
from spikeweft.data.file_contents.covariates import is_moderate
from spikeweft.data.file_contents.events import are_times
from spikeweft.data.file_contents.selection import units_frame
from spikeweft.data.file_contents.sentences import counted

_MOST_ROWS = 40


class Listing(NamedTuple):
    """A table of one kind of thing.

    Attributes
    ----------
    title
        What there is, and how many.
    header, rows
        Cells as text.
    """

    title: str
    header: list[str]
    rows: list[list[str]]


def listings(contents: FileContents) -> list[Listing]:
    """The units, the epochs, the variables and the events of a file."""
    return [_units(contents), _epochs(contents), _variables(contents), _events(contents)]


def example_command(contents: FileContents) -> str:
    """A command line that would use some of what there is."""
    words = ["spikeweft", "infer", str(contents.path)]
    labels = sorted(
        {label for rows in contents.epochs.values() for row in rows for label in row[2]}
    )
    if labels:
        words += ["--epochs", labels[0]]
    texts = {
        name: values
        for name, values in contents.unit_columns.items()
        if all(isinstance(value, str) for value in values) and len(set(values)) > 1
    }
    for name, values in list(texts.items())[:1]:
        key = name if name.isidentifier() else f"`{name}`"
        usual = str(max(set(values), key=list(values).count))
        words += ["--units", f'{key} == "{usual}"' if usual.isalnum() else f"{key} == {usual!r}"]
    covariates = [name for name, series in contents.series.items() if is_moderate(series)]
    covariates = covariates[:1] + _events_of_trials(contents)[:1]
    if covariates:
        words += ["--covariates", *covariates]
    return shlex.join(words)


def _units(contents: FileContents) -> Listing:
    frame = units_frame(contents)
    shown = frame.head(_MOST_ROWS)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return Listing(
        counted(len(frame), "unit") + _more(len(frame)), [str(name) for name in frame.columns], rows
    )


def _epochs(contents: FileContents) -> Listing:
    rows = [
        [
            name + (" (used unless others are named)" if name == contents.usual_epochs else ""),
            f"{len(epochs):,}",
            f"{min(epoch.start_s for epoch in epochs):.6g}",
            f"{max(epoch.stop_s for epoch in epochs):.6g}",
            listed(_labels(epochs)),
        ]
        for name, epochs in contents.epochs.items()
        if epochs
    ]
    if len(contents.invalid_s):
        start, stop = contents.invalid_s[:, 0].min(), contents.invalid_s[:, 1].max()
        n_rows = f"{len(contents.invalid_s):,}"
        rows.append(["invalid times (never used)", n_rows, f"{start:.6g}", f"{stop:.6g}", ""])
    header = ["table", "epochs", "from (s)", "to (s)", "names for --epochs"]
    return Listing(counted(len(rows), "table") + " of epochs", header, rows)


def _labels(epochs: Iterable[LabelledEpoch]) -> list[str]:
    return sorted({label for epoch in epochs for label in epoch.labels})


def _variables(contents: FileContents) -> Listing:
    rows = []
    for name, series in list(contents.series.items())[:_MOST_ROWS]:
        first_s, last_s = series.span_s
        rate_hz = (series.n_samples - 1) / (last_s - first_s) if last_s > first_s else 0.0
        row = [name, series.unit, f"{series.n_samples:,}", f"{rate_hz:.4g}"]
        rows.append([*row, f"{first_s:.6g}", f"{last_s:.6g}"])
    header = ["name for --covariates", "unit", "samples", "per second", "from (s)", "to (s)"]
    n_variables = len(contents.series)
    return Listing(counted(n_variables, "variable") + _more(n_variables), header, rows)


def _events(contents: FileContents) -> Listing:
    names = _times_of_events(contents)
    rows = []
    for name in names[:_MOST_ROWS]:
        times_s = contents.events[name].times_s
        n_times = f"{np.isfinite(times_s).sum():,}"
        rows.append([name, n_times, f"{np.nanmin(times_s):.6g}", f"{np.nanmax(times_s):.6g}"])
    header = ["name for --covariates", "times", "from (s)", "to (s)"]
    return Listing(counted(len(names), "kind") + " of events" + _more(len(names)), header, rows)


def _times_of_events(contents: FileContents) -> list[str]:
    return [name for name, events in contents.events.items() if are_times(events)]


def _events_of_trials(contents: FileContents) -> list[str]:
    """Events that are more than the borders of intervals; of trials, their starts else."""
    names = _times_of_events(contents)
    own = [name for name in names if not name.endswith((".start_time", ".stop_time"))]
    return own or [name for name in names if name == "trials.start_time"]


def _more(number: int) -> str:
    return f", the first {_MOST_ROWS}" if number > _MOST_ROWS else ""


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
