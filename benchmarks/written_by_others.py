"""Small recordings by writers of a format that the tests do not need: the extra `writers`.

Beside them are objects of other libraries, as they are handed over in Python.
"""

from pathlib import Path
from typing import Any

import numpy as np
from damaged_inputs import small_arrays
from small_recordings import RATE_HZ, as_cells, cell_explorer, separate_trains, small_sorting

STOP_S = 6.0


def phy(place: Path, rng: np.random.Generator) -> Path:
    """By phylib, which Phy reads and writes its folders with."""
    from phylib.io.model import save_metadata, write_array
    from phylib.utils._misc import write_python

    arrays, order = _in_order_of_time(rng)
    units = range(int(arrays["n_units"]))
    samples = np.rint(arrays["spike_times"][order] * RATE_HZ).astype(np.int64)
    write_array(place / "spike_times.npy", samples)
    write_array(place / "spike_clusters.npy", arrays["spike_units"][order].astype(np.int32))
    write_python(place / "params.py", {"dat_path": "x.dat", "sample_rate": RATE_HZ})
    save_metadata(place / "cluster_group.tsv", "group", dict.fromkeys(units, "good"))
    save_metadata(place / "cluster_depth.tsv", "depth", {unit: 10.0 * unit for unit in units})
    return place


def alf(place: Path, rng: np.random.Generator) -> Path:
    """By ONE, with which the International Brain Laboratory writes."""
    from one.alf.io import save_object_npy

    arrays, order = _in_order_of_time(rng)
    spikes = {"times": arrays["spike_times"][order], "clusters": arrays["spike_units"][order]}
    save_object_npy(place, spikes, "spikes")
    save_object_npy(place, {"depths": np.arange(float(arrays["n_units"]))}, "clusters")
    return place


def matlab_7_3(place: Path, rng: np.random.Generator) -> Path:
    """A cell array, by hdf5storage."""
    return _by_hdf5storage(place / "r.mat", {"spike_times": as_cells(separate_trains(rng))})


def matlab_7_3_of_cell_explorer(place: Path, rng: np.random.Generator) -> Path:
    """The struct of CellExplorer, by hdf5storage."""
    struct = {
        name: as_cells(value) if isinstance(value, list) else value
        for name, value in cell_explorer(rng).items()
    }
    return _by_hdf5storage(place / "r.spikes.cellinfo.mat", {"spikes": struct})


def nix(place: Path, rng: np.random.Generator) -> Path:
    """By Neo, which writes NIX with nixio."""
    import neo

    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    segment.spiketrains.extend(neo_trains(place, rng))
    with neo.NixIO(str(place / "r.nix"), "ow") as file:
        file.write_block(block)
    return place / "r.nix"


def neo_trains(_: Path, rng: np.random.Generator) -> list[Any]:
    """Neo's spike trains, in memory."""
    import neo
    import quantities as pq

    return [
        neo.SpikeTrain(train * pq.s, t_stop=STOP_S * pq.s, name=f"u{unit}")
        for unit, train in enumerate(separate_trains(rng))
    ]


def ts_group(_: Path, rng: np.random.Generator) -> Any:
    """A `TsGroup` of pynapple, in memory."""
    import pynapple as nap

    trains = {unit: nap.Ts(train) for unit, train in enumerate(separate_trains(rng))}
    return nap.TsGroup(trains, time_support=nap.IntervalSet(0.0, STOP_S))


def sorting(_: Path, rng: np.random.Generator) -> Any:
    """A sorting of SpikeInterface, in memory."""
    return small_sorting(rng)


def named_arrays(_: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A mapping from names to arrays of spike times."""
    return {f"cell {unit}": train for unit, train in enumerate(separate_trains(rng))}


def _in_order_of_time(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The spikes, and their order as a sorter writes them."""
    arrays = small_arrays(rng)
    return arrays, np.argsort(arrays["spike_times"], kind="stable")


def _by_hdf5storage(path: Path, variables: dict[str, Any]) -> Path:
    import hdf5storage

    hdf5storage.savemat(str(path), variables, format="7.3", store_python_metadata=False)
    return path
