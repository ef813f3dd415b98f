import re

import pytest
from tests.stand_ins import SpikeCorrelation, spikes

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import needed_memory
from spikeweft.errors import InputError
from spikeweft.inference import expectation
from spikeweft.inference.expectation import Expected, expected_of
from spikeweft.synapse_model.estimator import SynapseModel


def test_what_each_fit_takes_is_said_as_far_as_it_can_be_foretold():
    dense, sparse, glm = expected_of(
        [CircuitGNN(), SynapseModel(), SpikeCorrelation(), PoissonGLM()], spikes()
    )
    assert re.fullmatch(r"about \S+ (s|min|h) and \S+ GB for CircuitGNN", str(dense))
    assert re.fullmatch(r"\S+ GB for SynapseModel", str(sparse))
    assert re.fullmatch(r"\S+ GB for PoissonGLM", str(glm))


def test_what_workers_take_is_said_too():
    said = str(Expected("CircuitGNN", 2048.0, 7200.0, 8))
    assert said == "about 2 h and 2 GB for CircuitGNN and for each of 8 workers"


@pytest.mark.parametrize("method", [SynapseModel(), PoissonGLM()])
def test_more_neurons_and_a_longer_recording_take_more_memory(method):
    few, many, long = (
        method.needed_memory_mb(spikes(n=n, duration_s=seconds))
        for n, seconds in ((4, 20.0), (40, 20.0), (4, 2000.0))
    )
    assert 0 < few < many
    assert few < long


@pytest.mark.parametrize("method", [CircuitGNN(), SynapseModel(), PoissonGLM()])
def test_too_little_memory_for_any_fit_is_one_sentence(method, monkeypatch):
    for module in (expectation, needed_memory):
        monkeypatch.setattr(module, "available_memory_mb", lambda: 1e-3)
    with pytest.raises(InputError, match=r"of 4 neurons.* takes about .* GB are free; "):
        expected_of([method], spikes())
