"""Whether spike times can be seconds of one clock, said before anything is computed from them."""

import numpy as np

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import Alarm, counted, units_named
from spikeweft.errors import InputError

_FEW_SPIKES = 20
"""Fewer spikes tell nothing about their clock."""

_LONG_S, _RARE_HZ = 6 * 3600.0, 0.5
"""Times that span more, at rates below, may be milliseconds: twenty seconds of them do."""

_PER_MILLISECOND = (1, 2, 5, 10, 20, 24, 25, 30, 32, 40, 48, 50)
"""Samples that amplifiers take: as seconds, such times lie on a grid that is far too coarse."""

_LONGEST_S = 1e7

_SOON_S = 1.0
"""Within this a neuron fires again now and then, and within a millisecond it does not."""

_EXPECTED, _NONE_OF = 30.0, 0.01
"""Where so many should, and a hundredth of them do, times are not seconds."""

_LEAST_HZ = 0.1
"""At least so often the units of a recording fire in the median, if its times were milliseconds."""

_ROUNDING = 1e-3

_FAR, _FEW_SHARE = 5.0, 0.05
"""A few spikes, farther from all others than five times the span of those, were not recorded."""

_RESTART_S, _OFTEN = 1.0, 0.05
"""Smaller steps back are mended by sorting; times that step back more often were never sorted."""

_BINNED_S = 1e-3
"""Spikes of one unit on coarser grids may share a time."""

_COARSE_S = 3e-4
"""Finer rounding, which 32 bits give for more than an hour, blurs no synapse."""

_REPEATED, _MOSTLY = 0.1, 0.5


def check_clock(contents: FileContents) -> tuple[Alarm, ...]:
    """What is wrong with the clock of these spikes.

    Raises
    ------
    InputError
        Where times are samples, milliseconds, padding, or mostly repeated.
    """
    _check_finite(contents)
    if len(contents.spike_times_s) < _FEW_SPIKES:
        return ()
    times = np.sort(contents.spike_times_s)
    _check_samples(contents, times)
    _check_padding(contents, times)
    _check_milliseconds(contents, times)
    return (*_restarts(contents), *_rounded(contents, times), *_repeats(contents))


def _check_finite(contents: FileContents) -> None:
    times = contents.spike_times_s
    if len(times) == 0:
        raise InputError(
            f"the units of {contents.path} hold no spikes; choose others, or a recording that has "
            "some"
        )
    bad = ~np.isfinite(times)
    if bad.any():
        first = contents.unit_ids[contents.spike_units[bad][0]]
        raise InputError(
            f"{counted(int(bad.sum()), 'spike time')} in {contents.path} are not finite, the first "
            f"of unit {first!r}; remove them from the file, or exclude the unit"
        )


def _check_samples(contents: FileContents, times: np.ndarray) -> None:
    if np.all(times == np.rint(times)) and times[-1] > times[0] + _FEW_SPIKES:
        raise InputError(
            f"the spike times in {contents.path} are all whole numbers, up to {times[-1]:,.0f}: "
            "are these samples or milliseconds? Give seconds: divide by the sampling rate, by "
            "1,000 or, where they are microseconds, by 1,000,000"
        )


def _check_milliseconds(contents: FileContents, times: np.ndarray) -> None:
    span_s = times[-1] - times[0]
    rate_hz = float(np.median(contents.n_spikes[contents.n_spikes > 0])) / max(span_s, 1e-9)
    if span_s < _LONG_S or rate_hz > _RARE_HZ:
        return
    found, expected = _sooner(contents, _SOON_S)
    grid = next((r for r in _PER_MILLISECOND if _all_whole(r * times)), None)
    if span_s > _LONGEST_S:
        reason = "no recording is that long"
    elif grid is not None:
        reason = f"all lie on a grid of 1/{grid} s"
    elif expected > _EXPECTED and found < _NONE_OF * expected:
        reason = f"no unit fires twice within {_SOON_S:g} s, where {expected:,.0f} are expected to"
    else:
        return
    unit, factor = ("milliseconds", 1e3) if 1e3 * rate_hz > _LEAST_HZ else ("microseconds", 1e6)
    raise InputError(
        f"the spikes in {contents.path} span {span_s / 3600:.3g} h at a median of {rate_hz:.2g} Hz "
        f"per unit, and {reason}: are these {unit}? Give seconds: divide by {factor:,.0f}"
    )


def _all_whole(values: np.ndarray) -> bool:
    return bool(np.all(np.abs(values - np.rint(values)) < _ROUNDING))


def _sooner(contents: FileContents, threshold_s: float) -> tuple[int, float]:
    """Intervals within units that are shorter, and how many would be by chance."""
    order = np.lexsort((contents.spike_times_s, contents.spike_units))
    times, units = contents.spike_times_s[order], contents.spike_units[order]
    apart = np.diff(times)[np.diff(units) == 0]
    expected = np.sum(contents.n_spikes.astype(float) ** 2) * threshold_s / np.ptp(times)
    return int(np.sum((apart > 0) & (apart < threshold_s))), float(min(expected, len(times)))


def _check_padding(contents: FileContents, times: np.ndarray) -> None:
    gap = np.diff(times)
    for first in np.argsort(-gap)[:2]:
        before, after = times[: first + 1], times[first + 1 :]
        few, many = sorted((before, after), key=len)
        if len(few) > _FEW_SHARE * len(times) or gap[first] <= _FAR * np.ptp(many):
            continue
        lie = np.isin(contents.spike_times_s, few)
        names = [contents.unit_ids[unit] for unit in np.unique(contents.spike_units[lie])]
        where = f"at {few[0]:g} s" if np.ptp(few) == 0 else f"from {few[0]:g} to {few[-1]:g} s"
        side = "before the next" if few is before else "after all others"
        raise InputError(
            f"{counted(len(few), 'spike')} in {contents.path} lie {where}, {gap[first]:,.0f} s "
            f"{side}, of {units_named(names)}: padding, perhaps; remove them from the file, or "
            f"exclude the unit{'' if len(names) == 1 else 's'}"
        )


def _restarts(contents: FileContents) -> tuple[Alarm, ...]:
    """Units whose times step back as a clock does that starts again."""
    order = np.argsort(contents.spike_units, kind="stable")
    times, units = contents.spike_times_s[order], contents.spike_units[order]
    step_s = np.where(np.diff(units) == 0, np.diff(times), 0.0)
    back = step_s < -_RESTART_S
    often = np.bincount(units[1:][step_s < 0], minlength=contents.n_units)
    restarted = np.unique(units[1:][back])
    restarted = restarted[often[restarted] <= np.maximum(1, _OFTEN * contents.n_spikes[restarted])]
    if len(restarted) == 0:
        return ()
    farthest_s = -step_s[np.isin(units[1:], restarted)].min()
    names = [contents.unit_ids[unit] for unit in restarted]
    return (
        Alarm(
            f"the times of {len(names)} of {contents.n_units} units step back by up to "
            f"{farthest_s:.4g} s, as if the clock had started again, and were sorted, which lays "
            "the parts over each other; if it did, add to the times of each part when it began, "
            "or give the parts apart"
        ),
    )


def _rounded(contents: FileContents, times: np.ndarray) -> tuple[Alarm, ...]:
    """Whether times were kept in 32 bits, which late in a recording are too few."""
    step_s = float(np.spacing(np.float32(np.abs(times).max())))
    apart_s = np.diff(times)
    if step_s < _COARSE_S or np.any(times != times.astype(np.float32)):
        return ()
    if np.min(apart_s[apart_s > 0], initial=np.inf) > step_s:
        return ()
    return (
        Alarm(
            f"the spike times in {contents.path.name} were written in 32 bits, which are good to "
            f"{1e3 * step_s:.2g} ms only at {times[-1]:,.0f} s; write them in 64 bits"
        ),
    )


def _repeats(contents: FileContents) -> tuple[Alarm, ...]:
    """Units that list spikes more than once."""
    order = np.lexsort((contents.spike_times_s, contents.spike_units))
    times, units = contents.spike_times_s[order], contents.spike_units[order]
    same = (np.diff(units) == 0) & (np.diff(times) == 0)
    n_repeated = np.bincount(units[1:][same], minlength=contents.n_units)
    distinct = np.unique(times)
    if not same.any() or (len(distinct) > 1 and np.min(np.diff(distinct)) > _BINNED_S):
        return ()
    share = n_repeated / np.maximum(contents.n_spikes, 1)
    often = np.flatnonzero(share > _REPEATED)
    names = units_named(contents.unit_ids[unit] for unit in often)
    if same.mean() > _MOSTLY:
        raise InputError(
            f"{same.sum():,} of {len(times):,} spikes in {contents.path} are listed more than once "
            f"by the same unit ({names}); list each spike once, or exclude the unit"
        )
    if len(often) == 0:
        return ()
    n_listed = int(n_repeated[often].sum())
    return (
        Alarm(
            f"{n_listed:,} spikes are listed more than once by {names}, and each counts as often; "
            "list each spike once, or exclude the unit"
        ),
    )
