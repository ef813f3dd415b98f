import pytest

from spikeweft.benchmark import methods
from spikeweft.errors import InputError


@pytest.mark.parametrize("name", [m.name for m in methods.WITH_DRIVE + methods.WITHOUT_DRIVE[1:2]])
def test_every_method_can_be_built(name):
    known = {m.name: m for m in methods.WITH_DRIVE + methods.WITHOUT_DRIVE}
    estimator = known[name].build(n_hidden=0, seed=7)
    assert estimator.get_params().get("random_state", 7) == 7


def test_hidden_neurons_are_not_asked_of_a_method_that_has_none():
    with pytest.raises(InputError, match="has no hidden neurons"):
        methods.POISSON_GLM.build(n_hidden=5, seed=0)
    assert methods.CIRCUIT_GNN.build(n_hidden=5, seed=0).get_params()["n_hidden"] == 5
