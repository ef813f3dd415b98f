"""The joint fit of spike prediction and structure, stage by stage.

1. What all neurons share: synaptic kernel, how an input rotates the circuit where one may, and the
   link function (`shared_parameters`), on as many spikes as that takes; and, of many neurons, on
   the spikes of some.
2. Free weights of every neuron by Fisher scoring, with what all share, on all training data.
3. Simpler kinds: a Poisson GLM, and no coupling at all (`choice`).
4. Hidden neurons, where asked for: their mean-field activity joins the presynaptic neurons
   (`hidden_neurons_stage`).
5. Structure: pair networks learn the weights around the current fit; then history, bias and link
   are fitted again to the structured weights, and so on (`structure_rounds`); without hidden
   neurons too, where there are any, and held-out spikes choose.
6. Choice: structured or free weights or a simpler kind, whichever predicts held-out spikes better.

Of more neurons than can be held at a time, those that were searched say all of this, but for
structure, and the others follow block by block (`neuron_blocks`).

Held-out spikes, never the true circuit, make every choice.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spikeweft.circuit_gnn.fitting.choice import choice_stages, simpler_stages
from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    FitState,
    FoundNeurons,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.hidden_neurons_stage import (
    hidden_stages,
    stages_without_hidden,
)
from spikeweft.circuit_gnn.fitting.neuron_blocks import NeuronBlocks, found_neurons, joined
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import (
    first_state,
    refining_steps,
    shared_stages,
)
from spikeweft.circuit_gnn.fitting.stage import (
    Stage,
    StepSequence,
    each,
    keep_free,
    prior_step,
    scoring_step,
)
from spikeweft.circuit_gnn.fitting.structure_rounds import structure_stages
from spikeweft.circuit_gnn.fitting.work import Costs, Pace, Work
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import EXPONENTIAL
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    Estimate,
    without_connections,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import dense_enough_for_s
from spikeweft.errors import CannotResumeError
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.runtime.training_loop import Progress
from spikeweft.runtime.workers import HERE, Workers

_EXPONENTIAL_BELOW = 0.5 * EXPONENTIAL.bend

_STEPS_OF_OTHERS = 4
"""Steps in which neurons that were not searched follow; what all share, the prior too, stays."""


def stages_of(problem: Problem, workers: Workers = HERE) -> list[Stage]:
    """The stages of a fit, in their order."""
    if problem.is_by_blocks:
        some = [*shared_stages(problem), *_searched_stages(problem), *simpler_stages(problem)]
        return [*some, *choice_stages(), NeuronBlocks(problem, workers)]
    return [
        *shared_stages(problem),
        *_free_stages(problem),
        *simpler_stages(problem),
        *hidden_stages(problem),
        *structure_stages(problem, with_hidden=True),
        *stages_without_hidden(problem, structure_stages(problem, with_hidden=False)),
        *choice_stages(),
    ]


def _searched_stages(problem: Problem) -> list[Stage]:
    """Free weights of the searched neurons, and what all share refined with them."""
    searched = Costs.of(problem, on_all_data=True, n_neurons=problem.n_searched)
    step = searched.on_spikes(n_passes=1)
    take = (_take_all_data, searched.on_spikes(n_passes=1, n_traces=1))
    settle = each(step, scoring_step, scoring_step, prior_step)
    refine = (*refining_steps(problem, searched), *each(step, prior_step, scoring_step))
    return [
        StepSequence("weights from all spikes", (take, *settle)),
        StepSequence("weights from all spikes", (*refine, (keep_free, Work()))),
    ]


def _free_stages(problem: Problem) -> list[Stage]:
    """Free weights of the searched neurons, then those of all others."""
    searched = _searched_stages(problem)
    if problem.n_searched == problem.recording.n_neurons:
        return searched
    some = Costs.of(problem, on_all_data=False).on_spikes(n_passes=1)
    whole = Costs.of(problem, on_all_data=True).on_spikes(n_passes=1)
    join = each(some, _take_all_neurons, *[scoring_step] * _STEPS_OF_OTHERS)
    first = each(whole, _take_back_searched, _take_all_data)
    last = each(whole, *[scoring_step] * 3, prior_step, *[scoring_step] * 3, keep_free)
    return [
        *searched,
        StepSequence("weights of all neurons", join),
        StepSequence("weights of all neurons from all spikes", (*first, *last)),
    ]


def _take_all_neurons(problem: Problem, state: FitState) -> FitState:
    """Go on with all neurons, on the spikes that the search uses.

    What all share stays. Others start from a constant rate and have a way to go.
    """
    searched = problem.scored(state.current)
    traces = problem.training(searched.inputs, on_all_data=False, n_neurons=len(problem.decides))
    constant = without_connections(traces, searched.parameters.link, problem.decides)
    parameters = searched.parameters.with_others(constant)
    current = replace(searched, parameters=parameters, on_all_data=False, held_out=None)
    return replace(state, current=current, searched=searched)


def _take_back_searched(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    """The searched neurons' weights as all their spikes had them: the others have caught up."""
    assert state.searched is not None
    values = state.current.parameters.values.copy()
    values[: state.searched.n_neurons] = state.searched.parameters.values
    parameters = replace(state.current.parameters, values=values)
    return replace(state, current=replace(state.current, parameters=parameters, held_out=None))


def _take_all_data(problem: Problem, state: FitState) -> FitState:
    """Go on from the same parameters on all training data.

    A neuron that is less likely under them than at a constant rate starts from there: one that was
    silent in the part that the search used is so sure of silence that no step leads out of it.
    """
    careful, inputs = state.current.parameters.with_careful_steps(), state.current.inputs
    # From here on the kernel hardly changes, so that fast synapses may have denser times.
    tau_s = dense_enough_for_s(min(inputs.kernel.taus_s))
    current = replace(
        state.current,
        parameters=careful,
        inputs=replace(inputs, quadrature_tau_s=tau_s),
        on_all_data=True,
        held_out=None,
    )
    traces = problem.training_of(current)
    constant = without_connections(traces, careful.link, careful.decides)
    likelihood = log_likelihood(traces, careful.values, careful.link)
    is_lost = likelihood < log_likelihood(traces, constant.values, careful.link)
    values = np.where(is_lost[:, None], constant.values, careful.values)
    return replace(state, current=replace(current, parameters=replace(careful, values=values)))


def advance(problem: Problem, stages: list[Stage], state: FitState) -> FitState | None:
    """The state after one more step; None once there is nothing left to do."""
    while state.stage < len(stages) and stages[state.stage].is_done(state):
        state = replace(state, stage=state.stage + 1, step=0)
    if state.stage == len(stages):
        return None
    state = stages[state.stage].advance(problem, state)
    score = state.current.held_out
    return replace(
        state,
        step=state.step + 1,
        n_steps_taken=state.n_steps_taken + 1,
        held_out_bits=state.held_out_bits if score is None else score.bits_per_spike,
    )


class CircuitFit:
    """The fit of one recording, as a `training_loop.Trainable`."""

    def __init__(self, problem: Problem, workers: Workers = HERE) -> None:
        self.problem = problem
        self._stages = stages_of(problem, workers)
        self._state: FitState | None = None
        self._pace = Pace()

    @property
    def plan(self) -> list[str]:
        """Its stages and how many steps they have, without which a state means nothing."""
        return [f"{stage.name}: {stage.n_steps}" for stage in self._stages]

    # -- being a Trainable --

    def advance(self) -> Progress | None:
        """Take the next step."""
        started = time.perf_counter()
        before = self._state or first_state(self.problem)
        state = advance(self.problem, self._stages, before)
        if state is None:
            return None
        self._state = state
        stage = self._stages[state.stage]
        learn = self._pace.learn_shared if stage.is_shared else self._pace.learn
        learn(stage.work(before, state.step - 1), time.perf_counter() - started)
        estimate = self.estimate
        n_spikes = max(int(estimate.derivatives.n_spikes.sum()), 1)
        return Progress(
            stage=stage.name,
            step=state.n_steps_taken,
            loss=-estimate.log_likelihood / n_spikes,
            held_out_bits_per_spike=state.held_out_bits,
            seconds_left=self._pace.seconds(self._work_left(state)),
        )

    def state(self) -> dict[str, np.ndarray]:
        """All that the next steps depend on, as arrays."""
        return to_arrays(self._reached)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` gave.

        Raises
        ------
        CannotResumeError
            Where another version of spikeweft gave it.
        """
        try:
            self._state = from_arrays(FitState, state)
        except (KeyError, TypeError, ValueError) as error:
            raise CannotResumeError(
                "the checkpoint was made by another version of spikeweft; use --force to start over"
            ) from error

    def _work_left(self, state: FitState) -> Work:
        stage, later = self._stages[state.stage], self._stages[state.stage + 1 :]
        here = Work() if stage.is_done(state) else stage.work_left(state, state.step)
        return sum((other.work_left(state) for other in later), here)

    # -- what was found --

    @property
    def _reached(self) -> FitState:
        assert self._state is not None
        return self._state

    @property
    def found(self) -> Candidate:
        """The candidate reached."""
        return self._reached.current

    @property
    def estimate(self) -> Estimate:
        """Its parameters, with the derivatives of the training likelihood."""
        return self.problem.estimate(self.found)

    @property
    def structure(self) -> str:
        """What the weights were taken from."""
        shape, parameters = self._reached.shape, self.found.parameters
        if parameters.weights_fixed and not parameters.weights.any():
            return "no coupling"
        if parameters.weights_fixed and shape is not None:
            return str(shape.shape)
        if self.problem.shape(self.found).bend < _EXPONENTIAL_BELOW:
            return "free weights, exponential link (a Poisson GLM)"
        return "free weights" if self._reached.shapes else "free weights, structure not tried"

    @property
    def _uncoupled(self) -> Candidate:
        """The candidate whose neurons do not act on each other."""
        return self._reached.simpler[-1]

    def neurons(self) -> FoundNeurons:
        """What was found of every neuron."""
        blocks = self._reached.blocks
        return (
            joined(blocks) if blocks else found_neurons(self.problem, self.found, self._uncoupled)
        )

    @property
    def hidden_gain_nats(self) -> float | None:
        """What hidden neurons add to the log-likelihood of held-out spikes, where there are any."""
        before = self._reached.nats_before_hidden
        return None if before is None else nats_of(self._reached.free) - before
