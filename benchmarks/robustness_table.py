"""Rows of `robustness.csv`, and what they say in a few lines."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikeweft.results import csv_table
from spikeweft.results.csv_table import NAN

NEAR_ORACLE_BITS = 0.003
NEAR_REFERENCE_NATS = 2.0
WORSE_THAN_GLM = 1.1
NEAR_TAU, SPIKES_FOR_TAU = 0.15, 20_000
NEAR_TIME_LEFT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one fit gave. NaN, and an empty cell in the file: not defined, or not asked for.

    Attributes
    ----------
    kind, neuron_model, wiring, n_neurons, seconds, seed
        The recording, its last tenth, which only scores, included. Of odd ones the neurons are all
        alike, and `neuron_model` says in which way they are odd.
    n_spikes
        Spikes that weights were fitted to.
    delta, bias, variance, glm_delta, reference_delta
        Inference error of the fit, of a Poisson GLM and of the reference: the best of random starts
        or, where units are hardly there, a fit without them, whose neurons alone are scored.
    bits_per_spike, glm_bits_per_spike, oracle_bits_per_spike
        Mean over neurons, on the last tenth.
    structure
        What kind of model was returned.
    tau_s, latency_s, synaptic_kernel, link_power, link_bend
        What was found, beside the true ones. LNP neurons have a rectified linear link; threshold
        neurons have none of this family.
    free_nats, returned_nats, reference_nats
        Log-likelihood of the training spikes under the free weights, under what was returned and
        under the reference.
    reference_gain, reference_evidence_gain
        By how much the spikes are likelier under the reference than under the free weights, and
        its evidence higher, in nats per 1,000 spikes.
    reference_tau_s, reference_link_power, reference_link_bend
        What the reference found.
    weight_rms, largest_weight
        Root mean square of the returned weights, and the largest in standard errors.
    processor_seconds, wall_seconds, reference_processor_seconds, peak_memory_mb
        Costs of the fit and of the reference; memory with imports and data, of the fit.
    time_left_factor
        By what factor, at worst, the time left was announced too long or too short, from the fifth
        step on and as long as a tenth of the whole was left.
    failed
        Why there is no result; empty where there is one.
    """

    kind: str
    neuron_model: str
    wiring: str
    n_neurons: int
    seconds: float
    seed: int
    n_spikes: float = NAN
    delta: float = NAN
    bias: float = NAN
    variance: float = NAN
    glm_delta: float = NAN
    reference_delta: float = NAN
    bits_per_spike: float = NAN
    glm_bits_per_spike: float = NAN
    oracle_bits_per_spike: float = NAN
    structure: str = ""
    tau_s: float = NAN
    true_tau_s: float = NAN
    reference_tau_s: float = NAN
    latency_s: float = NAN
    true_latency_s: float = NAN
    synaptic_kernel: str = ""
    link_power: float = NAN
    true_link_power: float = NAN
    reference_link_power: float = NAN
    link_bend: float = NAN
    true_link_bend: float = NAN
    reference_link_bend: float = NAN
    free_nats: float = NAN
    returned_nats: float = NAN
    reference_nats: float = NAN
    reference_gain: float = NAN
    reference_evidence_gain: float = NAN
    weight_rms: float = NAN
    largest_weight: float = NAN
    processor_seconds: float = NAN
    wall_seconds: float = NAN
    reference_processor_seconds: float = NAN
    peak_memory_mb: float = NAN
    time_left_factor: float = NAN
    failed: str = ""
    spikeweft: str
    python: str
    numpy: str
    scipy: str
    torch: str
    numba: str
    machine: str
    date: str
    command: str
    commit: str

    @property
    def key(self) -> tuple[str, str, int, float, int]:
        """What tells one recording from another."""
        return self.kind, self.neuron_model, self.n_neurons, self.seconds, self.seed

    @property
    def name(self) -> str:
        """The recording in words."""
        size = f"{self.n_neurons} neurons, {self.seconds:g} s, seed {self.seed}"
        return f"{self.kind}, {self.neuron_model}, {size}"

    @property
    def tau_error(self) -> float:
        """Relative error of the time constant."""
        return abs(self.tau_s / self.true_tau_s - 1.0)


def read_rows(path: Path) -> list[Row]:
    """Rows of the table; none where there is no file."""
    return csv_table.read_rows(path, Row)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the table whole or not at all."""
    csv_table.write_rows(path, rows, Row)


def summary(rows: Sequence[Row]) -> str:
    """What the table says, line by line."""
    fitted = [row for row in rows if not row.failed]
    groups = dict.fromkeys((row.kind, row.neuron_model) for row in fitted)
    lines = [
        _of_group([row for row in fitted if (row.kind, row.neuron_model) == g]) for g in groups
    ]
    lines += _beside_others([row for row in rows if row.kind == "small"])
    lines += _hardly_there([row for row in fitted if row.kind in ("silent", "late")])
    lines += _time_constant(fitted)
    lines += _without_coupling([row for row in fitted if row.kind == "uncoupled"])
    lines += _time_left([row for row in fitted if np.isfinite(row.time_left_factor)])
    lines += [f"failed: {row.name}: {row.failed}" for row in rows if row.failed]
    return "\n".join(lines)


def _of_group(rows: Sequence[Row]) -> str:
    cpu = [row.processor_seconds for row in rows]
    parts = [f"{rows[0].kind}, {rows[0].neuron_model}: {len(rows)} fits"]
    with_truth = [row for row in rows if np.isfinite(row.delta)]
    if with_truth:
        mean, worst = np.mean([row.delta for row in with_truth]), _largest(with_truth, _delta)
        parts.append(f"Δ {mean:.4f} on average, {worst.delta:.4f} at worst (seed {worst.seed})")
    near = [
        row.bits_per_spike >= row.oracle_bits_per_spike - NEAR_ORACLE_BITS
        for row in rows
        if np.isfinite(row.oracle_bits_per_spike)
    ]
    if near:
        parts.append(f"bits within {NEAR_ORACLE_BITS} of the oracle in {np.mean(near):.0%}")
    parts.append(f"CPU {np.mean(cpu):.1f} s on average, {max(cpu):.1f} s at most")
    return "; ".join(parts)


def _beside_others(small: Sequence[Row]) -> list[str]:
    if not small:
        return []
    behind = [row for row in small if not row.reference_gain <= NEAR_REFERENCE_NATS]
    worse = [row for row in small if row.delta > WORSE_THAN_GLM * row.glm_delta]
    return [
        f"small: {len(small) - len(behind)} of {len(small)} within {NEAR_REFERENCE_NATS:g} nats "
        "per 1,000 spikes of the reference",
        *(f"  {row.failed or f'behind by {row.reference_gain:.2f}'}: {row.name}" for row in behind),
        f"small: {len(worse)} of {len(small)} with Δ above {WORSE_THAN_GLM} times that of the GLM",
        *(f"  Δ {row.delta:.4f}, GLM {row.glm_delta:.4f}: {row.name}" for row in worse),
    ]


def _hardly_there(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    worst = _largest(rows, lambda row: row.delta - row.reference_delta)
    return [
        f"units that are hardly there: {len(rows)} fits; Δ of the others at most "
        f"{worst.delta - worst.reference_delta:.4f} above that without them ({worst.name})"
    ]


def _time_constant(rows: Sequence[Row]) -> list[str]:
    known = [r for r in rows if np.isfinite(r.tau_error) and r.n_spikes >= SPIKES_FOR_TAU]
    if not known:
        return []
    worst = _largest(known, lambda row: row.tau_error)
    far = [row for row in known if not row.tau_error <= NEAR_TAU]
    return [
        f"time constant, {len(known)} fits to at least {SPIKES_FOR_TAU:,} spikes: off by at most "
        f"{worst.tau_error:.1%} ({worst.name})",
        *(f"  off by {row.tau_error:.0%}, {row.structure}: {row.name}" for row in far),
    ]


def _without_coupling(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    kinds = Counter(row.structure for row in rows)
    widest = _largest(rows, lambda row: row.weight_rms)
    return [
        "uncoupled: " + ", ".join(f"{kind}: {n}" for kind, n in kinds.most_common()),
        f"uncoupled: weights of {widest.weight_rms:.4f} rms at most (seed {widest.seed})",
    ]


def _time_left(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    near = [row for row in rows if row.time_left_factor <= NEAR_TIME_LEFT]
    worst = _largest(rows, lambda row: row.time_left_factor)
    return [
        f"time left: {len(near)} of {len(rows)} fits within a factor of {NEAR_TIME_LEFT:g} from "
        f"the fifth step on, {worst.time_left_factor:.1f} at worst ({worst.name})"
    ]


def _delta(row: Row) -> float:
    return row.delta


def _largest(rows: Sequence[Row], value: Callable[[Row], float]) -> Row:
    return max(rows, key=value)
