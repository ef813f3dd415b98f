"""The Poisson GLM of NeMoS, with its basis, regularizers and solvers, as a peer."""

from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float

from spikeweft.baselines.glm.batched_lbfgs import Coefficients
from spikeweft.baselines.glm.binned_glm import BinnedGLM
from spikeweft.baselines.glm.poisson_regression import Design, bins_within
from spikeweft.baselines.glm.spike_history import SpikeHistory
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError, needs_extra
from spikeweft.estimator import check_enough_neurons

SOLVERS = {"Ridge": "LBFGS", "Lasso": "ProximalGradient", "UnRegularized": "LBFGS"}
"""Regularizers that can be chosen, and the solver of NeMoS that finds the optimum of each."""

MAX_ITER = 10_000


class NemosGLM(BinnedGLM):
    """Poisson GLM as NeMoS fits it: `nemos.glm.PopulationGLM` on `RaisedCosineLogConv` features.

    The model of `PoissonGLM` in another library's hands, for those who know that library, and as a
    check of ours: the basis over lags, the convolution, the penalty and the solver are those of
    NeMoS. A weight is the sum of a coupling filter over lags. The design matrix is held in memory:
    8 bytes times bins, neurons and `n_basis`.

    It needs NeMoS: `pip install 'spikeweft[nemos]'`.

    Parameters
    ----------
    bin_s
        Bin width in seconds, rounded to a multiple of the time resolution.
    history_window_s
        How far the filters reach back.
    n_basis
        Raised cosines per filter, equally spaced in the logarithm of the lag.
    regularizer
        "Ridge", "Lasso" or "UnRegularized", by the names of NeMoS. Own history is penalised like
        couplings; the constant is not.
    regularizer_strength
        Factor of the penalty beside the mean log-likelihood of a bin, in nats, as in NeMoS.

    Attributes
    ----------
    coupling_filters_
        Change of log rate per spike, (post, pre, lag), the own history on the diagonal; the first
        lag is the bin just before.
    baseline_rate_hz_
        Rate of each neuron after a history window without any spike.
    bin_s_
        Bin width used.
    """

    coupling_filters_: Float[np.ndarray, "post pre lag"]
    baseline_rate_hz_: Float[np.ndarray, " neuron"]

    def __init__(
        self,
        *,
        bin_s: float = 0.005,
        history_window_s: float = HISTORY_WINDOW_S,
        n_basis: int = 4,
        regularizer: str = "Ridge",
        regularizer_strength: float = 1e-4,
    ) -> None:
        self.bin_s = bin_s
        self.history_window_s = history_window_s
        self.n_basis = n_basis
        self.regularizer = regularizer
        self.regularizer_strength = regularizer_strength

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Bins that are cut off by the end of an epoch are left out.

        Raises
        ------
        InputError
            Where NeMoS is not installed, the recording has fewer than two neurons or no epoch
            longer than the history window, or a setting makes no sense.
        """
        check_enough_neurons(X)
        self._check_settings()
        self.bin_s_ = self._whole_bin_s(X)
        basis = self._basis()
        kernels = np.asarray(basis.evaluate_on_grid(basis.window_size)[1])
        self._history = SpikeHistory(kernels)
        self.null_rate_hz_ = X.rate_hz
        design = Design.of(X, self._history, self.bin_s_, self.history_window_s)
        self._coefficients = self._maximise(design, basis)
        self._keep(kernels, X)
        return self

    def _check_settings(self) -> None:
        self._check_times()
        if self.regularizer not in SOLVERS:
            raise InputError(
                f"regularizer is {self.regularizer!r}; choose one of {', '.join(SOLVERS)}"
            )
        if not 0 < self.regularizer_strength < np.inf:
            raise InputError(
                f"a regularizer_strength of {self.regularizer_strength} is no penalty; choose one "
                'above 0, or regularizer="UnRegularized"'
            )

    def _basis(self) -> Any:
        with needs_extra("nemos"):
            from nemos.basis import RaisedCosineLogConv
        n_lags = bins_within(self.history_window_s, self.bin_s_)
        if not 2 <= self.n_basis <= n_lags:
            raise InputError(
                f"{self.n_basis} basis functions do not fit the {n_lags} bins of {self.bin_s_:g} s "
                f"in a history window of {self.history_window_s:g} s; choose between 2 and the "
                "number of bins, or a longer window"
            )
        return RaisedCosineLogConv(self.n_basis, window_size=n_lags)

    def _maximise(self, design: Design, basis: Any) -> Coefficients:
        """Coefficients of highest penalised likelihood, of the neurons that fired."""
        whole = design.exposure_s.numpy() > (1 - 1e-6) * self.bin_s_
        spikes = design.spikes[whole]
        fired = spikes.any(axis=0)
        coefficients = design.constant_rates()
        if not fired.any():
            return coefficients
        coupling, constant = self._nemos(basis, design.counts, whole, spikes[:, fired])
        n = design.n_neurons
        by_function = coupling.reshape(n, self.n_basis, -1).transpose(2, 1, 0)
        rows = np.concatenate(
            [by_function.reshape(-1, self.n_basis * n), constant[:, None]], axis=1
        )
        coefficients[torch.from_numpy(fired)] = torch.from_numpy(rows)
        return coefficients

    def _nemos(
        self,
        basis: Any,
        counts: np.ndarray,
        whole: np.ndarray,
        spikes: np.ndarray,
    ) -> tuple[Float[np.ndarray, "feature post"], Float[np.ndarray, " post"]]:
        """Coefficients, presynaptic neuron by neuron, and log rates in Hz without any spike."""
        import jax
        from nemos.glm import PopulationGLM

        strength = None if self.regularizer == "UnRegularized" else self.regularizer_strength
        with jax.enable_x64(True):
            model = PopulationGLM(
                regularizer=self.regularizer,
                regularizer_strength=strength,
                solver_name=SOLVERS[self.regularizer],
                solver_kwargs={"tol": 1e-8, "maxiter": MAX_ITER},
            )
            design = np.asarray(basis.compute_features(counts.astype(float)))[whole]
            model.fit(design, spikes.astype(float))
            constant = np.asarray(model.intercept_) - np.log(self.bin_s_)
            return np.asarray(model.coef_), constant

    def _keep(self, kernels: Float[np.ndarray, "lag basis"], X: Recording) -> None:
        n = X.n_neurons
        self.baseline_rate_hz_ = np.exp(self._coefficients[:, -1].numpy())
        coupling = self._coefficients[:, :-1].numpy().reshape(n, self.n_basis, n)
        self.coupling_filters_ = np.einsum("lk,ikj->ijl", kernels, coupling)
        weights = self.coupling_filters_.sum(2)
        np.fill_diagonal(weights, 0.0)
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={
                "method": "Poisson GLM of NeMoS",
                "bin_s": self.bin_s_,
                "regularizer": self.regularizer,
                "regularizer_strength": self.regularizer_strength,
            },
        )

    def _design(self, X: Recording) -> Design:
        return Design.of(X, self._history, self.bin_s_, self.history_window_s)
