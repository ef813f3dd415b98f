import numpy as np
import pytest
from scipy.optimize import minimize

from spikeweft.baselines.correlograms.glmcc import GLMCC
from spikeweft.baselines.correlograms.glmcc_posterior import SMOOTHNESS, fit_pairs, log_posterior

LAGS_MS = np.arange(-50, 51)


def effect(delay_ms, decay_ms=4.0):
    since_ms = LAGS_MS - delay_ms
    return np.exp(-np.where(since_ms >= 0, since_ms, np.inf) / decay_ms)


def drawn(rng, level, forth, back, delay_ms):
    wave = np.log(level) + 0.3 * np.cos(LAGS_MS / 25.0)
    acting = effect(delay_ms)
    return rng.poisson(np.exp(wave + forth * acting + back * acting[::-1])).astype(float)


@pytest.mark.parametrize(
    ("level", "forth", "back"), [(30.0, 0.8, 0.0), (200.0, -0.6, 0.4), (3.0, -2.0, 1.0)]
)
def test_the_fit_is_the_maximum_of_the_posterior(level, forth, back):
    """A general optimiser from another start finds the same J and no higher posterior."""
    counts = drawn(np.random.default_rng(0), level, forth, back, 3)
    acting = effect(3)
    fits = fit_pairs(counts[None], acting[None], SMOOTHNESS)

    def loss(parameters):
        return -log_posterior(counts, acting, SMOOTHNESS, parameters[:-2], parameters[-2:])

    def slope(parameters):
        wave, strength = parameters[:-2], parameters[-2:]
        mean = np.exp(wave + strength[0] * acting + strength[1] * acting[::-1])
        excess = counts - mean
        bend = np.diff(wave, prepend=wave[0], append=wave[-1])
        sides = [excess @ acting, excess @ acting[::-1]]
        return -np.concatenate([excess + SMOOTHNESS * np.diff(bend), sides])

    start = np.append(np.full(101, np.log(counts.mean() + 1.0)), [0.1, 0.1])
    bounds = [(None, None)] * 101 + [(-3.0, 5.0)] * 2
    peer = minimize(
        loss,
        start,
        jac=slope,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 200_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 50},
    )
    np.testing.assert_allclose(fits.strength[0], peer.x[-2:], atol=2e-3)


def test_the_delay_is_that_of_the_synapse():
    rng = np.random.default_rng(1)
    delays_ms = np.arange(1, 21)
    counts = np.array([drawn(rng, 100.0, 0.8, 0.0, delay_ms) for delay_ms in delays_ms])
    effects = np.array([effect(delay_ms) for delay_ms in delays_ms])
    fits = fit_pairs(counts, effects, SMOOTHNESS)
    assert np.mean(np.abs(delays_ms[fits.delay] - delays_ms) <= 1) >= 0.9
    np.testing.assert_allclose(fits.strength[:, 0], 0.8, atol=0.25)
    np.testing.assert_allclose(fits.strength[:, 1], 0.0, atol=0.25)


def test_nothing_is_said_about_ten_pairs_of_spikes(two_synapses):
    """As in the authors' program: too few pairs while the effect would last."""
    short = two_synapses.restrict(np.array([[0.0, 5.0]]))
    model = GLMCC().fit(short)
    assert not model.connected_.any()
    assert not model.connectivity_.informed.any()
    np.testing.assert_array_equal(model.connectivity_.weights, 0.0)
