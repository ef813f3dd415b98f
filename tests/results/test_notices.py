import numpy as np
import pytest
from tests.stand_ins import spikes

from spikeweft.data.connectivity import Connectivity
from spikeweft.results.notices import notices
from spikeweft.results.result import Result


def result(structure="free weights", **metrics):
    circuit = Connectivity(weights=np.eye(4), metadata={"structure": structure})
    nothing = {"history": [], "warnings": [], "provenance": {}}
    model = {"model_arrays": {}, "model_settings": {}}
    return Result(connectivity=circuit, metrics=metrics, sample=spikes(), **nothing, **model)


def test_a_model_that_predicts_best_needs_no_notice():
    assert notices(result(bits_per_spike=0.5, glm_bits_per_spike=0.4)) == []
    assert notices(result()) == []


def test_a_model_worse_than_mean_rates_means_nothing():
    (said,) = notices(result(bits_per_spike=-0.1, bits_per_spike_per_neuron=[-0.1] * 4))
    assert "no better than constant rates" in said
    assert "−0.100 bits per spike" in said
    assert "means nothing" in said


def test_few_neurons_that_spoil_the_mean_are_named():
    per_neuron = [0.3, 0.2, -80.0, None]
    (said,) = notices(result(bits_per_spike=-26.5, bits_per_spike_per_neuron=per_neuron))
    assert "because of neuron 2;" in said
    assert "half of the neurons have 0.200 or more" in said
    assert "means nothing" not in said


def test_a_better_glm_is_said_with_both_numbers():
    (said,) = notices(result(bits_per_spike=0.5, glm_bits_per_spike=0.6))
    assert "(0.600 against 0.500 bits per spike)" in said


def test_a_glm_that_is_better_by_less_than_is_shown_is_a_tie():
    assert notices(result(bits_per_spike=0.5, glm_bits_per_spike=0.5004)) == []


@pytest.mark.parametrize("value", [-np.inf, np.nan, None])
def test_a_score_that_is_no_number_is_said(value):
    (said,) = notices(result(bits_per_spike=value, glm_bits_per_spike=0.5))
    assert said.startswith("How well the model would predict test spikes is no finite number")
    (said,) = notices(result(bits_per_spike=0.5, glm_bits_per_spike=value))
    assert said.startswith("How well the GLM would predict")


def test_no_coupling_is_said():
    (said,) = notices(result("no coupling", bits_per_spike=0.5))
    assert "all weights are zero" in said
