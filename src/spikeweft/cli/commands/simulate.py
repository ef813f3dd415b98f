"""`spikeweft simulate`: recordings of networks whose wiring is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from spikeweft.cli.apps import simulate_app
from spikeweft.cli.options import Count, Minutes

if TYPE_CHECKING:
    from spikeweft.simulation.sparse_networks.sparse_network import SparseNetwork


@simulate_app.command
def ring(
    out: Path,
    /,
    *,
    neuron_model: Literal["threshold", "lnp"] = "threshold",
    minutes: Annotated[float, Minutes] = 8.0,
    seed: Annotated[int, Count] = 0,
    recurrent_strength: float = 0.025,
    drive_amplitude: float = 0.0,
    force: bool = False,
) -> None:
    """Simulate a ring of 100 neurons with bumps of activity; spikes and truth go into one file.

    Example: `spikeweft simulate ring ring.npz --neuron-model lnp --minutes 8 --seed 1`

    Neurons in different bumps fire together without being connected, which is what misleads
    methods that look at correlations. The file holds `spike_times` (s), `spike_units`, and the
    true `weights[post, pre]`.

    Parameters
    ----------
    out
        File to write, ending in .npz.
    neuron_model
        Threshold-crossing neurons with noise, or linear-nonlinear-Poisson ones.
    minutes
        Length of the recording.
    seed
        The same seed gives the same spikes.
    recurrent_strength
        Factor on all weights; 0.025 is the strongest published, 0.0025 is weak.
    drive_amplitude
        Amplitude in neurons of a slow external drive that moves the bumps.
    force
        Overwrite a file that exists.
    """
    from dataclasses import replace

    import numpy as np

    from spikeweft.simulation.networks import simulate
    from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring
    from spikeweft.simulation.storage import check_new_npz, save_simulation

    check_new_npz(out, force=force)
    published = {"threshold": threshold_ring, "lnp": lnp_ring}[neuron_model]
    network = replace(published(recurrent_strength), drive_amplitude_neurons=drive_amplitude)
    recording = simulate(network, 60.0 * minutes, np.random.default_rng(seed))
    save_simulation(out, recording, network.connectivity, force=force)
    print(f"{out}: {recording.n_neurons} neurons, {len(recording.spike_times_s):,} spikes")


@simulate_app.command
def sparse(
    out: Path,
    /,
    *,
    neuron_model: Literal["izhikevich", "integrate-and-fire", "poisson"] = "izhikevich",
    minutes: Annotated[float, Minutes] = 60.0,
    n_neurons: Annotated[int | None, Count] = None,
    n_observed: Annotated[int | None, Count] = None,
    seed: Annotated[int, Count] = 0,
    force: bool = False,
) -> None:
    """Simulate a sparse network of excitatory and inhibitory neurons with synaptic delays.

    Example: `spikeweft simulate sparse slice.npz --neuron-model integrate-and-fire --minutes 40`

    Neurons share slow states or bursts, which look like connections where there are none. The
    file holds `spike_times` (s), `spike_units`, and of the neurons observed the true
    `weights[post, pre]`, `latency_s[post, pre]` and which of them excite.

    Parameters
    ----------
    out
        File to write, ending in .npz.
    neuron_model
        Izhikevich's neurons, leaky integrate-and-fire ones with network bursts, or Poisson
        neurons with a slow state.
    minutes
        Length of the recording.
    n_neurons
        Neurons of the network: 1,000 of Izhikevich's, 60 of the others.
    n_observed
        How many of them, chosen at random, are in the file: 100, or all of fewer.
    seed
        The same seed gives the same circuit and the same spikes.
    force
        Overwrite a file that exists.
    """
    import numpy as np

    from spikeweft.simulation.partial_observation import check_n_observed, observe
    from spikeweft.simulation.storage import check_new_npz, save_simulation

    check_new_npz(out, force=force)
    network = _sparse_network(neuron_model, n_neurons, seed)
    n_seen = min(100, network.n_neurons) if n_observed is None else n_observed
    check_n_observed(n_seen, network.n_neurons)
    rng = np.random.default_rng(seed)
    recording = network.simulate(60.0 * minutes, rng)
    seen = observe(recording, network.connectivity, n_seen, rng)
    save_simulation(out, seen.recording, seen.connectivity, force=force)
    n_connections = int((seen.connectivity.weights != 0).sum())
    print(
        f"{out}: {n_seen} of {network.n_neurons} neurons, "
        f"{len(seen.recording.spike_times_s):,} spikes, {n_connections} connections"
    )


def _sparse_network(neuron_model: str, n_neurons: int | None, seed: int) -> "SparseNetwork":
    from dataclasses import replace

    from spikeweft.simulation.sparse_networks.integrate_and_fire import IntegrateAndFireNetwork
    from spikeweft.simulation.sparse_networks.izhikevich import IzhikevichNetwork
    from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork

    network = {
        "izhikevich": IzhikevichNetwork(wiring_seed=seed),
        "integrate-and-fire": IntegrateAndFireNetwork(wiring_seed=seed),
        "poisson": SparsePoissonNetwork(wiring_seed=seed),
    }[neuron_model]
    return network if n_neurons is None else replace(network, n_neurons=n_neurons)
