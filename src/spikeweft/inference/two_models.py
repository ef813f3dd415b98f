"""Two models of one recording, of which held-out spikes choose the answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import ResumablePredictor
from spikeweft.inference.circuit_kind import CircuitKind
from spikeweft.inference.settings import Inference
from spikeweft.synapse_model.estimator import SynapseModel


class Answer(NamedTuple):
    """The model that answers, the circuit of the other one, and what is to be said of the choice.

    Attributes
    ----------
    model
        The one that held-out spikes speak for, fitted to all training time.
    second
        The other's circuit; None where there was no choice.
    metrics
        The kind of circuit in a sentence, or why there was no choice, and the numbers; and what
        part of each neuron's spiking the state that all share explains, as in `SynapseModel`,
        where it knows such a state.
    """

    model: ResumablePredictor
    second: Connectivity | None
    metrics: dict[str, Any]


def better_of_two(
    dense: CircuitGNN,
    inference: Inference,
    training: Recording,
    on_stage: Callable[[str], None],
) -> Answer:
    """A fitted `CircuitGNN`, or `SynapseModel` where that predicts held-out spikes better.

    It is fitted to what `CircuitGNN` was fitted to, and scored on what that held out; where it is
    the answer, it is fitted again to all of it.
    """
    reason = no_candidate(inference, training)
    if reason:
        return Answer(dense, None, {"circuit_kind": reason})
    on_stage("looking for sparse connections")
    fitted, held_out = split(training, VALIDATION_FRACTION)
    sparse = SynapseModel(random_state=inference.seed).fit(fitted)
    nats = sparse.log_likelihood(held_out)
    kind = CircuitKind.of(
        fitted,
        held_out,
        dense.held_out_,
        nats,
        sparse.connectivity_,
        knows_shared_state=sparse.prediction_.knows_shared_state,
    )
    metrics = {
        "circuit_kind": kind.sentence,
        "held_out_bits_per_spike_circuit_gnn": kind.dense_bits,
        "held_out_bits_per_spike_synapse_model": kind.sparse_bits,
        "held_out_bits_per_spike_without_coupling": kind.uncoupled_bits,
        "state_share_per_neuron": sparse.state_share_.tolist(),
    }
    if not kind.is_sparse:
        return Answer(dense, sparse.connectivity_, metrics)
    on_stage("fitting sparse connections to all training time")
    whole = SynapseModel(random_state=inference.seed).fit(training)
    return Answer(whole, dense.connectivity_, metrics)


def no_candidate(inference: Inference, training: Recording) -> str:
    """Why `SynapseModel` cannot be asked, in a sentence; nothing where it can."""
    asked = {
        "hidden neurons": inference.n_hidden > 0,
        "covariates": bool(inference.covariates),
        "a rotation": inference.rotated_by is not None,
    }
    if any(asked.values()):
        names = " and ".join(name for name, is_asked in asked.items() if is_asked)
        return (
            "Whether this circuit is sparse was not asked: SynapseModel, which looks for sparse "
            f"connections, knows no {names.removeprefix('a ')}."
        )
    fitted, _ = split(training, VALIDATION_FRACTION)
    try:
        SynapseModel().check_recording(fitted)
    except InputError as error:
        return f"Whether this circuit is sparse cannot be said: {error}."
    return ""
