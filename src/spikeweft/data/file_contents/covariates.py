"""Variables of a file as covariates: which are read, in which unit, and for which time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.covariate import Covariate
from spikeweft.data.epochs import intersection, lasting_s
from spikeweft.data.file_contents.contents import FileContents, SampledSeries
from spikeweft.data.file_contents.events import are_times, covariates_of_events
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.file_contents.sentences import counted, listed, span
from spikeweft.errors import InputError

_ANGLE_WORDS = ("angle", "direction", "heading", "azimuth", "orientation", "phase")

_RADIANS, _DEGREES = ("rad", "radian", "radians"), ("deg", "degree", "degrees", "°")

_MOST_SAMPLES = 3_000_000
"""Longer series are read where they are named: they are analog channels."""

_MISSING = 0.02
"""Share of the time in which a variable may have no sample near before that is said."""

_REGULAR, _MOSTLY = 1.5, 0.9
"""Of regular samples, nine in ten lie no farther apart than that many times the median."""

_GAP_S, _GAP_SAMPLES = 1.0, 10
"""Regular samples that lie farther apart than both are missing between."""


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
    samples = _read(series)
    try:
        covariate, said = covariate_of(name, *samples)
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
    degrees = series.unit.lower() in _DEGREES
    if degrees:
        values = np.deg2rad(values)
    in_radians = -np.pi <= values.min() and values.max() <= 2 * np.pi + 1e-6
    is_angle = bool(in_radians and (degrees or _called_angle(name, series.unit)))
    said = (f"the covariate {name!r} is in degrees and read as radians",) if degrees else ()
    return Covariate(times_s=times_s, values=values, is_angle=is_angle), said


def _called_angle(name: str, unit: str) -> bool:
    return unit.lower() in _RADIANS or any(word in name.lower() for word in _ANGLE_WORDS)


def _sampled_time(
    times_s: Float[np.ndarray, " sample"], series: SampledSeries
) -> Float[np.ndarray, "epoch 2"]:
    """Where samples are near, with as much time around them as they usually lie apart.

    Only of regular samples it is known that some are missing; others may be taken where the
    variable changes.
    """
    apart_s = np.diff(times_s)
    first_s, last_s = series.span_s
    of_all_s = (last_s - first_s) / max(series.n_samples - 1, 1)
    usual_s = float(np.median(apart_s)) if len(apart_s) else of_all_s
    is_regular = len(apart_s) > 0 and np.mean(apart_s <= _REGULAR * usual_s) > _MOSTLY
    is_gap = apart_s > max(_GAP_S, _GAP_SAMPLES * usual_s) if is_regular else apart_s < 0
    before = np.flatnonzero(is_gap)
    starts, stops = times_s[np.append(0, before + 1)], times_s[np.append(before, -1)]
    return np.column_stack([starts - usual_s, stops + usual_s])


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
