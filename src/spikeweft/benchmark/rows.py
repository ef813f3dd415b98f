"""Rows of a study's table, one per case, and the CSV file they are kept in."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from spikeweft.results import csv_table
from spikeweft.results.csv_table import NAN, as_cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one case gave. NaN, and an empty cell in the file: not defined, or not asked for.

    Attributes
    ----------
    study, table, setting, neuron_model, method, seed, minutes, recurrent_strength, n_observed,
    n_hidden
        The case.
    delta, delta_profile, bias, variance
        Inference error, as in `metrics.InferenceError`, among observed neurons.
    delta_informed, n_pairs_uninformed
        The error over those pairs of which the method itself says that the spikes inform them, and
        how many it leaves out.
    delta_identifiable, n_pairs_identifiable
        The error over the pairs that the spikes can inform, whatever the method, as in
        `data.DataSet`, and how many they are.
    precision_recall_area
        Area under the precision-recall curve of |weight| against connected pairs; of a guess, it is
        their share. NaN where all pairs are connected.
    bits_per_spike, bits_per_spike_pooled
        On the last tenth, mean over neurons and all spikes together; NaN where no spikes are
        predicted.
    oracle_bits_per_spike, oracle_bits_per_spike_pooled, cramer_rao_delta
        Bits of the network's own rates, and the least Δ of free weights, symmetric where the truth
        is; NaN where neurons are hidden or the network is not known.
    structure
        What structure the method chose, where it chooses.
    seconds, peak_memory_mb
        Time of the fit, and memory of its process, imports and data included.
    failed
        Why there is no result; empty where there is one.
    commit
        Git commit of the code; empty where it is not known, as in older tables.
    """

    study: str
    table: str
    setting: str
    neuron_model: str
    method: str
    seed: int
    minutes: float
    recurrent_strength: float
    n_observed: int
    n_hidden: int
    delta: float = NAN
    delta_profile: float = NAN
    bias: float = NAN
    variance: float = NAN
    delta_informed: float = NAN
    n_pairs_uninformed: float = NAN
    delta_identifiable: float = NAN
    n_pairs_identifiable: float = NAN
    precision_recall_area: float = NAN
    bits_per_spike: float = NAN
    bits_per_spike_pooled: float = NAN
    oracle_bits_per_spike: float = NAN
    oracle_bits_per_spike_pooled: float = NAN
    cramer_rao_delta: float = NAN
    structure: str = ""
    seconds: float = NAN
    peak_memory_mb: float = NAN
    failed: str = ""
    spikeweft: str
    python: str
    numpy: str
    torch: str
    numba: str
    machine: str
    date: str
    command: str
    commit: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells one case from another."""
        return tuple(as_cells({name: getattr(self, name) for name in KEY}).values())

    @property
    def fit(self) -> tuple[str, ...]:
        """What tells one fit from another: two tables of a study can show the same one."""
        return self.key[2:]

    @property
    def name(self) -> str:
        """The key as a file name."""
        words = "_".join(word for word in self.key if word)
        return "".join(c if c.isalnum() or c in "._+-" else "-" for c in words)


KEY = tuple(field.name for field in fields(Row))[:10]


def read_rows(path: Path) -> list[Row]:
    """Rows of a study's table; none where there is no file.

    Raises
    ------
    InputError
        Where it is not such a table.
    """
    return csv_table.read_rows(path, Row, may_lack=("commit",))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a table whole or not at all: a run that is killed loses no row."""
    csv_table.write_rows(path, rows, Row)
