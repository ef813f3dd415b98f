"""Sleep of the mouse as recordings: python benchmarks/heading_sleep.py COUNTS.npz OUT_DIR.

COUNTS.npz holds spike counts of the same neurons in bins of `bin_width` seconds, `counts_rem` and
`counts_sws`, without clock time. Each becomes a recording, its bins taken as consecutive, that
`spikeweft heading ... --elsewhere` reads. Of slow-wave sleep, the first 35 minutes are kept, about
as long as the mouse was awake.
"""

import sys
from pathlib import Path

import numpy as np

STATES = ("rem", "sws")
LONGEST_S = 35 * 60.0


def main(file: Path, folder: Path) -> None:
    """Write a recording for each state of sleep."""
    with np.load(file, allow_pickle=False) as arrays:
        bin_s = float(arrays["bin_width"])
        for state in STATES:
            counts = arrays[f"counts_{state}"][: round(LONGEST_S / bin_s)].astype(np.int64)
            bin_, neuron = np.nonzero(counts)
            times = np.repeat((bin_ + 0.5) * bin_s, counts[bin_, neuron])
            np.savez_compressed(
                folder / f"{state}.npz",
                spike_times=times,
                spike_units=np.repeat(neuron, counts[bin_, neuron]),
                n_units=np.array(counts.shape[1]),
                start=np.array(0.0),
                stop=np.array(len(counts) * bin_s),
                time_resolution_s=np.array(bin_s),
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
