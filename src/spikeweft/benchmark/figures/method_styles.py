"""How each method is drawn: the same colour in every figure."""

from spikeweft.benchmark.methods import ABLATIONS
from spikeweft.reporting.plot_style import MUTED, ORACLE, TRUTH, Style

STYLES = {
    style.name: style
    for style in (
        Style(name="CircuitGNN", colour="#0072b2"),
        Style(name="CircuitGNN+drive", colour="#56b4e9"),
        Style(name="YoonGNN", colour="#009e73"),
        Style(name="YoonGNN+drive", colour="#009e73"),
        Style(name="YoonGNN+drive, graph at rest", colour="#66c2a5"),
        Style(name="YoonGNN, as published", colour="#8c6d31"),
        Style(name="YoonGNN+drive, as published", colour="#8c6d31"),
        Style(name="YoonGNN, narrow messages", colour="#009e73"),
        Style(name="PoissonGLM", colour="#d55e00"),
        Style(name="SharedFilterGLM", colour="#e69f00"),
        Style(name="SameBinGLM", colour="#a6611a"),
        Style(name="Ising", colour="#cc79a7"),
        Style(name="LogisticRegressionL1", colour="#7b3294"),
        Style(name="InverseCovariance", colour="#8c8c8c"),
        Style(name="CrossCorrelogram", colour="#5a6670"),
        Style(name="SynapseModel", colour="#0072b2"),
        Style(name="HollowCorrelogram", colour="#5a6670"),
        Style(name="JitterCorrelogram", colour="#8c8c8c"),
        Style(name="GLMCC", colour="#e69f00"),
        Style(name="TSPE", colour="#44782a"),
        Style(name="TCA", colour="#882255"),
        Style(name="SeqNMF", colour="#44782a"),
        Style(name="NRI", colour="#b0324f"),
    )
}
"""Every method in the same colour everywhere."""

ABLATION_STYLES = {
    ablation.method.name: Style(
        name=f"without {ablation.ingredient}\n({ablation.instead})", colour="#b0324f"
    )
    for ablation in ABLATIONS
}


def method_style(method: str) -> Style:
    """How a method is drawn; grey where it has no colour of its own."""
    return {**STYLES, **ABLATION_STYLES}.get(method, Style(name=method, colour=MUTED))


BOUND = Style(name="Cramér-Rao bound, free weights", colour=TRUTH.colour, line=ORACLE.line)
