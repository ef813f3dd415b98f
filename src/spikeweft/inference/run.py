"""From one recording to one result folder: load, check, split, fit, compare, score, write."""

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.readers.load import load_truth
from spikeweft.errors import InputError
from spikeweft.evaluation.metrics import InferenceError, inference_error
from spikeweft.inference.scores import doubts, scores_of
from spikeweft.inference.settings import Inference
from spikeweft.inference.train_test import parts_of, sample
from spikeweft.reporting.result_page import build_report
from spikeweft.results.result import Result, read_result, write_result
from spikeweft.results.unfinished_folder import CHECKPOINT, check_place, made_whole
from spikeweft.runtime.files import write_whole
from spikeweft.runtime.provenance import machine, versions
from spikeweft.runtime.training_loop import Progress


def infer(
    inference: Inference,
    on_progress: Callable[[Progress], None] | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Result:
    """Infer the circuit of a recording and write it, beside a GLM's and all scores, to a folder.

    The first 90 % of the recorded time are for fitting, which holds out a part of them itself; the
    last 10 % are for scoring alone. The true circuit, where the file holds it, only scores.

    Parameters
    ----------
    inference
        What to infer from, how, and where to put the result.
    on_progress
        Called after each step of training, with the past ones too where training is resumed.
    on_stage
        Called with a few words when something else begins that takes time, after training.

    Raises
    ------
    InputError
        Where the input or the folder cannot be used. What is wrong with the input is found before
        anything is written.
    """
    inference.check()
    folder = check_folder(inference)
    try:
        return _infer(inference, folder, on_progress, on_stage)
    except MemoryError as error:
        raise InputError(
            f"the memory does not suffice to infer from {inference.recording} ({error}); use only "
            "its first --minutes, or a machine with more"
        ) from error


def _infer(
    inference: Inference,
    folder: Path,
    on_progress: Callable[[Progress], None] | None,
    on_stage: Callable[[str], None],
) -> Result:
    started = time.perf_counter()
    model = CircuitGNN(
        n_hidden=inference.n_hidden,
        covariates=inference.covariates,
        rotated_by=inference.rotated_by,
        random_state=inference.seed,
    )
    glm = PoissonGLM()
    data = parts_of(inference, max(model.history_window_s, glm.history_window_s))
    model.check_recording(data.training)
    settings = inference.settings()
    # One thread for linear algebra, for its sums depend on how many there are.
    with threadpool_limits(1), made_whole(folder, settings, force=inference.force) as partial:
        fit_started = time.perf_counter()
        model.fit(data.training, checkpoint=partial / CHECKPOINT, on_progress=on_progress)
        before_resuming = _seconds_before(model.history_, time.perf_counter() - fit_started)
        on_stage("fitting a Poisson GLM to compare with")
        glm.fit(data.training)
        on_stage("scoring")
        result = Result(
            connectivity=model.connectivity_,
            glm=glm.connectivity_,
            truth=data.truth,
            metrics=scores_of(data, model, glm),
            history=list(model.history_),
            sample=sample(data),
            warnings=doubts(data, model.connectivity_),
            provenance=_provenance(settings, inference),
            model_arrays=model.model_arrays(),
            model_settings=model.model_settings(),
        )
        result = _with_costs(result, time.perf_counter() - started + before_resuming)
        on_stage("writing the result")
        write_result(partial, result)
        write_whole(partial / "report.html", build_report(result).encode())
    return result


def score(folder: str | Path, truth: str | Path) -> dict[str, InferenceError]:
    """Inference error of a result folder's circuits, "spikeweft" and "GLM", against a true one.

    Raises
    ------
    InputError
        Where either cannot be read, or they are circuits of different size.
    """
    result, true_circuit = read_result(folder), load_truth(truth)
    circuits = {"spikeweft": result.connectivity, "GLM": result.glm}
    return {
        name: inference_error(circuit, true_circuit)
        for name, circuit in circuits.items()
        if circuit is not None
    }


def write_report(folder: str | Path, beside: Sequence[str | Path] = ()) -> Path:
    """Write `report.html` of a result folder again, with the circuits of others to compare.

    Raises
    ------
    InputError
        Where a folder is not a whole result, or cannot be written to, or another is of other
        neurons.
    """
    others = {str(other): read_result(other) for other in beside}
    page = build_report(read_result(folder), others)
    path = Path(folder) / "report.html"
    write_whole(path, page.encode())
    return path


def _with_costs(result: Result, seconds: float) -> Result:
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    costs = {"seconds": seconds, "peak_memory_mb": peak_memory_mb}
    return replace(
        result,
        metrics={**result.metrics, **costs},
        provenance={**result.provenance, "seconds": seconds},
    )


def _seconds_before(history: Sequence[Progress], fit_s: float) -> float:
    """Time spent on training before it was interrupted."""
    return max(0.0, history[-1].seconds - fit_s) if history else 0.0


def _provenance(settings: Mapping[str, Any], inference: Inference) -> dict[str, Any]:
    return {
        **settings,
        "recording_path": os.path.abspath(inference.recording),
        "command": inference.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
    }


def check_folder(inference: Inference) -> Path:
    """The result folder's place, where nothing is in the way of making it.

    Raises
    ------
    InputError
        Where something is.
    """
    return check_place(inference.folder, resume=inference.resume, force=inference.force)
