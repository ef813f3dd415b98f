"""A fit under way: its candidates, its searches and its place; all that a checkpoint holds."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNeurons:
    """What was found of some postsynaptic neurons, or of all.

    Attributes
    ----------
    neurons
        Which ones of the recording they are.
    values
        Coefficient of each feature in each neuron's drive; weights come first.
    weight_variance, determined
        Posterior variance of each weight, and how far spikes determine it.
    n_spikes
        Scored training spikes of each.
    mean_slope
        Change of the log rate with the drive, averaged over these spikes.
    held_out_nats, uncoupled_nats
        How likely the held-out spikes of each are, and how likely where no neuron acts on another.
    """

    neurons: Int[np.ndarray, " neuron"]
    values: Float[np.ndarray, "neuron feature"]
    weight_variance: Float[np.ndarray, "neuron pre"]
    determined: Float[np.ndarray, "neuron pre"]
    n_spikes: Int[np.ndarray, " neuron"]
    mean_slope: float
    held_out_nats: Float[np.ndarray, " neuron"]
    uncoupled_nats: Float[np.ndarray, " neuron"]

    @property
    def is_between(self) -> Bool[np.ndarray, "neuron pre"]:
        """The pairs of a neuron and another one."""
        return np.arange(self.determined.shape[1]) != self.neurons[:, None]

    @property
    def weights(self) -> Float[np.ndarray, "neuron pre"]:
        """Weights from observed neurons, of each onto itself zero."""
        return np.where(self.is_between, self.values[:, : self.determined.shape[1]], 0.0)

    def in_order(self, order: Int[np.ndarray, " pre"]) -> "FoundNeurons":
        """The same where the k-th neuron is the `order[k]`-th of a recording."""
        back, n = np.argsort(order), len(order)
        values = self.values.copy()
        values[:, :n] = values[:, back]
        return replace(
            self,
            neurons=order[self.neurons],
            values=values,
            weight_variance=self.weight_variance[:, back],
            determined=self.determined[:, back],
        )


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
    blocks
        What was found of the first neurons and of others, where all are too many at a time.
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
    blocks: tuple[FoundNeurons, ...] = ()

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
