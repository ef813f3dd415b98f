"""Block bootstrap: a recording resampled in blocks of time.

How much the weights of such recordings differ says how much of them is chance. Blocks keep what
happens within seconds together (Künsch 1989, the moving-block bootstrap), and since no history is
carried from one block to the next, none is made up.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_GAP_S = 1.0

_FEWEST_BLOCKS = 2


def resampled(
    recording: Recording, block_s: float, borders: Sequence[float], rng: np.random.Generator
) -> Recording:
    """A recording of the same length from blocks drawn with replacement, each an epoch of its own.

    Parameters
    ----------
    recording
        Where the blocks are drawn from.
    block_s
        About how long a block is; blocks of a part are equally long and fill it.
    borders
        Fractions of the recorded time, ascending from 0 to 1. A block between two of them stays
        there, so that what is held out is in no other part.
    rng
        Draws where each block starts, uniformly over the recorded time of its part.

    Raises
    ------
    InputError
        Where a part is shorter than two blocks.
    """
    blocks = []
    for start, stop in pairwise(borders):
        part = recording.between(start, stop)
        n_blocks = round(part.duration_s / block_s)
        if n_blocks < _FEWEST_BLOCKS:
            raise InputError(
                f"blocks of {block_s:g} s are too long to draw from {part.duration_s:.4g} s; use "
                "shorter blocks, or more of the recording"
            )
        first = rng.uniform(0.0, 1.0 - 1.0 / n_blocks, size=n_blocks)
        blocks += [part.between(at, at + 1.0 / n_blocks) for at in first]
    return _one_after_the_other(recording, blocks)


def _one_after_the_other(whole: Recording, blocks: Sequence[Recording]) -> Recording:
    moved, start_s = [], float(whole.epochs_s[0, 0])
    for block in blocks:
        # By whole time steps, so that spikes of one step stay together.
        n_steps = np.ceil((start_s - block.epochs_s[0, 0]) / whole.time_resolution_s)
        moved.append(_moved(block, float(n_steps * whole.time_resolution_s)))
        start_s = float(moved[-1].epochs_s[-1, 1]) + _GAP_S
    return replace(
        whole,
        spike_times_s=np.concatenate([block.spike_times_s for block in moved]),
        spike_neurons=np.concatenate([block.spike_neurons for block in moved]),
        epochs_s=np.concatenate([block.epochs_s for block in moved]),
        covariates={
            name: replace(
                covariate,
                times_s=np.concatenate([block.covariates[name].times_s for block in moved]),
                values=np.concatenate([block.covariates[name].values for block in moved]),
            )
            for name, covariate in whole.covariates.items()
        },
    )


def _moved(block: Recording, by_s: float) -> Recording:
    """The block and its covariates, shifted in time."""
    times, epochs = block.spike_times_s + by_s, block.epochs_s + by_s
    stop = epochs[:, 1]  # excluded: rounding must not put it on a spike
    epochs[:, 1] = np.where(np.isin(stop, times), np.nextafter(stop, np.inf), stop)
    return replace(
        block,
        spike_times_s=times,
        epochs_s=epochs,
        covariates={
            name: _covariate_during(block, covariate, by_s)
            for name, covariate in block.covariates.items()
        },
    )


def _covariate_during(block: Recording, covariate: Covariate, by_s: float) -> Covariate:
    start, stop = block.epochs_s[0, 0], block.epochs_s[-1, 1]
    inside = (covariate.times_s > start) & (covariate.times_s < stop)
    times = np.concatenate([[start], covariate.times_s[inside], [stop]])
    return replace(covariate, times_s=times + by_s, values=covariate.at(times))
