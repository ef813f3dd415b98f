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
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from spikeweft.errors import InputError
from spikeweft.features import CircuitTraces, FitSettings
from spikeweft.first_minutes import GAINS, FirstMinutes
from spikeweft.fit_state import FitState, Step, clearly_better, hardly_worse
from spikeweft.hidden import HiddenNeurons, MixedColumns, Places, ring_places
from spikeweft.newton import (
    EXPONENTIAL_LINK,
    LEARNED_LINK,
    LinkRule,
    RowFit,
    StepCurvature,
    curvature_of_spikes,
    determined,
    diagonal_of,
    full_curvature,
    resume_rows,
    row_step,
)
from spikeweft.pairs import (
    PairForm,
    PairNetwork,
    PlainPairNetwork,
    random_embedding,
    spectral_embedding,
)
from spikeweft.recording import Recording
from spikeweft.rotation import Rotation
from spikeweft.structure import Learning, euclidean_loss, fisher_loss
from spikeweft.structure_rounds import StructureRounds
from spikeweft.train import Progress

_UNKNOWN = 0.05
_ROW_STEPS_TURNED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the fit is made of; each field can leave out one ingredient, to see what it buys.

    Attributes
    ----------
    structure
        Weights are learned by networks on embeddings; else they stay free.
    n_networks
        Networks whose mean each round of structure learning takes, one number per round.
    spectral_start
        Embeddings start from the leading eigenvectors of the weights; else at random.
    symmetric_features
        Networks read features of a pair that are the same both ways round; else the two embeddings
        one after the other, as published (Yoon 2025, w_ij = MLP([z_i, z_j])).
    pair_network
        A network makes weights of embeddings; else a bilinear form, which has no features.
    fisher_metric
        Networks learn each weight as far as spikes inform it; else all weights alike.
    learned_link
        The link from drive to rate is learned; else it is an exponential, that of a Poisson GLM.
    expected_information
        Steps of the rows also heed spikes that are expected and do not come; else only spikes.
    whitened_steps
        Steps of the rows heed how weights depend on each other; else each has a scale of its own.
    hidden_circuit
        Hidden neurons fire as the circuit drives them; else each is a mixture of the two observed
        neurons between which it lies, with as many parameters.
    """

    structure: bool = True
    n_networks: tuple[int, ...] = (1, 2, 4)
    spectral_start: bool = True
    symmetric_features: bool = True
    pair_network: bool = True
    fisher_metric: bool = True
    learned_link: bool = True
    expected_information: bool = True
    whitened_steps: bool = True
    hidden_circuit: bool = True

    def __post_init__(self) -> None:
        if not self.n_networks or min(self.n_networks) < 1:
            raise InputError(
                f"{self.n_networks} are no numbers of networks per round; give one or more, each "
                "at least 1"
            )

    @classmethod
    def of(cls, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe from what `changes` gave."""
        given = dict(changes)
        if "n_networks" in given:
            given["n_networks"] = tuple(given["n_networks"])
        return cls(**given)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that differ from the whole method's, as plain values."""
        whole = asdict(Recipe())
        changed = {key: value for key, value in asdict(self).items() if value != whole[key]}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in changed.items()}

    @property
    def links(self) -> LinkRule:
        """What the fit may do with the link."""
        return LEARNED_LINK if self.learned_link else EXPONENTIAL_LINK

    @property
    def hidden_neurons(self) -> type[HiddenNeurons]:
        """What joins the observed neurons."""
        return HiddenNeurons if self.hidden_circuit else MixedColumns

    @property
    def step_curvature(self) -> StepCurvature:
        """What steps of the rows divide by."""
        whole = full_curvature if self.expected_information else curvature_of_spikes
        return whole if self.whitened_steps else diagonal_of(whole)

    @property
    def learning(self) -> Learning:
        """How networks learn."""
        network = PairNetwork if self.symmetric_features else PlainPairNetwork
        return Learning(
            start=spectral_embedding if self.spectral_start else random_embedding,
            pair_model=network if self.pair_network else PairForm,
            loss=fisher_loss if self.fisher_metric else euclidean_loss,
        )


WHOLE_RECIPE = Recipe()
"""The method with nothing left out."""


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
