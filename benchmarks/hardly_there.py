"""Recordings in which some units are hardly there: they should make no difference to others.

- `silent`: as many units beside the others that never fire.
- `late`: one unit that fires only in a part of the time, as one that drifts into view; or only in
  what is held out from the fit, or only in what scores it.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from spikeweft.data.recording import Recording

N_SILENT = 52
LATE = 3
"""The unit that is late."""


class Interval(NamedTuple):
    """From when to when, as parts of the whole recording, the late unit fires."""

    start: float
    stop: float


WAYS = {
    "from 60 %": Interval(0.6, 1.0),
    "from 82 %": Interval(0.82, 1.0),
    "from 82 to 89 %": Interval(0.82, 0.89),
    "from 92 %": Interval(0.92, 1.0),
}


def with_silent(recording: Recording) -> Recording:
    """The recording with units beside the others that never fire."""
    return Recording.from_arrays(
        recording.spike_times_s,
        recording.spike_neurons,
        n_neurons=recording.n_neurons + N_SILENT,
        epochs_s=recording.epochs_s,
        time_resolution_s=recording.time_resolution_s,
    )


def with_late(recording: Recording, way: str, whole_s: float) -> Recording:
    """The recording with one unit that is seen only in a part of a time that lasts `whole_s`."""
    interval, times_s = WAYS[way], recording.spike_times_s
    is_seen = (times_s > interval.start * whole_s) & (times_s < interval.stop * whole_s)
    kept = is_seen | (recording.spike_neurons != LATE)
    return replace(
        recording, spike_times_s=times_s[kept], spike_neurons=recording.spike_neurons[kept]
    )


def others(n_neurons: int) -> np.ndarray:
    """All neurons but the late one."""
    return np.delete(np.arange(n_neurons), LATE)
