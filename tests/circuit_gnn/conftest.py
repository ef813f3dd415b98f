"""How long the networks of small fits learn."""

import pytest

from spikeweft.circuit_gnn.structure_learning import network_fit


@pytest.fixture(scope="module")
def short_descents():
    """Fewer steps for the pair networks, which so few neurons do not need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", 50)
        patch.setattr(network_fit, "IMITATION_STEPS", 50)
        yield
