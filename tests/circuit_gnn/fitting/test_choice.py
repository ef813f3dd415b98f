from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.fitting.conftest import SETTINGS, of_trains

from spikeweft.circuit_gnn.fitting.choice import choice_stages, simpler_stages
from spikeweft.circuit_gnn.fitting.fit_state import HeldOutScore, nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.rotation_search import with_gain
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state
from spikeweft.data.covariate import Covariate


@pytest.mark.parametrize(
    ("nats_of_weights", "nats_of_glm", "chosen"),
    [
        (3.0, 1.0, "weights"),
        (3.0, 4.0, "glm"),
        (1.5, 1.0, "uncoupled"),
        (1.0, 1.5, "uncoupled"),
        (-5.0, -9.0, "uncoupled"),
    ],
)
def test_connections_have_to_gain_more_than_their_standard_error(
    problem, settled, nats_of_weights, nats_of_glm, chosen
):
    """Over no coupling at all, which has no nats here; two are their own standard error."""
    nats = {"weights": nats_of_weights, "glm": nats_of_glm, "uncoupled": 0.0}
    kinds = {kind: replace(settled, held_out=HeldOutScore(n, 0.0)) for kind, n in nats.items()}
    simpler = (kinds["glm"], kinds["uncoupled"])
    state = replace(first_state(problem), free=kinds["weights"], simpler=simpler)
    (stage,) = choice_stages()
    for step in range(stage.n_steps):
        state = stage.advance(problem, replace(state, step=step))
    assert state.current is kinds[chosen]


def test_without_coupling_no_input_rotates_anything():
    """Each neuron excites whoever is rotated to its place: that is coupling too."""
    n, seconds, rng = 6, 40.0, np.random.default_rng(0)
    times_s = np.arange(0.0, seconds, 0.01)
    angle = Covariate(times_s=times_s, values=0.7 * times_s, is_angle=True)
    trains = [np.sort(rng.uniform(0.0, seconds, 800)) for _ in range(n)]
    driven = [[] for _ in range(n)]
    for j, train in enumerate(trains):
        shift = np.floor(n * 0.7 * train / (2 * np.pi)).astype(int)
        for i, time_s in zip((j - shift) % n, train, strict=True):
            driven[i].append(time_s + 0.003)
    recording = replace(
        of_trains([np.sort([*a, *b]) for a, b in zip(trains, driven, strict=True)], seconds + 0.1),
        covariates={"angle": angle},
        preferred_angle_rad=2 * np.pi * np.arange(n) / n,
    )
    settings = replace(SETTINGS, rotated_by="angle")
    problem = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), settings)
    state = first_state(problem)
    parameters = replace(state.current.parameters.with_careful_steps(1e-2), has_own_column=True)
    inputs = with_gain(state.current.inputs, 1.0)
    coupled = replace(state.current, parameters=parameters, inputs=inputs, held_out=None)
    coupled = problem.scored(problem.stepped(coupled, 5))
    assert np.all(np.diagonal(coupled.parameters.values) > 0.5)
    (*_, fit_alone), _ = zip(*simpler_stages(problem)[-1].steps, strict=True)
    alone = fit_alone(problem, replace(state, current=coupled)).simpler[-1]
    np.testing.assert_array_equal(alone.parameters.values[:, :n], 0.0)
    assert alone.inputs.rotation is None
    assert nats_of(coupled) > nats_of(alone) + 100.0
