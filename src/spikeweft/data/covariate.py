"""A variable sampled beside the spikes, and its columns in a regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.errors import InputError

AT_LAG = " at "
"""Between the name of an event and when after it one of its bumps peaks."""


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
