r"""The rate of every neuron given the past alone, its fit, and how likely spikes are under it.

.. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k,-i}(t) + \sum_s h_i(t - s)
          + \sum_{q} a_{iq} \sum_{j: q} \sum_s k_{ij}(t - s)

with the past population rate :math:`z_{k,-i}`, own history :math:`h_i`, the posterior mean kernels
:math:`k_{ij}`, and a gain :math:`a_{iq}` of all that excite a neuron and one of all that inhibit it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.synapse_model.connections.pair_counts import Kernels
from spikeweft.synapse_model.prediction.exact_time import (
    expected_between,
    positions_of,
    scored_spikes,
)
from spikeweft.synapse_model.prediction.past_state import PastState
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.timeline import Timeline

TIME_CONSTANTS_S = ((), (0.05,), (0.01, 0.05, 0.25), (0.01, 0.05, 0.25, 1.25))
"""Time scales of the past population rate, among which held-out spikes choose."""

_LONGEST_CHOICE_S = 600.0
"""Training time from which the time scales are chosen."""

_N_NEWTON, _N_NEXT_NEWTON = 8, 4

_LEAST_EFFECT = 1e-3
"""Change of log rate below which a kernel is left out."""

_LEAST_RATE_HZ = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikePrediction:
    """A fitted model: all that it takes to predict spikes.

    Attributes
    ----------
    step_s
        Time step.
    time_constants_s
        Of the past population rate.
    rate_hz
        Mean rate of each neuron in the data it was fitted on.
    kernels
        What a spike adds to the log rate at each lag from one step on.
    parameters
        Of each neuron's rate; none where it did not fire.
    """

    step_s: float
    time_constants_s: tuple[float, ...]
    rate_hz: Float[np.ndarray, " neuron"]
    kernels: Kernels
    parameters: tuple[RateParameters, ...] = ()

    def log_likelihood(
        self, recording: Recording, history_window_s: float
    ) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        causal = CausalRates.of(self, recording)
        scored = Scored.of(recording, causal.timeline, history_window_s)
        return np.array([scored.log_likelihood(rate, i) for i, rate in enumerate(causal.rates())])
