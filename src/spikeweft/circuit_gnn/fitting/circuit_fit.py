"""The joint fit of spike prediction and structure, as a list of steps.

1. Free weights: every row by Fisher scoring, with the shared link, first on the first minutes to
   find the synaptic time constant, how an input rotates the circuit where one may, and the link's
   shape (`first_minutes`), then on all training data.
2. Hidden neurons, where asked for: their mean-field activity joins the presynaptic neurons.
3. Structure: pair networks learn the weights in the Fisher metric around the current fit; then
   history, bias and link are fitted again to the structured weights, and the metric is taken anew
   (`structure_rounds`).
4. Choice: structured or free weights, whichever predicts held-out spikes better.

Held-out spikes, never the true circuit, make every choice.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.fitting.ablations import Recipe
from spikeweft.circuit_gnn.fitting.fit_state import FitState, clearly_better, hardly_worse
from spikeweft.circuit_gnn.fitting.hyperparameter_search import GAINS, FirstMinutes
from spikeweft.circuit_gnn.fitting.plan import Step
from spikeweft.circuit_gnn.fitting.structure_rounds import StructureRounds
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    RowFit,
    determined,
    resume_rows,
    row_step,
)
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons import HiddenNeurons, Places
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.data.recording import Recording
from spikeweft.data.ring_geometry import ring_places
from spikeweft.runtime.training_loop import Progress

_UNKNOWN = 0.05


_ROW_STEPS_TURNED = 4


class CircuitFit:
    """The fit of one recording, as a `train.Trainable`."""

    def __init__(
        self, training: Recording, held_out: Recording, settings: FitSettings, recipe: Recipe
    ) -> None:
        self.recipe = recipe
        self._state = FitState(training, held_out, settings, recipe.links, recipe.step_curvature)
        self._rounds = StructureRounds(self._state, recipe.learning, recipe.n_networks)
        self.plan = self._plan()

    # -- the plan --

    def _plan(self) -> list[Step]:
        state = self._state
        free = [
            state.take_all_data,
            *[*[state.step_rows] * 3, state.step_link] * 3,
            *[state.step_rows] * 3,
            partial(state.keep, "free"),
        ]
        plan = [*FirstMinutes(state).plan(), *(Step("free weights", act) for act in free)]
        if state.settings.n_hidden:
            plan += self._hidden_plan()
        if self.recipe.structure:
            plan += self._rounds.plan()
        plan.append(Step("choice", self._choose_weights))
        plan.append(Step("choice", self._continue_edge))
        return plan

    def _hidden_plan(self) -> list[Step]:
        state = self._state
        settle = [*[state.step_rows] * 12, state.step_link, *[state.step_rows] * 4]
        acts = [self._join_hidden, *settle]
        if state.rotation is not None:
            acts += [*(partial(self._turn_with_hidden, gain) for gain in GAINS), *settle]
        return [Step("hidden neurons", act) for act in (*acts, partial(state.keep, "free"))]

    # -- being a Trainable --

    def advance(self) -> Progress | None:
        """Take the next step of the plan."""
        state = self._state
        if state.position == len(self.plan):
            return None
        step = self.plan[state.position]
        step.act()
        state.position += 1
        n_spikes = max(int(state.training.n_spikes.sum()), 1)
        return Progress(
            stage=step.stage,
            step=state.position,
            n_steps=len(self.plan),
            loss=-float(state.fit.geometry.log_likelihood.sum()) / n_spikes,
            held_out_bits_per_spike=state.held_out_bits,
        )

    def state(self) -> dict[str, np.ndarray]:
        """The current parameters, what was kept of earlier ones, and the place in the plan."""
        return self._state.to_arrays()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` gave."""
        self._state.restore(state)

    # -- what was found --

    @property
    def parameters(self) -> RowFit:
        """The parameters reached."""
        return self._state.fit

    @property
    def training(self) -> CircuitTraces:
        """The traces of the training data."""
        return self._state.training

    @property
    def tau_s(self) -> float:
        """The synaptic time constant, given or chosen."""
        return self._state.tau_s

    @property
    def hidden(self) -> HiddenNeurons | None:
        """The hidden neurons, where asked for."""
        return self._state.hidden

    @property
    def rotation(self) -> Rotation | None:
        """How an input rotates the circuit, where one may."""
        return self._state.rotation

    @property
    def structure(self) -> str:
        """What the weights were taken from."""
        return str(self._rounds.kind) if self.parameters.weights_fixed else "free weights"

    @property
    def hidden_gain_nats(self) -> float:
        """What hidden neurons add to the log-likelihood of held-out spikes."""
        return float(self._state.vault["free/score"] - self._state.vault["hidden/before"])

    # -- hidden neurons --

    def _join_hidden(self) -> None:
        state, fit = self._state, self._state.fit
        state.vault["hidden/before"] = state.vault["free/score"]
        places = self._places(fit.rows[:, : len(fit.rows)])
        state.hidden = self.recipe.hidden_neurons.at(places, fit.rows, fit.link)
        state.take_all_data()

    def _places(self, weights: Float[np.ndarray, "post pre"]) -> Places:
        """By preferred directions where every one is known, else by the circuit itself."""
        state = self._state
        n_hidden, angle = state.settings.n_hidden, state.recordings[0].preferred_angle_rad
        if angle is None or not np.all(np.isfinite(angle)):
            return Places.by_circuit(weights, n_hidden)
        places_rad = ring_places(angle, n_hidden)
        if state.rotation is not None:
            state.vault["hidden/gain"] = np.array(state.rotation.gain)
            state.rotation, places_rad = state.rotation.with_neurons(places_rad)
        return Places.on_ring(angle, places_rad)

    def _turn_with_hidden(self, gain: float) -> None:
        """Rotate the circuit, hidden neurons included, if held-out spikes gain by it.

        Only where no rotation was found without them: the fewer neurons are observed, the more
        places the input turns to where nobody is heard, and the worse a rotation looks.
        """
        state = self._state
        assert state.rotation is not None
        assert state.hidden is not None
        if state.vault["hidden/gain"] != 0.0:
            return
        kept, rotation, hidden, score = state.fit, state.rotation, state.hidden, state.score()
        state.rotation = replace(rotation, gain=gain)
        for _ in range(2):
            state.prepare("all")
            state.fit = resume_rows(state.training, state.fit, damping=1e-2)
            for _ in range(_ROW_STEPS_TURNED):
                state.fit = row_step(state.training, state.fit)
            state.hidden = state.hidden.settled(state.fit.rows, state.fit.link)
        state.prepare("all")
        state.fit = resume_rows(state.training, state.fit)
        if clearly_better(state.score(), score):
            return
        state.rotation, state.hidden = rotation, hidden
        state.prepare("all")
        state.fit = kept

    # -- the choice --

    def _choose_weights(self) -> None:
        scores = {name: self._state.kept_score(name) for name in ("structured", "free")}
        is_structured = clearly_better(scores["structured"], scores["free"])
        self._state.take("structured" if is_structured else "free")

    def _continue_edge(self) -> None:
        """Set structured weights of which spikes tell nothing to those of which they tell little.

        There the network extrapolates at will; its row's mean at the edge of what is known is the
        plainest guess, and is kept unless held-out spikes object. The pairs are marked in any case.
        """
        state, kept, training = self._state, self._state.fit, self._state.training
        weights, known = state.weights(), determined(kept)
        unknown = (known < _UNKNOWN) & ~np.eye(*known.shape, dtype=bool)
        if not (kept.weights_fixed and unknown.any()):
            return
        edge = (known * (1.0 - known)) ** 2 + 1e-6
        center = np.sum(edge * weights, axis=1) / np.sum(edge, axis=1)
        rows = kept.rows.copy()
        rows[:, : kept.n_sources][unknown] = np.broadcast_to(center[:, None], known.shape)[unknown]
        score = state.score()
        state.fit = resume_rows(training, replace(kept, rows=rows))
        for _ in range(2):
            state.fit = state.links.step(training, row_step(training, state.fit))
        if not hardly_worse(state.score(), score):
            state.fit = kept
