"""Poisson regression of all neurons on one design: bins, likelihood, curvature, minimiser.

Every neuron is a row of coefficients with an exponential link. The design matrix is made chunk by
chunk from the spike counts, so that memory does not grow with the recording.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spikeweft.baselines.glm.batched_lbfgs import Coefficients, Objective
from spikeweft.baselines.glm.spike_history import SpikeHistory
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import ScoredCounts, scored_epochs
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.errors import InputError
from spikeweft.runtime.parallel import shares, side_by_side

CHUNK = 8192
"""Bins whose design matrix is made at a time."""

_CURVATURE_BYTES = 2**28

_SPIKES_PER_FEATURE = 50

_FLATTEST = 1e-9

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The regression problem: scored `spikes` of some neurons, explained by the `counts` of all.

    Only the scored part of a bin counts as exposure.
    """

    history: SpikeHistory
    counts: Int[np.ndarray, "time presynaptic"]
    spikes: Int[np.ndarray, "time neuron"]
    length_s: Float[np.ndarray, " time"]
    exposure_s: Float[Tensor, " time"]
    covariates: Float[Tensor, "time covariate"]

    @classmethod
    def of(
        cls, recording: Recording, history: SpikeHistory, bin_s: float, history_window_s: float
    ) -> Self:
        """A recording in bins, without covariates.

        Raises
        ------
        InputError
            Where no epoch is longer than the history window.
        """
        if len(scored_epochs(recording, history_window_s)) == 0:
            raise InputError(
                f"no epoch is longer than the history window of {history_window_s:g} s; use "
                "longer epochs or a shorter window"
            )
        binned = ScoredCounts.of(recording, bin_s, history_window_s)
        return cls(
            history=history,
            counts=binned.counts,
            spikes=binned.scored_spikes,
            length_s=binned.exposure_s,
            exposure_s=torch.from_numpy(binned.scored_s),
            covariates=torch.zeros(len(binned.scored_s), 0),
        )

    @property
    def n_neurons(self) -> int:
        """How many neurons are to be explained, each a row of coefficients."""
        return self.spikes.shape[1]

    @property
    def n_features(self) -> int:
        """Coefficients of a neuron: every neuron's history, covariates and the constant."""
        return self.counts.shape[1] * self.history.n_basis + self.covariates.shape[1] + 1

    @property
    def n_spikes(self) -> Float[Tensor, " neuron"]:
        """Scored spikes of each neuron."""
        return torch.from_numpy(self.spikes.sum(0)).double()

    def constant_rates(self) -> Coefficients:
        """Coefficients of the mean rates; half a spike in all for a neuron that never fired."""
        coefficients = torch.zeros(self.n_neurons, self.n_features, dtype=torch.float64)
        coefficients[:, -1] = torch.log(self.n_spikes.clamp(min=0.5) / self.exposure_s.sum())
        return coefficients

    @property
    def chunks(self) -> list[slice]:
        """Stretches of bins whose design matrix fits into memory, which as a whole would not."""
        return self.stretches(CHUNK)

    def stretches(self, n_bins: int) -> list[slice]:
        """All bins, `n_bins` at a time."""
        edges = [*range(0, len(self.counts), n_bins), len(self.counts)]
        return [slice(*pair) for pair in pairwise(edges)]

    def features(self, part: slice) -> Float[Tensor, "bin feature"]:
        """Design matrix of some bins."""
        past = self.history(self.counts, part.start, part.stop)
        return torch.cat([past, self.covariates[part], torch.ones(len(past), 1)], dim=1)

    def log_likelihood(
        self, coefficients: Coefficients
    ) -> tuple[Float[Tensor, " neuron"], Coefficients]:
        """Log-likelihood of each neuron in nats and its gradient, summed in double precision."""
        single = coefficients.float()

        def of_chunk(part: slice) -> tuple[Tensor, Tensor]:
            features = self.features(part)
            log_rate = features @ single.T
            spikes = torch.from_numpy(self.spikes[part]).float()
            exposure_s = self.exposure_s[part, None].float()
            # Where nothing is scored nothing is expected, however high the rate would be.
            expected = torch.where(exposure_s > 0, exposure_s * torch.exp(log_rate), 0.0)
            value = (spikes * log_rate - expected).sum(0, dtype=torch.float64)
            return value, ((spikes - expected).T @ features).double()

        def of_share(share: list[slice]) -> tuple[Tensor, Tensor]:
            value, gradient = of_chunk(share[0])
            for part in share[1:]:
                more_value, more_gradient = of_chunk(part)
                value += more_value
                gradient += more_gradient
            return value, gradient

        values, gradients = zip(*side_by_side(of_share, shares(self.chunks)), strict=True)
        return torch.stack(values).sum(0), torch.stack(gradients).sum(0)

    def penalised(self, penalty: Coefficients) -> Objective:
        """What to minimise: a quadratic penalty less the log-likelihood of each neuron."""

        def objective(point: Coefficients) -> tuple[Float[Tensor, " neuron"], Coefficients]:
            value, gradient = self.log_likelihood(point)
            return 0.5 * (penalty * point**2).sum(1) - value, penalty * point - gradient

        return objective

    def rates_hz(self, coefficients: Coefficients) -> Float[Tensor, "time neuron"]:
        """Rate in each bin, whether its past is known or not."""
        single = coefficients.float()
        rates = side_by_side(lambda part: torch.exp(self.features(part) @ single.T), self.chunks)
        return torch.cat(rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    """Fisher information per spike of each neuron's coefficients, in its eigenvectors.

    For the exponential link it is, at the optimum of a model that is right, the mean outer product
    of the features at a neuron's spikes: known before the fit. Where neurons are so many that all
    matrices would not fit into memory, neighbours share one.
    """

    groups: list[slice]
    power: Float[Tensor, "group feature"]
    axes: Float[Tensor, "group feature feature"]

    @classmethod
    def of(cls, design: Design) -> Self:
        """Curvature at as many spikes as it takes to be a good guide, from all of the recording."""
        groups = _groups(design.n_neurons, design.n_features)
        spikes_needed = _SPIKES_PER_FEATURE * design.n_features * len(groups)
        stride = max(1, int(design.n_spikes.sum() / spikes_needed))
        moment, n_spikes = _moments_at_spikes(design, groups, design.chunks[::stride])
        of_all = moment.sum(0) / n_spikes.sum().clamp(min=1)
        few = design.n_features  # a neuron with fewer spikes is shrunk towards the others

        def eigenvectors(group: int) -> tuple[Tensor, Tensor]:
            mean = (moment[group] + few * of_all) / (n_spikes[group] + few)
            return tuple(torch.linalg.eigh(mean.double()))

        power, axes = zip(*side_by_side(eigenvectors, range(len(groups))), strict=True)
        return cls(groups=groups, power=torch.stack(power), axes=torch.stack(axes))

    def newton_step(
        self, gradient: Coefficients, n_spikes: Float[Tensor, " neuron"], ridge: float
    ) -> Coefficients:
        """Gradient over curvature, of neurons with so many spikes under a ridge."""
        step = torch.empty_like(gradient)
        for members, power, axes in zip(self.groups, self.power, self.axes, strict=True):
            floor = power.clamp(min=_FLATTEST * float(power[-1]))
            curvature = n_spikes[members, None].clamp(min=1) * floor + ridge
            step[members] = (gradient[members] @ axes / curvature) @ axes.T
        # Rounding shall not connect a neuron that never fires.
        return torch.where(gradient == 0, 0.0, step)


def _groups(n_neurons: int, n_features: int) -> list[slice]:
    """Neighbouring neurons, in as many groups as there may be matrices."""
    edges = np.linspace(0, n_neurons, n_groups(n_neurons, n_features) + 1).round().astype(int)
    return [slice(*pair) for pair in pairwise(edges.tolist())]


def n_groups(n_neurons: int, n_features: int) -> int:
    """Groups of neurons that share a matrix of curvature."""
    return min(n_neurons, max(1, _CURVATURE_BYTES // (8 * n_features**2)))


class _Moments(NamedTuple):
    """Sums over each group's spikes: of the outer products of the features there, and of 1."""

    moment: Float[Tensor, "group feature feature"]
    n_spikes: Float[Tensor, " group"]


def _moments_at_spikes(design: Design, groups: list[slice], chunks: list[slice]) -> _Moments:
    n_features = design.n_features
    sums = _Moments(torch.zeros(len(groups), n_features, n_features), torch.zeros(len(groups)))
    for part in chunks:
        _add_moments(sums, design.features(part), torch.from_numpy(design.spikes[part]), groups)
    return sums


def _add_moments(
    sums: _Moments,
    features: Float[Tensor, "bin feature"],
    spikes: Int[Tensor, "bin neuron"],
    groups: list[slice],
) -> None:
    def add(group: int) -> None:
        of_group = spikes[:, groups[group]].sum(1).float()
        fired = torch.nonzero(of_group)[:, 0]
        at_spikes = features[fired]
        sums.moment[group].addmm_(at_spikes.T, of_group[fired, None] * at_spikes)
        sums.n_spikes[group] += of_group.sum()

    side_by_side(add, range(len(groups)))


def bins_within(duration_s: float, bin_s: float) -> int:
    """How many whole bins fit into a duration."""
    return int(duration_s / bin_s + _ROUNDING)


def expected_counts(
    design: Design,
    coefficients: Coefficients,
    otherwise_hz: Float[np.ndarray, " neuron"],
    wanted: SpikeCounts,
) -> Float[np.ndarray, "time neuron"]:
    """Expected spikes in the bins of `wanted`, which have other edges in the same epochs.

    Bins whose past is not known have the rates `otherwise_hz`.
    """
    known = design.exposure_s.numpy()[:, None] > 0
    rate_hz = np.where(known, design.rates_hz(coefficients).numpy(), otherwise_hz)
    return _integrate(rate_hz, design.length_s, wanted.exposure_s)


def _integrate(
    rate_hz: Float[np.ndarray, "time neuron"],
    from_exposure_s: Float[np.ndarray, " time"],
    to_exposure_s: Float[np.ndarray, " other_time"],
) -> Float[np.ndarray, "other_time neuron"]:
    """Expected counts in other bins, of a rate that is constant within bins of the same epochs."""
    edge_s = np.concatenate([[0.0], np.cumsum(from_exposure_s)])
    counted = np.cumsum(rate_hz * from_exposure_s[:, None], axis=0)
    counted = np.vstack([np.zeros_like(counted[:1]), counted])
    new_edge_s = np.clip(np.concatenate([[0.0], np.cumsum(to_exposure_s)]), 0.0, edge_s[-1])
    bin_ = np.clip(np.searchsorted(edge_s, new_edge_s, side="right") - 1, 0, len(rate_hz) - 1)
    expected = counted[bin_] + rate_hz[bin_] * (new_edge_s - edge_s[bin_])[:, None]
    return np.diff(expected, axis=0)
