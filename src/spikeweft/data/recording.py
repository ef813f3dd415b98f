"""A recording: spike trains of neurons observed together, the epochs they cover, and covariates."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.data.chosen_neurons import chosen_neurons
from spikeweft.data.covariate import Covariate
from spikeweft.data.epochs import intersection, lasting_s, silent_stretches
from spikeweft.data.file_contents.sentences import counted
from spikeweft.data.spike_counts import SpikeCounts, count_spikes, epoch_of
from spikeweft.errors import InputError

CONTINUOUS_RESOLUTION_S = 1e-6
"""Resolution assumed where spike times lie on no grid coarser than 0.1 ms."""

FINEST_GRID_S = 0.1e-3
"""The finest grid of spike times that is looked for."""

_GRIDS_S = (10e-3, 5e-3, 2e-3, 1e-3, 0.5e-3, 0.2e-3, FINEST_GRID_S)

_FEW_SPIKES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Spike trains of neurons observed together.

    Attributes
    ----------
    spike_times_s
        Time of every spike in seconds, ascending.
    spike_neurons
        Index of the neuron that fired each spike, from 0 to `n_neurons - 1`.
    n_neurons
        How many neurons were observed, silent ones included.
    epochs_s
        Start and stop in seconds of each stretch of uninterrupted recording, ascending and
        disjoint. Nothing is known about the time between epochs, so no history crosses it.
    time_resolution_s
        Grid on which spike times lie, found from the data where not given. Two spikes at the same
        time have no order, so neither can have caused the other.
    neuron_ids
        A name per neuron; their indices where not given.
    covariates
        Variables sampled beside the spikes.
    preferred_angle_rad
        Preferred direction of each neuron, where known (ring simulators, head-direction cells).
    """

    spike_times_s: Float[np.ndarray, " spike"]
    spike_neurons: Int[np.ndarray, " spike"]
    n_neurons: int
    epochs_s: Float[np.ndarray, "epoch 2"]
    time_resolution_s: float = 0.0
    neuron_ids: tuple[str, ...] = ()
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    preferred_angle_rad: Float[np.ndarray, " neuron"] | None = None

    def __post_init__(self) -> None:
        _check_spikes(self.spike_times_s, self.spike_neurons, self.n_neurons)
        _check_epochs(self.epochs_s, self.spike_times_s)
        if not self.neuron_ids:
            object.__setattr__(self, "neuron_ids", tuple(str(i) for i in range(self.n_neurons)))
        if len(self.neuron_ids) != self.n_neurons:
            raise InputError(
                f"{counted(len(self.neuron_ids), 'neuron id')} for "
                f"{counted(self.n_neurons, 'neuron')} cannot be used; give one id per neuron"
            )
        if self.time_resolution_s == 0.0:
            object.__setattr__(self, "time_resolution_s", time_resolution(self.spike_times_s))

    @classmethod
    def from_arrays(
        cls,
        spike_times_s: np.ndarray,
        spike_neurons: np.ndarray,
        *,
        n_neurons: int | None = None,
        epochs_s: np.ndarray | None = None,
        time_resolution_s: float = 0.0,
        neuron_ids: tuple[str, ...] = (),
        covariates: Mapping[str, Covariate] | None = None,
        preferred_angle_rad: np.ndarray | None = None,
    ) -> Self:
        """Recording from unordered spikes; spikes outside the epochs are left out.

        Raises
        ------
        InputError
            Where the arrays differ in length, hold no spike, or hold times that are not finite.
        """
        times = np.asarray(spike_times_s, dtype=float).ravel()
        neurons = np.asarray(spike_neurons).ravel()
        if len(times) != len(neurons):
            raise InputError(
                f"there are {len(times)} spike times but {len(neurons)} spike units; "
                "give one unit per spike"
            )
        _check_finite(times)
        if neurons.size and not np.array_equal(neurons, np.rint(neurons)):
            raise InputError("spike units must be whole numbers, the index of each spike's neuron")
        if times.size == 0:
            raise InputError("the recording holds no spikes; check the file and the epochs chosen")
        epochs = _default_epoch(times) if epochs_s is None else _as_epochs(epochs_s)
        order = np.argsort(times, kind="stable")
        times, neurons = times[order], neurons[order].astype(np.int64)
        inside = epoch_of(times, epochs) >= 0
        if not inside.any():
            raise InputError(
                f"no spike lies inside the epochs ({epochs[0, 0]:g} to {epochs[-1, 1]:g} s), while "
                f"the spikes span {times[0]:g} to {times[-1]:g} s; check the epochs' unit"
            )
        return cls(
            spike_times_s=times[inside],
            spike_neurons=neurons[inside],
            n_neurons=int(neurons.max()) + 1 if n_neurons is None else int(n_neurons),
            epochs_s=epochs,
            time_resolution_s=time_resolution_s,
            neuron_ids=neuron_ids,
            covariates=dict(covariates or {}),
            preferred_angle_rad=preferred_angle_rad,
        )

    @classmethod
    def from_counts(
        cls,
        counts: np.ndarray,
        bin_s: float,
        *,
        neuron_ids: tuple[str, ...] = (),
    ) -> Self:
        """Recording from counts `[time, neuron]` in bins of `bin_s` seconds.

        Spikes of one bin have no order.

        Raises
        ------
        InputError
            Where counts are negative or not whole, there are none, or the bin is not positive.
        """
        numbers = np.asarray(counts)
        if numbers.ndim != 2 or not np.all(np.isfinite(numbers) & (numbers >= 0)):
            raise InputError("counts must be whole numbers from 0 on, as an array [time, neuron]")
        if not np.array_equal(numbers, np.rint(numbers)):
            raise InputError("counts must be whole numbers; give counts of spikes, not rates")
        if not 0 < bin_s < np.inf:
            raise InputError(f"bins of {bin_s:g} s cannot be used; give a positive width")
        bins, neurons = np.nonzero(numbers)
        each = numbers[bins, neurons].astype(np.int64)
        return cls.from_arrays(
            np.repeat((bins + 0.5) * bin_s, each),
            np.repeat(neurons, each),
            n_neurons=numbers.shape[1],
            epochs_s=np.array([[0.0, len(numbers) * bin_s]]),
            time_resolution_s=bin_s,
            neuron_ids=neuron_ids,
        )

    @property
    def n_spikes(self) -> Int[np.ndarray, " neuron"]:
        """Spikes of each neuron."""
        return np.bincount(self.spike_neurons, minlength=self.n_neurons)

    @property
    def duration_s(self) -> float:
        """Time recorded, gaps left out."""
        return lasting_s(self.epochs_s)

    @property
    def rate_hz(self) -> Float[np.ndarray, " neuron"]:
        """Mean firing rate of each neuron over the time recorded."""
        return self.n_spikes / self.duration_s

    @property
    def spike_steps(self) -> Int[np.ndarray, " spike"]:
        """Spike times in whole steps of the time resolution since the first spike."""
        since_first_s = self.spike_times_s - self.spike_times_s[0]
        return np.rint(since_first_s / self.time_resolution_s).astype(np.int64)

    def digest(self) -> str:
        """SHA-256 of all that the recording holds, covariates and directions too."""
        digest = hashlib.sha256(f"{self.n_neurons} {self.time_resolution_s!r}".encode())
        arrays = [self.spike_times_s, self.spike_neurons, self.epochs_s]
        if self.preferred_angle_rad is not None:
            arrays.append(self.preferred_angle_rad)
        for name, covariate in sorted(self.covariates.items()):
            digest.update(f"{name} {covariate.is_angle}".encode())
            arrays += [covariate.times_s, covariate.values]
        for array in arrays:
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def restrict(self, epochs_s: np.ndarray) -> Self:
        """The part of the recording inside the given epochs.

        Raises
        ------
        InputError
            Where the epochs overlap each other, or do not overlap the recording.
        """
        asked = _as_epochs(epochs_s)
        _check_disjoint(asked)
        epochs = intersection(self.epochs_s, asked)
        if len(epochs) == 0:
            raise InputError(
                f"the epochs asked for lie outside the recording, which covers "
                f"{self.epochs_s[0, 0]:g} to {self.epochs_s[-1, 1]:g} s; choose epochs inside it"
            )
        inside = epoch_of(self.spike_times_s, epochs) >= 0
        return replace(
            self,
            spike_times_s=self.spike_times_s[inside],
            spike_neurons=self.spike_neurons[inside],
            epochs_s=epochs,
        )

    def between(self, start: float, stop: float) -> Self:
        """The part from fraction `start` to fraction `stop` of the time recorded.

        Parts that share a fraction as their border hold each spike once.

        Raises
        ------
        InputError
            Where no time lies between the two fractions.
        """
        first, last = self._clock_at(start), self._clock_at(stop)
        if not np.any(last > first):
            raise InputError(
                f"no time lies between {start:g} and {stop:g} of a recording of "
                f"{self.duration_s:g} s; choose a start below the stop, both from 0 to 1"
            )
        return self.restrict(np.column_stack([first, last])[last > first])

    def _clock_at(self, fraction: float) -> Float[np.ndarray, " epoch"]:
        """Where in each epoch this fraction of all recorded time has passed."""
        length = self.epochs_s[:, 1] - self.epochs_s[:, 0]
        end = np.cumsum(length)
        passed = fraction * end[-1]
        inside = self.epochs_s[:, 0] + np.clip(passed - (end - length), 0.0, length)
        # The stop itself, not start + length, which rounding may put before the last spike.
        return np.where(passed >= end, self.epochs_s[:, 1], inside)

    def first_minutes(self, minutes: float) -> Self:
        """The first minutes of recorded time, gaps left out."""
        return self.between(0.0, min(1.0, 60.0 * minutes / self.duration_s))

    def select(self, neurons: np.ndarray) -> Self:
        """The recording of some neurons only, in the order given; the others are unobserved.

        Raises
        ------
        InputError
            Where one is asked for that does not exist, or twice.
        """
        chosen = chosen_neurons(neurons, self.n_neurons)
        new_index = np.full(self.n_neurons, -1)
        new_index[chosen] = np.arange(len(chosen))
        kept = new_index[self.spike_neurons] >= 0
        angle = self.preferred_angle_rad
        return replace(
            self,
            spike_times_s=self.spike_times_s[kept],
            spike_neurons=new_index[self.spike_neurons[kept]],
            n_neurons=len(chosen),
            neuron_ids=tuple(self.neuron_ids[i] for i in chosen),
            preferred_angle_rad=None if angle is None else angle[chosen],
        )

    def counts(self, bin_s: float) -> SpikeCounts:
        """Spikes in bins of `bin_s` seconds; every spike falls into exactly one bin.

        Raises
        ------
        InputError
            Where the bin is not positive, or longer than the recording.
        """
        return count_spikes(
            self.spike_times_s, self.spike_neurons, self.n_neurons, self.epochs_s, bin_s
        )

    def warnings(self) -> list[str]:
        """What may make a result of this recording wrong."""
        spikes = self.n_spikes
        found = [
            self.named(spikes == 0, "never fire, so nothing can be inferred about them"),
            self.named(
                (spikes > 0) & (spikes < _FEW_SPIKES),
                f"fire fewer than {_FEW_SPIKES} spikes, so their weights are very uncertain",
            ),
            *(
                f"neurons {self.neuron_ids[i]} and {self.neuron_ids[j]} have the same spike train, "
                "and one unit may have been counted twice"
                for i, j in self.duplicates()
            ),
        ]
        if len(self.epochs_s) > 1:
            gap = self.epochs_s[1:, 0] - self.epochs_s[:-1, 1]
            found.append(
                f"the recording has {counted(len(gap), 'gap')} (the longest {gap.max():.3g} s); "
                "no spike history is carried across them"
            )
        silent = silent_stretches(self.epochs_s, self.spike_times_s)
        if len(silent):
            found.append(
                f"no neuron fires for {lasting_s(silent):.6g} s, the first from "
                f"{silent[0, 0]:.6g} to {silent[0, 1]:.6g} s, which a model takes for inhibition; "
                "if nothing was recorded there, give the epochs"
            )
        return [sentence for sentence in found if sentence]

    def named(self, which: Bool[np.ndarray, " neuron"], what: str) -> str:
        """A sentence that names some neurons and what is the matter with them; "" without any."""
        names = [self.neuron_ids[i] for i in np.flatnonzero(which)]
        if not names:
            return ""
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        return f"{len(names)} of {self.n_neurons} neurons {what}: {shown}"

    def duplicates(self) -> list[tuple[int, int]]:
        """Pairs of neurons whose spike trains are the same."""
        first_with: dict[bytes, int] = {}
        pairs = []
        order = np.argsort(self.spike_neurons, kind="stable")
        trains = np.split(self.spike_times_s[order], np.cumsum(self.n_spikes)[:-1])
        for neuron, train in enumerate(trains):
            if len(train) == 0:
                continue
            twin = first_with.setdefault(train.tobytes(), neuron)
            if twin != neuron:
                pairs.append((twin, neuron))
        return pairs


def time_resolution(spike_times_s: Float[np.ndarray, " spike"]) -> float:
    """Coarsest grid, from 10 to 0.1 ms, on which all spike times lie; 1 µs where there is none."""
    since_first = spike_times_s - spike_times_s[0] if len(spike_times_s) else spike_times_s
    for grid_s in _GRIDS_S:
        steps = since_first / grid_s
        if np.all(np.abs(steps - np.rint(steps)) < 1e-3):
            return grid_s
    return CONTINUOUS_RESOLUTION_S


def _check_finite(times_s: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(times_s))
    if len(bad):
        raise InputError(
            f"{len(bad)} spike times are not finite (the first is number {bad[0]}, "
            f"{times_s[bad[0]]}); remove them from the file"
        )


def _check_spikes(times_s: np.ndarray, neurons: np.ndarray, n_neurons: int) -> None:
    if len(times_s) != len(neurons):
        raise InputError(
            f"there are {len(times_s)} spike times but {len(neurons)} spike units; "
            "give one unit per spike"
        )
    if n_neurons < 1:
        raise InputError(f"a recording needs at least one neuron, not {n_neurons}")
    _check_finite(times_s)
    if len(times_s) and (neurons.min() < 0 or neurons.max() >= n_neurons):
        raise InputError(
            f"spike units run from {neurons.min()} to {neurons.max()}, but there are {n_neurons} "
            f"neurons; number them from 0 to {n_neurons - 1}"
        )
    if np.any(np.diff(times_s) < 0):
        raise InputError("spike times must ascend; Recording.from_arrays sorts them")


def _check_epochs(epochs_s: np.ndarray, times_s: np.ndarray) -> None:
    if len(epochs_s) == 0 or not np.all(np.isfinite(epochs_s)):
        raise InputError("a recording needs at least one epoch with finite start and stop")
    if np.any(epochs_s[:, 1] <= epochs_s[:, 0]):
        raise InputError("an epoch stops before it starts; give start before stop")
    _check_disjoint(epochs_s)
    if np.any(epoch_of(times_s, epochs_s) < 0):
        raise InputError(
            "some spikes lie outside the epochs; Recording.from_arrays leaves them out"
        )


def _check_disjoint(epochs_s: np.ndarray) -> None:
    if np.any(epochs_s[1:, 0] < epochs_s[:-1, 1]):
        raise InputError("epochs overlap or are not in order; merge and sort them")


def _default_epoch(times_s: np.ndarray) -> np.ndarray:
    return np.array(
        [[times_s.min(), np.nextafter(times_s.max() + CONTINUOUS_RESOLUTION_S, np.inf)]]
    )


def _as_epochs(epochs_s: np.ndarray) -> np.ndarray:
    epochs = np.asarray(epochs_s, dtype=float).reshape(-1, 2)
    return epochs[np.argsort(epochs[:, 0], kind="stable")]
