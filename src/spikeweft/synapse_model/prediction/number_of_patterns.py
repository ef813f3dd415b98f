"""How many slow patterns neurons share: as few as predict held-out spikes well, or none."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.prediction.held_out import HeldOut
from spikeweft.synapse_model.prediction.past_state import past_states
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.slow_patterns import SlowPatterns
from spikeweft.synapse_model.rates.states import States
from spikeweft.synapse_model.rates.timeline import Timeline

NUMBERS = (1, 2, 3, 4, 6, 8)
"""Numbers of patterns among which held-out spikes choose, beside none."""

_TIME_CONSTANTS_S = np.array([0.01, 0.05, 0.25])
"""Of the past population rate beside which patterns have to help."""

_N_IN_VAIN = 2
"""Numbers in a row that predict no better, after which no more patterns are tried."""

_N_NEWTON, _N_NEXT_NEWTON = 10, 3


class _Tried(NamedTuple):
    """A number of patterns: held-out nats of each neuron that chooses, and its rate, by neuron."""

    number: int
    nats: Float[np.ndarray, " chosen"]
    rates: dict[int, RateParameters]


def choose_patterns(recording: Recording, step_s: float, history_window_s: float) -> SlowPatterns:
    """The slow patterns of a recording that help to predict it, beside the population rate.

    Rates without connections are fitted to what precedes the last tenth, which chooses: the fewest
    patterns that are within a standard error of the best (Breiman et al. 1984), and at most half as
    many as neurons that fire before it. States are those of the past: what follows a spike of a
    recurrent circuit is its consequence, and would be taken for a state of which it was a part.
    """
    held_out = HeldOut.of(recording, history_window_s)
    if held_out is None:
        return SlowPatterns.none(recording.n_neurons)
    n_firing = int((held_out.early.n_spikes > 0).sum())
    trial = _Trial(held_out, step_s, history_window_s)
    tried = [trial.of(0, {})]
    for number in NUMBERS:
        best = max(range(len(tried)), key=lambda k: tried[k].nats.sum())
        if number > n_firing // 2 or best < len(tried) - _N_IN_VAIN:
            break
        tried.append(trial.of(number, tried[-1].rates))
    timeline = Timeline.of(recording, step_s, history_window_s)
    return SlowPatterns.of(timeline, recording.rate_hz, _fewest_as_good(tried))


def _fewest_as_good(tried: list[_Tried]) -> int:
    best = max(tried, key=lambda each: each.nats.sum())

    def is_as_good(each: _Tried) -> bool:
        behind = best.nats - each.nats
        error = np.sqrt(len(behind)) * behind.std(ddof=1) if len(behind) > 1 else 0.0
        return bool(behind.sum() <= error)

    return next(each.number for each in tried if is_as_good(each))


class _Trial:
    """Rates with some number of patterns, fitted to the early spikes and scored by the late ones.

    Parameters
    ----------
    held_out
        Those spikes.
    step_s, history_window_s
        Time step, and what is not scored.
    """

    def __init__(self, held_out: HeldOut, step_s: float, history_window_s: float) -> None:
        self._held_out = held_out
        self._early = Timeline.of(held_out.early, step_s, history_window_s)
        self._late = Timeline.of(held_out.late, step_s, history_window_s)
        self._own_history = OwnHistory.of(step_s)

    def of(self, number: int, near: dict[int, RateParameters]) -> _Tried:
        """So many patterns, from rates with fewer of them, where there are some."""
        rate_hz = self._held_out.early.rate_hz
        patterns = SlowPatterns.of(self._early, rate_hz, number)
        before, after = (
            past_states(part, _TIME_CONSTANTS_S, rate_hz, patterns)
            for part in (self._early, self._late)
        )
        rates, nats = {}, []
        for neuron in self._held_out.neurons:
            rates[neuron] = self._fitted(before, neuron, near.get(neuron))
            scoring = NeuronRate(self._late, neuron, after.without(neuron), self._own_history)
            scoring.follow(rates[neuron])
            nats.append(scoring.log_likelihood())
        return _Tried(number, np.array(nats), rates)

    def _fitted(self, states: States, neuron: int, near: RateParameters | None) -> RateParameters:
        rate = NeuronRate(self._early, neuron, states.without(neuron), self._own_history)
        start = rate.start()
        if near is None:
            return rate.fit(start, _N_NEWTON)
        gains, n_scales = start.gains, len(_TIME_CONSTANTS_S)
        gains[:n_scales] = near.gains[:n_scales]  # patterns of another number are others
        return rate.fit(near._replace(gains=gains), _N_NEXT_NEWTON)
