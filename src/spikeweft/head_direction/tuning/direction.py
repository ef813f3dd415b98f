"""The animal's direction: which covariate it is, and its angle in radians."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.covariate import Covariate
from spikeweft.data.epochs import intersection, lasting_s
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_LEAST_DEG = 180.0
"""A direction that is taken to be in degrees spans more: less may be turns in radians."""

_ROUNDING = 1e-3


def find_angle(recording: Recording, name: str | None = None) -> str:
    """Name of the covariate that is the animal's direction: the one named, or the only angle.

    Raises
    ------
    InputError
        Where there is no such covariate, none that is an angle, or more than one.
    """
    known = ", ".join(recording.covariates) or "none"
    if name is not None:
        if name not in recording.covariates:
            raise InputError(f"the recording has no covariate '{name}'; it has: {known}")
        return name
    angles = [key for key, covariate in recording.covariates.items() if covariate.is_angle]
    if len(angles) == 1:
        return angles[0]
    if not angles:
        raise InputError(
            f"the recording has no direction of the animal (covariates: {known}); name one with "
            "--angle, or use 'spikeweft infer', which needs none"
        )
    raise InputError(
        f"the recording has {len(angles)} angles, {', '.join(angles)}; choose one with --angle"
    )


def with_angle(recording: Recording, name: str) -> tuple[Recording, list[str]]:
    """The recording where the direction is known, as an angle in radians, and what was changed.

    Time in which no sample of the direction is near (`Covariate.sampled_s`) is left out, and so are
    samples that are no numbers. Degrees become radians.

    Raises
    ------
    InputError
        Where the values are neither radians nor degrees, or never overlap with the spikes.
    """
    found = recording.covariates[name]
    used_s = intersection(recording.epochs_s, found.sampled_s)
    if len(used_s) == 0:
        raise InputError(
            f"'{name}' was never sampled while spikes were recorded; check the clocks of both"
        )
    angle, changes = _radians(found.known(), name)
    known = replace(recording, covariates={**recording.covariates, name: angle})
    if np.array_equal(used_s, recording.epochs_s):
        return known, changes
    left_out_s = recording.duration_s - lasting_s(used_s)
    changes.append(
        f"'{name}' was not sampled in {left_out_s:.4g} of {recording.duration_s:.6g} s, which are "
        "left out"
    )
    return known.restrict(used_s), changes


def samples_inside(
    angle: Covariate, epochs_s: Float[np.ndarray, "epoch 2"]
) -> Bool[np.ndarray, " sample"]:
    """Samples that lie inside an epoch."""
    epoch = np.searchsorted(epochs_s[:, 0], angle.times_s, side="right") - 1
    return (epoch >= 0) & (angle.times_s < epochs_s[np.maximum(epoch, 0), 1])


def _radians(found: Covariate, name: str) -> tuple[Covariate, list[str]]:
    """A direction as an angle in radians, from 0 to 2π, and what was done to it.

    What is not marked as an angle is in radians where it spans a turn at most, and in degrees where
    it spans more than half a turn of these, and a turn at most.
    """
    low, high = float(found.values.min()), float(found.values.max())
    values, changes = found.values, []
    if not found.is_angle and high - low > 2 * np.pi + _ROUNDING:
        if not (_LEAST_DEG < high - low <= 360.0 + _ROUNDING and low >= -180.0 - _ROUNDING):
            raise InputError(
                f"'{name}' runs from {low:g} to {high:g}, which is no turn in radians or degrees; "
                "store the direction in radians, without values that stand for missing samples, or "
                "name another covariate with --angle"
            )
        values = np.deg2rad(values)
        changes = [f"'{name}' was taken to be in degrees ({low:g} to {high:g})"]
    return replace(found, values=np.mod(values, 2 * np.pi), is_angle=True), changes
