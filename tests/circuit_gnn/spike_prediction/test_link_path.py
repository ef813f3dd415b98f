from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.circuit_gnn.spike_prediction.conftest import N, start

from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import (
    CollapsedTraces,
    Drives,
    collapsed,
    drives,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    likelihood_derivatives,
    log_likelihood,
    rate_hz,
)
from spikeweft.circuit_gnn.spike_prediction.link import (
    BEND_RANGE,
    EXPONENTIAL,
    POWER_RANGE,
    Link,
    LinkShape,
)
from spikeweft.circuit_gnn.spike_prediction.link_path import (
    LinkPath,
    SharedDerivatives,
    bounded_newton_step,
)
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import evaluate

LINK = Link(1.4, 2.5)
OTHER_SHAPES = [LinkShape(1.0, 1.5), LinkShape(2.5, 6.0), LinkShape(1.0, 60.0), EXPONENTIAL]


@pytest.fixture(scope="module")
def fit(traces):
    """Some weights, histories and biases at a link; every neuron decides what all share."""
    fit = start(traces, LINK)
    values = fit.values + np.random.default_rng(0).normal(0.0, 0.2, fit.values.shape)
    return evaluate(traces, replace(fit.parameters, values=values))


@pytest.fixture(scope="module")
def collapsed_fit(traces, fit):
    """The same, all weights collapsed into their drive, with two made-up changes of the kernel."""
    rng = np.random.default_rng(1)
    given = drives(traces, fit.weights)
    changes = [[Drives(*(x * rng.uniform(0.5, 1.0) for x in part)) for part in given] for _ in "ab"]
    parts = CollapsedTraces.of(traces, fit.n_sources, [given, *changes])
    parameters = collapsed(replace(fit.parameters, weights_fixed=True), 2)
    return parts, evaluate(parts, parameters)


# -- a path --


def test_a_path_starts_where_it_starts(fit):
    path = LinkPath.towards(fit.parameters, 3.0, LinkShape(2.0, 7.0))
    there = path.at(0.0)
    np.testing.assert_allclose(there.values, fit.values, rtol=1e-9)
    np.testing.assert_allclose(there.link, fit.link, rtol=1e-9)
    np.testing.assert_allclose(there.precision, fit.precision, rtol=1e-9)


@pytest.mark.parametrize("shape", OTHER_SHAPES, ids=str)
def test_at_its_end_the_link_has_the_shape_asked_for(fit, shape):
    end = LinkPath.towards(fit.parameters, 3.0, shape).at(1.0)
    np.testing.assert_allclose(end.link.shape(3.0), shape, rtol=1e-6)


@pytest.mark.parametrize("shape", OTHER_SHAPES, ids=str)
def test_near_the_reference_rate_another_link_changes_no_rate(fit, shape):
    """Rate and slope there are the same, so the rest is of second order in the distance."""
    log_rate, end = 3.0, LinkPath.towards(fit.parameters, 3.0, shape).at(1.0)
    here = fit.link.shape(log_rate)

    def log_rates(apart):
        """Of a drive at some distance from the reference, in units of the log rate."""
        old = torch.tensor(here.bend + apart / here.slope, dtype=torch.float64)
        new = torch.tensor(shape.bend + apart / shape.slope, dtype=torch.float64)
        return float(fit.link.log_rate(old)), float(end.link.log_rate(new))

    assert log_rates(0.0) == pytest.approx((log_rate, log_rate), abs=1e-6)
    for apart in (-1e-3, 1e-3):
        assert log_rates(apart) == pytest.approx((log_rate + apart,) * 2, abs=1e-5)


def test_the_rates_of_neurons_stay_near_along_a_short_path(traces, fit):
    log_rate = fit.log_rate_at_spikes
    shape = fit.link.shape(log_rate)
    far, near = (shape._replace(bend=shape.bend + change) for change in (0.2, 0.1))
    before = np.log(rate_hz(traces, fit.values, fit.link))
    changes = []
    for other in (far, near):
        end = LinkPath.towards(fit.parameters, log_rate, other).at(1.0)
        changes.append(np.log(rate_hz(traces, end.values, end.link)) - before)
    close = np.abs(before - log_rate) < 0.3
    assert close.any()
    assert np.abs(changes[0][close]).max() < 0.01
    assert np.abs(changes[1]).mean() < 0.7 * np.abs(changes[0]).mean()


def test_the_prior_of_weights_says_the_same_all_along_a_path(fit):
    path = LinkPath.towards(fit.parameters, 3.0, LinkShape(2.0, 7.0))
    weight = fit.is_weight
    for length in (0.5, 1.0):
        there = path.at(length)
        only_weights = np.where(weight, there.values, 0.0)
        np.testing.assert_allclose(
            there.penalty(only_weights), fit.penalty(np.where(weight, fit.values, 0.0)), rtol=1e-6
        )


# -- derivatives in what all share --


def numeric_slope(traces, estimate, k, step=2e-2):
    """Change of each neuron's log-likelihood along one direction, at fixed drives v."""
    n_shared = 2 + estimate.n_collapsed
    none = np.zeros_like(estimate.values)
    path = LinkPath.along(estimate, np.eye(n_shared)[k], none)
    ends = [path.at(length) for length in (step, -step)]
    ahead, behind = (log_likelihood(traces, end.values, end.link) for end in ends)
    return (ahead - behind) / (2 * step)


@pytest.mark.parametrize("k", [0, 1])
def test_the_shared_gradient_is_the_slope_along_a_path(traces, fit, k):
    gradient = SharedDerivatives.of(fit).gradient[:, k]
    np.testing.assert_allclose(gradient, numeric_slope(traces, fit, k), rtol=2e-2, atol=0.5)


@pytest.mark.parametrize("k", range(5), ids=["power", "bend", "scale", "kernel", "kernel'"])
def test_so_is_that_of_a_scale_and_of_the_kernel_where_weights_are_collapsed(collapsed_fit, k):
    traces, fit = collapsed_fit
    gradient = SharedDerivatives.of(fit).gradient[:, k]
    np.testing.assert_allclose(gradient, numeric_slope(traces, fit, k), rtol=2e-2, atol=0.5)


@pytest.mark.parametrize("is_collapsed", [False, True])
def test_the_shared_information_is_that_of_the_spikes(traces, fit, collapsed_fit, is_collapsed):
    """Both halves of it: the plain one, by the chain rule, taken numerically."""
    traces, fit = collapsed_fit if is_collapsed else (traces, fit)
    n_shared, step, none = 2 + fit.n_collapsed, 1e-4, np.zeros_like(fit.values)
    changes = []
    for direction in np.eye(n_shared):
        path = LinkPath.along(fit, direction, none)
        ahead, behind = path.at(step), path.at(-step)
        link = (np.array(ahead.link) - np.array(behind.link)) / (2 * step)
        plain = (ahead.values - behind.values) / (2 * step)
        changes.append(np.concatenate([plain, np.tile(link, (N, 1))], axis=1))
    change, d = np.stack(changes, axis=2), fit.derivatives
    whole = np.block([[d.fisher, d.link_cross], [d.link_cross.transpose(0, 2, 1), d.link_fisher]])
    expected = change.transpose(0, 2, 1) @ whole @ change
    found = SharedDerivatives.of(fit)
    size = np.sqrt(np.einsum("iaa->ia", expected))
    apart = (found.fisher - expected) / (size[:, :, None] * size[:, None, :])
    assert np.abs(apart).max() < 1e-2
    np.testing.assert_allclose(
        found.cross, (whole @ change)[:, : fit.values.shape[1]], rtol=1e-2, atol=1e-2 * size.max()
    )


def test_a_path_along_a_step_changes_plain_coefficients_by_it(traces, fit):
    step = np.random.default_rng(2).normal(0.0, 0.1, fit.values.shape)
    there = LinkPath.along(fit, np.zeros(2), step).at(0.5)
    np.testing.assert_allclose(there.values, fit.values + 0.5 * step, rtol=1e-9)
    np.testing.assert_allclose(there.link, fit.link, rtol=1e-9)
    likelihood_there = likelihood_derivatives(traces, there.values, there.link).log_likelihood
    assert np.all(likelihood_there != fit.derivatives.log_likelihood)


# -- a step of what all share --


def at_shape(fit, shape):
    """A fit whose link has a shape, around its own rate at the spikes."""
    return replace(fit, link=shape.link(fit.log_rate_at_spikes), link_radius=1.0)


def test_a_step_stays_within_what_a_link_may_be(fit):
    """At the edge of its range a property stays, and the other still moves as it would alone."""
    at_edge = at_shape(fit, LinkShape(POWER_RANGE[0], 2.0))
    curvature = np.array([[2.0, 0.5], [0.5, 1.0]])
    step = bounded_newton_step(curvature, np.array([-1.0, 0.3]), at_edge)
    np.testing.assert_allclose(step, [0.0, 0.3], atol=1e-6)
    at_edge = at_shape(fit, LinkShape(2.0, BEND_RANGE[1]))
    step = bounded_newton_step(curvature, np.array([1.0, 3.0]), at_edge)
    np.testing.assert_allclose(step, [0.5, 0.0], atol=1e-4)


def test_a_step_is_newtons_where_it_is_short_and_no_longer_than_the_radius(fit):
    inside = replace(at_shape(fit, LinkShape(2.0, 2.0)), link_radius=0.5)
    curvature, slope = np.array([[20.0, 5.0], [5.0, 10.0]]), np.array([1.0, 2.0])
    step = bounded_newton_step(curvature, slope, inside)
    np.testing.assert_allclose(step, np.linalg.solve(curvature, slope), atol=1e-8)
    step = bounded_newton_step(curvature, 1e3 * slope, inside)
    assert np.abs(step).max() == pytest.approx(0.5)


def test_a_long_step_stays_in_the_valley(fit):
    """Of two directions that do nearly the same, it goes where the slope is, not to a corner."""
    inside = replace(at_shape(fit, LinkShape(2.0, 2.0)), link_radius=0.5)
    curvature, slope = np.array([[1.0, 0.999], [0.999, 1.0]]), np.array([0.010, -0.010])
    step = bounded_newton_step(curvature, slope, inside)
    assert step[0] == pytest.approx(-step[1])
    step = bounded_newton_step(curvature, slope + 0.2, inside)
    assert abs(step).max() <= 0.5
    assert step @ slope > 0


def test_the_kernel_moves_no_further_than_its_drive_is_straight(fit):
    inside = at_shape(fit, LinkShape(2.0, 2.0))
    step = bounded_newton_step(np.eye(4), np.array([0.5, 0.5, 0.5, 0.5]), inside)
    np.testing.assert_allclose(step, [0.5, 0.5, 0.5, 0.2])


@pytest.mark.parametrize(
    ("curvature", "slope"),
    [
        ([[1156.0, 40.0], [40.0, 1.4]], [-247.8, 23.1]),
        ([[51.0, 0.0], [0.0, -0.0174]], [-51.3, 4.2]),
        ([[0.0, 0.0], [0.0, 0.0]], [-1.0, 2.0]),
        ([[-2e-6, 0.0], [0.0, -4e-5]], [-3e-3, -3e-2]),
    ],
    ids=["nearly singular", "below zero by rounding", "none", "all below zero"],
)
def test_a_step_goes_up_the_slope_even_where_spikes_hardly_tell_two_links_apart(
    fit, curvature, slope
):
    """No point within the bounds gains more, by the parabola that the step is made of."""
    inside, curvature, slope = (
        at_shape(fit, LinkShape(2.0, 13.0)),
        np.array(curvature),
        np.array(slope),
    )
    step = bounded_newton_step(curvature, slope, inside)
    assert slope @ step > 0
    tried = np.random.default_rng(0).uniform(-1.0, 1.0, (1000, 2))
    tried[:, 1] = np.minimum(tried[:, 1], np.arcsinh(BEND_RANGE[1]) - np.arcsinh(13.0))
    gains = tried @ slope - 0.5 * np.einsum("ka,ab,kb->k", tried, curvature, tried)
    assert slope @ step - 0.5 * step @ curvature @ step >= gains.max() - 1e-3
