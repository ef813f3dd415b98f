"""The fit of a `SynapseModel` in steps, each of which can be saved."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.sorting_artefacts import SortingArtefact
from spikeweft.results.correlograms import Correlograms
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.runtime.training_loop import Progress
from spikeweft.synapse_model.connections.correlograms import correlograms_of, most_probable
from spikeweft.synapse_model.connections.empirical_bayes import (
    infer_connections,
    weigh_connections,
)
from spikeweft.synapse_model.connections.pair_counts import Kernels, PairCounts, count_pairs_of
from spikeweft.synapse_model.connections.pair_inference import PairInference
from spikeweft.synapse_model.prediction.number_of_patterns import choose_patterns
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction
from spikeweft.synapse_model.prediction.time_scales import choose_time_scales
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.population_coupling import share_of_state
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.slow_patterns import PatternState, SlowPatterns, around
from spikeweft.synapse_model.rates.states import States
from spikeweft.synapse_model.rates.timeline import Timeline

STATE_WIDTHS_S = (0.015, 0.05, 0.2)
"""Time scales of the population rate (chosen on simulated networks)."""

_N_NEWTON, _N_NEXT_NEWTON = 10, 4

_SENT = 0.9
"""Probability above which a connection is part of the rate of the neuron that receives it."""

_FEWEST_FOR_STATE = 8
"""Firing neurons below which no state is assumed: the few others would be the sender itself."""

_SURE = 0.5
"""Probability below which no latency is stated."""

_MOST_KEPT_PAIRS = 300
"""Pairs whose first counts are kept, from which those to look at are chosen at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSynapseModel:
    """A fitted model: its circuit, and all that it takes to predict spikes.

    Attributes
    ----------
    prediction
        The rate of every neuron given the past.
    weights, standard_error, probability, latency_s, latency_sd_s
        The circuit, as in `Connectivity`.
    excitatory_probability, angle_rad
        Of its neurons, as in `Connectivity`.
    shared_state_gain, state_share
        As in `SynapseModel`.
    correlograms
        Of the most probable connections.
    """

    prediction: SpikePrediction
    weights: Float[np.ndarray, "post pre"]
    standard_error: Float[np.ndarray, "post pre"]
    probability: Float[np.ndarray, "post pre"]
    latency_s: Float[np.ndarray, "post pre"]
    latency_sd_s: Float[np.ndarray, "post pre"]
    excitatory_probability: Float[np.ndarray, " neuron"]
    shared_state_gain: Float[np.ndarray, "neuron state"]
    state_share: Float[np.ndarray, " neuron"]
    angle_rad: Float[np.ndarray, " neuron"] | None
    correlograms: Correlograms

    def connectivity(self, neuron_ids: tuple[str, ...]) -> Connectivity:
        """The circuit, with names and metadata."""
        return Connectivity(
            weights=self.weights,
            standard_error=self.standard_error,
            probability=self.probability,
            latency_s=self.latency_s,
            latency_sd_s=self.latency_sd_s,
            excitatory_probability=self.excitatory_probability,
            neuron_ids=neuron_ids,
            angle_rad=self.angle_rad,
            metadata={
                "method": "SynapseModel",
                "structure": "sparse connections",
                "step_s": self.prediction.step_s,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """All that the next steps of a fit depend on.

    Attributes
    ----------
    n_steps
        Steps taken.
    patterns
        The slow patterns that neurons share.
    nats_per_spike
        Negative log-likelihood of the training spikes.
    held_out_bits
        Bits per spike of the held-out part, once it is scored.
    rates
        Of each neuron, as connections were counted.
    state_share
        As in `SynapseModel`.
    counts
        Of the pairs that are most probably connected, where neurons know nothing of each other.
    connections
        What was last inferred of all pairs.
    prediction
        The rate of every neuron given the past.
    """

    n_steps: int = 0
    patterns: SlowPatterns | None = None
    nats_per_spike: float = float("nan")
    held_out_bits: float = float("nan")
    rates: tuple[RateParameters, ...] = ()
    state_share: Float[np.ndarray, " neuron"] | None = None
    counts: PairCounts | None = None
    connections: PairInference | None = None
    prediction: SpikePrediction | None = None


class SynapseFit:
    """The fit of one recording, as a `training_loop.Trainable`."""

    def __init__(
        self,
        recording: Recording,
        step_s: float,
        history_window_s: float,
        known_excitatory: Float[np.ndarray, " neuron"],
        artefacts: list[SortingArtefact],
        seed: int,
    ) -> None:
        self._recording, self._step_s, self._window_s = recording, step_s, history_window_s
        self._known_excitatory, self._artefacts, self._seed = known_excitatory, artefacts, seed
        self._reached = _Reached()
        n_firing = int((recording.n_spikes > 0).sum())
        self._widths_s = STATE_WIDTHS_S if n_firing >= _FEWEST_FOR_STATE else ()
        self._steps = {
            "connections": self._infer_alone,
            "connections, given what others send": self._infer_together,
            "time scales of the population rate": self._choose_scales,
            "prediction": self._predict,
        }

    # -- being a Trainable --

    def advance(self) -> Progress | None:
        """Take the next step."""
        reached = self._reached
        if reached.n_steps == len(self._steps):
            return None
        stage = list(self._steps)[reached.n_steps]
        self._reached = replace(self._steps[stage](reached), n_steps=reached.n_steps + 1)
        return Progress(
            stage=stage,
            step=self._reached.n_steps,
            loss=self._reached.nats_per_spike,
            held_out_bits_per_spike=self._reached.held_out_bits,
        )

    def state(self) -> dict[str, np.ndarray]:
        """All that the next steps depend on, as arrays."""
        return to_arrays(self._reached)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` gave."""
        self._reached = from_arrays(_Reached, state)

    # -- its steps --

    def _infer_alone(self, reached: _Reached) -> _Reached:
        """Connections of neurons that know nothing of each other but the states they share."""
        reached = replace(reached, patterns=self._patterns())
        rates = self._rates(reached)
        counts = rates.count_pairs(None).without_artefacts(self._artefacts)
        rng = np.random.default_rng(self._seed)
        found = infer_connections(counts, self._known_excitatory, rng)
        shares = np.array(rates.state_share)
        kept = counts.of(most_probable(counts, found)[:_MOST_KEPT_PAIRS])
        return replace(self._with(reached, rates, found), state_share=shares, counts=kept)

    def _infer_together(self, reached: _Reached) -> _Reached:
        """Connections, given what likely ones send.

        One is as likely as it seems in both views: a chain of two looks like a connection only
        while nothing is known of its links, and what is taken out of a rate wrongly looks like one
        only afterwards.
        """
        first = reached.connections
        assert first is not None
        likely = first.probability.sum(2) > _SENT
        if not likely.any():
            return reached
        rates = self._rates(reached)
        counts = rates.count_pairs(first.kernel * likely[:, :, None])
        found = weigh_connections(counts.without_artefacts(self._artefacts), first.priors)
        return self._with(reached, rates, found.at_most(first.probability))

    def _choose_scales(self, reached: _Reached) -> _Reached:
        assert reached.connections is not None
        assert reached.patterns is not None
        prediction = SpikePrediction(
            step_s=self._step_s,
            time_constants_s=np.zeros(0),
            rate_hz=self._recording.rate_hz,
            kernels=reached.connections.kernel,
            patterns=reached.patterns,
        )
        prediction, bits = choose_time_scales(
            prediction, self._recording, self._window_s, reached.rates
        )
        return replace(reached, prediction=prediction, held_out_bits=bits)

    def _predict(self, reached: _Reached) -> _Reached:
        assert reached.prediction is not None
        prediction = reached.prediction.fitted(self._recording, self._window_s, reached.rates)
        return replace(reached, prediction=prediction)

    def _patterns(self) -> SlowPatterns:
        recording = self._recording
        if len(self._widths_s) == 0:
            return SlowPatterns.none(recording.n_neurons)
        return choose_patterns(recording, self._step_s, self._window_s)

    def _rates(self, reached: _Reached) -> "Rates":
        assert reached.patterns is not None
        timeline = Timeline.of(self._recording, self._step_s, self._window_s)
        population = SharedState.of(timeline, self._widths_s)
        patterns = PatternState(reached.patterns, timeline, around)
        return Rates(timeline, States(timeline, population, patterns), reached.rates)

    def _with(self, reached: _Reached, rates: "Rates", found: PairInference) -> _Reached:
        nats_per_spike = -rates.log_likelihood / max(rates.n_spikes, 1) + np.log(self._step_s)
        return replace(
            reached,
            rates=tuple(rates.parameters),
            connections=found,
            nats_per_spike=float(nats_per_spike),
        )

    # -- what was found --

    @property
    def found(self) -> FittedSynapseModel:
        """The fitted model."""
        reached, inferred = self._reached, self._reached.connections
        assert inferred is not None
        assert reached.prediction is not None
        assert reached.state_share is not None
        assert reached.counts is not None
        probability = inferred.probability.sum(2)
        stated = probability > _SURE
        fires = self._recording.n_spikes > 0
        informed = fires[:, None] & fires
        return FittedSynapseModel(
            prediction=reached.prediction,
            weights=np.where(informed, inferred.area * self._step_s, 0.0),
            standard_error=np.where(informed, inferred.area_sd * self._step_s, np.inf),
            probability=probability,
            latency_s=np.where(stated, inferred.latency_s, np.nan),
            latency_sd_s=np.where(stated, inferred.latency_sd_s, np.nan),
            excitatory_probability=inferred.excitatory,
            shared_state_gain=np.array([found.gains for found in reached.rates]),
            state_share=reached.state_share,
            angle_rad=self._recording.preferred_angle_rad,
            correlograms=correlograms_of(reached.counts, inferred),
        )


class Rates:
    """The rates of all neurons on a timeline, each fitted when it is asked for."""

    def __init__(
        self, timeline: Timeline, states: States, known: tuple[RateParameters, ...]
    ) -> None:
        self._timeline, self._states, self._known = timeline, states, known
        self._own_history = OwnHistory.of(timeline.step_s)
        self.parameters: list[RateParameters] = []
        self.state_share: list[float] = []
        self.log_likelihood, self.n_spikes = 0.0, 0

    @property
    def n_neurons(self) -> int:
        """How many neurons there are."""
        return self._timeline.n_neurons

    def count_pairs(self, sent: Kernels | None) -> PairCounts:
        """Count all pairs, where neurons receive these kernels."""
        before = self._known

        def rate_of(neuron: int) -> NeuronRate:
            state = self._states.without(neuron)
            received = None if sent is None else self._received(sent[neuron])
            rate = NeuronRate(self._timeline, neuron, state, self._own_history, received)
            start, n_steps = (
                (before[neuron], _N_NEXT_NEWTON) if before else (rate.start(), _N_NEWTON)
            )
            self.parameters.append(rate.fit(start, n_steps))
            self.state_share.append(share_of_state(self._timeline, neuron, state))
            self.log_likelihood += rate.log_likelihood()
            self.n_spikes += len(self._timeline.scored_train(neuron))
            return rate

        return count_pairs_of(self._timeline, rate_of, sent)

    def _received(self, kernels: Float[np.ndarray, "pre lag"]) -> Float[np.ndarray, " step"]:
        total = np.zeros(self._timeline.n_steps, dtype=np.float32)
        for pre in np.flatnonzero(kernels.any(1)):
            add_after_spikes(total, self._timeline.trains[pre], kernels[pre].astype(np.float32), 1)
        return total
