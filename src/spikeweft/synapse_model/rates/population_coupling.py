"""How much of a neuron's spiking all others share: its coupling to the population."""

import numpy as np
from jaxtyping import Float
from scipy.special import xlogy

from spikeweft.synapse_model.rates.timeline import Timeline

_BIN_S = 0.05
"""Bins whose counts are explained; shorter ones hold little but chance."""

_N_NEWTON = 12

_PRECISION, _LONGEST_STEP = 1.0, 1.0

_HIGHEST_LOG_COUNT = 20.0


def share_of_state(timeline: Timeline, neuron: int, state: Float[np.ndarray, "bin state"]) -> float:
    """Share of the deviance of a neuron's spike counts that the shared state alone explains.

    Counts are those in 50 ms, their deviance that from a constant rate (Poisson), and they are
    explained by a log-linear function of the state. 0 is none, 1 all of it; NaN where there is no
    state, or where the neuron does not fire, or always as often. Compare the population coupling of
    Okun et al. (2015, Nature 521:511).
    """
    per_bin = max(1, round(_BIN_S / (timeline.steps_per_bin * timeline.step_s)))
    n_bins = len(state) // per_bin

    def in_bins(values: np.ndarray) -> np.ndarray:
        return values[: n_bins * per_bin].reshape(n_bins, per_bin, *values.shape[1:])

    scored = in_bins(timeline.scored_bins()).all(1)
    counts = in_bins(timeline.binned(neuron)).sum(1)[scored].astype(float)
    mean = np.full(len(counts), counts.sum() / max(len(counts), 1))
    if state.shape[1] == 0 or np.all(counts == mean):
        return float("nan")
    explained = _fitted(in_bins(state).mean(1)[scored].astype(float), counts)
    return float(np.clip(1.0 - _deviance(counts, explained) / _deviance(counts, mean), 0.0, 1.0))


def _deviance(counts: Float[np.ndarray, " bin"], expected: Float[np.ndarray, " bin"]) -> float:
    return float(2.0 * np.sum(xlogy(counts, counts / expected) - counts + expected))


def _fitted(
    state: Float[np.ndarray, "bin state"], counts: Float[np.ndarray, " bin"]
) -> Float[np.ndarray, " bin"]:
    """Expected counts, log-linear in the state."""
    design = np.column_stack([np.ones(len(counts)), state - state.mean(0)])
    precision = np.array([0.0, *np.full(state.shape[1], _PRECISION)])
    gains = np.array([np.log(counts.mean()), *np.zeros(state.shape[1])])
    for _ in range(_N_NEWTON):
        expected = np.exp(np.minimum(design @ gains, _HIGHEST_LOG_COUNT))
        information = (design * expected[:, None]).T @ design + np.diag(precision)
        gradient = design.T @ (counts - expected) - precision * gains
        gains += np.clip(np.linalg.solve(information, gradient), -_LONGEST_STEP, _LONGEST_STEP)
    return np.exp(np.minimum(design @ gains, _HIGHEST_LOG_COUNT))
