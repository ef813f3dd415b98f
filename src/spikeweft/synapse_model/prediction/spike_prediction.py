r"""The rate of every neuron given the past alone, its fit, and how likely spikes are under it.

.. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k,-i}(t) + \sum_r c_{ir} p_{r,-i}(t)
          + \sum_s h_i(t - s) + \sum_q a_{iq} \sum_{j: q} \sum_s k_{ij}(t - s)

with the past population rate :math:`z_{k,-i}`, slow patterns as the past tells of them
:math:`p_{r,-i}`, own history :math:`h_i`, the posterior mean kernels :math:`k_{ij}`, and gains
:math:`a_{iq}`: one of all that excite a neuron, one of all that inhibit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.connections.pair_counts import Kernels
from spikeweft.synapse_model.prediction.causal_rates import CausalRates
from spikeweft.synapse_model.prediction.exact_time import (
    ScoredTime,
    expected_between,
    positions_of,
)
from spikeweft.synapse_model.prediction.held_out import last_spikes
from spikeweft.synapse_model.prediction.past_state import past_states
from spikeweft.synapse_model.rates.neuron_rate import RateParameters
from spikeweft.synapse_model.rates.slow_patterns import SlowPatterns
from spikeweft.synapse_model.rates.timeline import Timeline

_SPIKES_TO_FIT = 3000.0
"""Spikes of each neuron, on average, from which on a recording is long."""

Rate = Float[np.ndarray, " step"]
"""Spikes a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikePrediction:
    """All that it takes to predict spikes.

    Attributes
    ----------
    step_s
        Time step.
    time_constants_s
        Of the past population rate.
    rate_hz
        Mean rate of each neuron in the data it is fitted on.
    kernels
        What a spike adds to the log rate at each lag from one step on.
    patterns
        The slow patterns that help to predict.
    parameters
        Of each neuron's rate, once they are fitted.
    """

    step_s: float
    time_constants_s: Float[np.ndarray, " scale"]
    rate_hz: Float[np.ndarray, " neuron"]
    kernels: Kernels
    patterns: SlowPatterns
    parameters: tuple[RateParameters, ...] = ()

    @property
    def knows_shared_state(self) -> bool:
        """Whether any past population rate or slow pattern helps to predict."""
        return len(self.time_constants_s) > 0 or self.patterns.loadings.shape[1] > 0

    def fitted(
        self,
        recording: Recording,
        history_window_s: float,
        start: Sequence[RateParameters],
    ) -> "SpikePrediction":
        """The model with parameters fitted to a recording, from those of rates near them.

        Of a long recording the last part is enough: a neuron has some twenty parameters.
        """
        part = last_spikes(recording, _SPIKES_TO_FIT)
        causal = self.rates_in(part, history_window_s)
        parameters = tuple(causal.fitted(neuron, near) for neuron, near in enumerate(start))
        return replace(self, parameters=parameters)

    def log_likelihood(
        self, recording: Recording, history_window_s: float
    ) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        causal = self.rates_in(recording, 0.0)
        scored = ScoredTime.of(recording, causal.timeline, history_window_s)
        rates = enumerate(self._rates(causal))
        return np.array([scored.log_likelihood(neuron, rate) for neuron, rate in rates])

    def expected_counts(
        self, recording: Recording, bin_s: float
    ) -> Float[np.ndarray, "time neuron"]:
        """Expected spikes in the bins of `recording.counts(bin_s)`."""
        bins, causal = recording.counts(bin_s), self.rates_in(recording, 0.0)
        intervals_s = np.column_stack([bins.start_s, bins.start_s + bins.exposure_s])
        start, stop = positions_of(recording, causal.timeline, intervals_s)
        expected = [expected_between(rate, start, stop) for rate in self._rates(causal)]
        return np.stack(expected, axis=1)

    def rates_in(self, recording: Recording, history_window_s: float) -> CausalRates:
        """The rates of all neurons in a recording, not yet fitted."""
        timeline = Timeline.of(recording, self.step_s, history_window_s)
        past = past_states(timeline, self.time_constants_s, self.rate_hz, self.patterns)
        return CausalRates(timeline, past, self.kernels)

    def _rates(self, causal: CausalRates) -> Iterator[Rate]:
        for neuron, parameters in enumerate(self.parameters):
            yield causal.of(neuron).follow(parameters)
