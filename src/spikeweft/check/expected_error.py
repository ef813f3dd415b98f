"""Expected error of free weights, from a quick fit of a few minutes.

The quick fit is the beginning of `CircuitGNN`'s own: free weights, and what all neurons share. Its
Fisher information I and its prior's precision P give the expected error of weights from k times as
much data, Δ² = Σ diag (k·I + P)⁻¹ / (‖Ŵ‖² + Σ diag (I + P)⁻¹): the Cramér-Rao bound at the fitted
model, with what is known beforehand. The sum in the denominator is the power of the weights
themselves: what the prior shrank away is what their variance adds.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from spikeweft.check.findings import Finding, Severity, percent
from spikeweft.circuit_gnn.estimator import neurons_that_fire
from spikeweft.circuit_gnn.fitting.circuit_fit import advance
from spikeweft.circuit_gnn.fitting.fit_state import FitState
from spikeweft.circuit_gnn.fitting.problem import MOST_SEARCHED, Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state, shared_stages
from spikeweft.circuit_gnn.fitting.work import Pace
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import Estimate
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.data.file_contents.sentences import lasting
from spikeweft.data.holdout import FITTED_FRACTION, HISTORY_WINDOW_S, VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError

TARGETS = (0.1, 0.05)
"""Values of Δ for which the minutes needed are reported."""

LARGEST_PILOT = MOST_SEARCHED
"""Neurons of the quick fit; of more, so many are drawn."""

_SPIKES_PER_NEURON = 2000

_MOST_PIECES, _SHORTEST_PIECE_S = 8, 4.0
"""Pieces of the recording, evenly spread, that the quick fit sees: neurons come and go."""

_FEWEST_PER_WEIGHT = 3.0
"""With fewer spikes for each weight, the curvature at the quick fit is that of its own mistakes."""

_LONGEST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """A quick fit of free weights to a few minutes.

    Attributes
    ----------
    fit
        Parameters of every neuron that fires, and the shape of their likelihood.
    kernel
        The synaptic kernel that was found.
    n_spikes
        Spikes that the weights were fitted to.
    n_neurons
        Neurons that it is about, silent ones too: all, or as many as `LARGEST_PILOT`.
    state
        Where it ended.
    pace
        How long its steps took on this machine.
    """

    fit: Estimate
    kernel: SynapticKernel
    n_spikes: int
    n_neurons: int
    state: FitState
    pace: Pace

    @property
    def power(self) -> float:
        """Σ w² over the pairs that fire, without what noise adds to it."""
        return float(np.sum(self.fit.weights**2)) + self._variance(1.0).sum()

    def _variance(self, times_more: float) -> Float[np.ndarray, " pair"]:
        """Variance of each weight between neurons that fire, from so many times more data."""
        information = self.fit.derivatives.information()
        prior = self.fit.posterior_precision() - information
        with threadpool_limits(1):
            covariance = np.linalg.inv(times_more * information + prior)
        return np.einsum("iff->if", covariance)[self.fit.is_weight]

    def delta(self, n_spikes: float) -> float:
        """Expected error Δ of free weights fitted to this many spikes of these neurons."""
        return math.sqrt(self._variance(n_spikes / self.n_spikes).sum() / self.power)

    def share_identifiable(self, n_spikes: float) -> float:
        """Share of all pairs about which so many spikes say more than the prior."""
        post, _ = np.nonzero(self.fit.is_weight)
        known = 1.0 - self.fit.precision[post] * self._variance(n_spikes / self.n_spikes)
        return float(np.sum(known > 0.5)) / (self.n_neurons * (self.n_neurons - 1))

    def spikes_for(self, delta: float) -> float:
        """Spikes after which Δ is expected to be this small; infinite where never."""
        low, high = 1.0, _LONGEST * self.n_spikes
        if self.delta(high) > delta:
            return math.inf
        while high / low > 1.02:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.delta(middle) > delta else (low, middle)
        return high


def pilot(
    recording: Recording, rng: np.random.Generator, on_stage: Callable[[str], None]
) -> Pilot | None:
    """Fit free weights quickly, to at most `_SPIKES_PER_NEURON` spikes of each neuron.

    None where there are too few spikes, or too few neurons fire, to fit and to choose by.
    """
    if n_spikes_per_weight(recording) < _FEWEST_PER_WEIGHT:
        return None
    part = _few_minutes(_fewer_neurons(recording, rng))
    training, held_out = split(part, VALIDATION_FRACTION)
    if not all(_has_spikes(p) for p in (training, held_out)):
        return None
    try:
        fires = neurons_that_fire(training, HISTORY_WINDOW_S)
    except InputError:
        return None
    problem = Problem(training.select(fires), held_out.select(fires), plain_settings())
    with threadpool_limits(1):
        state, pace = _searched(problem, on_stage)
        fit = problem.estimate(state.current)
    return Pilot(
        fit=fit,
        kernel=state.current.inputs.kernel,
        n_spikes=int(fit.derivatives.n_spikes.sum()),
        n_neurons=training.n_neurons,
        state=state,
        pace=pace,
    )


def expected_error(recording: Recording, quick: Pilot | None) -> Finding:
    """Expected Δ of free weights from this recording, and the minutes that smaller ones need."""
    if quick is None:
        enough = n_spikes_per_weight(recording) >= _FEWEST_PER_WEIGHT
        return Finding(
            topic="expected error",
            severity=Severity.WARNING,
            summary="Too few neurons fire together in the minutes of a quick fit to foretell an "
            "error."
            if enough
            else "There are too few spikes to foretell an error.",
            remedy="Record for longer, or infer fewer neurons.",
        )
    spikes = len(recording.spike_times_s) * quick.n_neurons / recording.n_neurons
    per_minute = 60.0 * spikes / recording.duration_s
    delta = quick.delta(FITTED_FRACTION * spikes)
    minutes = {t: quick.spikes_for(t) / FITTED_FRACTION / per_minute for t in TARGETS}
    identifiable = quick.share_identifiable(FITTED_FRACTION * spikes)
    severity = Severity.FINE if delta < 0.2 else Severity.NOTE
    if delta > 0.5 or identifiable < 0.5:
        severity = Severity.WARNING
    summary = _said(delta, minutes, identifiable)
    if quick.n_neurons < recording.n_neurons:
        summary += f" (From {quick.n_neurons} of the neurons, drawn at random; all are harder.)"
    return Finding(
        topic="expected error",
        severity=severity,
        summary=summary,
        remedy="Record for longer, or infer fewer neurons. What a network shares between pairs "
        "lowers the error where the wiring has structure, and can do nothing where it has none."
        if severity > Severity.FINE
        else "",
        numbers={
            "expected_delta": delta,
            "minutes_needed": {
                f"{t:g}": m if math.isfinite(m) else None for t, m in minutes.items()
            },
            "share_identifiable": identifiable,
            "pilot_spikes": quick.n_spikes,
            "pilot_neurons": quick.n_neurons,
            "pilot_delta": quick.delta(float(quick.n_spikes)),
            "tau_s": quick.kernel.mean_lag_s - quick.kernel.latency_s,
            "synaptic_kernel": str(quick.kernel),
        },
    )


def _said(delta: float, minutes: Mapping[float, float], identifiable: float) -> str:
    needed = ", ".join(f"Δ = {t:g} about {lasting(60 * m)}" for t, m in minutes.items())
    summary = (
        f"Weights fitted one by one to all of the recording are expected to be off by Δ = "
        f"{delta:.2g} (0 is perfect, 1 is no better than no connections), if the model is right. "
        f"What it would take: {needed}."
    )
    if identifiable < 0.995:
        summary += (
            f" Of {percent(1 - identifiable)} of pairs the spikes will say less than what is "
            "assumed beforehand; the result marks them."
        )
    return summary


def n_spikes_per_weight(recording: Recording) -> float:
    """Spikes for each ordered pair of neurons."""
    return len(recording.spike_times_s) / (recording.n_neurons * (recording.n_neurons - 1))


def spikes_per_weight(recording: Recording) -> Finding:
    """Spikes per weight."""
    n, per_weight = recording.n_neurons, n_spikes_per_weight(recording)
    severity = Severity.FINE if per_weight >= 10 else Severity.NOTE
    if per_weight < 1:
        severity = Severity.WARNING
    return Finding(
        topic="spikes per weight",
        severity=severity,
        summary=f"{len(recording.spike_times_s):,} spikes for {n * (n - 1):,} ordered pairs of "
        f"neurons: {_few_digits(per_weight)} spikes for each weight.",
        remedy="Record for longer, or infer fewer neurons." if severity > Severity.FINE else "",
        numbers={"spikes_per_weight": per_weight},
    )


def _few_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _fewer_neurons(recording: Recording, rng: np.random.Generator) -> Recording:
    """At most `LARGEST_PILOT` neurons."""
    if recording.n_neurons <= LARGEST_PILOT:
        return recording
    return recording.select(np.sort(rng.permutation(recording.n_neurons)[:LARGEST_PILOT]))


def _few_minutes(recording: Recording) -> Recording:
    """Pieces from all over the recording that hold about the spikes wanted; all of a short one."""
    n_spikes = _SPIKES_PER_NEURON * recording.n_neurons / (1.0 - VALIDATION_FRACTION)
    share = n_spikes / max(len(recording.spike_times_s), 1)
    n_pieces = int(min(_MOST_PIECES, share * recording.duration_s / _SHORTEST_PIECE_S))
    if share >= 1.0 or n_pieces <= 1:
        return recording.between(0.0, min(1.0, share))
    starts = np.arange(n_pieces) / n_pieces
    pieces = [recording.between(start, start + share / n_pieces) for start in starts]
    return recording.restrict(np.concatenate([piece.epochs_s for piece in pieces]))


def _has_spikes(part: Recording) -> bool:
    scored = scored_epochs(part, HISTORY_WINDOW_S)
    return len(scored) > 0 and len(part.restrict(scored).spike_times_s) > 0


def plain_settings() -> FitSettings:
    """Those of a fit for which nothing is asked."""
    return FitSettings(
        tau_s=None,
        history_window_s=HISTORY_WINDOW_S,
        n_hidden=0,
        covariates=(),
        rotated_by=None,
        seed=0,
    )


def _searched(problem: Problem, on_stage: Callable[[str], None]) -> tuple[FitState, Pace]:
    """Free weights, and what all neurons share, as a fit begins; and how long its steps took."""
    stages, state, pace = shared_stages(problem), first_state(problem), Pace()
    started = time.perf_counter()
    while (further := advance(problem, stages, state)) is not None:
        work = stages[further.stage].work(state, further.step - 1)
        pace.learn(work, time.perf_counter() - started)
        state = further
        on_stage(f"a quick fit, {stages[state.stage].name}")
        started = time.perf_counter()
    return state, pace
