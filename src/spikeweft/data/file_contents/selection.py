"""What of a file is wanted: which units, which epochs, which variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int

from spikeweft.data.file_contents.clock import check_clock
from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.file_contents.sentences import listed
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of a file is wanted; by default all units, the usual epochs, and small variables.

    Attributes
    ----------
    epochs
        Name of the epochs to keep, such as "wake": a tag, another label in a table of intervals,
        or a table's name, which goes before labels.
    units
        An expression over the columns of the units table, as `DataFrame.query` of pandas takes it,
        such as "quality == 'good' and region == 'ADn'"; `id`, `n_spikes` and `rate_hz` are columns
        of every file. A unit of which the file does not say whether it satisfies it is left out.
    exclude
        Ids of units to leave out.
    min_rate_hz
        Units that fire less in the epochs kept are left out.
    units_table
        Name of the table of units, where a file has several.
    covariates
        Names of the variables that are needed: the time without samples of theirs is left out.
        Others are read where they are of moderate length. The name of an event, such as
        "trials.cue_time", stands for raised cosines around it (`events.event_covariates`).
    event_window_s
        From when to when after an event its response lasts, in seconds; negative is before.
    """

    epochs: str | None = None
    units: str | None = None
    exclude: Sequence[str] = ()
    min_rate_hz: float = 0.0
    units_table: str | None = None
    covariates: Sequence[str] = ()
    event_window_s: tuple[float, float] = USUAL_WINDOW_S


USUAL = Selection()
"""What is used where nothing is asked for."""


def units_frame(contents: FileContents) -> "pd.DataFrame":
    """The table of units, with `id`, `n_spikes` and `rate_hz` over the span of all spikes."""
    import pandas as pd

    times_s = contents.spike_times_s[np.isfinite(contents.spike_times_s)]
    span_s = np.ptp(times_s) if len(times_s) else 0.0
    own = {
        "id": list(contents.unit_ids),
        "n_spikes": contents.n_spikes,
        "rate_hz": contents.n_spikes / max(span_s, np.finfo(float).tiny),
    }
    others = {name: values for name, values in contents.unit_columns.items() if name not in own}
    return pd.DataFrame({**own, **others})


def chosen_units(contents: FileContents, selection: Selection) -> Int[np.ndarray, " chosen"]:
    """Rows of the units wanted, in the order of the file.

    Raises
    ------
    InputError
        Where the expression cannot be evaluated, an id is unknown, or no unit is left.
    """
    excluded = {str(unit) for unit in selection.exclude}
    unknown = sorted(excluded - set(contents.unit_ids))
    if unknown:
        raise InputError(
            f"{contents.path} has no unit {listed(unknown)} to exclude; its units are "
            f"{listed(contents.unit_ids)}"
        )
    rest = np.flatnonzero(~np.isin(contents.unit_ids, list(excluded)))
    kept = rest
    if selection.units is not None and len(rest):
        kept = rest[_satisfy(contents.select(rest), selection.units)]
    if len(kept) == 0:
        if len(rest) and "rate_hz" in (selection.units or ""):
            check_clock(contents.select(rest))  # by a wrong one, rates are wrong too
        raise InputError(
            f"none of the {contents.n_units} units of {contents.path} is left by what was asked "
            f"for ({_said(selection)}); ask for less"
        )
    return kept


def _satisfy(contents: FileContents, expression: str) -> Bool[np.ndarray, " unit"]:
    import pandas as pd

    frame = units_frame(contents)
    try:
        values: Any = frame.eval(expression, engine="python", local_dict={}, global_dict={})
        found = pd.Series(values, frame.index)
    except Exception as error:  # pandas raises nearly every type there is
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"the units {expression!r} cannot be chosen from {contents.path} ({reason}); its "
            f"columns are {listed(frame.columns)}"
        ) from error
    if not all(isinstance(value, bool | np.bool_) for value in found.dropna()):
        raise InputError(
            f"the units {expression!r} of {contents.path} give numbers or texts, not whether a "
            "unit is chosen; compare them, as in good == 1"
        )
    return np.array([isinstance(value, bool | np.bool_) and bool(value) for value in found])


def _said(selection: Selection) -> str:
    excluded = [f"without {listed(selection.exclude)}"] if selection.exclude else []
    return ", ".join([*([repr(selection.units)] if selection.units else []), *excluded])
