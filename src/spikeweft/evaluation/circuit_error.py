"""How far an inferred circuit is from the true one: Δ, and the mean profile of a ring."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceError:
    """Distance of an inferred circuit from the true one; 0 is perfect, 1 is no better than zero.

    Attributes
    ----------
    delta
        ‖W - αŴ‖ / ‖W‖ over off-diagonal entries with the α that minimises it
        (Das & Fiete 2020, eq. 4).
    delta_profile
        The same norm with α from the L1 fit of the mean aligned row of Ŵ to that of W (Yoon 2025);
        NaN where the truth is not a ring.
    bias, variance
        Parts of `delta`, delta² = bias² + variance²: the error of the ring-averaged Ŵ, and the
        scatter around it; NaN where the truth is not a ring.
    scale
        The α of `delta`; negative where excitation and inhibition are interchanged.
    """

    delta: float
    delta_profile: float
    bias: float
    variance: float
    scale: float


def inference_error(
    inferred: Connectivity,
    true: Connectivity,
    *,
    pairs: Bool[np.ndarray, "post pre"] | None = None,
) -> InferenceError:
    """Inference error Δ of a circuit in both published definitions, with its two parts.

    Parameters
    ----------
    pairs
        Pairs over which the error is taken, as those that the data inform; all where None. The
        parts and `delta_profile` are of whole rings, and NaN where only some pairs count.

    Raises
    ------
    InputError
        Where the two circuits have different sizes, or the true one has no connection.
    """
    check_same_size(inferred, true)
    mask = true.off_diagonal if pairs is None else true.off_diagonal & pairs
    truth, answer = true.weights, inferred.weights
    norm = float(np.linalg.norm(truth[mask]))
    if norm == 0:
        raise InputError(
            "the true circuit has no connection, so an error relative to it is undefined"
        )
    scale = _least_squares_scale(answer[mask], truth[mask])
    delta = float(np.linalg.norm((truth - scale * answer)[mask])) / norm
    if pairs is not None or not is_ring(true):
        return InferenceError(
            delta=delta, delta_profile=np.nan, bias=np.nan, variance=np.nan, scale=scale
        )
    averaged = ring_average(answer)
    profile_scale = _least_absolute_scale(ring_profile(answer), ring_profile(truth))
    return InferenceError(
        delta=delta,
        delta_profile=float(np.linalg.norm((truth - profile_scale * answer)[mask])) / norm,
        bias=float(np.linalg.norm((truth - scale * averaged)[mask])) / norm,
        variance=abs(scale) * float(np.linalg.norm((answer - averaged)[mask])) / norm,
        scale=scale,
    )


def check_same_size(inferred: Connectivity, true: Connectivity) -> None:
    """Refuse to compare circuits of different numbers of neurons.

    Raises
    ------
    InputError
        Where they differ.
    """
    if inferred.n_neurons != true.n_neurons:
        raise InputError(
            f"the truth has {true.n_neurons} neurons but the inferred circuit has "
            f"{inferred.n_neurons}; compare circuits of the same neurons"
        )


def is_ring(circuit: Connectivity) -> bool:
    """Whether every row is the same profile, shifted: the circuit is rotation-invariant."""
    mask = circuit.off_diagonal
    weights = circuit.weights
    rounding = 1e-9 * float(np.abs(weights[mask]).max(initial=0.0))
    return circuit.n_neurons > 2 and bool(
        np.allclose(weights[mask], ring_average(weights)[mask], rtol=1e-6, atol=rounding)
    )


def ring_profile(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, " offset"]:
    """Mean aligned row without its diagonal: entry d - 1 is the mean weight from pre = post + d."""
    n = len(weights)
    post = np.arange(n)
    return np.array([weights[post, (post + d) % n].mean() for d in range(1, n)])


def ring_average(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, "post pre"]:
    """The matrix with every row replaced by the mean aligned row, the diagonal by its mean."""
    n = len(weights)
    offset = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    return np.concatenate([[np.diag(weights).mean()], ring_profile(weights)])[offset]


def _least_squares_scale(answer: np.ndarray, truth: np.ndarray) -> float:
    power = float(answer @ answer)
    return float(answer @ truth) / power if power > 0 else 0.0


def _least_absolute_scale(answer: np.ndarray, truth: np.ndarray) -> float:
    """The α that minimises Σ|truth - α·answer|: a weighted median of the ratios."""
    weight = np.abs(answer)
    used = weight > 0
    if not used.any():
        return 0.0
    ratio = truth[used] / answer[used]
    order = np.argsort(ratio)
    cumulative = np.cumsum(weight[used][order])
    return float(ratio[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
