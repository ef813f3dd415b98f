"""How recorded time is divided: what is fitted, what chooses between fits, and what scores them.

From its start on, a recording is fitted (80 %), chooses (10 %) and scores (10 %). Nothing of the
later parts is known to the earlier ones.
"""

from spikeweft.data.recording import Recording

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


def split(recording: Recording, late: float) -> tuple[Recording, Recording]:
    """The recorded time in two: all but the last fraction, and that fraction."""
    return recording.between(0.0, 1.0 - late), recording.between(1.0 - late, 1.0)
