"""What the fits of an inference are expected to take, before anything is computed."""

from collections.abc import Sequence
from typing import NamedTuple

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.expected_cost import expected_cost
from spikeweft.circuit_gnn.fitting.needed_memory import check_memory
from spikeweft.data.file_contents.sentences import lasting
from spikeweft.data.recording import Recording
from spikeweft.estimator import SpikePredictor
from spikeweft.runtime.memory import (
    available_memory_mb,
    check_room,
    gigabytes,
    memory_in_use_mb,
)
from spikeweft.synapse_model.estimator import SynapseModel


class Expected(NamedTuple):
    """Memory of this process that a fit is expected to take, and time where it can be foretold.

    Attributes
    ----------
    method
        What is fitted.
    memory_mb
        In MiB, with what is in memory already.
    seconds
        On a machine as fast as the one on which steps were measured.
    n_workers
        Workers that take as much memory each; 0 where this process is alone.
    """

    method: str
    memory_mb: float
    seconds: float | None = None
    n_workers: int = 0

    def __str__(self) -> str:
        time = "" if self.seconds is None else f"about {lasting(self.seconds)} and "
        each = f" and for each of {self.n_workers} workers" if self.n_workers else ""
        return f"{time}{gigabytes(self.memory_mb)} for {self.method}{each}"


def expected_of(methods: Sequence[SpikePredictor], training: Recording) -> list[Expected]:
    """What fits to the training part take, of those of these methods of which it is known.

    Raises
    ------
    InputError
        Where there surely is too little memory for one.
    """
    found: list[Expected] = []
    for method in methods:
        if isinstance(method, CircuitGNN):
            found.append(_of_circuit_gnn(method, training))
        elif isinstance(method, PoissonGLM | SynapseModel):
            found.append(_by_memory(method, training))
    return found


def _of_circuit_gnn(model: CircuitGNN, training: Recording) -> Expected:
    problem = model.problem_of(training)
    check_memory(problem, model.workers)
    cost = expected_cost(problem, model.workers)
    n_workers = model.workers.number() if problem.is_by_blocks else 1
    name = type(model).__name__
    return Expected(name, cost.memory_mb, cost.seconds, n_workers if n_workers > 1 else 0)


def _by_memory(method: PoissonGLM | SynapseModel, training: Recording) -> Expected:
    name, needed_mb = type(method).__name__, method.needed_memory_mb(training)
    minutes = f"{training.duration_s / 60:.3g} min"
    check_room(
        f"a {name} of {training.n_neurons:,} neurons in {minutes}",
        needed_mb,
        available_memory_mb(),
        "use only the first --minutes, or fewer neurons, or a larger machine",
    )
    return Expected(name, memory_in_use_mb() + needed_mb)
