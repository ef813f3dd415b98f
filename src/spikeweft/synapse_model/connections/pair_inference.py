"""What is inferred of every ordered pair, under one prior or on average over several."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior

_TINY = np.finfo(float).tiny


class PairInference(NamedTuple):
    """What is inferred of every ordered pair, excitatory first, inhibitory second.

    Attributes
    ----------
    probability
        Of each kind of connection, given the type of the neuron that sends it.
    kernel
        Posterior mean of what a spike adds to the log rate at each lag from one step on.
    area, area_sd
        Posterior mean and standard deviation of the kernel's sum over lags.
    latency_s, latency_sd_s
        Mean and standard deviation of the latency of the more likely kind, if it exists.
    priors
        What connections have in common, as likely in each of these ways.
    """

    probability: Float[np.ndarray, "post pre 2"]
    kernel: Float[np.ndarray, "post pre lag"]
    area: Float[np.ndarray, "post pre"]
    area_sd: Float[np.ndarray, "post pre"]
    latency_s: Float[np.ndarray, "post pre"]
    latency_sd_s: Float[np.ndarray, "post pre"]
    priors: tuple[ConnectionPrior, ...]

    @property
    def excitatory(self) -> Float[np.ndarray, " neuron"]:
        """Probability of each neuron that it excites."""
        return np.mean([prior.excitatory for prior in self.priors], axis=0)

    @property
    def null_variances(self) -> Float[np.ndarray, " component"]:
        """Of the components of the null."""
        return np.mean([prior.variances for prior in self.priors], axis=0)

    def at_most(self, probability: Float[np.ndarray, "post pre 2"]) -> "PairInference":
        """The same with connections no more likely than this, and kernels as much smaller."""
        smaller = np.minimum(self.probability, probability)
        share = smaller.sum(2) / np.maximum(self.probability.sum(2), _TINY)
        return self._replace(
            probability=smaller,
            kernel=self.kernel * share[:, :, None],
            area=self.area * share,
        )


def average(views: Sequence[PairInference]) -> PairInference:
    """The mixture of views that are as likely; latencies count where there is a connection."""
    area, area_sd = _mixed([(view.area, view.area_sd) for view in views], np.ones(len(views)))
    connected = np.maximum([view.probability.sum(2) for view in views], _TINY)
    latencies = [(view.latency_s, view.latency_sd_s) for view in views]
    latency_s, latency_sd_s = _mixed(latencies, connected)
    return PairInference(
        probability=np.mean([view.probability for view in views], axis=0),
        kernel=np.mean([view.kernel for view in views], axis=0),
        area=area,
        area_sd=area_sd,
        latency_s=latency_s,
        latency_sd_s=latency_sd_s,
        priors=tuple(prior for view in views for prior in view.priors),
    )


def _mixed(
    moments: Sequence[tuple[np.ndarray, np.ndarray]], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a mixture of these means and standard deviations."""
    shares = weights / weights.sum(0)
    mean = sum(share * m for share, (m, _) in zip(shares, moments, strict=True))
    variance = sum(
        share * (sd**2 + (m - mean) ** 2) for share, (m, sd) in zip(shares, moments, strict=True)
    )
    return np.asarray(mean), np.sqrt(variance)
