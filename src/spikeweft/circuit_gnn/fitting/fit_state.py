"""A fit under way: its candidates, its searches and its place; all that a checkpoint holds."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import NeuronParameters
from spikeweft.circuit_gnn.structure_learning.network_fit import LearnedNetwork, NetworkShape

WORTH_NATS = 10.0
"""Nats of held-out spikes that make one candidate clearly better than another."""


class HeldOutScore(NamedTuple):
    """How well held-out spikes are predicted, by the neurons that decide: in all, and in bits."""

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
        Synaptic kernel, rotation and hidden neurons.
    on_all_data
        Whether it is fitted to the whole training part, or to the spikes that the search uses.
    held_out
        Score on held-out spikes, once it is known.
    """

    parameters: NeuronParameters
    inputs: SynapticInputs
    on_all_data: bool
    held_out: HeldOutScore | None = None

    @property
    def n_neurons(self) -> int:
        """Its postsynaptic neurons, the first ones of the recording."""
        return len(self.parameters.values)


class ScoredShape(NamedTuple):
    """Shape of a pair network, held-out log-likelihood under it, and the weights it found."""

    shape: NetworkShape
    nats: float
    weights: Float[np.ndarray, "post pre"]


class ScoredGain(NamedTuple):
    """A gain of hidden neurons, and the penalised log-likelihood of training spikes under it."""

    gain: float
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
    searched
        Free weights of the neurons that say what all share, where these are not all.
    free, structured
        The best candidates with free weights, and with weights of a network.
    simpler
        Candidates of simpler kinds.
    alone
        Free weights before hidden neurons joined, where they were kept.
    nats_before_hidden
        Held-out log-likelihood before hidden neurons joined.
    hidden_gains
        Gains of hidden neurons that were tried.
    shapes
        Shapes of pair networks that were tried.
    shape
        The one that was chosen, by the likelihood itself.
    networks
        Networks of the last round.
    with_hidden
        The state with hidden neurons, while structure is learned without them.
    """

    current: Candidate
    held_out_bits: float
    stage: int = 0
    step: int = 0
    n_steps_taken: int = 0
    searched: Candidate | None = None
    free: Candidate | None = None
    structured: Candidate | None = None
    simpler: tuple[Candidate, ...] = ()
    alone: Candidate | None = None
    nats_before_hidden: float | None = None
    hidden_gains: tuple[ScoredGain, ...] = ()
    shapes: tuple[ScoredShape, ...] = ()
    shape: ScoredShape | None = None
    networks: tuple[LearnedNetwork, ...] = ()
    with_hidden: "FitState | None" = None

    @property
    def best_nats(self) -> float:
        """Held-out log-likelihood of the better of free and structured weights."""
        return max(nats_of(self.free), nats_of(self.structured))


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
