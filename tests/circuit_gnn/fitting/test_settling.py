from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.fitting.conftest import N

from spikeweft.circuit_gnn.fitting import settling
from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import n_bytes_collapsed
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.synapses import quadrature


@pytest.fixture
def doubled(settled):
    """The fit with its weights, all twice as large, given."""
    values = settled.parameters.values * np.where(settled.parameters.is_weight, 2.0, 1.0)
    parameters = replace(settled.parameters, values=values, weights_fixed=True)
    return replace(settled, parameters=parameters)


def test_a_settled_fit_keeps_the_proportions_of_its_weights(problem, doubled):
    """All else, and one scale of them, becomes likelier; the kernel too where it may move."""
    before, off = problem.estimate(doubled).shared_penalised, ~np.eye(N, dtype=bool)
    for with_kernel in (False, True):
        found = settling.settled(problem, doubled, with_kernel=with_kernel)
        assert problem.estimate(found).shared_penalised > before + 1.0
        scale = found.parameters.weights[off] / doubled.parameters.weights[off]
        np.testing.assert_allclose(scale, scale[0], rtol=1e-6)
        assert (found.inputs.kernel != doubled.inputs.kernel) == with_kernel


def test_a_start_on_part_of_the_spikes_ends_at_the_same_place(problem, doubled, monkeypatch):
    """Some of the spikes lead the way, all of them take the last steps."""
    whole = settling.settled(problem, doubled)
    monkeypatch.setattr(settling, "SPIKES_TO_EXPLORE", 80)
    again = settling.settled(problem, doubled)
    found, wanted = (problem.estimate(one).shared_penalised for one in (again, whole))
    assert found == pytest.approx(wanted, abs=1.0)
    assert problem.estimate(doubled).shared_penalised < found - 1.0


def test_a_recording_too_long_to_collapse_settles_by_every_other_spike(
    problem, doubled, monkeypatch
):
    whole = settling.settled(problem, doubled, with_kernel=True)
    n_times = quadrature.n_quadrature_times(problem.recording_of(False), evenly=False)
    n_bytes = n_bytes_collapsed(problem.recording_of(False).n_spikes, n_times, 5, True)
    monkeypatch.setattr(settling, "MOST_COLLAPSED_BYTES", 0.6 * n_bytes)
    half = settling.settled(problem, doubled, with_kernel=True)
    found, wanted = (problem.estimate(one).shared_penalised for one in (half, whole))
    assert wanted - 10.0 < found < wanted + 1.0
    assert found > problem.estimate(doubled).shared_penalised + 1.0


def test_settling_again_changes_nothing(problem, doubled):
    once = settling.settled(problem, doubled)
    twice = settling.settled(problem, once)
    found, before = (problem.estimate(one).shared_penalised for one in (twice, once))
    assert found == pytest.approx(before, abs=0.5)


def test_neurons_without_coupling_settle_to_their_rates(problem, settled):
    """A drive of nothing but zeros says nothing; own history and bias are fitted all the same."""
    values = np.where(settled.parameters.is_weight, 0.0, settled.parameters.values)
    parameters = replace(settled.parameters, values=values, weights_fixed=True)
    found = settling.settled(problem, replace(settled, parameters=parameters))
    assert np.all(np.isfinite(found.parameters.values))
    assert found.parameters.history_precision.min() > 1e-3
    assert not found.parameters.weights.any()


class FixedLink(FisherScoring):
    """Every step of the link fails."""

    def __init__(self):
        self.n_failed = 0

    def joint_step(self, traces, estimate):
        self.n_failed += 1
        return replace(estimate, link_radius=estimate.link_radius / 4)


def test_a_fit_whose_link_cannot_move_ends_where_neurons_gain_nothing(
    problem, doubled, monkeypatch
):
    """Even where the link failed more often before that than would end it."""
    scoring = FixedLink()
    monkeypatch.setattr(problem, "scoring", scoring)
    settling.settled(problem, doubled)
    assert settling._MOST_FAILED_STEPS < scoring.n_failed < settling._MOST_STEPS
