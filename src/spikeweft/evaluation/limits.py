"""How well any method could do on a simulated network: the oracle and the Cramér-Rao bound."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, no_type_check, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.linalg import LinAlgError, cholesky, get_lapack_funcs

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.evaluation.metrics import PredictionScore, bits_per_spike

_BLOCK_STEPS = 10_000

_MAX_NEURONS = 200


@runtime_checkable
class SpikingNeuron(Protocol):
    """How a neuron turns its synaptic drive into spikes."""

    def spikes_per_step(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Expected spikes in a step."""
        ...

    def spikes_per_step_slope(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Their derivative with respect to the drive."""
        ...


@runtime_checkable
class KnownNetwork(Protocol):
    """What the limits need of a network; those of `spikeweft.simulation` have it."""

    @property
    def neuron(self) -> SpikingNeuron:
        """How a drive becomes spikes."""
        ...

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit."""
        ...

    @property
    def recurrent_strength(self) -> float:
        """Factor of all weights."""
        ...

    @property
    def decay(self) -> float:
        """Factor by which a trace decays in a step."""
        ...

    @property
    def time_step_s(self) -> float:
        """The time step."""
        ...

    def stretches(self, start: int, stop: int) -> Iterable[tuple[int, int, int]]:
        """Parts of these steps in which the columns are shifted equally: start, stop, shift."""
        ...


def oracle_log_likelihood(
    network: KnownNetwork, recording: Recording, history_window_s: float = HISTORY_WINDOW_S
) -> Float[np.ndarray, " neuron"]:
    """Log-likelihood in nats of the spikes under the rates of the network itself, per neuron.

    Σ log λ(t_spike) - ∫λ dt over `scored_epochs`, where λ in Hz is the expected number of
    spikes in a step, given all spikes since the epoch began in strictly earlier steps, divided by
    the step. Every step counts.

    Raises
    ------
    InputError
        Where the recording is not one of all the network's neurons, or is too short to score.
    """
    _check(network, recording, history_window_s)
    synapses = network.recurrent_strength * network.connectivity.weights
    total = np.zeros(recording.n_neurons)
    for block in _blocks(network, recording, history_window_s):
        expected = network.neuron.spikes_per_step(block.traces @ synapses.T)
        rate_hz = expected[block.spike_rows, block.spike_neurons] / network.time_step_s
        total += np.bincount(block.spike_neurons, np.log(rate_hz), minlength=len(total))
        total -= expected.sum(axis=0)
    return total


def oracle_bits_per_spike(
    network: KnownNetwork,
    recording: Recording,
    null_rate_hz: Float[np.ndarray, " neuron"],
    history_window_s: float = HISTORY_WINDOW_S,
) -> PredictionScore:
    """Bits per spike of the network's own rates: a model exceeds them only by chance.

    Raises
    ------
    InputError
        As in `oracle_log_likelihood`.
    """
    log_likelihood = oracle_log_likelihood(network, recording, history_window_s)
    epochs = scored_epochs(recording, history_window_s)
    return bits_per_spike(
        log_likelihood,
        recording.restrict(epochs).n_spikes,
        float(np.diff(epochs).sum()),
        null_rate_hz,
    )


def cramer_rao_delta(network: KnownNetwork, recording: Recording) -> float:
    """Cramér-Rao bound of the inference error Δ of a free, symmetric weight matrix.

    All but the off-diagonal weights is taken as known, and nothing is assumed of these but their
    symmetry, so only a method that shares structure between pairs can come below this value. The
    information is that of `fisher_information`. Infinite where some weight cannot be identified
    from the recording at all.

    Raises
    ------
    InputError
        As in `oracle_log_likelihood`, or for more than 200 neurons, where the information matrix
        of all pairs does not fit the memory of a workstation.
    """
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
    """The bound of `cramer_rao_delta` for a free weight matrix that need not be symmetric.

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
    _check(network, recording, HISTORY_WINDOW_S)
    n = recording.n_neurons
    information = np.zeros((n, n, n))
    for block in _blocks(network, recording, HISTORY_WINDOW_S):
        order = np.argsort(block.spike_neurons, kind="stable")
        post = block.spike_neurons[order]
        score = _score(network, post, block.traces[block.spike_rows[order]])
        for neuron, own in enumerate(np.split(score, np.searchsorted(post, np.arange(1, n)))):
            information[neuron] += own.T @ own
    return information


def _score(
    network: KnownNetwork, post: Int[np.ndarray, " spike"], traces: Float[np.ndarray, "spike pre"]
) -> Float[np.ndarray, "spike pre"]:
    """∂log λ/∂w at spikes of the neurons `post`."""
    r, neuron = network.recurrent_strength, network.neuron
    drive = r * np.einsum("sj,sj->s", traces, network.connectivity.weights[post])[:, None]
    return r * neuron.spikes_per_step_slope(drive) / neuron.spikes_per_step(drive) * traces


class _Block(NamedTuple):
    """Traces before every step, as the unshifted weights see them, and the spikes there."""

    traces: Float[np.ndarray, "step pre"]
    spike_rows: Int[np.ndarray, " spike"]
    spike_neurons: Int[np.ndarray, " spike"]


def _blocks(
    network: KnownNetwork, recording: Recording, history_window_s: float
) -> Iterator[_Block]:
    """The scored steps of a recording, in blocks that fit the memory."""
    steps = np.rint(recording.spike_times_s / network.time_step_s).astype(np.int64)

    def spikes_between(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        inside = slice(*np.searchsorted(steps, [first, last]))
        return steps[inside] - first, recording.spike_neurons[inside]

    for epoch_s in scored_epochs(recording, history_window_s):
        times_s = (epoch_s[0] - history_window_s, epoch_s[0], epoch_s[1])
        begin, start, stop = (_step_at_or_after(t, network.time_step_s) for t in times_s)
        trace = np.zeros(recording.n_neurons)
        _traces(trace, *spikes_between(begin, start), start - begin, network.decay)
        for first, last, shift in _short_stretches(network, start, stop):
            rows, neurons = spikes_between(first, last)
            traces = _traces(trace, rows, neurons, last - first, network.decay)
            yield _Block(np.roll(traces, -shift, axis=1), rows, neurons)


def _short_stretches(
    network: KnownNetwork, start: int, stop: int
) -> Iterator[tuple[int, int, int]]:
    for first, last, shift in network.stretches(start, stop):
        for cut in range(first, last, _BLOCK_STEPS):
            yield cut, min(cut + _BLOCK_STEPS, last), shift


def _step_at_or_after(time_s: float, time_step_s: float) -> int:
    return int(np.ceil(time_s / time_step_s - 1e-3))


def _check(network: KnownNetwork, recording: Recording, history_window_s: float) -> None:
    n = network.connectivity.n_neurons
    if recording.n_neurons != n:
        raise InputError(
            f"the recording has {recording.n_neurons} neurons but the network {n}; the limits are "
            "those of a network observed in full"
        )
    if len(scored_epochs(recording, history_window_s)) == 0:
        raise InputError(
            f"no epoch is longer than the history window of {history_window_s:g} s, so nothing can "
            "be scored; use a longer recording"
        )


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


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _traces(trace, spike_rows, spike_neurons, n_steps, decay):
    """Traces before every step; `trace` is brought to the end of the last one."""
    traces = np.empty((n_steps, len(trace)))
    spike = 0
    for step in range(n_steps):
        traces[step] = trace
        trace *= decay
        while spike < len(spike_rows) and spike_rows[spike] == step:
            trace[spike_neurons[spike]] += 1.0
            spike += 1
    return traces
