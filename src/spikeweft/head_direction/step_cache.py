"""Results of a study's steps in a folder, so that it can be resumed."""

import io
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.runtime.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCache:
    """Arrays that take long to make, one file per step; a step with a file is not repeated."""

    folder: Path

    def arrays(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """The arrays of a step, made if the folder lacks them.

        Raises
        ------
        InputError
            Where the file is damaged, or cannot be written.
        """
        path = self.folder / f"{name}.npz"
        if not path.exists():
            content = io.BytesIO()
            np.savez_compressed(content, allow_pickle=False, **make())
            write_whole(path, content.getvalue())
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                return dict(file)
        except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise InputError(f"{path} is damaged ({error}); remove it and run again") from error

    def circuits(
        self, name: str, make: Callable[[], Sequence[Connectivity]], of: Recording
    ) -> list[Connectivity]:
        """The circuits of a step, made if the folder lacks them."""
        arrays = self.arrays(name, lambda: pack_circuits(make()))
        return [
            Connectivity(
                weights=weights,
                standard_error=error,
                neuron_ids=of.neuron_ids,
                angle_rad=of.preferred_angle_rad,
            )
            for weights, error in zip(arrays["weights"], arrays["standard_error"], strict=True)
        ]

    def begin(self, settings: dict[str, Any]) -> None:
        """Write the study's settings, or refuse a folder with the steps of another study.

        Raises
        ------
        InputError
            Where the folder was begun with other settings.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "settings.json"
        wanted = json.dumps(settings, indent=2, sort_keys=True)
        if path.exists() and path.read_text(encoding="utf-8") != wanted:
            raise InputError(
                f"{self.folder} was begun with other settings or another recording; choose another "
                "folder, or start over with --force"
            )
        write_whole(path, wanted.encode())


def pack_circuits(circuits: Sequence[Connectivity]) -> dict[str, np.ndarray]:
    """Weights and errors of several circuits of the same neurons."""
    return {
        "weights": np.stack([circuit.weights for circuit in circuits]),
        "standard_error": np.stack([_errors(circuit) for circuit in circuits]),
    }


def _errors(circuit: Connectivity) -> Float[np.ndarray, "post pre"]:
    """Standard errors; 1 for all pairs where a method gives none, so that all count alike."""
    error = circuit.standard_error
    return np.ones(circuit.weights.shape) if error is None else error
