import numpy as np

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.rates.population_coupling import share_of_state
from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.timeline import Timeline

N_NEURONS, DURATION_S = 20, 100.0


def shares(gain):
    """Neurons whose log rate follows a wave, and one, the last, that does not fire."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(DURATION_S / 1e-3)) * 1e-3
    rate = 0.01 * np.exp(gain * np.sin(2 * np.pi * time_s))
    fired = rng.uniform(size=(N_NEURONS, len(time_s))) < rate
    neurons, steps = np.nonzero(fired)
    recording = Recording.from_arrays(
        time_s[steps], neurons, n_neurons=N_NEURONS + 1, epochs_s=np.array([[0.0, DURATION_S]])
    )
    timeline = Timeline.of(recording, 1e-3, 0.1)
    state = SharedState.of(timeline, (0.05, 0.2))
    return np.array(
        [
            share_of_state(timeline, neuron, state.without(timeline, neuron))
            for neuron in range(N_NEURONS + 1)
        ]
    )


def test_the_share_grows_with_the_coupling_to_the_population():
    none, weak, strong = (np.nanmedian(shares(gain)) for gain in (0.0, 0.7, 2.0))
    assert none < 0.01 < weak < strong < 1
    assert strong > 0.4


def test_the_share_of_a_silent_neuron_is_not_known():
    found = shares(0.7)
    assert np.isnan(found[-1])
    assert np.all((found[:-1] >= 0) & (found[:-1] <= 1))


def test_what_a_state_explains_is_not_known_where_there_is_none():
    timeline = Timeline.of(
        Recording.from_arrays(np.arange(1, 500) * 0.0137, np.arange(1, 500) % 2), 1e-3, 0.1
    )
    state = SharedState.of(timeline, ()).without(timeline, 0)
    assert np.isnan(share_of_state(timeline, 0, state))
