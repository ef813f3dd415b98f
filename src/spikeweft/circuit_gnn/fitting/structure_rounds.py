"""Rounds of structure learning: pair networks around the current fit, which then settles anew.

First the kind of network is chosen, by held-out spikes. Each round then learns networks of this
kind in the metric of the current fit and takes the mean of the good ones; history, bias and link
are fitted again to the structured weights, and the next round's metric is taken there.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from spikeweft.circuit_gnn.fitting.fit_state import FitState, clearly_better, hardly_worse
from spikeweft.circuit_gnn.fitting.plan import Step
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    POWER_RANGE,
    determined,
    resume_rows,
    row_step,
)
from spikeweft.circuit_gnn.spike_prediction.likelihood import geometry
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    Form,
    Known,
    Learning,
    StructureFit,
    Task,
    fit_structure,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import Metric, Response
from spikeweft.runtime.parallel import one_by_one, side_by_side

DIMENSIONS = (3, 6, 12, 40)


"""Sizes of embedding among which held-out spikes choose; among equals, the smallest."""


STRUCTURE_STEPS = 300


"""Steps in which a network then descends the training metric."""


_WORTH_THREADS = 40


"""Neurons from which networks gain by threads: steps of smaller ones wait for the interpreter."""


_ENSEMBLE_NATS = 15.0


_EXTRA_DIMENSIONS = (0, -1, 2)


_SLIGHTLY_SHARPER = 1.4


class Kind(NamedTuple):
    """A kind of pair network; kinds are ordered by the size of their embedding."""

    n_dimensions: int
    directed: int
    damping: int
    """Index into the dampings of the link's rule."""

    def __str__(self) -> str:
        wiring = "directed" if self.directed else "symmetric"
        return f"{wiring} pair network, {self.n_dimensions} dimensions"


class StructureRounds:
    """The steps of structure learning, on a fit that they change."""

    def __init__(self, state: FitState, learning: Learning, n_networks: Sequence[int]) -> None:
        self._state, self._learning, self._n_networks = state, learning, n_networks

    def plan(self) -> list[Step]:
        """Choose a kind of network, then learn its weights, round by round."""
        plan = [Step("structure", partial(self._try_kinds, directed)) for directed in (0, 1)]
        for damping in range(len(self._state.links.dampings)):
            plan.append(Step("structure", partial(self._choose_size, damping)))
        for loop, n_networks in enumerate(self._n_networks):
            acts = [
                partial(self._learn, loop, n_networks),
                *[self._state.step_rows, self._state.step_link] * 3,
                *[partial(self._bend_by_training, _SLIGHTLY_SHARPER)] * 2,
                self._state.step_rows,
                self._keep,
            ]
            plan += [Step(f"structure {loop + 1}", self._if_chosen(act)) for act in acts]
        return plan

    @property
    def kind(self) -> Kind:
        """The kind of network that was chosen."""
        return Kind(*map(int, self._state.vault["structure/kind"]))

    def _if_chosen(self, act: Callable[[], None]) -> Callable[[], None]:
        """An act for structured weights only: none where no structure predicts better."""

        def act_if_chosen() -> None:
            if "structure/kind" in self._state.vault:
                act()

        return act_if_chosen

    # -- learning networks --

    def _fit_networks(self, kinds: Sequence[Kind], first_seed: int) -> list[StructureFit]:
        """Learn networks of several kinds around the current weights, side by side."""
        state, fit, weights = self._state, self._state.fit, self._state.weights()
        n_neurons = len(fit.rows)
        known = Known(
            weights=torch.from_numpy(weights),
            determined=torch.from_numpy(determined(fit)),
            precision=fit.precision,
        )
        task = Task(
            known=known,
            training=Metric.of(fit.geometry),
            held_out=Metric.of(geometry(state.held_out, fit.rows, fit.link)),
            hidden_mix=np.zeros((0, n_neurons)) if state.hidden is None else state.hidden.mix,
        )

        def learn(member: tuple[int, Kind]) -> StructureFit:
            seed, kind = member
            return fit_structure(
                task,
                Form(kind.n_dimensions, bool(kind.directed), self._link_damping(kind)),
                n_steps=STRUCTURE_STEPS,
                rng=torch.Generator().manual_seed(1000 * state.settings.seed + seed),
                learning=self._learning,
            )

        members = enumerate(kinds, first_seed)
        if n_neurons < _WORTH_THREADS:
            return one_by_one(learn, members)
        return side_by_side(learn, members)

    def _link_damping(self, kind: Kind) -> float:
        state = self._state
        return state.links.dampings[kind.damping] * int(state.training.n_spikes.sum())

    def _adopt(self, weights: Float[np.ndarray, "post pre"], kind: Kind) -> None:
        """Take structured weights; history, bias and link answer as the metric says."""
        state, fit = self._state, self._state.fit
        n, damping = len(fit.rows), self._link_damping(kind)
        response = Response.of(Metric.of(fit.geometry), fit.n_sources, damping)
        change = response.to(torch.from_numpy(weights[:n] - state.weights())).numpy()
        link = _changed(fit.link, change[0, -2:])
        fit = replace(fit, rows=fit.rows + change[:, :-2], link=link, weights_fixed=True)
        if state.hidden is not None:
            state.replace_hidden(state.hidden.driven_by(weights[n:], fit.rows, link))
        state.fit = resume_rows(state.training, fit, damping=1e-6)

    # -- choosing a kind --

    def _try_kinds(self, directed: int) -> None:
        """Symmetric networks first; directed ones only where none of those predicts better."""
        state = self._state
        if directed and clearly_better(max(self._kind_scores().values(), default=0.0), 0.0):
            return
        kinds = [
            Kind(d, directed, damping)
            for d in DIMENSIONS
            if d < len(state.fit.rows)
            for damping in range(len(self._state.links.dampings))
        ]
        found = self._fit_networks(kinds, first_seed=100 * directed)
        for kind, structure in zip(kinds, found, strict=True):
            key = "/".join(map(str, kind))
            state.vault[f"kind/{key}"] = np.array(-structure.held_out_nats)

    def _kind_scores(self) -> dict[Kind, float]:
        """Held-out gain of each kind of network tried."""
        return {
            Kind(*map(int, key.split("/")[1:])): float(score)
            for key, score in self._state.vault.items()
            if key.startswith("kind/")
        }

    def _choose_size(self, damping: int) -> None:
        """The smallest embedding that held-out spikes do not clearly tell from the best.

        It is then judged by the likelihood itself, once history, bias and link have settled: the
        quadratic form of a sharp link does not hold far from where it was taken.
        """
        state = self._state
        scores = {kind: s for kind, s in self._kind_scores().items() if kind.damping == damping}
        best = max(scores.values(), default=0.0)
        if not clearly_better(best, 0.0):
            return
        kind = min(kind for kind, score in scores.items() if score > best - _ENSEMBLE_NATS)
        kept, hidden = state.fit, state.hidden
        (structure,) = self._fit_networks([kind], first_seed=150)
        self._adopt(structure.weights, kind)
        for _ in range(2):
            state.fit = state.links.step(state.training, row_step(state.training, state.fit))
        score = state.score()
        state.replace_hidden(hidden)
        state.fit = kept
        if score > state.kept_score("structure"):
            state.vault |= {"structure/kind": np.array(kind), "structure/score": np.array(score)}

    # -- a round --

    def _learn(self, loop: int, n_networks: int) -> None:
        """Learn networks around the current weights and take the mean of the good ones."""
        kind, largest = self.kind, len(self._state.fit.rows) - 1
        kinds = [
            kind._replace(n_dimensions=max(min(kind.n_dimensions + extra, largest), 1))
            for extra in itertools.islice(itertools.cycle(_EXTRA_DIMENSIONS), n_networks)
        ]
        found = self._fit_networks(kinds, first_seed=200 + 100 * loop)
        best = min(structure.held_out_nats for structure in found)
        good = [f.weights for f in found if f.held_out_nats < best + _ENSEMBLE_NATS]
        self._adopt(np.mean(good, axis=0), kind)

    def _bend_by_training(self, factor: float) -> None:
        """Sharpen or soften the link where the training spikes become likelier by it."""
        state, kept = self._state, self._state.fit
        for bend in (factor, 1.0 / factor):
            bent = state.links.bend(state.training, kept, bend)
            state.fit = row_step(state.training, bent)
            gain = state.fit.geometry.log_likelihood.sum() - kept.geometry.log_likelihood.sum()
            if gain > 1.0:
                return
        state.fit = kept

    def _keep(self) -> None:
        """Keep a round's weights unless an earlier round was clearly better."""
        if hardly_worse(self._state.score(), self._state.kept_score("structured")):
            self._state.keep("structured")


def _changed(link: Link, change: Float[np.ndarray, " 2"]) -> Link:
    power = float(np.clip(link.power + change[0], *POWER_RANGE))
    return Link(power, link.log_gain + float(change[1]))
