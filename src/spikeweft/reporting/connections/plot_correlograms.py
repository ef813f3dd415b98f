"""Plots of the coincidences of two neurons."""

from typing import NamedTuple

from matplotlib.axes import Axes

from spikeweft.reporting.connections.probable import ProbableConnections, connection_in_words
from spikeweft.reporting.plot_style import INFERRED, INK, MUTED, NO_DATA, styled
from spikeweft.results.correlograms import Correlogram, Correlograms


class NamedCorrelogram(NamedTuple):
    """A correlogram from its sender to its receiver, and the connection in words."""

    name: str
    post: int
    pre: int
    correlogram: Correlogram


def named_correlograms(
    connections: ProbableConnections, kept: Correlograms | None
) -> list[NamedCorrelogram]:
    """The correlograms of connections, the most probable first; each pair's once."""
    found: dict[tuple[int, int], NamedCorrelogram] = {}
    for post, pre in zip(connections.post.tolist(), connections.pre.tolist(), strict=True):
        correlogram = None if kept is None else kept.between(post, pre)
        if correlogram is not None and (pre, post) not in found:
            name = connection_in_words(connections.circuit, post, pre)
            found[post, pre] = NamedCorrelogram(name, post, pre, correlogram)
    return list(found.values())


@styled
def draw_correlogram(correlogram: Correlogram, ax: Axes) -> Axes:
    """Coincidences by lag as bars; the null, dashed, and with the connection, as lines."""
    lags_ms = 1e3 * correlogram.lags_s
    ax.bar(
        lags_ms,
        correlogram.observed,
        width=lags_ms[1] - lags_ms[0],
        color=NO_DATA,
        linewidth=0,
        label="observed",
    )
    ax.axvline(0.0, color=MUTED, lw=0.6)
    ax.plot(lags_ms, correlogram.connected, color=INFERRED.colour, lw=1.3, label="with connection")
    ax.plot(lags_ms, correlogram.null, color=INK, lw=1.0, ls=(0, (4.0, 1.6)), label="without")
    ax.set_xlim(lags_ms[0], lags_ms[-1])
    return ax
