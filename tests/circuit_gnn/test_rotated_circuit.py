import json
from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.interruptions import fit_with_interruptions

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.data.covariate import Covariate
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.partial_observation import observe
from spikeweft.simulation.ring_networks import FlatInhibition, RingNetwork

pytestmark = pytest.mark.usefixtures("short_descents")


def ring(amplitude_neurons):
    return RingNetwork(
        neuron=LNPNeuron(threshold=0.0),
        profile=FlatInhibition(excitation_sd=4.0),
        n_neurons=24,
        recurrent_strength=0.1,
        drive_amplitude_neurons=amplitude_neurons,
        drive_period_s=4.0,
    )


@pytest.fixture(scope="module")
def driven():
    """A ring that its input rotates back and forth; the last part is kept for scoring."""
    X = simulate(ring(1.5), 40.0, np.random.default_rng(0))
    return X.between(0.0, 0.8), X.between(0.8, 1.0)


@pytest.fixture(scope="module")
def rotated(driven):
    """Its networks learn as long as they do in a fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", 300)
        patch.setattr(network_fit, "IMITATION_STEPS", 300)
        return CircuitGNN(tau_s=0.01, rotated_by="drive").fit(driven[0])


@pytest.mark.slow
def test_held_out_spikes_find_how_an_input_rotates_the_circuit(driven, rotated):
    """The simulated gain is one; with the input, the wiring that is rotated is found."""
    assert 0.7 <= rotated.model_.inputs.rotation.gain <= 1.4
    assert rotated.connectivity_.metadata["rotation_gain"] == rotated.model_.inputs.rotation.gain
    blind = CircuitGNN(tau_s=0.01).fit(driven[0])
    assert rotated.score(driven[1]) > blind.score(driven[1]) + 0.1
    truth, pairs = ring(1.5).connectivity, rotated.connectivity_.informed
    deltas = [inference_error(m.connectivity_, truth, pairs=pairs).delta for m in (rotated, blind)]
    assert deltas[0] < 0.1
    assert deltas[0] < 0.5 * deltas[1]


@pytest.mark.slow
def test_hidden_neurons_stand_for_the_half_of_a_rotated_ring_that_is_missing(driven):
    """The rotation is found without them: whoever is turned to where nobody is still sends."""
    whole = simulate(ring(1.5), 40.0, np.random.default_rng(0))
    seen = observe(whole, ring(1.5).connectivity, 12, np.random.default_rng(1))
    fitting, test = seen.recording.between(0.0, 0.8), seen.recording.between(0.8, 1.0)
    alone, joined = (
        CircuitGNN(tau_s=0.01, rotated_by="drive", n_hidden=n).fit(fitting) for n in (0, 12)
    )
    assert (alone.model_.inputs.rotation.gain, joined.model_.inputs.rotation.gain) == (1.0, 1.0)
    assert joined.score(test) > alone.score(test)
    deltas = [inference_error(m.connectivity_, seen.connectivity).delta for m in (joined, alone)]
    assert deltas[0] < deltas[1]
    assert joined.connectivity_.metadata["held_out_nats_gained_by_hidden_neurons"] > 10.0


@pytest.mark.slow
def test_an_input_that_does_not_rotate_the_circuit_is_not_made_to():
    X = simulate(ring(0.0), 20.0, np.random.default_rng(1))
    times_s = np.arange(0.0, 20.0, 1e-3)
    aimless = Covariate(times_s=times_s, values=0.4 * np.sin(1.7 * times_s), is_angle=True)
    fit = CircuitGNN(tau_s=0.01, rotated_by="aimless").fit(
        replace(X, covariates={"aimless": aimless})
    )
    assert fit.model_.inputs.rotation.gain == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("n_hidden", [0, 12])
def test_a_rotated_model_is_saved_with_its_rotation(driven, rotated, n_hidden):
    X = driven[1]
    fit = rotated
    if n_hidden:
        X = driven[0].select(np.sort(np.random.default_rng(1).choice(24, 12, replace=False)))
        fit = CircuitGNN(tau_s=0.01, rotated_by="drive", n_hidden=n_hidden).fit(X)
        assert len(fit.model_.inputs.rotation.places) == X.n_neurons + n_hidden
        assert len(set(fit.model_.inputs.rotation.places)) == X.n_neurons + n_hidden
    again = CircuitGNN.from_saved(fit.model_arrays(), json.loads(json.dumps(fit.model_settings())))
    np.testing.assert_array_equal(again.predict(X), fit.predict(X))
    np.testing.assert_array_equal(again.log_likelihood(X), fit.log_likelihood(X))
    assert fit.model_.inputs.rotation.gain != 0.0
    drive = replace(X.covariates["drive"], values=np.zeros_like(X.covariates["drive"].values))
    frozen = again.log_likelihood(replace(X, covariates={"drive": drive}))
    assert frozen.sum() < fit.log_likelihood(X).sum()


@pytest.mark.slow
@pytest.mark.usefixtures("short_learning")
def test_a_rotated_fit_that_was_interrupted_ends_as_one_that_was_not(driven, tmp_path):
    X, settings = driven[1].between(0.0, 0.6), {"tau_s": 0.01, "rotated_by": "drive"}
    whole = CircuitGNN(**settings).fit(X)
    resumed = fit_with_interruptions(X, tmp_path / "fit.safetensors", settings, every=7)
    np.testing.assert_array_equal(resumed.connectivity_.weights, whole.connectivity_.weights)
    assert resumed.connectivity_.metadata == whole.connectivity_.metadata


def test_without_preferred_directions_there_is_no_ring_to_rotate(driven):
    with pytest.raises(InputError, match="give preferred directions"):
        CircuitGNN(tau_s=0.01, rotated_by="drive").fit(replace(driven[1], preferred_angle_rad=None))


@pytest.mark.slow
def test_a_pair_that_is_never_active_together_is_not_identifiable(driven, rotated):
    """Opposite neurons of a ring with one bump are never active when the other might fire."""
    n = 24
    apart = np.minimum(*((s * (np.arange(n)[:, None] - np.arange(n))) % n for s in (1, -1)))
    informed = rotated.connectivity_.informed
    assert informed[(apart > 0) & (apart <= 4)].mean() > 0.95
    assert informed[apart == 12].mean() < informed[apart <= 6].mean()
    assert np.all(np.isinf(rotated.connectivity_.standard_error[~informed]))
