"""Expected time and memory of a fit, from steps timed on this machine."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from spikeweft.check.expected_error import Pilot
from spikeweft.check.findings import Finding, Severity, lasting
from spikeweft.circuit_gnn.fitting.problem import (
    DIMENSIONS,
    NETWORKS_PER_ROUND,
    SPIKES_TO_EXPLORE,
)
from spikeweft.circuit_gnn.spike_prediction.model_inputs import LARGEST_PART_BYTES, MOST_KEPT_BYTES
from spikeweft.circuit_gnn.structure_learning.network_fit import IMITATION_STEPS, LEARNING_STEPS
from spikeweft.circuit_gnn.structure_learning.pair_network import N_HIDDEN_UNITS
from spikeweft.data.holdout import FITTED_FRACTION, VALIDATION_FRACTION
from spikeweft.data.recording import Recording
from spikeweft.runtime.memory import MIB, available_memory_mb, memory_in_use_mb
from spikeweft.runtime.parallel import n_processors, on_one_thread

_SEARCH_STEPS = 140
"""Steps on the spikes that the search uses, and what new traces and fits to given weights take in
such steps: 85 for what all neurons share, the others for the shape of the network (timed)."""

_DATA_STEPS = 130
"""The same on all that is fitted: free weights, simpler kinds, rounds of structure (timed)."""

_NETWORKS_AT_A_TIME = (len(DIMENSIONS), *NETWORKS_PER_ROUND)
"""Networks that are learned side by side: all sizes, then the rounds."""

_PAIR_FEATURES = 3 * DIMENSIONS[len(DIMENSIONS) // 2]
"""What a network reads of a pair, at a middling size of embedding."""

_MATRICES = 12
"""Matrices of every row's curvature that are held at a time, in single precision (counted)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and memory that a fit is expected to take."""

    seconds: float
    memory_mb: float


def expected_cost(recording: Recording, quick: Pilot) -> Cost:
    """Cost of fitting `CircuitGNN` on this machine, scaled from the quick fit's timed steps.

    A step's time grows with the number of spikes and the square of the number of neurons, the
    curvature of every row; a network's with the number of pairs.
    """
    n = recording.n_neurons
    grown = n / quick.n_neurons
    spikes = FITTED_FRACTION * len(recording.spike_times_s)
    per_spike_s = quick.step_s * grown**2 / quick.n_spikes
    searched = min(spikes, SPIKES_TO_EXPLORE * n)
    steps_s = per_spike_s * (_SEARCH_STEPS * searched + _DATA_STEPS * spikes)
    network_s = learning_s(quick.n_neurons) * grown**2
    traces = quick.n_bytes * spikes / quick.n_spikes * grown
    held = traces if traces <= MOST_KEPT_BYTES else LARGEST_PART_BYTES
    parts = held * (1.0 + VALIDATION_FRACTION / (1.0 - VALIDATION_FRACTION))
    matrices = 4 * _MATRICES * n * (n + 5) ** 2
    return Cost(
        seconds=steps_s + _networks_one_after_another() * network_s,
        memory_mb=memory_in_use_mb() + (parts + matrices) / MIB,
    )


def learning_s(n_neurons: int) -> float:
    """Time to train one pair network, from timed training steps."""
    with on_one_thread():
        pairs_s, form_s = _pairs_s(n_neurons), _form_s(n_neurons)
    return IMITATION_STEPS * pairs_s + LEARNING_STEPS * (pairs_s + form_s)


def _pairs_s(n_neurons: int) -> float:
    """Time of a step of a network, forward and backward on all pairs."""
    pairs = torch.rand(max(n_neurons * (n_neurons - 1) // 2, 1), _PAIR_FEATURES)
    network = nn.Sequential(
        nn.Linear(pairs.shape[1], N_HIDDEN_UNITS),
        nn.GELU(),
        nn.Linear(N_HIDDEN_UNITS, N_HIDDEN_UNITS),
        nn.GELU(),
        nn.Linear(N_HIDDEN_UNITS, 1),
    )
    return median(_timed(lambda: network(pairs).square().sum().backward()) for _ in range(5))


def _form_s(n_neurons: int) -> float:
    """Time of reading the quadratic form that a network descends."""
    forms = torch.rand(n_neurons, n_neurons, n_neurons)
    change = torch.rand(n_neurons, n_neurons, 1)
    return median(_timed(lambda: torch.bmm(forms, change)) for _ in range(5))


def cost(recording: Recording, quick: Pilot) -> Finding:
    """Whether there is enough memory and time."""
    expected, available_mb = expected_cost(recording, quick), available_memory_mb()
    severity = Severity.FINE
    if expected.memory_mb > 0.7 * available_mb or expected.seconds > 3600:
        severity = Severity.NOTE
    if expected.seconds > 12 * 3600:
        severity = Severity.WARNING
    if expected.memory_mb > available_mb:
        severity = Severity.PROBLEM
    return Finding(
        topic="time and memory",
        severity=severity,
        summary=f"A fit will take about {lasting(expected.seconds)} and "
        f"{expected.memory_mb / 1024:.2g} GB of memory on this machine, which has "
        f"{available_mb / 1024:.2g} GB free; both are rough.",
        remedy="Fit fewer neurons or the first minutes (--minutes), or use a larger machine."
        if severity > Severity.FINE
        else "",
        numbers={
            "seconds": expected.seconds,
            "memory_mb": expected.memory_mb,
            "available_memory_mb": available_mb,
            "processors": n_processors(),
        },
    )


def _networks_one_after_another() -> int:
    """How many networks' time learning takes, where each processor learns one at a time."""
    return sum(math.ceil(size / n_processors()) for size in _NETWORKS_AT_A_TIME)


def _timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
