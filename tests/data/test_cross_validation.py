"""Recorded time cut into training and test parts, by scikit-learn's own searches."""

import re

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score, train_test_split

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.data.cross_validation import BlockedSplit, IndexableRecording
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

GAP_S = 0.25


def recording(seed: int = 0, duration_s: float = 30.0, n_neurons: int = 3) -> Recording:
    """Unconnected neurons at 10 Hz in two epochs, with 5 s between them."""
    rng = np.random.default_rng(seed)
    half = duration_s / 2
    epochs_s = np.array([[1.0, 1.0 + half], [6.0 + half, 6.0 + duration_s]])
    times = np.sort(rng.uniform(1.0, 6.0 + duration_s, rng.poisson(10 * n_neurons * duration_s)))
    times = times[((times[:, None] >= epochs_s[:, 0]) & (times[:, None] < epochs_s[:, 1])).any(1)]
    return Recording(
        spike_times_s=times,
        spike_neurons=rng.integers(n_neurons, size=len(times)),
        n_neurons=n_neurons,
        epochs_s=epochs_s,
    )


@pytest.fixture
def samples() -> IndexableRecording:
    return IndexableRecording.of(recording(), bin_s=0.1)


def test_samples_tile_the_recorded_time(samples):
    assert len(samples) == 300
    assert samples.shape == (300, 3)
    lengths = np.diff(samples.bins_s, axis=1)[:, 0]
    np.testing.assert_allclose(lengths, 0.1)
    assert lengths.sum() == pytest.approx(samples.duration_s)


def test_each_spike_is_in_one_sample(samples):
    shuffled = np.random.default_rng(1).permutation(len(samples))
    parts = [samples[part] for part in np.array_split(shuffled, 7)]
    assert sum(len(part.spike_times_s) for part in parts) == len(samples.spike_times_s)
    assert sum(part.duration_s for part in parts) == pytest.approx(samples.duration_s)


def test_neighbouring_samples_stay_one_epoch_and_others_do_not(samples):
    np.testing.assert_allclose(samples[[10, 11, 13]].epochs_s, [[2.0, 2.2], [2.3, 2.4]])
    across = samples[148:152]  # the last two samples of one epoch and the first two of the next
    np.testing.assert_allclose(across.epochs_s, [[15.8, 16.0], [21.0, 21.2]])


def test_the_last_sample_of_an_epoch_may_be_shorter():
    odd = IndexableRecording.of(recording(), bin_s=0.4)
    assert len(odd) == 2 * 38
    np.testing.assert_allclose(odd.bins_s[37], [15.8, 16.0])


def test_samples_of_samples_are_samples(samples):
    part = samples[100:200]
    assert isinstance(part, IndexableRecording)
    assert part.bin_s == samples.bin_s
    np.testing.assert_allclose(part[50:].bins_s, samples.bins_s[150:200])


def test_a_blocked_split_tests_each_sample_once_and_trains_on_none_nearby(samples):
    tested = []
    for train, test in BlockedSplit(5, gap_s=GAP_S).split(samples):
        tested.append(test)
        starts, stops = samples.bins_s[test[0], 0], samples.bins_s[test[-1], 1]
        after = samples.bins_s[train, 0] - stops
        before = starts - samples.bins_s[train, 1]
        assert np.maximum(after, before).min() == pytest.approx(0.3)  # the gap in whole samples
        assert len(train) >= len(samples) - len(test) - 6
    np.testing.assert_array_equal(np.concatenate(tested), np.arange(len(samples)))


def test_cross_validation_is_fit_and_score_of_each_part(samples):
    split = BlockedSplit(3, gap_s=GAP_S)
    scores = cross_val_score(PoissonGLM(), samples, cv=split, error_score="raise")
    by_hand = [
        PoissonGLM().fit(samples[train]).score(samples[test])
        for train, test in split.split(samples)
    ]
    np.testing.assert_array_equal(scores, by_hand)
    assert np.all(scores < 0.05)  # there is nothing to predict


def test_scikit_learns_own_splits_work_too(samples):
    early, late = train_test_split(samples, test_size=0.2, shuffle=False)
    assert early.epochs_s[-1, 1] == pytest.approx(late.epochs_s[0, 0])
    assert late.duration_s == pytest.approx(6.0)
    scores = cross_val_score(
        PoissonGLM(), samples, cv=TimeSeriesSplit(3, gap=3), error_score="raise"
    )
    assert np.all(np.isfinite(scores))


@pytest.mark.slow
def test_the_number_of_hidden_neurons_is_searched(monkeypatch):
    monkeypatch.setattr(network_fit, "LEARNING_STEPS", 10)
    monkeypatch.setattr(network_fit, "IMITATION_STEPS", 10)
    samples = IndexableRecording.of(recording(duration_s=20.0, n_neurons=4))
    search = GridSearchCV(
        CircuitGNN(tau_s=0.02),
        {"n_hidden": [0, 1]},
        cv=BlockedSplit(2, gap_s=0.5),
        error_score="raise",
    ).fit(samples)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_ == {"n_hidden": int(np.argmax(scores))}
    # There is nothing to predict; how little, differs with the random times of a fit, and machines.
    np.testing.assert_allclose(scores, 0.0, atol=0.05)
    assert search.best_estimator_.connectivity_.n_neurons == 4


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda x: IndexableRecording.of(x, bin_s=0.0), "a sample of 0.0 s holds no time"),
        (lambda x: IndexableRecording.of(x, bin_s=np.nan), "a sample of nan s holds no time"),
        (lambda x: x[[]], "no sample of the recording is asked for"),
        (lambda x: x[[3, 1, 3]], "sample 3 is asked for twice"),
        (lambda x: next(BlockedSplit().split(recording())), "a Recording cannot be split in time"),
        (lambda x: next(BlockedSplit(1).split(x)), "1 blocks cannot be made of 300 samples"),
        (lambda x: next(BlockedSplit(301).split(x)), "301 blocks cannot be made of 300 samples"),
        (lambda x: next(BlockedSplit(2, gap_s=-1.0).split(x)), "a gap of -1.0 s is no time"),
        (lambda x: next(BlockedSplit(2, gap_s=60.0).split(x)), "leaves nothing to train on"),
    ],
)
def test_a_mistake_is_explained(samples, mistake, message):
    with pytest.raises(InputError, match=re.escape(message)):
        mistake(samples)
