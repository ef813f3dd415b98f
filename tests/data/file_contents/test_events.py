"""Bumps around events."""

import numpy as np
import pytest

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.covariate import named_covariates
from spikeweft.data.file_contents.events import N_BUMPS, event_covariates
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

WINDOW_S = (-0.25, 0.4)

PEAKS_S = -0.25 + 0.05 * np.arange(2, 2 + N_BUMPS)


def bumps_at(times_s, events_s, window_s=WINDOW_S):
    """Values of all bumps, a column each."""
    found = event_covariates("cue", np.asarray(events_s, dtype=float), window_s)
    return np.column_stack([bump.at(np.asarray(times_s, dtype=float)) for bump in found.values()])


def test_each_bump_peaks_at_its_own_time_after_the_event_and_they_cover_what_lies_between():
    assert np.diag(bumps_at(10.0 + PEAKS_S, [10.0])) == pytest.approx(1.0, abs=1e-3)
    between = np.linspace(PEAKS_S[1], PEAKS_S[-2], 200)
    assert bumps_at(10.0 + between, [10.0]).sum(1) == pytest.approx(2.0, abs=0.02)


def test_bumps_are_the_raised_cosines_of_the_equation():
    times = np.linspace(9.5, 11.0, 1000)
    lag = times[:, None] - 10.0 - PEAKS_S
    expected = np.where(np.abs(lag) < 0.1, 0.5 * (1 + np.cos(np.pi * lag / 0.1)), 0.0)
    # The nearest sample lies within 1 ms, and a bump changes by 1.6 % in that time.
    np.testing.assert_allclose(bumps_at(times, [10.0]), expected, atol=0.02)


def test_outside_their_windows_events_do_nothing():
    far = [0.0, 9.749, 10.401, 11.7, 50.0]
    assert not bumps_at(far, [10.0, 12.0]).any()


def test_responses_to_events_that_follow_each_other_soon_add_up():
    times = np.linspace(9.5, 11.0, 100)
    both = bumps_at(times, [10.1, 10.0])
    np.testing.assert_allclose(both, bumps_at(times, [10.0]) + bumps_at(times, [10.1]), atol=0.03)


@pytest.mark.parametrize(
    ("window_s", "first"),
    [
        (WINDOW_S, "-0.15 s"),
        ((-0.2, 0.45), "-0.1 s"),
        ((1000.0, 1001.3), "+1000.2 s"),
        ((0.0, 6.5e-3), "+0.001 s"),
        ((-13.0, 130.0), "+9 s"),
    ],
)
def test_a_bump_is_named_by_when_it_peaks_and_no_two_alike(window_s, first):
    names = list(event_covariates("cue", np.array([1.0]), window_s))
    assert len(set(names)) == N_BUMPS
    assert names[0] == f"cue at {first}"


def test_an_event_is_asked_for_by_its_name():
    bumps = event_covariates("cue", np.array([1.0]), WINDOW_S)
    assert named_covariates(bumps, ["cue"]) == tuple(bumps)
    with pytest.raises(InputError, match="no covariate 'cu'; it has: cue at"):
        named_covariates(bumps, ["cu"])


@pytest.mark.parametrize(
    ("events_s", "window_s", "sentence"),
    [
        ([1.0], (0.5, 0.5), "window from 0.5 to 0.5 s is none"),
        ([1.0], (0.0, 1e-9), "at least 0.001 s apart"),
        ([1.0], (0.0, np.inf), "window from 0 to inf s is none"),
        ([], WINDOW_S, "need at least one time"),
        ([np.nan], WINDOW_S, "need at least one time, and finite ones"),
        (np.arange(1e5), WINDOW_S, "the 100,000 events 'cue' are too many"),
    ],
)
def test_what_makes_no_bumps_is_one_sentence(events_s, window_s, sentence):
    with pytest.raises(InputError, match=sentence):
        event_covariates("cue", np.asarray(events_s, dtype=float), window_s)


@pytest.fixture(scope="module")
def cued():
    """Two neurons that fire at 40 Hz from 0.1 to 0.2 s after each cue, and at 5 Hz else."""
    rng = np.random.default_rng(0)
    events_s, bin_s = np.arange(0.5, 120.0, 1.0), 1e-3
    times = np.arange(0.0, 120.0, bin_s)
    after_s = np.mod(times - 0.5, 1.0)
    rate_hz = np.where((after_s > 0.1) & (after_s < 0.2), 40.0, 5.0)
    counts = rng.poisson(rate_hz[:, None] * bin_s, (len(times), 2))
    steps, neurons = np.nonzero(counts)
    return Recording.from_arrays(
        times[steps] + bin_s / 2,
        neurons,
        epochs_s=np.array([[0.0, 120.0]]),
        covariates=event_covariates("cue", events_s, (-0.1, 0.55)),
    )


@pytest.mark.parametrize("make", [PoissonGLM, pytest.param(CircuitGNN, marks=pytest.mark.slow)])
def test_a_response_to_an_event_is_found_and_no_coupling_stands_for_it(cued, make, short_learning):
    found = make(covariates=("cue",)).fit(cued)
    rate_hz = found.predict(cued, bin_s=0.01)[:, 0] / 0.01
    after_s = np.mod(0.01 * np.arange(len(rate_hz)) + 0.505, 1.0)
    assert rate_hz[np.abs(after_s - 0.15) < 0.02].mean() > 25.0
    assert rate_hz[np.abs(after_s - 0.7) < 0.1].mean() < 7.0
    without = make().fit(cued)
    off = ~np.eye(2, dtype=bool)
    coupling, taken_for_coupling = (
        np.abs(model.connectivity_.weights[off]).max() for model in (found, without)
    )
    assert coupling < taken_for_coupling
