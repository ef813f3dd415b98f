"""The rate of every neuron as its past lets one expect it."""

import numpy as np
from jaxtyping import Float32

from spikeweft.synapse_model.connections.pair_counts import Kernels
from spikeweft.synapse_model.rates.neuron_rate import WEAK, NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.states import States
from spikeweft.synapse_model.rates.timeline import Timeline

_LEAST_EFFECT = 0.003
"""Change of log rate below which a kernel is left out."""

_N_NEWTON = (3, 2, 2)
"""Before each estimate of the prior, and after the last."""


class CausalRates:
    """Rates in a recording, given own history, what others send, and the past of all.

    Parameters
    ----------
    timeline
        The spikes.
    past
        What neurons share.
    kernels
        What a spike adds to the log rate of another neuron.
    """

    def __init__(self, timeline: Timeline, past: States, kernels: Kernels) -> None:
        self.timeline, self._past, self._kernels = timeline, past, kernels
        self._own_history = OwnHistory.of(timeline.step_s)

    def of(self, neuron: int) -> NeuronRate:
        """The rate of a neuron, not yet fitted."""
        state, inputs = self._past.without(neuron), self._inputs(neuron)
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
