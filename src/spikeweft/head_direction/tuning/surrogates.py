"""Surrogates: spikes drawn from the direction and own history, without any coupling."""

from dataclasses import dataclass, replace
from typing import Self, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.signal import lfilter

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.head_direction.regression import (
    BIN_S,
    TAUS_S,
    Causes,
    Design,
    decay_per_bin,
    design_of,
    fit_regression,
)

AHEAD_S = np.arange(-0.1, 0.11, 0.02)
"""Delays of a neuron against the recorded direction that are tried."""

WANDER_S = 1.0
"""Correlation time of a direction error."""

_MOST_QUANTILE = 0.99

_RATE_MATCHES = 12

_RATE_TOLERANCE = 0.15

_RATE_ERRORS = 3.0
"""Standard errors of the log ratio of two such counts by which they may differ (chosen)."""

_RATE_STEP = 0.5  # a bursting neuron answers to its constant more than in proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class UncoupledNeurons:
    """Neurons that follow the direction and their own past, and no other neuron.

    Spikes are drawn bin by bin, each neuron's traces from its own new spikes. The effect of its own
    past is limited to what it was for the recorded spikes, or a bursting neuron would run away;
    a constant then matches its mean rate to the recorded one.

    Attributes
    ----------
    recording
        The recording that they imitate.
    tuned
        Log rate (Hz) of each neuron in each bin without its own past.
    own
        Change of log rate per unit of each own trace.
    most
        Upper limit of the effect of a neuron's own past.
    """

    recording: Recording
    tuned: Float[np.ndarray, "time neuron"]
    own: Float[np.ndarray, "trace neuron"]
    most: Float[np.ndarray, " neuron"]

    @classmethod
    def of(cls, recording: Recording, angle: str, rng: np.random.Generator) -> Self:
        """Fit the direction and own spikes to a recording, and match its rates.

        Each neuron follows the direction at the delay, from -0.1 s to 0.1 s, that explains its
        spikes best: clocks differ, and cells anticipate. The model does not know these delays, so
        the control includes their effect on it.
        """
        best = np.full(recording.n_neurons, -np.inf)
        neurons: Self | None = None
        for ahead_s in AHEAD_S:
            design = design_of(recording, angle, float(ahead_s))
            fitted = fit_regression(design, Causes(others_spikes=False))
            bits = np.nan_to_num(fitted.score(design).per_neuron, nan=0.0)
            candidate = cls._following(design, fitted.coefficients)
            neurons = candidate if neurons is None else neurons._replaced(candidate, bits > best)
            best = np.maximum(best, bits)
        assert neurons is not None
        return neurons._at_recorded_rates(rng)

    @classmethod
    def with_direction_error(
        cls, recording: Recording, angle: str, error_rad: float, rng: np.random.Generator
    ) -> Self:
        """Surrogates that follow a direction which wanders about the recorded one.

        An error of the recorded direction is a common input that nobody recorded, and looks like
        coupling.
        """
        fitted = fit_regression(design_of(recording, angle), Causes(others_spikes=False))
        sensed = wandering(recording.covariates[angle], error_rad, rng)
        sensing = replace(recording, covariates={**recording.covariates, angle: sensed})
        neurons = cls._following(design_of(sensing, angle), fitted.coefficients)
        return replace(neurons, recording=recording)._at_recorded_rates(rng)

    @classmethod
    def _following(cls, design: Design, fitted: Float[np.ndarray, "neuron column"]) -> Self:
        n, shared = design.n_neurons, len(TAUS_S) * design.n_neurons
        own = np.stack([np.diag(fitted[:, k * n :]) for k in range(len(TAUS_S))])
        traces = design.columns[:, :shared].numpy().reshape(-1, len(TAUS_S), n)
        added = np.einsum("tkn,kn->tn", traces, own)
        return cls(
            recording=design.recording,
            tuned=design.columns[:, shared:].numpy() @ fitted[:, shared:].T,
            own=own,
            most=np.quantile(added, _MOST_QUANTILE, axis=0),
        )

    def _replaced(self, other: Self, which: Bool[np.ndarray, " neuron"]) -> Self:
        """These neurons, some of them replaced by those of another set."""
        return replace(
            self,
            tuned=np.where(which, other.tuned, self.tuned),
            own=np.where(which, other.own, self.own),
            most=np.where(which, other.most, self.most),
        )

    def draw(self, rng: np.random.Generator) -> Recording:
        """Their spikes, as a recording of the same epochs and direction."""
        binned = self.recording.counts(BIN_S)
        return _as_spikes(self.recording, binned, self._counts(binned, rng), rng)

    def _counts(self, binned: SpikeCounts, rng: np.random.Generator) -> np.ndarray:
        counts = np.zeros(binned.counts.shape, np.int64)
        decay = np.array([decay_per_bin(tau_s) for tau_s in TAUS_S])
        _draw(self.tuned, self.own, self.most, decay, binned.exposure_s, binned.epoch, rng, counts)
        return counts

    def _at_recorded_rates(self, rng: np.random.Generator) -> Self:
        """Match each neuron's mean rate; one that still runs away follows the direction alone.

        One runs away whose log rate is off by more than `_RATE_TOLERANCE`, and by more than two
        counts of as many spikes differ by chance.
        """
        neurons = self
        for _ in range(_RATE_MATCHES):
            neurons = neurons._nearer(neurons._rate_ratio(rng) ** _RATE_STEP)
        by_chance = _RATE_ERRORS * np.sqrt(2.0 / np.maximum(self.recording.n_spikes, 1))
        tolerance = np.maximum(_RATE_TOLERANCE, by_chance)
        tame = np.abs(np.log(neurons._rate_ratio(rng))) < tolerance
        neurons = replace(neurons, own=neurons.own * tame)
        return neurons._nearer(np.where(tame, 1.0, neurons._rate_ratio(rng)))

    def _nearer(self, ratio: Float[np.ndarray, " neuron"]) -> Self:
        return replace(self, tuned=self.tuned + np.log(ratio))

    def _rate_ratio(self, rng: np.random.Generator) -> Float[np.ndarray, " neuron"]:
        """Spikes recorded for each spike drawn."""
        fired = self._counts(self.recording.counts(BIN_S), rng).sum(axis=0)
        return (self.recording.n_spikes + 1.0) / (fired + 1.0)


def wandering(angle: Covariate, error_rad: float, rng: np.random.Generator) -> Covariate:
    """A direction with an error of this size, rms, whose correlation time is `WANDER_S`."""
    step_s = float(np.median(np.diff(angle.times_s)))
    decay = float(np.exp(-step_s / WANDER_S))
    noise = error_rad * np.sqrt(1 - decay**2) * rng.standard_normal(len(angle.values))
    strayed = angle.values + lfilter([1.0], [1.0, -decay], noise)
    return replace(angle, values=np.mod(strayed, 2 * np.pi))


def _as_spikes(
    recording: Recording,
    binned: SpikeCounts,
    counts: Int[np.ndarray, "time neuron"],
    rng: np.random.Generator,
) -> Recording:
    """Spikes at random times of their bins, on the recording's grid."""
    bin_, neuron = np.nonzero(counts)
    n = counts[bin_, neuron]
    bin_, neuron = np.repeat(bin_, n), np.repeat(neuron, n)
    n_steps = np.maximum(np.rint(binned.exposure_s[bin_] / recording.time_resolution_s), 1)
    step = np.floor(rng.random(len(bin_)) * n_steps)
    width_s = binned.exposure_s[bin_] / n_steps
    times_s: Float[np.ndarray, " spike"] = binned.start_s[bin_] + (step + 0.5) * width_s
    order = np.argsort(times_s, kind="stable")
    return replace(recording, spike_times_s=times_s[order], spike_neurons=neuron[order])


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _draw(tuned, own, most, decay, exposure_s, epoch, rng, counts):
    n_times, n_neurons = counts.shape
    trace = np.zeros((len(decay), n_neurons))
    for t in range(n_times):
        if t > 0 and epoch[t] != epoch[t - 1]:
            trace[:] = 0.0
        for i in range(n_neurons):
            added = 0.0
            for k in range(len(decay)):
                added += own[k, i] * trace[k, i]
            n = rng.poisson(np.exp(tuned[t, i] + min(added, most[i])) * exposure_s[t])
            counts[t, i] = n
            for k in range(len(decay)):
                trace[k, i] = trace[k, i] * decay[k] + n
