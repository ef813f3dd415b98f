"""Whole numbers that stand for the units of spikes."""

from pathlib import Path

import numpy as np
from jaxtyping import Real

from spikeweft.data.file_contents.sentences import counted
from spikeweft.errors import InputError


def check_sorted(labels: Real[np.ndarray, " spike"], path: Path) -> None:
    """Refuse labels below 0, which sorters give to spikes of no unit.

    Raises
    ------
    InputError
        Where there are such.
    """
    n_unsorted = int(np.sum(labels < 0))
    if n_unsorted:
        raise InputError(
            f"{counted(n_unsorted, 'spike')} in {path} have no unit but {labels.min():g}; leave "
            "out what was not sorted, and label units from 0 on"
        )
