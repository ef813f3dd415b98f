"""Monosynaptic connections with latencies: `SynapseModel`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.sorting_artefacts import (
    describe_artefacts,
    resolves_artefacts,
    sorting_artefacts,
)
from spikeweft.errors import InputError
from spikeweft.estimator import (
    ResumablePredictor,
    check_enough_neurons,
    check_whole_numbers,
    saved_by_this_version,
)
from spikeweft.results.correlograms import Correlograms
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.runtime.training_loop import Progress, train
from spikeweft.synapse_model.connections.pair_counts import LONGEST_LAG_S, Kernels
from spikeweft.synapse_model.needed_memory import needed_memory_mb
from spikeweft.synapse_model.prediction.spike_prediction import SpikePrediction
from spikeweft.synapse_model.synapse_fit import FittedSynapseModel, SynapseFit

_SHORTEST_STEP_S = 1e-4

_RESOLVES_ONSETS_S = 0.002

_EXCITES = {"excitatory": 1.0, "inhibitory": 0.0}


class SynapseModel(ResumablePredictor):
    r"""Which neurons of a sparse circuit are connected, how surely, and with what latency.

    The rate of each neuron is that of a point process,

    .. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k,-i}(t) + \sum_r c_{ir} p_{r,-i}(t)
              + \sum_s h_i(t - s) + \sum_j \sum_s k_{ij}(t - s),

    with the log population rate :math:`z_{k,-i}` of all other neurons at several time scales (Okun
    et al. 2015, Nature 521:511), slow patterns :math:`p_{r,-i}` that excite some neurons and
    inhibit others, as all others tell of them (their number, if any, is chosen by held-out spikes),
    own history :math:`h_i` and, for each connection, a kernel that begins with a latency. What a
    pair of neurons shows around each other's spikes beyond their rates is weighed by ten
    hypotheses: no connection, an excitatory or an inhibitory one, in each direction, or no
    connection and a peak that hidden neurons passed on; all of them with smooth bumps as pairs
    without connections have them too (compare the hollow Gaussian of Stark & Abeles 2009, whose
    strength and width are estimated here). How often neurons connect, how strongly, how late, in
    what shape and how large the bumps are is estimated from all pairs (empirical Bayes), as is
    which neurons excite and which inhibit.

    Spikes are predicted from the past alone: by own history, the posterior mean kernels, with a
    gain of all that excite a neuron and one of all that inhibit it, and the past population rate
    and slow patterns of all others. Held-out spikes choose at which time scales the rate is
    remembered, and whether either is of use.

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
    cell_types
        "excitatory" or "inhibitory" by name of neuron, of those whose type is known; that of the
        others is inferred.
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
    correlograms_
        Cross-correlograms of the most probable connections, at most 60 pairs: coincidences as they
        were counted, the smooth null that fits best beside the connections, and both together.
    shared_state_gain_
        Change of each neuron's log rate per unit of the log population rate, by time scale, and of
        each slow pattern.
    state_share_
        How much of each neuron's spiking the state that all share explains: the share of the
        deviance of its spike counts in 50 ms, from 0 to 1 (`rates.population_coupling`); NaN where
        too few neurons fire for a shared state.
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
    shared_state_gain_: Float[np.ndarray, "neuron state"]
    state_share_: Float[np.ndarray, " neuron"]
    correlograms_: Correlograms
    prediction_: SpikePrediction

    def __init__(
        self,
        *,
        step_s: float = 0.001,
        history_window_s: float = HISTORY_WINDOW_S,
        cell_types: Mapping[str, str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.step_s = step_s
        self.history_window_s = history_window_s
        self.cell_types = cell_types
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
            window, where the step or a cell type makes no sense, or the checkpoint is damaged or
            of other settings or data.
        """
        self.check_recording(X)
        step_s = self._whole_step_s(X)
        artefacts = sorting_artefacts(X)
        self.warnings_ = _coarse(step_s) + (
            tuple(describe_artefacts(X, artefacts, "lags around 0 say nothing of them"))
            if resolves_artefacts(X)
            else ()
        )
        known = self._known_types(X)
        fit = SynapseFit(X, step_s, self.history_window_s, known, artefacts, self.random_state)
        self.history_ = []
        with threadpool_limits(1, user_api="blas"):
            for progress in train(fit, self._checkpoint_settings(X), checkpoint):
                self.history_.append(progress)
                if on_progress is not None:
                    on_progress(progress)
        self._keep(fit.found, X.neuron_ids)
        return self

    def needed_memory_mb(self, X: Recording) -> float:
        """Memory in MiB that a fit takes beside what is in use already."""
        return needed_memory_mb(X.n_neurons, X.duration_s, self._whole_step_s(X))

    def check_recording(self, X: Recording) -> None:
        """Refuse settings that cannot be used with this recording.

        Raises
        ------
        InputError
            Where one cannot.
        """
        check_enough_neurons(X)
        check_whole_numbers(self)
        if not 0 <= self.history_window_s < np.inf:
            raise InputError(
                f"a history window of {self.history_window_s:g} s is not a length of time; give 0 "
                "or more"
            )
        self._whole_step_s(X)
        self._known_types(X)
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
        self.latency_sd_s_, self.correlograms_ = model.latency_sd_s, model.correlograms
        self.shared_state_gain_, self.state_share_ = model.shared_state_gain, model.state_share
        self.null_rate_hz_ = model.prediction.rate_hz
        self.connectivity_ = model.connectivity(neuron_ids)

    def _checkpoint_settings(self, X: Recording) -> dict[str, Any]:
        return {**self.get_params(), "estimator": type(self).__name__, "recording": X.digest()}

    def _known_types(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """1 where a neuron is known to excite, 0 where it inhibits, NaN where nothing is known."""
        known, position = np.full(X.n_neurons, np.nan), {n: k for k, n in enumerate(X.neuron_ids)}
        for name, cell_type in (self.cell_types or {}).items():
            if name not in position:
                raise InputError(f"no neuron is called '{name}'; name those of the recording")
            if cell_type not in _EXCITES:
                raise InputError(
                    f"neuron '{name}' cannot be '{cell_type}'; call it 'excitatory' or 'inhibitory'"
                )
            known[position[name]] = _EXCITES[cell_type]
        return known

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
