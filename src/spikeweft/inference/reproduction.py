"""A result is made again from its provenance, and the two are compared bit by bit."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator
from spikeweft.inference.run import circuit_gnn, infer, plain_settings
from spikeweft.inference.settings import Inference
from spikeweft.results.result import Result, read_result
from spikeweft.runtime.training_loop import Progress


class Difference(NamedTuple):
    """How an array of the repeated result differs from the first one.

    Attributes
    ----------
    array
        What differs, as "weights".
    n_entries
        In how many entries, by at least one bit.
    largest
        The largest absolute difference; infinite where the shape or a number's finiteness differs,
        or only one of the two results has the array.
    where
        The entry that differs most, as "post 3, pre 5".
    scale
        The largest absolute finite value in the array, to judge the difference by.
    """

    array: str
    n_entries: int
    largest: float
    where: str
    scale: float


class Reproduction(NamedTuple):
    """The outcome of making a result again.

    Attributes
    ----------
    compared
        The arrays that both results have.
    differences
        One for each array that is not the same bit by bit, or that only one result has.
    changes
        Versions and machine that changed, such as "numpy": ("2.3.0", "2.4.1").
    """

    compared: tuple[str, ...]
    differences: tuple[Difference, ...]
    changes: Mapping[str, tuple[str, str]]

    @property
    def is_same(self) -> bool:
        """Whether both results have the same arrays, bit by bit."""
        return not self.differences


def reproduce(
    folder: str | Path,
    recording: str | Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Make a result again, with its own settings and from its own recording, and compare.

    Weights and standard errors, those of the GLM and of a second circuit, and all that the model
    learned are compared bit by bit. The result itself is left as it is.

    Parameters
    ----------
    folder
        The result.
    recording
        Where its recording is now; by default, where it was.
    on_progress, on_stage
        As in `infer.infer`.

    Raises
    ------
    InputError
        Where the folder is no whole result, or of a model that cannot be built again, or the
        recording is missing or has another content.
    """
    before = read_result(folder)
    found = _recording(before.provenance, Path(folder), recording)
    with tempfile.TemporaryDirectory(prefix="spikeweft-") as place:
        asked = _inference(before.provenance, Path(folder), found, Path(place) / "again")
        glm = PoissonGLM(covariates=tuple(before.provenance.get("glm_covariates", ())))
        chose = before.provenance.get("model_chosen_by_spikes", False)
        model = None if chose else circuit_gnn(asked)
        _check_can_be_built(before, Path(folder), model, glm)
        again = infer(
            asked,
            on_progress,
            on_stage,
            model=model,
            baseline=glm,
            build_page=lambda _: "",
        )
    was, now = _arrays(before), _arrays(again)
    names = tuple(name for name in was if name in now)
    found_different = (difference(name, was[name], now[name], before) for name in names)
    return Reproduction(
        compared=names,
        differences=(*(one for one in found_different if one is not None), *_unpaired(was, now)),
        changes=_changes(before.provenance, again.provenance),
    )


def _check_can_be_built(
    before: Result, folder: Path, model: CircuitGNN | None, glm: PoissonGLM
) -> None:
    """What its user built has settings that the result's own do not say, or is of another kind."""
    provenance = before.provenance
    compared: dict[str, tuple[str, CircuitEstimator, Mapping[str, Any]]] = {
        "compared with": ("baseline", glm, provenance.get("baseline_settings", {}))
    }
    if model is not None:
        compared["made by"] = ("model", model, before.model_settings)
    for how, (name, ours, settings) in compared.items():
        kind = provenance.get(name, type(ours).__name__)
        if kind != type(ours).__name__ or _differ(settings, ours):
            raise InputError(
                f"{folder} was {how} a {kind} that was built in Python, which cannot be built "
                "again from the result; make it again with the code that made it"
            )


def _differ(settings: Mapping[str, Any], ours: CircuitEstimator) -> bool:
    """Whether a setting that both know has another value; an older version may know fewer."""
    known = plain_settings(ours)
    return any(settings[name] != known[name] for name in known if name in settings)


def _unpaired(was: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray]) -> list[Difference]:
    """Arrays of one result alone, as where another version names them otherwise."""
    return [
        Difference(name, array.size, np.inf, where, _largest(array))
        for ours, theirs, where in (
            (was, now, "not there when made again"),
            (now, was, "there only when made again"),
        )
        for name, array in ours.items()
        if name not in theirs
    ]


def difference(name: str, was: np.ndarray, now: np.ndarray, result: Result) -> Difference | None:
    """How two arrays differ; None where they are the same bit by bit."""
    if was.shape != now.shape or was.dtype != now.dtype:
        where = f"shape {now.shape} of {now.dtype} instead of {was.shape} of {was.dtype}"
        return Difference(name, max(was.size, now.size), np.inf, where, _largest(was))
    unequal = _bits(was) != _bits(now)
    if not unequal.any():
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(now.astype(float) - was.astype(float))
    alike = (was == now) | (np.isnan(was) & np.isnan(now))  # bits differ, as of 0 and -0
    apart = np.where(alike, 0.0, np.where(np.isfinite(apart), apart, np.inf))
    place = np.unravel_index(int(np.argmax(np.where(unequal, apart, -1.0))), was.shape)
    return Difference(
        name,
        int(np.count_nonzero(unequal)),
        float(apart[place]),
        _place(place, was.shape, result),
        _largest(was),
    )


def _bits(array: np.ndarray) -> np.ndarray:
    """Floating-point numbers as integers, since NaN does not equal itself and 0 equals -0."""
    if array.dtype.kind != "f":
        return array
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)


def _largest(array: np.ndarray) -> float:
    finite = array[np.isfinite(array)]
    return float(np.max(np.abs(finite))) if finite.size else 0.0


def _place(place: tuple[Any, ...], shape: tuple[int, ...], result: Result) -> str:
    names = result.connectivity.neuron_ids
    if shape == (len(names), len(names)):
        return f"post {names[place[0]]}, pre {names[place[1]]}"
    return f"entry {', '.join(str(int(i)) for i in place)}" if place else "its only entry"


def _arrays(result: Result) -> dict[str, np.ndarray]:
    arrays = {"weights": result.connectivity.weights}
    if result.connectivity.standard_error is not None:
        arrays["standard errors"] = result.connectivity.standard_error
    if result.glm is not None:
        arrays["GLM's weights"] = result.glm.weights
    if result.second is not None:
        arrays["second circuit's weights"] = result.second.weights
    learned = {f"model's {name}": np.asarray(v) for name, v in result.model_arrays.items()}
    return {**arrays, **learned}


def _recording(provenance: Mapping[str, Any], folder: Path, recording: str | Path | None) -> Path:
    """The recording that the result was made from, and no other."""
    if recording is None and "recording_path" not in provenance:
        raise InputError(
            f"{folder} does not say where its recording is; give its path with --recording"
        )
    path = Path(provenance["recording_path"] if recording is None else recording)
    if not path.exists():
        raise InputError(f"the recording {path} does not exist; give its new path with --recording")
    digest, wanted = recording_digest(path), _known(provenance, "sha256", folder)
    if digest != wanted:
        raise InputError(
            f"the recording {path} is not the one that {folder} was made from (its SHA-256 begins "
            f"with {digest[:8]}, not {str(wanted)[:8]}); give the path of that one with --recording"
        )
    return path


def _inference(
    provenance: Mapping[str, Any], folder: Path, recording: Path, again: Path
) -> Inference:
    bootstrap = provenance.get("bootstrap")
    asked = Inference(
        recording=recording,
        folder=again,
        n_hidden=int(_known(provenance, "n_hidden", folder)),
        covariates=tuple(provenance.get("covariates", ())),
        event_window_s=tuple(provenance.get("event_window_s", USUAL_WINDOW_S)),
        rotated_by=provenance.get("rotated_by"),
        seed=int(_known(provenance, "seed", folder)),
        epochs=_known(provenance, "epochs", folder),
        units=provenance.get("units"),
        exclude=tuple(provenance.get("exclude", ())),
        min_rate_hz=float(provenance.get("min_rate_hz", 0.0)),
        units_table=provenance.get("units_table"),
        minutes=_known(provenance, "minutes", folder),
    )
    if bootstrap is None:
        return asked
    block_s = float(_known(provenance, "block_s", folder))
    return replace(asked, bootstrap=int(bootstrap), block_s=block_s)


def _known(provenance: Mapping[str, Any], key: str, folder: Path) -> Any:
    if key not in provenance:
        raise InputError(
            f"the provenance of {folder} has no {key}, so the result cannot be made again"
        )
    return provenance[key]


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Versions and machine that changed."""
    then = {**before.get("versions", {}), "machine": before.get("machine", "unknown")}
    today = {**now.get("versions", {}), "machine": now.get("machine", "unknown")}
    return {
        name: (str(then.get(name, "unknown")), str(value))
        for name, value in today.items()
        if then.get(name) != value
    }
