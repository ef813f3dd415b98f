"""Contents of files, made by hand."""

from pathlib import Path

import numpy as np

from spikeweft.data.file_contents.contents import FileContents

PATH = Path("recording.nwb")


def poisson_trains(n_units=6, rate_hz=8.0, stop_s=100.0, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate_hz * stop_s, n_units)
    return [np.sort(rng.uniform(0.0, stop_s, count)) for count in counts]


def contents_of_trains(trains, **more):
    return FileContents.of_trains(PATH, trains, [str(unit) for unit in range(len(trains))], **more)
