from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction import model_inputs
from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import (
    CollapsedTraces,
    collapsed,
    drives,
    expanded,
    kernel_change,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import likelihood_derivatives, log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces, SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording

N, LINK = 4, Link(1.3, 3.0)
INPUTS = SynapticInputs(kernel=SynapticKernel.exponential(0.01), mean_rate_hz=100.0)


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(0)
    times_s = np.arange(0, 8, 0.01)
    return Recording.from_arrays(
        np.round(rng.uniform(0, 8, 800), 4),
        rng.integers(0, N, 800),
        epochs_s=np.array([[0.0, 8.0]]),
        covariates={"speed": Covariate(times_s=times_s, values=np.sin(times_s))},
    )


def traces_of(recording, covariates):
    settings = FitSettings(
        tau_s=0.01,
        history_window_s=0.1,
        n_hidden=0,
        covariates=covariates,
        rotated_by=None,
        seed=0,
    )
    return CircuitTraces(recording, settings, INPUTS, [0])


@pytest.fixture(params=[((), 1), (("speed",), 1), (("speed",), 2)], ids=str)
def traces(request, recording, monkeypatch):
    """Without and with a covariate, in one part and in two."""
    covariates, n_parts = request.param
    if n_parts == 1:
        return traces_of(recording, covariates)
    settings = traces_of(recording, covariates).settings
    needed = model_inputs.n_bytes_of_traces(recording, settings, recording.n_neurons, evenly=False)
    monkeypatch.setattr(model_inputs, "LARGEST_PART_BYTES", needed / (n_parts - 0.5))
    found = traces_of(recording, covariates)
    assert len(list(found.parts)) == n_parts
    return found


def parameters_of(traces, seed=0):
    parameters = without_connections(traces, LINK)
    some = np.random.default_rng(seed).normal(0.0, 0.3, parameters.values.shape)
    return replace(parameters, values=parameters.values + some, weights_fixed=True)


def collapse(traces, parameters, n_kernel=0):
    """Collapsed traces and parameters; changes of the kernel that change nothing, where asked."""
    given = drives(traces, parameters.weights)
    none = [type(part)(*(0 * x for x in part)) for part in given]
    changes = [none for _ in range(n_kernel)]
    whole = CollapsedTraces.of(traces, parameters.n_sources, [given, *changes])
    return whole, collapsed(parameters, n_kernel)


def test_spikes_are_as_likely_as_with_all_traces(traces):
    parameters = parameters_of(traces)
    few, given = collapse(traces, parameters, n_kernel=1)
    found = log_likelihood(few, given.values, LINK)
    np.testing.assert_allclose(found, log_likelihood(traces, parameters.values, LINK), rtol=1e-5)
    assert few.n_features == given.values.shape[1]
    assert few.n_features == traces.n_features - N + 3
    np.testing.assert_array_equal(few.n_spikes, traces.n_spikes)


def test_parts_that_are_made_again_are_collapsed_as_those_that_are_kept(recording, monkeypatch):
    """The next part overwrites the last: what is collapsed has to outlast it."""
    found = []
    settings = traces_of(recording, ("speed",)).settings
    needed = model_inputs.n_bytes_of_traces(recording, settings, recording.n_neurons, evenly=False)
    monkeypatch.setattr(model_inputs, "LARGEST_PART_BYTES", needed / 2.5)
    for most_kept in (needed, needed - 1):
        monkeypatch.setattr(model_inputs, "MOST_KEPT_BYTES", most_kept)
        traces = traces_of(recording, ("speed",))
        few, _ = collapse(traces, parameters_of(traces))
        found.append(list(few.parts))
    kept, made_again = found
    assert len(kept) == 3
    for one, other in zip(kept, made_again, strict=True):
        for name in ("at_spikes", "at_times", "own_at_times"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_all_else_has_the_same_slope_and_information(traces):
    """Own history, covariates and bias; and the link."""
    parameters = parameters_of(traces)
    few, given = collapse(traces, parameters)
    short = likelihood_derivatives(few, given.values, LINK)
    whole = likelihood_derivatives(traces, parameters.values, LINK)
    n_covariates = given.n_sources
    kept = [*range(n_covariates), *range(n_covariates + 1, few.n_features)]
    for i in range(N):
        same = [*range(N, N + n_covariates), i, *range(N + n_covariates, traces.n_features)]
        np.testing.assert_allclose(
            short.gradient[i, kept], whole.gradient[i, same], rtol=1e-3, atol=1e-2
        )
        np.testing.assert_allclose(
            short.fisher[i][np.ix_(kept, kept)],
            whole.fisher[i][np.ix_(same, same)],
            rtol=1e-3,
            atol=1e-2,
        )
    np.testing.assert_allclose(short.link_gradient, whole.link_gradient, rtol=1e-3, atol=1e-2)


def test_the_slope_in_the_coefficient_of_a_drive_is_that_of_a_scale_of_all_weights(traces):
    parameters = parameters_of(traces)
    few, given = collapse(traces, parameters)
    slope = likelihood_derivatives(few, given.values, LINK).gradient[:, given.n_sources]
    whole = likelihood_derivatives(traces, parameters.values, LINK).gradient[:, :N]
    expected = np.sum(whole * parameters.weights, axis=1)
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-2)


def test_what_was_collapsed_expands_to_what_it_was(traces):
    parameters = parameters_of(traces)
    _, given = collapse(traces, parameters, n_kernel=2)
    again = expanded(given, parameters)
    np.testing.assert_array_equal(again.values, parameters.values)
    assert (again.n_sources, again.n_collapsed) == (N, 0)
    np.testing.assert_array_equal(again.is_weight, parameters.is_weight)


def test_expanded_weights_take_over_the_scale_and_all_else_what_was_found(traces):
    parameters = parameters_of(traces)
    few, given = collapse(traces, parameters)
    found = replace(given, values=given.values + 0.1)
    whole = expanded(found, parameters)
    np.testing.assert_allclose(whole.weights, 1.1 * parameters.weights)
    np.testing.assert_allclose(np.diagonal(whole.values), np.diagonal(parameters.values) + 0.1)
    np.testing.assert_allclose(
        log_likelihood(traces, whole.values, LINK),
        log_likelihood(few, found.values, LINK),
        rtol=1e-5,
    )


def test_the_kernel_has_moved_by_its_coefficients_over_that_of_the_drive(traces):
    """The drive is k·(1 + Σ c_a ∂/∂a): a coefficient is that of the drive times the change."""
    _, given = collapse(traces, parameters_of(traces), n_kernel=2)
    values = given.values.copy()
    n = given.n_sources
    values[:, n : n + 3] = np.array([2.0, 0.4, -0.1])
    np.testing.assert_allclose(kernel_change(replace(given, values=values)), [0.2, -0.05])


def test_thinned_traces_are_those_of_a_shorter_recording_with_the_same_rates(traces):
    few, _ = collapse(traces, parameters_of(traces))
    exposure_s = few.exposure_s
    thin = few.thinned(4)
    assert thin.exposure_s == pytest.approx(exposure_s / 4, rel=1e-6)
    assert np.all(np.abs(thin.n_spikes - few.n_spikes / 4) < len(list(few.parts)))
    assert thin.n_features == few.n_features
    for part, whole in zip(thin.parts, few.parts, strict=True):
        np.testing.assert_array_equal(part.at_times, whole.at_times[::4])
        for i in range(N):
            kept = part.at_spikes[part.offsets[i] : part.offsets[i + 1]]
            spikes = whole.at_spikes[whole.offsets[i] : whole.offsets[i + 1]]
            np.testing.assert_array_equal(kept, spikes[min((2 + i) % 4, len(spikes) - 1) :: 4])


def test_thinning_leaves_the_traces_as_they_are(traces):
    """Also where it keeps a single time, whose weight grows."""
    few, _ = collapse(traces, parameters_of(traces))
    weight_s = [part.weight_s.copy() for part in few.parts]
    for every in (1, 4, 10**6):
        few.thinned(every)
        for part, before in zip(few.parts, weight_s, strict=True):
            np.testing.assert_array_equal(part.weight_s, before)


@pytest.mark.parametrize("every", [2, 3])
def test_traces_collapsed_at_some_times_are_those_collapsed_at_all_then_thinned(traces, every):
    parameters = parameters_of(traces)
    whole, _ = collapse(traces, parameters)
    given = drives(traces, parameters.weights, every)
    found = CollapsedTraces.of(traces, parameters.n_sources, [given], every)
    wanted = whole.thinned(every)
    np.testing.assert_array_equal(found.n_spikes, wanted.n_spikes)
    assert found.exposure_s == pytest.approx(wanted.exposure_s)
    for part, other in zip(found.parts, wanted.parts, strict=True):
        np.testing.assert_allclose(part.at_spikes, other.at_spikes, atol=1e-6)
        np.testing.assert_allclose(part.own_at_times, other.own_at_times, atol=1e-6)
        np.testing.assert_array_equal(part.weight_s, other.weight_s)
