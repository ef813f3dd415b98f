"""Directions of neurons: which they prefer, and their places on a ring of slots."""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.covariate import Covariate
from spikeweft.data.epochs import intersection
from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import epoch_of

N_SLOTS = 100
"""Slots of the ring (Yoon 2025)."""


def slot_angles(
    slots: Int[np.ndarray, " neuron"], n_slots: int = N_SLOTS
) -> Float[np.ndarray, " neuron"]:
    """Angle of each slot."""
    return 2 * np.pi * slots / n_slots


def ring_places(
    angle_rad: Float[np.ndarray, " observed"], n_hidden: int
) -> Float[np.ndarray, " hidden"]:
    """Angles for hidden neurons: each in turn into the middle of the widest gap on the ring."""
    taken = np.sort(np.mod(angle_rad, 2 * np.pi))
    places = []
    for _ in range(n_hidden):
        gap = np.diff(np.append(taken, taken[0] + 2 * np.pi))
        widest = int(np.argmax(gap))
        place = np.mod(taken[widest] + gap[widest] / 2, 2 * np.pi)
        places.append(place)
        taken = np.sort(np.append(taken, place))
    return np.array(places)


def interpolation(
    angle_rad: Float[np.ndarray, " observed"], places_rad: Float[np.ndarray, " hidden"]
) -> Float[np.ndarray, "hidden observed"]:
    """Linear interpolation on the ring, from the nearest observed neuron on either side."""
    n = len(angle_rad)
    mix = np.zeros((len(places_rad), n))
    ahead = np.mod(angle_rad[None, :] - places_rad[:, None], 2 * np.pi)
    right = np.argmin(ahead, axis=1)
    left = np.argmin(np.mod(-ahead, 2 * np.pi), axis=1)
    to_right = ahead[np.arange(len(places_rad)), right]
    to_left = np.mod(-ahead, 2 * np.pi)[np.arange(len(places_rad)), left]
    share = to_left / np.maximum(to_left + to_right, 1e-12)
    np.add.at(mix, (np.arange(len(places_rad)), right), share)
    np.add.at(mix, (np.arange(len(places_rad)), left), 1.0 - share)
    return mix


def preferred_directions(
    recording: Recording, direction: Covariate, n_bins: int = 60
) -> Float[np.ndarray, " neuron"]:
    """Direction in radians, from 0 to 2π, in which each neuron fires most.

    The mean direction of the tuning curve: spikes per time spent in each of `n_bins` directions,
    both where a sample of the direction is near (`Covariate.sampled_s`) inside the epochs. Time
    spent is counted in samples; those that are no numbers are left out. NaN where a neuron is
    silent in this time, and where there is none.
    """
    followed_s = intersection(recording.epochs_s, direction.sampled_s)
    if len(followed_s) == 0:
        return np.full(recording.n_neurons, np.nan)
    known = direction.known()
    seen = known.values[epoch_of(known.times_s, followed_s) >= 0]
    spent = np.bincount(_direction_bin(seen, n_bins), minlength=n_bins)
    is_near = epoch_of(recording.spike_times_s, followed_s) >= 0
    at_spike = _direction_bin(known.at(recording.spike_times_s[is_near]), n_bins)
    fired = np.zeros((recording.n_neurons, n_bins))
    np.add.at(fired, (recording.spike_neurons[is_near], at_spike), 1)
    tuning = np.divide(fired, spent, out=np.zeros_like(fired), where=spent > 0)
    mean = tuning @ np.exp(2j * np.pi * (np.arange(n_bins) + 0.5) / n_bins)
    return np.where(tuning.any(axis=1), np.mod(np.angle(mean), 2 * np.pi), np.nan)


def _direction_bin(angle_rad: np.ndarray, n_bins: int) -> Int[np.ndarray, " time"]:
    return np.floor(np.mod(angle_rad, 2 * np.pi) / (2 * np.pi) * n_bins).astype(np.int64) % n_bins
