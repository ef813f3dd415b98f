"""False alarms and detections of head-direction profiles: python benchmarks/heading_controls.py.

Kinds of recordings, each of 19 head-direction cells and ten minutes, seed by seed:

- `unconnected`: cells that a common direction drives and nothing else. Evidence is a false alarm.
- `ring`: 19 of the 100 neurons of a ring with one bump (the second profile), whose wiring is
  known. The direction is where the bump is, read from all 100 neurons, with an error of 10° rms as
  an animal's head would have: were it known exactly, nothing of the coupling would be left to see.
- `direction_error`: cells without connections that follow a direction 10° rms off the recorded
  one. The rule cannot tell such an input from coupling; the rows say how large it looks.
These are inferred with the quick regression, the direction among its causes. The same cells are
inferred with CircuitGNN, the direction among its causes, in `unconnected_circuit_gnn` and
`ring_circuit_gnn`. In `ring_blind` it is not told the direction, which only its control knows, and
in `ring_blind_exact` this direction has no error: what the neighbours tell is what the direction
tells, and nothing is left of the coupling. Both have two draws, too few for a p value.

The rule: the contrast must exceed those of 19 draws from tuning alone and of shuffled directions.
Where a fit knows no weight, it has nothing to exceed with, and none is drawn. `knows` is the share
of pairs whose weight is known. A row that the table has is not made again.
"""

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.head_direction.angular_profile import contrast, known_as, profile
from spikeweft.head_direction.controls import coupling, evidence, leave_neurons_out, tuning_alone
from spikeweft.head_direction.tuning.curves import tuning_curves
from spikeweft.head_direction.tuning.surrogates import wandering
from spikeweft.results.csv_table import as_cells, read_cells, write_cells
from spikeweft.runtime.provenance import machine
from spikeweft.simulation.head_direction_cells import unconnected_population
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.partial_observation import observe
from spikeweft.simulation.ring_networks import profile_ii_lnp_ring

SEEDS = range(100, 120)
N_CELLS = 19
DURATION_S = 600.0
BUMP_S = 0.05
ERROR_DEG = 10.0
MEET_DEG = 80.0
"""Neurons of the ring that are further apart never fire together, whatever their weight."""
TABLE = Path(__file__).with_suffix(".csv")

Row = dict[str, str | int | float | bool]


def unconnected(rng: np.random.Generator) -> tuple[Recording, Connectivity | None]:
    """Cells without connections."""
    return unconnected_population(N_CELLS, DURATION_S, rng), None


def misread_ring(rng: np.random.Generator) -> tuple[Recording, Connectivity | None]:
    """Some cells of a ring whose wiring is known, and its direction with an error."""
    recording, truth = ring(rng)
    direction = wandering(recording.covariates["direction"], np.deg2rad(ERROR_DEG), rng)
    return replace(recording, covariates={"direction": direction}), truth


def ring(rng: np.random.Generator) -> tuple[Recording, Connectivity | None]:
    """Some cells of a ring whose wiring is known."""
    network = profile_ii_lnp_ring()
    whole = simulate(network, DURATION_S, rng)
    seen = observe(whole, network.connectivity, N_CELLS, rng)
    return replace(seen.recording, covariates={"direction": bump(whole)}), seen.connectivity


def direction_error(rng: np.random.Generator) -> tuple[Recording, Connectivity | None]:
    """Cells without connections, and a direction that is not quite the one they follow."""
    recording, _ = unconnected(rng)
    direction = wandering(recording.covariates["direction"], np.deg2rad(ERROR_DEG), rng)
    return replace(recording, covariates={"direction": direction}), None


def bump(whole: Recording) -> Covariate:
    """Where the bump of activity is: the mean direction of all spikes around each moment."""
    step_s = BUMP_S / 5
    counts = whole.counts(step_s).counts
    assert whole.preferred_angle_rad is not None
    vector = counts @ np.exp(1j * whole.preferred_angle_rad)
    near = np.convolve(vector, np.ones(5), mode="same")
    times_s = (np.arange(len(near)) + 0.5) * step_s
    return Covariate(times_s=times_s, values=np.mod(np.angle(near), 2 * np.pi), is_angle=True)


def by_regression(spikes: Recording) -> Connectivity:
    """The quick regression, with the direction among its causes."""
    return coupling(spikes, "direction")


def by_circuit_gnn(spikes: Recording) -> Connectivity:
    """CircuitGNN, with the direction among its causes."""
    return CircuitGNN(covariates=("direction",)).fit(spikes).connectivity_


def by_blind_circuit_gnn(spikes: Recording) -> Connectivity:
    """CircuitGNN, which is not told the direction."""
    return CircuitGNN().fit(spikes).connectivity_


KINDS: dict[str, tuple[Callable, Callable, int]] = {
    "unconnected": (unconnected, by_regression, 19),
    "ring": (misread_ring, by_regression, 19),
    "direction_error": (direction_error, by_regression, 19),
    "unconnected_circuit_gnn": (unconnected, by_circuit_gnn, 19),
    "ring_circuit_gnn": (misread_ring, by_circuit_gnn, 19),
    "ring_blind": (misread_ring, by_blind_circuit_gnn, 2),
    "ring_blind_exact": (ring, by_blind_circuit_gnn, 2),
}
"""How recordings of each kind are made and inferred, and how often spikes are drawn anew."""


def judge(kind: str, seed: int) -> Row:
    """One recording, inferred and judged."""
    make, infer, n_drawn = KINDS[kind]
    rng = np.random.default_rng(seed)
    recording, truth = make(rng)
    preferred = tuning_curves(recording, "direction").preferred_rad
    recording = replace(recording, preferred_angle_rad=preferred)

    circuit = infer(recording)
    knows = bool(np.isfinite(contrast(circuit).value))
    drawn = tuning_alone(recording, "direction", infer, rng, n_drawn) if knows else []
    found = evidence(circuit, drawn, None, rng)
    alone = [control.value for control in found.tuning_alone] or [float("nan")]
    return {
        "kind": kind,
        "seed": seed,
        "knows": float(circuit.informed.sum() / circuit.off_diagonal.sum()),
        "contrast": found.observed.value,
        "tuning_alone": float(np.mean(alone)),
        "tuning_alone_sd": float(np.std(alone)),
        "p_tuning_alone": found.p_tuning,
        "p_permuted": found.p_permuted,
        "holds": found.holds,
        "left_out_correlation": leave_neurons_out(circuit).correlation if knows else float("nan"),
        "profile_correlation_with_truth": against(circuit, drawn, truth),
        "spikeweft": version("spikeweft"),
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": shlex.join(["python", "benchmarks/heading_controls.py", kind, str(seed)]),
    }


def against(circuit: Connectivity, drawn: list[Connectivity], truth: Connectivity | None) -> float:
    """Correlation of the mean profile, less that of tuning alone, with the true one.

    Over pairs that meet: nothing is known of the others.
    """
    if truth is None:
        return float("nan")
    alone = np.mean([profile(known_as(control, circuit)).mean for control in drawn], axis=0)
    net = profile(circuit).mean - alone
    true = profile(replace(truth, angle_rad=circuit.angle_rad)).mean
    apart_deg = np.rad2deg(np.abs(profile(circuit).centre_rad))
    seen = np.isfinite(net) & np.isfinite(true) & (apart_deg < MEET_DEG)
    return float(np.corrcoef(net[seen], true[seen])[0, 1])


def main(words: list[str]) -> None:
    """Make the rows asked for, or all."""
    kinds = words[:1] or list(KINDS)
    seeds = [int(word) for word in words[1:]] or SEEDS
    rows: list[Row] = [dict(row) for row in read_cells(TABLE)] if TABLE.exists() else []
    done = {(row["kind"], int(row["seed"])) for row in rows}
    for kind, seed in [(k, s) for k in kinds for s in seeds if (k, s) not in done]:
        rows.append(judge(kind, seed))
        print({key: value for key, value in rows[-1].items() if key != "command"}, flush=True)
        in_order = sorted(rows, key=lambda row: (str(row["kind"]), int(row["seed"])))
        write_cells(TABLE, [as_cells(row) for row in in_order])


if __name__ == "__main__":
    main(sys.argv[1:])
