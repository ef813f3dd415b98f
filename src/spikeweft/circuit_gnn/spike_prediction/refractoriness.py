"""Dead times: for so long after a spike a neuron hardly fires again.

In a dead time the rate is next to nothing, however strong the drive is, and no drive of history
makes it so under a soft link: links as sharp as a rectified one would be preferred for that alone.
So for neurons that show a dead time it is apart: they fire there at a small constant rate, that of
wrongly sorted spikes, and what drives say holds outside.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.circuit_gnn.spike_prediction.synapses.traces import DeadTime, Traces
from spikeweft.data.own_intervals import by_neuron, time_since_own_spike_s
from spikeweft.data.recording import Recording

_SURELY_NATS = 6.0
"""By how much likelier the short intervals of a neuron have to be with a dead time."""

_HARDLY = 0.15
"""Rate in dead time, relative to the mean, below which it is one; what is milder is history."""

_LONGEST_S = 0.005
"""No dead time is longer: what lasts so long may be others that a neuron drives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refractoriness:
    """How long after a spike each neuron hardly fires, and at which rate it then does.

    Attributes
    ----------
    dead_time_s
        Zero for a neuron that shows none.
    rate_hz
        Rate in dead time.
    """

    dead_time_s: Float[np.ndarray, " neuron"]
    rate_hz: Float[np.ndarray, " neuron"]

    @classmethod
    def of(cls, recording: Recording) -> "Refractoriness | None":
        """What the short intervals of a recording show; None where no neuron shows any."""
        of_neuron = np.split(
            time_since_own_spike_s(recording)[by_neuron(recording)],
            np.cumsum(recording.n_spikes)[:-1],
        )
        found = [
            _dead_time(since_s, rate_hz, recording.time_resolution_s)
            for since_s, rate_hz in zip(of_neuron, recording.rate_hz, strict=True)
        ]
        dead_s, rate_hz = np.array(found).T
        return cls(dead_time_s=dead_s, rate_hz=rate_hz) if dead_s.any() else None

    def in_order(self, order: Int[np.ndarray, " neuron"]) -> "Refractoriness":
        """The same where the k-th neuron is the `order[k]`-th."""
        return replace(self, dead_time_s=self.dead_time_s[order], rate_hz=self.rate_hz[order])

    def holds_at_spikes(self, recording: Recording) -> Bool[np.ndarray, " spike"]:
        """Which spikes were fired in the dead time of their own neuron."""
        return time_since_own_spike_s(recording) < self.dead_time_s[recording.spike_neurons]

    def mark(self, traces: Traces, recording: Recording) -> Traces:
        """The traces of a recording with its dead times, in which spikes have no features."""
        dead_time = DeadTime(
            is_now=self._is_now(traces, recording),
            n_spikes=traces.n_without,
            rate_hz=self.rate_hz[: traces.n_neurons],
        )
        return replace(traces, dead_time=dead_time)

    def _is_now(self, traces: Traces, recording: Recording) -> Bool[np.ndarray, "time neuron"]:
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


def _dead_time(
    since_s: Float[np.ndarray, " spike"], rate_hz: float, step_s: float
) -> tuple[float, float]:
    """Dead time of a neuron and its rate there, by the times between its spikes; zero for none.

    Up to each of them, so many came and so many more were expected by chance; the dead time is
    where this is least likely to be chance.
    """
    nothing = 0.0, 0.0
    until_s = np.sort(since_s[since_s < _LONGEST_S]) - step_s / 2
    n_spikes, n_seen = len(since_s), np.arange(len(until_s) + 1)
    until_s = np.append(until_s, _LONGEST_S)
    expected = n_spikes * rate_hz * np.maximum(until_s, 1e-12)
    nats = expected - n_seen
    nats[1:] += n_seen[1:] * np.log(n_seen[1:] / expected[1:])
    is_one = (n_seen + 0.5 < _HARDLY * expected) & (until_s >= step_s) & (nats > _SURELY_NATS)
    if not is_one.any():
        return nothing
    best = int(np.argmax(np.where(is_one, nats, -np.inf)))
    dead_s = float(until_s[best])
    return dead_s, float((n_seen[best] + 0.5) / (n_spikes * dead_s))
