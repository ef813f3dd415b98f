"""What kind of circuit a recording looks like: held-out spikes choose between two models.

`CircuitGNN` is for recurrent, dense circuits, `SynapseModel` for sparse ones with latencies. Both
are fitted to the same part of the training time, and the part that `CircuitGNN` held out decides.
The last tenth of the recording, which scores, is not known to either.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.estimator import HeldOutPrediction
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.evaluation.prediction import bits_per_spike

_CHANCE = 1e-3
"""How often neurons without coupling are said to be coupled, at most: a likelihood ratio of spikes
that were not fitted exceeds 1 / chance no more often, by Markov's inequality."""

_SURE = 0.99
"""Probability above which a connection is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitKind:
    """What held-out spikes say about two models of one circuit.

    Attributes
    ----------
    dense_nats, sparse_nats, uncoupled_nats
        Log-likelihood of held-out spikes under `CircuitGNN`, `SynapseModel`, and neurons that do
        not act on each other, rates in Hz.
    dense_bits, sparse_bits, uncoupled_bits
        The same as bits per spike beyond mean rates, of all these spikes together.
    difference_sd_nats
        Standard error of the difference between `SynapseModel` and `CircuitGNN`, from how much it
        varies between neurons.
    n_connections
        Connections that `SynapseModel` is sure of.
    knows_shared_state
        Whether it predicts by a state that neurons share.
    """

    dense_nats: float
    sparse_nats: float
    uncoupled_nats: float
    dense_bits: float
    sparse_bits: float
    uncoupled_bits: float
    difference_sd_nats: float
    n_connections: int
    knows_shared_state: bool

    @classmethod
    def of(
        cls,
        training: Recording,
        held_out: Recording,
        dense: HeldOutPrediction,
        sparse_log_likelihood: Float[np.ndarray, " neuron"],
        sparse: Connectivity,
        *,
        knows_shared_state: bool,
    ) -> "CircuitKind":
        """The kind, by the held-out spikes of the neurons that decide in `CircuitGNN`.

        Parameters
        ----------
        training, held_out
            The part that both are fitted to, and the one that decides.
        dense
            What `CircuitGNN` says of the held-out spikes.
        sparse_log_likelihood, sparse
            What `SynapseModel` says of them, and its circuit.
        knows_shared_state
            Whether it predicts by a state that neurons share.
        """
        decides = np.isfinite(dense.log_likelihood)
        scored = held_out.restrict(dense.epochs_s)
        n_spikes, null_rate_hz = scored.n_spikes[decides], training.rate_hz[decides]

        def bits(nats: Float[np.ndarray, " neuron"]) -> float:
            found = bits_per_spike(nats[decides], n_spikes, scored.duration_s, null_rate_hz)
            return found.pooled

        return cls(
            dense_nats=float(dense.log_likelihood[decides].sum()),
            sparse_nats=float(sparse_log_likelihood[decides].sum()),
            uncoupled_nats=float(dense.without_coupling[decides].sum()),
            dense_bits=bits(dense.log_likelihood),
            sparse_bits=bits(sparse_log_likelihood),
            uncoupled_bits=bits(dense.without_coupling),
            difference_sd_nats=_sd_of_sum((sparse_log_likelihood - dense.log_likelihood)[decides]),
            n_connections=_n_connections(sparse),
            knows_shared_state=knows_shared_state,
        )

    @property
    def is_sparse(self) -> bool:
        """Whether `SynapseModel` predicts held-out spikes better, or as well by few connections.

        Of the models within one standard error of the best, the simplest answers (Breiman et al.
        1984, section 3.4.3): where both predict alike, the connections that one of them is sure of
        say more than the weights that the other has between all pairs.
        """
        within = self.difference_sd_nats if self.n_connections > 0 else 0.0
        return self.sparse_nats + within > self.dense_nats

    @property
    def shows_coupling(self) -> bool:
        """Whether the better model predicts clearly better than none, and by connections."""
        by_connections = self.n_connections > 0 or not self.is_sparse
        return self._beats_none and by_connections

    @property
    def _beats_none(self) -> bool:
        best = max(self.dense_nats, self.sparse_nats)
        return best - self.uncoupled_nats > -math.log(_CHANCE)

    @property
    def sentence(self) -> str:
        """The kind in words, with the bits per spike that speak for it."""
        bits = {
            "SynapseModel": self.sparse_bits,
            "CircuitGNN": self.dense_bits,
            "a model without coupling": self.uncoupled_bits,
        }
        ranked = sorted(bits, key=lambda name: -bits[name])
        numbers = [f"{name} predicts {_shown(bits[name])}" for name in ranked]
        alike = self.is_sparse and self.sparse_nats <= self.dense_nats
        pair = "; SynapseModel and CircuitGNN differ by less than the error of that"
        return (
            f"{self._looks}: of each held-out spike, {numbers[0]} bits, {numbers[1]}, and "
            f"{numbers[2]}{pair if alike else ''}."
        )

    @property
    def _looks(self) -> str:
        if self.shows_coupling and self.is_sparse:
            return "This circuit looks sparse, with latencies"
        if self.shows_coupling:
            return "This circuit looks recurrent and dense"
        if self.is_sparse and self._beats_none and self.knows_shared_state:
            return "There is no coupling that can be shown, only a state that neurons share"
        return "There is no coupling that can be shown"


def _n_connections(sparse: Connectivity) -> int:
    assert sparse.probability is not None
    return int((sparse.probability[sparse.off_diagonal] > _SURE).sum())


def _sd_of_sum(nats: Float[np.ndarray, " neuron"]) -> float:
    """Standard error of a sum over neurons that differ from each other."""
    return float(nats.std(ddof=1) * math.sqrt(len(nats))) if len(nats) > 1 else 0.0


def _shown(bits: float) -> str:
    return f"{bits:.3f}".replace("-", "−")
