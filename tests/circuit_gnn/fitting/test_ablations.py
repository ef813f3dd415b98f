import json
from dataclasses import fields

import numpy as np
import pytest

from spikeweft.benchmark.methods import ABLATIONS, MIXED_COLUMNS
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import fit_state, structure_rounds
from spikeweft.circuit_gnn.fitting.ablations import WHOLE_RECIPE, Recipe
from spikeweft.circuit_gnn.structure_learning import network_fit as structure
from spikeweft.errors import InputError
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork


@pytest.fixture(autouse=True, scope="module")
def short_descents():
    """Fewer steps for the pair networks, which so few neurons do not need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure_rounds, "STRUCTURE_STEPS", 25)
        patch.setattr(structure, "WARM_UP_STEPS", 25)
        yield


@pytest.fixture(scope="module")
def recording():
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=8e-4),
        wiring=DirectedWiring(connection_probability=0.3),
        n_neurons=6,
        recurrent_strength=0.1,
    )
    return simulate(network, 6.0, np.random.default_rng(1))


# -- recipes --


def test_the_whole_method_is_told_by_nothing(recording):
    assert Recipe() == WHOLE_RECIPE
    assert WHOLE_RECIPE.changes == {}


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.ingredient)
def test_a_recipe_is_told_by_what_it_leaves_out(ablation):
    """As plain values, which survive a file."""
    recipe = Recipe(**ablation.recipe)
    assert set(recipe.changes) == set(ablation.recipe)
    assert Recipe.of(json.loads(json.dumps(recipe.changes))) == recipe
    assert ablation.method.build(n_hidden=0, seed=1).recipe == recipe


def test_every_ingredient_is_left_out_and_one_at_a_time():
    """And no two ablations are the same; that of hidden neurons is told from others by itself."""
    left_out = [*(tuple(ablation.recipe) for ablation in ABLATIONS), tuple(MIXED_COLUMNS.recipe)]
    assert {name for names in left_out for name in names} == {f.name for f in fields(Recipe)}
    assert all(len(names) == 1 for names in left_out)
    recipes = {Recipe(**ablation.recipe) for ablation in ABLATIONS}
    assert len(recipes) == len(ABLATIONS)


@pytest.mark.parametrize("n_networks", [(), (1, 0)])
def test_a_round_without_a_network_is_refused(n_networks):
    with pytest.raises(InputError, match="give one or more, each at least 1"):
        Recipe(n_networks=n_networks)


# -- what a recipe does to a fit --


def test_with_nothing_but_free_weights_no_network_is_learned(recording):
    fit = CircuitGNN(tau_s=0.01, recipe=Recipe(structure=False)).fit(recording)
    assert not any(progress.stage.startswith("structure") for progress in fit.history_)
    assert fit.connectivity_.metadata["structure"] == "free weights"
    assert fit.connectivity_.metadata["recipe"] == "structure=False"


def test_an_exponential_link_stays_one_to_the_end_and_is_saved(recording):
    """No step of the fit moves it, not even where networks are learned."""
    fit = CircuitGNN(tau_s=0.01, recipe=Recipe(learned_link=False)).fit(recording)
    drive = -fit.link_.log_gain + np.log([1.0, 100.0])
    np.testing.assert_allclose(fit.link_.rate_hz_of(drive), [1.0, 100.0], rtol=1e-3)
    settings = json.loads(json.dumps(fit.model_settings()))
    again = CircuitGNN.from_saved(fit.model_arrays(), settings)
    assert again.recipe == fit.recipe
    assert again.score(recording) == fit.score(recording)


def test_a_fit_with_much_left_out_can_be_taken_up(recording, tmp_path, monkeypatch):
    """Networks are taken here whatever held-out spikes say; one round, one network."""
    monkeypatch.setattr(fit_state, "_WORTH_NATS", -1e9)
    recipe = Recipe(
        n_networks=(1,),
        spectral_start=False,
        symmetric_features=False,
        fisher_metric=False,
        whitened_steps=False,
    )
    model, checkpoint = CircuitGNN(tau_s=0.01, recipe=recipe), tmp_path / "fit.safetensors"

    def stop(progress):
        if progress.stage == "structure 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(recording, checkpoint=checkpoint, on_progress=stop)
    with pytest.raises(InputError, match="was made with another recipe"):
        CircuitGNN(tau_s=0.01).fit(recording, checkpoint=checkpoint)
    resumed = CircuitGNN(tau_s=0.01, recipe=recipe).fit(recording, checkpoint=checkpoint)
    whole = CircuitGNN(tau_s=0.01, recipe=recipe).fit(recording)
    np.testing.assert_array_equal(resumed.connectivity_.weights, whole.connectivity_.weights)
    assert {p.stage for p in whole.history_ if p.stage[-1].isdigit()} == {"structure 1"}
    assert "pair network" in whole.connectivity_.metadata["structure"]
