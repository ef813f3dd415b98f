"""Hidden neurons: places between the observed ones, and the mean-field activity they would have."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.placement import (
    mixtures_between,
    neighbours,
    positions,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.rate_kernels import expect_traces, go_on_to_spikes
from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import Traces
from spikeweft.data.directions import interpolation


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
    n_hidden, n_times = len(hidden.bias), len(traces.times_s)
    step_s = float(np.median(traces.weight_s)) if n_times else 1.0
    delay = round(kernel.latency_s / step_s)
    synapse = np.array(kernel.taus_s), np.array(kernel.amplitudes), 3.0 * step_s, delay
    states = np.zeros((len(kernel.taus_s), n_times, n_hidden), np.float32)
    rates, at_times = np.zeros((2, n_times, n_hidden), np.float32)
    began = np.zeros(n_times, np.int64)
    at_spikes = np.zeros((len(traces.spike_times_s), n_hidden), np.float32)
    onto_itself = np.sum(hidden.weights * hidden.mix, axis=1)
    expect_traces(
        traces.times_s,
        traces.at_times[:, : traces.n_presynaptic],
        (np.ascontiguousarray(hidden.weights.T), onto_itself, hidden.bias),
        (np.float32(hidden.link.power), np.float32(hidden.link.log_gain), hidden.gain),
        (routes.shift, routes.links),
        synapse,
        states,
        rates,
        began,
        at_times,
    )
    go_on_to_spikes(traces.spike_times_s, traces.times_s, synapse, states, rates, began, at_spikes)
    return at_spikes, at_times
