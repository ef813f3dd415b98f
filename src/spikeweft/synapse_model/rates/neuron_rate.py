r"""The rate of one neuron, fitted by Newton's method on the penalised Poisson likelihood.

.. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k}(t) + \sum_s h_i(t - s) + c_i(t)

with shared states :math:`z_k`, own history :math:`h_i` and what others send, :math:`c_i`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from spikeweft.synapse_model.rates import rate_kernels as kernels
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.timeline import Timeline

_STATE_PRECISION, _HISTORY_PRECISION = 1.0, 0.05
"""Of the Gaussian priors on gains of standardised states and on pieces of the own history."""

_LONGEST_STEP = 2.5

_CONVERGED_NATS = 0.05

_N_HALVINGS = 8


class RateParameters(NamedTuple):
    """Log baseline (spikes a step), gain of each shared state, and history filter of a neuron."""

    baseline: float
    gains: Float[np.ndarray, " state"]
    history: Float[np.ndarray, " piece"]


class NeuronRate:
    """The rate of one neuron on a timeline, and the likelihood of its spikes.

    Parameters
    ----------
    timeline, neuron
        Whose rate.
    state
        What the neuron shares with others, by longer bin.
    own_history
        Pieces of the history filter.
    sent
        What other neurons' spikes add to the log rate; nothing where not given.
    """

    def __init__(
        self,
        timeline: Timeline,
        neuron: int,
        state: Float[np.ndarray, "bin state"],
        own_history: OwnHistory,
        sent: Float[np.ndarray, " step"] | None = None,
    ) -> None:
        self._timeline, self._own_history, self._sent = timeline, own_history, sent
        self._train = timeline.trains[neuron]
        self._scored_train = timeline.scored_train(neuron)
        ones = np.ones((len(state), 1), dtype=np.float32)
        self._columns = np.concatenate([ones, state], axis=1)
        self.rate = np.empty(timeline.n_steps, dtype=np.float32)
        self._rate_of_bin = np.empty(len(state), dtype=np.float32)

    @property
    def counts(self) -> UInt8[np.ndarray, " step"]:
        """Scored spikes of the neuron in each step."""
        found = np.bincount(self._scored_train, minlength=self._timeline.n_steps)
        return np.minimum(found, 255).astype(np.uint8)

    def start(self) -> RateParameters:
        """A constant rate."""
        n_scored = max(int(self._timeline.scored.sum()), 1)
        rate = max(len(self._scored_train), 0.5) / n_scored
        n_states = self._columns.shape[1] - 1
        return RateParameters(
            float(np.log(rate)), np.zeros(n_states), np.zeros(self._own_history.n_pieces)
        )

    def follow(self, parameters: RateParameters) -> Float[np.ndarray, " step"]:
        """Compute the rate, in spikes a step; 0 where it is not scored."""
        slow = self._columns @ np.array([parameters.baseline, *parameters.gains], np.float32)
        fast = np.zeros_like(self.rate) if self._sent is None else self._sent.copy()
        effect = self._own_history.filter(parameters.history).astype(np.float32)
        kernels.add_after_spikes(fast, self._train, effect, 1)
        timeline = self._timeline
        kernels.compose(
            slow, fast, timeline.scored, timeline.steps_per_bin, self.rate, self._rate_of_bin
        )
        return self.rate

    def log_likelihood(self) -> float:
        """Of the scored spikes under the rate last followed, in nats, rates in spikes a step."""
        at_spikes = np.maximum(self.rate[self._scored_train], np.finfo(np.float32).tiny)
        return float(np.log(at_spikes).sum(dtype=float) - self._rate_of_bin.sum(dtype=float))

    def fit(self, parameters: RateParameters, n_iterations: int) -> RateParameters:
        """The most probable parameters; the rate follows them."""
        vector = np.concatenate([[parameters.baseline], parameters.gains, parameters.history])
        precision = self._precision()
        self.follow(parameters)
        best = self.log_likelihood() - 0.5 * precision @ vector**2
        for _ in range(n_iterations):
            gradient, information = self._derivatives()
            step = np.linalg.solve(
                information + np.diag(precision + 1e-6), gradient - precision * vector
            )
            step *= min(1.0, _LONGEST_STEP / max(np.abs(step).max(), 1e-12))
            gain, before = 0.0, vector
            for _ in range(_N_HALVINGS):
                vector = before + step
                self.follow(self._as_parameters(vector))
                gain = self.log_likelihood() - 0.5 * precision @ vector**2 - best
                if gain >= 0:
                    break
                step /= 3
            else:
                vector = before
                self.follow(self._as_parameters(vector))
                break
            best += gain
            if gain < _CONVERGED_NATS:
                break
        return self._as_parameters(vector)

    def _as_parameters(self, vector: np.ndarray) -> RateParameters:
        n = self._columns.shape[1]
        return RateParameters(float(vector[0]), vector[1:n], vector[n:])

    def _precision(self) -> Float[np.ndarray, " parameter"]:
        n_states = self._columns.shape[1] - 1
        return np.concatenate(
            [
                [1e-6],
                np.full(n_states, _STATE_PRECISION),
                np.full(self._own_history.n_pieces, _HISTORY_PRECISION),
            ]
        )

    def _derivatives(
        self,
    ) -> tuple[Float[np.ndarray, " parameter"], Float[np.ndarray, "parameter parameter"]]:
        """Gradient and information of the likelihood at the rate last followed."""
        timeline, own, columns = self._timeline, self._own_history, self._columns
        n, m = columns.shape[1], own.n_pieces
        in_bins = np.bincount(
            self._scored_train // timeline.steps_per_bin, minlength=len(columns)
        ).astype(np.float32)
        expected, across, history = np.zeros(m), np.zeros((n, m)), np.zeros((m, m))
        kernels.history_information(
            self.rate,
            columns,
            self._train,
            own.piece_of_lag,
            timeline.steps_per_bin,
            expected,
            across,
            history,
        )
        at_spikes = kernels.history_at_spikes(self._train, timeline.scored, own.piece_of_lag, m)
        gradient = np.concatenate([columns.T @ (in_bins - self._rate_of_bin), at_spikes - expected])
        information = np.empty((n + m, n + m))
        information[:n, :n] = (columns * self._rate_of_bin[:, None]).T @ columns
        information[:n, n:], information[n:, :n], information[n:, n:] = across, across.T, history
        return gradient, information
