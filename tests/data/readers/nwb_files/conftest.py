"""NWB files, by pynwb."""

import datetime
import warnings

import pytest
from tests.data.readers.conftest import TRAINS


@pytest.fixture
def write_nwb(tmp_path):
    """Write an NWB file with these spike trains and whatever else `add` puts into it."""
    pynwb = pytest.importorskip("pynwb")

    def write(trains=TRAINS, add=lambda nwb: None, **columns):
        nwb = pynwb.NWBFile(
            session_description="made by a test",
            identifier="test",
            session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
        )
        for train in trains:
            nwb.add_unit(spike_times=train, **columns)
        add(nwb)
        path = tmp_path / "made.nwb"
        with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
            warnings.simplefilter("ignore")
            file.write(nwb)
        return path

    return write
