import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import (
    HiddenNeurons,
    Places,
    mean_field_traces,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import synaptic_traces
from spikeweft.data.directions import interpolation, ring_places
from spikeweft.data.recording import Recording

TAU_S = 0.01
KERNEL = SynapticKernel.exponential(TAU_S)
LINK = Link(1.0, np.log(50.0))


def on_ring(n):
    return 2 * np.pi * np.arange(n) / n


# -- places --


def test_hidden_neurons_go_into_the_widest_gap():
    places = ring_places(np.array([0.0, 0.5, 1.0, 4.0]), 1)
    np.testing.assert_allclose(places, [2.5])


def test_a_gap_is_halved_again_and_again():
    """After half the ring is filled as densely as the other half, all gaps are equal."""
    observed = np.pi * np.arange(9) / 8
    taken = np.sort(np.append(observed, ring_places(observed, 7)))
    np.testing.assert_allclose(np.diff(taken), np.pi / 8)


def test_the_gap_across_zero_is_a_gap():
    places = ring_places(np.array([2.0, 3.0, 4.0]), 1)
    np.testing.assert_allclose(places, [3.0 + np.pi])


def test_turning_the_ring_turns_the_places():
    observed = np.array([0.1, 0.9, 2.0, 5.0])
    places, turned = ring_places(observed, 5), ring_places(observed + 2.5, 5)
    np.testing.assert_allclose(np.exp(1j * turned), np.exp(1j * (places + 2.5)), atol=1e-9)


def test_every_place_differs_from_the_others_and_from_the_observed():
    observed = on_ring(10)
    taken = np.sort(np.append(observed, ring_places(observed, 23)))
    assert np.diff(taken).min() > 0.1


# -- interpolation --


def test_a_mixture_is_of_the_two_nearest_and_whole():
    rng = np.random.default_rng(0)
    mix = interpolation(rng.uniform(0, 2 * np.pi, 12), rng.uniform(0, 2 * np.pi, 30))
    np.testing.assert_allclose(mix.sum(axis=1), 1.0)
    assert np.all(mix >= 0)
    assert np.all(np.count_nonzero(mix, axis=1) == 2)


def test_what_is_linear_along_the_ring_is_interpolated_exactly():
    """In the stretch between the first and the last neuron; the angles come in any order."""
    rng = np.random.default_rng(1)
    angle_rad, places_rad = rng.uniform(0.5, 6.0, 15), rng.uniform(1.5, 5.0, 40)
    places_rad = places_rad[(places_rad > angle_rad.min()) & (places_rad < angle_rad.max())]
    values = 3.0 * angle_rad - 2.0
    mixed = interpolation(angle_rad, places_rad) @ values
    np.testing.assert_allclose(mixed, 3.0 * places_rad - 2.0)


def test_a_place_beyond_the_last_neuron_lies_between_it_and_the_first():
    mix = interpolation(np.array([0.5, 3.0, 6.0]), np.array([6.0 + 0.25 * (2 * np.pi - 5.5)]))
    np.testing.assert_allclose(mix, [[0.25, 0.0, 0.75]])


def test_a_hidden_neuron_on_top_of_an_observed_one_is_like_it():
    angle_rad = on_ring(6)
    np.testing.assert_allclose(interpolation(angle_rad, angle_rad[[2, 4]]), np.eye(6)[[2, 4]])


# -- mean field --


def poisson(
    time_resolution_s=1e-4, *, n_neurons=20, duration_s=100.0, rate_hz=50.0, seed=0, epochs_s=None
):
    """Independent neurons, none of which says anything about another."""
    rng = np.random.default_rng(seed)
    n_ticks = round(duration_s / time_resolution_s)
    n_spikes = round(n_neurons * duration_s * rate_hz)
    return Recording.from_arrays(
        time_resolution_s * rng.integers(0, n_ticks, n_spikes),
        rng.integers(0, n_neurons, n_spikes),
        n_neurons=n_neurons,
        epochs_s=np.array([[0.0, duration_s]]) if epochs_s is None else epochs_s,
        time_resolution_s=time_resolution_s,
    )


def traces_of(recording, tau_s=TAU_S):
    rng = np.random.default_rng(0)
    kernel = SynapticKernel.exponential(tau_s)
    return synaptic_traces(
        recording, kernel=kernel, history_window_s=0.1, rng=rng, n_shared=1, evenly=True
    )


def between(n_hidden, n):
    """Each hidden neuron half-way between two observed ones."""
    mix = np.zeros((n_hidden, n))
    for h in range(n_hidden):
        mix[h, [h % n, (h + 1) % n]] = 0.5
    return mix


def hidden_neurons(weights, bias, link=LINK, gain=1.0, mix=None):
    n_hidden, n = weights.shape
    return HiddenNeurons(
        mix=between(n_hidden, n) if mix is None else mix,
        adjacent=np.zeros((n, n), dtype=bool),
        weights=weights,
        bias=bias,
        link=link,
        gain=gain,
    )


def mean_field_of(traces, weights, bias, link=LINK, tau_s=TAU_S, gain=1.0):
    """Expected traces of hidden neurons that send to nobody, and are driven by observed ones."""
    hidden = hidden_neurons(weights, bias, link, gain, mix=np.zeros(weights.shape))
    routes = Routes.unrotated(hidden.mix, len(traces.times_s))
    return mean_field_traces(traces, hidden, SynapticKernel.exponential(tau_s), routes)


@pytest.mark.parametrize(
    ("time_resolution_s", "tau_s"), [(1e-4, 0.01), (1e-3, 0.01), (1e-2, 0.01), (1e-2, 0.007)]
)
def test_at_a_constant_rate_the_expected_trace_is_rate_times_tau(time_resolution_s, tau_s):
    """At spikes and at quadrature times alike, on fine and on coarse ticks."""
    traces = traces_of(poisson(time_resolution_s, n_neurons=3), tau_s)
    at_spikes, at_times = mean_field_of(traces, np.zeros((1, 3)), np.array([2.0]), tau_s=tau_s)
    expected = 50.0 * np.logaddexp(0, 2.0) * tau_s
    settled = traces.times_s > 0.3
    np.testing.assert_allclose(at_times[settled].mean(), expected, rtol=0.01)
    settled = traces.spike_times_s > 0.3
    np.testing.assert_allclose(at_spikes[settled].mean(), expected, rtol=0.01)
    np.testing.assert_allclose(at_spikes[settled], expected, rtol=0.2)


def test_at_a_constant_rate_the_expected_trace_of_any_kernel_is_rate_times_area():
    """Two exponentials after a latency, once the first spikes have arrived."""
    recording = poisson(n_neurons=3)
    kernel = SynapticKernel(taus_s=(0.005, 0.02), shares=(0.6, 0.4), latency_s=0.01)
    rng = np.random.default_rng(0)
    traces = synaptic_traces(recording, kernel=kernel, history_window_s=0.1, rng=rng, evenly=True)
    hidden = hidden_neurons(np.zeros((1, 3)), np.array([2.0]), mix=np.zeros((1, 3)))
    routes = Routes.unrotated(hidden.mix, len(traces.times_s))
    at_spikes, at_times = mean_field_traces(traces, hidden, kernel, routes)
    expected = 50.0 * np.logaddexp(0, 2.0) * kernel.area_s
    began_s = traces.times_s[0]
    for times_s, found in ((traces.times_s, at_times), (traces.spike_times_s, at_spikes)):
        np.testing.assert_allclose(found[times_s > began_s + 0.2], expected, rtol=0.01)
        np.testing.assert_array_equal(found[times_s < began_s + 0.008], 0.0)


def test_the_expected_trace_is_the_rate_seen_through_the_synapse():
    """The same filter, step by step on a grid of 0.1 ms."""
    recording = poisson(n_neurons=4, duration_s=3.0)
    traces = traces_of(recording)
    weights, bias = np.array([[1.0, -0.5, 0.8, 0.0]]), np.array([0.5])
    at_spikes, at_times = mean_field_of(traces, weights, bias)
    grid_s = np.arange(0.1, 3.0, 1e-4)
    observed, expected = np.zeros(4), np.zeros(len(grid_s))
    earlier = np.searchsorted(recording.spike_times_s, 0.1 - 5e-5)
    past = np.exp((recording.spike_times_s[:earlier] - 0.1) / TAU_S)
    np.add.at(observed, recording.spike_neurons[:earlier], past)
    n_counted, state, decay = earlier, 0.0, np.exp(-1e-4 / TAU_S)
    for k, time_s in enumerate(grid_s):
        expected[k] = state
        rate = 50.0 * np.logaddexp(0, weights[0] @ observed + bias[0])
        state = state * decay + rate * TAU_S * (1 - decay)
        now = np.searchsorted(recording.spike_times_s, time_s + 5e-5)
        np.add.at(observed, recording.spike_neurons[n_counted:now], 1.0)
        n_counted = now
        observed *= decay
    for times_s, found in ((traces.times_s, at_times), (traces.spike_times_s, at_spikes)):
        wanted = expected[np.rint((times_s - 0.1) / 1e-4).astype(int)]
        late = times_s > 0.2
        assert np.corrcoef(found[late, 0], wanted[late])[0, 1] > 0.99
        np.testing.assert_allclose(found[late].mean(), wanted[late].mean(), rtol=0.01)


def test_a_hidden_neuron_predicts_nothing_among_independent_neurons():
    """Its trace is on average the same at their spikes as at any time (a score test, 4 s.e.)."""
    traces = traces_of(poisson())
    weights, bias = np.full((1, 20), 3.0), np.array([-25.0])
    at_spikes, at_times = mean_field_of(traces, weights, bias, Link(1.0, np.log(5.0)))
    mean_at_times = np.average(at_times[:, 0], weights=traces.weight_s)
    assert at_times.std() > 0.1
    standard_error = at_times.std() / np.sqrt(len(at_spikes))
    assert abs(at_spikes.mean() - mean_at_times) < 4 * standard_error


def test_expected_traces_start_anew_in_every_epoch():
    epochs_s = np.array([[0.0, 5.0], [5.5, 10.0]])
    traces = traces_of(poisson(duration_s=10.0, epochs_s=epochs_s))
    weights, bias = np.zeros((1, 20)), np.array([2.0])
    at_spikes, at_times = mean_field_of(traces, weights, bias)
    settled = 50.0 * np.logaddexp(0, 2.0) * TAU_S
    for times_s, found in ((traces.times_s, at_times), (traces.spike_times_s, at_spikes)):
        for start_s in (0.1, 5.6):
            first = (times_s >= start_s) & (times_s < start_s + 0.002)
            assert np.all(found[first] < 0.3 * settled)


def test_the_future_leaves_no_trace():
    """Silencing every neuron from 2 s on changes no expected trace before."""
    whole = poisson(duration_s=4.0)
    early = whole.spike_times_s < 2.0
    cut = Recording.from_arrays(
        whole.spike_times_s[early],
        whole.spike_neurons[early],
        n_neurons=20,
        epochs_s=whole.epochs_s,
        time_resolution_s=whole.time_resolution_s,
    )
    found = []
    for recording in (whole, cut):
        traces = traces_of(recording)
        columns = mean_field_of(traces, np.full((1, 20), 0.5), np.zeros(1))
        found.append(columns[1][traces.times_s < 2.0])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_columns_that_nobody_sends_along_drive_nothing():
    traces = traces_of(poisson(n_neurons=3, duration_s=4.0))
    weights, bias = np.array([[5.0, 5.0, 5.0]]), np.array([-1.0])
    shift = np.zeros(len(traces.times_s), np.int64)
    nobody = Routes(np.full((1, 3), -1), np.eye(3), shift)
    hidden = hidden_neurons(weights, bias, mix=np.zeros((1, 3)))
    silent = mean_field_traces(traces, hidden, KERNEL, nobody)
    alone = mean_field_of(traces, np.zeros((1, 3)), bias)
    for found, expected in zip(silent, alone, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert mean_field_of(traces, weights, bias)[1].mean() > 2 * silent[1].mean()


def test_rotating_the_sources_is_rotating_the_weights_the_other_way():
    """Column 0 has the trace of neuron 1, and so on."""
    traces = traces_of(poisson(n_neurons=3, duration_s=4.0))
    weights, bias = np.array([[0.9, -0.4, 0.1]]), np.array([0.5])
    shift = np.ones(len(traces.times_s), np.int64)
    turned = Routes(np.array([[0, 1, 2], [1, 2, 0]]), np.eye(3), shift)
    found = mean_field_traces(traces, hidden_neurons(weights, bias), KERNEL, turned)
    expected = mean_field_of(traces, np.array([[0.1, 0.9, -0.4]]), bias)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_hidden_neuron_that_stands_for_three_counts_three_times():
    """A gain of zero is nobody."""
    traces = traces_of(poisson(n_neurons=3, duration_s=2.0))
    one, three, none = (
        mean_field_of(traces, np.ones((1, 3)), np.zeros(1), gain=gain) for gain in (1.0, 3.0, 0.0)
    )
    for k in range(2):
        np.testing.assert_allclose(three[k], 3 * one[k], rtol=1e-6)
        np.testing.assert_array_equal(none[k], 0.0)


def test_hidden_neurons_that_excite_each_other_without_end_are_held_by_their_refractoriness():
    traces = traces_of(poisson(n_neurons=3, duration_s=2.0))
    hidden = hidden_neurons(np.full((2, 3), 50.0), np.full(2, 5.0))
    routes = Routes.unrotated(hidden.mix, len(traces.times_s))
    at_spikes, at_times = mean_field_traces(traces, hidden, KERNEL, routes)
    assert np.all(np.isfinite(at_spikes))
    np.testing.assert_allclose(at_times[traces.times_s > 0.5], 500.0 * TAU_S, rtol=1e-3)


def test_hidden_neurons_drive_each_other_and_not_themselves():
    """Two between the same two silent neurons: each is driven by the other through both columns."""
    silent = poisson(n_neurons=2, duration_s=10.0, rate_hz=0.1)
    hidden = hidden_neurons(np.full((2, 2), 0.8), np.full(2, 2.0), mix=np.full((2, 2), 0.5))
    traces = traces_of(silent)
    routes = Routes.unrotated(hidden.mix, len(traces.times_s))
    late = mean_field_traces(traces, hidden, KERNEL, routes)[1][traces.times_s > 0.5]
    settled = np.median(late, axis=0)
    drive = 2.0 + 0.8 * settled
    np.testing.assert_allclose(settled, 50.0 * np.logaddexp(0, drive) * TAU_S, rtol=1e-3)


# -- joining the circuit --


def parameters_of_a_ring(n):
    """Parameters of a model in which the nearest neighbours excite, and neuron i has the bias i."""
    values = np.zeros((n, n + 3))
    for i in range(n):
        values[i, [(i - 1) % n, (i + 1) % n]] = 1.0
    values[:, -1] = np.arange(n)
    return values


def test_a_hidden_neuron_is_driven_as_its_neighbours_are():
    """Half-way between two neurons, by the mean of their weights and with the mean of biases."""
    values, angle_rad = parameters_of_a_ring(6), on_ring(6)
    hidden = HiddenNeurons.at(Places.on_ring(angle_rad, np.array([np.pi / 2])), values, LINK)
    np.testing.assert_allclose(hidden.weights, [[0.5, 1.0, 1.0, 0.5, 0.0, 0.0]])
    np.testing.assert_allclose(hidden.bias, [1.5])
    assert hidden.link == LINK


def test_turning_the_places_turns_what_drives_the_hidden_neurons():
    """A weight onto itself is not known, so it is taken from both neighbours, also across zero."""
    values, angle_rad = parameters_of_a_ring(6), on_ring(6)
    places_rad = np.array([0.1, 1.0, 3.0])
    here, turned = (
        HiddenNeurons.at(Places.on_ring(angle_rad, places_rad + k * 2 * np.pi / 6), values, LINK)
        for k in (0, 5)
    )
    np.testing.assert_allclose(turned.weights, np.roll(here.weights, 5, axis=1), atol=1e-9)


def test_a_circuit_that_shows_its_ring_needs_no_preferred_directions():
    """Places found from weights alone are those between neighbours, driven as these are."""
    n = 30
    values, missing = parameters_of_a_ring(n), [3, 18]
    seen = np.setdiff1d(np.arange(n), missing)
    apart = np.abs(np.angle(np.exp(1j * (on_ring(n)[:, None] - on_ring(n)[None, :]))))
    values[:, :n] = np.exp(-2 * apart**2) * (apart > 0)
    values = values[np.ix_(seen, np.append(seen, [n, n + 1, n + 2]))]
    places = Places.by_circuit(values[:, : len(seen)], 2)
    on_that_ring = Places.on_ring(on_ring(n)[seen], on_ring(n)[missing])
    order = np.argsort(places.mix.argmax(axis=1))
    np.testing.assert_allclose(places.mix[order], on_that_ring.mix, atol=1e-9)
    np.testing.assert_array_equal(places.adjacent, on_that_ring.adjacent)


def test_hidden_neurons_follow_the_circuit_as_it_is_learned():
    values, angle_rad = parameters_of_a_ring(6), on_ring(6)
    places = Places.on_ring(angle_rad, np.array([np.pi / 2]))
    hidden = HiddenNeurons.at(places, values, LINK, gain=1.5)
    values[:, -1] += 3.0
    values[:, :6] *= 2.0
    other = hidden.settled(values, Link(2.0, 0.0))
    np.testing.assert_allclose(other.weights, 2.0 * hidden.weights)
    np.testing.assert_allclose(other.bias, hidden.bias + 3.0)
    np.testing.assert_array_equal(other.mix, hidden.mix)
    assert (other.link, other.gain) == (Link(2.0, 0.0), 1.5)


def test_after_a_gap_nothing_arrives_before_the_latency_has_passed():
    """At spikes and at quadrature times, from no rate before the gap."""
    recording = poisson(n_neurons=3, duration_s=2.0, epochs_s=np.array([[0.0, 1.0], [1.5, 2.0]]))
    kernel = SynapticKernel(taus_s=(TAU_S,), latency_s=0.01)
    rng = np.random.default_rng(0)
    traces = synaptic_traces(recording, kernel=kernel, history_window_s=0.1, rng=rng, evenly=True)
    hidden = hidden_neurons(np.zeros((1, 3)), np.array([3.0]), mix=np.zeros((1, 3)))
    routes = Routes.unrotated(hidden.mix, len(traces.times_s))
    at_spikes, at_times = mean_field_traces(traces, hidden, kernel, routes)
    for times_s, found in ((traces.times_s, at_times), (traces.spike_times_s, at_spikes)):
        soon = (times_s > 1.6) & (times_s < 1.608)
        assert soon.sum() >= 2
        np.testing.assert_array_equal(found[soon], 0.0)
        assert np.all(found[(times_s > 1.65)] > 0.5 * 50.0 * 3.0 * TAU_S)
