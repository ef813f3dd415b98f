"""The joint fit of spike prediction and structure, as a list of steps.

1. Free weights: every row by Fisher scoring, with the shared link, first on the first minutes to
   find the synaptic time constant, how an input rotates the circuit where one may, and the link's
   shape, then on all training data.
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
from spikeweft.hidden import (
    HiddenNeurons,
    pack_hidden,
    ring_angles,
    ring_places,
    unpack_hidden,
)
from spikeweft.metrics import bits_per_spike
from spikeweft.newton import (
    POWER_RANGE,
    RowFit,
    determined,
    estimate_precision,
    link_step,
    resume_rows,
    row_step,
    sharpen,
    start_rows,
)
from spikeweft.prediction import Link, geometry, log_likelihood
from spikeweft.recording import Recording
from spikeweft.rotation import Rotation, ring_layout
from spikeweft.structure import (
    Known,
    Metric,
    Response,
    StructureFit,
    fit_structure,
    spectral_embedding,
)
from spikeweft.threads import side_by_side
from spikeweft.train import Progress

TAUS_S = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""Synaptic time constants among which held-out spikes choose where none is given."""

FIRST_TAU_S = 0.01
"""The time constant from which the search starts."""

GAINS = (0.5, 1.0, 2.0, -0.5, -1.0, -2.0)
"""Factors of a rotating input from which held-out spikes choose, beside no rotation at all."""

GAIN_REFINEMENTS = (0.7, 1.4)
"""Factors by which the chosen gain is then refined."""

POWERS = (1.0, 2.5)
"""Powers of the link from which the fit starts; it keeps the one that predicts better."""

DIMENSIONS = (3, 6, 12, 40)
"""Sizes of embedding among which held-out spikes choose; among equals, the smallest."""

LINK_DAMPINGS = (0.004, 0.04)
"""How stiffly the link answers to changed weights, in nats per spike; held-out spikes choose.

The quadratic form overstates how far a link with a sharp bend should move.
"""

MEMBERS = (1, 2, 4)
"""Networks whose mean is taken in each round of structure learning."""

_SPIKES_TO_EXPLORE = 3000
_ROW_STEPS_START, _ROW_STEPS_TRY, _ROW_STEPS_SHARPEN = 12, 5, 2
_SHARPENINGS = 6
_SHARPER = 1.5
_WORTH_NATS = 10.0
_ENSEMBLE_NATS = 15.0
_STRUCTURE_STEPS = 300
_EXTRA_DIMENSIONS = (0, -1, 2)
_SLIGHTLY_SHARPER = 1.4
_UNKNOWN = 0.05


class Step(NamedTuple):
    """One step of the plan, and the stage that it belongs to."""

    stage: str
    act: Callable[[], None]


class Kind(NamedTuple):
    """A kind of pair network; kinds are ordered by the size of their embedding."""

    n_dimensions: int
    directed: int
    damping: int
    """Index into `LINK_DAMPINGS`."""


class CircuitFit:
    """The fit of one recording, as a `train.Trainable`."""

    def __init__(self, training: Recording, held_out: Recording, settings: FitSettings) -> None:
        self.recordings = training, held_out
        self.settings = settings
        share = _SPIKES_TO_EXPLORE * training.n_neurons / max(len(training.spike_times_s), 1)
        self._explored = training.between(0.0, min(1.0, share))
        self.tau_s = 0.0
        self.hidden: HiddenNeurons | None = None
        self.rotation = _no_rotation(training, settings)
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
            if power == POWERS[0]:
                plan += self._search_plan()
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
        plan.append(Step("choice", self._continue_edge))
        return plan

    def _search_plan(self) -> list[Step]:
        """How an input rotates the circuit, and the time constant; both where asked for."""
        plan = []
        if self.settings.rotated_by is not None:
            plan += [Step("rotation", partial(self._try_gain, gain)) for gain in GAINS]
        if self.settings.tau_s is None:
            plan += [Step("time constant", self._walk_tau)] * len(TAUS_S)
        if self.settings.rotated_by is not None:
            plan += [Step("rotation", partial(self._refine_gain, f)) for f in GAIN_REFINEMENTS]
        return plan

    def _structure_plan(self) -> list[Step]:
        plan = [Step("structure", partial(self._try_kinds, directed)) for directed in (0, 1)]
        for damping in range(len(LINK_DAMPINGS)):
            plan.append(Step("structure", partial(self._choose_size, damping)))
        for loop, n_members in enumerate(MEMBERS):
            acts = [
                partial(self._learn, loop, n_members),
                *[self._rows, self._link] * 3,
                *[partial(self._bend_by_training, _SLIGHTLY_SHARPER)] * 2,
                self._rows,
                self._keep_structured,
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
        if self.rotation is not None:
            state |= {"gain": np.array(self.rotation.gain), "places": self.rotation.places}
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
        if self.rotation is not None:
            gain, places = float(state["gain"]), state["places"]
            self.rotation = replace(self.rotation, gain=gain, places=places)
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
        kind = self._kind()
        wiring = "directed" if kind.directed else "symmetric"
        return f"{wiring} pair network, {kind.n_dimensions} dimensions"

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
        for _ in range(_ROW_STEPS_TRY):
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

    def _try_gain(self, gain: float) -> None:
        """Rotate the circuit with this gain if held-out spikes gain by it."""
        kept, kept_rotation, score = self._now(), self.rotation, self._held_out_nats()
        assert kept_rotation is not None
        self.rotation = replace(kept_rotation, gain=gain)
        self._prepare("first")
        self.fit = resume_rows(self._traces()[0], kept, damping=1e-2)
        for _ in range(_ROW_STEPS_TRY):
            self.fit = row_step(self._traces()[0], self._now())
        if self._held_out_nats() > score + _WORTH_NATS:
            return
        self.rotation = kept_rotation
        self._prepare("first")
        self.fit = kept
        self._held_out_nats()

    def _refine_gain(self, factor: float) -> None:
        assert self.rotation is not None
        if self.rotation.gain != 0.0:
            self._try_gain(self.rotation.gain * factor)

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
            fit = replace(fit, precision=estimate_precision(fit))
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
        self.fit = replace(self._now(), precision=estimate_precision(self._now()))
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
        places = ring_places(angle, self.settings.n_hidden)
        if self.rotation is not None:
            self.rotation, places = self.rotation.with_neurons(places)
        self.hidden = HiddenNeurons.between(fit.rows, fit.link, angle, places)
        self._prepare("all")
        self.fit = resume_rows(self._traces()[0], fit)

    # -- structure --

    def _if_structured(self, act: Callable[[], None]) -> Callable[[], None]:
        """An act for structured weights only: none where no structure predicts better."""

        def act_if_structured() -> None:
            if "structure/kind" in self.vault:
                act()

        return act_if_structured

    def _weights(self) -> Float[np.ndarray, "post pre"]:
        rows = self._now().rows
        weights = rows[:, : len(rows)].copy()
        np.fill_diagonal(weights, 0.0)
        return weights

    def _fit_structures(self, kinds: Sequence[Kind], first_seed: int) -> list[StructureFit]:
        """Learn networks of several kinds around the current weights, side by side."""
        fit, weights = self._now(), self._weights()
        n_neurons = len(fit.rows)
        known = Known(
            weights=torch.from_numpy(weights),
            determined=torch.from_numpy(determined(fit)[:, :n_neurons]),
            precision=fit.precision,
        )
        training = Metric.of(fit.geometry)
        held_out = Metric.of(geometry(self._traces()[1], fit.rows, fit.link))

        def learn(member: tuple[int, Kind]) -> StructureFit:
            seed, kind = member
            return fit_structure(
                known,
                training,
                held_out,
                spectral_embedding(weights, kind.n_dimensions, bool(kind.directed)),
                link_damping=self._link_damping(kind),
                n_steps=_STRUCTURE_STEPS,
                rng=torch.Generator().manual_seed(1000 * self.settings.seed + seed),
            )

        return side_by_side(learn, enumerate(kinds, first_seed))

    def _link_damping(self, kind: Kind) -> float:
        return LINK_DAMPINGS[kind.damping] * int(self._traces()[0].n_spikes.sum())

    def _try_kinds(self, directed: int) -> None:
        """Symmetric networks first; directed ones only where none of those predicts better."""
        if directed and max(self._kind_scores().values(), default=0.0) > _WORTH_NATS:
            return
        kinds = [
            Kind(d, directed, damping)
            for d in DIMENSIONS
            if d < len(self._now().rows)
            for damping in range(len(LINK_DAMPINGS))
        ]
        found = self._fit_structures(kinds, first_seed=100 * directed)
        for kind, structure in zip(kinds, found, strict=True):
            key = "/".join(map(str, kind))
            self.vault[f"kind/{key}"] = np.array(-structure.held_out_nats)

    def _kind_scores(self) -> dict[Kind, float]:
        """Held-out gain of each kind of network tried."""
        return {
            Kind(*map(int, key.split("/")[1:])): float(score)
            for key, score in self.vault.items()
            if key.startswith("kind/")
        }

    def _choose_size(self, damping: int) -> None:
        """The smallest embedding that held-out spikes do not clearly tell from the best.

        It is then judged by the likelihood itself, once history, bias and link have settled: the
        quadratic form of a sharp link does not hold far from where it was taken.
        """
        scores = {kind: s for kind, s in self._kind_scores().items() if kind.damping == damping}
        best = max(scores.values(), default=0.0)
        if best <= _WORTH_NATS:
            return
        kind = min(kind for kind, score in scores.items() if score > best - _ENSEMBLE_NATS)
        kept = self._now()
        (structure,) = self._fit_structures([kind], first_seed=150)
        self._adopt(structure.weights, kind)
        for _ in range(2):
            self.fit = link_step(self._traces()[0], row_step(self._traces()[0], self._now()))
        score = self._held_out_nats()
        self.fit = kept
        if score > float(self.vault.get("structure/score", np.array(-np.inf))):
            self.vault |= {"structure/kind": np.array(kind), "structure/score": np.array(score)}

    def _kind(self) -> Kind:
        return Kind(*map(int, self.vault["structure/kind"]))

    def _learn(self, loop: int, n_members: int) -> None:
        """Learn networks around the current weights and take the mean of the good ones."""
        kind, largest = self._kind(), len(self._now().rows) - 1
        kinds = [
            kind._replace(n_dimensions=max(min(kind.n_dimensions + extra, largest), 1))
            for extra in itertools.islice(itertools.cycle(_EXTRA_DIMENSIONS), n_members)
        ]
        found = self._fit_structures(kinds, first_seed=200 + 100 * loop)
        best = min(structure.held_out_nats for structure in found)
        good = [f.weights for f in found if f.held_out_nats < best + _ENSEMBLE_NATS]
        self._adopt(np.mean(good, axis=0), kind)

    def _adopt(self, weights: Float[np.ndarray, "post pre"], kind: Kind) -> None:
        """Take structured weights; history, bias and link answer as the metric says."""
        training, fit = self._traces()[0], self._now()
        response = Response.of(Metric.of(fit.geometry), self._link_damping(kind))
        change = response.to(torch.from_numpy(weights - self._weights())).numpy()
        link = _changed(fit.link, change[0, -2:])
        fit = replace(fit, rows=fit.rows + change[:, :-2], link=link, weights_fixed=True)
        self.fit = resume_rows(training, fit, damping=1e-6)

    def _keep_structured(self) -> None:
        """Keep a round of structure learning unless an earlier one was clearly better."""
        before = float(self.vault.get("structured/score", np.array(-np.inf)))
        if self._held_out_nats() > before - _WORTH_NATS:
            self._keep("structured")

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
        free = float(self.vault["free/score"])
        structured = float(self.vault.get("structured/score", np.array(-np.inf)))
        self._take("structured" if structured > free + _WORTH_NATS else "free")

    def _continue_edge(self) -> None:
        """Set structured weights of which spikes tell nothing to those of which they tell little.

        There the network extrapolates at will; its row's mean at the edge of what is known is the
        plainest guess, and is kept unless held-out spikes object. The pairs are marked in any case.
        """
        kept, training = self._now(), self._traces()[0]
        weights, known = self._weights(), determined(kept)[:, : len(kept.rows)]
        unknown = (known < _UNKNOWN) & ~np.eye(len(known), dtype=bool)
        if not (kept.weights_fixed and unknown.any()):
            return
        edge = (known * (1.0 - known)) ** 2 + 1e-6
        center = np.sum(edge * weights, axis=1) / np.sum(edge, axis=1)
        rows = kept.rows.copy()
        rows[:, : len(rows)][unknown] = np.broadcast_to(center[:, None], known.shape)[unknown]
        score = self._held_out_nats()
        self.fit = resume_rows(training, replace(kept, rows=rows))
        for _ in range(2):
            self.fit = link_step(training, row_step(training, self._now()))
        if self._held_out_nats() < score - _WORTH_NATS:
            self.fit = kept

    def _unpack(self, kept: Mapping[str, np.ndarray]) -> RowFit:
        training = self._traces()[0]
        link = Link(*(float(v) for v in kept["link"]))
        return RowFit(
            rows=kept["rows"],
            link=link,
            precision=float(kept["precision"]),
            geometry=geometry(training, kept["rows"], link),
            damping=kept["damping"],
            stride=kept["stride"],
            n_sources=training.n_neurons + self.settings.n_hidden,
            link_radius=float(kept["link_radius"]),
            weights_fixed=bool(kept["weights_fixed"]),
        )


def _no_rotation(training: Recording, settings: FitSettings) -> Rotation | None:
    """The rotation from which the search for its gain starts, where an input may rotate."""
    if settings.rotated_by is None:
        return None
    places, n_places = ring_layout(training.preferred_angle_rad)
    return Rotation(covariate=settings.rotated_by, gain=0.0, places=places, n_places=n_places)


def _changed(link: Link, change: Float[np.ndarray, " 2"]) -> Link:
    power = float(np.clip(link.power + change[0], *POWER_RANGE))
    return Link(power, link.log_gain + float(change[1]))


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
