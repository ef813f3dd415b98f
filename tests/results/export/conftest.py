"""A circuit of three units, and an NWB file that they were recorded in."""

import datetime
import warnings

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity

TRAINS = (np.array([0.5, 1.5, 2.5, 9.0]), np.array([0.7, 4.2]), np.array([3.3]))


def three_units(**changes) -> Connectivity:
    """Unit 7 excites 8 surely; 9 inhibits 7 perhaps; what 8 sends to 9 the spikes do not inform."""
    weights = np.array([[0.0, 0.0, -0.7], [1.0 / 3.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    probability = np.array([[0.0, 0.01, 0.6], [0.99, 0.0, 0.02], [0.03, 0.5, 0.0]])
    latency = np.full((3, 3), np.nan)
    latency[1, 0] = 0.0021
    error = np.full((3, 3), 0.1)
    error[2, 1] = np.inf
    parts = {
        "weights": weights,
        "neuron_ids": ("7", "8", "9"),
        "standard_error": error,
        "probability": probability,
        "latency_s": latency,
        "latency_sd_s": latency / 10,
        "excitatory_probability": np.array([0.99, 0.5, 0.01]),
        "metadata": {"method": "by hand", "unit": "log rate", "step_s": 0.001},
    }
    return Connectivity(**{**parts, **changes})


@pytest.fixture
def circuit() -> Connectivity:
    return three_units()


@pytest.fixture
def write_nwb_file():
    """Write an NWB file with units of these ids and whatever else `add` puts into it."""
    import pynwb

    def write(path, unit_ids=(7, 8, 9), add=lambda nwb: None):
        nwb = pynwb.NWBFile(
            session_description="made by a test",
            identifier="test",
            session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
        )
        for unit, train in zip(unit_ids, TRAINS, strict=False):
            nwb.add_unit(id=unit, spike_times=train)
        nwb.add_epoch(0.0, 3.0, ["wake"])
        nwb.add_epoch(4.0, 10.0, ["sleep"])
        times = np.arange(20) * 0.5
        nwb.add_acquisition(
            pynwb.TimeSeries(name="speed", data=times**2, timestamps=times, unit="m/s")
        )
        add(nwb)
        with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
            warnings.simplefilter("ignore")
            file.write(nwb)
        return path

    return write


def add_curated(nwb):
    """Another table of units, with the same ids and one more."""
    import pynwb

    curated = pynwb.misc.Units(name="curated", description="by another sorter")
    for unit, train in zip((7, 8, 9, 10), (*TRAINS, TRAINS[0]), strict=True):
        curated.add_unit(id=unit, spike_times=train)
    nwb.create_processing_module("ecephys", "sorted again").add(curated)


@pytest.fixture
def nwb_file(write_nwb_file, tmp_path):
    """A recording of the circuit's units."""
    return write_nwb_file(tmp_path / "recording.nwb")
