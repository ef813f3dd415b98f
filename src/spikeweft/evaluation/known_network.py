"""A simulated network as its limits see it: its rates, block by block, at every time step."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, no_type_check, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError

_BLOCK_STEPS = 10_000


@runtime_checkable
class SpikingNeuron(Protocol):
    """How a neuron turns its synaptic drive into spikes."""

    def spikes_per_step(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Expected spikes in a step."""
        ...

    def spikes_per_step_slope(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Their derivative with respect to the drive."""
        ...


@runtime_checkable
class KnownNetwork(Protocol):
    """What the limits need of a network; those of `spikeweft.simulation` have it."""

    @property
    def neuron(self) -> SpikingNeuron:
        """How a drive becomes spikes."""
        ...

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit."""
        ...

    @property
    def recurrent_strength(self) -> float:
        """Factor of all weights."""
        ...

    @property
    def decay(self) -> float:
        """Factor by which a trace decays in a step."""
        ...

    @property
    def time_step_s(self) -> float:
        """The time step."""
        ...

    def stretches(self, start: int, stop: int) -> Iterable[tuple[int, int, int]]:
        """Parts of these steps in which the columns are shifted equally: start, stop, shift."""
        ...


class Block(NamedTuple):
    """Traces before every step, as the unshifted weights see them, and the spikes there."""

    traces: Float[np.ndarray, "step pre"]
    spike_rows: Int[np.ndarray, " spike"]
    spike_neurons: Int[np.ndarray, " spike"]


def blocks_of(
    network: KnownNetwork, recording: Recording, history_window_s: float
) -> Iterator[Block]:
    """The scored steps of a recording, in blocks that fit the memory."""
    steps = np.rint(recording.spike_times_s / network.time_step_s).astype(np.int64)

    def spikes_between(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        inside = slice(*np.searchsorted(steps, [first, last]))
        return steps[inside] - first, recording.spike_neurons[inside]

    for epoch_s in scored_epochs(recording, history_window_s):
        times_s = (epoch_s[0] - history_window_s, epoch_s[0], epoch_s[1])
        begin, start, stop = (_step_at_or_after(t, network.time_step_s) for t in times_s)
        trace = np.zeros(recording.n_neurons)
        _traces(trace, *spikes_between(begin, start), start - begin, network.decay)
        for first, last, shift in _short_stretches(network, start, stop):
            rows, neurons = spikes_between(first, last)
            traces = _traces(trace, rows, neurons, last - first, network.decay)
            yield Block(np.roll(traces, -shift, axis=1), rows, neurons)


def _short_stretches(
    network: KnownNetwork, start: int, stop: int
) -> Iterator[tuple[int, int, int]]:
    for first, last, shift in network.stretches(start, stop):
        for cut in range(first, last, _BLOCK_STEPS):
            yield cut, min(cut + _BLOCK_STEPS, last), shift


def _step_at_or_after(time_s: float, time_step_s: float) -> int:
    return int(np.ceil(time_s / time_step_s - 1e-3))


def check_comparable(network: KnownNetwork, recording: Recording, history_window_s: float) -> None:
    """Refuse a recording of other neurons, or one too short to score."""
    n = network.connectivity.n_neurons
    if recording.n_neurons != n:
        raise InputError(
            f"the recording has {recording.n_neurons} neurons but the network {n}; the limits are "
            "those of a network observed in full"
        )
    if len(scored_epochs(recording, history_window_s)) == 0:
        raise InputError(
            f"no epoch is longer than the history window of {history_window_s:g} s, so nothing can "
            "be scored; use a longer recording"
        )


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _traces(trace, spike_rows, spike_neurons, n_steps, decay):
    """Traces before every step; `trace` is brought to the end of the last one."""
    traces = np.empty((n_steps, len(trace)))
    spike = 0
    for step in range(n_steps):
        traces[step] = trace
        trace *= decay
        while spike < len(spike_rows) and spike_rows[spike] == step:
            trace[spike_neurons[spike]] += 1.0
            spike += 1
    return traces
