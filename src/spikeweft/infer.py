"""From one recording to one result folder: load, check, split, fit, compare, score, write."""

import os
import platform
import resource
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from spikeweft.bootstrap import resampled
from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimators.base import SpikePredictor, check_enough_neurons
from spikeweft.estimators.circuit_gnn import HELD_OUT, CircuitGNN
from spikeweft.estimators.poisson_glm import PoissonGLM
from spikeweft.files import digest_of, write_whole
from spikeweft.io import load, load_truth
from spikeweft.limits import oracle_bits_per_spike
from spikeweft.metrics import InferenceError, PredictionScore, inference_error
from spikeweft.partial import CHECKPOINT, check_place, made_whole
from spikeweft.recording import Recording, preferred_directions
from spikeweft.report import build_report
from spikeweft.result import Result, read_result, write_result
from spikeweft.simulate.network import Network
from spikeweft.simulate.stored import network_from_metadata
from spikeweft.train import Progress
from spikeweft.windows import scored_epochs

TEST_FRACTION = 0.1
"""Last part of the recorded time, on which the fitted models are scored."""

_SAMPLE_SPIKES = 4000
_SAMPLE_S = (1.0, 60.0)
_LARGEST_SEED = 2**32 - 1
_SHORTEST_BLOCK = 10
_LONGEST_S = 1e6
_PACKAGES = ("spikeweft", "numpy", "scipy", "torch", "numba", "xarray", "pynapple", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What to infer from, how, and where to put the result.

    Attributes
    ----------
    recording
        File to read.
    folder
        Result folder to make. Until it is whole it is called `folder` + ".partial".
    n_hidden
        Hidden neurons of the model.
    seed
        Seed of all random numbers.
    epochs
        Name of the epochs to use; all where None.
    minutes
        Use only the first minutes of recorded time; all where None.
    bootstrap
        Fit to blocks of the recording drawn with replacement, as `bootstrap.resampled` does, by the
        random numbers of this seed; to the recording itself where None. Scores are of the same last
        part in any case, from which no block is drawn.
    block_s
        About how long a block is.
    resume
        Take up an inference that was interrupted, if there is one.
    force
        Replace a result that exists, once the new one is whole, or start an interrupted one over.
    """

    recording: Path
    folder: Path
    n_hidden: int = 0
    seed: int = 0
    epochs: str | None = None
    minutes: float | None = None
    bootstrap: int | None = None
    block_s: float = 10.0
    resume: bool = False
    force: bool = False

    @property
    def command(self) -> str:
        """The command line that asks for it."""
        options = {
            "--hidden": self.n_hidden,
            "--seed": self.seed,
            "--epochs": self.epochs,
            "--minutes": self.minutes,
            "--bootstrap": self.bootstrap,
            "--block-s": None if self.bootstrap is None else self.block_s,
        }
        words = [str(self.recording), str(self.folder)]
        for option, value in options.items():
            words += [option, str(value)] if value is not None else []
        return shlex.join(["spikeweft", "infer", *words])


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
    _check_settings(inference)
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
    model = CircuitGNN(n_hidden=inference.n_hidden, random_state=inference.seed)
    glm = PoissonGLM()
    data = _data(inference, max(model.history_window_s, glm.history_window_s))
    settings = _settings(inference)
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
            metrics=_metrics(data, model, glm),
            history=list(model.history_),
            sample=_sample(data),
            warnings=[*data.warnings, *_warnings(data.recording, data.test, model.connectivity_)],
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


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of a result folder again.

    Raises
    ------
    InputError
        Where the folder is not a whole result, or cannot be written to.
    """
    page = build_report(read_result(folder))
    path = Path(folder) / "report.html"
    write_whole(path, page.encode())
    return path


# ---- the recording --------------------------------------------------------------------------


class _Data(NamedTuple):
    """What one inference sees: all that is used, what is fitted, what scores, and the truth.

    The network is there where all of it was recorded.
    """

    recording: Recording
    training: Recording
    test: Recording
    truth: Connectivity | None
    network: Network | None
    warnings: tuple[str, ...]


def _data(inference: Inference, history_window_s: float) -> _Data:
    loaded = load(inference.recording, epochs=inference.epochs)
    recording = _chosen_part(loaded.recording, inference.minutes)
    training, test = _split(recording, history_window_s)
    if inference.bootstrap is not None:
        training = _drawn(training, inference, history_window_s)
    if loaded.truth is not None:
        inference_error(loaded.truth, loaded.truth)  # refuses a truth that cannot be scored
    network = _network(loaded.truth, inference.recording)
    return _Data(recording, training, test, loaded.truth, network, loaded.warnings)


def _network(truth: Connectivity | None, path: Path) -> Network | None:
    if truth is None or "network" not in truth.metadata:
        return None
    try:
        network = network_from_metadata(truth.metadata)
        weights = network.connectivity.weights
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise InputError(
            f"the 'network' in {path} cannot be built again ({error}); leave it out of the file"
        ) from error
    return network if np.array_equal(weights, truth.weights) else None


def _check_settings(inference: Inference) -> None:
    if inference.n_hidden < 0:
        raise InputError(f"{inference.n_hidden} hidden neurons are too few; give 0 or more")
    if inference.minutes is not None and not 0 < inference.minutes < np.inf:
        raise InputError(f"{inference.minutes:g} minutes cannot be used; give a positive number")
    if not 0 <= inference.seed <= _LARGEST_SEED:
        raise InputError(f"the seed {inference.seed} is not between 0 and {_LARGEST_SEED}")
    if inference.bootstrap is not None and not 0 <= inference.bootstrap <= _LARGEST_SEED:
        raise InputError(
            f"the bootstrap's seed {inference.bootstrap} is not between 0 and {_LARGEST_SEED}"
        )
    if inference.resume and inference.force:
        raise InputError(
            "--resume goes on with an interrupted inference and --force starts over; give one"
        )


def _chosen_part(recording: Recording, minutes: float | None) -> Recording:
    if recording.duration_s > _LONGEST_S:
        raise InputError(
            f"the recording lasts {recording.duration_s:.4g} s, which cannot be fitted; check that "
            "its times are in seconds"
        )
    part = recording if minutes is None else recording.first_minutes(minutes)
    check_enough_neurons(part)
    if len(part.spike_times_s) == 0:
        raise InputError(f"the first {minutes:g} minutes hold no spikes; use more of the recording")
    return part


def _split(recording: Recording, history_window_s: float) -> tuple[Recording, Recording]:
    """The parts for fitting and for scoring; what the first one tells is all the model knows."""
    training = recording.between(0.0, 1.0 - TEST_FRACTION)
    test = recording.between(1.0 - TEST_FRACTION, 1.0)
    if any(len(scored_epochs(part, history_window_s)) == 0 for part in (training, test)):
        raise InputError(
            f"the recording of {recording.duration_s:g} s is too short: its last "
            f"{100 * TEST_FRACTION:g} % hold no stretch longer than the history window of "
            f"{history_window_s:g} s; use a longer recording or longer epochs"
        )
    if len(training.spike_times_s) == 0:
        raise InputError(
            f"the first {training.duration_s:g} s of the recording hold no spikes, so nothing can "
            "be fitted; choose other epochs"
        )
    direction = next((c for c in training.covariates.values() if c.is_angle), None)
    if training.preferred_angle_rad is None and direction is not None:
        angle = preferred_directions(training, direction)
        training = replace(training, preferred_angle_rad=angle)
    return training, test


def _drawn(training: Recording, inference: Inference, history_window_s: float) -> Recording:
    """A bootstrap's recording; what is held out of it is drawn from what is held out."""
    shortest_s = _SHORTEST_BLOCK * history_window_s
    if not shortest_s <= inference.block_s < np.inf:
        raise InputError(
            f"blocks of {inference.block_s:g} s cannot be used, since the first "
            f"{history_window_s:g} s of each are not scored; give {shortest_s:g} s or more"
        )
    borders = (0.0, 1.0 - HELD_OUT, 1.0)
    rng = np.random.default_rng(inference.bootstrap)
    return resampled(training, inference.block_s, borders, rng)


def _sample(data: _Data) -> Recording:
    """A few seconds to look at, from the stretch with most spikes."""
    angle = data.training.preferred_angle_rad
    recording = replace(data.recording, preferred_angle_rad=angle)
    starts = np.searchsorted(recording.spike_times_s, recording.epochs_s[:, 0])
    n_spikes = np.diff(np.append(starts, len(recording.spike_times_s)))
    start, stop = recording.epochs_s[np.argmax(n_spikes)]
    rate_hz = n_spikes.max() / (stop - start)
    length_s = np.clip(_SAMPLE_SPIKES / rate_hz, *_SAMPLE_S)
    return recording.restrict(np.array([[start, min(start + length_s, stop)]]))


# ---- scores ---------------------------------------------------------------------------------


def _metrics(data: _Data, model: SpikePredictor, glm: SpikePredictor) -> dict[str, Any]:
    """All scores of a result by name."""
    recording, test = data.recording, data.test
    return {
        "n_neurons": recording.n_neurons,
        "n_spikes": len(recording.spike_times_s),
        "duration_s": recording.duration_s,
        "test_duration_s": test.duration_s,
        "n_test_spikes": len(test.spike_times_s),
        "resolution_s": recording.tick_s,
        "scored_on": f"last {100 * TEST_FRACTION:g} % of the recorded time, not used for fitting",
        "null": "each neuron's mean rate in the rest of the recorded time",
        **_prediction("", model.evaluate(test), model.history_window_s),
        **_prediction("glm_", glm.evaluate(test), glm.history_window_s),
        **_oracle(model, data),
        **_errors(model.connectivity_, glm.connectivity_, data.truth),
    }


def _prediction(prefix: str, score: PredictionScore, history_window_s: float) -> dict[str, Any]:
    return {
        f"{prefix}bits_per_spike": score.mean,
        f"{prefix}bits_per_spike_pooled": score.pooled,
        f"{prefix}bits_per_spike_per_neuron": score.per_neuron.tolist(),
        f"{prefix}history_window_s": history_window_s,
    }


def _oracle(model: SpikePredictor, data: _Data) -> dict[str, Any]:
    """Bits per spike of the network itself, where all of it is known and was recorded."""
    if data.network is None:
        return {}
    score = oracle_bits_per_spike(
        data.network, data.test, model.null_rate_hz_, model.history_window_s
    )
    return _prediction("oracle_", score, model.history_window_s)


def _errors(
    inferred: Connectivity, glm: Connectivity, truth: Connectivity | None
) -> dict[str, Any]:
    if truth is None:
        return {}
    ours, theirs = inference_error(inferred, truth), inference_error(glm, truth)
    return {
        "delta": ours.delta,
        "delta_bias": ours.bias,
        "delta_variance": ours.variance,
        "delta_profile": ours.delta_profile,
        "scale": ours.scale,
        "glm_delta": theirs.delta,
        "glm_delta_bias": theirs.bias,
        "glm_delta_variance": theirs.variance,
        "glm_delta_profile": theirs.delta_profile,
        "glm_scale": theirs.scale,
    }


def _warnings(recording: Recording, test: Recording, circuit: Connectivity) -> list[str]:
    return [*recording.warnings(), *_test_warnings(test), *_hidden_warnings(circuit)]


def _test_warnings(test: Recording) -> list[str]:
    n_silent = int(np.sum(test.n_spikes == 0))
    if n_silent == 0:
        return []
    return [
        f"{n_silent} of {test.n_neurons} neurons are silent in the last {test.duration_s:.3g} s, "
        "on which the models are scored, so they have no bits per spike"
    ]


def _hidden_warnings(circuit: Connectivity) -> list[str]:
    gain = float(circuit.metadata.get("held_out_nats_gained_by_hidden_neurons", 1.0))
    if gain > 0:
        return []
    return [
        f"hidden neurons made held-out spikes less likely, by {-gain:.0f} nats; this recording "
        "does not call for them, and an inference without --hidden predicts better"
    ]


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


# ---- provenance and files -------------------------------------------------------------------


def _settings(inference: Inference) -> dict[str, Any]:
    """What decides the result: an interrupted inference goes on only with the same."""
    return {
        "recording": inference.recording.name,
        "sha256": digest_of(inference.recording),
        "n_hidden": inference.n_hidden,
        "seed": inference.seed,
        "epochs": inference.epochs,
        "minutes": inference.minutes,
        "bootstrap": inference.bootstrap,
        "block_s": None if inference.bootstrap is None else inference.block_s,
        "spikeweft": version("spikeweft"),
    }


def _provenance(settings: Mapping[str, Any], inference: Inference) -> dict[str, Any]:
    return {
        **settings,
        "recording_path": os.path.abspath(inference.recording),
        "command": inference.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
    }


def check_folder(inference: Inference) -> Path:
    """The result folder's place, where nothing is in the way of making it.

    Raises
    ------
    InputError
        Where something is.
    """
    return check_place(inference.folder, resume=inference.resume, force=inference.force)
