"""Pieces of one fit on real workers on this machine."""

import os
import signal
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.comm import CommClosedError
from tests.circuit_gnn.recordings import directed_network

from spikeweft.circuit_gnn import estimator
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import problem
from spikeweft.errors import InputError
from spikeweft.inference import cluster_workers
from spikeweft.inference.cluster import Cluster, local_cluster
from spikeweft.inference.cluster_workers import ClusterWorkers, local_workers
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


def times_after_two_are_killed(data, piece):
    """The same, but whoever works on the last piece is killed once the others are made, twice."""
    noted = data.folder / f"{piece}-made-{uuid4()}"
    if piece < 4:
        noted.touch()
        return times(data, piece)
    while len(list(data.folder.glob("*-made-*"))) < 4:
        time.sleep(0.05)
    time.sleep(1.0)  # for the results to be fetched
    if len(list(data.folder.glob("*-killed"))) < 2:
        (data.folder / f"{uuid4()}-killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return times(data, piece)


def met(data, piece):
    """Who made a piece, once as many processes as the factor have begun one."""
    (data.folder / f"{os.getpid()}-begun").touch()
    while len(list(data.folder.glob("*-begun"))) < data.factor:
        time.sleep(0.05)
    return os.getpid()


def fail(data, piece):
    raise ConnectionRefusedError("the disk is gone")


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
def test_what_others_have_made_is_not_made_again(workers, tmp_path):
    """The last piece kills its worker twice, which is when Dask gives it up."""
    found = workers.results(times_after_two_are_killed, Data(3, tmp_path), range(5))
    assert list(found) == [0, 3, 6, 9, 12]
    made = [path.name.split("-")[0] for path in tmp_path.glob("*-made-*")]
    assert sorted(made) == ["0", "1", "2", "3"]
    assert len(list(tmp_path.glob("*-killed"))) == 2


@pytest.mark.slow
def test_a_worker_of_many_threads_makes_one_piece_at_a_time_and_the_others_go_on(tmp_path):
    with (
        LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(2)
        helpers = ClusterWorkers(Cluster(client, lambda: None))
        assert helpers.number() == 2
        assert 0.0 < helpers.available_memory_mb(9) < np.inf
        makers = list(helpers.results(met, Data(2, tmp_path), range(4)))
    assert len(set(makers)) == 2


@pytest.mark.slow
def test_what_goes_wrong_in_the_work_is_not_said_of_the_cluster(workers, tmp_path):
    with pytest.raises(ConnectionRefusedError, match="the disk is gone"):
        list(workers.results(fail, Data(1, tmp_path), range(3)))


@pytest.mark.slow
def test_a_fit_that_is_interrupted_ends_its_workers_without_a_word(tmp_path):
    with local_workers(1) as helpers:
        found = helpers.results(times, Data(2, tmp_path), range(3))
        assert next(found) == 0
    found.close()


def test_processes_of_this_machine_begin_when_there_is_work(monkeypatch):
    """Each may take its part of the memory, beside what libraries take."""
    begun = []
    monkeypatch.setattr(cluster_workers, "local_cluster", begun.append)
    monkeypatch.setattr(cluster_workers, "available_memory_mb", lambda: 1000.0)
    monkeypatch.setattr(cluster_workers, "memory_in_use_mb", lambda: 50.0)
    with local_workers(4) as helpers:
        assert helpers.number() == 4
        assert helpers.available_memory_mb(9) == 200.0
        assert helpers.available_memory_mb(2) == 450.0
    assert begun == []


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
@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_a_fit_is_the_same_whoever_makes_its_blocks(monkeypatch, n_workers):
    """Eight neurons, of which three are searched and held at a time."""
    for module in (estimator, problem):
        monkeypatch.setattr(module, "MOST_SEARCHED", 3)
    monkeypatch.setattr(problem, "MOST_TOGETHER", 4)
    recording = simulate(directed_network(8), 20.0, np.random.default_rng(0))
    alone, helped = CircuitGNN(tau_s=0.01), CircuitGNN(tau_s=0.01)
    wanted = alone.fit(recording).connectivity_
    with local_workers(n_workers) as helped.workers:
        found = helped.fit(recording).connectivity_
    np.testing.assert_array_equal(found.weights, wanted.weights)
    np.testing.assert_array_equal(found.standard_error, wanted.standard_error)
    assert found.weights.any()
