"""Spike prediction: a drive per neuron, a monotone link to its rate, and the likelihood.

log λ_i(t) = p · log softplus(u_i(t)) + c,    u_i(t) = Σ_j w_ij s_j(t) + own history + b_i

The decoder's power p and gain c are shared by all neurons. With a large gain the rate is an
exponential of the drive (the Poisson GLM); the lower the gain, the sharper the softplus bends
relative to the drive's spread, up to the rectified power law of a linear-nonlinear neuron. With
p ≥ 1 the negative log-likelihood of a neuron is convex in its parameters.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import Tensor

from spikeweft.circuit_gnn.spike_prediction.link import Link, softplus_of
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import TraceParts, Traces
from spikeweft.runtime.parallel import side_by_side

_CHUNK = 8192

_INFORMATION_TIMES = 1500

_NARROW = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodDerivatives:
    """Log-likelihood of every neuron and its first two derivatives in that neuron's parameters."""

    n_spikes: Int[np.ndarray, " neuron"]
    log_likelihood: Float[np.ndarray, " neuron"]
    gradient: Float[np.ndarray, "neuron feature"]
    fisher: Float32[np.ndarray, "neuron feature feature"]
    """Fisher information, Σ over spikes of (d log λ/dθ)(d log λ/dθ)ᵀ."""

    expected: Float32[np.ndarray, "neuron feature feature"]
    """The same as the model expects it, ∫λ (d log λ/dθ)(d log λ/dθ)ᵀ dt, from some of the times.

    It also knows of the directions in which the model expects spikes where there are none.
    """

    link_gradient: Float[np.ndarray, "neuron 2"]
    """Derivatives in the link's power and log gain."""

    link_cross: Float32[np.ndarray, "neuron feature 2"]
    link_fisher: Float32[np.ndarray, "neuron 2 2"]

    def information(
        self, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """Fisher information: the mean of what spikes show and of what the model expects."""
        information = self.fisher[neurons].astype(np.float64)
        information += self.expected[neurons]
        information /= 2
        return information


def log_likelihood(
    traces: TraceParts, values: Float[np.ndarray, "neuron feature"], link: Link
) -> Float[np.ndarray, " neuron"]:
    """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats, with rates in Hz."""
    theta = torch.from_numpy(values.astype(np.float32))
    return sum((_log_likelihood(part, theta, link) for part in traces.parts), np.zeros(len(values)))


def _log_likelihood(
    part: Traces, theta: Float32[Tensor, "neuron feature"], link: Link
) -> Float[np.ndarray, " neuron"]:
    def expected(chunk: slice) -> Float[np.ndarray, " neuron"]:
        rate = link.rate_hz(_drive(part, theta, chunk))
        return (_weights(part, chunk) @ rate).double().numpy()

    def log_term(neuron: int) -> float:
        return _total(link.log_rate(_spikes_of(part, neuron) @ theta[neuron]))

    log_terms = side_by_side(log_term, range(part.n_neurons))
    return np.array(log_terms) - np.sum(side_by_side(expected, _chunks(part)), axis=0)


def likelihood_derivatives(
    traces: TraceParts, values: Float[np.ndarray, "neuron feature"], link: Link
) -> LikelihoodDerivatives:
    """Likelihood, gradient and Fisher information of every neuron and of the link, in one pass."""
    theta = torch.from_numpy(values.astype(np.float32))
    n_neurons, n_features = values.shape
    likelihood = np.zeros(n_neurons)
    gradient = np.zeros((n_neurons, n_features + 2))
    fisher = np.zeros((n_neurons, n_features + 2, n_features + 2), np.float32)
    expected = np.zeros((n_neurons, n_features, n_features), np.float32)
    for part in traces.parts:
        _add_part(part, theta, link, likelihood, gradient, fisher)
        _add_expected_information(part, theta, link, expected)
    return LikelihoodDerivatives(
        n_spikes=traces.n_spikes,
        log_likelihood=likelihood,
        gradient=gradient[:, :n_features],
        fisher=fisher[:, :n_features, :n_features],
        expected=expected,
        link_gradient=gradient[:, n_features:],
        link_cross=fisher[:, :n_features, n_features:],
        link_fisher=fisher[:, n_features:, n_features:],
    )


def _add_part(
    part: Traces,
    theta: Float32[Tensor, "neuron feature"],
    link: Link,
    likelihood: np.ndarray,
    gradient: np.ndarray,
    fisher: np.ndarray,
) -> None:
    """Add one part's likelihood, gradient and Fisher information, in place."""

    def add_log_term(neuron: int) -> None:
        log_rate, score, information = _log_term(_spikes_of(part, neuron), theta[neuron], link)
        likelihood[neuron] += log_rate
        gradient[neuron] += score
        fisher[neuron] += information

    side_by_side(add_log_term, range(part.n_neurons))
    for expected, change in side_by_side(lambda c: _integral(part, theta, link, c), _chunks(part)):
        likelihood -= expected
        gradient -= change


def rate_hz(
    traces: Traces, values: Float[np.ndarray, "neuron feature"], link: Link
) -> Float32[np.ndarray, "time neuron"]:
    """Rate of every neuron at the quadrature times."""
    theta = torch.from_numpy(values.astype(np.float32))
    rates = side_by_side(lambda c: link.rate_hz(_drive(traces, theta, c)), _chunks(traces))
    return torch.cat(rates).numpy()


def mean_slope(
    traces: TraceParts, values: Float[np.ndarray, "neuron feature"], link: Link
) -> float:
    """Change of the log rate with the drive, d log λ / du, averaged over all spikes."""
    theta = torch.from_numpy(values.astype(np.float32))

    def total_slope(part: Traces, neuron: int) -> float:
        drive = _spikes_of(part, neuron) @ theta[neuron]
        return _total(link.slope(drive, softplus_of(drive)))

    total = sum(
        sum(side_by_side(partial(total_slope, part), range(part.n_neurons)))
        for part in traces.parts
    )
    return total / max(int(traces.n_spikes.sum()), 1)


def _log_term(
    features: Float32[Tensor, "spike feature"], parameters: Float32[Tensor, " feature"], link: Link
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log term of one neuron's spikes, its gradient, and the Fisher information they carry.

    Parameters are the coefficients of features and, last, the link's power and log gain.
    """
    drive = features @ parameters
    softplus = softplus_of(drive)
    log_softplus = softplus.log()
    scores = torch.empty(len(drive), len(parameters) + 2)
    torch.mul(features, link.slope(drive, softplus)[:, None], out=scores[:, :-2])
    scores[:, -2], scores[:, -1] = log_softplus, 1.0
    log_rate = link.power * _total(log_softplus) + link.log_gain * len(drive)
    score = torch.zeros(scores.shape[1], dtype=torch.float64)
    information = torch.zeros(scores.shape[1], scores.shape[1])
    for chunk in scores.split(_CHUNK):  # single precision does not hold sums over millions of rows
        score += torch.ones(len(chunk)) @ chunk
        information += _gram(chunk)
    return log_rate, score.numpy(), information.numpy()


def _integral(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], link: Link, chunk: slice
) -> tuple[np.ndarray, np.ndarray]:
    """A chunk's part of ∫λ dt of every neuron, and of its gradient as in `_log_term`."""
    weight = _weights(traces, chunk)
    drive = _drive(traces, theta, chunk)
    softplus = softplus_of(drive)
    rate = link.from_softplus(softplus)
    expected = weight @ rate
    power = weight @ (softplus.log() * rate)
    change = rate.mul_(link.slope(drive, softplus)).mul_(weight[:, None])
    one = torch.ones(len(weight))
    own = [one @ (change * trace) for trace in _own_at_times(traces, chunk)]
    columns = change.T @ torch.from_numpy(traces.at_times[chunk])
    others = torch.stack([*own, one @ change, power, expected], dim=1)
    return expected.double().numpy(), torch.cat([columns, others], dim=1).double().numpy()


def _add_expected_information(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], link: Link, expected: np.ndarray
) -> None:
    """Add ∫λ (d log λ/dθ)(d log λ/dθ)ᵀ dt of every neuron, from every n-th quadrature time."""
    every = max(1, len(traces.weight_s) // _INFORMATION_TIMES)
    chunk = slice(every // 2, None, every)
    drive = _drive(traces, theta, chunk)
    weight = _weights(traces, chunk)
    if len(weight) == 0:
        return
    scale = traces.exposure_s / _total(weight)
    at_times = torch.from_numpy(traces.at_times[chunk])
    own_at_times = _own_at_times(traces, chunk)
    one = torch.ones(len(weight))

    def add_neuron(i: int) -> None:
        softplus = softplus_of(drive[:, i])
        rate = link.from_softplus(softplus).mul_(weight * scale)
        score = link.slope(drive[:, i], softplus) * rate.sqrt()
        own = torch.stack([*(trace[:, i] for trace in own_at_times), one], dim=1)
        features = torch.cat([at_times, own], dim=1)
        features *= score[:, None]
        expected[i] += _gram(features).numpy()

    side_by_side(add_neuron, range(len(theta)))


def _gram(columns: Float32[Tensor, "row column"]) -> Float32[Tensor, "column column"]:
    """Products of all columns, of wide ones block by block: the lower half mirrors the upper."""
    n_columns = columns.shape[1]
    if n_columns < _NARROW:
        return columns.T @ columns
    half = n_columns // 2
    left, right = columns[:, :half], columns[:, half:]
    across = left.T @ right
    upper = torch.cat([_gram(left), across], dim=1)
    return torch.cat([upper, torch.cat([across.T, _gram(right)], dim=1)])


def _total(values: Float32[Tensor, " value"]) -> float:
    return float(values.sum(dtype=torch.float64))


def _drive(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], chunk: slice
) -> Float32[Tensor, "time neuron"]:
    n_columns = traces.at_times.shape[1]
    at_times = torch.from_numpy(traces.at_times[chunk])
    drive = torch.addmm(theta[:, -1], at_times, theta[:, :n_columns].T)
    for k, trace in enumerate(_own_at_times(traces, chunk)):
        drive += trace * theta[:, n_columns + k]
    return drive


def _own_at_times(traces: Traces, chunk: slice) -> list[Float32[Tensor, "time neuron"]]:
    return [torch.from_numpy(trace[chunk]) for trace in traces.own_at_times]


def _weights(traces: Traces, chunk: slice) -> Float32[Tensor, " time"]:
    return torch.from_numpy(traces.weight_s[chunk])


def _chunks(traces: Traces) -> list[slice]:
    return [slice(i, i + _CHUNK) for i in range(0, len(traces.weight_s), _CHUNK)]


def _spikes_of(traces: Traces, neuron: int) -> Float32[Tensor, "spike feature"]:
    spikes = slice(traces.offsets[neuron], traces.offsets[neuron + 1])
    return torch.from_numpy(traces.at_spikes[spikes])
