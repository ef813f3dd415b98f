"""Results to make pages of, and what a page holds."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.results.result import Result
from spikeweft.runtime.training_loop import Progress


def mexican_hat(distance):
    """Profile of the ring attractor (Das & Fiete 2020), for 100 neurons around the ring."""
    return np.exp(-(distance**2) / 2 / 6.98**2) - 1.0005 * np.exp(-(distance**2) / 2 / 7.0**2)


def around(distance):
    return np.minimum(distance % 100, -distance % 100)


def spikes_of_bumps(angle_rad, seconds, rng):
    """Spikes of neurons in four bumps of activity that wander around the ring."""
    time_s = np.arange(0.0, seconds, 1e-3)
    phase = np.cumsum(0.03 * rng.normal(size=len(time_s)))
    tuning = np.exp(2 * np.cos(4 * angle_rad[None, :] - phase[:, None]))
    fired, neuron = np.nonzero(rng.random(tuning.shape) < 0.0625 * tuning / tuning.mean())
    return Recording.from_arrays(
        time_s[fired],
        neuron,
        n_neurons=len(angle_rad),
        epochs_s=np.array([[0.0, seconds]]),
        preferred_angle_rad=angle_rad,
    )


def training_curves():
    return [
        Progress(
            stage=stage,
            step=step,
            loss=-3.0 - 0.7 * (1 - 0.7**step),
            held_out_bits_per_spike=1.28 * (1 - 0.7**step),
        )
        for step, stage in enumerate(["link"] * 10 + ["structure"] * 6)
    ]


def ring_result(n=100) -> Result:
    """A ring whose wiring is known, inferred well, and by the GLM with side troughs."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * np.arange(n) / n
    distance = (np.arange(n)[:, None] - np.arange(n)) * 100 / n
    true_weights = mexican_hat(around(distance))
    ghosts = mexican_hat(around(distance - 25)) + mexican_hat(around(distance + 25))
    noise = rng.normal(size=(n, n))
    truth = Connectivity(weights=true_weights, angle_rad=angle)
    inferred = Connectivity(
        weights=400 * (true_weights + 2e-5 * (noise + noise.T)),
        standard_error=np.full((n, n), 400 * 2.8e-5),
        angle_rad=angle,
    )
    glm = Connectivity(weights=50 * (true_weights + 0.3 * ghosts + 1e-4 * noise), angle_rad=angle)
    error = inference_error(inferred, truth)
    return Result(
        connectivity=inferred,
        glm=glm,
        truth=truth,
        metrics={
            "bits_per_spike": 1.286,
            "glm_bits_per_spike": 0.895,
            "oracle_bits_per_spike": 1.294,
            "delta": error.delta,
            "delta_bias": error.bias,
            "delta_variance": error.variance,
            "delta_profile": error.delta_profile,
            "glm_delta": inference_error(glm, truth).delta,
            "seconds": 151.2,
            "peak_memory_mb": 870.0,
            "n_neurons": n,
            "n_spikes": 2998731,
            "duration_s": 480.0,
            "null": "the mean rate of each neuron in the training part",
            "scored_on": "the last tenth of the recorded time",
            "bits_per_spike_per_neuron": list(1.286 + 0.04 * rng.normal(size=n)),
            "glm_bits_per_spike_per_neuron": list(0.895 + 0.05 * rng.normal(size=n)),
        },
        history=training_curves(),
        sample=spikes_of_bumps(angle, 2.0, rng),
        warnings=[],
        provenance={"recording": "ring.npz", "command": "spikeweft infer ring.npz out", "seed": 1},
        model_arrays={},
        model_settings={},
    )


def recorded_result() -> Result:
    """Nineteen head-direction cells whose wiring nobody knows."""
    rng = np.random.default_rng(1)
    n = 19
    angle = rng.uniform(0, 2 * np.pi, n)
    difference = np.angle(np.exp(1j * (angle[None, :] - angle[:, None])))
    error = 0.05 + 0.1 * rng.random((n, n))
    error[rng.random((n, n)) < 0.05] = np.inf
    ids = tuple(f"T{1 + i // 7}C{1 + i % 7}" for i in range(n))
    sample = replace(
        spikes_of_bumps(angle / 4, 8.0, rng),
        neuron_ids=ids,
        preferred_angle_rad=angle,
        covariates={
            "head_direction": Covariate(
                times_s=np.linspace(0, 8, 200), values=np.linspace(0, 9, 200), is_angle=True
            )
        },
    )
    return Result(
        connectivity=Connectivity(
            weights=np.exp(-(difference**2)) - 0.4 + 0.1 * rng.normal(size=(n, n)),
            standard_error=error,
            neuron_ids=ids,
            angle_rad=angle,
        ),
        glm=Connectivity(weights=rng.normal(size=(n, n)), neuron_ids=ids),
        metrics={
            "bits_per_spike": 0.93,
            "glm_bits_per_spike": 0.9,
            "delta": None,
            "oracle_bits_per_spike": None,
            "bits_per_spike_per_neuron": [None, *rng.random(n - 1)],
            "glm_bits_per_spike_per_neuron": [None, *rng.random(n - 1)],
        },
        history=training_curves(),
        sample=sample,
        warnings=["neuron T1C1 never fires, and nothing can be said about it"],
        provenance={"recording": "mouse.nwb", "versions": {"spikeweft": "0.1.0"}},
        model_arrays={},
        model_settings={},
    )


class Page(HTMLParser):
    """The elements and the visible text of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
