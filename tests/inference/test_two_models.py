from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.conftest import learn_shortly
from tests.stand_ins import page_of_one_line

from spikeweft.circuit_gnn.estimator import CircuitGNN, HeldOutPrediction
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import VALIDATION_FRACTION, split
from spikeweft.data.scored_time import scored_epochs
from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.inference.two_models import better_of_two
from spikeweft.results.result import read_result
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork
from spikeweft.simulation.storage import save_simulation


@cache
def short():
    network = SparsePoissonNetwork(n_neurons=9, median_rate_hz=6.0, wiring_seed=2)
    return network.simulate(20.0, np.random.default_rng(2))


def dense_that_predicts(nats):
    """A fitted `CircuitGNN` by which held-out spikes of each neuron are so likely."""
    held_out = split(short(), VALIDATION_FRACTION)[1]
    model = CircuitGNN()
    model.connectivity_ = Connectivity(weights=np.zeros((9, 9)))
    model.held_out_ = HeldOutPrediction(
        epochs_s=scored_epochs(held_out, 0.1),
        log_likelihood=np.full(9, nats),
        without_coupling=np.full(9, -1e6),
    )
    return model


def asked(tmp_path, **settings):
    return Inference(recording=tmp_path / "a.npz", folder=tmp_path / "a", **settings)


def no_stage(_):
    pass


def test_a_recurrent_circuit_answers_where_it_predicts_held_out_spikes_better(tmp_path):
    dense = dense_that_predicts(1e6)
    answer = better_of_two(dense, asked(tmp_path), short(), no_stage)
    assert answer.model is dense
    assert answer.second.probability is not None
    assert "looks recurrent and dense" in answer.metrics["circuit_kind"]
    shares = np.array(answer.metrics["state_share_per_neuron"])
    assert np.isfinite(shares).all()
    assert shares.shape == (9,)
    assert np.all((shares >= 0) & (shares <= 1))


@pytest.mark.slow
def test_a_sparse_circuit_answers_fitted_to_all_training_time(tmp_path):
    dense = dense_that_predicts(-1e5)
    answer = better_of_two(dense, asked(tmp_path), short(), no_stage)
    assert answer.second is dense.connectivity_
    np.testing.assert_array_equal(answer.model.null_rate_hz_, short().rate_hz)
    bits = answer.metrics["held_out_bits_per_spike_synapse_model"]
    assert bits > answer.metrics["held_out_bits_per_spike_circuit_gnn"]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"n_hidden": 3}, "knows no hidden neurons."),
        ({"covariates": ("speed",)}, "knows no covariates."),
        ({"rotated_by": "drive"}, "knows no rotation."),
    ],
)
def test_what_sparse_connections_do_not_know_is_said(tmp_path, settings, what):
    dense = dense_that_predicts(-1e5)
    answer = better_of_two(dense, asked(tmp_path, **settings), short(), no_stage)
    assert answer.model is dense
    assert answer.second is None
    assert what in answer.metrics["circuit_kind"]


def test_times_too_coarse_for_latencies_are_no_reason_to_fail(tmp_path):
    dense = dense_that_predicts(-1e5)
    coarse = replace(short(), time_resolution_s=0.05)
    answer = better_of_two(dense, asked(tmp_path), coarse, no_stage)
    assert answer.model is dense
    assert "too coarse for latencies" in answer.metrics["circuit_kind"]


def inferred(tmp_path, monkeypatch, recording, truth):
    learn_shortly(monkeypatch)
    save_simulation(tmp_path / "a.npz", recording, truth)
    infer(asked(tmp_path), build_page=page_of_one_line)
    return read_result(tmp_path / "a")


@pytest.mark.slow
def test_spikes_of_a_sparse_network_speak_for_sparse_connections(tmp_path, monkeypatch):
    network = SparsePoissonNetwork(n_neurons=20, median_rate_hz=5.0, median_gain=0.8, wiring_seed=0)
    recording = network.simulate(300.0, np.random.default_rng(0))
    result = inferred(tmp_path, monkeypatch, recording, network.connectivity)
    assert result.provenance["model"] == "SynapseModel"
    assert "looks sparse, with latencies" in result.metrics["circuit_kind"]
    assert np.isfinite(result.connectivity.latency_s[result.connectivity.probability > 0.5]).all()
    assert result.second.metadata["estimator"] == "CircuitGNN"
    assert result.correlograms.n_pairs > 0


@pytest.mark.slow
def test_spikes_of_a_ring_speak_for_a_dense_circuit(tmp_path, monkeypatch):
    ring = replace(lnp_ring(), n_neurons=30)
    recording = simulate(ring, 60.0, np.random.default_rng(0))
    result = inferred(tmp_path, monkeypatch, recording, ring.connectivity)
    assert result.provenance["model"] == "CircuitGNN"
    assert "looks recurrent and dense" in result.metrics["circuit_kind"]
    assert result.second.probability is not None
    assert result.correlograms is None
