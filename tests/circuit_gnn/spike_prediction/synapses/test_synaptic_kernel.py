from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import (
    TAU_RANGE_S,
    SynapticKernel,
)

SINGLE = SynapticKernel.exponential(0.01)
MIXED = SynapticKernel(taus_s=(0.005, 0.04), shares=(0.8, 0.2), latency_s=0.002)


def density(kernel, times_s):
    """The kernel as its definition says, at times after a spike."""
    since = times_s - kernel.latency_s
    each = [
        share * np.exp(-since / tau_s) / tau_s
        for share, tau_s in zip(kernel.shares, kernel.taus_s, strict=True)
    ]
    return np.where(since > 0, np.sum(each, axis=0), 0.0)


@pytest.mark.parametrize("kernel", [SINGLE, MIXED], ids=str)
def test_the_area_is_that_of_a_kernel_that_steps_up_by_one(kernel):
    """Drawn: its area is one, its mean lag that of its mass, its amplitudes add up to the step."""
    times_s = np.arange(0.5e-6, 1.0, 1e-6)
    drawn = density(kernel, times_s)
    assert drawn.sum() * 1e-6 == pytest.approx(1.0, rel=1e-3)
    assert (times_s * drawn).sum() * 1e-6 == pytest.approx(kernel.mean_lag_s, rel=1e-3)
    assert kernel.area_s == pytest.approx(1.0 / drawn.max(), rel=1e-3)
    assert sum(kernel.amplitudes) == pytest.approx(1.0)
    areas = np.array(kernel.amplitudes) * kernel.taus_s
    np.testing.assert_allclose(areas / areas.sum(), kernel.shares)
    stepped = drawn / drawn.max()
    assert kernel.fluctuation == pytest.approx(np.sqrt((stepped**2).sum() * 1e-6), rel=1e-3)


@pytest.mark.parametrize("kernel", [SINGLE, MIXED], ids=str)
def test_coordinates_say_all(kernel):
    again = kernel.at(kernel.coordinates)
    np.testing.assert_allclose(again.taus_s, kernel.taus_s)
    np.testing.assert_allclose(again.shares, kernel.shares)
    assert again.latency_s == pytest.approx(kernel.latency_s)
    assert len(kernel.coordinates) == kernel.n_parameters


def test_a_coordinate_moves_one_property_and_no_other():
    longer, more, later = (np.array(MIXED.coordinates) + 0.1 * np.eye(4)[k] for k in (1, 2, 3))
    assert MIXED.at(later).latency_s == pytest.approx(MIXED.latency_s + 0.0002)
    assert MIXED.at(later).taus_s == pytest.approx(MIXED.taus_s)
    np.testing.assert_allclose(MIXED.at(longer).taus_s, (0.005, 0.04 * np.exp(0.1)))
    np.testing.assert_allclose(MIXED.at(longer).shares, MIXED.shares)
    np.testing.assert_allclose(MIXED.at(more).taus_s, MIXED.taus_s)
    odds = np.divide(*MIXED.at(more).shares[::-1])
    np.testing.assert_allclose(odds, 0.25 * np.exp(0.1))


def test_kernels_stay_within_what_they_may_be():
    """Time constants no shorter than the time resolution; no exponential without a share."""
    assert SINGLE.at([-50.0]).taus_s == (TAU_RANGE_S[0],)
    assert SINGLE.at([-50.0], shortest_s=0.005).taus_s == (0.005,)
    assert SINGLE.at([50.0]).taus_s == (TAU_RANGE_S[1],)
    assert SINGLE.at([0.0]).shares == (1.0,)
    for odds in (-1e4, 1e4):
        shares = MIXED.at([*MIXED.coordinates[:2], odds, 1.0]).shares
        assert sum(shares) == pytest.approx(1.0)
        assert min(shares) == pytest.approx(0.01, rel=0.02)


def test_spikes_determine_every_number_but_the_size():
    assert SINGLE.n_parameters == 1
    assert replace(SINGLE, latency_s=0.001).n_parameters == 2
    assert MIXED.n_parameters == 4


def test_a_kernel_says_what_it_is():
    assert str(SINGLE) == "10 ms"
    assert str(replace(SINGLE, latency_s=0.003)) == "10 ms after 3 ms"
    assert str(MIXED) == "5 ms (80 %) + 40 ms (20 %) after 2 ms"
