"""How recorded time is divided: what is fitted, what chooses between fits, and what scores them.

From its start on, a recording is fitted (80 %), chooses (10 %) and scores (10 %). Nothing of the
later parts is known to the earlier ones.
"""

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError

TEST_FRACTION = 0.1
"""Last part of a recording: it scores fitted models, and does nothing else."""

VALIDATION_FRACTION = 1 / 9
"""Last part of the training time, a tenth of the whole: it chooses hyperparameters in `CircuitGNN`
and says when to stop."""

BASELINE_VALIDATION_FRACTION = 0.1
"""The same for the other methods, whose penalties and number of epochs it chooses."""

FITTED_FRACTION = (1.0 - TEST_FRACTION) * (1.0 - VALIDATION_FRACTION)
"""Part of a recording that weights are fitted to."""

FITTED, VALIDATION, TEST = (0.0, 0.8), (0.8, 0.9), (0.9, 1.0)
"""The three parts, from fraction to fraction of the recorded time."""

HISTORY_WINDOW_S = 0.1
"""Start of each epoch that is not scored; models in bins look back this far. Methods that were
published with another window say so in their settings."""


LONGEST_S = 1e6
"""No recording is as long: its times are in another unit (chosen)."""


def training_and_test(recording: Recording, history_window_s: float) -> tuple[Recording, Recording]:
    """The part that is fitted, with what chooses between fits, and the part that scores them.

    Raises
    ------
    InputError
        Where the recording is too long or too short, or nobody fires in the first part.
    """
    if recording.duration_s > LONGEST_S:
        raise InputError(
            f"the recording lasts {recording.duration_s:.4g} s, which cannot be fitted; check that "
            "its times are in seconds"
        )
    training, test = split(recording, TEST_FRACTION)
    if any(len(scored_epochs(part, history_window_s)) == 0 for part in (training, test)):
        raise InputError(
            f"the recording of {recording.duration_s:g} s is too short: its last "
            f"{100 * TEST_FRACTION:g} % hold no stretch longer than the history window of "
            f"{history_window_s:g} s; use a longer recording or longer epochs"
        )
    if len(training.spike_times_s) == 0:
        raise InputError(
            f"the first {training.duration_s:g} s of the recording hold no spikes, so nothing can "
            "be fitted; choose other epochs"
        )
    return training, test


def split(recording: Recording, late: float) -> tuple[Recording, Recording]:
    """The recorded time in two: all but the last fraction, and that fraction."""
    return recording.between(0.0, 1.0 - late), recording.between(1.0 - late, 1.0)
