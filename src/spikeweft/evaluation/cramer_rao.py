"""How small the error of weights that have nothing in common could be (Cramér-Rao)."""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cholesky, get_lapack_funcs

from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.known_network import KnownNetwork, blocks_of, check_comparable

_MAX_NEURONS = 200


def cramer_rao_delta(network: KnownNetwork, recording: Recording) -> float:
    """Cramér-Rao bound of the inference error Δ of a free weight matrix.

    All but the off-diagonal weights is taken as known, and nothing is assumed of these but, where
    the true matrix is symmetric, their symmetry; so only a method that shares structure between
    pairs can come below this value. Where the true matrix is not symmetric, this is
    `cramer_rao_delta_directed`: symmetric weights could not come near it. The information is that
    of `fisher_information`. Infinite where some weight cannot be identified from the recording at
    all.

    Raises
    ------
    InputError
        As in `oracle_log_likelihood`, or for a symmetric matrix of more than 200 neurons, where the
        information matrix of all pairs does not fit the memory of a workstation.
    """
    if not _is_symmetric(network.connectivity.weights):
        return cramer_rao_delta_directed(network, recording)
    n = recording.n_neurons
    if n > _MAX_NEURONS:
        raise InputError(
            f"the bound of a symmetric matrix of {n} neurons needs {2e-9 * n**4:.0f} GB of memory; "
            f"ask for it with at most {_MAX_NEURONS} neurons"
        )
    pair = np.zeros((n, n), dtype=np.int64)
    upper = np.triu_indices(n, 1)
    pair[upper] = np.arange(len(upper[0]))
    pair += pair.T
    information = np.zeros((len(upper[0]), len(upper[0])))
    for post, row in enumerate(fisher_information(network, recording)):
        others = np.delete(np.arange(n), post)
        information[np.ix_(pair[post, others], pair[post, others])] += row[np.ix_(others, others)]
    return _relative_error(network, 2 * _summed_variance(information))


def cramer_rao_delta_directed(network: KnownNetwork, recording: Recording) -> float:
    """The bound of `cramer_rao_delta` where a symmetry of the weights is not known or not there.

    Raises
    ------
    InputError
        As in `oracle_log_likelihood`.
    """
    variance = 0.0
    for post, row in enumerate(fisher_information(network, recording)):
        others = np.delete(np.arange(recording.n_neurons), post)
        variance += _summed_variance(row[np.ix_(others, others)])
    return _relative_error(network, variance)


def fisher_information(
    network: KnownNetwork, recording: Recording
) -> Float[np.ndarray, "post pre pre"]:
    """Information of the recording about the weights onto each neuron.

    Σ over spikes of (∂log λ/∂w)(∂log λ/∂w)ᵀ, whose expectation is Fisher's ∫ (∂λ/∂w)(∂λ/∂w)ᵀ/λ dt.
    At the kink of a rectifier that integral diverges, if only logarithmically, and a sum over
    finely sampled time depends on the sampling; the sum over spikes does not: for LNP neurons it
    is the curvature of the log-likelihood, and what a free fit attains.

    Raises
    ------
    InputError
        As in `oracle_log_likelihood`.
    """
    check_comparable(network, recording, HISTORY_WINDOW_S)
    n = recording.n_neurons
    information = np.zeros((n, n, n))
    for block in blocks_of(network, recording, HISTORY_WINDOW_S):
        order = np.argsort(block.spike_neurons, kind="stable")
        post = block.spike_neurons[order]
        score = _score(network, post, block.traces[block.spike_rows[order]])
        for neuron, own in enumerate(np.split(score, np.searchsorted(post, np.arange(1, n)))):
            information[neuron] += own.T @ own
    return information


def _is_symmetric(weights: Float[np.ndarray, "post pre"]) -> bool:
    rounding = 1e-9 * float(np.abs(weights).max(initial=0.0))
    return bool(np.allclose(weights, weights.T, rtol=0.0, atol=rounding))


def _score(
    network: KnownNetwork, post: Int[np.ndarray, " spike"], traces: Float[np.ndarray, "spike pre"]
) -> Float[np.ndarray, "spike pre"]:
    """∂log λ/∂w at spikes of the neurons `post`."""
    r, neuron = network.recurrent_strength, network.neuron
    drive = r * np.einsum("sj,sj->s", traces, network.connectivity.weights[post])[:, None]
    return r * neuron.spikes_per_step_slope(drive) / neuron.spikes_per_step(drive) * traces


def _summed_variance(information: Float[np.ndarray, "weight weight"]) -> float:
    """Trace of the inverse; infinite where the matrix has none."""
    try:
        factor = cholesky(information, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return np.inf
    (invert_triangular,) = get_lapack_funcs(("trtri",), (factor,))
    inverse, _ = invert_triangular(factor, lower=1, overwrite_c=1)
    return float(np.sum(inverse**2))


def _relative_error(network: KnownNetwork, squared_error: float) -> float:
    circuit = network.connectivity
    return float(np.sqrt(squared_error) / np.linalg.norm(circuit.weights[circuit.off_diagonal]))
