"""Pieces of one fit on real workers on this machine."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from distributed.comm import CommClosedError
from tests.circuit_gnn.recordings import directed_network

from spikeweft.circuit_gnn import estimator
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import problem
from spikeweft.errors import InputError
from spikeweft.inference.cluster import local_cluster
from spikeweft.inference.cluster_workers import ClusterWorkers
from spikeweft.runtime.workers import HERE
from spikeweft.simulation.networks import simulate


@pytest.fixture(scope="module")
def workers():
    with local_cluster(2) as cluster:
        cluster.client.wait_for_workers(2)
        yield ClusterWorkers(cluster)


def times(data, piece):
    """Of which the data are counted where they are unpickled."""
    return piece * data.factor


def times_once_killed(data, piece):
    """The same, but the first to work on the second piece is killed."""
    if piece == 1 and not data.was_killed.exists():
        data.was_killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return times(data, piece)


def kill(data, piece):
    os.kill(os.getpid(), signal.SIGKILL)


class Data:
    """A factor; notes by whom it is unpickled."""

    def __init__(self, factor: int, folder: Path) -> None:
        self.factor, self.folder = factor, folder
        self.was_killed = folder / "killed"

    def __setstate__(self, state):
        self.__dict__.update(state)
        with (self.folder / "unpickled").open("a") as noted:
            noted.write(f"{os.getpid()}\n")


@pytest.mark.slow
def test_results_come_in_order_and_data_go_to_each_worker_once(workers, tmp_path):
    data, pieces = Data(3, tmp_path), list(range(20))
    found = list(workers.results(times, data, pieces))
    assert found == list(HERE.results(times, data, pieces)) == [3 * piece for piece in pieces]
    by = (tmp_path / "unpickled").read_text().split()
    assert len(by) == len(set(by)) <= 2


@pytest.mark.slow
def test_what_a_killed_worker_was_making_is_made_again(workers, tmp_path):
    data = Data(2, tmp_path)
    assert list(workers.results(times_once_killed, data, range(4))) == [0, 2, 4, 6]
    assert data.was_killed.exists()


@pytest.mark.slow
def test_workers_that_are_lost_again_and_again_are_one_sentence(workers, tmp_path):
    with pytest.raises(InputError, match="lost again and again"):
        list(workers.results(kill, Data(1, tmp_path), [0]))


@pytest.mark.slow
def test_a_scheduler_that_is_lost_before_work_begins_is_one_sentence(workers, monkeypatch):
    def lose(*_, **__):
        raise CommClosedError("the scheduler is gone")

    monkeypatch.setattr(workers._client, "scatter", lose)
    with pytest.raises(InputError, match=r"can no longer be reached \(the scheduler is gone\)"):
        list(workers.results(times, None, [0]))


@pytest.mark.slow
def test_a_fit_is_the_same_whoever_makes_its_blocks(workers, monkeypatch):
    """Eight neurons, of which three are searched and held at a time."""
    for module in (estimator, problem):
        monkeypatch.setattr(module, "MOST_SEARCHED", 3)
    monkeypatch.setattr(problem, "MOST_TOGETHER", 4)
    recording = simulate(directed_network(8), 20.0, np.random.default_rng(0))
    alone, helped = CircuitGNN(tau_s=0.01), CircuitGNN(tau_s=0.01)
    helped.workers = workers
    found, wanted = (model.fit(recording).connectivity_ for model in (helped, alone))
    np.testing.assert_array_equal(found.weights, wanted.weights)
    np.testing.assert_array_equal(found.standard_error, wanted.standard_error)
    assert found.weights.any()
