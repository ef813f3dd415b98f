from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.estimator import HeldOutPrediction
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.inference.circuit_kind import CircuitKind

N_NEURONS = 3


def part(duration_s):
    times_s = np.arange(1, int(100 * duration_s)) * 0.01
    return Recording.from_arrays(
        times_s, np.arange(len(times_s)) % N_NEURONS, epochs_s=np.array([[0.0, duration_s]])
    )


TRAINING, HELD_OUT = part(60.0), part(6.0)


def kind_of(dense_nats, sparse_nats, n_connections=2, decides=(True, True, True), shares=True):
    """A kind whose models gain so many nats a neuron over neurons without coupling."""
    epochs_s = scored_epochs(HELD_OUT, 0.1)
    scored = HELD_OUT.restrict(epochs_s)
    rate_hz = TRAINING.rate_hz
    uncoupled = scored.n_spikes * np.log(rate_hz) - rate_hz * scored.duration_s
    dense = HeldOutPrediction(
        epochs_s=epochs_s,
        log_likelihood=np.where(decides, uncoupled + dense_nats, np.nan),
        without_coupling=np.where(decides, uncoupled, np.nan),
    )
    probability = np.zeros((N_NEURONS, N_NEURONS))
    probability.flat[1 : 1 + n_connections] = 0.999
    circuit = Connectivity(weights=probability, probability=probability)
    return CircuitKind.of(
        TRAINING,
        HELD_OUT,
        dense,
        uncoupled + sparse_nats,
        circuit,
        knows_shared_state=shares,
    )


def test_the_model_answers_that_predicts_held_out_spikes_better():
    assert kind_of(10.0, 20.0).is_sparse
    assert not kind_of(20.0, 10.0).is_sparse


def test_where_both_predict_alike_sure_connections_answer():
    alike = np.array([12.0, 7.0, 10.5])  # of a sum of -0.5 the standard error is 4.4
    assert kind_of(10.0, alike).is_sparse
    assert "looks sparse, with latencies" in kind_of(10.0, alike).sentence
    pair = "; SynapseModel and CircuitGNN differ by less than the error of that."
    assert kind_of(10.0, alike).sentence.endswith(pair)
    assert kind_of(-10.0, alike - 20.0).sentence.endswith(pair)  # though none predicts better
    assert not kind_of(10.0, alike, n_connections=0).is_sparse
    assert not kind_of(10.0, alike - 2.0).is_sparse


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (kind_of(20.0, 10.0), "looks recurrent and dense: of each held-out spike, CircuitGNN"),
        (kind_of(10.0, 20.0), "looks sparse, with latencies: of each held-out spike, SynapseModel"),
        (kind_of(1.0, 0.0), "There is no coupling that can be shown: of"),
        (kind_of(0.0, 1.0), "There is no coupling that can be shown: of"),
        (kind_of(0.0, 30.0, n_connections=0), "no coupling that can be shown, only a state that"),
    ],
)
def test_the_kind_is_said_in_one_sentence(kind, words):
    assert words in kind.sentence
    assert kind.sentence.endswith(".")
    assert kind.sentence.count(". ") == 0


def test_no_state_is_named_that_the_model_does_not_know():
    assert kind_of(0.0, 30.0, n_connections=0, shares=False).sentence.startswith(
        "There is no coupling that can be shown: of"
    )


def test_the_numbers_are_bits_per_spike_beyond_mean_rates():
    kind = kind_of(20.0, 10.0)
    n_spikes = len(HELD_OUT.restrict(scored_epochs(HELD_OUT, 0.1)).spike_times_s)
    assert kind.uncoupled_bits == pytest.approx(0.0, abs=1e-9)
    assert kind.dense_bits == pytest.approx(3 * 20.0 / np.log(2) / n_spikes)
    assert f"predicts {kind.dense_bits:.3f} bits" in kind.sentence


def test_neurons_that_do_not_decide_have_no_say():
    some = kind_of(20.0, np.array([10.0, 10.0, 1000.0]), decides=(True, True, False))
    assert not some.is_sparse
    assert some.dense_nats - some.uncoupled_nats == pytest.approx(40.0)


def test_a_worse_prediction_than_mean_rates_has_a_minus():
    assert "−0." in replace(kind_of(0.0, 0.0), sparse_bits=-0.25).sentence
