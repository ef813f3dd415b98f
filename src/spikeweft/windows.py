"""What of a recording is scored: the time whose past is known."""

import numpy as np
from jaxtyping import Float

from spikeweft.recording import Recording


def scored_epochs(recording: Recording, history_window_s: float) -> Float[np.ndarray, "epoch 2"]:
    """The epochs without the first history window of each, whose past is not known in full.

    Epochs no longer than a history window are left out. Spikes before an epoch's scored part
    still count as history.
    """
    start = recording.epochs_s[:, 0] + history_window_s
    long_enough = start + recording.tick_s < recording.epochs_s[:, 1]
    return np.column_stack([start, recording.epochs_s[:, 1]])[long_enough]
