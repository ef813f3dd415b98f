"""`spikeweft score`: how far an inferred circuit is from the true one."""

from pathlib import Path
from typing import TYPE_CHECKING

from spikeweft.cli.apps import app
from spikeweft.cli.printing import number, print_table

if TYPE_CHECKING:
    from spikeweft.evaluation.circuit_error import InferenceError


@app.command
def score(out_dir: Path, truth: Path, /) -> None:
    """Measure how far an inferred circuit is from the true one.

    Example: `spikeweft score result ring.npz`

    Δ is the distance of the inferred weights from the true ones after bringing them to the same
    scale: 0 is perfect, 1 is no better than no connections. On a ring it splits into bias, the
    error that more data would not remove, and variance. "Δ (profile)" finds the scale from the mean
    profile of weights (Yoon 2025) instead of all weights (Das & Fiete 2020).

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    truth
        .npz with the true `weights[post, pre]`, such as `spikeweft simulate` writes.
    """
    from spikeweft.inference.run import score

    _print_errors(score(out_dir, truth))


def _print_errors(errors: dict[str, "InferenceError"]) -> None:
    parts = {
        "Δ": "delta",
        "  bias": "bias",
        "  variance": "variance",
        "Δ (profile)": "delta_profile",
        "scale α": "scale",
    }
    rows = [
        [label, *(number(getattr(error, part)) for error in errors.values())]
        for label, part in parts.items()
    ]
    print_table(["", *errors], rows)
