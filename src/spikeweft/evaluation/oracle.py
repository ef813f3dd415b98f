"""How well spikes could be predicted: by the network itself."""

import numpy as np
from jaxtyping import Float

from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.evaluation.known_network import KnownNetwork, blocks_of, check_comparable
from spikeweft.evaluation.prediction import PredictionScore, bits_per_spike


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
    check_comparable(network, recording, history_window_s)
    synapses = network.recurrent_strength * network.connectivity.weights
    total = np.zeros(recording.n_neurons)
    for block in blocks_of(network, recording, history_window_s):
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
