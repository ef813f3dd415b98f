"""Monosynaptic connections with latencies: `SynapseModel`."""

from typing import Self

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
from spikeweft.estimator import CircuitEstimator, check_enough_neurons
from spikeweft.synapse_model.connections.empirical_bayes import (
    PairInference,
    infer_connections,
    weigh_connections,
)
from spikeweft.synapse_model.connections.pair_counts import (
    LONGEST_LAG_S,
    Kernels,
    PairCounts,
    count_pairs_of,
)
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate, RateParameters
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.rate_kernels import add_after_spikes
from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.timeline import Timeline

STATE_WIDTHS_S = (0.015, 0.05, 0.2)
"""Time scales of the population rate (chosen on simulated networks)."""

_N_NEWTON, _N_NEXT_NEWTON = 10, 4

_SENT = 0.9
"""Probability above which a connection is part of the rate of the neuron that receives it."""

_FEWEST_FOR_STATE = 8
"""Firing neurons below which no state is assumed: the few others would be the sender itself."""

_SHORTEST_STEP_S = 1e-4

_RESOLVES_ONSETS_S = 0.002

_SURE = 0.5
"""Probability below which no latency is stated."""


class SynapseModel(CircuitEstimator):
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

    For sparse circuits with sharp synapses. On a ring of densely connected neurons, whose slow
    states are the circuit, use `CircuitGNN`.

    Parameters
    ----------
    step_s
        Time step in seconds, rounded to a multiple of the time resolution. Latencies are resolved
        to a step; half a millisecond separates sharp onsets from synchrony better than the 1 ms
        chosen here, and takes about three times as long.
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
    step_s_
        Time step used.
    warnings_
        What was left out, and why, in a sentence each.
    """

    kernels_: Kernels
    latency_sd_s_: Float[np.ndarray, "post pre"]
    shared_state_gain_: Float[np.ndarray, "neuron scale"]
    warnings_: tuple[str, ...] = ()

    def __init__(self, *, step_s: float = 0.001, random_state: int = 0) -> None:
        self.step_s = step_s
        self.random_state = random_state

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the history
            window, or where the step makes no sense.
        """
        check_enough_neurons(X)
        self.step_s_ = self._whole_step_s(X)
        if len(scored_epochs(X, HISTORY_WINDOW_S)) == 0:
            raise InputError(
                f"no epoch is longer than the history window of {HISTORY_WINDOW_S:g} s; use longer "
                "epochs"
            )
        artefacts = sorting_artefacts(X)
        self.warnings_ = self._coarse() + (
            tuple(describe_artefacts(X, artefacts)) if resolves_artefacts(X) else ()
        )
        rates = _Rates(Timeline.of(X, self.step_s_, HISTORY_WINDOW_S))
        with threadpool_limits(1, user_api="blas"):
            self._keep(self._infer(rates, artefacts), rates, X)
        return self

    def _infer(self, rates: "_Rates", artefacts: list[SortingArtefact]) -> PairInference:
        """Connections of neurons that know nothing of each other, then of what those send."""
        rng = np.random.default_rng(self.random_state)
        alone = rates.count_pairs(None).without_artefacts(artefacts)
        first = infer_connections(alone, rates.n_neurons, rng)
        likely = first.probability.sum(2) > _SENT
        together = rates.count_pairs(first.kernel * likely[:, :, None])
        return weigh_connections(together.without_artefacts(artefacts), first.prior)

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

    def _coarse(self) -> tuple[str, ...]:
        if self.step_s_ <= _RESOLVES_ONSETS_S:
            return ()
        return (
            f"steps of {1e3 * self.step_s_:g} ms do not show the sharp onset by which a connection "
            "is told from synchrony, so hardly any can be sure; use spike times as they were "
            "recorded",
        )

    def _keep(self, inferred: PairInference, rates: "_Rates", X: Recording) -> None:
        probability = inferred.probability.sum(2)
        stated = probability > _SURE
        fires = X.n_spikes > 0
        informed = fires[:, None] & fires
        self.kernels_ = inferred.kernel
        self.latency_sd_s_ = np.where(stated, inferred.latency_sd_s, np.nan)
        self.shared_state_gain_ = np.array([found.gains for found in rates.parameters])
        self.connectivity_ = Connectivity(
            weights=np.where(informed, inferred.area * self.step_s_, 0.0),
            standard_error=np.where(informed, inferred.area_sd * self.step_s_, np.inf),
            probability=probability,
            latency_s=np.where(stated, inferred.latency_s, np.nan),
            excitatory_probability=inferred.prior.excitatory,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "SynapseModel", "step_s": self.step_s_},
        )


class _Rates:
    """The rates of all neurons on a timeline, each fitted when it is asked for."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._own_history = OwnHistory.of(timeline.step_s)
        n_firing = sum(len(train) > 0 for train in timeline.trains)
        widths_s = STATE_WIDTHS_S if n_firing >= _FEWEST_FOR_STATE else ()
        self._state = SharedState.of(timeline, widths_s)
        self.parameters: list[RateParameters] = []

    @property
    def n_neurons(self) -> int:
        """How many neurons there are."""
        return self._timeline.n_neurons

    def count_pairs(self, sent: Kernels | None) -> PairCounts:
        """Count all pairs, where neurons receive these kernels."""
        before, self.parameters = self.parameters, []

        def rate_of(neuron: int) -> NeuronRate:
            state = self._state.without(self._timeline, neuron)
            received = None if sent is None else self._received(sent[neuron])
            rate = NeuronRate(self._timeline, neuron, state, self._own_history, received)
            start, n_steps = (
                (before[neuron], _N_NEXT_NEWTON) if before else (rate.start(), _N_NEWTON)
            )
            self.parameters.append(rate.fit(start, n_steps))
            return rate

        return count_pairs_of(self._timeline, rate_of, sent)

    def _received(self, kernels: Float[np.ndarray, "pre lag"]) -> Float[np.ndarray, " step"]:
        total = np.zeros(self._timeline.n_steps, dtype=np.float32)
        for pre in np.flatnonzero(kernels.any(1)):
            add_after_spikes(total, self._timeline.trains[pre], kernels[pre].astype(np.float32), 1)
        return total
