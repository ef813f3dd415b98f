"""A fit under way: its candidates, its searches and its place; all that a checkpoint holds."""

from dataclasses import dataclass
from typing import NamedTuple

from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import NeuronParameters
from spikeweft.circuit_gnn.structure_learning.network_fit import NetworkShape

WORTH_NATS = 10.0
"""Nats of held-out spikes that make one candidate clearly better than another."""


class HeldOutScore(NamedTuple):
    """How well held-out spikes are predicted: their log-likelihood, and bits per spike."""

    nats: float
    bits_per_spike: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One answer: parameters, and what the traces are made with that they were fitted to.

    Attributes
    ----------
    parameters
        Of every neuron and of the link.
    inputs
        Synaptic time constant, rotation and hidden neurons.
    on_all_data
        Whether it is fitted to the whole training part, or to the spikes that the search uses.
    held_out
        Score on held-out spikes, once it is known.
    """

    parameters: NeuronParameters
    inputs: SynapticInputs
    on_all_data: bool
    held_out: HeldOutScore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeConstantSearch:
    """How far the search through `TAUS_S` has come."""

    direction: int = 1
    """Towards longer (1) or shorter (-1) ones; 0 once it has ended."""

    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpnessSearch:
    """Where the search for the link's sharpness stands."""

    factor: float
    """By which the next step sharpens; 1 once the search has ended."""

    has_moved: bool = False


class ScoredShape(NamedTuple):
    """Shape of a pair network, and the nats of held-out spikes that it gains."""

    shape: NetworkShape
    nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitState:
    """All that the next steps of a fit depend on.

    Attributes
    ----------
    current
        The candidate that steps go on from.
    held_out_bits
        Bits per spike of the held-out part, when it was last scored.
    stage, step
        Place in the sequence of stages, and steps taken within that stage.
    n_steps_taken
        Steps taken in all.
    time_constant, sharpness
        Searches under way.
    by_power
        The best candidate from each power of the link that was tried.
    free, structured
        The best candidates with free weights, and with weights of a network.
    nats_before_hidden
        Held-out log-likelihood before hidden neurons joined.
    shapes
        Shapes of pair networks that were tried.
    shape
        The one that was chosen, by the likelihood itself.
    """

    current: Candidate
    held_out_bits: float
    stage: int = 0
    step: int = 0
    n_steps_taken: int = 0
    time_constant: TimeConstantSearch = TimeConstantSearch()
    sharpness: SharpnessSearch | None = None
    by_power: tuple[Candidate, ...] = ()
    free: Candidate | None = None
    structured: Candidate | None = None
    nats_before_hidden: float | None = None
    shapes: tuple[ScoredShape, ...] = ()
    shape: ScoredShape | None = None


def clearly_better(nats: float, than: float) -> bool:
    """Whether a log-likelihood of held-out spikes is worth a change."""
    return nats > than + WORTH_NATS


def hardly_worse(nats: float, than: float) -> bool:
    """Whether a log-likelihood of held-out spikes does not speak against a change."""
    return nats > than - WORTH_NATS


def nats_of(candidate: Candidate | None) -> float:
    """Held-out log-likelihood of a candidate; -∞ where there is none."""
    if candidate is None:
        return float("-inf")
    assert candidate.held_out is not None
    return candidate.held_out.nats
