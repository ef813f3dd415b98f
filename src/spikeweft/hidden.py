"""Hidden neurons: places between the observed ones, and the mean-field activity they would have."""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, Int

from spikeweft.prediction import Link
from spikeweft.traces import Traces


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


def mean_field_traces(
    traces: Traces,
    weights: Float[np.ndarray, "hidden observed"],
    bias: Float[np.ndarray, " hidden"],
    link: Link,
    tau_s: float,
) -> tuple[Float[np.ndarray, "spike hidden"], Float[np.ndarray, "time hidden"]]:
    """Expected traces of hidden neurons, driven by the observed ones through the same link.

    A hidden neuron fires at the rate λ(Σ_o w_ho s_o + b_h), and its trace is that rate seen
    through the same synapse. It starts from zero wherever scored time is interrupted.
    """
    n = traces.n_neurons
    rates = link.rate_hz_of(traces.at_times[:, :n] @ weights.T.astype(np.float32) + bias)
    at_times = np.zeros((len(traces.times_s), len(bias)))
    _accumulate(traces.times_s, traces.weight_s, rates, tau_s, at_times)
    last = np.searchsorted(traces.times_s, traces.spike_times_s, side="left") - 1
    lag = traces.spike_times_s - traces.times_s[last]
    seen = at_times[last] + (traces.weight_s[:, None] * rates)[last]
    fresh = (last >= 0) & (lag < tau_s)
    at_spikes = np.where(fresh[:, None], seen * np.exp(-np.maximum(lag, 0.0) / tau_s)[:, None], 0.0)
    return at_spikes, at_times


def covariate_columns(
    values: Float[np.ndarray, " time"], is_angle: bool, n_harmonics: int
) -> Float[np.ndarray, "time column"]:
    """A covariate as regressors: circular harmonics of an angle, otherwise the value itself."""
    if not is_angle:
        return values[:, None]
    order: Int[np.ndarray, " harmonic"] = np.arange(1, n_harmonics + 1)
    phase = values[:, None] * order
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _accumulate(times_s, weight_s, rates, tau_s, at_times):
    for t in range(1, len(times_s)):
        lag = times_s[t] - times_s[t - 1]
        kept = np.exp(-lag / tau_s) if lag < 10 * tau_s else 0.0
        for h in range(rates.shape[1]):
            at_times[t, h] = (at_times[t - 1, h] + weight_s[t - 1] * rates[t - 1, h]) * kept
