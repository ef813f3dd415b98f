"""The figure of the study of sparse circuits: average precision by network and method."""

from collections.abc import Sequence

import numpy as np

from spikeweft.benchmark.figures.method_styles import method_style
from spikeweft.benchmark.sparse_circuits.rows import SparseRow
from spikeweft.reporting.plot_scores import draw_scores
from spikeweft.reporting.plot_style import Axes, panels

_MOST_COLUMNS = 4


def average_precision_panels(rows: Sequence[SparseRow]) -> Axes | None:
    """A panel per network, a bar per method, a dot per fit; None where nothing is connected."""
    scored = [row for row in rows if np.isfinite(row.average_precision)]
    if not scored:
        return None
    networks, methods = (
        list(dict.fromkeys(getattr(row, field) for row in scored))
        for field in ("recorded", "method")
    )
    n_columns = min(len(networks), _MOST_COLUMNS)
    n_rows = -(-len(networks) // n_columns)
    titles = ["\n".join(network.rsplit(", ", 1)) for network in networks]  # minutes below
    axes = panels(
        titles,
        width_in=2.7 * n_columns + 1.4,
        height_in=n_rows * (0.38 * len(methods) + 1.4),
        share_y=True,
        n_columns=n_columns,
    )
    for ax, network in zip(axes, networks, strict=True):
        values = [
            [r.average_precision for r in scored if (r.recorded, r.method) == (network, method)]
            for method in methods
        ]
        draw_scores(values, [method_style(method) for method in methods], "average precision", ax)
        ax.set_xlim(0.0, 1.0)
    return axes[0]
