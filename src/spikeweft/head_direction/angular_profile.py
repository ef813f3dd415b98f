"""The angular profile of a circuit, one number that says how ring-like it is, and its controls.

Head-direction cells of a ring attractor would excite those that prefer similar directions and
inhibit the others. A common input gives the same profile. So a profile is evidence only as far as
it exceeds that of tuning alone and that of shuffled directions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError

LOCAL_DEG = 30.0
"""Pairs closer than this are local."""

SURROUND_DEG = 120.0
"""Pairs from `LOCAL_DEG` to here are the surround."""

BIN_DEG = 15.0
"""Width of a bin of the mean profile."""

FALSE_ALARM = 0.05
"""Chance of evidence where there is no coupling."""

N_PERMUTATIONS = 1000


class Contrast(NamedTuple):
    """Mean weight of local pairs, of the surround, and their difference."""

    local: float
    surround: float

    @property
    def value(self) -> float:
        """Local less surround: positive for local excitation with surround inhibition."""
        return self.local - self.surround


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Mean weight against the presynaptic less the postsynaptic preferred direction.

    Attributes
    ----------
    centre_rad
        Middle of each bin, in [-π, π).
    mean
        Mean weight of the pairs in it, weighted by their certainty; NaN where there are none.
    n_pairs
        How many pairs it has.
    """

    centre_rad: Float[np.ndarray, " bin"]
    mean: Float[np.ndarray, " bin"]
    n_pairs: Int[np.ndarray, " bin"]


def profile(circuit: Connectivity, sound: Bool[np.ndarray, "post pre"] | None = None) -> Profile:
    """Mean profile over informed pairs, without those that are not `sound`."""
    used = usable_pairs(circuit, sound)
    n_bins = round(360.0 / BIN_DEG)
    width = 2 * np.pi / n_bins
    bin_ = np.rint(angular_difference(circuit)[used] / width).astype(np.int64) % n_bins
    weight = certainty(circuit)[used]
    total = np.bincount(bin_, weight, minlength=n_bins)
    summed = np.bincount(bin_, weight * circuit.weights[used], minlength=n_bins)
    mean = np.divide(summed, total, out=np.full(n_bins, np.nan), where=total > 0)
    order = np.roll(np.arange(n_bins), n_bins // 2)
    centre = np.mod(np.arange(n_bins) * width + np.pi, 2 * np.pi) - np.pi
    return Profile(
        centre_rad=centre[order],
        mean=mean[order],
        n_pairs=np.bincount(bin_, minlength=n_bins)[order],
    )


def contrast(circuit: Connectivity, sound: Bool[np.ndarray, "post pre"] | None = None) -> Contrast:
    """Mean weight of pairs within 30° and from 30° to 120°, weighted by their certainty.

    NaN where the spikes inform no such pair.

    Raises
    ------
    InputError
        Where the neurons have no such pair.
    """
    apart = np.rad2deg(np.abs(angular_difference(circuit)))
    sound_pairs = circuit.off_diagonal if sound is None else circuit.off_diagonal & sound
    local = sound_pairs & (apart < LOCAL_DEG)
    surround = sound_pairs & (apart >= LOCAL_DEG) & (apart < SURROUND_DEG)
    if not (local.any() and surround.any()):
        raise InputError(
            f"a profile needs pairs within {LOCAL_DEG:g}° and pairs from {LOCAL_DEG:g}° to "
            f"{SURROUND_DEG:g}°; these neurons' preferred directions give none, so use more"
        )
    return Contrast(*(_mean_weight(circuit, pairs) for pairs in (local, surround)))


def _mean_weight(circuit: Connectivity, pairs: Bool[np.ndarray, "post pre"]) -> float:
    known = pairs & circuit.informed
    if not known.any():
        return float("nan")
    return float(np.average(circuit.weights[known], weights=certainty(circuit)[known]))


def known_as(control: Connectivity, circuit: Connectivity) -> Connectivity:
    """A control with the standard errors of another circuit, so that both use the same pairs.

    CircuitGNN may call no pair informed where nothing is coupled; its weights still count.
    """
    error = circuit.standard_error
    return replace(
        control, standard_error=np.ones(circuit.weights.shape) if error is None else error
    )


def usable_pairs(
    circuit: Connectivity, sound: Bool[np.ndarray, "post pre"] | None
) -> Bool[np.ndarray, "post pre"]:
    """Informed pairs of known directions without sorting artefact."""
    used = circuit.informed & np.isfinite(angular_difference(circuit))
    return used if sound is None else used & sound


def angular_difference(circuit: Connectivity) -> Float[np.ndarray, "post pre"]:
    """Presynaptic less postsynaptic preferred direction, in [-π, π)."""
    if circuit.angle_rad is None:
        raise InputError("the circuit has no preferred directions; give them, or use 'infer'")
    difference = circuit.angle_rad[None, :] - circuit.angle_rad[:, None]
    return np.mod(difference + np.pi, 2 * np.pi) - np.pi


def certainty(circuit: Connectivity) -> Float[np.ndarray, "post pre"]:
    """Weight of each pair in a mean: the larger its standard error, the less it counts.

    It is 1 / (error² + median error²), so that a pair known exactly counts at most about twice as
    much as a typical one.
    """
    if circuit.standard_error is None:
        return np.ones(circuit.weights.shape)
    variance = circuit.standard_error**2
    known = variance[circuit.informed]
    return 1.0 / (variance + (np.median(known) if len(known) else 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A profile's contrast beside those of its controls.

    Attributes
    ----------
    observed
        Of the circuit that was inferred.
    tuning_alone
        Of circuits inferred in the same way from spikes that tuning alone produced, over the pairs
        that the inferred circuit knows.
    permuted
        Of the inferred circuit, its preferred directions shuffled among the neurons.
    """

    observed: Contrast
    tuning_alone: Sequence[Contrast]
    permuted: Sequence[Contrast]

    @property
    def net(self) -> float:
        """The contrast beyond the mean of tuning alone."""
        return self.observed.value - self.of_tuning_alone

    @property
    def of_tuning_alone(self) -> float:
        """The mean contrast of tuning alone."""
        return float(np.mean([control.value for control in self.tuning_alone]))

    @property
    def spread(self) -> float:
        """Standard deviation of its controls' contrasts, of the kind that varies more.

        NaN where a kind has none.
        """
        kinds = self.tuning_alone, self.permuted
        if not all(kinds):
            return float("nan")
        return max(float(np.std([control.value for control in kind])) for kind in kinds)

    @property
    def p_tuning(self) -> float:
        """Share of circuits from tuning alone, and this one, with as large a contrast."""
        return _share_as_large(self.observed, self.tuning_alone, lambda c: c.value)

    @property
    def p_permuted(self) -> float:
        """Share of shuffled circuits, and this one, with as large a contrast."""
        return _share_as_large(self.observed, self.permuted, lambda c: c.value)

    @property
    def p_local(self) -> float:
        """As `p_tuning`, of local excitation alone."""
        return _share_as_large(self.observed, self.tuning_alone, lambda c: c.local)

    @property
    def p_surround(self) -> float:
        """As `p_tuning`, of surround inhibition alone."""
        return _share_as_large(self.observed, self.tuning_alone, lambda c: -c.surround)

    @property
    def holds(self) -> bool:
        """Whether the profile exceeds both controls."""
        return max(self.p_tuning, self.p_permuted) <= FALSE_ALARM

    @property
    def has_surround_inhibition(self) -> bool:
        """Whether it holds, and local pairs excite and the surround inhibits beyond tuning alone.

        The contrast alone may exceed its controls by either of the two, whatever their signs.
        """
        signs = self.observed.local > 0 > self.observed.surround
        return self.holds and signs and max(self.p_local, self.p_surround) <= FALSE_ALARM


def _share_as_large(
    observed: Contrast, controls: Sequence[Contrast], of: Callable[[Contrast], float]
) -> float:
    if not np.isfinite(of(observed)):
        return 1.0
    n_as_large = sum(of(control) >= of(observed) for control in controls)
    return (1 + n_as_large) / (1 + len(controls))


def permuted_contrasts(
    circuit: Connectivity,
    sound: Bool[np.ndarray, "post pre"] | None,
    rng: np.random.Generator,
    n_permutations: int = N_PERMUTATIONS,
) -> list[Contrast]:
    """Contrasts when the preferred directions are dealt anew among the neurons."""
    contrast(circuit, sound)  # refuses what cannot be permuted either
    assert circuit.angle_rad is not None
    found = []
    for _ in range(n_permutations):
        dealt = replace(circuit, angle_rad=rng.permutation(circuit.angle_rad))
        try:
            found.append(contrast(dealt, sound))
        except InputError:  # all artefacts happen to be local now
            continue
    return [each for each in found if np.isfinite(each.value)]
