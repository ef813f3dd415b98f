import numpy as np
import pytest

from spikeweft.baselines.correlograms.tspe import TSPE, edge_filters
from spikeweft.data.recording import Recording


def spikes(seed=0, n_neurons=6, duration_s=60.0):
    rng = np.random.default_rng(seed)
    n_spikes = rng.poisson(15.0 * duration_s, n_neurons)
    neurons = np.repeat(np.arange(n_neurons), n_spikes)
    times_s = rng.integers(0, round(1e3 * duration_s), len(neurons)) * 1e-3 + 5e-4
    return times_s, neurons, duration_s


def test_elephant_finds_the_same_edges():
    pytest.importorskip("elephant", reason="Elephant is not installed: pip install elephant")
    import neo
    import quantities
    from elephant.conversion import BinnedSpikeTrain
    from elephant.functional_connectivity import total_spiking_probability_edges

    times_s, neurons, duration_s = spikes()
    trains = [
        neo.SpikeTrain(np.sort(times_s[neurons == i]), units="s", t_stop=duration_s)
        for i in range(6)
    ]
    binned = BinnedSpikeTrain(trains, bin_size=1 * quantities.ms)
    peer, _ = total_spiking_probability_edges(binned)
    ours = TSPE().fit(
        Recording.from_arrays(times_s, neurons, epochs_s=np.array([[0.0, duration_s]]))
    )
    pairs = ours.connectivity_.off_diagonal
    np.testing.assert_allclose(ours.connectivity_.weights[pairs], peer[pairs], rtol=1e-9)


def test_a_constant_correlogram_has_no_edge():
    """So the product of the mean counts need not be subtracted."""
    np.testing.assert_allclose(edge_filters() @ np.ones(edge_filters().shape[1]), 0, atol=1e-12)


def test_a_single_peak_is_read_at_its_own_delay():
    n_delays, n_lags = edge_filters().shape
    before = (n_lags - n_delays) // 2
    for delay in range(6, 19):
        response = edge_filters()[:, before + delay]
        assert np.argmax(np.abs(response)) == delay
        assert response[delay] > 0
