"""Which time of a file is used: its epochs, where all units were observed, less what is invalid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spikeweft.data.epochs import intersection, lasting_s, union, without
from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch
from spikeweft.data.file_contents.sentences import Alarm, counted, listed, units_named
from spikeweft.errors import InputError

_COSTLY = 0.1
"""A unit that was not observed for this share of what all others were is named."""


def used_time(
    contents: FileContents, label: str | None
) -> tuple[Float[np.ndarray, "epoch 2"], tuple[str, ...]]:
    """Epochs that are used, and warnings about what is not.

    Raises
    ------
    InputError
        Where there are no such epochs, or the units were never observed together.
    """
    contents, about_observed = _with_sound_intervals(contents)
    epochs, warnings = _asked_for(contents, label)
    warnings += about_observed
    if contents.observed_s:
        epochs, said = _together(contents, epochs)
        warnings += said
    invalid_s, said = _invalid(contents)
    warnings += said
    valid = without(epochs, invalid_s)
    lost_s = lasting_s(epochs) - lasting_s(valid)
    if lost_s > 0:
        warnings += (f"{lost_s:g} s that the file calls invalid are left out",)
    if len(valid) == 0:
        raise InputError(f"all of {contents.path} that was asked for is called invalid; ask more")
    return valid, warnings


def _asked_for(
    contents: FileContents, label: str | None
) -> tuple[Float[np.ndarray, "epoch 2"], tuple[str, ...]]:
    name = contents.usual_epochs if label is None else label
    first_s, last_s = contents.span_s
    if name is None:
        observed = np.concatenate([np.zeros((0, 2)), *contents.observed_s])
        if len(observed) == 0 and first_s == last_s:
            raise InputError(
                f"the spikes chosen from {contents.path} all lie at {first_s:g} s, which is no "
                "time at all; choose more units, or state epochs"
            )
        return union(observed) if len(observed) else np.array([[first_s, last_s]]), ()
    kept = []
    chosen, warnings = choose_epochs(contents.epochs, name, contents.path)
    for table, row, epoch in chosen:
        stop_s, said = _stop_of(epoch, last_s)
        if said:
            warnings += (f"row {row} of the table {table!r} {said}",)
        if stop_s is None:
            continue
        if stop_s < epoch.start_s:
            raise InputError(
                f"row {row} of the table {table!r} in {contents.path} stops at {stop_s:g} s before "
                f"it starts at {epoch.start_s:g} s; correct it"
            )
        kept.append((epoch.start_s, stop_s))
    spans = [span for span in kept if span[1] > span[0]]
    if not spans:
        raise InputError(
            f"the epochs {name!r} of {contents.path} last no time at all; choose other epochs"
        )
    return union(np.array(spans)), warnings


def _stop_of(epoch: LabelledEpoch, last_s: float) -> tuple[float | None, str]:
    """When an epoch ends, None where it is left out, and what is odd about that."""
    if not np.isfinite(epoch.start_s):
        return None, "has no start and is left out"
    if np.isfinite(epoch.stop_s):
        return epoch.stop_s, ""
    if epoch.start_s >= last_s:
        return None, "has no stop, starts after the last spike, and is left out"
    return last_s, f"has no stop; it is ended at the last spike, {last_s:.6g} s"


def _invalid(contents: FileContents) -> tuple[Float[np.ndarray, "span 2"], tuple[str, ...]]:
    """Intervals that are left out, and what is odd about them."""
    said = []
    for row, (start_s, stop_s) in enumerate(contents.invalid_s.tolist()):
        if stop_s < start_s:
            raise InputError(
                f"row {row} of the invalid times in {contents.path} stops at {stop_s:g} s before "
                f"it starts at {start_s:g} s; correct it"
            )
        missing = _missing_end(start_s, stop_s)
        if missing:
            said.append(f"row {row} of the invalid times has {missing}")
    return contents.invalid_s[np.isfinite(contents.invalid_s).any(1)], tuple(said)


def _missing_end(start_s: float, stop_s: float) -> str:
    """What an invalid interval has not, and what is made of that."""
    if np.isfinite(start_s) and np.isfinite(stop_s):
        return ""
    if np.isfinite(start_s):
        return f"no stop; all time from {start_s:.6g} s on is invalid"
    if np.isfinite(stop_s):
        return f"no start; all time to {stop_s:.6g} s is invalid"
    return "neither start nor stop and is left out"


def _with_sound_intervals(contents: FileContents) -> tuple[FileContents, tuple[str, ...]]:
    """The same, in which units without a stop were observed to the last spike."""
    last_s = contents.span_s[1]
    sound, no_start, no_stop = [], [], []
    for unit, intervals in enumerate(contents.observed_s):
        name = contents.unit_ids[unit]
        has_start = np.isfinite(intervals[:, 0])
        start_s, stop_s = intervals[has_start].T
        if not has_start.all():
            no_start.append(name)
        if not np.isfinite(stop_s).all():
            no_stop.append(name)
        stop_s = np.where(np.isfinite(stop_s), stop_s, np.maximum(last_s, start_s))
        if np.any(stop_s < start_s):
            first = np.flatnonzero(stop_s < start_s)[0]
            raise InputError(
                f"the unit {name!r} of {contents.path} was observed from {start_s[first]:g} to "
                f"{stop_s[first]:g} s, which ends before it starts; correct it"
            )
        sound.append(np.column_stack([start_s, stop_s]))
    said = []
    if no_start:
        said.append(f"observation of {units_named(no_start)} without a start is left out")
    if no_stop:
        of_units = f"the observation of {units_named(no_stop)} has no stop"
        said.append(f"{of_units}; it is ended at the last spike, {last_s:.6g} s")
    return replace(contents, observed_s=tuple(sound)), tuple(said)


def choose_epochs(
    tables: Mapping[str, list[LabelledEpoch]], label: str, path: Path
) -> tuple[list[tuple[str, int, LabelledEpoch]], tuple[str, ...]]:
    """Table, row and epoch of the table with this name, else of all epochs with this label.

    Beside them, a warning where the name means something else too.
    """
    of_table = [(label, row, epoch) for row, epoch in enumerate(tables.get(label, ()))]
    labelled = [
        (name, row, epoch)
        for name, epochs in tables.items()
        for row, epoch in enumerate(epochs)
        if name != label and label in epoch.labels
    ]
    if of_table or labelled:
        said = _about_name(label, bool(of_table), [name for name, _, _ in labelled])
        return of_table or labelled, said
    labels = {label for rows in tables.values() for row in rows for label in row.labels}
    known = sorted({*tables, *labels} - {""})
    if not known:
        raise InputError(f"{path} names no epochs, so '{label}' cannot be chosen; leave it out")
    raise InputError(f"{path} has no epochs '{label}'; choose from {listed(known)}")


def _about_name(label: str, is_table: bool, tables: list[str]) -> tuple[str, ...]:
    """What is odd about a name, by the table of each epoch that is labelled so."""
    named = listed(dict.fromkeys(tables))
    if is_table and tables:
        return (
            f"the epochs {label!r} are the table of that name; {counted(len(tables), 'row')} with "
            f"that label in {named} are not used",
        )
    if len(set(tables)) > 1:
        return (f"the epochs {label!r} are those with that label in several tables, {named}",)
    return ()


def _together(
    contents: FileContents, epochs: Float[np.ndarray, "before 2"]
) -> tuple[Float[np.ndarray, "epoch 2"], tuple[str, ...]]:
    """The part in which all units were observed; who shortens it is named."""
    groups = _groups(contents)
    if not groups:
        return epochs, ()
    observed = [union(contents.observed_s[members[0]]) for members in groups]
    common = epochs
    for intervals in observed:
        common = intersection(common, intervals)
    if len(common) == 0:
        raise InputError(_never_together(contents, epochs, groups, observed))
    return common, tuple(_costly(contents, epochs, groups, observed, lasting_s(common)))


def _groups(contents: FileContents) -> list[list[int]]:
    """Units that were observed at the same times, those without intervals left out."""
    groups: dict[bytes, list[int]] = {}
    for unit, intervals in enumerate(contents.observed_s):
        if len(intervals):
            groups.setdefault(intervals.tobytes(), []).append(unit)
    return list(groups.values())


def _never_together(
    contents: FileContents,
    epochs: Float[np.ndarray, "epoch 2"],
    groups: Sequence[list[int]],
    observed: Sequence[np.ndarray],
) -> str:
    inside = [intersection(epochs, intervals) for intervals in observed]
    for first in range(len(groups)):
        for second in range(first):
            if len(intersection(inside[first], inside[second])) == 0:
                a, b = (
                    units_named(contents.unit_ids[unit] for unit in groups[group])
                    for group in (second, first)
                )
                return (
                    f"{a} and {b} of {contents.path} were never observed together in the epochs "
                    "used; exclude one of the two"
                )
    return (
        f"the {sum(map(len, groups))} units of {contents.path} were never all observed together in "
        "the epochs used; exclude those that were observed the least"
    )


def _costly(
    contents: FileContents,
    epochs: Float[np.ndarray, "epoch 2"],
    groups: Sequence[list[int]],
    observed: Sequence[np.ndarray],
    common_s: float,
) -> list[Alarm]:
    """What leaving out each group of units would give, where it is much."""
    said = []
    for left_out, members in enumerate(groups):
        others = epochs
        for group, intervals in enumerate(observed):
            if group != left_out:
                others = intersection(others, intervals)
        gain_s = lasting_s(others) - common_s
        if gain_s > _COSTLY * lasting_s(others) and len(groups) > 1:
            named = units_named(contents.unit_ids[unit] for unit in members)
            costs, it = ("costs", "it") if len(members) == 1 else ("cost", "them")
            said.append(
                Alarm(
                    f"{named} {costs} {gain_s:.6g} s in which all others were observed: "
                    f"{common_s:.6g} s are used; exclude {it} to use {lasting_s(others):.6g} s"
                )
            )
    return said
