"""Inference on ring attractors of known wiring: one row per network and seed, into rings.csv.

    python benchmarks/rings.py [--seeds 100 101 102] [--minutes 8]

Each row is one `spikeweft infer` in a process of its own, so that its time and peak memory are
those a user sees. Development used seeds 0 to 9; the seeds reported are 100 and up. Rows that
rings.csv has already are not made again.
"""

import argparse
import csv
import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from spikeweft.io import load
from spikeweft.limits import cramer_rao_delta
from spikeweft.simulate.stored import network_from_metadata

TABLE = Path(__file__).with_suffix(".csv")
METRICS = (
    "delta",
    "delta_bias",
    "delta_variance",
    "delta_profile",
    "glm_delta",
    "bits_per_spike",
    "oracle_bits_per_spike",
    "glm_bits_per_spike",
    "bits_per_spike_pooled",
    "oracle_bits_per_spike_pooled",
    "glm_bits_per_spike_pooled",
    "seconds",
    "peak_memory_mb",
)


def spikeweft(*words: str) -> None:
    """Run the command line in a process of its own."""
    subprocess.run([sys.executable, "-m", "spikeweft.cli", *words], check=True)


def row(neuron_model: str, seed: int, minutes: float, folder: Path) -> dict[str, object]:
    """Simulate one ring, infer it, and take its scores."""
    spikes, result = folder / "ring.npz", folder / "result"
    model = ("--neuron-model", neuron_model, "--minutes", str(minutes), "--seed", str(seed))
    spikeweft("simulate", "ring", str(spikes), *model)
    spikeweft("infer", str(spikes), str(result), "--seed", str(seed))
    metrics = json.loads((result / "metrics.json").read_text())
    loaded = load(spikes)
    assert loaded.truth is not None
    network = network_from_metadata(loaded.truth.metadata)
    return {
        "neuron_model": neuron_model,
        "minutes": minutes,
        "seed": seed,
        **{name: metrics[name] for name in METRICS},
        "cramer_rao_delta": cramer_rao_delta(network, loaded.recording),
        "version": version("spikeweft"),
        "torch": version("torch"),
        "machine": f"{platform.machine()}, {platform.processor() or platform.system()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command(seed, minutes),
    }


def command(seed: int, minutes: float) -> str:
    """The command that makes a row again."""
    return f"python benchmarks/rings.py --seeds {seed} --minutes {minutes:g}"


def done(table: Path) -> list[dict[str, str]]:
    """Rows that exist."""
    return list(csv.DictReader(table.read_text().splitlines())) if table.exists() else []


def main() -> None:
    """Make the rows that are missing, writing each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--table", type=Path, default=TABLE)
    chosen = parser.parse_args()
    have = {(r["neuron_model"], float(r["minutes"]), int(r["seed"])) for r in done(chosen.table)}
    for seed in chosen.seeds:
        for neuron_model in ("threshold", "lnp"):
            if (neuron_model, chosen.minutes, seed) in have:
                continue
            with tempfile.TemporaryDirectory() as folder:
                made = row(neuron_model, seed, chosen.minutes, Path(folder))
            rows = [*done(chosen.table), made]
            with chosen.table.open("w", newline="") as file:
                writer = csv.DictWriter(file, made, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
