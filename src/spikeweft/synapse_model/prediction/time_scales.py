"""How long the past population rate is remembered: at no, one or several time scales."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.synapse_model.prediction.exact_time import ScoredTime
from spikeweft.synapse_model.prediction.held_out import HeldOut
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction
from spikeweft.synapse_model.rates.neuron_rate import RateParameters

TIME_CONSTANTS_S = ((), (0.02,), (0.01, 0.05, 0.25), (0.01, 0.05, 0.25, 1.25))
"""Time constants among which held-out spikes choose (chosen on simulated networks)."""


class ChosenScales(NamedTuple):
    """A model with the time scales that predict held-out spikes best, and how well."""

    prediction: SpikePrediction
    held_out_bits_per_spike: float


class _Candidate(NamedTuple):
    """A model, and the log-likelihood of late spikes of each neuron that chooses."""

    prediction: SpikePrediction
    nats: Float[np.ndarray, " chosen"]

    def total(self) -> float:
        """Of all of them."""
        return float(self.nats.sum())


def choose_time_scales(
    prediction: SpikePrediction,
    recording: Recording,
    history_window_s: float,
    start: Sequence[RateParameters],
) -> ChosenScales:
    """Fit with each set of time scales to what precedes the last tenth, which chooses.

    It then chooses whether slow patterns are of use beside them, as far as the past tells of these.

    Parameters
    ----------
    prediction
        The model without time scales, with the patterns.
    recording, history_window_s
        What it is fitted to, and what is scored of it.
    start
        Parameters of each neuron's rate, near those to be found.
    """
    held_out = HeldOut.of(recording, history_window_s)
    if held_out is None:
        return ChosenScales(prediction, float("nan"))

    def scored(candidate: SpikePrediction) -> _Candidate:
        return _Candidate(candidate, _held_out_nats(candidate, held_out, history_window_s, start))

    alone = replace(prediction, patterns=prediction.patterns.first(0))
    by_scales = [
        replace(alone, time_constants_s=np.array(constants_s, dtype=float))
        for constants_s in TIME_CONSTANTS_S
    ]
    best = max(map(scored, by_scales), key=_Candidate.total)
    if prediction.patterns.n_patterns > 0:
        beside = scored(replace(best.prediction, patterns=prediction.patterns))
        best = max(best, beside, key=_Candidate.total)
    _, late, neurons = held_out
    judged = late.restrict(scored_epochs(late, history_window_s)).select(np.array(neurons))
    null_rate_hz = held_out.early.rate_hz[np.array(neurons)]
    score = bits_per_spike(best.nats, judged.n_spikes, judged.duration_s, null_rate_hz)
    return ChosenScales(best.prediction, score.mean)


def _held_out_nats(
    prediction: SpikePrediction,
    held_out: HeldOut,
    history_window_s: float,
    start: Sequence[RateParameters],
) -> Float[np.ndarray, " chosen"]:
    """Log-likelihood of late spikes of some neurons, each fitted to the early ones of all."""
    early, late, neurons = held_out
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
