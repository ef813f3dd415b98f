r"""The rate of one neuron, fitted by Newton's method on the penalised Poisson likelihood.

.. math:: \log λ_i(t) = b_i + \sum_k g_{ik} z_{k}(t) + \sum_s h_i(t - s) + c_i(t)
          + \sum_q a_{iq} x_{iq}(t)

with shared states :math:`z_k`, own history :math:`h_i`, and what others send: as it is,
:math:`c_i`, or with fitted gains, :math:`x_{iq}`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from spikeweft.synapse_model.rates import rate_kernels as kernels
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.timeline import Timeline

_INPUT_GAIN, _INPUT_PRECISION = 1.0, 4.0
"""Mean and precision of the Gaussian prior on gains of inputs."""

_PRECISIONS = (0.01, 1e4)
"""Of an estimated prior, the least and the largest."""

_LONGEST_STEP = 2.5

_CONVERGED_NATS = 0.05

_N_HALVINGS = 8

_STEPS_A_PAIR = 40.0
"""Work of a step against that of a pair of spikes."""

_BINS_AT_ONCE = 2048


class RateParameters(NamedTuple):
    """Log baseline (spikes a step), gain of each shared state, and history filter of a neuron.

    Where its inputs have gains, those too.
    """

    baseline: float
    gains: Float[np.ndarray, " state"]
    history: Float[np.ndarray, " piece"]
    input_gains: Float[np.ndarray, " input"] = np.zeros(0)


class RatePrior(NamedTuple):
    """Precision of the Gaussian priors on gains of states and on pieces of the own history."""

    state: float = 1.0
    history: float = 0.05


WEAK = RatePrior()
"""A prior for rates under which connections are looked for."""


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
    inputs
        What is added to the log rate with a gain that is fitted.
    """

    def __init__(
        self,
        timeline: Timeline,
        neuron: int,
        state: Float[np.ndarray, "bin state"],
        own_history: OwnHistory,
        sent: Float[np.ndarray, " step"] | None = None,
        inputs: Float[np.ndarray, "input step"] | None = None,
    ) -> None:
        self._timeline, self._own_history, self._sent = timeline, own_history, sent
        self._inputs = np.zeros((0, timeline.n_steps), np.float32) if inputs is None else inputs
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
        """A constant rate, beside the inputs."""
        n_scored = max(int(self._timeline.scored.sum()), 1)
        rate = max(len(self._scored_train), 0.5) / n_scored
        n_states = self._columns.shape[1] - 1
        return RateParameters(
            float(np.log(rate)),
            np.zeros(n_states),
            np.zeros(self._own_history.n_pieces),
            np.full(len(self._inputs), _INPUT_GAIN),
        )

    def follow(self, parameters: RateParameters) -> Float[np.ndarray, " step"]:
        """Compute the rate, in spikes a step; 0 where it is not scored."""
        fast = np.zeros_like(self.rate) if self._sent is None else self._sent.copy()
        effect = self._own_history.filter(parameters.history).astype(np.float32)
        kernels.add_after_spikes(fast, self._train, effect, 1)
        for gain, row in zip(parameters.input_gains, self._inputs, strict=True):
            fast += np.float32(gain) * row
        timeline = self._timeline
        gains = np.array([parameters.baseline, *parameters.gains], np.float32)
        kernels.add_states(fast, self._columns, gains, timeline.steps_per_bin)
        np.exp(fast, out=self.rate)
        kernels.keep_scored(self.rate, timeline.scored, timeline.steps_per_bin, self._rate_of_bin)
        return self.rate

    def log_likelihood(self) -> float:
        """Of the scored spikes under the rate last followed, in nats, rates in spikes a step."""
        at_spikes = np.maximum(self.rate[self._scored_train], np.finfo(np.float32).tiny)
        return float(np.log(at_spikes).sum(dtype=float) - self._rate_of_bin.sum(dtype=float))

    def fit(
        self, parameters: RateParameters, n_iterations: int, prior: RatePrior = WEAK
    ) -> RateParameters:
        """The most probable parameters; the rate follows them."""
        vector = np.concatenate([[parameters.baseline], *parameters[1:]])
        mean, precision = self._prior(prior)
        self.follow(parameters)
        best = self.log_likelihood() - 0.5 * precision @ (vector - mean) ** 2
        for _ in range(n_iterations):
            gradient, information = self._derivatives()
            step = np.linalg.solve(
                information + np.diag(precision + 1e-6), gradient - precision * (vector - mean)
            )
            step *= min(1.0, _LONGEST_STEP / max(np.abs(step).max(), 1e-12))
            gain, before = 0.0, vector
            for _ in range(_N_HALVINGS):
                vector = before + step
                self.follow(self._as_parameters(vector))
                penalty = 0.5 * precision @ (vector - mean) ** 2
                gain = self.log_likelihood() - penalty - best
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
        n, m = self._columns.shape[1], self._own_history.n_pieces
        return RateParameters(float(vector[0]), vector[1:n], vector[n : n + m], vector[n + m :])

    def estimated_prior(self, parameters: RateParameters, prior: RatePrior) -> RatePrior:
        """The prior under which the parameters just fitted are typical (MacKay 1992, eq. 4.11)."""
        _, information = self._derivatives()
        _, precision = self._prior(prior)
        variance = np.diag(np.linalg.inv(information + np.diag(precision + 1e-6)))
        n = self._columns.shape[1]
        state, history = slice(1, n), slice(n, n + self._own_history.n_pieces)

        def estimated(which: slice, values: np.ndarray) -> float:
            n_determined = len(values) - precision[which] @ variance[which]
            found = max(float(n_determined), 1e-3) / max(float(values @ values), 1e-9)
            return float(np.clip(found, *_PRECISIONS))

        return RatePrior(estimated(state, parameters.gains), estimated(history, parameters.history))

    def _prior(
        self, prior: RatePrior
    ) -> tuple[Float[np.ndarray, " parameter"], Float[np.ndarray, " parameter"]]:
        """Mean and precision of the Gaussian prior on each parameter."""
        n_states, n_inputs = self._columns.shape[1] - 1, len(self._inputs)
        n_others = 1 + n_states + self._own_history.n_pieces
        precision = np.concatenate(
            [
                [1e-6],
                np.full(n_states, prior.state),
                np.full(self._own_history.n_pieces, prior.history),
                np.full(n_inputs, _INPUT_PRECISION),
            ]
        )
        return np.repeat([0.0, _INPUT_GAIN], [n_others, n_inputs]), precision

    def _derivatives(
        self,
    ) -> tuple[Float[np.ndarray, " parameter"], Float[np.ndarray, "parameter parameter"]]:
        """Gradient and information of the likelihood at the rate last followed."""
        timeline, own, columns = self._timeline, self._own_history, self._columns
        n = columns.shape[1]
        in_bins = np.bincount(
            self._scored_train // timeline.steps_per_bin, minlength=len(columns)
        ).astype(np.float32)
        information = self._by_steps() if self._fires_often else self._by_spikes()
        at_spikes = kernels.history_at_spikes(
            self._train, timeline.scored, own.piece_of_lag, own.n_pieces
        )
        # The first column is constant, so its row of the information is what is expected.
        gradient = np.concatenate(
            [columns.T @ (in_bins - self._rate_of_bin), at_spikes - information[0, n:]]
        )
        return self._with_inputs(gradient, information)

    @property
    def _fires_often(self) -> bool:
        """Whether there are fewer steps than pairs of own spikes in the reach of the history."""
        n_spikes, n_lags = len(self._train), len(self._own_history.piece_of_lag)
        n_steps = self._timeline.n_steps
        return (n_spikes * n_lags) ** 2 > _STEPS_A_PAIR * n_steps**2

    def _by_spikes(self) -> Float[np.ndarray, "parameter parameter"]:
        """The information, from each spike and those before it."""
        own, columns = self._own_history, self._columns
        n, m = columns.shape[1], own.n_pieces
        expected, across, history = np.zeros(m), np.zeros((n, m)), np.zeros((m, m))
        kernels.history_information(
            self.rate,
            columns,
            self._train,
            own.piece_of_lag,
            self._timeline.steps_per_bin,
            expected,
            across,
            history,
        )
        of_state = (columns * self._rate_of_bin[:, None]).T @ columns
        return np.block([[of_state, across], [across.T, history]]).astype(float)

    def _by_steps(self) -> Float[np.ndarray, "parameter parameter"]:
        """The same, from what the history holds at each step."""
        own, per_bin, n = self._own_history, self._timeline.steps_per_bin, self._columns.shape[1]
        information = np.zeros((n + own.n_pieces,) * 2)
        for first in range(0, len(self._columns), _BINS_AT_ONCE):
            columns = self._columns[first : first + _BINS_AT_ONCE]
            rate = self.rate[first * per_bin :][: len(columns) * per_bin]
            design = np.empty((len(rate), len(information)), np.float32)
            design[:, :n] = np.repeat(columns, per_bin, axis=0)
            kernels.history_counts(self._train, own.first_lags, first * per_bin, design[:, n:])
            information += (design * rate[:, None]).T @ design
        return information

    def _with_inputs(
        self,
        gradient: Float[np.ndarray, " parameter"],
        information: Float[np.ndarray, "parameter parameter"],
    ) -> tuple[Float[np.ndarray, " all"], Float[np.ndarray, "all all"]]:
        """Gradient and information with those of the inputs' gains."""
        inputs, own = self._inputs, self._own_history
        if len(inputs) == 0:
            return gradient, information
        expected = inputs * self.rate
        in_bins = np.empty((len(inputs), len(self._columns)), np.float32)
        kernels.sums_in_bins(expected, self._timeline.steps_per_bin, in_bins)
        after = np.zeros((len(inputs), own.n_pieces))
        for row, found in zip(expected, after, strict=True):
            kernels.sums_after_spikes(row, self._train, own.piece_of_lag, found)
        at_spikes = inputs[:, self._scored_train].sum(1, dtype=float)
        across = np.concatenate([in_bins @ self._columns, after], axis=1)
        return (
            np.concatenate([gradient, at_spikes - in_bins.sum(1, dtype=float)]),
            np.block([[information, across.T], [across, expected @ inputs.T]]),
        )
