"""The studies: which methods are fitted to which networks, as lists of cases."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spikeweft.benchmark.datasets import recorded
from spikeweft.benchmark.methods import (
    CIRCUIT_GNN,
    CIRCUIT_GNN_DRIVE,
    ISING,
    MIXED_COLUMNS,
    PEERS,
    POISSON_GLM,
    SAME_BIN_GLM,
    WITH_DRIVE,
    WITHOUT_DRIVE,
    YOON_GNN_AS_PUBLISHED,
    YOON_GNN_DRIVE,
    YOON_GNN_DRIVE_AS_PUBLISHED,
    YOON_GNN_NARROW,
    Method,
    ablated,
)
from spikeweft.errors import InputError
from spikeweft.simulation.networks import Network
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    SymmetricWiring,
    Wiring,
    random_network,
)
from spikeweft.simulation.ring_networks import (
    PUBLISHED_THRESHOLDS,
    RingNetwork,
    lnp_ring,
    profile_ii_lnp_ring,
    profile_ii_threshold_ring,
    threshold_ring,
)

SEEDS = (100, 101, 102)
"""Seeds that were not used in development."""

MINUTES = 8.0

WIRING_MINUTES = 4.0

LENGTHS_MINUTES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

DRIVES_NEURONS = (2.0, 1.0)
"""Amplitudes of the external drive of Table 2, which the paper does not give."""

N_OBSERVED = (60, 80, 100)

N_HIDDEN = (0, 5, 10, 20, 40)

HIDDEN_METHODS = (CIRCUIT_GNN_DRIVE, YOON_GNN_DRIVE, YOON_GNN_DRIVE_AS_PUBLISHED)
"""Methods that are given hidden neurons: those of Table 3 that have any."""

HIDDEN_CONTROLS = (CIRCUIT_GNN, *PEERS)
"""Methods beside which hidden neurons are judged: none of these is given any."""


RANDOM_WIRINGS: Mapping[str, Wiring] = {
    "random symmetric": SymmetricWiring(),
    "random directed": DirectedWiring(),
    "excitatory/inhibitory": ExcitatoryInhibitoryWiring(),
}
"""Networks that are no rings."""

_CHOOSES_MINUTES = ("paper", "wirings", "ablations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fit: a method, and the data that it is fitted to.

    Attributes
    ----------
    study, table
        Where it is reported.
    setting, neuron_model
        The network, in words.
    network
        The network that makes the spikes; None where they come from `file`.
    method
        What infers the circuit.
    n_observed
        Neurons that the method sees.
    seed
        Seed of the spikes, of the choice of observed neurons, and of the method.
    minutes
        Length of the recording; the last tenth only scores.
    n_hidden
        Hidden neurons that the method is given.
    file
        Recording with its truth, where it is not simulated.
    """

    study: str
    table: str
    setting: str
    neuron_model: str
    network: Network | None
    method: Method
    n_observed: int
    seed: int = 0
    minutes: float = MINUTES
    n_hidden: int = 0
    file: Path | None = None

    @property
    def recurrent_strength(self) -> float:
        """Factor of all weights of the network; NaN where it is not known."""
        return float("nan") if self.network is None else self.network.recurrent_strength

    @property
    def command(self) -> str:
        """The command that makes this case's row again."""
        words = ["spikeweft", "benchmark", self.study, "OUT_DIR", "--table", self.table]
        words += ["--seeds", str(self.seed), "--methods", self.method.name]
        if self.study in _CHOOSES_MINUTES and self.network is not None:
            words += ["--minutes", f"{self.minutes:g}"]
        if self.file is not None:
            words += ["--spycon", self.file.name]
        return shlex.join([*words, "--force"])


def paper(seeds: Sequence[int] = SEEDS, minutes: float = MINUTES) -> list[Case]:
    """Tables 1 to 3 of Yoon (2025), and what hidden neurons do (table "partial")."""
    return _with_seeds([*_tables(), *_partial()], seeds, minutes)


def curves(seeds: Sequence[int] = SEEDS) -> list[Case]:
    """The error against recurrent strength (Das & Fiete 2020), and against recorded time."""
    rings = {r: threshold_ring(r) for r in PUBLISHED_THRESHOLDS}
    by_strength = [
        _ring("curves", "strength", "ring", "threshold", ring, method)
        for ring in rings.values()
        for method in (CIRCUIT_GNN, SAME_BIN_GLM, ISING)
    ]
    by_length = [
        replace(_ring("curves", "minutes", "ring", "LNP", lnp_ring(), method), minutes=minutes)
        for minutes in LENGTHS_MINUTES
        for method in (CIRCUIT_GNN, POISSON_GLM)
    ]
    return [replace(case, seed=seed) for seed in seeds for case in (*by_strength, *by_length)]


def wirings(
    seeds: Sequence[int] = SEEDS, minutes: float = WIRING_MINUTES, spycon: Path | None = None
) -> list[Case]:
    """Networks other than rings: three random wirings, and that of a file where one is given.

    Raises
    ------
    InputError
        Where there is no such file, or it is of another kind.
    """
    if spycon is not None and not spycon.is_file():
        raise InputError(f"there is no file {spycon}; check --spycon, or leave it out")
    simulated = [
        _random(name, random_network(rule, wiring_seed=seed), method, seed, minutes)
        for seed in seeds
        for name, rule in RANDOM_WIRINGS.items()
        for method in WITHOUT_DRIVE
    ]
    return [*simulated, *(_spycon(spycon, seeds[0]) if spycon is not None else ())]


def ablations(seeds: Sequence[int] = SEEDS, minutes: float = MINUTES) -> list[Case]:
    """CircuitGNN, whole and with one ingredient left out at a time, and the published model.

    Both rings. The published form differs in all of them and has wide messages; the last line is
    that form with narrow ones.
    """
    cases = [
        _ring("ablations", "1", "ring", neuron_model, ring, method)
        for neuron_model, ring in _rings().items()
        for method in (*ablated(), YOON_GNN_AS_PUBLISHED, YOON_GNN_NARROW)
    ]
    return _with_seeds(cases, seeds, minutes)


def chosen(
    cases: Iterable[Case], tables: Sequence[str] = (), methods: Sequence[str] = ()
) -> list[Case]:
    """The cases of some tables and some methods; all where none are named.

    Raises
    ------
    InputError
        Where a table or a method does not occur in the cases.
    """
    kept = list(cases)
    for word, names, name_of in (
        ("table", tables, lambda case: case.table),
        ("method", methods, lambda case: case.method.name),
    ):
        known = list(dict.fromkeys(map(name_of, kept)))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(f"there is no {word} '{unknown[0]}' here; choose {', '.join(known)}")
        kept = [case for case in kept if not names or name_of(case) in names]
    return kept


def _with_seeds(cases: Sequence[Case], seeds: Sequence[int], minutes: float) -> list[Case]:
    return [replace(case, seed=seed, minutes=minutes) for seed in seeds for case in cases]


def _rings() -> Mapping[str, RingNetwork]:
    return {"threshold": threshold_ring(), "LNP": lnp_ring()}


def _tables() -> Iterator[Case]:
    """Tables 1 to 3."""
    profile_ii = {"threshold": profile_ii_threshold_ring(), "LNP": profile_ii_lnp_ring()}
    settings = [("1", "ring", _rings(), WITHOUT_DRIVE)]
    for amplitude in DRIVES_NEURONS:
        driven = {
            name: replace(ring, drive_amplitude_neurons=amplitude)
            for name, ring in _rings().items()
        }
        settings.append(("2", f"ring, drive {amplitude:g}", driven, WITH_DRIVE))
    settings.append(("3", "Profile II", profile_ii, WITH_DRIVE))
    for table, setting, rings, methods in settings:
        for neuron_model, ring in rings.items():
            for method in methods:
                yield _ring("paper", table, setting, neuron_model, ring, method)


def _partial() -> Iterator[Case]:
    """Some neurons observed, some given to the model, up to all that are missing.

    Beside these every method without hidden neurons, and a model with as many columns as neurons
    are missing but no circuit.
    """
    case = _ring("paper", "partial", "Profile II", "LNP", profile_ii_lnp_ring(), CIRCUIT_GNN_DRIVE)
    for n_observed in N_OBSERVED:
        n_missing = case.n_observed - n_observed
        for method in HIDDEN_METHODS:
            for n_hidden in sorted({*N_HIDDEN, n_missing}):
                yield replace(case, n_observed=n_observed, n_hidden=n_hidden, method=method)
        for method in HIDDEN_CONTROLS:
            yield replace(case, n_observed=n_observed, method=method)
        if n_missing:
            yield replace(case, n_observed=n_observed, n_hidden=n_missing, method=MIXED_COLUMNS)


def _ring(
    study: str, table: str, setting: str, neuron_model: str, ring: RingNetwork, method: Method
) -> Case:
    return Case(
        study=study,
        table=table,
        setting=setting,
        neuron_model=neuron_model,
        network=ring,
        method=method,
        n_observed=ring.n_neurons,
    )


def _random(
    setting: str, network: RandomNetwork, method: Method, seed: int, minutes: float
) -> Case:
    return Case(
        study="wirings",
        table="simulated",
        setting=setting,
        neuron_model="LNP",
        network=network,
        method=method,
        n_observed=network.n_neurons,
        seed=seed,
        minutes=minutes,
    )


def _spycon(file: Path, seed: int) -> Iterator[Case]:
    """Cases of the one recording; the seed is that of the methods alone."""
    data = recorded(file)
    for method in WITHOUT_DRIVE:
        yield Case(
            study="wirings",
            table="spycon",
            setting="spycon",
            neuron_model="as recorded",
            network=None,
            method=method,
            n_observed=data.recording.n_neurons,
            seed=seed,
            minutes=data.minutes,
            file=file,
        )
