"""Bayesian decoding of the direction, which shows whether spikes and angle belong together."""

from dataclasses import dataclass

import numpy as np
import pynapple as nap
from jaxtyping import Float

from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.readers.pynapple_objects import to_pynapple
from spikeweft.data.recording import Recording
from spikeweft.head_direction.tuning.curves import N_DIRECTIONS, sampling_hz

BIN_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """Direction read from held-out spikes.

    Attributes
    ----------
    times_s, decoded_rad, recorded_rad
        Bins that hold a spike, with the direction decoded and recorded.
    """

    times_s: Float[np.ndarray, " time"]
    decoded_rad: Float[np.ndarray, " time"]
    recorded_rad: Float[np.ndarray, " time"]

    @property
    def error_rad(self) -> Float[np.ndarray, " time"]:
        """Size of the error, 0 to π."""
        return np.abs(np.angle(np.exp(1j * (self.decoded_rad - self.recorded_rad))))

    @property
    def median_error_deg(self) -> float:
        """Median size of the error; 90° where spikes say nothing about the direction."""
        return float(np.rad2deg(np.median(self.error_rad)))


def decode_direction(recording: Recording, angle: str) -> Decoding:
    """Decode the last tenth of a recording from tuning curves of the rest (Zhang et al. 1998)."""
    training, test = split(recording, TEST_FRACTION)
    spikes, covariates = to_pynapple(training)
    curves = nap.compute_tuning_curves(
        spikes,
        covariates[angle],
        bins=[np.linspace(0.0, 2 * np.pi, N_DIRECTIONS // 2 + 1)],
        epochs=spikes.time_support,
        fs=sampling_hz(recording, angle),
        feature_names=[angle],
    )
    test_spikes, _ = to_pynapple(test)
    decoded, _ = nap.decode_bayes(
        curves, test_spikes, test_spikes.time_support, BIN_S, uniform_prior=False
    )
    times_s, decoded_rad = decoded.index.values, np.asarray(decoded.values, dtype=float)
    fired = np.asarray(test_spikes.count(BIN_S).values).sum(axis=1) > 0
    used = fired & np.isfinite(decoded_rad)
    return Decoding(
        times_s=times_s[used],
        decoded_rad=decoded_rad[used],
        recorded_rad=recording.covariates[angle].at(times_s[used]),
    )
