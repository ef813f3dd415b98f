"""The compiled loops say what `Link` says in PyTorch."""

import numpy as np
import pytest
import torch

from spikeweft.circuit_gnn.spike_prediction.link import Link, softplus_of
from spikeweft.circuit_gnn.spike_prediction.rate_kernels import (
    take_log_softplus,
    take_rates,
)

LINKS = [Link(1.0, 3.0), Link(1.7, 2.5), Link(4.0, -2.0)]


@pytest.fixture(scope="module")
def drive():
    """More times than are worked on at once, and one of each kind of number at the end."""
    found = np.random.default_rng(0).normal(0.0, 6.0, (700, 13)).astype(np.float32)
    found[-1] = [-1e9, -70, -60, -59, -30, -1e-20, 0, 1e-20, 5, 20, 40, 60, 80]
    return found


@pytest.mark.parametrize("link", LINKS)
def test_rates_and_their_slopes_are_those_of_the_link(drive, link):
    weight_s = np.random.default_rng(1).uniform(1e-3, 2e-3, len(drive)).astype(np.float32)
    softplus = softplus_of(torch.from_numpy(drive).double())
    spikes = link.from_softplus(softplus) * torch.from_numpy(weight_s)[:, None]
    slope = spikes * link.slope(torch.from_numpy(drive).double(), softplus)
    single = np.float32(link.power), np.float32(link.log_gain)
    change = drive.copy()
    total, by_power, expected = np.zeros((3, drive.shape[1]), np.float32)
    take_rates(change, weight_s, *single, total, by_power, expected)
    np.testing.assert_allclose(change, slope, rtol=5e-5, atol=1e-30)
    np.testing.assert_allclose(total, slope.sum(0), rtol=5e-5)
    np.testing.assert_allclose(by_power, (spikes * softplus.log()).sum(0), rtol=5e-5)
    np.testing.assert_allclose(expected, spikes.sum(0), rtol=5e-5)


def test_the_logarithm_of_the_softplus_and_its_slope(drive):
    flat = drive.ravel()
    below, softplus, logs, slope = np.empty((4, len(flat)), np.float32)
    take_log_softplus(flat, below, softplus, logs, slope)
    exact = softplus_of(torch.from_numpy(flat).double())
    np.testing.assert_allclose(softplus, exact, rtol=1e-6)
    np.testing.assert_allclose(logs, exact.log(), rtol=1e-6, atol=3e-7)
    of_link = Link(1.0, 0.0).slope(torch.from_numpy(flat).double(), exact)
    np.testing.assert_allclose(slope, of_link, rtol=1e-6)


def test_of_a_drive_that_is_not_a_number_neither_is_the_rate():
    drive, weight_s = np.full((1, 1), np.nan, np.float32), np.ones(1, np.float32)
    sums = np.zeros((3, 1), np.float32)
    take_rates(drive, weight_s, np.float32(1.0), np.float32(0.0), *sums)
    assert np.isnan(sums).all()
