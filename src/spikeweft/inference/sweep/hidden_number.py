"""How many hidden neurons: what test spikes say, and how stable the weights are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_agreement import agreement
from spikeweft.inference.sweep.table import Row
from spikeweft.results.result import Result, read_result


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenPoint:
    """Fits of one recording with one number of hidden neurons.

    Attributes
    ----------
    n_hidden
        Hidden neurons of the model.
    bits_per_spike
        Of test spikes, which are not fitted, mean over neurons and fits.
    below_best, below_best_error
        How far that is below the best number's, neuron by neuron, and the standard error of this
        mean over neurons.
    agreement
        Correlation of the weights with those of the next fewer hidden neurons, over pairs that
        both call informed, mean over seeds; NaN for the fewest.
    agreement_of_seeds
        The same between seeds; NaN where there is one.
    """

    n_hidden: int
    bits_per_spike: float
    below_best: float
    below_best_error: float
    agreement: float
    agreement_of_seeds: float


def hidden_curves(rows: Iterable[Row], fits: Path) -> dict[str, list[HiddenPoint]]:
    """The points of every recording that was fitted with several numbers of hidden neurons.

    Parameters
    ----------
    rows
        Rows of a sweep's table; bootstraps and fits that failed are left out.
    fits
        Folder of the fits.
    """
    by_data: dict[tuple[str | float | None, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if not row.failed and row.bootstrap is None:
            by_data[_identity(row), row.epochs, row.minutes].append(row)
    compared = [same for same in by_data.values() if len({row.n_hidden for row in same}) > 1]
    column = _telling_apart([same[0] for same in compared])
    return {_name(same[0], column): _curve(same, fits) for same in compared}


def _identity(row: Row) -> str | None:
    """What is the same for fits of one recording: its content, wherever it was; else its path."""
    return row.sha256 or row.recording_path


def _telling_apart(rows: Sequence[Row]) -> str:
    """The column by which recordings are named: another where some have the same name."""
    n_recordings = len({_identity(row) for row in rows})
    for column in ("recording", "recording_path"):
        if len({getattr(row, column) for row in rows}) >= n_recordings:
            return column
    return "sha256"


def _name(row: Row, column: str) -> str:
    """A recording and what of it was fitted."""
    minutes = None if row.minutes is None else f"{row.minutes:g} min"
    parts = (getattr(row, column), row.epochs, minutes)
    return ", ".join(part for part in parts if part)


def preferred(curve: Sequence[HiddenPoint]) -> HiddenPoint:
    """The number of hidden neurons with which test spikes are predicted best.

    The smaller number on a tie. In simulated networks of which a part is observed, it also had the
    least error, as long as the number of missing neurons was among those tried; with fewer,
    prediction keeps improving where the error does not (`benchmarks/hidden_choice.py`). The truth
    has no part in the choice.
    """
    return max(curve, key=lambda point: point.bits_per_spike)


def still_rises(curve: Sequence[HiddenPoint]) -> bool:
    """Whether the largest number that was tried is preferred, so that more may be better."""
    return preferred(curve).n_hidden == max(point.n_hidden for point in curve)


def _curve(rows: Sequence[Row], fits: Path) -> list[HiddenPoint]:
    results: dict[int, dict[int | None, Result]] = defaultdict(dict)
    for row in rows:
        results[row.n_hidden or 0][row.seed] = read_result(fits / row.fit)
    numbers = sorted(results)
    bits = _bits_of_scored(results)
    best = max(numbers, key=lambda n: bits[n].mean())
    made = []
    for i, n in enumerate(numbers):
        below = bits[best] - bits[n]
        circuits = {seed: result.connectivity for seed, result in results[n].items()}
        fewer = results[numbers[i - 1]] if i else {}
        pairs = [(c, fewer[seed].connectivity) for seed, c in circuits.items() if seed in fewer]
        made.append(
            HiddenPoint(
                n_hidden=n,
                bits_per_spike=float(bits[n].mean()),
                below_best=float(below.mean()),
                below_best_error=float(below.std(ddof=1) / np.sqrt(len(below))),
                agreement=_mean_agreement(pairs),
                agreement_of_seeds=_mean_agreement(list(combinations(circuits.values(), 2))),
            )
        )
    return made


def _bits_of_scored(
    results: Mapping[int, Mapping[int | None, Result]],
) -> dict[int, Float[np.ndarray, " neuron"]]:
    """Means over fits, of the neurons that have a score in all of them: they fired."""
    bits = {
        n: np.mean([_bits(result) for result in fits.values()], axis=0)
        for n, fits in results.items()
    }
    scored = np.all([np.isfinite(values) for values in bits.values()], axis=0)
    return {n: values[scored] for n, values in bits.items()}


def _bits(result: Result) -> Float[np.ndarray, " neuron"]:
    return np.array(result.metrics["bits_per_spike_per_neuron"], dtype=float)


def _mean_agreement(pairs: Sequence[tuple[Connectivity, Connectivity]]) -> float:
    return float(np.mean([agreement(a, b) for a, b in pairs])) if pairs else np.nan
