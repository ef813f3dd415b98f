import pytest

from spikeweft.circuit_gnn.fitting import needed_memory
from spikeweft.circuit_gnn.fitting import problem as posing
from spikeweft.circuit_gnn.fitting.needed_memory import check_memory, needed_memory_mb
from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import n_bytes_collapsed
from spikeweft.circuit_gnn.spike_prediction.model_inputs import n_bytes_of_traces
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import n_quadrature_times
from spikeweft.errors import InputError
from spikeweft.runtime.memory import MIB
from spikeweft.runtime.workers import Here


def test_traces_that_would_not_fit_are_held_in_part(problem, monkeypatch):
    monkeypatch.setattr(needed_memory, "MOST_COLLAPSED_BYTES", 0.0)
    whole = needed_memory_mb(problem)
    parts = problem.recording, problem.held_out
    held = sum(n_bytes_of_traces(part, problem.settings, 3, False) for part in parts) / MIB
    assert held < whole
    monkeypatch.setattr(needed_memory, "MOST_KEPT_BYTES", 0)
    monkeypatch.setattr(needed_memory, "LARGEST_PART_BYTES", 1000)
    assert needed_memory_mb(problem) == pytest.approx(whole - held + 2000 / MIB)


def test_collapsed_traces_are_held_beside_the_others(problem, monkeypatch):
    """With copies of own history where the others do not stay; and at most so many."""
    n_spikes = problem.recording.n_spikes
    n_times = n_quadrature_times(problem.recording, evenly=False)

    def collapsed_mb():
        whole = needed_memory_mb(problem)
        with monkeypatch.context() as without:
            without.setattr(needed_memory, "MOST_COLLAPSED_BYTES", 0.0)
            return whole - needed_memory_mb(problem)

    for stay in (True, False):
        wanted = n_bytes_collapsed(n_spikes, n_times, 4, stay) / MIB
        assert collapsed_mb() == pytest.approx(wanted)
        monkeypatch.setattr(needed_memory, "MOST_KEPT_BYTES", 0)
    monkeypatch.setattr(needed_memory, "MOST_COLLAPSED_BYTES", 5000.0)
    assert collapsed_mb() == pytest.approx(5000 / MIB)


def test_too_little_memory_is_said_with_the_remedy(problem, monkeypatch):
    check_memory(problem)
    monkeypatch.setattr(needed_memory, "available_memory_mb", lambda: 0.01)
    with pytest.raises(InputError, match=r"3 neurons takes about .* GB are free; fit fewer"):
        check_memory(problem)


class SmallWorkers(Here):
    """Two others with too little memory."""

    def number(self):
        return 2

    def available_memory_mb(self, n_pieces):
        return 0.01


def test_workers_with_too_little_memory_are_said_before_they_begin(problem, monkeypatch):
    check_memory(problem, SmallWorkers())  # three neurons are fitted without them
    monkeypatch.setattr(posing, "MOST_TOGETHER", 2)
    problem.n_searched = 1
    check_memory(problem)
    said = r"each of 2 workers, for a block of 1 neurons, takes about .* free; use fewer workers"
    with pytest.raises(InputError, match=said):
        check_memory(problem, SmallWorkers())
