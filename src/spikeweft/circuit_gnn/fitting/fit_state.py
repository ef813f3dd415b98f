"""A fit under way: its data, its parameters, what was kept of earlier ones, and how they score."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    LinkRule,
    RowFit,
    StepCurvature,
    estimate_precision,
    resume_rows,
    row_step,
)
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons import (
    HiddenNeurons,
    pack_hidden,
    unpack_hidden,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import geometry, log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation, ring_layout
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.data.recording import Recording
from spikeweft.evaluation.metrics import bits_per_spike

SPIKES_TO_EXPLORE = 3000


"""Spikes of each neuron, on average, on which the search of the first minutes looks."""


_WORTH_NATS = 10.0


_PRIOR_EVERY = 4


def clearly_better(nats: float, than: float) -> bool:
    """Whether a log-likelihood of held-out spikes is worth a change."""
    return nats > than + _WORTH_NATS


def hardly_worse(nats: float, than: float) -> bool:
    """Whether a log-likelihood of held-out spikes does not speak against a change."""
    return nats > than - _WORTH_NATS


class FitState:
    """All that the steps of a fit change, and what several of them do with it.

    Attributes
    ----------
    recordings
        Training and held-out part.
    settings
        What the fit was told.
    links, step_curvature
        What it may do with the link, and what steps of the rows divide by.
    position
        Steps taken so far.
    tau_s, hidden, rotation
        Synaptic time constant, hidden neurons and rotation that the traces are made with.
    fit
        The current parameters; they are there from the first step on.
    vault
        What was kept, under names with slashes.
    held_out_bits
        Bits per spike of the held-out part, when it was last looked at.
    """

    def __init__(
        self,
        training: Recording,
        held_out: Recording,
        settings: FitSettings,
        links: LinkRule,
        step_curvature: StepCurvature,
    ) -> None:
        self.recordings = training, held_out
        self.settings, self.links, self.step_curvature = settings, links, step_curvature
        share = SPIKES_TO_EXPLORE * training.n_neurons / max(len(training.spike_times_s), 1)
        self._explored = training.between(0.0, min(1.0, share))
        self.position = 0
        self.tau_s = 0.0
        self.hidden: HiddenNeurons | None = None
        self.rotation = _no_rotation(training, settings)
        self.vault: dict[str, np.ndarray] = {}
        self.held_out_bits = float("nan")
        self._fit: RowFit | None = None
        self._data: tuple[str, CircuitTraces, CircuitTraces] | None = None

    @property
    def fit(self) -> RowFit:
        """The current parameters."""
        assert self._fit is not None
        return self._fit

    @fit.setter
    def fit(self, fit: RowFit) -> None:
        self._fit = fit

    # -- the data --

    def prepare(self, part: str) -> None:
        """Make the traces of the "first" minutes, or of "all" training data, and the held-out."""
        training = self.recordings[0] if part == "all" else self._explored
        made = [
            CircuitTraces(
                recording,
                self.settings,
                self.tau_s,
                [self.settings.seed, k],
                self.hidden,
                self.rotation,
            )
            for k, recording in enumerate((training, self.recordings[1]))
        ]
        self._data = part, made[0], made[1]

    @property
    def is_prepared(self) -> bool:
        """Whether any traces have been made yet."""
        return self._data is not None

    @property
    def training(self) -> CircuitTraces:
        """Traces of the training data in use."""
        assert self._data is not None
        return self._data[1]

    @property
    def held_out(self) -> CircuitTraces:
        """Traces of the held-out data."""
        assert self._data is not None
        return self._data[2]

    # -- what many steps do --

    def score(self) -> float:
        """Log-likelihood of the held-out spikes; also noted for the progress display."""
        nats = log_likelihood(self.held_out, self.fit.rows, self.fit.link)
        null_rate_hz = self.recordings[0].rate_hz
        n_spikes, exposure_s = self.held_out.n_spikes, self.held_out.exposure_s
        self.held_out_bits = bits_per_spike(nats, n_spikes, exposure_s, null_rate_hz).mean
        return float(nats.sum())

    def step_rows(self) -> None:
        """One step of all rows; every fourth time the weights' prior is estimated again."""
        fit = row_step(self.training, self.fit)
        is_fourth = self.position % _PRIOR_EVERY == 0
        if is_fourth and not fit.weights_fixed:
            fit = replace(fit, precision=estimate_precision(fit))
        self.fit = fit
        if is_fourth:
            self.score()

    def step_link(self) -> None:
        """One step of the link together with all rows."""
        self.fit = self.links.step(self.training, self.fit)
        self.score()

    def take_all_data(self) -> None:
        """Go on from the same parameters on all training data, with traces made anew."""
        self.prepare("all")
        self.fit = resume_rows(self.training, self.fit)

    def replace_hidden(self, hidden: HiddenNeurons | None) -> None:
        """Hidden neurons driven otherwise; the parameters' geometry is still that of before."""
        if hidden is not self.hidden:
            self.hidden = hidden
            self.prepare("all")

    def weights(self) -> Float[np.ndarray, "post pre"]:
        """The current weights from observed and hidden neurons, of each onto itself zero."""
        weights = self.fit.rows[:, : self.fit.n_sources].copy()
        np.fill_diagonal(weights, 0.0)
        return weights

    # -- keeping and taking up --

    def keep(self, name: str) -> None:
        """Keep the current parameters under a name, with their held-out score."""
        if f"{name}/score" in self.vault:
            self.vault[f"{name}/moved"] = np.array(True)
        self.vault[f"{name}/score"] = np.array(self.score())
        self.vault |= {f"{name}/{key}": value for key, value in _pack(self.fit).items()}
        if self.hidden is not None:
            packed = pack_hidden(self.hidden)
            self.vault |= {f"{name}/hidden/{key}": value for key, value in packed.items()}

    def take(self, name: str) -> None:
        """Go back to the parameters kept under a name."""
        prefix = f"{name}/"
        kept = {k[len(prefix) :]: v for k, v in self.vault.items() if k.startswith(prefix)}
        hidden = {k[7:]: v for k, v in kept.items() if k.startswith("hidden/")}
        if hidden:
            self.replace_hidden(unpack_hidden(hidden))
        self.fit = self._unpack(kept)
        self.score()

    def kept_score(self, name: str) -> float:
        """Held-out score of what is kept under a name; -∞ where nothing is."""
        return float(self.vault.get(f"{name}/score", np.array(-np.inf)))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything, as a checkpoint keeps it."""
        arrays = {f"vault/{key}": value for key, value in self.vault.items()}
        arrays["position"] = np.array(self.position)
        arrays["tau_s"] = np.array(self.tau_s)
        if self.rotation is not None:
            arrays |= {f"rotation/{k}": v for k, v in self.rotation.to_arrays().items()}
        arrays["held_out_bits"] = np.array(self.held_out_bits)
        arrays["data"] = np.array(self._data is not None and self._data[0] == "all")
        arrays |= {f"now/{key}": value for key, value in _pack(self.fit).items()}
        if self.hidden is not None:
            arrays |= {f"hidden/{key}": value for key, value in pack_hidden(self.hidden).items()}
        return arrays

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from what `to_arrays` gave."""
        self.vault = {k[6:]: v for k, v in arrays.items() if k.startswith("vault/")}
        self.position = int(arrays["position"])
        self.tau_s = float(arrays["tau_s"])
        self.held_out_bits = float(arrays["held_out_bits"])
        if self.rotation is not None:
            packed = {k[9:]: v for k, v in arrays.items() if k.startswith("rotation/")}
            self.rotation = Rotation.from_arrays(self.rotation.covariate, packed)
        hidden = {k[7:]: v for k, v in arrays.items() if k.startswith("hidden/")}
        self.hidden = unpack_hidden(hidden) if hidden else None
        self.prepare("all" if arrays["data"] else "first")
        self.fit = self._unpack({k[4:]: v for k, v in arrays.items() if k.startswith("now/")})

    def _unpack(self, kept: Mapping[str, np.ndarray]) -> RowFit:
        link = Link(*(float(v) for v in kept["link"]))
        return RowFit(
            rows=kept["rows"],
            link=link,
            precision=float(kept["precision"]),
            geometry=geometry(self.training, kept["rows"], link),
            damping=kept["damping"],
            stride=kept["stride"],
            n_sources=self.training.n_neurons + self.settings.n_hidden,
            link_radius=float(kept["link_radius"]),
            weights_fixed=bool(kept["weights_fixed"]),
            step_curvature=self.step_curvature,
        )


def _no_rotation(training: Recording, settings: FitSettings) -> Rotation | None:
    """The rotation from which the search for its gain starts, where an input may rotate."""
    if settings.rotated_by is None:
        return None
    places, n_places = ring_layout(training.preferred_angle_rad)
    return Rotation(covariate=settings.rotated_by, gain=0.0, places=places, n_places=n_places)


def _pack(fit: RowFit) -> dict[str, np.ndarray]:
    return {
        "rows": fit.rows,
        "link": np.array(fit.link),
        "precision": np.array(fit.precision),
        "damping": fit.damping,
        "stride": fit.stride,
        "link_radius": np.array(fit.link_radius),
        "weights_fixed": np.array(fit.weights_fixed),
    }
