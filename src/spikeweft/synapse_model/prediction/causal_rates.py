"""The rate of every neuron as its past lets one expect it."""

import numpy as np
from jaxtyping import Float, Float32

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.connections.pair_counts import Kernels
from spikeweft.synapse_model.prediction.past_state import PastState
from spikeweft.synapse_model.rates.neuron_rate import WEAK, NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.timeline import Timeline

_LEAST_EFFECT = 0.003
"""Change of log rate below which a kernel is left out."""

_N_NEWTON = (3, 2, 2)
"""Before each estimate of the prior, and after the last."""


class CausalRates:
    """Rates in a recording, given own history, what others send, and the past of all.

    Parameters
    ----------
    recording
        The spikes.
    kernels
        What a spike adds to the log rate of another neuron.
    rate_hz
        Mean rate of each neuron, which stands for what is not known.
    time_constants_s
        Of the past population rate.
    step_s, history_window_s
        Time step, and how much of each epoch's start is not scored.
    """

    def __init__(
        self,
        recording: Recording,
        kernels: Kernels,
        rate_hz: Float[np.ndarray, " neuron"],
        time_constants_s: Float[np.ndarray, " scale"],
        step_s: float,
        history_window_s: float,
    ) -> None:
        self.timeline = Timeline.of(recording, step_s, history_window_s)
        self._kernels = kernels
        self._past = PastState.of(self.timeline, time_constants_s, rate_hz)
        self._own_history = OwnHistory.of(step_s)

    def of(self, neuron: int) -> NeuronRate:
        """The rate of a neuron, not yet fitted."""
        state = self._past.without(self.timeline, neuron)
        inputs = self._inputs(neuron)
        return NeuronRate(self.timeline, neuron, state, self._own_history, inputs=inputs)

    def fitted(self, neuron: int, near: RateParameters) -> RateParameters:
        """Parameters of a neuron's rate, and how variable they are, from those of one near it.

        A neuron that does not fire keeps a low constant rate.
        """
        rate, prior = self.of(neuron), WEAK
        start = rate.start()
        if len(self.timeline.scored_train(neuron)) == 0:
            return start
        found = start._replace(baseline=near.baseline, history=near.history)
        for n_iterations in _N_NEWTON[:-1]:
            found = rate.fit(found, n_iterations, prior)
            prior = rate.estimated_prior(found, prior)
        return rate.fit(found, _N_NEWTON[-1], prior)

    def _inputs(self, neuron: int) -> Float32[np.ndarray, "2 step"]:
        """What all that excite a neuron send to it, and what all that inhibit it do."""
        received = np.zeros((2, self.timeline.n_steps), np.float32)
        for pre, kernel in enumerate(self._kernels[neuron]):
            if pre != neuron and np.abs(kernel).max() > _LEAST_EFFECT:
                row = received[int(kernel.sum() < 0)]
                add_after_spikes(row, self.timeline.trains[pre], kernel.astype(np.float32), 1)
        return received
