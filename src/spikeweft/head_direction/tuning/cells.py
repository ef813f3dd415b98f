"""Head-direction cells: neurons tuned to the direction more than their time-shifted spikes are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.head_direction.tuning.curves import (
    N_DIRECTIONS,
    TuningCurves,
    mean_vector,
    sampling_hz,
    smoothed_rates,
    tuning_curves,
)
from spikeweft.head_direction.tuning.direction import samples_inside

N_SHUFFLES = 1000

PERCENTILE = 99.0
"""Percentile of the shuffled vector lengths that a head-direction cell exceeds."""

LEAST_SHIFT_S = 20.0
"""Shifts by less leave spikes near their direction, as heads turn slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadDirectionCells:
    """Which neurons are head-direction cells, and what they prefer.

    Attributes
    ----------
    curves
        Tuning curve of every neuron.
    vector_length
        Rayleigh vector length of each tuning curve, 0 to 1; NaN where a neuron is silent.
    threshold
        99th percentile of the same neuron's vector lengths when its spikes are shifted in time.
    """

    curves: TuningCurves
    vector_length: Float[np.ndarray, " neuron"]
    threshold: Float[np.ndarray, " neuron"]

    @property
    def is_cell(self) -> Bool[np.ndarray, " neuron"]:
        """Neurons whose vector is longer than the threshold."""
        return self.vector_length > self.threshold

    @property
    def preferred_rad(self) -> Float[np.ndarray, " neuron"]:
        """Preferred direction of every neuron."""
        return self.curves.preferred_rad


def head_direction_cells(
    recording: Recording, angle: str, rng: np.random.Generator, n_shuffles: int = N_SHUFFLES
) -> HeadDirectionCells:
    """Compare every neuron's vector length with those of its spikes shifted in time.

    All spikes of a neuron are shifted by the same time, circularly over the recorded time, which
    keeps their pattern and breaks its relation to the direction.

    Raises
    ------
    InputError
        Where the recording is too short to shift.
    """
    curves = tuning_curves(recording, angle)
    lengths = shuffled_lengths(recording, angle, rng, n_shuffles)
    return HeadDirectionCells(
        curves=curves,
        vector_length=np.abs(curves.mean_vector),
        threshold=np.nanpercentile(np.nan_to_num(lengths), PERCENTILE, axis=0),
    )


def shuffled_lengths(
    recording: Recording, angle: str, rng: np.random.Generator, n_shuffles: int
) -> Float[np.ndarray, "shuffle neuron"]:
    """Vector length of each neuron at random circular shifts of its spikes."""
    direction, at_spike = _directions(recording, angle)
    least = round(LEAST_SHIFT_S * sampling_hz(recording, angle))
    if len(direction) <= 3 * least:
        raise InputError(
            f"'{angle}' was sampled for less than {3 * LEAST_SHIFT_S:g} s, too short for spikes to "
            "be shifted in time; use a longer recording"
        )
    occupancy = np.bincount(direction, minlength=N_DIRECTIONS).astype(float)
    lengths = np.empty((n_shuffles, recording.n_neurons))
    for neuron in range(recording.n_neurons):
        at = at_spike[recording.spike_neurons == neuron]
        shifts = rng.integers(least, len(direction) - least, n_shuffles)
        fired = np.stack(
            [
                np.bincount(direction[(at + s) % len(direction)], minlength=N_DIRECTIONS)
                for s in shifts
            ],
            axis=1,
        )
        lengths[:, neuron] = np.abs(mean_vector(smoothed_rates(fired.astype(float), occupancy)))
    return lengths


def _directions(
    recording: Recording, angle: str
) -> tuple[Int[np.ndarray, " sample"], Int[np.ndarray, " spike"]]:
    """Direction bin of every sample of the recorded time, and the sample nearest to each spike."""
    covariate = recording.covariates[angle]
    inside = samples_inside(covariate, recording.epochs_s)
    times_s = covariate.times_s[inside]
    turn = np.mod(covariate.values[inside], 2 * np.pi) / (2 * np.pi)
    middle_s = (times_s[1:] + times_s[:-1]) / 2
    return (
        np.floor(turn * N_DIRECTIONS).astype(np.int64) % N_DIRECTIONS,
        np.searchsorted(middle_s, recording.spike_times_s),
    )
