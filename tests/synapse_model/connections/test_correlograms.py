import numpy as np

from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.correlograms import correlograms_of
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.pair_counts import PairCounts
from spikeweft.synapse_model.connections.pair_inference import PairInference
from spikeweft.synapse_model.connections.smooth_null import broad_components

STEP_S, N_LAGS, EXPECTED = 0.001, 40, 400.0
LAGS_S = STEP_S * np.arange(-N_LAGS, N_LAGS + 1)
LATENCY = 2
"""In steps, of the one synapse, which neuron 1 sends to neuron 0 of three."""


def sent():
    """Log factor of the synapse from one step on."""
    lags = np.arange(1, N_LAGS + 1)
    return np.where(lags >= LATENCY, 1.2 * np.exp(-(lags - LATENCY) / 2.0), 0.0)


def bump():
    return 0.2 * np.exp(-0.5 * (LAGS_S / 0.02) ** 2)


def counted(rng):
    """All pairs of three neurons, which share a state; the synapse is that of the first pair."""
    effect = np.zeros((3, len(LAGS_S)))
    effect[0, N_LAGS + 1 :] = sent()
    return PairCounts(
        first=np.array([0, 0, 1]),
        second=np.array([1, 2, 2]),
        observed=rng.poisson(EXPECTED * np.exp(bump() + effect)).astype(float),
        expected=np.full(effect.shape, EXPECTED),
        step_s=STEP_S,
    )


def inferred(probability):
    """What would be inferred where the synapse is this probable, and certain ones known."""
    kernel, believed = np.zeros((3, 3, N_LAGS)), np.zeros((3, 3, 2))
    kernel[0, 1], believed[0, 1, 0] = sent(), probability
    variances = np.where(broad_components(), 0.01, 0.0)
    nothing = np.zeros((3, 3))
    return PairInference(
        probability=believed,
        kernel=kernel,
        area=nothing,
        area_sd=nothing,
        latency_s=nothing,
        latency_sd_s=nothing,
        priors=(
            ConnectionPrior.first(
                KernelShapes.of(STEP_S, N_LAGS), np.full(3, np.nan), variances, LAGS_S
            ),
        ),
    )


def test_what_is_shown_as_observed_are_the_coincidences_that_were_counted():
    counts = counted(np.random.default_rng(0))
    shown = correlograms_of(counts, inferred(0.99))
    assert (shown.first.tolist(), shown.second.tolist()) == ([0], [1])
    np.testing.assert_array_equal(shown.observed, counts.observed[:1])
    np.testing.assert_array_equal(shown.expected, counts.expected[:1])


def test_a_synapse_stands_on_its_own_side_of_lag_zero_and_on_the_smooth_null():
    shown = correlograms_of(counted(np.random.default_rng(0)), inferred(0.99))
    ratio = (shown.connected / shown.null)[0]
    np.testing.assert_allclose(ratio[: N_LAGS + LATENCY], 1.0)
    np.testing.assert_allclose(ratio[N_LAGS + 1 :], np.exp(sent()))
    assert LAGS_S[ratio.argmax()] == LATENCY * STEP_S
    truth = EXPECTED * np.exp(bump())
    assert np.abs(shown.null[0] / truth - 1).max() < 0.1
    surprise = (shown.observed - shown.connected)[0] / np.sqrt(shown.connected[0])
    assert np.mean(surprise**2) < 1.5


def test_a_pair_that_is_more_probably_not_connected_is_not_shown():
    assert correlograms_of(counted(np.random.default_rng(0)), inferred(0.4)).n_pairs == 0
