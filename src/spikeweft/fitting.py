"""The joint fit of spike prediction and structure, as a list of steps.

1. Free weights: every row by Fisher scoring, with the shared link, first on the first minutes to
   find the synaptic time constant and the link's shape, then on all training data.
2. Hidden neurons, where asked for: their mean-field activity joins the presynaptic neurons.
3. Structure: pair networks learn the weights in the Fisher metric around the current fit; then
   history, bias and link are fitted again to the structured weights, and the metric is taken anew.
4. Choice: structured or free weights, whichever predicts held-out spikes better.

Held-out spikes, never the true circuit, make every choice.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from spikeweft.features import CircuitTraces, FitSettings
from spikeweft.hidden import HiddenNeurons, pack_hidden, ring_angles, unpack_hidden
from spikeweft.metrics import bits_per_spike
from spikeweft.newton import (
    POWER_RANGE,
    RowFit,
    WeightPrior,
    estimate_prior,
    link_step,
    resume_rows,
    row_step,
    sharpen,
    start_rows,
)
from spikeweft.prediction import Link, geometry, log_likelihood
from spikeweft.recording import Recording
from spikeweft.structure import Metric, Response, StructureFit, fit_structure, spectral_embedding
from spikeweft.threads import side_by_side
from spikeweft.train import Progress

TAUS_S = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""Synaptic time constants among which held-out spikes choose where none is given."""

FIRST_TAU_S = 0.01
"""The time constant from which the search starts."""

POWERS = (1.0, 2.5)
"""Powers of the link from which the fit starts; it keeps the one that predicts better."""

DIMENSIONS = (3, 6, 12, 40)
"""Sizes of embedding among which held-out spikes choose; among equals, the smallest."""

MEMBERS = (1, 2, 4)
"""Networks whose mean is taken in each round of structure learning."""

_SPIKES_TO_EXPLORE = 3000
_ROW_STEPS_START, _ROW_STEPS_TAU, _ROW_STEPS_SHARPEN = 36, 10, 3
_SHARPENINGS = 6
_SHARPER = 1.5
_WORTH_NATS = 10.0
_ENSEMBLE_NATS = 15.0
_STRUCTURE_STEPS = 300
_EXTRA_DIMENSIONS = (0, -1, 2)
_SLIGHTLY_SHARPER = 1.4


class Step(NamedTuple):
    """One step of the plan, and the stage that it belongs to."""

    stage: str
    act: Callable[[], None]


class CircuitFit:
    """The fit of one recording, as a `train.Trainable`."""

    def __init__(self, training: Recording, held_out: Recording, settings: FitSettings) -> None:
        self.recordings = training, held_out
        self.settings = settings
        share = _SPIKES_TO_EXPLORE * training.n_neurons / max(len(training.spike_times_s), 1)
        self._explored = training.between(0.0, min(1.0, share))
        self.tau_s = 0.0
        self.hidden: HiddenNeurons | None = None
        self.vault: dict[str, np.ndarray] = {}
        self.fit: RowFit | None = None
        self._data: tuple[str, CircuitTraces, CircuitTraces] | None = None
        self._position = 0
        self._held_out_bits = float("nan")
        self.plan = self._plan()

    # -- the plan --

    def _plan(self) -> list[Step]:
        plan = []
        for power in POWERS:
            plan.append(Step("first minutes", partial(self._start, power)))
            plan += [Step("first minutes", self._rows)] * _ROW_STEPS_START
            if power == POWERS[0] and self.settings.tau_s is None:
                plan += [Step("time constant", self._walk_tau)] * len(TAUS_S)
            plan += [Step("first minutes", partial(self._bend, power))] * _SHARPENINGS
        plan.append(Step("first minutes", self._choose_power))
        plan.append(Step("free weights", self._take_all_data))
        plan += [*[Step("free weights", self._rows)] * 3, Step("free weights", self._link)] * 3
        plan += [Step("free weights", self._rows)] * 3
        plan.append(Step("free weights", partial(self._keep, "free")))
        if self.settings.n_hidden:
            acts = [self._join_hidden, *[self._rows] * 12, self._link, *[self._rows] * 4]
            plan += [Step("hidden neurons", act) for act in acts]
            plan.append(Step("hidden neurons", partial(self._keep, "free")))
        plan += self._structure_plan()
        plan.append(Step("choice", self._choose_weights))
        return plan

    def _structure_plan(self) -> list[Step]:
        plan = [Step("structure", partial(self._try_dimensions, directed)) for directed in (0, 1)]
        plan.append(Step("structure", self._choose_dimension))
        for loop, n_members in enumerate(MEMBERS):
            acts = [
                partial(self._learn, loop, n_members),
                *[self._rows, self._link] * 3,
                *[partial(self._bend_by_training, _SLIGHTLY_SHARPER)] * 2,
                self._rows,
            ]
            plan += [Step(f"structure {loop + 1}", self._if_structured(act)) for act in acts]
        return plan

    # -- being a Trainable --

    def advance(self) -> Progress | None:
        """Take the next step of the plan."""
        if self._position == len(self.plan):
            return None
        step = self.plan[self._position]
        step.act()
        self._position += 1
        fit, traces = self._now(), self._traces()[0]
        return Progress(
            stage=step.stage,
            step=self._position,
            n_steps=len(self.plan),
            loss=-float(fit.geometry.log_likelihood.sum()) / max(int(traces.n_spikes.sum()), 1),
            held_out_bits_per_spike=self._held_out_bits,
        )

    def state(self) -> dict[str, np.ndarray]:
        """The current parameters, what was kept of earlier ones, and the place in the plan."""
        state = {f"vault/{key}": value for key, value in self.vault.items()}
        state["position"] = np.array(self._position)
        state["tau_s"] = np.array(self.tau_s)
        state["held_out_bits"] = np.array(self._held_out_bits)
        state["data"] = np.array(self._data is not None and self._data[0] == "all")
        state |= {f"now/{key}": value for key, value in _pack(self._now()).items()}
        if self.hidden is not None:
            state |= {f"hidden/{key}": value for key, value in pack_hidden(self.hidden).items()}
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` gave."""
        self.vault = {k[6:]: v for k, v in state.items() if k.startswith("vault/")}
        self._position = int(state["position"])
        self.tau_s = float(state["tau_s"])
        self._held_out_bits = float(state["held_out_bits"])
        hidden = {k[7:]: v for k, v in state.items() if k.startswith("hidden/")}
        self.hidden = unpack_hidden(hidden) if hidden else None
        self._prepare("all" if state["data"] else "first")
        self.fit = self._unpack({k[4:]: v for k, v in state.items() if k.startswith("now/")})

    def result(self) -> tuple[RowFit, tuple[CircuitTraces, CircuitTraces]]:
        """The parameters reached, and the traces of the training and the held-out data."""
        return self._now(), self._traces()

    @property
    def structure(self) -> str:
        """What the weights were taken from."""
        if not self._now().weights_fixed:
            return "free weights"
        n_dimensions, directed = self.vault["structure/dimension"]
        kind = "directed" if directed else "symmetric"
        return f"{kind} pair network, {n_dimensions} dimensions"

    @property
    def hidden_gain_nats(self) -> float:
        """What hidden neurons add to the log-likelihood of held-out spikes."""
        return float(self.vault["free/score"] - self.vault["hidden/before"])

    # -- the data --

    def _prepare(self, part: str) -> None:
        """Build the traces of the first minutes, or of all training data."""
        training = self.recordings[0] if part == "all" else self._explored
        made = [
            CircuitTraces(
                recording, self.settings, self.tau_s, [self.settings.seed, k], self.hidden
            )
            for k, recording in enumerate((training, self.recordings[1]))
        ]
        self._data = part, made[0], made[1]

    def _traces(self) -> tuple[CircuitTraces, CircuitTraces]:
        """Traces of the training data in use and of the held-out data."""
        assert self._data is not None
        return self._data[1], self._data[2]

    def _now(self) -> RowFit:
        assert self.fit is not None
        return self.fit

    def _held_out_nats(self) -> float:
        """Log-likelihood of the held-out spikes; also noted for the progress display."""
        fit, held_out = self._now(), self._traces()[1]
        nats = log_likelihood(held_out, fit.rows, fit.link)
        null_rate_hz = self.recordings[0].rate_hz
        score = bits_per_spike(nats, held_out.n_spikes, held_out.exposure_s, null_rate_hz)
        self._held_out_bits = score.mean
        return float(nats.sum())

    # -- free weights --

    def _start_at(self, power: float) -> None:
        training = self._traces()[0]
        rate_hz = training.n_spikes.sum() / training.exposure_s / training.n_neurons
        bend = 0.5 if power == 1.0 else 1.85
        link = Link(power, float(np.log(rate_hz + 1e-3)) - bend)
        self.fit = start_rows(training, link, self.settings.n_hidden)
        self._held_out_nats()

    def _walk_tau(self) -> None:
        """Try the next longer or shorter time constant, as long as held-out spikes gain by it."""
        if "tau/score" not in self.vault:
            self.vault["tau/score"] = np.array(self._held_out_nats())
            self.vault["tau/direction"] = np.array(1)
        direction = int(self.vault["tau/direction"])
        place = int(np.argmin(np.abs(np.array(TAUS_S) - self.tau_s))) + direction
        if direction == 0 or not self._may_be_tau(place):
            self._turn(direction)
            return
        kept, kept_tau_s = self._now(), self.tau_s
        self._use_tau(TAUS_S[place])
        for _ in range(_ROW_STEPS_TAU):
            self.fit = row_step(self._traces()[0], self._now())
        if self._held_out_nats() > float(self.vault["tau/score"]) + _WORTH_NATS:
            self.vault["tau/score"] = np.array(self._held_out_nats())
            self.vault["tau/moved"] = np.array(True)
            return
        self._use_tau(kept_tau_s)
        self.fit = kept
        self._turn(direction)

    def _may_be_tau(self, place: int) -> bool:
        return 0 <= place < len(TAUS_S) and TAUS_S[place] >= self.recordings[0].tick_s

    def _turn(self, direction: int) -> None:
        """From longer to shorter time constants if none of the longer was better, else stop."""
        other = -1 if direction > 0 and "tau/moved" not in self.vault else 0
        self.vault["tau/direction"] = np.array(other)

    def _use_tau(self, tau_s: float) -> None:
        """Change the time constant, keeping the area under each neuron's effect on others."""
        fit = self._now()
        rows = fit.rows.copy()
        rows[:, : fit.n_sources] *= self.tau_s / tau_s
        self.tau_s = tau_s
        self._prepare("first")
        self.fit = resume_rows(self._traces()[0], replace(fit, rows=rows), damping=1e-2)

    def _start(self, power: float) -> None:
        if self._data is None:
            first = max(FIRST_TAU_S, self.recordings[0].tick_s)
            self.tau_s = self.settings.tau_s or first
            self._prepare("first")
        self._start_at(power)

    def _rows(self) -> None:
        """One step of all rows; every fourth time the weights' prior is estimated again."""
        fit = row_step(self._traces()[0], self._now())
        if self._position % 4 == 0 and not fit.weights_fixed:
            fit = replace(fit, prior=estimate_prior(fit))
        self.fit = fit
        if self._position % 4 == 0:
            self._held_out_nats()

    def _link(self) -> None:
        self.fit = link_step(self._traces()[0], self._now())
        self._held_out_nats()

    def _bend(self, power: float) -> None:
        """Sharpen the link as long as held-out spikes become likelier, else soften it."""
        key = f"power/{power}"
        if f"{key}/score" not in self.vault:
            self._keep(key)
            self.vault[f"{key}/factor"] = np.array(_SHARPER)
        factor = float(self.vault[f"{key}/factor"])
        if factor == 1.0:
            return
        kept = self._now()
        self.fit = sharpen(self._traces()[0], kept, factor)
        for _ in range(_ROW_STEPS_SHARPEN):
            self.fit = row_step(self._traces()[0], self._now())
        self.fit = replace(self._now(), prior=estimate_prior(self._now()))
        if self._held_out_nats() > float(self.vault[f"{key}/score"]) + _WORTH_NATS:
            self._keep(key)
            return
        self.fit = kept
        first = factor > 1.0 and f"{key}/moved" not in self.vault
        self.vault[f"{key}/factor"] = np.array(1.0 / factor if first else 1.0)

    def _keep(self, name: str) -> None:
        """Keep the current parameters under a name, with their held-out score."""
        if f"{name}/score" in self.vault:
            self.vault[f"{name}/moved"] = np.array(True)
        self.vault[f"{name}/score"] = np.array(self._held_out_nats())
        self.vault |= {f"{name}/{key}": value for key, value in _pack(self._now()).items()}

    def _take(self, name: str) -> None:
        prefix = f"{name}/"
        kept = {k[len(prefix) :]: v for k, v in self.vault.items() if k.startswith(prefix)}
        self.fit = self._unpack(kept)
        self._held_out_nats()

    def _choose_power(self) -> None:
        best = max(POWERS, key=lambda power: float(self.vault[f"power/{power}/score"]))
        self._take(f"power/{best}")

    def _take_all_data(self) -> None:
        self._prepare("all")
        self.fit = resume_rows(self._traces()[0], self._now())

    # -- hidden neurons --

    def _join_hidden(self) -> None:
        fit = self._now()
        self.vault["hidden/before"] = self.vault["free/score"]
        angle = ring_angles(self.recordings[0], fit.rows[:, : len(fit.rows)])
        self.hidden = HiddenNeurons.between(fit.rows, fit.link, angle, self.settings.n_hidden)
        training, held_out = (traces.with_hidden(self.hidden) for traces in self._traces())
        self._data = "all", training, held_out
        self.fit = resume_rows(self._traces()[0], fit)

    # -- structure --

    def _if_structured(self, act: Callable[[], None]) -> Callable[[], None]:
        """An act for structured weights only: none where no structure predicts better."""

        def act_if_structured() -> None:
            if "structure/dimension" in self.vault:
                act()

        return act_if_structured

    def _metrics(self) -> tuple[Metric, Metric]:
        fit = self._now()
        held_out = geometry(self._traces()[1], fit.rows, fit.link)
        return Metric.of(fit.geometry), Metric.of(held_out)

    def _weights(self) -> Float[np.ndarray, "post pre"]:
        rows = self._now().rows
        weights = rows[:, : len(rows)].copy()
        np.fill_diagonal(weights, 0.0)
        return weights

    def _fit_structures(
        self, sizes: Sequence[int], directed: bool, first_seed: int
    ) -> list[StructureFit]:
        """Learn networks of several embedding sizes around the current weights, side by side."""
        weights = self._weights()
        training, held_out = self._metrics()
        n_spikes = int(self._traces()[0].n_spikes.sum())

        def learn(member: tuple[int, int]) -> StructureFit:
            seed, n_dimensions = member
            return fit_structure(
                weights,
                training,
                held_out,
                spectral_embedding(weights, n_dimensions, directed),
                n_spikes=n_spikes,
                n_steps=_STRUCTURE_STEPS,
                rng=torch.Generator().manual_seed(1000 * self.settings.seed + seed),
            )

        return side_by_side(learn, enumerate(sizes, first_seed))

    def _try_dimensions(self, directed: int) -> None:
        """Symmetric networks first; directed ones only where none of those predicts better."""
        if directed and max(self._dimension_scores().values(), default=0.0) > _WORTH_NATS:
            return
        sizes = [d for d in DIMENSIONS if d < len(self._now().rows)]
        found = self._fit_structures(sizes, bool(directed), first_seed=100 * directed)
        for d, structure in zip(sizes, found, strict=True):
            self.vault[f"dimension/{d}/{directed}"] = np.array(-structure.held_out_nats)

    def _dimension_scores(self) -> dict[tuple[int, int], float]:
        """Held-out gain of each embedding size tried, symmetric (0) or directed (1)."""
        tried = [key.split("/")[1:] for key in self.vault if key.startswith("dimension/")]
        return {
            (int(d), int(directed)): float(self.vault[f"dimension/{d}/{directed}"])
            for d, directed in tried
        }

    def _choose_dimension(self) -> None:
        """The smallest embedding that held-out spikes do not clearly tell from the best."""
        scores = self._dimension_scores()
        best = max(scores.values(), default=0.0)
        if best > _WORTH_NATS:
            as_good = [tried for tried, score in scores.items() if score > best - _ENSEMBLE_NATS]
            self.vault["structure/dimension"] = np.array(min(as_good))

    def _learn(self, loop: int, n_members: int) -> None:
        """Learn networks around the current weights and take the mean of the good ones."""
        n_dimensions, directed = (int(v) for v in self.vault["structure/dimension"])
        largest = len(self._now().rows) - 1
        sizes = [
            max(min(n_dimensions + extra, largest), 1)
            for extra in itertools.islice(itertools.cycle(_EXTRA_DIMENSIONS), n_members)
        ]
        found = self._fit_structures(sizes, bool(directed), first_seed=200 + 100 * loop)
        best = min(structure.held_out_nats for structure in found)
        good = [f.weights for f in found if f.held_out_nats < best + _ENSEMBLE_NATS]
        self._adopt(np.mean(good, axis=0))

    def _adopt(self, weights: Float[np.ndarray, "post pre"]) -> None:
        """Take structured weights; history, bias and link answer as the metric says."""
        training, fit = self._traces()[0], self._now()
        response = Response.of(Metric.of(fit.geometry), int(training.n_spikes.sum()))
        change = response.to(torch.from_numpy(weights - self._weights())).numpy()
        link = Link(
            float(np.clip(fit.link.power + change[0, -2], *POWER_RANGE)),
            fit.link.log_gain + float(change[0, -1]),
        )
        fit = replace(fit, rows=fit.rows + change[:, :-2], link=link, weights_fixed=True)
        self.fit = resume_rows(training, fit, damping=1e-6)

    def _bend_by_training(self, factor: float) -> None:
        """Sharpen or soften the link where the training spikes become likelier by it."""
        training, kept = self._traces()[0], self._now()
        for power in (factor, 1.0 / factor):
            self.fit = row_step(training, sharpen(training, kept, power))
            gain = self._now().geometry.log_likelihood.sum() - kept.geometry.log_likelihood.sum()
            if gain > 1.0:
                return
        self.fit = kept

    def _choose_weights(self) -> None:
        if "structure/dimension" in self.vault:
            self._keep("structured")
        free = float(self.vault["free/score"])
        structured = float(self.vault.get("structured/score", np.array(-np.inf)))
        if structured < free + _WORTH_NATS:
            self._take("free")

    def _unpack(self, kept: Mapping[str, np.ndarray]) -> RowFit:
        training = self._traces()[0]
        link = Link(*(float(v) for v in kept["link"]))
        return RowFit(
            rows=kept["rows"],
            link=link,
            prior=WeightPrior(mean=float(kept["prior"][0]), precision=float(kept["prior"][1])),
            geometry=geometry(training, kept["rows"], link),
            damping=kept["damping"],
            stride=kept["stride"],
            n_sources=training.n_neurons + self.settings.n_hidden,
            link_radius=float(kept["link_radius"]),
            weights_fixed=bool(kept["weights_fixed"]),
        )


def _pack(fit: RowFit) -> dict[str, np.ndarray]:
    return {
        "rows": fit.rows,
        "link": np.array(fit.link),
        "prior": np.array([fit.prior.mean, fit.prior.precision]),
        "damping": fit.damping,
        "stride": fit.stride,
        "link_radius": np.array(fit.link_radius),
        "weights_fixed": np.array(fit.weights_fixed),
    }
