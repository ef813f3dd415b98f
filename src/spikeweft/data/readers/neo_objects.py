"""Recordings from Neo objects."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from spikeweft.data.file_contents.chosen_recording import chosen_recording, with_warnings_shown
from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch
from spikeweft.data.file_contents.selection import USUAL
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    import neo


# ---- Neo ------------------------------------------------------------------------------------

_NEURON_NAMES = ("neuron_id", "unit_id", "cluster_id", "channel_id")


def from_neo(spikes: "neo.Block | neo.Segment | Sequence[neo.SpikeTrain]") -> Recording:
    """Recording from a Neo block, a segment, or a list of spike trains, one per neuron.

    Times of any unit become seconds. A segment is an epoch: the time in which all its neurons were
    observed, from the latest `t_start` of its trains to the earliest `t_stop`; spikes outside it
    are left out. Segments of a block are of the same neurons, and lie apart in time.

    Neurons are named by the first annotation that tells all of them apart, of `neuron_id`,
    `unit_id`, `cluster_id` and `channel_id`, else by the trains' `name`, else by their index. An
    annotation `angle_rad` of every train is its preferred direction, of any unit, radians where it
    has none. An array annotation, which has one value per spike, counts as one of the neuron where
    all its spikes agree.

    Raises
    ------
    InputError
        Where Neo is not installed, the object is another or holds no spikes, the neurons of a
        segment were never observed together, or segments overlap or are of other neurons.
    """
    loaded = chosen_recording(neo_contents(spikes, Path("the Neo object")), USUAL)
    return with_warnings_shown(loaded)


def neo_contents(spikes: Any, path: Path) -> FileContents:
    """What a Neo block, a segment or a list of spike trains holds; as `from_neo` reads it."""
    segments = _neo_segments(spikes)
    names = [_neo_names(trains) for trains in segments]
    for number, others in enumerate(names):
        if sorted(others) != sorted(names[0]):
            raise InputError(
                f"segment {number} has the neurons {listed(others)}, but the first one has "
                f"{listed(names[0])}; give segments of the same neurons"
            )
    _check_spans(segments)
    by_name = [dict(zip(*pair, strict=True)) for pair in zip(names, segments, strict=True)]
    return FileContents.of_trains(
        path,
        [np.concatenate([_seconds(trains[name].times) for trains in by_name]) for name in names[0]],
        names[0],
        observed_s=[np.array([_span_s(trains[name]) for trains in by_name]) for name in names[0]],
        epochs={"segments": [_segment_epoch(trains) for trains in segments]},
        usual_epochs="segments",
        preferred_angle_rad=_neo_angles(segments[0]),
    )


def _segment_epoch(trains: "list[neo.SpikeTrain]") -> LabelledEpoch:
    spans_s = np.array([_span_s(train) for train in trains])
    return LabelledEpoch(float(spans_s[:, 0].min()), float(spans_s[:, 1].max()), frozenset())


def _span_s(train: "neo.SpikeTrain") -> tuple[float, float]:
    return float(_seconds(train.t_start)), float(_seconds(train.t_stop))


def _neo_segments(spikes: Any) -> "list[list[neo.SpikeTrain]]":
    """The trains of each segment; a list of trains is one segment."""
    with needs_extra("neo"):
        import neo
    if isinstance(spikes, neo.Block):
        segments = [list(segment.spiketrains) for segment in spikes.segments]
    elif isinstance(spikes, neo.Segment):
        segments = [list(spikes.spiketrains)]
    else:
        segments = [list(spikes) if isinstance(spikes, Iterable) else [spikes]]
    for item in (item for trains in segments for item in trains):
        if not isinstance(item, neo.SpikeTrain):
            raise InputError(
                f"a {type(item).__name__} is no spike train; give a neo.Block, a neo.Segment or a "
                "list of neo.SpikeTrain, loaded"
            )
    if not segments or not all(segments):
        raise InputError("there are no spike trains in it; give one per neuron in every segment")
    return segments


def _neo_names(trains: "list[neo.SpikeTrain]") -> list[str]:
    annotated = [[_annotation(train, key) for train in trains] for key in _NEURON_NAMES]
    for found in (*annotated, [train.name or None for train in trains]):
        names = [str(name) for name in found if name is not None]
        if len(set(names)) == len(trains):
            return names
    return [str(number) for number in range(len(trains))]


def _annotation(train: "neo.SpikeTrain", key: str) -> Any:
    """An annotation of a train, or one that all its spikes share; None where there is none."""
    if key in train.annotations:
        return train.annotations[key]
    of_spikes = np.unique(np.asarray(train.array_annotations.get(key, ())))
    return of_spikes[0] if len(of_spikes) == 1 else None


def _neo_angles(trains: "list[neo.SpikeTrain]") -> Float[np.ndarray, " neuron"] | None:
    angles = [_annotation(train, "angle_rad") for train in trains]
    if any(angle is None for angle in angles):
        return None
    in_rad = [angle.rescale("rad") if hasattr(angle, "rescale") else angle for angle in angles]
    return np.array([float(angle) for angle in in_rad])


def _check_spans(segments: "list[list[neo.SpikeTrain]]") -> None:
    """Refuse segments whose neurons were never observed together, and those that overlap."""
    each = [np.array([_span_s(train) for train in trains]) for trains in segments]
    spans_s = np.array([[spans[:, 0].max(), spans[:, 1].min()] for spans in each])
    for number in np.flatnonzero(spans_s[:, 1] <= spans_s[:, 0]):
        raise InputError(
            f"the neurons of segment {number} were never observed together: one starts at "
            f"{spans_s[number, 0]:g} s and another stops at {spans_s[number, 1]:g} s; leave one out"
        )
    order = np.argsort(spans_s[:, 0], kind="stable")
    for first, second in itertools.pairwise(order):
        if spans_s[second, 0] < spans_s[first, 1]:
            raise InputError(
                f"segments {first} and {second} overlap: they start at {spans_s[first, 0]:g} and "
                f"{spans_s[second, 0]:g} s; shift them apart with SpikeTrain.time_shift"
            )


def _seconds(times: Any) -> np.ndarray:
    return np.asarray(times.rescale("s").magnitude, dtype=float)
