"""A small recording, and an inference from it."""

import pytest
from tests.stand_ins import ring_of, spikes

from spikeweft.inference.settings import Inference
from spikeweft.simulation.storage import save_simulation


@pytest.fixture
def recording_file(tmp_path):
    path = tmp_path / "ring.npz"
    save_simulation(path, spikes(), ring_of(4))
    return path


@pytest.fixture
def inference(tmp_path, recording_file):
    return Inference(recording=recording_file, folder=tmp_path / "result", seed=3)
