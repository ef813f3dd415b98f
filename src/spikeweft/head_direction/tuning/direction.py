"""The animal's direction: which covariate it is, and its angle in radians."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


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

    Epochs in which the direction was not sampled are left out. Degrees become radians.

    Raises
    ------
    InputError
        Where the values are neither radians nor degrees, or never overlap with the spikes.
    """
    found = recording.covariates[name]
    values, changes = _radians(found.values, name)
    angle = Covariate(times_s=found.times_s, values=np.mod(values, 2 * np.pi), is_angle=True)
    sampled = replace(recording, covariates={**recording.covariates, name: angle})
    inside = samples_inside(angle, sampled.epochs_s)
    seen = np.array([inside[_between(angle, *epoch)].any() for epoch in sampled.epochs_s])
    if not seen.any():
        raise InputError(
            f"'{name}' was never sampled while spikes were recorded; check the clocks of both"
        )
    if not seen.all():
        changes.append(
            f"{np.sum(~seen)} of {len(seen)} epochs have no sample of '{name}' and are left out"
        )
        sampled = sampled.restrict(sampled.epochs_s[seen])
    return sampled, changes


def samples_inside(
    angle: Covariate, epochs_s: Float[np.ndarray, "epoch 2"]
) -> Bool[np.ndarray, " sample"]:
    """Samples that lie inside an epoch."""
    epoch = np.searchsorted(epochs_s[:, 0], angle.times_s, side="right") - 1
    return (epoch >= 0) & (angle.times_s < epochs_s[np.maximum(epoch, 0), 1])


def _between(angle: Covariate, start_s: float, stop_s: float) -> slice:
    return slice(*np.searchsorted(angle.times_s, [start_s, stop_s]))


def _radians(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    low, high = float(values.min()), float(values.max())
    if high - low <= 2 * np.pi + 1e-3:
        return values, []
    if low >= -180.0 - 1e-3 and high <= 360.0 + 1e-3 and high - low <= 360.0 + 1e-3:
        return np.deg2rad(values), [f"'{name}' was taken to be in degrees ({low:g} to {high:g})"]
    raise InputError(
        f"'{name}' runs from {low:g} to {high:g}, more than a turn in radians or degrees; store "
        "the direction in radians, or name another covariate with --angle"
    )
