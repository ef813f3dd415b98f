"""Hidden neurons: places between the observed ones, and the mean-field activity they would have."""

from dataclasses import dataclass, replace
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.placement import (
    mixtures_between,
    neighbours,
    positions,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.routes import Routes, add_up
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import Traces
from spikeweft.data.directions import interpolation

_ROUNDING_S = 1e-7

_LARGEST_RATE_HZ = 500.0


class Places(NamedTuple):
    """Where hidden neurons are: between which observed ones, and which of those are neighbours."""

    mix: Float[np.ndarray, "hidden observed"]
    adjacent: Bool[np.ndarray, "observed observed"]

    @classmethod
    def on_ring(
        cls, angle_rad: Float[np.ndarray, " observed"], places_rad: Float[np.ndarray, " hidden"]
    ) -> "Places":
        """At angles between neurons of known preferred directions (Yoon 2025)."""
        order = np.argsort(angle_rad)
        adjacent = np.zeros((len(order), len(order)), dtype=bool)
        adjacent[order, np.roll(order, -1)] = adjacent[order, np.roll(order, 1)] = True
        return cls(interpolation(angle_rad, places_rad), adjacent)

    @classmethod
    def by_circuit(cls, weights: Float[np.ndarray, "post pre"], n_hidden: int) -> "Places":
        """Between neurons that the circuit itself makes neighbours, whatever its shape."""
        place = positions(weights)
        return cls(mixtures_between(place, n_hidden), neighbours(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenNeurons:
    """Hidden neurons: where they are and what drives them."""

    mix: Float[np.ndarray, "hidden observed"]
    """Shares of observed neurons between which each one lies."""

    adjacent: Bool[np.ndarray, "observed observed"]
    """Observed neurons that are next to each other."""

    weights: Float[np.ndarray, "hidden observed"]
    """What each receives through the columns of observed neurons."""

    bias: Float[np.ndarray, " hidden"]
    link: Link

    gain: float
    """For how many neurons each one stands: its activity counts so many times; 0 for none."""

    @classmethod
    def at(
        cls,
        places: Places,
        values: Float[np.ndarray, "neuron feature"],
        link: Link,
        gain: float = 1.0,
    ) -> "HiddenNeurons":
        """Interpolate what drives hidden neurons from the observed ones that they lie between."""
        mix, adjacent = places
        return cls(
            mix=mix,
            adjacent=adjacent,
            weights=np.zeros(mix.shape),
            bias=np.zeros(len(mix)),
            link=link,
            gain=gain,
        ).settled(values, link)

    def settled(self, values: Float[np.ndarray, "neuron feature"], link: Link) -> "HiddenNeurons":
        """The same neurons, driven as their observed neighbours are driven now.

        A weight of a neuron onto itself, which is not known, is taken from its neighbours.
        """
        n = len(values)
        weights = (values[:, :n] + values[:, :n].T) / 2
        near = self.adjacent / np.maximum(self.adjacent.sum(axis=1, keepdims=True), 1)
        np.fill_diagonal(weights, np.sum(near * weights, axis=1))
        return replace(self, weights=self.mix @ weights, bias=self.mix @ values[:, -1], link=link)


def mean_field_traces(
    traces: Traces, hidden: HiddenNeurons, kernel: SynapticKernel, routes: Routes
) -> tuple[Float[np.ndarray, "spike hidden"], Float[np.ndarray, "time hidden"]]:
    """Expected traces of hidden neurons, driven by all neurons through the same link.

    A hidden neuron fires at the rate λ(Σ_c w_hc s_c + b_h), where the columns' traces s are made of
    those of the observed neurons and the expected ones of the hidden, and its trace is that rate
    seen through the same synapse, as often as `gain` says. It starts from zero wherever scored time
    is interrupted. It fires no faster than a refractory period of 2 ms allows: weights that are not
    yet learned may excite hidden neurons in a loop. `traces` are not yet routed into columns;
    `routes` say how they are at the quadrature times.
    """
    weights, link, n_hidden = hidden.weights, hidden.link, len(hidden.bias)
    taus_s, amplitudes = np.array(kernel.taus_s), np.array(kernel.amplitudes)
    n_times = len(traces.times_s)
    states = np.zeros((len(taus_s), n_times, n_hidden))
    rates = np.zeros((n_times, n_hidden))
    step_s = float(np.median(traces.weight_s)) if n_times else 1.0
    longest_lag_s, delay = 3.0 * step_s, round(kernel.latency_s / step_s)
    _expect(
        traces.times_s,
        traces.at_times[:, : traces.n_presynaptic],
        (weights, np.sum(weights * hidden.mix, axis=1), hidden.bias),
        (link.power, link.log_gain, hidden.gain),
        (routes.shift, routes.compact),
        (taus_s, amplitudes, longest_lag_s, delay),
        states,
        rates,
    )
    last = np.searchsorted(traces.times_s, traces.spike_times_s - _ROUNDING_S) - 1
    lag = np.maximum(traces.spike_times_s - traces.times_s[last], 0.0)
    known = (last >= 0) & (lag < longest_lag_s)
    rate = rates[np.maximum(last - delay, 0)]
    at_spikes = np.zeros((len(last), n_hidden))
    for amplitude, tau_s, state in zip(amplitudes, taus_s, states, strict=True):
        kept = np.exp(-lag / tau_s)[:, None]
        at_spikes += amplitude * (state[last] * kept + rate * tau_s * (1.0 - kept))
    at_spikes[~known] = 0.0
    return at_spikes, np.tensordot(amplitudes, states, 1)


@numba.njit(cache=True, nogil=True, fastmath=True)
@no_type_check  # numba compiles it; its caller is checked
def _expect(times_s, observed, driven, link, routed, synapse, states, rates):
    # The rate holds from one quadrature time to the next, for spikes in between as well: counted
    # otherwise at spikes than at quadrature times, it would seem to explain them.
    (weights, onto_itself, bias), (shift, compact) = driven, routed
    (power, log_gain, gain), (taus_s, amplitudes, longest_lag_s, delay) = link, synapse
    n_hidden, n_columns = weights.shape
    column, trace = np.zeros(n_columns), np.zeros(n_hidden)
    began = 0
    for t in range(len(times_s)):
        lag = times_s[t] - times_s[t - 1] if t else np.inf
        trace[:] = 0.0
        if lag < longest_lag_s:
            for m in range(len(taus_s)):
                kept = np.exp(-lag / taus_s[m])
                for h in range(n_hidden):
                    rate = rates[t - 1 - delay, h] if t - 1 - delay >= began else 0.0
                    arrived = rate * taus_s[m] * (1.0 - kept)
                    states[m, t, h] = states[m, t - 1, h] * kept + arrived
                    trace[h] += amplitudes[m] * states[m, t, h]
        else:
            began = t
        add_up(observed[t], trace, shift[t], compact, column)
        for h in range(n_hidden):
            drive = bias[h]
            if shift[t] % len(compact[0]) == 0:  # rotated, it is no longer itself that it drives
                drive -= onto_itself[h] * trace[h]
            for c in range(n_columns):
                drive += weights[h, c] * column[c]
            softplus = np.log1p(np.exp(-abs(drive))) + max(drive, 0.0)
            rate = np.exp(power * np.log(max(softplus, 1e-26)) + log_gain)
            rates[t, h] = gain * min(rate, _LARGEST_RATE_HZ)
