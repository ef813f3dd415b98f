import pytest

from spikeweft.circuit_gnn.fitting import needed_memory
from spikeweft.circuit_gnn.fitting.needed_memory import check_memory, needed_memory_mb
from spikeweft.circuit_gnn.spike_prediction.model_inputs import n_bytes_of_traces
from spikeweft.errors import InputError
from spikeweft.runtime.memory import MIB


def test_traces_that_would_not_fit_are_held_in_part(problem, monkeypatch):
    whole = needed_memory_mb(problem)
    parts = problem.recording, problem.held_out
    held = sum(n_bytes_of_traces(part, problem.settings, 3, False) for part in parts) / MIB
    assert held < whole
    monkeypatch.setattr(needed_memory, "MOST_KEPT_BYTES", 0)
    monkeypatch.setattr(needed_memory, "LARGEST_PART_BYTES", 1000)
    assert needed_memory_mb(problem) == pytest.approx(whole - held + 2000 / MIB)


def test_too_little_memory_is_said_with_the_remedy(problem, monkeypatch):
    check_memory(problem)
    monkeypatch.setattr(needed_memory, "available_memory_mb", lambda: 0.01)
    with pytest.raises(InputError, match=r"3 neurons takes about .* GB are free; fit fewer"):
        check_memory(problem)
