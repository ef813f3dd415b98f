"""Trials of other links and synaptic kernels, and the evidence of the training spikes for them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.spike_prediction.link import LinkShape
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel


class Tried(NamedTuple):
    """A candidate, and the log evidence of the training spikes for it."""

    nats: float
    candidate: Candidate


def tried_kernel(
    problem: Problem, candidate: Candidate, kernel: SynapticKernel, n_steps: int = 1
) -> Tried:
    """The candidate with another kernel, once all neurons have settled under it."""
    trial = problem.with_kernel(candidate, kernel)
    settled = problem.stepped(trial, n_steps)
    return Tried(problem.log_evidence(settled), settled)


def tried_link(problem: Problem, candidate: Candidate, shape: LinkShape, n_steps: int = 1) -> Tried:
    """The candidate with a link of another shape, once all neurons have settled under it."""
    settled = problem.stepped(problem.reshaped(candidate, shape), n_steps)
    settled = problem.with_estimated_prior(settled)
    return Tried(problem.log_evidence(settled), settled)


def at_vertex(here: Tried, tried: Callable[[float], Tried], width: float) -> Tried:
    """The likeliest of no change, changes both ways, and the vertex of the parabola they make."""
    low, high = tried(-width), tried(width)
    if not np.isfinite(here.nats + low.nats + high.nats):
        return max(here, low, high, key=lambda trial: trial.nats)
    curvature = 2 * here.nats - low.nats - high.nats
    rise = (high.nats - low.nats) / 2
    change = rise / curvature if curvature > 0 else 2.0 * np.sign(rise)
    vertex = tried(width * float(np.clip(change, -2.0, 2.0)))
    return max(here, vertex, low, high, key=lambda trial: trial.nats)
