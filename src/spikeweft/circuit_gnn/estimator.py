"""The method of this package: structure and spike prediction learned together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits

from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit
from spikeweft.circuit_gnn.fitting.deciding_neurons import left_out
from spikeweft.circuit_gnn.fitting.fit_state import FoundNeurons
from spikeweft.circuit_gnn.fitting.needed_memory import check_memory
from spikeweft.circuit_gnn.fitting.problem import MOST_SEARCHED, Problem
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood, rate_hz
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces, SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import FINEST_STEP_S
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import check_complete, named_covariates
from spikeweft.data.holdout import HISTORY_WINDOW_S, VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import (
    ResumablePredictor,
    check_enough_neurons,
    check_whole_numbers,
    saved_by_this_version,
)
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.runtime.training_loop import Progress, train
from spikeweft.runtime.workers import HERE, Workers

_FEWEST_NEURONS = 2
_LEAST_RATE_HZ = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedCircuitGNN:
    """A fitted model: all that it takes to predict spikes.

    Attributes
    ----------
    neuron_parameters
        Coefficient of each feature in each postsynaptic neuron's drive.
    link
        From drive to rate, shared by all neurons.
    inputs
        Synaptic kernel, rotation and hidden neurons.
    modelled
        Neurons that the model is about: those that fired in the training part. Any other has a
        constant rate and no known connection.
    null_rate_hz
        Mean rate of each neuron in the data it was fitted on.
    weights, standard_error, angle_rad
        The reported circuit, of observed neurons, as in `Connectivity`.
    """

    neuron_parameters: Float[np.ndarray, "modelled feature"]
    link: Link
    inputs: SynapticInputs
    modelled: Int[np.ndarray, " modelled"]
    null_rate_hz: Float[np.ndarray, " neuron"]
    weights: Float[np.ndarray, "post pre"]
    standard_error: Float[np.ndarray, "post pre"]
    angle_rad: Float[np.ndarray, " neuron"] | None

    def connectivity(
        self, neuron_ids: tuple[str, ...], metadata: Mapping[str, str | int | float]
    ) -> Connectivity:
        """The reported circuit, with names and metadata."""
        return Connectivity(
            weights=self.weights,
            neuron_ids=neuron_ids,
            standard_error=self.standard_error,
            angle_rad=self.angle_rad,
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutPrediction:
    """How likely the held-out spikes are under a fitted model, for a comparison with others.

    Attributes
    ----------
    epochs_s
        Scored epochs of the held-out part.
    log_likelihood
        Σ log λ(t_spike) - ∫λ dt in nats with rates in Hz; NaN for neurons that do not decide, or
        are not modelled.
    without_coupling
        The same where no neuron acts on another.
    """

    epochs_s: Float[np.ndarray, "epoch 2"]
    log_likelihood: Float[np.ndarray, " neuron"]
    without_coupling: Float[np.ndarray, " neuron"]


class CircuitGNN(ResumablePredictor):
    r"""Circuit inference by a graph network with narrow messages (after Yoon 2025).

    .. math::
        \log \lambda_i = p \log\,\mathrm{softplus}(u_i) + c, \qquad
        u_i(t) = \sum_j w_{ij} s_j(t) + \text{own history} + b_i, \qquad
        w_{ij} = \mathrm{MLP}(z_i, z_j)

    The message of neuron j is one number, its synaptic trace s_j; the decoder, shared by all
    neurons, is monotone. So a positive weight excites by construction. The weights come from a
    network on learned embeddings z where that predicts held-out spikes better than free weights
    do, and are the free weights, shrunk by an estimated prior, where it does not. How this departs
    from the paper, and why, is said in the documentation, page "method".

    Weights are in units of the postsynaptic log rate: the mean change right after one presynaptic
    spike, averaged over all spikes of all neurons. `standard_error` is that of each weight on its
    own, without what the network shares between pairs (Laplace); it is infinite where the spikes
    say less about the weight than its prior does: such a pair is not identifiable.

    Parameters
    ----------
    tau_s
        Time constant of an exponential synaptic kernel; where None, the training spikes determine
        the kernel, which may have a latency and a second exponential.
    history_window_s
        Start of each epoch that is not scored, because its past is not known.
    n_hidden
        Hidden neurons, placed between observed ones: on the ring where every preferred direction is
        known, else between neurons that the inferred circuit makes neighbours.
    covariates
        Names of the recording's covariates that enter every rate, an angle by 8 harmonics, an
        event by all its bumps.
    rotated_by
        Name of the covariate that shifts the columns of W along the ring, an angle (Yoon 2025, the
        external input θ); its gain is chosen by held-out spikes.
    random_state
        Seed of the quadrature times and of the networks.

    Attributes
    ----------
    held_out_
        How well it predicts the spikes that it held out from the fit, and chose by.
    workers
        Who fits blocks of neurons, where there are more than 500. Not a setting: whoever does, the
        result is the same.
    """

    problem_class = Problem
    workers: Workers = HERE
    model_: FittedCircuitGNN
    held_out_: HeldOutPrediction

    def __init__(
        self,
        tau_s: float | None = None,
        history_window_s: float = HISTORY_WINDOW_S,
        n_hidden: int = 0,
        covariates: tuple[str, ...] = (),
        rotated_by: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.tau_s = tau_s
        self.history_window_s = history_window_s
        self.n_hidden = n_hidden
        self.covariates = covariates
        self.rotated_by = rotated_by
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
            The recording; its last ninth chooses and stops but does not train.
        checkpoint
            File to save each step to, and to take up where it exists.
        on_progress
            Called after each step, with the past ones too where training is taken up.

        Raises
        ------
        InputError
            Where the recording is too small, or too large for the memory, settings do not fit it,
            or the checkpoint is damaged or of other settings or data.
        """
        self.check_recording(X)
        problem, modelled = self._posed(X)
        check_memory(problem, self.workers)
        circuit = CircuitFit(problem, self.workers)
        self.warnings_ = left_out(X, modelled, problem.deciding)
        self.history_ = []
        with threadpool_limits(1):
            known = {**self._checkpoint_settings(X), "plan": circuit.plan}
            for progress in train(circuit, known, checkpoint):
                self.history_.append(progress)
                if on_progress is not None:
                    on_progress(progress)
            self._take_result(X, modelled, circuit)
        return self

    def problem_of(self, X: Recording) -> Problem:
        """The problem that `fit` solves, of which nothing is computed yet.

        Raises
        ------
        InputError
            Where the recording is too small.
        """
        return self._posed(X)[0]

    def _posed(self, X: Recording) -> tuple[Problem, Int[np.ndarray, " modelled"]]:
        """The problem, and the neurons that it is about in its order."""
        training, held_out = split(X, VALIDATION_FRACTION)
        _check_long_enough(training, held_out, self.history_window_s)
        modelled = neurons_that_fire(training, self.history_window_s)
        if len(modelled) > MOST_SEARCHED:  # the first ones say what all share: any of them
            modelled = np.random.default_rng(self.random_state).permutation(modelled)
        training, held_out = (part.select(modelled) for part in (training, held_out))
        return self.problem_class(training, held_out, self._fit_settings(X)), modelled

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        model, traces = self.model_, self._traces(X, self.history_window_s)
        scored = X.restrict(scored_epochs(X, self.history_window_s))
        rate_hz = self._constant_rate_hz
        found = scored.n_spikes * np.log(rate_hz) - rate_hz * scored.duration_s
        found[model.modelled] = log_likelihood(traces, model.neuron_parameters, model.link)
        return found

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        Raises
        ------
        InputError
            Where bins are shorter than a millisecond, from one to the next of which rates are
            followed.
        """
        self.check_fitted(X)
        if bin_s < FINEST_STEP_S * (1 - 1e-9):
            raise InputError(
                f"bins of {1000 * bin_s:g} ms are shorter than the millisecond from which to the "
                "next rates are followed; choose bins of at least 1 ms"
            )
        bins, model = X.counts(bin_s), self.model_
        expected = np.zeros((len(bins.counts), len(model.modelled)))
        for part in self._traces(X, 0.0).parts:
            bin_of = np.searchsorted(bins.start_s, part.times_s + 1e-9, side="right") - 1
            rates = rate_hz(part, model.neuron_parameters, model.link)
            bin_of = np.clip(bin_of, 0, len(expected) - 1)
            np.add.at(expected, bin_of, rates * part.weight_s[:, None])
        found = bins.exposure_s[:, None] * self._constant_rate_hz
        found[:, model.modelled] = expected
        return found

    @property
    def _constant_rate_hz(self) -> Float[np.ndarray, " neuron"]:
        """Rate of neurons that are not modelled; low, but not zero, for one never seen."""
        return np.maximum(self.model_.null_rate_hz, _LEAST_RATE_HZ)

    def model_arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays."""
        return to_arrays(self.model_)

    def model_settings(self) -> dict[str, Any]:
        """The settings, and the names of the neurons, as plain values."""
        names = list(self.connectivity_.neuron_ids)
        return {**self._plain_settings(), "neuron_ids": names}

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
            given["covariates"] = tuple(given["covariates"])
            estimator = cls(**given)
            estimator.model_ = from_arrays(FittedCircuitGNN, arrays)
        estimator.null_rate_hz_ = estimator.model_.null_rate_hz
        estimator.connectivity_ = estimator.model_.connectivity(names, {})
        return estimator

    def _traces(self, X: Recording, history_window_s: float) -> CircuitTraces:
        """Traces at even times: of each bin, and the same for all models that are compared."""
        settings = replace(self._fit_settings(X), history_window_s=history_window_s)
        make = self.problem_class.traces_class
        modelled = X.select(self.model_.modelled)
        return make(modelled, settings, self.model_.inputs, [self.random_state], evenly=True)

    def _fit_settings(self, X: Recording) -> FitSettings:
        return FitSettings(
            tau_s=self.tau_s,
            history_window_s=self.history_window_s,
            n_hidden=self.n_hidden,
            covariates=named_covariates(X.covariates, self.covariates),
            rotated_by=self.rotated_by,
            seed=self.random_state,
        )

    def _plain_settings(self) -> dict[str, Any]:
        """The settings, fit for JSON."""
        return {**self.get_params(), "covariates": list(self.covariates)}

    def _checkpoint_settings(self, X: Recording) -> dict[str, Any]:
        name = type(self).__name__
        return {**self._plain_settings(), "estimator": name, "recording": X.digest()}

    def check_recording(self, X: Recording) -> None:
        """Refuse settings that cannot be used, or not with this recording.

        Raises
        ------
        InputError
            Where one cannot.
        """
        check_enough_neurons(X)
        check_whole_numbers(self, n_hidden=0)
        if self.tau_s is not None and not self.tau_s > 0:
            raise InputError(f"the time constant is {self.tau_s:g} s; give a positive one or None")
        used = [*named_covariates(X.covariates, self.covariates)]
        if self.rotated_by and self.rotated_by not in X.covariates:
            known = ", ".join(X.covariates) or "none"
            raise InputError(f"the recording has no covariate {self.rotated_by!r}; it has: {known}")
        for name in [*used, *([self.rotated_by] if self.rotated_by else [])]:
            check_complete(name, X.covariates[name])

    def _take_result(
        self, X: Recording, modelled: Int[np.ndarray, " modelled"], circuit: CircuitFit
    ) -> None:
        found = circuit.neurons()
        informed = (found.determined > 0.5) & found.is_between
        error = np.where(informed, np.sqrt(found.weight_variance) * found.mean_slope, np.inf)
        self.model_ = FittedCircuitGNN(
            neuron_parameters=found.values,
            link=circuit.estimate.link,
            inputs=circuit.found.inputs,
            modelled=modelled,
            null_rate_hz=X.rate_hz,
            weights=_among_all(found.weights * found.mean_slope, modelled, X.n_neurons, 0.0),
            standard_error=_among_all(error, modelled, X.n_neurons, np.inf),
            angle_rad=X.preferred_angle_rad,
        )
        self.null_rate_hz_ = X.rate_hz
        self.connectivity_ = self.model_.connectivity(X.neuron_ids, self._metadata(circuit))
        decides = circuit.problem.decides
        self.held_out_ = self._held_out(X, modelled, found, decides)

    def _held_out(
        self,
        X: Recording,
        modelled: Int[np.ndarray, " modelled"],
        found: FoundNeurons,
        decides: Bool[np.ndarray, " modelled"],
    ) -> HeldOutPrediction:
        _, held_out = split(X, VALIDATION_FRACTION)

        def of_all(nats: Float[np.ndarray, " modelled"]) -> Float[np.ndarray, " neuron"]:
            whole = np.full(X.n_neurons, np.nan)
            whole[modelled[decides]] = nats[decides]
            return whole

        return HeldOutPrediction(
            epochs_s=scored_epochs(held_out, self.history_window_s),
            log_likelihood=of_all(found.held_out_nats),
            without_coupling=of_all(found.uncoupled_nats),
        )

    def _metadata(self, circuit: CircuitFit) -> dict[str, str | float]:
        link, inputs, gain = circuit.estimate.link, circuit.found.inputs, circuit.hidden_gain_nats
        metadata = {
            "estimator": type(self).__name__,
            "unit": "change of the postsynaptic log rate right after a presynaptic spike",
            "structure": circuit.structure,
            "tau_s": inputs.kernel.mean_lag_s - inputs.kernel.latency_s,
            "latency_s": inputs.kernel.latency_s,
            "synaptic_kernel": str(inputs.kernel),
            "link_power": link.power,
            "link_bend": link.shape(circuit.estimate.log_rate_at_spikes).bend,
            "link_log_gain": link.log_gain,
            "n_hidden": self.n_hidden,
            "random_state": self.random_state,
        }
        if gain is not None:
            metadata["held_out_nats_gained_by_hidden_neurons"] = gain
        if inputs.rotation is not None:
            metadata["rotation_gain"] = inputs.rotation.gain
        return metadata


def neurons_that_fire(training: Recording, history_window_s: float) -> Int[np.ndarray, " modelled"]:
    """Neurons with a scored spike in the training part, at least two.

    Raises
    ------
    InputError
        Where fewer fire.
    """
    scored = training.restrict(scored_epochs(training, history_window_s))
    fires = np.flatnonzero(scored.n_spikes > 0)
    if len(fires) < _FEWEST_NEURONS:
        raise InputError(
            f"only {len(fires)} of {training.n_neurons} neurons fire in the first "
            f"{training.duration_s:.3g} s, which are for training; use a longer recording, or one "
            "of neurons that fire"
        )
    return fires


def _among_all(
    found: Float[np.ndarray, "modelled modelled"],
    modelled: Int[np.ndarray, " modelled"],
    n_neurons: int,
    elsewhere: float,
) -> Float[np.ndarray, "post pre"]:
    """A matrix of all neurons from that of the modelled ones."""
    whole = np.full((n_neurons, n_neurons), elsewhere)
    whole[np.ix_(modelled, modelled)] = found
    return whole


def _check_long_enough(training: Recording, held_out: Recording, history_window_s: float) -> None:
    for part, recording in (("training", training), ("held-out", held_out)):
        epochs = scored_epochs(recording, history_window_s)
        if len(epochs) == 0 or len(recording.restrict(epochs).spike_times_s) == 0:
            raise InputError(
                f"the {part} part of the recording ({recording.duration_s:.3g} s) holds no spike "
                f"beyond the history window of {history_window_s:g} s that starts each epoch; "
                "use a longer recording"
            )
