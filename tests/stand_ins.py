"""Estimators and recordings that take no time, for tests of what happens around them."""

import numpy as np

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.estimator import ResumablePredictor, SpikePredictor
from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.results.result import Result
from spikeweft.runtime.training_loop import Progress, train

N_STEPS = 5


class SpikeCorrelation(SpikePredictor):
    """Weights from spike counts of a bin and the one before: quick to fit, and honest to score."""

    history_window_s = 0.02
    bin_s = 0.02

    def fit(self, X, y=None):
        self.null_rate_hz_ = X.rate_hz
        counts = X.counts(self.bin_s).counts.astype(float)
        counts -= counts.mean(axis=0)
        self.connectivity_ = Connectivity(
            weights=counts[1:].T @ counts[:-1] / len(counts), neuron_ids=X.neuron_ids
        )
        return self

    def log_likelihood(self, X):
        scored = X.restrict(scored_epochs(X, self.history_window_s))
        with np.errstate(divide="ignore"):
            log_rate = np.where(self.null_rate_hz_ > 0, np.log(self.null_rate_hz_), 0.0)
        return scored.n_spikes * log_rate - self.null_rate_hz_ * scored.duration_s

    def predict(self, X, bin_s=0.01):
        return np.tile(self.null_rate_hz_ * bin_s, (len(X.counts(bin_s).counts), 1))


class SteppingCorrelation(SpikeCorrelation, ResumablePredictor):
    """The same, reached step by step, with everything that the model offers to the pipeline."""

    seen: Recording

    def __init__(self, *, n_hidden=0, covariates=(), rotated_by=None, random_state=0):
        self.n_hidden = n_hidden
        self.covariates = covariates
        self.rotated_by = rotated_by
        self.random_state = random_state

    check_recording = CircuitGNN.check_recording
    tau_s = None

    def fit(self, X, y=None, *, checkpoint=None, on_progress=None):
        super().fit(X)
        type(self).seen = X
        self.step = 0
        self.noise = np.zeros((X.n_neurons, X.n_neurons))
        settings = {"random_state": self.random_state, "n_spikes": len(X.spike_times_s)}
        self.history_ = []
        for progress in train(self, settings, checkpoint):
            self.history_.append(progress)
            if on_progress is not None:
                on_progress(progress)
        return self

    def advance(self):
        if self.step == N_STEPS:
            return None
        self.step += 1
        rng = np.random.default_rng([self.random_state, self.step])
        self.noise = self.noise / 2 + rng.normal(size=self.noise.shape)
        return Progress(
            stage="averaging",
            step=self.step,
            loss=float(self.noise.mean()),
            held_out_bits_per_spike=0.0,
            seconds_left=float(N_STEPS - self.step),
        )

    def state(self):
        return {"noise": self.noise, "step": np.array(self.step)}

    def restore(self, state):
        self.noise, self.step = state["noise"].copy(), int(state["step"])

    def model_arrays(self):
        return {"noise": self.noise}

    def model_settings(self):
        return {"n_hidden": self.n_hidden, "random_state": self.random_state}


def quick_infer(inference: Inference, *observers, model=SteppingCorrelation, **changes) -> Result:
    """`infer` with estimators and a page that take no time."""
    model = model(
        n_hidden=inference.n_hidden,
        covariates=inference.covariates,
        rotated_by=inference.rotated_by,
        random_state=inference.seed,
    )
    stand_ins = {"baseline": SpikeCorrelation(), "build_page": page_of_one_line}
    return infer(inference, *observers, model=model, **{**stand_ins, **changes})


def page_of_one_line(result: Result) -> str:
    return f"<p>{len(result.history)}"


def ring_of(n: int) -> Connectivity:
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return Connectivity(weights=-np.exp(-np.minimum(apart, n - apart) / 2.0))


def spikes(n=4, duration_s=20.0, rate_hz=30.0, **options) -> Recording:
    rng = np.random.default_rng(0)
    times = rng.integers(0, int(duration_s * 1e4), int(n * rate_hz * duration_s)) * 1e-4
    options = {"epochs_s": np.array([[0.0, duration_s]]), "n_neurons": n, **options}
    return Recording.from_arrays(times, rng.integers(n, size=len(times)), **options)
