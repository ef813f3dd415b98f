import numpy as np
from tests.head_direction.conftest import walk

from spikeweft.head_direction.tuning.decoding import decode_direction


def test_the_direction_can_be_read_from_held_out_spikes(recording):
    assert decode_direction(recording, "gaze").median_error_deg < 30


def test_spikes_without_direction_are_decoded_at_chance():
    rng = np.random.default_rng(5)
    recording = walk(rng, n_untuned=6).select(np.arange(6, 12))
    assert 60 < decode_direction(recording, "gaze").median_error_deg < 120
