"""A variable sampled beside the spikes, and its columns in a regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.errors import InputError

AT_LAG = " at "
"""Between the name of an event and when after it one of its bumps peaks."""

_REGULAR, _MOSTLY = 1.5, 0.9
"""Of regular samples, nine in ten lie no farther apart than that many times the median."""

_GAP_S, _GAP_SAMPLES = 1.0, 10
"""Regular samples that lie farther apart than both are missing between."""


def covariate_columns(
    values: Float[np.ndarray, " time"], is_angle: bool, n_harmonics: int
) -> Float[np.ndarray, "time column"]:
    """A covariate as regressors: circular harmonics of an angle, otherwise the value itself."""
    if not is_angle:
        return values[:, None]
    order: Int[np.ndarray, " harmonic"] = np.arange(1, n_harmonics + 1)
    phase = values[:, None] * order
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """A variable sampled beside the spikes, such as head direction.

    Attributes
    ----------
    times_s
        Sampling times in seconds, ascending.
    values
        Values at these times; radians where `is_angle`.
    is_angle
        Whether the values wrap around at 2π.
    """

    times_s: Float[np.ndarray, " sample"]
    values: Float[np.ndarray, " sample"]
    is_angle: bool = False

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.values):
            raise InputError(
                f"a covariate has {len(self.times_s)} times but {len(self.values)} values; "
                "give one value per time"
            )
        if len(self.times_s) == 0 or not np.all(np.isfinite(self.times_s)):
            raise InputError("a covariate needs at least one sample, at finite times")
        if np.any(np.diff(self.times_s) < 0):
            after = int(np.argmax(np.diff(self.times_s) < 0))
            raise InputError(
                f"the times of a covariate descend from {self.times_s[after]:.6g} to "
                f"{self.times_s[after + 1]:.6g} s; sort its samples by time"
            )

    @property
    def sampled_s(self) -> Float[np.ndarray, "epoch 2"]:
        """Where a sample whose value is a number is near, by `sampled_time`."""
        return sampled_time(self.times_s[np.isfinite(self.values)])

    def known(self) -> Self:
        """The samples whose values are numbers.

        Raises
        ------
        InputError
            Where there is none.
        """
        is_known = np.isfinite(self.values)
        return replace(self, times_s=self.times_s[is_known], values=self.values[is_known])

    def at(self, times_s: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Value at each time, from the nearest sample."""
        right = np.clip(np.searchsorted(self.times_s, times_s), 1, max(len(self.times_s) - 1, 1))
        right = np.minimum(right, len(self.times_s) - 1)
        left = np.maximum(right - 1, 0)
        nearer_left = times_s - self.times_s[left] <= self.times_s[right] - times_s
        return self.values[np.where(nearer_left, left, right)]

    def around(self, start_s: float, stop_s: float) -> Self:
        """The samples that decide the values between two times."""
        first, last = np.searchsorted(self.times_s, [start_s, stop_s])
        kept = slice(max(first - 1, 0), last + 1)
        return replace(self, times_s=self.times_s[kept], values=self.values[kept])


def sampled_time(
    times_s: Float[np.ndarray, " sample"], apart_of_one_s: float = 0.0
) -> Float[np.ndarray, "epoch 2"]:
    """Where samples are near, with as much time around them as they usually lie apart.

    Only of regular samples it is known that some are missing; others may be taken where the
    variable changes. Around a single sample lies `apart_of_one_s`.
    """
    if len(times_s) == 0:
        return np.zeros((0, 2))
    apart_s = np.diff(times_s)
    usual_s = float(np.median(apart_s)) if len(apart_s) else apart_of_one_s
    is_regular = len(apart_s) > 0 and np.mean(apart_s <= _REGULAR * usual_s) > _MOSTLY
    is_gap = apart_s > max(_GAP_S, _GAP_SAMPLES * usual_s) if is_regular else apart_s < 0
    before = np.flatnonzero(is_gap)
    starts, stops = times_s[np.append(0, before + 1)], times_s[np.append(before, -1)]
    return np.column_stack([starts - usual_s, stops + usual_s])


def check_complete(name: str, covariate: Covariate) -> None:
    """Refuse a covariate that is not known all the time.

    Raises
    ------
    InputError
        Where some of its values are no numbers.
    """
    n_missing = int(np.count_nonzero(~np.isfinite(covariate.values)))
    if n_missing:
        raise InputError(
            f"the covariate {name!r} has {n_missing:,} values that are no numbers; leave their "
            "samples out, or the time in which they are missing"
        )


def named_covariates(covariates: Mapping[str, Covariate], asked: Sequence[str]) -> tuple[str, ...]:
    """Names of the covariates asked for; of an event, those of all its bumps.

    Raises
    ------
    InputError
        Where there is none of that name.
    """
    found: list[str] = []
    for name in asked:
        bumps = [known for known in covariates if known.startswith(name + AT_LAG)]
        named = [name] if name in covariates else bumps
        if not named:
            known = ", ".join(covariates) or "none"
            raise InputError(f"the recording has no covariate {name!r}; it has: {known}")
        found += named
    return tuple(found)
