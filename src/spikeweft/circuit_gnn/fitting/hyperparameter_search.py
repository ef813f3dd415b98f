"""The search on the first minutes: synaptic time constant, rotation by an input, the link's shape.

It starts from no connection at all, and every choice is made by held-out spikes.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import FitState, clearly_better
from spikeweft.circuit_gnn.fitting.plan import Step
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    estimate_precision,
    resume_rows,
    row_step,
    start_rows,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link

TAUS_S = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)


"""Synaptic time constants among which held-out spikes choose where none is given."""


FIRST_TAU_S = 0.01


"""The time constant from which the search starts."""


GAINS = (0.5, 1.0, 2.0, -0.5, -1.0, -2.0)


"""Factors of a rotating input from which held-out spikes choose, beside no rotation at all."""


GAIN_REFINEMENTS = (0.7, 1.4)


"""Factors by which the chosen gain is then refined."""


_ROW_STEPS_START, _ROW_STEPS_TRY, _ROW_STEPS_SHARPEN = 12, 5, 2


_SHARPENINGS = 6


_SHARPER = 1.5


class FirstMinutes:
    """The steps of the search, on a fit that they change."""

    def __init__(self, state: FitState) -> None:
        self._state = state

    def plan(self) -> list[Step]:
        """From each start, free weights and the link's bend; from the first, all else too."""
        plan, powers = [], list(self._state.links.starts)
        for power in powers:
            plan.append(Step("first minutes", partial(self._start, power)))
            plan += [Step("first minutes", self._state.step_rows)] * _ROW_STEPS_START
            if power == powers[0]:
                plan += self._search_plan()
            plan += [Step("first minutes", partial(self._bend, power))] * _SHARPENINGS
        plan.append(Step("first minutes", self._choose_power))
        return plan

    def _search_plan(self) -> list[Step]:
        """How an input rotates the circuit, and the time constant; both where asked for."""
        plan, settings = [], self._state.settings
        if settings.rotated_by is not None:
            plan += [Step("rotation", partial(self._try_gain, gain)) for gain in GAINS]
        if settings.tau_s is None:
            plan += [Step("time constant", self._walk_tau)] * len(TAUS_S)
        if settings.rotated_by is not None:
            plan += [Step("rotation", partial(self._refine_gain, f)) for f in GAIN_REFINEMENTS]
        return plan

    def _start(self, power: float) -> None:
        state = self._state
        if not state.is_prepared:
            first = max(FIRST_TAU_S, state.recordings[0].tick_s)
            state.tau_s = state.settings.tau_s or first
            state.prepare("first")
        training = state.training
        rate_hz = training.n_spikes.sum() / training.exposure_s / training.n_neurons
        link = Link(power, float(np.log(rate_hz + 1e-3)) - state.links.starts[power])
        fit = start_rows(training, link, state.settings.n_hidden)
        state.fit = replace(fit, step_curvature=state.step_curvature)
        state.score()

    # -- the time constant --

    def _walk_tau(self) -> None:
        """Try the next longer or shorter time constant, as long as held-out spikes gain by it."""
        state = self._state
        if "tau/score" not in state.vault:
            state.vault["tau/score"] = np.array(state.score())
            state.vault["tau/direction"] = np.array(1)
        direction = int(state.vault["tau/direction"])
        place = int(np.argmin(np.abs(np.array(TAUS_S) - state.tau_s))) + direction
        if direction == 0 or not self._may_be_tau(place):
            self._turn(direction)
            return
        kept, kept_tau_s = state.fit, state.tau_s
        self._use_tau(TAUS_S[place])
        self._try_rows(_ROW_STEPS_TRY)
        if clearly_better(state.score(), state.kept_score("tau")):
            state.vault["tau/score"] = np.array(state.score())
            state.vault["tau/moved"] = np.array(True)
            return
        self._use_tau(kept_tau_s)
        state.fit = kept
        self._turn(direction)

    def _may_be_tau(self, place: int) -> bool:
        return 0 <= place < len(TAUS_S) and TAUS_S[place] >= self._state.recordings[0].tick_s

    def _turn(self, direction: int) -> None:
        """From longer to shorter time constants if none of the longer was better, else stop."""
        other = -1 if direction > 0 and "tau/moved" not in self._state.vault else 0
        self._state.vault["tau/direction"] = np.array(other)

    def _use_tau(self, tau_s: float) -> None:
        """Change the time constant, keeping the area under each neuron's effect on others."""
        state = self._state
        fit, rows = state.fit, state.fit.rows.copy()
        rows[:, : fit.n_sources] *= state.tau_s / tau_s
        state.tau_s = tau_s
        state.prepare("first")
        state.fit = resume_rows(state.training, replace(fit, rows=rows), damping=1e-2)

    def _try_rows(self, n_steps: int) -> None:
        for _ in range(n_steps):
            self._state.fit = row_step(self._state.training, self._state.fit)

    # -- the rotation --

    def _try_gain(self, gain: float) -> None:
        """Rotate the circuit with this gain if held-out spikes gain by it."""
        state = self._state
        kept, kept_rotation, score = state.fit, state.rotation, state.score()
        assert kept_rotation is not None
        state.rotation = replace(kept_rotation, gain=gain)
        state.prepare("first")
        state.fit = resume_rows(state.training, kept, damping=1e-2)
        self._try_rows(_ROW_STEPS_TRY)
        if clearly_better(state.score(), score):
            return
        state.rotation = kept_rotation
        state.prepare("first")
        state.fit = kept
        state.score()

    def _refine_gain(self, factor: float) -> None:
        assert self._state.rotation is not None
        if self._state.rotation.gain != 0.0:
            self._try_gain(self._state.rotation.gain * factor)

    # -- the link --

    def _bend(self, power: float) -> None:
        """Sharpen the link as long as held-out spikes become likelier, else soften it."""
        state, key = self._state, f"power/{power}"
        if f"{key}/score" not in state.vault:
            state.keep(key)
            state.vault[f"{key}/factor"] = np.array(_SHARPER)
        factor = float(state.vault[f"{key}/factor"])
        if factor == 1.0:
            return
        kept = state.fit
        state.fit = state.links.bend(state.training, kept, factor)
        self._try_rows(_ROW_STEPS_SHARPEN)
        state.fit = replace(state.fit, precision=estimate_precision(state.fit))
        if clearly_better(state.score(), state.kept_score(key)):
            state.keep(key)
            return
        state.fit = kept
        first = factor > 1.0 and f"{key}/moved" not in state.vault
        state.vault[f"{key}/factor"] = np.array(1.0 / factor if first else 1.0)

    def _choose_power(self) -> None:
        best = max(
            self._state.links.starts, key=lambda power: self._state.kept_score(f"power/{power}")
        )
        self._state.take(f"power/{best}")
