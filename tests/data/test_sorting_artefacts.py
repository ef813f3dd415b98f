"""Blind windows of spike sorting are found, and real synapses are not taken for them."""

import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.data.sorting_artefacts import describe_artefacts, sorting_artefacts, sound_pairs


def together(
    rng, *, blind_pairs=(), n_neurons=6, duration_s=600.0, rate_hz=20.0, time_resolution_s=1e-4
):
    """Neurons that wax and wane together; a blind pair loses the later of two close spikes."""
    n_ticks = round(duration_s / time_resolution_s)
    level = 1 + 0.8 * np.sin(2 * np.pi * np.arange(0, duration_s, 0.01) / 0.7)
    trains = []
    for _ in range(n_neurons):
        n = rng.poisson(2 * rate_hz * duration_s)
        ticks = rng.integers(0, n_ticks, n)
        keep = rng.random(n) < level[(ticks * time_resolution_s / 0.01).astype(int)] / 2
        trains.append(np.sort(ticks[keep]))
    for i, j in blind_pairs:
        trains[j] = trains[j][~_near(trains[j], trains[i], round(0.5e-3 / time_resolution_s))]
    return Recording.from_arrays(
        np.concatenate(trains) * time_resolution_s,
        np.repeat(np.arange(n_neurons), [len(t) for t in trains]),
        n_neurons=n_neurons,
        epochs_s=np.array([[0.0, duration_s]]),
        time_resolution_s=time_resolution_s,
    )


def _near(ticks, others, reach):
    after = np.searchsorted(others, ticks - reach)
    return np.searchsorted(others, ticks + reach, side="right") > after


def test_a_blind_pair_is_named_and_no_other():
    recording = together(np.random.default_rng(1), blind_pairs=[(0, 3), (2, 5)])
    found = sorting_artefacts(recording)
    assert [artefact.neurons for artefact in found] == [(0, 3), (2, 5)]
    assert all(artefact.n_within == 0 for artefact in found)
    sentences = describe_artefacts(recording, found)
    assert "neurons 0 and 3" in sentences[0]


def test_nothing_is_named_where_sorting_saw_everything():
    n_named = sum(
        len(sorting_artefacts(together(np.random.default_rng(seed), duration_s=300.0)))
        for seed in range(10)
    )
    assert n_named == 0


def test_strong_inhibition_is_no_artefact():
    """Neuron 1 is silent for ten milliseconds after each spike of neuron 0, never before."""
    recording = together(np.random.default_rng(2), n_neurons=2, rate_hz=15.0)
    times, neurons = recording.spike_times_s, recording.spike_neurons
    first = times[neurons == 0]
    since = times - first[np.maximum(np.searchsorted(first, times) - 1, 0)]
    kept = (neurons == 0) | (since > 0.01) | (since <= 0)
    inhibited = Recording.from_arrays(times[kept], neurons[kept], time_resolution_s=1e-4)
    assert sorting_artefacts(inhibited) == []


@pytest.mark.parametrize("time_resolution_s", [0.01, 0.001])
def test_coarse_spike_times_are_said_to_be_too_coarse(time_resolution_s):
    recording = together(
        np.random.default_rng(3), duration_s=50.0, time_resolution_s=time_resolution_s
    )
    assert sorting_artefacts(recording) == []
    assert "too coarse" in describe_artefacts(recording, [])[0]


def test_both_directions_of_a_blind_pair_are_left_out():
    recording = together(np.random.default_rng(4), blind_pairs=[(1, 4)])
    sound = sound_pairs(sorting_artefacts(recording), 6)
    assert not sound[1, 4]
    assert not sound[4, 1]
    assert sound.sum() == 6 * 5 - 2
