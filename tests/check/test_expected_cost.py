from spikeweft.check import expected_cost as costs
from spikeweft.check.findings import Severity


def test_a_longer_recording_costs_more(ring, quick, monkeypatch):
    monkeypatch.setattr(costs, "memory_in_use_mb", lambda: 0.0)
    short, long = (costs.expected_cost(part, quick) for part in (ring.between(0.0, 0.5), ring))
    assert long.seconds > short.seconds
    assert long.memory_mb > short.memory_mb


def test_too_little_memory_is_a_problem(ring, quick, monkeypatch):
    monkeypatch.setattr(costs, "available_memory_mb", lambda: 1.0)
    assert costs.cost(ring, quick).severity is Severity.PROBLEM
