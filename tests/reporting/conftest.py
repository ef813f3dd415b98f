"""Rings to be drawn, and axes to draw on."""

import numpy as np

from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import panels

PROFILES = {
    "Mexican hat, inhibition only": lambda d: (
        np.exp(-(d**2) / 2 / 6.98**2) - 1.0005 * np.exp(-(d**2) / 2 / 7.0**2)
    ),
    "excitation, surround inhibition": lambda d: (
        np.exp(-(d**2) / 200) - 0.6 * np.exp(-(d**2) / 1800)
    ),
    "broad inhibition": lambda d: 2.3e-3 * (np.exp(-(d**2) / 128) - 1),
}


def ring(n, profile):
    """Weights and angles of an even ring of n neurons, 100 units around."""
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)) * 100 / n
    return PROFILES[profile](np.minimum(distance, 100 - distance)), 2 * np.pi * np.arange(n) / n


def one_axes():
    (ax,) = panels(["a title"], width_in=4.0, height_in=3.0)
    return ax


def in_order(neurons):
    return NeuronOrder(neurons=np.array(neurons))
