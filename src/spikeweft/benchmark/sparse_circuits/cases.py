"""The sparse networks, and which methods are fitted to them."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spikeweft.benchmark.datasets import DataSet, recorded
from spikeweft.benchmark.methods import CIRCUIT_GNN, MONOSYNAPTIC, Method
from spikeweft.errors import InputError
from spikeweft.simulation.sparse_networks.integrate_and_fire import IntegrateAndFireNetwork
from spikeweft.simulation.sparse_networks.izhikevich import IzhikevichNetwork
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork
from spikeweft.simulation.sparse_networks.sparse_network import SparseNetwork

SEEDS = (100, 101, 102, 103, 104)
"""Seeds that were not used in development."""

MINUTES = 60.0

METHODS = {method.name: method for method in (*MONOSYNAPTIC, CIRCUIT_GNN)}
"""All methods of the study; the last takes hours on these networks and is fitted if named."""

_STRONG_STATE = 1.0

_N_SLOW_PATTERNS = 3


class ObservedNetwork(NamedTuple):
    """A kind of network, by the seed of its wiring, and how many of its neurons are seen.

    `acts_at_once` says whether a synapse acts from its delay on, and not only once a membrane has
    integrated: where it does not, latencies are not scored.
    """

    network: Callable[[int], SparseNetwork]
    n_observed: int
    acts_at_once: bool = False


def _unconnected(seed: int) -> SparsePoissonNetwork:
    return SparsePoissonNetwork(
        wiring_seed=seed, connection_probability=0.0, median_gain=_STRONG_STATE
    )


NETWORKS: Mapping[str, ObservedNetwork] = {
    "Izhikevich, 100 of 1,000": ObservedNetwork(
        lambda seed: IzhikevichNetwork(wiring_seed=seed), 100
    ),
    "integrate-and-fire, 30 of 60": ObservedNetwork(
        lambda seed: IntegrateAndFireNetwork(wiring_seed=seed), 30
    ),
    "integrate-and-fire, all 60": ObservedNetwork(
        lambda seed: IntegrateAndFireNetwork(wiring_seed=seed), 60
    ),
    "Poisson, all 60": ObservedNetwork(
        lambda seed: SparsePoissonNetwork(wiring_seed=seed), 60, acts_at_once=True
    ),
    "Poisson with slow patterns, all 60": ObservedNetwork(
        lambda seed: SparsePoissonNetwork(wiring_seed=seed, n_slow_patterns=_N_SLOW_PATTERNS),
        60,
        acts_at_once=True,
    ),
    "unconnected, all 60": ObservedNetwork(_unconnected, 60, acts_at_once=True),
}
"""Networks by name; of the last only a strong slow state is shared."""

SPYCON = "christiando/spycon, all {}"
"""A network that others simulated, as in `spycon_sim1917Cell1Block1_tiny.npz`, by how many neurons
it has; its latencies are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseCase:
    """One fit: a method, and the network that it is fitted to.

    Attributes
    ----------
    network
        A name in `NETWORKS`, or that of the network that others simulated.
    method
        What infers the circuit.
    seed
        Seed of the wiring, the spikes, the choice of observed neurons, and the method.
    minutes
        Length of the recording; the last tenth only scores.
    file
        The recording, where it is not simulated here.
    n_recorded
        How many neurons the file holds.
    """

    network: str
    method: Method
    seed: int
    minutes: float = MINUTES
    file: Path | None = None
    n_recorded: int = 0

    @property
    def n_observed(self) -> int:
        """How many neurons are seen."""
        return NETWORKS[self.network].n_observed if self.file is None else self.n_recorded

    @property
    def has_latencies(self) -> bool:
        """Whether latencies are known, and are those of the synapses."""
        return self.file is None and NETWORKS[self.network].acts_at_once

    @property
    def command(self) -> str:
        """The command that makes this case's row again."""
        words = ["spikeweft", "benchmark", "sparse", "OUT_DIR", "--networks", self.network]
        words += ["--seeds", str(self.seed), "--methods", self.method.name]
        words += ["--minutes", f"{self.minutes:g}"] if self.file is None else []
        words += ["--spycon", self.file.name] if self.file is not None else []
        return shlex.join([*words, "--force"])


def sparse(
    seeds: Sequence[int] = SEEDS,
    minutes: float = MINUTES,
    networks: Sequence[str] = (),
    methods: Sequence[str] = (),
    spycon: Path | None = None,
) -> list[SparseCase]:
    """The cases of some networks and methods; of all networks and quick methods by default.

    The network that others simulated is among them if its file is given, with the first seed.

    Raises
    ------
    InputError
        Where there is no such network, method or file, or the file is of another kind.
    """
    _check_known("method", methods, METHODS)
    of_others = {} if spycon is None else _of_others(spycon)
    _check_known("network", networks, [*NETWORKS, *of_others])
    wanted = [METHODS[name] for name in methods] or list(MONOSYNAPTIC)
    simulated = [
        SparseCase(network=network, method=method, seed=seed, minutes=minutes)
        for network in networks or NETWORKS
        if network in NETWORKS
        for seed in seeds
        for method in wanted
    ]
    recorded_by_others = [
        SparseCase(
            network=network,
            method=method,
            seed=seeds[0],
            minutes=data.minutes,
            file=spycon,
            n_recorded=data.recording.n_neurons,
        )
        for network, data in of_others.items()
        if network in (networks or of_others)
        for method in wanted
    ]
    return [*simulated, *recorded_by_others]


def _of_others(file: Path) -> dict[str, DataSet]:
    """The network of a file by its name, which says how many neurons it has."""
    if not file.is_file():
        raise InputError(f"there is no file {file}; check --spycon, or leave it out")
    data = recorded(file)
    return {SPYCON.format(data.recording.n_neurons): data}


def _check_known(word: str, names: Sequence[str], known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        choices = ", ".join(f"'{name}'" for name in known)
        raise InputError(f"there is no {word} '{unknown[0]}' here; choose {choices}")
