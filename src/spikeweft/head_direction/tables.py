"""The tables of a study, as CSV files with their provenance."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from spikeweft.head_direction.angular_profile import known_as, profile, usable_pairs
from spikeweft.head_direction.evidence import OURS, Judged, Repeat, direction_error_contrasts
from spikeweft.head_direction.study import Findings
from spikeweft.results.csv_table import as_cells, write_cells
from spikeweft.runtime.provenance import machine

Row = Mapping[str, str | int | float | bool]


def write_tables(
    findings: Findings, circuits: Sequence[Judged], agreements: Sequence[Repeat]
) -> None:
    """Write all tables into the study's folder, each whole or not at all."""
    made = {
        "cells": list(cell_rows(findings)),
        "artefacts": list(artefact_rows(findings)),
        "bits_per_spike": list(bits_rows(findings)),
        "evidence": [evidence_row(row) for row in circuits],
        "profiles": [row for circuit in circuits for row in profile_rows(circuit, findings)],
        "weights": [row for circuit in circuits for row in weight_rows(circuit, findings)],
        "direction_error": [row._asdict() for row in direction_error_contrasts(findings, circuits)],
        "repeats": [row._asdict() for row in agreements],
    }
    provenance = {
        "spikeweft": version("spikeweft"),
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": findings.study.command,
    }
    for name, rows in made.items():
        if rows:
            cells = [as_cells({**row, **provenance}) for row in rows]
            write_cells(findings.study.folder / f"{name}.csv", cells)


def cell_rows(findings: Findings) -> Iterator[Row]:
    """Tuning of every neuron of the recording, and its slot where it is a head-direction cell."""
    prepared = findings.prepared
    cells, slot = prepared.cells, dict(zip(prepared.chosen, prepared.slots, strict=True))
    for i, name in enumerate(prepared.whole.neuron_ids):
        yield {
            "neuron": name,
            "head_direction_cell": bool(cells.is_cell[i]),
            "vector_length": float(cells.vector_length[i]),
            "threshold": float(cells.threshold[i]),
            "preferred_deg": float(np.rad2deg(cells.preferred_rad[i])),
            "slot": int(slot[i]) if i in slot else "",
            "rate_hz": float(prepared.whole.rate_hz[i]),
            "peak_hz": float(np.nanmax(cells.curves.rate_hz[:, i])),
        }


def artefact_rows(findings: Findings) -> Iterator[Row]:
    """Pairs of neurons with a sorting artefact."""
    names = findings.prepared.recording.neuron_ids
    for artefact in findings.prepared.artefacts:
        first, second = artefact.neurons
        yield {
            "neuron": names[first],
            "other": names[second],
            "n_within": artefact.n_within,
            "n_expected": artefact.n_expected,
            "p_value": artefact.p_value,
        }


def bits_rows(findings: Findings) -> Iterator[Row]:
    """Bits per spike of every model, neuron by neuron, then their mean."""
    for name, bits in bits_by_model(findings).items():
        for neuron, value in zip(findings.prepared.recording.neuron_ids, bits, strict=True):
            yield {"model": name, "neuron": neuron, "bits_per_spike": float(value)}
        yield {"model": name, "neuron": "mean", "bits_per_spike": float(np.nanmean(bits))}


def bits_by_model(findings: Findings) -> dict[str, np.ndarray]:
    """Bits per spike of the regressions, then of CircuitGNN."""
    ours = {
        f"{OURS}, {n} hidden{', direction known' if direction_known else ''}": fit.bits
        for (n, direction_known), fit in findings.fits.items()
    }
    return {**findings.regressions, **ours}


def evidence_row(row: Judged) -> Row:
    """A circuit's contrast and its controls."""
    found = row.evidence
    alone = [control.value for control in found.tuning_alone]
    return {
        "model": row.model,
        "n_hidden": row.n_hidden,
        "direction_known": row.direction_known,
        "local": found.observed.local,
        "surround": found.observed.surround,
        "contrast": found.observed.value,
        "contrast_tuning_alone": found.of_tuning_alone,
        "sd_tuning_alone": float(np.std(alone)),
        "n_tuning_alone": len(alone),
        "sd_permuted": float(np.std([control.value for control in found.permuted])),
        "net_contrast": found.net,
        "p_tuning_alone": found.p_tuning,
        "p_permuted": found.p_permuted,
        "p_local": found.p_local,
        "p_surround": found.p_surround,
        "holds": found.holds,
    }


def profile_rows(row: Judged, findings: Findings) -> Iterator[Row]:
    """Mean weight by angular difference, beside the range that tuning alone produces."""
    sound = findings.prepared.sound
    seen = profile(row.circuit, sound)
    alone = [profile(known_as(control, row.circuit), sound).mean for control in row.uncoupled]
    for k, centre in enumerate(seen.centre_rad):
        of_bin = [mean[k] for mean in alone]
        yield {
            "model": row.model,
            "n_hidden": row.n_hidden,
            "direction_known": row.direction_known,
            "difference_deg": round(float(np.rad2deg(centre)), 6),
            "n_pairs": int(seen.n_pairs[k]),
            "mean_weight": float(seen.mean[k]),
            "tuning_alone_mean": float(np.mean(of_bin)),
            "tuning_alone_least": float(min(of_bin)),
            "tuning_alone_most": float(max(of_bin)),
        }


def weight_rows(row: Judged, findings: Findings) -> Iterator[Row]:
    """Every weight, and whether it is part of the profile."""
    used = usable_pairs(row.circuit, findings.prepared.sound)
    names, error = row.circuit.neuron_ids, row.circuit.standard_error
    known = np.full(used.shape, np.nan) if error is None else error
    error = np.where(np.isfinite(known), known, np.nan)
    for post, pre in np.argwhere(row.circuit.off_diagonal):
        yield {
            "model": row.model,
            "n_hidden": row.n_hidden,
            "direction_known": row.direction_known,
            "post": names[post],
            "pre": names[pre],
            "weight": float(row.circuit.weights[post, pre]),
            "standard_error": float(error[post, pre]),
            "in_profile": bool(used[post, pre]),
        }
