import numpy as np
import pytest
from tests.stand_ins import spikes

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.deciding_neurons import deciding_neurons, left_out
from spikeweft.data.holdout import VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording


def with_late(neuron, start_s, stop_s=90.0):
    """Six neurons that fire alike, one of them only from a time on, and up to another."""
    whole = spikes(n=6, duration_s=90.0, rate_hz=20.0)
    times, neurons = whole.spike_times_s, whole.spike_neurons
    kept = (neurons != neuron) | ((times > start_s) & (times < stop_s))
    return Recording.from_arrays(
        times[kept],
        neurons[kept],
        n_neurons=6,
        epochs_s=whole.epochs_s,
        neuron_ids=("a", "b", "c", "d", "e", "f"),
    )


def deciding(recording):
    return deciding_neurons(*split(recording, VALIDATION_FRACTION), 0.1)


def test_neurons_that_fire_alike_all_decide():
    assert deciding(with_late(0, 0.0)).decides.all()


def test_a_neuron_that_drifts_into_view_does_not_decide():
    found = deciding(with_late(2, 78.0)).decides
    assert found.tolist() == [True, True, False, True, True, True]


class StoppedError(Exception):
    pass


def warnings_of_a_fit(recording):
    """What a fit says that ends after its first step."""

    def stop(progress):
        raise StoppedError

    model = CircuitGNN()
    with pytest.raises(StoppedError):
        model.fit(recording, on_progress=stop)
    return model.warnings_


def test_a_neuron_that_does_not_decide_is_named():
    (said,) = warnings_of_a_fit(with_late(2, 78.0))
    assert said.startswith("1 of 6 neurons fire at quite another rate in the held-out part")
    assert said.endswith(": c")


def test_a_neuron_that_hardly_fires_is_named():
    """A tenth of a second of its spikes is left: two or so."""
    (said,) = warnings_of_a_fit(with_late(1, 40.0, 40.1))
    assert said.startswith("1 of 6 neurons fire fewer than 5 scored times in the part that trains")
    assert said.endswith(": b")


def test_a_neuron_that_fires_only_in_the_held_out_part_is_named():
    (said,) = warnings_of_a_fit(with_late(4, 82.0))
    assert said.startswith("1 of 6 neurons do not fire in the part that trains")
    assert said.endswith(": e")


def test_where_all_decide_nothing_is_said():
    recording = with_late(0, 0.0)
    assert left_out(recording, np.arange(6), deciding(recording)) == ()
    assert warnings_of_a_fit(recording) == ()
