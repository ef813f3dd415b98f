"""Plots of circuits, spikes and scores, and the page that shows a result."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ordering": ["NeuronOrder", "neuron_order"],
        "plot_circuits": [
            "draw_colour_scale",
            "draw_mean_profile",
            "draw_profile",
            "draw_weights",
            "label_weights",
            "weight_limit",
        ],
        "plot_scores": ["draw_against", "draw_bits_per_spike", "draw_fits"],
        "plot_spikes": ["draw_direction", "draw_loss", "draw_raster"],
        "plot_style": [
            "GLM",
            "INFERRED",
            "INK",
            "ORACLE",
            "TRUTH",
            "Style",
            "as_svg",
            "legend_beside",
            "name_axes",
            "panels",
            "scale_axes",
            "write_figure",
        ],
        "result_figures": ["figures"],
        "result_page": ["build_report"],
        "result_view": ["View"],
    },
)
