"""Tuning to the animal's direction: firing rate in each direction, and its mean vector."""

from dataclasses import dataclass

import numpy as np
import pynapple as nap
import xarray as xr
from jaxtyping import Complex, Float

from spikeweft.data.readers.pynapple_objects import to_pynapple
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

N_DIRECTIONS = 120
"""Directions of a tuning curve, 3° each."""

BOXCAR_DEG = 14.5
"""Width of the running mean over a tuning curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningCurves:
    """Firing rate in each direction, smoothed; NaN where the animal never faced.

    Attributes
    ----------
    centre_rad
        Middle of each direction's bin.
    rate_hz
        Rate of each neuron.
    occupancy_s
        Time spent in each direction, not smoothed.
    """

    centre_rad: Float[np.ndarray, " direction"]
    rate_hz: Float[np.ndarray, "direction neuron"]
    occupancy_s: Float[np.ndarray, " direction"]

    @property
    def mean_vector(self) -> Complex[np.ndarray, " neuron"]:
        """Mean direction of each curve as a complex number, of the Rayleigh vector's length."""
        return mean_vector(self.rate_hz)

    @property
    def preferred_rad(self) -> Float[np.ndarray, " neuron"]:
        """Preferred direction of each neuron, from 0 to 2π; NaN where it is silent."""
        vector = self.mean_vector
        return np.where(np.isfinite(vector), np.mod(np.angle(vector), 2 * np.pi), np.nan)


def tuning_curves(
    recording: Recording, angle: str, n_directions: int = N_DIRECTIONS
) -> TuningCurves:
    """Tuning curves of all neurons by pynapple, smoothed by a boxcar of `BOXCAR_DEG`.

    Spikes and time are smoothed before they are divided, so that directions hardly visited do not
    count as much as others.
    """
    counted = tuning_counts(recording, angle, n_directions)
    occupancy_s = np.asarray(counted.attrs["occupancy"]) / counted.attrs["fs"]
    return TuningCurves(
        centre_rad=counted[counted.dims[1]].values,
        rate_hz=smoothed_rates(counted.values.T, occupancy_s),
        occupancy_s=occupancy_s,
    )


def tuning_counts(recording: Recording, angle: str, n_directions: int) -> xr.DataArray:
    """Spikes (neuron, direction) by pynapple, with occupancy in samples as an attribute."""
    spikes, covariates = to_pynapple(recording)
    counted = nap.compute_tuning_curves(
        spikes,
        covariates[angle],
        bins=[np.linspace(0.0, 2 * np.pi, n_directions + 1)],
        epochs=spikes.time_support,
        fs=sampling_hz(recording, angle),
        feature_names=[angle],
        return_counts=True,
    )
    assert isinstance(counted, xr.DataArray)  # pandas only where asked for
    return counted


def sampling_hz(recording: Recording, angle: str) -> float:
    """Samples of the direction per second.

    Raises
    ------
    InputError
        Where the times of its samples do not say.
    """
    times_s = recording.covariates[angle].times_s
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    if step_s == 0.0:
        raise InputError(
            f"'{angle}' has {len(times_s):,} samples, too few or too many at the same time to tell "
            "how often it was sampled; give two or more, each at a time of its own"
        )
    return 1.0 / step_s


def smoothed_rates(
    spikes: Float[np.ndarray, "direction *neuron"], occupancy_s: Float[np.ndarray, " direction"]
) -> Float[np.ndarray, "direction *neuron"]:
    """Spikes per time in a running window of `BOXCAR_DEG`; NaN where no time was spent."""
    window = boxcar(len(occupancy_s))
    time_s = window @ occupancy_s
    fired = np.tensordot(window, spikes, axes=1)
    time_s = time_s.reshape(-1, *[1] * (fired.ndim - 1))
    return np.divide(fired, time_s, out=np.full(fired.shape, np.nan), where=time_s > 0)


def boxcar(n_directions: int) -> Float[np.ndarray, "direction direction"]:
    """Running mean over `BOXCAR_DEG` on the circle, as a matrix; bins at the edge count in part."""
    width = BOXCAR_DEG / (360.0 / n_directions)
    apart = np.arange(n_directions)
    apart = np.minimum(apart, n_directions - apart)
    share = np.clip(width / 2 - apart + 0.5, 0.0, 1.0)
    row = share / share.sum()
    index = np.arange(n_directions)
    return row[(index[None, :] - index[:, None]) % n_directions]


def mean_vector(
    rate_hz: Float[np.ndarray, "direction *neuron"],
) -> Complex[np.ndarray, "*neuron"]:
    """Σ rate·exp(iθ) / Σ rate over the directions visited; its size is the Rayleigh vector's."""
    n = len(rate_hz)
    rate = np.nan_to_num(rate_hz)
    turn = np.exp(2j * np.pi * (np.arange(n) + 0.5) / n)
    total = rate.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.tensordot(turn, rate, axes=1) / total
