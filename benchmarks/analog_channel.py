"""Peak memory of commands on an NWB file, alone and beside an analog channel in it."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pynwb
import tables
from hdmf.backends.hdf5.h5_utils import H5DataIO

SAMPLING_RATE_HZ = 30_000.0

SECONDS, N_UNITS, RATE_HZ = 100.0, 8, 10.0

_REPORT = (
    "; from spikeweft.runtime.memory import peak_memory_mb"
    "; print('peak', peak_memory_mb(), file=sys.stderr)"
)

COMMANDS = {
    "show": "import sys; from spikeweft.cli import main; main(['show', sys.argv[1]])",
    "check": "import sys; from spikeweft.cli import main; main(['check', sys.argv[1]])",
    "load": "import sys; from spikeweft import load; load(sys.argv[1])",
}


def beside_channel(command: str, n: int, place: Path, seed: int) -> tables.Row:
    """Peak memory in MiB of a command in a process of its own, without and with n samples more."""
    peaks = []
    for n_samples in (0, n):
        path = recording(place / f"{n_samples}.nwb", n_samples, np.random.default_rng(seed))
        asked = [sys.executable, "-c", COMMANDS[command] + _REPORT, str(path)]
        ended = subprocess.run(asked, capture_output=True, text=True, check=True)
        peaks.append(float(ended.stderr.split()[-1]))
    without, beside = peaks
    return {"mib_without_channel": round(without), "mib_beside_channel": round(beside)}


def recording(path: Path, n_samples: int, rng: np.random.Generator) -> Path:
    """Neurons that have nothing to do with each other, and a channel that was compressed."""
    file = pynwb.NWBFile(
        session_description="made by a benchmark",
        identifier="channel",
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for _ in range(N_UNITS):
        n_spikes = rng.poisson(RATE_HZ * SECONDS)
        file.add_unit(spike_times=np.sort(rng.uniform(0.0, SECONDS, n_spikes)))
    if n_samples:
        data = H5DataIO(np.zeros(n_samples, np.int16), compression="gzip", chunks=(1 << 20,))
        channel = pynwb.TimeSeries(name="sync", data=data, rate=SAMPLING_RATE_HZ, unit="V")
        file.add_acquisition(channel)
    with pynwb.NWBHDF5IO(path=path, mode="w") as io:
        io.write(file)
    return path
