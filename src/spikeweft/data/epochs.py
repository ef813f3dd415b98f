"""Lists of intervals, merged in the order of time, and stretches in which no spike falls."""

import numpy as np
from jaxtyping import Float

_SHORTEST_SILENCE_S = 1.0

_UNLIKELY = 30.0

_OTHERWISE_LONGEST = 3.0


def lasting_s(epochs_s: Float[np.ndarray, "epoch 2"]) -> float:
    """How long they last together, in seconds."""
    return float(np.sum(epochs_s[:, 1] - epochs_s[:, 0]))


def union(spans_s: Float[np.ndarray, "span 2"]) -> Float[np.ndarray, "epoch 2"]:
    """Disjoint epochs that cover the same time, ascending; spans that touch become one."""
    spans = spans_s[np.argsort(spans_s[:, 0], kind="stable")].reshape(-1, 2)
    if len(spans) == 0:
        return spans.astype(float)
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.concatenate([[True], spans[1:, 0] > reached[:-1]])
    ends = np.concatenate([begins[1:], [True]])
    return np.column_stack([spans[begins, 0], reached[ends]]).astype(float)


def intersection(
    first_s: Float[np.ndarray, "first 2"], second_s: Float[np.ndarray, "second 2"]
) -> Float[np.ndarray, "epoch 2"]:
    """The time in both lists of disjoint, ascending epochs; each pair that overlaps is met once."""
    low = np.searchsorted(second_s[:, 1], first_s[:, 0], side="right")
    high = np.searchsorted(second_s[:, 0], first_s[:, 1], side="left")
    n_met = np.maximum(high - low, 0)
    first = np.repeat(np.arange(len(first_s)), n_met)
    second = np.arange(n_met.sum()) - np.repeat(np.cumsum(n_met) - n_met, n_met) + low[first]
    start = np.maximum(first_s[first, 0], second_s[second, 0])
    stop = np.minimum(first_s[first, 1], second_s[second, 1])
    return np.column_stack([start, stop])[stop > start]


def without(
    epochs_s: Float[np.ndarray, "before 2"], excluded_s: Float[np.ndarray, "span 2"]
) -> Float[np.ndarray, "epoch 2"]:
    """The time of the epochs outside these spans; one that lasts no time splits no epoch."""
    excluded = union(excluded_s[excluded_s[:, 1] > excluded_s[:, 0]])
    start = np.concatenate([[-np.inf], excluded[:, 1]])
    stop = np.concatenate([excluded[:, 0], [np.inf]])
    return intersection(epochs_s, np.column_stack([start, stop]))


def with_closed_ends(
    epochs_s: Float[np.ndarray, "epoch 2"], times_s: Float[np.ndarray, " spike"]
) -> Float[np.ndarray, "epoch 2"]:
    """Epochs whose stop includes a spike at exactly that time.

    Files and pynapple mean intervals with both ends; in a `Recording` the stop is excluded.
    """
    stop = epochs_s[:, 1]
    return np.column_stack(
        [epochs_s[:, 0], np.where(np.isin(stop, times_s), np.nextafter(stop, np.inf), stop)]
    )


def silent_stretches(
    epochs_s: Float[np.ndarray, "epoch 2"], times_s: Float[np.ndarray, " spike"]
) -> Float[np.ndarray, "silence 2"]:
    """Stretches inside epochs in which no neuron fires, far longer than any other such stretch.

    They last a second at least, hold thirty spikes less than the rate of all neurons promises, and
    are three times as long as the longest silence that is none (all chosen).
    """
    starts, stops = [], []
    for start, stop in epochs_s:
        inside = times_s[slice(*np.searchsorted(times_s, [start, stop]))]
        starts.append(np.concatenate([[start], inside]))
        stops.append(np.concatenate([inside, [stop]]))
    silences = np.column_stack([np.concatenate(starts), np.concatenate(stops)])
    length = silences[:, 1] - silences[:, 0]
    shortest = max(_SHORTEST_SILENCE_S, _UNLIKELY * lasting_s(epochs_s) / len(length))
    descending = np.argsort(-length)
    ratio = length[descending[:-1]] / np.maximum(length[descending[1:]], 1e-12)
    is_break = (ratio > _OTHERWISE_LONGEST) & (length[descending[:-1]] > shortest)
    n_silences = int(np.flatnonzero(is_break).max(initial=-1)) + 1
    return silences[np.sort(descending[:n_silences])]
