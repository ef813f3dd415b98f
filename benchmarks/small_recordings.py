"""One small recording of every kind, by the format's own writer where there is one.

Phy and ALF folders are NumPy arrays beside texts, and are written so; MATLAB 7.3 and NeuroExplorer
are laid out as the formats are described. `written_by_others.py` asks others that write these.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from damaged_inputs import small_arrays, small_nwb

RATE_HZ = 10_000.0


def separate_trains(rng: np.random.Generator) -> list[np.ndarray]:
    """Spike times (s) of each unit, ascending."""
    arrays = small_arrays(rng)
    units = range(int(arrays["n_units"]))
    return [np.sort(arrays["spike_times"][arrays["spike_units"] == unit]) for unit in units]


def _rows(rng: np.random.Generator) -> pd.DataFrame:
    arrays = small_arrays(rng)
    units = arrays["spike_units"]
    table = pd.DataFrame({"time": arrays["spike_times"].round(4), "unit": units})
    return table.assign(region=np.where(units > 1, "ADn", "PoS"))


def npz(place: Path, rng: np.random.Generator) -> Path:
    """As the package writes it, with a truth, names and a covariate."""
    arrays = small_arrays(rng)
    n_units = int(arrays["n_units"])
    arrays |= {
        "neuron_ids": np.array([f"cell {unit}" for unit in range(n_units)]),
        "weights": np.eye(n_units)[::-1].copy(),
        "angle_rad": np.arange(float(n_units)),
        "covariates": np.array(["heading"]),
        "covariate_0_times_s": np.arange(7.0),
        "covariate_0_values": np.arange(7.0) / 2,
        "covariate_0_is_angle": np.array(True),
    }
    np.savez(place / "r.npz", **arrays)
    return place / "r.npz"


def ts_group(place: Path, rng: np.random.Generator) -> Path:
    """By pynapple."""
    import pynapple as nap

    trains = {unit: nap.Ts(train) for unit, train in enumerate(separate_trains(rng))}
    nap.TsGroup(trains, time_support=nap.IntervalSet(0.0, 6.0)).save(str(place / "r.npz"))
    return place / "r.npz"


def nwb_hdf5(place: Path, rng: np.random.Generator) -> Path:
    """By pynwb."""
    return small_nwb(place / "r.nwb", rng)


def nwb_zarr(place: Path, rng: np.random.Generator) -> Path:
    """By hdmf-zarr, from the same in HDF5."""
    import hdmf_zarr
    import pynwb

    small_nwb(place / "r.nwb", rng)
    with (
        pynwb.NWBHDF5IO(path=place / "r.nwb", mode="r") as from_file,
        hdmf_zarr.NWBZarrIO(path=str(place / "r.zarr"), mode="w") as to_file,
    ):
        to_file.export(src_io=from_file, write_args={"link_data": False})
    return place / "r.zarr"


def phy(place: Path, rng: np.random.Generator) -> Path:
    """As Kilosort and Phy write it."""
    folder, arrays = place / "phy", small_arrays(rng)
    folder.mkdir()
    np.save(folder / "spike_times.npy", np.rint(arrays["spike_times"] * RATE_HZ).astype(np.uint64))
    np.save(folder / "spike_clusters.npy", arrays["spike_units"].astype(np.int32))
    np.save(folder / "spike_templates.npy", arrays["spike_units"].astype(np.int32))
    (folder / "params.py").write_text(f"dat_path = 'x.dat'\nsample_rate = {RATE_HZ}\n")
    groups = "".join(f"{unit}\tgood\n" for unit in range(int(arrays["n_units"])))
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n" + groups)
    (folder / "cluster_depth.csv").write_text("cluster_id,depth\n0,12.5\n2,40.0\n")
    return folder


def alf(place: Path, rng: np.random.Generator) -> Path:
    """As the International Brain Laboratory writes it."""
    folder, arrays = place / "alf", small_arrays(rng)
    n_units = int(arrays["n_units"])
    folder.mkdir()
    np.save(folder / "spikes.times.npy", arrays["spike_times"])
    np.save(folder / "spikes.clusters.npy", arrays["spike_units"])
    np.save(folder / "clusters.depths.npy", np.arange(float(n_units)))
    metrics = pd.DataFrame({"cluster_id": range(n_units), "label": 1.0})
    metrics.to_csv(folder / "clusters.metrics.csv")
    metrics.to_parquet(folder / "clusters.metrics.pqt")
    uuids = pd.DataFrame({"uuids": [f"a-{unit}" for unit in range(n_units)]})
    uuids.to_csv(folder / "clusters.uuids.csv", index=False)
    return folder


def as_cells(values: list[Any]) -> np.ndarray:
    """A cell array of MATLAB."""
    cells = np.empty((1, len(values)), dtype=object)
    cells[0, :] = values
    return cells


def cell_explorer(rng: np.random.Generator) -> dict[str, Any]:
    """The struct `spikes` of CellExplorer, whose lists are cell arrays."""
    trains = separate_trains(rng)
    regions = ["ADn" for _ in trains]
    return {"times": trains, "UID": np.arange(1.0, 1 + len(trains)), "region": regions}


def matlab_5(place: Path, rng: np.random.Generator) -> Path:
    """A cell array, by SciPy."""
    import scipy.io

    scipy.io.savemat(place / "r.mat", {"spike_times": as_cells(separate_trains(rng))})
    return place / "r.mat"


def matlab_5_of_cell_explorer(place: Path, rng: np.random.Generator) -> Path:
    """The struct of CellExplorer, by SciPy, compressed as MATLAB does."""
    import scipy.io

    fields = cell_explorer(rng).items()
    struct = {name: as_cells(value) if isinstance(value, list) else value for name, value in fields}
    scipy.io.savemat(place / "r.spikes.cellinfo.mat", {"spikes": struct}, do_compression=True)
    return place / "r.spikes.cellinfo.mat"


def matlab_7_3(place: Path, rng: np.random.Generator) -> Path:
    """A cell array."""
    return _write_7_3(place / "r.mat", {"spike_times": separate_trains(rng)})


def matlab_7_3_of_cell_explorer(place: Path, rng: np.random.Generator) -> Path:
    """The struct of CellExplorer."""
    return _write_7_3(place / "r.spikes.cellinfo.mat", {"spikes": cell_explorer(rng)})


def _write_7_3(path: Path, variables: Mapping[str, Any]) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _put(file, file, name, value)
    with path.open("r+b") as opened:
        opened.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def _put(file: h5py.File, group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, dict):
        struct = group.create_group(name)
        for field, part in value.items():
            _put(file, struct, field, part)
    elif isinstance(value, list):
        refs = file.require_group("#refs#")
        cells = group.create_dataset(name, (len(value), 1), dtype=h5py.ref_dtype)
        for number, part in enumerate(value):
            key = f"r{len(refs)}"
            _put(file, refs, key, part)
            cells[number, 0] = refs[key].ref
    elif isinstance(value, str):
        group.create_dataset(name, data=np.frombuffer(value.encode("utf-16-le"), "<u2"))
    else:
        group.create_dataset(name, data=np.atleast_2d(value).T)
    kinds = {dict: b"struct", list: b"cell", str: b"char"}
    group[name].attrs["MATLAB_class"] = np.bytes_(kinds.get(type(value), b"double"))


def csv(place: Path, rng: np.random.Generator) -> Path:
    """By pandas."""
    _rows(rng).to_csv(place / "r.csv", index=False)
    return place / "r.csv"


def tsv(place: Path, rng: np.random.Generator) -> Path:
    """By pandas."""
    _rows(rng).to_csv(place / "r.tsv", index=False, sep="\t")
    return place / "r.tsv"


def parquet(place: Path, rng: np.random.Generator) -> Path:
    """By pyarrow."""
    _rows(rng).to_parquet(place / "r.parquet", engine="pyarrow")
    return place / "r.parquet"


def small_sorting(rng: np.random.Generator) -> Any:
    """A sorting of SpikeInterface, with a property."""
    import spikeinterface.core as si

    trains = {f"u{n}": np.rint(t * RATE_HZ).astype(int) for n, t in enumerate(separate_trains(rng))}
    sorting = si.NumpySorting.from_unit_dict(trains, sampling_frequency=RATE_HZ)
    sorting.set_property("quality", np.array(["good"] * len(trains)))
    return sorting


def spikeinterface_folder(place: Path, rng: np.random.Generator) -> Path:
    """A sorting, by SpikeInterface."""
    small_sorting(rng).save(folder=place / "sorting", format="numpy_folder")
    return place / "sorting"


def spikeinterface_zarr(place: Path, rng: np.random.Generator) -> Path:
    """A sorting in Zarr, by SpikeInterface."""
    small_sorting(rng).save(folder=place / "sorting.zarr", format="zarr")
    return place / "sorting.zarr"


def spikeinterface_analyzer(place: Path, rng: np.random.Generator) -> Path:
    """An analyzer with metrics, by SpikeInterface."""
    import spikeinterface.core as si

    traces = si.generate_recording(
        num_channels=2, durations=[6.0], sampling_frequency=RATE_HZ, set_probe=True
    )
    analyzer = si.create_sorting_analyzer(small_sorting(rng), traces, sparse=False)
    analyzer.compute("quality_metrics", metric_names=["num_spikes"])
    analyzer.save_as(folder=place / "analyzer", format="binary_folder")
    return place / "analyzer"


def neuro_explorer(place: Path, rng: np.random.Generator) -> Path:
    """A file of NeuroExplorer, laid out as Neo's reader describes it."""
    from neo.rawio import neuroexplorerrawio as layout

    trains, ticks_hz, width = separate_trains(rng), 40_000.0, 208
    header = np.zeros(1, dtype=layout.GlobalHeader)
    header["signature"], header["version"], header["freq"] = b"NEX1", 104, ticks_hz
    header["tend"], header["nvar"] = int(6.0 * ticks_hz), len(trains)
    data = [np.rint(train * ticks_hz).astype("<i4").tobytes() for train in trains]
    start = 544 + width * len(trains)
    units = np.zeros(len(trains), dtype=layout.EntityHeader)
    for number, unit in enumerate(data):
        units[number]["name"], units[number]["n"] = f"sig{number}a".encode(), len(unit) // 4
        units[number]["offset"] = start + sum(map(len, data[:number]))
    headers = b"".join(unit.tobytes().ljust(width, b"\0") for unit in units)
    path = place / "r.nex"
    path.write_bytes(header.tobytes().ljust(544, b"\0") + headers + b"".join(data))
    return path


Writer = Callable[[Path, np.random.Generator], Path]

KINDS: Mapping[str, tuple[Writer, ...]] = {
    "npz": (npz,),
    "saved TsGroup": (ts_group,),
    "NWB in HDF5": (nwb_hdf5,),
    "NWB in Zarr": (nwb_zarr,),
    "Phy": (phy,),
    "ALF": (alf,),
    "MATLAB 5": (matlab_5, matlab_5_of_cell_explorer),
    "MATLAB 7.3": (matlab_7_3, matlab_7_3_of_cell_explorer),
    "CSV": (csv,),
    "TSV": (tsv,),
    "Parquet": (parquet,),
    "SpikeInterface": (spikeinterface_folder, spikeinterface_zarr, spikeinterface_analyzer),
    "Neo": (neuro_explorer,),
}


_LIBRARIES = {
    "NWB in Zarr": "hdmf_zarr",
    "ALF": "pyarrow",
    "Parquet": "pyarrow",
    "SpikeInterface": "spikeinterface",
    "Neo": "neo",
}
"""What writes or reads a kind, where that is optional."""


def installed_kinds() -> list[str]:
    """The kinds whose library is there; what is skipped is printed."""
    missing = {kind: name for kind, name in _LIBRARIES.items() if find_spec(name) is None}
    for kind, name in missing.items():
        print(f"{kind} is skipped, for {name} is not installed")
    return [kind for kind in KINDS if kind not in missing]


def written(kind: str, place: Path, rng: np.random.Generator) -> list[Path]:
    """The recordings of a kind, each in a folder of its own."""
    paths = []
    for number, write in enumerate(KINDS[kind]):
        folder = place / f"original{number}"
        folder.mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            paths.append(write(folder, rng))
    return paths
