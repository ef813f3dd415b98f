"""The result of an inference, and the folder of plain files that stores it."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from spikeweft.data.connectivity import DECODER_ERRORS, Connectivity
from spikeweft.data.readers.npz_files.own_arrays import recording_arrays, recording_from
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.results.correlograms import Correlograms
from spikeweft.results.provenance_content import check_provenance
from spikeweft.runtime.training_loop import Progress

_DECODER_ERRORS = (*DECODER_ERRORS, SafetensorError, BadZipFile, csv.Error)
"""What the decoders of netCDF, zip, safetensors, JSON and CSV raise on damaged bytes."""

_HISTORY = ("stage", "step", "loss", "held_out_bits_per_spike", "seconds")
"""Columns of a history; what was expected of the steps to come is not kept."""

_CORRELOGRAMS = "correlograms.nc"

FILES = frozenset(
    {
        "connectivity.nc",
        "glm.nc",
        "second_circuit.nc",
        "truth.nc",
        _CORRELOGRAMS,
        "model.safetensors",
        "model.json",
        "metrics.json",
        "provenance.json",
        "history.csv",
        "sample.npz",
    }
)
"""All that `write_result` writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one inference found, with what is needed to judge and repeat it.

    Attributes
    ----------
    connectivity
        The inferred circuit.
    glm
        The Poisson GLM's circuit on the same spikes, for comparison.
    second
        The circuit of another model that held-out spikes spoke less for, where there was one.
    truth
        The true circuit, where the recording came with it. It is used to score only.
    correlograms
        Of the most probable connections, where the model weighs each pair's.
    metrics
        Scores by name: numbers, statements, and lists with one number per neuron.
    history
        Every step of training.
    sample
        Some seconds of the recording, to look at.
    warnings
        What may make the result wrong.
    provenance
        What was run, on what, with which versions, when and for how long.
    model_arrays, model_settings
        The fitted model.
    """

    connectivity: Connectivity
    glm: Connectivity | None = None
    second: Connectivity | None = None
    truth: Connectivity | None = None
    correlograms: Correlograms | None = None
    metrics: Mapping[str, Any]
    history: list[Progress]
    sample: Recording
    warnings: list[str]
    provenance: Mapping[str, Any]
    model_arrays: Mapping[str, np.ndarray]
    model_settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        n = self.connectivity.n_neurons
        parts = {
            "glm": self.glm,
            "second circuit": self.second,
            "truth": self.truth,
            "sample": self.sample,
        }
        for name, part in parts.items():
            if part is not None and part.n_neurons != n:
                raise InputError(
                    f"the {name} has {part.n_neurons} neurons but the inferred circuit has {n}; "
                    "a result is about one set of neurons"
                )
        last = -1 if self.correlograms is None else self.correlograms.second.max(initial=-1)
        if last >= n:
            raise InputError(
                f"the correlograms are of a neuron {last} but the inferred circuit has {n}; "
                "a result is about one set of neurons"
            )

    def number(self, name: str) -> float | None:
        """A metric, where it is there and finite."""
        return finite(self.metrics.get(name))

    def per_neuron(self, name: str) -> Float[np.ndarray, " neuron"] | None:
        """A metric with one number per neuron, NaN where one is missing."""
        values = self.metrics.get(name)
        if not isinstance(values, (list, tuple, np.ndarray)):
            return None
        if len(values) != self.connectivity.n_neurons:
            return None
        numbers = [finite(value) for value in values]
        return np.array([np.nan if x is None else x for x in numbers], dtype=float)


def finite(value: Any) -> float | None:
    """The value as a number, or None where it is not a finite one."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def write_result(folder: str | Path, result: Result) -> None:
    """Write a result into an existing folder; the files of an earlier result are replaced.

    `connectivity.nc`, `glm.nc`, `second_circuit.nc`, `truth.nc` and `correlograms.nc` (where
    known), `model.safetensors`, `model.json`, `metrics.json`, `history.csv`, `provenance.json`,
    `sample.npz`. Numbers that are not finite become null in JSON. The same result gives the same
    bytes.

    Raises
    ------
    InputError
        Where there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to write a result into; create it first")
    for name, part in {**_circuits(result), _CORRELOGRAMS: result.correlograms}.items():
        if part is None:
            (folder / name).unlink(missing_ok=True)
        else:
            # Written from memory, here and below: libraries report a full disk too late.
            content = part.to_xarray().to_netcdf(engine="scipy")
            (folder / name).write_bytes(content)
    # np.asarray keeps arrays without dims as they are; np.ascontiguousarray would add one.
    arrays = {name: np.asarray(value, order="C") for name, value in result.model_arrays.items()}
    # From memory too: save_file makes files that only the owner can read.
    (folder / "model.safetensors").write_bytes(save(arrays))
    _write_json(folder / "model.json", result.model_settings)
    _write_json(folder / "metrics.json", result.metrics)
    _write_json(
        folder / "provenance.json", {**result.provenance, "warnings": list(result.warnings)}
    )
    _write_history(folder / "history.csv", result.history)
    _write_sample(folder / "sample.npz", result.sample)


def read_result(folder: str | Path) -> Result:
    """Read a folder that `write_result` wrote.

    Raises
    ------
    InputError
        Where the folder or one of its files is missing, damaged, or of another result.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no result folder {folder}; run 'spikeweft infer' first")
    provenance = _read_json(folder / "provenance.json")
    with _reading(folder / "provenance.json"):
        check_provenance(provenance)
        warnings = provenance.pop("warnings")
    with _reading(folder / "model.safetensors") as path:
        model_arrays = load_file(path)
    return Result(
        connectivity=_read_circuit(folder / "connectivity.nc"),
        glm=_read_circuit_if_known(folder / "glm.nc"),
        second=_read_circuit_if_known(folder / "second_circuit.nc"),
        truth=_read_circuit_if_known(folder / "truth.nc"),
        correlograms=_read_correlograms_if_known(folder / _CORRELOGRAMS),
        metrics=_read_json(folder / "metrics.json"),
        history=_read_history(folder / "history.csv"),
        sample=_read_sample(folder / "sample.npz"),
        warnings=warnings,
        provenance=provenance,
        model_arrays=model_arrays,
        model_settings=_read_json(folder / "model.json"),
    )


def _circuits(result: Result) -> dict[str, Connectivity | None]:
    return {
        "connectivity.nc": result.connectivity,
        "glm.nc": result.glm,
        "second_circuit.nc": result.second,
        "truth.nc": result.truth,
    }


@contextmanager
def _reading(path: Path) -> Iterator[Path]:
    """Turn a decoder's errors about a missing or damaged file into one sentence."""
    if not path.is_file():
        raise InputError(
            f"{path} is missing, so {path.parent} is not a whole result; "
            "run 'spikeweft infer' again with --force"
        )
    try:
        yield path
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} is damaged ({reason}); run 'spikeweft infer' again with --force"
        ) from error


def _read_circuit(path: Path) -> Connectivity:
    with _reading(path):
        return Connectivity.from_xarray(_read_netcdf(path))


def _read_circuit_if_known(path: Path) -> Connectivity | None:
    return _read_circuit(path) if path.exists() else None


def _read_correlograms_if_known(path: Path) -> Correlograms | None:
    if not path.exists():
        return None
    with _reading(path):
        return Correlograms.from_xarray(_read_netcdf(path))


def _read_netcdf(path: Path) -> xr.Dataset:
    # From memory: a memory-mapped file would stay open behind the arrays.
    return xr.load_dataset(io.BytesIO(path.read_bytes()), engine="scipy")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One key per line, so that lists over neurons do not hide the rest."""
    rows = [
        f"  {json.dumps(str(key))}: {json.dumps(_plain(value), allow_nan=False)}"
        for key, value in content.items()
    ]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    with _reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        return content


def _plain(value: object) -> object:
    """The value in JSON's terms; numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _write_history(path: Path, history: list[Progress]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _HISTORY, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(progress) for progress in history)


def _read_history(path: Path) -> list[Progress]:
    with _reading(path), path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, strict=True)
        if not set(_HISTORY) <= set(reader.fieldnames or ()):
            raise ValueError(f"its columns are not {', '.join(_HISTORY)}")
        return [
            Progress(
                stage=row["stage"],
                step=int(row["step"]),
                loss=float(row["loss"]),
                held_out_bits_per_spike=float(row["held_out_bits_per_spike"]),
                seconds=float(row["seconds"]),
            )
            for row in reader
        ]


def _write_sample(path: Path, sample: Recording) -> None:
    first_s, last_s = sample.epochs_s.ravel()[[0, -1]]
    around = {
        name: covariate.around(first_s, last_s) for name, covariate in sample.covariates.items()
    }
    content = io.BytesIO()
    np.savez_compressed(
        content, allow_pickle=False, **recording_arrays(replace(sample, covariates=around))
    )
    path.write_bytes(content.getvalue())


def _read_sample(path: Path) -> Recording:
    # From memory: NumPy leaves the file open where the archive is damaged.
    with _reading(path), np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
        return recording_from(arrays)
