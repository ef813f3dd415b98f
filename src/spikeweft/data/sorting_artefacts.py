"""Sorting artefacts: pairs of neurons that are never active together.

Where the spikes of two neurons overlap on the same electrodes, spike sorting misses one of them,
and the pair seems never to fire within half a millisecond. A model takes that for inhibition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.stats import binom

from spikeweft.data.recording import Recording
from spikeweft.data.spike_pairs import count_pairs

BLIND_S = 0.5e-3
"""Spikes closer than this overlap."""

NEIGHBOUR_S = 5e-3
"""Lags from `BLIND_S` to this one give the number of spikes expected in the blind window."""

MOST_LEFT = 0.2
"""Share of the expected coincidences below which a pair almost never fires together."""

FALSE_ALARM = 0.01
"""Chance that any pair of a recording without artefacts is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortingArtefact:
    """A pair of neurons with a blind window.

    Attributes
    ----------
    neurons
        The pair, ascending.
    n_within
        Times that they fired within `BLIND_S` of each other.
    n_expected
        Times to be expected from the lags up to `NEIGHBOUR_S`, on the side with fewer.
    p_value
        Chance of so few, of a pair without a blind window.
    """

    neurons: tuple[int, int]
    n_within: int
    n_expected: float
    p_value: float


def resolves_artefacts(recording: Recording) -> bool:
    """Whether spike times are fine enough for a blind window to show."""
    return recording.time_resolution_s <= BLIND_S / 2


def sorting_artefacts(recording: Recording) -> list[SortingArtefact]:
    """Pairs that almost never fire within `BLIND_S` of each other, but do at longer lags.

    Two Poisson counts are compared, within the blind window and at the neighbouring lags: given
    their sum, the first is binomial. Inhibition that begins with a spike empties one side only,
    so either side must be fuller than the window. The chance of naming any pair of a recording
    without artefacts is at most `FALSE_ALARM` (Bonferroni). None are found where spike times are
    too coarse, see `resolves_artefacts`.
    """
    if not resolves_artefacts(recording):
        return []
    n_blind = round(BLIND_S / recording.time_resolution_s)
    n_lags = round(NEIGHBOUR_S / recording.time_resolution_s)
    n = recording.n_neurons
    counts = np.zeros((n, n, 2), np.int64)
    edges = np.array([n_blind, n_lags]) + 1
    count_pairs(recording.spike_steps, recording.spike_neurons, edges, counts)
    within, after = counts[:, :, 0] + counts[:, :, 0].T, counts[:, :, 1]
    share = (2 * n_blind + 1) / (n_lags - n_blind)
    beside = np.minimum(after, after.T)
    p_value = binom.cdf(within, within + beside, share / (1 + share))
    first, second = np.triu_indices(n, 1)
    found = (p_value < FALSE_ALARM / len(first)) & (within < MOST_LEFT * share * beside)
    return [
        SortingArtefact(
            neurons=(int(i), int(j)),
            n_within=int(within[i, j]),
            n_expected=float(share * beside[i, j]),
            p_value=float(p_value[i, j]),
        )
        for i, j in zip(first, second, strict=True)
        if found[i, j]
    ]


def sound_pairs(
    artefacts: Sequence[SortingArtefact], n_neurons: int
) -> Bool[np.ndarray, "post pre"]:
    """Pairs of different neurons without a blind window."""
    sound = ~np.eye(n_neurons, dtype=bool)
    for artefact in artefacts:
        i, j = artefact.neurons
        sound[i, j] = sound[j, i] = False
    return sound


def describe_artefacts(
    recording: Recording,
    artefacts: Sequence[SortingArtefact],
    consequence: str = "their weights are left out",
) -> list[str]:
    """Warnings about these artefacts, which name the neurons and what is done about them."""
    if not resolves_artefacts(recording):
        return [
            f"spike times come in steps of {1e3 * recording.time_resolution_s:g} ms, too "
            f"coarse to see whether sorting missed spikes within {1e3 * BLIND_S:g} ms of "
            "another neuron's"
        ]
    names = recording.neuron_ids
    return [
        f"neurons {names[i]} and {names[j]} fired within {1e3 * BLIND_S:g} ms of each other "
        f"{artefact.n_within} times where {artefact.n_expected:.0f} are expected; sorting seems "
        f"to have missed overlapping spikes, so {consequence}"
        for artefact in artefacts
        for i, j in [artefact.neurons]
    ]
