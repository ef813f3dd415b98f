"""Changing the shared link without changing what the neurons do.

A link of shape (power p, bend u₀) gives a reference rate r₀ at the drive u₀, where the log rate
rises by s(p, u₀) for each unit of drive. Measured from there and in units of the log rate,
v = s·(u - u₀), drives hardly depend on the shape. Plain coordinates hide this: there a sharper link
means that all weights of all neurons grow together, a long valley along which steps creep.

What all neurons share is then (p, arsinh u₀) and, where fixed weights are collapsed into the drive
that they give, the logarithm of a scale of all of them and the coordinates of the synaptic kernel,
in which that drive is taken to be linear.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.optimize import lsq_linear

from spikeweft.circuit_gnn.spike_prediction.link import BEND_RANGE, POWER_RANGE, LinkShape
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import Estimate, NeuronParameters

_FARTHEST_KERNEL = 0.2
"""Change of a kernel's coordinates in one step: the drive is not linear in them much further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPath:
    """A path from a fit to others, straight in what all share and in drives v.

    Attributes
    ----------
    start
        Where it begins.
    log_rate
        The reference rate, log Hz.
    shape
        Shape of the link at the start.
    direction
        Change of what all share along one unit of the path.
    coefficients
        Change of the coefficients of drives v along one unit of the path.
    """

    start: NeuronParameters
    log_rate: float
    shape: LinkShape
    direction: Float[np.ndarray, " shared"]
    coefficients: Float[np.ndarray, "neuron feature"]

    @classmethod
    def towards(cls, start: NeuronParameters, log_rate: float, shape: LinkShape) -> Self:
        """The path to a link of another shape, along which all drives v stay as they are."""
        here = start.link.shape(log_rate)
        return cls(
            start=start,
            log_rate=log_rate,
            shape=here,
            direction=_coordinates(shape) - _coordinates(here),
            coefficients=np.zeros_like(start.values),
        )

    @classmethod
    def along(
        cls,
        estimate: Estimate,
        direction: Float[np.ndarray, " shared"],
        values: Float[np.ndarray, "neuron feature"],
    ) -> Self:
        """The path of a change of what all share, and of plain coefficients at the same shape."""
        log_rate = estimate.log_rate_at_spikes
        shape = estimate.link.shape(log_rate)
        return cls(
            start=estimate.parameters,
            log_rate=log_rate,
            shape=shape,
            direction=direction,
            coefficients=shape.slope * values,
        )

    def at(self, length: float) -> NeuronParameters:
        """The parameters at a distance along the path; the weights' prior goes with the drives."""
        start, old = self.start, self.shape
        (power, bend), others = _coordinates(old), length * self.direction
        power, bend = power + others[0], bend + others[1]
        new = LinkShape(float(power), float(np.sinh(bend))).within_range()
        values = start.values * old.slope
        values[:, -1] -= old.slope * old.bend
        values += length * self.coefficients
        if start.n_collapsed:
            drive, end = start.n_sources, start.n_sources + start.n_collapsed
            values[:, drive:end] *= np.exp(others[2])
            values[:, drive + 1 : end] += values[:, drive, None] * others[3:]
        values /= new.slope
        values[:, -1] += new.bend
        scale = old.slope / new.slope
        return replace(
            start,
            values=values,
            link=new.link(self.log_rate),
            precision=start.precision / scale**2,
            history_mean=start.history_mean * scale,
            history_precision=start.history_precision / scale**2,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDerivatives:
    """Derivatives of each neuron's log-likelihood in what all share, at fixed drives v.

    Attributes
    ----------
    gradient, cross, fisher
        Slope; and Fisher information, also across with plain coefficients.
    """

    gradient: Float[np.ndarray, "neuron shared"]
    cross: Float[np.ndarray, "neuron feature shared"]
    fisher: Float[np.ndarray, "neuron shared shared"]

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """By the chain rule from those in the link's power and log gain, and in coefficients."""
        d, shape = estimate.derivatives, estimate.link.shape(estimate.log_rate_at_spikes)
        values = _plain_values(estimate, shape)
        link = np.pad(_plain_link(shape), ((0, 0), (0, values.shape[2] - 2)))
        cross = d.link_cross @ link
        for neurons in estimate.batches:
            cross[neurons] += d.fisher[neurons].astype(np.float64) @ values[neurons]
        return cls(
            gradient=d.link_gradient @ link + np.einsum("ifa,if->ia", values, d.gradient),
            cross=cross,
            fisher=link.T @ (d.link_fisher @ link + d.link_cross.transpose(0, 2, 1) @ values)
            + values.transpose(0, 2, 1) @ cross,
        )


def _plain_link(shape: LinkShape) -> Float[np.ndarray, "2 2"]:
    """Derivatives of (p, log gain) in (p, arsinh u₀), at a fixed reference rate."""
    by_bend = -shape.slope * np.hypot(1.0, shape.bend)
    return np.array([[1.0, 0.0], [-np.log(np.logaddexp(0.0, shape.bend)), by_bend]])


def _plain_values(
    parameters: NeuronParameters, shape: LinkShape
) -> Float[np.ndarray, "neuron feature shared"]:
    """Derivatives of plain coefficients in what all share, at fixed drives v."""
    along_bend = np.hypot(1.0, shape.bend)
    rise = 1.0 / (1.0 + np.exp(-shape.bend))
    curve = (1.0 - rise) - rise / np.logaddexp(0.0, shape.bend)
    relative = np.array([1.0 / shape.power, curve * along_bend])
    changes = -parameters.values[:, :, None] * relative
    changes[:, -1] += shape.bend * relative + [0.0, along_bend]
    if not parameters.n_collapsed:
        return changes
    drive, n_collapsed = parameters.n_sources, parameters.n_collapsed
    further = np.zeros((*parameters.values.shape, n_collapsed))
    further[:, :, 0] = np.where(parameters.is_weight, parameters.values, 0.0)
    for k in range(1, n_collapsed):
        further[:, drive + k, k] = parameters.values[:, drive]
    return np.concatenate([changes, further], axis=2)


def bounded_newton_step(
    curvature: Float[np.ndarray, "shared shared"],
    slope: Float[np.ndarray, " shared"],
    start: Estimate,
) -> Float[np.ndarray, " shared"]:
    """Newton step of what all share, within a radius of each and what a link may be.

    It is the best point within these bounds, not the Newton step cut to them: where two directions
    do nearly the same, a cut step leaves the valley.
    """
    radius = start.link_radius
    here = _coordinates(start.link.shape(start.log_rate_at_spikes))
    low, high = np.full((2, len(slope)), radius) * [[-1.0], [1.0]]
    low[3:], high[3:] = max(-radius, -_FARTHEST_KERNEL), min(radius, _FARTHEST_KERNEL)
    low[:2] = np.maximum(low[:2], [POWER_RANGE[0], np.arcsinh(BEND_RANGE[0])] - here)
    high[:2] = np.minimum(high[:2], [POWER_RANGE[1], np.arcsinh(BEND_RANGE[1])] - here)
    # Where spikes hardly tell two links apart, rounding may leave a curvature below zero.
    size, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    root = np.sqrt(np.maximum(size, 1e-9 * np.abs(size).max() + 1e-12))
    bounds = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return lsq_linear(root[:, None] * vectors.T, slope @ vectors / root, bounds, "bvls").x


def _coordinates(shape: LinkShape) -> Float[np.ndarray, " 2"]:
    return np.array([shape.power, np.arcsinh(shape.bend)])
