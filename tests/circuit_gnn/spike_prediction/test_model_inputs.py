from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction import model_inputs
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import (
    HiddenNeurons,
    mean_field_traces,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import likelihood_derivatives, log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import (
    CircuitTraces,
    SynapticInputs,
    n_features_of,
    shared_width,
)
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.recent_activity import recent_activity
from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN
from spikeweft.data.covariate import Covariate, covariate_columns
from spikeweft.data.recording import Recording

INPUTS = SynapticInputs(kernel=SynapticKernel.exponential(0.01), mean_rate_hz=40.0)


def settings(covariates=(), n_hidden=0, rotated_by=None):
    return FitSettings(
        tau_s=0.01,
        history_window_s=0.1,
        n_hidden=n_hidden,
        covariates=covariates,
        rotated_by=rotated_by,
        seed=0,
    )


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(0)
    times_s = np.arange(0, 5, 0.01)
    return Recording.from_arrays(
        np.round(rng.uniform(0, 5, 200), 4),
        rng.integers(0, 3, 200),
        epochs_s=np.array([[0.0, 5.0]]),
        covariates={
            "direction": Covariate(times_s=times_s, values=3 * times_s, is_angle=True),
            "speed": Covariate(times_s=times_s, values=times_s**2),
        },
    )


def test_an_angle_enters_as_circular_harmonics():
    angle_rad = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    columns = covariate_columns(angle_rad, True, 3)
    assert columns.shape == (100, 6)
    turned = covariate_columns(angle_rad + 2 * np.pi, True, 3)
    np.testing.assert_allclose(columns, turned, atol=1e-9)
    np.testing.assert_allclose(columns.T @ columns, 50 * np.eye(6), atol=1e-9)


def test_any_other_covariate_enters_as_it_is():
    values = np.array([0.1, -3.0, 7.0])
    np.testing.assert_array_equal(covariate_columns(values, False, 3), values[:, None])


def test_covariates_follow_the_neurons_at_the_times_of_the_spikes(recording):
    """Observed neurons, recent activity, then each covariate in the order it was asked for."""
    chosen = settings(("speed", "direction"), n_hidden=2)
    (traces,) = CircuitTraces(recording, chosen, INPUTS, [0]).parts
    assert shared_width(recording, chosen) == 1 + 1 + 16
    assert traces.at_spikes.shape[1] == 3 + 1 + 1 + 16 + N_OWN + 1
    for times_s, columns in (
        (traces.spike_times_s, traces.at_spikes),
        (traces.times_s, traces.at_times),
    ):
        np.testing.assert_array_equal(
            columns[:, 3], recent_activity(recording, times_s, 40.0).astype(np.float32)
        )
        np.testing.assert_allclose(columns[:, 4], times_s**2, atol=0.1)
        np.testing.assert_allclose(columns[:, 5], np.cos(3 * times_s), atol=0.04)


def in_parts(recording, n, monkeypatch, chosen=None):
    """The traces of a recording that fills memory n times over."""
    chosen = chosen or settings()
    whole = CircuitTraces(recording, chosen, INPUTS, [0])
    needed = model_inputs.n_bytes_of_traces(
        recording, chosen, recording.n_neurons, evenly=chosen.n_hidden > 0
    )
    monkeypatch.setattr(model_inputs, "LARGEST_PART_BYTES", needed / (n - 0.5))
    monkeypatch.setattr(model_inputs, "MOST_KEPT_BYTES", needed - 1)
    return whole, CircuitTraces(recording, chosen, INPUTS, [0])


def test_a_long_recording_is_followed_part_by_part(recording, monkeypatch):
    """Spikes and scored time are those of its parts."""
    _, parts = in_parts(recording, 4, monkeypatch)
    assert len(list(parts.parts)) == 4
    total_s = sum(part.exposure_s for part in parts.parts)
    np.testing.assert_allclose(parts.exposure_s, total_s, rtol=1e-3)
    spikes = sum(part.n_spikes for part in parts.parts)
    np.testing.assert_array_equal(parts.n_spikes, spikes)


def test_nothing_is_lost_between_the_parts(recording, monkeypatch):
    """Otherwise the score of a recording depends on the memory that its traces may take."""
    whole, parts = in_parts(recording, 4, monkeypatch)
    np.testing.assert_array_equal(parts.n_spikes, whole.n_spikes)
    np.testing.assert_allclose(parts.exposure_s, whole.exposure_s, rtol=1e-3)


def test_the_parts_are_the_same_each_time(recording, monkeypatch):
    """They are made anew, with the same random times."""
    _, parts = in_parts(recording, 3, monkeypatch)
    for first, again in zip(parts.parts, parts.parts, strict=True):
        np.testing.assert_array_equal(first.times_s, again.times_s)
        np.testing.assert_array_equal(first.at_spikes, again.at_spikes)


def test_parts_that_are_kept_are_those_that_would_be_made_again(recording, monkeypatch):
    """Otherwise a result depends on how much is kept. Shared columns are of one part alone too."""
    chosen = settings(("speed", "direction"), n_hidden=2)
    _, made_again = in_parts(recording, 3, monkeypatch, chosen)
    monkeypatch.setattr(model_inputs, "MOST_KEPT_BYTES", 10**9)
    kept = CircuitTraces(recording, chosen, INPUTS, [0])
    for one, other in zip(kept.parts, made_again.parts, strict=True):
        for name in ("at_spikes", "offsets", "spike_times_s", "at_times", "own_at_times"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_likelihoods_of_the_parts_add_up(recording, monkeypatch):
    _, parts = in_parts(recording, 3, monkeypatch)
    link = Link(1.0, 3.0)
    rows = without_connections(parts, link).values
    rows[:, :3] += 0.2
    each = [likelihood_derivatives(part, rows, link) for part in parts.parts]
    together = likelihood_derivatives(parts, rows, link)
    for name in ("log_likelihood", "gradient", "fisher", "link_gradient", "link_fisher"):
        np.testing.assert_allclose(
            getattr(together, name), sum(getattr(g, name) for g in each), rtol=1e-6, atol=1e-6
        )
    np.testing.assert_allclose(
        log_likelihood(parts, rows, link), together.log_likelihood, rtol=1e-5
    )


def test_hidden_neurons_send_along_the_columns_between_which_they_lie(recording):
    chosen, link = settings(n_hidden=1), Link(1.0, 3.0)
    hidden = HiddenNeurons(
        mix=np.array([[0.25, 0.75, 0.0]]),
        adjacent=np.zeros((3, 3), dtype=bool),
        weights=np.array([[0.5, -0.2, 0.1]]),
        bias=np.array([0.5]),
        link=link,
        gain=2.0,
    )
    (alone,) = CircuitTraces(recording, chosen, INPUTS, [0]).parts
    inputs = replace(INPUTS, hidden=hidden)
    (joined,) = CircuitTraces(recording, chosen, inputs, [0]).parts
    unrotated = Routes.unrotated(hidden.mix, len(alone.times_s))
    sent = mean_field_traces(alone, hidden, INPUTS.kernel, unrotated)
    for before, after, added in zip(
        (alone.at_spikes, alone.at_times), (joined.at_spikes, joined.at_times), sent, strict=True
    ):
        np.testing.assert_allclose(after[:, :3], before[:, :3] + added @ hidden.mix, rtol=1e-5)
        np.testing.assert_array_equal(after[:, 3:], before[:, 3:])


def test_a_part_remembers_the_one_before(recording, monkeypatch):
    """Also where all of it is scored, as in a prediction: traces and recent activity go on."""
    whole, parts = in_parts(recording, 3, monkeypatch, replace(settings(), history_window_s=0.0))
    (together,) = whole.parts
    values = {name: [] for name in ("spike_times_s", "at_spikes")}
    for part in parts.parts:
        for name, found in values.items():
            found.append(getattr(part, name)[: part.offsets[1]])
    first = slice(0, together.offsets[1])
    for name, found in values.items():
        wanted = getattr(together, name)[first]
        np.testing.assert_allclose(np.concatenate(found), wanted, rtol=1e-4, atol=1e-5)


def test_features_are_counted_as_they_are_made(recording):
    """Hidden neurons have no columns of their own; covariates have."""
    for chosen in (settings(), settings(("speed", "direction")), settings(n_hidden=5)):
        traces = CircuitTraces(recording, chosen, INPUTS, [0])
        (part,) = traces.parts
        assert n_features_of(recording, chosen) == traces.n_features == part.n_features
