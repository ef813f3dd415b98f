"""Dead times: for so long after a spike a neuron does not fire again.

In a dead time the rate is zero, however strong the drive is, and no drive of history makes it so
under a soft link: links as sharp as a rectified one would be preferred for that alone. So the rate
is zero there by itself, for neurons that show a dead time.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.circuit_gnn.spike_prediction.synapses.traces import Traces
from spikeweft.data.recording import Recording

_SURELY = 4.0
"""Spikes expected by chance in the shortest interval, above which it shows a dead time."""

_LONGEST_S = 0.01
"""No dead time is longer; neurons that seldom fire have long intervals by chance."""

_AS_IF_SEEN = 0.5
"""Spikes in dead time, of which none was seen, that the rate there is as high as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refractoriness:
    """How long after a spike each neuron does not fire, and how rare an exception is.

    Attributes
    ----------
    dead_time_s
        Zero for a neuron that shows none.
    exception
        Rate in dead time relative to what it would be otherwise.
    """

    dead_time_s: Float[np.ndarray, " neuron"]
    exception: Float[np.ndarray, " neuron"]

    @classmethod
    def of(cls, recording: Recording) -> "Refractoriness | None":
        """What the shortest intervals of a recording show; None where no neuron shows any."""
        shortest_s, step_s = _shortest_intervals(recording), recording.time_resolution_s
        by_chance_s = 1.0 / np.maximum(recording.n_spikes * recording.rate_hz, 1e-12)
        dead_s = shortest_s - _SURELY * by_chance_s - step_s / 2
        shown = np.isfinite(shortest_s) & (dead_s >= step_s)
        dead_s = np.where(shown, np.minimum(dead_s, _LONGEST_S), 0.0)
        if not dead_s.any():
            return None
        expected = np.maximum(dead_s / by_chance_s, _SURELY)
        return cls(dead_time_s=dead_s, exception=_AS_IF_SEEN / expected)

    def in_order(self, order: Int[np.ndarray, " neuron"]) -> Self:
        """The same where the k-th neuron is the `order[k]`-th."""
        return type(self)(dead_time_s=self.dead_time_s[order], exception=self.exception[order])

    def mark(self, traces: Traces, recording: Recording) -> Traces:
        """The traces of a recording with its dead times, and what exceptions to them cost."""
        return replace(
            traces,
            is_dead=self._is_dead(traces, recording),
            nats_of_exceptions=self._nats_of_exceptions(traces),
        )

    def _is_dead(self, traces: Traces, recording: Recording) -> Bool[np.ndarray, "time neuron"]:
        """Which postsynaptic neurons have just fired, at the quadrature times."""
        dead = np.zeros((len(traces.times_s), traces.n_neurons), bool)
        counts = recording.spike_neurons < traces.n_neurons
        neurons, fired_s = recording.spike_neurons[counts], recording.spike_times_s[counts]
        rounding_s = recording.time_resolution_s / 4
        first = np.searchsorted(traces.times_s, fired_s + rounding_s)
        last = np.searchsorted(traces.times_s, fired_s + self.dead_time_s[neurons])
        n_times = np.maximum(last - first, 0)
        before = np.cumsum(n_times) - n_times
        times = np.arange(n_times.sum()) - np.repeat(before - first, n_times)
        dead[times, np.repeat(neurons, n_times)] = True
        return dead

    def _nats_of_exceptions(self, traces: Traces) -> Float[np.ndarray, " neuron"]:
        rows = pairwise(traces.offsets)
        n_exceptions = [
            np.count_nonzero(np.diff(traces.spike_times_s[start:stop]) < dead_s)
            for (start, stop), dead_s in zip(rows, self.dead_time_s, strict=False)
        ]
        return np.array(n_exceptions) * np.log(self.exception[: traces.n_neurons])


def _shortest_intervals(recording: Recording) -> Float[np.ndarray, " neuron"]:
    """The shortest time between two spikes of each neuron in one epoch; infinite where none is."""
    order = np.argsort(recording.spike_neurons, kind="stable")
    neurons, times_s = recording.spike_neurons[order], recording.spike_times_s[order]
    epoch = np.searchsorted(recording.epochs_s[:, 0], times_s, "right")
    both = (np.diff(neurons) == 0) & (np.diff(epoch) == 0)
    shortest_s = np.full(recording.n_neurons, np.inf)
    np.minimum.at(shortest_s, neurons[1:][both], np.diff(times_s)[both])
    return shortest_s
