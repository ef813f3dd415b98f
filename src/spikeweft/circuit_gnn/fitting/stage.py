"""Stages of a fit, and the steps that several of them share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.work import Work

Step = Callable[[Problem, FitState], FitState]
"""One step of a fit: the state after it."""

Steps = tuple[tuple[Step, Work], ...]
"""Steps of a fit, each with the work that it is expected to be."""


class Stage(ABC):
    """Steps of a fit that belong together.

    Attributes
    ----------
    name
        What a progress display calls it.
    n_steps
        The most steps that it takes.
    is_shared
        Whether several workers take its steps at a time, so that no single one says how long one
        takes: it may have to be waited for, or be there already.
    """

    name: str
    n_steps: int
    is_shared = False

    def is_done(self, state: FitState) -> bool:
        """Whether nothing is left to do; asked before every step of the stage."""
        return state.step >= self.n_steps

    @abstractmethod
    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state after one more step."""

    @abstractmethod
    def work(self, state: FitState | None, step: int) -> Work:
        """How much work one of its steps is expected to be, as far as a state tells.

        None is that of a fit that has not begun.
        """

    def work_left(self, state: FitState | None, first: int = 0) -> Work:
        """How much work its steps are from the `first` on."""
        return sum((self.work(state, k) for k in range(first, self.n_steps)), Work())


class StepSequence(Stage):
    """One step after another."""

    def __init__(self, name: str, steps: Steps) -> None:
        self.name, self.steps, self.n_steps = name, steps, len(steps)

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state after the next step."""
        step, _ = self.steps[state.step]
        return step(problem, state)

    def work(self, state: FitState | None, step: int) -> Work:  # noqa: ARG002
        """What was expected when the fit began."""
        return self.steps[step][1]


def each(work: Work, *steps: Step) -> Steps:
    """Steps that are expected to be as much work each."""
    return tuple((step, work) for step in steps)


def scoring_step(problem: Problem, state: FitState) -> FitState:
    """A step of Fisher scoring of all neurons."""
    return replace(state, current=problem.stepped(state.current))


def prior_step(problem: Problem, state: FitState) -> FitState:
    """A step of Fisher scoring, after which the weights' prior is estimated again."""
    candidate = problem.stepped(state.current)
    return replace(state, current=problem.scored(problem.with_estimated_prior(candidate)))


def keep_free(problem: Problem, state: FitState) -> FitState:
    """Keep the current candidate as the one with free weights."""
    current = problem.scored(state.current)
    return replace(state, current=current, free=current)


def settle_hidden(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    """Drive hidden neurons as their observed neighbours are driven now."""
    return replace(state, current=with_settled_hidden(state.current))


def with_settled_hidden(candidate: Candidate) -> Candidate:
    """The candidate with hidden neurons driven as their observed neighbours are driven now."""
    hidden, parameters = candidate.inputs.hidden, candidate.parameters
    assert hidden is not None
    hidden = hidden.settled(parameters.values, parameters.link)
    return replace(
        candidate,
        parameters=parameters.with_careful_steps(),
        inputs=replace(candidate.inputs, hidden=hidden),
        held_out=None,
    )
