"""Fits that are interrupted, and taken up again."""

from spikeweft.circuit_gnn.estimator import CircuitGNN


class InterruptedFitError(Exception):
    pass


def fit_with_interruptions(X, checkpoint, settings, every):
    """A fit that is stopped after each `every` new steps, and taken up from its checkpoint."""
    reached = 0

    def interrupt(progress):
        nonlocal reached
        if progress.step == reached + every:
            reached = progress.step
            raise InterruptedFitError

    while True:
        try:
            return CircuitGNN(**settings).fit(X, checkpoint=checkpoint, on_progress=interrupt)
        except InterruptedFitError:
            continue
