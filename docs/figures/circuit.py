"""The figure of the README: python docs/figures/circuit.py RESULT.

RESULT is a folder that `spikeweft infer` made of a simulated ring, whose truth is known. In the
README it is that of `spikeweft simulate ring ring.npz --seed 100`, inferred with `--seed 100`.
"""

import sys
from pathlib import Path

from spikeweft.reporting.plot_circuits import (
    draw_mean_profile,
    draw_weights,
    label_weights,
    weight_limit,
)
from spikeweft.reporting.plot_style import GLM, INFERRED, TRUTH, as_svg, panels
from spikeweft.reporting.result_view import View
from spikeweft.results.result import read_result

if __name__ == "__main__":
    view = View.of(read_result(sys.argv[1]))
    assert view.truth is not None, "the figure needs a result whose truth is known"
    assert view.glm is not None
    metrics = view.result.metrics
    shown = {
        "truth": (TRUTH, view.truth),
        f"spikeweft, Δ = {metrics['delta']:.3f}": (INFERRED, view.inferred),
        f"Poisson GLM, Δ = {metrics['glm_delta']:.3f}": (GLM, view.glm),
    }
    *matrices, profile = panels([*shown, ""], width_in=13.0, height_in=3.4)
    for (_, circuit), ax in zip(shown.values(), matrices, strict=True):
        draw_weights(circuit, view.order, ax, weight_limit(view.truth))
    for ax in matrices[1:]:
        ax.set_ylabel("")
    for look, circuit in reversed(shown.values()):  # the truth on top
        draw_mean_profile(circuit, look, profile)
    label_weights(profile, "mean weight × α")
    profile.set_xlabel("angular difference (°)")
    profile.set_box_aspect(1)
    Path(__file__).with_suffix(".svg").write_text(as_svg(profile), encoding="utf-8")
