"""Spike prediction: a drive per neuron, a monotone link to its rate, and the likelihood.

log λ_i(t) = p · log softplus(u_i(t)) + c,    u_i(t) = Σ_j w_ij s_j(t) + own history + b_i

The decoder's power p and gain c are shared by all neurons. With a large gain the rate is an
exponential of the drive (the Poisson GLM); the lower the gain, the sharper the softplus bends
relative to the drive's spread, up to the rectified power law of a linear-nonlinear neuron. With
p ≥ 1 the negative log-likelihood of a neuron is convex in its parameters.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import Tensor

from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.rate_kernels import (
    LOWEST_DRIVE,
    add_log_softplus_of_few,
    add_log_terms_of_few,
    add_products,
    add_scaled,
    take_drive,
    take_log_softplus,
    take_rates,
    take_scores,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import SpikeMatrix, TraceParts, Traces
from spikeweft.runtime.parallel import side_by_side
from spikeweft.runtime.symmetric_product import add_outer_products, with_both_halves

_CHUNK, _N_RANGES = 8192, 32
_NUMBERS_AT_HAND, _LEAST_STRIP = 2**16, 256

_INFORMATION_TIMES = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodDerivatives:
    """Log-likelihood of every neuron and its first two derivatives in that neuron's parameters.

    Of spikes and times outside dead times, where drives decide.
    """

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
        information = self.both_informations(neurons)
        information *= 0.5
        return information

    def both_informations(
        self, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """The sum of what spikes show and of what the model expects."""
        return np.add(self.fisher[neurons], self.expected[neurons], dtype=np.float64)

    def leave_out(self, column: Int[np.ndarray, " neuron"]) -> None:
        """Make one coefficient of each neuron a constant, in place."""
        each = np.arange(len(column))
        self.gradient[each, column] = 0.0
        self.link_cross[each, column] = 0.0
        for information in (self.fisher, self.expected):
            information[each, column] = 0.0
            information[each, :, column] = 0.0


def log_likelihood(
    traces: TraceParts,
    values: Float[np.ndarray, "neuron feature"],
    link: Link,
    *,
    in_dead_time: bool = True,
) -> Float[np.ndarray, " neuron"]:
    """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats, with rates in Hz.

    Without what lies in dead time it is what drives decide, whose derivatives are those below.
    """
    theta, found = torch.from_numpy(values.astype(np.float32)), np.zeros(len(values))
    for part in traces.parts:
        found += _driven_log_likelihood(part, theta, link)
        if in_dead_time and part.dead_time is not None:
            found += part.dead_time.log_likelihood(part.weight_s)
    return found


def _driven_log_likelihood(
    part: Traces, theta: Float32[Tensor, "neuron feature"], link: Link
) -> Float[np.ndarray, " neuron"]:
    def expected(chunk: slice) -> Float[np.ndarray, " neuron"]:
        found = np.zeros(len(theta))
        for strip in _strips(part, chunk):
            sums = np.zeros((3, len(theta)), np.float32)
            drive = _drive(part, theta, strip).numpy()
            take_rates(drive, part.weight_s[strip], *_single(link), *sums)
            found += sums[-1]
        return found

    log_softplus, single = np.zeros(len(theta)), theta.numpy()

    def add_log_softplus(neurons: range) -> None:
        if _is_by_feature(part):
            few = part.at_spikes.T, part.offsets, neurons.start, neurons.stop
            add_log_softplus_of_few(*few, single, log_softplus)
            return
        for i in neurons:
            log_softplus[i] = _total(_at_spikes(_spikes_of(part, i), single[i])[0])

    side_by_side(add_log_softplus, _ranges(part.n_neurons))
    log_terms = link.power * log_softplus + link.log_gain * part.n_spikes
    return log_terms - np.sum(side_by_side(expected, _chunks(part)), axis=0)


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
    single = theta.numpy()

    def add_log_terms(neurons: range) -> None:
        if _is_by_feature(part):
            few = part.at_spikes.T, part.offsets, neurons.start, neurons.stop, single
            add_log_terms_of_few(*few, *_single(link), likelihood, gradient, fisher)
            return
        for i in neurons:
            log_rate, score, information = _log_term(_spikes_of(part, i), single[i], link)
            likelihood[i] += log_rate
            gradient[i] += score
            fisher[i] += information

    side_by_side(add_log_terms, _ranges(part.n_neurons))
    for expected, change in side_by_side(lambda c: _integral(part, theta, link, c), _chunks(part)):
        likelihood -= expected
        gradient -= change


def rate_hz(
    traces: Traces, values: Float[np.ndarray, "neuron feature"], link: Link
) -> Float32[np.ndarray, "time neuron"]:
    """Rate of every neuron at the quadrature times."""
    theta = torch.from_numpy(values.astype(np.float32))
    rates = side_by_side(lambda c: link.rate_hz(_drive(traces, theta, c)), _chunks(traces))
    found = torch.cat(rates).numpy()
    if traces.dead_time is not None:
        np.copyto(
            found, traces.dead_time.rate_hz, where=traces.dead_time.is_now, casting="same_kind"
        )
    return found


def mean_slope(
    traces: TraceParts, values: Float[np.ndarray, "neuron feature"], link: Link
) -> float:
    """Change of the log rate with the drive, d log λ / du, averaged over all spikes."""
    single = values.astype(np.float32)

    def total_slope(part: Traces, neuron: int) -> float:
        _, slope = _at_spikes(_spikes_of(part, neuron), single[neuron])
        return link.power * _total(slope)

    total = sum(
        sum(side_by_side(partial(total_slope, part), range(part.n_neurons)))
        for part in traces.parts
    )
    return total / max(int(traces.n_spikes.sum()), 1)


def _log_term(
    features: SpikeMatrix, parameters: Float32[np.ndarray, " feature"], link: Link
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log term of one neuron's spikes, its gradient, and the Fisher information they carry.

    Parameters are the coefficients of features and, last, the link's power and log gain.
    """
    n_spikes, n_columns = len(features), features.shape[1] + 2
    length = max(_NUMBERS_AT_HAND // n_columns, _LEAST_STRIP)
    scores = np.empty((min(length, n_spikes), n_columns), np.float32)
    log_softplus, score = 0.0, np.zeros(n_columns)
    information = np.zeros((n_columns, n_columns), np.float32)
    for strip in _slices(0, n_spikes, length):
        logs, slope = _at_spikes(features[strip], parameters)
        of_strip, total = scores[: len(logs)], np.zeros(n_columns, np.float32)
        take_scores(features[strip], logs, slope, np.float32(link.power), of_strip, total)
        add_outer_products(of_strip, information)
        score += total  # single precision does not hold sums over millions of rows
        log_softplus += _total(logs)
    log_rate = link.power * log_softplus + link.log_gain * n_spikes
    return log_rate, score, with_both_halves(information)


def _integral(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], link: Link, chunk: slice
) -> tuple[np.ndarray, np.ndarray]:
    """A chunk's part of ∫λ dt of every neuron, and of its gradient as in `_log_term`."""
    n_neurons, n_columns = len(theta), traces.at_times.shape[1]
    columns = np.zeros((n_neurons, n_columns))
    others = np.zeros((theta.shape[1] - n_columns + 2, n_neurons))
    for strip in _strips(traces, chunk):
        change = _drive(traces, theta, strip)
        of_strip = np.zeros(others.shape, np.float32)
        *own, constant, by_power, expected = of_strip
        sums = constant, by_power, expected
        take_rates(change.numpy(), traces.weight_s[strip], *_single(link), *sums)
        for trace, total in zip(_own_at_times(traces, strip), own, strict=True):
            add_products(change.numpy(), trace, total)
        columns += (change.T @ torch.from_numpy(traces.at_times[strip])).numpy()
        others += of_strip
    return others[-1], np.concatenate([columns, others.T], axis=1)


def _add_expected_information(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], link: Link, expected: np.ndarray
) -> None:
    """Add ∫λ (d log λ/dθ)(d log λ/dθ)ᵀ dt of every neuron, from every n-th quadrature time."""
    every = max(1, len(traces.weight_s) // _INFORMATION_TIMES)
    chunk = slice(every // 2, None, every)
    weight = traces.weight_s[chunk]
    if len(weight) == 0:
        return
    of_neuron = np.ascontiguousarray(_drive(traces, theta, chunk).numpy().T)
    weight = weight * np.float32(traces.exposure_s / _total(weight))
    at_times, own_at_times = traces.at_times[chunk], _own_at_times(traces, chunk)
    one, (power, log_gain) = np.ones(len(weight), np.float32), _single(link)

    def add_neuron(i: int) -> None:
        log_softplus, slope = _log_softplus(of_neuron[i])
        rate = np.exp(power * log_softplus + log_gain) * weight
        score = power * slope * np.sqrt(rate)
        own = np.stack([*(trace[:, i] for trace in own_at_times), one], axis=1)
        features = np.concatenate([at_times, own], axis=1) * score[:, None]
        information = np.zeros((len(expected[i]), len(expected[i])), np.float32)
        add_outer_products(features, information)
        expected[i] += with_both_halves(information)

    side_by_side(add_neuron, range(len(theta)))


def _at_spikes(
    features: SpikeMatrix, parameters: Float32[np.ndarray, " feature"]
) -> tuple[Float32[np.ndarray, " spike"], Float32[np.ndarray, " spike"]]:
    """Log softplus of one neuron's drive at its spikes, and the derivative of that."""
    drive = np.empty(len(features), np.float32)
    take_drive(features, parameters, drive)
    return _log_softplus(drive)


def _log_softplus(
    drive: Float32[np.ndarray, " spike"],
) -> tuple[Float32[np.ndarray, " spike"], Float32[np.ndarray, " spike"]]:
    """Log softplus of each drive, and its derivative."""
    below, softplus, log_softplus, slope = np.empty((4, len(drive)), np.float32)
    take_log_softplus(drive, below, softplus, log_softplus, slope)
    return log_softplus, slope


def _single(link: Link) -> tuple[np.float32, np.float32]:
    """Power and log gain of a link, as the compiled loops take them."""
    return np.float32(link.power), np.float32(link.log_gain)


def _total(values: Float32[np.ndarray, " value"]) -> float:
    return float(values.sum(dtype=np.float64))


def _drive(
    traces: Traces, theta: Float32[Tensor, "neuron feature"], times: slice
) -> Float32[Tensor, "time neuron"]:
    n_columns = traces.at_times.shape[1]
    at_times = torch.from_numpy(traces.at_times[times])
    drive = torch.addmm(theta[:, -1], at_times, theta[:, :n_columns].T)
    for k, trace in enumerate(_own_at_times(traces, times)):
        add_scaled(drive.numpy(), trace, theta[:, n_columns + k].contiguous().numpy())
    if traces.dead_time is not None:
        np.putmask(drive.numpy(), traces.dead_time.is_now[times], LOWEST_DRIVE)
    return drive


def _own_at_times(traces: Traces, times: slice) -> list[Float32[np.ndarray, "time neuron"]]:
    return [np.ascontiguousarray(trace[times]) for trace in traces.own_at_times]


def _chunks(traces: Traces) -> list[slice]:
    """Stretches of quadrature times for one processor at a time."""
    return _slices(0, len(traces.weight_s), _CHUNK)


def _strips(traces: Traces, chunk: slice) -> list[slice]:
    """Parts of a stretch whose rates stay in a processor's own memory."""
    end = min(chunk.stop, len(traces.weight_s))
    return _slices(chunk.start, end, max(_NUMBERS_AT_HAND // traces.n_neurons, _LEAST_STRIP))


def _slices(start: int, stop: int, length: int) -> list[slice]:
    return [slice(first, min(first + length, stop)) for first in range(start, stop, length)]


def _ranges(n_neurons: int) -> list[range]:
    """Neurons for one processor at a time."""
    edges = np.linspace(0, n_neurons, min(n_neurons, _N_RANGES) + 1).astype(int).tolist()
    return [range(*pair) for pair in pairwise(edges)]


def _is_by_feature(traces: Traces) -> bool:
    """Whether spikes lie feature by feature, as the loops over few features need them."""
    return traces.at_spikes.flags.f_contiguous


def _spikes_of(traces: Traces, neuron: int) -> SpikeMatrix:
    return traces.at_spikes[traces.offsets[neuron] : traces.offsets[neuron + 1]]
