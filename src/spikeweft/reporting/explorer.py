"""The interactive circuit: what the page's script draws, reorders and reads out."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.reporting.connections.plot_correlograms import (
    NamedCorrelogram,
    named_correlograms,
)
from spikeweft.reporting.connections.probable import ProbableConnections
from spikeweft.reporting.ordering import circular_order
from spikeweft.reporting.plot_circuits import error_name, weight_limit
from spikeweft.reporting.plot_style import GLM, INFERRED, TRUTH
from spikeweft.reporting.result_view import View
from spikeweft.results.result import Result

SCRIPT = files("spikeweft.reporting").joinpath("explorer.js").read_text(encoding="utf-8")
"""The script of the page: it reads its data from the page, and nothing from elsewhere."""

SCRIPT_HASH = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""What the page's policy lets run: this script and no other."""

_LARGEST_BYTES = 3_000_000
"""Of all matrices as text, so that the page stays a file one can send around."""

_MOST_TO_CLUSTER = 500
"""Neurons whose best order of clusters is found at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """What the script shows.

    Attributes
    ----------
    data
        Neurons, their orders, the circuits and correlograms of probable connections, as JSON can
        hold them; None where not even one circuit fits into the page.
    note
        What is left out because the page would become too large, or nothing.
    """

    data: dict[str, Any] | None
    note: str


def explorer(view: View, beside: Mapping[str, View]) -> Explorer:
    """The circuits that fit into the page, the result's first, without their errors if need be.

    Circuits of other results, by the names to show them under, come next.

    Raises
    ------
    InputError
        Where another result is of other neurons.
    """
    shown, note = _fitting(_circuits(view, beside))
    if not shown:
        return Explorer(data=None, note=note)
    return Explorer(
        data={
            "neurons": list(view.inferred.neuron_ids),
            "orders": [{"name": name, "neurons": o.tolist()} for name, o in _orders(view)],
            "circuits": shown,
            "correlograms": _correlograms(view),
        },
        note=note,
    )


def left_out(result: Result, beside: Mapping[str, Result]) -> str:
    """What the page of a result leaves out of it and others, in sentences, or nothing."""
    others = {name: View.of(other) for name, other in beside.items()}
    return _fitting(_circuits(View.of(result), others))[1]


def _fitting(circuits: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The circuits that fit into a page, and a note of those, or of whose errors, do not."""
    shown: list[dict[str, Any]] = []
    too_large, without_errors, n_left = [], [], _LARGEST_BYTES
    for whole in circuits:
        bare = {**whole, "errors": ""}
        circuit = whole if _n_bytes(whole) <= n_left else bare
        if _n_bytes(circuit) > n_left:
            too_large.append(whole["name"])
            continue
        if circuit is not whole:
            without_errors.append(whole["name"])
        shown.append(circuit)
        n_left -= _n_bytes(circuit)
    return shown, _note(too_large, without_errors)


def _note(too_large: Sequence[str], without_errors: Sequence[str]) -> str:
    said = []
    if too_large:
        said.append(f"Left out, to keep this page small: {', '.join(too_large)}.")
    if without_errors:
        said.append(f"Shown without errors, to keep it small: {', '.join(without_errors)}.")
    return " ".join(said)


def _circuits(view: View, beside: Mapping[str, View]) -> list[dict[str, Any]]:
    """Those of the result and of others; colours saturate at each result's own limit."""
    for name, other in beside.items():
        _check_same_neurons(view.inferred, name, other.inferred)
    known = [(INFERRED.name, view.inferred, view.truth)]
    known += [(_name_beside(name), other.inferred, other.truth) for name, other in beside.items()]
    known += [(TRUTH.name, view.truth, view.truth), (GLM.name, view.glm, view.truth)]
    return [_circuit(name, circuit, truth) for name, circuit, truth in known if circuit is not None]


def _name_beside(name: str) -> str:
    """The name of another result, not to be taken for one of the result's own circuits."""
    own = (INFERRED.name, TRUTH.name, GLM.name)
    return f"{name}, another result" if name in own else name


def _n_bytes(circuit: Mapping[str, Any]) -> int:
    return sum(len(circuit[part]) for part in ("weights", "errors"))


def _check_same_neurons(ours: Connectivity, name: str, other: Connectivity) -> None:
    if other.neuron_ids == ours.neuron_ids:
        return
    odd = sorted(set(ours.neuron_ids) ^ set(other.neuron_ids))
    which = f"neuron {odd[0]!r} is in one only" if odd else "their neurons are in another order"
    raise InputError(
        f"{name} cannot be shown beside this result: {which}; choose a result of the same neurons"
    )


def _circuit(name: str, circuit: Connectivity, truth: Connectivity | None) -> dict[str, Any]:
    """Weights row by row, NaN where the data do not inform them; errors where there are any."""
    informed = circuit.informed
    error = circuit.standard_error
    has_errors = error is not None and bool(np.any(error[informed] > 0))
    return {
        "name": name,
        "scaled": "" if truth is None or circuit is truth else " × α",
        "limit": weight_limit(truth or circuit),
        "weights": _packed(np.where(informed, circuit.weights, np.nan)),
        "errors": _packed(error) if error is not None and has_errors else "",
        "error_name": error_name(circuit),
    }


def _correlograms(view: View) -> list[dict[str, Any]]:
    probable = ProbableConnections.of(view.inferred)
    return [_correlogram(pair) for pair in named_correlograms(probable, view.result.correlograms)]


def _correlogram(pair: NamedCorrelogram) -> dict[str, Any]:
    shown = pair.correlogram
    return {
        "name": pair.name,
        "post": pair.post,
        "pre": pair.pre,
        "longest_ms": round(1e3 * float(shown.lags_s[-1]), 3),
        "observed": _packed(shown.observed),
        "without": _packed(shown.null),
        "with": _packed(shown.connected),
    }


def _packed(numbers: Float[np.ndarray, "..."]) -> str:
    """Little-endian 32-bit numbers as text."""
    return b64encode(numbers.astype("<f4").tobytes()).decode()


def _orders(view: View) -> list[tuple[str, Int[np.ndarray, " neuron"]]]:
    """Orders to choose from: as in the figures first."""
    n, inferred = view.inferred.n_neurons, view.inferred
    orders = [(view.order.source, view.order.neurons)]
    if view.order.angle_rad is not None:
        orders.append(("like connections around a circle", circular_order(inferred.weights)))
    if 2 < n <= _MOST_TO_CLUSTER:
        orders.append(("clusters of like connections", _clustered(inferred)))
    return [*orders, ("place in the recording", np.arange(n))]


def _clustered(circuit: Connectivity) -> Int[np.ndarray, " neuron"]:
    """Neurons by hierarchical clustering (Ward) of all their weights, in and out."""
    weights = np.where(circuit.informed, circuit.weights, 0.0)
    described = np.hstack([weights, weights.T])
    return leaves_list(optimal_leaf_ordering(linkage(described, "ward"), described))
