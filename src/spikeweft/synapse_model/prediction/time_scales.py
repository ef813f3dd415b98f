"""How long the past population rate is remembered: at no, one or several time scales."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.synapse_model.prediction.exact_time import ScoredTime
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction, last_spikes
from spikeweft.synapse_model.rates.neuron_rate import RateParameters

TIME_CONSTANTS_S = ((), (0.02,), (0.01, 0.05, 0.25), (0.01, 0.05, 0.25, 1.25))
"""Time constants among which held-out spikes choose (chosen on simulated networks)."""

_SPIKES_TO_CHOOSE = 1000.0
"""Spikes of each neuron, on average, that candidates are fitted to."""

_MOST_NEURONS = 20
"""Neurons that fire whose spikes choose."""


class ChosenScales(NamedTuple):
    """A model with the time scales that predict held-out spikes best, and how well."""

    prediction: SpikePrediction
    held_out_bits_per_spike: float


def choose_time_scales(
    prediction: SpikePrediction,
    recording: Recording,
    history_window_s: float,
    start: Sequence[RateParameters],
) -> ChosenScales:
    """Fit with each set of time scales to what precedes the last tenth, which chooses.

    Parameters
    ----------
    prediction
        The model without time scales.
    recording, history_window_s
        What it is fitted to, and what is scored of it.
    start
        Parameters of each neuron's rate, near those to be found.
    """
    early, late = split(recording, BASELINE_VALIDATION_FRACTION)
    early = last_spikes(early, _SPIKES_TO_CHOOSE)
    firing = np.flatnonzero(recording.n_spikes)
    neurons = firing[:: max(1, -(-len(firing) // _MOST_NEURONS))].tolist()
    is_scored = all(len(scored_epochs(part, history_window_s)) for part in (early, late))
    if len(neurons) == 0 or not is_scored:
        return ChosenScales(prediction, float("nan"))
    candidates = [
        replace(prediction, time_constants_s=np.array(constants_s, dtype=float))
        for constants_s in TIME_CONSTANTS_S
    ]
    nats = [
        _held_out_nats(candidate, early, late, history_window_s, neurons, start)
        for candidate in candidates
    ]
    best = int(np.argmax([found.sum() for found in nats]))
    scored = late.restrict(scored_epochs(late, history_window_s)).select(np.array(neurons))
    null_rate_hz = early.rate_hz[np.array(neurons)]
    score = bits_per_spike(nats[best], scored.n_spikes, scored.duration_s, null_rate_hz)
    return ChosenScales(candidates[best], score.mean)


def _held_out_nats(
    prediction: SpikePrediction,
    early: Recording,
    late: Recording,
    history_window_s: float,
    neurons: Sequence[int],
    start: Sequence[RateParameters],
) -> Float[np.ndarray, " chosen"]:
    """Log-likelihood of late spikes of some neurons, each fitted to the early ones of all."""
    fitting, scoring = prediction.rates_in(early, history_window_s), prediction.rates_in(late, 0.0)
    scored = ScoredTime.of(late, scoring.timeline, history_window_s)
    return np.array(
        [
            scored.log_likelihood(
                neuron, scoring.of(neuron).follow(fitting.fitted(neuron, start[neuron]))
            )
            for neuron in neurons
        ]
    )
