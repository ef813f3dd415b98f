"""The figures of the report: each a picture, what it shows in words, and what to look for."""

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.file_contents.sentences import counted
from spikeweft.reporting.page import Figure
from spikeweft.reporting.plot_circuits import (
    ColourLimit,
    colour_limit,
    draw_colour_scale,
    draw_mean_profile,
    draw_profile,
    draw_weight_significance,
    draw_weights,
    draw_weights_with_errors,
    error_name,
    is_of_network,
    label_weights,
    n_with_errors,
    share_beyond,
)
from spikeweft.reporting.plot_scores import draw_bits_per_spike
from spikeweft.reporting.plot_spikes import draw_direction, draw_held_out, draw_loss, draw_raster
from spikeweft.reporting.plot_style import (
    FEW_NEURONS,
    FULL_WIDTH_IN,
    GLM,
    INFERRED,
    TRUTH,
    Style,
    panels,
)
from spikeweft.reporting.result_view import View


def figures(view: View) -> list[Figure]:
    """All figures that the result has data for, in reading order."""
    made = (raster(view), matrices(view), profile(view), bits(view), errors(view), training(view))
    return [figure for figure in made if figure is not None]


def raster(view: View) -> Figure:
    """A few seconds of spikes, with the animal's direction where it was recorded."""
    sample, order = view.result.sample, view.order
    row_in = 0.16 if sample.n_neurons <= FEW_NEURONS else 0.034
    height_in = float(np.clip(0.7 + sample.n_neurons * row_in, 2.4, 5.2))
    (ax,) = panels([""], width_in=FULL_WIDTH_IN, height_in=height_in)
    draw_raster(sample, order, ax)
    caption = (
        f"{sample.duration_s:.3g} s of the recording: one row per neuron, one tick per spike, rows "
        f"sorted by {order.source}. Look for bands of neurons that fire together, and for rows "
        "that are empty or copies of each other."
    )
    if view.direction is not None:
        draw_direction(view.direction, sample, order, ax)
        caption += " The orange line is the recorded direction; spikes should gather around it."
    return Figure(
        ax=ax,
        anchor="spikes",
        title="The spikes",
        alt=f"Spike raster of {sample.n_neurons} neurons over {sample.duration_s:.3g} seconds.",
        caption=caption,
    )


def matrices(view: View) -> Figure:
    """Weight matrices side by side: the truth and the GLM beside the inferred one, where known."""
    shown = _circuits(view)
    width_in, height_in = {1: (5.6, 4.6), 2: (9.4, 4.4), 3: (FULL_WIDTH_IN, 3.7)}[len(shown)]
    axes = panels([style.name for style, _ in shown], width_in=width_in, height_in=height_in)
    limits = [colour_limit(view.truth or circuit) for _, circuit in shown]
    for (_, circuit), limit, ax in zip(shown, limits, axes, strict=True):
        draw_weights(circuit, view.order, ax, limit.weight)
        if view.truth is None:
            draw_colour_scale([ax])
    for ax in axes[1:]:
        ax.set_ylabel("")
    if view.truth is not None:
        draw_colour_scale(axes)
    names = ", ".join(style.name for style, _ in shown)
    return Figure(
        ax=axes[0],
        anchor="circuit",
        title="The circuit",
        alt=f"Weight matrices, row receives and column sends: {names}.",
        caption=_matrices_caption(view, limits),
    )


def _circuits(view: View) -> list[tuple[Style, Connectivity]]:
    circuits = ((TRUTH, view.truth), (INFERRED, view.inferred), (GLM, view.glm))
    return [(style, circuit) for style, circuit in circuits if circuit is not None]


def _matrices_caption(view: View, limits: list[ColourLimit]) -> str:
    text = (
        "Row receives, column sends. Red excites, blue inhibits, white is no effect; grey is not "
        f"scored{_uninformed(view)}. Neurons are sorted by {view.order.source}. "
    )
    saturate = " and ".join(dict.fromkeys(limit.in_words for limit in limits))
    if view.truth is None:
        return text + (
            f"Weights are in the model's own unit; colours saturate {saturate}."
            if view.glm is None
            else "Each matrix is in its own unit, so compare patterns, not shades; colours "
            f"saturate {saturate}. Look for structure that only one of them has."
        )
    return (
        f"{text}Weights are known up to one factor, so the inferred ones are multiplied by the α "
        f"that brings them closest to the truth: {_scales(view)}. All share the colours of the "
        f"truth, which saturate {saturate}. Look for bands away from the diagonal that the truth "
        "does not have: connections reported between neurons that are merely active together."
    )


def _scales(view: View) -> str:
    ours = f"{_scale(view.inferred, view.scale)} for {INFERRED.name}"
    return ours if view.glm is None else f"{ours}, {_scale(view.glm, view.glm_scale)} for the GLM"


def _scale(circuit: Connectivity, scale: float) -> str:
    return f"{scale:.3g}" if circuit.weights[circuit.off_diagonal].any() else "none"


def profile(view: View) -> Figure | None:
    """Weight against angular difference, for the inferred circuit and for the GLM's."""
    if view.order.angle_rad is None:
        return None
    shown = [(style, circuit) for style, circuit in _circuits(view) if style is not TRUTH]
    axes = panels(
        [style.name for style, _ in shown],
        width_in=FULL_WIDTH_IN if len(shown) > 1 else 6.6,
        height_in=3.5,
        share_y=view.truth is not None,
    )
    for (style, circuit), ax in zip(shown, axes, strict=True):
        draw_profile(circuit, style, ax)
        if view.truth is not None:
            draw_mean_profile(view.truth, TRUTH, ax)
    for ax in axes if view.truth is None else axes[:1]:
        label_weights(ax, view.weight_name)
    names = " and ".join(style.name for style, _ in shown)
    return Figure(
        ax=axes[0],
        anchor="profile",
        title="Weight against preferred direction",
        alt=f"Weights against the difference of sender's and receiver's direction: {names}.",
        caption=_profile_caption(view),
    )


def _profile_caption(view: View) -> str:
    text = (
        "Each point is a pair of neurons; the line is the mean weight at that difference and the "
        "band ± 1 standard deviation. "
    )
    if view.truth is None:
        return (
            f"{text}Each panel has its own unit. Look for excitation between neurons of like "
            "direction and inhibition further away, and for dips and humps that repeat: in a "
            "network whose activity is periodic these are often artefacts."
        )
    return (
        f"{text}The dashed line is the truth, unscaled; the estimates are multiplied by their α "
        f"({_scales(view)}). Look for side troughs: dips that the truth does not have, at the "
        "distance between two bumps of activity."
    )


def bits(view: View) -> Figure | None:
    """Bits per spike of each neuron, ours beside the GLM's and the oracle's mean."""
    ours = view.per_neuron("bits_per_spike_per_neuron")
    if ours is None or not np.isfinite(ours).any():
        return None
    glm = view.per_neuron("glm_bits_per_spike_per_neuron")
    oracle = view.number("oracle_bits_per_spike")
    (ax,) = panels([""], width_in=FULL_WIDTH_IN, height_in=3.0)
    draw_bits_per_spike(ours, glm, oracle, view.order, view.inferred.neuron_ids, ax)
    text = "How well each neuron's test spikes are predicted from the others' and its own past."
    scored_on, null = view.statement("scored_on"), view.statement("null")
    if scored_on is not None and null is not None:
        text += f" Scored on: {scored_on}. The zero line: {null}."
    if glm is not None:
        better = np.sum(ours > glm)
        scored = np.sum(np.isfinite(ours) & np.isfinite(glm))
        text += f" spikeweft is above the GLM for {better} of {scored} neurons."
    if oracle is not None:
        text += " No honest model lies above the oracle on average; single neurons may, by chance."
    return Figure(
        ax=ax,
        anchor="bits",
        title="Bits per spike of each neuron",
        alt="Held-out bits per spike of each neuron.",
        caption=text + " Look for neurons near 0: little can be said about what drives them.",
    )


def errors(view: View) -> Figure | None:
    """How sure each weight is, where standard errors are known."""
    if not view.has_errors:
        return None
    axes = panels(["", ""], width_in=FULL_WIDTH_IN, height_in=2.9)
    draw_weights_with_errors(view.inferred, INFERRED, axes[0], view.weight_name)
    draw_weight_significance(view.inferred, INFERRED, axes[1])
    return Figure(
        ax=axes[0],
        anchor="errors",
        title="How sure the weights are",
        alt="Weights in ascending order with their errors, and the histogram of their ratio.",
        caption=_errors_caption(view.inferred),
    )


def _errors_caption(circuit: Connectivity) -> str:
    name = error_name(circuit)
    holds = "hold if the model is right: they do not cover hidden neurons."
    far = f"{100 * share_beyond(circuit, 2.0):.0f} % of them lie more than 2 {name}s from zero"
    left = f"Left: {_weights_shown(circuit)} in ascending order, each with ± 1"
    if is_of_network(circuit):
        return (
            f"{left} standard error that a free weight would have in its place. Right: weights in "
            "units of it. A network makes these weights of fewer numbers, so the errors are not "
            "its own: they say how much the spikes tell of each weight by itself, and are no test "
            f"of the network's weights against noise. They {holds}"
        )
    if circuit.probability is None:
        return (
            f"{left} {name}. Right: weights in units of their {name}, beside the curve that noise "
            f"alone would give. {far}; noise alone would give 5 %. The errors {holds}"
        )
    return (
        f"{left} {name}. Right: weights in units of it. {far}. A weight is averaged over whether "
        "there is a connection at all, so most lie next to zero, and this is no test against "
        "noise: which pairs are connected is what the probabilities say. They, and the deviations, "
        f"{holds}"
    )


def _weights_shown(circuit: Connectivity) -> str:
    n_shown, n_all = n_with_errors(circuit), int(circuit.off_diagonal.sum())
    if n_shown == n_all:
        return f"all {n_all:,} weights"
    return f"the {n_shown:,} of {n_all:,} weights that the data inform"


def training(view: View) -> Figure | None:
    """Loss and held-out bits per spike by step; not where connections are weighed in few steps."""
    history = view.result.history
    if not history or view.inferred.probability is not None:
        return None
    axes = panels(["", ""], width_in=FULL_WIDTH_IN, height_in=2.9)
    draw_loss(history, axes[0])
    draw_held_out(history, axes[1])
    return Figure(
        ax=axes[0],
        anchor="training",
        title="Training",
        alt=f"Loss and held-out bits per spike over {counted(len(history), 'training step')}.",
        caption="Left: loss on the training spikes, lower is better. Right: bits per spike on "
        "spikes set apart for stopping, not those of the score above. Look for curves that have "
        "levelled off; a right curve that falls while the left one improves is overfitting.",
    )


def _uninformed(view: View) -> str:
    n = view.n_uninformed_pairs
    if n == 0:
        return ""
    if view.inferred.probability is not None:
        return f", or a pair with a neuron that never fires ({n:,} of them)"
    return (
        ", or a pair about whose weight the spikes say less than what is assumed beforehand "
        f"({n:,} of them)"
    )
