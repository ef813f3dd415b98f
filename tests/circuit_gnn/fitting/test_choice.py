from dataclasses import replace

import pytest

from spikeweft.circuit_gnn.fitting.choice import choice_stages
from spikeweft.circuit_gnn.fitting.fit_state import HeldOutScore
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state


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
