from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeweft.circuit_gnn.spike_prediction import likelihood as prediction
from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    likelihood_derivatives,
    log_likelihood,
    mean_slope,
    rate_hz,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link, inverse_link
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import (
    N_OWN,
    Traces,
    set_shared,
    synaptic_traces,
)
from spikeweft.data.recording import Recording
from spikeweft.runtime import parallel as threads

N = 4
KERNEL = SynapticKernel.exponential(0.01)
LINKS = [Link(1.0, 3.0), Link(1.7, 2.5), Link(1.0, 12.0)]


@pytest.fixture(scope="module")
def traces() -> Traces:
    """Eight seconds of four neurons, with one shared column, a slow wave."""
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(
        np.sort(np.round(rng.uniform(0, 8, 800), 4)),
        rng.integers(0, N, 800),
        time_resolution_s=1e-4,
    )
    found = synaptic_traces(recording, kernel=KERNEL, history_window_s=0.05, rng=rng, n_shared=1)
    for times_s, column in (
        (found.spike_times_s, found.at_spikes),
        (found.times_s, found.at_times),
    ):
        column[:, N] = np.sin(times_s)
    return found


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.3, (N, N + 1 + N_OWN + 1)) - np.array([0.0] * (N + 1 + N_OWN) + [1.0])


def features_at_times(traces, neuron):
    """All features of a neuron at the quadrature times, side by side."""
    one = np.ones((len(traces.times_s), 1))
    own = np.stack([trace[:, neuron] for trace in traces.own_at_times], axis=1)
    return np.concatenate([traces.at_times, own, one], axis=1).astype(float)


def features_at_spikes(traces, neuron):
    return traces.at_spikes[traces.offsets[neuron] : traces.offsets[neuron + 1]].astype(float)


def plain_log_rate(drive, link):
    return link.power * np.log(np.log1p(np.exp(drive))) + link.log_gain


def plain_log_likelihood(traces, rows, link):
    """Spike by spike and time by time, in double precision."""
    total = np.zeros(N)
    for i in range(N):
        at_spikes = plain_log_rate(features_at_spikes(traces, i) @ rows[i], link)
        rate = np.exp(plain_log_rate(features_at_times(traces, i) @ rows[i], link))
        total[i] = at_spikes.sum() - traces.weight_s.astype(float) @ rate
    return total


@pytest.mark.parametrize("link", LINKS)
def test_the_likelihood_is_the_one_written_out_spike_by_spike(traces, rows, link):
    rows = rows - np.array([0.0] * (rows.shape[1] - 1) + [link.log_gain - 3.0])
    expected = plain_log_likelihood(traces, rows, link)
    np.testing.assert_allclose(log_likelihood(traces, rows, link), expected, rtol=2e-5)
    np.testing.assert_allclose(
        likelihood_derivatives(traces, rows, link).log_likelihood, expected, rtol=2e-5
    )


@pytest.mark.parametrize("link", LINKS[:2])
def test_the_gradient_is_the_slope_of_the_likelihood(traces, rows, link):
    g, step = likelihood_derivatives(traces, rows, link), 1e-4
    for feature in range(rows.shape[1]):
        moved = np.zeros(rows.shape[1])
        moved[feature] = step
        ahead, behind = (plain_log_likelihood(traces, rows + s * moved, link) for s in (1, -1))
        slope = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(g.gradient[:, feature], slope, rtol=1e-3, atol=1e-2)
    for k in range(2):
        ahead, behind = (
            plain_log_likelihood(traces, rows, Link(*(np.array(link) + s * step * np.eye(2)[k])))
            for s in (1, -1)
        )
        slope = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(g.link_gradient[:, k], slope, rtol=1e-3, atol=1e-2)


def whole_fisher(g):
    across = g.link_cross
    return np.block([[g.fisher, across], [across.transpose(0, 2, 1), g.link_fisher]])


def test_the_fisher_information_is_the_spread_of_the_scores(traces, rows):
    """Σ over spikes of the outer product of d log λ/dθ, of the row and of the link together."""
    link = LINKS[1]
    fisher = whole_fisher(likelihood_derivatives(traces, rows, link))
    for i in range(N):
        features = features_at_spikes(traces, i)
        drive = features @ rows[i]
        softplus = np.log1p(np.exp(drive))
        slope = link.power / (1 + np.exp(-drive)) / softplus
        scores = np.column_stack([features * slope[:, None], np.log(softplus), np.ones(len(drive))])
        np.testing.assert_allclose(fisher[i], scores.T @ scores, rtol=1e-4, atol=1e-3)


def test_the_fisher_information_is_symmetric_and_never_negative(traces, rows):
    fisher = whole_fisher(likelihood_derivatives(traces, rows, LINKS[1]))
    np.testing.assert_allclose(fisher, fisher.transpose(0, 2, 1), rtol=1e-6)
    assert np.linalg.eigvalsh(fisher).min() > -1e-4 * np.linalg.eigvalsh(fisher).max()


def test_the_expected_information_is_that_of_the_spikes_the_model_expects(
    traces, rows, monkeypatch
):
    """∫λ (d log λ/dθ)(d log λ/dθ)ᵀ dt, written out over every quadrature time."""
    link = LINKS[1]
    monkeypatch.setattr(prediction, "_INFORMATION_TIMES", len(traces.times_s))
    expected = likelihood_derivatives(traces, rows, link).expected
    for i in range(N):
        features = features_at_times(traces, i)
        drive = features @ rows[i]
        slope = link.power / (1 + np.exp(-drive)) / np.log1p(np.exp(drive))
        weight = np.exp(plain_log_rate(drive, link)) * traces.weight_s
        scores = features * slope[:, None]
        written_out = scores.T @ (scores * weight[:, None])
        np.testing.assert_allclose(expected[i], written_out, rtol=1e-4, atol=1e-3)


def test_millions_of_spikes_have_a_slope_that_no_rounding_moves():
    """By less than a hundredth of its standard error, the root of the information."""
    rng = np.random.default_rng(0)
    features = rng.exponential(0.6, (1_500_000, 2)).astype(np.float32)
    features[:, -1] = 1.0
    parameters, link = np.array([0.2, 0.5]), Link(1.3, 3.0)
    _, slope, information = prediction._log_term(features, parameters.astype(np.float32), link)
    drive = features.astype(float) @ parameters
    rise = link.power / ((1.0 + np.exp(-drive)) * np.log1p(np.exp(drive)))
    away = slope[:2] - rise @ features
    assert np.all(np.abs(away) < 0.01 * np.sqrt(np.diag(information)[:2]))


@pytest.mark.parametrize("link", LINKS)
def test_spikes_whose_features_lie_feature_by_feature_say_the_same(traces, rows, link):
    """The fast path for few features."""
    by_feature = replace(traces, at_spikes=np.asfortranarray(traces.at_spikes))
    found, expected = (likelihood_derivatives(t, rows, link) for t in (by_feature, traces))
    for name in ("log_likelihood", "gradient", "fisher", "link_cross", "link_fisher"):
        size = np.abs(getattr(expected, name)).max()
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5 * size)
    whole = log_likelihood(by_feature, rows, link)
    np.testing.assert_allclose(whole, log_likelihood(traces, rows, link), rtol=1e-5)


def test_some_of_the_times_stand_for_all_of_them(traces, rows, monkeypatch):
    """A fifth of the times gives the same information to within their scatter."""
    monkeypatch.setattr(prediction, "_INFORMATION_TIMES", len(traces.times_s))
    whole = likelihood_derivatives(traces, rows, LINKS[1]).expected
    monkeypatch.setattr(prediction, "_INFORMATION_TIMES", len(traces.times_s) // 5)
    some = likelihood_derivatives(traces, rows, LINKS[1]).expected
    assert np.any(some != whole)
    size = np.sqrt(np.einsum("iff->if", whole))
    apart = (some - whole) / (size[:, :, None] * size[:, None, :])
    assert np.sqrt(np.mean(apart**2)) < 0.05


def test_the_information_is_the_mean_of_what_spikes_show_and_the_model_expects(traces, rows):
    g = likelihood_derivatives(traces, rows, LINKS[0])
    np.testing.assert_allclose(g.information(), (g.fisher + g.expected) / 2, rtol=1e-6, atol=1e-6)


def test_a_neuron_that_should_fire_and_does_not_has_expected_information(traces, rows):
    """Its spikes carry none: only what is expected tells how fast the likelihood falls."""
    offsets, none = np.zeros(N + 1, dtype=int), slice(0, 0)
    silent = replace(
        traces,
        at_spikes=traces.at_spikes[none],
        spike_times_s=traces.spike_times_s[none],
        offsets=offsets,
    )
    g = likelihood_derivatives(silent, rows, LINKS[0])
    np.testing.assert_array_equal(g.fisher, 0)
    np.testing.assert_array_equal(
        g.expected, likelihood_derivatives(traces, rows, LINKS[0]).expected
    )
    assert np.all(np.einsum("iff->if", g.expected)[:, -1] > 0)


@pytest.fixture(scope="module")
def drawn_from_the_model():
    """Spikes of two neurons, drawn from a known model; its traces, rows and link."""
    rng = np.random.default_rng(2)
    n_ticks, link, weight, bias = 100_000, Link(1.0, 3.0), 0.8, 0.3
    trace, ticks, neurons = 0.0, [], []
    for tick in range(n_ticks):
        rate = np.exp(plain_log_rate(np.array([bias, weight * trace + bias]), link))
        fired = np.flatnonzero(rng.random(2) < rate * 1e-3)
        ticks += [tick] * len(fired)
        neurons += list(fired)
        trace = (trace + (0 in fired)) * np.exp(-0.1)
    recording = Recording.from_arrays(
        np.array(ticks) * 1e-3, np.array(neurons), time_resolution_s=1e-3
    )
    traces = synaptic_traces(recording, kernel=KERNEL, history_window_s=0.0, rng=rng)
    rows = np.zeros((2, traces.at_spikes.shape[1]))
    rows[:, -1], rows[1, 0] = bias, weight
    return traces, rows, link


def test_at_the_truth_the_fisher_information_is_the_curvature(drawn_from_the_model):
    """Spikes drawn from the model itself: the likelihood bends as the scores spread."""
    traces, rows, link = drawn_from_the_model
    step, fisher = 0.02, likelihood_derivatives(traces, rows, link).fisher[1]
    for feature in (0, rows.shape[1] - 1):
        moved = np.zeros_like(rows)
        moved[1, feature] = step
        ahead, behind = (
            likelihood_derivatives(traces, rows + s * moved, link).gradient[1] for s in (1, -1)
        )
        bent = (behind - ahead)[feature] / (2 * step)
        np.testing.assert_allclose(fisher[feature, feature], bent, rtol=0.1)


def test_at_the_truth_spikes_show_the_information_that_is_expected_of_them(drawn_from_the_model):
    """To within the scatter of spikes and of the times: 4 standard errors."""
    traces, rows, link = drawn_from_the_model
    g = likelihood_derivatives(traces, rows, link)
    neuron, used = 1, [0, rows.shape[1] - 1]
    for a in used:
        for b in used:
            drive = features_at_spikes(traces, neuron) @ rows[neuron]
            slope = link.power / (1 + np.exp(-drive)) / np.log1p(np.exp(drive))
            scores = features_at_spikes(traces, neuron)[:, [a, b]] * slope[:, None]
            scatter = np.sqrt(np.sum(np.prod(scores, axis=1) ** 2))
            times_share = traces.n_spikes[neuron] / prediction._INFORMATION_TIMES
            scatter *= np.sqrt(1 + times_share)
            assert abs(g.fisher[neuron, a, b] - g.expected[neuron, a, b]) < 4 * scatter


@pytest.mark.parametrize("link", LINKS)
def test_the_rate_grows_with_the_drive(link):
    drive = torch.linspace(-80, 50, 2001)
    rate = link.rate_hz(drive)
    assert torch.all(rate.diff() >= 0)
    possible = drive > -40
    assert torch.all(rate[possible].diff() > 0)
    np.testing.assert_allclose(link.log_rate(drive).exp()[possible], rate[possible], rtol=1e-4)


def test_far_below_its_bend_the_link_is_exponential():
    drive = torch.tensor([-20.0, -15.0, -10.0])
    link = Link(1.5, 2.0)
    np.testing.assert_allclose(link.log_rate(drive), 1.5 * drive + 2.0, atol=1e-3)
    np.testing.assert_allclose(link.slope(drive, torch.nn.functional.softplus(drive)), 1.5, 1e-3)


def test_far_above_its_bend_the_link_is_a_rectified_power():
    drive = torch.tensor([20.0, 40.0, 80.0])
    np.testing.assert_allclose(
        Link(1.5, 2.0).rate_hz(drive), np.exp(2.0) * drive.numpy() ** 1.5, rtol=1e-5
    )


@pytest.mark.parametrize("link", LINKS[:2])
def test_no_inhibition_is_too_strong_to_compute(traces, rows, link):
    """A neuron that is held at a drive of minus ten thousand has no rate, but finite numbers."""
    held = rows.copy()
    held[:, -1] = -1e4
    g = likelihood_derivatives(traces, held, link)
    rates_hz = rate_hz(traces, held, link)
    for value in (g.log_likelihood, g.gradient, whole_fisher(g), g.expected, rates_hz):
        assert np.all(np.isfinite(value))
    assert np.all(log_likelihood(traces, held, link) < log_likelihood(traces, rows, link))


@pytest.mark.parametrize("link", LINKS)
def test_a_rate_has_its_drive(link):
    wanted_hz = np.array([1e-3, 0.5, 20.0, 300.0])
    found_hz = link.rate_hz(torch.from_numpy(inverse_link(wanted_hz, link))).numpy()
    np.testing.assert_allclose(found_hz, wanted_hz, rtol=1e-6)


def test_the_link_slope_is_its_derivative():
    drive = torch.linspace(-10, 10, 41, dtype=torch.float64)
    link, step = Link(1.7, 2.5), 1e-5
    numeric = (link.log_rate(drive + step) - link.log_rate(drive - step)) / (2 * step)
    softplus = torch.nn.functional.softplus(drive)
    np.testing.assert_allclose(link.slope(drive, softplus), numeric, rtol=1e-6)


def test_the_mean_slope_turns_weights_into_log_rates(traces, rows):
    """Half a small weight more from everyone changes the log rate at spikes by the mean slope."""
    link, step = LINKS[1], 1e-3
    shifted = rows.copy()
    shifted[:, -1] += step

    def mean_log_rate(at):
        drives = [features_at_spikes(traces, i) @ at[i] for i in range(N)]
        return np.mean(plain_log_rate(np.concatenate(drives), link))

    expected = (mean_log_rate(shifted) - mean_log_rate(rows)) / step
    np.testing.assert_allclose(mean_slope(traces, rows, link), expected, rtol=1e-3)


def test_rates_integrate_to_what_the_likelihood_expects(traces, rows):
    """The derivative in the link's log gain is spikes fired less spikes expected."""
    link = LINKS[1]
    expected = traces.weight_s.astype(float) @ rate_hz(traces, rows, link)
    gradient = likelihood_derivatives(traces, rows, link).link_gradient[:, 1]
    np.testing.assert_allclose(traces.n_spikes - expected, gradient, rtol=1e-4, atol=1e-2)


def test_the_answer_does_not_depend_on_the_number_of_processors(traces, rows, monkeypatch):
    """To the last bit, with the recording in many pieces."""
    monkeypatch.setattr(prediction, "_CHUNK", 500)
    found = []
    for n in (1, 2, 7):
        monkeypatch.setattr(threads, "n_processors", lambda n=n: n)
        threads._pool.cache_clear()
        g = likelihood_derivatives(traces, rows, LINKS[1])
        likelihood = log_likelihood(traces, rows, LINKS[1])
        rates = rate_hz(traces, rows, LINKS[1])
        found.append([likelihood, rates, g.gradient, whole_fisher(g), g.expected])
    threads._pool.cache_clear()
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_row_knows_nothing_of_the_other_rows(traces, rows):
    """Other neurons' parameters do not change a neuron's likelihood or gradient by one bit."""
    others = rows.copy()
    others[1:] += 0.3
    a, b = (likelihood_derivatives(traces, at, LINKS[0]) for at in (rows, others))
    assert a.log_likelihood[0] == b.log_likelihood[0]
    np.testing.assert_array_equal(a.gradient[0], b.gradient[0])
    assert np.all(a.log_likelihood[1:] != b.log_likelihood[1:])


def test_a_silent_neuron_has_only_its_expected_spikes(traces, rows):
    fired = traces.at_spikes[: traces.offsets[1]]
    offsets = np.array([0, *[len(fired)] * N])
    times_s = traces.spike_times_s[: traces.offsets[1]]
    silent = replace(traces, at_spikes=fired, spike_times_s=times_s, offsets=offsets)
    g = likelihood_derivatives(silent, rows, LINKS[0])
    np.testing.assert_array_equal(g.fisher[1:], 0)
    assert np.all(g.log_likelihood[1:] < 0)
    assert g.log_likelihood[0] == likelihood_derivatives(traces, rows, LINKS[0]).log_likelihood[0]


def test_a_shared_column_drives_every_neuron(traces, rows):
    flat = replace(traces, at_spikes=traces.at_spikes.copy(), at_times=traces.at_times.copy())
    zeros = [np.zeros((len(part), 1)) for part in (flat.at_spikes, flat.at_times)]
    set_shared(flat, 0, *zeros)
    changed = log_likelihood(flat, rows, LINKS[0]) != log_likelihood(traces, rows, LINKS[0])
    assert np.all(changed)
