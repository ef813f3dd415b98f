"""Variables of a file as covariates: which are read, in which unit, and for which time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.covariate import Covariate
from spikeweft.data.epochs import intersection, lasting_s
from spikeweft.data.file_contents.contents import FileContents, SampledSeries
from spikeweft.data.file_contents.events import are_times, covariates_of_events
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.file_contents.sentences import listed, span
from spikeweft.errors import InputError

_ANGLE_WORDS = ("angle", "direction", "heading", "azimuth", "orientation", "phase")

_RADIANS, _DEGREES = ("rad", "radian", "radians"), ("deg", "degree", "degrees", "°")

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
        epochs_s, said = _sampled_part(contents, name, epochs_s)
        covariates[name], about_unit = covariate_of(name, contents.series[name])
        warnings += [*said, *about_unit]
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
) -> tuple[Float[np.ndarray, "epoch 2"], list[str]]:
    """The time for which a covariate that is needed has samples."""
    span_s = contents.series[name].span_s
    sampled = intersection(epochs_s, _sampled_time(contents.series[name]))
    if len(sampled) == 0:
        raise InputError(
            f"the covariate {name!r} of {contents.path} has samples {span(*span_s)}, and the "
            f"recording lasts {span(epochs_s[0, 0], epochs_s[-1, 1])}: give both the same clock"
        )
    missing_s = lasting_s(epochs_s) - lasting_s(sampled)
    if missing_s <= _MISSING * lasting_s(epochs_s):
        return epochs_s, []
    return sampled, [
        f"the covariate {name!r} has samples {span(*span_s)} only; the other {missing_s:.6g} s are "
        "left out"
    ]


def _if_moderate(
    name: str, series: SampledSeries, epochs_s: Float[np.ndarray, "epoch 2"]
) -> tuple[dict[str, Covariate], list[str]]:
    """A covariate that nobody asked for, unless it is too long or from another time."""
    if not is_moderate(series):
        return {}, [
            f"{name!r} has {series.n_samples:,} samples and is not read; ask for it by name if it "
            "is a covariate"
        ]
    sampled_s = lasting_s(intersection(epochs_s, _sampled_time(series)))
    sampled = f"samples {span(*series.span_s)}"
    if sampled_s == 0:
        return {}, [f"the covariate {name!r} is left out: it has {sampled}, at another time"]
    covariate, said = covariate_of(name, series)
    if lasting_s(epochs_s) - sampled_s > _MISSING * lasting_s(epochs_s):
        said += (
            f"the covariate {name!r} has {sampled} only and keeps its last value outside; ask for "
            "it by name to use that time alone",
        )
    return {name: covariate}, list(said)


def is_moderate(series: SampledSeries) -> bool:
    """Whether it is short enough to be read without being asked for."""
    return series.n_samples <= _MOST_SAMPLES


def covariate_of(name: str, series: SampledSeries) -> tuple[Covariate, tuple[str, ...]]:
    """A series as a covariate without its missing samples, and what was done to it."""
    times_s, values = (np.asarray(part, dtype=float) for part in series.read())
    present = np.isfinite(values)
    times_s, values = times_s[present], values[present]
    if len(values) == 0:
        raise InputError(f"the covariate {name!r} holds no numbers; leave it out")
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


def _sampled_time(series: SampledSeries) -> Float[np.ndarray, "epoch 2"]:
    """From the first to the last sample, and as long again as samples lie apart."""
    first_s, last_s = series.span_s
    apart_s = (last_s - first_s) / max(series.n_samples - 1, 1)
    return np.array([[first_s - apart_s, last_s + apart_s]])
