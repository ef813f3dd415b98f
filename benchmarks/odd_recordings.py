"""Small recordings as users bring them, of a known circuit: log rate = baseline + w · traces.

Ways to be odd:

- `mixed rates`: neurons of 0.1 to 60 Hz side by side.
- `gaps`: a fifth of the time is missing, in pieces of 0.2 to 20 s.
- `one dominates`: one neuron fires nine of ten spikes.
- `two regimes`: every 40 s on average all rates rise or fall fivefold.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording

WAYS = ("mixed rates", "gaps", "one dominates", "two regimes")

TAU_S = 0.01
_STEP_S = 1e-3
_CONNECTED = 0.25
_WEIGHT_SD = 0.5
_RATE_HZ = 6.0
_MIXED_HZ = (0.1, 60.0)
_DOMINANT_PART = 0.9
_REFRACTORY_S = 3e-3
_REGIME_S, _REGIME_FACTOR = 40.0, 5.0
_GAP_S, _MISSING_PART = (0.2, 20.0), 0.2


class Odd(NamedTuple):
    """Spikes and the circuit that made them."""

    recording: Recording
    truth: Connectivity


def odd_recording(way: str, n_neurons: int, seconds: float, seed: int) -> Odd:
    """A recording that is odd in this way; the same for the same seed."""
    rng = np.random.default_rng(seed)
    weights = _weights(n_neurons, rng)
    fired = _fire(_rates_hz(way, n_neurons, rng), weights, _factor(way, seconds, rng), rng)
    step, neuron = np.nonzero(fired)
    epochs_s = _epochs(way, seconds, rng)
    times_s = (step + 0.5) * _STEP_S
    seen = ((times_s[:, None] >= epochs_s[:, 0]) & (times_s[:, None] < epochs_s[:, 1])).any(axis=1)
    recording = Recording.from_arrays(
        times_s[seen],
        neuron[seen],
        n_neurons=n_neurons,
        epochs_s=epochs_s,
        time_resolution_s=_STEP_S,
    )
    return Odd(recording, Connectivity(weights=weights))


def _weights(n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, "post pre"]:
    """What a spike adds to the log rate."""
    shape = (n_neurons, n_neurons)
    connected = (rng.random(shape) < _CONNECTED) & ~np.eye(n_neurons, dtype=bool)
    return np.where(connected, _WEIGHT_SD * rng.standard_normal(shape), 0.0)


def _rates_hz(way: str, n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, " neuron"]:
    """Rates without coupling."""
    if way == "mixed rates":
        return np.exp(rng.uniform(*np.log(_MIXED_HZ), n_neurons))
    rates_hz = _RATE_HZ * rng.lognormal(0.0, 0.5, n_neurons)
    if way == "one dominates":
        others = rates_hz[1:] / 4.0
        rates_hz[1:] = others
        rates_hz[0] = others.sum() * _DOMINANT_PART / (1.0 - _DOMINANT_PART)
    return rates_hz


def _factor(way: str, seconds: float, rng: np.random.Generator) -> Float[np.ndarray, " step"]:
    """By what all rates are multiplied at each step."""
    n_steps = round(seconds / _STEP_S)
    if way != "two regimes":
        return np.ones(n_steps)
    changes = rng.random(n_steps) < _STEP_S / _REGIME_S
    high = (np.cumsum(changes) + rng.integers(2)) % 2
    return _REGIME_FACTOR ** (high - 0.5)


def _epochs(way: str, seconds: float, rng: np.random.Generator) -> Float[np.ndarray, "epoch 2"]:
    """When spikes are recorded."""
    if way != "gaps":
        return np.array([[0.0, seconds]])
    edges_s = [0.0]
    while edges_s[-1] < seconds:
        gap_s = np.exp(rng.uniform(*np.log(_GAP_S)))
        recorded_s = gap_s * (1.0 - _MISSING_PART) / _MISSING_PART
        edges_s += [edges_s[-1] + recorded_s, edges_s[-1] + recorded_s + gap_s]
    epochs_s = np.minimum(np.array(edges_s[:-1]).reshape(-1, 2), seconds)
    return epochs_s[epochs_s[:, 1] > epochs_s[:, 0]]


def _fire(
    rates_hz: Float[np.ndarray, " neuron"],
    weights: Float[np.ndarray, "post pre"],
    factor: Float[np.ndarray, " step"],
    rng: np.random.Generator,
) -> Bool[np.ndarray, "step neuron"]:
    """Whether each neuron fires at each step; for 3 ms after a spike it does not."""
    fired = np.zeros((len(factor), len(rates_hz)), bool)
    trace, decay = np.zeros(len(rates_hz)), np.exp(-_STEP_S / TAU_S)
    last, n_refractory = np.full(len(rates_hz), -np.inf), _REFRACTORY_S / _STEP_S
    for step, now in enumerate(factor):
        expected = _STEP_S * now * rates_hz * np.exp(weights @ trace)
        fires = (rng.random(len(rates_hz)) < -np.expm1(-expected)) & (step - last > n_refractory)
        fired[step], last[fires] = fires, step
        trace = decay * (trace + fires)
    return fired
