"""Pairs of units: duplicates, synchrony too fast for a synapse, and population bursts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import binom, poisson

from spikeweft.check.findings import Finding, Severity, listed, percent
from spikeweft.data.file_contents.sentences import counted
from spikeweft.data.recording import Recording
from spikeweft.data.spike_pairs import count_pairs

SAME_SPIKE_S = 0.4e-3
"""Spikes of two units within this time may be one (SpikeInterface, `find_redundant_units`)."""

SYNCHRONY_S = 1e-3
"""Coincidences within this time are faster than a synapse."""

BESIDE_S = 5e-3
"""Lags from `SYNCHRONY_S` to this one give the number of coincidences to expect."""

DUPLICATE, OVERLAP = 0.8, 0.2
"""Share of the smaller unit's spikes found in the other, above which it is the same unit, or shares
some spikes with it (SpikeInterface, `find_redundant_units`)."""

FALSE_ALARM = 0.01
"""Chance that any pair of a recording without synchrony is named (Bonferroni)."""

_BURST_BIN_S, _BURST_DEVIATIONS = 0.01, 6.0

_FEW_COINCIDENCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidences:
    """Coincidences of each pair of neurons, and how many are expected from longer lags.

    Only the upper triangle is filled. A window is never shorter than the time resolution.
    """

    same: Int[np.ndarray, "neuron neuron"]
    same_expected: Float[np.ndarray, "neuron neuron"]
    close: Int[np.ndarray, "neuron neuron"]
    close_expected: Float[np.ndarray, "neuron neuron"]
    p_close: Float[np.ndarray, "neuron neuron"]
    """Chance of so many within `SYNCHRONY_S`, of a pair without synchrony."""

    window_s: float
    """Largest lag that counts as close."""


def coincidences(recording: Recording) -> Coincidences:
    """Count coincidences of all pairs within the two windows and at longer lags.

    Given how often two neurons fire within the window or beside it, the former is binomial if
    their correlation is slow (as in `artefacts`, which looks for too few).
    """
    step_s, n = recording.time_resolution_s, recording.n_neurons
    same, close = (int(window / step_s + 1e-6) for window in (SAME_SPIKE_S, SYNCHRONY_S))
    far = max(round(BESIDE_S / step_s), close + 4)
    counts = np.zeros((n, n, 3), np.int64)
    edges = np.array([same, close, far]) + 1
    count_pairs(recording.spike_steps, recording.spike_neurons, edges, counts)
    by_lag = np.moveaxis(counts, 2, 0)
    pairs = np.triu(by_lag + by_lag.transpose(0, 2, 1), 1)
    within = pairs[0] + pairs[1]
    share = (2 * close + 1) / (2 * (far - close))
    return Coincidences(
        same=pairs[0],
        same_expected=pairs[2] * (2 * same + 1) / (2 * (far - close)),
        close=within,
        close_expected=pairs[2] * share,
        p_close=binom.sf(within - 1, within + pairs[2], share / (1 + share)),
        window_s=close * step_s,
    )


def shared_spikes(recording: Recording, found: Coincidences) -> Float[np.ndarray, "neuron neuron"]:
    """Share of the smaller unit's spikes that are in the other too, beyond chance; upper half."""
    n_spikes = recording.n_spikes.astype(float)
    smaller = np.minimum.outer(n_spikes, n_spikes)
    excess = np.where(found.same >= _FEW_COINCIDENCES, found.same - found.same_expected, 0.0)
    return np.clip(excess / np.maximum(smaller, 1), 0.0, 1.0)


def duplicates(recording: Recording, found: Coincidences) -> Finding:
    """Units that sorting found twice, or that share spikes."""
    share = shared_spikes(recording, found)
    for pair in recording.duplicates():
        share[pair] = 1.0
    twins, overlapping = share >= DUPLICATE, (share >= OVERLAP) & (share < DUPLICATE)
    severity = Severity.WARNING if overlapping.any() else Severity.FINE
    if twins.any():
        severity = Severity.PROBLEM
    said = []
    if twins.any():
        said.append(f"The same unit twice: {_pairs(recording, twins, share)}.")
    if overlapping.any():
        said.append(f"Units that share spikes: {_pairs(recording, overlapping, share)}.")
    return Finding(
        topic="duplicate units",
        severity=severity,
        summary=" ".join(said) or "No two units have the same spikes.",
        remedy="Merge them, or keep the better one: the weights between a unit and its copy mean "
        "nothing, and all others onto and from them are split at random."
        if said
        else "",
        numbers={
            "pairs": [
                {
                    "neurons": [recording.neuron_ids[i], recording.neuron_ids[j]],
                    "share": share[i, j],
                }
                for i, j in np.argwhere(twins | overlapping).tolist()
            ]
        },
    )


def synchrony(recording: Recording, found: Coincidences) -> Finding:
    """Coincidences within a millisecond, against those expected from longer lags."""
    apart = np.triu(shared_spikes(recording, found) < OVERLAP, 1)
    n_pairs = max(int(apart.sum()), 1)
    expected = float(found.close_expected[apart].sum())
    ratio = float(found.close[apart].sum()) / expected if expected > 0 else None
    named = apart & (found.p_close < FALSE_ALARM / n_pairs)
    severity = Severity.NOTE if named.any() else Severity.FINE
    if named.sum() > 0.05 * n_pairs or (named.any() and (ratio is None or ratio > 1.2)):
        severity = Severity.WARNING
    window = f"within ±{1e3 * found.window_s:g} ms" if found.window_s else "at the same time"
    summary = (
        f"Too few coincidences are expected to tell whether two neurons fire {window} more often."
        if ratio is None
        else f"Two neurons fire {window} {ratio:.3f} times as often as expected from longer lags."
    )
    if named.any():
        excess = np.where(named, found.close / np.maximum(found.close_expected, 0.5), 0.0)
        summary += (
            f" {counted(int(named.sum()), 'pair')} of {n_pairs:,} do so more often than chance: "
            f"{_pairs(recording, named, excess, 'times')}."
        )
    return Finding(
        topic="synchrony",
        severity=severity,
        summary=summary,
        remedy="Few synapses are that fast, but common inputs, shared electrodes and electrical "
        "artefacts are: remove artefacts from the traces before sorting, and do not read a mutual "
        "excitation of these pairs as a connection."
        if named.any()
        else "",
        numbers={
            "coincidences_over_expected": ratio,
            "n_synchronous_pairs": int(named.sum()),
            "window_s": found.window_s,
        },
    )


def bursts(recording: Recording) -> Finding:
    """Moments at which far more neurons fire than independent ones would."""
    bin_s = max(_BURST_BIN_S, recording.time_resolution_s)
    share, ratio = _bursts(recording, bin_s)
    severity = Severity.FINE if share < 0.01 else Severity.NOTE
    if share > 0.1:
        severity = Severity.WARNING
    return Finding(
        topic="population bursts",
        severity=severity,
        summary=f"{percent(share)} of spikes fall into {1e3 * bin_s:g} ms bins that hold far "
        f"more spikes (by {_BURST_DEVIATIONS:g} standard deviations) than independent neurons "
        f"would fire; the number of spikes per bin has {ratio:.2f} times their variance.",
        remedy="Look at these moments: movement artefacts should be cut out, and states with and "
        "without bursts fitted apart (--epochs). A common input to all looks like excitation "
        "between all."
        if severity > Severity.FINE
        else "",
        numbers={"share_of_spikes_in_bursts": share, "variance_over_independent": ratio},
    )


def _bursts(recording: Recording, bin_s: float) -> tuple[float, float]:
    """Share of spikes in bursts, and variance of the population count over the sum of variances."""
    bins = np.floor(recording.spike_times_s / bin_s).astype(np.int64)
    bins -= bins[0]
    n_bins = max(round(recording.duration_s / bin_s), 2)
    key, count = np.unique(bins * recording.n_neurons + recording.spike_neurons, return_counts=True)
    squares = np.bincount(key % recording.n_neurons, count**2, minlength=recording.n_neurons)
    independent = float(np.sum(squares / n_bins - (recording.n_spikes / n_bins) ** 2))
    population = np.unique(bins, return_counts=True)[1]
    mean = len(bins) / n_bins
    variance = float(np.sum(population.astype(float) ** 2)) / n_bins - mean**2
    by_chance = max(
        mean + _BURST_DEVIATIONS * np.sqrt(max(independent, 1e-12)), _rare(mean, n_bins)
    )
    is_burst = population > by_chance
    return float(population[is_burst].sum() / len(bins)), variance / max(independent, 1e-12)


def _rare(mean: float, n_bins: int) -> float:
    """Spikes that no bin holds by chance, of few spikes too, where deviations tell nothing."""
    return float(poisson.isf(FALSE_ALARM / n_bins, mean))


def _pairs(
    recording: Recording,
    which: Bool[np.ndarray, "neuron neuron"],
    value: Float[np.ndarray, "neuron neuron"],
    unit: str = "%",
) -> str:
    """The pairs by name, those with the highest value first."""
    found = np.argwhere(which)
    found = found[np.argsort(-value[which], kind="stable")]
    names = recording.neuron_ids
    return listed(
        f"{names[i]} and {names[j]} ("
        + (f"{100 * value[i, j]:.0f} %)" if unit == "%" else f"{value[i, j]:.3g} {unit})")
        for i, j in found
    )
