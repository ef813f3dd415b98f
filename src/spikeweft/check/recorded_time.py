"""Time: what was recorded, what is missing, and how finely spikes are timed."""

import numpy as np

from spikeweft.check.findings import Finding, Severity, percent
from spikeweft.data.epochs import lasting_s, silent_stretches
from spikeweft.data.file_contents.sentences import counted, lasting
from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import CONTINUOUS_RESOLUTION_S, FINEST_GRID_S, Recording
from spikeweft.data.scored_time import scored_epochs

_FINE_S, _COARSE_S = 1e-3, 5e-3


def gaps(recording: Recording) -> Finding:
    """Gaps between epochs, and what of the time can be scored."""
    scored = scored_epochs(recording, HISTORY_WINDOW_S)
    lost = 1.0 - float(np.sum(scored[:, 1] - scored[:, 0])) / recording.duration_s
    gap_s = recording.epochs_s[1:, 0] - recording.epochs_s[:-1, 1]
    if len(gap_s) == 0:
        summary = (
            f"One stretch of {lasting(recording.duration_s)} without a gap, of which "
            f"{percent(lost)} is not scored, for want of what came before."
        )
    else:
        length_s = np.diff(recording.epochs_s)
        summary = (
            f"{lasting(recording.duration_s)} in {len(length_s)} stretches, median "
            f"{lasting(float(np.median(length_s)))}, with {counted(len(gap_s), 'gap')}, the "
            f"longest {lasting(gap_s.max())}. No spike history is carried across a gap, so "
            f"{percent(lost)} of the time is not scored."
        )
    severity = Severity.FINE if lost < 0.02 else Severity.NOTE
    if lost > 0.1:
        severity = Severity.WARNING
    return Finding(
        topic="epochs and gaps",
        severity=severity,
        summary=summary,
        remedy=_to_score_more(len(gap_s)) if severity is Severity.WARNING else "",
        numbers={
            "n_epochs": len(recording.epochs_s),
            "longest_gap_s": float(gap_s.max()) if len(gap_s) else 0.0,
            "share_not_scored": lost,
        },
    )


def _to_score_more(n_gaps: int) -> str:
    if n_gaps:
        return "Leave out the shortest epochs, or join those that were recorded without a pause."
    return "Record for longer."


def unmarked_gaps(recording: Recording) -> Finding:
    """Whether the recording seems to have stopped without saying so."""
    found = silent_stretches(recording.epochs_s, recording.spike_times_s)
    if len(found) == 0:
        return Finding(
            topic="unmarked gaps",
            severity=Severity.FINE,
            summary="No stretch inside an epoch is suspiciously silent in all neurons.",
            numbers={"pauses_s": []},
        )
    first, lost_s = found[0], lasting_s(found)
    return Finding(
        topic="unmarked gaps",
        severity=Severity.WARNING,
        summary=f"No neuron fires during {counted(len(found), 'pause')} of {lasting(lost_s)} in "
        f"all, the first from {first[0]:.6g} to {first[1]:.6g} s, though many spikes are expected.",
        remedy="If the recording was interrupted there, give the epochs: a model takes silence "
        "for inhibition.",
        numbers={"pauses_s": found.tolist()},
    )


def time_resolution(recording: Recording) -> Finding:
    """How finely spikes are timed, and how many have no order."""
    resolution_s = recording.time_resolution_s
    shared = share_of_simultaneous_spikes(recording)
    severity = Severity.FINE if resolution_s <= _FINE_S else Severity.NOTE
    if resolution_s > _COARSE_S:
        severity = Severity.WARNING
    return Finding(
        topic="time resolution",
        severity=severity,
        summary=f"Spike times lie on {_grid(resolution_s)}. {percent(shared)} of "
        "spikes coincide with a spike of another neuron; which came first is not known.",
        remedy=f"Take finer spike times, if there are any: a connection that acts within "
        f"{1e3 * resolution_s:g} ms cannot be seen, and time constants below it are not tried."
        if severity > Severity.FINE
        else "",
        numbers={"time_resolution_s": resolution_s, "share_of_spikes_without_order": shared},
    )


def _grid(resolution_s: float) -> str:
    """The grid of spike times; a resolution that was assumed, for want of one, is none."""
    if resolution_s <= CONTINUOUS_RESOLUTION_S:
        return f"no grid coarser than {1e3 * FINEST_GRID_S:g} ms"
    return f"a grid of {1e3 * resolution_s:g} ms"


def share_of_simultaneous_spikes(recording: Recording) -> float:
    """Share of spikes that coincide with a spike of another neuron."""
    _, step = np.unique(recording.spike_steps, return_inverse=True)
    first = np.full(step.max() + 1, -1)
    first[step[::-1]] = recording.spike_neurons[::-1]
    several = np.zeros(len(first), dtype=bool)
    several[step[recording.spike_neurons != first[step]]] = True
    return float(np.mean(several[step]))
