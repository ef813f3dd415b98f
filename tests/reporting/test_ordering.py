import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.reporting.conftest import PROFILES, ring

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.ordering import NeuronOrder, circular_order, neuron_order


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_shuffled_ring_is_put_back_in_order(profile, noise):
    rng = np.random.default_rng(0)
    n = 80
    weights, _ = ring(n, profile)
    weights = weights + noise * weights.std() * rng.normal(size=weights.shape)
    shuffled = rng.permutation(n)
    order = circular_order(weights[np.ix_(shuffled, shuffled)])
    step = np.diff(shuffled[order], append=shuffled[order[0]]) % n
    step = np.minimum(step, n - step)
    assert step.sum() <= 1.5 * n
    assert step.max() <= (1 if noise == 0 else 5)


def test_relabelling_the_neurons_keeps_their_order_around_the_circle():
    rng = np.random.default_rng(1)
    weights, _ = ring(30, "Mexican hat, inhibition only")
    relabelled = rng.permutation(30)
    order = circular_order(weights)
    again = relabelled[circular_order(weights[np.ix_(relabelled, relabelled)])]
    start = int(np.flatnonzero(again == order[0])[0])
    forward, backward = np.roll(again, -start), np.roll(again[::-1], start + 1)
    assert np.array_equal(order, forward) or np.array_equal(order, backward)


@given(
    st.integers(1, 9).flatmap(
        lambda n: arrays(float, (n, n), elements=st.floats(-1e3, 1e3, allow_subnormal=False))
    )
)
def test_every_circuit_has_an_order_with_each_neuron_once(weights):
    order = circular_order(weights)
    assert sorted(order) == list(range(len(weights)))
    assert order[0] == 0


def test_neurons_are_sorted_by_direction_where_it_is_known():
    angle = np.array([3.0, np.nan, -0.5, 1.0])
    order = neuron_order(Connectivity(weights=np.zeros((4, 4)), angle_rad=angle))
    assert order.neurons.tolist() == [3, 0, 2, 1]
    assert order.neurons[order.place].tolist() == [0, 1, 2, 3]
    assert order.source == "preferred direction"


@pytest.mark.parametrize("angle", [None, np.full(5, np.nan)])
def test_neurons_are_sorted_by_the_circuit_where_no_direction_is_known(angle):
    rng = np.random.default_rng(2)
    order = neuron_order(Connectivity(weights=rng.normal(size=(5, 5)), angle_rad=angle))
    assert order.angle_rad is None
    assert order.source == "the inferred circuit"


def test_a_direction_lies_between_the_neurons_that_prefer_its_neighbours():
    order = NeuronOrder(neurons=np.arange(4), angle_rad=np.deg2rad([10.0, 100.0, 190.0, 350.0]))
    place = order.place_at(np.deg2rad([10.0, 55.0, 270.0, 0.0, 355.0, -90.0]))
    np.testing.assert_allclose(place, [0.0, 0.5, 2.5, -0.5, 3.25, 2.5])
