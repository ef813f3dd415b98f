"""Events as covariates: bumps at fixed times around each, from which a response is put together."""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.covariate import AT_LAG, Covariate
from spikeweft.data.file_contents.contents import EventTimes
from spikeweft.data.file_contents.sentences import counted, span
from spikeweft.errors import InputError

N_BUMPS = 10
"""Per event; chosen: 0.12 s apart in the usual window."""

USUAL_WINDOW_S = (-0.5, 1.0)

_STEPS = 24
"""Samples from the peak of a bump to that of the next."""

_MOST_SAMPLES = 6_000_000

_SHORTEST_S = 1e-3


def event_covariates(
    name: str,
    event_times_s: Float[np.ndarray, " event"],
    window_s: tuple[float, float] = USUAL_WINDOW_S,
) -> dict[str, Covariate]:
    r"""Raised cosines around each event; their weighted sum is a smooth response to it.

    .. math::

        b_k(t) = \sum_e \tfrac12\Bigl[1 + \cos\Bigl(
            \frac{\pi (t - t_e - c_k)}{2 d}\Bigr)\Bigr], \qquad |t - t_e - c_k| < 2 d

    (Pillow et al. 2008; on a linear axis of time, as Park et al. 2014 take it for events, since
    what comes before an event needs bumps as fine as what follows it). The `N_BUMPS` peaks c_k lie
    d apart, and all bumps vanish at both ends of the window. Where windows of events overlap,
    bumps add up. Samples lie around events; elsewhere, all are zero.

    Parameters
    ----------
    name
        What the event is called; a bump is called so, and by the time of its peak after the event.
    event_times_s
        Times of the events in seconds, in any order.
    window_s
        From when to when after an event its response lasts, in seconds; negative is before.

    Raises
    ------
    InputError
        Where there is no event, the window is none, or both together need too many samples.
    """
    start_s, stop_s = window_s
    if not (np.isfinite(start_s) and np.isfinite(stop_s) and stop_s - start_s >= _SHORTEST_S):
        raise InputError(
            f"an event's window from {start_s:g} to {stop_s:g} s is none; give seconds after the "
            f"event, the earlier first, at least {_SHORTEST_S:g} s apart"
        )
    if len(event_times_s) == 0 or not np.isfinite(event_times_s).all():
        raise InputError(f"the events {name!r} need at least one time, and finite ones")
    apart_s = (stop_s - start_s) / (N_BUMPS + 3)
    lags_s, place, times_s = _samples(name, event_times_s, window_s, apart_s / _STEPS)
    found = {}
    for peak_s in start_s + apart_s * (2 + np.arange(N_BUMPS)):
        phase = np.clip((lags_s - peak_s) / (2 * apart_s), -1, 1)
        values = np.bincount(place, 0.5 * (1 + np.cos(np.pi * phase)), len(times_s))
        found[name + AT_LAG + _lag(peak_s, apart_s)] = Covariate(times_s=times_s, values=values)
    return found


def _lag(peak_s: float, apart_s: float) -> str:
    """When a bump peaks, by as many digits as tell it from the next."""
    digits = max(0, 1 - int(np.floor(np.log10(apart_s))))
    rounded_s = round(float(peak_s), digits) + 0.0  # no zero is negative
    return np.format_float_positional(rounded_s, trim="-", sign=True) + " s"


def _samples(
    name: str,
    event_times_s: Float[np.ndarray, " event"],
    window_s: tuple[float, float],
    step_s: float,
) -> tuple[Float[np.ndarray, " pair"], Int[np.ndarray, " pair"], Float[np.ndarray, " sample"]]:
    """Lag of each sample after each event whose window it is in, its number, and its time.

    Samples lie on one grid; the first and the last of a window are outside, where bumps are zero.
    """
    n_offsets = int(np.ceil((window_s[1] - window_s[0]) / step_s)) + 2
    if len(event_times_s) * n_offsets > _MOST_SAMPLES:
        raise InputError(
            f"the {counted(len(event_times_s), 'event')} {name!r} are too many to be covariates; "
            "ask for rarer ones, or sample their rate as a variable"
        )
    first = np.floor((event_times_s + window_s[0]) / step_s).astype(np.int64)
    steps = (first[:, None] + np.arange(n_offsets)).ravel()
    lags_s = steps * step_s - np.repeat(event_times_s, n_offsets)
    numbers, place = np.unique(steps, return_inverse=True)
    return lags_s, place, numbers * step_s


def are_times(events: EventTimes) -> bool:
    """Whether these numbers can be times on the clock of the table that they stand in.

    An event of a trial lies in it, or about as near as the next trial; what is counted from the
    start of its trial, or is no time at all, mostly does not.
    """
    present = np.isfinite(events.times_s)
    if not present.any():
        return False
    if len(events.rows_s) == 0:
        return True
    times_s, (start_s, stop_s) = events.times_s[present], events.rows_s[present].T
    outside_s = np.fmax(np.fmax(start_s - times_s, times_s - stop_s), 0.0)
    apart_s = np.diff(np.unique(events.rows_s[:, 0]))
    usual_s = np.median(apart_s) if len(apart_s) else np.nanmax(stop_s - start_s)
    return bool(np.mean(outside_s <= usual_s) > 0.5)


def covariates_of_events(
    name: str,
    events: EventTimes,
    epochs_s: Float[np.ndarray, "epoch 2"],
    window_s: tuple[float, float],
) -> tuple[dict[str, Covariate], tuple[str, ...]]:
    """Bumps around the events of a column, and what is odd about these.

    Raises
    ------
    InputError
        Where the column holds no times of the recording's clock.
    """
    times_s = events.times_s[np.isfinite(events.times_s)]
    if len(times_s) == 0:
        raise InputError(f"the events {name!r} have no times; leave them out")
    lie = f"the events {name!r} lie {span(times_s.min(), times_s.max())}"
    if not are_times(events):
        raise InputError(
            f"{lie}, most of them far from their own rows of the table: "
            "are they counted from the start of each row? Give times on the recording's clock"
        )
    order = np.searchsorted(epochs_s[:, 0], times_s, side="right") - 1
    inside = (order >= 0) & (times_s <= epochs_s[np.maximum(order, 0), 1])
    if not inside.any():
        raise InputError(
            f"{lie}, and the time that is used {span(epochs_s[0, 0], epochs_s[-1, 1])} has none: "
            "give both the same clock, or choose other epochs"
        )
    n_missing, n_outside = len(events.times_s) - len(times_s), int(np.sum(~inside))
    said = [
        f"{number} of {counted(len(events.times_s), 'event')} {name!r} {have}"
        for number, have in (
            (n_missing, "have no time and are left out"),
            (n_outside, "lie outside the epochs"),
        )
        if number
    ]
    acts = (times_s + window_s[1] > epochs_s[0, 0]) & (times_s + window_s[0] < epochs_s[-1, 1])
    return event_covariates(name, times_s[acts | inside], window_s), tuple(said)
