"""The methods that are compared, as data; each is imported only in the process that fits it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

from spikeweft.errors import InputError

if TYPE_CHECKING:
    from spikeweft.estimator import CircuitEstimator


_CIRCUIT_GNN = "spikeweft.circuit_gnn.estimator.CircuitGNN"
_ABLATIONS = "spikeweft.circuit_gnn.ablations"

_YOON_GNN = "spikeweft.graph_networks.yoon_gnn.YoonGNN"

_PUBLISHED_EPOCHS = 10
"""Epochs of the published model as published, of 200 batches each: about five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to infer a circuit: a class and its settings.

    Attributes
    ----------
    name
        What it is called in tables and on the command line.
    estimator
        Module and class, with dots; behind them a class method, where one makes it.
    settings
        Arguments of the class, where they differ from its defaults.
    """

    name: str
    estimator: str
    settings: Mapping[str, object] = field(default_factory=dict)

    def build(self, *, n_hidden: int, seed: int) -> "CircuitEstimator":
        """The estimator, not yet fitted; what draws no random numbers is not given a seed.

        Raises
        ------
        InputError
            Where the class cannot be imported, or has no hidden neurons but is asked for some.
        """
        estimator = self._class()(**self.settings)
        known = estimator.get_params(deep=False)
        if n_hidden and "n_hidden" not in known:
            raise InputError(f"{self.name} has no hidden neurons; ask it for 0, not {n_hidden}")
        wanted = {"n_hidden": n_hidden, "random_state": seed}
        return estimator.set_params(**{key: wanted[key] for key in wanted if key in known})

    def _class(self) -> "Callable[..., CircuitEstimator]":
        try:
            return resolve_name(self.estimator)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"{self.name} cannot be imported ({error}); install what it needs"
            ) from error


CIRCUIT_GNN = Method(name="CircuitGNN", estimator=_CIRCUIT_GNN)

CIRCUIT_GNN_DRIVE = Method(
    name="CircuitGNN+drive", estimator=_CIRCUIT_GNN, settings={"rotated_by": "drive"}
)

YOON_GNN = Method(name="YoonGNN", estimator=_YOON_GNN)

YOON_GNN_DRIVE = Method(name="YoonGNN+drive", estimator=_YOON_GNN, settings={"drive": "drive"})

YOON_GNN_DRIVE_STILL = Method(
    name="YoonGNN+drive, graph at rest",
    estimator=_YOON_GNN,
    settings={"drive": "drive", "input_turns": False},
)
"""The same where the input reaches the states of neurons alone, as published."""


def _as_published(name: str, **settings: object) -> Method:
    """The published form of `YoonGNN`."""
    return Method(
        name=name,
        estimator=f"{_YOON_GNN}.as_published",
        settings={"n_epochs": _PUBLISHED_EPOCHS, **settings},
    )


YOON_GNN_AS_PUBLISHED = _as_published("YoonGNN, as published")

YOON_GNN_DRIVE_AS_PUBLISHED = _as_published("YoonGNN+drive, as published", drive="drive")

YOON_GNN_NARROW = _as_published("YoonGNN, narrow messages", message_width=1)
"""The published form where a message is one number, as it is in `CircuitGNN`."""

POISSON_GLM = Method(name="PoissonGLM", estimator="spikeweft.baselines.glm.poisson_glm.PoissonGLM")

SAME_BIN_GLM = Method(
    name="SameBinGLM", estimator="spikeweft.baselines.same_bin.same_bin_glm.SameBinGLM"
)

SHARED_FILTER_GLM = Method(
    name="SharedFilterGLM", estimator="spikeweft.baselines.glm.shared_filter_glm.SharedFilterGLM"
)

ISING = Method(name="Ising", estimator="spikeweft.baselines.same_bin.ising.Ising")

LOGISTIC = Method(
    name="LogisticRegressionL1",
    estimator="spikeweft.baselines.same_bin.logistic_regression.LogisticRegressionL1",
)

INVERSE_COVARIANCE = Method(
    name="InverseCovariance",
    estimator="spikeweft.baselines.same_bin.inverse_covariance.InverseCovariance",
)

CROSS_CORRELOGRAM = Method(
    name="CrossCorrelogram",
    estimator="spikeweft.baselines.correlograms.cross_correlogram.CrossCorrelogram",
)

TCA = Method(name="TCA", estimator="spikeweft.baselines.factorisation.tca.TCA")

SEQ_NMF = Method(name="SeqNMF", estimator="spikeweft.baselines.factorisation.seqnmf.SeqNMF")

NRI = Method(name="NRI", estimator="spikeweft.graph_networks.nri.NRI")

SYNAPSE_MODEL = Method(
    name="SynapseModel", estimator="spikeweft.synapse_model.estimator.SynapseModel"
)

HOLLOW_CORRELOGRAM = Method(
    name="HollowCorrelogram",
    estimator="spikeweft.baselines.correlograms.hollow_correlogram.HollowCorrelogram",
)

JITTER_CORRELOGRAM = Method(
    name="JitterCorrelogram",
    estimator="spikeweft.baselines.correlograms.jitter_correlogram.JitterCorrelogram",
)

GLMCC = Method(name="GLMCC", estimator="spikeweft.baselines.correlograms.glmcc.GLMCC")

TSPE = Method(name="TSPE", estimator="spikeweft.baselines.correlograms.tspe.TSPE")

MONOSYNAPTIC: tuple[Method, ...] = (
    SYNAPSE_MODEL,
    HOLLOW_CORRELOGRAM,
    JITTER_CORRELOGRAM,
    GLMCC,
    TSPE,
    POISSON_GLM,
)
"""Methods for sparse circuits of which few pairs are connected, with delays."""

PEERS: tuple[Method, ...] = (
    POISSON_GLM,
    SHARED_FILTER_GLM,
    SAME_BIN_GLM,
    ISING,
    LOGISTIC,
    INVERSE_COVARIANCE,
    CROSS_CORRELOGRAM,
    TCA,
    SEQ_NMF,
    NRI,
)

WITHOUT_DRIVE: tuple[Method, ...] = (CIRCUIT_GNN, YOON_GNN, YOON_GNN_AS_PUBLISHED, *PEERS)
"""Methods for networks that no external input drives."""

WITH_DRIVE: tuple[Method, ...] = (
    CIRCUIT_GNN_DRIVE,
    CIRCUIT_GNN,
    YOON_GNN_DRIVE,
    YOON_GNN_DRIVE_STILL,
    YOON_GNN_DRIVE_AS_PUBLISHED,
    *PEERS,
)
"""Methods for driven networks: ours with and without reading the input, to see what that adds."""

MIXED_COLUMNS = Method(
    name="CircuitGNN+drive, mixed columns",
    estimator=f"{_ABLATIONS}.WithoutHiddenCircuit",
    settings={"rotated_by": "drive"},
)
"""What hidden neurons are compared with: as many parameters, and no circuit behind them."""


class Ablation(NamedTuple):
    """One ingredient of `CircuitGNN` that is left out, what stands in its place, and the class."""

    ingredient: str
    instead: str
    estimator: str

    @property
    def method(self) -> Method:
        """`CircuitGNN` without this ingredient."""
        name = f"without {self.ingredient}"
        return Method(name=name, estimator=f"{_ABLATIONS}.{self.estimator}")


ABLATIONS = (
    Ablation("structure", "free weights", "WithoutStructure"),
    Ablation("ensembles", "one network a round", "WithoutEnsembles"),
    Ablation("further rounds", "one round", "WithoutFurtherRounds"),
    Ablation("spectral start", "random embeddings", "WithoutSpectralStart"),
    Ablation("symmetric pair features", "[zᵢ, zⱼ]", "WithoutSymmetricFeatures"),
    Ablation("pair network", "bilinear form", "WithoutPairNetwork"),
    Ablation("Fisher metric", "all pairs alike", "WithoutFisherMetric"),
    Ablation("learned link", "exponential link", "WithoutLearnedLink"),
    Ablation("expected information", "steps heed spikes only", "WithoutExpectedInformation"),
    Ablation("whitened steps", "diagonal steps", "WithoutWhitenedSteps"),
)


def ablated() -> tuple[Method, ...]:
    """The whole method, then the same with one ingredient left out at a time."""
    return (CIRCUIT_GNN, *(ablation.method for ablation in ABLATIONS))
