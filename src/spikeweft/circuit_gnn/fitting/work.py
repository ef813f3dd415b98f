"""How long the steps of a fit take: what each is expected to cost, and how fast this machine is.

Steps differ a hundredfold, so their number says nothing about the time left. Each is expected to
take the seconds that its passes over spikes and its networks took where they were measured; how
much longer or shorter the two kinds of work take here shows in the steps taken so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.spike_prediction.model_inputs import n_features_of
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import (
    SLOWEST_TAU_S,
    dense_enough_for_s,
    n_quadrature_times,
)
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FURTHER_STEPS,
    IMITATION_STEPS,
    LEARNING_STEPS,
    rows_at_a_time,
)
from spikeweft.runtime.parallel import n_side_by_side

WORTH_THREADS = 40
"""Neurons from which networks gain by threads: steps of smaller ones wait for the interpreter."""

_TIMES_OF_INFORMATION = 1500
_SECONDS_PER_PRODUCT, _LOST_TO_FEW_FEATURES = 1.2e-11, 70
_SECONDS_PER_RATE, _SECONDS_PER_SUMMAND = 6e-9, 5e-11
_SECONDS_PER_CUBE, _SECONDS_PER_SQUARE = 8e-11, 1e-8
_SECONDS_PER_UPDATE, _SECONDS_OF_TRACES = 2.5e-9, 0.02
_SECONDS_PER_HIDDEN_INPUT, _SECONDS_PER_HIDDEN_AT_SPIKE, _SECONDS_PER_ROUTED = 8e-10, 4e-8, 3e-9
_PASSES_OF_RATES_TO_SETTLE = 28
_SECONDS_OF_PIECE, _PIECES_PER_NEURON, _TIMES_OF_PIECE = 1.5e-4, 2, 8192
"""What no other processor shortens: each piece of a pass has to be handed out."""

_SECONDS_OF_NETWORK_STEP, _SECONDS_PER_PAIR = 7e-4, 6e-7
_DIRECTED = 1.6


class Work(NamedTuple):
    """Seconds that work is expected to take, by its kind."""

    on_spikes_s: float = 0.0
    on_networks_s: float = 0.0

    def __add__(self, other: "Work") -> "Work":  # pyrefly: ignore[bad-override]
        return Work(self[0] + other[0], self[1] + other[1])

    def times(self, factor: float) -> "Work":
        """So many times as much."""
        return Work(factor * self.on_spikes_s, factor * self.on_networks_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What it costs to do something with a recording.

    Attributes
    ----------
    n_neurons, n_features, n_spikes, n_times
        Its neurons, features of each, spikes and quadrature times.
    n_hidden
        Hidden neurons, where they have joined.
    """

    n_neurons: int
    n_features: int
    n_spikes: int
    n_times: float
    n_hidden: int = 0

    @classmethod
    def of(
        cls,
        problem: Problem,
        *,
        on_all_data: bool,
        with_hidden: bool = False,
        n_neurons: int | None = None,
    ) -> Self:
        """Costs on the training spikes, or on those that the search uses, of the first neurons."""
        recording = problem.recording_of(on_all_data)
        n_hidden = problem.settings.n_hidden if with_hidden else 0
        return cls(
            n_neurons=n_neurons or recording.n_neurons,
            n_features=n_features_of(recording, problem.settings),
            n_spikes=int(recording.n_spikes[:n_neurons].sum()),
            n_times=n_quadrature_times(
                recording,
                evenly=problem.settings.n_hidden > 0,
                tau_s=dense_enough_for_s(problem.settings.tau_s or SLOWEST_TAU_S),
            ),
            n_hidden=n_hidden,
        )

    def on_spikes(
        self,
        *,
        n_passes: int = 0,
        n_traces: int = 0,
        n_settlings: int = 0,
        n_processors: int | None = None,
    ) -> Work:
        """Passes over all spikes and times, traces to make, and settlings around fixed weights.

        On so many processors; where None, on all that this process may use.
        """
        n_processors = n_processors or n_side_by_side()
        n_rates = self.n_times * self.n_neurons
        n_pieces = _PIECES_PER_NEURON * self.n_neurons + self.n_times / _TIMES_OF_PIECE
        rates_s = _SECONDS_PER_RATE * n_rates / n_processors + _SECONDS_OF_PIECE * n_pieces
        n_updates = self.n_features * (self.n_spikes + self.n_times)
        traces_s = _SECONDS_OF_TRACES + _SECONDS_PER_UPDATE * n_updates / n_processors
        traces_s += self._seconds_of_hidden_traces
        n_passes_of_rates = n_passes + _PASSES_OF_RATES_TO_SETTLE * n_settlings
        curvature_s = n_passes * self._seconds_of_curvature / n_processors
        return Work(on_spikes_s=n_passes_of_rates * rates_s + curvature_s + n_traces * traces_s)

    @property
    def _seconds_of_hidden_traces(self) -> float:
        """What traces take longer where hidden neurons are followed through time, in one thread."""
        if self.n_hidden == 0:
            return 0.0
        rates_s = _SECONDS_PER_HIDDEN_INPUT * self.n_times * self.n_hidden * self.n_neurons
        at_spikes_s = _SECONDS_PER_HIDDEN_AT_SPIKE * self.n_spikes * self.n_hidden
        routed_s = _SECONDS_PER_ROUTED * (self.n_spikes + self.n_times) * self.n_neurons
        return rates_s + at_spikes_s + routed_s

    @property
    def _seconds_of_curvature(self) -> float:
        """What a step takes beside the rates, on one processor."""
        n = self.n_features
        n_rows = self.n_spikes + self.n_neurons * min(self.n_times, _TIMES_OF_INFORMATION)
        products_s = _SECONDS_PER_PRODUCT * n_rows * n * (n + _LOST_TO_FEW_FEATURES)
        summands_s = _SECONDS_PER_SUMMAND * self.n_times * self.n_neurons * n
        algebra_s = self.n_neurons * (_SECONDS_PER_CUBE * n + _SECONDS_PER_SQUARE) * n**2
        return products_s + summands_s + algebra_s

    def on_networks(self, n_networks: int, *, directed: bool = False, again: bool = False) -> Work:
        """Networks that learn, side by side where that pays, though they then share much."""
        n_rows = rows_at_a_time(self.n_neurons)
        n_pairs = n_rows * self.n_neurons
        if n_rows == self.n_neurons:
            n_pairs *= 0.5 * (_DIRECTED if directed else 1.0)
        step_s = _SECONDS_OF_NETWORK_STEP + _SECONDS_PER_PAIR * n_pairs
        n_at_a_time = min(n_side_by_side(), n_networks) if self.n_neurons >= WORTH_THREADS else 1
        each = FURTHER_STEPS if again else IMITATION_STEPS + LEARNING_STEPS
        n_steps = n_networks * each / np.sqrt(n_at_a_time)
        return Work(on_networks_s=float(n_steps * step_s))


@dataclass(slots=True)
class Pace:
    """How long work takes here, as a multiple of what is expected, from the steps taken so far."""

    _on_spikes: list[tuple[float, float]] = field(default_factory=list)
    _on_networks: list[tuple[float, float]] = field(default_factory=list)
    _shared_s: tuple[float, float] = (0.0, 0.0)
    """Expected and taken, of steps that several workers take at a time."""

    def learn(self, work: Work, seconds: float) -> None:
        """Take note of a step and how long it took."""
        if work.on_networks_s:
            rest_s = max(seconds - work.on_spikes_s * _typical(self._on_spikes), 0.1 * seconds)
            self._on_networks.append((rest_s / work.on_networks_s, work.on_networks_s))
        elif work.on_spikes_s:
            self._on_spikes.append((seconds / work.on_spikes_s, work.on_spikes_s))

    def learn_shared(self, work: Work, seconds: float) -> None:
        """Take note of one of many steps that several workers take at a time.

        One has to be waited for, and the next ones are there already: only all of them together say
        how long they take.
        """
        if work.on_spikes_s == 0.0:
            return
        expected_s, taken_s = self._shared_s
        self._shared_s = expected_s + work.on_spikes_s, taken_s + seconds

    def seconds(self, work: Work) -> float | None:
        """How long some work will take; None before anything was measured."""
        expected_s, taken_s = self._shared_s
        shared = [(taken_s / expected_s, expected_s)] if expected_s else []
        measured = [*self._on_spikes, *shared]
        known = measured or self._on_networks
        if not known:
            return None
        on_spikes, on_networks = (_typical(one or known) for one in (measured, self._on_networks))
        return on_spikes * work.on_spikes_s + on_networks * work.on_networks_s


def _typical(paces: Sequence[tuple[float, float]]) -> float:
    """The median of paces, each with the weight of its work: one that was held up counts little.

    The first counts only as long as there is no other, because it may have compiled.
    """
    if not paces:
        return 1.0
    pace, weight = np.array(sorted(paces[1:] or paces)).T
    reached = np.cumsum(weight)
    return float(pace[np.searchsorted(reached, reached[-1] / 2)])
