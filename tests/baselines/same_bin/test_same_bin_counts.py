"""What all neurons do in one bin, each bin a sample without a past."""

import numpy as np
import pytest
import torch

from spikeweft.baselines.same_bin.same_bin_counts import Snapshots, whole_bins
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


def two_epochs():
    """One spike per millisecond of 25 and of 15 ms, 100 ms apart."""
    times = np.concatenate([np.arange(25), 125 + np.arange(15)]) * 1e-3
    return Recording.from_arrays(
        times,
        np.arange(40) % 2,
        epochs_s=np.array([[0.0, 0.025], [0.125, 0.14]]),
        time_resolution_s=1e-3,
    )


def test_bins_cut_short_by_the_end_of_an_epoch_are_left_out():
    binned = whole_bins(two_epochs(), 0.01)
    np.testing.assert_array_equal(binned.counts.sum(axis=1), [10, 10, 10])
    np.testing.assert_array_equal(binned.epoch, [0, 0, 1])


def test_epochs_of_whole_bins_keep_every_spike():
    assert whole_bins(two_epochs(), 0.005).counts.sum() == 40


@pytest.mark.parametrize("bin_s", [0.0, -0.01, np.inf, np.nan])
def test_a_bin_that_is_no_time_is_refused(bin_s):
    with pytest.raises(InputError, match="choose a width above 0 s"):
        whole_bins(two_epochs(), bin_s)


def test_epochs_shorter_than_a_bin_are_refused():
    with pytest.raises(InputError, match=r"no epoch is as long as a bin of 0\.03 s"):
        whole_bins(two_epochs(), 0.03)


@pytest.fixture
def counts():
    """More bins than are read at a time."""
    return np.random.default_rng(0).poisson(0.6, size=(20_000, 3))


def test_every_bin_is_read_once(counts):
    snapshots = Snapshots.of(counts)
    total, squared = snapshots.total(lambda features, seen: (seen.sum(0), features.T @ features))
    np.testing.assert_array_equal(total.numpy(), counts.sum(axis=0))
    np.testing.assert_allclose(squared[:3, :3].numpy(), len(counts) * np.cov(counts.T, ddof=0))
    assert squared[3, 3] == len(counts)


def test_curvature_weighs_each_bin_by_neuron(counts):
    curvature = Snapshots.of(counts).curvature(lambda features: features[:, :3] ** 2)
    features = np.column_stack([counts - counts.mean(axis=0), np.ones(len(counts))])
    expected = np.einsum("ti,tf,tg->ifg", features[:, :3] ** 2, features, features)
    np.testing.assert_allclose(curvature.numpy(), expected, rtol=1e-4, atol=1.0)


def test_curvature_of_a_long_recording_is_estimated_from_some_bins(counts, monkeypatch):
    monkeypatch.setattr("spikeweft.baselines.same_bin.same_bin_counts._CURVATURE_BINS", 5_000)
    curvature = Snapshots.of(counts).curvature(lambda features: torch.ones(len(features), 3))
    assert float(curvature[0, 3, 3]) == len(counts)
    np.testing.assert_allclose(float(curvature[0, 0, 0]), 0.6 * len(counts), rtol=0.1)
