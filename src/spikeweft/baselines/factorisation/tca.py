"""Tensor component analysis of segments of a recording, read out as a circuit (a baseline)."""

from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Float32
from scipy.optimize import nnls
from scipy.signal import lfilter

from spikeweft.baselines.factorisation.component_number import n_components
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError, needs_extra
from spikeweft.estimator import CircuitEstimator, check_enough_neurons, check_whole_numbers

N_SEGMENTS = 10
"""Equally long segments of the recording, taken for trials (published)."""

N_STEPS = 500
"""Rounds of alternating least squares at most (published)."""

_TOLERANCE = 1e-6


class Components(NamedTuple):
    r"""A tensor as a sum of components, :math:`x_{ntk} = \sum_r w_{nr} v_{tr} u_{kr}`."""

    neuron: Float32[np.ndarray, "neuron component"]
    time: Float32[np.ndarray, "time component"]
    segment: Float32[np.ndarray, "segment component"]


class TCA(CircuitEstimator):
    r"""Tensor component analysis (Williams et al. 2018) with the read-out of Yoon (2025).

    Spike counts, smoothed by an exponential, are cut into ten segments that pass for trials, and
    the tensor x of neurons, times and segments is written as a sum of components. The circuit is

    .. math:: Ŵ = \frac1R \sum_r \Big(\sum_{tk} v_{tr} u_{kr}\Big)\, w_r w_r^\top

    Neurons that share components are connected, the more the stronger these components are. So
    the weights are symmetric and never negative: they say who fires with whom, not who excites or
    inhibits whom, nor in which direction. A score that scales them may do so by a negative factor.

    Factors are nonnegative (chosen): with w and v of either sign, (w, v, u) and (-w, -v, u) are
    the same component, but their read-outs differ in sign. For the like reason w has unit length
    (chosen): where a component's size sits, in w or in v and u, matters to the sum. Alternating
    least squares are those of tensorly, with the nonnegative factors of each round found one after
    the other (HALS).

    Bin width and time constant are not published; nor is the number of components. It is the
    smallest one after which another component explains less than 1 % more of the last segment,
    of which only the amplitudes u were fitted (`components.n_components`).

    Parameters
    ----------
    bin_s
        Width of the bins in which spikes are counted.
    smoothing_s
        Time constant of the exponential that smooths the counts.
    n_components
        Number of components R; None for that of the rule.
    random_state
        Seed of the factors that the alternation starts from.

    Attributes
    ----------
    connectivity_
        The inferred circuit, in squared counts.
    n_components_
        Number of components R.
    components_
        The factors w, v and u.
    """

    n_components_: int
    components_: Components

    def __init__(
        self,
        *,
        bin_s: float = 0.01,
        smoothing_s: float = 0.1,
        n_components: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.bin_s = bin_s
        self.smoothing_s = smoothing_s
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit.

        Raises
        ------
        InputError
            Where tensorly is not installed, or the settings or the recording cannot be used.
        """
        check_enough_neurons(X)
        check_whole_numbers(self)
        tensor = self._tensor(X)
        self.n_components_ = n_components(
            self.n_components, lambda rank: self._held_out_power(tensor, rank)
        )
        self.components_ = self._decompose(tensor, self.n_components_)
        weights = read_out(self.components_)
        weights[X.n_spikes == 0] = 0.0
        weights[:, X.n_spikes == 0] = 0.0
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "squared spike counts"},
        )
        return self

    def _tensor(self, X: Recording) -> Float32[np.ndarray, "neuron time segment"]:
        """Smoothed counts; what is left over after segments of equal length is left out."""
        if not self.smoothing_s > 0:
            raise InputError(
                f"a smoothing time constant of {self.smoothing_s:g} s is not positive; use 0.1"
            )
        if X.duration_s < N_SEGMENTS * self.bin_s:
            raise InputError(
                f"a recording of {X.duration_s:g} s has no {N_SEGMENTS} segments of at least one "
                f"bin of {self.bin_s:g} s; use a longer recording or shorter bins"
            )
        smooth = smoothed_counts(X, self.bin_s, self.smoothing_s)
        length = len(smooth) // N_SEGMENTS
        segments = smooth[: N_SEGMENTS * length].reshape(N_SEGMENTS, length, X.n_neurons)
        return np.ascontiguousarray(segments.transpose(2, 1, 0))

    def _held_out_power(
        self, tensor: Float32[np.ndarray, "neuron time segment"], rank: int
    ) -> float:
        """Share of the last segment's power that components of the others explain."""
        factors = self._decompose(tensor[..., :-1], rank)
        basis = np.einsum("nr,tr->ntr", factors.neuron, factors.time).reshape(-1, rank)
        last = tensor[..., -1].ravel()
        # In the normal equations, whose size is the rank: the last segment has millions of entries.
        gram = (basis.T @ basis).astype(float)
        root = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(rank)).T
        amplitude, _ = nnls(root, np.linalg.solve(root.T, (basis.T @ last).astype(float)))
        power = float(last @ last)
        left = float(np.sum((last - basis @ amplitude.astype(np.float32)) ** 2))
        return 1 - left / power if power > 0 else 0.0

    def _decompose(
        self, tensor: Float32[np.ndarray, "neuron time segment"], rank: int
    ) -> Components:
        """Nonnegative CP decomposition from random courses; the start treats all neurons alike."""
        decomposition, CPTensor = _tensorly()
        rng = np.random.default_rng(self.random_state)
        n_neurons, n_times, n_segments = tensor.shape
        start = [
            np.ones((n_neurons, rank), np.float32),
            rng.random((n_times, rank), dtype=np.float32),
            rng.random((n_segments, rank), dtype=np.float32),
        ]
        fitted = decomposition.non_negative_parafac_hals(
            tensor,
            rank,
            n_iter_max=N_STEPS,
            init=CPTensor((np.ones(rank, np.float32), start)),
            tol=_TOLERANCE,
        )
        neuron, time, segment = fitted.factors
        length = np.linalg.norm(neuron, axis=0)
        return Components(
            neuron / np.where(length > 0, length, 1), time, segment * fitted.weights * length
        )


def read_out(components: Components) -> Float[np.ndarray, "neuron neuron"]:
    r"""The circuit :math:`\frac1R \sum_r (\sum_{tk} v_{tr} u_{kr})\, w_r w_r^\top` (Yoon 2025)."""
    neuron, time, segment = (factor.astype(float) for factor in components)
    weights = (neuron * time.sum(0) * segment.sum(0)) @ neuron.T / neuron.shape[1]
    np.fill_diagonal(weights, 0.0)
    return weights


def smoothed_counts(
    X: Recording, bin_s: float, smoothing_s: float
) -> Float32[np.ndarray, "time neuron"]:
    """Counts in bins, each smoothed over those before it in its epoch by an exponential."""
    binned = X.counts(bin_s)
    decay = np.exp(-bin_s / smoothing_s)
    counts = np.split(binned.counts.astype(float), np.flatnonzero(np.diff(binned.epoch)) + 1)
    smooth = [lfilter([1 - decay], [1.0, -decay], part, axis=0) for part in counts]
    return np.concatenate(smooth).astype(np.float32)


def _tensorly() -> tuple[Any, Any]:
    """Tensorly's decompositions and its type of a decomposed tensor."""
    with needs_extra("tca"):
        from tensorly import decomposition
        from tensorly.cp_tensor import CPTensor
    return decomposition, CPTensor
