from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import ScoredCounts, scored_epochs

gaps = st.lists(st.floats(0.1, 50.0), min_size=2, max_size=12).filter(
    lambda edges: len(edges) % 2 == 0
)


def recording_with_gaps(gaps) -> Recording:
    edges = 100.0 + np.cumsum(gaps)
    epochs = edges.reshape(-1, 2)
    times = np.concatenate([np.arange(start, stop, 0.05) for start, stop in epochs])
    return Recording.from_arrays(times, np.arange(len(times)) % 3, epochs_s=epochs)


def split(recording) -> list[Recording]:
    edges = [0.0, 0.8, 0.9, 1.0]
    return [recording.between(a, b) for a, b in pairwise(edges)]


@given(gaps)
def test_a_split_uses_every_spike_once_and_in_order(gaps):
    recording = recording_with_gaps(gaps)
    parts = split(recording)
    assert np.array_equal(
        np.concatenate([part.spike_times_s for part in parts]), recording.spike_times_s
    )
    durations = np.array([part.duration_s for part in parts]) / recording.duration_s
    assert durations == pytest.approx([0.8, 0.1, 0.1])


@given(gaps)
def test_no_part_of_a_split_shares_time_with_another(gaps):
    train, validation, test = split(recording_with_gaps(gaps))
    assert train.epochs_s[-1, 1] <= validation.epochs_s[0, 0]
    assert validation.epochs_s[-1, 1] <= test.epochs_s[0, 0]


@given(gaps, st.floats(0.0, 5.0))
def test_no_history_window_reaches_out_of_its_epoch(gaps, history_window_s):
    recording = recording_with_gaps(gaps)
    scored = scored_epochs(recording, history_window_s)
    for start, stop in scored:
        (home,) = np.flatnonzero(recording.epochs_s[:, 1] == stop)
        assert start - history_window_s >= recording.epochs_s[home, 0] - 1e-9
        assert start < stop


def test_an_epoch_no_longer_than_a_history_window_is_not_scored():
    recording = recording_with_gaps([1.0, 0.5, 1.0, 5.0])
    assert len(scored_epochs(recording, 1.0)) == 1


def test_what_is_scored_does_not_depend_on_what_the_clock_says():
    """Unix times have a resolution of a quarter of a microsecond."""
    rng = np.random.default_rng(0)
    times_s = np.sort(rng.uniform(0, 4, 200))
    times_s = times_s[(times_s < 1.5) | (times_s > 2)]
    epochs_s = np.array([[0.0, 1.5], [2.0, 4.0]])
    scored = [
        ScoredCounts.of(
            Recording.from_arrays(
                times_s + start_s, np.zeros(len(times_s), int), epochs_s=epochs_s + start_s
            ),
            5e-4,
            0.05,
        )
        for start_s in (0.0, 1.7e9)
    ]
    np.testing.assert_allclose(scored[0].scored_s, scored[1].scored_s, atol=1e-6)
    assert np.array_equal(scored[0].scored_s > 0, scored[1].scored_s > 0)
    assert np.flatnonzero(scored[1].scored_s)[0] == 100
