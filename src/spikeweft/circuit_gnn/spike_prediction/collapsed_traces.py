"""Traces in which all weights of a neuron are one coefficient: the drive that they give.

Where a network has given the weights, a fit of everything else needs no trace of any other neuron,
only their weighted sum. That takes a fraction of the time. What is left are a few parameters of
each neuron, which every n-th spike and quadrature time of a long recording tell as well.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import NeuronParameters
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN, TraceParts, Traces


class Drives(NamedTuple):
    """The drive that fixed weights give, at the spikes and the quadrature times of one part."""

    at_spikes: Float32[np.ndarray, " spike"]
    at_times: Float32[np.ndarray, "time neuron"]


def drives(
    traces: TraceParts, weights: Float[np.ndarray, "post pre"], every: int = 1
) -> list[Drives]:
    """Weighted sums of the traces of all sources, part by part, at one time of so many."""
    single = weights.astype(np.float32)
    return [_drives(part, single) for part in _parts(traces, every)]


def n_bytes_collapsed(
    n_spikes: Int[np.ndarray, " neuron"], n_times: float, n_drives: int, traces_are_kept: bool
) -> float:
    """Memory that collapsed traces take beside the traces themselves, and beside covariates.

    Own traces at quadrature times are those of the traces, where these stay.
    """
    n_own = 1 + N_OWN
    at_times = n_times * len(n_spikes) * (n_drives + (0 if traces_are_kept else n_own))
    return 4.0 * (at_times + n_spikes.sum() * (n_drives + n_own + 1))


def _parts(traces: TraceParts, every: int) -> Iterator[Traces]:
    return traces.parts if every == 1 else (_thinned(part, every) for part in traces.parts)


def _drives(part: Traces, weights: Float32[np.ndarray, "post pre"]) -> Drives:
    n_sources = weights.shape[1]
    sources = torch.from_numpy(part.at_times[:, :n_sources])
    at_spikes = np.empty(len(part.at_spikes), np.float32)
    for i, received in enumerate(weights):
        spikes = slice(part.offsets[i], part.offsets[i + 1])
        at_spikes[spikes] = part.at_spikes[spikes, :n_sources] @ received
    return Drives(at_spikes, (sources @ torch.from_numpy(weights).T).numpy())


class CollapsedTraces:
    """The drive that fixed weights give, own history and covariates, part by part.

    Features of spikes lie feature by feature: there are few.

    The features of a neuron are, in this order: covariates; the drive that its weights give, and
    how that changes with each coordinate of the synaptic kernel; its own trace, its own traces at
    further time constants, and a constant one.
    """

    def __init__(self, parts: list[Traces]) -> None:
        self._parts, self.n_presynaptic = parts, 0
        self.n_neurons, self.n_features = parts[0].n_neurons, parts[0].n_features
        self.exposure_s = sum(part.exposure_s for part in parts)
        self.n_spikes: Int[np.ndarray, " neuron"] = np.sum([p.n_spikes for p in parts], axis=0)

    @classmethod
    def of(
        cls, traces: TraceParts, n_sources: int, collapsed: list[list[Drives]], every: int = 1
    ) -> Self:
        """Collapse the sources of traces into drives, at one time of so many as these."""
        of_parts = zip(_parts(traces, every), zip(*collapsed, strict=True), strict=True)
        stays = traces.are_kept or every > 1
        return cls([_with_drives(part, n_sources, drives, stays) for part, drives in of_parts])

    @property
    def are_kept(self) -> bool:
        """All parts are there at once."""
        return True

    @property
    def parts(self) -> Iterator[Traces]:
        """The parts, in the order of time."""
        yield from self._parts

    def thinned(self, every: int) -> Self:
        """One spike and one quadrature time of so many, of every neuron: as of a shorter time."""
        return type(self)([_thinned(part, every) for part in self._parts])


def _with_drives(
    part: Traces, n_sources: int, collapsed: tuple[Drives, ...], stays: bool
) -> Traces:
    """A part in fewer columns, with copies of those that the next part would overwrite."""
    own = (part.at_times[:, : part.n_neurons], *part.own_at_times)
    if not stays:
        own = tuple(trace.copy() for trace in own)
    return Traces(
        n_presynaptic=0,
        at_spikes=_at_spikes(part, n_sources, collapsed),
        offsets=part.offsets,
        spike_times_s=part.spike_times_s,
        at_times=np.ascontiguousarray(part.at_times[:, n_sources:]),
        own_at_times=(*(drive.at_times for drive in collapsed), *own),
        weight_s=part.weight_s,
        times_s=part.times_s,
        n_without=part.n_without,
        dead_time=part.dead_time,
    )


def _at_spikes(
    part: Traces, n_sources: int, collapsed: tuple[Drives, ...]
) -> Float32[np.ndarray, "spike feature"]:
    n_columns = part.at_times.shape[1]
    first = n_columns - n_sources
    own = first + len(collapsed)
    n_features = own + 1 + part.n_features - n_columns
    features = np.empty((len(part.at_spikes), n_features), np.float32, order="F")
    features[:, :first] = part.at_spikes[:, n_sources:n_columns]
    for k, drive in enumerate(collapsed):
        features[:, first + k] = drive.at_spikes
    for i in range(part.n_neurons):
        spikes = slice(part.offsets[i], part.offsets[i + 1])
        features[spikes, own] = part.at_spikes[spikes, i]
    features[:, own + 1 :] = part.at_spikes[:, n_columns:]
    return features


def _thinned(part: Traces, every: int) -> Traces:
    kept = [
        np.arange(start + min((every // 2 + i) % every, max(stop - start - 1, 0)), stop, every)
        for i, (start, stop) in enumerate(pairwise(part.offsets))
    ]
    dead = part.dead_time
    weight_s = part.weight_s[::every]
    to_exposure = np.float32(part.exposure_s / (every * weight_s.sum()))
    rows = np.concatenate(kept)
    return Traces(
        n_presynaptic=0,
        at_spikes=np.asfortranarray(part.at_spikes[rows]),
        offsets=np.concatenate([[0], np.cumsum([len(of_neuron) for of_neuron in kept])]),
        spike_times_s=part.spike_times_s[rows],
        at_times=part.at_times[::every],
        own_at_times=tuple(np.ascontiguousarray(own[::every]) for own in part.own_at_times),
        weight_s=weight_s * to_exposure,
        times_s=part.times_s[::every],
        n_without=part.n_without // every,
        dead_time=None
        if dead is None
        else dead._replace(is_now=dead.is_now[::every], n_spikes=dead.n_spikes // every),
    )


def collapsed(parameters: NeuronParameters, n_kernel: int) -> NeuronParameters:
    """The parameters of `CollapsedTraces`; the coefficient of the weights' drive is one."""
    values, n_sources = parameters.values, parameters.n_sources
    others, n_covariates = values[:, n_sources:], _n_covariates(parameters)
    own = np.diagonal(values[:, :n_sources])[:, None]
    one, zero = np.ones_like(own), np.zeros((len(own), n_kernel))
    together = [others[:, :n_covariates], one, zero, own, others[:, n_covariates:]]
    return replace(
        parameters,
        values=np.concatenate(together, axis=1),
        n_sources=n_covariates,
        n_collapsed=1 + n_kernel,
    )


def expanded(found: NeuronParameters, parameters: NeuronParameters) -> NeuronParameters:
    """Parameters with all weights again, scaled as the coefficient of their drive was."""
    n_sources, n_covariates = parameters.n_sources, found.n_sources
    own = n_covariates + found.n_collapsed
    values: Float[np.ndarray, "neuron feature"] = parameters.values.copy()
    values[:, :n_sources] *= found.values[:, n_covariates, None]
    np.fill_diagonal(values[:, :n_sources], found.values[:, own])
    values[:, n_sources : n_sources + n_covariates] = found.values[:, :n_covariates]
    values[:, n_sources + n_covariates :] = found.values[:, own + 1 :]
    return replace(found, values=values, n_sources=n_sources, n_collapsed=0)


def kernel_change(found: NeuronParameters) -> Float[np.ndarray, " coordinate"]:
    """How far the coordinates of the synaptic kernel have moved, the same for all neurons."""
    drive, *changes = found.values[0, found.n_sources : found.n_sources + found.n_collapsed]
    return np.array(changes) / drive


def _n_covariates(parameters: NeuronParameters) -> int:
    """Columns of covariates: neither traces of neurons, nor own history, nor the constant."""
    return parameters.values.shape[1] - parameters.n_sources - N_OWN - 1
