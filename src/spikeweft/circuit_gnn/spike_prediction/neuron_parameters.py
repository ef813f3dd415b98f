"""Parameters of every neuron and the link they share, their prior, and how far spikes inform them.

The parameters of postsynaptic neuron i are its weights w_ij, the coefficients of its own history
and of covariates, and a bias. Weights have a Gaussian prior around the mean of those that the same
neuron receives; its precision is estimated from the weights themselves (empirical Bayes). So are
mean and precision of the prior of own history, which neurons of few spikes take from all others.
What all neurons share, these precisions too, is decided by some of them; any other has a precision
of its own.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    LikelihoodDerivatives,
    likelihood_derivatives,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link, inverse_link
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN, TraceParts
from spikeweft.circuit_gnn.spike_prediction.weight_prior import estimated_precision
from spikeweft.runtime.parallel import side_by_side
from spikeweft.runtime.positive_definite import diagonal_of_inverse, log_determinant

_FIRST_PRECISION = 10.0
_OTHER_PRECISION = 1e-3
"""Precision of the prior of covariates, and the least of own history."""

_N_HISTORY = 1 + N_OWN

_FIRST_LINK_STEP = 0.5

_BYTES_OF_BATCH = 16_000_000

_IMPOSSIBLE_LOG_RATE = 300.0

_LEAST_KNOWN = 1e-4
"""As if a hundredth of one neuron's own history were known, where less is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronParameters:
    """Parameters of every neuron and of the shared link, and how boldly the next step moves them.

    Attributes
    ----------
    values
        Coefficient of each feature in each postsynaptic neuron's drive.
    link
        The link from drive to rate, shared by all neurons.
    precision
        Of the Gaussian prior of each neuron's weights around their mean, which is free.
    history_mean, history_precision
        Of the Gaussian prior of own history: of the own trace, and at each further time constant.
    has_own_column
        Whether a neuron's own column has a coefficient, because others send along it too: neurons
        that an input has rotated there, or hidden ones. Where only its own spikes are in it, it has
        none, so that a refractory period, which is not synaptic, does not shape the synaptic
        kernel.
    decides
        Neurons that decide what all share: the link, the synaptic kernel and the priors.
    n_sources
        Features that are columns along which neurons send; further ones are recent activity and
        covariates.
    weights_fixed
        Whether weights between neurons stay as they are, because a network gave them.
    n_collapsed
        Features after the first `n_sources` into which fixed weights are collapsed, if they are:
        the drive that they give, whose coefficient scales them all, and its changes with the
        synaptic kernel.
    damping, step_length, link_radius
        Levenberg-Marquardt damping and step length of each neuron, and the largest step of the
        link.
    """

    values: Float[np.ndarray, "neuron feature"]
    link: Link
    precision: Float[np.ndarray, " neuron"]
    history_mean: Float[np.ndarray, " own"]
    history_precision: Float[np.ndarray, " own"]
    decides: Bool[np.ndarray, " neuron"]
    n_sources: int
    has_own_column: bool = True
    weights_fixed: bool = False
    n_collapsed: int = 0
    damping: Float[np.ndarray, " neuron"]
    step_length: Float[np.ndarray, " neuron"]
    link_radius: float = 1.0

    @property
    def weights(self) -> Float[np.ndarray, "post pre"]:
        """Weights from observed and hidden neurons, of each onto itself zero."""
        weights = self.values[:, : self.n_sources].copy()
        np.fill_diagonal(weights, 0.0)
        return weights

    @property
    def is_weight(self) -> Bool[np.ndarray, "neuron feature"]:
        """The entries that are weights between neurons, not own history, covariates or bias."""
        entries = np.zeros(self.values.shape, dtype=bool)
        if self.n_collapsed:
            entries[:, self.n_sources : self.n_sources + self.n_collapsed] = True
            return entries
        entries[:, : self.n_sources] = True
        np.fill_diagonal(entries, False)
        return entries

    @property
    def own_column(self) -> Int[np.ndarray, " neuron"]:
        """The column in which each neuron's own trace is."""
        n_neurons = len(self.values)
        if self.n_collapsed:
            return np.full(n_neurons, self.n_sources + self.n_collapsed)
        return np.arange(n_neurons)

    @property
    def _history(self) -> Int[np.ndarray, "neuron own"]:
        """The columns of own history: of the own trace, and at each further time constant."""
        n_neurons, n_features = self.values.shape
        further = np.arange(n_features - 1 - N_OWN, n_features - 1)
        return np.column_stack([self.own_column, np.tile(further, (n_neurons, 1))])

    def with_careful_steps(self, damping: float = 1e-3) -> Self:
        """The same parameters, from which the next steps start carefully."""
        n_neurons = len(self.values)
        return replace(
            self,
            damping=np.full(n_neurons, damping),
            step_length=np.ones(n_neurons),
            link_radius=_FIRST_LINK_STEP,
        )

    def penalty(self, values: Float[np.ndarray, "neuron feature"]) -> Float[np.ndarray, " neuron"]:
        """Negative log prior density of each neuron's values, up to a constant."""
        return 0.5 * np.sum(self.prior_precision * self._deviation(values) ** 2, axis=1)

    @property
    def prior_gradient(self) -> Float[np.ndarray, "neuron feature"]:
        """Slope of the prior's penalty."""
        return self.prior_precision * self._deviation(self.values)

    def with_others(self, others: "NeuronParameters") -> Self:
        """These neurons' parameters and, after them, those of the others, typical of these."""
        n_known, n_columns = self.values.shape
        typical = self.typical_of(others)
        values, precision = typical.values.copy(), typical.precision.copy()
        values[:n_known, :n_columns] = self.values
        precision[:n_known] = self.precision
        return replace(typical, values=values, precision=precision)

    def typical_of(self, others: "NeuronParameters") -> Self:
        """What all share, for other neurons, whose own history is first as typical of these."""
        values, n_neurons = others.values.copy(), len(others.values)
        np.put_along_axis(values, others._history, self.history_mean[None], axis=1)
        return replace(
            self,
            values=values,
            precision=np.full(n_neurons, np.median(self.precision[self.decides])),
            decides=others.decides,
            damping=np.full(n_neurons, 1.0),
            step_length=np.ones(n_neurons),
        )

    @property
    def batches(self) -> list[slice]:
        """Neurons whose curvatures one processor has in double precision at a time."""
        n_neurons, n_features = self.values.shape
        size = max(1, _BYTES_OF_BATCH // (8 * n_features**2))
        return [slice(first, first + size) for first in range(0, n_neurons, size)]

    def with_prior(
        self,
        information: Float64[np.ndarray, "neuron feature feature"],
        neurons: slice = slice(None),
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """Add the prior's precision to an information of some neurons, in place."""
        np.einsum("iff->if", information)[:] += self.prior_precision[neurons]
        if self.n_collapsed:
            return information
        n, each = self.n_sources, np.arange(len(information))
        own = np.arange(len(self.values))[neurons]
        of_mean = (self.precision[neurons] / (n - 1))[:, None]
        # All weights are tied by their mean, of which the own trace is no part.
        information[:, :n, :n] -= of_mean[:, None]
        information[each, own, :n] += of_mean
        information[each, :n, own] += of_mean
        information[each, own, own] -= of_mean[:, 0]
        return information

    def without_fixed(
        self,
        curvature: Float64[np.ndarray, "neuron feature feature"],
        neurons: slice = slice(None),
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """A curvature of some neurons in which fixed weights are coupled to nothing."""
        free = ~self.is_weight[neurons]
        return np.where(free[:, :, None] & free[:, None, :], curvature, np.eye(free.shape[1]))

    @property
    def prior_precision(self) -> Float[np.ndarray, "neuron feature"]:
        """Precision of the prior of each parameter."""
        of_weights = np.zeros_like(self.precision) if self.n_collapsed else self.precision
        precisions = np.where(self.is_weight, of_weights[:, None], _OTHER_PRECISION)
        np.put_along_axis(precisions, self._history, self.history_precision[None], axis=1)
        return precisions

    def _deviation(
        self, values: Float[np.ndarray, "neuron feature"]
    ) -> Float[np.ndarray, "neuron feature"]:
        """Distance of each weight from the mean of its neuron, of history from that of all neurons.

        That mean has no prior: it takes what the spikes say about all weights together, so that
        weights about which they say nothing each are like those about which they do. Nor has the
        bias. Covariates are measured from zero.
        """
        weight = self.is_weight
        mean = np.sum(values, axis=1, where=weight) / np.sum(weight, axis=1)
        distance = np.where(weight, values - mean[:, None], values)
        history = np.take_along_axis(values, self._history, axis=1)
        np.put_along_axis(distance, self._history, history - self.history_mean, axis=1)
        distance[:, -1] = 0.0
        return distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(NeuronParameters):
    """Parameters with the derivatives of the training likelihood there."""

    derivatives: LikelihoodDerivatives

    @property
    def parameters(self) -> NeuronParameters:
        """The parameters alone."""
        names = [field.name for field in fields(NeuronParameters)]
        return NeuronParameters(**{name: getattr(self, name) for name in names})

    @property
    def penalised(self) -> Float[np.ndarray, " neuron"]:
        """Log-likelihood of each neuron less its prior's penalty."""
        return self.derivatives.log_likelihood - self.penalty(self.values)

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood of all neurons."""
        return float(self.derivatives.log_likelihood.sum())

    @property
    def shared_penalised(self) -> float:
        """Penalised log-likelihood of the neurons that decide what all share."""
        return float(self.penalised[self.decides].sum())

    @property
    def log_rate_at_spikes(self) -> float:
        """Mean log rate (Hz) at the spikes of the neurons that decide what all share."""
        d, decides = self.derivatives, self.decides
        n_spikes = max(int(d.n_spikes[decides].sum()), 1)
        return float(d.log_likelihood[decides].sum()) / n_spikes + 1.0

    @property
    def is_possible(self) -> bool:
        """Whether the spikes have rates that are numbers; steps of a few spikes may leave them."""
        return abs(self.log_rate_at_spikes) < _IMPOSSIBLE_LOG_RATE

    def log_evidence(self, fluctuation: float = 1.0) -> float:
        """Log marginal likelihood of the neurons that decide what all share (Laplace).

        Where weights are fixed, all else is as good as known: it is the penalised likelihood.

        A link that bends sharply makes the training spikes likely for few weights only, and
        held-out spikes that miss its bend unlikely: the evidence knows, the likelihood does not.
        Coefficients without a prior of their own are measured by what they change in the log rate,
        and the mean of the weights by how far what it sends fluctuates, so that links and synaptic
        kernels can be compared and none is likelier where spikes say nothing.

        Parameters
        ----------
        fluctuation
            That of the traces that Poisson spikes leave, up to a constant, where kernels are
            compared.
        """
        if not self.is_possible:
            return -math.inf
        if self.weights_fixed:
            return self.shared_penalised
        d, n = self.decides, self.n_sources
        n_shrunk, n_features = n - 2, self.values.shape[1] - _N_HISTORY
        log_volume = np.concatenate(side_by_side(self._log_volume, self.batches))[d]
        log_prior = n_shrunk * np.log(self.precision[d]) + np.log(self.history_precision).sum()
        each = self.penalised[d] + 0.5 * (log_prior - log_volume)
        slope = self.link.shape(self.log_rate_at_spikes).slope
        units = (n_features - n_shrunk) * np.log(slope) + (n - n_shrunk - 1) * np.log(fluctuation)
        return float(each.sum() + len(each) * units)

    def _log_volume(self, neurons: slice) -> Float64[np.ndarray, " neuron"]:
        """Log determinant of the posterior precision of some neurons."""
        precision = self.posterior_precision(neurons)
        np.einsum("iff->if", precision)[:] += 1e-9
        return log_determinant(torch.from_numpy(precision)).numpy()

    def posterior_precision(
        self, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """Fisher information of each neuron's parameters plus the precision of their prior."""
        return self.with_prior(self.derivatives.information(neurons), neurons)

    @property
    def weight_variance(self) -> Float[np.ndarray, "post pre"]:
        """Posterior variance of every free weight (Laplace), given the link.

        It is infinite for a neuron that never fires, or is never active together with another:
        nothing informs its weights, and a prior around their own mean leaves that mean open. So it
        is where hardly anything informs them and rounding leaves a variance below zero.
        """
        return self._variance[:, : self.n_sources]

    @property
    def _variance(self) -> Float[np.ndarray, "neuron feature"]:
        """Posterior variance of every parameter."""
        return np.concatenate(side_by_side(self._variance_of, self.batches))

    def _variance_of(self, neurons: slice) -> Float[np.ndarray, "neuron feature"]:
        precision = self.posterior_precision(neurons)
        if self.n_collapsed:
            precision = self.without_fixed(precision, neurons)
        variance = diagonal_of_inverse(torch.from_numpy(precision)).numpy()
        informed = self.derivatives.n_spikes[neurons] > 0
        return np.where(informed[:, None] & (variance > 0.0), variance, np.inf)

    @property
    def determined(self) -> Float[np.ndarray, "post pre"]:
        """How far spikes determine each weight, from 0, its prior alone, to 1 (MacKay 1992, γ)."""
        return _determined(self.precision[:, None], self.weight_variance)

    def with_estimated_prior(self) -> Self:
        """The prior under which weights and own history are typical (MacKay 1992)."""
        weight = self.is_weight[:, : self.n_sources]
        squared = np.sum(
            self._deviation(self.values)[:, : self.n_sources] ** 2, axis=1, where=weight
        )
        if not squared.any():  # no step has been taken yet, so they say nothing of their spread
            return self
        variance = self._variance
        determined = _determined(self.precision[:, None], variance[:, : self.n_sources])
        known = np.sum(np.maximum(determined, 1e-6), axis=1, where=weight)
        precision = estimated_precision(known, squared, self.decides)
        return replace(self._with_history_of(variance), precision=precision)

    def with_estimated_history(self) -> Self:
        """The prior of own history under which that of all neurons is typical.

        It weighs no more than what the most informed neuron's own spikes say: the mean can follow.
        """
        return self._with_history_of(self._variance)

    def _with_history_of(self, variance_of_all: Float[np.ndarray, "neuron feature"]) -> Self:
        d, columns = self.decides, self._history
        history, variance, information = (
            np.take_along_axis(part, columns, axis=1)[d]
            for part in (self.values, variance_of_all, self._information)
        )
        known = np.maximum(_determined(self.history_precision, variance), 1e-6)
        n_known, away = known.sum(axis=0), history - self.history_mean
        # An estimate lies between the mean and what its spikes say, which is further by 1/known.
        # Where hardly anything is known the mean stays: it would be thrown about.
        weight = np.maximum(np.sum(known**2, axis=0), _LEAST_KNOWN)
        mean = self.history_mean + np.sum(known * away, axis=0) / weight
        spread = np.sum((away - np.sum(known * away, axis=0) / n_known) ** 2, axis=0) / n_known
        highest = np.maximum(information.max(axis=0), _OTHER_PRECISION)
        precision = 1.0 / np.maximum(spread, 1.0 / highest)
        return replace(self, history_mean=mean, history_precision=precision)

    @property
    def _information(self) -> Float[np.ndarray, "neuron feature"]:
        """Fisher information of each parameter, given all others."""
        d = self.derivatives
        return (np.einsum("iff->if", d.fisher) + np.einsum("iff->if", d.expected)) / 2.0


def _determined(
    precision: Float[np.ndarray, "..."], variance: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    return np.clip(1.0 - precision * variance, 0.0, 1.0)


def evaluate(traces: TraceParts, parameters: NeuronParameters) -> Estimate:
    """The derivatives of the likelihood at some parameters."""
    kept = {field.name: getattr(parameters, field.name) for field in fields(NeuronParameters)}
    derivatives = likelihood_derivatives(traces, parameters.values, parameters.link)
    if not parameters.has_own_column:
        derivatives.leave_out(parameters.own_column)
    return Estimate(**kept, derivatives=derivatives)


def without_connections(
    traces: TraceParts, link: Link, decides: Bool[np.ndarray, " neuron"] | None = None
) -> NeuronParameters:
    """No connection at all: every neuron fires at its mean rate."""
    n_neurons = traces.n_neurons
    rate_hz = (traces.n_spikes + 0.5) / (traces.exposure_s + 1.0)
    values = np.zeros((n_neurons, traces.n_features))
    values[:, -1] = inverse_link(rate_hz, link)
    return NeuronParameters(
        values=values,
        link=link,
        precision=np.full(n_neurons, _FIRST_PRECISION),
        history_mean=np.zeros(_N_HISTORY),
        history_precision=np.full(_N_HISTORY, _FIRST_PRECISION),
        decides=np.ones(n_neurons, dtype=bool) if decides is None else decides,
        n_sources=traces.n_presynaptic,
        damping=np.ones(n_neurons),
        step_length=np.ones(n_neurons),
    )
