"""Three neurons and the problem of fitting them, shared by the tests of what fits."""

import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.data.recording import Recording

N = 3


SETTINGS = FitSettings(
    tau_s=0.01, history_window_s=0.1, n_hidden=0, covariates=(), rotated_by=None, seed=0
)


def of_trains(trains, duration_s):
    """A recording of some spike trains."""
    return Recording.from_arrays(
        np.concatenate(trains),
        np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        epochs_s=np.array([[0.0, duration_s]]),
        time_resolution_s=1e-4,
    )


def problem_of(recording):
    """The problem of fitting the first four fifths; the rest chooses."""
    return Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), SETTINGS)


def settled_in(problem):
    """Free weights that have settled, and their prior with them."""
    candidate = problem.stepped(first_state(problem).current, 6)
    for _ in range(3):
        candidate = problem.stepped(problem.with_estimated_prior(candidate))
    return candidate


@pytest.fixture(scope="module")
def recording():
    """Three neurons, the second of which tends to follow the first."""
    rng = np.random.default_rng(0)
    leading = np.sort(rng.uniform(0.0, 19.0, 300))
    trains = [leading, leading + rng.exponential(0.01, 300), rng.uniform(0.0, 20.0, 300)]
    return of_trains(trains, 20.0)


@pytest.fixture
def problem(recording):
    return problem_of(recording)


@pytest.fixture
def start(problem):
    return first_state(problem).current


@pytest.fixture
def settled(problem):
    return settled_in(problem)
