"""Recordings from and to pynapple objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.file_contents.chosen_recording import chosen_recording, with_warnings_shown
from spikeweft.data.file_contents.contents import (
    EventTimes,
    FileContents,
    LabelledEpoch,
    SampledSeries,
)
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pynapple

    Sampled = pynapple.Tsd | pynapple.TsdFrame | pynapple.Ts | pynapple.IntervalSet


def from_pynapple(
    spikes: "pynapple.TsGroup",
    epochs: "pynapple.IntervalSet | None" = None,
    covariates: "Mapping[str, Sampled] | None" = None,
    event_window_s: tuple[float, float] = USUAL_WINDOW_S,
) -> Recording:
    """Recording from a pynapple `TsGroup`, its epochs (else its time support) and covariates.

    Neurons are named by the metadata column `neuron_id` where there is one, else by their index,
    and a column `angle_rad` is their preferred direction. A covariate is an angle where its name
    says so and its values are radians; each column of a `TsdFrame` is one. Time for which one has
    no samples is left out. The times of a `Ts`, and the starts of an `IntervalSet`, are events,
    which raised cosines in a window around them stand for (`event_covariates`).

    Raises
    ------
    InputError
        Where there are no spikes, or none inside the epochs, or a covariate has no samples there.
    """
    if epochs is not None:
        spikes = spikes.restrict(epochs)
    support = spikes.time_support
    given = dict(covariates or {})
    events = {name: when for name, thing in given.items() if (when := _events(thing)) is not None}
    known = spikes.metadata_columns
    contents = FileContents.of_trains(
        Path("the TsGroup"),
        [np.asarray(spikes[key].index.values, dtype=float) for key in spikes.index],
        [str(name) for name in (spikes["neuron_id"] if "neuron_id" in known else spikes.index)],
        epochs={
            "support": [
                LabelledEpoch(float(start), float(stop), frozenset())
                for start, stop in zip(support.start, support.end, strict=True)
            ]
        },
        usual_epochs="support",
        series={
            column_name: series
            for name, sampled in given.items()
            if name not in events
            for column_name, series in _series(name, sampled).items()
        },
        events=events,
        preferred_angle_rad=(
            np.asarray(spikes["angle_rad"], dtype=float) if "angle_rad" in known else None
        ),
    )
    asked = Selection(
        covariates=(*contents.series, *contents.events), event_window_s=event_window_s
    )
    return with_warnings_shown(chosen_recording(contents, asked))


def _events(given: Any) -> EventTimes | None:
    """The times of a `Ts`, or the starts of an `IntervalSet`; None where it is neither."""
    kind = type(given).__name__
    if kind not in ("Ts", "IntervalSet"):
        return None
    times_s = given.index.values if kind == "Ts" else given.start
    return EventTimes(np.asarray(times_s, dtype=float), np.zeros((0, 2)))


def _series(name: str, sampled: Any) -> dict[str, SampledSeries]:
    """A `Tsd`, or each column of a `TsdFrame`."""
    values = getattr(sampled, "values", None)
    times_s = np.asarray(sampled.index.values, dtype=float)
    if values is None or np.ndim(values) > 2 or len(times_s) == 0:
        raise InputError(
            f"the covariate {name!r} is a {type(sampled).__name__} without a value for each time; "
            "give a Tsd, or a TsdFrame"
        )
    if np.ndim(values) == 1:
        return {name: _of_values(times_s, values)}
    return {
        f"{name}_{column}": _of_values(times_s, values[:, number])
        for number, column in enumerate(sampled.columns)
    }


def _of_values(times_s: np.ndarray, values: np.ndarray) -> SampledSeries:
    span_s = (float(times_s[0]), float(times_s[-1]))
    return SampledSeries(
        unit="", n_samples=len(times_s), span_s=span_s, read=lambda: (times_s, values)
    )


def to_pynapple(recording: Recording) -> "tuple[pynapple.TsGroup, dict[str, pynapple.Tsd]]":
    """The recording's spikes, with its epochs as their time support, and its covariates."""
    import pynapple as nap

    support = nap.IntervalSet(recording.epochs_s[:, 0], recording.epochs_s[:, 1])
    metadata: dict[str, Any] = {"neuron_id": np.array(recording.neuron_ids)}
    if recording.preferred_angle_rad is not None:
        metadata["angle_rad"] = recording.preferred_angle_rad
    trains = {
        neuron: nap.Ts(
            recording.spike_times_s[recording.spike_neurons == neuron], time_support=support
        )
        for neuron in range(recording.n_neurons)
    }
    spikes = nap.TsGroup(trains, time_support=support, metadata=metadata)
    return spikes, {
        name: nap.Tsd(covariate.times_s, covariate.values)
        for name, covariate in recording.covariates.items()
    }
