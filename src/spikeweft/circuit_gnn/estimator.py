"""The method of this package: structure and spike prediction learned together."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from spikeweft.circuit_gnn.fitting.ablations import WHOLE_RECIPE, Recipe
from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import determined, weight_variance
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons import (
    HiddenNeurons,
    pack_hidden,
    unpack_hidden,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood, mean_slope, rate_hz
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import HELD_OUT
from spikeweft.data.recording import Recording, scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor, check_enough_neurons
from spikeweft.runtime.training_loop import Progress, train


class CircuitGNN(SpikePredictor):
    r"""Circuit inference by a graph network with narrow messages (after Yoon 2025).

    .. math::
        \log \lambda_i = p \log\,\mathrm{softplus}(u_i) + c, \qquad
        u_i(t) = \sum_j w_{ij} s_j(t) + \text{own history} + b_i, \qquad
        w_{ij} = \mathrm{MLP}(z_i, z_j)

    The message of neuron j is one number, its synaptic trace s_j; the decoder, shared by all
    neurons, is monotone. So a positive weight excites by construction. The weights come from a
    network on learned embeddings z where that predicts held-out spikes better than free weights
    do, and are the free weights, shrunk by an estimated prior, where it does not. How this departs
    from the paper, and why, is told in `structure`, `traces` and `prediction`.

    Weights are in units of the postsynaptic log rate: the mean change right after one presynaptic
    spike, averaged over all spikes of all neurons. `standard_error` is that of each weight on its
    own, without what the network shares between pairs (Laplace); it is infinite where the spikes
    say less about the weight than its prior does: such a pair is not identifiable.

    Parameters
    ----------
    tau_s
        Synaptic time constant; chosen by held-out spikes from `first_minutes.TAUS_S` where None.
    history_window_s
        Start of each epoch that is not scored, because its past is not known.
    n_hidden
        Hidden neurons, placed into the gaps of the ring of observed ones.
    covariates
        Names of the recording's covariates that enter every rate, an angle by 8 harmonics.
    rotated_by
        Name of the covariate that shifts the columns of W along the ring, an angle (Yoon 2025, the
        external input θ); its gain is chosen by held-out spikes.
    random_state
        Seed of the quadrature times and of the networks.
    recipe
        What the fit is made of; the whole method unless something is to be left out.
    """

    def __init__(
        self,
        tau_s: float | None = None,
        history_window_s: float = 0.1,
        n_hidden: int = 0,
        covariates: tuple[str, ...] = (),
        rotated_by: str | None = None,
        random_state: int = 0,
        recipe: Recipe = WHOLE_RECIPE,
    ) -> None:
        self.tau_s = tau_s
        self.history_window_s = history_window_s
        self.n_hidden = n_hidden
        self.covariates = covariates
        self.rotated_by = rotated_by
        self.random_state = random_state
        self.recipe = recipe

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
            Where the recording is too small, settings do not fit it, or the checkpoint is damaged
            or of other settings or data.
        """
        self.check_recording(X)
        settings = self._fit_settings()
        training, held_out = X.between(0.0, 1.0 - HELD_OUT), X.between(1.0 - HELD_OUT, 1.0)
        _check_long_enough(training, held_out, self.history_window_s)
        circuit = CircuitFit(training, held_out, settings, self.recipe)
        self.history_ = []
        with threadpool_limits(1):
            for progress in train(circuit, self._checkpoint_settings(X), checkpoint):
                self.history_.append(progress)
                if on_progress is not None:
                    on_progress(progress)
            self._take_result(X, circuit)
        return self

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        return log_likelihood(self._traces(X, self.history_window_s), self.rows_, self.link_)

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before."""
        self.check_fitted(X)
        bins = X.counts(bin_s)
        expected = np.zeros(bins.counts.shape)
        for part in self._traces(X, 0.0).parts:
            bin_of = np.searchsorted(bins.start_s, part.times_s + 1e-9, side="right") - 1
            rates = rate_hz(part, self.rows_, self.link_)
            bin_of = np.clip(bin_of, 0, len(expected) - 1)
            np.add.at(expected, bin_of, rates * part.weight_s[:, None])
        return expected

    def model_arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays."""
        arrays = {
            "rows": self.rows_,
            "link": np.array(self.link_),
            "tau_s": np.array(self.tau_s_),
            "null_rate_hz": self.null_rate_hz_,
            "weights": self.connectivity_.weights,
        }
        if self.hidden_ is not None:
            arrays |= {f"hidden/{key}": value for key, value in pack_hidden(self.hidden_).items()}
        if self.rotation_ is not None:
            arrays |= {f"rotation/{k}": v for k, v in self.rotation_.to_arrays().items()}
        return arrays

    def model_settings(self) -> dict[str, Any]:
        """The settings, and the names of the neurons, as plain values."""
        names = list(self.connectivity_.neuron_ids)
        return {**self._plain_settings(), "neuron_ids": names}

    @classmethod
    def from_saved(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """Fitted estimator from what `model_arrays` and `model_settings` gave."""
        given = dict(settings)
        names = tuple(given.pop("neuron_ids"))
        given["covariates"] = tuple(given["covariates"])
        given["recipe"] = Recipe.of(given["recipe"])
        model = cls(**given)
        model.rows_ = arrays["rows"]
        model.link_ = Link(*(float(value) for value in arrays["link"]))
        model.tau_s_ = float(arrays["tau_s"])
        model.null_rate_hz_ = arrays["null_rate_hz"]
        model.connectivity_ = Connectivity(weights=arrays["weights"], neuron_ids=names)
        hidden = {key[7:]: value for key, value in arrays.items() if key.startswith("hidden/")}
        model.hidden_ = unpack_hidden(hidden) if hidden else None
        rotation = {key[9:]: value for key, value in arrays.items() if key.startswith("rotation/")}
        name = model.rotated_by
        model.rotation_ = Rotation.from_arrays(name, rotation) if name is not None else None
        return model

    def _traces(self, X: Recording, history_window_s: float) -> CircuitTraces:
        settings = replace(self._fit_settings(), history_window_s=history_window_s)
        return CircuitTraces(
            X, settings, self.tau_s_, [self.random_state], self.hidden_, self.rotation_
        )

    def _fit_settings(self) -> FitSettings:
        return FitSettings(
            tau_s=self.tau_s,
            history_window_s=self.history_window_s,
            n_hidden=self.n_hidden,
            covariates=tuple(self.covariates),
            rotated_by=self.rotated_by,
            seed=self.random_state,
        )

    def _plain_settings(self) -> dict[str, Any]:
        """The settings, fit for JSON."""
        plain = {"covariates": list(self.covariates), "recipe": self.recipe.changes}
        return {**self.get_params(), **plain}

    def _checkpoint_settings(self, X: Recording) -> dict[str, Any]:
        spikes = hashlib.sha256()
        for array in (X.spike_times_s, X.spike_neurons, X.epochs_s):
            spikes.update(np.ascontiguousarray(array).tobytes())
        return {
            **self._plain_settings(),
            "estimator": type(self).__name__,
            "recording": spikes.hexdigest(),
        }

    def check_recording(self, X: Recording) -> None:
        """Refuse settings that cannot be used, or not with this recording.

        Raises
        ------
        InputError
            Where one cannot.
        """
        check_enough_neurons(X)
        if self.n_hidden < 0:
            raise InputError(f"the number of hidden neurons is {self.n_hidden}; give 0 or more")
        if self.tau_s is not None and not self.tau_s > 0:
            raise InputError(f"the time constant is {self.tau_s:g} s; give a positive one or None")
        asked = [*self.covariates, *([self.rotated_by] if self.rotated_by else [])]
        missing = [name for name in asked if name not in X.covariates]
        if missing:
            known = ", ".join(X.covariates) or "none"
            raise InputError(f"the recording has no covariate '{missing[0]}'; it has: {known}")

    def _hidden_metadata(self, circuit: CircuitFit) -> dict[str, float]:
        if self.n_hidden == 0:
            return {}
        return {"held_out_nats_gained_by_hidden_neurons": circuit.hidden_gain_nats}

    def _recipe_metadata(self) -> dict[str, str]:
        changes = ", ".join(f"{key}={value}" for key, value in self.recipe.changes.items())
        return {"recipe": changes} if changes else {}

    def _take_result(self, X: Recording, circuit: CircuitFit) -> None:
        fit, training = circuit.parameters, circuit.training
        n = X.n_neurons
        self.rows_, self.link_, self.tau_s_ = fit.rows, fit.link, circuit.tau_s
        self.hidden_: HiddenNeurons | None = circuit.hidden
        self.rotation_: Rotation | None = circuit.rotation
        self.null_rate_hz_ = X.rate_hz
        unit = mean_slope(training, fit.rows, fit.link)
        fired = training.n_spikes > 0
        known = fired[:, None] & fired[None, :] & ~np.eye(n, dtype=bool)
        variance = weight_variance(fit)[:, :n]
        informed = known & (determined(fit)[:, :n] > 0.5)
        self.connectivity_ = Connectivity(
            weights=np.where(known, fit.rows[:, :n] * unit, 0.0),
            neuron_ids=X.neuron_ids,
            standard_error=np.where(informed, np.sqrt(variance) * unit, np.inf),
            angle_rad=X.preferred_angle_rad,
            metadata={
                "estimator": type(self).__name__,
                "unit": "change of the postsynaptic log rate right after a presynaptic spike",
                "structure": circuit.structure,
                "tau_s": circuit.tau_s,
                "link_power": fit.link.power,
                "link_log_gain": fit.link.log_gain,
                "n_hidden": self.n_hidden,
                **self._hidden_metadata(circuit),
                **({} if circuit.rotation is None else {"rotation_gain": circuit.rotation.gain}),
                "random_state": self.random_state,
                **self._recipe_metadata(),
            },
        )


def _check_long_enough(training: Recording, held_out: Recording, history_window_s: float) -> None:
    for part, recording in (("training", training), ("held-out", held_out)):
        epochs = scored_epochs(recording, history_window_s)
        if len(epochs) == 0 or len(recording.restrict(epochs).spike_times_s) == 0:
            raise InputError(
                f"the {part} part of the recording ({recording.duration_s:.3g} s) holds no spike "
                f"beyond the history window of {history_window_s:g} s that starts each epoch; "
                "use a longer recording"
            )
