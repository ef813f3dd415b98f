"""Digests of what small fits find, to show that a change of the code's form changes no number.

`python tests/golden.py > before.txt`, change the code, again `> after.txt`, and `diff` the two.
The digests are those of one machine and its libraries; another has others.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray
from safetensors.numpy import load_file

from spikeweft.baselines.correlograms.cross_correlogram import CrossCorrelogram
from spikeweft.baselines.factorisation.seqnmf import SeqNMF
from spikeweft.baselines.factorisation.tca import TCA
from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.baselines.glm.shared_filter_glm import SharedFilterGLM
from spikeweft.baselines.same_bin.inverse_covariance import InverseCovariance
from spikeweft.baselines.same_bin.ising import Ising
from spikeweft.baselines.same_bin.logistic_regression import LogisticRegressionL1
from spikeweft.baselines.same_bin.same_bin_glm import SameBinGLM
from spikeweft.circuit_gnn import ablations
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.recording import Recording
from spikeweft.graph_networks.nri import NRI
from spikeweft.graph_networks.yoon_gnn import YoonGNN
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork
from spikeweft.simulation.ring_networks import FlatInhibition, RingNetwork

ONE_INGREDIENT_LEFT_OUT = (
    ablations.WithoutFurtherRounds,
    ablations.WithoutEnsembles,
    ablations.WithoutSpectralStart,
    ablations.WithoutSymmetricFeatures,
    ablations.WithoutPairNetwork,
    ablations.WithoutFisherMetric,
    ablations.WithoutLearnedLink,
    ablations.WithoutExpectedInformation,
    ablations.WithoutWhitenedSteps,
    ablations.WithoutStructure,
)


def directed(duration_s: float, tau_s: float = 0.01) -> Recording:
    """Six neurons, sparsely and directedly connected."""
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=8e-4),
        wiring=DirectedWiring(connection_probability=0.3),
        n_neurons=6,
        recurrent_strength=1e-3 / tau_s,
        tau_s=tau_s,
    )
    return simulate(network, duration_s, np.random.default_rng(1))


def ring(duration_s: float, drive_neurons: float = 0.0) -> Recording:
    """Twenty neurons on a ring, which an input may rotate."""
    network = RingNetwork(
        neuron=LNPNeuron(threshold=0.0),
        profile=FlatInhibition(excitation_sd=4.0),
        n_neurons=20,
        recurrent_strength=0.1,
        drive_amplitude_neurons=drive_neurons,
        drive_period_s=4.0,
    )
    return simulate(network, duration_s, np.random.default_rng(0))


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of types, shapes and bytes."""
    total = hashlib.sha256()
    for array in map(np.asarray, arrays):
        total.update(f"{array.dtype.str} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:32]


def show(name: str, estimator, X: Recording) -> None:
    """Print what an estimator finds in a recording."""
    circuit = estimator.fit(X).connectivity_
    error = np.zeros(0) if circuit.standard_error is None else circuit.standard_error
    found = digest(circuit.weights, error)
    scores = digest(estimator.log_likelihood(X)) if hasattr(estimator, "log_likelihood") else "-"
    print(f"{name:32} {found} {scores} {circuit.metadata.get('structure', '')}", flush=True)


def show_circuit_gnn() -> None:
    """The paths through the fit: plain, searched, hidden, rotated, structured, and ablated."""
    X, X_ring = directed(8.0), ring(12.0)
    show("plain", CircuitGNN(tau_s=0.01), X)
    show("time constant searched", CircuitGNN(), directed(20.0, tau_s=0.03))
    show("hidden neurons", CircuitGNN(tau_s=0.01, n_hidden=2, random_state=3), X)
    show("structured weights", CircuitGNN(tau_s=0.01), X_ring)
    driven = ring(12.0, drive_neurons=1.5)
    show("covariate", CircuitGNN(tau_s=0.01, covariates=("drive",)), driven)
    show("rotation", CircuitGNN(tau_s=0.01, rotated_by="drive"), driven)
    seen = driven.select(np.arange(20)[np.arange(20) % 2 == 0])
    rotated = CircuitGNN(rotated_by="drive", n_hidden=10)
    show("rotation, hidden neurons", rotated, seen)
    mixed = ablations.WithoutHiddenCircuit(tau_s=0.01, n_hidden=2)
    show("mixed columns", mixed, X_ring.select(np.arange(16)))
    for ablation in ONE_INGREDIENT_LEFT_OUT:
        show(ablation.__name__, ablation(tau_s=0.01), X_ring)


def show_others() -> None:
    """What the other methods find."""
    X = directed(8.0)
    methods = [
        PoissonGLM(),
        SharedFilterGLM(),
        SameBinGLM(),
        Ising(),
        LogisticRegressionL1(),
        InverseCovariance(),
        CrossCorrelogram(),
        TCA(),
        SeqNMF(),
        YoonGNN(n_epochs=2, batch_size=256),
        YoonGNN.as_published(n_epochs=2),
        NRI(n_epochs=2),
    ]
    for method in methods:
        show(type(method).__name__, method, X)
    show(
        "YoonGNN, drive",
        YoonGNN.as_published(n_epochs=2, drive="drive"),
        ring(8.0, drive_neurons=1.5),
    )


def show_inference() -> None:
    """The arrays in the folder that `spikeweft infer` makes of a simulated ring."""
    with tempfile.TemporaryDirectory() as place:
        recording, folder = Path(place) / "ring.npz", Path(place) / "result"
        command = [sys.executable, "-m", "spikeweft.cli"]
        ring_of_40 = ["--neuron-model", "lnp", "--minutes", "0.2"]
        for words in (["simulate", "ring", recording, *ring_of_40], ["infer", recording, folder]):
            subprocess.run([*command, *map(str, words)], check=True, capture_output=True)
        for name, array in sorted(load_file(folder / "model.safetensors").items()):
            print(f"infer, {name:25} {digest(array)}")
        for path in sorted(folder.glob("*.nc")):
            with xarray.open_dataset(path) as circuit:
                for name, values in sorted(circuit.data_vars.items()):
                    if values.dtype.kind == "f":
                        print(f"infer, {path.name}, {name}: {digest(values.values)}")


if __name__ == "__main__":
    show_circuit_gnn()
    show_others()
    show_inference()
