"""Monosynaptic connections with latencies: `SynapseModel`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.sorting_artefacts import (
    SortingArtefact,
    describe_artefacts,
    resolves_artefacts,
    sorting_artefacts,
)
from spikeweft.errors import InputError
from spikeweft.estimator import ResumablePredictor, check_enough_neurons, saved_by_this_version
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.runtime.training_loop import Progress, train
from spikeweft.synapse_model.connections.empirical_bayes import PairInference, infer_connections
from spikeweft.synapse_model.connections.pair_counts import (
    LONGEST_LAG_S,
    Kernels,
    PairCounts,
    count_pairs_of,
)
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction
from spikeweft.synapse_model.prediction.time_scales import choose_time_scales
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.population_coupling import share_of_state
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.timeline import Timeline

STATE_WIDTHS_S = (0.015, 0.05, 0.2)
"""Time scales of the population rate (chosen on simulated networks)."""

_N_ITERATIONS, _N_NEXT_ITERATIONS = 4, 2

_N_NEWTON, _N_NEXT_NEWTON = 10, 4

_SENT = 0.9
"""Probability above which a connection is part of the rate of the neuron that receives it."""

_FEWEST_FOR_STATE = 8
"""Firing neurons below which no state is assumed: the few others would be the sender itself."""

_SHORTEST_STEP_S = 1e-4

_RESOLVES_ONSETS_S = 0.002

_SURE = 0.5
"""Probability below which no latency is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSynapseModel:
    """A fitted model: its circuit, and all that it takes to predict spikes.

    Attributes
    ----------
    prediction
        The rate of every neuron given the past.
    weights, standard_error, probability, latency_s, excitatory_probability, angle_rad
        The circuit, as in `Connectivity`.
    latency_sd_s, shared_state_gain, state_share
        As in `SynapseModel`.
    """

    prediction: SpikePrediction
    weights: Float[np.ndarray, "post pre"]
    standard_error: Float[np.ndarray, "post pre"]
    probability: Float[np.ndarray, "post pre"]
    latency_s: Float[np.ndarray, "post pre"]
    latency_sd_s: Float[np.ndarray, "post pre"]
    excitatory_probability: Float[np.ndarray, " neuron"]
    shared_state_gain: Float[np.ndarray, "neuron scale"]
    state_share: Float[np.ndarray, " neuron"]
    angle_rad: Float[np.ndarray, " neuron"] | None

    def connectivity(self, neuron_ids: tuple[str, ...]) -> Connectivity:
        """The circuit, with names and metadata."""
        return Connectivity(
            weights=self.weights,
            standard_error=self.standard_error,
            probability=self.probability,
            latency_s=self.latency_s,
            excitatory_probability=self.excitatory_probability,
            neuron_ids=neuron_ids,
            angle_rad=self.angle_rad,
            metadata={
                "method": "SynapseModel",
                "structure": "sparse connections",
                "step_s": self.prediction.step_s,
            },
        )


class SynapseModel(ResumablePredictor):
    r"""Which neurons of a sparse circuit are connected, how surely, and with what latency.

    The rate of each neuron is that of a point process,

    .. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k,-i}(t) + \sum_s h_i(t - s)
              + \sum_j \sum_s k_{ij}(t - s),

    with the log population rate :math:`z_{k,-i}` of all other neurons at several time scales (Okun
    et al. 2015, Nature 521:511), own history :math:`h_i` and, for each connection, a kernel that
    begins with a latency. What a pair of neurons shows around each other's spikes beyond their
    rates is weighed by nine hypotheses: no connection, an excitatory or an inhibitory one, in each
    direction; all of them with smooth bumps as pairs without connections have them too (compare the
    hollow Gaussian of Stark & Abeles 2009, whose strength and width are estimated here). How often
    neurons connect, how strongly, how late, in what shape and how large the bumps are is estimated
    from all pairs (empirical Bayes), as is which neurons excite and which inhibit.

    Spikes are predicted from the past alone: by own history, the posterior mean kernels, with a
    gain of all that excite a neuron and one of all that inhibit it, and the past population rate of
    all others. Held-out spikes choose at which time scales that is remembered, if at all.

    For sparse circuits with sharp synapses. On a ring of densely connected neurons, whose slow
    states are the circuit, use `CircuitGNN`.

    Parameters
    ----------
    step_s
        Time step in seconds, rounded to a multiple of the time resolution. Latencies are resolved
        to a step; half a millisecond separates sharp onsets from synchrony better than the 1 ms
        chosen here, and takes about three times as long.
    history_window_s
        Start of each epoch that is not scored, because its past is not known.
    random_state
        Seed of the choice of pairs from which what all have in common is estimated.

    Attributes
    ----------
    connectivity_
        Weights are the posterior mean of the area under each kernel: the change of log rate that
        one presynaptic spike leaves, times its duration in seconds; `probability` is that of a
        connection, `latency_s` its latency where that is above a half, `excitatory_probability`
        the type of each neuron.
    latency_sd_s_
        Posterior standard deviation of each latency, NaN where none is stated.
    kernels_
        Posterior mean of what a spike adds to the log rate, (post, pre, lag), from one step on.
    shared_state_gain_
        Change of each neuron's log rate per unit of the log population rate, by time scale.
    state_share_
        How much of each neuron's spiking the state that all share explains: the share of the
        deviance of its spike counts in 50 ms, from 0 to 1 (`rates.population_coupling`).
    prediction_
        The rate of every neuron given the past alone.
    step_s_
        Time step used.
    warnings_
        What was left out, and why, in a sentence each.
    """

    model_: FittedSynapseModel
    kernels_: Kernels
    latency_sd_s_: Float[np.ndarray, "post pre"]
    shared_state_gain_: Float[np.ndarray, "neuron scale"]
    state_share_: Float[np.ndarray, " neuron"]
    prediction_: SpikePrediction

    def __init__(
        self,
        *,
        step_s: float = 0.001,
        history_window_s: float = HISTORY_WINDOW_S,
        random_state: int = 0,
    ) -> None:
        self.step_s = step_s
        self.history_window_s = history_window_s
        self.random_state = random_state

    def fit(
        self,
        X: Recording,
        y: None = None,  # noqa: ARG002
        *,
        checkpoint: Path | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Parameters
        ----------
        X
            The recording; its last tenth chooses the time scales of the past population rate.
        checkpoint
            File to save each step to, and to take up where it exists.
        on_progress
            Called after each step, with the past ones too where training is taken up.

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the history
            window, where the step makes no sense, or the checkpoint is damaged or of other
            settings or data.
        """
        self.check_recording(X)
        step_s = self._whole_step_s(X)
        artefacts = sorting_artefacts(X)
        self.warnings_ = _coarse(step_s) + (
            tuple(describe_artefacts(X, artefacts)) if resolves_artefacts(X) else ()
        )
        fit = _Fit(X, step_s, self.history_window_s, artefacts, self.random_state)
        self.history_ = []
        with threadpool_limits(1, user_api="blas"):
            for progress in train(fit, self._checkpoint_settings(X), checkpoint):
                self.history_.append(progress)
                if on_progress is not None:
                    on_progress(progress)
        self._keep(fit.found, X.neuron_ids)
        return self

    def check_recording(self, X: Recording) -> None:
        """Refuse settings that cannot be used with this recording.

        Raises
        ------
        InputError
            Where one cannot.
        """
        check_enough_neurons(X)
        self._whole_step_s(X)
        if len(scored_epochs(X, self.history_window_s)) == 0:
            raise InputError(
                f"no epoch is longer than the history window of {self.history_window_s:g} s; use "
                "longer epochs"
            )

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        return self.prediction_.log_likelihood(X, self.history_window_s)

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before."""
        self.check_fitted(X)
        return self.prediction_.expected_counts(X, bin_s)

    def model_arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays."""
        return to_arrays(self.model_)

    def model_settings(self) -> dict[str, Any]:
        """The settings, and the names of the neurons, as plain values."""
        return {**self.get_params(), "neuron_ids": list(self.connectivity_.neuron_ids)}

    @classmethod
    def from_saved(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `model_arrays` and `model_settings` gave.

        Raises
        ------
        InputError
            Where another version of spikeweft saved them.
        """
        with saved_by_this_version():
            given = dict(settings)
            names = tuple(given.pop("neuron_ids"))
            estimator = cls(**given)
            estimator._keep(from_arrays(FittedSynapseModel, arrays), names)
        return estimator

    def _keep(self, model: FittedSynapseModel, neuron_ids: tuple[str, ...]) -> None:
        self.model_ = model
        self.prediction_ = model.prediction
        self.kernels_, self.step_s_ = model.prediction.kernels, model.prediction.step_s
        self.latency_sd_s_ = model.latency_sd_s
        self.shared_state_gain_, self.state_share_ = model.shared_state_gain, model.state_share
        self.null_rate_hz_ = model.prediction.rate_hz
        self.connectivity_ = model.connectivity(neuron_ids)

    def _checkpoint_settings(self, X: Recording) -> dict[str, Any]:
        return {**self.get_params(), "estimator": type(self).__name__, "recording": X.digest()}

    def _whole_step_s(self, X: Recording) -> float:
        if not _SHORTEST_STEP_S <= self.step_s <= LONGEST_LAG_S / 2:
            raise InputError(
                f"a time step of {self.step_s:g} s does not suit latencies of some milliseconds; "
                f"choose one from {_SHORTEST_STEP_S:g} to {LONGEST_LAG_S / 2:g} s"
            )
        if X.time_resolution_s > LONGEST_LAG_S / 2:
            raise InputError(
                f"spike times come in steps of {X.time_resolution_s:g} s, too coarse for latencies "
                "of some milliseconds; use times as they were recorded"
            )
        return max(1, round(self.step_s / X.time_resolution_s)) * X.time_resolution_s


def _coarse(step_s: float) -> tuple[str, ...]:
    if step_s <= _RESOLVES_ONSETS_S:
        return ()
    return (
        f"steps of {1e3 * step_s:g} ms do not show the sharp onset by which a connection "
        "is told from synchrony, so hardly any can be sure; use spike times as they were "
        "recorded",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """All that the next steps of a fit depend on.

    Attributes
    ----------
    n_steps
        Steps taken.
    nats_per_spike
        Negative log-likelihood of the training spikes.
    held_out_bits
        Bits per spike of the held-out part, once it is scored.
    rates
        Of each neuron, as connections were counted.
    state_share
        As in `SynapseModel`.
    connections
        What was last inferred of all pairs.
    prediction
        The rate of every neuron given the past.
    """

    n_steps: int = 0
    nats_per_spike: float = float("nan")
    held_out_bits: float = float("nan")
    rates: tuple[RateParameters, ...] = ()
    state_share: Float[np.ndarray, " neuron"] | None = None
    connections: PairInference | None = None
    prediction: SpikePrediction | None = None


class _Fit:
    """The fit of one recording, as a `training_loop.Trainable`."""

    def __init__(
        self,
        recording: Recording,
        step_s: float,
        history_window_s: float,
        artefacts: list[SortingArtefact],
        seed: int,
    ) -> None:
        self._recording, self._step_s, self._window_s = recording, step_s, history_window_s
        self._artefacts, self._seed = artefacts, seed
        self._reached = _Reached()
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
        """Connections of neurons that know nothing of each other."""
        rates = self._rates(())
        counts = rates.count_pairs(None).without_artefacts(self._artefacts)
        rng = np.random.default_rng(self._seed)
        found = infer_connections(counts, rates.n_neurons, rng, _N_ITERATIONS)
        shares = np.array(rates.state_share)
        return replace(self._with(reached, rates, found), state_share=shares)

    def _infer_together(self, reached: _Reached) -> _Reached:
        """Connections, given what likely ones send."""
        first = reached.connections
        assert first is not None
        rates = self._rates(reached.rates)
        likely = first.probability.sum(2) > _SENT
        counts = rates.count_pairs(first.kernel * likely[:, :, None])
        rng = np.random.default_rng([self._seed, 1])
        found = infer_connections(
            counts.without_artefacts(self._artefacts),
            rates.n_neurons,
            rng,
            _N_NEXT_ITERATIONS,
            first.prior,
        )
        return self._with(reached, rates, found)

    def _choose_scales(self, reached: _Reached) -> _Reached:
        assert reached.connections is not None
        prediction = SpikePrediction(
            step_s=self._step_s,
            time_constants_s=np.zeros(0),
            rate_hz=self._recording.rate_hz,
            kernels=reached.connections.kernel,
        )
        prediction, bits = choose_time_scales(
            prediction, self._recording, self._window_s, reached.rates
        )
        return replace(reached, prediction=prediction, held_out_bits=bits)

    def _predict(self, reached: _Reached) -> _Reached:
        assert reached.prediction is not None
        prediction = reached.prediction.fitted(self._recording, self._window_s, reached.rates)
        return replace(reached, prediction=prediction)

    def _rates(self, known: tuple[RateParameters, ...]) -> "_Rates":
        return _Rates(Timeline.of(self._recording, self._step_s, self._window_s), known)

    def _with(self, reached: _Reached, rates: "_Rates", found: PairInference) -> _Reached:
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
            excitatory_probability=inferred.prior.excitatory,
            shared_state_gain=np.array([found.gains for found in reached.rates]),
            state_share=reached.state_share,
            angle_rad=self._recording.preferred_angle_rad,
        )


class _Rates:
    """The rates of all neurons on a timeline, each fitted when it is asked for."""

    def __init__(self, timeline: Timeline, known: tuple[RateParameters, ...]) -> None:
        self._timeline, self._known = timeline, known
        self._own_history = OwnHistory.of(timeline.step_s)
        n_firing = sum(len(train) > 0 for train in timeline.trains)
        widths_s = STATE_WIDTHS_S if n_firing >= _FEWEST_FOR_STATE else ()
        self._state = SharedState.of(timeline, widths_s)
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
            state = self._state.without(self._timeline, neuron)
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
