"""From one recording to one result folder: load, check, split, fit, compare, score, write."""

import json
import os
import resource
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.problem import MOST_TOGETHER, Problem
from spikeweft.data.readers.load import load_truth
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, ResumablePredictor, SpikePredictor
from spikeweft.evaluation.circuit_error import InferenceError, inference_error
from spikeweft.inference.expectation import Expected, expected_of
from spikeweft.inference.scores import scores_of, warnings_before, warnings_of
from spikeweft.inference.settings import Inference
from spikeweft.inference.train_test import Parts, parts_of, sample
from spikeweft.inference.two_models import Answer, better_of_two, no_candidate
from spikeweft.reporting.result_page import build_report
from spikeweft.results.result import Result, read_result, write_result
from spikeweft.results.unfinished_folder import CHECKPOINT, check_place, made_whole
from spikeweft.runtime.files import write_whole, written_to
from spikeweft.runtime.provenance import machine, versions
from spikeweft.runtime.training_loop import Progress
from spikeweft.runtime.workers import HERE, Workers
from spikeweft.synapse_model.estimator import SynapseModel


def infer(
    inference: Inference,
    on_progress: Callable[[Progress], None] | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
    *,
    on_expected: Callable[[list[Expected]], None] = lambda _: None,
    workers: Workers | None = None,
    model: ResumablePredictor | None = None,
    baseline: SpikePredictor | None = None,
    build_page: Callable[[Result], str] = build_report,
) -> Result:
    """Infer the circuit of a recording; write it with a baseline's and all scores to a folder.

    The first 90 % of the recorded time are fitted, and the fit itself holds out a part of them; the
    last 10 % only score. So does the true circuit, where the file holds it.

    Parameters
    ----------
    inference
        What to infer from, how, and where to put the result.
    on_progress
        Called after each step of training, with the past ones too where training is resumed.
    on_stage
        Called with a few words at the start of each slow step after training.
    on_warning
        Called before training with each of the result's warnings that the recording itself gives.
    on_expected
        Called before anything is computed with what the fits are expected to take.
    workers
        Who helps `CircuitGNN` to fit more neurons than are held at a time; this process alone where
        None. The result is the same. A `model` that is given has its own.
    model
        The method, not yet fitted. Where None, `CircuitGNN` with the inference's settings and
        `SynapseModel` are both fitted, and spikes held out from both choose which one answers.
    baseline
        What the model is compared with, not yet fitted; where None, `PoissonGLM` with all
        covariates that the model reads.
    build_page
        Writes `report.html`.

    Raises
    ------
    InputError
        Where the input or the folder cannot be used, or a fit takes more memory than there is,
        before anything is written.
    """
    inference.check()
    check_folder(inference)
    glm = PoissonGLM(covariates=inference.all_covariates) if baseline is None else baseline
    methods = _Methods(circuit_gnn(inference, workers) if model is None else model, glm)
    observers = _Observers(on_progress, on_stage, on_warning, on_expected)
    try:
        return _infer(inference, methods, model is None, build_page, observers)
    except MemoryError as error:
        raise InputError(
            f"not enough memory to infer from {inference.recording} ({error}); use only its first "
            "--minutes, or a machine with more"
        ) from error


def circuit_gnn(inference: Inference, workers: Workers | None = None) -> CircuitGNN:
    """`CircuitGNN` with an inference's settings, not yet fitted."""
    model = CircuitGNN(
        n_hidden=inference.n_hidden,
        covariates=inference.covariates,
        rotated_by=inference.rotated_by,
        random_state=inference.seed,
    )
    model.workers = workers or HERE
    return model


class _Methods(NamedTuple):
    model: ResumablePredictor
    baseline: SpikePredictor


class _Observers(NamedTuple):
    on_progress: Callable[[Progress], None] | None
    on_stage: Callable[[str], None]
    on_warning: Callable[[str], None]
    on_expected: Callable[[list[Expected]], None]


def _infer(
    inference: Inference,
    methods: _Methods,
    chooses: bool,
    build_page: Callable[[Result], str],
    observers: _Observers,
) -> Result:
    started = time.perf_counter()
    model, baseline = methods
    on_progress, on_stage, on_warning, _ = observers
    data = parts_of(inference, max(method.history_window_s for method in methods))
    model.check_recording(data.training)
    _foresee(inference, methods, chooses, data.training, observers)
    folder, settings = Path(os.path.abspath(inference.folder)), inference.settings()
    # One thread for linear algebra, because its sums depend on the number of threads.
    with (
        threadpool_limits(1),
        made_whole(folder, settings, force=inference.force, resume=inference.resume) as partial,
    ):
        for warning in warnings_before(data):
            on_warning(warning)
        fit_started = time.perf_counter()
        model.fit(data.training, checkpoint=partial / CHECKPOINT, on_progress=on_progress)
        before_resuming = _seconds_before(model.history_, time.perf_counter() - fit_started)
        answer = _answer(model, chooses, inference, data, on_stage)
        on_stage("fitting a Poisson GLM to compare with")
        baseline.fit(data.training)
        on_stage("scoring")
        provenance = {
            **_provenance(settings, inference),
            **_of_methods(answer.model, baseline),
            "command": _command(inference, chooses),
            "model_chosen_by_spikes": chooses,
        }
        result = _result(data, answer, baseline, provenance)
        result = _with_costs(result, time.perf_counter() - started + before_resuming)
        on_stage("writing the result")
        with written_to(partial):
            write_result(partial, result)
            write_whole(partial / "report.html", build_page(result).encode())
    return result


def _foresee(
    inference: Inference,
    methods: _Methods,
    chooses: bool,
    training: Recording,
    observers: _Observers,
) -> None:
    """Say what the fits are expected to take, and refuse what there is too little memory for."""
    model, baseline = methods
    if isinstance(model, CircuitGNN) and model.workers is not HERE:
        _say_who_fits(model.problem_of(training), observers.on_warning)
    asks_second = chooses and not no_candidate(inference, training)
    second = [SynapseModel(random_state=inference.seed)] if asks_second else []
    expected = expected_of([model, *second, baseline], training)
    if expected:
        observers.on_expected(expected)


def _say_who_fits(problem: Problem, on_warning: Callable[[str], None]) -> None:
    if not problem.is_by_blocks:
        on_warning(
            f"{problem.recording.n_neurons} neurons are fitted by this process alone: workers help "
            f"where more than {MOST_TOGETHER} fire, none is hidden and no input rotates the circuit"
        )


def _answer(
    model: ResumablePredictor,
    chooses: bool,
    inference: Inference,
    data: Parts,
    on_stage: Callable[[str], None],
) -> Answer:
    """The fitted model itself, or the better of two where there is a choice."""
    if not chooses:
        return Answer(model, None, {})
    assert isinstance(model, CircuitGNN)
    return better_of_two(model, inference, data.training, on_stage)


def _result(
    data: Parts, answer: Answer, baseline: SpikePredictor, provenance: dict[str, Any]
) -> Result:
    model = answer.model
    return Result(
        connectivity=model.connectivity_,
        glm=baseline.connectivity_,
        second=answer.second,
        truth=data.truth,
        correlograms=model.correlograms_ if isinstance(model, SynapseModel) else None,
        metrics={**answer.metrics, **scores_of(data, model, baseline)},
        history=list(model.history_),
        sample=sample(data),
        warnings=warnings_of(data, model),
        provenance=provenance,
        model_arrays=model.model_arrays(),
        model_settings=model.model_settings(),
    )


def score(folder: str | Path, truth: str | Path) -> dict[str, InferenceError]:
    """Inference error of a result folder's circuits against a true one.

    They are "spikeweft", "GLM" and, where there was a choice, "second circuit".

    Raises
    ------
    InputError
        Where either cannot be read, or they are circuits of different size.
    """
    result = read_result(folder)
    true_circuit = load_truth(truth).of_neurons(result.connectivity.neuron_ids)
    circuits = {
        "spikeweft": result.connectivity,
        "GLM": result.glm,
        "second circuit": result.second,
    }
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


def _covariates(baseline: SpikePredictor) -> list[str]:
    return list(baseline.get_params(deep=False).get("covariates", ()))


def _of_methods(model: SpikePredictor, baseline: SpikePredictor) -> dict[str, Any]:
    return {
        "model": type(model).__name__,
        "baseline": type(baseline).__name__,
        "baseline_settings": plain_settings(baseline),
        "glm_covariates": _covariates(baseline),
    }


def _command(inference: Inference, chooses: bool) -> str:
    """What makes the result again: where a model was given, `infer` might choose another one."""
    if chooses or not inference.leaves_a_choice:
        return inference.command
    return shlex.join(["spikeweft", "reproduce", str(inference.folder)])


def plain_settings(estimator: CircuitEstimator) -> dict[str, Any]:
    """An estimator's settings as JSON gives them back; what JSON has no word for, as text."""

    def plain(value: object) -> object:
        return value.item() if isinstance(value, np.generic) else repr(value)

    return json.loads(json.dumps(estimator.get_params(deep=False), default=plain, skipkeys=True))


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
