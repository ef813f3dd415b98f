from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import (
    N_OWN,
    OWN_TAUS_S,
    TraceBuffer,
    set_shared,
    synaptic_traces,
)
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.runtime import parallel as threads

WINDOW_S = 0.05


def on_grid(n_spikes, n_neurons, epochs_s, time_resolution_s, seed=0):
    """Spikes at random ticks inside the epochs, several in one tick where the ticks are coarse."""
    rng = np.random.default_rng(seed)
    epochs_s = np.array(epochs_s)
    epoch = rng.integers(0, len(epochs_s), n_spikes)
    length = np.rint((epochs_s[:, 1] - epochs_s[:, 0]) / time_resolution_s).astype(int)
    times = epochs_s[epoch, 0] + time_resolution_s * rng.integers(0, length[epoch])
    return Recording.from_arrays(
        times,
        rng.integers(0, n_neurons, n_spikes),
        n_neurons=n_neurons,
        epochs_s=epochs_s,
        time_resolution_s=time_resolution_s,
    )


EXPONENTIAL = SynapticKernel.exponential(0.01)
DELAYED = replace(EXPONENTIAL, latency_s=0.005)
MIXED = SynapticKernel(taus_s=(0.004, 0.03), shares=(0.7, 0.3), latency_s=0.01)


def traces_of(recording, *, kernel=EXPONENTIAL, seed=0, **more):
    rng = np.random.default_rng(seed)
    more = {"history_window_s": WINDOW_S, **more}
    return synaptic_traces(recording, kernel=kernel, rng=rng, **more)


def summed(recording, time_s, kernel):
    """What the spikes of each neuron that have arrived in the same epoch are at a time.

    A spike arrives one latency after it is fired, and counts from the next tick on.
    """
    start = max(start for start, _ in recording.epochs_s if start <= time_s + 1e-9)
    since = time_s - recording.spike_times_s - kernel.latency_s
    counted = (since > recording.time_resolution_s / 2) & (recording.spike_times_s > start - 1e-9)
    density = sum(
        share * np.exp(-since[counted] / tau_s) / tau_s
        for share, tau_s in zip(kernel.shares, kernel.taus_s, strict=True)
    )
    trace = np.zeros(recording.n_neurons)
    np.add.at(trace, recording.spike_neurons[counted], density)
    at_once = sum(s / tau_s for s, tau_s in zip(kernel.shares, kernel.taus_s, strict=True))
    return trace / at_once


TWO_EPOCHS = [[0.0, 1.0], [1.02, 2.0]]


OWN_KERNELS = [SynapticKernel.exponential(tau_s) for tau_s in OWN_TAUS_S]


@pytest.mark.parametrize("kernel", [EXPONENTIAL, DELAYED, MIXED], ids=str)
@pytest.mark.parametrize("time_resolution_s", [1e-4, 1e-3, 5e-3])
def test_a_trace_is_the_sum_of_earlier_spikes_each_decayed(time_resolution_s, kernel):
    """Spikes of the same tick, of earlier epochs and of later times do not count.

    Own history starts at once, whatever the latency of synapses.
    """
    recording = on_grid(400, 4, TWO_EPOCHS, time_resolution_s)
    traces = traces_of(recording, kernel=kernel)
    fired_by = np.repeat(np.arange(4), traces.n_spikes)
    for time_s, neuron, features in zip(
        traces.spike_times_s, fired_by, traces.at_spikes, strict=True
    ):
        expected = summed(recording, time_s, kernel)
        own = [summed(recording, time_s, own)[neuron] for own in OWN_KERNELS]
        np.testing.assert_allclose(features, [*expected, *own, 1.0], rtol=1e-4, atol=1e-6)
    for k, time_s in enumerate(traces.times_s):
        expected = summed(recording, time_s, kernel)
        np.testing.assert_allclose(traces.at_times[k], expected, rtol=1e-4, atol=1e-6)
        for found, own in zip(traces.own_at_times, OWN_KERNELS, strict=True):
            expected = summed(recording, time_s, own)
            np.testing.assert_allclose(found[k], expected, rtol=1e-4, atol=1e-6)


def test_latencies_are_whole_ticks():
    """At 10 ms ticks, one of 4 ms is none, and one of 6 ms is a whole tick."""
    recording = on_grid(400, 4, TWO_EPOCHS, 1e-2)
    none, short, long = (
        traces_of(recording, kernel=replace(EXPONENTIAL, latency_s=latency_s))
        for latency_s in (0.0, 0.004, 0.006)
    )
    assert_same(none, short)
    first_epoch = none.times_s < 1.0
    now, a_tick_later = none.at_times[first_epoch][:-1], long.at_times[first_epoch][1:]
    np.testing.assert_allclose(a_tick_later, now, rtol=1e-5)


def test_spikes_in_one_tick_do_not_hear_each_other():
    recording = Recording.from_arrays(
        np.array([0.1, 0.1, 0.1, 0.101]), np.array([0, 0, 1, 1]), time_resolution_s=1e-3
    )
    traces = traces_of(recording, history_window_s=0.0)
    np.testing.assert_array_equal(traces.at_spikes[:3, :2], 0)
    np.testing.assert_allclose(traces.at_spikes[3, :2], np.array([2, 1]) * np.exp(-0.1), rtol=1e-6)


def test_traces_restart_in_every_epoch():
    """The last spike of an epoch, though 1 ms before the next, leaves no trace in it."""
    recording = Recording.from_arrays(
        np.array([0.2, 0.999, 1.001]),
        np.array([0, 0, 1]),
        epochs_s=np.array([[0.0, 1.0], [1.0, 2.0]]),
        time_resolution_s=1e-3,
    )
    traces = traces_of(recording, history_window_s=0.0)
    np.testing.assert_array_equal(traces.at_spikes[2, :2], 0)
    late = (traces.times_s > 1.0005) & (traces.times_s < 1.1)
    np.testing.assert_array_equal(traces.at_times[late, 0], 0)


def test_the_first_history_window_counts_but_is_not_scored():
    recording = Recording.from_arrays(
        np.array([0.04, 0.06]),
        np.array([0, 1]),
        epochs_s=np.array([[0.0, 1.0]]),
        time_resolution_s=1e-4,
    )
    traces = traces_of(recording)
    np.testing.assert_array_equal(traces.n_spikes, [0, 1])
    np.testing.assert_allclose(traces.at_spikes[0, 0], np.exp(-2.0), rtol=1e-5)
    assert traces.times_s.min() >= WINDOW_S


@settings(max_examples=25, deadline=None)
@given(
    time_resolution_s=st.sampled_from([1e-4, 3e-4, 1e-3, 7e-3, 1e-2]),
    pauses=st.lists(st.integers(60, 900), min_size=1, max_size=4),
    window_s=st.sampled_from([0.0, 0.013, 0.05]),
    seed=st.integers(0, 99),
)
def test_no_spike_is_lost_and_no_time_is_counted_twice(time_resolution_s, pauses, window_s, seed):
    """Scored spikes each have a row under their neuron; weights sum to the scored time."""
    stops = np.cumsum(pauses) * time_resolution_s
    epochs_s = np.column_stack([np.concatenate([[0.0], stops[:-1] + 3 * time_resolution_s]), stops])
    recording = on_grid(200, 5, epochs_s, time_resolution_s, seed)
    traces = traces_of(recording, history_window_s=window_s, seed=seed)
    scored = scored_epochs(recording, window_s)
    inside = np.any(
        (recording.spike_times_s[:, None] > scored[:, 0] - time_resolution_s * 1e-3)
        & (recording.spike_times_s[:, None] < scored[:, 1]),
        axis=1,
    )
    for neuron in range(5):
        rows = slice(traces.offsets[neuron], traces.offsets[neuron + 1])
        expected = recording.spike_times_s[inside & (recording.spike_neurons == neuron)]
        np.testing.assert_array_equal(traces.spike_times_s[rows], expected)
    exposure_s = float(np.sum(scored[:, 1] - scored[:, 0]))
    assert abs(traces.exposure_s - exposure_s) <= len(scored) * time_resolution_s + 1e-5


@pytest.mark.parametrize("time_resolution_s", [5e-3, 1e-2])
def test_coarse_ticks_are_each_evaluated_once(time_resolution_s):
    """Nothing is known between ticks, so nothing is evaluated there."""
    recording = on_grid(300, 3, [[0.0, 2.0]], time_resolution_s)
    traces = traces_of(recording, evenly=True)
    ticks = (traces.times_s - recording.spike_times_s[0]) / time_resolution_s
    np.testing.assert_allclose(ticks, np.rint(ticks), atol=1e-6)
    assert np.all(np.diff(np.rint(ticks)) == 1)
    np.testing.assert_allclose(traces.weight_s, time_resolution_s, rtol=1e-6)


def test_the_integral_of_a_trace_is_unbiased():
    """∫s dt over random times, with their weights, is what the spikes leave behind: one area each.

    Of a single exponential that is τ.
    """
    recording = on_grid(30_000, 2, [[0.0, 600.0]], 1e-4)
    for kernel in (EXPONENTIAL, DELAYED, MIXED):
        traces = traces_of(recording, kernel=kernel, history_window_s=0.0)
        area_s = traces.weight_s @ traces.at_times
        np.testing.assert_allclose(area_s, kernel.area_s * recording.n_spikes, rtol=0.02)
    assert EXPONENTIAL.area_s == pytest.approx(0.01)


def test_a_silent_neuron_has_no_row_and_no_trace():
    recording = Recording.from_arrays(
        np.array([0.3, 0.5]), np.array([0, 2]), n_neurons=4, time_resolution_s=1e-3
    )
    traces = traces_of(recording, history_window_s=0.0)
    np.testing.assert_array_equal(traces.n_spikes, [1, 0, 1, 0])
    np.testing.assert_array_equal(traces.at_times[:, [1, 3]], 0)


def test_an_epoch_without_spikes_still_counts_as_time():
    recording = Recording.from_arrays(
        np.array([0.3]),
        np.array([0]),
        epochs_s=np.array([[0.0, 1.0], [2.0, 4.0]]),
        time_resolution_s=1e-3,
    )
    traces = traces_of(recording, history_window_s=0.1)
    np.testing.assert_allclose(traces.exposure_s, 0.9 + 1.9, atol=2e-3)
    np.testing.assert_array_equal(traces.at_times[traces.times_s > 2.0], 0)


def test_nothing_is_scored_where_epochs_are_shorter_than_their_history():
    recording = Recording.from_arrays(
        np.array([0.01, 0.02]),
        np.array([0, 1]),
        epochs_s=np.array([[0.0, 0.04]]),
        time_resolution_s=1e-3,
    )
    traces = traces_of(recording)
    np.testing.assert_array_equal(traces.n_spikes, [0, 0])
    assert traces.exposure_s == 0


def test_shared_columns_stand_between_the_traces_and_own_history():
    recording = on_grid(100, 3, [[0.0, 1.0]], 1e-3)
    bare, traces = traces_of(recording), traces_of(recording, n_shared=2)
    n_spikes, n_times = len(traces.at_spikes), len(traces.at_times)
    set_shared(traces, 1, np.full((n_spikes, 1), 7.0), np.full((n_times, 1), 5.0))
    np.testing.assert_array_equal(traces.at_spikes[:, [3, 4]], np.tile([0, 7.0], (n_spikes, 1)))
    np.testing.assert_array_equal(traces.at_times[:, [3, 4]], np.tile([0, 5.0], (n_times, 1)))
    np.testing.assert_array_equal(traces.at_spikes[:, :3], bare.at_spikes[:, :3])
    np.testing.assert_array_equal(traces.at_spikes[:, -N_OWN - 1 :], bare.at_spikes[:, 3:])


def test_the_same_generator_draws_the_same_times():
    recording = on_grid(100, 3, [[0.0, 1.0]], 1e-4)
    first, again, other = (traces_of(recording, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.at_times, again.at_times)
    assert np.any(first.times_s != other.times_s)
    np.testing.assert_allclose(first.at_spikes, other.at_spikes, rtol=1e-4, atol=1e-7)


def assert_same(one, other):
    for name in ("at_spikes", "offsets", "spike_times_s", "at_times", "own_at_times", "weight_s"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("n_processors", [2, 3, 7])
def test_neurons_may_be_followed_side_by_side(n_processors, monkeypatch):
    """Five neurons on two processors, on three, and on more than there are neurons."""
    recording = on_grid(300, 5, TWO_EPOCHS, 1e-3)
    monkeypatch.setattr(threads, "n_processors", lambda: 1)
    alone = traces_of(recording, n_shared=2)
    monkeypatch.setattr(threads, "n_processors", lambda: n_processors)
    assert_same(traces_of(recording, n_shared=2), alone)


def test_traces_may_take_the_room_of_others():
    """They are what they would be in memory of their own, and take no more of it."""
    buffer = TraceBuffer()
    before = traces_of(on_grid(300, 5, TWO_EPOCHS, 1e-3), buffer=buffer)
    shorter = on_grid(200, 5, [[0.0, 0.9]], 1e-3, seed=1)
    after = traces_of(shorter, buffer=buffer, n_shared=1)
    assert np.shares_memory(after.at_spikes, before.at_spikes)
    assert_same(after, traces_of(shorter, n_shared=1))
