import pytest

from spikeweft.check import expected_cost as costs
from spikeweft.check.findings import Severity
from spikeweft.circuit_gnn.fitting import expected_cost as costs_of_fits
from spikeweft.circuit_gnn.fitting.problem import Problem


def test_a_longer_recording_costs_more(ring, quick, monkeypatch):
    monkeypatch.setattr(costs_of_fits, "memory_in_use_mb", lambda: 0.0)
    short, long = (costs.expected_cost(part, quick) for part in (ring.between(0.0, 0.5), ring))
    assert long.seconds > short.seconds
    assert long.memory_mb > short.memory_mb


def test_too_little_memory_is_a_problem(ring, quick, monkeypatch):
    monkeypatch.setattr(costs, "available_memory_mb", lambda: 1.0)
    assert costs.cost(ring, quick).severity is Severity.PROBLEM


def test_the_forecast_is_of_the_part_that_a_fit_is_fitted_to(ring, quick, monkeypatch):
    fitted_s = []

    def noted(training, *more):
        fitted_s.append(training.duration_s)
        return Problem(training, *more)

    monkeypatch.setattr(costs, "Problem", noted)
    costs.expected_cost(ring, quick)
    assert fitted_s == [pytest.approx(0.8 * ring.duration_s)]


def test_memory_that_is_in_use_is_not_asked_for_again(ring, quick, monkeypatch):
    needed_mb = costs.expected_cost(ring, quick).memory_mb - costs.memory_in_use_mb()
    monkeypatch.setattr(costs, "available_memory_mb", lambda: 2.0 * max(needed_mb, 1.0))
    assert costs.cost(ring, quick).severity is not Severity.PROBLEM


def test_without_a_quick_fit_a_longer_recording_costs_more_too(ring, quick, monkeypatch):
    monkeypatch.setattr(costs_of_fits, "memory_in_use_mb", lambda: 0.0)
    short, long = (costs.expected_cost(part, None) for part in (ring.between(0.0, 0.5), ring))
    assert long.seconds > short.seconds > 0.0
    assert long.memory_mb == costs.expected_cost(ring, quick).memory_mb
