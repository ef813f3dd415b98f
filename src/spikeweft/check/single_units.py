"""Single units: firing rates, refractory periods, and stability over the recording."""

import shlex

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import kruskal, poisson

from spikeweft.check.findings import Finding, Severity, listed, percent
from spikeweft.data.epochs import silent_stretches
from spikeweft.data.file_contents.sentences import counted
from spikeweft.data.holdout import FITTED, TEST_FRACTION
from spikeweft.data.own_intervals import by_neuron, time_since_own_spike_s
from spikeweft.data.recording import Recording

REFRACTORY_S = 1.5e-3
"""No neuron fires twice within this time (the default of SpikeInterface and of the Allen Institute
for `isi_violations`, after Hill, Mehta & Kleinfeld 2011)."""

FOREIGN_SHARE = 0.1
"""Tolerated share of another neuron's spikes (International Brain Laboratory 2022)."""

FALSE_ALARM = 0.01
"""Chance that any neuron of a sound recording is named by one test (Bonferroni)."""

CHANGE = 1.5
"""Smaller changes of a rate between parts of the recording are not reported (chosen)."""

_FEW_SPIKES = 100

_N_PARTS, _BLOCKS_PER_PART = 4, 10


def firing(recording: Recording) -> Finding:
    """How many neurons fire, and how often."""
    spikes, rate_hz = recording.n_spikes, recording.rate_hz
    silent, few = spikes == 0, (spikes > 0) & (spikes < _FEW_SPIKES)
    unscored = (spikes > 0) & (recording.between(1.0 - TEST_FRACTION, 1.0).n_spikes == 0)
    said = [
        f"Rates run from {rate_hz.min():.3g} to {rate_hz.max():.3g} Hz, median "
        f"{np.median(rate_hz):.3g} Hz."
    ]
    for which, how_often in (
        (silent, "never"),
        (few, f"fewer than {_FEW_SPIKES} times"),
        (unscored, f"not in the last {100 * TEST_FRACTION:g} %, which score the result"),
    ):
        if which.any():
            said.append(
                f"{counted(int(which.sum()), 'neuron')} fired {how_often}: "
                f"{_named(recording, which)}."
            )
    scarce = silent | few
    severity = Severity.NOTE if scarce.any() or unscored.any() else Severity.FINE
    if scarce.mean() > 0.25:
        severity = Severity.WARNING
    return Finding(
        topic="firing rates",
        severity=severity,
        summary=" ".join(said),
        remedy="Leave out neurons that hardly fire: nothing can be inferred about them, and each "
        "adds a weight to every other neuron."
        if scarce.any()
        else "",
        numbers={
            "rate_hz": rate_hz.tolist(),
            "n_silent": int(silent.sum()),
            "n_few_spikes": int(few.sum()),
            "n_silent_where_scored": int(unscored.sum()),
        },
    )


def fitted_part(recording: Recording) -> Finding:
    """Whether every neuron that fires does so where weights are fitted."""
    unknown = (recording.n_spikes > 0) & (recording.between(*FITTED).n_spikes == 0)
    part = f"the first {100 * FITTED[1]:g} %, which weights are fitted to"
    names = [recording.neuron_ids[i] for i in np.flatnonzero(unknown)]
    return Finding(
        topic="fitted part",
        severity=Severity.WARNING if names else Severity.FINE,
        summary=f"{counted(len(names), 'neuron')} never fired in {part}, and nothing can be "
        f"inferred about {'it' if len(names) == 1 else 'them'}: {listed(names)}."
        if names
        else f"Every neuron that fires does so in {part}.",
        remedy=f"Leave out with {shlex.join(['--exclude', *names])}, or use more of the recording."
        if names
        else "",
        numbers={"n_silent_where_fitted": len(names)},
    )


def short_intervals(
    recording: Recording,
) -> tuple[Int[np.ndarray, " neuron"], float]:
    """Intervals of each neuron below `REFRACTORY_S`, and the time they can span.

    The span is zero where spike times are too coarse to tell.
    """
    n_lags = int(np.ceil(REFRACTORY_S / recording.time_resolution_s - 1e-6)) - 1
    if n_lags < 1:
        return np.zeros(recording.n_neurons, np.int64), 0.0
    lags = np.rint(time_since_own_spike_s(recording) / recording.time_resolution_s)
    short = recording.spike_neurons[lags <= n_lags]
    span_s = (n_lags + 0.5) * recording.time_resolution_s  # spikes of one time step have no order
    return np.bincount(short, minlength=recording.n_neurons), span_s


def foreign_share(recording: Recording) -> Float[np.ndarray, " neuron"]:
    r"""Share of each neuron's spikes that are not its own, from its short intervals.

    .. math:: 1 - \sqrt{1 - n_v T / (n^2 t_r)}

    for spikes from elsewhere at random times (Llobet, Wyngaard & Barbour 2022); 1 where short
    intervals are as frequent as in a Poisson process, NaN where times are too coarse to tell.
    """
    n_short, span_s = short_intervals(recording)
    if span_s == 0.0:
        return np.full(recording.n_neurons, np.nan)
    by_chance = recording.n_spikes.astype(float) ** 2 * span_s / recording.duration_s
    share = np.divide(n_short, by_chance, out=np.zeros(len(n_short)), where=by_chance > 0)
    return 1.0 - np.sqrt(np.clip(1.0 - share, 0.0, 1.0))


def refractory_period(recording: Recording) -> Finding:
    """Whether neurons fire again sooner than a neuron can."""
    topic, limit = "refractory period", f"{1e3 * REFRACTORY_S:g} ms"
    n_short, span_s = short_intervals(recording)
    if span_s == 0.0:
        return Finding(
            topic=topic,
            severity=Severity.NOTE,
            summary=f"Spike times come in steps of {1e3 * recording.time_resolution_s:g} ms, "
            f"too coarse to see intervals below {limit}.",
            remedy="Take finer spike times, if there are any, to see whether units are single.",
        )
    foreign = foreign_share(recording)
    named = _surely_foreign(recording, n_short, span_s)
    n_intervals = int(np.isfinite(time_since_own_spike_s(recording)).sum())
    share = n_short.sum() / max(n_intervals, 1)
    severity = Severity.WARNING if named.any() else Severity.FINE
    return Finding(
        topic=topic,
        severity=severity,
        summary=f"{percent(share)} of inter-spike intervals are below {limit}."
        + _say_foreign(recording, named, foreign),
        remedy="Look at these units' sorting: spikes of several neurons under one name make "
        "weights that belong to nobody. (Simulated neurons may simply have no refractory time.)"
        if named.any()
        else "",
        numbers={
            "share_of_short_intervals": float(share),
            "n_contaminated": int(named.sum()),
            "foreign_share": foreign.tolist(),
        },
    )


def _surely_foreign(
    recording: Recording, n_short: Int[np.ndarray, " neuron"], span_s: float
) -> Bool[np.ndarray, " neuron"]:
    """Neurons with more short intervals than `FOREIGN_SHARE` of other spikes would make."""
    by_chance = recording.n_spikes.astype(float) ** 2 * span_s / recording.duration_s
    allowed = by_chance * FOREIGN_SHARE * (2 - FOREIGN_SHARE)
    return poisson.sf(n_short - 1, allowed) < FALSE_ALARM / recording.n_neurons


def _say_foreign(
    recording: Recording, named: Bool[np.ndarray, " neuron"], foreign: np.ndarray
) -> str:
    if not named.any():
        return ""
    if np.all(foreign[named] > 0.9):
        return (
            f" In {counted(int(named.sum()), 'neuron')} they are as frequent as if there were no "
            f"refractory time at all: {_named(recording, named)}."
        )
    return (
        f" {counted(int(named.sum()), 'neuron')} must hold more than {100 * FOREIGN_SHARE:g} % of "
        f"other neurons' spikes (up to {100 * foreign[named].max():.0f} %): "
        f"{_named(recording, named)}."
    )


def stationarity(recording: Recording) -> Finding:
    """Whether rates drift: between quarters by more than between pieces of one; and lost units."""
    counts = _counts_in_blocks(recording)
    parts = counts.reshape(_N_PARTS, _BLOCKS_PER_PART, -1)
    rate = parts.mean(axis=1) + 0.5 / _BLOCKS_PER_PART
    change = rate.max(axis=0) / rate.min(axis=0)
    p_value = np.array([_kruskal(parts[:, :, i]) for i in range(recording.n_neurons)])
    named = (p_value < FALSE_ALARM / recording.n_neurons) & (change > CHANGE)
    named &= recording.n_spikes >= _FEW_SPIKES
    total = parts.sum(axis=(1, 2))
    overall = (total.max() + 0.5) / (total.min() + 0.5)
    by_chance = _kruskal(parts.sum(axis=2)) >= FALSE_ALARM
    lost = _lost(recording)
    severity = Severity.FINE
    if named.any() or lost or (overall > CHANGE and not by_chance):
        severity = Severity.NOTE
    if named.mean() > 0.25 or (overall > 2 * CHANGE and not by_chance):
        severity = Severity.WARNING
    summary = (
        f"Between quarters of the recording the rate of all neurons together changes by a factor "
        f"of {overall:.2f}."
    )
    if named.any():
        summary += (
            f" {counted(int(named.sum()), 'neuron')} changed by a factor above {CHANGE:g}, more "
            f"than within a quarter (up to {change[named].max():.3g}): {_named(recording, named)}."
        )
    if lost:
        summary += (
            f" {counted(len(lost), 'neuron')} went silent for a stretch in which many spikes are "
            f"expected: {listed(lost)}."
        )
    return Finding(
        topic="drift",
        severity=severity,
        summary=summary,
        remedy="One set of weights is fitted to all of the recording. Fit states apart (--epochs), "
        "or a stretch in which rates hold (--minutes), and leave out units that were lost."
        if severity > Severity.FINE
        else "",
        numbers={
            "change_of_all": float(overall),
            "n_drifting": int(named.sum()),
            "n_lost": len(lost),
            "change_per_neuron": change.tolist(),
        },
    )


def _lost(recording: Recording) -> list[str]:
    """Neurons that were lost for a stretch, as one silence of theirs shows, and which it is."""
    passed_s, whole_s = _recorded_before_s(recording), np.array([[0.0, recording.duration_s]])
    trains = np.split(passed_s[by_neuron(recording)], np.cumsum(recording.n_spikes)[:-1])
    said = []
    for name, times_s in zip(recording.neuron_ids, trains, strict=True):
        if len(times_s) < _FEW_SPIKES:
            continue
        for start, stop in silent_stretches(whole_s, times_s)[:1] / recording.duration_s:
            said.append(f"{name} (from {percent(start)} to {percent(stop)} of the time)")
    return said


def _recorded_before_s(recording: Recording) -> Float[np.ndarray, " spike"]:
    """Recorded time before each spike, gaps left out."""
    epochs = recording.epochs_s
    length = epochs[:, 1] - epochs[:, 0]
    before = np.cumsum(length) - length
    epoch = np.searchsorted(epochs[:, 0], recording.spike_times_s, side="right") - 1
    return before[epoch] + recording.spike_times_s - epochs[epoch, 0]


def _counts_in_blocks(recording: Recording) -> Int[np.ndarray, "block neuron"]:
    """Spikes in equally long blocks of recorded time, gaps left out."""
    passed = _recorded_before_s(recording)
    n_blocks = _N_PARTS * _BLOCKS_PER_PART
    block = np.minimum((passed / recording.duration_s * n_blocks).astype(np.int64), n_blocks - 1)
    counts = np.zeros((n_blocks, recording.n_neurons), np.int64)
    np.add.at(counts, (block, recording.spike_neurons), 1)
    return counts


def _kruskal(parts: Int[np.ndarray, "part block"]) -> float:
    if np.all(parts == parts[0, 0]):
        return 1.0
    return float(kruskal(*parts).pvalue)


def _named(recording: Recording, which: Bool[np.ndarray, " neuron"]) -> str:
    return listed(recording.neuron_ids[i] for i in np.flatnonzero(which))
