"""Do test spikes choose well how many neurons are hidden? python benchmarks/hidden_choice.py.

For every network of `paper/paper.csv` of which a part is observed: the number of hidden neurons
with the most bits per spike of the last tenth, the mean over neurons by which `spikeweft sweep`
prefers it, beside the one with the least error, among all that were fitted and among those of the
paper's grid, up to 20. Nothing is fitted. Where a number of the grid was not fitted, "not all" says
so.
"""

from collections import defaultdict
from pathlib import Path

from spikeweft.benchmark.rows import Row, read_rows

PAPER = Path(__file__).parent / "paper" / "paper.csv"
METHOD = "CircuitGNN+drive"
GRID = {0, 5, 10, 20}


def choices(rows: list[Row]) -> list[dict[str, str]]:
    """A line for each network that was fitted with several numbers of hidden neurons."""
    by_network: dict[tuple[int, int], dict[int, Row]] = defaultdict(dict)
    for row in rows:
        if row.table == "partial" and row.method == METHOD and not row.failed:
            by_network[row.n_observed, row.seed][row.n_hidden] = row
    known = [fits for _, fits in sorted(by_network.items())]
    fewer = [{n: row for n, row in fits.items() if n <= max(GRID)} for fits in known]
    beyond = [some for some, fits in zip(fewer, known, strict=True) if some != fits]
    return [_choice(fits) for fits in (*known, *beyond) if len(fits) > 1]


def _choice(fits: dict[int, Row]) -> dict[str, str]:
    chosen = max(fits.values(), key=lambda row: row.bits_per_spike)
    best = min(fits.values(), key=lambda row: row.delta)
    numbers = ", ".join(map(str, sorted(fits)))
    return {
        "observed": str(chosen.n_observed),
        "seed": str(chosen.seed),
        "fitted with": numbers if set(fits) >= GRID else f"{numbers} (not all)",
        "chosen": str(chosen.n_hidden),
        "Δ of the chosen": f"{chosen.delta:.3f}",
        "least Δ": f"{best.delta:.3f}",
        "above the least": f"{100 * (chosen.delta / best.delta - 1):.0f} %",
    }


if __name__ == "__main__":
    lines = choices(read_rows(PAPER))
    print("| " + " | ".join(lines[0]) + " |")
    print("|" + "---|" * len(lines[0]))
    for line in lines:
        print("| " + " | ".join(line.values()) + " |")
