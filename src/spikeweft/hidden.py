"""Hidden neurons: places between the observed ones, and the mean-field activity they would have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float

from spikeweft.prediction import Link
from spikeweft.recording import Recording
from spikeweft.traces import Traces, set_shared

_ROUNDING_S = 1e-7


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
    heard: Float[np.ndarray, "time column"],
    weights: Float[np.ndarray, "hidden observed"],
    bias: Float[np.ndarray, " hidden"],
    link: Link,
    tau_s: float,
) -> tuple[Float[np.ndarray, "spike hidden"], Float[np.ndarray, "time hidden"]]:
    """Expected traces of hidden neurons, driven by the observed ones through the same link.

    A hidden neuron fires at the rate λ(Σ_o w_ho s_o + b_h), and its trace is that rate seen
    through the same synapse. It starts from zero wherever scored time is interrupted. `heard` are
    the traces s_o at the quadrature times as the circuit hears them.
    """
    n = traces.n_neurons
    rates = link.rate_hz_of(heard[:, :n] @ weights.T.astype(np.float32) + bias)
    at_times = np.zeros((len(traces.times_s), len(bias)))
    longest_lag_s = 3.0 * float(np.median(traces.weight_s)) if len(traces.weight_s) else 0.0
    _accumulate(traces.times_s, rates, tau_s, longest_lag_s, at_times)
    last = np.searchsorted(traces.times_s, traces.spike_times_s - _ROUNDING_S) - 1
    lag = np.maximum(traces.spike_times_s - traces.times_s[last], 0.0)
    kept = np.exp(-lag / tau_s)[:, None]
    known = (last >= 0) & (lag < longest_lag_s)
    seen = at_times[last] * kept + rates[last] * tau_s * (1.0 - kept)
    at_spikes = np.where(known[:, None], seen, 0.0)
    return at_spikes, at_times


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenNeurons:
    """Hidden neurons as they are seen by the observed ones: where they are and what drives them."""

    angle_rad: Float[np.ndarray, " hidden"]
    weights: Float[np.ndarray, "hidden observed"]
    bias: Float[np.ndarray, " hidden"]
    link: Link

    @classmethod
    def between(
        cls,
        rows: Float[np.ndarray, "neuron feature"],
        link: Link,
        angle_rad: Float[np.ndarray, " observed"],
        places_rad: Float[np.ndarray, " hidden"],
    ) -> "HiddenNeurons":
        """Interpolate the inputs of hidden neurons from their nearest observed neighbours."""
        mix = interpolation(angle_rad, places_rad)
        n = len(rows)
        weights = (rows[:, :n] + rows[:, :n].T) / 2
        order = np.argsort(angle_rad)
        ahead, behind = np.roll(order, -1), np.roll(order, 1)
        weights[order, order] = (weights[order, ahead] + weights[order, behind]) / 2
        return cls(angle_rad=places_rad, weights=mix @ weights, bias=mix @ rows[:, -1], link=link)

    def join(self, traces: Traces, heard: Float[np.ndarray, "time column"], tau_s: float) -> None:
        """Put the hidden neurons' mean-field traces into their columns."""
        columns = mean_field_traces(traces, heard, self.weights, self.bias, self.link, tau_s)
        set_shared(traces, 0, *columns)


def ring_angles(
    recording: Recording, weights: Float[np.ndarray, "post pre"]
) -> Float[np.ndarray, " neuron"]:
    """Preferred directions where known, else angles in the plane of the leading eigenvectors."""
    symmetric = (weights + weights.T) / 2
    np.fill_diagonal(symmetric, 0.0)
    size, vectors = np.linalg.eigh(symmetric)
    plane = vectors[:, np.argsort(-np.abs(size))[:2]]
    own = np.mod(np.arctan2(plane[:, 1], plane[:, 0]), 2 * np.pi)
    known = recording.preferred_angle_rad
    return own if known is None else np.where(np.isfinite(known), known, own)


def pack_hidden(hidden: HiddenNeurons) -> dict[str, np.ndarray]:
    """Hidden neurons as arrays."""
    return {
        "angle_rad": hidden.angle_rad,
        "weights": hidden.weights,
        "bias": hidden.bias,
        "link": np.array(hidden.link),
    }


def unpack_hidden(arrays: Mapping[str, np.ndarray]) -> HiddenNeurons:
    """Hidden neurons from their arrays."""
    return HiddenNeurons(
        angle_rad=arrays["angle_rad"],
        weights=arrays["weights"],
        bias=arrays["bias"],
        link=Link(*(float(v) for v in arrays["link"])),
    )


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _accumulate(times_s, rates, tau_s, longest_lag_s, at_times):
    # The rate holds from one quadrature time to the next, for spikes in between as well: counted
    # otherwise at spikes than at quadrature times, it would seem to explain them.
    for t in range(1, len(times_s)):
        lag = times_s[t] - times_s[t - 1]
        if lag < longest_lag_s:
            kept = np.exp(-lag / tau_s)
            for h in range(rates.shape[1]):
                at_times[t, h] = at_times[t - 1, h] * kept + rates[t - 1, h] * tau_s * (1.0 - kept)
