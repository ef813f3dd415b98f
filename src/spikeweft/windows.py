"""Views of a recording in time: what is scored, and how it is split for training and testing."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.recording import Recording


class Split(NamedTuple):
    """Consecutive parts of a recording; no history window reaches from one into another."""

    train: Recording
    validation: Recording
    test: Recording


def split_in_time(recording: Recording, validation: float = 0.1, test: float = 0.1) -> Split:
    """The last `test` and the `validation` before it set apart, as fractions of recorded time.

    Each part starts a new epoch, and the first history window of an epoch is never scored: the
    parts are purged of each other.
    """
    first, second = 1.0 - validation - test, 1.0 - test
    return Split(
        recording.between(0.0, first),
        recording.between(first, second),
        recording.between(second, 1.0),
    )


def scored_epochs(recording: Recording, history_window_s: float) -> Float[np.ndarray, "epoch 2"]:
    """The epochs without the first history window of each, whose past is not known in full.

    Epochs no longer than a history window are left out. Spikes before an epoch's scored part
    still count as history.
    """
    start = recording.epochs_s[:, 0] + history_window_s
    long_enough = start + recording.tick_s < recording.epochs_s[:, 1]
    return np.column_stack([start, recording.epochs_s[:, 1]])[long_enough]
