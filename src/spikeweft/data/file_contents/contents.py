"""What a file holds, whatever its format, before anything of it is chosen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.connectivity import Connectivity


class LabelledEpoch(NamedTuple):
    """An interval of a file, with the labels by which it can be chosen."""

    start_s: float
    stop_s: float
    labels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledSeries:
    """A variable that was sampled beside the spikes, and is read only when it is asked for.

    Attributes
    ----------
    unit
        As the file calls it; empty where it does not.
    n_samples
        How many samples there are.
    span_s
        Time of the first and of the last sample.
    read
        Times and values of all samples.
    is_angle
        Whether the values wrap around; None where name, unit and values tell.
    """

    unit: str
    n_samples: int
    span_s: tuple[float, float]
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    is_angle: bool | None = None


class EventTimes(NamedTuple):
    """When something happened, again and again.

    Attributes
    ----------
    times_s
        Times in seconds; NaN where it did not happen in a row.
    rows_s
        Interval of the row that each stands in; empty where rows are no intervals.
    """

    times_s: Float[np.ndarray, " event"]
    rows_s: Float[np.ndarray, "event_or_none 2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContents:
    """All that a reader finds in a file.

    Attributes
    ----------
    path
        The file, for what is said of it.
    spike_times_s, spike_units
        Every spike in the order of the file, and the row of its unit.
    unit_ids
        A name per unit.
    unit_columns
        What else the file says of each unit, by column.
    observed_s
        Intervals in which each unit was observed; empty where the file does not say.
    epochs
        Tables of intervals by name.
    usual_epochs
        The table whose epochs are kept where none are asked for; None where all time is.
    invalid_s
        Intervals that the file calls invalid; an end that it does not state is infinite.
    series
        Variables by name.
    events
        Columns of numbers that may be times of events, by table and column: "trials.cue_time".
    preferred_angle_rad, truth, time_resolution_s
        As in a `Recording` and beside it, where the file states them.
    warnings
        What the reader had to leave out.
    """

    path: Path
    spike_times_s: Float[np.ndarray, " spike"]
    spike_units: Int[np.ndarray, " spike"]
    unit_ids: tuple[str, ...]
    unit_columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    observed_s: Sequence[Float[np.ndarray, "_interval 2"]] = ()
    epochs: Mapping[str, list[LabelledEpoch]] = field(default_factory=dict)
    usual_epochs: str | None = None
    invalid_s: Float[np.ndarray, "invalid 2"] = field(default_factory=lambda: np.zeros((0, 2)))
    series: Mapping[str, SampledSeries] = field(default_factory=dict)
    events: Mapping[str, EventTimes] = field(default_factory=dict)
    preferred_angle_rad: Float[np.ndarray, " unit"] | None = None
    truth: Connectivity | None = None
    time_resolution_s: float = 0.0
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_trains(
        cls, path: Path, trains: Sequence[np.ndarray], unit_ids: Sequence[str], **more: Any
    ) -> "FileContents":
        """Of one train per unit."""
        return cls(
            path=path,
            spike_times_s=np.concatenate([*trains, np.zeros(0)]).astype(float),
            spike_units=np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
            unit_ids=tuple(unit_ids),
            **more,
        )

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return len(self.unit_ids)

    @property
    def n_spikes(self) -> Int[np.ndarray, " unit"]:
        """Spikes of each unit."""
        return np.bincount(self.spike_units, minlength=self.n_units)

    @property
    def span_s(self) -> tuple[float, float]:
        """Time of the first and of the last spike."""
        return float(self.spike_times_s.min()), float(self.spike_times_s.max())

    def select(self, units: Int[np.ndarray, " chosen"]) -> "FileContents":
        """The same file with these units alone, in its own order."""
        if len(units) == self.n_units:
            return self
        row = np.full(self.n_units, -1)
        row[units] = np.arange(len(units))
        kept = row[self.spike_units] >= 0
        angle, truth = self.preferred_angle_rad, self.truth
        return replace(
            self,
            spike_times_s=self.spike_times_s[kept],
            spike_units=row[self.spike_units[kept]],
            unit_ids=tuple(self.unit_ids[unit] for unit in units),
            unit_columns={
                name: [values[unit] for unit in units] for name, values in self.unit_columns.items()
            },
            observed_s=[self.observed_s[unit] for unit in units] if self.observed_s else (),
            preferred_angle_rad=None if angle is None else angle[units],
            truth=None if truth is None else truth.select(units),
        )
