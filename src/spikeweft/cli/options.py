"""How values of options are read and checked, for all commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from spikeweft.errors import InputError


def _finite_and_positive(_: type, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"{value:g} is not a positive number")


def _whole_number(_: Any, tokens: Sequence[Token]) -> int:
    # cyclopts itself would round 1.5.
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value} is not a whole number") from None


def _whole_numbers(_: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    return tuple(_whole_number(int, [token]) for token in tokens)


Minutes = Parameter(validator=_finite_and_positive)

Count = Parameter(converter=_whole_number, validator=Number(gte=0))

AtLeastOne = Parameter(converter=_whole_number, validator=Number(gte=1))

Counts = Parameter(converter=_whole_numbers, validator=Number(gte=0), consume_multiple=True)

GivenInPython = Parameter(parse=False)
"""Not an option: a function that a caller of `main` may put in place of the default."""

RecordingFile = Parameter(
    help="NWB (HDF5 or Zarr); folder of Phy, Kilosort, ALF or SpikeInterface; .mat of CellExplorer "
    "or of a cell array; CSV, TSV or Parquet of times and units; .npz with `spike_times` (s) and "
    "`spike_units`; saved pynapple TsGroup; or what Neo reads."
)

NotNegative = Parameter(validator=Number(gte=0))

Names = Parameter(consume_multiple=True, show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class UnitOptions:
    """Which units of the file to use.

    Attributes
    ----------
    units
        Use only units that satisfy this expression over the columns of the units table, such as
        "quality == 'good' and region == 'ADn'"; `spikeweft show` lists the columns.
    exclude
        Leave out units with these ids.
    min_rate_hz
        Leave out units that fire less.
    units_table
        Name of the table of units, where an NWB file has several.
    """

    units: str | None = None
    exclude: Annotated[tuple[str, ...], Names] = ()
    min_rate_hz: Annotated[float, NotNegative] = 0.0
    units_table: str | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class UsedOptions(UnitOptions):
    """What of the file to use.

    Attributes
    ----------
    epochs
        Use only epochs with this name, such as "wake".
    """

    epochs: str | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What else drives the neurons.

    Attributes
    ----------
    covariates
        Names of recorded covariates that enter every rate, such as a direction, or of events, such
        as trials.cue_time, whose response does. Couplings are then what the covariates do not
        explain. The GLM is given the same. `spikeweft show` lists the names.
    event_window_s
        From when to when after an event its response lasts, in seconds; negative is before. From
        -0.5 to 1 by default.
    rotated_by
        Name of a recorded angle that rotates a ring's activity, as an external input does.
    """

    covariates: Annotated[tuple[str, ...], Names] = ()
    event_window_s: tuple[float, float] | None = None
    rotated_by: str | None = None


def given(options: object) -> dict[str, Any]:
    """Options that are not None, by name: whoever takes them knows what holds for the others."""
    return {name: value for name, value in vars(options).items() if value is not None}


def check_has_covariate(inputs: InputOptions) -> None:
    """Refuse a window of events where no event is named.

    Raises
    ------
    InputError
        Where it is.
    """
    if inputs.event_window_s is not None and not inputs.covariates:
        raise InputError(
            "--event-window-s is how long a response to an event among --covariates lasts; name "
            "one, or leave it out"
        )


ALL_UNITS, ALL_USED, NO_INPUTS = UnitOptions(), UsedOptions(), InputOptions()
