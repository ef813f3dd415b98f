"""The scores of an inferred circuit, beside a GLM's, and the warnings that go with them."""

from typing import Any

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import TEST_FRACTION
from spikeweft.data.recording import Recording
from spikeweft.estimator import ResumablePredictor, SpikePredictor
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.evaluation.oracle import oracle_bits_per_spike
from spikeweft.evaluation.prediction import PredictionScore
from spikeweft.inference.train_test import Parts


def scores_of(data: Parts, model: SpikePredictor, glm: SpikePredictor) -> dict[str, Any]:
    """All scores of a result by name."""
    recording, test = data.recording, data.test
    return {
        "n_neurons": recording.n_neurons,
        "n_spikes": len(recording.spike_times_s),
        "duration_s": recording.duration_s,
        "test_duration_s": test.duration_s,
        "n_test_spikes": len(test.spike_times_s),
        "resolution_s": recording.time_resolution_s,
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


def _oracle(model: SpikePredictor, data: Parts) -> dict[str, Any]:
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


def warnings_of(data: Parts, model: ResumablePredictor) -> list[str]:
    """What a reader of the result should know first, in one sentence each."""
    return [
        *warnings_before(data),
        *model.warnings_,
        *_hidden_warnings(model.connectivity_),
    ]


def warnings_before(data: Parts) -> list[str]:
    """Those that are known before anything is fitted."""
    return [
        *data.warnings,
        *data.recording.warnings(),
        *_late_warnings(data),
        *_test_warnings(data.test),
    ]


def _late_warnings(data: Parts) -> list[str]:
    """Neurons of which the fit has seen nothing."""
    in_test = data.test.n_spikes
    named = data.recording.named(
        (in_test > 0) & (in_test == data.recording.n_spikes),
        f"fire in the last {data.test.duration_s:.3g} s alone, on which the models are scored, so "
        "nothing can be inferred about them, and they have no bits per spike",
    )
    return [named] if named else []


def _test_warnings(test: Recording) -> list[str]:
    named = test.named(
        test.n_spikes == 0,
        f"are silent in the last {test.duration_s:.3g} s, on which the models are scored, so they "
        "have no bits per spike",
    )
    return [named] if named else []


def _hidden_warnings(circuit: Connectivity) -> list[str]:
    gain = circuit.metadata.get("held_out_nats_gained_by_hidden_neurons")
    if gain is None or float(gain) > 0:
        return []
    n_hidden = int(circuit.metadata["n_hidden"])
    tried = "1 hidden neuron was" if n_hidden == 1 else f"{n_hidden} hidden neurons were"
    return [
        f"{tried} tried and not kept: held-out spikes are not clearly likelier with them, so the "
        "circuit has none"
    ]
