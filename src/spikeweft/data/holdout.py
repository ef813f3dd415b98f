"""How recorded time is divided: what is fitted, what chooses, what scores."""

TRAINED_FRACTION = 0.9


"""First part of the recorded time, for fitting; the rest only scores."""


HELD_OUT = 1 / 9


"""Last part of the recording, which chooses and stops but does not train."""


TEST_FRACTION = 0.1


"""Last part of the recorded time, on which the fitted models are scored."""
