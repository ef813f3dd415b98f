"""Variables of a file as covariates: which are read, in which unit, and for which time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.covariate import Covariate, sampled_time
from spikeweft.data.epochs import intersection, lasting_s
from spikeweft.data.file_contents.contents import FileContents, SampledSeries
from spikeweft.data.file_contents.events import are_times, covariates_of_events
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.file_contents.sentences import counted, listed, span
from spikeweft.errors import InputError

_ANGLE_WORDS = ("angle", "direction", "heading", "azimuth", "orientation", "phase")

_RADIANS, _DEGREES = ("rad", "radian", "radians"), ("deg", "degree", "degrees", "°")

_ROUNDED_RAD = 1e-3
"""By so much rounding to 32 bits, or to a few digits, leads out of one turn."""

_NARROW_RAD = 1.0
"""What is only called an angle and spans no more counts cycles or the like."""

_MOST_SAMPLES = 3_000_000
"""Longer series are read where they are named: they are analog channels."""

_MISSING = 0.02
"""Share of the time in which a variable may have no sample near before that is said."""


class ReadCovariates(NamedTuple):
    """Covariates by name, the time for which those asked for have samples, and warnings."""

    covariates: dict[str, Covariate]
    epochs_s: Float[np.ndarray, "epoch 2"]
    warnings: tuple[str, ...]


def read_covariates(
    contents: FileContents, selection: Selection, epochs_s: Float[np.ndarray, "epoch 2"]
) -> ReadCovariates:
    """Covariates asked for by name, and all others of moderate length.

    Time without samples of those asked for is left out.

    Raises
    ------
    InputError
        Where one is not in the file, or has no samples in these epochs.
    """
    covariates, warnings = {}, []
    events = [name for name in selection.covariates if name not in contents.series]
    for name in selection.covariates:
        if name in events:
            continue
        covariates[name], epochs_s, said = _sampled_part(contents, name, epochs_s)
        warnings += said
    for name in events:
        bumps, said = _around_events(contents, name, epochs_s, selection.event_window_s)
        covariates |= bumps
        warnings += said
    others = [name for name in contents.series if name not in covariates]
    for name in others:
        found, said = _if_moderate(name, contents.series[name], epochs_s)
        covariates |= found
        warnings += said
    return ReadCovariates(covariates, epochs_s, tuple(warnings))


def _around_events(
    contents: FileContents,
    name: str,
    epochs_s: Float[np.ndarray, "epoch 2"],
    window_s: tuple[float, float],
) -> tuple[dict[str, Covariate], tuple[str, ...]]:
    if name not in contents.events:
        events = [known for known, found in contents.events.items() if are_times(found)]
        known = [*contents.series, *events]
        raise InputError(
            f"{contents.path} has no covariate {name!r}; it has: "
            + (listed(known) if known else "none")
        )
    return covariates_of_events(name, contents.events[name], epochs_s, window_s)


def _sampled_part(
    contents: FileContents, name: str, epochs_s: Float[np.ndarray, "before 2"]
) -> tuple[Covariate, Float[np.ndarray, "epoch 2"], list[str]]:
    """A covariate that is needed, the time for which it has samples, and what is odd about it."""
    series = contents.series[name]
    covariate, about_values = covariate_of(name, *_read(series))
    sampled = _sampled_time(covariate.times_s, series)
    used_s = intersection(epochs_s, sampled)
    if len(used_s) == 0:
        raise InputError(
            f"the covariate {name!r} of {contents.path} has samples {_span(covariate)}, and "
            f"the recording lasts {span(epochs_s[0, 0], epochs_s[-1, 1])}: give both the same clock"
        )
    missing_s = lasting_s(epochs_s) - lasting_s(used_s)
    if missing_s <= _MISSING * lasting_s(epochs_s):
        return covariate, epochs_s, list(about_values)
    left_out = (
        f"the covariate {name!r} has {_samples(covariate, sampled)}; the other "
        f"{missing_s:.6g} s are left out"
    )
    return covariate, used_s, [left_out, *about_values]


def _if_moderate(
    name: str, series: SampledSeries, epochs_s: Float[np.ndarray, "epoch 2"]
) -> tuple[dict[str, Covariate], list[str]]:
    """A covariate that nobody asked for, unless it is none, too long, or from another time."""
    if not is_moderate(series):
        return {}, [
            f"{name!r} has {series.n_samples:,} samples and is not read; ask for it by name if it "
            "is a covariate"
        ]
    try:
        covariate, said = covariate_of(name, *_read(series))
    except InputError as error:
        return {}, [f"the covariate {name!r} is left out: {error}"]
    sampled = _sampled_time(covariate.times_s, series)
    sampled_s = lasting_s(intersection(epochs_s, sampled))
    if sampled_s == 0:
        at = f"samples {_span(covariate)}, at another time"
        return {}, [f"the covariate {name!r} is left out: it has {at}"]
    if lasting_s(epochs_s) - sampled_s > _MISSING * lasting_s(epochs_s):
        said += (
            f"the covariate {name!r} has {_samples(covariate, sampled)} and keeps its nearest "
            "value elsewhere; ask for it by name to use that time alone",
        )
    return {name: covariate}, list(said)


def is_moderate(series: SampledSeries) -> bool:
    """Whether it is short enough to be read without being asked for."""
    return series.n_samples <= _MOST_SAMPLES


class _Samples(NamedTuple):
    series: SampledSeries
    times_s: Float[np.ndarray, " sample"]
    values: Float[np.ndarray, " sample"]


def _read(series: SampledSeries) -> _Samples:
    times_s, values = (np.asarray(part, dtype=float) for part in series.read())
    return _Samples(series, times_s, values)


def covariate_of(
    name: str,
    series: SampledSeries,
    times_s: Float[np.ndarray, " sample"],
    values: Float[np.ndarray, " sample"],
) -> tuple[Covariate, tuple[str, ...]]:
    """A series as a covariate without its missing samples, and what was done to it."""
    present = np.isfinite(values)
    times_s, values = times_s[present], values[present]
    if len(values) == 0:
        raise InputError(f"the covariate {name!r} holds no numbers; leave it out")
    n_bad = int(np.sum(~np.isfinite(times_s)))
    if n_bad:
        raise InputError(
            f"{n_bad:,} of the {len(times_s):,} times of the covariate {name!r} are not finite; "
            "remove those samples from the file"
        )
    if np.any(np.diff(times_s) < 0):
        raise InputError(f"the times of the covariate {name!r} descend; sort them in the file")
    if series.is_angle is not None:
        return Covariate(times_s=times_s, values=values, is_angle=series.is_angle), ()
    said = []
    if series.unit.lower() in _DEGREES:
        values = np.deg2rad(values)
        said.append(f"the covariate {name!r} is in degrees and read as radians")
    is_angle, about_angle = _whether_angle(name, series.unit.lower(), values)
    return Covariate(times_s=times_s, values=values, is_angle=is_angle), (*said, *about_angle)


def _whether_angle(
    name: str, unit: str, values_rad: Float[np.ndarray, " sample"]
) -> tuple[bool, tuple[str, ...]]:
    """Whether a variable is an angle, by its unit, else by its name, and by its values."""
    low, high = float(values_rad.min()), float(values_rad.max())
    fits = -np.pi - _ROUNDED_RAD <= low and high <= 2 * np.pi + _ROUNDED_RAD
    has = f"has values from {low:.4g} to {high:.4g}"
    if unit in (*_RADIANS, *_DEGREES):
        beyond = (
            f"the covariate {name!r} {has} rad, beyond -π to 2π, and is not read as an angle; wrap "
            "it at 2π if it is one"
        )
        return fits, () if fits else (beyond,)
    if not any(word in name.lower() for word in _ANGLE_WORDS):
        return False, ()
    none = f"the covariate {name!r} is called an angle, but {has} and is not read as one"
    if not fits:
        return False, (f"{none}: in degrees? Give radians, or state the unit",)
    if high - low <= _NARROW_RAD or np.isin(values_rad, (-1, 0, 1)).all():
        return False, (f"{none}; give radians, and state the unit, if it is one",)
    return True, (
        f"the covariate {name!r} is read as an angle in radians by its name alone; state the unit, "
        "or name it otherwise if it is none",
    )


def _sampled_time(
    times_s: Float[np.ndarray, " sample"], series: SampledSeries
) -> Float[np.ndarray, "epoch 2"]:
    """As `sampled_time`; a single sample lies as far from others as all of the series do."""
    first_s, last_s = series.span_s
    return sampled_time(times_s, (last_s - first_s) / max(series.n_samples - 1, 1))


def _span(covariate: Covariate) -> str:
    return span(float(covariate.times_s[0]), float(covariate.times_s[-1]))


def _samples(covariate: Covariate, sampled: Float[np.ndarray, "epoch 2"]) -> str:
    """When a covariate was sampled, in words."""
    lie = f"samples {_span(covariate)}"
    gap_s = sampled[1:, 0] - sampled[:-1, 1]
    if len(gap_s) == 0:
        return f"{lie} only"
    longest = " of" if len(gap_s) == 1 else ", the longest of"
    return f"{lie} with {counted(len(gap_s), 'gap')}{longest} {gap_s.max():.4g} s"
